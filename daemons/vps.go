package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// Daemons that stand open on many a rented server.
var (
	// Zabbix: comms.c, and the agent's serverlistener.go.
	wordsZabbix = wording{says(refused, "failed to accept an incoming connection: connection from \"%a\" rejected, allowed hosts: \"%*\"")}
	// radicale/auth/__init__.py, app/__init__.py: the name as Python writes it. Of a client behind a proxy the proxy's word is all there is, and it is
	// not taken.
	wordsRadicale = wording{
		says(failed, "Failed login attempt from %a: %*"),
		says(failed, "[%w %w %w] [%w] [%w] Failed login attempt from %a: %*"),
		says(failed, "[%w] [%w] Failed login attempt from %a: %*"),
	}
	// The module pike of Kamailio and OpenSIPS. What scripts write begins otherwise.
	wordsPike = wording{
		says(limited, "WARNING: pike [pike_funcs.c:%n]: pike_check_req(): PIKE - BLOCKing ip %a, node=%w"),
		says(limited, "ERROR: pike [pike_funcs.c:%n]: pike_check_req(): PIKE - BLOCKing ip %a, node=%w"),
		says(limited, "WARNING:pike:pike_check_req: PIKE - BLOCKing ip %a, node=%w"),
		says(limited, "WARNING:pike:mod_pike_check_req: PIKE - BLOCKing ip %a, node=%w"),
	}
)

// readMosquitto reads Mosquitto since 2.1, "Client ID [ADDR:PORT] disconnected: not authorised."; before it names no peer. A thing with an old password
// tries for ever, so that it counts as refused, not as one who guesses.
func readMosquitto(s string, e *connwarden.Event) bool {
	s, ok := strings.CutPrefix(s, "Client ")
	s, refusal := strings.CutSuffix(s, "] disconnected: not authorised.")
	name, host, found := lastCut(s, " [")
	a, good := addressWithPort(host)
	return ok && refusal && found && good && sayOf(e, refused, a, name, "")
}

// splitJoomla: "2026-11-22T14:03:07+00:00\tINFO ADDR\tCATEGORY\tTEXT" (FormattedtextLogger.php, "{DATETIME}\t{PRIORITY} {CLIENTIP}\t{CATEGORY}\t{MESSAGE}").
func splitJoomla(s string) (stamp, program, text string, ok bool) {
	n := isoStamp(s)
	if n == 0 || n >= len(s) || s[n] != '\t' {
		return "", "", "", false
	}
	text = s[n+1:]
	head, _, ok := strings.Cut(text, "\t")
	level, host := word(head)
	switch level {
	case "EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG":
		return s[:n], "", text, ok && (host == "-" || isAddress(host))
	}
	return "", "", "", false
}

// splitRsync: "2026/11/22 14:03:07 [4242] TEXT" (log.c, logit).
func splitRsync(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = cut(s, shape(s, "0000/00/00 00:00:00")); !ok || text == "" || text[0] != '[' {
		return "", "", "", false
	}
	n := digits(text[1:])
	text, ok = strings.CutPrefix(text[1+n:], "] ")
	return stamp, "", text, ok && n > 0
}

// splitZabbix: "  1234:20261122:140307.123 TEXT" (log.c), the second agent's "2026/11/22 14:03:07.123456 TEXT".
func splitZabbix(s string) (stamp, program, text string, ok bool) {
	if n := shape(s, "0000/00/00 00:00:00.000000"); n > 0 {
		stamp, text, ok = cut(s, n)
		return stamp, "", text, ok
	}
	stamp, text, ok = behindNumber(strings.TrimLeft(s, " "), 10, ':', "00000000:000000.000")
	return stamp, "", text, ok
}

// splitMosquitto: "1795354987: TEXT", or a time of ISO 8601 in place of the seconds (log_timestamp_format).
func splitMosquitto(s string) (stamp, program, text string, ok bool) {
	n := isoStamp(s)
	if n == 0 {
		n = shape(s, "0000000000")
	}
	if n == 0 {
		return "", "", "", false
	}
	text, ok = strings.CutPrefix(s[n:], ": ")
	return s[:n], "", text, ok
}

