package watch

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/report"
)

// Known is what a daemon knows of the last hour, without reading anything again.
type Known struct {
	Time, Since   time.Time
	Logs          int // that are followed
	Requests      uint64
	Bytes         uint64
	Class         [6]uint64
	First, Last   time.Time // of the requests, by the minute
	Events        [connwarden.NumEventKinds]uint64
	Errors        uint64
	Faults        *faults.Table
	FirstFault    time.Time
	LastFault     time.Time
	Peers, Groups []report.Peer // who was accused, worst first
	More          int           // accused that are not among them
	Busiest       []judge.Peer
	Claims        *bots.Claims // what the numbers of Busiest's claims mean
}

// Present is the review of what a daemon knows. It looks at the connections and the machine, and at no log: the pages of the
// document are counted and have no rows, which [Pages] reads for whoever wants them.
func Present(ctx context.Context, opt ReviewOptions, k *Known) (*report.Review, error) {
	r := &review{opt: opt, claims: k.Claims, doc: &report.Review{Schema: report.SchemaReview, Host: hostname(), Ports: []report.ConnRow{}, Followed: true}, now: k.Time}
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	d := r.doc
	d.Time, d.Since = k.Time.In(opt.Zone), report.When(in(k.Since, opt.Zone))
	r.families = map[string]string{}
	if opt.Rules != nil {
		for i := range opt.Rules.Rules {
			r.families[opt.Rules.Rules[i].Name] = opt.Rules.Rules[i].Family
		}
	}
	open, holders := r.opened(k.names())
	r.sum = &fold{faults: k.Faults, first: k.FirstFault, last: k.LastFault, events: k.Events}
	logs := make([]report.File, 0)
	d.Events = r.events()
	d.Errors = errorsDocument(r.sum, faults.ByFault, opt.Top, logs, opt.Zone, &r.p)
	d.Pages = &report.Pages{
		Schema: report.SchemaPages, By: "path", Lines: int64(k.Requests), Parsed: int64(k.Requests), Counted: k.Requests, Bytes: k.Bytes, Status: report.Classes(k.Class),
		First: report.When(in(k.First, opt.Zone)), Last: report.When(in(k.Last, opt.Zone)), Rows: []report.PageRow{}, Files: logs, Problems: []report.Problem{},
	}
	r.own = r.ownAddresses()
	r.known(ctx, k, open, holders)
	r.host.end(r)
	r.blocked(ctx)
	r.findings()
	r.p.Add(r.host.p...)
	if k.More > 0 {
		r.p.Say("peers", "%d more are accused; they are in the history", k.More)
	}
	d.Problems = told(r.p)
	return d, nil
}

// names tells by which address the daemon knows that of a connection, or its /64.
func (k *Known) names() func(netip.Addr) netip.Addr {
	known := map[string]netip.Addr{}
	for i := range k.Busiest {
		known[report.Judged(k.Busiest[i].Addr)] = k.Busiest[i].Addr
	}
	for i := range k.Peers {
		if a, err := netip.ParseAddr(k.Peers[i].Addr); err == nil {
			known[k.Peers[i].Prefix] = a
		}
	}
	delete(known, "") // IPv4
	return func(a netip.Addr) netip.Addr {
		if b, ok := known[report.Judged(a)]; ok {
			return b
		}
		return a
	}
}

// known writes the peers: the accused as they were told, with the connections that they have now, and the busiest others.
func (r *review) known(ctx context.Context, k *Known, open map[netip.Addr]uint64, holders []connwarden.Verdict) {
	d := r.doc
	d.Peers, d.Groups = append([]report.Peer{}, k.Peers...), append([]report.Peer{}, k.Groups...)
	have := map[netip.Addr]bool{}
	for i := range d.Peers {
		p := &d.Peers[i]
		a, err := netip.ParseAddr(p.Addr)
		if err != nil {
			continue
		}
		have[a] = true
		p.Open = open[a]
		if p.Verdict == connwarden.VerdictMalicious || p.Verdict == connwarden.VerdictSuspicious {
			p.Next = []string{}
			if p.Verdict == connwarden.VerdictMalicious && p.Exempt == "" && p.Via == "" {
				p.Next = append(p.Next, "connwarden block "+p.Target()+" --for 1h")
			}
			p.Next = append(p.Next, fmt.Sprintf("connwarden ip %s", p.Addr))
		}
	}
	for i := range holders { // who holds most connections stands out here as in a review
		if v := &holders[i]; !have[v.Addr] {
			have[v.Addr] = true
			p := judge.Peer{Addr: v.Addr}
			id := r.identify(ctx, []judge.Peer{p}, func(netip.Addr) bool { return true })[v.Addr]
			d.Peers = append(d.Peers, r.peer(&p, v, &id, judge.Decide(v, &id.Known), open[v.Addr]))
		}
	}
	var others []judge.Peer
	for _, p := range k.Busiest {
		if !have[p.Addr] {
			have[p.Addr] = true
			others = append(others, p)
		}
	}
	if r.cells != nil {
		for _, a := range r.busiest(open) {
			if !have[a] {
				have[a] = true
				others = append(others, judge.Peer{Addr: a})
			}
		}
	}
	who := r.identify(ctx, others, func(netip.Addr) bool { return false })
	for i := range others {
		p := &others[i]
		v, id := connwarden.Verdict{Addr: p.Addr}, who[p.Addr]
		word := judge.Decide(&v, &id.Known)
		d.Peers = append(d.Peers, r.peer(p, &v, &id, word, open[p.Addr]))
	}
	sortPeers(d.Peers)
}

// Recall adds to a review of the past the addresses that a history accuses and the logs no longer show, and says so in
// findings of their own.
func Recall(d *report.Review, h *report.History) {
	have := map[string]bool{}
	for i := range d.Peers {
		have[d.Peers[i].Addr] = true
	}
	told := 0
	for i := range h.Verdicts {
		p := h.Verdicts[i].Peer
		if p.Kind != "" || have[p.Addr] || p.Score < connwarden.ScoreSuspicious {
			continue
		}
		have[p.Addr] = true
		d.Peers = append(d.Peers, p)
		if told++; told > maxTold {
			continue
		}
		level := "warning"
		if p.Verdict == connwarden.VerdictMalicious {
			level = "critical"
		}
		detail := ""
		for j := range p.Evidence {
			detail += sentence(p.Evidence[j].Why) + " "
		}
		d.Findings = append(d.Findings, report.Finding{
			Level: level, Title: strings.TrimRight(fmt.Sprintf("%s  %s %d  %s", p.Addr, strings.ToUpper(p.Verdict), p.Score, p.Network.Place()), " "),
			Detail: detail + "By the history of " + h.Verdicts[i].Time.Format("2 Jan 15:04") + ".", Addr: p.Addr, Next: []string{"connwarden ip " + p.Addr},
		})
	}
	sortPeers(d.Peers)
	sortFindings(d.Findings)
}
