package daemons

import (
	"net/netip"
	"strings"

	"github.com/connwarden/connwarden"
)

// readDovecot reads Dovecot 1.0 to 2.4: the login processes ("imap-login: Disconnected (auth failed, 1 attempts in 2 secs):
// user=<NAME>, method=PLAIN, rip=ADDR, lip=ADDR, TLS, session=<…>": client-common.c, client_log; login_log_format_elements) and
// the authentication service ("auth: passwd-file(NAME,ADDR,<SESSION>): unknown user": auth-request.c).
func readDovecot(program, s string, e *connwarden.Event) bool {
	// "dovecot: imap-login: …", "imap-login: Info: …" of its own log, "dovecot: auth(default): …".
	if program == "dovecot" {
		// "dovecot: Nov 22 14:03:07 Info: …", of its own log before 2.0.
		if n := monthStamp(s); n > 0 && n < len(s) {
			s = trim(s[n:])
			for _, level := range [...]string{"Info: ", "Warning: ", "Error: "} {
				s = strings.TrimPrefix(s, level)
			}
		}
		if (strings.HasPrefix(s, "auth(") || strings.HasPrefix(s, "auth-worker(")) && strings.Contains(s, ",sasl:") {
			return by(connwarden.VoiceChecker, dovecotRequest(s, e), e)
		}
		who, rest, ok := strings.Cut(s, ": ")
		if !ok {
			return false
		}
		program, s = who, rest
	}
	for _, level := range [...]string{"Info: ", "Warning: ", "Error: ", "Debug: "} {
		s = strings.TrimPrefix(s, level)
	}
	base, _, _ := strings.Cut(program, "(")
	base, _, _ = strings.Cut(base, "[")
	switch {
	case strings.HasSuffix(base, "-login"):
		return dovecotLogin(s, e)
	case base == "auth", base == "auth-worker", base == "dovecot-auth", base == "dovecot":
		// 2.3: "conn unix:auth-worker (pid=268,uid=114): auth-worker<2>: pam(…".
		if strings.HasPrefix(s, "conn unix:") {
			if rest, ok := after(s, "): auth-worker<"); ok {
				s = strings.TrimPrefix(rest[digits(rest):], ">: ")
			}
		}
		return by(connwarden.VoiceChecker, dovecotAuth(s, e), e)
	}
	return false
}

// dovecotLogin reads what a login process says of a client. User names stand before the address, and nothing of the peer's
// behind it, so the last rip= is Dovecot's.
func dovecotLogin(s string, e *connwarden.Event) bool {
	head, rest, ok := lastCut(s, " rip=")
	if !ok {
		return false
	}
	host, _, _ := strings.Cut(rest, ",")
	a, ok := address(host)
	if !ok {
		return false
	}
	// Names may hold the words that are looked for; what Dovecot states stands before them. Behind the name stands the mechanism, or nothing.
	said, user, _ := strings.Cut(head, "user=<")
	if name, _, ok := lastCut(user, ">, "); ok {
		user = name
	} else {
		user = strings.TrimSuffix(user, ">,")
	}
	kind := connwarden.EventOther
	switch {
	case strings.HasPrefix(s, "Login: "), strings.HasPrefix(s, "Logged in"):
		kind = connwarden.EventAuthPassed
	case strings.Contains(said, "(auth failed"), strings.Contains(said, "proxy dest auth failed"), strings.Contains(said, "(auth_failed)"):
		kind = connwarden.EventAuthFailed
		if _, times, ok := strings.Cut(said, "(auth failed, "); ok {
			e.More = number(times[:digits(times)]) - 1
		}
	case strings.Contains(said, "tried to use disallowed plaintext auth"), strings.Contains(said, "tried to use disabled plaintext auth"),
		strings.Contains(said, "tried to use unsupported auth mechanism"), strings.Contains(said, "cleartext authentication disabled"),
		strings.Contains(said, "(cleartext_auth_disabled)"):
		kind = connwarden.EventNotAllowed
	case strings.Contains(said, "Maximum number of connections"):
		kind = connwarden.EventLimitHit
	case strings.Contains(said, "Too many invalid commands"), strings.Contains(said, "Too many bad commands"):
		kind = connwarden.EventProbe
	case strings.HasPrefix(s, "Disconnected"), strings.HasPrefix(s, "Aborted login"), strings.HasPrefix(s, "Login aborted"),
		strings.HasPrefix(s, "Connection closed"), strings.HasPrefix(s, "Logged out"):
		kind = connwarden.EventClosed
	}
	return sayOf(e, kind, a, user, "")
}

