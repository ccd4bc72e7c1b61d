package daemons

import (
	"net/netip"
	"strings"

	"github.com/connwarden/connwarden"
)

// readNamed reads BIND 9 (lib/ns/client.c, ns_client_logv): "client @0x… ADDR#PORT/key NAME (QNAME): view NAME: TEXT", before 9.11 without
// the pointer. The name asked for follows the address, with its odd bytes escaped.
//
// A query over UDP may carry a false source. A refused query accuses all the same, since it is what such a server can be asked to block;
// response rate limiting does not, since it meets the victims of forged sources by design.
func readNamed(s string, e *connwarden.Event) bool {
	i := strings.Index(s, "client ")
	if i < 0 || i > 64 {
		return false
	}
	rest := s[i+len("client "):]
	if strings.HasPrefix(rest, "@0x") {
		_, rest = word(rest)
	}
	host, rest, ok := strings.Cut(rest, "#")
	if !ok {
		return false
	}
	a, ok := address(host)
	if !ok {
		return false
	}
	kind := connwarden.EventOther
	_, text, found := strings.Cut(rest[digits(rest):], ": ")
	if view, ok := strings.CutPrefix(text, "view "); ok {
		_, text, _ = strings.Cut(view, ": ")
	}
	switch {
	case !found:
		return false
	case strings.HasPrefix(text, "rate limit "), strings.HasPrefix(text, "would rate limit "):
	case strings.HasSuffix(text, " denied"), strings.Contains(text, " denied (allow-"), strings.Contains(text, "' denied due to "),
		strings.Contains(text, " request denied: "), strings.HasPrefix(text, "query failed (REFUSED) for "), strings.HasPrefix(text, "bad zone transfer request: "):
		kind = connwarden.EventNotAllowed
	case strings.HasPrefix(text, "request has invalid signature: "):
		kind = connwarden.EventAuthFailed
	}
	return sayOf(e, kind, a, "", text)
}

// readOpenVPN reads OpenVPN 2. It writes the peer in front of what concerns one client, "ADDR:PORT " or "NAME/ADDR:PORT " (multi.c,
// multi_instance_string), where NAME is that of a certificate, without odd bytes (ssl_verify.c, COMMON_NAME_CHAR_CLASS); elsewhere as
// "[AF_INET]ADDR:PORT" at the end (socket.c, print_link_socket_actual).
//
// A certificate that is refused is no guess at a secret: mostly it has ended, or is of a server that was there before. It is told of as the handshake that
// fails for it, which a line behind tells, too. One that was revoked, or that the owner's own check refuses, is of somebody who is to stay out.
func readOpenVPN(s string, e *connwarden.Event) bool {
	if rest, ok := strings.CutPrefix(s, "us="); ok {
		s = strings.TrimLeft(rest[digits(rest):], " ")
	}
	prefix, text := word(s)
	user := ""
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		user, prefix = prefix[:i], prefix[i+1:]
	}
	// "udp4:ADDR:PORT" since 2.7.
	for _, proto := range [...]string{"udp4:", "udp6:", "tcp4-server:", "tcp6-server:", "tcp4:", "tcp6:"} {
		prefix = strings.TrimPrefix(prefix, proto)
	}
	a, ok := addressWithPort(prefix)
	if !ok {
		return openvpnNoPrefix(s, e)
	}
	kind := connwarden.EventOther
	switch {
	case strings.HasPrefix(text, "TLS Auth Error: Auth Username/Password verification failed"), strings.HasPrefix(text, "TLS Auth Error: "),
		strings.HasPrefix(text, "SENT CONTROL [") && strings.Contains(text, "]: 'AUTH_FAILED"),
		strings.HasPrefix(text, "TLS Error: Auth Username/Password was not provided by peer"):
		kind = connwarden.EventAuthFailed
	case openvpnRevoked(text), strings.HasPrefix(text, "VERIFY X509NAME ERROR: "), strings.HasPrefix(text, "VERIFY SCRIPT ERROR: "), strings.HasPrefix(text, "VERIFY PLUGIN ERROR: "):
		kind = connwarden.EventNotAllowed
	case strings.HasPrefix(text, "VERIFY ERROR: "), strings.HasPrefix(text, "VERIFY KU ERROR"), strings.HasPrefix(text, "VERIFY EKU ERROR"), strings.HasPrefix(text, "VERIFY nsCertType ERROR: "):
		return by(connwarden.VoiceChecker, sayOf(e, connwarden.EventBadHandshake, a, user, text), e)
	case strings.HasPrefix(text, "TLS Error: TLS handshake failed"), strings.HasPrefix(text, "TLS Error: cannot locate HMAC in incoming packet"),
		strings.HasPrefix(text, "TLS Error: incoming packet authentication failed"), strings.HasPrefix(text, "tls-crypt unwrap error: "):
		kind = connwarden.EventBadHandshake
	case strings.HasPrefix(text, "WARNING: Bad encapsulated packet length from peer"):
		kind = connwarden.EventProbe
	case strings.Contains(text, "] Peer Connection Initiated with "):
		kind = connwarden.EventAuthPassed
	}
	return sayOf(e, kind, a, user, text)
}

