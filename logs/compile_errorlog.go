package logs

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/connwarden/connwarden"
)

// errorField is one field of an ErrorLogFormat: what stands between two blanks that part fields. Apache leaves a field out when one of its
// items has nothing to say (server/log.c, do_errorlog_format).
type errorField []errorItem

// errorItem is a text, or an item by its letter.
type errorItem struct {
	letter byte // 0 for a text
	text   string
}

// hostileItems are the items that a client writes: headers, the Host, notes and variables that may hold either.
const hostileItems = "ienV"

// errorLayout is a compiled ErrorLogFormat.
type errorLayout struct {
	before  []errorField // in front of the message's
	message errorField
	behind  []errorField
	timed   bool
}

// ErrorLogFormat compiles the format of Apache's directive of that name, as it stands in the configuration without its quotes. A client is
// taken from %a only where nothing that a client wrote can stand for it: in front of the message and of headers, or at the very end. The
// error names what is not understood and where it stands, counted from 1.
func ErrorLogFormat(spec string) (*Format, error) {
	if len(spec) > maxSpec {
		return nil, fmt.Errorf("error log format %q…: longer than %d bytes", spec[:60], maxSpec)
	}
	fields, err := errorFields(spec)
	if err != nil {
		return nil, err
	}
	l := &errorLayout{}
	for _, f := range fields {
		switch {
		case l.message != nil:
			l.behind = append(l.behind, f)
		case f.has('M'):
			l.message = f
		default:
			l.before = append(l.before, f)
			l.timed = l.timed || f.has('t')
		}
	}
	if l.message == nil {
		return nil, fmt.Errorf("error log format %q: has no %%M, and so no message", spec)
	}
	none := (&Format{}).NewParser(Options{})
	return &Format{
		Name: "apache_error_custom", Kind: Error, Whole: true, strict: true,
		fits: func(line []byte) bool {
			p := *none // a format is shared by goroutines
			_, ok := p.errorHead(l, line)
			return ok
		},
		line: func(p *Parser, line []byte) outcome { return p.customError(l, line) },
	}, nil
}

// errorFields parts a format into its fields.
func errorFields(spec string) ([]errorField, error) {
	var fields []errorField
	var one errorField
	text := func(s string) {
		if n := len(one); n > 0 && one[n-1].letter == 0 {
			one[n-1].text += s
		} else {
			one = append(one, errorItem{text: s})
		}
	}
	end := func() {
		if len(one) > 0 {
			fields = append(fields, one)
		}
		one = nil
	}
	for i := 0; i < len(spec); i++ {
		switch c := spec[i]; {
		case c == ' ':
			end()
		case c == '\\' && i+1 < len(spec):
			i++
			text(spec[i : i+1])
		case c == '%':
			at := i + 1
			i++
			for i < len(spec) && (spec[i] == '-' || spec[i] == '+' || isDigit(spec[i])) {
				i++
			}
			if i < len(spec) && spec[i] == '{' {
				n := strings.IndexByte(spec[i:], '}')
				if n < 0 {
					return nil, fmt.Errorf("error log format %q: the brace at %d is not closed", spec, i+1)
				}
				i += n + 1
			}
			switch {
			case i >= len(spec):
				return nil, fmt.Errorf("error log format %q: ends in the middle of the item at %d", spec, at)
			case spec[i] == '%':
				text("%")
			case spec[i] == ' ':
				end()
			case strings.IndexByte("aAeEFiklLmMnPTtvV", spec[i]) >= 0:
				one = append(one, errorItem{letter: spec[i]})
			default:
				return nil, fmt.Errorf("error log format %q: %%%c at %d is not known", spec, spec[i], at)
			}
		default:
			text(spec[i : i+1])
		}
	}
	end()
	return fields, nil
}

func (f errorField) has(letters ...byte) bool {
	for _, item := range f {
		if item.letter != 0 && bytes.IndexByte(letters, item.letter) >= 0 {
			return true
		}
	}
	return false
}