// split3proxy: "1795356187.123 PROXY.3128 00004 NAME ADDR:PORT …" (its example's logformat). Whether blanks of names are replaced is up to that.
func split3proxy(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = cut(s, shape(s, "0000000000.000")); !ok {
		return
	}
	name, rest := word(text)
	name, port, ok := strings.Cut(name, ".")
	return stamp, "", text, ok && name != "" && name[0]-'A' <= 'Z'-'A' && digits(port) == len(port) && port != "" && shape(rest, "00000 ") > 0
}

// splitSamba: "  Auth: [SMB2,(null)] user […] at [Sun, 22 Nov 2026 14:03:07.123456 UTC] with …", and the same in JSON: `  {"timestamp":
// "2026-11-22T14:03:07.123456+0000", "type": "Authentication", …}`. The line before has the time again, and the place in the source.
// At a log level of 2 or more other messages hold names as they come.
func splitSamba(s string) (stamp, program, text string, ok bool) {
	s = strings.TrimLeft(s, " ")
	if rest, ok := strings.CutPrefix(s, `{"timestamp": "`); ok {
		n := isoStamp(rest)
		return rest[:n], "", s, n > 0 && strings.Contains(rest, `", "type": "Authentication", `)
	}
	if !strings.HasPrefix(s, "Auth: [") {
		return "", "", "", false
	}
	_, rest, ok := strings.Cut(s, " at [")
	n := shape(rest, "aaa, 00 aaa 0000 00:00:00")
	return rest[:n], "", s, ok && n > 0
}

// readSamba reads the audit of logins of smbd, and whom its list of hosts shuts out (lib/access.c): "Denied connection from NAME (ADDR)".
func readSamba(s string, e *connwarden.Event) bool {
	if s[0] == '{' {
		if what, _ := member(s, "type"); what != "Authentication" {
			return false
		}
		inner, _ := member(s, "Authentication")
		status, _ := member(inner, "status")
		host, _ := member(inner, "remoteAddress")
		user, _ := member(inner, "clientAccount")
		return sambaSays(status, host, user, e)
	}
	if rest, ok := strings.CutPrefix(s, "Denied connection from "); ok {
		_, host := word(rest)
		host, ok = strings.CutSuffix(strings.TrimPrefix(host, "("), ")")
		return ok && isAddress(host) && say(e, refused, host, "")
	}
	// "Auth: [%s,%s] user [%s]\\[%s] at [%s] with [%s] status [%s] workstation [%s] remote host [%s] …" (auth_log.c): names have their odd bytes
	// escaped, but not their brackets, so that one which says as much again is not read.
	if !strings.HasPrefix(s, "Auth: [") || strings.Count(s, "] remote host [") != 1 || strings.Count(s, "] status [") != 1 {
		return false
	}
	status, _ := between(s, "] status [", "]")
	host, _ := between(s, "] remote host [", "]")
	_, user, _ := strings.Cut(s, "]\\[")
	user, _, _ = strings.Cut(user, "] at [")
	return sambaSays(status, host, user, e)
}

func sambaSays(status, host, user string, e *connwarden.Event) bool {
	kind := failed
	switch status {
	case "NT_STATUS_OK":
		kind = passed
	case "NT_STATUS_WRONG_PASSWORD", "NT_STATUS_NO_SUCH_USER", "NT_STATUS_LOGON_FAILURE", "NT_STATUS_ACCOUNT_DISABLED", "NT_STATUS_ACCOUNT_LOCKED_OUT":
	default:
		return false
	}
	for _, family := range [...]string{"ipv4:", "ipv6:"} {
		if peer, ok := strings.CutPrefix(host, family); ok {
			a, ok := addressWithPort(peer)
			return ok && sayOf(e, kind, a, user, "")
		}
	}
	return false
}
