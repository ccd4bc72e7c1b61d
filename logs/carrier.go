package logs

import (
	"bytes"
)

// A carrier is what brings the lines of another program and writes something around each: syslog, Docker's json-file
// driver, the container runtimes of Kubernetes.
type carrier struct {
	name  string
	strip func(p *Parser, line []byte) (inner []byte, ok bool)
}

var carriers = []carrier{
	{"docker", stripDocker},
	{"cri", stripCRI},
	{"syslog", stripSyslog},
}

// within is the format of lines of f that a carrier brings: its name is the carrier's, a slash, and f's.
func (c *carrier) within(f *Format) *Format {
	out := *f
	out.Name = c.name + "/" + f.Name
	if f.read != nil {
		out.strip = c.strip
		return &out
	}
	out.strict, out.flush = true, f.flush
	out.line = func(p *Parser, b []byte) outcome {
		inner, ok := c.strip(p, b)
		switch {
		case p.partial:
			return continued
		case !ok || len(inner) == 0:
			return unparsed
		}
		return p.entry(f, inner)
	}
	return &out
}

// stripDocker takes the text out of {"log":"…\n","stream":"stdout","time":"2019-01-01T11:11:11.111111111Z"}
// (docs.docker.com/engine/logging/drivers/json-file). The members' order is not fixed.
func stripDocker(p *Parser, line []byte) ([]byte, bool) {
	if len(line) < 2 || line[0] != '{' {
		return nil, false
	}
	s := &p.scratch
	s.carried = s.carried[:0]
	var text, when []byte
	at := 1
	for at < len(line) && line[at] != '}' {
		if line[at] == ',' || line[at] == ' ' {
			at++
			continue
		}
		if line[at] != '"' {
			return nil, false
		}
		end := closeString(line, at+1)
		if end < 0 || end+2 >= len(line) || line[end+1] != ':' {
			return nil, false
		}
		key := line[at+1 : end]
		at = skipSpace(line, end+2)
		if at < len(line) && line[at] == '{' {
			var ok bool
			if at, ok = skipNested(line, at); !ok {
				return nil, false
			}
			continue
		}
		if at >= len(line) || line[at] != '"' {
			return nil, false
		}
		end = closeString(line, at+1)
		if end < 0 {
			return nil, false
		}
		switch string(key) {
		case "log":
			text = line[at+1 : end]
		case "time":
			when = line[at+1 : end]
		}
		at = end + 1
	}
	if text == nil || when == nil {
		return nil, false
	}
	if t, n := p.stamps.any(when); n > 0 {
		p.carried = t
	}
	if bytes.IndexByte(text, '\\') >= 0 {
		held := s.text
		s.text = s.carried
		text = s.undo(text)
		s.carried, s.text = s.text, held
	}
	return bytes.TrimRight(text, "\r\n"), true
}

// stripCRI takes the text out of "2016-10-06T00:17:09.669794202Z stdout F …" (Kubernetes, "CRI logging format"). A line that
// the runtime cut in parts ("P") is given out whole with its last ("F"), whose time and place it then has; parts on both sides of a
// block's end stay apart.
func stripCRI(p *Parser, line []byte) ([]byte, bool) {
	if len(line) < 30 || line[4] != '-' || line[10] != 'T' {
		return nil, false
	}
	t, n := p.stamps.any(line)
	if n == 0 || n >= len(line) || line[n] != ' ' {
		return nil, false
	}
	rest := line[n+1:]
	if !starts(rest, "stdout ") && !starts(rest, "stderr ") {
		return nil, false
	}
	stream := rest[len("std")]
	rest = rest[len("stdout "):]
	if !starts(rest, "F ") && !starts(rest, "P ") {
		return nil, false
	}
	p.carried = t
	text := rest[2:]
	if rest[0] == 'P' {
		if p.stream != stream {
			p.parts = p.parts[:0]
		}
		if n := maxEntry - len(p.parts); n > 0 {
			p.parts = append(p.parts, text[:min(len(text), n)]...)
		}
		p.partial, p.stream = true, stream
		return nil, false
	}
	if len(p.parts) > 0 && p.stream == stream {
		p.whole = append(append(p.whole[:0], p.parts...), text...)
		p.parts = p.parts[:0]
		return p.whole, true
	}
	return text, true
}

// syslog5424 reads "time host app pid msgid data message".
func (p *Parser) syslog5424(b []byte) ([]byte, bool) {
	when, rest := word(b)
	if t, n := p.stamps.any(when); n == len(when) && n > 0 {
		p.carried = t
	} else if string(when) != "-" {
		return nil, false
	}
	for i := range 4 {
		var one []byte
		if one, rest = word(rest); len(one) == 0 || len(rest) == 0 {
			return nil, false
		}
		if i == 1 { // host, program, process id, message id
			p.sender = one
		}
	}
	// Structured data: "-", or elements in brackets, with strings whose quotes and brackets are escaped.
	if rest[0] == '-' {
		rest = rest[1:]
	}
	for len(rest) > 0 && rest[0] == '[' {
		at, quoted := 1, false
		for at < len(rest) && (quoted || rest[at] != ']') {
			switch {
			case rest[at] == '\\':
				at++
			case rest[at] == '"':
				quoted = !quoted
			}
			at++
		}
		if at >= len(rest) {
			return nil, false
		}
		rest = rest[at+1:]
	}
	if len(rest) < 2 || rest[0] != ' ' {
		return nil, false
	}
	return bytes.TrimPrefix(rest[1:], []byte("\xef\xbb\xbf")), true
}
