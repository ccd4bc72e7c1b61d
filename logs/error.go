package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// maxEntry bounds an entry that spans lines, in bytes; what is longer is read without its rest. A PHP trace of 400
// frames fits.
const maxEntry = 64 << 10

// errorState is what the formats of error logs keep from line to line.
type errorState struct {
	clock clock
	last  time.Time // of the line before: lines without a time happened then

	// The entry that is still open: its lines so far, joined by line ends. Bytes belong to the parser.
	entry []byte
	first int // length of its first line; 0 when none is open
	from  connwarden.Source
	held  bool // lines that look like new entries belong to this one

	zones   [4]namedZone
	zonesAt int

	joined []byte // a message put together from two places of the line
}

// namedZone is a zone by its name; nil when nobody knows it.
type namedZone struct {
	name  string
	where *time.Location
}

// beginEntry begins an entry with line. A caller flushes the one before.
func (p *Parser) beginEntry(line []byte) {
	e := &p.errs
	e.entry = append(e.entry[:0], line[:min(len(line), maxEntry)]...)
	e.first, e.from, e.held = len(e.entry), p.from, false
}

// addLine adds line to the open entry.
func (p *Parser) addLine(line []byte) {
	e := &p.errs
	if n := maxEntry - len(e.entry) - 1; n > 0 {
		e.entry = append(append(e.entry, '\n'), line[:min(len(line), n)]...)
	}
}

// endEntry closes the open entry and returns its text; the fault's Raw and From must then be its own.
func (p *Parser) endEntry() (entry, first []byte, from connwarden.Source) {
	e := &p.errs
	entry, first = e.entry, e.entry[:e.first]
	e.first, e.held = 0, false
	return entry, first, e.from
}

// startFault starts the fault of an entry: everything that does not come from its text.
func (p *Parser) startFault(service string, raw []byte, from connwarden.Source) *connwarden.Fault {
	p.fault = connwarden.Fault{Service: service, Site: p.opt.Site, From: from, Raw: raw}
	return &p.fault
}

// pushFault pushes the fault, and the event that it is too when kind is not EventOther. An event without a client is none:
// it accuses nobody.
func (p *Parser) pushFault(kind connwarden.EventKind, user, detail []byte) {
	f := &p.fault
	if kind != connwarden.EventOther && f.Client.IsValid() {
		p.event = connwarden.Event{
			Time: f.Time, Client: f.Client, Kind: kind, Service: f.Service, User: user, Detail: detail,
			Request: f.Request, From: f.From, Raw: f.Raw,
		}
		p.sink.Event(&p.event)
	}
	p.sink.Fault(f)
}

// clock turns wall-clock times into instants. The minute is looked up once, since asking the zone costs more than
// reading the rest of a line; a minute never holds a change of the clocks.
type clock struct {
	minute uint64 // year, month, day, hour and minute, packed
	unix   int64
	zone   *time.Location
}

// at returns the instant of a wall-clock time in a zone.
func (c *clock) at(zone *time.Location, year, month, day, second int, nsec int64) time.Time {
	hour, min := second/3600, second/60%60
	key := ((uint64(year)<<4|uint64(month))<<5|uint64(day))<<11 | uint64(hour*60+min)
	if c.minute != key || c.zone != zone {
		c.unix = time.Date(year, time.Month(month), day, hour, min, 0, 0, zone).Unix()
		c.minute, c.zone = key, zone
	}
	return time.Unix(c.unix+int64(second%60), nsec).In(zone)
}

// two reads two digits; -1 when they are none.
func two(b []byte) int {
	if b[0]-'0' > 9 || b[1]-'0' > 9 {
		return -1
	}
	return int(b[0]-'0')*10 + int(b[1]-'0')
}

// levels of syslog, of Apache and of nginx, by their words.
func level(b []byte) connwarden.Level {
	switch string(b) {
	case "emerg", "EMERG":
		return connwarden.LevelEmergency
	case "alert", "ALERT":
		return connwarden.LevelAlert
	case "crit", "CRITICAL":
		return connwarden.LevelCritical
	case "error", "err", "ERROR":
		return connwarden.LevelError
	case "warn", "warning", "WARNING":
		return connwarden.LevelWarning
	case "notice", "NOTICE":
		return connwarden.LevelNotice
	case "info", "INFO":
		return connwarden.LevelInfo
	case "debug", "DEBUG", "trace1", "trace2", "trace3", "trace4", "trace5", "trace6", "trace7", "trace8":
		return connwarden.LevelDebug
	}
	return connwarden.LevelUnknown
}

// after returns what follows sep in b, nil when it is not there.
func after(b []byte, sep string) []byte {
	if i := bytes.Index(b, []byte(sep)); i >= 0 {
		return b[i+len(sep):]
	}
	return nil
}

// until returns what stands before sep in b; all of b when it is not there.
func until(b []byte, sep string) []byte {
	if i := bytes.Index(b, []byte(sep)); i >= 0 {
		return b[:i]
	}
	return b
}

// starts tells whether b begins with s.
func starts(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }

// printable tells whether b is text that a program wrote for people: no control bytes but tabs.
func printable(b []byte) bool {
	words := false
	for _, c := range b {
		switch {
		case c < ' ' && c != '\t' || c == 0x7f:
			return false
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			words = true
		}
	}
	return words
}
