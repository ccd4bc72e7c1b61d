package blocktest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// RunJournal is what every journal must pass. open opens the journal of a folder: called again with the same folder it
// is what the next process finds.
func RunJournal(t *testing.T, open func(t testing.TB, dir string) block.Journal) {
	t.Run("wishes come and go", func(t *testing.T) { wishes(t, open) })
	t.Run("overlap", func(t *testing.T) { overlap(t, open) })
	t.Run("pages", func(t *testing.T) { pages(t, open) })
	t.Run("changes", func(t *testing.T) { changes(t, open) })
	t.Run("lists", func(t *testing.T) { allowsAndPardons(t, open) })
	t.Run("settle", func(t *testing.T) { settle(t, open) })
	t.Run("prune", func(t *testing.T) { prune(t, open) })
	t.Run("death at every step", func(t *testing.T) { death(t, open) })
}

var (
	epoch    = time.Date(2026, 11, 22, 14, 0, 0, 123e6, time.UTC)
	operator = connwarden.Origin{Kind: connwarden.ByOperator, Name: "root"}
)

func wish(target string, hours int) *block.Wish {
	w := &block.Wish{Evidence: `[{"rule":"x"}]`}
	w.BlockKey = connwarden.BlockKey{Target: netip.MustParsePrefix(target), Scope: connwarden.Ports(80, 443), Driver: "fw"}
	w.Restores = 7
	w.Since, w.By, w.Why, w.Forced = epoch, operator, "because \x1b it 'was'; DROP TABLE wish", true
	if hours > 0 {
		w.Until = epoch.Add(time.Duration(hours) * time.Hour)
		w.Confirm, w.Then = epoch.Add(time.Minute), epoch.Add(48*time.Hour)
	}
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func record(t testing.TB, j block.Journal, c *block.Change) int64 {
	t.Helper()
	if c.At.IsZero() {
		c.At = epoch
	}
	must(t, j.Record(t.Context(), c))
	return c.Number
}

func put(w *block.Wish) block.Swap[block.Wish] { return block.Swap[block.Wish]{After: w} }

// same compares what a journal returned with what it was told, times by their instants.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w || reflect.TypeOf(got) != reflect.TypeOf(want) {
		t.Fatalf("%s\n got %s\nwant %s", what, g, w)
	}
}

func wishes(t *testing.T, open func(testing.TB, string) block.Journal) {
	dir := t.TempDir()
	j := open(t, dir)
	one, six := wish("192.0.2.7/32", 1), wish("2001:db8::/64", 0)
	n := record(t, j, &block.Change{By: operator, Verb: "block", Wishes: []block.Swap[block.Wish]{put(six), put(one)}})
	want := []block.Wish{*one, *six}
	want[0].Revision, want[1].Revision = n, n
	check := func() {
		t.Helper()
		got, err := j.Wishes(t.Context())
		must(t, err)
		same(t, "wishes", got, want)
	}
	check()
	must(t, j.Close())
	j = open(t, dir)
	defer func() { j.Close() }()
	check()

	longer := *one
	longer.Until, longer.Why, longer.State = epoch.Add(5*time.Hour), "again", block.StateInForce
	n = record(t, j, &block.Change{Verb: "block", Wishes: []block.Swap[block.Wish]{{Before: one, After: &longer}}})
	want[0] = longer
	want[0].Revision = n
	check()

	n = record(t, j, &block.Change{Verb: "unblock", Wishes: []block.Swap[block.Wish]{{Before: &longer}}})
	want[0].State, want[0].Revision = block.StateLifted, n // until it is settled
	check()

	// Put anew before it was settled: what was goes to the past.
	again := *one
	n = record(t, j, &block.Change{At: epoch.Add(time.Minute), Verb: "block", Wishes: []block.Swap[block.Wish]{put(&again)}})
	want[0] = again
	want[0].Revision = n
	check()
	past, err := j.Past(t.Context(), one.Target, 10)
	must(t, err)
	if len(past) != 1 || past[0].Why != "again" || !past[0].Ended.Equal(epoch.Add(time.Minute)) {
		t.Errorf("past %+v", past)
	}
}

