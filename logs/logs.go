// Package logs turns bytes of logs into readings: it recognises formats, compiles format strings and parses
// blocks of whole lines.
//
// It never opens a file, never reads a clock and never starts a goroutine: bytes and times come in as arguments.
// Readings borrow the block's bytes and are valid until the sink returns. A [Format] is immutable and may be shared; a
// [Parser] belongs to one goroutine. It runs on every system.
package logs

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/nets"
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

	// fits tells whether a line could be of this format; it may be called with any bytes. Formats with read need none.
	fits func(line []byte) bool
	// line reads one line (without its end) that starts at p.from and emits what is complete. Formats with read need none.
	line func(p *Parser, line []byte) outcome
	// flush emits the entry that is still open; nil when the format keeps none.
	flush func(p *Parser)

	// read fills p.req from one line of an access log and emits nothing.
	read func(p *Parser, line []byte) grade
	// bind returns a copy of the format that knows what the head of a file says of its columns, or of how a carrier wrote it; nil
	// when heads say nothing.
	bind func(f *Format, head []byte) *Format
	// layout is what a compiled format reads by.
	layout *layout
	// columns is what W3C formats read by until a directive in the block says otherwise.
	columns *columns
	// strict formats refuse every line that is not theirs: what fits would say, line says as well.
	strict bool
	// raw formats are of daemons that let line ends of names through: what does not fit may be a client's.
	raw bool
	// strip removes what a carrier (syslog, Docker, CRI) wrote around each line; nil when there is none.
	strip func(p *Parser, line []byte) (inner []byte, ok bool)
	// carry is what Carry returns.
	carry func(before, lines []byte) []byte
	// directed: what it returns are the names of columns.
	directed bool
}

// outcome is what became of one line.
type outcome uint8

const (
	unparsed  outcome = iota
	parsed            // one reading was emitted, or opened
	continued         // belongs to the entry opened before
)

// grade is how well a line fitted an access format.
type grade uint8

const (
	misfit    grade = iota
	aside           // a line of the format that is no request: a directive, a comment
	stump           // cut off or odd, but time and client are there: a reading too
	complete        // every part that the format must have
	elsewhere       // read by another format, its readings are emitted
)

// Options of a parser. The zero value reads everything, in UTC.
type Options struct {
	Want connwarden.Fields // parts of a request that are needed; 0 means all
	Zone *time.Location    // of times written without a zone; nil means UTC
	// Zones finds the zone of a name that a log writes behind its times ("Europe/Berlin"), nil when there is none; it is asked once for
	// each name. Without it only UTC is known, and times in other zones are read as in Zone.
	Zones func(name string) *time.Location
	Now   time.Time // to find the year of dates written without one; zero: the year is taken from nothing and such times are zero
	Site  []byte    // the site of lines that name none (a log a site); borrowed for the parser's life
	Trust connwarden.Trust
	// Proxies are trusted: when one of them is the direct peer, the client is the rightmost address of the line's
	// forwarding header that is none of them, and Via is the direct peer. nil trusts nobody.
	Proxies *nets.Set
	// Auto tries the other formats, of both kinds, on a line that does not fit. An access log changes to another format of its kind
	// that fits switchAfter such lines in a row.
	Auto bool
}

// Stats counts lines. Lines = Parsed + Unparsed + Blank + continuation lines. Directives and comments of a format
// ("#Fields: …") count as Blank.
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
	home   *Format // that it began with
	opt    Options
	sink   connwarden.Sink
	from   connwarden.Source // of the line in hand

	req   connwarden.Request
	event connwarden.Event
	fault connwarden.Fault

	stamps stamps
	// Of the line in hand: which parts it had, and those that are put together at its end.
	seen     uint
	day      int64         // midnight in UTC
	clock    time.Duration // since midnight
	uri      []byte
	inner    []byte    // a line that a member of an object holds
	forward  []byte    // X-Forwarded-For, Forwarded
	wanted   []byte    // the host of an absolute URI
	real     []byte    // CF-Connecting-IP and its like
	sender   []byte    // the program of the line of syslog in hand
	alone    bool      // nothing but a time stands before it
	untagged []byte    // what follows the time of that line
	surely   bool      // that program stands in a tag with a process id and a colon
	lead     lead      // the same, as prefix has found it
	carried  time.Time // when a carrier says that it took the line

	parts   [2][]byte // of a line that a container's runtime cut in parts, those so far of standard output and error
	whole   []byte    // all of them
	stream  uint8     // of the line in hand: 0 standard output, 1 error
	partial bool      // it is such a part
	taken   bool      // it was added to parts or whole

	deep  func(peer netip.Addr, offset int64) bool // of Brief; nil: all requests are read whole
	few   connwarden.Fields                        // that are read of others
	want  connwarden.Fields                        // Options.Want meanwhile
	brief bool                                     // the line in hand is read briefly: its peer is the client

	columns   *columns // of W3C formats: what the last directive seen says
	directive []byte   // that directive
	date      []byte   // the last "#Date:"
	dated     []byte   // the one that columns have
	directed  bool     // there was one
	scratch   scratch
	guest     *Format // that read the line in hand, when it is not the log's own
	open      *Format // whose entry is open, when it is not the log's own
	other     *Format // the last format that Auto tried with success
	strays    int     // lines in a row that only other could read
	errs      errorState
}

