package daemons

import (
	"net/netip"
	"strings"

	"github.com/connwarden/connwarden"
)

// hostAddr reads "NAME [ADDR]" or "[ADDR]" that s begins with, as sendmail, Cyrus and UW's imapd write a peer, and what follows.
func hostAddr(s string) (a netip.Addr, rest string, ok bool) {
	if name, rest := word(s); s != "" && s[0] != '[' {
		if i := strings.IndexByte(name, '['); i > 0 { // Cyrus' timsieved writes no space
			rest = s[i:]
		}
		s = rest
	}
	return bracketed(s)
}

// readMailbox reads the mailbox servers that share program names: Courier, Cyrus and UW's imapd tell themselves apart by what they
// say.
func readMailbox(program, s string, e *connwarden.Event) bool {
	for _, level := range [...]string{"INFO: ", "ERR: ", "ERROR: ", "NOTICE: ", "DEBUG: "} {
		s = strings.TrimPrefix(s, level)
	}
	if s == "" {
		return false
	}
	switch {
	case strings.HasPrefix(s, "LOGIN FAILED, "), strings.HasPrefix(s, "LOGIN: FAILED, "):
		// Courier, imaplogin.c: "LOGIN FAILED, user=%s, ip=[%s], port=[%s]"; pop3login.c says "method=%s" for other mechanisms.
		e.Service = "courier"
		return courierPeer(s, connwarden.EventAuthFailed, e)
	case strings.HasPrefix(s, "LOGIN, user="):
		e.Service = "courier"
		return courierPeer(s, connwarden.EventAuthPassed, e)
	case strings.HasPrefix(s, "Connection, ip=["):
		e.Service = "courier"
		return courierPeer(s, connwarden.EventConnected, e)
	case strings.HasPrefix(s, "error,relay="):
		// courieresmtpd, submit2.C: what the peer said follows its address.
		e.Service = "courier"
		return courierRelay(s[len("error,relay="):], e)
	case strings.HasPrefix(s, "badlogin: "):
		// Cyrus, imapd.c: "badlogin: %s %s (%s) [%s]": clienthost, mechanism, name, reason.
		e.Service = "cyrus"
		a, rest, ok := hostAddr(s[len("badlogin: "):])
		return ok && sayOf(e, connwarden.EventAuthFailed, a, cyrusName(rest), "")
	case strings.HasPrefix(s, "login: ") && program != "imapd":
		e.Service = "cyrus"
		a, rest, ok := hostAddr(s[len("login: "):])
		user, _ := word(trim(rest))
		return ok && sayOf(e, connwarden.EventAuthPassed, a, user, "")
	case strings.HasPrefix(s, "Login failed "), strings.HasPrefix(s, "Login failure "), strings.HasPrefix(s, "AUTHENTICATE "), strings.HasPrefix(s, "Login excessive "),
		strings.HasPrefix(s, "Login disabled "):
		// UW imapd.c and ipop3d.c: "Login failed user=%.80s auth=%.80s host=%.80s".
		e.Service = "uw-imap"
		head, host, ok := lastCut(s, " host=")
		if !ok || strings.HasPrefix(s, "AUTHENTICATE ") && !strings.Contains(head, " failure") {
			return false
		}
		user, _ := between(head, "user=", " auth=")
		a, _, ok := hostAddr(host)
		return ok && sayOf(e, connwarden.EventAuthFailed, a, user, "")
	case strings.HasPrefix(s, "refused connect from "):
		e.Service = "tcpd"
		return tcpWrapper(s, e)
	}
	return false
}

// courierPeer takes the address from the last ", ip=[", which only the server's own words follow.
func courierPeer(s string, kind connwarden.EventKind, e *connwarden.Event) bool {
	head, rest, ok := lastCut(s, ", ip=")
	if !ok {
		if head, rest, ok = lastCut(s, "Connection, ip="); !ok {
			return false
		}
	}
	a, _, ok := bracketed(rest)
	user, _ := after(head, "user=")
	return ok && sayOf(e, kind, a, user, "")
}

func courierRelay(s string, e *connwarden.Event) bool {
	host, rest, ok := strings.Cut(s, ",")
	if !ok {
		return false
	}
	kind := connwarden.EventNotAllowed
	switch {
	case strings.Contains(rest, "535 Auth"):
		kind = connwarden.EventAuthFailed
	case strings.Contains(rest, "Relaying denied"):
		kind = connwarden.EventRelay
	case strings.Contains(rest, "550 User unknown"), strings.Contains(rest, "550 User <"):
		kind = connwarden.EventHarvest
	case strings.Contains(rest, "lacklist"), strings.Contains(rest, "511 "), strings.Contains(rest, "BLOCK"):
		kind = connwarden.EventSpam
	case !strings.Contains(rest, ": 5") && !strings.Contains(rest, "\"5"):
		kind = connwarden.EventOther
	}
	a, ok := address(host)
	return ok && sayOf(e, kind, a, "", rest)
}

// cyrusName is the account in " PLAIN (NAME) [REASON]", " plaintext NAME REASON".
func cyrusName(s string) string {
	s = trim(s)
	if strings.HasPrefix(s, "anonymous ") {
		return ""
	}
	if name, ok := between(s, "(", ")"); ok && strings.IndexByte(s, '(') < 24 && !strings.HasPrefix(name, "-") {
		return name
	}
	_, rest := word(s)
	name, _ := word(rest)
	if strings.HasPrefix(name, "[SASL(") {
		return "" // the reason, where no name was said
	}
	return strings.TrimPrefix(name, "[")
}

