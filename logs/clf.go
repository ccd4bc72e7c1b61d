package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// The family of the common log format (Apache's mod_log_config, nginx's "combined", lighttpd, LiteSpeed, cPanel, Plesk,
// Varnish): what stands before the time differs by a virtual host in front, what follows the size is optional. One
// reader serves all, so that a log that gains or loses its last fields half-way is read all the same.
var (
	combined    = &Format{Name: "apache_combined", read: readCombined}
	common      = &Format{Name: "apache_common", read: readCommon}
	vhost       = &Format{Name: "apache_vhost_combined", read: readVhost}
	vhostCommon = &Format{Name: "apache_vhost_common", read: readVhostCommon}
)

func readCombined(p *Parser, line []byte) grade    { return p.clf(line, false, true) }
func readCommon(p *Parser, line []byte) grade      { return p.clf(line, false, false) }
func readVhost(p *Parser, line []byte) grade       { return p.clf(line, true, true) }
func readVhostCommon(p *Parser, line []byte) grade { return p.clf(line, true, false) }

// clf reads a line of the family. Vhosted lines have the virtual host in front of the client; a line is complete only
// if it has an agent where one is expected, and none where none is.
func (p *Parser) clf(line []byte, vhosted, agents bool) grade {
	p.begin()
	at := 0
	if !vhosted {
		at = p.clfPlain(line)
	}
	if at == 0 {
		var open int
		if open, at = p.clfOpen(line); open < 0 || !p.clfLead(line[:open], vhosted) {
			return misfit
		}
	}
	g, found := p.clfTail(line, at)
	if g == complete && found != agents {
		return stump
	}
	return g
}

// clfPlain reads "192.0.2.7 - - [17/May/2015:10:05:03 +0000", with which nearly all lines begin, and returns where it ends;
// 0 when the line begins otherwise.
func (p *Parser) clfPlain(line []byte) int {
	a, n := scanIPv4(line)
	if n == 0 {
		if n = bytes.IndexByte(line[:min(len(line), 40)], ' '); n <= 0 {
			return 0
		}
		var ok bool
		if a, ok = parseIPv6(line[:n]); !ok {
			return 0
		}
	}
	const dashes = " - - ["
	at := n + len(dashes)
	if len(line) <= at+clfLen || string(line[n:at]) != dashes || line[at+clfLen] != ']' {
		return 0
	}
	t, ok := p.stamps.clf(line[at:])
	if !ok {
		return 0
	}
	p.req.Client, p.req.Time = a, t
	return at + clfLen
}

// traefikCLF is the common log format of Traefik, which ends in the request's number, router, server and duration:
// doc.traefik.io/traefik/observability/access-logs.
var traefikCLF = &Format{Name: "traefik_clf", read: readTraefik}

func readTraefik(p *Parser, line []byte) grade {
	g := p.clf(line, false, true)
	if g != complete || !bytes.HasSuffix(line, []byte("ms")) {
		return min(g, stump)
	}
	n := bytes.LastIndexByte(line, ' ')
	if n < 0 || line[n-1] != '"' {
		return stump
	}
	if _, ok := digits(line[n+1 : len(line)-2]); !ok {
		return stump
	}
	p.setTook(time.Millisecond, line[n+1:len(line)-2])
	return complete
}

// clfLead reads what stands before the time: "client ident user", perhaps with the virtual host in front.
func (p *Parser) clfLead(lead []byte, vhosted bool) bool {
	lead = bytes.TrimRight(lead, " ")
	if len(lead) == 0 {
		return false
	}
	if vhosted {
		host, rest := word(lead)
		if !isName(host) || len(rest) == 0 {
			return false
		}
		client, _ := word(rest)
		if !isSite(host) {
			// Without a port in front only an address behind, or a word too many, tells that this is a host.
			if _, ok := parseAddr(bytes.Trim(client, `",`)); !ok && (!bytes.HasSuffix(lead, noUser) || len(client) <= 1 ||
				bytes.Count(lead, space) != 3 && client[len(client)-1] != ',') {
				return false
			}
		}
		p.req.Host = dash(hostOnly(host))
		lead = rest
	}
	return p.clfClient(lead, vhosted)
}

// clfOpen finds the line's time and returns where its "[" stands and where it ends. User names may hold brackets, quotes
// and spaces, so only a "[" with a valid time and `] "` behind counts.
func (p *Parser) clfOpen(line []byte) (open, end int) {
	for from := 0; ; {
		n := bytes.IndexByte(line[from:], '[')
		if n < 0 {
			break
		}
		open = from + n
		if t, ok := p.stamps.clf(line[open+1:]); ok && closesTime(line, open+1+clfLen) {
			p.req.Time = t
			return open, open + 1 + clfLen
		}
		from = open + 1
	}
	// Few daemons write another time into the brackets, or one without its zone.
	for from, left := 0, retries; left > 0; left-- {
		n := bytes.IndexByte(line[from:], '[')
		if n < 0 {
			break
		}
		open = from + n
		if t, used := p.stamps.any(line[open+1:]); used > 0 && closesTime(line, open+1+used) {
			p.req.Time = t
			return open, open + 1 + used
		}
		from = open + 1
	}
	return -1, 0
}

