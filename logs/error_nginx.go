package logs

import (
	"bytes"

	"github.com/connwarden/connwarden"
)

// nginx's error log (src/core/ngx_log.c, src/http/ngx_http_request.c):
//
//	2026/11/22 14:03:07 [error] 12#12: *3 message while action, client: a, server: s, request: "r", subrequest: "s", upstream: "u", host: "h", referrer: "f"
//
// nginx escapes nothing. The message may hold the decoded path, line ends included, and what FastCGI's backend wrote;
// request, host and referrer hold what the client sent. So ", client: " can be forged before and behind its true
// place, and whole lines can be forged behind a line end in a path. What protects the innocent:
//
//   - An entry with an open quote and no client goes on in the lines that follow, whatever they look like, until it
//     reaches the 2,048 bytes at which nginx cuts: a line forged inside a path stays inside.
//   - In a message without quotes the first ", client: " is nginx's own. In others it counts only if there is but
//     one behind balanced quotes, or if the message is of a form whose end can be told for certain; and never in an
//     entry that was cut or that spans lines, but for FastCGI's output.
//
// What remains (a path that first completes the line it stands in) is why such a log is credible only beside an
// access log.
var nginxError = &Format{Name: "nginx_error", Kind: Error, Whole: true, fits: fitsNginx, line: nginxLine, flush: nginxFlush}

// nginxCut is the length from which an entry may have lost its end: nginx formats into 2,048 bytes (NGX_MAX_ERROR_STR)
// and keeps 50 of them for an error text.
const nginxCut = 1990

const nginxClient = ", client: "

// nginxHeadLen is that of "2026/11/22 14:03:07 [".
const nginxHeadLen = 21

func fitsNginx(line []byte) bool {
	if !nginxDated(line) {
		return false
	}
	n := bytes.IndexByte(line[nginxHeadLen:min(len(line), nginxHeadLen+10)], ']')
	if n < 0 || level(line[nginxHeadLen:nginxHeadLen+n]) == connwarden.LevelUnknown {
		return false
	}
	_, ok := nginxPID(line[nginxHeadLen+n+1:])
	return ok
}

func nginxDated(b []byte) bool {
	return len(b) > nginxHeadLen && b[4] == '/' && b[7] == '/' && b[10] == ' ' && b[13] == ':' && b[16] == ':' &&
		b[19] == ' ' && b[20] == '[' && b[0]-'0' <= 9
}

// nginxPID reads " 12#12: " and returns what follows.
func nginxPID(b []byte) ([]byte, bool) {
	if len(b) < 2 || b[0] != ' ' || b[1]-'0' > 9 {
		return nil, false
	}
	i := 1
	for i < len(b) && (b[i]-'0' <= 9 || b[i] == '#') {
		i++
	}
	if i+1 >= len(b) || b[i] != ':' || b[i+1] != ' ' || bytes.IndexByte(b[:i], '#') < 0 {
		return nil, false
	}
	return b[i+2:], true
}

func nginxLine(p *Parser, line []byte) outcome {
	e := &p.errs
	fits := fitsNginx(line)
	if e.first > 0 && (e.held && len(e.entry) < nginxCut || !fits) {
		p.addLine(line)
		if nginxWhole(e.entry) {
			nginxFlush(p)
		}
		return continued
	}
	if !fits {
		return unparsed
	}
	nginxFlush(p)
	m := nginxText(line)
	if !starts(m, "*") || bytes.Contains(m, []byte(nginxClient)) || len(line) >= nginxCut || nginxAlone(line, m) {
		return p.nginxEntry(line, line, p.from)
	}
	p.beginEntry(line)
	e.held = bytes.IndexByte(m, '"') >= 0
	return parsed
}

// nginxText returns the line behind "12#12: ".
func nginxText(line []byte) []byte {
	rest := line[nginxHeadLen:]
	m, _ := nginxPID(rest[bytes.IndexByte(rest, ']')+1:])
	return m
}

// nginxAlone tells that an entry about a connection has no client to wait for: debug lines never name one, and
// connections that are kept alive have lost theirs.
func nginxAlone(line, m []byte) bool {
	return starts(line[nginxHeadLen:], "debug]") || bytes.HasSuffix(m, []byte(" closed keepalive connection"))
}

// nginxWhole tells whether the entry has got its end: the client, and the server behind it.
func nginxWhole(entry []byte) bool {
	if len(entry) >= maxEntry-1 {
		return true
	}
	line := entry[bytes.LastIndexByte(entry, '\n')+1:]
	return bytes.Contains(line, []byte(nginxClient)) && bytes.Contains(line, []byte(", server: "))
}

