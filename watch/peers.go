package watch

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/report"
)

// peers writes every address with a verdict, worst first, then the busiest others.
func (r *review) peers(verdicts []connwarden.Verdict, open map[netip.Addr]uint64) {
	r.doc.Peers = []report.Peer{}
	done := map[netip.Addr]bool{}
	for _, v := range verdicts {
		p := r.peer(v.Addr, open[v.Addr])
		p.Score, p.Verdict, p.LevelNow = v.Score, connwarden.Word(v.Score), connwarden.Word(v.ScoreNow)
		p.Evidence = evidence(v.Evidence, r.opt.Zone)
		p.Next = r.next(v.Addr, p.Requests)
		r.doc.Peers = append(r.doc.Peers, p)
		done[v.Addr] = true
	}
	for _, a := range r.busiest(open, done) {
		r.doc.Peers = append(r.doc.Peers, r.peer(a, open[a]))
	}
}

// groups writes the verdicts on networks, sites, accounts and so on.
func (r *review) groups(verdicts []connwarden.Verdict) {
	r.doc.Groups = []report.Peer{}
	for _, v := range verdicts {
		p := report.Peer{
			Addr: report.Clean(v.Subject.Name), Kind: v.Subject.Kind, Score: v.Score, Verdict: connwarden.Word(v.Score), LevelNow: connwarden.Word(v.ScoreNow),
			Status: map[string]uint64{}, Evidence: evidence(v.Evidence, r.opt.Zone), Next: []string{},
		}
		if prefix, err := netip.ParsePrefix(v.Subject.Name); err == nil && v.Subject.Kind == "net" && p.Verdict == connwarden.VerdictMalicious {
			p.Next = append(p.Next, "connwarden block "+prefix.String()+" --for 1h")
		}
		r.doc.Groups = append(r.doc.Groups, p)
	}
}

// busiest lists the addresses with the most requests and connections that have no verdict.
func (r *review) busiest(open map[netip.Addr]uint64, done map[netip.Addr]bool) []netip.Addr {
	weight := map[netip.Addr]uint64{}
	most := r.opt.Top
	if r.sum != nil {
		n := most + len(done)
		if most == 0 {
			n = r.sum.ledgers.Len()
		}
		for _, p := range r.sum.ledgers.Busiest(n) {
			weight[p.Addr] = p.Requests
		}
	}
	for a, n := range open {
		weight[a] += n
	}
	var list []netip.Addr
	for a := range weight {
		if !done[a] {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b netip.Addr) int {
		return cmp.Or(cmp.Compare(weight[b], weight[a]), a.Compare(b))
	})
	if most > 0 && len(list) > most {
		list = list[:most]
	}
	return list
}

func (r *review) peer(a netip.Addr, open uint64) report.Peer {
	known := judge.Peer{Addr: a}
	if r.sum != nil {
		known = r.sum.ledgers.Peer(a)
	}
	return report.Peer{
		Addr: a.String(), Verdict: connwarden.VerdictNormal, LevelNow: connwarden.VerdictNormal, Open: open, Requests: known.Requests, Bytes: known.Bytes,
		Status: report.Classes(known.ByClass), First: report.When(in(known.First, r.opt.Zone)), Last: report.When(in(known.Last, r.opt.Zone)),
		Evidence: []report.Evidence{}, Next: []string{},
	}
}

// next is what to type to see more of an address.
func (r *review) next(a netip.Addr, requests uint64) []string {
	if requests == 0 {
		return []string{"connwarden conns --by net"}
	}
	return []string{fmt.Sprintf("connwarden pages --where ip=%s --by path,status", a) + r.namedAccess()}
}

// namedAccess is the access logs that the user named, as arguments of a command; three are enough to understand.
func (r *review) namedAccess() string {
	var args strings.Builder
	n := 0
	for i, one := range r.sources.List {
		if one.Named && one.Format.Kind == logs.Access && r.files[i].Lines > 0 && n < 3 {
			args.WriteString(" " + quote(one.Log.Path))
			n++
		}
	}
	return args.String()
}