// dovecotAuth reads "DRIVER(NAME,ADDR[,<SESSION>]): TEXT". The name is the peer's, and with auth_verbose_passwords so is the end
// of the text: all places that could be the address must agree.
func dovecotAuth(s string, e *connwarden.Event) bool {
	open := strings.IndexByte(s, '(')
	if open <= 0 || strings.IndexByte(s[:open], ' ') >= 0 {
		return false
	}
	var all agreement
	user, why := "", ""
	for at := open + 1; ; {
		i := strings.Index(s[at:], "): ")
		if i < 0 {
			break
		}
		at += i
		inner := s[open+1 : at]
		if j := strings.LastIndex(inner, ",<"); j >= 0 && strings.HasSuffix(inner, ">") {
			inner = inner[:j]
		}
		at += len("): ")
		name, host, ok := lastCut(inner, ",")
		if !ok {
			continue
		}
		a, ok := address(host)
		if !ok {
			continue
		}
		all.add(a)
		user, why = name, s[at:]
	}
	a, ok := all.agreed()
	return ok && dovecotSays(why, a, user, e)
}

// dovecotRequest reads the authentication service of Dovecot 2.4: "auth(NAME,ADDR,sasl:MECH[,master])[<PID>][<SESSION>][: request [N]]: DRIVER: TEXT"
// (auth-request.c, get_log_prefix). The name is the peer's, and so may be the end of the text: all places that could be the address must agree.
func dovecotRequest(s string, e *connwarden.Event) bool {
	const sasl = ",sasl:"
	var all agreement
	user, why := "", ""
	for at := 0; ; {
		i := strings.Index(s[at:], sasl)
		if i < 0 {
			break
		}
		at += i
		head, host, ok := lastCut(s[:at], ",")
		_, rest, more := strings.Cut(s[at+len(sasl):], ")")
		at += len(sasl)
		if !ok || !more {
			continue
		}
		a, ok := address(host)
		if !ok {
			continue
		}
		for strings.HasPrefix(rest, "<") {
			if _, rest, ok = strings.Cut(rest, ">"); !ok {
				break
			}
		}
		if request, found := strings.CutPrefix(rest, ": request ["); found {
			_, rest, _ = strings.Cut(request, "]")
		}
		if rest, ok = strings.CutPrefix(rest, ": "); !ok {
			continue
		}
		for _, level := range [...]string{"Info: ", "Warning: ", "Error: "} {
			rest = strings.TrimPrefix(rest, level)
		}
		_, why, _ = strings.Cut(rest, ": ") // behind the driver
		all.add(a)
		_, user, _ = strings.Cut(head, "(")
	}
	a, ok := all.agreed()
	return ok && dovecotSays(why, a, user, e)
}

// dovecotSays notes what the authentication service says of a peer.
func dovecotSays(why string, a netip.Addr, user string, e *connwarden.Event) bool {
	for _, w := range [...]string{"unknown user", "Unknown user", "no such user", "pam_authenticate() failed: User not known"} {
		e.Missing = e.Missing || strings.HasPrefix(strings.TrimPrefix(why, "Password query failed: "), w)
	}
	return sayOf(e, dovecotWhy(why), a, user, "")
}

// dovecotWhy tells failures of the peer from those of the server (passdb-*.c, auth-request.c).
func dovecotWhy(s string) connwarden.EventKind {
	s = strings.TrimPrefix(s, "Password query failed: ")
	switch {
	case strings.HasPrefix(s, "unknown user"), strings.HasPrefix(s, "Unknown user"), strings.HasPrefix(s, "no such user"),
		strings.HasPrefix(s, "Password mismatch"), strings.HasPrefix(s, "password mismatch"), strings.HasPrefix(s, "invalid credentials"),
		strings.HasPrefix(s, "CRAM-MD5 mismatch"), strings.HasPrefix(s, "Username character disallowed"), strings.HasPrefix(s, "Invalid username"),
		strings.HasPrefix(s, "Attempted login with password having illegal chars"), strings.HasPrefix(s, "Authentication failure due to policy"),
		strings.HasPrefix(s, "Authentication failed"), strings.HasPrefix(s, "Login failed"):
		return connwarden.EventAuthFailed
	}
	if rest, ok := strings.CutPrefix(s, "pam_authenticate() failed: "); ok {
		for _, w := range [...]string{"Authentication failure", "User not known", "Permission denied", "authentication error"} {
			if strings.HasPrefix(rest, w) {
				return connwarden.EventAuthFailed
			}
		}
	}
	if strings.HasPrefix(s, "allow_nets check failed") {
		return connwarden.EventNotAllowed
	}
	return connwarden.EventOther
}