func nginxFlush(p *Parser) {
	if p.errs.first > 0 {
		entry, first, from := p.endEntry()
		p.nginxEntry(entry, first, from)
	}
}

// nginxEntry emits one entry, whose first line fits.
func (p *Parser) nginxEntry(entry, first []byte, from connwarden.Source) outcome {
	year, ok1 := digits(entry[:4])
	mon, day := two(entry[5:7]), two(entry[8:10])
	sec, ok2 := hms(entry[11:19])
	if !ok1 || !ok2 || mon < 1 || mon > 12 || day < 1 || day > daysIn(year, mon) {
		return unparsed
	}
	f := p.startFault("nginx", first, from)
	f.Time = p.errs.clock.at(p.opt.Zone, year, mon, day, sec, 0)
	rest := entry[nginxHeadLen:]
	f.Level = level(rest[:bytes.IndexByte(rest, ']')])
	m := nginxText(entry)
	if len(m) > 1 && m[0] == '*' && m[1]-'0' <= 9 {
		if n := bytes.IndexByte(m[:min(len(m), 22)], ' '); n > 0 {
			m = m[n+1:]
		}
		// Only entries about a connection have a context, and those of level debug have none.
		if at, sure := nginxContext(m, len(entry)); at >= 0 && f.Level != connwarden.LevelDebug {
			if sure {
				p.nginxFields(m[at+len(nginxClient):])
			}
			m = m[:at]
		}
	}
	// ModSecurity's connector writes the client in front of its own message, where nothing can be forged.
	if starts(m, "[client ") {
		if n := bytes.Index(m, []byte("] ModSecurity: ")); n > 0 && n < 64 {
			if addr, ok := parseAddr(m[len("[client "):n]); ok {
				f.Client, m = addr, m[n+2:]
			}
		}
	}
	f.Message = m
	kind, user := p.nginxMessage(m)
	p.pushFault(kind, user, m)
	return parsed
}

// nginxContext finds where the message ends and its context begins, -1 when there is none. It is sure when nothing
// that a client sent can stand for it.
func nginxContext(m []byte, size int) (at int, sure bool) {
	at = bytes.Index(m, []byte(nginxClient))
	if at < 0 {
		return -1, false
	}
	msg := m[:at]
	again := bytes.Contains(m[at+1:], []byte(nginxClient))
	switch spans := bytes.IndexByte(m, '\n') >= 0; {
	case starts(msg, `FastCGI sent in stderr: "`) || spans:
		// The backend's words, at length. The last context is nginx's unless the request forged it, too: be sure
		// only when there is no other.
		if again {
			at = bytes.LastIndex(m, []byte(nginxClient))
		}
		return at, !again && size < nginxCut && starts(msg, `FastCGI sent in stderr: "`)
	case starts(msg, "[lua]"), starts(msg, "js: "):
		return at, !again && size < nginxCut
	case bytes.IndexByte(msg, '"') < 0, nginxPlain(msg):
		return at, true
	case size >= nginxCut, bytes.Count(msg, []byte(`"`))&1 != 0:
		return at, false
	case again:
		return at, nginxEnds(m, msg)
	}
	return at, true
}

// The ends of messages that quote what a client sent. A name or a path that forges an end makes it two.
var (
	nginxForbidden = []byte(`" is forbidden`)
	nginxMismatch  = []byte(`": password mismatch`)
	nginxUnknown   = []byte(`" was not found in "`)
)

// nginxEnds tells whether msg, which the first of several ", client: " ends, is a whole message of a form whose end
// stands nowhere else in m.
func nginxEnds(m, msg []byte) bool {
	switch {
	case starts(msg, `directory index of "`):
		return bytes.HasSuffix(msg, nginxForbidden) && bytes.Count(m, nginxForbidden) == 1
	case starts(msg, `user "`):
		// Either end may be forged inside a message that has the other.
		if bytes.Count(m, nginxMismatch)+bytes.Count(m, nginxUnknown) != 1 {
			return false
		}
		if i := bytes.Index(msg, nginxUnknown); i >= 0 {
			file := msg[i+len(nginxUnknown):]
			return bytes.IndexByte(file, '"') == len(file)-1
		}
		return bytes.HasSuffix(msg, nginxMismatch)
	}
	return false
}

// nginxPlain tells that a message with quotes holds nothing of the client's: the zones of limits are named in the
// configuration.
func nginxPlain(m []byte) bool {
	return starts(m, "limiting requests") || starts(m, "limiting connections") || starts(m, "delaying request") ||
		starts(m, `client sent "Content-Length" and`) || starts(m, `client sent HTTP/1.1 request without "Host"`) ||
		starts(m, `client sent invalid "Content-Length"`)
}

