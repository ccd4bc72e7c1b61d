package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// HAProxy's "option httplog" and "option tcplog", with or without the syslog header that they usually come with, and the
// line for a connection that failed before there was a request: docs.haproxy.org, configuration manual, 8.2.
var (
	haproxyHTTP = &Format{Name: "haproxy_http", read: func(p *Parser, line []byte) grade { return p.haproxy(line, true) }}
	haproxyTCP  = &Format{Name: "haproxy_tcp", read: func(p *Parser, line []byte) grade { return p.haproxy(line, false) }}
)

// haproxy reads either kind of line; one of the other kind is a stump.
func (p *Parser) haproxy(line []byte, http bool) grade {
	p.begin()
	open := haproxyTime(p, line)
	if open < 0 {
		return p.haproxyConnect(line)
	}
	r := &p.req
	head := bytes.TrimRight(line[:open], " ")
	if n := bytes.LastIndexByte(head, ' '); n >= 0 {
		head = head[n+1:]
	}
	// The port is always there, and behind an address of IPv6 without brackets.
	if n := bytes.LastIndexByte(head, ':'); n > 0 && isPort(head[n:]) {
		head = head[:n]
	}
	p.client(head)
	if !r.Client.IsValid() && len(r.Name) == 0 && string(head) != "-" { // a name that nobody gave
		return misfit
	}
	t, n := p.stamps.any(line[open+1:])
	r.Time, r.Kind = t, connwarden.ReqEmpty
	rest := line[open+1+n:]
	if len(rest) < 2 || rest[0] != ']' || rest[1] != ' ' {
		return stump
	}
	text := rest[2:]
	front, rest := word(text)
	back, rest := word(rest)
	if n := len(front); n > 0 && front[n-1] == ':' || bytes.IndexByte(front, '/') > 0 && !haproxyTimers(rest) {
		// "frontend/bind: SSL handshake failure"
		r.Path = text
		return complete
	}
	if _, behind := word(rest); !haproxyTimers(rest) && haproxyTimers(behind) { // a word that an administrator put between, mostly the host
		one, _ := word(rest)
		if rest = behind; bytes.IndexByte(one, '.') > 0 && isName(one) {
			r.Host = hostOnly(one)
		}
	}
	if len(back) == 0 || !haproxyTimers(rest) {
		return stump
	}
	timers, rest := word(rest)
	if n := bytes.LastIndexByte(timers, '/'); n >= 0 {
		p.setTook(time.Millisecond, timers[n+1:])
	}
	slashes := bytes.Count(timers, slash)
	if slashes == 2 {
		size, _ := word(rest)
		p.setSize(size)
		if http {
			return stump
		}
		return complete
	}
	status, rest := word(rest)
	size, rest := word(rest)
	if !p.setStatus(status) || !p.setSize(size) {
		return stump
	}
	quote := bytes.IndexByte(rest, '"')
	if quote < 0 {
		return stump
	}
	p.haproxyCaptures(rest[:quote])
	request := rest[quote+1:]
	end := len(request)
	// HAProxy escapes quotes as #22, but cuts the line when it is too long.
	if n := bytes.IndexByte(request, '"'); n >= 0 {
		end = n
	}
	p.requestLine(request[:end])
	if string(r.Path) == "<BADREQ>" {
		r.Kind = connwarden.ReqGarbage
	}
	if !http {
		return stump
	}
	return complete
}

// haproxyConnect reads what HAProxy writes without any log option: "Connect from 192.0.2.7:4711 to 192.0.2.1:80 (main/HTTP)",
// whose time is the syslog header's.
func (p *Parser) haproxyConnect(line []byte) grade {
	n := bytes.Index(line, []byte("Connect from "))
	if n < 0 {
		return misfit
	}
	t, used := p.stamps.any(bytes.TrimLeft(line, "<0123456789>"))
	client, rest := word(line[n+len("Connect from "):])
	a, ok := parseAddr(client[:max(bytes.LastIndexByte(client, ':'), 0)])
	if used == 0 || !ok || !starts(rest, "to ") {
		return misfit
	}
	p.req.Time, p.req.Client, p.req.Kind, p.req.Path = t, a, connwarden.ReqEmpty, line[n:]
	return complete
}

// haproxyTime finds the "[" of the time, behind the client.
func haproxyTime(p *Parser, line []byte) int {
	for from := 0; ; {
		n := bytes.IndexByte(line[from:], '[')
		if n < 0 {
			return -1
		}
		open := from + n
		if b := line[open+1:]; open > 0 && line[open-1] == ' ' && len(b) >= 24 && b[2] == '/' && b[6] == '/' && b[20] == '.' {
			if _, used := p.stamps.any(b); used >= 24 {
				return open
			}
		}
		from = open + 1
	}
}

// haproxyTimers tells whether b begins with "10/0/30/69/109 " or "0/0/5007 ".
func haproxyTimers(b []byte) bool {
	slashes, i := 0, 0
	for ; i < len(b) && b[i] != ' '; i++ {
		switch {
		case b[i] == '/':
			slashes++
		case !isDigit(b[i]) && b[i] != '-' && b[i] != '+':
			return false
		}
	}
	return i < len(b) && (slashes == 4 || slashes == 2)
}

// haproxyCaptures takes host and agent out of the headers captured of the request, "{example.com|Mozilla/5.0}", where
// they show what they are. The format does not name them, so that an address among them proves nothing.
func (p *Parser) haproxyCaptures(b []byte) {
	r := &p.req
	open := bytes.IndexByte(b, '{')
	if open < 0 {
		r.Lacks = asker
		return
	}
	end := bytes.IndexByte(b[open:], '}')
	if end < 0 {
		return
	}
	for rest := b[open+1 : open+end]; len(rest) > 0; {
		one := rest
		if n := bytes.IndexByte(rest, '|'); n >= 0 {
			one, rest = rest[:n], rest[n+1:]
		} else {
			rest = nil
		}
		switch {
		case len(one) == 0:
		case bytes.HasPrefix(one, []byte("http://")) || bytes.HasPrefix(one, []byte("https://")):
			r.Referer = one
		case bytes.IndexByte(one, '/') > 0:
			r.Agent = one
		case len(r.Host) == 0 && bytes.IndexByte(one, '.') > 0 && bytes.IndexByte(one, ' ') < 0:
			r.Host = hostOnly(one)
		}
	}
}

// word cuts b at its first space.
func word(b []byte) (first, rest []byte) {
	if n := bytes.IndexByte(b, ' '); n >= 0 {
		return b[:n], b[n+1:]
	}
	return b, nil
}
