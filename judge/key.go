package judge

import (
	"net/netip"
	"strconv"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// Lengths of the networks that addresses are grouped by: the smallest that are routed by themselves.
const (
	net4 = 24
	net6 = 48
)

// netOf is the network of an address.
func netOf(a netip.Addr) netip.Prefix {
	bits := net6
	if a.Is4() {
		bits = net4
	} else if connwarden.Translates(netip.PrefixFrom(a, 64)) {
		bits = 128 - 32 + net4
	}
	p, _ := a.Prefix(bits) // of a valid address
	return p
}

// netName is the name of an address's network. Valid until the next call.
func (t *Table) netName(a *[16]byte) []byte {
	t.scratch = netOf(netip.AddrFrom16(*a).Unmap()).AppendTo(t.scratch[:0])
	return t.scratch
}

// addrKey is the name of the group of an address by a rule's key; nothing when there is none, or when it is its network's.
func (t *Table) addrKey(by rules.By, a netip.Addr) []byte {
	switch by {
	case rules.ByASN:
		t.scratch = t.scratch[:0]
		if n := networkOf(a, t.opt.Place).ASN; n > 0 {
			t.scratch = strconv.AppendUint(append(t.scratch, "AS"...), uint64(n), 10)
		}
	case rules.ByCountry:
		t.scratch = append(t.scratch[:0], networkOf(a, t.opt.Place).Country...)
	default:
		return nil
	}
	return t.scratch
}

// networkOf is where an address belongs, as far as that is known.
func networkOf(a netip.Addr, place func(netip.Addr) (connwarden.Network, bool)) (n connwarden.Network) {
	if place != nil {
		n, _ = place(a)
	}
	return n
}

// requestKey is the name of the group of a request. Valid until the next call.
func (t *Table) requestKey(by rules.By, r *connwarden.Request) []byte {
	switch by {
	case rules.BySite:
		if len(r.Host) == 0 {
			return noSite
		}
		return r.Host
	case rules.ByPath:
		t.scratch = rules.Normal(t.scratch, r.Path)
		return t.scratch
	case rules.ByAgent:
		return r.Agent
	case rules.ByUser:
		return r.User
	default:
		return t.addrKey(by, r.Client)
	}
}

// NoSite is the group of requests of a log that names no site.
const NoSite = "this server"

var noSite = []byte(NoSite)

// netKey is the part of an address that its network is told by.
func netKey(a *[16]byte) (hi, lo uint64) {
	if hi, lo = keyOf(a); lo != 0 {
		return hi, lo >> (32 - net4)
	}
	return hi >> (64 - net6), 0
}

func hashText(b []byte) uint32 { return uint32(rules.Hash(b)) }
