package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// readVsftpd reads vsftpd (logging.c, vsf_log_do_log_vsftpd_format): "[USER] FAIL LOGIN: Client "ADDR"", behind a time and
// "[pid N] " in its own file. The name stands before the address, so that an address with which the line ends is the server's, unless a command
// or a file's name, which the server quotes behind the address, has begun before: then all places must agree.
func readVsftpd(s string, e *connwarden.Event) bool {
	if strings.HasPrefix(s, "[pid ") {
		if i := strings.Index(s, "] "); i > 0 {
			s = s[i+2:]
		}
	}
	if strings.HasPrefix(s, "refused connect from ") {
		return tcpWrapper(s, e)
	}
	const client = ": Client \""
	what, rest, ok := lastCut(s, client)
	if !ok {
		return false
	}
	if host, ok := strings.CutSuffix(rest, "\""); ok && isAddress(host) && !vsftpdQuotes(what) {
		return vsftpdSays(what, host, "", e)
	}
	var all agreement
	var first, host, behind string
	for at := 0; ; {
		i := strings.Index(s[at:], client)
		if i < 0 {
			break
		}
		at += i
		h, tail, ok := strings.Cut(s[at+len(client):], "\"")
		if a, good := address(h); ok && good {
			if !all.addr.IsValid() {
				first, host, behind = s[:at], h, tail
			}
			all.add(a)
		}
		at += len(client)
	}
	if _, ok := all.agreed(); !ok {
		return false
	}
	return vsftpdSays(first, host, behind, e)
}

// vsftpdQuotes tells whether a text of the peer's may have begun in s: behind `: Client "ADDR", "`.
func vsftpdQuotes(s string) bool {
	for {
		var ok bool
		if s, ok = after(s, ": Client \""); !ok {
			return false
		}
		if _, behind, _ := strings.Cut(s, "\""); strings.HasPrefix(behind, ", \"") {
			return true
		}
	}
}

// vsftpdSays tells what happened from the words before the peer and behind it.
func vsftpdSays(what, host, behind string, e *connwarden.Event) bool {
	kind, user := connwarden.EventOther, ""
	switch {
	case strings.HasSuffix(what, "FAIL LOGIN"):
		kind = connwarden.EventAuthFailed
	case strings.HasSuffix(what, "OK LOGIN"):
		kind = connwarden.EventAuthPassed
	case what == "CONNECT":
		kind = connwarden.EventConnected
		if strings.HasPrefix(behind, ", \"Connection refused: too many sessions for this address") {
			kind = connwarden.EventLimitHit
		} else if strings.HasPrefix(behind, ", \"Connection refused: tcp_wrappers denial") {
			kind = connwarden.EventNotAllowed
		}
	}
	if what != "" && what[0] == '[' {
		if name, _, ok := lastCut(what, "] "); ok {
			user = name[1:]
		}
	}
	return say(e, kind, host, user)
}

