package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// layout is a format as fields with fixed text between them: what format strings are compiled to.
type layout struct {
	steps []step
	tail  []byte            // the text behind the last field
	need  int               // how many fields a complete line has; daemons add to the end of a format over the years
	lacks connwarden.Fields // of asker
	// padded lines have more than one space where the layout has one.
	padded bool
	// unquoted lines have no quote behind the last field.
	unquoted bool
}

// step is one field and the text in front of it.
type step struct {
	lead  []byte
	what  part
	unit  time.Duration // of partTook
	clock *strftime     // of partTime when its form is not one that stamps.any knows
	// joined fields follow the one before without any text between: a path right behind a host.
	joined bool
	// port: one follows, behind a colon, even where the address is one of IPv6 without brackets.
	port bool
	// tight fields hold no space, though others of their kind may.
	tight bool
}

// parts are those of its fields.
func (l *layout) parts(yield func(part) bool) {
	for i := range l.steps {
		if !yield(l.steps[i].what) {
			return
		}
	}
}

// retries bounds how often a line is matched again with an earlier field made longer. User names and forged headers
// hold a handful of spaces; a hostile line of a megabyte must not be tried at each of its spaces.
const retries = 32

// readLayout reads a line. A field of free text ends where the text behind it stands first; when that turns out too
// early, since a user name or an agent holds it too, the nearest such field before is made longer.
func (p *Parser) readLayout(l *layout, line []byte) grade {
	p.begin()
	p.req.Lacks = l.lacks
	m := match{p: p, l: l, line: line, back: -1, left: retries}
	for m.i < len(l.steps) || l.unquoted && bytes.IndexByte(line[m.at:], '"') >= 0 && m.longer() {
		done, ok := m.step()
		if done {
			break
		}
		if ok || m.longer() {
			continue
		}
		if m.left == retries {
			return m.cut()
		}
		// Nothing helped: read it again as it first seemed, up to where it is cut off.
		p.begin()
		p.req.Lacks = l.lacks
		m = match{p: p, l: l, line: line, back: -1}
		for ok = true; ok; _, ok = m.step() {
		}
		return m.cut()
	}
	rest := line[m.at:]
	tail := l.tail
	if m.bare && len(tail) > 0 {
		tail = tail[1:]
	}
	if !bytes.HasPrefix(rest, tail) {
		return p.settle(m.i >= l.need && len(rest) == 0)
	}
	rest = rest[len(tail):]
	return p.settle(m.i >= l.need && (len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t' || len(tail) > 0 && isDelimiter(tail[len(tail)-1])))
}

// match is a line that is held against a layout.
type match struct {
	p    *Parser
	l    *layout
	line []byte
	i    int  // the step in hand
	at   int  // where it begins
	bare bool // the field before was a "-" that should have had quotes

	back, backAt, backEnd int  // the last field of free text, which may be made longer
	left                  int  // tries
	inside                bool // the text in front of the step in hand was there
}

// step matches one field. It is done when the line ends where it may.
func (m *match) step() (done, ok bool) {
	st := &m.l.steps[m.i]
	m.inside = false
	if !st.joined {
		lead := st.lead
		if m.bare {
			lead = lead[1:]
		}
		if quote := len(lead) - 1; quote > 0 && lead[quote] == '"' && m.dash(lead[:quote]) {
			m.at += quote
			m.p.takeField(st, m.line[m.at:m.at+1])
			m.at, m.i, m.bare = m.at+1, m.i+1, true
			return false, true
		}
		n := m.l.matchLead(lead, m.line[m.at:])
		if n < 0 {
			return m.at == len(m.line) && m.i >= m.l.need, false
		}
		m.bare = false
		m.at += n
	}
	m.inside = true
	end := m.p.fieldEnd(m.l, m.i, m.line, m.at)
	if end < 0 || !m.p.takeField(st, m.line[m.at:end]) {
		return false, false
	}
	if st.elastic() {
		m.back, m.backAt, m.backEnd = m.i, m.at, end
	}
	m.at = end
	m.i++
	return false, true
}

// dash tells whether a "-" stands where a field in quotes should, behind the text lead: S3 writes some so.
func (m *match) dash(lead []byte) bool {
	behind := m.l.behind(m.i)
	if len(behind) == 0 || behind[0] != '"' || !bytes.HasPrefix(m.line[m.at:], lead) {
		return false
	}
	rest := m.line[m.at+len(lead):]
	return len(rest) > 0 && rest[0] == '-' && (len(rest) == 1 || rest[1] == ' ')
}

// longer makes the last field of free text end where the text behind it stands next.
func (m *match) longer() bool {
	if m.back < 0 || m.left == 0 || m.backEnd >= len(m.line) {
		return false
	}
	m.left--
	stop := m.l.behind(m.back)
	if len(stop) == 0 {
		return false
	}
	n := bytes.Index(m.line[m.backEnd+1:], stop)
	if n < 0 {
		return false
	}
	m.backEnd += 1 + n
	m.i, m.at, m.bare = m.back+1, m.backEnd, false
	st := &m.l.steps[m.back]
	m.p.set(st.what, st.unit, m.line[m.backAt:m.backEnd])
	return true
}

// cut grades a line that does not fit to its end.
func (m *match) cut() grade {
	st := &m.l.steps[m.i]
	if rest := m.line[m.at:]; m.inside && len(rest) > 0 && (st.elastic() || st.tight) {
		if stop := m.l.behind(m.i); len(stop) > 0 && !bytes.Contains(rest, stop) {
			m.p.set(st.what, st.unit, bytes.TrimSuffix(rest, quote))
		}
	}
	return m.p.settle(false)
}

var quote = []byte(`"`)

func isDelimiter(c byte) bool { return c == ' ' || c == '\t' || c == '|' || c == ',' || c == ';' }

// matchLead tells how many bytes of b the text in front of a field takes, -1 when it is not there.
func (l *layout) matchLead(lead, b []byte) int {
	if !bytes.HasPrefix(b, lead) {
		return -1
	}
	n := len(lead)
	if l.padded && n > 0 && lead[n-1] == ' ' {
		for n < len(b) && b[n] == ' ' {
			n++
		}
	}
	return n
}

// elastic tells whether a field of the step may hold the text that ends it.
func (st *step) elastic() bool {
	switch st.what {
	case partSkip, partForward, partRequest, partURI, partPath, partQuery, partReferer, partAgent, partUser:
		return !st.tight
	}
	return false
}

// takeField hands the text of a field on.
func (p *Parser) takeField(st *step, b []byte) bool {
	if st.clock != nil {
		t, n := st.clock.read(&p.stamps, b)
		if n != len(b) {
			return false
		}
		p.req.Time, p.seen = t, p.seen|sawTime
		return true
	}
	if st.port {
		if n := bytes.LastIndexByte(b, ':'); n > 0 && b[0] != '[' && isPort(b[n:]) {
			b = b[:n]
		}
	}
	return p.set(st.what, st.unit, b)
}

// behind is the text that ends field i.
func (l *layout) behind(i int) []byte {
	if i+1 < len(l.steps) {
		return l.steps[i+1].lead
	}
	return l.tail
}

// fieldEnd finds where field i ends that begins at start; -1 when its end is not on the line.
func (p *Parser) fieldEnd(l *layout, i int, line []byte, start int) int {
	st := &l.steps[i]
	stop := l.behind(i)
	if st.what == partTime {
		if st.clock != nil {
			if _, n := st.clock.read(&p.stamps, line[start:]); n > 0 {
				return start + n
			}
		} else if _, n := p.stamps.any(line[start:]); n > 0 && bytes.HasPrefix(line[start+n:], stop) {
			return start + n
		}
	}
	if len(stop) == 0 {
		switch {
		case i+1 < len(l.steps): // a path follows at once
			if n := bytes.IndexByte(line[start:], '/'); n >= 0 {
				return start + n
			}
			return -1
		case st.elastic():
			return len(line)
		}
		end := start
		for end < len(line) && line[end] != ' ' && line[end] != '\t' {
			end++
		}
		return end
	}
	if stop[0] == ' ' && !st.elastic() && st.what != partTime && st.what != partClient {
		// A dash without the quotes that the next field should have ends this one too.
		if n := bytes.IndexByte(line[start:], ' '); n >= 0 {
			return start + n
		}
	}
	quoted, left := stop[0] == '"', quotes
	for at := start; ; {
		n := bytes.Index(line[at:], stop)
		if n < 0 {
			break
		}
		end := at + n
		at = end + 1
		switch {
		case quoted && end > start && line[end-1] == '\\' && escaped(line[start:end]):
		case (st.what == partClient || st.what == partForward) && end > start && line[end-1] == ',':
			// A list of addresses goes on.
		case i+1 == len(l.steps) && quoted && end+len(stop) < len(line) && (left == 0 || line[end+len(stop)] != ' '):
		case i+1 == len(l.steps) && quoted && end+len(stop) < len(line) && !fieldsFollow(line[end+len(stop):]):
			left--
		default:
			return end
		}
	}
	if i+1 >= l.need && !quoted {
		return len(line)
	}
	return -1
}
