package block

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// delta is what one driver must change.
type delta struct {
	guard       *Guard
	add, remove []Entry
	open        []connwarden.BlockKey // wanted, but not to be in force
}

// bring writes a change down and brings it to the drivers that it is about. A driver that fails is told in the error and
// by the states of its wishes; the wish stands, and Sync tries again. What a driver cannot hold after all is withdrawn.
func (k *Keeper) bring(ctx context.Context, c *Change, b book, out *Outcome) error {
	deltas, err := k.deltas(ctx, c, b, out)
	if err != nil {
		return err
	}
	if k.Plan {
		return plan(ctx, deltas, out)
	}
	if err := k.Journal.Record(ctx, c); err != nil { // and nothing was done
		out.Blocks, out.Lifted, out.Allowed, out.Disallowed = nil, nil, nil, nil
		return err
	}
	out.Change = c.Number
	for i := range out.Blocks {
		out.Blocks[i].Revision = c.Number
	}
	var errs []error
	for _, d := range deltas {
		name := d.guard.Name()
		err := k.apply(ctx, d.guard, d.add, d.remove)
		if errors.Is(err, connwarden.ErrUnsupported) {
			err = errors.Join(err, k.withdraw(ctx, c, name, out))
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for i := range out.Blocks {
			if w := &out.Blocks[i]; w.Driver == name && !slices.Contains(d.open, w.BlockKey) {
				w.State = StateInForce
			}
		}
		out.gone(name)
		// It is in force; that the journal could not be told so is mended by the next Sync.
		if err := k.Journal.Settle(ctx, Settlement{name, c.Number, b.now, d.open}); err != nil {
			out.problem("journal", "%v", err)
		}
	}
	return errors.Join(errs...)
}

// gone notes what a driver has let go.
func (o *Outcome) gone(driver string) {
	for i := range o.Lifted {
		if w := &o.Lifted[i]; w.Driver == driver {
			w.State = StateLifted
		}
	}
}

// plan asks each driver what it would do.
func plan(ctx context.Context, deltas []delta, out *Outcome) error {
	for _, d := range deltas {
		lines, err := d.guard.Plan(ctx, d.add, d.remove)
		if err != nil {
			return err
		}
		out.Plans = append(out.Plans, Plan{d.guard.Name(), lines})
	}
	return nil
}

// withdraw takes back the wishes of a change that a driver refused before anything was changed.
func (k *Keeper) withdraw(ctx context.Context, c *Change, driver string, out *Outcome) error {
	back := &Change{At: c.At, By: c.By, Verb: VerbUndo}
	for _, s := range c.Wishes {
		if WishKey(s).Driver == driver {
			back.Wishes = append(back.Wishes, reversed(s))
		}
	}
	out.Blocks = slices.DeleteFunc(out.Blocks, func(w Wish) bool { return w.Driver == driver })
	if err := k.Journal.Record(ctx, back); err != nil {
		return err
	}
	return k.Journal.Settle(ctx, Settlement{Driver: driver, Number: back.Number, Now: c.At})
}

func reversed[T any](s Swap[T]) Swap[T] {
	back := Swap[T]{Before: s.After}
	if s.Before != nil {
		copied := *s.Before
		back.After = &copied
	}
	return back
}

// deltas computes what a change means to each driver: of the entries about its targets what they are before and after.
func (k *Keeper) deltas(ctx context.Context, c *Change, b book, out *Outcome) ([]delta, error) {
	before, err := k.region(ctx, c, &b)
	if err != nil {
		return nil, err
	}
	after, touched := applied(before, c)
	allows := b.allows
	for _, s := range c.Allows {
		allows = swapAllow(allows, s)
	}
	var list []delta
	for _, name := range drivers(before, after) {
		g, err := k.guard(ctx, name)
		if err != nil {
			if touched[name] {
				return nil, err
			}
			out.problem(name, "%v", err)
			continue
		}
		d := delta{guard: g}
		k.Rules.allow(b.allows)
		was := k.entries(g, before, b.now, nil)
		traces := k.traces(g, before, was, b.now)
		k.Rules.allow(allows)
		want := k.entries(g, after, b.now, d.spared(out))
		for _, s := range c.Wishes {
			if s.After != nil && s.After.Driver == name {
				out.excepted(k.Rules, s.After)
			}
		}
		if !adds(c, name) { // what adds may be refused by a driver that is full; what lifts must not
			want = d.fit(want, after, out)
		}
		d.add, d.remove = missing(was, want, g.Properties(), 0), unwanted(traces, want)
		d.add = append(d.add, again(want, &d, c)...)
		if touched[name] || len(d.add)+len(d.remove) > 0 {
			list = append(list, d)
		}
	}
	return list, nil
}

// spared tells of what the guard keeps from being in force although it is wanted.
func (d *delta) spared(out *Outcome) func(w *Wish, why string, whole bool) {
	return func(w *Wish, why string, whole bool) {
		if !whole {
			out.problem(Show(w.Target), "a part of it is not in force by %s: %s", d.guard.Name(), why)
			return
		}
		out.problem(Show(w.Target), "it is wanted of %s, but not in force: %s", d.guard.Name(), why)
		d.open = append(d.open, w.BlockKey)
	}
}

// excepted tells of a wish which of its target is allowed and therefore stays open.
func (o *Outcome) excepted(r *Rules, w *Wish) {
	const most = 5
	if w.Forced {
		return
	}
	var inside []string
	for _, p := range r.allowed.overlapping(w.Target) {
		inside = append(inside, Show(p))
	}
	if len(inside) == 0 {
		return
	}
	if more := len(inside) - most; more > 0 {
		inside = append(inside[:most], fmt.Sprintf("%d more", more))
	}
	o.problem(Show(w.Target), "a part of it is not blocked by %s, since it is allowed: %s", w.Driver, strings.Join(inside, ", "))
}

// adds tells whether a change wants something new of a driver.
func adds(c *Change, driver string) bool {
	return slices.ContainsFunc(c.Wishes, func(s Swap[Wish]) bool { return s.After != nil && s.After.Driver == driver })
}

// fit leaves out what is more than the driver holds, what ends first before all.
func (d *delta) fit(want []Entry, wishes []Wish, out *Outcome) []Entry {
	most := d.guard.Properties().Most
	if most == 0 || len(want) <= most {
		return want
	}
	want = slices.Clone(want)
	slices.SortStableFunc(want, func(a, b Entry) int {
		switch {
		case outlasts(a.Until, b.Until):
			return -1
		case outlasts(b.Until, a.Until):
			return 1
		default:
			return 0
		}
	})
	out.problem(d.guard.Name(), "%d entries are wanted where %d fit; those that end first are not in force", len(want), most)
	for _, w := range wishes {
		if w.Driver == d.guard.Name() && slices.ContainsFunc(want[most:], func(e Entry) bool { return e.Target.Overlaps(w.Target) }) {
			d.open = append(d.open, w.BlockKey)
		}
	}
	return want[:most]
}

// again are entries that ought to be in force already and are added all the same: those that a change asks for, so that
// what a person asked for is so afterwards, and those about which something is removed, since what was there may have
// been in their place.
func again(want []Entry, d *delta, c *Change) []Entry {
	if len(d.add) == len(want) { // all are added
		return nil
	}
	about := map[connwarden.Scope][]netip.Prefix{}
	for _, s := range c.Wishes {
		if s.After != nil && s.After.Driver == d.guard.Name() {
			about[s.After.Scope] = append(about[s.After.Scope], s.After.Target)
		}
	}
	for _, e := range d.remove {
		about[e.Scope] = append(about[e.Scope], e.Target)
	}
	covers := map[connwarden.Scope]cover{}
	for scope, targets := range about {
		covers[scope] = coverOf(targets)
	}
	in := make(map[EntryKey]bool, len(d.add))
	for _, e := range d.add {
		in[e.Key()] = true
	}
	var more []Entry
	for _, e := range want {
		if !in[e.Key()] && len(covers[e.Scope].overlapping(e.Target)) > 0 {
			more = append(more, e)
		}
	}
	return more
}

// region returns the wishes that a change has to do with: all below its targets, and what a range above them has to do
// with. Where a driver has few places its entries may be merged across all of them, and so all wishes are returned.
func (k *Keeper) region(ctx context.Context, c *Change, b *book) ([]Wish, error) {
	targets := make([]netip.Prefix, 0, len(c.Wishes)+2*len(c.Allows))
	names := map[string]bool{}
	for _, s := range c.Wishes {
		key := WishKey(s)
		targets = append(targets, key.Target)
		names[key.Driver] = true
	}
	for _, s := range c.Allows {
		for _, a := range []*Allow{s.Before, s.After} {
			if a != nil {
				targets = append(targets, a.Target)
			}
		}
	}
	if len(targets) == 0 {
		return nil, nil
	}
	list, err := k.wishes(ctx, b, targets)
	if err != nil {
		return nil, err
	}
	above := slices.Clone(targets)
	for i := range list {
		above = append(above, list[i].Target)
		names[list[i].Driver] = true
	}
	for name := range names {
		// A driver that does not open is told of by who needs it.
		if g, err := k.guard(ctx, name); err == nil {
			if p := g.Properties(); p.Most > 0 && p.Prefixes {
				all, err := k.Journal.Wishes(ctx)
				for _, s := range b.strays {
					all = append(slices.DeleteFunc(all, func(w Wish) bool { return w.BlockKey == s.After.BlockKey }), *s.After)
				}
				return all, err
			}
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	if tops := coverOf(above); wider(tops, targets) {
		return k.wishes(ctx, b, tops)
	}
	return list, nil
}

// wider tells whether some of tops is no target, so that there may be wishes below it that were not asked for.
func wider(tops, targets []netip.Prefix) bool {
	set := make(map[netip.Prefix]bool, len(targets))
	for _, t := range targets {
		set[t] = true
	}
	return slices.ContainsFunc(tops, func(p netip.Prefix) bool { return !set[p] })
}

// applied returns the wishes as a change leaves them and the names of the drivers whose wishes it is about.
func applied(before []Wish, c *Change) (after []Wish, touched map[string]bool) {
	touched = map[string]bool{}
	after = make([]Wish, 0, len(before)+len(c.Wishes))
	for _, s := range c.Wishes {
		touched[WishKey(s).Driver] = true
	}
	if len(before) == 0 { // all is new
		for _, s := range c.Wishes {
			if s.After != nil {
				after = append(after, *s.After)
			}
		}
		return after, touched
	}
	swaps := make(map[connwarden.BlockKey]*Wish, len(c.Wishes))
	for _, s := range c.Wishes {
		swaps[WishKey(s)] = s.After
	}
	for i := range before {
		w := &before[i]
		now, swapped := swaps[w.BlockKey]
		switch {
		case !swapped:
			after = append(after, *w)
		case now != nil:
			after = append(after, *now)
		}
		delete(swaps, w.BlockKey)
	}
	for _, s := range c.Wishes {
		if now := swaps[WishKey(s)]; now != nil {
			after = append(after, *now)
		}
	}
	return after, touched
}

func swapAllow(list []Allow, s Swap[Allow]) []Allow {
	out := slices.DeleteFunc(slices.Clone(list), func(a Allow) bool {
		return s.Before != nil && a.Target == s.Before.Target || s.After != nil && a.Target == s.After.Target
	})
	if s.After != nil {
		out = append(out, *s.After)
	}
	return out
}

// drivers are the names that wishes speak of, in order.
func drivers(lists ...[]Wish) []string {
	names := map[string]bool{}
	last := "" // most are of one
	for _, list := range lists {
		for i := range list {
			if name := list[i].Driver; name != last {
				names[name], last = true, name
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// entries are what a driver is to hold for wishes: without what must not be blocked, no two overlapping, merged if they
// would not fit otherwise. spared, if not nil, is told of wishes that the guard keeps out of force, wholly or in part.
func (k *Keeper) entries(g *Guard, wishes []Wish, now time.Time, spared func(w *Wish, why string, whole bool)) []Entry {
	in := make([]Entry, 0, len(wishes))
	for i := range wishes {
		w := &wishes[i]
		if w.Driver != g.Name() || !w.Wanted(now) {
			continue
		}
		n := len(in)
		in = k.Rules.carve(in, w.entry())
		if spared == nil || len(in) == n+1 && in[n].Target == w.Target {
			continue
		}
		if why := k.Rules.Check(w.Target, w.Forced); why != "" {
			spared(w, why, len(in) == n)
		}
	}
	out := Flatten(in)
	p := g.Properties()
	if p.Most > 0 && len(out) > p.Most && p.Prefixes {
		out = Merge(out, k.Rules.limits.Widest4, k.Rules.limits.Widest6)
	}
	if p.MaxExpiry > 0 {
		last := now.Add(p.MaxExpiry)
		for i := range out {
			if out[i].Until.After(last) {
				out[i].Until = last
			}
		}
	}
	return out
}

// traces are all entries that a driver may hold because of wishes: what entries made of them, and in case the rules were
// others or an act was cut short, the targets themselves and what the lifted ones among them would make. Removing
// what is not there costs nothing.
func (k *Keeper) traces(g *Guard, wishes []Wish, was []Entry, now time.Time) []Entry {
	was = slices.Clone(was)
	var raw []Entry
	stale := false
	for i := range wishes {
		if w := &wishes[i]; w.Driver == g.Name() {
			raw = append(raw, w.entry())
			stale = stale || !w.Wanted(now)
		}
	}
	all := raw
	if stale {
		all = append(all, Flatten(raw)...)
	}
	in := make(map[EntryKey]bool, len(was))
	for _, e := range was {
		in[e.Key()] = true
	}
	for _, e := range all {
		if !in[e.Key()] {
			in[e.Key()] = true
			was = append(was, e)
		}
	}
	return was
}
