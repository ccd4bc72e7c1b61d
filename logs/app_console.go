package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// More logs of frameworks, of those that write for a console.
var (
	// morgan is Express's logger (github.com/expressjs/morgan, "Predefined Formats"), of which "combined" and "common" are Apache's:
	// dev `GET /a 200 1.234 ms - 12`, tiny `GET /a 200 12 - 1.234 ms`, short `192.0.2.7 - GET /a HTTP/1.1 200 12 - 1.234 ms`.
	morgan = &Format{Name: "morgan", read: readMorgan}
	// railsLog is the log of Ruby on Rails. The request is the line "Started"; what became of it stands in another, among those of other
	// requests, so that the status stays unknown.
	railsLog = &Format{Name: "rails", read: readRails}
	// giteaLog is Gitea's and Forgejo's router (docs.gitea.com/administration/logging-config, "The Router logger"), and Macaron's before.
	giteaLog = &Format{Name: "gitea", read: readGitea}
	// koaLog is Koa's logger (github.com/koajs/logger), which writes one line when a request comes, `  <-- GET /a`, and one when it is done,
	// `  --> GET /a 200 12ms 5b`, or `xxx` and `-x-` where it failed.
	koaLog = &Format{Name: "koa", read: readKoa}
	// fiberLog is Fiber's `14:03:07 | 200 |  52.1µs |  192.0.2.7 | GET     | /a       ` (docs.gofiber.io/middleware/logger), which names no day.
	fiberLog = &Format{Name: "fiber", read: readFiber}
)

func readMorgan(p *Parser, line []byte) grade {
	p.beginMute()
	if bytes.IndexByte(line, 0x1b) >= 0 { // on a terminal
		line = p.scratch.colourless(line)
	}
	rest, last := lastWord(bytes.TrimRight(uncomposed(line), " "))
	rest, before := lastWord(rest)
	rest, third := lastWord(rest)
	var size, between, took []byte
	if string(last) == "ms" { // 12 - 1.234 ms
		took, between = before, third
		rest, size = lastWord(rest)
	} else if string(third) == "ms" { // 1.234 ms - 12
		size, between = last, before
		rest, took = lastWord(rest)
	}
	rest, status := lastWord(rest)
	if string(between) != "-" || !isMeasure(size) || !isMeasure(took) || !isMeasure(status) || !p.setStatus(status) || !p.setSize(size) ||
		!p.setTook(time.Millisecond, took) {
		return misfit
	}
	rest, target := lastWord(rest)
	if isHTTP(target) { // short
		p.req.Proto = target
		rest, target = lastWord(rest)
		lead, method := lastWord(rest)
		client, user := word(lead)
		if len(user) == 0 || !looksAddr(client) && string(client) != "-" {
			return misfit
		}
		p.setClient(client)
		p.req.User, rest = dash(user), method
	}
	if !knownMethod(rest) || !p.apart(rest, target) {
		return misfit
	}
	p.seen |= sawTime // of which there is none
	return p.settle(true)
}

func readKoa(p *Parser, line []byte) grade {
	p.beginMute()
	if bytes.IndexByte(line, 0x1b) >= 0 {
		line = p.scratch.colourless(line)
	}
	arrow, rest := word(skipBlank(uncomposed(line)))
	method, rest := word(rest)
	target, rest := word(rest)
	switch string(arrow) {
	case "<--":
		if len(rest) > 0 || !p.apart(method, target) {
			return misfit
		}
		return aside
	case "-->", "xxx", "-x-":
	default:
		return misfit
	}
	status, rest := word(rest)
	took, size := word(rest)
	if len(status) != 3 || !p.apart(method, target) || !p.setStatus(status) || !p.looseTook(time.Millisecond, took) {
		return misfit
	}
	if n := len(size) - 1; n > 0 && size[n] == 'b' { // "1.2kb" is no number of bytes
		if v, ok := digits(size[:n]); ok {
			p.req.Size = int64(v)
		}
	}
	p.seen |= sawTime
	return p.settle(true)
}

// isMeasure tells whether b is "-" or begins with a digit.
func isMeasure(b []byte) bool { return len(b) > 0 && (isDigit(b[0]) || len(b) == 1 && b[0] == '-') }

// colourless takes all colours of a terminal out of a line, into memory of the parser's own that is valid until the next line.
func (s *scratch) colourless(b []byte) []byte {
	s.text = s.text[:0]
	for i := 0; i < len(b); i++ {
		if b[i] == 0x1b && i+1 < len(b) && b[i+1] == '[' {
			for i += 2; i < len(b) && (isDigit(b[i]) || b[i] == ';'); i++ {
			}
			continue
		}
		s.text = append(s.text, b[i])
	}
	return s.text
}

