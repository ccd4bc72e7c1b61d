package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// part is what a field of a line says of a request. Compiled formats, columns and keys all end in parts.
type part uint8

const (
	partSkip    part = iota
	partTime         // date and time
	partDate         // the date alone
	partClock        // the time of day alone
	partClient       // the direct peer, an address or a name
	partForward      // X-Forwarded-For or Forwarded
	partReal         // a header with the one address that a proxy saw: CF-Connecting-IP, True-Client-IP, X-Real-IP
	partHost         // the site
	partRequest      // "GET /path?query HTTP/1.1"
	partMethod
	partURI    // target: path and query, or an absolute URI
	partPath   // without the query
	partQuery  // with or without "?"
	partProto  // "HTTP/1.1"
	partStatus // three digits
	partSize   // bytes sent
	partTook   // a number of step.unit
	partReferer
	partAgent
	partLine // a whole line of an access log
	partUser
	partFlags     // Envoy's response flags: capital letters and commas, or "-"
	partNumber    // a number or "-" that says nothing here
	partOperation // of S3: "REST.GET.OBJECT", "BATCH.DELETE.OBJECT"
	partToken     // anything without a space or a quote
	partCipher    // of TLS, or "-"
	partTLS       // the word "tls"
)

// Bits of Parser.seen.
const (
	sawTime = 1 << iota
	sawClient
	sawRequest
	sawStatus
	sawDate
	sawClock
	sawPath
)

// set takes the text of one part. It is false when the text cannot be one.
func (p *Parser) set(what part, unit time.Duration, b []byte) bool {
	r := &p.req
	switch what {
	case partTime:
		return p.setTime(b)
	case partDate:
		return p.setDate(b)
	case partClock:
		sec, ok := hms(b)
		if !ok {
			return false
		}
		nsec, used := decimals(b[8:])
		if used != len(b)-8 {
			return false
		}
		p.clock, p.seen = time.Duration(sec)*time.Second+time.Duration(nsec), p.seen|sawClock
	case partClient:
		p.setClient(b)
	case partForward:
		if b = dash(b); len(b) > 0 {
			p.forward = b
			p.seen |= sawClient
		}
	case partReal:
		if b = dash(b); len(b) > 0 {
			p.real = b
			p.seen |= sawClient
		}
	case partHost:
		if b = dash(b); len(b) > 0 {
			r.Host = hostOnly(b)
		}
	case partRequest:
		p.requestLine(b)
		p.seen |= sawRequest
	case partMethod:
		r.Method = dash(b)
	case partURI:
		p.uri = dash(b)
		p.seen |= sawPath
	case partPath:
		r.Path = dash(b)
		p.seen |= sawPath
	case partQuery:
		if b = dash(b); len(b) > 0 && b[0] == '?' {
			b = b[1:]
		}
		if r.Query = b; len(b) == 0 {
			r.Query = nil
		}
	case partProto:
		r.Proto = dash(b)
	case partStatus:
		return p.setStatus(b)
	case partSize:
		return p.setSize(b)
	case partTook:
		return p.setTook(unit, b)
	case partReferer:
		r.Referer = dash(b)
	case partAgent:
		r.Agent = dash(b)
	case partUser:
		r.User = dash(b)
	case partFlags:
		for _, c := range b {
			if (c < 'A' || c > 'Z') && c != ',' && c != '-' {
				return false
			}
		}
	case partNumber:
		for _, c := range b {
			if !isDigit(c) && c != '-' {
				return false
			}
		}
	case partToken:
		return bytes.IndexByte(b, ' ') < 0 && bytes.IndexByte(b, '"') < 0
	case partLine:
		p.inner = b
	case partCipher:
		for _, c := range b {
			if (c < 'A' || c > 'Z') && !isDigit(c) && c != '-' && c != '_' {
				return false
			}
		}
	case partTLS:
		return string(b) == "tls"
	case partOperation:
		return bytes.Count(b, []byte(".")) >= 2
	}
	return true
}

func (p *Parser) setTime(b []byte) bool {
	b = bytes.Trim(b, "[]")
	if len(b) <= 1 {
		return len(dash(b)) == 0
	}
	t, n := p.stamps.any(b)
	if n != len(b) {
		return false
	}
	p.req.Time, p.seen = t, p.seen|sawTime
	return true
}

func (p *Parser) setDate(b []byte) bool {
	day, ok := p.stamps.isoDay(b)
	if !ok || len(b) != 10 {
		if len(b) != 11 || b[2] != '/' || b[6] != '/' {
			return false
		}
		d, ok1 := digits(b[0:2])
		y, ok2 := digits(b[7:11])
		m := month(b[3:6])
		if !ok1 || !ok2 || !isDate(y, m, d) {
			return false
		}
		day = unixDay(y, m, d)
	}
	p.day, p.seen = day, p.seen|sawDate
	return true
}

// setClient takes the direct peer; of a list the rightmost, which is the only one that a header's writer cannot forge.
func (p *Parser) setClient(b []byte) {
	if n := bytes.LastIndexByte(b, ','); n >= 0 && n+1 < len(b) {
		if a := p.realClient(b); a.IsValid() {
			p.seen |= sawClient
			p.req.Client = a
			return
		}
		b = b[n+1:]
		for len(b) > 0 && b[0] == ' ' {
			b = b[1:]
		}
	}
	if len(b) == 0 {
		return
	}
	p.seen |= sawClient
	p.client(b)
}

