package judge

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// TestMergeFull: the sum of two full tables is as full as one, what did not fit is counted, and who is accused stays.
func TestMergeFull(t *testing.T) {
	set := compiled(t)
	half := func(net string) *Table {
		table := New(Options{Rules: set})
		opens := func(addr string, n uint64) { table.Conns(netip.MustParseAddr(addr), "syn_recv", "in", 443, n, false) }
		opens(net+".255.255.255", 60)
		for i := range maxCells { // each has a cell
			opens(fmt.Sprintf("%s.%d.%d.%d", net, i>>16, i>>8&255, i&255), 1)
		}
		return table
	}
	sum, other := half("10"), half("11")
	_, before := sum.Evicted()
	sum.Merge(other)
	_, lost := sum.Evicted()
	if n := sum.cells.len(); n > maxCells || lost <= before {
		t.Errorf("%d cells, %d lost, %d of them before; want at most %d, and more lost", n, lost, before, maxCells)
	}
	peers, _ := sum.Verdicts(start.Add(time.Minute))
	found := map[netip.Addr]bool{}
	for _, v := range peers {
		found[v.Addr] = true
	}
	for _, a := range []string{"10.255.255.255", "11.255.255.255"} {
		if !found[netip.MustParseAddr(a)] {
			t.Errorf("%s is not accused", a)
		}
	}
	for i := range sum.ledgers.n {
		for c := range sum.cells.of(sum.ledgers.at(i).cell) {
			if c.total == 0 {
				t.Fatal("an address has a cell that counts nothing")
			}
		}
	}
	if sum.Lighten(); len(sum.Busiest(1)) != 1 || sum.Len() == 0 {
		t.Error("addresses are gone with the counts of rules")
	}
}
