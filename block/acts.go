package block

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// defaultPardon is how long an unblock keeps judge and fleet away.
const defaultPardon = 24 * time.Hour

// Unblock lifts what is blocked of targets and below them, by all drivers or those named. An operator's unblock is also a
// pardon; of anyone else's only what was blocked in the same way is lifted. A target inside a blocked range is refused:
// lifting the range would open more than was asked for. Of what the journal does not know the firewalls are asked.
func (k *Keeper) Unblock(ctx context.Context, targets []netip.Prefix, names []string, by connwarden.Origin) (*Outcome, error) {
	b, err := k.open(ctx)
	if err != nil {
		return nil, err
	}
	held, err := k.held(ctx, &b, targets)
	if err != nil {
		return nil, err
	}
	out := b.outcome()
	if by.Kind == connwarden.ByOperator {
		if held, err = k.discover(ctx, &b, held, targets, names, out); err != nil {
			return nil, err
		}
	}
	c := &Change{At: b.now, By: by, Verb: "unblock"}
	taken := map[connwarden.BlockKey]bool{}
	for _, target := range targets {
		found := false
		var above *Wish
		for _, w := range inOrder(held) {
			switch {
			case !w.Wanted(b.now) || len(names) > 0 && !slices.Contains(names, w.Driver) || by.Kind != connwarden.ByOperator && by.Kind != w.By.Kind:
			case within(w.Target, target):
				found = true
				if !taken[w.BlockKey] {
					taken[w.BlockKey] = true
					c.Wishes = append(c.Wishes, Swap[Wish]{Before: &w})
					out.Lifted = append(out.Lifted, w)
				}
			case within(target, w.Target):
				above = &w
			}
		}
		switch {
		case found && by.Kind == connwarden.ByOperator:
			c.Pardons = append(c.Pardons, k.forgive(target, by, b))
		case found:
		case above != nil:
			out.refuse(target, "it is blocked as part of %s: unblock that, or allow %s to make an exception", Show(above.Target), Show(target))
		default:
			out.refuse(target, "it is not blocked")
		}
	}
	if len(c.Wishes) == 0 {
		return out, nil
	}
	return out, k.bring(ctx, c, b, out)
}

// inOrder are wishes in the order of their keys.
func inOrder(held map[connwarden.BlockKey]Wish) []Wish {
	list := make([]Wish, 0, len(held))
	for _, w := range held {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b Wish) int { return a.BlockKey.Compare(b.BlockKey) })
	return list
}

func (k *Keeper) forgive(target netip.Prefix, by connwarden.Origin, b book) Swap[Pardon] {
	span := k.Pardon
	if span == 0 {
		span = defaultPardon
	}
	s := Swap[Pardon]{After: &Pardon{Target: target, Since: b.now, Until: b.now.Add(span), By: by}}
	if i := slices.IndexFunc(b.pardons, func(p Pardon) bool { return p.Target == target }); i >= 0 {
		s.Before = &b.pardons[i]
	}
	return s
}

// Allow puts targets on the list of those that are never blocked. What is blocked inside them is lifted, but for what an
// operator insisted on; a blocked range around them gets an exception.
func (k *Keeper) Allow(ctx context.Context, targets []netip.Prefix, by connwarden.Origin, why string) (*Outcome, error) {
	b, err := k.open(ctx)
	if err != nil {
		return nil, err
	}
	held, err := k.held(ctx, &b, targets)
	if err != nil {
		return nil, err
	}
	out := b.outcome()
	c := &Change{At: b.now, By: by, Verb: "allow"}
	for _, w := range inOrder(held) {
		if w.Wanted(b.now) && !w.Forced && slices.ContainsFunc(targets, func(t netip.Prefix) bool { return within(w.Target, t) }) {
			c.Wishes = append(c.Wishes, Swap[Wish]{Before: &w})
			out.Lifted = append(out.Lifted, w)
		}
	}
	for _, target := range targets {
		a := Allow{Target: target, Since: b.now, By: by, Why: why}
		s := Swap[Allow]{After: &a}
		if i := slices.IndexFunc(b.allows, func(a Allow) bool { return a.Target == target }); i >= 0 {
			s.Before = &b.allows[i]
			a.Since = s.Before.Since
		}
		c.Allows = append(c.Allows, s)
		out.Allowed = append(out.Allowed, a)
	}
	return out, k.bring(ctx, c, b, out)
}

// Disallow takes targets off the list. What is wanted of them and was kept out of force by the list comes into force.
func (k *Keeper) Disallow(ctx context.Context, targets []netip.Prefix, by connwarden.Origin) (*Outcome, error) {
	b, err := k.open(ctx)
	if err != nil {
		return nil, err
	}
	out := b.outcome()
	c := &Change{At: b.now, By: by, Verb: "disallow"}
	for _, target := range targets {
		i := slices.IndexFunc(b.allows, func(a Allow) bool { return a.Target == target })
		if i >= 0 {
			c.Allows = append(c.Allows, Swap[Allow]{Before: &b.allows[i]})
			out.Disallowed = append(out.Disallowed, b.allows[i])
			continue
		}
		why := "it is not on the list of those that are allowed"
		if i := slices.IndexFunc(b.allows, func(a Allow) bool { return within(target, a.Target) }); i >= 0 {
			why = "it is allowed as part of " + Show(b.allows[i].Target)
		}
		out.refuse(target, "%s", why)
	}
	if c.Empty() {
		return out, nil
	}
	return out, k.bring(ctx, c, b, out)
}

