package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// readSSHD reads OpenSSH from 3 to 10. Its messages go through strnvis (log.c, do_log), so that a name cannot end a line;
// the monitor adds " [preauth]" to those of the unprivileged child (monitor.c, monitor_read_log), and do_log the words
// "error: " and "fatal: ".
func readSSHD(s string, e *connwarden.Event) bool {
	s = strings.TrimSuffix(strings.TrimSuffix(s, " [preauth]"), " [postauth]")
	s = strings.TrimPrefix(strings.TrimPrefix(s, "error: "), "fatal: ")
	if s == "" {
		return false
	}
	switch s[0] {
	case 'F':
		// auth.c, auth_log: "%s %s%s%s for %s%.100s from %.200s port %d ssh2%s%s".
		if rest, ok := strings.CutPrefix(s, "Failed "); ok {
			return sshAuth(rest, connwarden.EventAuthFailed, e)
		}
	case 'A':
		if rest, ok := strings.CutPrefix(s, "Accepted "); ok {
			return sshAuth(rest, connwarden.EventAuthPassed, e)
		}
		if strings.HasPrefix(s, "Authentication tried for ") {
			return sshWrongHost(s, e)
		}
	case 'P':
		switch {
		case strings.HasPrefix(s, "Postponed "), strings.HasPrefix(s, "Partial "):
			_, rest := word(s)
			return sshAuth(rest, connwarden.EventOther, e)
		case strings.HasPrefix(s, "PAM: "):
			// auth-pam.c: "PAM: %s for %s%.100s from %.100s".
			head, host, ok := fromEnd(withoutVia(s))
			if !ok {
				return false
			}
			_, user, _ := strings.Cut(head, " for ")
			return by(connwarden.VoiceChecker, say(e, connwarden.EventAuthFailed, host, sshUser(user)), e)
		case strings.HasPrefix(s, "Protocol major versions differ for "):
			// "Protocol major versions differ for %s: %.200s vs. %.200s": the address comes first.
			host, _, ok := strings.Cut(s[len("Protocol major versions differ for "):], ": ")
			host, _ = withoutPort(host)
			return ok && say(e, connwarden.EventBadHandshake, host, "")
		}
	case 'I', 'i':
		// auth.c, getpwnamallow: "Invalid user %.100s from %.100s port %d"; before 7 without the port.
		if isInvalidUser(s) {
			head, host, ok := fromEnd(s)
			if !ok {
				return false
			}
			return by(connwarden.VoiceName, nobody(say(e, connwarden.EventAuthFailed, host, beyond(head, len("Invalid user "))), e), e)
		}
	case 'U':
		return sshRefused(s, e)
	case 'R':
		if rest, ok := strings.CutPrefix(s, "ROOT LOGIN REFUSED FROM "); ok {
			host, _ := withoutPort(rest)
			return say(e, connwarden.EventNotAllowed, host, s[:len("ROOT")])
		}
		if rest, ok := strings.CutPrefix(s, "Received disconnect from "); ok {
			return sshFarewell(rest, e)
		}
	case 'r':
		return tcpWrapper(s, e)
	case 'm':
		// auth.c, auth_maxtries_exceeded.
		if rest, ok := strings.CutPrefix(s, "maximum authentication attempts exceeded for "); ok {
			head, host, ok := fromEnd(strings.TrimSuffix(rest, " ssh2"))
			return ok && say(e, connwarden.EventLimitHit, host, sshUser(head))
		}
	case 'C', 'D':
		return sshConnection(s, e)
	case 'T':
		// sshd-session.c, grace_alarm_handler; from 9.9 "Timeout before authentication for connection from %s to %s".
		if rest, ok := strings.CutPrefix(s, "Timeout before authentication for "); ok {
			rest = strings.TrimPrefix(rest, "connection from ")
			host, _ := word(strings.TrimSuffix(rest, "."))
			return say(e, connwarden.EventLimitHit, strings.TrimSuffix(host, ","), "")
		}
	case 'B':
		// kex.c until 8.2: "Bad protocol version identification '%.200s' from %s port %d".
		if strings.HasPrefix(s, "Bad protocol version identification '") {
			_, host, ok := fromEnd(s)
			return ok && say(e, connwarden.EventBadHandshake, host, "") && detail(e, s[:len("Bad protocol version")])
		}
	case 'b':
		// kex.c, sshpkt_vfatal: "banner exchange: Connection from %s port %d: invalid format".
		if rest, ok := strings.CutPrefix(s, "banner exchange: Connection from "); ok {
			return sshBroken(rest, e)
		}
	case 's', 'p':
		if rest, ok := strings.CutPrefix(s, "ssh_dispatch_run_fatal: Connection from "); ok {
			return sshBroken(rest, e)
		}
		// srclimit.c: "srclimit_penalise: %s: new %s %s penalty of %d seconds for %s", where the peer is a prefix.
		if rest, ok := strings.CutPrefix(s, "srclimit_penalise: "); ok {
			_, rest, _ = strings.Cut(rest, ": new ")
			host, rest, ok := strings.Cut(rest, "/")
			return ok && strings.HasSuffix(rest, ": failed authentication") && isAddress(host) && by(connwarden.VoicePenalty, say(e, connwarden.EventAuthFailed, host, ""), e)
		}
		// "scanned from %s port %d with %s.  Don't panic."
		for _, verb := range [...]string{"scanned from ", "probed from "} {
			if rest, ok := strings.CutPrefix(s, verb); ok {
				host, _ := word(rest)
				return say(e, connwarden.EventProbe, host, "") && detail(e, s[:len(verb)-len(" from ")])
			}
		}
	case 'd':
		return sshDrop(s, e)
	}
	return false
}

