package daemons

import (
	"net/netip"
	"strings"

	"github.com/connwarden/connwarden"
)

// readExim reads Exim 4's main and reject logs, cPanel's too. A peer is written by host_and_ident and smtp_get_connection_info:
// "[NAME ][(HELO) ][ADDR][:PORT]", mostly behind "H=". The HELO is the peer's: by default it may hold letters, digits,
// hyphens, dots or an address in brackets (smtp_in.c, check_helo), with helo_accept_junk_hosts anything.
func readExim(s string, e *connwarden.Event) bool {
	s = eximHead(s)
	if s == "" {
		return false
	}
	switch s[0] {
	case '<', '=', '*', '-', '>':
		// Arrivals and deliveries: whose H= is ours to choose.
		return false
	case 'H':
		if strings.HasPrefix(s, "H=") {
			return eximRejected(s, e)
		}
	case 'r':
		// smtp_in.c: "rejected %s from %s: syntactically invalid argument(s): %s"
		for _, verb := range [...]string{"rejected EHLO from ", "rejected HELO from ", "rejected connection from ", "rejected MAIL from "} {
			if rest, ok := strings.CutPrefix(s, verb); ok {
				kind := connwarden.EventBadHandshake
				if verb[9] == 'c' {
					kind = connwarden.EventProbe
				}
				return eximPeer(rest, kind, e)
			}
		}
		if rest, ok := strings.CutPrefix(s, "refused connection from "); ok {
			return eximPeer(rest, connwarden.EventNotAllowed, e)
		}
	case 'n':
		// "no MAIL in %sSMTP connection from %s D=%s%s"
		if strings.HasPrefix(s, "no MAIL in ") {
			rest, ok := after(s, "SMTP connection from ")
			return ok && eximPeer(rest, connwarden.EventClosed, e)
		}
		if strings.HasPrefix(s, "no host name found") {
			return false
		}
	case 'u':
		// "unexpected %s while reading SMTP command from %s%s%s D=%s"
		if rest, ok := after(s, " while reading SMTP command from "); ok {
			return eximPeer(rest, connwarden.EventClosed, e)
		}
		if rest, ok := strings.CutPrefix(s, "unqualified "); ok {
			// "unqualified %s rejected: <%s> %s%s": the mailbox stands before the host.
			rest, ok = after(rest, "> ")
			return ok && eximPeer(rest, connwarden.EventNotAllowed, e)
		}
	case 'C':
		// "Connection from %Y refused: too many connections from that IP address"
		if rest, ok := strings.CutPrefix(s, "Connection from "); ok && strings.Contains(rest, " refused: ") {
			kind := connwarden.EventOther
			if strings.HasSuffix(rest, "from that IP address") {
				kind = connwarden.EventLimitHit
			}
			return eximPeer(rest, kind, e)
		}
	case 'S':
		if strings.HasPrefix(s, "SA: Action: ") {
			return eximSpam(s, e)
		}
		return eximSMTP(s, e)
	case 'T':
		// tls-gnu.c, tls-openssl.c: "TLS error on connection from %s (SSL_accept): …"
		if rest, ok := strings.CutPrefix(s, "TLS error on connection from "); ok {
			kind := connwarden.EventBadHandshake
			if strings.Contains(rest, "timed out") || strings.Contains(rest, "Connection reset by peer") || strings.Contains(rest, "TCP connection closed by peer") {
				kind = connwarden.EventClosed
			}
			return eximPeer(rest, kind, e)
		}
	case 't':
		return false // "temporarily refused connection …": load
	}
	return eximAuth(s, e)
}

// eximHead skips what may stand before the text: a time of its own where it tells syslog (syslog_timestamp), the process id in brackets
// (log_selector +pid) and the message's id.
func eximHead(s string) string {
	if n := isoStamp(s); n > 0 {
		s = strings.TrimLeft(s[n:], " ")
	}
	if len(s) > 3 && s[0] == '[' {
		if n := digits(s[1:]); n > 0 && strings.HasPrefix(s[1+n:], "] ") {
			s = s[n+3:]
		}
	}
	if id, rest := word(s); isEximID(id) {
		s = rest
	}
	return s
}

