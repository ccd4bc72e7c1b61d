package daemons

import "strings"

// splitExim: "2026-11-22 14:03:07 TEXT", with milliseconds, a zone and a process id if log_selector says so. The text must be Exim's.
func splitExim(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = cut(s, isoStamp(s)); !ok {
		return
	}
	said := eximHead(text)
	if said != text {
		return stamp, "", text, true
	}
	name, _ := word(said)
	for _, head := range [...]string{"H=", "no MAIL in ", "SMTP ", "TLS error on ", "rejected ", "refused connection ", "Connection from ", "unexpected ", "unqualified ", "temporarily ",
		"Start queue run: ", "End queue run: ", "exim ", "no host name found ", "no IP address found ", "ident connection ", "Warning: ", "SIGHUP", "pid "} {
		if strings.HasPrefix(said, head) {
			return stamp, "", text, true
		}
	}
	return stamp, "", text, strings.HasPrefix(said[len(name):], " authenticator failed for ")
}

// splitWindowsSSHD: "4242 2026-11-22 14:03:07.123 TEXT", OpenSSH's own file on Windows (log.c of Win32-OpenSSH).
func splitWindowsSSHD(s string) (stamp, program, text string, ok bool) {
	stamp, text, ok = behindNumber(s, 7, ' ', "0000-00-00 00:00:00.000")
	return stamp, "", text, ok
}

// behindNumber splits a line that begins with a number of so many digits at most, a separator and a stamp of a shape.
func behindNumber(s string, most int, separator byte, form string) (stamp, text string, ok bool) {
	n := digits(s)
	if n == 0 || n > most || n == len(s) || s[n] != separator {
		return "", "", false
	}
	s = s[n+1:]
	return cut(s, shape(s, form))
}

// splitProftpd: "2026-11-22 14:03:07,123 HOST proftpd[123] SERVER (NAME[ADDR]): TEXT".
func splitProftpd(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = cut(s, isoStamp(s)); !ok {
		return
	}
	_, rest := word(text)
	if rest, ok = strings.CutPrefix(rest, "proftpd["); !ok {
		return
	}
	text, ok = strings.CutPrefix(rest[digits(rest):], "] ") // with a colon it is syslog's
	return stamp, "", text, ok
}

// splitVsftpd: "Sun Nov 22 14:03:07 2026 [pid 123] TEXT".
func splitVsftpd(s string) (stamp, program, text string, ok bool) {
	stamp, text, ok = cut(s, shape(s, "aaa aaa _0 00:00:00 0000"))
	return stamp, "", text, ok
}

// splitCPanel: "[2026-11-22 14:03:07 +0000] info [cpaneld] TEXT".
func splitCPanel(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = inBrackets(s, isoStamp); !ok {
		return
	}
	text = trim(text)
	for _, level := range [...]string{"info ", "warn ", "error "} {
		if rest, ok := strings.CutPrefix(text, level); ok {
			return stamp, "", rest, true
		}
	}
	return stamp, "", text, false
}

// splitOldCPanel: `ADDR - NAME [11/22/2026:14:03:07 -0000] "POST /login/ HTTP/1.1" FAILED LOGIN cpaneld: TEXT`, before 11.50. What the peer
// asked for cannot hold a quote.
func splitOldCPanel(s string) (stamp, program, text string, ok bool) {
	_, said, ok := lastCut(s, "\" ")
	if !ok || !strings.HasPrefix(said, "FAILED LOGIN ") && !strings.HasPrefix(said, "SUCCESS") && !strings.HasPrefix(said, "DEFERRED LOGIN ") {
		return "", "", "", false
	}
	_, stamp, ok = strings.Cut(s, " [")
	n := shape(stamp, "00/00/0000:00:00:00 -0000") + shape(stamp, "00/00/0000:00:00:00 +0000")
	if !ok || n == 0 || n >= len(stamp) {
		return "", "", "", false
	}
	return stamp[:n], "", s, true
}

// splitPlesk: "[2026-11-22 14:03:07.123] 1234:5f ERR [panel] TEXT", without the id in older versions.
func splitPlesk(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = inBrackets(s, isoStamp); !ok {
		return
	}
	rest := trim(text)
	for range 2 {
		var first string
		first, text = word(rest)
		switch first {
		case "ERR", "WARN", "INFO", "NOTICE", "DEBUG", "CRIT":
			return stamp, "", text, true
		}
		rest = text
	}
	return stamp, "", "", false
}

// splitRoundcube: "[22-Nov-2026 14:03:07 +0000]: TEXT".
func splitRoundcube(s string) (stamp, program, text string, ok bool) {
	stamp, text, ok = inBrackets(s, func(s string) int {
		n := shape(s, "00-aaa-0000 00:00:00 +0000")
		if n == 0 {
			n = shape(s, "00-aaa-0000 00:00:00 -0000")
		}
		if n == 0 {
			n = shape(s, "00-aaa-0000 00:00:00")
		}
		return n
	})
	if ok {
		text, ok = strings.CutPrefix(text, ": ")
	}
	return stamp, "", text, ok
}

