package paper

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/connwarden/connwarden/report"
)

// Redact returns a copy of a review without what is about persons, to be shown to others. An address becomes a name
// (peer-1) that is the same throughout, of its network the country stays; accounts, referrers, queries, host names of
// peers and the versions of agents go; evidence is told by its rule, count and time. Of lines those of access logs
// are shown anew without what was taken out, of all others only file and number. File names and paths stay.
func Redact(d *report.Review) *report.Review {
	r := &redactor{names: map[string]string{}}
	out := *d
	out.Peers = slices.Clone(d.Peers)
	for i := range out.Peers {
		r.peer(&out.Peers[i])
	}
	out.Groups = []report.Peer{} // their names are accounts, agents and networks
	out.Fleet = nil              // host and group say which servers belong together
	if d.Conns != nil {
		c := *d.Conns
		c.Rows = r.conns(c.Rows)
		c.Problems = r.problems(c.Problems)
		out.Conns = &c
	}
	out.Ports = r.conns(d.Ports)
	if d.Pages != nil {
		p := *d.Pages
		p.Rows = slices.Clone(p.Rows)
		for i := range p.Rows {
			p.Rows[i].Key, p.Rows[i].Keys = r.text(p.Rows[i].Key), nil
		}
		p.Problems = r.problems(p.Problems)
		out.Pages = &p
	}
	if d.Errors != nil {
		e := *d.Errors
		e.Rows = slices.Clone(e.Rows)
		for i := range e.Rows {
			row := &e.Rows[i]
			row.Key, row.Meaning, row.Remedy = r.text(row.Key), r.text(row.Meaning), r.text(row.Remedy)
			row.Clients = slices.Clone(row.Clients)
			for j := range row.Clients {
				row.Clients[j].Name = r.text(row.Clients[j].Name)
			}
			if row.Sample != nil {
				row.Sample = &report.Sample{File: row.Sample.File, Line: row.Sample.Line, Offset: row.Sample.Offset}
			}
		}
		e.Problems = r.problems(e.Problems)
		out.Errors = &e
	}
	if d.History != nil { // how much came and what was thought of whom; not which sites there are, nor who blocked what for which reason
		h := *d.History
		h.Sites, h.Blocks = []report.SiteRate{}, []report.PastBlock{}
		h.Verdicts = slices.Clone(h.Verdicts)
		for i := range h.Verdicts {
			r.peer(&h.Verdicts[i].Peer)
		}
		h.Problems = r.problems(h.Problems)
		out.History = &h
	}
	out.Pressure = slices.Clone(d.Pressure)
	for i := range out.Pressure {
		out.Pressure[i].About, out.Pressure[i].Why = r.text(out.Pressure[i].About), r.text(out.Pressure[i].Why)
	}
	out.Findings = r.findings(d, &out)
	out.Problems = r.problems(d.Problems)
	return &out
}

// redactor knows the names that were given.
type redactor struct {
	names map[string]string // by address or prefix
	peers int
	nets  int
}

// name is what an address or a prefix is called from now on; a text that is neither stays.
func (r *redactor) name(text string) string {
	if n := r.names[text]; n != "" {
		return n
	}
	if a, err := netip.ParseAddr(text); err == nil {
		if r.names[a.Unmap().String()] == "" {
			r.peers++
			r.names[a.Unmap().String()] = fmt.Sprintf("peer-%d", r.peers)
		}
		return r.names[a.Unmap().String()]
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		r.nets++
		r.names[p.String()] = fmt.Sprintf("net-%d", r.nets)
		return r.names[p.String()]
	}
	return text
}

func (r *redactor) peer(p *report.Peer) {
	p.Addr, p.Prefix, p.Name, p.Next = r.name(p.Addr), "", "", nil
	if p.Network != nil {
		p.Network = &report.Network{Country: p.Network.Country}
	}
	if p.Bot != nil {
		p.Bot = &report.Bot{Claim: p.Bot.Claim, Proof: p.Bot.Proof}
	}
	p.Exempt = r.text(p.Exempt)
	p.Via = r.text(p.Via)
	if b := p.Blocked; b != nil { // not who did it and why, nor of which site's folder
		p.Blocked = &report.Block{Target: p.Addr, Drivers: []string{}, Since: b.Since, Until: b.Until, By: b.By, State: b.State}
	}
	p.Evidence = slices.Clone(p.Evidence)
	for i := range p.Evidence {
		e := &p.Evidence[i]
		e.Why = r.why(e)
		e.Samples = slices.Clone(e.Samples)
		for j := range e.Samples {
			e.Samples[j].Text = r.line(e.Samples[j].Text)
		}
	}
}

// why is a reason without examples: what its rule says of itself, which stands before the colon, and how often.
func (r *redactor) why(e *report.Evidence) string {
	about, _, _ := strings.Cut(e.Why, ": ")
	about = r.text(about)
	if e.Count < 2 || about == e.Why {
		return about
	}
	about = fmt.Sprintf("%s: %s times", about, report.Thousands(e.Count))
	if e.Window > 0 {
		about += fmt.Sprintf(" within %s", seconds(e.Window))
	}
	return about
}

