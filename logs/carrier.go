package logs

import (
	"bytes"
)

// A carrier is what brings the lines of another program and writes something around each: syslog, Docker's json-file
// driver, the container runtimes of Kubernetes.
type carrier struct {
	name  string
	strip func(p *Parser, line []byte) (inner []byte, ok bool)
	// parted carriers cut long lines in parts: strip sets p.partial for all but the last, and p.stream.
	parted bool
	// whole tells of a line at a glance that it is no part; false may be wrong.
	whole func(line []byte) bool
}

const syslogCarrier = "syslog"

// dockerOpen is Docker's driver as others write it who leave the line's end away: there no line is a part.
var (
	docker     = carrier{name: "docker", strip: stripDocker, parted: true, whole: wholeDocker}
	dockerOpen = carrier{name: "docker", strip: stripDocker}
	carriers   = []*carrier{&docker, {name: "cri", strip: stripCRI, parted: true, whole: wholeCRI}, {name: syslogCarrier, strip: stripSyslog}}
)

// within is the format of lines of f that a carrier brings: its name is the carrier's, a slash, and f's.
func (c *carrier) within(f *Format) *Format {
	out := *f
	out.Name, out.carry, out.directed = c.name+"/"+f.Name, nil, false
	if c.parted {
		out.carry = c.carryParts
	}
	out.bind = func(_ *Format, head []byte) *Format {
		c := c
		if c == &docker && !c.ends(head) {
			c = &dockerOpen
		}
		lines, _ := c.unwrap(head)
		return c.within(f.WithHead(lines))
	}
	if f.read != nil {
		out.strip = c.inner
		return &out
	}
	out.strict, out.flush = true, f.flush
	out.line = func(p *Parser, b []byte) outcome {
		inner, ok := c.inner(p, b)
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

// ends tells whether any line of head ends what it brings, or none brings anything.
func (c *carrier) ends(head []byte) bool {
	p := anyJSON.NewParser(Options{})
	met := false
	for line := range bytes.Lines(head) {
		if p.partial = false; len(line) < 2 {
			continue
		}
		if _, ok := c.strip(p, bytes.TrimRight(line, "\r\n")); ok {
			if met = true; !p.partial {
				return true
			}
		}
	}
	return !met
}

// stripDocker takes the text out of {"log":"…\n","stream":"stdout","time":"2019-01-01T11:11:11.111111111Z"}
// (docs.docker.com/engine/logging/drivers/json-file). The members' order is not fixed. What a program wrote in one line is
// cut after every 16 KiB, and only the last part then ends in a line end.
func stripDocker(p *Parser, line []byte) ([]byte, bool) {
	if len(line) < 2 || line[0] != '{' {
		return nil, false
	}
	s := &p.scratch
	s.carried = s.carried[:0]
	p.stream = 0 // of a line that names none, whatever the one before was of
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
		case "stream":
			p.stream = 0
			if string(line[at+1:end]) == "stderr" {
				p.stream = 1
			}
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
	if p.partial = len(text) == 0 || text[len(text)-1] != '\n'; p.partial {
		return text, true
	}
	return bytes.TrimRight(text, "\r\n"), true
}

// wholeDocker looks for `\n","stream":"` where Docker writes it.
func wholeDocker(line []byte) bool {
	at := max(len(line)-1024, 0) // attributes of the container may follow
	n := bytes.Index(line[at:], []byte(`\n","stream":"`))
	return n > 0 && starts(line, `{"log":"`) && !escaped(line[:at+n])
}

// stripCRI takes the text out of "2016-10-06T00:17:09.669794202Z stdout F …" (Kubernetes, "CRI logging format"). A line that
// the runtime cut in parts ("P") has the time and place of its last ("F"). Behind the letter more tags may stand, with colons between.
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
	p.stream = 0
	if rest[3] == 'e' {
		p.stream = 1
	}
	tag, text := word(rest[len("stdout "):])
	if len(tag) == 0 || tag[0] != 'F' && tag[0] != 'P' || len(tag) > 1 && tag[1] != ':' {
		return nil, false
	}
	p.carried, p.partial = t, tag[0] == 'P'
	return text, true
}

// wholeCRI looks at the letter.
func wholeCRI(line []byte) bool {
	n := bytes.IndexByte(line[:min(len(line), 48)], ' ')
	return n > 0 && (starts(line[n:], " stdout F ") || starts(line[n:], " stderr F "))
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
