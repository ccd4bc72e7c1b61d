package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// Access logs of application servers and frameworks, which follow nobody's form. Many name neither a zone, nor a day, nor the client: what is
// not there stays empty, and the time is then that of the carrier, if one brought the line. Each reader asks for more marks of its own than a
// line of another log has.
var (
	// uvicornLog is Uvicorn's `INFO:     192.0.2.7:51822 - "GET /a HTTP/1.1" 200 OK` (uvicorn.org/settings, "Logging"), perhaps with a
	// time, a level and a logger of the application's own choice in front.
	uvicornLog = &Format{Name: "uvicorn", read: readUvicorn}
	// djangoLog is runserver's `[22/Nov/2026 14:03:07] "GET / HTTP/1.1" 200 10671` (docs.djangoproject.com, ref/logging, "django.server"),
	// with anything else in front where a project formats it.
	djangoLog = &Format{Name: "django", read: readDjango}
	// tornadoLog is Tornado's `200 GET / (192.0.2.7) 1.23ms` behind what its or Python's formatter writes, as Jupyter has it too.
	tornadoLog = &Format{Name: "tornado", read: readTornado}
	// sanicLog is Sanic's `(sanic.access)[INFO][192.0.2.7:51822]: GET http://example.com/a  200 12`.
	sanicLog = &Format{Name: "sanic", read: readSanic}
	// phpServer is `php -S`: `[Sun Nov 22 14:03:07 2026] 192.0.2.7:51822 [200]: GET /`.
	phpServer = &Format{Name: "php_server", read: readPHPServer}
	// uwsgiLog is uWSGI's `[pid: 1|app: 0|req: 1/1] 192.0.2.7 () {36 vars in 591 bytes} [Sun Nov 22 14:03:07 2026] GET /a => generated 12
	// bytes in 3 msecs (HTTP/1.1 200) …`.
	uwsgiLog = &Format{Name: "uwsgi", read: readUWSGI}
)

// maxLogger bounds what a logger may write in front of a request.
const maxLogger = 256

// apart takes a request whose parts stand apart, and is false when they cannot be those of one.
func (p *Parser) apart(method, target []byte) bool {
	if len(target) == 0 || target[0] != '/' && target[0] != '*' && !starts(target, "http") && string(method) != "CONNECT" ||
		len(method) < len("GET") || !isMethod(method) {
		return false
	}
	for _, c := range method {
		if c >= 'a' {
			return false
		}
	}
	p.req.Method, p.uri, p.seen = method, target, p.seen|sawPath
	return true
}

// timeIn takes a time that stands among the first words of b. The line may have none.
func (p *Parser) timeIn(b []byte) {
	p.seen |= sawTime
	for words := 0; words < 5 && len(b) > 0; words++ {
		from := b
		if from[0] == '[' || from[0] == '(' {
			from = from[1:]
		}
		t, n := p.stamps.any(from)
		if n < len("Nov 22 14:03:07") {
			t, n = p.stamps.odd(from)
		}
		if n > 0 {
			p.req.Time = t
			return
		}
		_, b = word(b)
		b = skipBlank(b)
	}
}

// lastWord cuts b at its last space.
func lastWord(b []byte) (rest, last []byte) {
	if n := bytes.LastIndexByte(b, ' '); n >= 0 {
		return b[:n], b[n+1:]
	}
	return nil, b
}

// withPort takes the client from "192.0.2.7:51822", "::1:51822" or "localhost:51822".
func (p *Parser) withPort(b []byte) bool {
	n := bytes.LastIndexByte(b, ':')
	if n <= 0 || !isPort(b[n:]) {
		return false
	}
	p.setClient(b[:n])
	return true
}

// quoted reads `"GET /a HTTP/1.1" 200` behind head and returns what follows.
func (p *Parser) quoted(line []byte, at int) (rest []byte, ok bool) {
	end := closeRequest(line, at)
	if end < 0 || end+5 > len(line) || !isDigit(line[end+3]) {
		return nil, false
	}
	text := colourless(line[at:end])
	if !looksRequest(text) {
		return nil, false
	}
	p.requestLine(text)
	p.setStatus(line[end+2 : end+5])
	p.seen |= sawRequest
	return line[end+5:], true
}