func isInvalidUser(s string) bool {
	return len(s) > 1 && (strings.HasPrefix(s[1:], "nvalid user ") || strings.HasPrefix(s[1:], "llegal user "))
}

// withoutVia takes " via ADDR" from the end, by which some builds tell which of the server's addresses was asked.
func withoutVia(s string) string {
	if head, host, ok := lastCut(s, " via "); ok && isAddress(host) {
		return head
	}
	return s
}

// sshUser is the name behind "invalid user " or "illegal user ", if that is there.
func sshUser(s string) string {
	return strings.TrimPrefix(strings.TrimPrefix(s, "invalid user "), "illegal user ")
}

// sshAuth reads "METHOD for [invalid user ]NAME from ADDR port N ssh2[: about the key]".
//
// The name stands before the address, so the last " from " is the daemon's; but what follows "ssh2: " may be the peer's
// too: the identity in a certificate, the user and host that a hostbased client claims (auth2-hostbased.c). Then all
// places must agree. Failures of "none", by which every client asks for the methods, and of a single key, of which
// an agent offers many, accuse only when the account does not exist.
func sshAuth(s string, kind connwarden.EventKind, e *connwarden.Event) bool {
	method, rest, ok := strings.Cut(s, " for ")
	if !ok || strings.IndexByte(method, ' ') >= 0 {
		return false
	}
	invalid := strings.HasPrefix(rest, "invalid user ") || strings.HasPrefix(rest, "illegal user ")
	if kind == connwarden.EventAuthFailed && !invalid && (method == "none" || method == "publickey") {
		kind = connwarden.EventOther
	}
	claims := strings.HasPrefix(method, "hostbased") || strings.HasPrefix(method, "rhosts")
	if !claims {
		end := len(rest)
		if i := strings.LastIndex(rest, " ssh2: "); i >= 0 && isKey(rest[i+len(" ssh2: "):]) {
			end = i
		} else if strings.HasSuffix(rest, " ssh2") || strings.HasSuffix(rest, " ssh1") {
			end -= len(" ssh2")
		} else if _, port := withoutPort(rest); !port {
			end = -1
		}
		if end >= 0 {
			head, host, ok := fromEnd(rest[:end])
			e.Missing = invalid
			return ok && say(e, kind, host, sshUser(head))
		}
	}
	var all agreement
	user := ""
	for at := 0; ; {
		i := strings.Index(rest[at:], " ssh2")
		if i < 0 {
			break
		}
		at += i
		if head, host, ok := fromEnd(rest[:at]); ok {
			if a, ok := address(host); ok {
				if !all.addr.IsValid() {
					user = sshUser(head)
				}
				all.add(a)
			}
		}
		at += len(" ssh2")
	}
	a, ok := all.agreed()
	return ok && sayOf(e, kind, a, user, "")
}

// isKey tells whether s is the type and fingerprint of a plain key: two words, as "ED25519 SHA256:…" or "RSA 0f:…".
func isKey(s string) bool {
	kind, print := word(s)
	return kind != "" && strings.IndexByte(kind, '=') < 0 && len(print) >= 32 && strings.IndexByte(print, ' ') < 0
}

// sshRefused reads "User %.100s from %.100s not allowed because …" (auth.c, allowed_user) and "Unable to negotiate with".
func sshRefused(s string, e *connwarden.Event) bool {
	if rest, ok := strings.CutPrefix(s, "User "); ok {
		head, _, ok := lastCut(rest, " not allowed because ")
		if !ok {
			return false
		}
		user, host, ok := fromEnd(head)
		return ok && say(e, connwarden.EventNotAllowed, host, user)
	}
	// packet.c, sshpkt_vfatal: "Unable to negotiate with %s: %s. Their offer: %s".
	if rest, ok := strings.CutPrefix(s, "Unable to negotiate with "); ok {
		host, why := sshBefore(rest)
		return host != "" && say(e, connwarden.EventBadHandshake, host, "") && detail(e, why)
	}
	return false
}

