package live

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/report"
)

// accusation is a verdict on its way to the actor.
type accusation struct {
	judged judge.Judged
	peer   judge.Peer
	answer *bots.Answer      // nil: nobody was asked yet
	sites  map[string]string // of the evidence, by rules; nil where policy does not ask
	at     time.Time         // when the last line that it rests on was taken up
	again  bool              // it was told before
}

// actor owns the firewalls: it finds out who is accused, blocks, and tells.
type actor struct {
	opt      *Options
	claims   *bots.Claims
	ready    chan struct{}
	began    chan struct{}
	begin    func() // lets the actor tell
	done     chan struct{}
	verdicts uint64
	blocks   uint64
	held     held
	ends     time.Time    // when the first of held does, or before
	waiting  []accusation // for the next minute of the guard's limit
	alarmed  time.Time
	stance   Mode
	asking   chan struct{} // as many as may ask name servers at once
	own      map[netip.Addr]bool
	synced   time.Time
	took     time.Duration // by the last sync
	looked   time.Time     // whether the firewalls were changed
	lifts    bool          // something has ended that no firewall ends by itself

	mu       sync.Mutex // guards the rest; leaf
	queue    []accusation
	problems []connwarden.Problem
	messages []any
	next     *Options // what a reload brought
	quiet    *Quiet
	said     map[connwarden.Problem]time.Time
	ticks    bool
	closing  bool
	lost     uint64
}

const (
	// maxQueue bounds the accusations that wait: what an attack from 65,536 addresses at once makes.
	maxQueue = 1 << 16
	// maxAsking is how many addresses are asked about at once; the resolver bounds its own questions besides.
	maxAsking = 16
	// problemRest is how long the same problem is not told again.
	problemRest = time.Hour
	maxProblems = 1000
)

func newActor(opt *Options, c *bots.Claims) *actor {
	began := make(chan struct{})
	return &actor{
		began: began, begin: sync.OnceFunc(func() { close(began) }),
		opt: opt, claims: c, ready: make(chan struct{}, 1), done: make(chan struct{}), asking: make(chan struct{}, maxAsking),
		own: map[netip.Addr]bool{}, said: map[connwarden.Problem]time.Time{},
	}
}

func (a *actor) accuse(one accusation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == maxQueue {
		a.lost++
		return
	}
	a.queue = append(a.queue, one)
	a.opt.Metrics.queue.Store(int64(len(a.queue)))
}

// say tells a message of the goroutine that judges.
func (a *actor) say(message any) {
	a.mu.Lock()
	a.messages = append(a.messages, message)
	a.mu.Unlock()
	a.wake()
}

// hush notes for how long it is quiet.
func (a *actor) hush(q *Quiet) {
	a.mu.Lock()
	a.quiet, a.ticks = q, true
	a.mu.Unlock()
	a.wake()
}

// settle goes on with what a reload brought. What one brings before it was taken over is not used.
func (a *actor) settle(opt *Options) {
	a.mu.Lock()
	old := a.next
	a.next, a.ticks = opt, true
	a.mu.Unlock()
	if old != nil && old.Taken != nil {
		old.Taken(false)
	}
	a.wake()
}

// problem is told once an hour.
func (a *actor) problem(what, why string) {
	a.mu.Lock()
	p := connwarden.Problem{What: what, Why: why}
	if at, ok := a.said[p]; len(a.said) < maxProblems && (!ok || a.opt.Clock().Sub(at) >= problemRest) {
		a.said[p] = a.opt.Clock()
		a.problems = append(a.problems, p)
	}
	a.mu.Unlock()
	a.wake()
}

func (a *actor) wake() {
	select {
	case a.ready <- struct{}{}:
	default:
	}
}

func (a *actor) tick() {
	a.mu.Lock()
	a.ticks = true
	a.mu.Unlock()
	a.wake()
}