// isEximID tells whether s is a message's id (string.c): three numbers of base 62, of 6, 6 and 2 digits or, from 4.97, 6, 11 and 4.
func isEximID(s string) bool {
	if len(s) < 16 || len(s) > 24 || s[6] != '-' || s[len(s)-3] != '-' && s[len(s)-5] != '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '-' && c-'0' > 9 && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// eximHost reads a peer that s begins with. A HELO with junk in it could feign the end of itself; then a second peer stands in
// the rest of the line, and neither is believed.
func eximHost(s string) (a netip.Addr, rest string, ok bool) {
	s = strings.TrimPrefix(s, "H=")
	if s != "" && s[0] != '[' && s[0] != '(' {
		// A verified name.
		i := strings.IndexByte(s, ' ')
		if i < 0 {
			return noAddr, s, false
		}
		s = s[i+1:]
	}
	helo := s != "" && s[0] == '('
	if helo {
		i := strings.Index(s, ") [")
		if i < 0 {
			return noAddr, s, false
		}
		s = s[i+2:]
	}
	if a, rest, ok = bracketed(s); !ok {
		return noAddr, s, false
	}
	if len(rest) > 1 && rest[0] == ':' {
		if n := digits(rest[1:]); n > 0 {
			rest = rest[1+n:]
		}
	}
	for tail := rest; helo; {
		var more bool
		if tail, more = after(tail, ") "); !more {
			break
		}
		if b, _, ok := bracketed(tail); ok && b != a {
			return noAddr, rest, false
		}
	}
	return a, rest, true
}

func eximPeer(s string, kind connwarden.EventKind, e *connwarden.Event) bool {
	a, rest, ok := eximHost(s)
	return ok && sayOf(e, kind, a, "", trim(strings.TrimLeft(rest, ":")))
}

// eximAuth reads "%s authenticator failed for %s: %s" (smtp_in.c, smtp_log_failed_auth): the driver's name is the
// administrator's; the mail account follows in "(set_id=…)".
func eximAuth(s string, e *connwarden.Event) bool {
	name, rest, ok := strings.Cut(s, " authenticator failed for ")
	if !ok || strings.IndexByte(name, ' ') >= 0 {
		return false
	}
	a, rest, ok := eximHost(rest)
	if !ok {
		return false
	}
	kind := connwarden.EventAuthFailed
	if strings.Contains(rest, ": 435 ") {
		kind = connwarden.EventOther // the database of accounts could not be asked
	}
	user := ""
	if _, id, ok := lastCut(rest, " (set_id="); ok {
		user, _, _ = lastCut(id, ")")
	}
	return sayOf(e, kind, a, user, "")
}

// eximRejected reads "H=… [ADDR] F=<…> rejected RCPT <…>: REASON" (acl.c, smtp_in.c, receive.c). "temporarily rejected" is
// greylisting or the server's own trouble.
func eximRejected(s string, e *connwarden.Event) bool {
	a, rest, ok := eximHost(s)
	if !ok {
		return false
	}
	kind := connwarden.EventOther
	why := ""
	_, tail, rejected := strings.Cut(rest, " rejected ")
	temporary := strings.Contains(rest, " temporarily rejected ")
	switch {
	case temporary:
	case rejected:
		if _, why, ok = strings.Cut(tail, ": "); !ok {
			why = tail
		}
		if kind = eximWhy(tail, why); kind == connwarden.EventRelay {
			why = tail // with the recipient: each of them is another try
		}
	case strings.HasPrefix(eximOptions(rest), "sender verify fail for "):
		kind = connwarden.EventNotAllowed
	case strings.Contains(rest, " dropped: "), strings.Contains(rest, " dropped by "):
		kind = connwarden.EventNotAllowed
	}
	return sayOf(e, kind, a, "", why)
}

// eximOptions skips what log_selector adds behind a peer: " I=[ADDR]:PORT X=CIPHER CV=no".
func eximOptions(s string) string {
	for s = trim(s); len(s) > 2 && (s[1] == '=' || s[2] == '='); {
		_, s = word(s)
	}
	return s
}

// eximSpam reads SA-Exim's "SA: Action: permanently rejected message: … From <%s> (host=NAME [ADDR]) for …". The sender stands before the
// host, the recipients behind: all places that could be it must agree.
func eximSpam(s string, e *connwarden.Event) bool {
	kind := connwarden.EventSpam
	if strings.HasPrefix(s, "SA: Action: temporarily") || strings.HasPrefix(s, "SA: Action: scanned but message isn't spam") {
		kind = connwarden.EventOther
	}
	var all agreement
	for {
		var found bool
		if s, found = after(s, "(host="); !found {
			break
		}
		if a, _, ok := hostAddr(s); ok {
			all.add(a)
		}
	}
	a, ok := all.agreed()
	return ok && sayOf(e, kind, a, "", "")
}

// eximWhy tells the kind from the words of the runtime's own messages and of Debian's and cPanel's access lists.
func eximWhy(what, why string) connwarden.EventKind {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(why, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("elay not permitted", "elaying", "elay "):
		return connwarden.EventRelay
	case has("uota", "ailbox is full", "ailbox full", "reylist", "verify defer", "too big"):
		return connwarden.EventOther
	case has("nknown user", "nrouteable", "o such user", "o Such User", "nknown recipient", "o such person", "ser unknown", "oes not exist"):
		return connwarden.EventHarvest
	case has("isted ", "lacklist", "spam", "SPAM", "Spam", "virus", "malware", "RBL", "DNSBL", "score"):
		return connwarden.EventSpam
	case strings.HasPrefix(what, "EHLO"), strings.HasPrefix(what, "HELO"):
		return connwarden.EventBadHandshake
	case has("oo many", "ate limit", "ratelimit", "ate overlimit"):
		return connwarden.EventLimitHit
	}
	return connwarden.EventNotAllowed
}

// eximSMTP reads "SMTP …". In "SMTP %s error in \"%s\" %s %s" and in synchronization errors the command stands before the
// peer: then each place that could be it must agree.
func eximSMTP(s string, e *connwarden.Event) bool {
	rest := s[len("S"):]
	switch {
	case strings.HasPrefix(s, "SMTP call from "):
		if rest, ok := strings.CutPrefix(s, "SMTP call from "); ok {
			kind := connwarden.EventOther
			if strings.Contains(rest, " dropped: too many ") || strings.Contains(rest, " dropped: Too many ") {
				kind = connwarden.EventLimitHit
			}
			return eximPeer(rest, kind, e)
		}
	case strings.HasPrefix(s, "SMTP connection from "), strings.HasPrefix(s, "SMTP command timeout on "), strings.HasPrefix(s, "SMTP data timeout "):
		rest, ok := after(s, "connection from ")
		if !ok {
			return false
		}
		kind := connwarden.EventClosed
		if !strings.Contains(rest, " closed") && !strings.Contains(rest, " lost") && strings.HasPrefix(s, "SMTP connection") {
			kind = connwarden.EventConnected
		}
		return eximPeer(rest, kind, e)
	case strings.HasPrefix(s, "SMTP protocol violation: synchronization error (input sent without waiting for greeting): rejected connection from "): // before 4.70
		rest, _ := after(s, "): rejected connection from ")
		return eximPeer(rest, connwarden.EventProbe, e)
	case strings.HasPrefix(s, "SMTP protocol synchronization error ("):
		if at, ok := after(s, "): rejected connection from "); ok && strings.HasPrefix(s[len("SMTP protocol synchronization error ("):], "input sent without waiting for greeting") {
			return eximPeer(at, connwarden.EventProbe, e)
		}
		return eximQuoted(rest, connwarden.EventProbe, e)
	case strings.HasPrefix(s, "SMTP syntax error in \""):
		return eximQuoted(rest, connwarden.EventProbe, e)
	case strings.HasPrefix(s, "SMTP protocol error in \""):
		kind := connwarden.EventProbe
		if strings.HasPrefix(s, "SMTP protocol error in \"AUTH") {
			kind = connwarden.EventNotAllowed
		}
		return eximQuoted(rest, kind, e)
	}
	return false
}

// eximQuoted reads a peer that stands behind a quoted text of its own.
func eximQuoted(s string, kind connwarden.EventKind, e *connwarden.Event) bool {
	var all agreement
	for {
		var found bool
		if s, found = after(s, "\" "); !found {
			break
		}
		if s == "" || s[0] != 'H' && s[0] != '[' && s[0] != '(' {
			continue
		}
		if a, _, ok := eximHost(s); ok {
			all.add(a)
		}
	}
	a, ok := all.agreed()
	return ok && sayOf(e, kind, a, "", "")
}