// detail sets the detail of an event that has a client, and returns true.
func detail(e *connwarden.Event, s string) bool {
	if e.Client.IsValid() {
		e.Detail = bytesOf(s)
	}
	return true
}

// sshBefore reads the peer that sshpkt_fmt_connection_id writes at the start of s, when nothing of the peer's stands before it:
// "ADDR port N: …", "ADDR: …", "ADDR port N".
func sshBefore(s string) (host, rest string) {
	host, rest = word(s)
	if strings.HasSuffix(host, ":") {
		host = host[:len(host)-1]
	} else if tail, ok := strings.CutPrefix(rest, "port "); ok {
		rest = strings.TrimPrefix(tail[digits(tail):], ":")
	}
	if _, ok := address(host); !ok {
		return "", ""
	}
	return host, trim(rest)
}

// sshWrongHost reads "Authentication tried for %.100s with correct key but not from a permitted host (host=%.200s,
// ip=%.200s, required=%.200s)." (auth2-pubkey.c). The name is that of an account that exists.
func sshWrongHost(s string, e *connwarden.Event) bool {
	_, tail, ok := lastCut(s, ", ip=")
	if !ok {
		return false
	}
	host := tail[:len(tail)-len(strings.TrimLeft(tail, "0123456789abcdefABCDEF:.%"))]
	user, _, _ := strings.Cut(s[len("Authentication tried for "):], " with ")
	return say(e, connwarden.EventNotAllowed, host, user)
}

// sshFarewell reads "Received disconnect from %s port %d:%u: %.400s" (packet.c); until 7.2 "from %s: %u: %.400s". What the
// peer says follows its address. Reasons by RFC 4253, 11.1: 14 is "no more authentication methods available"; and clients
// made with some libraries say that their login failed.
func sshFarewell(s string, e *connwarden.Event) bool {
	host, rest := word(s)
	if strings.HasSuffix(host, ":") {
		host = host[:len(host)-1]
	} else if tail, ok := strings.CutPrefix(rest, "port "); ok {
		rest = strings.TrimPrefix(tail[digits(tail):], ":")
	}
	kind := connwarden.EventClosed
	if strings.HasPrefix(rest, "14:") || strings.HasSuffix(rest, ": Auth fail") {
		kind = connwarden.EventAuthFailed
	}
	return by(connwarden.VoiceEnd, say(e, kind, host, ""), e)
}

// sshConnection reads how a connection began, was given up, or ended (packet.c, sshpkt_vfatal and
// ssh_packet_disconnect; sshd.c). The peer is "%.200s%s%s port %d", perhaps behind "invalid user NAME " or "authenticating
// user NAME ", so its address is the last word before the port. Who left while an account that does not exist was tried for him is accused:
// with PAM and few attempts nothing else may say so.
func sshConnection(s string, e *connwarden.Event) bool {
	switch {
	case strings.HasPrefix(s, "Did not receive identification string from "):
		host, _ := withoutPort(s[len("Did not receive identification string from "):])
		return say(e, connwarden.EventProbe, host, "")
	case strings.HasPrefix(s, "Disconnecting "):
		// "Disconnecting %s: %.100s"
		return sshThrownOut(s[len("Disconnecting "):], e)
	case strings.HasPrefix(s, "Disconnecting: Too many authentication failures for "):
		// 6.8 to 7.4: the address stands in the reason.
		head, host, ok := fromEnd(strings.TrimSuffix(s, " ssh2"))
		return ok && say(e, connwarden.EventLimitHit, host, sshUser(beyond(head, len("Disconnecting: Too many authentication failures for "))))
	case strings.HasPrefix(s, "Connection from "):
		host, rest := word(s[len("Connection from "):])
		if strings.HasSuffix(rest, "timed out") {
			return false
		}
		return isAddress(host) && say(e, connwarden.EventConnected, host, "")
	}
	for _, verb := range [...]string{"Connection closed by ", "Connection reset by ", "Disconnected from "} {
		rest, ok := strings.CutPrefix(s, verb)
		if !ok {
			continue
		}
		rest, _ = withoutPort(rest)
		kind, user := connwarden.EventClosed, ""
		if i := strings.LastIndexByte(rest, ' '); i >= 0 {
			if u, ok := after(rest[:i], "user "); ok {
				user = u
			}
			if isInvalidUser(rest) {
				kind, e.Missing = connwarden.EventAuthFailed, true
			}
			rest = rest[i+1:]
		}
		return isAddress(rest) && by(connwarden.VoiceEnd, say(e, kind, rest, user), e)
	}
	return false
}

