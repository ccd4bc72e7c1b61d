package logs

import (
	"bytes"
	"encoding/binary"
)

// Some lines cannot be read without others that stand before them: columns have their names from a directive, and what
// a carrier cut in parts is whole with its last. Whoever reads a log in pieces hands that on with Carry and Resume.

const (
	// maxDirective bounds the text of a directive that is looked at: IIS has some thirty columns.
	maxDirective = 16 << 10
	// maxJoined bounds a line that is put together from parts, each stream's on its own; what is longer is read without
	// its rest, as tail cuts a line of 1 MiB.
	maxJoined = 1 << 20
)

// Carry returns a function that tells what a parser must know before it reads on behind some lines: before is the same
// for the lines, nil at the begin of a log. See [Parser.Resume]. The function may be called from several goroutines; what
// it returns is its own. Carry is nil for formats whose lines stand for themselves.
func (f *Format) Carry() func(before, lines []byte) []byte { return f.carry }

// Resume prepares the parser for lines that do not follow those it read last: before is what Carry's function said, nil at
// the begin of a log. It is borrowed.
func (p *Parser) Resume(before []byte) {
	p.parts[0], p.parts[1] = p.parts[0][:0], p.parts[1][:0]
	switch {
	case len(before) == 0:
		p.columns, p.directed, p.date = p.home.columns, false, p.date[:0]
	case before[0] == markDirective, before[0] == markDate:
		names, date, _ := bytes.Cut(before[1:], lineEnd)
		p.date = append(p.date[:0], date...)
		if before[0] == markDirective {
			p.direct(names, date)
		} else {
			p.columns, p.directed = p.home.columns, false
		}
	default:
		p.parts = appendParts(p.parts, before)
	}
}

// What Carry's function returns begins with a directive's mark and has names and a date behind it, or is a list of parts: each its
// stream, its length in four bytes, and its text.
const (
	markDirective = '#'
	markDate      = '@' // a date, but no names yet
)

// carryDirective hands on the names that the last directive among the lines gives, if there was one, and behind an end of line the last date.
func carryDirective(before, lines []byte) []byte {
	names, date := lastDirective(lines, fieldsDirective), lastDirective(lines, dateDirective)
	if names == nil && date == nil {
		return before
	}
	if len(before) > 0 {
		was, on, _ := bytes.Cut(before[1:], lineEnd)
		if names == nil && before[0] == markDirective {
			names = was
		}
		if date == nil {
			date = on
		}
	}
	mark := byte(markDirective)
	if names == nil {
		mark = markDate
	}
	out := append(append(make([]byte, 0, 2+len(names)+len(date)), mark), names...)
	return append(append(out, '\n'), date...)
}

// lastDirective is the text behind the last of the lines that begins with mark, nil when none does.
func lastDirective(lines, mark []byte) []byte {
	var last []byte
	for at := 0; ; {
		n := bytes.Index(lines[at:], mark)
		if n < 0 {
			break
		}
		at += n
		start := at
		for start > 0 && lines[start-1] == 0 { // a hole in front
			start--
		}
		at += len(mark)
		if start > 0 && lines[start-1] != '\n' {
			continue
		}
		last = lines[at:]
		if n := bytes.IndexByte(last, '\n'); n >= 0 {
			last = last[:n]
		}
	}
	if last == nil {
		return nil
	}
	return append(make([]byte, 0, len(last)), directiveNames(last)...) // empty, but there
}

// directiveNames are the names behind "#Fields:".
func directiveNames(b []byte) []byte {
	return bytes.TrimSpace(b[:min(len(b), maxDirective)])
}

// carryParts hands on the parts of lines that are still without their last.
func (c *carrier) carryParts(before, lines []byte) []byte {
	p := anyJSON.NewParser(Options{})
	p.parts = appendParts(p.parts, before)
	for len(lines) > 0 {
		line := lines
		if n := bytes.IndexByte(lines, '\n'); n >= 0 {
			line, lines = lines[:n], lines[n+1:]
		} else {
			lines = nil
		}
		for len(line) > 0 && line[0] == 0 {
			line = line[1:]
		}
		if len(p.parts[0])+len(p.parts[1]) == 0 && c.whole(line) {
			continue
		}
		line = bytes.TrimSuffix(line, []byte("\r"))
		p.taken = false
		c.inner(p, line)
	}
	if len(p.parts[0])+len(p.parts[1]) == 0 {
		return nil
	}
	var out []byte
	for stream, parts := range p.parts {
		if len(parts) > 0 {
			out = binary.LittleEndian.AppendUint32(append(out, byte(stream)), uint32(len(parts)))
			out = append(out, parts...)
		}
	}
	return out
}

// appendParts adds the parts that carryParts wrote down.
func appendParts(parts [2][]byte, before []byte) [2][]byte {
	for len(before) > 5 {
		stream, n := before[0]&1, int(binary.LittleEndian.Uint32(before[1:]))
		parts[stream] = append(parts[stream], before[5:5+n]...)
		before = before[5+n:]
	}
	return parts
}

// inner takes from a line what its carrier brought, parts put together with the last of them. p.partial tells of a part
// that is not. A line may be asked for more than once.
func (c *carrier) inner(p *Parser, line []byte) ([]byte, bool) {
	p.partial = false
	text, ok := c.strip(p, line)
	if !ok || !c.parted {
		p.partial = false
		return text, ok
	}
	held := &p.parts[p.stream&1]
	switch {
	case p.partial:
		if n := maxJoined - len(*held); !p.taken && n > 0 {
			*held = append(*held, text[:min(len(text), n)]...)
		}
		p.taken = true
		return nil, false
	case p.taken:
		return p.whole, true
	case len(*held) > 0:
		p.whole = append(p.whole[:0], *held...)
		p.whole = append(p.whole, text[:min(len(text), maxJoined-len(p.whole))]...)
		*held, p.taken = (*held)[:0], true
		return p.whole, true
	}
	return text, true
}
