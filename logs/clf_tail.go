package logs

import (
	"bytes"

	"github.com/connwarden/connwarden"
)

// clfTail reads what follows the time: `] "request" status size "referer" "agent" …`. It tells whether there was an agent.
func (p *Parser) clfTail(line []byte, at int) (g grade, agents bool) {
	r := &p.req
	if at+3 > len(line) || line[at] != ']' || line[at+1] != ' ' || line[at+2] != '"' {
		r.Kind = connwarden.ReqEmpty
		if at == len(line) || line[at] == ']' && at+2 >= len(line) {
			return stump, false
		}
		n := at + 1
		for n < len(line) && line[n] == ' ' { // some write more than one
			n++
		}
		if line[at] != ']' || n == at+1 || n == len(line) || line[n] != '"' {
			return misfit, false
		}
		at = n - 2
	}
	at += 3
	end := closeRequest(line, at)
	if end < 0 {
		if quoted(line[at:]) {
			return misfit, false // the request has an end, and no status stands behind it
		}
		p.requestLine(line[at:])
		return stump, false
	}
	p.requestLine(line[at:end])
	if r.Kind == connwarden.ReqGarbage {
		p.sitedRequest(line[at:end])
	}
	at = end + 2
	at = p.statusSize(line, at)
	if at < 0 {
		return stump, false
	}
	return p.clfAgents(line, at)
}

// sitedRequest reads `www.example.com" "GET / HTTP/1.1`, of a format that has the host before the request.
func (p *Parser) sitedRequest(text []byte) {
	n := bytes.Index(text, []byte(`" "`))
	if n <= 0 || !isName(text[:n]) || !looksRequest(text[n+3:]) {
		return
	}
	if p.requestLine(text[n+3:]); len(p.req.Host) == 0 {
		p.req.Host = hostOnly(text[:n])
	}
}

// closeRequest finds the quote that ends a request line which begins at from: the first that no backslash escapes and
// that a status follows. Daemons that escape nothing, and hostile requests, leave quotes inside.
func closeRequest(line []byte, from int) int {
	for at := from; ; {
		n := bytes.IndexByte(line[at:], '"')
		if n < 0 {
			break
		}
		end := at + n
		if statusFollows(line[end+1:]) && (end == from || line[end-1] != '\\' || !escaped(line[from:end])) {
			return end
		}
		at = end + 1
	}
	// A backslash that the daemon did not escape may stand last in the request.
	for at := from; ; {
		n := bytes.IndexByte(line[at:], '"')
		if n < 0 {
			break
		}
		if end := at + n; statusFollows(line[end+1:]) {
			return end
		}
		at += n + 1
	}
	// Cut off in the middle of the status.
	if n := bytes.LastIndexByte(line[from:], '"'); n >= 0 {
		if rest := line[from+n+1:]; !quoted(line[from:from+n]) && len(rest) < len(" 200") && (len(rest) < 2 || rest[0] == ' ' && isDigit(rest[1])) {
			return from + n
		}
	}
	return -1
}

// quoted tells whether b has, among its first quotes, one that no backslash escapes.
func quoted(b []byte) bool {
	for at, left := 0, quotes; left > 0; left-- {
		n := bytes.IndexByte(b[at:], '"')
		if n < 0 {
			return false
		}
		if !escaped(b[at : at+n]) {
			return true
		}
		at += n + 1
	}
	return false
}

// escaped tells whether b ends in an odd number of backslashes.
func escaped(b []byte) bool {
	n := len(b)
	for n > 0 && b[n-1] == '\\' {
		n--
	}
	return (len(b)-n)&1 == 1
}

