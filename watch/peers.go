package watch

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/report"
)

// maxBots bounds how many harmless bots are listed one by one.
const maxBots = 10_000

// peers writes every address whose verdict is not normal, worst first, then the busiest others.
func (r *review) peers(ctx context.Context, verdicts []connwarden.Verdict, open map[netip.Addr]uint64) {
	byAddr := make(map[netip.Addr]*connwarden.Verdict, len(verdicts))
	var list []judge.Peer
	add := func(p judge.Peer) {
		if byAddr[p.Addr] == nil {
			byAddr[p.Addr] = &connwarden.Verdict{Addr: p.Addr}
			list = append(list, p)
		}
	}
	for i := range verdicts {
		add(r.counted(verdicts[i].Addr))
		byAddr[verdicts[i].Addr] = &verdicts[i]
	}
	busiest := r.busiest(open)
	for _, a := range busiest {
		add(r.counted(a))
	}
	if r.sum != nil {
		for _, p := range r.sum.ledgers.Claimants(maxBots) {
			add(p)
		}
	}
	shown := map[netip.Addr]bool{}
	for _, a := range r.wanted(open) {
		a = r.judgedAs(a, list)
		add(r.counted(a))
		shown[a] = true
	}
	who := r.identify(ctx, list, func(a netip.Addr) bool { return shown[a] || byAddr[a].Score >= connwarden.ScoreSuspicious })
	for _, a := range busiest {
		shown[a] = true
	}
	r.doc.Peers = []report.Peer{}
	for _, p := range list {
		v, k := byAddr[p.Addr], who[p.Addr]
		word := judge.Decide(v, &k.Known)
		if word != connwarden.VerdictNormal || shown[p.Addr] {
			r.doc.Peers = append(r.doc.Peers, r.peer(&p, v, &k, word, open[p.Addr]))
		}
	}
	sortPeers(r.doc.Peers)
}

// sortPeers puts the worst first, then bots, then the busiest.
func sortPeers(list []report.Peer) {
	slices.SortStableFunc(list, func(a, b report.Peer) int {
		return cmp.Or(cmp.Compare(gravityOf(&a), gravityOf(&b)), cmp.Compare(b.Score, a.Score), cmp.Compare(b.Requests+b.Open, a.Requests+a.Open))
	})
}

// maxWanted bounds the addresses of a wanted prefix that are told of.
const maxWanted = 10_000

// wanted lists the addresses that were asked for: single ones in any case, of a prefix those that were seen.
func (r *review) wanted(open map[netip.Addr]uint64) []netip.Addr {
	var list []netip.Addr
	for _, p := range r.opt.Want {
		if p.IsSingleIP() {
			list = append(list, p.Addr())
			continue
		}
		for a := range open {
			if p.Contains(a) {
				list = append(list, a)
			}
		}
		if r.sum != nil {
			for _, one := range r.sum.ledgers.Within(p) {
				list = append(list, one.Addr)
			}
		}
	}
	return list[:min(len(list), maxWanted)]
}

// judgedAs is the address by which the /64 of an IPv6 address is known.
func (r *review) judgedAs(a netip.Addr, known []judge.Peer) netip.Addr {
	judged := report.Judged(a)
	for i := range known {
		if judged != "" && report.Judged(known[i].Addr) == judged {
			return known[i].Addr
		}
	}
	if judged != "" && r.sum != nil {
		return r.sum.ledgers.Peer(a).Addr
	}
	return a
}

// gravityOf is the place of a peer in the list: harm, then bots, then all others.
func gravityOf(p *report.Peer) int {
	switch p.Verdict {
	case connwarden.VerdictMalicious, connwarden.VerdictSuspicious:
		return 0
	case connwarden.VerdictNormal:
		return 2
	default:
		return 1
	}
}

// counted is what the logs say of an address.
func (r *review) counted(a netip.Addr) judge.Peer {
	if r.sum == nil {
		return judge.Peer{Addr: a}
	}
	p := r.sum.ledgers.Peer(a)
	p.Addr = a
	return p
}

func (r *review) peer(p *judge.Peer, v *connwarden.Verdict, k *identified, word string, open uint64) report.Peer {
	d := report.Peer{
		Addr: p.Addr.String(), Prefix: report.Judged(p.Addr), Verdict: word, LevelNow: connwarden.Word(v.ScoreNow), Score: v.Score, Open: open, Requests: p.Requests, Bytes: p.Bytes,
		Status: report.Classes(p.ByClass), First: report.When(in(p.First, r.opt.Zone)), Last: report.When(in(p.Last, r.opt.Zone)),
		Network: r.opt.Identity.network(p.Addr), Name: report.Clean(k.host), Evidence: evidence(v.Evidence, r.opt.Zone), Exempt: report.Clean(v.Exempt), Next: []string{},
	}
	if d.LevelNow == connwarden.VerdictNormal && word != connwarden.VerdictSuspicious && word != connwarden.VerdictMalicious {
		d.LevelNow = word
	}
	if k.Bot.Name != "" {
		d.Bot = &report.Bot{Claim: k.Bot.Name, Proof: k.Proof.String(), How: report.Clean(k.How)}
	}
	if p.Proxied {
		d.Via = viaProxy
	}
	switch word {
	case connwarden.VerdictMalicious:
		if next := r.deny(&d, p.Proxied, v); next != "" {
			d.Next = append(d.Next, next)
		}
		d.Next = append(d.Next, r.more(&d))
	case connwarden.VerdictSuspicious:
		d.Next = append(d.Next, r.more(&d))
	}
	return d
}

