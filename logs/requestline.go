package logs

import (
	"bytes"

	"github.com/connwarden/connwarden"
)

// requestLine takes apart the text of a request line: method, target and protocol. What is no HTTP request is kept
// whole in Path, with its kind.
func (p *Parser) requestLine(text []byte) {
	r := &p.req
	// "GET /path HTTP/1.1" and the same of POST make up nearly all lines; the general way below reads them the same.
	if m := len(text) - len(" HTTP/1.1"); m > len("POST /") && string(text[m:m+8]) == " HTTP/1." && text[m-1] != ' ' {
		switch {
		case string(text[:5]) == "GET /":
			r.Kind, r.Method, r.Proto = connwarden.ReqHTTP, text[:3], text[m+1:]
			p.path(text[4:m])
			return
		case string(text[:6]) == "POST /":
			r.Kind, r.Method, r.Proto = connwarden.ReqHTTP, text[:4], text[m+1:]
			p.path(text[5:m])
			return
		}
	}
	r.Method, r.Query, r.Proto = nil, nil, nil
	if len(text) > 0 && text[0] == 0x1b { // Werkzeug's, for a terminal
		text = colourless(text)
	}
	n := bytes.IndexByte(text, ' ')
	if n <= 0 {
		r.Kind, r.Path = oddKind(text), text
		return
	}
	method, target := text[:n], text[n+1:]
	var proto []byte
	if m := len(target) - 9; m >= 0 && target[m] == ' ' && isHTTP(target[m+1:]) {
		target, proto = target[:m], target[m+1:]
	} else if m := bytes.LastIndexByte(target, ' '); m >= 0 && isHTTP(target[m+1:]) {
		target, proto = target[:m], target[m+1:]
	}
	target = bytes.TrimRight(target, " ")
	if proto == nil && knownMethod(method) {
		// Hypercorn leaves out what all versions have in common.
		if cut := len(target) - len(" 1.1"); cut > 0 && target[0] == '/' && (string(target[cut:]) == " 1.1" || string(target[cut:]) == " 1.0") {
			target, proto = target[:cut], target[cut+1:]
		} else if cut += len(".1"); cut > 0 && target[0] == '/' && string(target[cut:]) == " 2" {
			target, proto = target[:cut], target[cut+1:]
		}
	}
	if !isMethod(method) || proto == nil && (!knownMethod(method) || otherProto(target)) {
		r.Kind, r.Path = oddKind(text), text
		return
	}
	for len(target) > 0 && target[0] == ' ' {
		target = target[1:]
	}
	if len(target) == 0 && (proto == nil || !knownMethod(method)) {
		r.Kind, r.Path = oddKind(text), text
		return
	}
	r.Kind, r.Method, r.Proto, r.Path = connwarden.ReqHTTP, method, proto, nil
	if len(target) > 0 { // lighttpd writes a CONNECT without its target
		p.target(target)
	}
}

// target splits a request target into path and query, and takes the host out of an absolute URI. A CONNECT's target is
// the path.
func (p *Parser) target(target []byte) {
	r := &p.req
	if target[0] != '/' && p.opt.Want&(connwarden.FieldPath|connwarden.FieldHost|connwarden.FieldQuery) != 0 {
		if n := bytes.Index(target, schemeEnd); n > 0 && n <= len("https") && isScheme(target[:n]) {
			rest := target[n+3:]
			end := bytes.IndexAny(rest, "/?")
			if end < 0 {
				end = len(rest)
			}
			p.wanted = hostOnly(rest[:end])
			if len(r.Host) == 0 && len(p.opt.Site) == 0 {
				r.Host = p.wanted
			}
			target = rest[end:]
			if len(target) == 0 || target[0] == '?' {
				r.Path = slash
				if len(target) > 0 {
					r.Query = target[1:]
				}
				return
			}
		} else if len(r.Host) == 0 && len(p.opt.Site) == 0 && string(r.Method) == "CONNECT" {
			r.Host = hostOnly(target)
		}
	}
	p.path(target)
}

// path splits a target without a host into path and query.
func (p *Parser) path(target []byte) {
	r := &p.req
	if p.opt.Want&(connwarden.FieldPath|connwarden.FieldQuery) == 0 {
		return
	}
	if n := bytes.IndexByte(target, '?'); n >= 0 {
		r.Path, r.Query = target[:n], target[n+1:]
		return
	}
	r.Path, r.Query = target, nil
}

var (
	slash     = []byte("/")
	schemeEnd = []byte("://")
)

