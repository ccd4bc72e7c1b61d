package logs

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// parseAddr reads an address as logs write clients: IPv4 or IPv6, the latter perhaps in brackets or with a zone
// (which is dropped), either perhaps with a port behind. IPv4 in IPv6 clothes becomes IPv4. It allocates nothing, which
// is why netip.ParseAddr cannot serve: its error keeps the text.
func parseAddr(b []byte) (netip.Addr, bool) {
	if len(b) == 0 {
		return netip.Addr{}, false
	}
	if b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 || end+1 < len(b) && !isPort(b[end+1:]) {
			return netip.Addr{}, false
		}
		return parseIPv6(b[1:end])
	}
	a, n := scanIPv4(b)
	if n > 0 {
		if n == len(b) || isPort(b[n:]) {
			return a, true
		}
		return netip.Addr{}, false
	}
	return parseIPv6(b)
}

// isPort tells whether b is ":" and a port number.
func isPort(b []byte) bool {
	if len(b) < 2 || len(b) > 6 || b[0] != ':' {
		return false
	}
	for _, c := range b[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// scanIPv4 reads the IPv4 address that b begins with and how many bytes it takes, 0 when there is none. A digit or
// dot must not follow.
//
// The octets' lengths cannot be foretold, so that a loop over digits spends most of its time on wrong guesses of the
// processor: where they end is found for all at once, and each is read as four bytes, without a branch on its length.
func scanIPv4(b []byte) (netip.Addr, int) {
	if len(b) < longIPv4 {
		return scanShortIPv4(b)
	}
	text := (*[longIPv4]byte)(b)
	var out [4]byte
	ends := notDigits(binary.LittleEndian.Uint64(text[:])) | notDigits(binary.LittleEndian.Uint64(text[8:]))<<8
	at, end := 0, 0
	for part := range 4 {
		end = bits.TrailingZeros32(ends | 1<<16)
		ends &= ends - 1
		n := end - at
		if n < 1 || n > 3 {
			return netip.Addr{}, 0
		}
		x := (binary.LittleEndian.Uint32(text[at&15:]) ^ 0x30303030) << (32 - 8*n)
		v := x>>24 + x>>16&0xff*10 + x>>8&0xff*100
		if v > 255 || part < 3 && text[end&15] != '.' {
			return netip.Addr{}, 0
		}
		out[part] = byte(v)
		at = end + 1
	}
	if b[end] == '.' {
		return netip.Addr{}, 0
	}
	return netip.AddrFrom4(out), end
}

// longIPv4 is the longest address and what a look at four bytes of its end may touch behind it.
const longIPv4 = len("255.255.255.255") + 4

// notDigits has a bit for each of the eight bytes of x, from the lowest, that is no digit.
func notDigits(x uint64) uint32 {
	x ^= ones * '0' // digits become 0 to 9
	x = (x&^highs + ones*(0x80-10) | x) & highs
	return uint32(x >> 7 * 0x0102040810204080 >> 56)
}

// scanShortIPv4 is scanIPv4 for the end of a line.
func scanShortIPv4(b []byte) (netip.Addr, int) {
	var long [longIPv4]byte
	if len(b) > len(long) {
		b = b[:len(long)]
	}
	copy(long[:], b)
	return scanIPv4(long[:])
}

func parseIPv6(b []byte) (netip.Addr, bool) {
	if zone := bytes.IndexByte(b, '%'); zone >= 0 {
		b = b[:zone]
	}
	if len(b) < 2 || len(b) > 45 {
		return netip.Addr{}, false
	}
	var out [16]byte
	n, gap, i := 0, -1, 0
	if b[0] == ':' {
		if b[1] != ':' {
			return netip.Addr{}, false
		}
		gap, i = 0, 2
	}
	for i < len(b) {
		if n == 16 {
			return netip.Addr{}, false
		}
		start, v := i, 0
		for i < len(b) && i-start < 5 {
			d := hexDigit(b[i])
			if d < 0 {
				break
			}
			v = v<<4 | d
			i++
		}
		if i < len(b) && b[i] == '.' && n <= 12 {
			a, used := scanIPv4(b[start:])
			if used == 0 || start+used != len(b) {
				return netip.Addr{}, false
			}
			four := a.As4()
			copy(out[n:], four[:])
			n += 4
			break
		}
		if i == start || i-start > 4 {
			return netip.Addr{}, false
		}
		out[n], out[n+1] = byte(v>>8), byte(v)
		n += 2
		if i == len(b) {
			break
		}
		if b[i] != ':' || i+1 == len(b) {
			return netip.Addr{}, false
		}
		i++
		if b[i] == ':' {
			if gap >= 0 {
				return netip.Addr{}, false
			}
			gap = n
			i++
		}
	}
	if gap >= 0 {
		if n == 16 {
			return netip.Addr{}, false
		}
		tail := n - gap
		copy(out[16-tail:], out[gap:n])
		clear(out[gap : 16-tail])
	} else if n != 16 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom16(out).Unmap(), true
}

// hexDigit is the value of a digit of base 16, negative for any other byte.
func hexDigit(c byte) int { return int(hexDigits[c]) }

var hexDigits = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i := range 10 {
		t['0'+i] = int8(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = int8(10+i), int8(10+i)
	}
	return t
}()

// forwardedAddr reads one element of an X-Forwarded-For list, or of a Forwarded header (RFC 7239: `for="[2001:db8::1]:80"`
// among other pairs).
func forwardedAddr(b []byte) (netip.Addr, bool) {
	b = bytes.TrimSpace(b)
	if bytes.IndexByte(b, '=') >= 0 {
		rest := b
		for len(rest) > 0 {
			pair := rest
			if n := bytes.IndexByte(rest, ';'); n >= 0 {
				pair, rest = rest[:n], rest[n+1:]
			} else {
				rest = nil
			}
			pair = bytes.TrimSpace(pair)
			if len(pair) > 4 && pair[3] == '=' && pair[0]|0x20 == 'f' && pair[1]|0x20 == 'o' && pair[2]|0x20 == 'r' {
				b = pair[4:]
			}
		}
	}
	// The quotes may stand as the log's daemon escaped them: \" or \x22.
	b = bytes.TrimPrefix(bytes.TrimSuffix(b, quoteHex), quoteHex)
	b = bytes.Trim(b, `"\`)
	return parseAddr(b)
}

var quoteHex = []byte(`\x22`)
