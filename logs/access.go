package logs

import (
	"bytes"
	"iter"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
)

// switchAfter is how many lines in a row another format must read before Auto changes to it: one odd line, or the few
// that a client can forge with one request, must not; a real change is not slower for it, since the lines in between
// are read by the other format all the same.
const switchAfter = 8

// hollow is how many bytes of a line's beginning say nothing: NULs, since after a crash a file system leaves holes of them, often in
// front of the next whole line; and the byte order mark of a file that Windows saved.
func hollow(line []byte) int {
	if bytes.HasPrefix(line, byteOrderMark) {
		return len(byteOrderMark)
	}
	n := 0
	for n < len(line) && line[n] == 0 {
		n++
	}
	return n
}

var byteOrderMark = []byte("\ufeff")

// access reads one line of an access log and pushes the request.
func (p *Parser) access(line []byte) grade {
	if n := hollow(line); n > 0 {
		if n == len(line) {
			return misfit
		}
		p.from.Offset += int64(n)
		g := p.access(line[n:])
		p.from.Offset -= int64(n)
		return g
	}
	if p.format == guessed && p.opt.Auto { // who takes what looks right must ask before
		if f := p.find(line, nil); f != nil {
			p.readAs(f, line)
			return elsewhere
		}
	}
	g := p.grade(p.format, line)
	if p.opt.Auto {
		if g < complete && g != aside {
			g = p.stray(line, g)
		} else {
			p.strays = 0
		}
	}
	if g == stump || g == complete {
		p.push(line)
	}
	return g
}

// grade reads a line as one of format f, into p.req.
func (p *Parser) grade(f *Format, line []byte) grade {
	if f.strip != nil {
		p.carried = time.Time{}
		inner, ok := f.strip(p, line)
		switch {
		case p.partial:
			return aside
		case !ok || len(inner) == 0:
			return misfit
		}
		g := f.read(p, inner)
		if p.req.Time.IsZero() {
			p.req.Time = p.carried
		}
		return g
	}
	return f.read(p, line)
}

// stray tries the other formats on a line that does not fit the present one. What it returns depends on the line and
// on the present format alone, so that a log may be cut anywhere.
func (p *Parser) stray(line []byte, own grade) grade {
	if own == misfit && p.turns(line) {
		return aside
	}
	found := p.other
	if p.directed && found == nil && own < complete && p.grade(w3cExtended, line) == complete {
		found = w3cExtended
	}
	if found == nil || p.grade(found, line) != complete {
		found = p.find(line, p.format)
	}
	if own == stump && found == syslogLog && p.format.strip != nil {
		found = nil // syslog's own lines are what it carries, and that was read
	}
	switch {
	case found == nil && own == stump:
		p.grade(p.format, line)
		fallthrough
	case found == nil:
		p.strays = 0
		if own == misfit && p.message(line) {
			return elsewhere
		}
		return own
	case found.read == nil:
		p.strays = 0
		p.readAs(found, line)
		return elsewhere
	}
	p.guest = found
	if found != p.other {
		p.other, p.strays = found, 0
	}
	if p.strays++; p.strays >= switchAfter {
		p.format, p.other, p.strays = found, p.format, 0
	}
	return complete
}

// push completes p.req and hands it to the sink.
func (p *Parser) push(line []byte) {
	r := &p.req
	r.From = p.from
	r.Raw = line
	if len(r.Host) == 0 {
		r.Host = p.opt.Site
	}
	if len(p.wanted) > 0 && foreign(r.Host, p.wanted) {
		r.Asked = p.wanted
	}
	if p.opt.Proxies != nil && (len(p.forward) > 0 || len(p.real) > 0) {
		p.viaProxy()
	}
	p.sink.Request(r)
}

// begin empties p.req for the next line.
func (p *Parser) begin() {
	if p.brief {
		p.opt.Want, p.brief = p.want, false
	}
	p.forward, p.real, p.uri, p.inner, p.wanted, p.seen = nil, nil, nil, nil, nil, 0
	p.req = connwarden.Request{}
	p.req.Size, p.req.Took = -1, -1
}

// beginMute begins a line of a form that tells neither who asked with what nor from where, or only when it says so.
func (p *Parser) beginMute() {
	p.begin()
	p.req.Lacks = asker
}

// asker is what many logs never tell of who asked.
const asker = connwarden.FieldReferer | connwarden.FieldAgent

// lacking is what a form of such parts never tells of asker.
func lacking(parts iter.Seq[part]) connwarden.Fields {
	fields := asker
	for what := range parts {
		fields &^= what.asker()
	}
	return fields
}

// asker is what a part tells of it.
func (what part) asker() connwarden.Fields {
	switch what {
	case partReferer:
		return connwarden.FieldReferer
	case partAgent:
		return connwarden.FieldAgent
	}
	return 0
}

// realClient is the rightmost address of a forwarding header that is no trusted proxy: what stands left of it was
// written by that address and proves nothing. When all are trusted it is the leftmost, and invalid when the header is
// no list of addresses up to there.
func (p *Parser) realClient(header []byte) netip.Addr {
	var client netip.Addr
	for len(header) > 0 {
		start := len(header)
		for start > 0 && header[start-1] != ',' {
			start--
		}
		a, ok := forwardedAddr(header[start:])
		if !ok {
			return client
		}
		client = a
		if !p.opt.Proxies.Contains(a) {
			return a
		}
		if start == 0 {
			break
		}
		header = header[:start-1]
	}
	return client
}
