package daemons

import (
	"net/netip"
	"strings"

	"github.com/connwarden/connwarden"
)

// Databases that write a row or an object an entry: what a client chose stands in fields of its own, and no line end of a name's makes a line.

// splitPostgresJSON: {"timestamp":"2026-11-22 14:03:07.123 UTC",…,"error_severity":"FATAL",…} (jsonlog.c, since 15).
func splitPostgresJSON(s string) (stamp, program, text string, ok bool) {
	rest, ok := strings.CutPrefix(s, `{"timestamp":"`)
	n := isoStamp(rest)
	return rest[:n], "", s, ok && n > 0 && strings.Contains(rest, `,"session_id":"`) && strings.Contains(rest, `,"error_severity":"`)
}

// splitPostgresCSV: `2026-11-22 14:03:07.123 UTC,"NAME","DATABASE",4242,"ADDR:PORT",…` (csvlog.c). Names are in quotes, and quotes in a name are
// doubled: the rest of a name behind its line end has no field as this line must.
func splitPostgresCSV(s string) (stamp, program, text string, ok bool) {
	n := isoStamp(s)
	if n == 0 || n >= len(s) || s[n] != ' ' {
		return "", "", "", false
	}
	zone, text, ok := strings.Cut(s[n+1:], ",")
	if !ok || zone == "" || len(zone) > 6 || strings.IndexByte(zone, ' ') >= 0 {
		return "", "", "", false
	}
	_, ok = postgresRow(text)
	return s[:n], "", text, ok
}

// postgresFields are those of a row that are read, without their quotes.
type postgresFields struct{ user, host, level, state, message string }

// postgresRow reads a row behind its time: user, database, process, connection, session, number, command's tag, start, virtual and other
// transaction, level, state, message.
func postgresRow(s string) (f postgresFields, ok bool) {
	for i := range 13 {
		var field string
		quoted := s != "" && s[0] == '"'
		if quoted {
			if field, s, ok = csvQuoted(s); !ok {
				return f, false
			}
		} else {
			end := strings.IndexByte(s, ',')
			if end < 0 {
				return f, false
			}
			field, s = s[:end], s[end:]
			if strings.IndexByte(field, '"') >= 0 {
				return f, false
			}
		}
		switch i {
		case 0:
			f.user = field
		case 2, 5:
			if quoted || field == "" || digits(field) != len(field) {
				return f, false
			}
		case 3:
			f.host = field
		case 4:
			if quoted || strings.IndexByte(field, '.') <= 0 {
				return f, false
			}
		case 10:
			f.level = field
		case 11:
			if f.state = field; quoted || len(field) != 5 {
				return f, false
			}
		case 12:
			f.message = field
			return f, true
		}
		if s, ok = strings.CutPrefix(s, ","); !ok {
			return f, false
		}
	}
	return f, false
}

// csvQuoted cuts the field in quotes off that s begins with. One that goes on in the next line is all that is left.
func csvQuoted(s string) (field, rest string, ok bool) {
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			i++
			continue
		}
		return s[1:i], s[i+1:], i+1 == len(s) || s[i+1] == ','
	}
	return s[1:], "", false
}

func readPostgresCSV(s string, e *connwarden.Event) bool {
	f, ok := postgresRow(s)
	a, found := addressWithPort(f.host) // a socket of the machine's own is "[local]"
	return ok && found && readPostgresFields(&f, a, e)
}

func readPostgresJSON(s string, e *connwarden.Event) bool {
	var f postgresFields
	f.level, _ = member(s, "error_severity")
	f.host, _ = member(s, "remote_host")
	f.message, _ = member(s, "message")
	f.user, _ = member(s, "user")
	f.state, _ = member(s, "state_code")
	a, ok := address(f.host)
	return ok && readPostgresFields(&f, a, e)
}

// readPostgresFields knows a refusal by its state, 28000 or 28P01 (errcodes.txt, class 28), of which no client's word is part.
func readPostgresFields(f *postgresFields, client netip.Addr, e *connwarden.Event) bool {
	var kind connwarden.EventKind
	switch {
	case f.level == "LOG" && strings.HasPrefix(f.message, "connection received: host="):
		kind = opened
	case f.level == "LOG" && strings.HasPrefix(f.message, "connection authorized: user="):
		kind = passed
	case f.level != "FATAL":
		return false
	case f.state == "28P01":
		kind = failed
	case f.state != "28000":
		return false
	case strings.HasPrefix(f.message, "no pg_hba.conf entry for "), strings.HasPrefix(f.message, "pg_hba.conf rejects "):
		kind = refused
	case strings.HasPrefix(f.message, "role "), strings.Contains(f.message[:min(len(f.message), 64)], " authentication failed for user "):
		kind = failed
	default:
		return false
	}
	return sayOf(e, kind, client, f.user, "")
}

// splitMySQLJSON: {"prio":3,"err_code":10926,…,"msg":"TEXT","time":"2026-11-22T14:03:07.123456Z",…} (MySQL's reference, "Error Log Output
// Format", log_sink_json).
func splitMySQLJSON(s string) (stamp, program, text string, ok bool) {
	if s == "" || s[0] != '{' || !strings.Contains(s, `"err_symbol"`) || !strings.Contains(s, `"prio"`) {
		return "", "", "", false
	}
	stamp, _ = member(s, "time")
	return stamp, "", s, isoStamp(stamp) > 0
}

func readMySQLJSON(s string, e *connwarden.Event) bool {
	message, ok := member(s, "msg")
	return ok && readMySQL(message, e)
}
