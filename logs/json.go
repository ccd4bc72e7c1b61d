package logs

import (
	"bytes"
	"time"
	"unicode/utf8"
)

// scratch holds what a line needs that does not stand in it as it is.
type scratch struct {
	text    []byte // strings with their escapes undone
	carried []byte // the same of a line that a carrier brought
	path    []byte // the key in hand, with those it is nested in
	ranks   [partUser + 1]int8
	keys    *map[string]meaning
	// marks of a writer: bits of mark…
	marks uint8
	// members of the last line in their order, of which the next line has mostly the same; the one in hand, of this line the nth; and the
	// place of one that is not among them.
	members []jsonName
	inHand  *jsonName
	odd     jsonName
	nth     int
	// seen takes every key with its value while a format string is compiled.
	seen func(key, value string)
}

const (
	markCaddy   = 1 << iota // nested "request" with remote_ip or remote_addr, and "ts"
	markTraefik             // DownstreamStatus
)

var (
	caddyJSON   = &Format{Name: "caddy_json", read: func(p *Parser, line []byte) grade { return p.readJSON(line, &keys, markCaddy) }}
	traefikJSON = &Format{Name: "traefik_json", read: func(p *Parser, line []byte) grade { return p.readJSON(line, &keys, markTraefik) }}
	anyJSON     = &Format{Name: "json", read: func(p *Parser, line []byte) grade { return p.readJSON(line, &keys, 0) }}
)

// format is whose line of JSON was read last.
func (s *scratch) format() *Format {
	switch {
	case s.marks&markCaddy != 0:
		return caddyJSON
	case s.marks&markTraefik != 0:
		return traefikJSON
	}
	return anyJSON
}

// maxDepth is how deep members are looked at; Caddy's deepest is three. What lies deeper is skipped.
const maxDepth = 8

// readJSON reads a line that is one JSON object. It is lenient: what is no JSON at all but can be told apart, such as
// the \x22 that Apache writes into a JSON format, is read; of a member that comes twice the first is taken.
func (p *Parser) readJSON(line []byte, known *map[string]meaning, mark uint8) grade {
	p.beginMute()
	p.scratch.start(known)
	at := 0
	for at < len(line) && line[at] == ' ' {
		at++
	}
	if at == len(line) {
		return misfit
	}
	if line[at] != '{' {
		// Caddy's "console" format: time, level, logger, message and the object, with tabs between.
		t, n := p.stamps.any(line)
		open := bytes.Index(line, []byte("\t{"))
		if n == 0 || open < n || mark != markCaddy {
			return misfit
		}
		p.req.Time, p.seen, at = t, sawTime, open+1
	}
	at, whole := p.object(line, at+1, 0)
	g := p.settleKeys(whole && at > 0)
	if g == misfit && mark == 0 && len(p.inner) > 0 && hasBracketedTime(p.inner) {
		return p.innerLine()
	}
	if g == complete && mark != 0 && p.scratch.marks&mark == 0 {
		return stump
	}
	return g
}

func (s *scratch) start(known *map[string]meaning) {
	if s.keys != known {
		s.members = s.members[:0]
	}
	s.text, s.path, s.keys, s.marks, s.nth = s.text[:0], s.path[:0], known, 0, 0
	s.ranks = [partUser + 1]int8{}
}

// settleKeys grades a line of keys: any JSON would fit, so a request is one only with a target or request and either a
// client or a status.
func (p *Parser) settleKeys(whole bool) grade {
	target := p.seen&(sawRequest|sawPath) != 0
	if p.seen&sawClient == 0 {
		// Fluentd's parsers of access logs call the client "host".
		if a, ok := parseAddr(p.req.Host); ok {
			p.req.Client, p.req.Host, p.seen = a, nil, p.seen|sawClient
		}
	}
	if p.seen&(sawTime|sawStatus) == sawStatus && (p.seen&sawRequest != 0 || len(p.req.Method) > 0) {
		// Of a framework that leaves the time to who takes its lines, as Lograge does, whose durations are in a unit of its own.
		p.seen, p.req.Took = p.seen|sawTime, -1
	}
	g := p.settle(whole)
	if !target || p.seen&(sawClient|sawStatus) == 0 {
		return misfit
	}
	return g
}

// innerLine reads the line of an access log that the shippers of logs put whole into a member.
func (p *Parser) innerLine() grade {
	line := bytes.TrimRight(p.inner, "\r\n")
	for _, f := range []*Format{combined, common, vhost} {
		if f.read(p, line) == complete {
			return complete
		}
	}
	return misfit
}