// railsOther are the other lines of a request.
var railsOther = [...]string{"Processing by ", "Parameters: ", "Rendering ", "Rendered ", "Completed ", "Redirected to ", "Sent file ", "Sent data ",
	"Filter chain halted ", "Read fragment ", "Write fragment "}

func readRails(p *Parser, line []byte) grade {
	p.beginMute()
	text := uncomposed(line)
	// `I, [2026-11-22T14:03:07.123456 #12345]  INFO -- : [request id] ` of Ruby's logger.
	if len(text) > 4 && text[1] == ',' && text[3] == '[' {
		n := bytes.Index(text[:min(len(text), maxLogger)], []byte(" -- "))
		if n < 0 {
			return misfit
		}
		if n2 := bytes.IndexByte(text[n+3:], ':'); n2 >= 0 {
			text = skipBlank(text[n+3+n2+1:])
		}
	}
	for len(text) > 1 && text[0] == '[' { // tags
		n := bytes.IndexByte(text, ']')
		if n < 0 || n > maxLogger {
			return misfit
		}
		text = skipBlank(text[n+1:])
	}
	text = skipBlank(text)
	const mark = "Started "
	if !starts(text, mark) {
		for _, other := range railsOther {
			if starts(text, other) {
				return aside
			}
		}
		return misfit
	}
	method, rest := word(text[len(mark):])
	if len(rest) < 2 || rest[0] != '"' {
		return misfit
	}
	// What stands behind the last quote no client has written.
	n := bytes.LastIndex(rest, []byte(`" for `))
	if n < 1 || !p.apart(method, rest[1:n]) {
		return misfit
	}
	client, rest := word(rest[n+len(`" for `):])
	at, ok := bytes.CutPrefix(rest, []byte("at "))
	if !ok || !p.setTime(at) {
		return misfit
	}
	p.setClient(client)
	return p.settle(true)
}

func readGitea(p *Parser, line []byte) grade {
	p.beginMute()
	head := line[:min(len(line), maxLogger)]
	if n := bytes.Index(head, []byte("[Macaron] ")); n >= 0 {
		return p.macaron(line[n+len("[Macaron] "):])
	}
	const mark = "router: "
	n := bytes.Index(head, []byte(mark))
	if n < 0 {
		return misfit
	}
	what, rest := word(line[n+len(mark):])
	switch string(what) {
	case "completed", "failed":
	case "slow", "started", "polling": // the same request is told of again when it is done
		return aside
	default:
		return misfit
	}
	method, rest := word(skipBlank(rest))
	target, rest := word(rest)
	client, ok := bytes.CutPrefix(rest, []byte("for "))
	if !ok || !p.apart(method, target) {
		return misfit
	}
	client, rest, ok = bytes.Cut(client, []byte(", "))
	status, rest := word(rest)
	if string(status) == "panic" {
		status = []byte("500") // which it answers then
	}
	if !ok || len(status) != 3 || !p.setStatus(status) {
		return misfit
	}
	p.setClient(client)
	if n := bytes.Index(rest, []byte("in ")); n >= 0 {
		took, _ := word(rest[n+len("in "):])
		p.looseTook(time.Millisecond, took)
	}
	p.timeIn(line[:n])
	return p.settle(true)
}

// macaron reads `2021-01-01 14:03:07: Started GET /a for 192.0.2.7`; the line "Completed" names no client.
func (p *Parser) macaron(text []byte) grade {
	t, n := p.stamps.any(text)
	if n == 0 || !starts(text[n:], ": ") {
		return misfit
	}
	what, rest := word(text[n+2:])
	method, rest := word(rest)
	target, rest := word(rest)
	if string(what) == "Completed" {
		return aside
	}
	client, ok := bytes.CutPrefix(rest, []byte("for "))
	if string(what) != "Started" || !ok || !p.apart(method, target) {
		return misfit
	}
	p.req.Time, p.seen = t, p.seen|sawTime
	p.setClient(client)
	return p.settle(true)
}

func readFiber(p *Parser, line []byte) grade {
	p.beginMute()
	if _, ok := hms(line); !ok || !starts(line[len("14:03:07"):], " | ") {
		return misfit
	}
	var fields [6][]byte
	n := 0
	for rest := line; n < len(fields); n++ {
		one, after, more := bytes.Cut(rest, []byte("|"))
		fields[n] = bytes.TrimSpace(colourless(one))
		if rest = after; !more {
			n++
			break
		}
	}
	if n < len(fields) || len(fields[1]) != 3 || !p.setStatus(fields[1]) || !looksAddr(fields[3]) || !p.apart(fields[4], fields[5]) {
		return misfit
	}
	p.looseTook(time.Second, fields[2])
	p.setClient(fields[3])
	p.req.Kind, p.seen = connwarden.ReqHTTP, p.seen|sawTime
	return p.settle(true)
}