// quote writes a word as a shell reads it back.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// findings lists what needs a person: peers first, then what presses, then what fails.
func (r *review) findings() {
	d := r.doc
	d.Findings = []report.Finding{}
	for _, p := range d.Peers {
		if p.Score < connwarden.ScoreSuspicious {
			continue
		}
		level := "warning"
		if p.Verdict == connwarden.VerdictMalicious {
			level = "critical"
		}
		var why []string
		for _, e := range p.Evidence {
			why = append(why, sentence(e.Why))
		}
		if d.Conns != nil && p.Open > 0 && !hasRule(p.Evidence, "connection-outlier") {
			why = append(why, fmt.Sprintf("Holds %d of %d connections.", p.Open, d.Conns.Total))
		}
		d.Findings = append(d.Findings, report.Finding{
			Level: level, Title: fmt.Sprintf("%s  %s %d", p.Addr, strings.ToUpper(p.Verdict), p.Score), Detail: strings.Join(why, " "), Addr: p.Addr, Next: p.Next,
		})
	}
	for _, p := range d.Pressure {
		if p.Level != "ok" {
			d.Findings = append(d.Findings, report.Finding{Level: p.Level, Title: pressureTitle(p), Detail: sentence(p.Why), Next: pressureNext(p)})
		}
	}
	d.Findings = append(d.Findings, r.failing()...)
	for _, o := range r.paths {
		d.Findings = append(d.Findings, report.Finding{
			Level: "info", Title: fmt.Sprintf("%s is asked for %d times as often as its neighbours", report.Clean(o.Path), o.Count/max(o.Usual, 1)),
			Detail: fmt.Sprintf("%d requests; the paths next to it in the ranking have %d.", o.Count, o.Usual),
			Next:   r.pathNext(o.Path),
		})
	}
	slices.SortStableFunc(d.Findings, func(a, b report.Finding) int { return cmp.Compare(gravity[a.Level], gravity[b.Level]) })
}

var gravity = map[string]int{"critical": 0, "warning": 1, "info": 2}

func (r *review) pathNext(path string) []string {
	if strings.ContainsAny(path, "\"'\\") {
		return []string{}
	}
	return []string{report.Clean("connwarden pages --by ip --where " + quote(`path="`+path+`"`) + r.namedAccess())}
}

func pressureTitle(p report.Pressure) string {
	show := number
	switch p.What {
	case "load":
		return fmt.Sprintf("load %s on %s cores", number(p.Value), number(p.Limit))
	case "memory", "swap":
		show = func(f float64) string { return report.Size(uint64(f)) }
	}
	title := strings.ReplaceAll(p.What, "_", " ") + " "
	if p.About != "" {
		title += "of " + p.About + ": "
	}
	title += show(p.Value)
	if p.Limit > 0 {
		title += " of " + show(p.Limit)
	}
	return title
}

// pressureNext is what to type to see who causes a pressure.
func pressureNext(p report.Pressure) []string {
	switch p.What {
	case "syn_recv", "syn_cookies_sent", "syn_queue_drops":
		return []string{"connwarden conns --state syn-recv --by net"}
	case "close_wait":
		return []string{"connwarden conns --state close-wait --by process"}
	case "accept_queue":
		if a, err := netip.ParseAddrPort(p.About); err == nil {
			return []string{fmt.Sprintf("connwarden conns --in --port %d", a.Port())}
		}
	}
	return []string{}
}

func number(f float64) string {
	if f == float64(int64(f)) {
		return fmt.Sprint(int64(f))
	}
	return fmt.Sprintf("%.2f", f)
}

func hasRule(list []report.Evidence, rule string) bool {
	return slices.ContainsFunc(list, func(e report.Evidence) bool { return e.Rule == rule })
}

// sentence begins with a capital and ends with a stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