// openvpnRevoked tells of "VERIFY ERROR: depth=0, error=certificate revoked: CN=…" (ssl_verify_openssl.c); what follows the reason is the certificate's.
func openvpnRevoked(text string) bool {
	rest, ok := strings.CutPrefix(text, "VERIFY ERROR: depth=")
	return ok && strings.HasPrefix(rest[digits(rest):], ", error=certificate revoked")
}

// openvpnNoPrefix reads what is said before a client has an instance.
func openvpnNoPrefix(s string, e *connwarden.Event) bool {
	var kind connwarden.EventKind
	switch {
	case strings.HasPrefix(s, "TLS Error: cannot locate HMAC in incoming packet from "), strings.HasPrefix(s, "TLS Error: incoming packet authentication failed from "),
		strings.HasPrefix(s, "TLS Error: could not determine wrapping from "), strings.HasPrefix(s, "TLS Error: tls-crypt unwrapping failed from "),
		strings.HasPrefix(s, "TLS Error: tls-crypt-v2 unwrapping failed from "):
		kind = connwarden.EventBadHandshake
	case strings.HasPrefix(s, "TCP connection established with "):
		kind = connwarden.EventConnected
	default:
		return false
	}
	_, rest, ok := lastCut(s, "[AF_INET")
	if !ok {
		return false
	}
	_, rest, ok = strings.Cut(rest, "]")
	host, _ := word(rest)
	a, good := addressWithPort(host)
	return ok && good && sayOf(e, kind, a, "", "")
}

// readAsterisk reads Asterisk's messages and security log: "NOTICE[PID] FILE.c: TEXT", in syslog "NOTICE[PID]: FILE.c:LINE in FUNCTION: TEXT",
// and the full log "NOTICE[PID][C-CALL] FILE.c: FUNCTION: TEXT". Names, extensions and Call-IDs are the peer's.
func readAsterisk(s string, e *connwarden.Event) bool {
	s = asteriskText(s)
	switch {
	case strings.HasPrefix(s, "Registration from '"):
		// chan_sip.c: "Registration from '%s' failed for '%s' - %s"
		_, rest, ok := lastCut(s, "' failed for '")
		host, why, good := strings.Cut(rest, "'")
		if !ok || !good || !strings.HasPrefix(why, " - ") {
			return false
		}
		return asteriskPeer(host, asteriskWhy(why), e)
	case strings.HasPrefix(s, "Request '"), strings.HasPrefix(s, "Request from '"):
		// pjsip_distributor.c: "Request '%s' from '%s' failed for '%s:%d' (callid: %s) - %s": the Call-ID follows. The account is left out: the phones of an
		// office whose passwords are old are as many accounts at one address.
		return asteriskAgreed(s, "' failed for '", "' (callid: ", connwarden.EventAuthFailed, e)
	case strings.HasPrefix(s, "Call from '"):
		// "Call from '%s' (%s) to extension '%s' rejected because extension not found in context '%s'."
		if !strings.Contains(s, "' rejected because ") {
			return false
		}
		return asteriskAgreed(s, "' (", ") to extension '", connwarden.EventProbe, e)
	case strings.HasPrefix(s, "Host "):
		// chan_iax2.c: "Host %s failed MD5 authentication for '%s' (%s != %s)", "Host %s failed to authenticate as '%s'"
		host, rest := word(s[len("Host "):])
		switch {
		case strings.HasPrefix(rest, "failed "):
			return asteriskPeer(host, connwarden.EventAuthFailed, e)
		case strings.HasPrefix(rest, "denied "):
			return asteriskPeer(host, connwarden.EventNotAllowed, e)
		}
		return false
	case strings.HasPrefix(s, "No registration for peer '"), strings.HasPrefix(s, "Peer '"):
		// chan_iax2.c: "No registration for peer '%s' (from %s)"
		_, rest, ok := lastCut(s, " (from ")
		return ok && strings.HasSuffix(rest, ")") && asteriskPeer(rest[:len(rest)-1], connwarden.EventAuthFailed, e)
	case strings.HasPrefix(s, "Rejected connect attempt from "):
		// chan_iax2.c: "Rejected connect attempt from %s, who was trying to reach '%s@%s'", "…, request '%s@%s' does not exist"
		host, _, ok := strings.Cut(s[len("Rejected connect attempt from "):], ", ")
		return ok && asteriskPeer(host, connwarden.EventProbe, e)
	case strings.HasPrefix(s, "Rejecting unknown SIP connection from "):
		return asteriskPeer(strings.Trim(s[len("Rejecting unknown SIP connection from "):], "\""), connwarden.EventProbe, e)
	case strings.HasPrefix(s, "SecurityEvent=\""):
		return asteriskSecurity(s, e)
	}
	// manager.c: "%s failed to authenticate as '%s'", "%s tried to authenticate with nonexistent user '%s'", "%s failed to pass IP ACL as '%s'"
	host, rest := word(s)
	if strings.HasPrefix(rest, "failed to authenticate as '") || strings.HasPrefix(rest, "tried to authenticate with nonexistent user '") {
		return asteriskPeer(host, connwarden.EventAuthFailed, e)
	}
	if strings.HasPrefix(rest, "failed to pass IP ACL as '") {
		return asteriskPeer(host, connwarden.EventNotAllowed, e)
	}
	return false
}

