package live

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/report"
)

func (a *actor) sync(ctx context.Context) {
	a.synced, a.lifts = a.opt.Clock(), false
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
	a.took = a.opt.Clock().Sub(a.synced)
}

// mover is a keeper that knows cheaply whether somebody changed the firewalls.
type mover interface {
	Moved(ctx context.Context) (bool, error)
}

// putBackEvery is how soon it is seen that somebody took our blocks out of a firewall.
const putBackEvery = time.Minute

// moved tells, at most once a minute and for a hundredth of the time, whether the firewalls are to be compared anew, since somebody may
// have flushed them.
func (a *actor) moved(ctx context.Context, now time.Time) bool {
	rest := max(putBackEvery, 100*a.took)
	k, ok := a.opt.Keeper.(mover)
	if !ok || now.Sub(a.synced) < rest || now.Sub(a.looked) < putBackEvery {
		return false
	}
	a.looked = now
	yes, err := k.Moved(ctx)
	if err != nil {
		a.problem("blocks", err.Error())
	}
	return yes
}

// memory is a keeper that knows what is blocked, by whomever, and what was.
type memory interface {
	Each(ctx context.Context, each func(*block.Wish)) error
	Last(ctx context.Context, keys ...connwarden.BlockKey) ([]block.Wish, error)
}

// hold learns what is blocked, by whomever, and tells of what was lifted by others.
func (a *actor) hold(ctx context.Context) {
	k, ok := a.opt.Keeper.(memory)
	if !ok {
		return
	}
	a.held.look()
	if err := k.Each(ctx, func(w *block.Wish) { a.held.put(w) }); err != nil {
		a.problem("blocks", err.Error())
		return
	}
	a.ended(ctx, a.held.unseen())
	a.ends = time.Time{}
	a.opt.Metrics.hold(a.held.count())
}

// endedAtOnce are asked of the journal together: their texts are long.
const endedAtOnce = 256

// ended tells of blocks that are over or were lifted, with what the journal says of them.
func (a *actor) ended(ctx context.Context, list []block.Wish) {
	for some := range slices.Chunk(list, endedAtOnce) {
		known := make(map[connwarden.BlockKey]*block.Wish, len(some))
		if k, ok := a.opt.Keeper.(memory); ok {
			keys := make([]connwarden.BlockKey, len(some))
			for i := range some {
				keys[i] = some[i].BlockKey
			}
			past, err := k.Last(ctx, keys...)
			if err != nil {
				a.problem("blocks", err.Error())
			}
			for i := range past {
				known[past[i].BlockKey] = &past[i]
			}
		}
		for i := range some {
			w := &some[i]
			if was := known[w.BlockKey]; was != nil {
				if was.Wanted(a.opt.Clock()) { // another process blocked it for longer, or anew
					a.note(was)
					continue
				}
				was.Revision = w.Revision // of the block, not of what lifted it
				w = was
			}
			a.opt.Tell(&Block{Head: head("unblock", a.opt.Clock()), Block: row(w, "lifted")})
		}
	}
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
	if !now.Before(a.ends) && a.over(ctx, now) && a.opt.Sync > 0 { // some firewall ends nothing by itself
		a.lifts = true
	}
	if rest := now.Sub(a.synced); rest >= every || a.lifts && rest >= liftRest || a.moved(ctx, now) {
		a.sync(ctx)
		if rest >= every && a.held.ends.Len() >= easeFrom && a.opt.Ease != nil {
			go a.opt.Ease() // beside: it collects garbage, and who is to be blocked should not wait
		}
	}
	a.mu.Lock()
	for p, at := range a.said {
		if now.Sub(at) >= problemRest {
			delete(a.said, p)
		}
	}
	a.mu.Unlock()
}

// easeFrom is from how many blocks on comparing them leaves memory behind that is worth giving back.
const easeFrom = 10_000

// liftRest is how soon after a sync another one lifts what is over: where blocks end one after the other each makes a server read
// its configuration anew.
const liftRest = 2 * time.Second

// over tells of the blocks that have ended, and notes when the next one does. It tells whether any has.
func (a *actor) over(ctx context.Context, now time.Time) bool {
	var list []block.Wish
	list, a.ends = a.held.over(now, now.Add(problemRest))
	for i := range list {
		a.opt.Metrics.holding(list[i].BlockKey, -1)
	}
	a.ended(ctx, list)
	return len(list) > 0
}

// note remembers a block that was made.
func (a *actor) note(w *block.Wish) {
	if a.held.put(w) {
		a.opt.Metrics.holding(w.BlockKey, 1)
	}
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