// closesTime tells whether "]" and a request, or the end of a line that was cut off, follow at at.
func closesTime(line []byte, at int) bool {
	if at >= len(line) {
		return at == len(line)
	}
	rest := line[at+1:]
	return line[at] == ']' && (len(rest) == 0 || rest[0] == ' ' && (len(rest) == 1 || rest[1] == '"'))
}

// clfClient reads "client ident user", of which the user may have spaces.
func (p *Parser) clfClient(lead []byte, vhosted bool) bool {
	r := &p.req
	client, rest := word(lead)
	if len(client) == 0 {
		return false
	}
	if lead[0] == '"' || client[len(client)-1] == ',' {
		// A forwarding header in the client's place is a list: "10.0.0.2, 10.0.0.1 - - [". Its rightmost address is the
		// one that was not written by whom it names; but when an address follows the list, that is the peer.
		var list []byte
		if list, rest = addrList(lead); rest == nil {
			return false
		}
		client = list
		if next, after := word(rest); len(next) > 1 {
			if _, ok := parseAddr(next); ok {
				p.forward, client, rest = list, next, after
			}
		}
	}
	p.setClient(client)
	words := bytes.Count(lead, space) + 1
	if !vhosted && words > 3 {
		// An address that is not the first word, or a word too many: a virtual host or a syslog header stands in front,
		// which is left to who knows it, or docker-compose's "web_1  | ".
		n := spacesBefore(lead, 3)
		third, after := word(lead[n:])
		if _, ok := parseAddr(third); ok && !r.Client.IsValid() {
			if lead[max(n-2, 0)] != '|' {
				return false
			}
			r.Name, rest = nil, after
			p.setClient(third)
		} else if words == 4 && bytes.HasSuffix(lead, noUser) && len(p.forward) == 0 && client[len(client)-1] != ',' && &client[0] == &lead[0] {
			return false
		}
	}
	ident, user := rest, []byte(nil)
	if n := bytes.IndexByte(rest, ' '); n >= 0 {
		ident, user = rest[:n], rest[n+1:]
	}
	if !vhosted && !r.Client.IsValid() && isSite(client) {
		// "site:443 192.0.2.1 - -" is of the format with the virtual host in front.
		if _, ok := parseAddr(ident); ok {
			return false
		}
	}
	// lighttpd writes the host where others have the name of RFC 1413, which no one has used for decades.
	if len(ident) > 1 && len(r.Host) == 0 && bytes.IndexByte(ident, '.') > 0 {
		r.Host = hostOnly(ident)
	}
	r.User = dash(user)
	return true
}

// spacesBefore tells where the n-th word from the end of b begins, when at least one stands before it.
func spacesBefore(b []byte, n int) int {
	at := len(b)
	for ; n > 0; n-- {
		if at = bytes.LastIndexByte(b[:at], ' '); at < 0 {
			return 0
		}
	}
	return at + 1
}

var (
	space  = []byte(" ")
	noUser = []byte(" - -")
)

// addrList cuts a list of addresses, perhaps in quotes, off the front of b; rest is nil when it does not end there.
func addrList(b []byte) (list, rest []byte) {
	if b[0] == '"' {
		n := bytes.IndexByte(b[1:], '"')
		if n < 0 || n+2 >= len(b) || b[n+2] != ' ' {
			return nil, nil
		}
		return b[1 : n+1], b[n+3:]
	}
	for at := 0; ; {
		n := bytes.IndexByte(b[at:], ' ')
		if n <= 0 {
			return nil, nil
		}
		if at += n; b[at-1] != ',' {
			return b[:at], b[at+1:]
		}
		at++
	}
}

// client sets the client from an address or name.
func (p *Parser) client(b []byte) {
	if a, ok := parseAddr(b); ok {
		p.req.Client = a
		return
	}
	p.req.Name = dash(b)
}

// isName tells whether b could be a virtual host or a client's name.
func isName(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c == '"' || c == '[' && b[0] != '[' {
			return false
		}
	}
	return len(b) > 0
}

// isSite tells whether b is a name with a port behind.
func isSite(b []byte) bool {
	n := bytes.LastIndexByte(b, ':')
	return n > 0 && isPort(b[n:])
}

// clfTail reads what follows the time: `] "request" status size "referer" "agent" …`. It tells whether there was an agent.
func (p *Parser) clfTail(line []byte, at int) (g grade, agents bool) {
	r := &p.req
	if at+3 > len(line) || line[at] != ']' || line[at+1] != ' ' || line[at+2] != '"' {
		r.Kind = connwarden.ReqEmpty
		if at == len(line) || line[at] == ']' && at+2 >= len(line) {
			return stump, false
		}
		return misfit, false
	}
	at += 3
	end := closeRequest(line, at)
	if end < 0 {
		p.requestLine(line[at:])
		return stump, false
	}
	p.requestLine(line[at:end])
	at = end + 2
	at = p.statusSize(line, at)
	if at < 0 {
		return stump, false
	}
	if at >= len(line) {
		return complete, false
	}
	return p.clfAgents(line, at)
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
		if rest := line[from+n+1:]; len(rest) < len(" 200") && (len(rest) < 2 || rest[0] == ' ' && isDigit(rest[1])) {
			return from + n
		}
	}
	return -1
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
	if at+2 > len(line) || line[at+1] != '"' {
		return complete, false
	}
	if p.opt.Want&(connwarden.FieldReferer|connwarden.FieldAgent) == 0 && p.opt.Proxies == nil {
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
