package daemons

import (
	"net/netip"
	"strings"
)

// maxAddr is the longest text of an address that is looked at: 45 bytes of IPv6 with IPv4 at its end, and a zone (an
// interface's name has at most 15 bytes).
const maxAddr = 45 + 1 + 15

// address reads an address in the forms that daemons write: IPv4, IPv6, the latter perhaps in brackets or with a zone,
// which is dropped. IPv4 in IPv6 clothes becomes IPv4. netip.ParseAddr cannot serve, for its error allocates.
func address(s string) (netip.Addr, bool) {
	if n := len(s); n > 2 && s[0] == '[' && s[n-1] == ']' {
		s = s[1 : n-1]
	}
	if len(s) < 2 || len(s) > maxAddr {
		return noAddr, false
	}
	if four, ok := ipv4(s); ok {
		return netip.AddrFrom4(four), true
	}
	return ipv6(s)
}

// addressPort reads an address that may have a port behind a colon. IPv6 must then be in brackets, as a port could not be told from a
// part of the address.
func addressPort(s string) (netip.Addr, bool) {
	i := strings.LastIndexByte(s, ':')
	if i > 0 && (s[i-1] == ']' || strings.IndexByte(s, ':') == i) {
		return addressWithPort(s)
	}
	return address(s)
}

// addressWithPort reads an address that its daemon always writes with a port, be it with or without brackets.
func addressWithPort(s string) (netip.Addr, bool) {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 {
		return noAddr, false
	}
	if n := digits(s[i+1:]); n == 0 || n > 5 || n != len(s)-i-1 {
		return noAddr, false
	}
	return address(s[:i])
}

func ipv4(s string) (out [4]byte, ok bool) {
	at := 0
	for part := range 4 {
		n := digits(s[at:])
		if n == 0 || n > 3 {
			return out, false
		}
		v := 0
		for range n {
			v = v*10 + int(s[at]-'0')
			at++
		}
		if v > 255 {
			return out, false
		}
		out[part] = byte(v)
		if part < 3 {
			if at >= len(s) || s[at] != '.' {
				return out, false
			}
			at++
		}
	}
	return out, at == len(s)
}

func ipv6(s string) (netip.Addr, bool) {
	if zone := strings.IndexByte(s, '%'); zone >= 0 {
		s = s[:zone]
	}
	if len(s) < 2 {
		return noAddr, false
	}
	var out [16]byte
	n, gap, i := 0, -1, 0
	if s[0] == ':' {
		if s[1] != ':' {
			return noAddr, false
		}
		gap, i = 0, 2
	}
	for i < len(s) {
		if n == 16 {
			return noAddr, false
		}
		start, v := i, 0
		for i < len(s) && i-start < 5 {
			d := hexDigit(s[i])
			if d < 0 {
				break
			}
			v = v<<4 | d
			i++
		}
		if i < len(s) && s[i] == '.' && n <= 12 {
			four, ok := ipv4(s[start:])
			if !ok {
				return noAddr, false
			}
			copy(out[n:], four[:])
			n += 4
			break
		}
		if i == start || i-start > 4 {
			return noAddr, false
		}
		out[n], out[n+1] = byte(v>>8), byte(v)
		n += 2
		if i == len(s) {
			break
		}
		if s[i] != ':' || i+1 == len(s) {
			return noAddr, false
		}
		i++
		if s[i] == ':' {
			if gap >= 0 {
				return noAddr, false
			}
			gap = n
			i++
		}
	}
	if gap >= 0 {
		if n == 16 {
			return noAddr, false
		}
		tail := n - gap
		copy(out[16-tail:], out[gap:n])
		clear(out[gap : 16-tail])
	} else if n != 16 {
		return noAddr, false
	}
	return netip.AddrFrom16(out).Unmap(), true
}

func hexDigit(c byte) int {
	switch {
	case c-'0' <= 9:
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
