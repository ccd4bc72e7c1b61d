package logs

import "bytes"

// First looks at lines, which tell for next to nothing that a line is not of a format.

// hasBracketedTime tells whether "[17/May/" or the like stands in the line, as in the common log format and its kin.
func hasBracketedTime(line []byte) bool {
	for {
		n := bytes.IndexByte(line, '[')
		if n < 0 || n+8 > len(line) {
			return false
		}
		if line = line[n+1:]; line[2] == '/' && (line[6] == '/' || line[5] == '/') {
			return true
		}
	}
}

// bracketedDate tells of a line that opens a bracket whether a date and a quote follow, as Envoy writes them.
func bracketedDate(line []byte) bool {
	return len(line) > 30 && line[5] == '-' && line[8] == '-' && bytes.IndexByte(line[:min(len(line), 48)], '"') > 0
}

func hasT(line []byte) bool { return len(line) > 10 && line[10] == 'T' }

// hasTQuote looks for the request that ELB writes in quotes, too.
func hasTQuote(line []byte) bool { return hasT(line) && bytes.IndexByte(line, '"') > 0 }

func hasTab(line []byte) bool { return bytes.IndexByte(line[:min(len(line), 64)], '\t') >= 0 }

// unbracketed tells of a line that begins with a date whether a time as Exim and OpenVPN write it follows, and behind it no bracket, or one
// with a number.
func unbracketed(line []byte) bool {
	if line[10] != ' ' || len(line) < 20 || line[19] != ' ' && line[19] != '.' {
		return false
	}
	n := bytes.IndexByte(line[19:], ' ')
	if n < 0 || 19+n+2 >= len(line) {
		return false
	}
	rest := line[19+n+1:]
	return rest[0] != '[' || isDigit(rest[1])
}

// couldBeIIS tells of a line that begins with a date whether the time's fields and then an address, or the name of a site, follow.
func couldBeIIS(line []byte) bool {
	if len(line) < 40 || line[10] != ' ' || line[19] != ' ' {
		return false
	}
	c := line[20]
	return (isDigit(c) || hexDigit(c) >= 0 || c == ':' || c == 'W') && bytes.Count(line, []byte(" ")) >= 7
}

// couldBeWindowsSSHD tells whether a date follows a number of seven digits at most.
func couldBeWindowsSSHD(line []byte) bool {
	n := bytes.IndexByte(line[:min(len(line), 8)], ' ')
	return n > 0 && len(line) > n+25 && line[n+5] == '-' && line[n+8] == '-' && line[n+20] == '.'
}

// couldBeSquid tells whether a line begins with seconds and a fraction.
func couldBeSquid(line []byte) bool { return len(line) > 16 && line[10] == '.' && isDigit(line[9]) }

// couldBeALB tells whether a line begins with a kind of connection.
func couldBeALB(line []byte) bool {
	switch first, _ := word(line[:min(len(line), 8)]); string(first) {
	case "http", "https", "h2", "ws", "wss", "grpcs":
		return true
	}
	return false
}

func couldBeNLB(line []byte) bool   { return starts(line, "tls ") }
func couldBeUWSGI(line []byte) bool { return starts(line, "[pid: ") }
func couldBeRails(line []byte) bool {
	return starts(line, "Started ") || len(line) > 4 && line[1] == ',' && line[3] == '['
}

// couldBePHPServer tells of a line that opens a bracket whether the name of a day stands in it, and a peer's digit or bracket behind it.
func couldBePHPServer(line []byte) bool {
	return len(line) > 30 && line[4] == ' ' && line[25] == ']' && (isDigit(line[27]) || line[27] == '[')
}

// couldBeTornado tells of a line that opens a bracket whether the letter of a level follows, "[I ".
func couldBeTornado(line []byte) bool { return len(line) > 3 && line[2] == ' ' && line[1] >= 'A' }

// couldBeDjango tells of a line that opens a bracket whether a day and a request behind it follow: "[22/Nov/2026 14:03:07] \"".
func couldBeDjango(line []byte) bool { return len(line) > 24 && line[3] == '/' && line[23] == '"' }

func couldBeMacaron(line []byte) bool { return starts(line, "[Macaron] ") }
func hasSanic(line []byte) bool {
	return bytes.Contains(line[:min(len(line), 64)], []byte("(sanic.access)["))
}

// hasRouter, hasDashQuote, endsInMS, hasComma, hasBar and hasDashed look for what lines of Gitea, Uvicorn, Tornado, IIS, Fiber and morgan cannot
// be without.
func hasRouter(line []byte) bool {
	return bytes.Contains(line[:min(len(line), 128)], []byte("] router: "))
}
func hasDashQuote(line []byte) bool {
	return bytes.Contains(line[:min(len(line), 128)], []byte(` - "`))
}
func endsInMS(line []byte) bool { return bytes.HasSuffix(line, []byte("ms")) }
func hasComma(line []byte) bool {
	return bytes.Contains(line[:min(len(line), 48)], []byte(", "))
}
func hasBar(line []byte) bool { return len(line) > 20 && line[8] == ' ' && line[9] == '|' }
func hasDashed(line []byte) bool {
	return bytes.HasSuffix(line, []byte(" ms")) || bytes.Contains(line[max(0, len(line)-24):], []byte(" ms - "))
}

