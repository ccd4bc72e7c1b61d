package live

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/nets"
	"github.com/connwarden/connwarden/report"
)

// accusation is a verdict on its way to the actor.
type accusation struct {
	judged judge.Judged
	peer   judge.Peer
	answer *bots.Answer // nil: nobody was asked yet
}

// actor owns the firewalls: it finds out who is accused, blocks, and tells.
type actor struct {
	opt      *Options
	claims   *bots.Claims
	ready    chan struct{}
	done     chan struct{}
	verdicts uint64
	blocks   uint64
	held     map[netip.Prefix]block.Wish
	asking   chan struct{} // as many as may ask name servers at once
	own      map[netip.Addr]bool
	synced   time.Time

	mu       sync.Mutex // guards the rest; leaf
	queue    []accusation
	problems []connwarden.Problem
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
	return &actor{
		opt: opt, claims: c, ready: make(chan struct{}, 1), done: make(chan struct{}), held: map[netip.Prefix]block.Wish{}, asking: make(chan struct{}, maxAsking),
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
		for range a.ready {
			a.mu.Lock()
			list, problems, ticks, closing := a.queue, a.problems, a.ticks, a.closing
			a.queue, a.problems, a.ticks = nil, nil, false
			a.mu.Unlock()
			a.act(ctx, list)
			for _, p := range problems {
				a.opt.Tell(&Problem{head("problem", a.opt.Clock()), report.Problem{What: report.Clean(p.What), Why: report.Clean(p.Why)}})
			}
			if ticks {
				a.expire(ctx)
			}
			if closing {
				return
			}
		}
	}()
}

// stop waits until all that was accused was dealt with.
func (a *actor) stop() {
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

func (a *actor) sync(ctx context.Context) {
	a.synced = a.opt.Clock()
	if a.opt.Keeper == nil {
		return
	}
	out, list, err := a.opt.Keeper.Sync(ctx, a.opt.Drivers...)
	if err != nil {
		a.problem("blocks", err.Error())
	}
	for _, s := range list {
		if s.Err != nil {
			a.problem(s.Driver, s.Err.Error())
		}
	}
	if out != nil {
		for _, p := range out.Problems {
			a.problem(p.What, p.Why)
		}
	}
}

// expire tells of blocks that ended, and compares the firewalls with what is wanted from time to time.
func (a *actor) expire(ctx context.Context) {
	now := a.opt.Clock()
	every := a.opt.Sync
	if every == 0 {
		every = syncEvery
	}
	if now.Sub(a.synced) >= every {
		a.sync(ctx)
	}
	for target, w := range a.held {
		if w.Expired(now) {
			delete(a.held, target)
			a.opt.Tell(&Block{Head: head("unblock", now), Block: row(&w, "lifted")})
		}
	}
}

// decided is an accusation with what is known of the accused.
type decided struct {
	accusation
	known judge.Known
	host  string
	word  string
	acts  bool
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
	for i := range all {
		a.verdicts++
		a.opt.Tell(&Verdict{head("verdict", now), a.peer(&all[i]), all[i].acts})
	}
	if err != nil {
		a.problem("blocks", err.Error())
	}
	if out == nil {
		return
	}
	for i := range out.Blocks {
		w := &out.Blocks[i]
		a.blocks++
		a.held[w.Target] = *w
		a.opt.Tell(&Block{head("block", now), row(w, w.State.String()), "connwarden unblock " + block.Show(w.Target)})
	}
	for _, r := range out.Refused {
		a.problem(block.Show(r.Target), "not blocked: "+r.Why)
	}
	for _, p := range out.Problems {
		a.problem(p.What, p.Why)
	}
}

// decide weighs what is known of the accused. Whoever claims to be a crawler that only name servers can prove is asked
// about beside, and comes again with the answer; until then harm counts and volume waits.
func (a *actor) decide(ctx context.Context, one *accusation) (d decided, ok bool) {
	d.accusation = *one
	v := &d.judged.Verdict
	if v.Subject.Kind != "" {
		d.word = connwarden.Word(v.Score)
		return d, true
	}
	d.known.Exempt = a.exempt(v.Addr)
	if one.peer.Claim > 0 && a.opt.Bots != nil {
		d.known.Bot = a.claims.Bot(one.peer.Claim)
		q := bots.Question{Addr: v.Addr, Bot: d.known.Bot.Name, Time: one.peer.Last}
		if n := a.opt.Networks; n != nil {
			where, _ := n.Lookup(v.Addr)
			q.ASN = where.ASN
		}
		answer := one.answer
		if answer == nil {
			byRange := a.opt.Bots.ByRange(q)
			answer = &byRange
			if answer.Proof == connwarden.ProofUnproven && a.opt.Resolver != nil && d.known.Bot.Exempt {
				a.ask(ctx, *one, q)
			}
		}
		d.known.Proof, d.known.How, d.host = answer.Proof, answer.How, answer.Host
	}
	proved := *v
	proved.Evidence = append([]connwarden.Evidence(nil), d.judged.Proved...)
	if a.opt.Local {
		proved.Evidence = append(proved.Evidence[:0], v.Evidence...)
	}
	now := a.opt.Clock()
	if !a.opt.Now.IsZero() || a.opt.Once {
		now = latest(v.Evidence)
	}
	proved.Evidence = recent(proved.Evidence, now)
	proved.Score = judge.ScoreOf(proved.Evidence)
	proved.ScoreNow = proved.Score
	known := d.known
	d.acts = judge.Decide(&proved, &known) == connwarden.VerdictMalicious && proved.Exempt == ""
	d.word = judge.Decide(v, &d.known)
	return d, v.Score >= connwarden.ScoreSuspicious || v.Exempt != ""
}

// recent is the evidence whose window reaches to now; what is older than that is told and not acted upon.
func recent(list []connwarden.Evidence, now time.Time) (kept []connwarden.Evidence) {
	for _, e := range list {
		if e.Last.IsZero() || now.Sub(e.Last) <= max(e.Window, time.Minute) {
			kept = append(kept, e)
		}
	}
	return kept
}

func latest(list []connwarden.Evidence) (t time.Time) {
	for _, e := range list {
		if e.Last.After(t) {
			t = e.Last
		}
	}
	return t
}

// ask asks name servers about an address beside the actor. Where too many are asked about, the others stay unproven.
func (a *actor) ask(ctx context.Context, one accusation, q bots.Question) {
	select {
	case a.asking <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-a.asking }()
		answers := a.opt.Bots.Prove(ctx, a.opt.Resolver, []bots.Question{q})
		if len(answers) == 1 && answers[0].Proof != connwarden.ProofUnproven {
			one.answer = &answers[0]
			a.accuse(one)
			a.wake()
		}
	}()
}

