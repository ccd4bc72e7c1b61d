package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// PHP's error_log (main/main.c, php_log_err_with_severity), WordPress's debug.log, which is the same, and PHP-FPM's
// own log (sapi/fpm/fpm/zlog.c):
//
//	[22-Nov-2026 14:03:07 Europe/Berlin] PHP Fatal error:  Uncaught Error: … in /x.php:3
//	Stack trace:
//	#0 {main}
//	  thrown in /x.php on line 3
//	[22-Nov-2026 14:03:07] WARNING: [pool www] server reached pm.max_children setting (5), consider raising it
//
// PHP names the zone and writes messages as they are, line ends and escape sequences included, so that a script's own
// error_log() may forge whole entries: its log is as credible as the account that owns the site. An entry lasts until
// the next line that begins with a time.
var (
	phpError = &Format{Name: "php_error", Kind: Error, Whole: true, fits: fitsPHP, line: phpLine, flush: phpFlush}
	phpFPM   = &Format{Name: "php_fpm", Kind: Error, Whole: true, fits: fitsFPM, line: phpLine, flush: phpFlush}
)

func fitsPHP(line []byte) bool {
	h, ok := readPHPHead(line)
	return ok && len(h.zone) > 0 && (len(h.rest) == 0 || h.rest[0] != ':') // Roundcube's goes on with a colon
}

func fitsFPM(line []byte) bool {
	h, ok := readPHPHead(line)
	return ok && len(h.zone) == 0 && fpmLevel(h.rest) != connwarden.LevelUnknown
}

// phpHead is what a line of either log begins with.
type phpHead struct {
	year, month, day, second int
	nsec                     int64
	zone                     []byte // nothing in PHP-FPM's own log
	rest                     []byte
}

// readPHPHead reads "[22-Nov-2026 14:03:07] ", with microseconds or without, with a zone or without.
func readPHPHead(b []byte) (h phpHead, ok bool) {
	if len(b) < 23 || b[0] != '[' || b[3] != '-' || b[7] != '-' || b[12] != ' ' || b[15] != ':' {
		return h, false
	}
	h.day, h.month = two(b[1:3]), month(b[4:7])
	if h.year, ok = digits(b[8:12]); !ok || h.month == 0 || h.day < 1 || h.day > daysIn(h.year, h.month) {
		return h, false
	}
	if h.second, ok = hms(b[13:21]); !ok {
		return h, false
	}
	b = b[21:]
	nsec, n := decimals(b)
	h.nsec, b = nsec, b[n:]
	end := bytes.IndexByte(b[:min(len(b), 48)], ']')
	if end < 0 || end > 0 && b[0] != ' ' {
		return h, false
	}
	if end > 1 {
		h.zone = b[1:end]
	}
	h.rest = skipBlank(b[end+1:])
	return h, true
}

// fpmLevel reads the level that PHP-FPM's message begins with.
func fpmLevel(b []byte) connwarden.Level {
	if n := bytes.Index(b[:min(len(b), 10)], []byte(": ")); n > 0 && b[0] >= 'A' && b[0] <= 'Z' {
		return level(b[:n])
	}
	return connwarden.LevelUnknown
}

// time returns the instant. A zone by name that Options.Zones does not find is read as the parser's own.
func (h *phpHead) time(p *Parser) time.Time {
	zone := p.opt.Zone
	switch string(h.zone) {
	case "UTC", "GMT", "Etc/UTC", "Z", "+00:00":
		zone = time.UTC
	default:
		if len(h.zone) == 6 && (h.zone[0] == '+' || h.zone[0] == '-') {
			if off, ok := offset(h.zone); ok {
				return p.stamps.at(unixDay(h.year, h.month, h.day)+int64(h.second)-int64(off), h.nsec, off)
			}
		}
		if named := p.zone(h.zone); named != nil {
			zone = named
		}
	}
	return p.errs.clock.at(zone, h.year, h.month, h.day, h.second, h.nsec)
}

// phpLine reads a line of PHP's or PHP-FPM's log; a site's error_log may be sent into the pool's, so each knows the
// other's lines.
func phpLine(p *Parser, line []byte) outcome {
	h, ok := readPHPHead(line)
	if !ok {
		if p.errs.first == 0 {
			return p.phpPlain(line)
		}
		p.addLine(line)
		return continued
	}
	// Xdebug writes its own trace behind an entry, a time in front of every line.
	if p.errs.first > 0 && (starts(h.rest, "PHP Stack trace:") || starts(h.rest, "PHP   ")) {
		p.addLine(h.rest)
		return continued
	}
	phpFlush(p)
	if fpmGoesOn(&h) {
		return continued
	}
	// What cannot go on is read in place; anything else waits for the lines that may follow.
	if len(h.zone) == 0 && fpmLevel(h.rest) != connwarden.LevelUnknown || phpEnds(h.rest) {
		p.phpEntry(&h, line, p.from)
		return parsed
	}
	p.beginEntry(line)
	return parsed
}

// phpPlain reads a line without a time that follows no entry: what PHP says before it has a log.
func (p *Parser) phpPlain(line []byte) outcome {
	l := phpLevel(line)
	if l == connwarden.LevelUnknown {
		return unparsed
	}
	f := p.startFault("php", line, p.from)
	f.Time, f.Level, f.Message, f.Script = p.errs.last, l, line, phpScript(line)
	p.pushFault(connwarden.EventOther, nil, nil)
	return parsed
}

