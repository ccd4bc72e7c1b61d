// Package span reads what firewalls and panels make of the prefixes that they were given: addresses, prefixes with a
// length or a mask, and ranges from a first to a last address.
package span

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strings"
)

// Span is a range of addresses of one family. Both ends belong to it.
type Span struct{ First, Last netip.Addr }

// Parse reads "192.0.2.7", "192.0.2.0/24", "192.0.2.0/255.255.255.0" and "192.0.2.0-192.0.2.255", and the like of IPv6.
// IPv4 in IPv6 clothes is IPv4. ok is false for anything else, addresses with a zone among it.
func Parse(text string) (s Span, ok bool) {
	if strings.Contains(text, "%") {
		return Span{}, false
	}
	if head, tail, found := strings.Cut(text, "/"); found {
		return masked(text, head, tail)
	}
	from, to, found := strings.Cut(text, "-")
	if !found {
		to = from
	}
	first, err := netip.ParseAddr(from)
	last, errLast := netip.ParseAddr(to)
	s = Span{first.Unmap(), last.Unmap()}
	ok = err == nil && errLast == nil && s.First.BitLen() == s.Last.BitLen() && !s.Last.Less(s.First)
	return s, ok
}

// masked reads a prefix with a length or a mask of IPv4.
func masked(text, head, tail string) (Span, bool) {
	if mask, err := netip.ParseAddr(tail); err == nil && mask.Is4() {
		addr, err := netip.ParseAddr(head)
		m := mask.As4()
		ones := bits.LeadingZeros32(^binary.BigEndian.Uint32(m[:]))
		if err != nil || !addr.Is4() || netip.PrefixFrom(allOnes, ones).Masked().Addr() != mask {
			return Span{}, false
		}
		return Of(netip.PrefixFrom(addr, ones)), true
	}
	p, err := netip.ParsePrefix(text)
	if err == nil && p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return Of(p), err == nil
}

var allOnes = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Of is the span of a prefix; of an invalid one it is none.
func Of(p netip.Prefix) Span {
	p = p.Masked()
	if !p.IsValid() {
		return Span{}
	}
	last := p.Addr().AsSlice()
	for i := range last {
		if free := 8*(i+1) - p.Bits(); free > 0 {
			last[i] |= byte(1<<min(8, free) - 1)
		}
	}
	end, _ := netip.AddrFromSlice(last)
	return Span{p.Addr(), end}
}

// Prefix returns the prefix that the span is; ok is false when it is none.
func (s Span) Prefix() (p netip.Prefix, ok bool) {
	for n := range s.First.BitLen() + 1 {
		if p = netip.PrefixFrom(s.First, n); Of(p) == s {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// Overlaps tells whether a span and a prefix share an address.
func (s Span) Overlaps(p netip.Prefix) bool {
	o := Of(p)
	return o.First.BitLen() == s.First.BitLen() && !s.Last.Less(o.First) && !o.Last.Less(s.First)
}