func readUvicorn(p *Parser, line []byte) grade {
	p.beginMute()
	n := bytes.Index(line[:min(len(line), maxLogger)], []byte(` - "`))
	if n <= 0 || bytes.IndexByte(line[:n], '"') >= 0 {
		return misfit
	}
	head := line[:n]
	before, client := lastWord(head)
	if !p.withPort(client) && (len(client) > 0 || !bytes.HasSuffix(bytes.TrimRight(before, " "), []byte(":"))) { // a socket of Unix has no peers
		return misfit
	}
	at := n + len(` - "`)
	if target, ok := bytes.CutPrefix(line[at:], []byte("WebSocket ")); ok {
		p.timeIn(before)
		return p.webSocket(target)
	}
	rest, ok := p.quoted(line, at)
	if !ok || len(rest) > 40 {
		return misfit
	}
	for _, c := range rest { // "OK", "I'm a Teapot"
		if isDigit(c) || c == '"' {
			return misfit
		}
	}
	p.timeIn(before)
	return p.settle(true)
}

// webSocket reads `/ws" [accepted]` and `/ws" 403`, of a request that asked for another protocol: one with GET (RFC 6455, 4.1).
func (p *Parser) webSocket(text []byte) grade {
	target, answer := lastWord(text)
	target, ok := bytes.CutSuffix(target, quote)
	if !ok || len(target) == 0 || target[0] != '/' {
		return misfit
	}
	p.req.Method, p.req.Status = methodGet, 101
	if p.uri, p.seen = target, p.seen|sawPath; string(answer) != "[accepted]" && (len(answer) != 3 || !p.setStatus(answer)) {
		return misfit
	}
	return p.settle(true)
}

var methodGet = []byte("GET")

func readDjango(p *Parser, line []byte) grade {
	p.beginMute()
	n := bytes.IndexByte(line[:min(len(line), maxLogger)], '"')
	if n < 0 || n > 0 && line[n-1] != ' ' {
		return misfit
	}
	rest, ok := p.quoted(line, n+1)
	if !ok || len(rest) < 2 || rest[0] != ' ' {
		return misfit
	}
	size := rest[1:]
	if _, ok := digits(size); !ok && string(size) != "-" {
		return misfit
	}
	p.setSize(size)
	head := line[:n]
	p.timeIn(head)
	for len(head) > 0 {
		var one []byte
		if one, head = word(head); looksAddr(one) {
			p.setClient(one)
			break
		}
	}
	return p.settle(true)
}

func readTornado(p *Parser, line []byte) grade {
	p.beginMute()
	for at, left := 0, 4; left > 0; left-- {
		n := bytes.Index(line[at:], []byte(" ("))
		if n < 0 {
			return misfit
		}
		at += n + len(" (")
		end := bytes.IndexByte(line[at:], ')')
		if end < 0 {
			return misfit
		}
		client := line[at : at+end]
		took, rest := word(bytes.TrimPrefix(line[at+end+1:], space))
		if !bytes.HasSuffix(took, []byte("ms")) || !isDigit(took[0]) {
			continue
		}
		if m := bytes.LastIndexByte(client, '@'); m >= 0 { // Jupyter's, with the user
			p.req.User, client = client[:m], client[m+1:]
		}
		head, target := lastWord(line[:at-len(" (")])
		head, method := lastWord(head)
		head, status := lastWord(head)
		if m := bytes.LastIndexByte(status, ':'); m >= 0 { // "INFO:tornado.access:200"
			head, status = status[:m], status[m+1:]
		}
		if len(status) != 3 || !p.setStatus(status) || !p.apart(method, target) {
			return misfit
		}
		p.setClient(client)
		p.looseTook(time.Millisecond, took)
		if referer, ok := bytes.CutPrefix(rest, []byte("referer=")); ok {
			p.req.Referer, p.req.Lacks = referer, connwarden.FieldAgent
		}
		p.timeIn(head)
		return p.settle(true)
	}
	return misfit
}