// nginxFields reads the context, from behind ", client: " on.
func (p *Parser) nginxFields(b []byte) {
	f := &p.fault
	end := bytes.Index(b, []byte(", "))
	if end < 0 {
		end = len(b)
	}
	f.Client, _ = parseAddr(b[:end])
	b = b[end:]
	var server []byte
	if starts(b, ", server: ") {
		b = b[len(", server: "):]
		end = bytes.Index(b, []byte(", "))
		if end < 0 {
			end = len(b)
		}
		server, b = b[:end], b[end:]
	}
	host := []byte(nil)
	for starts(b, ", ") {
		name := b[2:]
		n := bytes.Index(name[:min(len(name), 16)], []byte(`: "`))
		if n < 0 {
			break
		}
		value := name[n+3:]
		end := nginxQuoteEnd(value)
		switch string(name[:n]) {
		case "request":
			f.Request = value[:end]
		case "host":
			host = value[:end]
		}
		b = value[min(end+1, len(value)):]
	}
	// The server's name is the configuration's; where it has none or a pattern, the client's Host must do.
	if len(server) > 0 && server[0] != '_' && server[0] != '~' && !bytes.HasPrefix(server, []byte("0.0.0.0:")) && server[0] != '[' {
		f.Site = server
	} else if len(host) > 0 {
		f.Site = host
	}
}

// nginxQuoteEnd returns where the quoted value that b begins with ends: at the quote before the next field or the
// end of the line.
func nginxQuoteEnd(b []byte) int {
	for i := 0; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			break
		}
		i += n
		rest := b[i+1:]
		if len(rest) == 0 || starts(rest, `, upstream: "`) || starts(rest, `, host: "`) || starts(rest, `, referrer: "`) || starts(rest, `, subrequest: "`) {
			return i
		}
		i++
	}
	return len(b)
}

// nginxMessage reads what the message says.
func (p *Parser) nginxMessage(m []byte) (kind connwarden.EventKind, user []byte) {
	f := &p.fault
	switch {
	case starts(m, "access forbidden by rule"):
		return connwarden.EventNotAllowed, nil
	case starts(m, `directory index of "`):
		if bytes.HasSuffix(m, []byte(`" is forbidden`)) {
			return connwarden.EventNotAllowed, nil
		}
	case starts(m, `user "`):
		rest := m[len(`user "`):]
		for _, end := range [...]string{`" was not found in "`, `": password mismatch`} {
			if i := bytes.Index(rest, []byte(end)); i >= 0 {
				return connwarden.EventAuthFailed, rest[:i]
			}
		}
	case starts(m, "limiting requests, excess"), starts(m, "limiting connections by zone"):
		return connwarden.EventLimitHit, nil
	case starts(m, "SSL_do_handshake() failed"):
		// An alert is the client's word about our certificate; it speaks against no one.
		if bytes.HasSuffix(m, []byte(" while SSL handshaking")) && !bytes.Contains(m, []byte(" alert ")) {
			return connwarden.EventBadHandshake, nil
		}
	case starts(m, "client sent invalid "), starts(m, `client sent HTTP/1.1 request without "Host"`), starts(m, `client sent duplicate `):
		return connwarden.EventBadHandshake, nil
	case starts(m, "client sent too long URI"):
		return connwarden.EventProbe, nil
	case starts(m, "PAM: user '"):
		if i := bytes.LastIndex(m, []byte("' - not authenticated: ")); i >= 0 {
			return connwarden.EventAuthFailed, m[len("PAM: user '"):i]
		}
	case starts(m, `open() "`):
		if path, ok := bytes.CutSuffix(m[len(`open() "`):], []byte(`" failed (2: No such file or directory)`)); ok && isProbe(path) {
			return connwarden.EventProbe, nil
		}
	case starts(m, "ModSecurity: "):
		kind, _, _ = p.modSecurity(m)
		return kind, nil
	case starts(m, `FastCGI sent in stderr: "`):
		m = m[len(`FastCGI sent in stderr: "`):]
		if starts(m, "Primary script unknown") {
			return connwarden.EventProbe, nil
		}
		if i := bytes.LastIndex(m, []byte(`" while `)); i >= 0 {
			m = m[:i]
		}
		if starts(m, "PHP message: ") || starts(m, "PHP ") {
			f.Script = phpScript(m)
		}
	}
	return connwarden.EventOther, nil
}