// splitPHPMyAdmin: "Nov 22 14:03:07 phpmyadmin: TEXT" (Logging.php, logUser).
func splitPHPMyAdmin(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = cut(s, monthStamp(s)); ok {
		text, ok = strings.CutPrefix(text, "phpmyadmin: ")
	}
	return stamp, "", text, ok
}

// splitDovecot: "Nov 22 14:03:07 imap-login: Info: TEXT" (failures.c; log_timestamp), before 2.0 "dovecot: Nov 22 14:03:07 Info: imap-login: TEXT".
func splitDovecot(s string) (stamp, program, text string, ok bool) {
	s = strings.TrimPrefix(s, "dovecot: ")
	n := monthStamp(s)
	if n == 0 {
		n = isoStamp(s)
	}
	if stamp, text, ok = cut(s, n); !ok {
		return
	}
	for _, level := range [...]string{"Info: ", "Warning: ", "Error: "} {
		text = strings.TrimPrefix(text, level)
	}
	return stamp, "", text, strings.Contains(text, ": ")
}

// splitMySQL: "2026-11-22T14:03:07.123456Z 12 [Note] TEXT", MariaDB's "2026-11-22 14:03:07 12 [Warning] TEXT", and "261122 14:03:07 [Warning] TEXT".
func splitMySQL(s string) (stamp, program, text string, ok bool) {
	n := isoStamp(s)
	if n == 0 {
		n = shape(s, "000000 _0:00:00")
	}
	if stamp, text, ok = cut(s, n); !ok {
		return
	}
	if n := digits(text); n > 0 && n < len(text) {
		text = strings.TrimLeft(text[n:], " ")
	}
	return stamp, "", text, strings.HasPrefix(text, "[")
}

// splitPostgres: "2026-11-22 14:03:07.123 UTC [123] … FATAL:  TEXT". All that stands between time and level is log_line_prefix.
func splitPostgres(s string) (stamp, program, text string, ok bool) {
	n := isoStamp(s)
	if n == 0 || n >= len(s) || s[n] != ' ' && s[n] != ':' {
		return "", "", "", false
	}
	text = s[n+1:]
	for _, level := range [...]string{"FATAL:  ", "LOG:  ", "ERROR:  ", "WARNING:  ", "DETAIL:  ", "HINT:  ", "STATEMENT:  ", "PANIC:  ", "NOTICE:  "} {
		if i := strings.Index(text, level); i >= 0 && i < 256 {
			return s[:n], "", text, true
		}
	}
	return s[:n], "", text, false
}

// splitMongo: {"t":{"$date":"2026-11-22T14:03:07.123+00:00"},"s":"I",…}, before 4.4 "2026-11-22T14:03:07.123+0000 I ACCESS   [conn1] TEXT".
func splitMongo(s string) (stamp, program, text string, ok bool) {
	const head = `{"t":{"$date":"`
	if rest, ok := strings.CutPrefix(s, head); ok {
		n := isoStamp(rest)
		return rest[:n], "", s, n > 0 && strings.Contains(rest, `"ctx":"`)
	}
	if stamp, text, ok = cut(s, isoStamp(s)); !ok || len(text) < 12 || text[1] != ' ' || strings.IndexByte("FEWID", text[0]) < 0 {
		return "", "", "", false
	}
	i := strings.Index(text, "[")
	if i < 0 || i > 16 {
		return "", "", "", false
	}
	_, text, ok = strings.Cut(text[i:], "] ")
	return stamp, "", text, ok
}

// splitNextcloud: {"reqId":"…","level":2,"time":"2026-11-22T14:03:07+00:00","remoteAddr":"ADDR",…}.
func splitNextcloud(s string) (stamp, program, text string, ok bool) {
	if !strings.HasPrefix(s, `{"reqId":"`) && !strings.HasPrefix(s, `{"app":"`) {
		return "", "", "", false
	}
	rest, ok := after(s, `"time":"`)
	n := isoStamp(rest)
	return rest[:n], "", s, ok && n > 0
}

// splitGitLab: {"severity":"INFO","time":"2026-11-22T14:03:07.123Z",…} (application_json.log).
func splitGitLab(s string) (stamp, program, text string, ok bool) {
	if !strings.HasPrefix(s, `{"severity":"`) {
		return "", "", "", false
	}
	rest, ok := after(s, `"time":"`)
	n := isoStamp(rest)
	return rest[:n], "", s, ok && n > 0
}

// splitIMS: <co ts="2026-11-22T14:03:07.12+03" …/>.
func splitIMS(s string) (stamp, program, text string, ok bool) {
	rest, ok := strings.CutPrefix(s, `<co ts="`)
	n := isoStamp(rest)
	return rest[:n], "", s, ok && n > 0
}