// exempt tells why an address must not be blocked whatever it does.
func (a *actor) exempt(addr netip.Addr) string {
	switch {
	case addr.IsLoopback():
		return "the loopback address of this machine"
	case a.own[addr]:
		return "this machine's own address"
	case nets.CDN().Contains(addr):
		return "the address of a content delivery network, behind which are others: block the real client for the site"
	}
	return ""
}

// block blocks those on whom all that is needed is proved.
func (a *actor) block(ctx context.Context, all []decided) (*block.Outcome, error) {
	if a.opt.Keeper == nil {
		return nil, nil
	}
	var requests []block.Request
	for i := range all {
		d := &all[i]
		if !d.acts {
			continue
		}
		v := &d.judged.Verdict
		e := v.Evidence[0]
		for _, other := range v.Evidence[1:] {
			if other.Score > e.Score {
				e = other
			}
		}
		evidence, _ := json.Marshal(a.evidence(v.Evidence)) // of strings, numbers and times
		requests = append(requests, block.Request{
			Target: block.Automatic(block.Single(v.Addr)), Drivers: a.opt.Drivers, By: connwarden.Origin{Kind: connwarden.ByRule, Name: e.Rule}, Why: e.Why, Evidence: string(evidence),
		})
	}
	if len(requests) == 0 {
		return nil, nil
	}
	return a.opt.Keeper.Block(ctx, requests...)
}

func (a *actor) evidence(list []connwarden.Evidence) []report.Evidence {
	out := make([]report.Evidence, len(list))
	for i, e := range list {
		out[i] = report.Evidence{
			Rule: e.Rule, Why: report.Clean(e.Why), Score: e.Score, Count: e.Count, Window: e.Window.Seconds(),
			First: report.When(a.in(e.First)), Last: report.When(a.in(e.Last)), Samples: make([]report.Sample, len(e.Samples)),
		}
		for j, s := range e.Samples {
			out[i].Samples[j] = report.Sample{File: report.Clean(s.From.Name), Offset: s.From.Offset, Text: report.Clean(s.Text)}
			if n := s.From.Line; n > 0 {
				out[i].Samples[j].Line = &n
			}
		}
	}
	return out
}

func (a *actor) in(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(a.opt.Zone)
}

func (a *actor) peer(d *decided) report.Peer {
	v, p := &d.judged.Verdict, &d.peer
	r := report.Peer{
		Verdict: d.word, LevelNow: connwarden.Word(v.ScoreNow), Score: v.Score, Status: map[string]uint64{}, Evidence: a.evidence(v.Evidence), Exempt: report.Clean(v.Exempt),
		Next: []string{},
	}
	if v.Subject.Kind != "" {
		r.Addr, r.Kind = report.Clean(v.Subject.Name), v.Subject.Kind
		if r.Verdict == connwarden.VerdictMalicious && v.Subject.Kind == "net" {
			r.Next = append(r.Next, "connwarden block "+r.Addr+" --for 1h")
		}
		return r
	}
	r.Addr, r.Requests, r.Bytes, r.Status = v.Addr.String(), p.Requests, p.Bytes, report.Classes(p.ByClass)
	r.First, r.Last, r.Name = report.When(a.in(p.First)), report.When(a.in(p.Last)), report.Clean(d.host)
	r.Network = network(a.opt.Networks, v.Addr)
	if d.known.Bot.Name != "" {
		r.Bot = &report.Bot{Claim: d.known.Bot.Name, Proof: d.known.Proof.String(), How: report.Clean(d.known.How)}
	}
	if r.Verdict == connwarden.VerdictMalicious && a.opt.Keeper == nil {
		r.Next = append(r.Next, "connwarden block "+r.Addr+" --for 1h")
	}
	return r
}

func row(w *block.Wish, state string) report.Block {
	return report.Block{
		Target: w.Target.String(), Scope: report.Clean(w.Scope.String()), Drivers: strings.Fields(w.Driver), Since: report.When(w.Since), Until: report.When(w.Until),
		By: w.By.Kind.String(), Who: report.Clean(w.By.Name), Why: report.Clean(w.Why), State: state, Change: w.Revision,
	}
}