// phpEnds tells whether a message of PHP is complete: it ends in "on line 3" and no more. Xdebug's trace, if there
// is one, is then lost as an entry of its own lines; it repeats the place.
func phpEnds(b []byte) bool {
	i := len(b)
	for i > 0 && b[i-1]-'0' <= 9 {
		i--
	}
	return i < len(b) && starts(b, "PHP ") && bytes.HasSuffix(b[:i], []byte(" on line "))
}

func phpFlush(p *Parser) {
	if p.errs.first == 0 {
		return
	}
	entry, first, from := p.endEntry()
	if h, ok := readPHPHead(first); ok {
		h.rest = entry[len(first)-len(h.rest):]
		p.phpEntry(&h, first, from)
	}
}

// phpEntry emits one whole entry.
func (p *Parser) phpEntry(h *phpHead, first []byte, from connwarden.Source) {
	at := h.time(p)
	p.errs.last = at
	if l := fpmLevel(h.rest); l != connwarden.LevelUnknown && len(h.zone) == 0 {
		f := p.startFault("php-fpm", first, from)
		f.Time, f.Level = at, l
		f.Message = after(h.rest, ": ")
		p.fpmMessage()
	} else {
		f := p.startFault("php", first, from)
		f.Time = at
		f.Message = h.rest
		f.Level = phpLevel(h.rest)
		f.Script = phpScript(h.rest)
	}
	p.pushFault(connwarden.EventOther, nil, nil)
}

// phpLevel reads how grave a message of PHP is from its first words (main/main.c, error_type_str).
func phpLevel(m []byte) connwarden.Level {
	if !starts(m, "PHP ") {
		return connwarden.LevelUnknown
	}
	switch m = m[4:]; {
	case starts(m, "Fatal error:"), starts(m, "Parse error:"), starts(m, "Recoverable fatal error:"),
		starts(m, "Catchable fatal error:"), starts(m, "Unknown error:"):
		return connwarden.LevelError
	case starts(m, "Warning:"):
		return connwarden.LevelWarning
	case starts(m, "Notice:"), starts(m, "Deprecated:"), starts(m, "Strict Standards:"):
		return connwarden.LevelNotice
	}
	return connwarden.LevelUnknown
}

// phpScript finds the file that a message of PHP blames: "… in /x.php on line 3", "… in /x.php:3".
func phpScript(m []byte) []byte {
	if i := bytes.LastIndex(m, []byte(" on line ")); i > 0 {
		if j := bytes.LastIndex(m[:i], []byte(" in ")); j >= 0 {
			return m[j+4 : i]
		}
		return nil
	}
	m = until(m, "\n")
	j := bytes.LastIndex(m, []byte(" in "))
	if j < 0 {
		return nil
	}
	s := m[j+4:]
	i := len(s)
	for i > 0 && s[i-1]-'0' <= 9 {
		i--
	}
	if i > 1 && i < len(s) && s[i-1] == ':' && (s[0] == '/' || s[1] == ':') {
		return s[:i-1]
	}
	return nil
}

// fpmGoesOn tells that a child's line is the rest of a trace: PHP-FPM writes each line of what a child said as an
// entry of its own, and the first has said what is wrong and where.
func fpmGoesOn(h *phpHead) bool {
	if len(h.zone) > 0 || !starts(h.rest, "WARNING: ") {
		return false
	}
	s := after(h.rest[:min(len(h.rest), 160)], ` said into stderr: "`)
	return starts(s, "Stack trace:") || starts(s, "  thrown in ") || len(s) > 1 && s[0] == '#' && s[1]-'0' <= 9
}

// fpmMessage takes the pool off the message, and reads what a child said.
func (p *Parser) fpmMessage() {
	f := &p.fault
	m := f.Message
	// Level debug writes "pid 1, fpm_event_loop(), line 418: " first.
	if starts(m, "pid ") {
		if i := bytes.Index(m, []byte("(), line ")); i > 0 {
			if rest := after(m[i:], ": "); rest != nil {
				m = rest
			}
		}
	}
	if starts(m, "[pool ") {
		if n := bytes.IndexByte(m, ']'); n > 0 {
			f.Module, m = m[6:n], skipBlank(m[n+1:])
		}
	}
	f.Message = m
	switch {
	case starts(m, "child "):
		// child 12, script '/x.php' (request: "GET /x.php?q") executing too slow (5.1 sec), logging
		if s := after(m[:min(len(m), 40)], ", script '"); s != nil {
			s = m[len(m[:min(len(m), 40)])-len(s):]
			// Nothing in the path is the client's to choose but what exists on disk; the request is.
			if i := bytes.Index(s, []byte(`' (request: "`)); i > 0 {
				f.Script = s[:i]
				q := s[i+len(`' (request: "`):]
				if j := bytes.LastIndex(q, []byte(`") exec`)); j >= 0 {
					f.Request = q[:j]
				}
			}
		}
		if s := after(m[:min(len(m), 60)], "said into std"); s != nil && bytes.Contains(m, []byte("PHP message: ")) {
			f.Script = phpScript(bytes.TrimSuffix(m, []byte(`"`)))
		}
	case starts(m, "NOTICE: PHP message: "), starts(m, "PHP message: "):
		f.Script = phpScript(m)
	}
}

// zone is what Options.Zones says of a name; the last few answers are kept, since a hostile log could have many names.
func (p *Parser) zone(name []byte) *time.Location {
	if p.opt.Zones == nil || len(name) == 0 {
		return nil
	}
	z := &p.errs.zones
	for i := range z {
		if z[i].name == string(name) {
			return z[i].where
		}
	}
	n := p.errs.zonesAt % len(z)
	p.errs.zonesAt++
	z[n] = namedZone{string(name), p.opt.Zones(string(name))}
	return z[n].where
}
