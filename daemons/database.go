package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// readMySQL reads MySQL's and MariaDB's error log: "Access denied for user 'NAME'@'HOST' (using password: YES)"
// (sql/share/errmsg, ER_ACCESS_DENIED_ERROR), behind time, thread, level and code. Where a database is named, the name is the
// peer's too and follows: then all places must agree.
func readMySQL(s string, e *connwarden.Event) bool {
	i := strings.Index(s, "Access denied for user '")
	if i < 0 {
		if i = strings.Index(s, "Host '"); i >= 0 && i < 80 && strings.Contains(s[i:], "' is blocked because of many connection errors") {
			host, _ := between(s[i:], "'", "'")
			return say(e, connwarden.EventLimitHit, host, "")
		}
		if i = strings.Index(s, "Aborted connection "); i >= 0 && i < 80 {
			_, rest, ok := lastCut(s, " host: '")
			host, _, _ := strings.Cut(rest, "'")
			return ok && isAddress(host) && say(e, connwarden.EventClosed, host, "")
		}
		return false
	}
	if i > 80 {
		return false
	}
	s = s[i+len("Access denied for user '"):]
	if strings.HasSuffix(s, ")") && !strings.Contains(s, " to database '") {
		head, rest, ok := lastCut(s, "'@'")
		host, _, good := strings.Cut(rest, "'")
		return ok && good && say(e, connwarden.EventAuthFailed, host, head)
	}
	var all agreement
	user := ""
	for at := 0; ; {
		i := strings.Index(s[at:], "'@'")
		if i < 0 {
			break
		}
		at += i
		host, _, _ := strings.Cut(s[at+3:], "'")
		if a, ok := address(host); ok {
			user = s[:at]
			all.add(a)
		}
		at += 3
	}
	a, ok := all.agreed()
	return ok && sayOf(e, connwarden.EventAuthFailed, a, user, "")
}

// readPostgres reads PostgreSQL (auth.c, postmaster.c). Most of its messages name no peer, only log_line_prefix can; and the user,
// database and application that the prefix may hold as well are the peer's. So an address is taken from the prefix only where no name
// can stand before it: right behind the time and the process id ("%m [%p] %h", "%t:%r:%u@%d:[%p]:"), or in the order that pgBadger
// asks for ("user=%u,db=%d,app=%a,client=%h ") when the names fit the message.
func readPostgres(s string, e *connwarden.Event) bool {
	if rest, ok := after(s, "LOG:  connection received: host="); ok && strings.Index(s, "LOG:  ") < 64 {
		host, _ := word(rest)
		return isAddress(host) && say(e, connwarden.EventConnected, host, "")
	}
	i := strings.Index(s, "FATAL:  ")
	if i < 0 {
		return false
	}
	// The real one ends the line; one in a name is followed by the rest of the message.
	for _, head := range [...]string{"FATAL:  no pg_hba.conf entry for host \"", "FATAL:  pg_hba.conf rejects connection for host \"",
		"FATAL:  no pg_hba.conf entry for replication connection from host \"", "FATAL:  pg_hba.conf rejects replication connection for host \""} {
		_, rest, ok := lastCut(s, head)
		if !ok || strings.HasSuffix(rest, "\"") {
			continue
		}
		host, rest, ok := strings.Cut(rest, "\", user \"")
		user, _, _ := lastCut(rest, "\", database \"")
		return ok && isAddress(host) && say(e, connwarden.EventNotAllowed, host, strings.TrimSuffix(user, "\""))
	}
	head, said := s[:i], s[i+len("FATAL:  "):]
	user := ""
	failed := false
	for _, how := range [...]string{"password", "Ident", "Peer", "PAM", "LDAP", "RADIUS", "GSSAPI", "SSPI", "certificate", "BSD", "ident", "peer"} {
		if rest, ok := strings.CutPrefix(said, how); ok {
			if rest, ok = strings.CutPrefix(rest, " authentication failed for user \""); ok {
				user, failed = strings.TrimSuffix(rest, "\""), true
			}
		}
	}
	if !failed {
		for _, what := range [...]string{"role \"", "database \""} {
			if rest, ok := strings.CutPrefix(said, what); ok {
				if name, ok := strings.CutSuffix(rest, "\" does not exist"); ok && what[0] == 'r' {
					user, failed = name, true
				}
			}
		}
	}
	if !failed {
		return false
	}
	if host, ok := postgresFirst(head); ok {
		return say(e, connwarden.EventAuthFailed, host, user)
	}
	if strings.IndexByte(user, '=') >= 0 || strings.IndexByte(user, ' ') >= 0 {
		return false
	}
	_, rest, ok := strings.Cut(head, " user=")
	if !ok || !strings.HasPrefix(rest, user) || !strings.HasPrefix(rest[len(user):], ",db=") || strings.Count(rest, "client=") != 1 {
		return false
	}
	host, _ := after(rest, ",client=")
	return isAddress(trim(host)) && say(e, connwarden.EventAuthFailed, trim(host), user)
}