// deny is what to type to block an address: for the one site that it attacks if all its requests came through a proxy, whose
// packets are all that a firewall sees; nothing if that site is not known.
func (r *review) deny(p *report.Peer, proxied bool, v *connwarden.Verdict) string {
	if !proxied {
		return "connwarden block " + p.Target() + " --for 1h"
	}
	if r.sources == nil {
		return ""
	}
	sites := map[string]string{} // by the names of logs
	for _, one := range r.sources.List {
		sites[one.Log.Shown] = one.Log.Site
	}
	site := ""
	for _, e := range v.Evidence {
		for _, s := range e.Samples {
			one := sites[s.From.Name]
			if one == "" || site != "" && one != site {
				return ""
			}
			site = one
		}
	}
	if site == "" {
		return ""
	}
	return "connwarden block " + p.Target() + " --site " + site + " --for 1h"
}

// viaProxy says of a peer that a firewall sees proxies in its place.
const viaProxy = "proxy"

// blocked notes of the accused which blocks the journal wants already: those need nobody.
func (r *review) blocked(ctx context.Context) {
	if r.opt.Identity.Blocked == nil {
		return
	}
	var addrs []netip.Addr
	for i := range r.doc.Peers {
		if a, err := netip.ParseAddr(r.doc.Peers[i].Addr); err == nil && r.doc.Peers[i].Score >= connwarden.ScoreSuspicious {
			addrs = append(addrs, a)
		}
	}
	if len(addrs) == 0 {
		return
	}
	known, err := r.opt.Identity.Blocked(ctx, addrs)
	if err != nil {
		r.p.Say("blocks", "%s", gather.Reason(err))
	}
	for i := range r.doc.Peers {
		p := &r.doc.Peers[i]
		a, err := netip.ParseAddr(p.Addr)
		if b, ok := known[a]; ok && err == nil {
			p.Blocked = &b
			if refused(p) {
				p.Next = slices.DeleteFunc(slices.Clone(p.Next), func(n string) bool { return strings.HasPrefix(n, "connwarden block ") })
			}
		}
	}
}

// refused tells whether a peer is kept out already.
func refused(p *report.Peer) bool {
	return p.Blocked != nil && p.Blocked.State == "in_force" && p.Blocked.Scope == "all" && p.Via == ""
}

// alreadyBlocked tells of the accused that are kept out, in one finding that needs nobody.
func alreadyBlocked(peers []report.Peer, zone *time.Location) []report.Finding {
	var names, how []string
	for i := range peers {
		if p := &peers[i]; p.Score >= connwarden.ScoreSuspicious && refused(p) {
			names, how = append(names, p.Addr), append(how, blockedHow(p.Blocked, zone))
		}
	}
	const most = 3
	more := ""
	switch n := len(names) - most; {
	case len(names) == 0:
		return nil
	case n > 0:
		names, more = names[:most], fmt.Sprintf(" and %d more", n)
	}
	verb, detail := "are", ""
	for i, name := range names {
		detail += name + " " + how[i] + ". "
	}
	if len(names) == 1 && more == "" {
		verb, detail = "is", strings.ToUpper(how[0][:1])+how[0][1:]+". "
	}
	return []report.Finding{{Level: "info", Title: strings.Join(names, ", ") + more + " " + verb + " blocked already", Detail: detail + "What is told here was before, or did not get through.", Next: []string{"connwarden blocks"}}}
}

// blockedHow tells on whose word and until when an address is blocked, without the name of a person: a report may go to others.
func blockedHow(b *report.Block, zone *time.Location) string {
	by := "by an operator"
	switch b.By {
	case "rule":
		by = "by the rule " + b.Who
	case "fleet":
		by = "by the fleet"
	}
	if b.Until == nil {
		return by + ", until it is lifted"
	}
	return by + ", until " + b.Until.In(zone).Format("2 Jan 15:04:05")
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

// busiest lists the addresses with the most requests and connections.
func (r *review) busiest(open map[netip.Addr]uint64) []netip.Addr {
	weight := map[netip.Addr]uint64{}
	most := r.opt.Top
	if r.sum != nil && r.sum.ledgers != nil {
		n := most
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
	list := slices.Collect(maps.Keys(weight))
	slices.SortFunc(list, func(a, b netip.Addr) int {
		return cmp.Or(cmp.Compare(weight[b], weight[a]), a.Compare(b))
	})
	if most > 0 && len(list) > most {
		list = list[:most]
	}
	return list
}

// more is what to type to see more of an address.
func (r *review) more(p *report.Peer) string {
	if p.Requests == 0 {
		return "connwarden ip " + p.Addr
	}
	return fmt.Sprintf("connwarden pages --where ip=%s --by path,status", p.Target()) + r.namedAccess()
}

// namedAccess is the access logs that the user named, as arguments of a command; three are enough to understand.
func (r *review) namedAccess() string {
	var args strings.Builder
	if r.sources == nil {
		return ""
	}
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
