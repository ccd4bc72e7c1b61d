package block_test

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
)

// TestMemory proves the conformance suite on the model, once with all claims and once with each left out.
func TestMemory(t *testing.T) {
	claims := map[string]func(*block.Properties){
		"all of it":     func(*block.Properties) {},
		"no expiry":     func(p *block.Properties) { p.Expiry = false },
		"no IPv6":       func(p *block.Properties) { p.IPv6 = false },
		"addresses":     func(p *block.Properties) { p.Prefixes = false },
		"sites alone":   func(p *block.Properties) { p.Scopes = []connwarden.ScopeKind{connwarden.ScopeSite} },
		"a handful":     func(p *block.Properties) { p.Most = 20 },
		"logins, no v6": func(p *block.Properties) { p.IPv6, p.Scopes = false, []connwarden.ScopeKind{connwarden.ScopeLogins} },
	}
	for name, leave := range claims {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blocktest.Run(t, func(testing.TB) block.Driver {
				m := &block.Memory{Claims: block.Everything()}
				leave(&m.Claims)
				return m
			}, blocktest.Options{
				Foreign: func(testing.TB) func(testing.TB) { return func(testing.TB) {} },
				Traces:  func(testing.TB) string { return "" },
				Site:    func(testing.TB) string { return "/srv/www/shop" },
				Break:   breakMemory,
				Life:    100 * time.Millisecond,
			})
		})
	}
}

// TestGuardedMemory holds that a guard changes nothing of what a driver does with targets that may be blocked.
func TestGuardedMemory(t *testing.T) {
	blocktest.Run(t, func(testing.TB) block.Driver {
		return block.NewGuard(&block.Memory{Claims: block.Everything()}, block.NewRules(nil, block.Limits{}))
	}, blocktest.Options{
		Foreign: func(testing.TB) func(testing.TB) { return func(testing.TB) {} },
		Traces:  func(testing.TB) string { return "" },
		Site:    func(testing.TB) string { return "/srv/www/shop" },
		Life:    100 * time.Millisecond,
	})
}

// breakMemory lets three additions pass and fails after that.
func breakMemory(_ testing.TB, d block.Driver) (mend func()) {
	m := d.(*block.Memory)
	n := 0
	m.Fail = func(op string, _ block.Entry) error {
		if n++; op == "add" && n > 3 {
			return errors.New("no room left")
		}
		return nil
	}
	return func() { m.Fail = nil }
}

func TestErrorNamesWhatAndWhere(t *testing.T) {
	m := &block.Memory{Label: "fw", Claims: block.Everything()}
	m.Fail = func(string, block.Entry) error { return errors.New("no room left") }
	err := m.Apply(t.Context(), []block.Entry{{Target: prefix("192.0.2.7/32")}}, nil)
	if got, want := fmt.Sprint(err), "fw: add 192.0.2.7/32: no room left"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	_, err = m.List(t.Context())
	if got, want := fmt.Sprint(err), "fw: list: no room left"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

// TestMemoryRoom is the null firewall of a host in a large fleet.
func TestMemoryRoom(t *testing.T) {
	const many, most = 50_000, 45 // bytes; 22 are used
	add := make([]block.Entry, many)
	until := time.Now().Add(time.Hour)
	for i := range add {
		add[i] = block.Entry{Target: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), Until: until}
	}
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first only marked
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	m := &block.Memory{Claims: block.Everything()}
	if err := m.Apply(t.Context(), add, nil); err != nil {
		t.Fatal(err)
	}
	if after := heap(); after > before+many*most {
		t.Errorf("%d bytes for each, want at most %d", (after-before)/many, most)
	}
	runtime.KeepAlive(add)
	if list, err := m.List(t.Context()); err != nil || len(list) != many || !list[7].Until.Equal(until) || list[7].Target != add[7].Target {
		t.Errorf("it lists %d, %+v, %v", len(list), list[7], err)
	}
}