func seconds(f float64) string {
	switch {
	case f >= 2*3600:
		return fmt.Sprintf("%g h", round(f/3600))
	case f >= 60:
		return fmt.Sprintf("%g min", round(f/60))
	}
	return fmt.Sprintf("%g s", round(f))
}

// findings are told anew from the peers; those about no peer stay, without addresses.
func (r *redactor) findings(d, out *report.Review) []report.Finding {
	list := slices.Clone(d.Findings)
	at := map[string]*report.Peer{}
	for i := range out.Peers {
		at[out.Peers[i].Addr] = &out.Peers[i]
	}
	for i := range list {
		f := &list[i]
		f.Next = nil
		if f.Addr == "" {
			f.Title, f.Detail = r.text(f.Title), r.text(f.Detail)
			continue
		}
		f.Addr = r.name(f.Addr)
		p := at[f.Addr]
		if p == nil {
			f.Title, f.Detail = f.Addr, ""
			continue
		}
		f.Title = fmt.Sprintf("%s  %s %d  %s", p.Addr, strings.ToUpper(p.Verdict), p.Score, country(p))
		var why []string
		for _, e := range p.Evidence[:min(len(p.Evidence), 3)] {
			why = append(why, sentence(e.Why))
		}
		f.Detail = strings.Join(why, " ")
	}
	return list
}

func (r *redactor) conns(rows []report.ConnRow) []report.ConnRow {
	rows = slices.Clone(rows)
	for i := range rows {
		c := &rows[i]
		c.Key = r.name(c.Key)
		if c.Truncated {
			c.Key = "an address that was cut off"
		}
		c.Local, c.Remote = r.text(c.Local), r.text(c.Remote)
		c.States, c.Ports = maps.Clone(c.States), maps.Clone(c.Ports)
	}
	return rows
}

func (r *redactor) problems(list []report.Problem) []report.Problem {
	list = slices.Clone(list)
	for i := range list {
		list[i] = report.Problem{What: r.text(list[i].What), Why: r.text(list[i].Why)}
	}
	return list
}

// lazy compiles an expression when it is first wanted.
func lazy(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

var (
	links   = lazy(`[a-zA-Z][a-zA-Z0-9+.-]*://\S+`)
	mail    = lazy(`[^\s"'<>()=/,;:]+(@|%40)[^\s"'<>()/,;]+`)
	queries = lazy(`(/[^\s"'?]*)\?[^\s"']*`)
	network = lazy(`[0-9A-Fa-f.:]*[.:][0-9A-Fa-f.:]*(/\d{1,3})?`)
)

// text takes addresses, links, mail addresses and queries out of a text.
func (r *redactor) text(s string) string {
	s = links().ReplaceAllString(s, "…")
	s = mail().ReplaceAllString(s, "…")
	s = queries().ReplaceAllString(s, "$1?…")
	return network().ReplaceAllStringFunc(s, func(word string) string {
		if n := r.name(word); n != word {
			return n
		}
		core := strings.TrimRight(word, ".:")
		if n := r.name(core); n != core {
			return n + word[len(core):]
		}
		head, length, _ := strings.Cut(core, "/") // not a prefix: perhaps an address with a path or a port behind it
		if n := r.name(head); n != head {
			return n + core[len(head):len(core)-len(length)] + length + word[len(core):]
		}
		if ap, err := netip.ParseAddrPort(core); err == nil {
			return fmt.Sprintf("%s:%d%s", r.name(ap.Addr().String()), ap.Port(), word[len(core):])
		}
		return word
	})
}

// combined is a line of an access log in the combined form or with more behind it.
var combined = lazy(`^(\S+) \S+ .{0,64}?\[([^\]"]{1,40})\] "([A-Z]{1,16}) ([^" ]{1,900})( HTTP/[0-9.]+)?" (\d{3}) (\d+|-)(?: "[^"]*" "([^"]*)")?`)

// line is a line of an access log without what is about persons; "" for any other.
func (r *redactor) line(s string) string {
	m := combined().FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	path, _, asked := strings.Cut(m[4], "?")
	if asked {
		path += "?…"
	}
	line := fmt.Sprintf(`%s [%s] "%s %s%s" %s %s`, r.text(m[1]), m[2], m[3], r.text(path), m[5], m[6], m[7])
	if agent, _, _ := strings.Cut(m[8], "/"); m[8] != "" {
		line += fmt.Sprintf(` "%s"`, product(agent))
	}
	return line
}

// product is the name that an agent begins with, if it looks like one.
func product(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if len(word) > 24 || strings.Trim(strings.ToLower(word), "abcdefghijklmnopqrstuvwxyz-_") != "" {
		return "…"
	}
	return word
}
