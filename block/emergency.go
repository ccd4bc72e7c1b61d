package block

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// Emergency blocks for an operator while the journal cannot be used. What is in force stays in force; what is asked for is
// appended to the spool and brought to the firewall, with its end there. Nothing that only a journal can know is
// known: the list of those that are allowed, what is wanted besides, how to undo. Even if the spool cannot be written
// the block is made: the next Sync finds it in the firewall and takes it in.
type Emergency struct {
	Why    error // what is the matter with the journal
	Spool  Spool
	Rules  *Rules
	Open   func(ctx context.Context, name string) (Driver, error)
	Clock  func() time.Time
	guards []*Guard
}

// Close closes the drivers.
func (e *Emergency) Close() error {
	var errs []error
	for _, g := range e.guards {
		errs = append(errs, g.Close())
	}
	e.guards = nil
	return errors.Join(errs...)
}

func (e *Emergency) now() time.Time { return e.Clock().UTC().Truncate(time.Millisecond) }

func (e *Emergency) begin() *Outcome {
	out := &Outcome{}
	out.problem("journal", "%v; what is in force stays, and what you do now is taken in later. The list of those that are allowed could not be read", e.Why)
	return out
}

func (e *Emergency) write(out *Outcome, notes []note) {
	if err := e.Spool.append(notes...); err != nil {
		out.problem(e.Spool.Name, "%v: it is not written down; connwarden sync will find it in the firewall", err)
	}
}

// guard opens a driver.
func (e *Emergency) guard(ctx context.Context, name string) (*Guard, error) {
	for _, g := range e.guards {
		if g.Name() == name {
			return g, nil
		}
	}
	d, err := e.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	g := NewGuard(d, e.Rules)
	e.guards = append(e.guards, g)
	return g, nil
}

// Block denies targets for an operator; verdicts are refused. A block that waits for its confirmation is one that ends.
func (e *Emergency) Block(ctx context.Context, requests ...Request) (*Outcome, error) {
	out := e.begin()
	now := e.now()
	var notes []note
	add := map[string][]Entry{}
	for _, r := range requests {
		if r.By.Kind != connwarden.ByOperator {
			out.refuse(r.Target, "without the journal only an operator blocks")
			continue
		}
		if why := e.Rules.Check(r.Target, r.Forced); why != "" {
			out.refuse(r.Target, "%s", why)
			continue
		}
		w := r.wish("", nil, now)
		n := note{Verb: "block", At: now, Target: r.Target, Scope: r.Scope.String(), Until: w.Until, By: r.By.String(), Why: w.Why, Forced: r.Forced}
		for _, name := range r.Drivers {
			g, err := e.guard(ctx, name)
			if err != nil {
				return out, err
			}
			p := g.Properties()
			if err := p.Holds(w.entry()); err != nil {
				out.refuse(r.Target, "%s: %v", name, err)
				continue
			}
			if !w.Until.IsZero() && !p.Expiry {
				out.refuse(r.Target, "%s: it ends no block by itself, and without the journal nothing else does", name)
				continue
			}
			add[name] = append(add[name], w.entry())
			n.Driver = append(n.Driver, name)
			held := w
			held.Driver, held.State = name, StateInForce
			out.Blocks = append(out.Blocks, held)
		}
		if len(n.Driver) > 0 {
			notes = append(notes, n)
		}
	}
	if len(notes) == 0 {
		return out, nil
	}
	e.write(out, notes)
	var errs []error
	for name, entries := range add {
		errs = append(errs, e.add(ctx, name, entries))
	}
	return out, errors.Join(errs...)
}

// add brings entries to a driver beside what it lists.
func (e *Emergency) add(ctx context.Context, name string, entries []Entry) error {
	g, err := e.guard(ctx, name)
	if err != nil {
		return err
	}
	have, err := g.List(ctx)
	if err != nil {
		return err
	}
	want := slices.Clone(have)
	for _, w := range entries {
		want = slices.DeleteFunc(want, func(h Entry) bool { return h.Key() == w.Key() })
	}
	add, remove := diff(have, Flatten(append(want, entries...)), g.Properties(), 0)
	return g.Apply(ctx, add, remove)
}

// Unblock lifts what drivers list of targets and below them.
func (e *Emergency) Unblock(ctx context.Context, targets []netip.Prefix, names []string, by connwarden.Origin) (*Outcome, error) {
	out := e.begin()
	now := e.now()
	remove := map[string][]Entry{}
	var notes []note
	for _, target := range targets {
		found := false
		for _, name := range names {
			held, err := e.list(ctx, name)
			if err != nil {
				return out, err
			}
			for _, h := range held {
				if within(h.Target, target) {
					found = true
					remove[name] = append(remove[name], h.entry())
					out.Lifted = append(out.Lifted, h.Wish)
				}
			}
		}
		if !found {
			out.refuse(target, "it is not blocked by %v", names)
			continue
		}
		notes = append(notes, note{Verb: "unblock", At: now, Target: target, Driver: names, By: by.String()})
	}
	if len(notes) == 0 {
		return out, nil
	}
	e.write(out, notes)
	var errs []error
	for name, entries := range remove {
		g, err := e.guard(ctx, name)
		if err == nil {
			err = g.Apply(ctx, nil, entries)
		}
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

func (e *Emergency) list(ctx context.Context, name string) ([]Held, error) {
	g, err := e.guard(ctx, name)
	if err != nil {
		return nil, err
	}
	have, err := g.List(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Held, len(have))
	for i, h := range have {
		list[i] = Held{InForce: true, Hits: h.Hits}
		w := &list[i].Wish
		w.State = StateInForce
		w.BlockKey = connwarden.BlockKey{Target: h.Target, Scope: h.Scope, Driver: name}
		w.Until = h.Until
	}
	return list, nil
}

// Blocks returns what drivers list. Who wanted it and why is in the journal.
func (e *Emergency) Blocks(ctx context.Context, names ...string) ([]Held, []connwarden.Problem, error) {
	out := e.begin()
	var list []Held
	for _, name := range names {
		held, err := e.list(ctx, name)
		if err != nil {
			out.problem(name, "%v", err)
			continue
		}
		list = append(list, held...)
	}
	return list, out.Problems, nil
}
