package cli

import (
	"context"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/fleet"
	"github.com/connwarden/connwarden/live"
)

// Apply implements fleet.Host: all goes through the keeper, whose guard refuses what must not be blocked here.
func (m *member) Apply(ctx context.Context, orders []fleet.Order) ([]string, error) {
	why := make([]string, len(orders))
	if m.why != "" {
		for i := range why {
			why[i] = m.why
		}
		return why, nil
	}
	w := m.keeper.w
	if err := w.hold(ctx, filepath.Join(w.plan.StateDir, "lock")); err != nil {
		return nil, err
	}
	defer m.keeper.release()
	if _, err := m.Own(ctx); err != nil { // whom this host blocks itself, as long as the lock is held
		return nil, err
	}
	m.prune()
	if err := m.lift(ctx, orders); err != nil {
		return nil, err
	}
	if err := m.allows(ctx, orders, why); err != nil {
		return nil, err
	}
	return why, m.block(ctx, orders, why)
}

// lift takes back what other hosts took back. What an operator or a rule of this host wants stays.
func (m *member) lift(ctx context.Context, orders []fleet.Order) error {
	var blocks, allows []netip.Prefix
	known, err := m.keeper.w.keeper.Journal.Allows(ctx)
	if err != nil {
		return err
	}
	for i := range orders {
		o := &orders[i]
		switch {
		case !o.Lift:
		case o.Kind == fleet.KindBlock:
			blocks = append(blocks, o.Target)
		case slices.ContainsFunc(known, func(a block.Allow) bool { return a.Target == o.Target && a.By.Kind == connwarden.ByFleet }):
			allows = append(allows, o.Target)
		}
	}
	if len(blocks) > 0 {
		if err := m.did(m.keeper.w.keeper.Unblock(ctx, blocks, nil, connwarden.Origin{Kind: connwarden.ByFleet})); err != nil {
			return err
		}
	}
	if len(allows) > 0 {
		return m.did(m.keeper.w.keeper.Disallow(ctx, allows, connwarden.Origin{Kind: connwarden.ByFleet}))
	}
	return nil
}

// allows allows what other hosts allow, but for what an operator of this host blocks.
func (m *member) allows(ctx context.Context, orders []fleet.Order, why []string) error {
	known, err := m.keeper.w.keeper.Journal.Allows(ctx)
	if err != nil {
		return err
	}
	byHost := map[connwarden.Origin][]netip.Prefix{}
	reasons := map[connwarden.Origin]string{}
	for i := range orders {
		o := &orders[i]
		if o.Lift || o.Kind != fleet.KindAllow {
			continue
		}
		if slices.ContainsFunc(known, func(a block.Allow) bool { return a.Target == o.Target }) {
			continue
		}
		for where, list := range m.blocks {
			for _, b := range list {
				if where.target.Overlaps(o.Target) && b.by.Kind == connwarden.ByOperator {
					why[i] = "an operator of this host blocks " + block.Show(where.target)
				}
			}
		}
		if why[i] == "" {
			by := fromFleet(o.From)
			byHost[by], reasons[by] = append(byHost[by], o.Target), o.Why
		}
	}
	for by, targets := range byHost {
		if err := m.did(m.keeper.w.keeper.Allow(ctx, targets, by, reasons[by])); err != nil {
			return err
		}
	}
	return nil
}

// block blocks what other hosts block.
func (m *member) block(ctx context.Context, orders []fleet.Order, why []string) error {
	requests := make([]block.Request, 0, len(orders))
	now := m.clock()
	for i := range orders {
		o := &orders[i]
		if o.Lift || o.Kind != fleet.KindBlock {
			continue
		}
		if len(m.blocks[placeKey{o.Target, o.Scope}]) > 0 {
			why[i] = fleet.Ours
			continue
		}
		r := block.Request{Target: o.Target, Scope: o.Scope, Drivers: m.drivers, For: o.Until.Sub(now), By: fromFleet(o.From), Why: o.Why}
		if o.Again {
			var err error
			if r.Why, err = m.before(ctx, &r); err != nil {
				return err
			}
		}
		requests = append(requests, r)
	}
	if len(requests) == 0 {
		return nil
	}
	out, err := m.keeper.w.keeper.Block(ctx, requests...)
	if out == nil {
		return err
	}
	refused(out, orders, why)
	if out.Change == 0 {
		return err
	}
	return m.did(out, err) // what a firewall did not take stays wanted, and the daemon's sync tries again
}

// before is why the same host had the same blocked here the last time: the agent keeps no reason of what this host held.
func (m *member) before(ctx context.Context, r *block.Request) (why string, err error) {
	const most = 100
	past, err := m.keeper.w.keeper.Journal.Past(ctx, block.Automatic(r.Target), most)
	for _, p := range past {
		if p.Target == block.Automatic(r.Target) && p.Scope == r.Scope && p.By == r.By {
			return p.Why, nil
		}
	}
	return "", err
}

// refused notes why orders of blocks were not followed by any firewall.
func refused(out *block.Outcome, orders []fleet.Order, why []string) {
	if len(out.Refused) == 0 {
		return
	}
	reasons := make(map[netip.Prefix]string, len(out.Refused))
	for _, r := range out.Refused {
		reasons[r.Target] = r.Why
	}
	for i := range out.Blocks {
		delete(reasons, out.Blocks[i].Target) // by another firewall it is
	}
	for i := range orders {
		if o := &orders[i]; why[i] == "" && !o.Lift && o.Kind == fleet.KindBlock {
			why[i] = reasons[block.Automatic(o.Target)]
		}
	}
}

// did tells what an act did. The error is returned only where nothing was written down.
func (m *member) did(out *block.Outcome, err error) error {
	if out == nil {
		return err
	}
	now := m.clock()
	if err != nil {
		m.problem(connwarden.Problem{What: "fleet", Why: err.Error()})
	}
	for _, p := range out.Problems {
		m.problem(p)
	}
	m.telling.Wait()
	if len(out.Blocks)+len(out.Lifted) < tellBeside {
		m.tellOf(out, now)
	} else {
		m.telling.Go(func() { m.tellOf(out, now) })
	}
	return nil
}

// tellBeside is how much is told while the next is done.
const tellBeside = 1000

func (m *member) tellOf(out *block.Outcome, now time.Time) {
	for i := range out.Blocks {
		m.tell(&live.Block{Head: live.Head{Type: "block", Time: now}, Block: blockRow(&out.Blocks[i], out.Blocks[i].State.String()), Undo: "connwarden unblock " + block.Show(out.Blocks[i].Target), More: i < len(out.Blocks)-1})
	}
	for i := range out.Lifted {
		m.tell(&live.Block{Head: live.Head{Type: "unblock", Time: now}, Block: blockRow(&out.Lifted[i], block.StateLifted.String()), More: i < len(out.Lifted)-1})
	}
}
