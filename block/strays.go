package block

import (
	"context"
	"net/netip"
	"slices"

	"github.com/connwarden/connwarden"
)

// A stray is an entry with our mark in a firewall that the journal does not speak of: it was made while the journal could not be
// written, or the journal is new.

// strays are the firewalls among others, without those in names, that answer and hold something of ours.
func strays(ctx context.Context, guard func(context.Context, string) (*Guard, error), names, others []string) (more []string) {
	answering(ctx, guard, names, others, func(g *Guard, have []Entry) {
		if len(have) > 0 {
			more = append(more, g.Name())
		}
	})
	return more
}

// answering hands over the firewalls among others, without those in names, that answer, with what they hold of ours.
func answering(ctx context.Context, guard func(context.Context, string) (*Guard, error), names, others []string, each func(g *Guard, have []Entry)) {
	for _, name := range others {
		if slices.Contains(names, name) {
			continue
		}
		g, err := guard(ctx, name)
		if err != nil {
			continue
		}
		if have, err := g.List(ctx); err == nil {
			each(g, have)
		}
	}
}

// discover takes into the journal what firewalls hold of targets of which it knows nothing that is wanted, so that it can be lifted; a
// dry run does as if. It asks the firewalls named, or else all.
func (k *Keeper) discover(ctx context.Context, b *book, held map[connwarden.BlockKey]Wish, targets []netip.Prefix, names []string, out *Outcome) (map[connwarden.BlockKey]Wish, error) {
	targets = slices.DeleteFunc(slices.Clone(targets), func(t netip.Prefix) bool {
		for _, w := range held {
			if w.Wanted(b.now) && w.Target.Overlaps(t) && (len(names) == 0 || slices.Contains(names, w.Driver)) {
				return true
			}
		}
		return false
	})
	if len(targets) == 0 {
		return held, nil
	}
	must := names
	if len(names) == 0 {
		var err error
		if must, err = k.those(ctx, nil); err != nil {
			return nil, err
		}
		names = slices.Concat(must, slices.DeleteFunc(slices.Clone(k.Others), func(name string) bool { return slices.Contains(must, name) }))
	}
	c := &Change{At: b.now, Verb: VerbAdopt}
	for _, name := range names {
		g, err := k.guard(ctx, name)
		var have []Entry
		if err == nil {
			have, err = g.List(ctx)
		}
		if err != nil {
			if slices.Contains(must, name) {
				out.problem(name, "%v", err)
			}
			continue
		}
		for _, e := range have {
			if !slices.ContainsFunc(targets, e.Target.Overlaps) {
				continue
			}
			w := stray(name, e, b.now)
			s := Swap[Wish]{After: &w}
			if old, ok := held[w.BlockKey]; ok { // that is over, or was to be lifted
				s.Before = &old
			}
			c.Wishes = append(c.Wishes, s)
		}
	}
	switch {
	case c.Empty():
		return held, nil
	case k.Plan:
		b.strays = c.Wishes
		for _, s := range c.Wishes {
			b.near = append(slices.DeleteFunc(b.near, func(w Wish) bool { return w.BlockKey == s.After.BlockKey }), *s.After)
			held[s.After.BlockKey] = *s.After
		}
		return held, nil
	}
	if err := k.Journal.Record(ctx, c); err != nil {
		return nil, err
	}
	return k.held(ctx, b, b.asked)
}

// Flush takes all of ours out of the firewalls named, of all others that something is wanted of, and of Others that answer, and leaves
// the journal as it is: what is not over by then comes back with the next Sync. It is for the removal of the program, without which
// nothing would lift what it blocks.
func (k *Keeper) Flush(ctx context.Context, names ...string) ([]Synced, error) {
	names, err := k.those(ctx, names)
	if err != nil {
		return nil, err
	}
	return flush(ctx, k.guard, k.Plan, names, k.Others), nil
}

// Flush does as a keeper's: what no journal speaks of goes as well.
func (e *Emergency) Flush(ctx context.Context, plan bool, names ...string) []Synced {
	return flush(ctx, e.guard, plan, names, e.Others)
}

// flush tells of the firewalls named, and of others where there was something.
func flush(ctx context.Context, guard func(context.Context, string) (*Guard, error), plan bool, names, others []string) (list []Synced) {
	for _, name := range names {
		s := Synced{Driver: name}
		g, err := guard(ctx, name)
		if err == nil {
			s.Removed, err = g.flush(ctx, plan)
		}
		s.Err = err
		list = append(list, s)
	}
	answering(ctx, guard, names, others, func(g *Guard, _ []Entry) {
		s := Synced{Driver: g.Name()}
		if s.Removed, s.Err = g.flush(ctx, plan); s.Removed > 0 || s.Err != nil {
			list = append(list, s)
		}
	})
	return list
}

// flush tells how many were listed.
func (g *Guard) flush(ctx context.Context, plan bool) (n int, err error) {
	have, err := g.List(ctx)
	if err != nil || plan {
		return len(have), err
	}
	return len(have), g.Flush(ctx) // though nothing is listed: chains and sets go too
}
