package block

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// Keeper keeps what is wanted and brings it to the firewalls: it writes the wish into the journal, tells the drivers
// what to change, and marks it as done. It may die between any two steps; Sync makes them agree again.
//
// All fields but Plan must be set before the first call. A Keeper belongs to one goroutine at a time, and so does what
// it was given; it closes the drivers that it opened.
type Keeper struct {
	Journal Journal
	Rules   *Rules
	// Facts, if not nil, is asked before each act, but not twice within ten seconds, whom the rules are to spare.
	Facts func() ([]Spare, []connwarden.Problem)
	// Open opens a driver by its name. The keeper puts its guard around it.
	Open  func(ctx context.Context, name string) (Driver, error)
	Clock func() time.Time
	// Lifts says why nothing would lift a block from a firewall that ends none by itself; nothing if a timer or a daemon
	// runs Sync.
	Lifts  func() (why string)
	Steps  []time.Duration // of automatic blocks, rising; Steps() if nil
	Pardon time.Duration   // for how long an unblock keeps judge and fleet away; 0: a day
	Spool  Spool           // what an Emergency wrote is taken in from there; its Name may be empty
	// Others are firewalls that may hold something of ours though neither the journal nor anybody names them: Sync, Flush and an
	// operator's Unblock look there too. One that does not answer is passed over.
	Others []string
	// Plan makes every act tell what it would do, in Outcome.Plans, and change nothing.
	Plan bool

	guards map[string]*Guard
	stamps map[string]uint64 // of firewalls that were compared, as they were left
	asked  time.Time         // when Facts was
}

// factsAge is how old facts may be: logging in takes longer than that.
const factsAge = 10 * time.Second

// Request is one block that is asked for.
type Request struct {
	Target  netip.Prefix
	Scope   connwarden.Scope
	Drivers []string // at least one
	For     time.Duration
	// For of zero: an operator's block lasts until it is lifted, an automatic one takes the next step.

	Within   time.Duration // the block goes away by itself unless Confirm comes within this time; 0: it stays
	By       connwarden.Origin
	Why      string
	Evidence string // JSON, kept with the block
	Forced   bool
}

// Reason is the kind of a refusal, a word.
type Reason string

// Reasons for which Block refuses.
const (
	ReasonLimit  Reason = "limit"  // more automatic blocks in a minute than the guard lets through
	ReasonPardon Reason = "pardon" // an operator let it go
	ReasonSpared Reason = "spared" // it must not be blocked
	ReasonDriver Reason = "driver" // the firewall cannot hold it
)

// Reasons are all there are.
func Reasons() []Reason { return []Reason{ReasonLimit, ReasonPardon, ReasonSpared, ReasonDriver} }

// Refusal is what was not done, and why.
type Refusal struct {
	Target netip.Prefix
	Why    string
	Reason Reason // of Block; "" of other acts
}

// Plan is what a driver would do.
type Plan struct {
	Driver string
	Lines  []string
}

// Outcome is what an act did. It is told even where the act failed for some driver.
type Outcome struct {
	Change              int64  // what undo takes back; 0: nothing was changed
	Blocks              []Wish // in force or not, as their states say
	Lifted              []Wish // or to be lifted: its state says so of what is gone
	Allowed, Disallowed []Allow
	Refused             []Refusal
	Problems            []connwarden.Problem
	Plans               []Plan
}

func (o *Outcome) refuse(target netip.Prefix, format string, args ...any) {
	o.refuseFor("", target, format, args...)
}

func (o *Outcome) refuseFor(r Reason, target netip.Prefix, format string, args ...any) {
	o.Refused = append(o.Refused, Refusal{target, fmt.Sprintf(format, args...), r})
}

func (o *Outcome) problem(what, format string, args ...any) {
	o.Problems = append(o.Problems, connwarden.Problem{What: what, Why: fmt.Sprintf(format, args...)})
}

// now is the clock in the journal's grain, without a monotonic part, so that times compare as they are kept.
func (k *Keeper) now() time.Time { return k.Clock().UTC().Truncate(time.Millisecond) }

// guard opens a driver once.
func (k *Keeper) guard(ctx context.Context, name string) (*Guard, error) {
	if g := k.guards[name]; g != nil {
		return g, nil
	}
	d, err := k.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	if k.guards == nil {
		k.guards = map[string]*Guard{}
	}
	g := NewGuard(d, k.Rules)
	k.guards[name] = g
	return g, nil
}

// Close closes the drivers. What they hold stays in force.
func (k *Keeper) Close() error {
	var errs []error
	for _, g := range k.guards {
		errs = append(errs, g.Close())
	}
	k.guards = nil
	return errors.Join(errs...)
}

