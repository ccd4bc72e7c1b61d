package connwarden

import "net/netip"

// translations are the prefixes by which IPv6 alone reaches IPv4 (RFC 6052 and RFC 8215); nothing else is in the /64 of the first.
var translations = [...]netip.Prefix{netip.MustParsePrefix("64:ff9b::/64"), netip.MustParsePrefix("64:ff9b:1::/48")}

// Translates tells whether a prefix has IPv6 addresses that stand for such of IPv4, as behind a NAT64: of these, others are beside
// each in its /64.
func Translates(p netip.Prefix) bool {
	return translations[0].Overlaps(p) || translations[1].Overlaps(p)
}

// Translated is Translates of the /64 of an address, by its first eight bytes.
func Translated(high uint64) bool { return high == 0x64ff9b<<32 || high>>16 == 0x64ff9b0001 }

// Network is to whom an address belongs, as far as a table knows. The zero value knows nothing. Tables err: what they say
// helps a person to judge and proves nothing.
type Network struct {
	Prefix  netip.Prefix // holds the address, and all of it is alike; what is announced may be wider
	ASN     uint32       // number of the autonomous system; 0 is unknown
	Org     string       // who runs that system; from outside, hostile
	Country string       // ISO 3166-1 alpha-2, in capitals; empty is unknown
}