func readSanic(p *Parser, line []byte) grade {
	p.beginMute()
	const mark = "(sanic.access)["
	n := bytes.Index(line[:min(len(line), maxLogger)], []byte(mark))
	if n < 0 {
		return misfit
	}
	_, text, ok := bytes.Cut(line[n+len(mark):], []byte("]["))
	client, text, ok2 := bytes.Cut(text, []byte("]: "))
	if !ok || !ok2 {
		return misfit
	}
	p.withPort(bytes.TrimSpace(client))
	method, text := word(text)
	target, text := word(text)
	status, size := word(skipBlank(text))
	if !p.apart(method, target) || !p.setStatus(status) || !p.setSize(size) {
		return misfit
	}
	p.timeIn(line[:n])
	return p.settle(true)
}

func readPHPServer(p *Parser, line []byte) grade {
	p.beginMute()
	if line[0] != '[' {
		return misfit
	}
	t, n := p.stamps.any(line[1:])
	if n == 0 || len(line) < n+4 || line[n+1] != ']' || line[n+2] != ' ' {
		return misfit
	}
	client, rest := word(line[n+3:])
	rest = colourless(rest)
	if !p.withPort(client) {
		return misfit
	}
	p.req.Time, p.seen = t, p.seen|sawTime
	switch {
	case string(rest) == "Accepted", string(rest) == "Closing", starts(rest, "Closed without "):
		return aside
	case starts(rest, "Invalid request ("):
		p.req.Kind, p.req.Path, p.seen = connwarden.ReqGarbage, rest, p.seen|sawRequest
		if starts(rest, "Invalid request (Unsupported SSL") {
			p.req.Kind = connwarden.ReqTLS
		}
		return p.settle(true)
	}
	if len(rest) < len("[200]: /") || rest[0] != '[' || string(rest[4:7]) != "]: " || !p.setStatus(rest[1:4]) {
		return misfit
	}
	p.seen |= sawPath
	method, target := word(rest[7:])
	switch {
	case len(target) == 0 || starts(method, "/"): // before PHP 7.4
		target = rest[7:]
	case string(method) != "(null)":
		p.req.Method = method
	}
	if n := bytes.Index(target, []byte(" - ")); n >= 0 { // what went wrong
		target = target[:n]
	}
	p.uri = target
	return p.settle(true)
}

func readUWSGI(p *Parser, line []byte) grade {
	p.beginMute()
	n := bytes.Index(line[:min(len(line), 64)], []byte("[pid: "))
	if n < 0 {
		return misfit
	}
	_, rest, ok := bytes.Cut(line[n:], []byte("] "))
	client, rest, ok2 := bytes.Cut(rest, []byte(" ("))
	user, rest, ok3 := bytes.Cut(rest, []byte(") {"))
	_, rest, ok4 := bytes.Cut(rest, []byte("} ["))
	if !ok || !ok2 || !ok3 || !ok4 {
		return misfit
	}
	t, n := p.stamps.any(rest)
	if n == 0 || !starts(rest[n:], "] ") {
		return misfit
	}
	p.req.Time, p.req.User, p.seen = t, user, sawTime
	p.setClient(client)
	request, rest, _ := bytes.Cut(rest[n+2:], []byte(" => generated "))
	method, target := word(request)
	if !p.apart(method, target) {
		p.req.Path, p.seen = request, p.seen|sawRequest
		p.req.Kind = oddKind(request)
	}
	size, rest := word(rest)
	took, ok := bytes.CutPrefix(rest, []byte("bytes in "))
	if !ok || !p.setSize(size) {
		return p.settle(false)
	}
	number, unit := word(took)
	if starts(unit, "micros") {
		p.setTook(time.Microsecond, number)
	} else {
		p.setTook(time.Millisecond, number)
	}
	proto, status := word(unit[bytes.Index(unit, []byte("(HTTP/"))+1:])
	if !isHTTP(proto) || len(status) < 4 || !p.setStatus(status[:3]) {
		return p.settle(false)
	}
	p.req.Proto = proto
	return p.settle(true)
}