// splitTine20: "78017 00cff -- none -- - 2026-11-22T14:03:07+00:00 WARN (4): TEXT".
func splitTine20(s string) (stamp, program, text string, ok bool) {
	i := strings.Index(s, " - 20")
	if i < 0 || i > 80 {
		return "", "", "", false
	}
	s = s[i+len(" - "):]
	stamp, text, ok = cut(s, isoStamp(s))
	word, _ := word(text)
	return stamp, "", text, ok && isWord(word) && strings.HasPrefix(text[len(word):], " (")
}

// splitDomino: "[018D4:0006-0B78] 11/22/2026 02:03:07 PM  TEXT", on the console without the threads.
func splitDomino(s string) (stamp, program, text string, ok bool) {
	if threads, rest, found := strings.Cut(s, "] "); found && s[0] == '[' && len(threads) < 24 && strings.IndexByte(threads, ':') > 0 && strings.IndexByte(threads, '-') > 0 {
		s = rest
	}
	n := shape(s, "00/00/0000 00:00:00")
	if n > 0 && (strings.HasPrefix(s[n:], " AM ") || strings.HasPrefix(s[n:], " PM ")) {
		n += 3
	}
	stamp, text, ok = cut(s, n)
	return stamp, "", text, ok
}

// splitRedis: "123:M 22 Nov 2026 14:03:07.123 # TEXT" (server.c, serverLogRaw).
func splitRedis(s string) (stamp, program, text string, ok bool) {
	n := digits(s)
	if n == 0 || shape(s[n:], ":a ") == 0 {
		return "", "", "", false
	}
	s = s[n+3:]
	if n = shape(s, "00 aaa 0000 00:00:00.000"); n == 0 {
		n = shape(s, "00 aaa 00:00:00.000")
	}
	if stamp, text, ok = cut(s, n); !ok || len(text) < 3 || text[1] != ' ' || strings.IndexByte(".-*#", text[0]) < 0 {
		return "", "", "", false
	}
	return stamp, "", text[2:], true
}

// splitOpenVPN: "2026-11-22 14:03:07 ADDR:PORT TEXT", before 2.5 "Sun Nov 22 14:03:07 2026 ADDR:PORT TEXT". The text must be of one peer or
// one of the server's known ones.
func splitOpenVPN(s string) (stamp, program, text string, ok bool) {
	n := isoStamp(s)
	if n == 0 {
		n = shape(s, "aaa aaa _0 00:00:00 0000")
	}
	if stamp, text, ok = cut(s, n); !ok {
		return
	}
	if rest, ok := strings.CutPrefix(text, "us="); ok {
		text = strings.TrimLeft(rest[digits(rest):], " ")
	}
	for _, head := range [...]string{"TLS Error: ", "TLS: ", "MULTI: ", "OpenVPN ", "Initialization Sequence ", "TCP connection ", "PUSH: ", "SENT CONTROL ", "Listening for ", "UDPv", "TCPv", "Incoming Control ", "Outgoing Control "} {
		if strings.HasPrefix(text, head) {
			return stamp, "", text, true
		}
	}
	peer, _ := word(text)
	if i := strings.LastIndexByte(peer, '/'); i >= 0 {
		peer = peer[i+1:]
	}
	if _, ok := addressWithPort(peer); ok {
		return stamp, "", text, true
	}
	return stamp, "", text, false
}

// splitAsterisk: "[2026-11-22 14:03:07] NOTICE[123] TEXT" or "[Nov 22 14:03:07] …" (logger.conf, dateformat).
func splitAsterisk(s string) (stamp, program, text string, ok bool) {
	if stamp, text, ok = inBrackets(s, isoStamp); !ok {
		stamp, text, ok = inBrackets(s, monthStamp)
	}
	return stamp, "", trim(text), ok
}

// splitNamed: "22-Nov-2026 14:03:07.123 security: info: TEXT" (lib/isc/log.c).
func splitNamed(s string) (stamp, program, text string, ok bool) {
	if n := shape(s, "00-aaa-0000 00:00:00.000"); n > 0 {
		stamp, text, ok = cut(s, n)
		return stamp, "", text, ok
	}
	stamp, text, ok = cut(s, isoStamp(s))
	return stamp, "", text, ok && (strings.HasPrefix(text, "client @0x") || strings.Contains(text, ": info: client @0x"))
}

// splitXinetd: "26/11/22@14:03:07: FAIL: TEXT" (xlog, filelog.c).
func splitXinetd(s string) (stamp, program, text string, ok bool) {
	n := shape(s, "00/00/00@00:00:00: ")
	if n == 0 {
		if n = shape(s, "00/0/00@00:00:00: "); n == 0 {
			return "", "", "", false
		}
	}
	return s[:n-2], "", s[n:], true
}
