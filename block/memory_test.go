package block_test

import (
	"errors"
	"fmt"
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
