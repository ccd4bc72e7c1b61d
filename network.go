package connwarden

import "net/netip"

// translations are the prefixes by which IPv6 alone reaches IPv4 (RFC 6052 and RFC 8215).
var translations = [...]netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48")}

// Translates tells whether a prefix has addresses that stand for such of IPv4.
func Translates(p netip.Prefix) bool { return translations[0].Overlaps(p) || translations[1].Overlaps(p) }

// Translated tells whether an IPv6 address stands for an IPv4 one, as behind a NAT64: others' addresses are beside it in its /64.
func Translated(a *[16]byte) bool {
	return a[0] == 0 && a[1] == 0x64 && a[2] == 0xff && a[3] == 0x9b && ([8]byte(a[4:12]) == [8]byte{} || a[4] == 0 && a[5] == 1)
}

// Network is to whom an address belongs, as far as a table knows. The zero value knows nothing. Tables err: what they say
// helps a person to judge and proves nothing.
type Network struct {
	Prefix  netip.Prefix // holds the address, and all of it is alike; what is announced may be wider
	ASN     uint32       // number of the autonomous system; 0 is unknown
	Org     string       // who runs that system; from outside, hostile
	Country string       // ISO 3166-1 alpha-2, in capitals; empty is unknown
}
