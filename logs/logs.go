// Package logs turns bytes of logs into readings: it recognises formats, compiles format strings and parses
// blocks of whole lines.
//
// It never opens a file, never reads a clock and never starts a goroutine: bytes and times come in as arguments.
// Readings borrow the block's bytes and are valid until the sink returns. A [Format] is immutable and may be shared; a
// [Parser] belongs to one goroutine.
package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// Kind says what the lines of a format are.
type Kind uint8

const (
	Access Kind = iota // one request a line
	Error              // faults, and events about peers
)

// Format knows how the lines of one kind of log are written.
type Format struct {
	Name string // CLI.md's "format": "apache_combined"
	Kind Kind
	// Whole formats have entries that span lines: a source must be read in order, from its start, by one Parser.
	Whole bool

	// fits tells whether a line could be of this format; it may be called with any bytes.
	fits func(line []byte) bool
	// line reads one line (without its end) that starts at p.offset and emits what is complete.
	line func(p *Parser, line []byte) outcome
	// flush emits the entry that is still open; nil when the format keeps none.
	flush func(p *Parser)
}

// outcome is what became of one line.
type outcome uint8

const (
	unparsed  outcome = iota
	parsed            // one reading was emitted, or opened
	continued         // belongs to the entry opened before
)

// Options of a parser. The zero value reads everything, in UTC.
type Options struct {
	Want  connwarden.Fields // parts of a request that are needed; 0 means all
	Zone  *time.Location    // of times written without a zone; nil means UTC
	Now   time.Time         // to find the year of dates written without one; zero: the year is taken from nothing and such times are zero
	Site  []byte            // the site of lines that name none (a log a site); borrowed for the parser's life
	Trust connwarden.Trust
}

// Stats counts lines. Lines = Parsed + Unparsed + Blank + continuation lines.
type Stats struct {
	Lines, Parsed, Unparsed, Blank int64
}

// Add adds o to s.
func (s *Stats) Add(o Stats) {
	s.Lines += o.Lines
	s.Parsed += o.Parsed
	s.Unparsed += o.Unparsed
	s.Blank += o.Blank
}

// Parser reads blocks of one format. It is not safe for concurrent use.
type Parser struct {
	format *Format
	opt    Options
	sink   connwarden.Sink
	from   connwarden.Source // of the line in hand

	req   connwarden.Request
	event connwarden.Event
	fault connwarden.Fault
}

// NewParser returns a parser of its own for one goroutine.
func (f *Format) NewParser(opt Options) *Parser {
	if opt.Want == 0 {
		opt.Want = connwarden.AllFields
	}
	if opt.Zone == nil {
		opt.Zone = time.UTC
	}
	return &Parser{format: f, opt: opt}
}

// Parse reads a block of whole lines whose first byte stands at from.Offset (and, if known, on line from.Line). The
// last line may lack its end. Each reading is pushed into sink before the next line is looked at.
func (p *Parser) Parse(from connwarden.Source, block []byte, sink connwarden.Sink) Stats {
	var s Stats
	p.from, p.sink = from, sink
	p.from.Trust = p.opt.Trust
	for len(block) > 0 {
		n := bytes.IndexByte(block, '\n')
		line, rest := block, []byte(nil)
		if n >= 0 {
			line, rest = block[:n], block[n+1:]
		}
		used := int64(len(block) - len(rest))
		if len(line) > 0 && line[len(line)-1] == '\r' {
			line = line[:len(line)-1]
		}
		s.Lines++
		switch {
		case len(line) == 0:
			s.Blank++
		default:
			switch p.format.line(p, line) {
			case parsed:
				s.Parsed++
			case unparsed:
				s.Unparsed++
			}
		}
		p.from.Offset += used
		if p.from.Line > 0 {
			p.from.Line++
		}
		block = rest
	}
	p.sink = nil
	return s
}

// Flush emits the entry that the last block left open. Call it at the end of a source of a Whole format.
func (p *Parser) Flush(sink connwarden.Sink) {
	if p.format.flush == nil {
		return
	}
	p.sink = sink
	p.format.flush(p)
	p.sink = nil
}
