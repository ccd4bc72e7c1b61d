package block

import (
	"context"
	"net/netip"
	"slices"

	"github.com/connwarden/connwarden"
)

// Held is a wish and what its firewall says of it.
type Held struct {
	Wish
	InForce bool // every part of it that may be blocked is listed
	Hits    Hits // of its parts together
}

// Blocks returns what is wanted, of all targets or of those that share addresses with the ones named, and what the
// firewalls hold of it, and what they and Others hold of ours that the journal does not know. A firewall that cannot be asked is a
// problem, and its blocks are as the journal knows them.
func (k *Keeper) Blocks(ctx context.Context, targets ...netip.Prefix) ([]Held, []connwarden.Problem, error) {
	b, err := k.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	all, err := k.Journal.Wishes(ctx, targets...)
	if err != nil {
		return nil, nil, err
	}
	list := make([]Held, 0, len(all))
	for _, w := range all {
		if w.Wanted(b.now) {
			list = append(list, Held{Wish: w, InForce: w.State == StateInForce})
		}
	}
	out := b.outcome()
	names := drivers(all)
	for _, name := range append(names, strays(ctx, k.guard, names, k.Others)...) {
		g, err := k.guard(ctx, name)
		if err != nil {
			out.problem(name, "%v", err)
			continue
		}
		have, err := g.List(ctx)
		if err != nil {
			out.problem(name, "%v", err)
			continue
		}
		k.compare(list, name, have)
		if len(targets) > 0 {
			have = slices.DeleteFunc(have, func(e Entry) bool { return !slices.ContainsFunc(targets, e.Target.Overlaps) })
		}
		mine := slices.DeleteFunc(slices.Clone(all), func(w Wish) bool { return w.Driver != name })
		for _, w := range k.unknown(name, portion{mine, have}, b.now) {
			if len(targets) == 0 || slices.ContainsFunc(targets, w.Target.Overlaps) {
				list = append(list, Held{Wish: *w, InForce: true})
			}
		}
	}
	return list, out.Problems, nil
}

// compare tells of each block of a driver how much of it the driver lists.
func (k *Keeper) compare(list []Held, driver string, have []Entry) {
	listed := map[connwarden.Scope]cover{}
	hits := make(map[EntryKey]Hits, len(have))
	for _, e := range have {
		listed[e.Scope] = append(listed[e.Scope], e.Target)
		hits[e.Key()] = e.Hits
	}
	for _, c := range listed {
		slices.SortFunc(c, netip.Prefix.Compare)
	}
	for i := range list {
		h := &list[i]
		if h.Driver != driver {
			continue
		}
		c := listed[h.Scope]
		parts := k.Rules.carve(nil, h.entry())
		h.InForce = len(parts) > 0
		for _, p := range parts {
			h.InForce = h.InForce && len(Subtract(p.Target, c.overlapping(p.Target))) == 0
		}
		for _, p := range c.overlapping(h.Target) {
			n := hits[EntryKey{p, h.Scope}]
			h.Hits.Packets += n.Packets
			h.Hits.Bytes += n.Bytes
		}
	}
}

// Prove asks the driver of a wish to show that each part of it is in force, and returns what was seen. A wish that the
// guard keeps out of force, or that lies inside a wider one, is proved by what stands for it.
func (k *Keeper) Prove(ctx context.Context, w *Wish) (seen []string, err error) {
	g, err := k.guard(ctx, w.Driver)
	if err != nil {
		return nil, err
	}
	around, err := k.region(ctx, &Change{Wishes: []Swap[Wish]{{After: w}}}, &book{})
	if err != nil {
		return nil, err
	}
	const most = 10
	for _, e := range k.entries(g, around, k.now(), nil) {
		if e.Scope != w.Scope || !e.Target.Overlaps(w.Target) {
			continue
		}
		if len(seen) == most {
			return append(seen, "and so on"), nil
		}
		line, err := g.Prove(ctx, e)
		if err != nil {
			return seen, err
		}
		seen = append(seen, line)
	}
	return seen, nil
}