// NewParser returns a parser of its own for one goroutine.
func (f *Format) NewParser(opt Options) *Parser {
	if opt.Want == 0 {
		opt.Want = connwarden.AllFields
	}
	if opt.Zone == nil {
		opt.Zone = time.UTC
	}
	p := &Parser{format: f, home: f, opt: opt, columns: f.columns}
	p.stamps = stamps{where: opt.Zone, now: opt.Now, text: make([]byte, 0, maxTime)}
	return p
}

// Near moves Options.Now: a log that is followed for long goes through the turn of the year.
func (p *Parser) Near(now time.Time) {
	p.opt.Now, p.stamps.now = now, now
	p.stamps.text, p.stamps.syslogText = p.stamps.text[:0], [len(p.stamps.syslogText)]byte{}
}

// Brief makes the parser read only few parts of those requests that deep says no to, by the direct peer and where the line stands,
// where the format makes that worth while: lines of the common log format. What passed a trusted proxy is read whole.
func (p *Parser) Brief(few connwarden.Fields, deep func(peer netip.Addr, offset int64) bool) {
	p.few, p.deep, p.want = few, deep, p.opt.Want
}

// asked makes the line in hand one that is read briefly if its direct peer is one of those.
func (p *Parser) asked(peer netip.Addr) {
	if p.deep != nil && !p.deep(peer, p.from.Offset) && (p.opt.Proxies == nil || !p.opt.Proxies.Contains(peer)) {
		p.opt.Want, p.brief = p.few, true
	}
}

// Format tells the format that the parser expects at present; with Options.Auto it may change while lines are read. Asked by a sink, it is
// that of the line in hand.
func (p *Parser) Format() *Format {
	if p.sink != nil && p.guest != nil {
		return p.guest
	}
	return p.format
}

// Parse reads a block of whole lines whose first byte stands at from.Offset (and, if known, on line from.Line). The
// last line may lack its end. Each reading is pushed into sink before the next line is looked at. Blocks follow one another
// in the log; Resume comes before one that does not.
//
// Lines end with LF, CR LF or, where a block has no LF at all, CR.
func (p *Parser) Parse(from connwarden.Source, block []byte, sink connwarden.Sink) Stats {
	var s Stats
	p.from, p.sink = from, sink
	p.from.Trust = p.opt.Trust
	end := byte('\n')
	for len(block) > 0 {
		if p.format == combined {
			p.guest = nil
			if used := p.quick(block); used > 0 {
				s.Lines++
				s.Parsed++
				p.strays = 0
				p.from.Offset += int64(used)
				if p.from.Line > 0 {
					p.from.Line++
				}
				block = block[used:]
				continue
			}
		}
		n := bytes.IndexByte(block, end)
		if n < 0 && end == '\n' && bytes.IndexByte(block, '\r') >= 0 {
			end = '\r'
			continue
		}
		line, used := block, len(block)
		if n >= 0 {
			line, used = block[:n], n+1
		}
		if k := len(line); k > 0 && line[k-1] == '\r' {
			line = line[:k-1]
		}
		s.Lines++
		p.guest, p.lead.line, p.partial, p.taken = nil, nil, false, false
		switch {
		case len(line) == 0:
			s.Blank++
		case p.format.read != nil:
			switch p.access(line) {
			case misfit:
				s.Unparsed++
			case aside:
				s.Blank++
			default:
				s.Parsed++
			}
		default:
			switch p.entry(p.format, line) {
			case parsed:
				s.Parsed++
			case unparsed:
				s.Unparsed++
			}
		}
		p.from.Offset += int64(used)
		if p.from.Line > 0 {
			p.from.Line++
		}
		block = block[used:]
	}
	p.sink = nil
	return s
}

// Flush emits the entry that the last block left open. Call it at the end of a source of a Whole format.
func (p *Parser) Flush(sink connwarden.Sink) {
	f := p.format
	if p.open != nil {
		f = p.open
	}
	if f.flush == nil {
		return
	}
	p.sink = sink
	f.flush(p)
	p.sink = nil
}