// Confirm keeps the blocks that wait for it. It wraps connwarden.ErrNotFound if none does.
func (k *Keeper) Confirm(ctx context.Context, by connwarden.Origin) (*Outcome, error) {
	b, err := k.open(ctx)
	if err != nil {
		return nil, err
	}
	all, err := k.Journal.Wishes(ctx)
	if err != nil {
		return nil, err
	}
	out := b.outcome()
	c := &Change{At: b.now, By: by, Verb: "confirm"}
	for _, w := range all {
		if !w.Pending(b.now) {
			continue
		}
		kept := w
		kept.Until, kept.Confirm, kept.Then, kept.State = w.Then, time.Time{}, time.Time{}, StateWanted
		c.Wishes = append(c.Wishes, Swap[Wish]{Before: &w, After: &kept})
		out.Blocks = append(out.Blocks, kept)
	}
	if c.Empty() {
		return nil, fmt.Errorf("no block waits to be confirmed; one that was not in time is gone: %w", connwarden.ErrNotFound)
	}
	return out, k.bring(ctx, c, b, out)
}

// Undo takes back change n, or for 0 the last one of an operator that stands. What was changed again since is refused and
// stays. Undoing an automatic block is a pardon too, or it would come back at once.
func (k *Keeper) Undo(ctx context.Context, n int64, by connwarden.Origin) (*Outcome, error) {
	b, err := k.open(ctx)
	if err != nil {
		return nil, err
	}
	old, err := k.Journal.Change(ctx, n)
	if err != nil {
		return nil, err
	}
	if old.Undone != 0 {
		return nil, fmt.Errorf("change %d was undone already, by change %d", old.Number, old.Undone)
	}
	out := b.outcome()
	c := &Change{At: b.now, By: by, Verb: VerbUndo, Undoes: old.Number}
	rules := *k.Rules // with the list of those that are allowed as it will be
	for _, s := range old.Allows {
		if !stands(b.allows, s, old.Number, func(a *Allow) (netip.Prefix, int64, int64) { return a.Target, a.Revision, a.Restores }) {
			out.refuse(or(s.After, s.Before).Target, "its place on the list of those that are allowed was changed again since")
			continue
		}
		back := reversed(s)
		if a := back.After; a != nil {
			a.Restores = cmp.Or(a.Restores, a.Revision)
			out.Allowed = append(out.Allowed, *a)
		} else {
			out.Disallowed = append(out.Disallowed, *back.Before)
		}
		c.Allows = append(c.Allows, back)
		rules.allow(swapAllow(rules.allows, back))
	}
	if err := k.undoWishes(ctx, old, c, &b, &rules, out); err != nil {
		return nil, err
	}
	for _, s := range old.Pardons {
		if stands(b.pardons, s, old.Number, func(p *Pardon) (netip.Prefix, int64, int64) { return p.Target, p.Revision, 0 }) {
			c.Pardons = append(c.Pardons, reversed(s))
		}
	}
	if c.Empty() {
		return out, nil
	}
	return out, k.bring(ctx, c, b, out)
}

// stands tells whether a list still has what a change left, or has it again by an undo.
func stands[T any](list []T, s Swap[T], number int64, key func(*T) (target netip.Prefix, revision, restores int64)) bool {
	target, _, _ := key(or(s.After, s.Before))
	i := slices.IndexFunc(list, func(v T) bool { t, _, _ := key(&v); return t == target })
	if s.After == nil || i < 0 {
		return s.After == nil && i < 0
	}
	_, revision, restores := key(&list[i])
	return revision == number || restores == number
}

func or[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func (k *Keeper) undoWishes(ctx context.Context, old, c *Change, b *book, rules *Rules, out *Outcome) error {
	targets := make([]netip.Prefix, len(old.Wishes))
	for i, s := range old.Wishes {
		targets[i] = WishKey(s).Target
	}
	held, err := k.held(ctx, b, targets)
	if err != nil {
		return err
	}
	for _, s := range old.Wishes {
		key := WishKey(s)
		now, there := held[key]
		there = there && now.Wanted(b.now)
		switch {
		case there && now.Revision != old.Number && now.Restores != old.Number:
			out.refuse(key.Target, "it was changed again since, by change %d; undo that first", now.Revision)
			continue
		case !there && s.After != nil:
			out.refuse(key.Target, "its block has ended since")
			continue
		}
		back := Swap[Wish]{}
		if there {
			back.Before = &now
		}
		if w := s.Before; w != nil && w.Wanted(b.now) {
			if why := rules.Check(w.Target, w.Forced); why != "" {
				out.refuse(key.Target, "it cannot be blocked again: %s", why)
				continue
			}
			again := *w
			again.State, again.Restores = StateWanted, cmp.Or(w.Restores, w.Revision)
			back.After = &again
			out.Blocks = append(out.Blocks, again)
		} else if there {
			out.Lifted = append(out.Lifted, now)
			if now.By.Kind != connwarden.ByOperator {
				c.Pardons = append(c.Pardons, k.forgive(key.Target, c.By, *b))
			}
		}
		if back.Before != nil || back.After != nil {
			c.Wishes = append(c.Wishes, back)
		}
	}
	return nil
}
