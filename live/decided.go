package live

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/nets"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/rules"
)

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
	case nets.Fronts().Contains(addr):
		return "the address of a content delivery network, behind which are others: block the real client for the site"
	}
	return ""
}
