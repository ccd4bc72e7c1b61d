package watch

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/report"
)

// findings lists what needs a person: peers first, then what presses, then what fails.
func (r *review) findings() {
	d := r.doc
	d.Findings = []report.Finding{}
	joint := map[string]bool{} // rules that groups are accused by: their members are told with them
	for _, g := range d.Groups {
		joint[g.Evidence[0].Rule] = true
	}
	members, told, rest := map[string][]string{}, 0, 0
	for _, p := range d.Peers {
		if p.Score < connwarden.ScoreSuspicious || refused(&p) {
			continue
		}
		if len(p.Evidence) == 1 && joint[p.Evidence[0].Rule] {
			if p.Verdict == connwarden.VerdictMalicious {
				members[p.Evidence[0].Rule] = append(members[p.Evidence[0].Rule], p.Target())
			}
			continue
		}
		if told++; told > maxTold {
			rest++
			continue
		}
		level := "warning"
		if p.Verdict == connwarden.VerdictMalicious {
			level = "critical"
		}
		var why []string
		families := map[string]bool{} // what sees the same fact is told once, by the strongest
		for i, e := range p.Evidence {
			if f := r.families[e.Rule]; f == "" || !families[f] {
				families[f] = true
				why = append(why, sentence(p.Evidence[i].Why))
			}
		}
		if more := len(why) - maxReasons; more > 1 {
			why = append(why[:maxReasons], fmt.Sprintf("And for %d more reasons.", more))
		}
		if p.Via == viaProxy && p.Verdict == connwarden.VerdictMalicious {
			why = append(why, "All its requests come by way of a trusted proxy, which a firewall sees in its place: block it there, or for the site.")
		}
		if p.Exempt != "" {
			why = append(why, "Must not be blocked: "+strings.TrimSuffix(p.Exempt, ".")+".")
		}
		if d.Conns != nil && p.Open > 0 && !hasRule(p.Evidence, "connection-outlier") {
			why = append(why, fmt.Sprintf("Holds %d of %d connections.", p.Open, d.Conns.Total))
		}
		d.Findings = append(d.Findings, report.Finding{
			Level: level, Title: strings.TrimRight(fmt.Sprintf("%s  %s %d  %s", p.Addr, strings.ToUpper(p.Verdict), p.Score, p.Network.Place()), " "), Detail: strings.Join(why, " "), Addr: p.Addr, Next: p.Next,
		})
	}
	if rest > 0 {
		d.Findings = append(d.Findings, report.Finding{
			Level: "warning", Title: fmt.Sprintf("%d more addresses are suspicious or malicious", rest), Detail: "They are in the list of peers, worst first.", Next: []string{r.allMalicious()},
		})
	}
	alike, named := alikeGroups(d.Groups), map[string]int{}
	for _, g := range d.Groups {
		if g.Score < connwarden.ScoreSuspicious {
			continue
		}
		rule := g.Evidence[0].Rule
		if named[rule]++; alike[rule] > maxAlike+1 && named[rule] > maxAlike {
			if named[rule] == maxAlike+1 {
				d.Findings = append(d.Findings, r.moreAlike(&g, alike[rule]-maxAlike))
			}
			continue
		}
		if list := members[g.Evidence[0].Rule]; len(list) > 0 {
			g.Next = append(g.Next, r.blockAll(list))
		}
		if g.Kind == "path" {
			g.Next = append(g.Next, r.pathNext(g.Addr, "agent")...)
		}
		d.Findings = append(d.Findings, report.Finding{
			Level: groupLevel(&g), Title: fmt.Sprintf("%s  %s %d", groupName(&g), strings.ToUpper(g.Verdict), g.Score), Detail: sentence(g.Evidence[0].Why), Next: g.Next,
		})
	}
	d.Findings = append(d.Findings, alreadyBlocked(d.Peers, d.Time.Location())...)
	for _, row := range d.Ports {
		if row.Dir == "out" && row.Key == "25" && row.Count >= mailBurst {
			d.Findings = append(d.Findings, report.Finding{
				Level: "warning", Title: fmt.Sprintf("%d connections go out to mail servers", row.Count),
				Detail: "A busy mail server does that; any other machine that does sends spam for somebody.", Next: []string{"connwarden conns --out --port 25 --by process"},
			})
		}
	}
	for _, p := range d.Pressure {
		if p.Level != "ok" {
			d.Findings = append(d.Findings, report.Finding{Level: p.Level, Title: pressureTitle(p), Detail: sentence(p.Why), Next: pressureNext(p)})
		}
	}
	d.Findings = append(d.Findings, r.failing()...)
	for _, o := range r.paths[:min(len(r.paths), maxAlike)] {
		if slices.ContainsFunc(r.crowds, func(v connwarden.Verdict) bool { return v.Subject.Name == o.Path }) {
			continue // the crowd tells it
		}
		d.Findings = append(d.Findings, report.Finding{
			Level: "info", Title: fmt.Sprintf("%s is asked for %d times as often as its neighbours", report.Clean(o.Path), o.Count/max(o.Usual, 1)),
			Detail: fmt.Sprintf("%d requests; the paths next to it in the ranking have %d.", o.Count, o.Usual),
			Next:   r.pathNext(o.Path, "ip"),
		})
	}
	sortFindings(d.Findings)
}

