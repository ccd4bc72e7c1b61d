package connwarden

import "net/netip"

// Network is to whom an address belongs, as far as a table knows. The zero value knows nothing. Tables err: what they say
// helps a person to judge and proves nothing.
type Network struct {
	Prefix  netip.Prefix // holds the address, and all of it is alike; what is announced may be wider
	ASN     uint32       // number of the autonomous system; 0 is unknown
	Org     string       // who runs that system; from outside, hostile
	Country string       // ISO 3166-1 alpha-2, in capitals; empty is unknown
}
