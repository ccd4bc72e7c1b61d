package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// More of what people host themselves: panels, file and mail servers, and applications that let the line ends of names through. Of these
// only their own files are read ("odoo.log" is nobody's tag): behind a tag of syslog or the journal, a line of a client's would be worth as
// much as theirs.

var (
	// bin/v-check-user-password of VestaCP and HestiaCP: DATE TIME NAME ADDR …; the name is checked before.
	wordsHestia = wording{
		says(failed, "%u %a failed to login"),
		says(passed, "%u %a successfully logged in"),
	}
	// internal/home/authhttp.go of AdGuard Home: neither the host nor the address asked for can hold a blank.
	wordsAdGuard = wording{
		says(failed, "[error] POST %w %w from ip %a: invalid username or password"),
		says(limited, "[error] POST %w %w from ip %a: auth: blocked for %*"),
	}
	// odoo/addons/base/models/res_users.py
	wordsOdoo = wording{
		says(failed, "Login failed for db:%w login:%u from %a"),
		says(passed, "Login successful for db:%w login:%u from %a"),
	}
	// app/controllers/account_controller.rb of Redmine, and of OpenProject with the reason.
	wordsRedmine = wording{
		says(failed, "Failed login for '%u' from %a at %w %w UTC"),
		says(failed, "Failed login for '%u' from %a at %w %w UTC: %*"),
		says(passed, "Successful authentication for '%u' from %a at %w %w UTC"),
	}
	// interface/web/login/index.php and interface/lib/classes/remoting.inc.php of ISPConfig
	wordsISPConfig = wording{
		says(failed, "Failed login for user '%u' from %a at %w %w"),
		says(failed, "Failed login for user '%u' from %a at %w %w (api)"),
		says(passed, "Successful login for user '%u' from %a at %w %w with session ID %w"),
	}
)

// readAdGuard reads AdGuard Home, whose lines keep their time when standard error goes to the journal.
func readAdGuard(s string, e *connwarden.Event) bool {
	if _, _, text, ok := splitAdGuard(s); ok {
		s = text
	}
	return wordsAdGuard.read(s, e)
}

// readEmby reads Emby (its documentation, "Server Logs"): "Error AUTH-ERROR: ADDR - MESSAGE", since 4.0 with the part of the server that speaks,
// "Warn Server: AUTH-ERROR: …". What else it writes of names is not public: they are taken for raw.
func readEmby(s string, e *connwarden.Event) bool {
	_, s = word(trim(s[isoStamp(s):]))
	if part, rest := word(s); part != "AUTH-ERROR:" && strings.HasSuffix(part, ":") {
		s = rest
	}
	s, ok := strings.CutPrefix(s, "AUTH-ERROR: ")
	host, _, found := strings.Cut(s, " - ")
	a, good := addressPort(host)
	return ok && found && good && sayOf(e, failed, a, "", "")
}

// readSFTPGo reads the log of SFTPGo (its documentation, "Logs"). A connection that ended before a login was tried is no failure.
func readSFTPGo(s string, e *connwarden.Event) bool {
	if sender, _ := member(s, "sender"); sender != "connection_failed" {
		return false
	}
	kind := failed
	user, _ := member(s, "username")
	if how, _ := member(s, "login_type"); user == "" || strings.HasPrefix(how, "no_auth_") {
		kind = closed
	}
	host, ok := member(s, "client_ip")
	a, good := address(host)
	return ok && good && sayOf(e, kind, a, user, "")
}

// readStalwart reads the text log of Stalwart (crates/trc/src/serializers/text.rs; its reference, "Events"): "INFO Authentication failed
// (auth.failed) listenerId = "imaps", …, remoteIp = ADDR, …", with what a client chose in quotes and escaped.
func readStalwart(s string, e *connwarden.Event) bool {
	s = trim(s[isoStamp(s):])
	event, rest := stalwartEvent(s)
	var kind connwarden.EventKind
	switch event {
	case "auth.failed":
		kind = failed
	case "auth.success":
		kind = passed
	case "auth.too-many-attempts", "security.authentication-ban", "security.abuse-ban", "security.scan-ban", "security.loiter-ban":
		kind = limited
	default:
		return false
	}
	host, ok := stalwartValue(rest, "remoteIp")
	user, _ := stalwartValue(rest, "accountName")
	a, good := address(host)
	return ok && good && sayOf(e, kind, a, user, "")
}

// stalwartEvent is the event's name, "auth.failed", and what follows it; both are empty when there is none.
func stalwartEvent(s string) (event, rest string) {
	level, s := word(s)
	switch level {
	case "ERROR", "WARN", "INFO", "DEBUG", "TRACE":
	default:
		return "", ""
	}
	name, s, _ := strings.Cut(s, " (")
	event, rest, ok := strings.Cut(s, ")")
	if !ok || name == "" || name[0]-'A' > 'Z'-'A' || strings.IndexByte(event, '.') < 0 {
		return "", ""
	}
	for i := 0; i < len(event); i++ {
		if c := event[i]; c != '.' && c != '-' && (c < 'a' || c > 'z') {
			return "", ""
		}
	}
	return event, rest
}

// stalwartValue is the value of the first key of that name outside quotes, of one in quotes what stands within, as written.
func stalwartValue(s, key string) (value string, ok bool) {
	for {
		i := strings.IndexAny(s, "\"=")
		if i < 0 {
			return "", false
		}
		if s[i] == '"' {
			if _, s, ok = inQuotes(s[i:]); !ok {
				return "", false
			}
			continue
		}
		name := trim(s[:i])
		s = trim(s[i+1:])
		if head, found := strings.CutSuffix(name, key); !found || head != "" && head[len(head)-1] != ' ' {
			continue
		}
		if value, _, ok = inQuotes(s); ok {
			return value, true
		}
		value, _ = word(s)
		return strings.TrimSuffix(value, ","), true
	}
}
