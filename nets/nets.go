// Package nets holds immutable sets of IP prefixes: who is a trusted proxy, what belongs to a published range.
//
// It opens no file and asks no one: prefixes come in as text or values, and those of the known content delivery
// networks are compiled in. A [Set] never changes after it was made and may be read by any number of goroutines.
// It runs on every system.
package nets

import (
	"cmp"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"sort"
	"strings"
)

// Set is a set of addresses, kept as sorted ranges that neither touch nor overlap. The zero value and nil are
// empty. IPv4 addresses in IPv6 clothes (::ffff:a.b.c.d) are IPv4, in the set and in the question.
type Set struct {
	v4 []range4
	v6 []range6
}

type range4 struct{ first, last uint32 }

type range6 struct{ first, last u128 }

type u128 struct{ hi, lo uint64 }

func (a u128) less(b u128) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

// next is a+1; the caller knows that a is not the last address.
func (a u128) next() u128 {
	lo, carry := bits.Add64(a.lo, 1, 0)
	return u128{a.hi + carry, lo}
}

var last128 = u128{^uint64(0), ^uint64(0)}

// New makes the set of all addresses of the prefixes. Invalid prefixes add nothing; bits beyond a prefix's length
// are ignored. A prefix of IPv4 in IPv6 clothes (::ffff:a.b.c.d/96 or longer) is taken as IPv4.
func New(prefixes ...netip.Prefix) *Set {
	s := new(Set)
	for _, p := range prefixes {
		s.add(p)
	}
	s.settle()
	return s
}

// Parse reads prefixes and single addresses, separated by white space or commas; "#" begins a comment that ends
// with the line. The error names the line and the word that is no prefix.
func Parse(text string) (*Set, error) {
	s := new(Set)
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' }) {
			p, err := parsePrefix(word)
			if err != nil {
				return nil, fmt.Errorf("parse prefixes: line %d: %q is neither an address nor a prefix: write it like 192.0.2.0/24 or 2001:db8::/32", n+1, word)
			}
			s.add(p)
		}
	}
	s.settle()
	return s, nil
}

