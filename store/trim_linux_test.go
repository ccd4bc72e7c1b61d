package store_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/store"
)

// TestTrim looks whether memory goes back, and whether all works as before.
func TestTrim(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Keep(t.Context(), 16<<10); err != nil {
		t.Fatal(err)
	}
	c := &block.Change{Verb: "block"}
	for i := range 20_000 {
		w := &block.Wish{}
		w.Target, w.Driver, w.Why = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32), "fw", fmt.Sprint("because of ", i)
		w.BlockKey = connwarden.BlockKey{Target: w.Target, Driver: "fw"}
		c.Wishes = append(c.Wishes, block.Swap[block.Wish]{After: w})
	}
	if err := s.Record(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	before := mapped(t)
	store.Trim()
	if after := mapped(t); after >= before {
		t.Errorf("%d KB are mapped, and before it were %d", after, before)
	}
	if list, err := s.Wishes(t.Context()); err != nil || len(list) != 20_000 || list[7].Why != "because of 7" {
		t.Errorf("%d wishes, %v", len(list), err)
	}
}

// mapped is how much memory this process has mapped, in KB.
func mapped(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(text, []byte("VmSize:"))
	n, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