// object reads members up to the closing brace; prefix is how much of the path belongs to the object. It returns where
// the text behind it begins and whether the object was whole.
func (p *Parser) object(line []byte, at, depth int) (int, bool) {
	s := &p.scratch
	prefix := len(s.path)
	for {
		at = skipSpace(line, at)
		if at >= len(line) {
			return at, false
		}
		switch line[at] {
		case '}':
			return at + 1, true
		case ',':
			at++
			continue
		case '"':
		default:
			return at, false
		}
		end := s.key(line, at+1, prefix)
		if end < 0 {
			return at, false
		}
		at = skipSpace(line, end+1)
		if at >= len(line) || line[at] != ':' {
			return at, false
		}
		at = skipSpace(line, at+1)
		var ok bool
		if at, ok = p.value(line, at, depth); !ok {
			return at, false
		}
		s.path = s.path[:prefix]
	}
}

// value reads a value for the path in hand.
func (p *Parser) value(line []byte, at, depth int) (int, bool) {
	if at >= len(line) {
		return at, false
	}
	switch line[at] {
	case '"':
		end := closeString(line, at+1)
		if end < 0 {
			// Cut off in the middle of a value: what is there still says something.
			p.member(line[at+1:])
			return len(line), false
		}
		p.member(line[at+1 : end])
		return end + 1, true
	case '{':
		if depth == maxDepth {
			return skipNested(line, at)
		}
		if path := p.scratch.path; p.req.Lacks != 0 && (string(path) == "headers" || bytes.HasSuffix(path, []byte(".headers"))) {
			p.req.Lacks = 0 // what is not among them was not sent
		}
		return p.object(line, at+1, depth+1)
	case '[':
		if depth == maxDepth {
			return skipNested(line, at)
		}
		return p.array(line, at+1, depth+1)
	}
	start := at
	for at < len(line) && line[at] != ',' && line[at] != '}' && line[at] != ']' && line[at] != ' ' {
		at++
	}
	if at == start {
		return at, false
	}
	if c := line[start]; c != 'n' && c != 't' && c != 'f' { // null, true, false
		p.member(line[start:at])
	}
	return at, true
}

// array reads elements as if each were the member's value; the first wins.
func (p *Parser) array(line []byte, at, depth int) (int, bool) {
	s := &p.scratch
	prefix, name := len(s.path), s.inHand
	for {
		at = skipSpace(line, at)
		if at >= len(line) {
			return at, false
		}
		s.inHand = name
		switch line[at] {
		case ']':
			return at + 1, true
		case ',':
			at++
			continue
		}
		var ok bool
		if at, ok = p.value(line, at, depth); !ok {
			return at, false
		}
		s.path = s.path[:prefix]
	}
}

// skipNested skips a container that lies too deep.
func skipNested(line []byte, at int) (int, bool) {
	open := 0
	for at < len(line) {
		switch line[at] {
		case '"':
			end := closeString(line, at+1)
			if end < 0 {
				return len(line), false
			}
			at = end
		case '{', '[':
			open++
		case '}', ']':
			if open--; open == 0 {
				return at + 1, true
			}
		}
		at++
	}
	return at, false
}

func skipSpace(line []byte, at int) int {
	for at < len(line) && (line[at] == ' ' || line[at] == '\t') {
		at++
	}
	return at
}

// closeString finds the quote that ends a string which begins at from.
func closeString(line []byte, from int) int {
	for at := from; ; {
		n := bytes.IndexByte(line[at:], '"')
		if n < 0 {
			return -1
		}
		end := at + n
		if end == from || line[end-1] != '\\' || !escaped(line[from:end]) {
			return end
		}
		at = end + 1
	}
}

// member takes the value of the path in hand, when it is one that a request has.
func (p *Parser) member(value []byte) {
	s := &p.scratch
	if s.seen != nil {
		s.seen(string(s.path), string(value))
		return
	}
	f := s.inHand.means
	s.marks |= s.inHand.mark
	p.req.Lacks &^= f.what.asker()
	if len(value) == 0 && f.what == partRequest && p.seen&(sawRequest|sawPath) == 0 { // nginx writes so what could not be read
		p.set(partRequest, 0, value)
	}
	if f.what == partSkip || len(value) == 0 || int8(f.rank)+1 <= s.ranks[f.what] {
		return
	}
	if bytes.IndexByte(value, '\\') >= 0 {
		value = s.undo(value)
	}
	if p.setLoose(f, value) {
		s.ranks[f.what] = int8(f.rank) + 1
	}
}

