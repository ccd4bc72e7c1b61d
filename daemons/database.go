package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// readMySQL reads MySQL's and MariaDB's error log: "Access denied for user 'NAME'@'HOST' (using password: YES)"
// (sql/share/errmsg, ER_ACCESS_DENIED_ERROR), behind time, thread, level and code. Where a database is named, the name is the
// peer's too and follows: then all places must agree.
func readMySQL(s string, e *connwarden.Event) bool {
	s = mysqlText(s)
	if strings.HasPrefix(s, "Host '") {
		host, rest, _ := strings.Cut(s[len("Host '"):], "'")
		return strings.HasPrefix(rest, " is blocked because of many connection errors") && say(e, connwarden.EventLimitHit, host, "")
	}
	if strings.HasPrefix(s, "Aborted connection ") {
		_, rest, ok := lastCut(s, " host: '")
		host, _, _ := strings.Cut(rest, "'")
		return ok && isAddress(host) && say(e, connwarden.EventClosed, host, "")
	}
	s, ok := strings.CutPrefix(s, "Access denied for user '")
	if !ok {
		return false
	}
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

// mysqlText skips the time, the thread and what stands in brackets: level, code, subsystem.
func mysqlText(s string) string {
	n := isoStamp(s)
	if n == 0 {
		n = shape(s, "000000 _0:00:00")
	}
	s = strings.TrimLeft(s[n:], " ")
	s = strings.TrimLeft(s[digits(s):], " ")
	for range 3 {
		if s == "" || s[0] != '[' {
			break
		}
		_, rest, ok := strings.Cut(s, "] ")
		if !ok {
			break
		}
		s = rest
	}
	return s
}

// readPostgres reads PostgreSQL (auth.c, postmaster.c, elog.c). Most of its messages name no peer, only log_line_prefix can; and user,
// database and application, which a prefix may hold as well, are the peer's. So an address is taken from a prefix only in two well-known
// ones: that of Amazon's service ("%t:%r:%u@%d:[%p]:"), where it stands before every name, and that of pgBadger
// ("%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h "), if the names fit the message; and from others only where it is the first thing behind
// time and process id. A line in which two levels seem to stand is not read.
func readPostgres(s string, e *connwarden.Event) bool {
	head, level, said := postgresLevel(s)
	if level == "LOG" {
		rest, ok := strings.CutPrefix(said, "connection received: host=")
		host, _ := word(rest)
		return ok && isAddress(host) && say(e, connwarden.EventConnected, host, "")
	}
	if level != "FATAL" {
		return false
	}
	for _, what := range [...]string{"no pg_hba.conf entry for host \"", "pg_hba.conf rejects connection for host \"",
		"no pg_hba.conf entry for replication connection from host \"", "pg_hba.conf rejects replication connection for host \""} {
		if rest, ok := strings.CutPrefix(said, what); ok {
			host, rest, ok := strings.Cut(rest, "\", user \"")
			user, _, found := lastCut(rest, "\", database \"")
			if !found {
				user, _, _ = lastCut(rest, "\"")
			}
			return ok && isAddress(host) && say(e, connwarden.EventNotAllowed, host, user)
		}
	}
	user, failed := "", false
	if how, rest, ok := strings.Cut(said, " authentication failed for user \""); ok && len(how) <= len("certificate") {
		user, failed = strings.TrimSuffix(rest, "\""), true
	} else if rest, ok := strings.CutPrefix(said, "role \""); ok {
		user, failed = strings.CutSuffix(rest, "\" does not exist")
	}
	if !failed {
		return false
	}
	if zone, rest, ok := strings.Cut(head, ":"); ok && isZone(zone) {
		host, rest, ok := strings.Cut(rest, "(")
		rest, found := strings.CutPrefix(rest[digits(rest):], "):")
		rest, known := strings.CutPrefix(rest, user)
		return ok && found && known && strings.HasPrefix(rest, "@") && isAddress(host) && say(e, connwarden.EventAuthFailed, host, user)
	}
	if host, ok := postgresFirst(head, user); ok {
		return say(e, connwarden.EventAuthFailed, host, user)
	}
	if strings.IndexByte(user, '=') >= 0 || strings.IndexByte(user, ' ') >= 0 {
		return false
	}
	_, rest, ok := strings.Cut(head, "] user=")
	if !ok || !strings.HasPrefix(rest, user) || !strings.HasPrefix(rest[len(user):], ",db=") || strings.Count(rest, "client=") != 1 {
		return false
	}
	host, _ := after(rest, ",client=")
	return isAddress(trim(host)) && say(e, connwarden.EventAuthFailed, trim(host), user)
}

// postgresFirst finds an address that stands in front of all that a client chooses: behind zone and process id, with the user's known name and
// its "@" behind, so that it is neither user nor database.
func postgresFirst(head, user string) (host string, ok bool) {
	head = strings.TrimPrefix(head, "< ")
	head = head[isoStamp(head):]
	for range 4 {
		var one string
		one, head = word(trim(head))
		if i := strings.IndexByte(one, '('); i > 0 { // "ADDR(PORT)"
			one = one[:i]
		}
		one = strings.TrimSuffix(one, ",")
		if isAddress(one) {
			return one, user != "" && strings.HasPrefix(head, user) && strings.HasPrefix(head[len(user):], "@")
		}
		if !isZone(one) && (one == "" || one[0] != '[' || digits(one[1:]) == 0) {
			return "", false
		}
	}
	return "", false
}

// postgresLevel parts a line around the one level in it; without one, or with more, the level is empty.
func postgresLevel(s string) (head, level, said string) {
	for at := 0; ; {
		i := strings.Index(s[at:], ":  ")
		if i < 0 {
			return head, level, said
		}
		at += i
		word := s[:at]
		for j := at; j > 0 && s[j-1]-'A' <= 'Z'-'A'; j-- {
			word = s[j-1 : at]
		}
		switch word {
		case "FATAL", "LOG", "ERROR", "WARNING", "DETAIL", "HINT", "STATEMENT", "PANIC", "NOTICE", "CONTEXT", "INFO":
			if level != "" {
				return "", "", ""
			}
			head, level, said = s[:at-len(word)], word, s[at+len(":  "):]
		}
		at++
	}
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
		if a, ok := addressPort(host); ok { // the port since 3.4
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
