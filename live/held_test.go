package live

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

func blocked(target string, s connwarden.Scope, driver string, until time.Time) *block.Wish {
	return &block.Wish{Block: connwarden.Block{BlockKey: connwarden.BlockKey{Target: netip.MustParsePrefix(target), Scope: s, Driver: driver}, Until: until, Revision: 7}}
}

// TestHeldUntil puts blocks of all kinds and takes back what was put.
func TestHeldUntil(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var h held
	words := func(list []block.Wish) string {
		var words []string
		for _, w := range list {
			words = append(words, fmt.Sprintf("%s %s %s %d", w.Target, w.Scope, w.Driver, w.Revision))
		}
		slices.Sort(words)
		return strings.Join(words, "; ")
	}
	if list, next := h.over(noon, noon.Add(time.Hour)); list != nil || !next.Equal(noon.Add(time.Hour)) || h.unseen() != nil {
		t.Fatalf("of nothing %v, %v", list, next)
	}
	half := blocked("192.0.2.7/32", connwarden.Scope{}, "nft", noon.Add(1500*time.Millisecond))
	for _, w := range []*block.Wish{
		half, blocked("192.0.2.7/32", connwarden.Ports(22), "nft", noon.Add(time.Minute)), blocked("192.0.2.7/32", connwarden.Scope{}, "ipset", time.Time{}),
		blocked("192.0.2.0/24", connwarden.Scope{}, "nft", noon.Add(time.Hour)), blocked("2001:db8::/64", connwarden.Scope{Kind: connwarden.ScopeSite, Detail: "/srv/x"}, "nft", noon.Add(2*time.Hour)),
	} {
		if !h.put(w) || h.put(w) {
			t.Errorf("%v is new twice, or never", w.BlockKey)
		}
	}
	if n := h.count(); n[[2]string{"nft", "all"}] != 2 || n[[2]string{"nft", "site"}] != 1 || len(n) != 4 {
		t.Errorf("counted %v", n)
	}
	if list, next := h.over(noon.Add(time.Second), noon.Add(time.Hour)); list != nil || !next.Equal(noon.Add(2*time.Second)) {
		t.Errorf("half a second too early are over: %v; the next at %v", list, next)
	}
	list, next := h.over(noon.Add(time.Minute), noon.Add(30*time.Minute))
	if got := words(list); got != "192.0.2.7/32 all nft 7; 192.0.2.7/32 ports:22 nft 7" || !next.Equal(noon.Add(30*time.Minute)) {
		t.Errorf("over are %s; the next at %v", got, next)
	}
	h.look()
	h.put(blocked("2001:db8::/64", connwarden.Scope{Kind: connwarden.ScopeSite, Detail: "/srv/x"}, "nft", time.Time{}))
	if got := words(h.unseen()); got != "192.0.2.0/24 all nft 7; 192.0.2.7/32 all ipset 7" {
		t.Errorf("unseen are %s", got)
	}
	if got := words(h.unseen()); got != "" || h.ends.Len() != 1 {
		t.Errorf("then unseen are %s, and %d are left", got, h.ends.Len())
	}
}

// TestHeldRoom: 100,000 blocks with reasons of their own need little room.
func TestHeldRoom(t *testing.T) {
	const many, most = 100_000, 70 // bytes; 27 are used, and a map that has just grown has twice what it needs
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first only marked
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	var h held
	before := heap()
	for i := range many {
		w := blocked("192.0.2.0/32", connwarden.Scope{}, "nft", time.Now().Add(time.Hour))
		w.Target = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		w.Why = fmt.Sprintf("%060d", i)
		h.put(w)
	}
	if after := heap(); after > before+many*most {
		t.Errorf("%d bytes for each, want at most %d", (after-before)/many, most)
	} else {
		t.Logf("%d bytes for each", (after-before)/many)
	}
	runtime.KeepAlive(h.ends)
}

// TestTellsWhoWasLifted: with the block's own reason, though nothing here remembers it; also of one that was made and lifted between
// two looks; and what another process blocked for longer is not over.
func TestTellsWhoWasLifted(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	k, wall := keeper()
	k.Clock, wall.Now = func() time.Time { return now }, func() time.Time { return now }
	var told []string
	opt := options(t)
	opt.Clock, opt.Keeper, opt.Metrics = k.Clock, k, &Metrics{}
	opt.Tell = func(m any) {
		if b, ok := m.(*Block); ok {
			told = append(told, fmt.Sprint(b.Type, " ", b.Target, " ", b.Why, " ", b.State, " ", b.Change))
		}
	}
	operator := connwarden.Origin{Kind: connwarden.ByOperator, Name: "root"}
	put := func(i byte, last time.Duration) *block.Outcome {
		t.Helper()
		out, err := k.Block(t.Context(), block.Request{Target: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, i}), 32), Drivers: []string{"wall"}, For: last, By: operator, Why: fmt.Sprint("reason ", i)})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for i, last := range []time.Duration{time.Minute, time.Minute, time.Hour} {
		put(byte(i), last)
	}
	a := newActor(&opt, nil)
	a.sync(t.Context())
	put(1, time.Hour) // by another process: change 4
	now = now.Add(time.Minute)
	a.expire(t.Context())
	if got := strings.Join(told, "; "); got != "unblock 192.0.2.0/32 reason 0 lifted 1" {
		t.Errorf("told is %s", got)
	}
	told = nil
	a.note(&put(9, time.Hour).Blocks[0])
	for _, i := range []byte{2, 9} {
		if _, err := k.Unblock(t.Context(), []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, i}), 32)}, nil, operator); err != nil {
			t.Fatal(err)
		}
	}
	a.sync(t.Context())
	slices.Sort(told)
	if got := strings.Join(told, "; "); got != "unblock 192.0.2.2/32 reason 2 lifted 3; unblock 192.0.2.9/32 reason 9 lifted 5" {
		t.Errorf("told is %s", got)
	}
	if n := a.held.count(); n[[2]string{"wall", "all"}] != 1 {
		t.Errorf("held are %v", n)
	}
}
