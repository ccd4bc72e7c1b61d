package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// readCPanel reads cPanel's login_log without its time: "info [cpaneld] ADDR - NAME "POST /login/ HTTP/1.1" FAILED LOGIN cpaneld: …"
// and cPHulk's "[…] = [ADDR]" lists. In the first nothing of the peer's stands before its address.
func readCPanel(s string, e *connwarden.Event) bool {
	for _, level := range [...]string{"info ", "warn ", "error "} {
		s = strings.TrimPrefix(s, level)
	}
	if s == "" {
		return false
	}
	daemon, rest := "", s
	if s[0] == '[' {
		var ok bool
		if daemon, rest, ok = strings.Cut(s[1:], "] "); !ok {
			return false
		}
	}
	if daemon == "cphulkd" || daemon == "cPhulkd" {
		return readCPHulk(rest, e)
	}
	host, rest := word(rest)
	name, ok := strings.CutPrefix(rest, "- ")
	if !ok || !isAddress(host) {
		return false
	}
	user, said, _ := strings.Cut(name, " \"")
	if i := strings.LastIndex(user, " ["); i >= 0 && daemon == "" { // older versions: the time stands here
		user = user[:i]
	}
	kind := connwarden.EventOther
	switch _, verdict, ok := lastCut(said, "\" "); {
	case !ok && strings.HasPrefix(said, "FAILED LOGIN "), strings.HasPrefix(verdict, "FAILED LOGIN "):
		kind = connwarden.EventAuthFailed
	case strings.HasPrefix(verdict, "DEFERRED LOGIN ") && strings.Contains(verdict, ": brute force attempt (user ") && strings.Contains(verdict, " has locked out IP "):
		kind = connwarden.EventLimitHit
	case strings.HasPrefix(verdict, "SUCCESSFUL LOGIN"), strings.HasPrefix(verdict, "SUCCESS LOGIN"):
		kind = connwarden.EventAuthPassed
	}
	return say(e, kind, host, user)
}

// readCPHulk reads cphulkd.log: "Login Blocked: … [Remote IP Address]=[ADDR] … [Username]=[NAME]": names may stand on both sides.
func readCPHulk(s string, e *connwarden.Event) bool {
	if !strings.HasPrefix(s, "Login Blocked: ") {
		return false
	}
	var all agreement
	for rest := s; ; {
		var found bool
		if rest, found = after(rest, "[Remote IP Address]"); !found {
			break
		}
		value := strings.TrimLeft(rest, " =")
		if a, _, ok := bracketed(value); ok {
			all.add(a)
		}
	}
	a, ok := all.agreed()
	return ok && sayOf(e, connwarden.EventAuthFailed, a, "", "")
}

// readPlesk reads Plesk's panel.log: "ERR [panel] Failed login attempt with login 'NAME' from IP ADDR", and from IP: ADDR of older
// versions. The address ends the line.
func readPlesk(s string, e *connwarden.Event) bool {
	i := strings.Index(s, "Failed login attempt ")
	if i < 0 || i > 64 {
		return false
	}
	s = s[i:]
	head, host, ok := lastCut(s, "from IP ")
	if !ok {
		if head, host, ok = lastCut(s, "from IP: "); !ok {
			return false
		}
	}
	host = strings.TrimSuffix(host, ".")
	user, _ := after(head, "with login '")
	return isAddress(host) && say(e, connwarden.EventAuthFailed, host, strings.TrimSuffix(user, "' "))
}

// readWebmin reads what Webmin's and Usermin's web server tells syslog: "Invalid login as NAME from ADDR".
func readWebmin(s string, e *connwarden.Event) bool {
	kind := connwarden.EventAuthFailed
	var name string
	var ok bool
	for _, head := range [...]string{"Invalid login as ", "Non-existent login as ", "Expired login as ", "Successful login as "} {
		if name, ok = strings.CutPrefix(s, head); ok {
			if head[0] == 'S' {
				kind = connwarden.EventAuthPassed
			}
			break
		}
	}
	if !ok {
		if rest, ok := strings.CutPrefix(s, "Security alert: Host "); ok {
			host, _ := word(rest)
			return isAddress(host) && say(e, connwarden.EventLimitHit, host, "")
		}
		return false
	}
	user, host, ok := fromEnd(name)
	return ok && say(e, kind, host, user)
}

// readRoundcube reads Roundcube's userlogins.log ("<SESSION> Failed login for NAME from ADDR in session ID (error: 0)",
// rcmail.php, log_login) and errors.log ("<SESSION> IMAP Error: Login failed for NAME against HOST from ADDR. REPLY in FILE on
// line N (POST URL)", rcube_imap.php). Behind ADDR stand, where a proxy is trusted, headers of the peer's.
func readRoundcube(s string, e *connwarden.Event) bool {
	if s[0] == '<' {
		if i := strings.Index(s, "> "); i > 0 && i < 24 {
			s = s[i+2:]
		}
	}
	kind := connwarden.EventAuthFailed
	if rest, ok := strings.CutPrefix(s, "IMAP Error: "); ok {
		s, e.Voice = rest, connwarden.VoiceChecker
	}
	var name string
	var ok bool
	for _, head := range [...]string{"Failed login for ", "FAILED login for ", "Successful login for ", "Login failed for "} {
		if name, ok = strings.CutPrefix(s, head); ok {
			if head[0] == 'S' {
				kind = connwarden.EventAuthPassed
			}
			break
		}
	}
	if !ok {
		return false
	}
	var all agreement
	user := ""
	for at := 0; ; {
		i := strings.Index(name[at:], " from ")
		if i < 0 {
			break
		}
		at += i
		host, _ := word(name[at+len(" from "):])
		if i := strings.IndexByte(host, '('); i >= 0 {
			host = host[:i]
		}
		if a, ok := address(strings.TrimRight(host, ".,")); ok {
			if !all.addr.IsValid() {
				user, _, _ = lastCut(name[:at], " against ")
				if i := strings.LastIndex(user, " (ID: "); i >= 0 {
					user = user[:i]
				}
			}
			all.add(a)
		}
		at += len(" from ")
	}
	a, ok := all.agreed()
	return ok && sayOf(e, kind, a, user, "")
}

// readPHPMyAdmin reads phpMyAdmin (Logging.php, getLogMessage): "user denied: NAME (mysql-denied) from ADDR". A forwarding header
// counts only from a proxy that its configuration trusts.
func readPHPMyAdmin(s string, e *connwarden.Event) bool {
	if name, ok := strings.CutPrefix(s, "user denied: "); ok {
		head, host, ok := fromEnd(name)
		user, _, _ := lastCut(head, " (")
		return ok && isAddress(host) && say(e, connwarden.EventAuthFailed, host, user)
	}
	if name, ok := strings.CutPrefix(s, "user authenticated: "); ok {
		user, host, ok := fromEnd(name)
		return ok && isAddress(host) && say(e, connwarden.EventAuthPassed, host, user)
	}
	return false
}
