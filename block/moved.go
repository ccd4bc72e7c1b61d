package block

import "context"

// Stamper is a driver that tells cheaply whether the firewall was changed since it was asked last.
type Stamper interface {
	// Stamp returns a number that each change of the firewall raises by one, whoever makes it.
	Stamp(ctx context.Context) (uint64, error)
}

// stamp is a driver's, if it has one.
func (g *Guard) stamp(ctx context.Context) (n uint64, ok bool) {
	s, ok := g.driver.(Stamper)
	if !ok {
		return 0, false
	}
	n, err := s.Stamp(ctx)
	return n, err == nil
}

// apply hands a change to a driver, and remembers it as our own where nobody else changed the firewall meanwhile.
func (k *Keeper) apply(ctx context.Context, g *Guard, add, remove []Entry) error {
	name := g.Name()
	known, compared := k.stamps[name]
	if !compared { // the keeper has not compared it, as a command does not that only blocks
		return g.Apply(ctx, add, remove)
	}
	before, ok := g.stamp(ctx)
	err := g.Apply(ctx, add, remove)
	if after, yes := g.stamp(ctx); ok && yes && before == known && after == before+1 {
		k.stamps[name] = after
	}
	return err
}

// began remembers how a firewall was when its comparing began; what another changes while it goes on is seen by the next.
func (k *Keeper) began(ctx context.Context, g *Guard) {
	n, ok := g.stamp(ctx)
	if !ok {
		return
	}
	if k.stamps == nil {
		k.stamps = map[string]uint64{}
	}
	k.stamps[g.Name()] = n
}

// Moved tells whether a firewall of the kernel that something is wanted of may hold something else than the last Sync and this keeper's
// own acts since left in it. Where the firewall does not tell whether it was changed, it may.
func (k *Keeper) Moved(ctx context.Context) (bool, error) {
	names, err := k.Journal.Drivers(ctx)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		g, err := k.guard(ctx, name)
		if err != nil {
			continue // Sync tells
		}
		if p := g.Properties(); !p.Kernel || !p.Lists {
			continue // nobody's reload takes away what stands in files
		}
		known, compared := k.stamps[name]
		if n, ok := g.stamp(ctx); !ok || !compared || n != known {
			return true, nil
		}
	}
	return false, nil
}
