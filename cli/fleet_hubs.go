package cli

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/fleet"
)

const (
	// hubLimit is how long the name servers may take for the hub's names before the fleet is listened to.
	hubLimit = 5 * time.Second
	hubWait  = time.Second // the same for a person who blocks
	hubEvery = 10 * time.Minute
	hubSoon  = 10 * time.Second // after a name was not found
)

// spareHubs has a keeper spare the hub's addresses, until ctx is done: a member that blocks them by another's word is cut off
// from all the others. Names are asked for beside, since facts are gathered while all commands wait for the lock.
func spareHubs(ctx context.Context, keeper *block.Keeper, id *fleet.Identity) {
	var spares atomic.Pointer[[]block.Spare]
	look := func() (all bool) {
		ctx, stop := context.WithTimeout(ctx, hubLimit)
		defer stop()
		list, all := hubsOf(ctx, id.URLs)
		if all || spares.Load() == nil {
			spares.Store(&list)
		}
		return all
	}
	wait := hubSoon
	if look() {
		wait = hubEvery
	}
	facts := keeper.Facts
	keeper.Facts = func() ([]block.Spare, []connwarden.Problem) {
		list, problems := facts()
		return append(list, *spares.Load()...), problems
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			if wait = hubSoon; look() {
				wait = hubEvery
			}
		}
	}()
}

// hubs begins to ask for the addresses of the hub of the fleet that this host is in, which an operator is not to block unawares, and
// returns who waits for the answer.
func (c *command) hubs(ctx context.Context, p *Plan) func() ([]block.Spare, []connwarden.Problem) {
	id, err := fleet.Load(p.StateDir)
	if err != nil {
		return func() ([]block.Spare, []connwarden.Problem) { return nil, nil } // in no fleet, or fleet tells why not
	}
	urls := id.URLs
	if c.flags.noDNS {
		urls = slices.DeleteFunc(slices.Clone(urls), func(text string) bool {
			u, err := url.Parse(text)
			if err != nil {
				return true
			}
			_, err = netip.ParseAddr(u.Hostname())
			return err != nil
		})
	}
	var spares []block.Spare
	all, done := false, make(chan struct{})
	go func() {
		defer close(done)
		ctx, stop := context.WithTimeout(ctx, hubWait)
		defer stop()
		spares, all = hubsOf(ctx, urls)
		for i := range spares {
			spares[i].ByHand = true
		}
	}()
	return func() ([]block.Spare, []connwarden.Problem) {
		<-done
		if all {
			return spares, nil
		}
		return spares, []connwarden.Problem{{What: "the hub of the fleet", Why: "its name was not found: its addresses are not spared"}}
	}
}

// hubsOf are the addresses behind URLs. all is false if a name is not known.
func hubsOf(ctx context.Context, urls []string) (spares []block.Spare, all bool) {
	all = true
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			continue // no connection is made to it either
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
		all = all && err == nil
		for _, a := range addrs {
			a = a.Unmap().WithZone("")
			spares = append(spares, block.Spare{Prefix: netip.PrefixFrom(a, a.BitLen()), Who: "the hub of the fleet, " + u.Host})
		}
	}
	return spares, all
}
