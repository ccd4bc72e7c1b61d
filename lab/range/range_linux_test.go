package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestRealRange runs all scenarios, short: each attack is met as it must be, and nobody innocent is harmed.
func TestRealRange(t *testing.T) {
	began := time.Now()
	g := build(t, settings{seed: 1})
	t.Logf("the machine was ready after %.1f s", time.Since(began).Seconds())
	var table strings.Builder
	heading(&table)
	for _, sc := range scenarios() {
		t.Run(strings.ReplaceAll(sc.name, " ", "-"), func(t *testing.T) {
			r := g.perform(sc)
			var text strings.Builder
			r.print(&text)
			table.WriteString(text.String())
			if !r.ok() {
				t.Errorf("\n%s", text.String())
			}
		})
	}
	t.Logf("%.0f s in all\n%s", time.Since(began).Seconds(), table.String())
}

// TestSyn: a forged packet has the lengths, the checksum and the addresses that it needs.
func TestSyn(t *testing.T) {
	p := syn(netip.MustParseAddr("100.64.1.7"), netip.MustParseAddr("192.0.2.1"), 1024, 80, 7)
	if len(p) != 40 || p[0] != 0x45 || netip.AddrFrom4([4]byte(p[12:16])).String() != "100.64.1.7" || netip.AddrFrom4([4]byte(p[16:20])).String() != "192.0.2.1" || p[33] != 2 {
		t.Fatalf("% x", p)
	}
	// The sum over pseudo header and segment, the checksum in it, is all ones.
	sum := uint32(6 + 20)
	for i := 12; i < 40; i += 2 {
		sum += uint32(p[i])<<8 | uint32(p[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if sum != 0xffff {
		t.Errorf("checksum: %x", sum)
	}
}

// TestChosen: parts of names choose scenarios.
func TestChosen(t *testing.T) {
	if all := chosen(nil); len(all) != len(scenarios()) {
		t.Errorf("%d of %d without a word", len(all), len(scenarios()))
	}
	if some := chosen([]string{"ssh", "spam"}); len(some) != 2 || some[0].name != "ssh brute force" {
		t.Errorf("%v", some)
	}
}

// TestBlocked: a block of a /64 is one of all that is in it, from the first time on.
func TestBlocked(t *testing.T) {
	first := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	found := blocks([]heard{
		{message{Type: "block", Target: "2001:db8:1:1::/64", State: "in_force"}, first},
		{message{Type: "block", Target: "2001:db8:1:1::/64", State: "in_force"}, first.Add(time.Hour)},
		{message{Type: "block", Target: "198.18.0.1/32", State: "wanted"}, first},
		{message{Type: "verdict", Addr: "198.18.0.2"}, first},
	})
	if at, ok := blocked(found, netip.MustParseAddr("2001:db8:1:1::9")); !ok || !at.Equal(first) {
		t.Errorf("blocked %v since %v", ok, at)
	}
	if _, ok := blocked(found, netip.MustParseAddr("198.18.0.1")); ok || len(found) != 1 {
		t.Errorf("what is wanted is not in force: %v", found)
	}
}
