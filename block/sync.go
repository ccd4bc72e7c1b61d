package block

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// Synced is what Sync did to one driver.
type Synced struct {
	Driver  string
	Wanted  int // entries that it is to hold, and holds unless there is an error
	Added   int // that were missing, or had another end
	Removed int // that were lifted, over or in the way
	Adopted int // that it held and no one knew of
	Err     error
}

// syncSlack is by how much an end may differ before it is set again: firewalls count whole seconds.
const syncSlack = 2 * time.Second

// kept is how long the journal remembers changes and past blocks: ten times the longest step, and some.
const kept = 90 * 24 * time.Hour

// Sync makes the firewalls and the journal agree: it lists what the drivers named hold, and all others that something is
// wanted of, adds what is missing, removes what was lifted or is over, and takes into the journal what carries our mark
// but is known to no one. It removes nothing merely because the journal does not speak of it: an empty or restored
// journal opens no door. A driver that fails is told in its Synced; the others go on.
func (k *Keeper) Sync(ctx context.Context, names ...string) (*Outcome, []Synced, error) {
	b, err := k.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	all, err := k.Journal.Wishes(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range drivers(all) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	out := b.outcome()
	list := make([]Synced, len(names))
	for i, name := range names {
		s := &list[i]
		s.Driver = name
		if s.Err = k.sync(ctx, all, b, s, out); errors.Is(s.Err, ErrJournal) {
			return out, list, s.Err
		}
	}
	if k.Plan {
		return out, list, nil
	}
	return out, list, k.Journal.Prune(ctx, b.now.Add(-kept), b.now)
}

func (k *Keeper) sync(ctx context.Context, all []Wish, b book, s *Synced, out *Outcome) error {
	g, err := k.guard(ctx, s.Driver)
	if err != nil {
		return err
	}
	have, err := g.List(ctx)
	if err != nil {
		return err
	}
	adopted := k.unknown(s.Driver, all, have, b.now)
	s.Adopted = len(adopted.Wishes)
	if s.Adopted > 0 {
		if !k.Plan {
			if err := k.Journal.Record(ctx, adopted); err != nil {
				return err
			}
		}
		for _, w := range adopted.Wishes {
			all = append(all, *w.After)
		}
		out.problem(s.Driver, "%d entries carry our mark and were not in the journal; they stay in force and are in it now", s.Adopted)
	}
	d := delta{guard: g}
	want := d.fit(k.entries(g, all, b.now, d.spared(out)), all, out)
	p := g.Properties()
	if p.MaxExpiry > 0 {
		want = lazily(want, have, b.now.Add(p.MaxExpiry/2))
	}
	d.add, d.remove = diff(have, want, p, syncSlack)
	s.Wanted, s.Added, s.Removed = len(want), len(d.add), len(d.remove)
	if k.Plan {
		return plan(ctx, []delta{d}, out)
	}
	if s.Added+s.Removed > 0 {
		if err := g.Apply(ctx, d.add, d.remove); err != nil {
			return err
		}
	}
	if settled(all, s.Driver, b.now) && len(d.open) == 0 {
		return nil
	}
	return k.Journal.Settle(ctx, Settlement{Driver: s.Driver, Now: b.now, Open: d.open})
}

// Flush takes all of ours out of the firewalls named and of all others that something is wanted of, and leaves the journal
// as it is: what is not over by then comes back with the next Sync. It is for the removal of the program, without which
// nothing would lift what it blocks.
func (k *Keeper) Flush(ctx context.Context, names ...string) ([]Synced, error) {
	all, err := k.Journal.Wishes(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range drivers(all) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	list := make([]Synced, len(names))
	for i, name := range names {
		list[i].Driver = name
		list[i].Removed, list[i].Err = k.flush(ctx, name)
	}
	return list, nil
}

func (k *Keeper) flush(ctx context.Context, name string) (n int, err error) {
	g, err := k.guard(ctx, name)
	if err != nil {
		return 0, err
	}
	have, err := g.List(ctx)
	if err != nil {
		return 0, err
	}
	if k.Plan {
		return len(have), nil
	}
	return len(have), g.Flush(ctx) // though nothing is listed: chains and sets go too
}

// settled tells whether the journal has nothing to learn: as a rule a sync finds everything as it was.
func settled(all []Wish, driver string, now time.Time) bool {
	return !slices.ContainsFunc(all, func(w Wish) bool { return w.Driver == driver && (w.State != StateInForce || w.Expired(now)) })
}

// lazily leaves ends alone that are as late as the firewall allows, until half of that is over.
func lazily(want, have []Entry, half time.Time) []Entry {
	held := make(map[EntryKey]time.Time, len(have))
	for _, e := range have {
		held[e.Key()] = e.Until
	}
	for i := range want {
		if end := held[want[i].Key()]; want[i].Until.After(half) && end.After(half) && end.Before(want[i].Until) {
			want[i].Until = end
		}
	}
	return want
}

// unknown is the adoption of what a driver holds and no wish explains, of any state: an entry is explained by the wishes
// that together cover it.
func (k *Keeper) unknown(driver string, all []Wish, have []Entry, now time.Time) *Change {
	explained := map[connwarden.Scope]cover{}
	for _, w := range all {
		if w.Driver == driver {
			explained[w.Scope] = append(explained[w.Scope], w.Target)
		}
	}
	for scope, list := range explained {
		explained[scope] = coverOf(list)
	}
	c := &Change{At: now, Verb: VerbAdopt}
	for _, e := range have {
		for _, p := range Subtract(e.Target, explained[e.Scope].overlapping(e.Target)) {
			w := Wish{State: StateInForce}
			w.BlockKey = connwarden.BlockKey{Target: p, Scope: e.Scope, Driver: driver}
			w.Since, w.Until = now, e.Until.UTC().Truncate(time.Millisecond)
			w.Why = fmt.Sprintf("%s held it and the journal did not know why", driver)
			c.Wishes = append(c.Wishes, Swap[Wish]{After: &w})
		}
	}
	return c
}
