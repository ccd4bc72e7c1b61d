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

// Sync makes the firewalls and the journal agree: it lists what the drivers named hold, all others that something is
// wanted of, and those of Others that hold something, adds what is missing, removes what was lifted or is over, and takes into the journal what carries our mark
// but is known to no one. It removes nothing merely because the journal does not speak of it: an empty or restored
// journal opens no door. A driver that fails is told in its Synced; the others go on.
func (k *Keeper) Sync(ctx context.Context, names ...string) (*Outcome, []Synced, error) {
	b, err := k.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	if names, err = k.those(ctx, names); err != nil {
		return nil, nil, err
	}
	names = append(slices.Clip(names), strays(ctx, k.guard, names, k.Others)...)
	out := b.outcome()
	list := make([]Synced, len(names))
	for i, name := range names {
		s := &list[i]
		s.Driver = name
		if s.Err = k.sync(ctx, b, s, out); errors.Is(s.Err, ErrJournal) {
			return out, list, s.Err
		}
	}
	if k.Plan {
		return out, list, nil
	}
	return out, list, k.Journal.Prune(ctx, b.now.Add(-kept), b.now)
}

// those are the drivers named and all others that something is wanted of.
func (k *Keeper) those(ctx context.Context, names []string) ([]string, error) {
	more, err := k.Journal.Drivers(ctx)
	for _, name := range more {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, err
}

func (k *Keeper) sync(ctx context.Context, b book, s *Synced, out *Outcome) error {
	g, err := k.guard(ctx, s.Driver)
	if err != nil {
		return err
	}
	k.began(ctx, g)
	have, err := g.List(ctx)
	if err != nil {
		delete(k.stamps, s.Driver)
		return err
	}
	slices.SortFunc(have, func(a, b Entry) int { return a.Target.Compare(b.Target) })
	d := delta{guard: g}
	adopted := &Change{At: b.now, Verb: VerbAdopt}
	done := true
	p := g.Properties()
	// Where places are few what is wanted may be merged across all of it.
	for part, err := range k.portions(ctx, s.Driver, have, p.Most > 0) {
		if err != nil {
			return err
		}
		done = done && settled(part.wishes, b.now)
		for _, w := range k.unknown(s.Driver, part, b.now) {
			adopted.Wishes = append(adopted.Wishes, Swap[Wish]{After: w})
			part.wishes = append(slices.Clip(part.wishes), *w)
		}
		want := d.fit(k.entries(g, part.wishes, b.now, d.spared(out)), part.wishes, out)
		if p.MaxExpiry > 0 {
			want = lazily(want, part.have, b.now.Add(p.MaxExpiry/2))
		}
		add, remove := diff(part.have, want, p, syncSlack)
		d.add, d.remove = append(d.add, add...), append(d.remove, remove...)
		s.Wanted += len(want)
	}
	s.Added, s.Removed, s.Adopted = len(d.add), len(d.remove), len(adopted.Wishes)
	if s.Adopted > 0 {
		if !k.Plan {
			if err := k.Journal.Record(ctx, adopted); err != nil {
				return err
			}
		}
		out.problem(s.Driver, "%d entries carry our mark and were not in the journal; they stay in force and are in it now", s.Adopted)
	}
	if k.Plan {
		return plan(ctx, []delta{d}, out)
	}
	if s.Added+s.Removed > 0 {
		if err := k.apply(ctx, g, d.add, d.remove); err != nil {
			delete(k.stamps, s.Driver)
			return err
		}
	}
	if done && len(d.open) == 0 {
		return nil
	}
	return k.Journal.Settle(ctx, Settlement{Driver: s.Driver, Now: b.now, Open: d.open})
}

// settled tells whether the journal has nothing to learn of wishes: as a rule a sync finds everything as it was.
func settled(list []Wish, now time.Time) bool {
	return !slices.ContainsFunc(list, func(w Wish) bool { return w.State != StateInForce || w.Expired(now) })
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

// unknown are wishes for what a driver holds and no wish explains, of any state: an entry is explained by the wishes that
// together cover it.
func (k *Keeper) unknown(driver string, part portion, now time.Time) (list []*Wish) {
	explained := map[connwarden.Scope]cover{}
	for i := range part.wishes {
		w := &part.wishes[i]
		explained[w.Scope] = append(explained[w.Scope], w.Target)
	}
	for scope, list := range explained {
		explained[scope] = coverOf(list)
	}
	for _, e := range part.have {
		for _, p := range Subtract(e.Target, explained[e.Scope].overlapping(e.Target)) {
			e.Target = p
			w := stray(driver, e, now)
			list = append(list, &w)
		}
	}
	return list
}

// stray is the wish that stands for an entry of a driver from now on.
func stray(driver string, e Entry, now time.Time) Wish {
	w := Wish{State: StateInForce}
	w.BlockKey = connwarden.BlockKey{Target: e.Target, Scope: e.Scope, Driver: driver}
	w.Since, w.Until = now, e.Until.UTC().Truncate(time.Millisecond)
	w.Why = fmt.Sprintf("%s held it and the journal did not know why", driver)
	return w
}