func parsePrefix(word string) (netip.Prefix, error) {
	if strings.Contains(word, "/") {
		return netip.ParsePrefix(word)
	}
	a, err := netip.ParseAddr(word)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// Union makes the set of all addresses that are in any of the sets; nil sets are empty.
func Union(sets ...*Set) *Set {
	u := new(Set)
	for _, s := range sets {
		if s != nil {
			u.v4 = append(u.v4, s.v4...)
			u.v6 = append(u.v6, s.v6...)
		}
	}
	u.settle()
	return u
}

// Contains tells whether the address is in the set. It takes a binary search and allocates nothing; zones are
// ignored, and an invalid address is in no set.
func (s *Set) Contains(a netip.Addr) bool {
	if s == nil || !a.IsValid() {
		return false
	}
	if a.Is4() || a.Is4In6() {
		x := value4(a)
		i := sort.Search(len(s.v4), func(i int) bool { return s.v4[i].first > x })
		return i > 0 && x <= s.v4[i-1].last
	}
	x := value6(a)
	i := sort.Search(len(s.v6), func(i int) bool { return x.less(s.v6[i].first) })
	return i > 0 && !s.v6[i-1].last.less(x)
}

// Overlap returns the first prefix of those that make up what the set and p share, and false if that is nothing. It takes a binary search.
func (s *Set) Overlap(p netip.Prefix) (netip.Prefix, bool) {
	if s == nil || !p.IsValid() {
		return netip.Prefix{}, false
	}
	q4, q6, is4 := ranged(p)
	if is4 {
		i := sort.Search(len(s.v4), func(i int) bool { return s.v4[i].last >= q4.first })
		if i == len(s.v4) || s.v4[i].first > q4.last {
			return netip.Prefix{}, false
		}
		first, last := max(q4.first, s.v4[i].first), min(q4.last, s.v4[i].last)
		return netip.PrefixFrom(addr4(first), 32-widest4(first, last)), true
	}
	i := sort.Search(len(s.v6), func(i int) bool { return !s.v6[i].last.less(q6.first) })
	if i == len(s.v6) || q6.last.less(s.v6[i].first) {
		return netip.Prefix{}, false
	}
	if q6.first.less(s.v6[i].first) {
		q6.first = s.v6[i].first
	}
	if s.v6[i].last.less(q6.last) {
		q6.last = s.v6[i].last
	}
	return netip.PrefixFrom(addr6(q6.first), 128-q6.widest()), true
}

// Empty tells whether no address is in the set.
func (s *Set) Empty() bool { return s == nil || len(s.v4)+len(s.v6) == 0 }

// Prefixes returns the fewest prefixes that make up the set, IPv4 first, in order of address.
func (s *Set) Prefixes() []netip.Prefix {
	if s == nil {
		return nil
	}
	var out []netip.Prefix
	for _, r := range s.v4 {
		for first := uint64(r.first); first <= uint64(r.last); {
			size := widest4(uint32(first), r.last)
			out = append(out, netip.PrefixFrom(addr4(uint32(first)), 32-size))
			first += 1 << size
		}
	}
	for _, r := range s.v6 {
		out = append(out, r.prefixes()...)
	}
	return out
}

// widest4 is the size, in bits, of the widest block that starts at the first address, is aligned and ends by the last.
func widest4(first, last uint32) int {
	return min(bits.TrailingZeros64(uint64(first)|1<<32), bits.Len64(uint64(last)-uint64(first)+1)-1)
}

// widest is widest4 of IPv6.
func (r range6) widest() int {
	size := trailingZeros(r.first)
	for size > 0 && r.last.less(r.first.or(size)) {
		size--
	}
	return size
}

func (r range6) prefixes() []netip.Prefix {
	var out []netip.Prefix
	for first := r.first; ; {
		size := range6{first, r.last}.widest()
		out = append(out, netip.PrefixFrom(addr6(first), 128-size))
		last := first.or(size)
		if last == r.last {
			return out
		}
		first = last.next()
	}
}

// or sets the lowest n bits.
func (a u128) or(n int) u128 {
	switch {
	case n == 0:
		return a
	case n <= 64:
		return u128{a.hi, a.lo | ^uint64(0)>>(64-n)}
	default:
		return u128{a.hi | ^uint64(0)>>(128-n), ^uint64(0)}
	}
}

func trailingZeros(a u128) int {
	if a.lo != 0 {
		return bits.TrailingZeros64(a.lo)
	}
	return 64 + bits.TrailingZeros64(a.hi)
}

func (s *Set) add(p netip.Prefix) {
	if !p.IsValid() {
		return
	}
	if r4, r6, is4 := ranged(p); is4 {
		s.v4 = append(s.v4, r4)
	} else {
		s.v6 = append(s.v6, r6)
	}
}

// ranged is a valid prefix as a range.
func ranged(p netip.Prefix) (r4 range4, r6 range6, is4 bool) {
	a, n := p.Addr(), p.Bits()
	if a.Is4In6() && n >= 96 {
		a, n = a.Unmap(), n-96
	}
	if a.Is4() {
		first := value4(a) &^ uint32(^uint64(0)>>(32+n))
		return range4{first, first | uint32(^uint64(0)>>(32+n))}, r6, true
	}
	host := u128{}.or(128 - n)
	x := value6(a)
	return r4, range6{u128{x.hi &^ host.hi, x.lo &^ host.lo}, x.or(128 - n)}, false
}

// settle sorts and joins the ranges.
func (s *Set) settle() {
	slices.SortFunc(s.v4, func(a, b range4) int { return cmp.Compare(a.first, b.first) })
	out4 := s.v4[:0]
	for _, r := range s.v4 {
		if n := len(out4); n > 0 && uint64(r.first) <= uint64(out4[n-1].last)+1 {
			out4[n-1].last = max(out4[n-1].last, r.last)
			continue
		}
		out4 = append(out4, r)
	}
	s.v4 = out4
	slices.SortFunc(s.v6, func(a, b range6) int {
		return cmp.Or(cmp.Compare(a.first.hi, b.first.hi), cmp.Compare(a.first.lo, b.first.lo))
	})
	out6 := s.v6[:0]
	for _, r := range s.v6 {
		if n := len(out6); n > 0 {
			end := out6[n-1].last
			if end == last128 || !end.next().less(r.first) {
				if end.less(r.last) {
					out6[n-1].last = r.last
				}
				continue
			}
		}
		out6 = append(out6, r)
	}
	s.v6 = out6
}

func value4(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func value6(a netip.Addr) u128 {
	b := a.As16()
	var x u128
	for i := range 8 {
		x.hi = x.hi<<8 | uint64(b[i])
		x.lo = x.lo<<8 | uint64(b[8+i])
	}
	return x
}

func addr4(x uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(x >> 24), byte(x >> 16), byte(x >> 8), byte(x)})
}

func addr6(x u128) netip.Addr {
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(x.hi>>(56-8*i)), byte(x.lo>>(56-8*i))
	}
	return netip.AddrFrom16(b)
}
