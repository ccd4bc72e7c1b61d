package blocktest

import (
	"net/netip"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// Entries are denials of addresses and prefixes in one scope, without an end. It panics on what is neither.
func Entries(scope connwarden.Scope, targets ...string) []block.Entry {
	list := make([]block.Entry, len(targets))
	for i, text := range targets {
		list[i].Scope = scope
		if strings.Contains(text, "/") {
			list[i].Target = netip.MustParsePrefix(text)
		} else {
			addr := netip.MustParseAddr(text)
			list[i].Target = netip.PrefixFrom(addr, addr.BitLen())
		}
	}
	return list
}
