package daemons

import (
	"net/netip"
	"strings"

	"github.com/connwarden/connwarden"
)

// readPostfix reads smtpd, postscreen, cleanup and tlsproxy. A peer is NAME[ADDR] or NAME[ADDR]:PORT ("namaddr",
// smtpd_peer.c), where NAME is "unknown" or a name that passed valid_hostname, so that no bracket is in it; postscreen writes
// [ADDR]:PORT. It stands before what the peer said, but for the few messages that are said so below.
func readPostfix(program, s string, e *connwarden.Event) bool {
	program = program[strings.LastIndexByte(program, '/')+1:]
	s = strings.TrimPrefix(s, "warning: ")
	switch program {
	case "postscreen":
		return readPostscreen(s, e)
	case "cleanup":
		return postfixContent(s, e)
	case "tlsproxy":
		// tlsproxy.c: "TLS handshake failed for service=%s peer=%s"
		peer, ok := after(s, "TLS handshake failed for service=smtpd peer=")
		return ok && postfixPeer(peer, connwarden.EventBadHandshake, e)
	case "smtp", "lmtp", "anvil", "qmgr", "local", "pipe", "virtual", "bounce", "error", "pickup", "scache", "trivial-rewrite",
		"verify", "master", "postqueue", "postdrop", "postsuper", "postfix-script":
		return false
	}
	if s == "" {
		return false
	}
	switch s[0] {
	case 'c':
		if rest, ok := strings.CutPrefix(s, "connect from "); ok {
			return postfixPeer(rest, connwarden.EventConnected, e)
		}
	case 'd':
		// "disconnect from %s ehlo=1 auth=0/1 quit=1 commands=2/3": of a command what succeeded and, where they differ, how often
		// it was tried.
		if rest, ok := strings.CutPrefix(s, "disconnect from "); ok {
			kind := connwarden.EventClosed
			if tried, ok := after(rest, " auth=0/"); ok && tried != "" && tried[0] != '0' {
				kind = connwarden.EventAuthFailed
				e.More = number(tried[:digits(tried)]) - 1
			}
			return by(connwarden.VoiceEnd, postfixPeer(rest, kind, e), e)
		}
	case 'l', 't':
		for _, verb := range [...]string{"lost connection after ", "timeout after ", "too many errors after "} {
			if rest, ok := strings.CutPrefix(s, verb); ok {
				kind := connwarden.EventClosed
				if verb[1] == 'o' && verb[0] == 't' {
					kind = connwarden.EventLimitHit
				}
				// "%s: %s after %s (%lu bytes) from %s": what came before is Postfix's own word.
				rest, ok = after(rest, " from ")
				return ok && postfixPeer(rest, kind, e)
			}
		}
	case 'i':
		// "improper command pipelining after %s from %s: %s"
		if rest, ok := strings.CutPrefix(s, "improper command pipelining after "); ok {
			rest, ok = after(rest, " from ")
			return ok && postfixPeer(rest, connwarden.EventProbe, e)
		}
	case 'n':
		if rest, ok := strings.CutPrefix(s, "non-SMTP command from "); ok {
			return postfixPeer(rest, connwarden.EventProbe, e)
		}
	case 'I':
		// "Illegal address syntax from %s in %s command: %s"
		if rest, ok := strings.CutPrefix(s, "Illegal address syntax from "); ok {
			return postfixPeer(rest, connwarden.EventProbe, e)
		}
	case 'S':
		// tls_server.c
		if rest, ok := strings.CutPrefix(s, "SSL_accept error from "); ok {
			kind := connwarden.EventBadHandshake
			if strings.HasSuffix(rest, ": lost connection") || strings.HasSuffix(rest, "timed out") || strings.HasSuffix(rest, ": Connection reset by peer") {
				kind = connwarden.EventClosed
			}
			return postfixPeer(rest, kind, e)
		}
	}
	if head, rest, ok := strings.Cut(s, " limit exceeded: "); ok && len(head) < 40 {
		// "Connection rate limit exceeded: %d from %s for service %s"
		rest, ok = strings.CutPrefix(rest[digits(rest):], " from ")
		return ok && postfixPeer(rest, connwarden.EventLimitHit, e)
	}
	// "QUEUEID: VERB: STAGE from PEER: …"; before a queue file exists, QUEUEID is "NOQUEUE".
	id, rest, ok := strings.Cut(s, ": ")
	if !ok {
		return false
	}
	if isQueueID(id) {
		if rest, ok := strings.CutPrefix(rest, "client="); ok {
			return postfixAccepted(rest, e)
		}
		return postfixReject(rest, e)
	}
	// "%s: SASL %.100s authentication failed: %s, sasl_username=%.100s" (smtpd_sasl_glue.c)
	_, rest, ok = postfixAddr(s)
	if ok && strings.HasPrefix(rest, ": SASL ") {
		kind := connwarden.EventAuthFailed
		if strings.Contains(rest, "Connection lost to authentication server") || strings.Contains(rest, "Invalid authentication mechanism") ||
			strings.Contains(rest, " authentication aborted") {
			kind = connwarden.EventOther
		} else if !strings.Contains(rest, " authentication failed") {
			return false
		}
		_, user, _ := lastCut(rest, ", sasl_username=")
		return postfixPeer(s, kind, e) && named(e, user)
	}
	return false
}

