package live

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// TestLifts: where the firewall ends no block by itself the daemon does, when it is over and not when it next compares; but it does not
// compare without rest.
func TestLifts(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	k, wall := keeper()
	k.Clock = func() time.Time { return now }
	wall.Claims.Expiry = false
	opt := options(t)
	opt.Clock, opt.Keeper, opt.Sync, opt.Metrics, opt.Tell = k.Clock, k, time.Hour, &Metrics{}, func(any) {}
	for i, last := range []time.Duration{time.Minute, time.Minute + time.Second} {
		target := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32)
		if _, err := k.Block(t.Context(), block.Request{Target: target, Drivers: []string{"wall"}, For: last, By: connwarden.Origin{Name: "root"}}); err != nil {
			t.Fatal(err)
		}
	}
	a := newActor(&opt, nil)
	a.sync(t.Context())
	for _, step := range []struct {
		after time.Duration
		want  int
	}{
		{time.Second, 2},
		{58 * time.Second, 2},
		{time.Second, 1}, // the first is over
		{time.Second, 1}, // and the second, a moment later
		{time.Second, 0}, // so soon after the last look
		{30 * time.Minute, 0},
	} {
		now = now.Add(step.after)
		a.expire(t.Context())
		if held := holds(t, wall); held != step.want {
			t.Errorf("at %s %d are held, want %d", now.Format(time.TimeOnly), held, step.want)
		}
	}
}

func holds(t *testing.T, wall block.Driver) int {
	t.Helper()
	list, err := wall.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestEasesAfterMany: what comparing very many blocks took is given back each time, and of a few nothing is said.
func TestEasesAfterMany(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	k, _ := keeper()
	k.Clock = func() time.Time { return now }
	eased := make(chan struct{}, 1)
	opt := options(t)
	opt.Clock, opt.Keeper, opt.Sync, opt.Metrics, opt.Tell, opt.Ease = k.Clock, k, time.Hour, &Metrics{}, func(any) {}, func() { eased <- struct{}{} }
	a := newActor(&opt, nil)
	for _, many := range []int{1, easeFrom} {
		var list []block.Request
		for i := range many {
			addr := netip.AddrFrom4([4]byte{100, 64 | byte(i>>16), byte(i >> 8), byte(i)})
			list = append(list, block.Request{Target: netip.PrefixFrom(addr, 32), Drivers: []string{"wall"}, For: 24 * time.Hour, By: connwarden.Origin{Kind: connwarden.ByOperator, Name: "root"}})
		}
		if _, err := k.Block(t.Context(), list...); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
		a.expire(t.Context())
		if many < easeFrom {
			continue
		}
		select {
		case <-eased:
		case <-time.After(time.Minute):
			t.Fatalf("nothing was given back after %d were compared", a.held.ends.Len())
		}
	}
	if len(eased) > 0 {
		t.Error("given back more than once")
	}
}
