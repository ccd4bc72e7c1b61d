package tally

import (
	"net/netip"

	"github.com/connwarden/connwarden"
)

// OfAddress tells whether there is one key, and one that follows from an address: net, country or asn. Who counts by ip has it almost
// for nothing, see Pages.Also.
func (k Keys) OfAddress() bool {
	return len(k.kinds) == 1 && (k.kinds[0] == byNet || k.kinds[0] == byCountry || k.kinds[0] == byASN)
}

// Addresses returns the key ip.
func (k Keys) Addresses() Keys {
	k.kinds = []kind{byIP}
	return k
}

// Also makes p, a table by ip that has counted nothing yet, count by k as well, of which OfAddress must be true; bound is that of NewPages.
// No request is looked at for it: an address hands over what was counted of it before it is dropped, or when Groups asks.
func (p *Pages) Also(k Keys, bound int) { p.groups = append(p.groups, NewPages(k, bound)) }

// Instead is Also for who does not ask for the addresses themselves: once they pass the bound they are no longer counted, and each
// request counts by k, so that a flood of addresses costs what it would cost a table by k.
func (p *Pages) Instead(k Keys, bound int) {
	p.Also(k, bound)
	p.instead = true
}

// pass hands all addresses over and leaves requests to the groups.
func (p *Pages) pass() {
	for i := range p.table.n {
		p.hand(i)
	}
	p.table = table{}
	p.table.doubt()
	p.missed, p.passed, p.recent = p.missed+1, true, nil
}

// Groups are the tables of the keys that Also was given, each just as if it had been given all requests: dropping addresses takes
// nothing from them. They are asked for once, when all is counted and merged.
func (p *Pages) Groups() []*Pages {
	p.flush()
	groups := p.groups
	p.groups = nil
	for _, g := range groups {
		g.class, g.bytes, g.first, g.last = p.class, p.bytes, p.first, p.last
		for i := range p.table.n {
			g.address(p.table.keyOf(i), p.table.at(i))
		}
	}
	return groups
}

// hand gives entry i, which is about to be dropped, to the groups.
func (p *Pages) hand(i int) {
	for _, g := range p.groups {
		g.address(p.table.keyOf(i), p.table.at(i))
	}
}

// address adds what was counted of an address.
func (p *Pages) address(packed []byte, e *entry) {
	r := client(packed)
	key := p.pack.pack(&r)
	p.absorb(key, hash(key), e)
}

// Clients returns how many addresses of p, a table by ip, stand behind each of some rows (PageRow.Key) by k, which Also was given; false
// when not all addresses were kept.
func (p *Pages) Clients(k Keys, rows []string) ([]uint64, bool) {
	p.flush()
	if p.missed > 0 {
		return nil, false
	}
	n := make([]uint64, len(rows))
	at := make(map[string]int, len(rows))
	for i, row := range rows {
		if key, err := k.packText(row); err == nil {
			at[string(key)] = i
		}
	}
	pack := packer{keys: k}
	for i := range p.table.n {
		r := client(p.table.keyOf(i))
		if row, ok := at[string(pack.pack(&r))]; ok {
			n[row]++
		}
	}
	return n, true
}

// client is a request by whom a packed key of byIP was made from.
func client(packed []byte) (r connwarden.Request) {
	switch text := packed[1:]; packed[0] {
	case packed4:
		r.Client = netip.AddrFrom4([4]byte(text))
	case packed6:
		r.Client = netip.AddrFrom16([16]byte(text))
	default:
		r.Name = text
	}
	return r
}