// statusFollows tells whether b begins with " 200 " or " - ".
func statusFollows(b []byte) bool {
	if len(b) >= 4 && b[0] == ' ' && isDigit(b[1]) && isDigit(b[2]) && isDigit(b[3]) {
		return len(b) == 4 || b[4] == ' '
	}
	// "-", and Squid's 0.
	return len(b) >= 2 && b[0] == ' ' && (b[1] == '-' || b[1] == '0') && (len(b) == 2 || b[2] == ' ')
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// statusSize reads "200 2326" and returns where the space behind it stands, or the line's end; -1 when cut off.
func (p *Parser) statusSize(line []byte, at int) int {
	r := &p.req
	switch {
	case at+1 < len(line) && line[at+1] == ' ': // "-", "0"
		at++
	case at+3 > len(line):
		return -1
	default:
		r.Status = uint16(line[at]-'0')*100 + uint16(line[at+1]-'0')*10 + uint16(line[at+2]-'0')
		at += 3
	}
	if at >= len(line) {
		return -1
	}
	at++
	size, start := int64(0), at
	for at < len(line) && isDigit(line[at]) && at-start < 18 {
		size = size*10 + int64(line[at]-'0')
		at++
	}
	if at == start && at < len(line) && line[at] == '-' {
		at++
	}
	if at == start || at < len(line) && line[at] != ' ' {
		return -1
	}
	r.Size = size
	return at
}

// clfAgents reads ` "referer" "agent"` and whatever follows.
func (p *Parser) clfAgents(line []byte, at int) (g grade, agents bool) {
	r := &p.req
	if at+2 <= len(line) && line[at+1] != '"' {
		at = skipFields(line, at)
	}
	if at+2 > len(line) || line[at+1] != '"' {
		r.Lacks = asker
		return complete, false
	}
	if p.opt.Want&(connwarden.FieldReferer|connwarden.FieldAgent) == 0 && (p.brief || p.opt.Proxies == nil) {
		return complete, true
	}
	at += 2
	end := closeReferer(line, at)
	if end < 0 {
		r.Referer = line[at:]
		return stump, true
	}
	r.Referer = dash(line[at:end])
	at = end + 3
	end = closeAgent(line, at)
	if end < 0 {
		r.Agent = line[at:]
		return stump, true
	}
	r.Agent = dash(line[at:end])
	if end+1 < len(line) && p.opt.Proxies != nil {
		p.forward = forwardIn(line[end+1:])
	}
	return complete, true
}

// skipFields passes over up to five fields without quotes, each behind a space, if a referer and an agent follow: the time that a request
// took, the length of what was asked, the server, the state of the connection. It returns where the space before the referer stands, and
// otherwise at.
func skipFields(line []byte, at int) int {
	from := at
	for range 5 {
		n := from + 1
		for n < len(line) && line[n] > ' ' && line[n] != '"' && n-from < 64 {
			n++
		}
		if n == from+1 || n+2 > len(line) || line[n] != ' ' {
			return at
		}
		if from = n; line[n+1] == '"' {
			if end := closeReferer(line, n+2); end < 0 || closeAgent(line, end+3) < 0 {
				return at
			}
			return from
		}
	}
	return at
}

// closeReferer finds the quote that ends a referer which begins at from: `" "` or `" -`.
func closeReferer(line []byte, from int) int {
	if from+3 < len(line) && line[from] == '-' && line[from+1] == '"' && line[from+2] == ' ' && line[from+3] == '"' {
		return from + 1
	}
	for at := from; ; {
		n := bytes.IndexByte(line[at:], '"')
		if n < 0 {
			return -1
		}
		end := at + n
		if end+2 < len(line) && line[end+1] == ' ' && line[end+2] == '"' && (end == from || line[end-1] != '\\' || !escaped(line[from:end])) {
			return end
		}
		at = end + 1
	}
}

// quotes bounds from how many quotes the rest of a line is looked through: an agent that quotes has two or four, a
// hostile one of a megabyte must not be looked through from each.
const quotes = 6

// closeAgent finds the quote that ends an agent which begins at from: the last of the line, or the first behind which
// only whole fields follow.
func closeAgent(line []byte, from int) int {
	left := quotes
	for at := from; ; {
		n := bytes.IndexByte(line[at:], '"')
		if n < 0 {
			return -1
		}
		end := at + n
		if end+1 == len(line) {
			return end
		}
		if (end == from || line[end-1] != '\\' || !escaped(line[from:end])) && left > 0 && line[end+1] == ' ' {
			if left--; numberFollows(line[end+1:]) || fieldsFollow(line[end+1:]) {
				return end
			}
		}
		at = end + 1
	}
}

// numberFollows tells whether b begins with a number between spaces: no agent has that behind a quote, but Traefik's
// lines do, of which old versions forgot to close a quote further on.
func numberFollows(b []byte) bool {
	n := 1
	for n < len(b) && isDigit(b[n]) {
		n++
	}
	return n > 1 && n < len(b) && b[n] == ' '
}

// fieldsFollow tells whether b is a list of fields, each with a space in front and every quote closed.
func fieldsFollow(b []byte) bool {
	for len(b) > 0 {
		if b[0] != ' ' {
			return false
		}
		b = b[1:]
		if len(b) > 0 && b[0] == '"' {
			n := bytes.IndexByte(b[1:], '"')
			for n >= 0 && escaped(b[1:1+n]) {
				m := bytes.IndexByte(b[n+2:], '"')
				if m < 0 {
					return false
				}
				n += m + 1
			}
			if n < 0 {
				return false
			}
			b = b[n+2:]
			continue
		}
		n := bytes.IndexByte(b, ' ')
		if n < 0 {
			n = len(b)
		}
		// A field of "key=\"value with spaces\"" has its quotes inside.
		if m := bytes.IndexByte(b[:n], '"'); m >= 0 {
			if m == 0 || b[m-1] != '=' {
				return false
			}
			k := bytes.IndexByte(b[m+1:], '"')
			if k < 0 {
				return false
			}
			n = m + k + 2
		}
		b = b[n:]
	}
	return true
}

// forwardIn finds the first quoted field that is a list of addresses: nginx's "main" format and many others write
// X-Forwarded-For behind the agent.
func forwardIn(b []byte) []byte {
	for len(b) > 0 {
		n := bytes.IndexByte(b, '"')
		if n < 0 {
			return nil
		}
		b = b[n+1:]
		n = bytes.IndexByte(b, '"')
		if n < 0 {
			return nil
		}
		last := b[:n]
		if m := bytes.LastIndexByte(last, ','); m >= 0 {
			last = last[m+1:]
		}
		if _, ok := forwardedAddr(last); ok {
			return b[:n]
		}
		b = b[n+1:]
	}
	return nil
}