// asteriskText skips level, call, file, line and function.
func asteriskText(s string) string {
	level, rest := word(s)
	open := strings.IndexByte(level, '[')
	if open <= 0 {
		return s
	}
	for i := range open {
		if level[i]-'A' > 'Z'-'A' {
			return s
		}
	}
	if strings.HasPrefix(rest, "Ext. ") {
		// A dialplan says where it stands: "Ext. s:1 @ from-sip-external: …".
		if i := strings.Index(rest, ": "); i > 0 && i < 64 {
			return strings.Trim(rest[i+2:], "\"")
		}
		return s
	}
	file, text := word(rest)
	if i := strings.IndexByte(file, ':'); i < 0 || !strings.HasSuffix(file[:i], ".c") && level[:open] != "SECURITY" && level[:open] != "NOTICE" {
		return s
	}
	if file[len(file)-1] != ':' {
		text = strings.TrimPrefix(text, "in ")
		if _, after := word(text); after != "" {
			text = after
		}
		return text
	}
	if function, after := word(text); strings.HasSuffix(function, ":") && isWord(function[:len(function)-1]) {
		return after
	}
	return text
}

// isWord tells whether s is a name of C.
func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '_' && c-'0' > 9 && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != ""
}

func asteriskPeer(host string, kind connwarden.EventKind, e *connwarden.Event) bool {
	a, ok := asteriskAddr(host)
	return ok && sayOf(e, kind, a, "", "")
}

// asteriskAddr reads "ADDR", "ADDR:PORT", "[ADDR]:PORT" and "UDP:ADDR:PORT".
func asteriskAddr(s string) (netip.Addr, bool) {
	return addressPort(asteriskProto(s))
}

// asteriskProto skips the transport that pjsip writes before an address.
func asteriskProto(s string) string {
	for _, proto := range [...]string{"UDP:", "TCP:", "TLS:", "WS:", "WSS:"} {
		if rest, ok := strings.CutPrefix(s, proto); ok {
			return rest
		}
	}
	return s
}

func asteriskWhy(why string) connwarden.EventKind {
	if strings.Contains(why, "ACL") {
		return connwarden.EventNotAllowed
	}
	return connwarden.EventAuthFailed
}

// asteriskAgreed takes the peer that stands between before and behind, if all that could be it are one.
func asteriskAgreed(s, before, behind string, kind connwarden.EventKind, e *connwarden.Event) bool {
	var all agreement
	for {
		var found bool
		if s, found = after(s, before); !found {
			break
		}
		if i := strings.Index(s, behind); i >= 0 && i <= maxAddr+12 {
			if a, ok := addressWithPort(asteriskProto(s[:i])); ok {
				all.add(a)
			}
		}
	}
	a, ok := all.agreed()
	return ok && sayOf(e, kind, a, "", "")
}

