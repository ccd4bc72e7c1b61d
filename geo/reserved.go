package geo

import (
	"net/netip"
	"sync"
)

// reservedBlocks are the addresses that belong to nobody on the internet, by IANA's registries of special-purpose
// addresses (RFC 6890): private, shared, loopback, link-local, for documentation and benchmarks, multicast and reserved.
// Left out are those that may be met outside: 192.88.99.0/24, 64:ff9b::/96, 2001::/23, 2002::/16.
var reservedBlocks = sync.OnceValue(func() (list []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
		"::/16", "100::/16", "2001:2::/48", "2001:db8::/32", "3fff::/20", "5f00::/16", "f000::/4",
	} {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
})

// Reserved tells whether some of a prefix belongs to nobody on the internet: private, loopback, documentation,
// multicast and the like. Who lists such addresses as someone's has made a mistake, or lies.
func Reserved(p netip.Prefix) bool {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	for _, r := range reservedBlocks() {
		if r.Overlaps(p) {
			return true
		}
	}
	return false
}

// span is a range of keys, ends included.
type span struct{ first, last uint64 }

// reservedSpans are the reserved blocks of one family as keys.
var reservedSpans = map[int]func() []span{
	32: sync.OnceValue(func() []span { return spansOf(true) }),
	64: sync.OnceValue(func() []span { return spansOf(false) }),
}

func spansOf(v4 bool) (list []span) {
	for _, p := range reservedBlocks() {
		if p.Addr().Is4() == v4 {
			key, bits := keyOf(p.Addr())
			list = append(list, span{key, key + (1<<(bits-p.Bits()) - 1)})
		}
	}
	return list
}

func overlaps(list []span, first, last uint64) bool {
	for _, s := range list {
		if first <= s.last && s.first <= last {
			return true
		}
	}
	return false
}

// keyOf returns the key of a valid address, and the bits of such keys.
func keyOf(a netip.Addr) (key uint64, bits int) {
	if a.Is4() || a.Is4In6() {
		b := a.As4()
		return uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3]), 32
	}
	b := a.As16()
	for _, x := range b[:8] {
		key = key<<8 | uint64(x)
	}
	return key, 64
}
