// Package blocktest is what every driver must pass: the contract of block.Driver as tests, run against the real firewall
// or against a stand-in that behaves as its vendor says.
//
// It is imported by tests only. Each test opens the driver anew on a firewall that holds nothing of ours.
package blocktest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// Options are what the suite cannot know by itself. Hooks that are nil are left out, aloud, but for Foreign and Traces:
// a driver without them is not tested where it matters most, and the suite fails.
type Options struct {
	// Around runs each test, from the opening of the driver to its end: netnstest.Run for a firewall of the kernel, so
	// that each has a namespace of its own. The test's goroutine calls it.
	Around func(t testing.TB, test func())
	// Foreign puts into the firewall what others put there, before the driver changes anything, and returns a function
	// that fails the test unless all of it is still there as it was.
	Foreign func(t testing.TB) (check func(t testing.TB))
	// Traces returns all that the firewall holds, of anybody, as text that does not change by itself (no counters): the
	// suite takes it before the driver is opened and again after Flush.
	Traces func(t testing.TB) string
	// Break makes the firewall fail in the midst of the next large Apply and returns what mends it.
	Break func(t testing.TB, d block.Driver) (mend func())
	// Reopen opens a second driver on the same firewall, as the next process does.
	Reopen func(t testing.TB) block.Driver
	// Site is the folder of a site for drivers that deny by site; it is asked for after open.
	Site func(t testing.TB) string
	// Many is the size of the large test; 0 is 10,000, or Properties.Most if that is less.
	Many int
	// Life is how long the entry of the expiry test is to live; 0 is two seconds.
	Life time.Duration
}

// patience is how long the suite waits for an end to come.
const patience = 30 * time.Second

// slack is what a firewall's clock may differ from what it was told: ipset counts whole seconds.
const slack = 2 * time.Second

// Run runs the suite. open returns the driver; it is called once a test, inside Around, and the suite closes it.
func Run(t *testing.T, open func(t testing.TB) block.Driver, opt Options) {
	if opt.Foreign == nil || opt.Traces == nil {
		t.Fatal("blocktest: Foreign and Traces are needed: nothing else shows that what others put there is left alone")
	}
	if opt.Around == nil {
		opt.Around = func(_ testing.TB, test func()) { test() }
	}
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"says what it is", (*suite).properties},
		{"adds and lists", (*suite).add},
		{"adding again renews", (*suite).renew},
		{"removes", (*suite).remove},
		{"removals come first", (*suite).order},
		{"scopes", (*suite).scopes},
		{"IPv6", (*suite).ipv6},
		{"prefixes", (*suite).prefixes},
		{"a range is split", (*suite).split},
		{"one too many", (*suite).most},
		{"many at once", (*suite).many},
		{"ends by itself", (*suite).expiry},
		{"an end that has passed", (*suite).past},
		{"what others put there stays", (*suite).foreign},
		{"flush leaves no trace", (*suite).flush},
		{"failure half-way", (*suite).half},
		{"the next process finds it", (*suite).reopen},
		{"proof", (*suite).prove},
		{"plan changes nothing", (*suite).plan},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt.Around(t, func() {
				s := &suite{TB: t, opt: opt, before: opt.Traces(t)}
				s.d = open(t)
				defer func() {
					if err := s.d.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				}()
				s.p = s.d.Properties()
				s.scope = s.base()
				c.test(s)
			})
		})
	}
}

// suite is one test of the suite.
type suite struct {
	testing.TB
	opt    Options
	d      block.Driver
	p      block.Properties
	scope  connwarden.Scope // one that the driver holds
	before string           // the firewall before the driver was opened
}

// base is the first scope that the driver holds.
func (s *suite) base() connwarden.Scope {
	if len(s.p.Scopes) == 0 {
		s.Fatal("Properties.Scopes is empty: it denies nothing")
	}
	return s.detailed(s.p.Scopes[0])
}