// book is what the journal says before an act.
type book struct {
	now     time.Time
	allows  []Allow
	pardons []Pardon
	past    map[netip.Prefix][]Past // of those that verdicts accuse
	told    []connwarden.Problem
	about   cover  // targets of which
	near    []Wish // all wishes that share addresses with them were read
	asked   []netip.Prefix
	strays  []Swap[Wish] // of a dry run: what it would take in first
}

// outcome begins the outcome of an act.
func (b *book) outcome() *Outcome { return &Outcome{Problems: b.told} }

func (k *Keeper) open(ctx context.Context) (b book, err error) {
	b.now = k.now()
	if age := b.now.Sub(k.asked); k.Facts != nil && (k.asked.IsZero() || age < 0 || age >= factsAge) {
		k.asked = b.now
		spares, problems := k.Facts()
		k.Rules.Renew(spares)
		b.told = problems
	}
	if b.pardons, err = k.Journal.Pardons(ctx); err != nil {
		return b, err
	}
	if k.Spool.Name != "" && !k.Plan {
		told, err := k.takeIn(ctx, b)
		if err != nil {
			return b, err
		}
		if told != nil {
			b.told = append(b.told, told...)
			if b.pardons, err = k.Journal.Pardons(ctx); err != nil {
				return b, err
			}
		}
	}
	b.allows, err = k.Journal.Allows(ctx)
	k.Rules.allow(b.allows)
	return b, err
}

// Block denies targets. What must not be blocked, what a driver cannot hold and what was pardoned is refused and told;
// the rest is done in one change. The error is that of the journal (ErrJournal: nothing was done) or of drivers.
func (k *Keeper) Block(ctx context.Context, requests ...Request) (*Outcome, error) {
	b, err := k.open(ctx)
	if err != nil {
		return nil, err
	}
	targets := make([]netip.Prefix, len(requests))
	for i := range requests {
		if targets[i] = requests[i].Target; requests[i].By.Kind != connwarden.ByOperator {
			targets[i] = Automatic(targets[i])
		}
	}
	held, err := k.held(ctx, &b, targets)
	if err != nil {
		return nil, err
	}
	if b.past, err = k.past(ctx, requests); err != nil {
		return nil, err
	}
	out := b.outcome()
	c := &Change{At: b.now, Verb: "block", Wishes: make([]Swap[Wish], 0, len(requests))}
	out.Blocks = slices.Grow(out.Blocks, len(requests))
	done := make(map[connwarden.BlockKey]bool, len(requests))
	wishes := make([]Wish, 0, len(requests)) // together: one by one they are much work for the collector
	for i := range requests {
		r := &requests[i]
		c.By = r.By
		if r.By.Kind != connwarden.ByOperator {
			if !k.automatic(r, b, held, out) {
				continue
			}
		} else if p := pardon(b.pardons, r.Target, b.now); p != nil && p.Target == r.Target {
			c.Pardons = append(c.Pardons, Swap[Pardon]{Before: p})
		}
		if why := k.Rules.Check(r.Target, r.Forced); why != "" {
			out.refuseFor(ReasonSpared, r.Target, "%s", why)
			continue
		}
		for _, name := range r.Drivers {
			g, err := k.guard(ctx, name)
			if err != nil {
				return nil, err
			}
			wishes = append(wishes, r.wish(name, held, b.now))
			w := &wishes[len(wishes)-1]
			if done[w.BlockKey] {
				continue
			}
			done[w.BlockKey] = true
			if why := k.cannot(g, w); why != "" {
				out.refuseFor(ReasonDriver, r.Target, "%s: %s", name, why)
				continue
			}
			s := Swap[Wish]{After: w}
			if _, ok := held[w.BlockKey]; ok {
				old := held[w.BlockKey]
				s.Before = &old
			}
			c.Wishes = append(c.Wishes, s)
			out.Blocks = append(out.Blocks, *w)
		}
	}
	if len(c.Wishes) == 0 {
		return out, nil
	}
	return out, k.bring(ctx, c, b, out)
}

// held are the wishes that share addresses with targets, by key. The book keeps them for what comes of the act.
func (k *Keeper) held(ctx context.Context, b *book, targets []netip.Prefix) (map[connwarden.BlockKey]Wish, error) {
	if len(targets) == 0 {
		return nil, nil
	}
	list, err := k.Journal.Wishes(ctx, targets...)
	if err != nil {
		return nil, err
	}
	b.about, b.near, b.asked = coverOf(targets), list, targets
	held := make(map[connwarden.BlockKey]Wish, len(list))
	for i := range list {
		held[list[i].BlockKey] = list[i]
	}
	return held, nil
}

