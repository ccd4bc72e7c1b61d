package block_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// TestSyncByPages compares what is wanted with what a firewall has, both at random: ranges in ranges, several scopes of one target,
// entries that end elsewhere, were split or joined, or that nobody knows. Read by pages of any length it does the same as at once.
func TestSyncByPages(t *testing.T) {
	scopes := []connwarden.Scope{{}, connwarden.Ports(22), connwarden.Ports(80, 443)}
	for seed := range uint64(200) {
		var want string
		for _, rows := range []int{1 << 20, 1, 2, 3, 7} {
			block.Rows(t, rows)
			r := rand.New(rand.NewPCG(seed, 1)) // the same for each
			s := newScene(t)
			some := func(wide int) netip.Prefix {
				if r.IntN(8) == 0 {
					return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(r.IntN(4))}), 24+r.IntN(41)).Masked()
				}
				return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(r.IntN(256))}), 32-r.IntN(1+r.IntN(wide))).Masked()
			}
			var c block.Change
			seen := map[connwarden.BlockKey]bool{}
			for range r.IntN(60) {
				w := &block.Wish{State: block.State(r.IntN(3))}
				w.BlockKey = connwarden.BlockKey{Target: some(6), Scope: scopes[r.IntN(3)], Driver: []string{"fw", "fw", "gone"}[r.IntN(3)]}
				w.Since, w.Why = s.now, "why"
				if r.IntN(2) == 0 {
					w.Until = s.now.Add(time.Duration(r.IntN(5)-1) * time.Hour) // some are over
				}
				if !seen[w.BlockKey] {
					seen[w.BlockKey] = true
					c.Wishes = append(c.Wishes, block.Swap[block.Wish]{After: w})
				}
			}
			c.At = s.now
			if err := s.journal.Record(t.Context(), &c); err != nil {
				t.Fatal(err)
			}
			var has []block.Entry
			for range r.IntN(40) {
				e := block.Entry{Target: some(9), Scope: scopes[r.IntN(3)]}
				if r.IntN(2) == 0 {
					e.Until = s.now.Add(time.Duration(1+r.IntN(3)) * time.Hour)
				}
				if !slices.ContainsFunc(has, func(o block.Entry) bool { return o.Scope == e.Scope && o.Target.Overlaps(e.Target) }) {
					has = append(has, e)
				}
			}
			if err := s.fw.Apply(t.Context(), has, nil); err != nil {
				t.Fatal(err)
			}
			got := everything(t, s)
			switch {
			case rows == 1<<20:
				want = got
			case got != want:
				t.Fatalf("seed %d, by %d rows:\n%s\nat once:\n%s", seed, rows, got, want)
			}
		}
	}
}

// everything is what came of a sync: what it tells, what the firewall has, and what the journal says.
func everything(t *testing.T, s *scene) string {
	t.Helper()
	out, list, err := s.k.Sync(t.Context(), "fw")
	if err != nil || list[0].Err != nil || len(list) > 1 && list[1].Err == nil {
		t.Fatal(err, list)
	}
	has, err := s.fw.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.journal.Wishes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range out.Problems {
		lines = append(lines, p.What+": "+p.Why)
	}
	slices.Sort(lines)
	for i := range list {
		list[i].Err = nil
	}
	return fmt.Sprintf("%+v\n%s\n%v\n%v", list, strings.Join(lines, "\n"), has, all)
}

// TestEach hands over what is wanted of all firewalls, and Last tells of what ended.
func TestEach(t *testing.T) {
	s := newScene(t)
	requests := []block.Request{request("192.0.2.1/32", lasting(time.Minute)), request("192.0.2.2/32"), request("192.0.2.3/32"), request("192.0.2.4/32", lasting(time.Hour)), request("2001:db8::/64")}
	for i := range requests {
		requests[i].Why = fmt.Sprint("reason ", i+1)
	}
	s.blocked(requests...)
	s.blocked(block.Request{Target: prefix("192.0.2.2/32"), Scope: connwarden.Ports(22), Drivers: []string{"fw"}, By: operator, Why: "reason 6"})
	s.done(s.k.Unblock(t.Context(), prefixes("192.0.2.3/32"), nil, operator)) // settled: it is past
	s.pass(2 * time.Minute)                                                   // the first is over, and still stands there
	each := func() string {
		var list []string
		if err := s.k.Each(context.Background(), func(w *block.Wish) { list = append(list, w.Target.String()+" "+w.Scope.String()) }); err != nil {
			t.Fatal(err)
		}
		return strings.Join(list, ", ")
	}
	if got := each(); got != "192.0.2.2/32 all, 192.0.2.2/32 ports:22, 192.0.2.4/32 all, 2001:db8::/64 all" {
		t.Errorf("wanted are %s", got)
	}
	var keys []connwarden.BlockKey
	for i := range 600 { // more than are asked for at once
		keys = append(keys, connwarden.BlockKey{Target: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, byte(2 + i/256), byte(i)}), 32), Driver: "fw"})
	}
	list, err := s.k.Last(t.Context(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, w := range list {
		words = append(words, w.Target.String()+" "+w.Why)
	}
	slices.Sort(words)
	if got := strings.Join(words, ", "); got != "192.0.2.1/32 reason 1, 192.0.2.2/32 reason 2, 192.0.2.3/32 reason 3, 192.0.2.4/32 reason 4" {
		t.Errorf("the last of each: %s", got)
	}
}