// postgresFirst is the address of a prefix when only times, zones and process ids stand before it.
func postgresFirst(s string) (string, bool) {
	for s != "" {
		n := strings.IndexAny(s, " ")
		token := s
		if n >= 0 {
			token, s = s[:n], s[n+1:]
		} else {
			s = ""
		}
		// "%t:%r:%u@%d:[%p]:": the zone, then the peer.
		if zone, rest, ok := strings.Cut(token, ":"); ok && isZone(zone) {
			host, _, _ := strings.Cut(rest, "(")
			return host, isAddress(host)
		}
		host, _, _ := strings.Cut(token, "(")
		if isAddress(host) {
			return host, true
		}
		if token != "" && !isZone(token) && token[0] != '[' && token[0]-'0' > 9 {
			return "", false
		}
	}
	return "", false
}

// isZone tells whether s is the short name of a time zone.
func isZone(s string) bool {
	if len(s) < 3 || len(s) > 5 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i]-'A' > 'Z'-'A' {
			return false
		}
	}
	return true
}

// readMongo reads MongoDB's structured log (since 4.4, JSON: quotes in a value are escaped, so a member's name with its quotes
// is the server's) and the text before it.
func readMongo(s string, e *connwarden.Event) bool {
	if s[0] == '{' {
		var kind connwarden.EventKind
		switch {
		case strings.Contains(s, `"msg":"Authentication failed"`), strings.Contains(s, `"msg":"Failed to authenticate"`):
			kind = connwarden.EventAuthFailed
		case strings.Contains(s, `"msg":"Authentication succeeded"`), strings.Contains(s, `"msg":"Successfully authenticated"`):
			kind = connwarden.EventAuthPassed
		case strings.Contains(s, `"msg":"Connection accepted"`):
			kind = connwarden.EventConnected
		case strings.Contains(s, `"msg":"Connection ended"`):
			kind = connwarden.EventClosed
		default:
			return false
		}
		host, ok := between(s, `"remote":"`, `"`)
		if !ok {
			if host, ok = between(s, `"client":"`, `"`); !ok {
				return false
			}
		}
		user, ok := quoted(s, `"principalName":"`)
		if !ok {
			user, _ = quoted(s, `"user":"`)
		}
		a, ok := addressWithPort(host)
		return ok && sayOf(e, kind, a, user, "")
	}
	// "SCRAM-SHA-1 authentication failed for NAME on admin from client ADDR:PORT ; UserNotFound: Could not find user NAME@admin"
	_, rest, ok := strings.Cut(s, " authentication failed for ")
	if !ok {
		return false
	}
	var all agreement
	user := ""
	for at := 0; ; {
		i := strings.Index(rest[at:], " from client ")
		if i < 0 {
			break
		}
		at += i
		host, _ := word(rest[at+len(" from client "):])
		if a, ok := addressWithPort(host); ok {
			user, _, _ = lastCut(rest[:at], " on ")
			all.add(a)
		}
		at++
	}
	a, ok := all.agreed()
	return ok && sayOf(e, connwarden.EventAuthFailed, a, user, "")
}

// quoted is the string of JSON behind head, as written.
func quoted(s, head string) (string, bool) {
	rest, ok := after(s, head)
	for i := 0; ok && i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return rest[:i], true
		}
	}
	return "", false
}

// readRedis reads Redis and Valkey (networking.c, securityWarningCommand). A wrong password is in the ACL log only, which no
// file holds.
func readRedis(s string, e *connwarden.Event) bool {
	if i := strings.Index(s, "Possible SECURITY ATTACK detected."); i >= 0 && i < 64 {
		_, rest, ok := lastCut(s, "Connection from ")
		if !ok {
			return false
		}
		host, _ := word(rest)
		a, ok := addressWithPort(host)
		return ok && sayOf(e, connwarden.EventProbe, a, "", "")
	}
	if i := strings.Index(s, "Accepted "); i >= 0 && i < 64 {
		a, ok := addressWithPort(s[i+len("Accepted "):])
		return ok && sayOf(e, connwarden.EventConnected, a, "", "")
	}
	return false
}