// hasBracket, hasProftpd, hasLevel and hasClient look for what lines of MySQL, ProFTPD, PostgreSQL and BIND cannot be without.
func hasBracket(line []byte) bool { return bytes.IndexByte(line[:min(len(line), 72)], '[') > 0 }
func hasProftpd(line []byte) bool {
	n := bytes.IndexByte(line[:min(len(line), 160)], '[')
	return n > 0 && bytes.HasSuffix(line[:n], []byte("proftpd"))
}
func hasLevel(line []byte) bool { return bytes.Contains(line[:min(len(line), 256)], []byte(":  ")) }
func hasClient(line []byte) bool {
	return bytes.Contains(line[:min(len(line), 64)], []byte("client @0x"))
}

// couldBeJellyfin and couldBeVaultwarden tell of a line that opens a bracket whether "[2026-11-22 14:03:07.123 +00:00] [" or
// "[2026-11-22 14:03:07.123][v" could stand there.
func couldBeJellyfin(line []byte) bool { return len(line) > 40 && line[31] == ']' && line[33] == '[' }
func couldBeVaultwarden(line []byte) bool {
	return len(line) > 40 && line[25] == '[' && line[26] == 'v'
}

// hasLevelWord and hasProcess tell of a line that begins with a date whether its milliseconds are followed by a word in capitals, as
// Keycloak, Home Assistant and Emby have it, or by a number, as Odoo has it.
func hasLevelWord(line []byte) bool {
	return len(line) > 40 && line[23] == ' ' && line[24] >= 'A' && line[24] <= 'Z'
}
func hasProcess(line []byte) bool {
	return len(line) > 40 && line[19] == ',' && line[23] == ' ' && isDigit(line[24])
}

// couldBeStalwart tells of a line that begins with a date whether seconds in UTC and a word in capitals follow.
func couldBeStalwart(line []byte) bool {
	return len(line) > 40 && line[19] == 'Z' && line[20] == ' ' && line[21] >= 'A' && line[21] <= 'Z'
}

// hasSecurity looks for the category that lines of Zimbra's audit.log have, hasRow for the comma behind the zone of PostgreSQL's rows.
func hasSecurity(line []byte) bool {
	return hasLevelWord(line) && bytes.Contains(line, []byte("] security - "))
}
func hasRow(line []byte) bool {
	return len(line) > 40 && line[19] == '.' && line[23] == ' ' && bytes.IndexByte(line[24:32], ',') > 0
}

// hasZoneTab looks for the tab behind the zone of Joomla's time.
func hasZoneTab(line []byte) bool {
	return len(line) > 40 && (line[25] == '\t' || line[20] == '\t' && line[19] == 'Z')
}

// couldBeRsync, couldBeMosquitto and couldBeZabbix look for the process behind rsync's time, for the colon behind Mosquitto's seconds, and for the
// two around Zabbix's day.
func couldBeRsync(line []byte) bool {
	return len(line) > 24 && line[20] == '[' && isDigit(line[21])
}
func couldBeMosquitto(line []byte) bool { return len(line) > 12 && line[10] == ':' && line[11] == ' ' }
func couldBe3proxy(line []byte) bool {
	return couldBeSquid(line) && line[14] == ' ' && line[15] >= 'A' && line[15] <= 'Z'
}
func couldBeZabbix(line []byte) bool { // of a process of six digits or seven: in front of less there are blanks
	return len(line) > 28 && (line[6] == ':' && line[15] == ':' || line[7] == ':' && line[16] == ':')
}

// endsInLogin looks for how HestiaCP's lines end.
func endsInLogin(line []byte) bool {
	return bytes.HasSuffix(line, []byte(" to login")) || bytes.HasSuffix(line, []byte(" logged in"))
}

// hasTopics tells of a line of syslog whether a comma stands where RouterOS has its topics.
func hasTopics(line []byte) bool {
	return len(line) > 40 && line[10] != ' ' && bytes.IndexByte(line[16:min(len(line), 128)], ',') > 0
}

func hasMicros(line []byte) bool    { return len(line) > 40 && line[19] == '.' }
func hasTimeQuote(line []byte) bool { return starts(line, `time="`) }

// saysLogin tells whether a line begins as Redmine's and ISPConfig's do.
func saysLogin(line []byte) bool {
	return starts(line, "Failed login for ") || starts(line, "Successful ")
}

// coloured tells whether a line begins as on a terminal.
func coloured(line []byte) bool { return starts(line, "\x1b[") }

// secondBracket tells of a line that begins with one in brackets what stands before and behind the next bracket; zeros when there is none.
func secondBracket(line []byte) (before, behind byte) {
	const stamp = len("[Nov 22 14:03:07")
	if len(line) < stamp {
		return 0, 0
	}
	n := stamp + bytes.IndexByte(line[stamp:min(len(line), 96)], '[')
	if n < stamp || n+1 >= len(line) {
		return 0, 0
	}
	return line[n-1], line[n+1]
}

// What the panels write into theirs: "[cpaneld]", "[whostmgrd]", "[panel]", "[extension/…]", "[util_exec]"; and Asterisk's "NOTICE[123]".
func couldBeCPanel(line []byte) bool {
	_, c := secondBracket(line)
	return c == 'c' || c == 'w'
}

func couldBePlesk(line []byte) bool {
	_, c := secondBracket(line)
	return c == 'p' || c == 'e' || c == 'u'
}

func couldBeAsterisk(line []byte) bool {
	c, _ := secondBracket(line)
	return c >= 'A' && c <= 'Z'
}

// hasPairs tells whether a line begins with KEY=VALUE.
func hasPairs(line []byte) bool {
	for _, c := range line[:min(len(line), 32)] {
		switch {
		case c == '=':
			return true
		case c == ' ':
			return false
		}
	}
	return false
}