// readSendmail reads sendmail 8 (srvrsmtp.c, srvrsmtp.h). A peer is "NAME [ADDR]", perhaps with " (may be forged)" behind; the queue's
// id may stand in front.
func readSendmail(program, s string, e *connwarden.Event) bool {
	if program == "saslauthd" {
		return false // knows no address
	}
	if id, rest, ok := strings.Cut(s, ": "); ok && (isQueueID(id) && len(id) >= 12 || id == "NOQUEUE") {
		s = rest
	}
	switch {
	case strings.HasPrefix(s, "AUTH failure ("):
		// "AUTH failure (%s): %s (%d) %s%s%.*s, relay=%.100s": nothing follows the relay.
		head, relay, ok := lastCut(s, ", relay=")
		if !ok {
			head, relay, ok = lastCut(s, " relay=")
		}
		user, _ := after(head, "user=")
		a, _, good := hostAddr(relay)
		return ok && good && sayOf(e, connwarden.EventAuthFailed, a, user, "")
	case strings.HasPrefix(s, "AUTH=server, relay="):
		a, rest, ok := hostAddr(s[len("AUTH=server, relay="):])
		user, _ := between(rest, "authid=", ", mech=")
		return ok && sayOf(e, connwarden.EventAuthPassed, a, user, "")
	case strings.HasPrefix(s, "ruleset="):
		return sendmailRuleset(s, e)
	case strings.HasPrefix(s, "STARTTLS=server, error: accept failed"):
		_, relay, ok := lastCut(s, ", relay=")
		a, _, good := hostAddr(relay)
		return ok && good && sayOf(e, connwarden.EventBadHandshake, a, "", "")
	case strings.HasPrefix(s, "rejecting commands from "):
		// "rejecting commands from %s [%s] due to pre-greeting traffic after %d seconds"
		a, rest, ok := hostAddr(s[len("rejecting commands from "):])
		return ok && strings.Contains(rest, "pre-greeting traffic") && sayOf(e, connwarden.EventProbe, a, "", "")
	case strings.HasPrefix(s, "refused connect from "):
		return tcpWrapper(s, e)
	case strings.HasPrefix(s, "tcpwrappers (") && strings.HasSuffix(s, ") rejection"):
		// "tcpwrappers (%s, %s) rejection", in which no name has a blank (daemon.c).
		_, host, ok := strings.Cut(s[:len(s)-len(") rejection")], ", ")
		return ok && isAddress(host) && say(e, connwarden.EventNotAllowed, host, "")
	}
	// "%s: Possible SMTP RCPT flood, throttling.", "%s: possible SMTP attack: command=%.40s, count=%u", "%s: VRFY %s [rejected]", and
	// "%s did not issue MAIL/EXPN/VRFY/ETRN during connection to %s".
	if name, _ := word(s); strings.IndexByte(name, '=') >= 0 || strings.IndexByte(name, '<') >= 0 || strings.IndexByte(name, ':') >= 0 && name[0] != '[' {
		return false
	}
	a, rest, ok := hostAddr(s)
	if !ok {
		return false
	}
	rest = strings.TrimPrefix(rest, " (may be forged)")
	var kind connwarden.EventKind
	switch {
	case strings.HasPrefix(rest, " did not issue "):
		kind = connwarden.EventClosed
	case strings.HasPrefix(rest, ": Possible SMTP RCPT flood"):
		kind = connwarden.EventHarvest
	case strings.HasPrefix(rest, ": possible SMTP attack: "), strings.HasPrefix(rest, ": probable open proxy: "):
		kind = connwarden.EventProbe
	case strings.HasPrefix(rest, ": ") && strings.HasSuffix(rest, " [rejected]"):
		kind = connwarden.EventNotAllowed
	default:
		return false
	}
	return sayOf(e, kind, a, "", trim(rest[1:]))
}

// sendmailRuleset reads "ruleset=%s, arg1=%s, arg2=%s, relay=%s, reject=%s" (srvrsmtp.c, rscheck). The arguments are the peer's and so
// is part of the reply: all places that could be the relay must agree.
func sendmailRuleset(s string, e *connwarden.Event) bool {
	var all agreement
	why := ""
	for rest := s; ; {
		var found bool
		if rest, found = after(rest, ", relay="); !found {
			break
		}
		a, tail, ok := hostAddr(rest)
		if !ok {
			continue
		}
		tail = strings.TrimPrefix(tail, " (may be forged)")
		if reply, ok := strings.CutPrefix(tail, ", reject="); ok {
			all.add(a)
			why = reply
		}
	}
	a, ok := all.agreed()
	if !ok {
		return false
	}
	kind := connwarden.EventNotAllowed
	switch {
	case strings.Contains(why, "elaying denied"), strings.Contains(why, "elaying temporarily denied"):
		kind = connwarden.EventRelay
	case strings.Contains(why, "reylist"), strings.Contains(why, "does not resolve"):
		kind = connwarden.EventOther
	case strings.Contains(why, "ser unknown"):
		kind = connwarden.EventHarvest
	case strings.Contains(why, "ate limit"), strings.Contains(why, "oo many"):
		kind = connwarden.EventLimitHit
	case strings.Contains(why, "http://"), strings.Contains(why, "https://"), strings.Contains(why, "pam"), strings.Contains(why, "lacklist"), strings.Contains(why, "locked"):
		kind = connwarden.EventSpam
	case why != "" && why[0] == '4':
		kind = connwarden.EventOther
	}
	return sayOf(e, kind, a, "", why)
}