// detailed is a scope of a kind with the detail that the kind needs.
func (s *suite) detailed(kind connwarden.ScopeKind) connwarden.Scope {
	switch kind {
	case connwarden.ScopePorts:
		return connwarden.Ports(80, 443)
	case connwarden.ScopeSite:
		if s.opt.Site == nil {
			s.Fatal("the driver denies by site: blocktest.Options.Site must name one")
		}
		return connwarden.Scope{Kind: kind, Detail: s.opt.Site(s)}
	default:
		return connwarden.Scope{Kind: kind}
	}
}

// entry is an entry without end in the base scope.
func (s *suite) entry(target string) block.Entry {
	return block.Entry{Target: netip.MustParsePrefix(target), Scope: s.scope}
}

func (s *suite) apply(add, remove []block.Entry) {
	s.Helper()
	if err := s.d.Apply(s.Context(), add, remove); err != nil {
		s.Fatalf("apply %d additions, %d removals: %v", len(add), len(remove), err)
	}
}

func (s *suite) list() []block.Entry {
	s.Helper()
	list, err := s.d.List(s.Context())
	if err != nil {
		s.Fatalf("list: %v", err)
	}
	slices.SortFunc(list, block.Entry.Compare)
	return list
}

// holds fails unless List is what is wanted, ends compared where the firewall keeps them.
func (s *suite) holds(want ...block.Entry) {
	s.Helper()
	want = slices.Clone(want)
	slices.SortFunc(want, block.Entry.Compare)
	got := s.list()
	if len(got) != len(want) {
		s.Fatalf("%d entries are in force, want %d\n got %s\nwant %s", len(got), len(want), show(got), show(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Key() != w.Key() {
			s.Fatalf("entry %d of %d differs\n got %s\nwant %s", i, len(want), show(got[i:]), show(want[i:]))
		}
		if s.p.Expiry && !near(g.Until, w.Until) {
			s.Errorf("%s ends at %v, want %v", w.Target, g.Until, w.Until)
		}
	}
}

func near(a, b time.Time) bool {
	if a.IsZero() || b.IsZero() {
		return a.IsZero() == b.IsZero()
	}
	return a.Sub(b).Abs() <= slack
}

// show prints the first few entries.
func show(list []block.Entry) string {
	text := ""
	for i, e := range list {
		if i == 10 {
			return text + fmt.Sprintf(" … %d more", len(list)-i)
		}
		text += fmt.Sprintf(" %s %s", e.Target, e.Scope)
		if !e.Until.IsZero() {
			text += " until " + e.Until.Format(time.TimeOnly)
		}
		text += ";"
	}
	return text
}

// refuses fails unless the additions are refused as not supported, in the driver's form of an error, and nothing is
// changed: neither these nor what could have been held beside them.
func (s *suite) refuses(why string, add ...block.Entry) {
	s.Helper()
	kept := s.entry("198.51.100.77/32")
	s.apply([]block.Entry{kept}, nil)
	beside := s.entry("198.51.100.78/32")
	err := s.d.Apply(s.Context(), append([]block.Entry{beside}, add...), []block.Entry{kept})
	if err == nil {
		s.Fatalf("%s: taken, although the properties do not claim it", why)
	}
	if !errors.Is(err, connwarden.ErrUnsupported) {
		s.Errorf("%s: %v; want it to wrap connwarden.ErrUnsupported", why, err)
	}
	s.form(err)
	s.holds(kept)
	s.apply(nil, []block.Entry{kept})
}

// form fails unless an error is a *block.Error with the driver's name.
func (s *suite) form(err error) {
	s.Helper()
	var e *block.Error
	if !errors.As(err, &e) {
		s.Errorf("%T %v is no *block.Error", err, err)
		return
	}
	if e.Driver != s.d.Name() || e.Op == "" {
		s.Errorf("the error names driver %q and act %q; the driver is %q", e.Driver, e.Op, s.d.Name())
	}
}

// wait waits until List no longer holds a key.
func (s *suite) wait(key block.EntryKey) {
	s.Helper()
	ctx, stop := context.WithTimeout(s.Context(), patience)
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if !slices.ContainsFunc(s.list(), func(e block.Entry) bool { return e.Key() == key }) {
			return
		}
		select {
		case <-ctx.Done():
			s.Fatalf("%s is still in force %v after it was added", key.Target, patience)
		case <-tick.C:
		}
	}
}