func isScheme(b []byte) bool {
	for _, c := range b {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}

// isHTTP tells whether b is a protocol of HTTP: "HTTP/1.1", "HTTP/2".
func isHTTP(b []byte) bool {
	return len(b) >= 6 && (b[0] == 'H' || b[0] == 'h') && len(b) <= 16 && (string(b[:5]) == "HTTP/" || string(b[:5]) == "http/")
}

// otherProto tells whether a target ends in the version of a protocol that is not HTTP: "SIP/2.0", "RTSP/1.0".
func otherProto(target []byte) bool {
	last := target[bytes.LastIndexByte(target, ' ')+1:]
	if len(last) == len(target) {
		return false
	}
	n := 0
	for n < len(last) && last[n] >= 'A' && last[n] <= 'Z' {
		n++
	}
	return n >= 3 && len(last) == n+4 && last[n] == '/' && isDigit(last[n+1]) && last[n+2] == '.' && isDigit(last[n+3])
}

// isMethod tells whether b could be a method: the tokens of RFC 9110, 5.6.2, that anyone has used for one.
func isMethod(b []byte) bool {
	if len(b) > 24 {
		return false
	}
	for _, c := range b {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' && (c < '0' || c > '9') {
			return false
		}
	}
	return b[0] != '-'
}

// knownMethod tells the methods that are believed without a protocol behind the target (HTTP/0.9, and servers that log
// no protocol): those of RFC 9110, 5789, 4918, 3253, 3648, 3744, 4791 and 5323.
func knownMethod(b []byte) bool {
	switch string(b) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL",
		"COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "PURGE", "BAN", "MKCALENDAR", "ACL", "CHECKOUT", "CHECKIN",
		"MERGE", "MKACTIVITY", "VERSION-CONTROL", "LABEL", "UPDATE", "UNCHECKOUT", "MKWORKSPACE", "BASELINE-CONTROL",
		"ORDERPATCH", "LINK", "UNLINK", "TRACK", "DEBUG", "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE", "POLL", "BCOPY", "BMOVE",
		"BDELETE", "BPROPFIND", "BPROPPATCH", "RPC_IN_DATA", "RPC_OUT_DATA", "QUERY",
		"WSCONNECTING", "WSCONNECT", "WSDISCONNECT", "WSREJECT": // Daphne's, of WebSockets
		return true
	}
	return false
}

// oddKind tells what a request text is that is no HTTP request.
func oddKind(b []byte) connwarden.RequestKind {
	b = bytes.TrimSpace(b)
	if len(bytes.Trim(b, "- ")) == 0 { // load balancers of AWS write "- - - "
		return connwarden.ReqEmpty
	}
	// Varnish and Squid write "-" for the method of a request that they could not read.
	if starts(b, "- ") && !starts(b, "- error:invalid-request") {
		return connwarden.ReqEmpty
	}
	// The escaped forms of Apache, nginx, lighttpd and JSON, and the bytes themselves. A TLS record of a handshake
	// begins with 22, 3 (RFC 8446, 5.1); Apache cuts it at the first NUL, so no more may be asked for.
	first, n := escapedByte(b)
	if n == 0 {
		return connwarden.ReqGarbage
	}
	second, m := escapedByte(b[n:])
	switch {
	case first == 0x16 && m > 0 && second == 3:
		return connwarden.ReqTLS
	case first == 0x80 && m > 0:
		// The hello of SSL 2.0 (RFC 5246, E.2): 0x80, length, 1, then the version.
		if third, k := escapedByte(b[n+m:]); k > 0 && third == 1 {
			return connwarden.ReqTLS
		}
	}
	return connwarden.ReqGarbage
}

// escapedByte reads the byte that b begins with, escaped as \xHH, \uHHHH or not at all.
func escapedByte(b []byte) (byte, int) {
	switch {
	case len(b) == 0:
		return 0, 0
	case b[0] != '\\':
		return b[0], 1
	case len(b) >= 4 && b[1]|0x20 == 'x':
		h, l := hexDigit(b[2]), hexDigit(b[3])
		if h >= 0 && l >= 0 {
			return byte(h<<4 | l), 4
		}
	case len(b) >= 6 && b[1] == 'u' && b[2] == '0' && b[3] == '0':
		h, l := hexDigit(b[4]), hexDigit(b[5])
		if h >= 0 && l >= 0 {
			return byte(h<<4 | l), 6
		}
	}
	return '\\', 1
}

// foreign tells whether a host that was asked for is of another site than the one that answered. An address may be the
// server's own.
func foreign(site, host []byte) bool {
	return !within(site, host) && !within(host, site) && !isAddr(host)
}

func isAddr(host []byte) bool {
	_, ok := parseAddr(host)
	return ok
}

// within tells whether a name is another or lies below it.
func within(name, other []byte) bool {
	n := len(name) - len(other)
	return n >= 0 && bytes.EqualFold(name[n:], other) && (n == 0 || name[n-1] == '.')
}

// hostOnly takes user, port and brackets off an authority.
func hostOnly(b []byte) []byte {
	if n := bytes.LastIndexByte(b, '@'); n >= 0 {
		b = b[n+1:]
	}
	if len(b) > 0 && b[0] == '[' {
		if end := bytes.IndexByte(b, ']'); end > 0 {
			return b[1:end]
		}
		return b
	}
	n := bytes.LastIndexByte(b, ':')
	if n >= 0 && bytes.IndexByte(b[:n], ':') < 0 && (n+1 == len(b) || isPort(b[n:])) {
		return b[:n]
	}
	return b
}

// dash turns "-" into nothing.
func dash(b []byte) []byte {
	if len(b) == 1 && b[0] == '-' {
		return nil
	}
	return b
}
