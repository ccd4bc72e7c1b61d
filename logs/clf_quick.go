package logs

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/connwarden/connwarden"
)

// Eight bytes at a time: each byte of a word of ones is 1, of highs its highest bit.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// among marks the highest bit of each byte of x that is c. Marks above the lowest may be wrong.
func among(x uint64, c byte) uint64 {
	x ^= ones * uint64(c)
	return (x - ones) &^ x & highs
}

// control marks the bytes of x below a space, with the same doubt.
func control(x uint64) uint64 { return (x - ones*' ') &^ x & highs }

// quick reads the first line of block if it is one as nearly all lines of the combined format are, by a client that gave no
// name, with a request of GET or POST that holds no escapes; it returns how many bytes the line takes with its end, 0 if
// it is any other. What it reads clf would read the same, but it looks at each byte once: the end of the line is looked
// for only behind the size.
func (p *Parser) quick(block []byte) int {
	const dashes = " - - ["
	const most = len("255.255.255.255") + len(dashes) + clfLen + len(`] "POST /`)
	if len(block) < most+16 {
		return 0
	}
	p.begin()
	r := &p.req
	n := 0
	if p.opt.Want&connwarden.FieldClient != 0 {
		r.Client, n = scanIPv4(block)
		if n > 0 {
			p.asked(r.Client)
		}
	} else {
		first := binary.LittleEndian.Uint64(block)
		m := among(first, ' ')
		if m == 0 {
			first, n = binary.LittleEndian.Uint64(block[8:]), 8
			m = among(first, ' ')
		}
		if n += bits.TrailingZeros64(m) >> 3; m == 0 || !isDigit(block[0]) || bytes.IndexByte(block[:n], '\n') >= 0 {
			return 0
		}
	}
	at := n + len(dashes)
	if n == 0 || string(block[n:at]) != dashes || string(block[at+clfLen:at+clfLen+3]) != `] "` {
		return 0
	}
	var ok bool
	if r.Time, ok = p.stamps.clf(block[at:]); !ok {
		return 0
	}
	at += clfLen + 3
	switch {
	case string(block[at:at+5]) == "GET /":
		r.Method = block[at : at+3]
	case string(block[at:at+6]) == "POST /":
		r.Method = block[at : at+4]
	default:
		return 0
	}
	target := at + len(r.Method) + 1
	query, end := 0, 0
	for at = target; ; at += 8 {
		if at+8 > len(block) {
			return 0
		}
		x := binary.LittleEndian.Uint64(block[at:])
		if query == 0 {
			if m := among(x, '?'); m != 0 {
				query = at + bits.TrailingZeros64(m)>>3
			}
		}
		if m := among(x, '"') | control(x); m != 0 {
			end = at + bits.TrailingZeros64(m)>>3
			break
		}
	}
	proto := end - len("HTTP/1.1")
	if block[end] != '"' || proto <= target || string(block[proto-1:end-1]) != " HTTP/1." || block[end-1] == '\\' || end+8 > len(block) {
		return 0
	}
	// ` 200 2326 "`
	b := block[end+1 : end+5]
	if b[0] != ' ' || !isDigit(b[1]) || !isDigit(b[2]) || !isDigit(b[3]) || block[end+5] != ' ' {
		return 0
	}
	r.Status = uint16(b[1]-'0')*100 + uint16(b[2]-'0')*10 + uint16(b[3]-'0')
	at = end + 6
	size, start := int64(0), at
	for at < len(block) && isDigit(block[at]) && at-start < 18 {
		size = size*10 + int64(block[at]-'0')
		at++
	}
	if at == start && block[at] == '-' {
		at++
	}
	if at == start || at+2 > len(block) || block[at] != ' ' || block[at+1] != '"' {
		return 0
	}
	r.Size, r.Kind, r.Proto = size, connwarden.ReqHTTP, block[proto:end]
	if p.opt.Want&(connwarden.FieldPath|connwarden.FieldQuery) != 0 {
		if query > 0 && query < proto-1 {
			r.Path, r.Query = block[target:query], block[query+1:proto-1]
		} else {
			r.Path = block[target : proto-1]
		}
	}
	nl := bytes.IndexByte(block[at+2:], '\n')
	if nl < 0 {
		return 0 // the last line, or one that ends otherwise
	}
	line := block[:at+2+nl]
	if line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	if p.opt.Want&(connwarden.FieldReferer|connwarden.FieldAgent) != 0 || p.opt.Proxies != nil && !p.brief {
		if g, _ := p.clfAgents(line, at); g != complete {
			return 0
		}
	}
	p.push(line)
	return at + 2 + nl + 1
}