func (p *Parser) customError(l *errorLayout, line []byte) outcome {
	p.startFault("apache", line, p.from)
	p.fault.Time = p.errs.last
	rest, ok := p.errorHead(l, line)
	switch {
	case !ok && p.opt.Auto:
		return unparsed // another format may know it
	case !ok:
		return p.apachePlain(line)
	}
	f := &p.fault
	p.errs.last = f.Time
	for i := len(l.behind) - 1; i >= 0; i-- {
		rest = p.errorTail(l.behind[i], rest, i == len(l.behind)-1)
	}
	if first := l.message[0]; first.letter == 0 {
		rest = bytes.TrimPrefix(rest, []byte(first.text))
	}
	rest = apacheCode(f, skipBlank(rest))
	if len(f.Message) > 0 { // what %E said
		j := append(append(p.errs.joined[:0], f.Message...), ": "...)
		p.errs.joined = append(j, rest[:min(len(rest), maxEntry)]...)
		f.Message = p.errs.joined
	} else {
		f.Message = rest
	}
	p.pushFault(p.apacheMessage(rest))
	return parsed
}

// errorHead reads the fields in front of the message into p.fault and returns what follows them. Every field but that of the time may be
// missing.
func (p *Parser) errorHead(l *errorLayout, line []byte) (rest []byte, ok bool) {
	ok = !l.timed
	hostile := false
	for _, f := range l.before {
		had := p.fault
		after, fits := p.errorField(f, line, !hostile)
		if !fits {
			p.fault = had
			continue
		}
		ok = ok || f.has('t')
		hostile = hostile || f.has([]byte(hostileItems)...)
		line = skipBlank(after)
	}
	return line, ok
}

// errorField reads one field that b begins with.
func (p *Parser) errorField(f errorField, b []byte, trusted bool) (rest []byte, ok bool) {
	for i, item := range f {
		if item.letter == 0 {
			if !starts(b, item.text) {
				return b, false
			}
			b = b[len(item.text):]
			continue
		}
		// The item ends where the text behind it begins; a time may have blanks, and so has an error's text.
		var end int
		switch {
		case i+1 < len(f) && f[i+1].letter == 0:
			end = bytes.Index(b, []byte(f[i+1].text))
		case item.letter == 't':
			_, end = p.stamps.any(b)
		default:
			end = bytes.IndexByte(b, ' ')
		}
		if end < 0 || !p.errorItem(item.letter, b[:end], trusted) {
			return b, false
		}
		b = b[end:]
	}
	return b, true
}

// errorItem takes the text of one item; it is false when the text cannot be one.
func (p *Parser) errorItem(letter byte, b []byte, trusted bool) bool {
	f := &p.fault
	switch letter {
	case 't':
		at, ok := p.apacheTime(b)
		f.Time = at
		return ok
	case 'a':
		a, ok := apacheClient(b, false)
		if ok && trusted {
			f.Client = a
		}
		return ok
	case 'l':
		f.Level = level(b)
		return f.Level != connwarden.LevelUnknown
	case 'm':
		f.Module = dash(b)
	case 'v':
		f.Site = dash(b)
	case 'E':
		if len(b) == 0 || b[0] != '(' {
			return false
		}
		if n := bytes.IndexByte(b, ')'); n > 0 {
			f.Message = b[n+1:]
		}
	case 'P', 'T', 'k':
		_, ok := digits(dash(b))
		return ok || string(b) == "-"
	case 'F':
		return bytes.Contains(b, []byte(".c(")) || string(b) == "-"
	}
	return true
}

// errorTail takes a field off the end of b, if it is there. Only the very last may say who the client is.
func (p *Parser) errorTail(f errorField, b []byte, last bool) []byte {
	if f[0].letter != 0 {
		return b
	}
	at := bytes.LastIndex(b, []byte(f[0].text))
	if at < 0 {
		return b
	}
	had := p.fault
	if rest, ok := p.errorField(f, b[at:], last && !f.has([]byte(hostileItems)...)); !ok || last && len(rest) > 0 {
		if !f.has([]byte(hostileItems)...) {
			p.fault = had
			return b
		}
	}
	for at > 0 && b[at-1] == ' ' {
		at--
	}
	return b[:at]
}
