package nets_test

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/connwarden/connwarden/nets"
)

// TestTable does the same to a table and to a map.
func TestTable(t *testing.T) {
	var table nets.Table[int]
	table.Delete(nets.Place{Prefix: netip.MustParsePrefix("203.0.113.7/32")})
	model := map[nets.Place]int{}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		p := nets.Place{Number: [...]uint32{0, 1, 1<<16 - 1, 1 << 16, 1<<32 - 1}[r.IntN(5)]}
		switch r.IntN(3) {
		case 0:
			p.Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(r.IntN(8))}), 29+r.IntN(4))
		case 1: // of IPv4 in IPv6's clothes, which is another
			p.Prefix = netip.PrefixFrom(netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff, 12: 203, 14: 113, 15: byte(r.IntN(8))}), 29+r.IntN(4))
		default:
			p.Prefix = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 7: byte(r.IntN(8))}), 61+r.IntN(4))
		}
		if r.IntN(3) == 0 {
			table.Delete(p)
			delete(model, p)
		} else {
			table.Set(p, i)
			model[p] = i
		}
		if table.Len() != len(model) {
			t.Fatalf("after %d steps it has %d, want %d", i, table.Len(), len(model))
		}
	}
	if got := maps.Collect(table.All()); !maps.Equal(got, model) {
		t.Errorf("it has %v, want %v", got, model)
	}
	for p := range table.All() {
		table.Delete(p)
	}
	if table.Len() != 0 {
		t.Errorf("emptied it has %d", table.Len())
	}
}
