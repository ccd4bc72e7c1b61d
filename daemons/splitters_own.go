package daemons

import "strings"

// Daemons that write names as they come, line ends included (ejabberd 23.01, xrdp 0.9.21, Monit 5.33 and Murmur 1.3.4, seen).

// splitEjabberd: "2026-11-22 14:03:07.123456+00:00 [warning] (tls|<0.685.0>) TEXT", "… [info] <0.257.0>@MODULE:FUNCTION:LINE TEXT".
func splitEjabberd(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = cut(s, isoStamp(s)); !ok || !strings.HasPrefix(text, "[") {
		return "", "", "", false
	}
	level, rest, _ := strings.Cut(text[1:], "] ")
	switch level {
	case "debug", "info", "notice", "warning", "error", "critical":
	default:
		return "", "", "", false
	}
	first, _ := word(rest)
	return stamp, "", text, strings.HasPrefix(first, "<0.") || strings.HasPrefix(first, "(") && strings.Contains(first, "<0.")
}

// splitXRDP: "[20261122-14:03:07] [INFO ] TEXT" (common/log.c).
func splitXRDP(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = inBrackets(s, func(s string) int { return shape(s, "00000000-00:00:00") }); !ok {
		return
	}
	text = trim(text)
	for _, level := range [...]string{"[CORE ] ", "[ERROR] ", "[WARN ] ", "[INFO ] ", "[DEBUG] ", "[TRACE] "} {
		if strings.HasPrefix(text, level) {
			return stamp, "", text, true
		}
	}
	return stamp, "", text, false
}

// splitMonit: "[2026-11-22T14:03:07+0000] error    : TEXT", before 5.26 "[UTC Nov 22 14:03:07] …" (src/log.c).
func splitMonit(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = inBrackets(s, isoStamp); !ok {
		zone, rest := word(s)
		if zone == "" || zone[0] != '[' || len(zone) > len("[+0000") {
			return "", "", "", false
		}
		n := monthStamp(rest)
		if n == 0 || n+1 >= len(rest) || rest[n] != ']' {
			return "", "", "", false
		}
		stamp, text = rest[:n], rest[n+1:]
	}
	text = trim(text)
	level, rest := word(text)
	switch level {
	case "emergency:", "emergency", "alert", "critical", "error", "warning", "notice", "info", "debug":
		return stamp, "", text, strings.HasSuffix(level, ":") || strings.HasPrefix(strings.TrimLeft(rest, " "), ": ")
	}
	return stamp, "", text, false
}

// splitMurmur: "<W>2026-11-22 14:03:07.123 1 => <4:NAME(-1)> TEXT" (Meta.cpp, ServerUser.cpp), of the server with that number.
func splitMurmur(s string) (stamp, program, text string, ok bool) {
	if n := shape(s, "<a>"); n > 0 {
		s = s[n:]
		stamp, text, ok = cut(s, isoStamp(s))
	}
	return stamp, "", text, ok
}

// splitFreeSWITCH: "2026-11-22 14:03:07.123456 [WARNING] sofia_reg.c:1792 TEXT", since 1.10.8 with the idle time, "98.53%", behind the time, and with the call's
// number in front where there is one (switch_log.c).
func splitFreeSWITCH(s string) (stamp, program, text string, ok bool) {
	if len(s) > 37 && s[8] == '-' && s[36] == ' ' {
		s = s[37:]
	}
	if stamp, text, ok = cut(s, isoStamp(s)); !ok {
		return
	}
	if idle, rest := word(text); strings.HasSuffix(idle, "%") {
		text = rest
	}
	level, rest := word(text)
	switch level {
	case "[CONSOLE]", "[ALERT]", "[CRIT]", "[ERR]", "[WARNING]", "[NOTICE]", "[INFO]", "[DEBUG]":
		file, _ := word(rest)
		name, line, found := strings.Cut(file, ":")
		return stamp, "", text, found && (strings.HasSuffix(name, ".c") || strings.HasSuffix(name, ".cpp")) && digits(line) > 0
	}
	return stamp, "", text, false
}
