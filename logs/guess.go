package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// guessed reads an access log of a layout that no one foretold, by what its fields look like: a time, an address, a
// request line in quotes. Of fields that look alike the first counts. Detect tries it when nothing else fits, Auto never.
var guessed = &Format{Name: "access", read: readGuessed}

// ginLog is the console log of the Gin framework: "[GIN] 2026/11/22 - 14:03:07 | 200 | 1.2ms | 192.0.2.7 | GET "/path"".
var ginLog = &Format{Name: "gin", read: readGin}

// maxFields bounds how many fields of a line are looked at.
const maxFields = 64

func readGuessed(p *Parser, line []byte) grade {
	p.beginMute()
	if starts(line, "[notice] ") && bytes.Contains(line[:min(len(line), 128)], []byte(" <0.")) {
		return readCouch(p, line)
	}
	r := &p.req
	for rest, n := line, 0; len(rest) > 0 && n < maxFields; n++ {
		switch rest[0] {
		case ' ', '\t', '|', ',', ';':
			rest = rest[1:]
			continue
		}
		one, after, quoted := token(rest)
		if p.seen&sawTime == 0 {
			// A time may have spaces.
			from := rest
			if quoted {
				from = one
			}
			if len(from) > 0 && (from[0] == '[' || from[0] == '(') {
				from = from[1:]
			}
			if t, used := p.stamps.any(from); used >= 10 && (used == len(from) || !isName(from[used:used+1]) || bytes.IndexByte([]byte("]|,"), from[used]) >= 0) {
				r.Time, p.seen = t, p.seen|sawTime
				if rest = from[used:]; quoted {
					rest = after
				} else if len(rest) > 0 {
					rest = rest[1:]
				}
				continue
			}
		}
		p.guess(one, quoted)
		rest = after
	}
	if p.seen&(sawTime|sawClient) != sawTime|sawClient || p.seen&(sawRequest|sawPath) == 0 || p.seen&(sawRequest|sawStatus) == 0 && len(r.Proto) == 0 {
		return misfit
	}
	return p.settle(true)
}

// readCouch reads what CouchDB logs of requests: "[notice] TIME NODE <PID> ID HOST PEER USER METHOD PATH 200 ok 12" (chttpd.erl, log_request). The
// host that a client asks for stands before the peer and may be an address, or hold a whole line: so it is read from its end.
func readCouch(p *Parser, line []byte) grade {
	t, n := p.stamps.any(line[len("[notice] "):])
	rest, took := lastWord(line)
	rest, ended := lastWord(rest)
	rest, status := lastWord(rest)
	rest, target := lastWord(rest)
	rest, method := lastWord(rest)
	rest, user := lastWord(rest)
	rest, peer := lastWord(rest)
	if n == 0 || bytes.Count(rest, []byte(" ")) < 4 || string(ended) != "ok" && string(ended) != "aborted" || len(target) == 0 || target[0] != '/' ||
		!isMethod(method) || !looksAddr(peer) || !p.setStatus(status) || !p.setTook(time.Millisecond, took) {
		return misfit
	}
	p.setClient(peer)
	r := &p.req
	r.Time, r.Method, r.Kind, p.uri = t, method, connwarden.ReqHTTP, target
	if string(user) != "undefined" {
		r.User = user
	}
	p.seen |= sawTime | sawPath
	return p.settle(true)
}

// guess takes a field for what it looks like.
func (p *Parser) guess(b []byte, quoted bool) {
	r := &p.req
	switch {
	case len(b) == 0:
	case quoted && len(b) == 1 && b[0] == '-': // one of them that was not sent
		r.Lacks = 0
	case p.seen&(sawRequest|sawPath) == 0 && quoted && looksRequest(b):
		p.requestLine(b)
		p.seen |= sawRequest
	case p.seen&sawClient == 0 && len(b) < 64 && looksAddr(b):
		p.setClient(b)
	case p.seen&sawStatus == 0 && len(b) > 7 && b[0] == 'T' && b[len(b)-4] == '/' && b[3] == '_' && p.setStatus(b[len(b)-3:]): // Squid's TCP_MISS/200
	case p.seen&(sawStatus|sawRequest|sawPath) == sawStatus && r.Size < 0 && isDigit(b[0]):
		p.setSize(b)
	case p.seen&sawPath != 0 && len(r.Proto) == 0 && isHTTP(b):
		r.Proto = b
	case p.seen&(sawRequest|sawPath) == 0:
		switch {
		case len(r.Method) == 0 && knownMethod(b):
			r.Method = b
			return
		case len(r.Method) > 0 && (b[0] == '/' || starts(b, "http")):
			p.uri, p.seen = b, p.seen|sawPath
			return
		}
		if len(r.Host) == 0 && p.seen&sawClient == 0 && bytes.IndexByte(b, '.') > 0 && isName(b) && b[0] != '[' {
			r.Host = hostOnly(b)
		}
	case p.seen&sawStatus == 0 && len(b) == 3 && isDigit(b[0]) && p.setStatus(b):
	case p.seen&sawStatus != 0 && r.Size < 0 && (isDigit(b[0]) || len(b) == 1 && b[0] == '-') && bytes.IndexByte(b, '.') < 0:
		p.setSize(b)
	case quoted && len(r.Referer) == 0 && (starts(b, "http://") || starts(b, "https://")):
		r.Referer, r.Lacks = b, r.Lacks&^connwarden.FieldReferer
	case quoted && len(r.Agent) == 0 && (bytes.IndexByte(b, '/') > 0 || bytes.IndexByte(b, ' ') > 0):
		r.Agent, r.Lacks = b, r.Lacks&^connwarden.FieldAgent
	}
}

