package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// iisWords bounds the fields of a line of IIS: it has 22 of its own, and few who add some.
const iisWords = 32

// iisHeadless reads a line of IIS whose directive is lost, of a file without its head or of lines that somebody put together, by the order that
// IIS keeps however many fields are chosen:
//
//	date time [site] [computer] [server] METHOD stem query port user CLIENT [version] [agent] [cookie] [referer] [host] STATUS substatus win32
//	[bytes sent] [bytes received] [milliseconds] [what was added]
func (p *Parser) iisHeadless(line []byte) grade {
	p.begin()
	var words [iisWords][]byte
	n := 0
	for rest := line; len(rest) > 0 && n < len(words); n++ {
		words[n], rest = word(rest)
	}
	if n < 12 || !p.set(partDate, 0, words[0]) || !p.set(partClock, 0, words[1]) {
		return misfit
	}
	m := 2
	for m < 6 && !(knownMethod(words[m]) && len(words[m+1]) > 0 && words[m+1][0] == '/') {
		m++
	}
	client := m + 5
	if m == 6 || client+3 >= n || !looksAddr(words[client]) || !allDigits(words[m+3]) {
		return misfit
	}
	status := client + 1
	for status+2 < n && !(len(words[status]) == 3 && allDigits(words[status]) && allDigits(words[status+1]) && allDigits(words[status+2])) {
		status++
	}
	if status+2 >= n || !p.setStatus(words[status]) {
		return misfit
	}
	r := &p.req
	r.Method, r.Kind, r.User = words[m], connwarden.ReqHTTP, dash(words[m+4])
	p.set(partPath, 0, words[m+1])
	p.set(partQuery, 0, words[m+2])
	p.setClient(words[client])
	between := words[client+1 : status]
	r.Lacks = connwarden.FieldReferer // IIS leaves it out unless it is chosen
	if len(between) > 0 && isHTTP(between[0]) {
		r.Proto, between = between[0], between[1:]
	}
	for i, one := range between {
		switch {
		case starts(one, "http://") || starts(one, "https://"):
			r.Referer, r.Lacks = one, 0
		case i == 0:
			if r.Agent = dash(one); bytes.IndexByte(one, '+') >= 0 {
				r.Agent = p.scratch.spaces(one)
			}
		case i == len(between)-1 && bytes.IndexByte(one, '.') > 0 && !bytes.ContainsAny(one, "/=;+"):
			r.Host = hostOnly(one)
		}
	}
	p.iisRest(words[status+3 : n])
	return p.settleColumns(1, 1)
}

// iisRest reads what stands behind the status: the time that it took, or bytes and time, then a header that an administrator added.
func (p *Parser) iisRest(rest [][]byte) {
	numbers := 0
	for numbers < len(rest) && numbers < 3 && allDigits(rest[numbers]) {
		numbers++
	}
	switch numbers {
	case 1:
		p.setTook(time.Millisecond, rest[0])
	case 3:
		p.setSize(rest[0])
		p.setTook(time.Millisecond, rest[2])
	}
	if numbers < len(rest) && looksAddr(rest[numbers]) {
		p.forward = rest[numbers]
	}
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return len(b) > 0
}
