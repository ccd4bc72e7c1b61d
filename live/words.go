package live

import (
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/report"
)

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
	r.Addr, r.Prefix, r.Requests, r.Bytes, r.Status = v.Addr.String(), report.Judged(v.Addr), p.Requests, p.Bytes, report.Classes(p.ByClass)
	r.First, r.Last, r.Name = report.When(a.in(p.First)), report.When(a.in(p.Last)), report.Clean(d.host)
	r.Network = network(a.opt.Networks, v.Addr)
	if p.Proxied {
		r.Via = "proxy"
	}
	if d.known.Bot.Name != "" {
		r.Bot = &report.Bot{Claim: d.known.Bot.Name, Proof: d.known.Proof.String(), How: report.Clean(d.known.How)}
	}
	if r.Verdict == connwarden.VerdictMalicious && (a.opt.Keeper == nil || d.held != "") {
		r.Next = append(r.Next, "connwarden block "+r.Target()+" --for 1h")
	}
	return r
}

func row(w *block.Wish, state string) report.Block {
	return report.Block{
		Target: w.Target.String(), Scope: report.Clean(w.Scope.String()), Drivers: strings.Fields(w.Driver), Since: report.When(w.Since), Until: report.When(w.Until),
		By: w.By.Kind.String(), Who: report.Clean(w.By.Name), Why: report.Clean(w.Why), State: state, Change: w.Revision,
	}
}
