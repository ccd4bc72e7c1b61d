package logs

import (
	"bytes"
	"time"
)

// layout is a format as fields with fixed text between them: what format strings are compiled to.
type layout struct {
	steps []step
	tail  []byte // the text behind the last field
	need  int    // how many fields a complete line has; daemons add to the end of a format over the years
	// padded lines have more than one space where the layout has one.
	padded bool
}

// step is one field and the text in front of it.
type step struct {
	lead  []byte
	what  part
	unit  time.Duration // of partTook
	clock *strftime     // of partTime when its form is not one that stamps.any knows
	// joined fields follow the one before without any text between: a path right behind a host.
	joined bool
}

// retries bounds how often a line is matched again with an earlier field made longer. User names and forged headers
// hold a handful of spaces; a hostile line of a megabyte must not be tried at each of its spaces.
const retries = 32

// readLayout reads a line. A field of free text ends where the text behind it stands first; when that turns out too
// early, since a user name or an agent holds it too, the nearest such field before is made longer.
func (p *Parser) readLayout(l *layout, line []byte) grade {
	p.begin()
	at, i := 0, 0
	back, backAt, backEnd, left := -1, 0, 0, retries
	for i < len(l.steps) {
		st := &l.steps[i]
		if !st.joined {
			n := l.matchLead(st.lead, line[at:])
			if n < 0 {
				if at == len(line) && i >= l.need {
					break
				}
				if i == 0 {
					return misfit
				}
				if end := p.longer(l, line, back, backEnd, &left); end > 0 {
					i, at, backEnd = back+1, end, end
					p.set(l.steps[back].what, l.steps[back].unit, line[backAt:end])
					continue
				}
				return p.cut(l, line, at, i)
			}
			at += n
		}
		end := p.fieldEnd(l, i, line, at, at)
		if end >= 0 && p.takeField(st, line[at:end]) {
			if st.elastic() {
				back, backAt, backEnd = i, at, end
			}
			at = end
			i++
			continue
		}
		if end := p.longer(l, line, back, backEnd, &left); end > 0 {
			i, at, backEnd = back+1, end, end
			p.set(l.steps[back].what, l.steps[back].unit, line[backAt:end])
			continue
		}
		return p.cut(l, line, at, i)
	}
	rest := line[at:]
	if !bytes.HasPrefix(rest, l.tail) {
		return p.settle(i >= l.need && len(rest) == 0)
	}
	rest = rest[len(l.tail):]
	return p.settle(len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t' || len(l.tail) > 0 && isDelimiter(l.tail[len(l.tail)-1]))
}

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
	case partTime, partDate, partClock, partStatus, partSize, partTook, partFlags, partNumber, partOperation:
		return false
	}
	return true
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
	return p.set(st.what, st.unit, b)
}

// behind is the text that ends field i.
func (l *layout) behind(i int) []byte {
	if i+1 < len(l.steps) {
		return l.steps[i+1].lead
	}
	return l.tail
}

// fieldEnd finds where field i ends that begins at start; no sooner than from. -1 when its end is not on the line.
func (p *Parser) fieldEnd(l *layout, i int, line []byte, start, from int) int {
	st := &l.steps[i]
	stop := l.behind(i)
	if st.what == partTime && from == start {
		if st.clock != nil {
			if _, n := st.clock.read(&p.stamps, line[start:]); n > 0 {
				return start + n
			}
		} else if _, n := p.stamps.any(line[start:]); n > 0 && bytes.HasPrefix(line[start+n:], stop) {
			return start + n
		}
	}
	if len(stop) == 0 {
		if i+1 < len(l.steps) { // a path follows at once
			if n := bytes.IndexByte(line[from:], '/'); n >= 0 {
				return from + n
			}
			return -1
		}
		if !st.elastic() {
			n := from
			for n < len(line) && line[n] != ' ' && line[n] != '\t' {
				n++
			}
			return n
		}
		return len(line)
	}
	quoted := stop[0] == '"'
	for at := from; ; {
		n := bytes.Index(line[at:], stop)
		if n < 0 {
			break
		}
		end := at + n
		if !quoted || end == start || line[end-1] != '\\' || !escaped(line[start:end]) {
			if i+1 < len(l.steps) || end+len(stop) == len(line) || !quoted || fieldsFollow(line[end+len(stop):]) {
				return end
			}
		}
		at = end + 1
	}
	if from == start && i+1 >= l.need && !quoted {
		return len(line)
	}
	return -1
}

// longer makes field i, which ended at end, end where the text behind it stands next; 0 when it cannot.
func (p *Parser) longer(l *layout, line []byte, i, end int, left *int) int {
	if i < 0 || *left == 0 || end >= len(line) {
		return 0
	}
	*left--
	stop := l.behind(i)
	if len(stop) == 0 {
		return 0
	}
	n := bytes.Index(line[end+1:], stop)
	if n < 0 {
		return 0
	}
	return end + 1 + n
}

// cut grades a line that stops fitting in field i, whose text begins at at.
func (p *Parser) cut(l *layout, line []byte, at, i int) grade {
	if at < len(line) && l.steps[i].elastic() {
		if stop := l.behind(i); len(stop) > 0 && !bytes.Contains(line[at:], stop) {
			p.set(l.steps[i].what, 0, line[at:])
		}
	}
	return p.settle(false)
}