// looksRequest tells whether b is a request line with its protocol.
func looksRequest(b []byte) bool {
	method, rest := word(b)
	n := bytes.LastIndexByte(rest, ' ')
	return n > 0 && isHTTP(rest[n+1:]) && len(method) > 0 && isMethod(method)
}

// looksAddr tells whether b is an address, or a list that ends in one.
func looksAddr(b []byte) bool {
	if n := bytes.LastIndexByte(b, ','); n >= 0 {
		b = bytes.TrimLeft(b[n+1:], " ")
	}
	_, ok := parseAddr(b)
	return ok
}

// token cuts the field off that b begins with: in quotes, in brackets, or up to a space.
func token(b []byte) (one, rest []byte, quoted bool) {
	if b[0] == '"' || b[0] == '\'' {
		for at := 1; ; {
			n := bytes.IndexByte(b[at:], b[0])
			if n < 0 {
				return b[1:], nil, true
			}
			if at += n; !escaped(b[1:at]) {
				return b[1:at], b[at+1:], true
			}
			at++
		}
	}
	if b[0] == '[' {
		if n := bytes.IndexByte(b, ']'); n > 0 {
			return b[1:n], b[n+1:], false
		}
	}
	for i, c := range b {
		if c == ' ' || c == '\t' || c == '|' || c == ',' && i+1 < len(b) && b[i+1] != ' ' {
			return b[:i], b[i:], false
		}
		if c == '=' && i+1 < len(b) && (b[i+1] == '"' || b[i+1] == '[' || isDigit(b[i+1])) { // key=value
			return token(b[i+1:])
		}
	}
	return b, nil, false
}

func readGin(p *Parser, line []byte) grade {
	p.beginMute()
	if !starts(line, "[GIN") {
		return misfit
	}
	n := bytes.IndexByte(line, ']')
	if n < 0 || len(line) < n+25 {
		return misfit
	}
	b := line[n+2:]
	day, ok1 := p.stamps.isoDay(b)
	clock, ok2 := hms(b[min(13, len(b)):])
	if !ok1 || !ok2 || !starts(b[10:], " - ") {
		return misfit
	}
	r := &p.req
	r.Time, p.seen = p.stamps.local(day+int64(clock), 0), sawTime
	for i, rest := 0, b[21:]; i < 4; i++ {
		rest = bytes.TrimLeft(rest, " |")
		one := rest
		if n := bytes.IndexByte(rest, '|'); n >= 0 {
			one, rest = rest[:n], rest[n:]
		}
		one = bytes.TrimSpace(colourless(one))
		switch i {
		case 0:
			ok1 = p.setStatus(one)
		case 1:
			p.looseTook(time.Second, one)
		case 2:
			p.setClient(one)
		case 3:
			method, target := word(one)
			r.Method, r.Kind = method, connwarden.ReqHTTP
			p.uri = bytes.Trim(target, ` "`)
			ok2 = len(p.uri) > 0 && isMethod(method)
		}
	}
	if !ok1 || !ok2 {
		return misfit
	}
	p.seen |= sawPath
	return p.settle(true)
}

// colourless takes the colours of a terminal off both ends of a field.
func colourless(b []byte) []byte {
	b = bytes.TrimSpace(b)
	for len(b) > 2 && b[0] == 0x1b {
		n := bytes.IndexByte(b, 'm')
		if n < 0 {
			break
		}
		b = b[n+1:]
	}
	if n := bytes.IndexByte(b, 0x1b); n >= 0 {
		b = b[:n]
	}
	return b
}