func overlap(t *testing.T, open func(testing.TB, string) block.Journal) {
	j := open(t, t.TempDir())
	defer j.Close()
	targets := []string{"0.0.0.0/1", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.7/32", "10.0.1.0/24", "192.0.2.7/32", "::/1", "2001:db8::/32", "2001:db8::/64", "2001:db8::7/128"}
	var c block.Change
	for _, target := range targets {
		c.Wishes = append(c.Wishes, put(wish(target, 0)))
	}
	record(t, j, &c)
	for _, asked := range []string{
		"10.0.0.7/32", "10.0.0.0/25", "10.0.0.0/24", "10.0.0.0/7", "10.0.0.255/32", "10.0.1.0/32", "11.0.0.0/8", "192.0.2.0/24", "203.0.113.1/32",
		"2001:db8::7/128", "2001:db8::8/128", "2001:db8::/48", "2001:db9::/32", "ffff::/16", "::/0", "0.0.0.0/0", "::ffff:10.0.0.7/128",
	} {
		p := netip.MustParsePrefix(asked)
		var want, have []string
		for _, target := range targets {
			if netip.MustParsePrefix(target).Overlaps(p) {
				want = append(want, target)
			}
		}
		got, err := j.Wishes(t.Context(), p)
		must(t, err)
		for _, w := range got {
			have = append(have, w.Target.String())
		}
		same(t, "overlapping "+asked, have, want)
	}
	got, err := j.Wishes(t.Context(), netip.MustParsePrefix("10.0.0.7/32"), netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("2001:db8::/64"))
	must(t, err)
	if len(got) != 8 {
		t.Errorf("several targets: %d wishes, want 8, each once", len(got))
	}
}

// pages reads a driver's wishes some at a time, while they change.
func pages(t *testing.T, open func(testing.TB, string) block.Journal) {
	j := open(t, t.TempDir())
	defer j.Close()
	var c block.Change
	add := func(target, driver string, s connwarden.Scope) {
		w := wish(target, 0)
		w.Scope, w.Driver = s, driver
		c.Wishes = append(c.Wishes, put(w))
	}
	targets := []string{"10.0.0.0/8", "10.0.0.0/24", "10.0.0.7/32", "192.0.2.7/32", "::/1", "2001:db8::7/128"}
	for _, target := range targets {
		for _, s := range []connwarden.Scope{{}, {Kind: connwarden.ScopeLogins}, connwarden.Ports(22), {Kind: connwarden.ScopeSite, Detail: "/srv/x"}} {
			add(target, "fw", s)
			add(target, "other", s)
		}
	}
	record(t, j, &c)
	names, err := j.Drivers(t.Context())
	must(t, err)
	same(t, "drivers", names, []string{"fw", "other"})
	all, err := j.Wishes(t.Context())
	must(t, err)
	last := func(list []block.Wish) block.EntryKey {
		w := &list[len(list)-1]
		return block.EntryKey{Target: w.Target, Scope: w.Scope}
	}
	for _, most := range []int{1, 2, 3, 5, 24, 100} { // four of a target: most borders are between equal ones
		var got []block.Wish
		for after := (block.EntryKey{}); ; after = last(got) {
			page, err := j.Page(t.Context(), "fw", after, most)
			must(t, err)
			if got = append(got, page...); len(page) < most {
				break
			}
		}
		found := map[connwarden.BlockKey]bool{}
		for i := range got {
			w := &got[i]
			if i > 0 && w.Target.Compare(got[i-1].Target) < 0 || found[w.BlockKey] {
				t.Fatalf("by %d: %s comes after %s", most, w.Target, got[i-1].Target)
			}
			found[w.BlockKey] = true
			k := slices.IndexFunc(all, func(o block.Wish) bool { return o.BlockKey == w.BlockKey })
			if k < 0 || w.Driver != "fw" {
				t.Fatalf("by %d: there is no %+v", most, w.BlockKey)
			}
			short := all[k]
			short.Why, short.Evidence = "", ""
			same(t, "wish", *w, short)
		}
		if len(got) != 4*len(targets) {
			t.Fatalf("by %d: %d wishes", most, len(got))
		}
	}
	// Between two pages one is put before where it stopped and one behind, one that follows is lifted, and one that was read changes.
	first, err := j.Page(t.Context(), "fw", block.EntryKey{}, 8)
	must(t, err)
	next, err := j.Page(t.Context(), "fw", last(first), 1)
	must(t, err)
	c = block.Change{}
	add("9.0.0.0/8", "fw", connwarden.Scope{})
	add("198.51.100.7/32", "fw", connwarden.Scope{})
	read := first[7]
	read.State = block.StateInForce
	c.Wishes = append(c.Wishes, block.Swap[block.Wish]{Before: &next[0]}, block.Swap[block.Wish]{Before: &first[7], After: &read})
	record(t, j, &c)
	rest, err := j.Page(t.Context(), "fw", last(first), 100)
	must(t, err)
	if len(rest) != 4*len(targets)-8+1 || rest[0].BlockKey != next[0].BlockKey || rest[0].State != block.StateLifted {
		t.Errorf("%d follow, and first %+v", len(rest), rest[0])
	}
	if !slices.ContainsFunc(rest, func(w block.Wish) bool { return w.Target == netip.MustParsePrefix("198.51.100.7/32") }) {
		t.Error("what was put behind is missing")
	}
	if empty, err := j.Page(t.Context(), "nobody", block.EntryKey{}, 100); err != nil || len(empty) != 0 {
		t.Errorf("of nobody %v, %v", empty, err)
	}
}

func changes(t *testing.T, open func(testing.TB, string) block.Journal) {
	dir := t.TempDir()
	j := open(t, dir)
	if _, err := j.Change(t.Context(), 0); !errors.Is(err, connwarden.ErrNotFound) {
		t.Errorf("the last change of none: %v", err)
	}
	one := wish("192.0.2.7/32", 1)
	first := &block.Change{By: operator, Verb: "block", Wishes: []block.Swap[block.Wish]{put(one)}}
	record(t, j, first)
	auto := record(t, j, &block.Change{By: connwarden.Origin{Kind: connwarden.ByRule, Name: "ssh"}, Verb: "block", Wishes: []block.Swap[block.Wish]{put(wish("192.0.2.8/32", 1))}})
	record(t, j, &block.Change{Verb: block.VerbAdopt})
	must(t, j.Close())
	j = open(t, dir)
	defer func() { j.Close() }()
	last, err := j.Change(t.Context(), 0)
	must(t, err)
	same(t, "last change", last.Wishes[0].After, first.Wishes[0].After)
	if last.Number != first.Number || last.By != operator || !last.At.Equal(epoch) || last.Verb != "block" {
		t.Errorf("last change %+v, want %+v", last, first)
	}
	undo := record(t, j, &block.Change{By: operator, Verb: block.VerbUndo, Undoes: first.Number})
	if _, err := j.Change(t.Context(), 0); !errors.Is(err, connwarden.ErrNotFound) {
		t.Errorf("an undo, an adoption, what was undone or automatic is taken back by default: %v", err)
	}
	last, err = j.Change(t.Context(), first.Number)
	must(t, err)
	if last.Undone != undo {
		t.Errorf("undone by %d, want %d", last.Undone, undo)
	}
	list, err := j.Changes(t.Context(), 3)
	must(t, err)
	if len(list) != 3 || list[0].Number != undo || list[2].Number != auto || list[2].By.Name != "ssh" {
		t.Errorf("changes %+v", list)
	}
}

func allowsAndPardons(t *testing.T, open func(testing.TB, string) block.Journal) {
	dir := t.TempDir()
	j := open(t, dir)
	a := block.Allow{Target: netip.MustParsePrefix("192.0.2.0/24"), Since: epoch, By: operator, Why: "office", Restores: 3}
	b := block.Allow{Target: netip.MustParsePrefix("2001:db8::/32"), Since: epoch}
	p := block.Pardon{Target: netip.MustParsePrefix("192.0.2.7/32"), Since: epoch, Until: epoch.Add(time.Hour), By: operator}
	n := record(t, j, &block.Change{Verb: "allow", Allows: []block.Swap[block.Allow]{{After: &b}, {After: &a}}, Pardons: []block.Swap[block.Pardon]{{After: &p}}})
	must(t, j.Close())
	j = open(t, dir)
	defer func() { j.Close() }()
	a.Revision, b.Revision, p.Revision = n, n, n
	allows, err := j.Allows(t.Context())
	must(t, err)
	same(t, "allowed", allows, []block.Allow{a, b})
	pardons, err := j.Pardons(t.Context())
	must(t, err)
	same(t, "pardons", pardons, []block.Pardon{p})
	record(t, j, &block.Change{Verb: "disallow", Allows: []block.Swap[block.Allow]{{Before: &a}}, Pardons: []block.Swap[block.Pardon]{{Before: &p}}})
	allows, err = j.Allows(t.Context())
	must(t, err)
	pardons, _ = j.Pardons(t.Context())
	if len(allows) != 1 || len(pardons) != 0 {
		t.Errorf("%d allowed and %d pardoned, want 1 and 0", len(allows), len(pardons))
	}
}

func settle(t *testing.T, open func(testing.TB, string) block.Journal) {
	j := open(t, t.TempDir())
	defer j.Close()
	now := epoch.Add(90 * time.Minute)
	ours, over, other, lifted, spared := wish("192.0.2.1/32", 0), wish("192.0.2.2/32", 1), wish("192.0.2.3/32", 1), wish("192.0.2.4/32", 3), wish("192.0.2.5/32", 0)
	other.Driver = "other"
	spared.State = block.StateInForce
	n := record(t, j, &block.Change{Wishes: []block.Swap[block.Wish]{put(ours), put(over), put(other), put(lifted), put(spared)}})
	record(t, j, &block.Change{Wishes: []block.Swap[block.Wish]{{Before: lifted}}})
	states := func() string {
		all, err := j.Wishes(t.Context())
		must(t, err)
		text := ""
		for _, w := range all {
			text += fmt.Sprintf("%s %s; ", w.Target.Addr(), w.State)
		}
		return text
	}
	must(t, j.Settle(t.Context(), block.Settlement{Driver: "fw", Number: n, Now: epoch, Open: []connwarden.BlockKey{spared.BlockKey}}))
	same(t, "one change settled", states(), "192.0.2.1 in_force; 192.0.2.2 in_force; 192.0.2.3 wanted; 192.0.2.4 lifted; 192.0.2.5 wanted; ")
	must(t, j.Settle(t.Context(), block.Settlement{Driver: "fw", Now: now, Open: []connwarden.BlockKey{spared.BlockKey}}))
	same(t, "all settled", states(), "192.0.2.1 in_force; 192.0.2.3 wanted; 192.0.2.5 wanted; ")
	past, err := j.Past(t.Context(), netip.MustParsePrefix("192.0.2.0/24"), 10)
	must(t, err)
	if len(past) != 2 || past[0].Target != lifted.Target || !past[0].Ended.Equal(now) || !past[1].Ended.Equal(over.Until) || past[1].By != operator || past[1].Scope != over.Scope {
		t.Errorf("past %+v", past)
	}
	if past, _ := j.Past(t.Context(), netip.MustParsePrefix("192.0.2.0/24"), 1); len(past) != 1 {
		t.Errorf("%d past blocks, want the one that was asked for", len(past))
	}
	net, none := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64")
	for _, targets := range [][]netip.Prefix{{net}, {lifted.Target}, {net, lifted.Target, none}} { // one, and many
		found, err := j.Pasts(t.Context(), targets, 10)
		must(t, err)
		for _, p := range targets {
			want, err := j.Past(t.Context(), p, 10)
			must(t, err)
			if !slices.Equal(found[p], want) {
				t.Errorf("of %v among %d: %+v, want %+v", p, len(targets), found[p], want)
			}
		}
	}
}

func prune(t *testing.T, open func(testing.TB, string) block.Journal) {
	j := open(t, t.TempDir())
	defer j.Close()
	old := wish("192.0.2.2/32", 1)
	p := block.Pardon{Target: old.Target, Since: epoch, Until: epoch.Add(time.Hour)}
	record(t, j, &block.Change{By: operator, Verb: "block", Wishes: []block.Swap[block.Wish]{put(old), put(wish("192.0.2.3/32", 0))}, Pardons: []block.Swap[block.Pardon]{{After: &p}}})
	later := epoch.Add(100 * time.Hour)
	must(t, j.Settle(t.Context(), block.Settlement{Driver: "fw", Now: later}))
	must(t, j.Prune(t.Context(), later, later))
	past, _ := j.Past(t.Context(), old.Target, 10)
	pardons, _ := j.Pardons(t.Context())
	list, _ := j.Changes(t.Context(), 10)
	all, _ := j.Wishes(t.Context())
	if len(past)+len(pardons)+len(list) != 0 || len(all) != 1 {
		t.Errorf("kept %d past, %d pardons, %d changes and %d wishes; want only the wish that has no end", len(past), len(pardons), len(list), len(all))
	}
	if n := record(t, j, &block.Change{Verb: "block"}); n < 2 {
		t.Errorf("change %d: a number came again", n)
	}
}

var errDead = errors.New("the process is dead")

// acts is what the process does until it dies.
var acts = []func(context.Context, *block.Keeper) error{
	func(ctx context.Context, k *block.Keeper) error {
		return only(k.Block(ctx, asked("198.51.100.0/29"), asked("192.0.2.7/32")))
	},
	func(ctx context.Context, k *block.Keeper) error {
		return only(k.Allow(ctx, []netip.Prefix{netip.MustParsePrefix("198.51.100.2/32")}, operator, ""))
	},
	func(ctx context.Context, k *block.Keeper) error { return only(k.Block(ctx, asked("198.51.100.0/28"))) },
	func(ctx context.Context, k *block.Keeper) error {
		return only(k.Unblock(ctx, []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")}, nil, operator))
	},
	func(ctx context.Context, k *block.Keeper) error {
		r := asked("203.0.113.7/32")
		r.Within = time.Hour
		return only(k.Block(ctx, r))
	},
	func(ctx context.Context, k *block.Keeper) error { return only(k.Confirm(ctx, operator)) },
	func(ctx context.Context, k *block.Keeper) error { return only(k.Undo(ctx, 2, operator)) },
	func(ctx context.Context, k *block.Keeper) error { _, _, err := k.Sync(ctx, "fw"); return err },
}
