package conns

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// end is one end of a connection as text has it.
type end struct {
	addr  [16]byte // IPv4 as mapped IPv6
	known bool     // addr is one
	port  uint16   // 0 also for "*"
	cut   []byte   // the address, when it is not whole or may not be
	maybe bool     // it may yet be whole, and addr is what it then is
}

// Widths that printers cut IPv6 addresses to.
const (
	// net-tools cuts the address so that it, a colon and the port make 23 characters (netstat.c, addr_do).
	netstatWidth = 23
	// BSD and macOS cut the address itself to 16 characters (netstat's inetprint, "%.*s.").
	bsdWidth = 16
)

// parseEnd reads an address and a port joined by a colon, or by a dot as BSD does, whichever stands last. It reports
// false for what is neither: a host's name above all, since a name may be anyone's.
func parseEnd(b []byte, e *end) (bsd, ok bool) {
	*e = end{}
	i := bytes.LastIndexAny(b, ":.")
	if i < 0 {
		return false, false
	}
	bsd = b[i] == '.'
	if !parseEndPort(b[i+1:], &e.port) {
		return bsd, false
	}
	host := b[:i]
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	printed := len(host)
	if z := bytes.IndexByte(host, '%'); z >= 0 {
		host = host[:z]
	}
	if len(host) == 1 && host[0] == '*' {
		return bsd, true // all addresses, or no matter
	}
	if parseIPv4(host, e.addr[12:]) {
		e.addr[10], e.addr[11] = 0xff, 0xff
		e.known = true
		return bsd, true
	}
	e.known = parseIPv6(host, &e.addr)
	switch {
	case e.known && b[0] == '[':
	case e.known && (bsd && printed == bsdWidth || !bsd && len(b) == netstatWidth):
		e.cut, e.maybe = host, true
	case !e.known && (looksIPv6(host) || len(b) == netstatWidth && looksMapped(host)):
		e.cut = host
	}
	return bsd, e.known || e.cut != nil
}

// parseEndPort reads a port: a number, "*", or the name that ss without -n prints for a common one.
func parseEndPort(b []byte, port *uint16) bool {
	if len(b) == 1 && b[0] == '*' {
		return true
	}
	if n, ok := decimal(b); ok {
		*port = uint16(n)
		return n < 1<<16
	}
	p, ok := services[string(b)]
	*port = p
	return ok
}

// looksIPv6 tells whether b could be the beginning of an IPv6 address: nothing but its digits and two colons at least.
func looksIPv6(b []byte) bool {
	colons := 0
	for _, c := range b {
		switch {
		case c == ':':
			colons++
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
		default:
			return false
		}
	}
	return colons >= 2
}

// mapped tells whether an address is an IPv4 one. Of its text in IPv6 clothes, as long as what was cut is, net-tools of today
// cuts nothing, and others cut the port's end.
func mapped(a *[16]byte) bool {
	return netip.AddrFrom16(*a).Is4In6()
}

// looksMapped tells whether b could be the beginning of an IPv4 address in IPv6 clothes.
func looksMapped(b []byte) bool {
	quad, ok := bytes.CutPrefix(bytes.ToLower(b), []byte("::ffff:"))
	return ok && len(bytes.Trim(quad, "0123456789.")) == 0
}

// parseIPv4 reads a dotted quad into dst, by netip.ParseAddr's rules: four numbers without leading zeros.
func parseIPv4(b []byte, dst []byte) bool {
	part, digits, n := 0, 0, 0
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			if digits > 0 && n == 0 {
				return false
			}
			n = n*10 + int(c-'0')
			digits++
			if n > 255 {
				return false
			}
		case c == '.':
			if digits == 0 || part == 3 {
				return false
			}
			dst[part] = byte(n)
			part++
			digits, n = 0, 0
		default:
			return false
		}
	}
	if part != 3 || digits == 0 {
		return false
	}
	dst[3] = byte(n)
	return true
}

// parseIPv6 reads RFC 4291's text forms, by netip.ParseAddr's rules, without a zone.
func parseIPv6(b []byte, dst *[16]byte) bool {
	*dst = [16]byte{}
	gap := -1 // where "::" stands, in bytes of dst
	at := 0
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap = 0
		b = b[2:]
		if len(b) == 0 {
			return true
		}
	}
	for at < 16 {
		n, digits := uint32(0), 0
		for digits < len(b) && digits < 5 {
			c := b[digits]
			switch {
			case '0' <= c && c <= '9':
				c -= '0'
			case 'a' <= c && c <= 'f':
				c -= 'a' - 10
			case 'A' <= c && c <= 'F':
				c -= 'A' - 10
			default:
				c = 0xff
			}
			if c == 0xff {
				break
			}
			n = n<<4 | uint32(c)
			digits++
		}
		if digits == 0 || digits > 4 {
			return false
		}
		if digits < len(b) && b[digits] == '.' {
			if gap < 0 && at != 12 || at > 12 || !parseIPv4(b, dst[at:at+4]) {
				return false
			}
			at += 4
			b = nil
			break
		}
		binary.BigEndian.PutUint16(dst[at:], uint16(n))
		at += 2
		b = b[digits:]
		if len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 {
			return false
		}
		b = b[1:]
		if b[0] == ':' {
			if gap >= 0 {
				return false
			}
			gap = at
			b = b[1:]
			if len(b) == 0 {
				break
			}
		}
	}
	if len(b) > 0 {
		return false
	}
	if at < 16 {
		if gap < 0 {
			return false
		}
		moved := at - gap
		copy(dst[16-moved:], dst[gap:at])
		clear(dst[gap : 16-moved])
	} else if gap >= 0 {
		return false
	}
	return true
}
