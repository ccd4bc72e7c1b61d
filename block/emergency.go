package block

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// Emergency blocks for an operator while the journal cannot be used. What is in force stays in force; what is asked for is
// appended to the spool and brought to the firewall, with its end there. Of what only a journal can know, who is allowed and what is
// wanted besides, it knows what can still be read; nothing can be undone. Even if the spool cannot be written
// the block is made: the next Sync finds it in the firewall and takes it in.
type Emergency struct {
	Why     error // what is the matter with the journal
	Spool   Spool
	Journal Journal // to read of it what can be read; nil: nothing
	Rules   *Rules
	Open    func(ctx context.Context, name string) (Driver, error)
	Others  []string // as a Keeper's
	Clock   func() time.Time
	guards  []*Guard
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

// begin learns who is allowed, and begins the outcome of an act.
func (e *Emergency) begin(ctx context.Context) *Outcome {
	out, unread := &Outcome{}, "; the list of those that are allowed could not be read"
	if e.Journal != nil {
		if allows, err := e.Journal.Allows(ctx); err == nil {
			e.Rules.allow(allows)
			unread = ""
		}
	}
	out.problem("journal", "%v; what is in force stays%s", e.Why, unread)
	return out
}

// write appends notes to the spool and tells what comes of them; without is what comes of it if that fails.
func (e *Emergency) write(out *Outcome, notes []note, without string) {
	if err := e.Spool.append(notes...); err != nil {
		out.problem(e.Spool.Name, "%v: it is not written down; %s", err, without)
		return
	}
	out.Problems[0].Why += "; what you did now is written down beside it and taken in later"
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
	out := e.begin(ctx)
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
			add[name] = e.Rules.carve(add[name], w.entry())
			n.Driver = append(n.Driver, name)
			held := w
			held.Driver = name
			out.excepted(e.Rules, &held)
			out.Blocks = append(out.Blocks, held)
		}
		if len(n.Driver) > 0 {
			notes = append(notes, n)
		}
	}
	if len(notes) == 0 {
		return out, nil
	}
	e.write(out, notes, "connwarden sync will find it in the firewall")
	var errs []error
	for name, entries := range add {
		err := e.add(ctx, name, entries)
		errs = append(errs, err)
		for i := range out.Blocks {
			if w := &out.Blocks[i]; err == nil && w.Driver == name {
				w.State = StateInForce
			}
		}
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

// Unblock lifts what drivers list of targets and below them: those named, or all that answer and those that the journal knows.
func (e *Emergency) Unblock(ctx context.Context, targets []netip.Prefix, names []string, by connwarden.Origin) (*Outcome, error) {
	out := e.begin(ctx)
	now := e.now()
	wanted, read := e.wanted(ctx, targets, names, now)
	asked, held, err := e.ask(ctx, names, wanted)
	if err != nil {
		return out, err
	}
	remove := map[string][]Entry{}
	var notes []note
	for _, target := range targets {
		n := len(out.Lifted)
		var above *Wish
		for i := range held {
			switch w := &held[i].Wish; {
			case within(w.Target, target):
				remove[w.Driver] = append(remove[w.Driver], w.entry())
				out.Lifted = append(out.Lifted, *w)
			case within(target, w.Target):
				above = w
			}
		}
		// What is wanted and is not there must not come back.
		still := slices.ContainsFunc(wanted, func(w Wish) bool { return within(w.Target, target) })
		switch {
		case len(out.Lifted) > n || still:
			notes = append(notes, note{Verb: "unblock", At: now, Target: target, Driver: names, By: by.String()})
		case above != nil:
			out.refuse(target, "it is blocked as part of %s: unblock that", Show(above.Target))
		default:
			out.refuse(target, "it is not blocked by %s", strings.Join(asked, ", "))
		}
	}
	if len(notes) == 0 {
		return out, nil
	}
	switch {
	case !read && len(wanted) == 0:
		e.write(out, notes, "if the journal wants it, the next connwarden sync puts it back: unblock it again when the journal can be used")
	case len(wanted) > 0:
		e.write(out, notes, "it is still wanted, and the next connwarden sync puts it back: unblock it again when the journal can be written")
	default:
		e.write(out, notes, "nothing wants it any more, and it stays lifted")
	}
	var errs []error
	for name, entries := range remove {
		g, err := e.guard(ctx, name)
		if err == nil {
			err = g.Apply(ctx, nil, entries)
		}
		if err == nil {
			out.gone(name)
		}
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

// wanted is what the journal and the spool want below targets, and whether the journal could be read.
func (e *Emergency) wanted(ctx context.Context, targets []netip.Prefix, names []string, now time.Time) (list []Wish, read bool) {
	if e.Journal != nil {
		all, err := e.Journal.Wishes(ctx, targets...)
		list, read = all, err == nil
	}
	notes, _, _ := e.Spool.read() // there may be none
	for _, n := range notes {
		switch n.Verb {
		case "block":
			for _, s := range n.wishes(nil) {
				list = append(list, *s.After)
			}
		case "unblock":
			list = slices.DeleteFunc(list, func(w Wish) bool {
				return within(w.Target, n.Target) && (len(n.Driver) == 0 || slices.Contains(n.Driver, w.Driver))
			})
		}
	}
	return slices.DeleteFunc(list, func(w Wish) bool {
		return !w.Wanted(now) || len(names) > 0 && !slices.Contains(names, w.Driver) || !slices.ContainsFunc(targets, func(t netip.Prefix) bool { return within(w.Target, t) })
	}), read
}

// ask lists what the drivers named hold, or those of wishes and all others that answer. It returns whom it asked.
func (e *Emergency) ask(ctx context.Context, names []string, wanted []Wish) (asked []string, held []Held, err error) {
	must := names
	if len(names) == 0 {
		must = drivers(wanted)
		names = slices.Concat(must, slices.DeleteFunc(slices.Clone(e.Others), func(name string) bool { return slices.Contains(must, name) }))
	}
	for _, name := range names {
		list, err := e.list(ctx, name)
		if err != nil {
			if slices.Contains(must, name) {
				return nil, nil, err
			}
			continue
		}
		asked, held = append(asked, name), append(held, list...)
	}
	return asked, held, nil
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

// Blocks returns what drivers list, those named and Others that hold something. Who wanted it and why is in the journal.
func (e *Emergency) Blocks(ctx context.Context, names ...string) ([]Held, []connwarden.Problem, error) {
	out := e.begin(ctx)
	var list []Held
	for _, name := range append(names, strays(ctx, e.guard, names, e.Others)...) {
		held, err := e.list(ctx, name)
		if err != nil {
			out.problem(name, "%v", err)
			continue
		}
		list = append(list, held...)
	}
	return list, out.Problems, nil
}
