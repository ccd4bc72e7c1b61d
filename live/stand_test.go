package live

import (
	"net/netip"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// TestStands: what somebody takes out of the firewall is put back within a minute, and compared no more often than that.
func TestStands(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	k, wall := keeper()
	k.Clock = func() time.Time { return now }
	wall.Claims.Kernel = true
	lists := 0
	wall.Fail = func(op string, _ block.Entry) error {
		if op == "list" {
			lists++
		}
		return nil
	}
	opt := options(t)
	opt.Clock, opt.Keeper, opt.Metrics, opt.Tell = k.Clock, k, &Metrics{}, func(any) {}
	a := newActor(&opt, nil)
	a.sync(t.Context())
	// A command of another process blocks.
	if _, err := k.Block(t.Context(), block.Request{Target: netip.MustParsePrefix("192.0.2.7/32"), Drivers: []string{"wall"}, By: connwarden.Origin{Name: "root"}}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after       time.Duration
		flush       bool
		held, lists int
	}{
		{time.Second, true, 0, 0},
		{58 * time.Second, false, 0, 0},
		{time.Second, false, 1, 1},
		{30 * time.Second, true, 0, 0},
		{30 * time.Second, false, 1, 1},
	} {
		if step.flush {
			if err := wall.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(step.after)
		lists = 0
		a.expire(t.Context())
		if lists != step.lists {
			t.Errorf("at %s it is listed %d times, want %d", now.Format(time.TimeOnly), lists, step.lists)
		}
		if held := holds(t, wall); held != step.held {
			t.Errorf("at %s %d are held, want %d", now.Format(time.TimeOnly), held, step.held)
		}
	}
}