// asteriskSecurity reads res_security_log.c: KEY="VALUE" pairs, quotes in a value escaped with a backslash, so that `,RemoteAddress="` is
// the server's. A backslash before it would be the peer's.
func asteriskSecurity(s string, e *connwarden.Event) bool {
	event, _ := between(s, "\"", "\"")
	kind := connwarden.EventOther
	switch event {
	case "InvalidPassword", "InvalidAccountID", "ChallengeResponseFailed":
		kind = connwarden.EventAuthFailed
	case "FailedACL", "AuthMethodNotAllowed":
		kind = connwarden.EventNotAllowed
	case "SuccessfulAuth":
		kind = connwarden.EventAuthPassed
	case "":
		return false
	}
	var all agreement
	for rest := s; ; {
		var found bool
		if rest, found = after(rest, ",RemoteAddress=\""); !found {
			break
		}
		value, _, _ := strings.Cut(rest, "\"")
		// "IPV4/UDP/ADDR/PORT"
		if _, value, found = strings.Cut(value, "/"); !found {
			continue
		}
		_, value, _ = strings.Cut(value, "/")
		host, _, _ := strings.Cut(value, "/")
		if a, ok := address(host); ok {
			all.add(a)
		}
	}
	user, _ := between(s, "AccountID=\"", "\",")
	a, ok := all.agreed()
	return ok && by(connwarden.VoiceChecker, sayOf(e, kind, a, user, ""), e)
}

// readXinetd reads xinetd (log.c, svc_log_failure): "FAIL: SERVICE REASON from=ADDR", "START: SERVICE pid=N from=ADDR".
func readXinetd(s string, e *connwarden.Event) bool {
	verb, rest := word(s)
	kind := connwarden.EventConnected
	switch verb {
	case "FAIL:":
		_, why := word(rest)
		why, _ = word(why)
		switch why {
		case "address", "libwrap", "time", "deny_time", "sensor":
			kind = connwarden.EventNotAllowed
		case "per_source_limit", "per_source", "cps":
			kind = connwarden.EventLimitHit
		default:
			kind = connwarden.EventOther
		}
	case "START:":
	case "libwrap":
		rest, ok := strings.CutPrefix(s, "libwrap refused connection to ")
		_, host, found := strings.Cut(rest, ") from ")
		return ok && found && say(e, connwarden.EventNotAllowed, host, "")
	default:
		return tcpWrapper(s, e)
	}
	_, host, ok := lastCut(rest, " from=")
	return ok && isAddress(host) && say(e, kind, host, "")
}

// readTelnetd reads what telnet servers and the wrapper in front of them say: "connect from NAME (ADDR)", "refused connect from …". The
// login itself is told by login(1).
func readTelnetd(s string, e *connwarden.Event) bool {
	if rest, ok := strings.CutPrefix(s, "connect from "); ok {
		if _, tail, ok := lastCut(rest, "("); ok {
			rest = strings.TrimSuffix(tail, ")")
		}
		return isAddress(rest) && say(e, connwarden.EventConnected, rest, "")
	}
	return tcpWrapper(s, e)
}

// readLogin reads login(1) of util-linux ("FAILED LOGIN 1 FROM HOST FOR NAME, REASON", login.c) and of shadow ("FAILED LOGIN (1) on
// 'TTY' from 'HOST' FOR 'NAME', REASON"; "invalid password for 'NAME' on 'TTY' from 'HOST'"). HOST comes from whoever started it: a
// telnet server.
func readLogin(s string, e *connwarden.Event) bool {
	kind := connwarden.EventAuthFailed
	switch {
	case strings.HasPrefix(s, "TOO MANY LOGIN TRIES ("):
		kind = connwarden.EventLimitHit
	case strings.HasPrefix(s, "FAILED LOGIN "):
	case strings.HasPrefix(s, "invalid password for "):
		name, host, ok := lastCut(s[len("invalid password for "):], "from ")
		host = strings.Trim(host, "`'\"")
		name, _, _ = lastCut(name, " on ")
		return ok && isAddress(host) && say(e, kind, host, strings.Trim(name, "`'"))
	default:
		return false
	}
	if rest, ok := after(s, " FROM "); ok && strings.Index(s, " FROM ") < 40 {
		host, rest := word(rest)
		user, _ := strings.CutPrefix(rest, "FOR ")
		user, _, _ = lastCut(user, ", ")
		return isAddress(host) && say(e, kind, host, user)
	}
	// Without a host, " FOR " follows the terminal.
	rest, ok := after(s, "' from '")
	if !ok || strings.Index(s, " FOR ") < strings.Index(s, "' from '") {
		return false
	}
	host, rest, ok := strings.Cut(rest, "'")
	user, _, _ := lastCut(rest, "', ")
	_, user, _ = strings.Cut(user, "FOR '")
	return ok && isAddress(host) && say(e, kind, host, user)
}
