package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/geo"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/store"
	"github.com/connwarden/connwarden/watch"
)

// networks is who can be asked where an address belongs: what is shipped or was refreshed, and the user's own files.
func (c *command) networks(p *Plan) watch.Identity {
	table, err := geo.Load(p.StateDir)
	if err != nil {
		fmt.Fprintf(c.env.Stderr, "connwarden: %s\n", report.Clean(err.Error()))
	}
	id := watch.Identity{Networks: table}
	if len(p.Geo) > 0 {
		own, err := geo.OpenMMDB(p.Geo...)
		if err != nil {
			fmt.Fprintf(c.env.Stderr, "connwarden: %s\n", report.Clean(err.Error()))
		} else {
			id.Networks = geo.Prefer(own, table)
		}
	}
	return id
}

// wishes are what the journal says of some targets, of all if none is named; a reader asks its hand for all.
func (c *command) wishes(ctx context.Context, p *Plan, targets []netip.Prefix) ([]block.Wish, error) {
	if c.hand != nil {
		return c.hand.Wishes(ctx)
	}
	if !store.Exists(p.StateDir) {
		return nil, nil
	}
	s, err := store.Open(ctx, p.StateDir)
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil // an ordinary user's review says that it is one
	}
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Wishes(ctx, targets...)
}

// blocked asks the journal, if there is one.
func (c *command) blocked(p *Plan) func(context.Context, []netip.Addr) (map[netip.Addr]report.Block, error) {
	return func(ctx context.Context, addrs []netip.Addr) (map[netip.Addr]report.Block, error) {
		targets := make([]netip.Prefix, len(addrs))
		for i, a := range addrs {
			targets[i] = block.Single(a)
		}
		wishes, err := c.wishes(ctx, p, targets)
		if err != nil {
			return nil, err
		}
		// From the narrowest to the widest, so that an address is told the widest; a whole denial wins over one of ports or a site.
		slices.SortStableFunc(wishes, func(a, b block.Wish) int {
			return cmp.Or(cmp.Compare(b.Scope.Kind, a.Scope.Kind), cmp.Compare(b.Target.Bits(), a.Target.Bits()))
		})
		found := map[netip.Addr]report.Block{}
		for _, w := range wishes {
			if !w.Wanted(c.env.Now()) {
				continue
			}
			var rows []report.Block
			add(&rows, block.Held{Wish: w, InForce: w.State == block.StateInForce}, false)
			for _, a := range addrs {
				if w.Target.Contains(a) {
					found[a] = rows[0]
				}
			}
		}
		return found, nil
	}
}

// identity is who can be asked about addresses.
func (c *command) identity(p *Plan) watch.Identity {
	id := c.networks(p)
	set, problems := bots.Load(p.StateDir)
	for _, one := range problems {
		fmt.Fprintf(c.env.Stderr, "connwarden: %s: %s\n", report.Clean(one.What), report.Clean(one.Why))
	}
	id.Bots, id.Blocked = set, c.blocked(p)
	if !c.flags.noDNS {
		d, _ := time.ParseDuration(c.flags.dnsTimeout) // checked by start
		id.Resolver = bots.NewResolver(bots.Options{Timeout: d})
	}
	return id
}