func isAddress(s string) bool {
	_, ok := address(s)
	return ok
}

// sshThrownOut reads "[invalid user NAME |authenticating user NAME ]ADDR port N: REASON". Of the reasons, "Change of username or
// service not allowed: (NAME,…) -> (NAME,…)" holds names again (auth2.c): then all places must agree.
func sshThrownOut(s string, e *connwarden.Event) bool {
	const tooMany = ": Too many authentication failures"
	if head, ok := strings.CutSuffix(s, tooMany); ok {
		head, _ = withoutPort(head)
		who, host, ok := lastCut(head, " ")
		if !ok {
			return isAddress(head) && by(connwarden.VoiceEnd, say(e, connwarden.EventLimitHit, head, ""), e)
		}
		user, _ := after(who, "user ")
		return isAddress(host) && by(connwarden.VoiceEnd, say(e, connwarden.EventLimitHit, host, user), e)
	}
	var all agreement
	const port = " port "
	for at := 0; ; {
		i := strings.Index(s[at:], port)
		if i < 0 {
			break
		}
		at += i
		tail := s[at+len(port):]
		if n := digits(tail); n > 0 && strings.HasPrefix(tail[n:], ": ") {
			host := s[strings.LastIndexByte(s[:at], ' ')+1 : at]
			if a, ok := address(host); ok {
				all.add(a)
			}
		}
		at += len(port)
	}
	a, ok := all.agreed()
	if !ok {
		return false
	}
	kind := connwarden.EventClosed
	if strings.Contains(s, ": Change of username or service not allowed: ") {
		kind = connwarden.EventNotAllowed
	}
	return by(connwarden.VoiceEnd, sayOf(e, kind, a, "", ""), e)
}

// sshBroken reads "ADDR port N: REASON", perhaps behind a user's name as in sshThrownOut. Where the reason is the network's, nobody is to
// blame.
func sshBroken(s string, e *connwarden.Event) bool {
	host, why := sshBefore(s)
	kind := connwarden.EventBadHandshake
	for _, network := range [...]string{"Broken pipe", "onnection timed out", "Operation timed out", "Connection reset by peer", "No route to host",
		"Network is unreachable", "Host is down", "Connection closed by remote host"} {
		if strings.HasSuffix(s, network) {
			kind = connwarden.EventClosed
		}
	}
	switch {
	case host != "" && why == "":
		kind = connwarden.EventClosed
	case host == "" && (isInvalidUser(s) || strings.HasPrefix(s, "authenticating user ")):
		if !sshThrownOut(s, e) {
			return false
		}
		e.Kind = kind
		return true
	case host == "":
		return false
	}
	return say(e, kind, host, "") && detail(e, why)
}

// sshDrop reads "drop connection #%d from [%s]:%d on [%s]:%d %s" (sshd.c, drop_connection). MaxStartups is a limit of
// all peers together; who is dropped for it did not meet it alone.
func sshDrop(s string, e *connwarden.Event) bool {
	rest, ok := strings.CutPrefix(s, "drop connection #")
	if !ok {
		return false
	}
	if rest, ok = strings.CutPrefix(rest[digits(rest):], " from "); !ok {
		return false
	}
	a, rest, ok := bracketed(rest)
	if !ok {
		return false
	}
	kind := connwarden.EventOther
	if strings.Contains(rest, "penalty") || strings.Contains(rest, "PerSource") || strings.Contains(rest, "per-source") {
		kind = connwarden.EventLimitHit
	}
	return sayOf(e, kind, a, "", rest)
}

// tcpWrapper reads libwrap's refusal in the form of sshd ("refused connect from HOST (ADDR)") and of other daemons
// ("refused connect from [IDENT@]HOST"). The ident answer is the peer's: it stands before the last "@".
func tcpWrapper(s string, e *connwarden.Event) bool {
	rest, ok := strings.CutPrefix(s, "refused connect from ")
	if !ok {
		return false
	}
	if head, tail, ok := lastCut(rest, " ("); ok && strings.HasSuffix(tail, ")") && isAddress(tail[:len(tail)-1]) {
		return head != "" && say(e, connwarden.EventNotAllowed, tail[:len(tail)-1], "")
	}
	if _, host, ok := lastCut(rest, "@"); ok {
		rest = host
	}
	host, _ := word(rest)
	return say(e, connwarden.EventNotAllowed, host, "")
}
