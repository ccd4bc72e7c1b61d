package block

import "net/netip"

// Carve is carve with the exceptions as they come.
func Carve(entries []Entry, except []netip.Prefix) []Entry { return carve(entries, coverOf(except)) }