// setLoose takes a value that a key promises, and is false when the value is no such thing.
func (p *Parser) setLoose(f meaning, value []byte) bool {
	switch f.what {
	case partTook:
		return p.looseTook(f.unit, value)
	case partRequest:
		if bytes.IndexByte(value, ' ') < 0 && len(value) > 0 && (value[0] == '/' || bytes.HasPrefix(value, []byte("http"))) {
			return p.set(partURI, 0, value)
		}
	case partReferer, partAgent:
		if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' { // Logstash leaves the line's quotes
			value = value[1 : n-1]
		}
		if string(p.scratch.path) == "ua" && bytes.IndexByte(value, '%') >= 0 && bytes.IndexByte(value, ' ') < 0 { // Akamai's
			value = p.scratch.query(value)
		}
	case partTime, partDate, partClock:
		return len(value) > 1 && p.set(f.what, 0, value)
	}
	return p.set(f.what, f.unit, value)
}

// looseTook reads a duration whose unit is not fixed: a suffix tells it ("12.5ms"); of Traefik's "Duration" it is a
// nanosecond; a fraction is of seconds, as nginx and Caddy write it, and a whole number counts milliseconds, as most
// others do.
func (p *Parser) looseTook(unit time.Duration, value []byte) bool {
	n := len(value)
	for n > 0 && !isDigit(value[n-1]) && value[n-1] != '.' {
		n--
	}
	number, suffix := value[:n], value[n:]
	if n == 0 || !isDigit(number[0]) && number[0] != '.' {
		return false
	}
	for _, c := range number {
		if !isDigit(c) && c != '.' && c|0x20 != 'e' && c != '-' && c != '+' {
			if p.seen&sawTime == 0 { // the "requestTime" of AWS's API gateway is a date
				p.set(partTime, 0, value)
			}
			return false
		}
	}
	switch string(suffix) {
	case "s", "sec", "seconds":
		unit = time.Second
	case "ms", " ms":
		unit = time.Millisecond
	case "us", "µs", "\u03bcs":
		unit = time.Microsecond
	case "ns":
		unit = time.Nanosecond
	case "":
		if unit == auto {
			switch {
			case bytes.ContainsAny(number, ".eE"):
				unit = time.Second
			case string(p.scratch.path) == "duration" && len(number) > 4:
				unit = time.Nanosecond
			default:
				unit = time.Millisecond
			}
		}
	default:
		return false
	}
	p.req.Took = -1
	return p.setTook(unit, number)
}

// undo undoes the escapes of a JSON string into memory of the parser's own, valid until the next line.
func (s *scratch) undo(b []byte) []byte {
	start := len(s.text)
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\\')
		if n < 0 || n+1 == len(b) {
			s.text = append(s.text, b...)
			break
		}
		s.text = append(s.text, b[:n]...)
		c := b[n+1]
		b = b[n+2:]
		switch c {
		case 'n':
			c = '\n'
		case 't':
			c = '\t'
		case 'r':
			c = '\r'
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case '"', '\\', '/':
		case 'u':
			r, used := hexRune(b)
			if used == 0 {
				s.text = append(s.text, '\\', 'u')
				continue
			}
			b = b[used:]
			s.text = utf8.AppendRune(s.text, r)
			continue
		default:
			s.text = append(s.text, '\\')
		}
		s.text = append(s.text, c)
	}
	return s.text[start:len(s.text):len(s.text)]
}

// query undoes "%20" and "+" into memory of the parser's own, valid until the next line.
func (s *scratch) query(b []byte) []byte {
	start := len(s.text)
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(b) && hexDigit(b[i+1]) >= 0 && hexDigit(b[i+2]) >= 0:
			c = byte(hexDigit(b[i+1])<<4 | hexDigit(b[i+2]))
			i += 2
		}
		s.text = append(s.text, c)
	}
	return s.text[start:len(s.text):len(s.text)]
}

// hexRune reads the digits behind \u, and the second half of a pair.
func hexRune(b []byte) (rune, int) {
	r, ok := hex4(b)
	if !ok {
		return 0, 0
	}
	if r >= 0xd800 && r < 0xdc00 && len(b) >= 10 && b[4] == '\\' && b[5] == 'u' {
		if low, ok := hex4(b[6:]); ok && low >= 0xdc00 && low < 0xe000 {
			return (r-0xd800)<<10 | (low - 0xdc00) + 0x10000, 10
		}
	}
	return r, 4
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	r := 0
	for _, c := range b[:4] {
		d := hexDigit(c)
		if d < 0 {
			return 0, false
		}
		r = r<<4 | d
	}
	return rune(r), true
}
