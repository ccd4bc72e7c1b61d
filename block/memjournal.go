package block

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// MemoryJournal is a journal that ends with the process: for tests, and the model of the one that is kept. The zero
// value is empty.
type MemoryJournal struct {
	wishes  map[connwarden.BlockKey]Wish
	allows  map[netip.Prefix]Allow
	pardons map[netip.Prefix]Pardon
	past    []Past
	changes []Change
	number  int64
}

// Wishes returns copies.
func (j *MemoryJournal) Wishes(_ context.Context, overlapping ...netip.Prefix) ([]Wish, error) {
	var list []Wish
	for _, w := range j.wishes {
		if len(overlapping) == 0 || slices.ContainsFunc(overlapping, w.Target.Overlaps) {
			list = append(list, w)
		}
	}
	slices.SortFunc(list, func(a, b Wish) int { return a.BlockKey.Compare(b.BlockKey) })
	return list, nil
}

// Page returns copies.
func (j *MemoryJournal) Page(ctx context.Context, driver string, after EntryKey, most int) ([]Wish, error) {
	all, err := j.Wishes(ctx)
	list := slices.DeleteFunc(all, func(w Wish) bool { return w.Driver != driver || w.entry().Key().Compare(after) <= 0 })
	slices.SortFunc(list, func(a, b Wish) int { return a.entry().Compare(b.entry()) })
	list = list[:min(len(list), most)]
	for i := range list {
		list[i].Why, list[i].Evidence = "", ""
	}
	return list, err
}

// Drivers returns their names.
func (j *MemoryJournal) Drivers(ctx context.Context) ([]string, error) {
	all, err := j.Wishes(ctx)
	return drivers(all), err
}

// Allows returns copies.
func (j *MemoryJournal) Allows(context.Context) ([]Allow, error) {
	return slices.SortedFunc(maps.Values(j.allows), func(a, b Allow) int { return a.Target.Compare(b.Target) }), nil
}

// Pardons returns copies.
func (j *MemoryJournal) Pardons(context.Context) ([]Pardon, error) {
	return slices.SortedFunc(maps.Values(j.pardons), func(a, b Pardon) int { return a.Target.Compare(b.Target) }), nil
}

// Past returns copies.
func (j *MemoryJournal) Past(_ context.Context, target netip.Prefix, most int) ([]Past, error) {
	var list []Past
	for _, p := range j.past {
		if p.Target.Overlaps(target) {
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b Past) int { return b.Ended.Compare(a.Ended) })
	return list[:min(len(list), most)], nil
}

// Pasts returns copies.
func (j *MemoryJournal) Pasts(ctx context.Context, targets []netip.Prefix, most int) (map[netip.Prefix][]Past, error) {
	found := map[netip.Prefix][]Past{}
	for _, p := range targets {
		if list, _ := j.Past(ctx, p, most); len(list) > 0 {
			found[p] = list
		}
	}
	return found, nil
}

// Record keeps a copy of the change.
func (j *MemoryJournal) Record(_ context.Context, c *Change) error {
	if j.wishes == nil {
		j.wishes, j.allows, j.pardons = map[connwarden.BlockKey]Wish{}, map[netip.Prefix]Allow{}, map[netip.Prefix]Pardon{}
	}
	j.number++
	c.Number = j.number
	for i := range c.Wishes {
		s := &c.Wishes[i]
		key := WishKey(*s)
		old, held := j.wishes[key]
		if s.After == nil {
			if held {
				old.State, old.Revision = StateLifted, c.Number
				j.wishes[key] = old
			}
			continue
		}
		if held && !old.Wanted(c.At) {
			j.bury(old, c.At)
		}
		s.After.Revision = c.Number
		j.wishes[key] = *s.After
	}
	for _, s := range c.Allows {
		if s.Before != nil {
			delete(j.allows, s.Before.Target)
		}
		if s.After != nil {
			s.After.Revision = c.Number
			j.allows[s.After.Target] = *s.After
		}
	}
	for _, s := range c.Pardons {
		if s.Before != nil {
			delete(j.pardons, s.Before.Target)
		}
		if s.After != nil {
			s.After.Revision = c.Number
			j.pardons[s.After.Target] = *s.After
		}
	}
	for i := range j.changes {
		if j.changes[i].Number == c.Undoes {
			j.changes[i].Undone = c.Number
		}
	}
	j.changes = append(j.changes, *c)
	return nil
}

func (j *MemoryJournal) bury(w Wish, now time.Time) {
	ended := now
	if w.Expired(now) {
		ended = w.Until
	}
	j.past = append(j.past, Past{w.Block, ended})
}

// Change returns a copy; its swaps are shared.
func (j *MemoryJournal) Change(_ context.Context, n int64) (*Change, error) {
	for i := len(j.changes) - 1; i >= 0; i-- {
		c := j.changes[i]
		if n == c.Number || n == 0 && c.Undoable() {
			return &c, nil
		}
	}
	return nil, NoChange(n)
}

// Changes returns copies without swaps.
func (j *MemoryJournal) Changes(_ context.Context, most int) ([]Change, error) {
	var list []Change
	for _, c := range slices.Backward(j.changes) {
		if len(list) == most {
			break
		}
		c.Wishes, c.Allows, c.Pardons = nil, nil, nil
		list = append(list, c)
	}
	return list, nil
}

// Settle marks wishes and buries those that are over.
func (j *MemoryJournal) Settle(_ context.Context, s Settlement) error {
	for key, w := range j.wishes {
		switch {
		case key.Driver != s.Driver || s.Number != 0 && w.Revision != s.Number:
		case !w.Wanted(s.Now):
			j.bury(w, s.Now)
			delete(j.wishes, key)
		case slices.Contains(s.Open, key):
			w.State = StateWanted
			j.wishes[key] = w
		default:
			w.State = StateInForce
			j.wishes[key] = w
		}
	}
	return nil
}

// Prune forgets.
func (j *MemoryJournal) Prune(_ context.Context, before, now time.Time) error {
	j.past = slices.DeleteFunc(j.past, func(p Past) bool { return p.Ended.Before(before) })
	j.changes = slices.DeleteFunc(j.changes, func(c Change) bool { return c.At.Before(before) })
	maps.DeleteFunc(j.pardons, func(_ netip.Prefix, p Pardon) bool { return !now.Before(p.Until) })
	return nil
}

// Close keeps everything: a test opens the same journal again by going on with it.
func (j *MemoryJournal) Close() error { return nil }
