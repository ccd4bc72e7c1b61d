package live

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/nets"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/rules"
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
	held     map[connwarden.BlockKey]block.Wish
	ends     time.Time    // when the first of held does, or before
	waiting  []accusation // for the next minute of the guard's limit
	alarmed  time.Time
	stance   Mode
	asking   chan struct{} // as many as may ask name servers at once
	own      map[netip.Addr]bool
	synced   time.Time

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
		opt: opt, claims: c, ready: make(chan struct{}, 1), done: make(chan struct{}), held: map[connwarden.BlockKey]block.Wish{}, asking: make(chan struct{}, maxAsking),
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
	a.hold(ctx)
}

// hold learns what is blocked, by whomever, and tells of what was lifted by others.
func (a *actor) hold(ctx context.Context) {
	k, ok := a.opt.Keeper.(interface {
		Wishes(ctx context.Context) ([]block.Wish, error)
	})
	if !ok {
		return
	}
	all, err := k.Wishes(ctx)
	if err != nil {
		a.problem("blocks", err.Error())
		return
	}
	held := make(map[connwarden.BlockKey]block.Wish, len(all))
	for _, w := range all {
		w.Evidence = "" // it is long
		held[w.BlockKey] = w
	}
	for key, w := range a.held {
		if _, ok := held[key]; !ok {
			a.opt.Tell(&Block{Head: head("unblock", a.opt.Clock()), Block: row(&w, "lifted")})
		}
	}
	a.held, a.ends = held, time.Time{}
	a.opt.Metrics.hold(held)
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

// limitRest is after how long those are tried again whom the guard's limit of a minute let go.
const limitRest = time.Minute

// retry tries those again whom the guard's limit let go: what is not recent any more is left out by itself.
func (a *actor) retry(ctx context.Context) {
	if len(a.waiting) == 0 || a.opt.Clock().Sub(a.alarmed) < limitRest {
		return
	}
	list := a.waiting
	a.waiting = nil
	a.act(ctx, list)
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
	if !now.Before(a.ends) {
		a.over(now)
	}
	a.mu.Lock()
	for p, at := range a.said {
		if now.Sub(at) >= problemRest {
			delete(a.said, p)
		}
	}
	a.mu.Unlock()
}

// over tells of the blocks that have ended, and notes when the next one does.
func (a *actor) over(now time.Time) {
	a.ends = now.Add(problemRest) // or before, below
	for key, w := range a.held {
		switch {
		case w.Expired(now):
			delete(a.held, key)
			a.opt.Metrics.holding(key, -1)
			a.opt.Tell(&Block{Head: head("unblock", now), Block: row(&w, "lifted")})
		case !w.Until.IsZero() && w.Until.Before(a.ends):
			a.ends = w.Until
		}
	}
}

// decided is an accusation with what is known of the accused.
type decided struct {
	accusation
	known  judge.Known
	host   string
	word   string
	proved bool // it is malicious by what no local account can have written
	acts   bool
	held   string // why it is not acted upon although it could be
	site   *Site  // whose policy it falls under; nil: the server's
	told   *report.Peer
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

// note remembers a block that was made.
func (a *actor) note(w *block.Wish) {
	if _, ok := a.held[w.BlockKey]; !ok {
		a.opt.Metrics.holding(w.BlockKey, 1)
	}
	kept := *w
	kept.Evidence = ""
	a.held[w.BlockKey] = kept
	if !w.Until.IsZero() && w.Until.Before(a.ends) {
		a.ends = w.Until
	}
}

// refused tells who was not blocked. Of those whom the limit of a minute let go only the number is told; they come again.
func (a *actor) refused(list []block.Refusal, byTarget map[netip.Prefix]*decided, now time.Time) {
	limited, why := 0, ""
	for _, r := range list {
		if r.Reason != block.ReasonLimit {
			a.problem(block.Show(r.Target), "not blocked: "+r.Why)
			continue
		}
		limited, why = limited+1, r.Why
		if d := byTarget[r.Target]; d != nil && len(a.waiting) < maxQueue {
			d.again = true
			a.waiting = append(a.waiting, d.accusation)
		}
	}
	if limited == 0 || now.Sub(a.alarmed) < limitRest {
		return
	}
	a.alarmed = now
	a.opt.Metrics.alarms.Add(1)
	a.opt.Metrics.problems.Add(1)
	a.opt.Tell(&Problem{Head: head("problem", now), Alarm: true, Problem: report.Problem{
		What: "limit", Why: fmt.Sprintf("%s; %d more so far, who %s let go and tried again in a minute. Look whether they are all guilty, and if so raise block.per_minute", why, limited, areOrIs(limited)),
	}})
}

func areOrIs(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
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
	counting := a.counting(&d, proved.Evidence, now)
	d.proved, d.acts = a.harmful(proved, &d), a.opt.Keeper != nil
	if d.acts = d.acts && d.proved; d.acts && d.held != "" {
		proved.Evidence = counting
		d.acts = a.harmful(proved, &d)
	}
	if d.acts || !d.proved || a.opt.Keeper == nil {
		d.held = ""
	}
	d.word = judge.Decide(v, &d.known)
	if d.acts && one.peer.Proxied && !a.reaches(&d) && a.requests(proved.Evidence) {
		d.acts, d.held = false, behindProxy
	}
	return d, v.Score >= connwarden.ScoreSuspicious || v.Exempt != ""
}

// behindProxy is why an address is not blocked whose packets never come here.
const behindProxy = "it comes through a trusted proxy, whose packets are all that a firewall here sees: block it there, or for the site alone"

// reaches tells whether a driver that would be used refuses who comes through a proxy.
func (a *actor) reaches(d *decided) bool {
	drivers := a.opt.Drivers
	if d.site != nil {
		if d.site.Folder != "" {
			return true
		}
		drivers = cmpDrivers(d.site.Drivers, drivers)
	}
	return a.opt.Behind != nil && slices.ContainsFunc(drivers, a.opt.Behind)
}

// requests tells whether evidence rests on requests alone.
func (a *actor) requests(list []connwarden.Evidence) bool {
	for _, r := range a.opt.Rules.Rules {
		if r.Look != rules.Requests && slices.ContainsFunc(list, func(e connwarden.Evidence) bool { return e.Rule == r.Name }) {
			return false
		}
	}
	return true
}

// harmful tells whether evidence makes an address malicious, whatever is known of it.
func (a *actor) harmful(v connwarden.Verdict, d *decided) bool {
	v.Evidence = slices.Clone(v.Evidence) // more is added
	v.Score = judge.ScoreOf(v.Evidence)
	v.ScoreNow = v.Score
	known := d.known
	return judge.Decide(&v, &known) == connwarden.VerdictMalicious && v.Exempt == ""
}

// counting is the evidence that policy acts upon now. If all of it is about one site, so is the block.
func (a *actor) counting(d *decided, list []connwarden.Evidence, now time.Time) (kept []connwarden.Evidence) {
	first := true
	for i := range list {
		site := a.opt.Policy.site(d.sites[list[i].Rule])
		if why := a.opt.Policy.held(&list[i], site, a.opt.quiet, now); why != "" {
			d.held = why
			continue
		}
		if kept = append(kept, list[i]); first {
			d.site, first = site, false
		} else if d.site != site {
			d.site = nil
		}
	}
	return kept
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
	a.opt.Metrics.asking.Add(1)
	set, resolver := a.opt.Bots, a.opt.Resolver // a reload may bring others
	go func() {
		defer func() { <-a.asking; a.opt.Metrics.asking.Add(-1) }()
		answers := set.Prove(ctx, resolver, []bots.Question{q})
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
	case slices.ContainsFunc(a.opt.Proxies, func(p netip.Prefix) bool { return p.Contains(addr) }):
		return "a trusted proxy, behind which are others: block the real client for the site"
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
		scope, drivers := connwarden.Scope{}, a.opt.Drivers
		if d.site != nil {
			scope, drivers = d.site.scope(), cmpDrivers(d.site.Drivers, drivers)
		}
		requests = append(requests, block.Request{
			Target: block.Automatic(block.Single(v.Addr)), Scope: scope, Drivers: drivers, By: connwarden.Origin{Kind: connwarden.ByRule, Name: e.Rule}, Why: e.Why, Evidence: string(evidence),
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
	if p.Proxied {
		r.Via = "proxy"
	}
	if d.known.Bot.Name != "" {
		r.Bot = &report.Bot{Claim: d.known.Bot.Name, Proof: d.known.Proof.String(), How: report.Clean(d.known.How)}
	}
	if r.Verdict == connwarden.VerdictMalicious && (a.opt.Keeper == nil || d.held != "") {
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
