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
// Lines without a time (a crash report, the status of InnoDB) go on with the entry before.
var mysqlError = &Format{Name: mysqlErrors, Kind: Error, Whole: true, fits: fitsMySQL, line: mysqlLine, flush: mysqlFlush}

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
	at, rest, l, ok := mysqlHead(line)
	if ok {
		_, ok = p.mysqlTime(at)
	}
	if !ok {
		if p.errs.first == 0 && p.errs.waiting == 0 && p.errs.unclosed == 0 {
			return unparsed
		}
		p.mysqlDisbelieve()
		if p.errs.first > 0 {
			p.addLine(line)
		}
		return continued
	}
	p.mysqlEnd()
	p.mysqlSettle()
	_, _, text := mysqlCode(rest)
	begins, ends := starts(text, mysqlDenied), bytes.HasSuffix(text, usingPassword) || bytes.HasSuffix(text, usingNone)
	if begins != ends {
		p.mysqlDisbelieve()
	}
	switch {
	case begins && !ends:
		p.errs.unclosed = refusalLines
		p.mysqlEntry(line, line, p.from, false)
	case begins || mysqlPeer(text, &p.event):
		switch {
		case p.format.Name != mysqlErrors: // among others' lines there is no telling what belongs together
			p.from.Trust = min(p.from.Trust, connwarden.TrustLocal)
			p.mysqlEntry(line, line, p.from, true)
		case p.errs.unclosed > 0:
			p.mysqlEntry(line, line, p.from, false)
		default:
			p.mysqlWait(line)
		}
	case l == connwarden.LevelError || l == connwarden.LevelUnknown:
		p.beginEntry(line) // a report may follow
	default:
		p.mysqlEntry(line, line, p.from, true)
	}
	return parsed
}

const (
	mysqlErrors = "mysql_error"
	mysqlDenied = "Access denied for user '"
)

// refusal is an entry that names a peer, mostly one whose login was refused, about which the lines that follow may say that a client wrote it: MariaDB writes names of up to
// 128 bytes as they come, line ends included (seen with 10.11), so that one name may hold the end of its own entry and a whole one of
// somebody else's. It does not hold the beginning of a third besides: then what is left of its own entry stands alone, or its first line does
// not end as such lines do. MySQL 8 cuts names after 48 bytes, which holds none.
type refusal struct {
	entry []byte // owned
	from  connwarden.Source
	lines int // that may still speak against it
}

// refusalLines is how many lines a name's line ends make of an entry, at most, but for the first: the shortest entry takes 24 bytes, the shortest that names a peer
// 72.
const refusalLines = 4

var usingPassword, usingNone = []byte("(using password: YES)"), []byte("(using password: NO)")

// mysqlWait lets an entry wait for those that may speak against it.
func (p *Parser) mysqlWait(line []byte) {
	e := &p.errs
	r := &e.refusals[e.waiting] // as many as there is room for were settled
	r.entry, r.from, r.lines = append(r.entry[:0], line[:min(len(line), maxEntry)]...), p.from, refusalLines
	e.waiting++
}

// mysqlSettle takes note of another entry: those about which no other can say anything any more are what they say.
func (p *Parser) mysqlSettle() {
	e := &p.errs
	e.unclosed = max(0, e.unclosed-1)
	n := 0
	for i := range e.refusals[:e.waiting] {
		if e.refusals[i].lines--; e.refusals[i].lines == 0 {
			n = i + 1
		}
	}
	p.mysqlTell(n, true)
}

// mysqlDisbelieve has the entries that wait accuse nobody.
func (p *Parser) mysqlDisbelieve() { p.mysqlTell(p.errs.waiting, false) }

// mysqlTell pushes the first n entries that wait.
func (p *Parser) mysqlTell(n int, believed bool) {
	e := &p.errs
	for i := range n {
		r := &e.refusals[i]
		p.mysqlEntry(r.entry, r.entry, r.from, believed)
	}
	for i := n; i < e.waiting; i++ {
		e.refusals[i-n], e.refusals[i] = e.refusals[i], e.refusals[i-n]
	}
	e.waiting -= n
}

func mysqlFlush(p *Parser) {
	p.mysqlEnd()
	p.mysqlTell(p.errs.waiting, true)
	p.errs.unclosed = 0
}

// mysqlEnd ends the entry in hand.
func (p *Parser) mysqlEnd() {
	if p.errs.first > 0 {
		entry, first, from := p.endEntry()
		p.mysqlEntry(entry, first, from, true)
	}
}

// mysqlCode parts MySQL 8's code and subsystem, "[MY-010055] [Server] ", from the text.
func mysqlCode(rest []byte) (code, module, text []byte) {
	if starts(rest, "[MY-") {
		if n := bytes.IndexByte(rest, ']'); n > 0 {
			code, rest = rest[1:n], skipBlank(rest[n+1:])
		}
		if n := bytes.IndexByte(rest[:min(len(rest), 24)], ']'); n > 0 && rest[0] == '[' {
			module, rest = rest[1:n], skipBlank(rest[n+1:])
		}
	}
	return code, module, rest
}

// mysqlEntry pushes an entry. One that is not believed accuses nobody.
func (p *Parser) mysqlEntry(entry, first []byte, from connwarden.Source, believed bool) {
	at, rest, l, _ := mysqlHead(entry)
	f := p.startFault("mysql", first, from)
	f.Time, _ = p.mysqlTime(at)
	f.Level = l
	f.Code, f.Module, rest = mysqlCode(rest)
	f.Message = rest
	// What it says of a peer, its own room knows.
	if believed && mysqlPeer(rest, &p.event) {
		f.Client = p.event.Client
		p.pushFault(p.event.Kind, p.event.User, p.event.Detail)
		return
	}
	p.pushFault(connwarden.EventOther, nil, nil)
}

// mysqlPeer reads what the text of an entry says of a peer.
func mysqlPeer(text []byte, e *connwarden.Event) bool {
	*e = connwarden.Event{}
	return daemons.Read(&daemons.Message{Program: mysqlProgram, Text: until(text, "\n")}, e)
}

var mysqlProgram = []byte("mysqld")
