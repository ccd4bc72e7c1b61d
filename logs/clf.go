package logs

import (
	"bytes"
	"net/netip"
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
		if line = p.bare(line); !vhosted && len(line) > 0 {
			at = p.clfPlain(line)
		}
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

// bare takes off what is written around a line. Docker Compose writes the service in front, "web-1  | ". LiteSpeed writes the
// quotes of its own configuration, of which a format without an end lacks the last, and in a log that sites share the
// site in front, as in ["www.example.com"]. Python's logging writes level and name.
func (p *Parser) bare(line []byte) []byte {
	line = uncomposed(line)
	if n := levelName(line); n > 0 {
		line = line[n:]
	}
	if starts(line, `["`) {
		n := bytes.Index(line[:min(len(line), 300)], []byte(`"] `))
		if n < 3 || !isName(line[2:n]) {
			return line
		}
		p.req.Host = hostOnly(line[2:n])
		line = line[n+3:]
	}
	if len(line) < 3 || line[0] != '"' {
		return line
	}
	open := bytes.IndexByte(line, '[')
	if open < 0 || bytes.IndexByte(line[1:open], '"') >= 0 {
		return line // a list of addresses in quotes
	}
	line = line[1:]
	last := len(line) - 1
	if line[last] != '"' {
		return line
	}
	if line[last-1] == '"' {
		if last < 2 || line[last-2] != ' ' || line[last-2] == '\\' { // else an empty agent and no quote of the line's own
			line = line[:last]
		}
		return line
	}
	if word := line[bytes.LastIndexByte(line, ' ')+1 : last]; bytes.IndexByte(word, '"') < 0 && bytes.Count(line, quote) == 3 {
		line = line[:last] // behind the size
	}
	return line
}

// uncomposed takes off what Docker Compose writes in front of a line, "web-1  | ".
func uncomposed(line []byte) []byte {
	if n := bytes.IndexByte(line[:min(len(line), 64)], '|'); n > 1 && line[n-1] == ' ' && n+2 < len(line) && line[n+1] == ' ' {
		if name, rest := word(line[:n]); isName(name) && len(skipBlank(rest)) == 0 {
			return line[n+2:]
		}
	}
	return line
}

// levelName tells how many bytes "INFO:aiohttp.access:" takes, which Python's logging writes in front where nobody configures it.
func levelName(b []byte) int {
	n := bytes.IndexByte(b[:min(len(b), len("WARNING:"))], ':')
	if n < len("INFO") || month(b) > 0 {
		return 0
	}
	for _, c := range b[:n] {
		if c < 'A' || c > 'Z' {
			return 0
		}
	}
	m := bytes.IndexByte(b[n+1:min(len(b), 64)], ':')
	if m <= 0 || !isName(b[n+1:n+1+m]) {
		return 0
	}
	return n + 1 + m + 1
}

// clfPlain reads "192.0.2.7 - - [17/May/2015:10:05:03 +0000", with which nearly all lines begin, and returns where it ends;
// 0 when the line begins otherwise.
func (p *Parser) clfPlain(line []byte) int {
	var a netip.Addr
	var n int
	if p.opt.Want&connwarden.FieldClient != 0 {
		a, n = scanIPv4(line)
	} else if n = bytes.IndexByte(line[:min(len(line), 40)], ' '); n <= 0 || !isDigit(line[0]) {
		return 0
	}
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
	p.asked(a)
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
		if !isName(host) || len(rest) == 0 || isDated(host) || host[len(host)-1] == ',' {
			return false // a comma: a forwarding header in the client's place
		}
		client, _ := word(rest)
		if _, ok := parseAddr(host); ok && bytes.Count(rest, space) == 1 {
			return false // a client: with its port, as Hypercorn and Daphne write it, or of lighttpd, with the host that it wrote behind
		}
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
		if t, used := p.stamps.any(line[open+1:]); used > 0 {
			end := open + 1 + used
			if end += zoneName(line[end:]); closesTime(line, end) {
				p.req.Time = t
				return open, end
			}
		}
		from = open + 1
	}
	return -1, 0
}

// zoneName tells how many bytes a zone's name takes that b begins with, " CEST", as WEBrick writes it. Which zone that is, no name tells for
// certain: the time is read as one without.
func zoneName(b []byte) int {
	n := 1
	for n < len(b) && n < 6 && b[n] >= 'A' && b[n] <= 'Z' {
		n++
	}
	if n < 4 || b[0] != ' ' {
		return 0
	}
	return n
}

// closesTime tells whether "]" and a request, or the end of a line that was cut off, follow at at.
func closesTime(line []byte, at int) bool {
	if at >= len(line) {
		return at == len(line)
	}
	rest := line[at+1:]
	if line[at] != ']' || len(rest) > 0 && rest[0] != ' ' {
		return false
	}
	rest = bytes.TrimLeft(rest, " ")
	return len(rest) == 0 || rest[0] == '"'
}

// clfClient reads "client ident user", of which the user may have spaces.
func (p *Parser) clfClient(lead []byte, vhosted bool) bool {
	r := &p.req
	client, rest := word(lead)
	if len(client) == 0 {
		return false
	}
	var list []byte
	if lead[0] == '"' || client[len(client)-1] == ',' {
		// A forwarding header in the client's place is a list: "10.0.0.2, 10.0.0.1 - - [". Its rightmost address that is no trusted
		// proxy's is the one that was not written by whom it names; but when an address follows the list, that is the peer.
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
		} else if words > 4 && !r.Client.IsValid() && len(p.forward) == 0 {
			return false // a name as the client and spaces in the user's are not met together; what syslog writes in front is
		} else if words == 4 && bytes.HasSuffix(lead, noUser) && list == nil {
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
	if r.User = dash(user); string(user) == `"-"` {
		r.User = nil
	}
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

// isDated tells whether b begins with a date as syslog daemons write it, "2026-11-22T".
func isDated(b []byte) bool {
	return len(b) > 10 && isDigit(b[0]) && b[4] == '-' && b[7] == '-' && b[10] == 'T'
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