func (p *Parser) setStatus(b []byte) bool {
	if len(b) >= 3 && isDigit(b[0]) && isDigit(b[1]) && isDigit(b[2]) && (len(b) == 3 || !isDigit(b[3])) {
		p.req.Status = uint16(b[0]-'0')*100 + uint16(b[1]-'0')*10 + uint16(b[2]-'0')
		p.seen |= sawStatus
		return true
	}
	// HAProxy writes -1, nginx 0 or 000, for a request that got no answer.
	switch string(b) {
	case "-", "", "-1", "0":
		p.req.Status = 0
		return true
	}
	return false
}

func (p *Parser) setSize(b []byte) bool {
	if len(b) == 0 || len(b) == 1 && b[0] == '-' {
		p.req.Size = 0
		return true
	}
	if b[0] == '+' { // HAProxy's mark that the connection went on when the line was written
		b = b[1:]
	}
	size := int64(0)
	for i, c := range b {
		if !isDigit(c) || i == 18 {
			return len(b) > 1 && b[0] == '-' && isDigit(b[1])
		}
		size = size*10 + int64(c-'0')
	}
	p.req.Size = size
	return true
}

// setTook adds a duration of the unit: some formats split it. Negative ones stand for a phase that was not reached.
func (p *Parser) setTook(unit time.Duration, b []byte) bool {
	if len(b) == 0 || b[0] == '-' {
		return true
	}
	if b[0] == '+' {
		b = b[1:]
	}
	whole, i := int64(0), 0
	for i < len(b) && isDigit(b[i]) && i < 15 {
		whole = whole*10 + int64(b[i]-'0')
		i++
	}
	nano, used := decimals(b[i:])
	exp := 0
	if rest := b[i+used:]; len(rest) > 1 && rest[0]|0x20 == 'e' {
		sign, digitsFrom := 1, 1
		if rest[1] == '-' {
			sign, digitsFrom = -1, 2
		}
		n, ok := digits(rest[digitsFrom:])
		if !ok || n > 12 {
			return false
		}
		exp = sign * n
	} else if len(rest) > 0 && i+used == 0 {
		return false
	}
	const longest = 400 * 24 * time.Hour // anything longer is no duration, and must not overflow
	if unit > 0 && whole > int64(longest/unit) {
		return true
	}
	took := time.Duration(whole)*unit + time.Duration(float64(nano)/1e9*float64(unit))
	for ; exp < 0; exp++ {
		took /= 10
	}
	for ; exp > 0 && took < longest; exp-- {
		took *= 10
	}
	if p.req.Took < 0 {
		p.req.Took = 0
	}
	p.req.Took += took
	return true
}

// settle completes a request that came in parts and grades it: what was cut off is a stump if one can tell when it was
// and whose.
func (p *Parser) settle(whole bool) grade {
	r := &p.req
	if p.seen&(sawDate|sawClock) == sawDate|sawClock {
		r.Time = p.stamps.local(p.day, 0).Add(p.clock)
		p.seen |= sawTime
	}
	if p.seen&sawRequest == 0 {
		if len(p.uri) > 0 {
			query := r.Query
			p.target(p.hosted(p.uri))
			if r.Query == nil {
				r.Query = query
			}
		}
		switch {
		case len(r.Method) == 0 && starts(p.uri, "error:"): // Squid
			r.Kind, r.Path = connwarden.ReqEmpty, p.uri
			if starts(p.uri, "error:invalid-request") {
				r.Kind = connwarden.ReqGarbage
			}
		case len(r.Path) > 0 && (len(r.Method) == 0 || isMethod(r.Method)):
			r.Kind = connwarden.ReqHTTP
		case len(r.Path) == 0 && len(r.Method) == 0:
			r.Kind = connwarden.ReqEmpty
		case knownMethod(r.Method): // cut off before the target
			r.Kind = connwarden.ReqHTTP
		default:
			r.Kind = oddKind(r.Method)
			if len(r.Path) == 0 {
				r.Path = r.Method
			}
			r.Method = nil
		}
	}
	if !r.Client.IsValid() && len(r.Name) == 0 {
		// Formats that write no peer, only what it forwarded (Envoy).
		header := p.forward
		if len(header) == 0 {
			header = p.real
		}
		r.Client = p.realClient(header)
	}
	switch {
	case p.seen&sawTime == 0 || p.seen&(sawClient|sawRequest|sawPath) == 0:
		return misfit
	case whole:
		return complete
	case p.seen&sawClient == 0:
		return misfit
	}
	return stump
}

// hosted takes the host off a target like "www.example.com/a", which has no scheme before: nginx's "$host$request_uri".
func (p *Parser) hosted(uri []byte) []byte {
	n := bytes.IndexByte(uri, '/')
	if n <= 0 || bytes.IndexByte(uri[:n], '.') < 0 || bytes.ContainsAny(uri[:n], "?#%=&;: ") {
		return uri
	}
	if len(p.req.Host) == 0 && len(p.opt.Site) == 0 {
		p.req.Host = uri[:n]
	}
	return uri[n:]
}

// viaProxy takes the client out of the headers when the direct peer is trusted.
func (p *Parser) viaProxy() {
	r := &p.req
	if !p.opt.Proxies.Contains(r.Client) {
		return
	}
	client := p.realClient(p.forward)
	if !client.IsValid() || p.opt.Proxies.Contains(client) {
		// A header with one address is the word of the proxy nearest to the client; it may pass more proxies of ours.
		if a, ok := forwardedAddr(p.real); ok {
			client = a
		}
	}
	if client.IsValid() && client != r.Client {
		r.Via, r.Client = r.Client, client
	}
}
