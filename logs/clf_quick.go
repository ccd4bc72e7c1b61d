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

// below marks the bytes of x that are less than c, which is at most 0x80, with the same doubt.
func below(x uint64, c byte) uint64 { return (x - ones*uint64(c)) &^ x & highs }

// number reads the decimal number that the eight bytes of x begin with, and tells of how many of them it is made.
func number(x uint64) (value int64, n int) {
	x ^= ones * '0' // digits become 0 to 9
	n = bits.TrailingZeros64((x&^highs+ones*(0x80-10)|x)&highs) >> 3
	if n == 0 {
		return 0, 0
	}
	x <<= 64 - 8*n // as if zeros stood in front
	x = x * (10<<8 + 1) >> 8 & 0x00ff00ff00ff00ff
	x = x * (100<<16 + 1) >> 16 & 0x0000ffff0000ffff
	return int64(x * (10000<<32 + 1) >> 32), n
}

// quick reads the first line of block if it is one as nearly all lines of the combined format are, by a client that gave no
// name, with a request of GET, POST or HEAD that holds no blanks and no quotes; it returns how many bytes the line takes with
// its end, 0 if it is any other. What it reads clf would read the same, but it looks at each byte once, eight at a time, and
// foretells no lengths: the end of the line is looked for only behind the size.
func (p *Parser) quick(block []byte) int {
	const dashes = " - - ["
	const most = maxAddr + len(dashes) + clfLen + len(`] "POST /`)
	if len(block) < most {
		return 0
	}
	p.begin()
	r := &p.req
	n := p.quickClient(block)
	if n == 0 || string(block[n:n+len(dashes)]) != dashes {
		return 0
	}
	at := n + len(dashes)
	if string(block[at+clfLen:at+clfLen+3]) != `] "` {
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
	case string(block[at:at+6]) == "POST /", string(block[at:at+6]) == "HEAD /":
		r.Method = block[at : at+4]
	default:
		return 0
	}
	target := at + len(r.Method) + 1
	query, end := 0, target
	for {
		if end+8 > len(block) {
			return 0
		}
		x := binary.LittleEndian.Uint64(block[end:])
		if m := among(x, '?'); m != 0 && query == 0 {
			query = end + bits.TrailingZeros64(m)>>3
		}
		if m := below(x, '"'+1); m != 0 {
			end += bits.TrailingZeros64(m) >> 3
			break
		}
		end += 8
	}
	used := p.quickTail(block, end)
	if used == 0 {
		return 0
	}
	r.Kind, r.Proto = connwarden.ReqHTTP, block[end+1:end+len(" HTTP/1.1")]
	if p.opt.Want&(connwarden.FieldPath|connwarden.FieldQuery) != 0 {
		if query > 0 && query < end {
			r.Path, r.Query = block[target:query], block[query+1:end]
		} else {
			r.Path = block[target:end]
		}
	}
	nl := bytes.IndexByte(block[used:], '\n')
	if nl < 0 {
		return 0 // the last line, or one that ends otherwise
	}
	line := block[:used+nl]
	if line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	if p.opt.Want&(connwarden.FieldReferer|connwarden.FieldAgent) != 0 || p.opt.Proxies != nil && !p.brief {
		if g, _ := p.clfAgents(line, used-2); g != complete {
			return 0
		}
	}
	p.push(line)
	return used + nl + 1
}

// maxAddr bounds the text of an address, in bytes: clfPlain looks no further.
const maxAddr = 40

// quickClient reads the address that block, of more than maxAddr bytes, begins with, if it is wanted, and returns its length; 0 when
// it is none.
func (p *Parser) quickClient(block []byte) int {
	if p.opt.Want&connwarden.FieldClient == 0 && isDigit(block[0]) {
		for at := 0; at < maxAddr; at += 8 {
			if m := below(binary.LittleEndian.Uint64(block[at:]), ' '+1); m != 0 {
				return at + bits.TrailingZeros64(m)>>3
			}
		}
		return 0
	}
	a, n := scanIPv4(block)
	if n == 0 {
		n = max(bytes.IndexByte(block[:maxAddr], ' '), 0)
		var ok bool
		if a, ok = parseIPv6(block[:n]); !ok {
			return 0
		}
	}
	p.req.Client = a
	p.asked(a)
	return n
}

// quickTail reads ` HTTP/1.1" 200 2326 "` at from and returns where that ends; 0 when something else stands there.
func (p *Parser) quickTail(block []byte, from int) int {
	const least = len(` HTTP/1.1" 200 12345678 "`)
	if from+least > len(block) {
		return 0
	}
	b := block[from : from+least]
	if string(b[:6]) != " HTTP/" || !isDigit(b[6]) || b[7] != '.' || !isDigit(b[8]) || b[9] != '"' || b[10] != ' ' ||
		!isDigit(b[11]) || !isDigit(b[12]) || !isDigit(b[13]) || b[14] != ' ' {
		return 0
	}
	size, n := number(binary.LittleEndian.Uint64(b[15:]))
	if n == 0 && b[15] == '-' {
		n = 1
	}
	if n == 0 || b[15+n] != ' ' || b[16+n] != '"' {
		return 0
	}
	p.req.Status, p.req.Size = uint16(b[11]-'0')*100+uint16(b[12]-'0')*10+uint16(b[13]-'0'), size
	return from + 17 + n
}