// named sets the user and returns true.
func named(e *connwarden.Event, user string) bool {
	e.User = bytesOf(user)
	return true
}

// isQueueID tells whether s is a queue's name for a message: hexadecimal digits, or those of base 52, or NOQUEUE.
func isQueueID(s string) bool {
	if len(s) < 5 || len(s) > 32 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c-'0' > 9 && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// postfixAddr reads NAME[ADDR] that s begins with, and returns what follows it and its port.
func postfixAddr(s string) (a netip.Addr, rest string, ok bool) {
	i := strings.IndexByte(s, '[')
	if i < 0 {
		return noAddr, s, false
	}
	for j := range i {
		if c := s[j]; c == ' ' || c == ':' || c == '<' || c == '"' || c == ']' {
			return noAddr, s, false
		}
	}
	a, rest, ok = bracketed(s[i:])
	if ok && len(rest) > 1 && rest[0] == ':' {
		if n := digits(rest[1:]); n > 0 {
			rest = rest[1+n:]
		}
	}
	return a, rest, ok
}

func postfixPeer(s string, kind connwarden.EventKind, e *connwarden.Event) bool {
	a, rest, ok := postfixAddr(s)
	return ok && sayOf(e, kind, a, "", trim(strings.TrimLeft(rest, ":")))
}

// postfixAccepted reads "client=PEER, sasl_method=PLAIN, sasl_username=NAME".
func postfixAccepted(s string, e *connwarden.Event) bool {
	a, rest, ok := postfixAddr(s)
	if !ok {
		return false
	}
	kind := connwarden.EventOther
	user, sasl := after(rest, ", sasl_username=")
	if sasl {
		kind = connwarden.EventAuthPassed
	}
	return sayOf(e, kind, a, user, "")
}

// postfixReject reads "reject: RCPT from PEER: 554 5.7.1 …" (smtpd_check.c, smtpd.c; milter8.c: "milter-reject"). Other verbs
// ("reject_warning", "warn", "hold", "discard") say that the mail was taken.
func postfixReject(s string, e *connwarden.Event) bool {
	milter := false
	rest, ok := strings.CutPrefix(s, "reject: ")
	if !ok {
		if rest, milter = strings.CutPrefix(s, "milter-reject: "); !milter {
			return false
		}
	}
	stage, rest, ok := strings.Cut(rest, " from ")
	if !ok || len(stage) > len("END-OF-MESSAGE") || strings.HasPrefix(stage, "header") || strings.HasPrefix(stage, "body") {
		return false
	}
	a, rest, ok := postfixAddr(rest)
	if !ok {
		return false
	}
	rest = strings.TrimPrefix(rest, ": ")
	kind := refusal(rest)
	if milter && kind == connwarden.EventNotAllowed {
		kind = connwarden.EventSpam
	}
	return sayOf(e, kind, a, "", rest)
}

// refusal is the kind of an SMTP reply that Postfix gave: "554 5.7.1 <x>: Relay access denied; from=<…". A refusal for now
// accuses only where its reason does: greylisting and full disks meet everyone.
func refusal(s string) connwarden.EventKind {
	reason := s
	if head, _, ok := strings.Cut(s, "; from=<"); ok {
		reason = head
	}
	for i := range reasons {
		if strings.Contains(reason, reasons[i].text) {
			return reasons[i].kind
		}
	}
	if s == "" || s[0] != '5' {
		return connwarden.EventOther
	}
	return connwarden.EventNotAllowed
}

// reasons are Postfix's words, in the order in which they are looked for (smtpd_check.c, postscreen_smtpd.c), and those
// of greylisting policies.
var reasons = [...]struct {
	text string
	kind connwarden.EventKind
}{
	{"reylist", connwarden.EventOther},
	{"ailbox full", connwarden.EventOther},
	{"quota", connwarden.EventOther},
	{"essage size exceeds", connwarden.EventOther},
	{"Insufficient system storage", connwarden.EventOther},
	{"Server configuration", connwarden.EventOther},
	{"emporary lookup failure", connwarden.EventOther},
	{"ports busy", connwarden.EventOther},
	{"Must issue a STARTTLS", connwarden.EventOther},
	{"too many connections", connwarden.EventLimitHit},
	{"oo many", connwarden.EventLimitHit},
	{"elay access denied", connwarden.EventRelay},
	{"blocked using", connwarden.EventSpam},
	{"Service unavailable; ", connwarden.EventSpam},
	{"ser unknown", connwarden.EventHarvest},
	{"ndeliverable address", connwarden.EventHarvest},
	{"Client host rejected", connwarden.EventNotAllowed},
	{"Helo command rejected", connwarden.EventNotAllowed},
	{"omain not found", connwarden.EventNotAllowed},
	{"ost not found", connwarden.EventNotAllowed},
	{"need fully-qualified", connwarden.EventNotAllowed},
	{"ommand rejected", connwarden.EventNotAllowed},
}

// postfixContent reads "QUEUEID: reject: header TEXT from PEER; from=<…> to=<…>: …" (cleanup_message.c). The header is the
// peer's and so is what follows its address: all places that could be it must agree.
func postfixContent(s string, e *connwarden.Event) bool {
	id, rest, ok := strings.Cut(s, ": ")
	if !ok || !isQueueID(id) {
		return false
	}
	if strings.HasPrefix(rest, "milter-reject: ") {
		return postfixReject(rest, e)
	}
	if !strings.HasPrefix(rest, "reject: header ") && !strings.HasPrefix(rest, "reject: body ") && !strings.HasPrefix(rest, "reject: mime-") {
		return false
	}
	var all agreement
	for {
		var found bool
		if rest, found = after(rest, " from "); !found {
			break
		}
		if a, tail, ok := postfixAddr(rest); ok && strings.HasPrefix(tail, ";") {
			all.add(a)
		}
	}
	a, ok := all.agreed()
	return ok && sayOf(e, connwarden.EventSpam, a, "", "")
}

// readPostscreen reads postscreen(8): its tests come before the mail server, and each names the peer as [ADDR]:PORT right
// behind its own words.
func readPostscreen(s string, e *connwarden.Event) bool {
	verb, rest := word(s)
	kind := connwarden.EventOther
	switch verb {
	case "NOQUEUE:":
		return postfixReject(rest, e)
	case "CONNECT":
		kind = connwarden.EventConnected
	case "DISCONNECT", "HANGUP":
		kind = connwarden.EventClosed
	case "PREGREET", "NON-SMTP", "BARE":
		kind = connwarden.EventProbe
	case "DNSBL":
		kind = connwarden.EventSpam
	case "BLACKLISTED", "DENYLISTED":
		kind = connwarden.EventFilterHit
	case "COMMAND":
		kind = connwarden.EventLimitHit
		if strings.HasPrefix(s, "COMMAND PIPELINING") {
			kind = connwarden.EventProbe
		}
	case "PASS", "WHITELISTED", "ALLOWLISTED":
	default:
		return false
	}
	i := strings.IndexByte(s, '[')
	if i < 0 || i > 64 {
		return false
	}
	a, _, ok := bracketed(s[i:])
	return ok && sayOf(e, kind, a, "", "")
}
