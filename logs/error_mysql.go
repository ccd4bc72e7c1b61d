package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/daemons"
)

// The error logs of MySQL 5.5 to 8 and MariaDB:
//
//	2026-11-22T14:03:07.123456Z 12 [Warning] [MY-010055] [Server] IP address '192.0.2.1' could not be resolved: …
//	2026-11-22 14:03:07 12 [Warning] Aborted connection 12 to db: 'shop' user: 'web' host: 'localhost' (Got timeout …)
//	2026-11-22 14:03:07 0x7f8 [ERROR] …        2026-11-22 14:03:07 140012 [Note] …
//	261122 14:03:07 [Warning] …                (MySQL 5.5, MariaDB 5)
//
// Lines without a time (a crash report, the status of InnoDB) go on with the entry before. MariaDB writes up to 128 bytes of a name as they come, line
// ends included (seen with 10.11): a name may hold the end of its own entry, so that this is somebody else's, and whole ones. No line shows that
// surely, so that none is worth more than a local account's word (Trust), and what is of other formats no more than a client's.
var mysqlError = &Format{Name: mysqlErrors, Kind: Error, Whole: true, raw: true, fits: fitsMySQL, line: mysqlLine, flush: mysqlFlush}

func fitsMySQL(line []byte) bool {
	_, _, l, ok := mysqlHead(line)
	return ok && l != connwarden.LevelUnknown
}

// mysqlHead finds the parts of an entry's first line: the time's text, what follows the level, and the level.
func mysqlHead(line []byte) (at, rest []byte, l connwarden.Level, ok bool) {
	n := 0
	switch {
	case len(line) > 20 && line[4] == '-' && line[7] == '-' && (line[10] == 'T' || line[10] == ' ') && line[16] == ':':
		n = 19
		for n < len(line) && line[n] != ' ' {
			n++
		}
	case len(line) > 16 && line[6] == ' ' && line[9] == ':' && line[12] == ':' && line[0]-'0' <= 9:
		n = 15
	default:
		return nil, nil, 0, false
	}
	at, rest = line[:n], skipBlank(line[n:])
	// The thread.
	i := 0
	for i < len(rest) && (hexDigit(rest[i]) >= 0 || rest[i] == 'x') {
		i++
	}
	if i > 0 {
		if i == len(rest) || rest[i] != ' ' {
			return nil, nil, 0, false
		}
		rest = rest[i+1:]
	}
	if len(rest) == 0 || rest[0] != '[' {
		return at, rest, connwarden.LevelUnknown, true
	}
	end := bytes.IndexByte(rest[:min(len(rest), 16)], ']')
	if end < 0 {
		return at, rest, connwarden.LevelUnknown, true
	}
	switch string(rest[1:end]) {
	case "ERROR":
		l = connwarden.LevelError
	case "Warning":
		l = connwarden.LevelWarning
	case "Note":
		l = connwarden.LevelNotice
	case "System":
		l = connwarden.LevelInfo
	}
	if l != connwarden.LevelUnknown {
		rest = skipBlank(rest[end+1:])
	}
	return at, rest, l, true
}

// mysqlTime reads any of the forms; an hour of one digit is padded with a blank.
func (p *Parser) mysqlTime(b []byte) (time.Time, bool) {
	var year, mon, day int
	var h []byte
	switch {
	case b[6] == ' ':
		year, mon, day, h = 2000+two(b), two(b[2:]), two(b[4:]), b[7:]
	case len(b) == 19 && b[11] == ' ':
		year, mon, day, h = two(b)*100+two(b[2:]), two(b[5:]), two(b[8:]), b[11:]
	default:
		at, n := p.stamps.any(b)
		return at, n == len(b)
	}
	hour, min, sec := two(h), two(h[3:]), two(h[6:])
	if h[0] == ' ' && h[1]-'0' <= 9 {
		hour = int(h[1] - '0')
	}
	if year < 1970 || mon < 1 || mon > 12 || day < 1 || day > daysIn(year, mon) || hour < 0 || hour > 23 || min < 0 || min > 59 ||
		sec < 0 || sec > 60 {
		return time.Time{}, false
	}
	return p.errs.clock.at(p.opt.Zone, year, mon, day, hour*3600+min*60+sec, 0), true
}

func mysqlLine(p *Parser, line []byte) outcome {
	at, _, l, ok := mysqlHead(line)
	if ok {
		_, ok = p.mysqlTime(at)
	}
	if !ok {
		if p.errs.first == 0 {
			return unparsed
		}
		p.addLine(line)
		return continued
	}
	mysqlFlush(p)
	if l == connwarden.LevelError || l == connwarden.LevelUnknown {
		p.beginEntry(line) // a report may follow
		return parsed
	}
	p.mysqlEntry(line, line, p.from)
	return parsed
}

func mysqlFlush(p *Parser) {
	if p.errs.first > 0 {
		entry, first, from := p.endEntry()
		p.mysqlEntry(entry, first, from)
	}
}

func (p *Parser) mysqlEntry(entry, first []byte, from connwarden.Source) {
	at, rest, l, _ := mysqlHead(entry)
	f := p.startFault("mysql", first, from)
	f.Time, _ = p.mysqlTime(at)
	f.Level = l
	// MySQL 8: "[MY-010055] [Server] ".
	if starts(rest, "[MY-") {
		if n := bytes.IndexByte(rest, ']'); n > 0 {
			f.Code, rest = rest[1:n], skipBlank(rest[n+1:])
		}
		if n := bytes.IndexByte(rest[:min(len(rest), 24)], ']'); n > 0 && rest[0] == '[' {
			f.Module, rest = rest[1:n], skipBlank(rest[n+1:])
		}
	}
	f.Message = rest
	// What it says of a peer, its own room knows.
	p.event = connwarden.Event{}
	if daemons.Read(&daemons.Message{Program: mysqlProgram, Text: until(rest, "\n")}, &p.event) {
		f.Client = p.event.Client
		p.pushFault(p.event.Kind, p.event.User, p.event.Detail)
		return
	}
	p.pushFault(connwarden.EventOther, nil, nil)
}

const mysqlErrors = "mysql_error"

var mysqlProgram = []byte("mysqld")