// alikeGroups is of how many groups a rule says most.
func alikeGroups(groups []report.Peer) map[string]int {
	alike := map[string]int{}
	for _, g := range groups {
		if g.Score >= connwarden.ScoreSuspicious {
			alike[g.Evidence[0].Rule]++
		}
	}
	return alike
}

// moreAlike tells how many groups more there are of which a rule says what it said of some. The worst of them is given.
func (r *review) moreAlike(g *report.Peer, more int) report.Finding {
	about, _, _ := strings.Cut(g.Evidence[0].Why, ":")
	return report.Finding{
		Level: groupLevel(g), Title: fmt.Sprintf("%d more %s of which the same is said", more, groupsWords[g.Kind]),
		Detail: sentence(about) + " They are in the list of groups, worst first.", Next: []string{"connwarden review" + r.namedAccess() + " --json | jq .groups"},
	}
}

func sortFindings(list []report.Finding) {
	slices.SortStableFunc(list, func(a, b report.Finding) int { return cmp.Compare(gravity[a.Level], gravity[b.Level]) })
}

// maxTold is how many addresses are told of one by one; no one reads more under pressure.
const maxTold = 10

// maxReasons is how many reasons are told of one address, the strongest of each family; the list of peers has all.
const maxReasons = 3

// groupLevel is how grave it is what is said of a group.
func groupLevel(g *report.Peer) string {
	if g.Verdict == connwarden.VerdictMalicious {
		return "critical"
	}
	return "warning"
}

// maxAlike is of how many groups one and the same thing is told, one by one.
const maxAlike = 3

// maxListed is how many addresses a command names.
const maxListed = 12

// blockAll is what to type to block the members of a group.
func (r *review) blockAll(addrs []string) string {
	if len(addrs) > maxListed {
		return r.allMalicious()
	}
	return "connwarden block " + strings.Join(addrs, " ") + " --for 1h"
}

// allMalicious is what to type to block every address whose verdict is malicious.
func (r *review) allMalicious() string {
	return "connwarden review" + r.namedAccess() + " --json | jq -r '.peers[] | select(.verdict == \"malicious\") | .prefix // .addr' | connwarden block --import - --for 1h"
}

// mailBurst is from how many connections to port 25 elsewhere a person should look who makes them.
const mailBurst = 20

// groupWords say in a finding what a group is.
var groupWords = map[string]string{
	"net": "the network", "asn": "the networks of", "country": "the country", "site": "the site", "path": "the path", "agent": "the agent", "user": "the account",
	"service": "the service",
}

// groupsWords say so of several.
var groupsWords = map[string]string{
	"net": "networks", "asn": "operators' networks", "country": "countries", "site": "sites", "path": "paths", "agent": "agents", "user": "accounts", "service": "services",
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

// groupName is what a group is called in a finding.
func groupName(g *report.Peer) string {
	if g.Kind == "site" && g.Addr == judge.NoSite {
		return g.Addr
	}
	return groupWords[g.Kind] + " " + g.Addr
}

var gravity = map[string]int{"critical": 0, "warning": 1, "info": 2}

// pathNext looks at who asks for a path, by a key.
func (r *review) pathNext(path, by string) []string {
	if strings.ContainsAny(path, "\"'\\") {
		return []string{}
	}
	return []string{report.Clean("connwarden pages --by " + by + " --where " + quote(`path="`+path+`"`) + r.namedAccess())}
}
