package block

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/connwarden/connwarden"
)

// maxTarget is longer than any address or prefix: no word beyond it is looked at or shown.
const maxTarget = 64

// ParseTarget reads an address or a prefix as an operator writes it: "192.0.2.7", "192.0.2.0/24", "2001:db8::7",
// "[2001:db8::7]". Bits beyond a prefix's length are dropped, and IPv4 in IPv6 clothes (::ffff:192.0.2.7) is IPv4. An
// address with a zone is refused: a firewall compares addresses, not interfaces.
func ParseTarget(text string) (netip.Prefix, error) {
	word := strings.TrimSpace(text)
	if len(word) > maxTarget {
		return netip.Prefix{}, fmt.Errorf("target %q… is too long to be an address", word[:maxTarget])
	}
	word = strings.TrimSuffix(strings.TrimPrefix(word, "["), "]")
	if strings.Contains(word, "%") {
		return netip.Prefix{}, fmt.Errorf("target %q has a zone; write it without what follows %%", text)
	}
	if !strings.Contains(word, "/") {
		a, err := netip.ParseAddr(word)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("target %q is no address; write it like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32", text)
		}
		return Single(a), nil
	}
	p, err := netip.ParsePrefix(word)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("target %q is no prefix; write it like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32", text)
	}
	return Canonical(p), nil
}

// Single returns the prefix of one address; IPv4 in IPv6 clothes is IPv4.
func Single(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen())
}

// Canonical masks a prefix and takes IPv4 in IPv6 clothes for IPv4.
func Canonical(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// Automatic returns what a verdict on an address blocks: of IPv4 the address, of IPv6 its /64, since whoever has one
// address of a /64 has all of them, but what stands for an address of IPv4. A prefix stays what it is.
func Automatic(p netip.Prefix) netip.Prefix {
	if p.Addr().Is6() && p.Bits() > 64 && !connwarden.Translates(p) {
		return netip.PrefixFrom(p.Addr(), 64).Masked()
	}
	return p
}