func (a *actor) start(ctx context.Context) {
	go func() {
		defer close(a.done)
		a.prepare(ctx)
		<-a.began // the first message is another's
		for range a.ready {
			a.mu.Lock()
			list, problems, messages, next, quiet, ticks, closing := a.queue, a.problems, a.messages, a.next, a.quiet, a.ticks, a.closing
			a.queue, a.problems, a.messages, a.next, a.ticks = nil, nil, nil, nil, false
			a.mu.Unlock()
			a.opt.Metrics.queue.Store(0)
			a.opt.quiet = quiet
			if next != nil {
				a.opt.settle(next)
				if next.Taken != nil {
					next.Taken(true)
				}
				a.sync(ctx)
			}
			a.act(ctx, list)
			for _, m := range messages {
				a.opt.Tell(m)
			}
			for _, p := range problems {
				a.opt.Metrics.problems.Add(1)
				a.opt.Tell(&Problem{Head: head("problem", a.opt.Clock()), Problem: report.Problem{What: report.Clean(p.What), Why: report.Clean(p.Why)}})
			}
			if ticks {
				a.expire(ctx)
				a.retry(ctx)
				a.stand()
			}
			if closing {
				return
			}
		}
	}()
}

// stop waits until all that was accused was dealt with.
func (a *actor) stop() {
	a.begin()
	a.mu.Lock()
	a.closing = true
	a.mu.Unlock()
	a.wake()
	<-a.done
}

// prepare learns the machine's own addresses and brings the firewalls to what is wanted.
func (a *actor) prepare(ctx context.Context) {
	if !a.opt.Host.Rooted() {
		list, err := a.opt.Host.Addresses()
		if err != nil {
			a.problem("own addresses", err.Error())
		}
		for _, p := range list {
			a.own[p.Addr().Unmap()] = true
		}
	}
	a.sync(ctx)
}

// stand tells when something else is done about harm than before: it is quiet, maintenance begins, the mode is another.
func (a *actor) stand() {
	now := a.opt.Clock()
	m := a.opt.Policy.stance(a.opt.quiet, a.opt.Keeper != nil, now)
	is := func(yes bool) int64 {
		if yes {
			return 1
		}
		return 0
	}
	a.opt.Metrics.enforces.Store(is(m.Mode == Enforce))
	a.opt.Metrics.quiet.Store(is(m.Quiet))
	before := a.stance
	a.stance = m
	if before.Mode == "" && !m.Quiet && m.Until == nil || before.Mode == m.Mode && before.Quiet == m.Quiet && before.Why == m.Why {
		return
	}
	m.Head = head("mode", now)
	a.opt.Tell(&m)
}

// act decides on a batch, blocks whom it may, and tells of all.
func (a *actor) act(ctx context.Context, list []accusation) {
	var all []decided
	for i := range list {
		if d, ok := a.decide(ctx, &list[i]); ok {
			all = append(all, d)
		}
	}
	out, err := a.block(ctx, all)
	now := a.opt.Clock()
	byTarget := map[netip.Prefix]*decided{}
	for i := range all {
		d := &all[i]
		peer := a.peer(d)
		d.told = &peer
		if d.acts {
			byTarget[block.Automatic(block.Single(d.judged.Verdict.Addr))] = d
		}
		if d.again {
			continue
		}
		a.verdicts++
		a.opt.Metrics.verdict(d.word)
		a.opt.Tell(&Verdict{Head: head("verdict", now), Peer: peer, Proved: d.proved, Held: d.held})
	}
	if err != nil {
		a.problem("blocks", err.Error())
	}
	if out == nil {
		return
	}
	var began []time.Time
	for i := range out.Blocks {
		w := &out.Blocks[i]
		a.blocks++
		a.note(w)
		m := &Block{Head: head("block", now), Block: row(w, w.State.String()), Undo: "connwarden unblock " + block.Show(w.Target)}
		if d := byTarget[w.Target]; d != nil {
			m.Peer = d.told
			began = append(began, d.at)
		}
		a.opt.Tell(m)
	}
	a.opt.Metrics.blocked(out, began, now)
	a.refused(out.Refused, byTarget, now)
	for _, p := range out.Problems {
		a.problem(p.What, p.Why)
	}
}