// wishes are those that share addresses with targets, of the book if it has them.
func (k *Keeper) wishes(ctx context.Context, b *book, targets []netip.Prefix) ([]Wish, error) {
	if slices.ContainsFunc(targets, func(t netip.Prefix) bool { return len(Subtract(t, b.about.overlapping(t))) > 0 }) {
		return k.Journal.Wishes(ctx, targets...)
	}
	if len(b.near) == 0 {
		return nil, nil
	}
	c := coverOf(targets)
	return slices.DeleteFunc(slices.Clone(b.near), func(w Wish) bool { return len(c.overlapping(w.Target)) == 0 }), nil
}

// wish is what a request makes of what is wanted of one driver already.
func (r *Request) wish(driver string, held map[connwarden.BlockKey]Wish, now time.Time) Wish {
	w := Wish{Evidence: r.Evidence}
	w.BlockKey = connwarden.BlockKey{Target: r.Target, Scope: r.Scope, Driver: driver}
	w.Since, w.By, w.Why, w.Forced = now, r.By, clip(r.Why, maxWhy), r.Forced
	if r.For > 0 {
		w.Until = now.Add(r.For).Truncate(time.Millisecond)
	}
	old, ok := held[w.BlockKey]
	ok = ok && old.Wanted(now)
	if ok {
		w.Since = old.Since
		if r.By.Kind != connwarden.ByOperator {
			w.Until, w.Forced = later(old.Until, w.Until), old.Forced // a verdict never shortens
		}
	}
	if r.Within > 0 {
		w.Confirm, w.Then = now.Add(r.Within).Truncate(time.Millisecond), w.Until
		w.Until = w.Confirm
		if ok {
			w.Until = later(old.Until, w.Confirm)
		} else if !w.Then.IsZero() && w.Then.Before(w.Until) {
			w.Until = w.Then
		}
	}
	return w
}

// cannot says why a driver cannot hold a wish.
func (k *Keeper) cannot(g *Guard, w *Wish) string {
	p := g.Properties()
	if err := p.Holds(Entry{Target: w.Target, Scope: w.Scope}); err != nil {
		return err.Error()
	}
	if w.Until.IsZero() || p.Expiry {
		return ""
	}
	if why := k.Lifts(); why != "" {
		return "it ends no block by itself, and " + why
	}
	return ""
}

// automatic fits a verdict's request to the rules of automatic blocks. It tells whether anything is to be done.
func (k *Keeper) automatic(r *Request, b book, held map[connwarden.BlockKey]Wish, out *Outcome) bool {
	r.Target = Automatic(r.Target)
	r.Forced = false
	if p := pardon(b.pardons, r.Target, b.now); p != nil {
		out.refuseFor(ReasonPardon, r.Target, "an operator let it go until %s", p.Until.Format(time.RFC3339))
		return false
	}
	if r.For == 0 {
		for _, name := range r.Drivers {
			if w, ok := held[connwarden.BlockKey{Target: r.Target, Scope: r.Scope, Driver: name}]; ok && w.Wanted(b.now) {
				return false
			}
		}
		r.For = k.next(r.Target, b, held)
	}
	if !k.Plan && !k.Rules.Admit(b.now) {
		out.refuseFor(ReasonLimit, r.Target, "more than %d automatic blocks in a minute", k.Rules.limits.PerMinute)
		return false
	}
	return true
}

// past is what the journal says of the past of those that verdicts accuse.
func (k *Keeper) past(ctx context.Context, requests []Request) (map[netip.Prefix][]Past, error) {
	const most = 100 // more than there are steps, and each driver has its own
	var targets []netip.Prefix
	for i := range requests {
		if r := &requests[i]; r.By.Kind != connwarden.ByOperator && r.For == 0 {
			targets = append(targets, Automatic(r.Target))
		}
	}
	if len(targets) == 0 {
		return nil, nil
	}
	return k.Journal.Pasts(ctx, targets, most)
}

// next is the step that a target has come to.
func (k *Keeper) next(target netip.Prefix, b book, held map[connwarden.BlockKey]Wish) time.Duration {
	past := b.past[target]
	for _, w := range held {
		if w.Expired(b.now) && w.Target.Overlaps(target) {
			past = append(past, Past{w.Block, w.Until})
		}
	}
	past = slices.DeleteFunc(past, func(p Past) bool { return p.By.Kind == connwarden.ByOperator })
	steps := k.Steps
	if steps == nil {
		steps = Steps()
	}
	return Escalate(b.now, past, steps)
}

// pardon is the pardon that a target falls under.
func pardon(list []Pardon, target netip.Prefix, now time.Time) *Pardon {
	for i := range list {
		if list[i].Target.Overlaps(target) && now.Before(list[i].Until) {
			return &list[i]
		}
	}
	return nil
}