// readProftpd reads ProFTPD (log.c, log_write): "SERVER (NAME[ADDR]) - TEXT" in syslog, "SERVER (NAME[ADDR]): TEXT" in its
// own file. A peer's name has passed pr_netaddr_validate_dns_str. Everything that the peer chose follows.
func readProftpd(s string, e *connwarden.Event) bool {
	server, rest, ok := strings.Cut(s, " (")
	if !ok || strings.IndexByte(server, ' ') >= 0 {
		return false
	}
	i := strings.IndexByte(rest, '[')
	if i < 0 || strings.IndexByte(rest[:i], ' ') >= 0 {
		return false
	}
	a, rest, ok := bracketed(rest[i:])
	if !ok || len(rest) < 4 || rest[0] != ')' {
		return false
	}
	text := strings.TrimPrefix(strings.TrimPrefix(rest[1:], ": "), " - ")
	user := ""
	kind := connwarden.EventOther
	// The name is cut off first, so that it cannot hold the words that are looked for.
	said := text
	if tail, ok := strings.CutPrefix(text, "USER "); ok {
		for _, end := range [...]string{" (Login failed)", ": no such user found from ", ": Login successful", ": Limit ", ": Login denied: ", ": user is not a UserAlias"} {
			if i := strings.LastIndex(tail, end); i >= 0 {
				user, said = tail[:i], tail[i:]
				break
			}
		}
	} else if tail, ok := strings.CutPrefix(text, "ANON "); ok {
		if i := strings.LastIndex(tail, " (Login failed)"); i >= 0 {
			user, said = tail[:i], tail[i:]
		} else if i := strings.LastIndex(tail, ": "); i >= 0 {
			user, said = tail[:i], tail[i:]
		}
	}
	// mod_sftp and mod_ban put their name and version in front.
	if strings.HasPrefix(said, "mod_") {
		if _, tail, ok := strings.Cut(said, ": "); ok {
			said = tail
		}
	}
	switch {
	case strings.HasPrefix(said, " (Login failed): Limit "), strings.Contains(said, "imit access denies login"), strings.HasPrefix(said, ": Limit configuration denies"),
		strings.HasPrefix(said, "Login denied: "), strings.HasPrefix(said, "Connection from ") && strings.HasSuffix(said, " denied"),
		strings.HasPrefix(said, "Refused PORT "), strings.HasPrefix(said, "Refused EPRT "):
		kind = connwarden.EventNotAllowed
	case strings.HasPrefix(said, ": Login denied: "):
		kind = connwarden.EventNotAllowed
	case strings.HasPrefix(said, "no such user '"), strings.HasPrefix(said, " (Login failed)"), strings.HasPrefix(said, ": no such user found from "), strings.HasPrefix(said, ": user is not a UserAlias"),
		strings.HasPrefix(said, "SECURITY VIOLATION: "), strings.HasPrefix(said, ": AnonRejectPasswords"):
		kind = connwarden.EventAuthFailed
		if said[0] == 'n' || said[0] == 'S' { // beside the word on the login
			e.Voice = connwarden.VoiceName
		}
	case strings.HasPrefix(said, "Maximum login attempts ("), strings.HasPrefix(said, "Connection refused (MaxClientsPerHost "),
		strings.HasPrefix(said, "Connection refused (MaxConnectionsPerHost "):
		kind = connwarden.EventLimitHit
	case strings.HasPrefix(said, "unable to accept TLS connection"):
		kind = connwarden.EventBadHandshake
	case strings.HasPrefix(said, "denied due to "):
		kind = connwarden.EventNotAllowed
	case strings.HasPrefix(said, "client sent "):
		kind = connwarden.EventProbe
	case strings.HasPrefix(said, ": Login successful"):
		kind = connwarden.EventAuthPassed
	case strings.HasPrefix(said, "FTP session opened"), strings.HasPrefix(said, "SSH2 session opened"):
		kind = connwarden.EventConnected
	case strings.HasPrefix(said, "FTP session closed"), strings.HasPrefix(said, "SSH2 session closed"):
		kind = connwarden.EventClosed
	}
	return sayOf(e, kind, a, user, "")
}

// readPureFTPd reads Pure-FTPd (ftpd.c, logfile): "(ACCOUNT@HOST) [LEVEL] TEXT", where ACCOUNT is "?" until a login has
// succeeded, so that the first ") [" is the server's. HOST is a name unless DontResolve is on.
func readPureFTPd(s string, e *connwarden.Event) bool {
	if s[0] != '(' {
		return false
	}
	who, rest, ok := strings.Cut(s[1:], ") [")
	if !ok {
		return false
	}
	account, host, ok := lastCut(who, "@")
	level, text, good := strings.Cut(rest, "] ")
	if !ok || !good || len(level) > len("WARNING") {
		return false
	}
	if account == "?" {
		account = ""
	}
	kind := connwarden.EventOther
	switch {
	case strings.HasPrefix(text, "Too many authentication failures"):
		kind = connwarden.EventLimitHit
	case strings.HasPrefix(text, "Too many connections ("):
		// Said by the listener, for which nobody is there yet: "(?@?) [WARNING] Too many connections (%lu) from this IP: [%s]".
		kind = connwarden.EventLimitHit
		if _, addr, ok := lastCut(text, ": ["); ok && host == "?" {
			host = strings.TrimSuffix(addr, "]")
		}
	case strings.HasPrefix(text, "HTTP command: ["):
		kind = connwarden.EventProbe
	case strings.HasPrefix(text, "The client tried to overflow "):
		kind = connwarden.EventProbe
	case strings.HasPrefix(text, "New connection from "):
		kind = connwarden.EventConnected
	case strings.HasPrefix(text, "Can't login as ["):
		kind = connwarden.EventNotAllowed
	case strings.HasSuffix(text, " is now logged in"):
		kind = connwarden.EventAuthPassed
		account = strings.TrimSuffix(text, " is now logged in")
	case strings.HasPrefix(text, "Logout."):
		kind = connwarden.EventClosed
	}
	// MSG_AUTH_FAILED_LOG, in the language that a build chose (src/messages_*.h): in all of them it ends with the name in brackets, and no
	// other warning to somebody who has not logged in does.
	if name := strings.TrimSuffix(text, "."); kind == connwarden.EventOther && level == "WARNING" && who[0] == '?' && strings.HasSuffix(name, "]") {
		if _, name, ok := strings.Cut(name, " ["); ok {
			kind, account = connwarden.EventAuthFailed, name[:len(name)-1]
		}
	}
	return say(e, kind, host, account)
}
