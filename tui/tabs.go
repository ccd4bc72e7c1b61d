package tui

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/connwarden/connwarden/report"
)

// tabs are the names of what is shown, in the order of their keys 1 to 7.
var tabs = [...]string{"Findings", "Peers", "Connections", "Pages", "Errors", "Blocks", "Fleet"}

const (
	tabFindings = iota
	tabPeers
	tabConns
	tabPages
	tabErrors
	tabBlocks
	tabFleet
)

// table is what a tab holds now, filtered and sorted.
func (s *screen) table() *table {
	t := [...]func() *table{s.findings, s.peers, s.conns, s.pages, s.errors, s.blocked, s.hosts}[s.tab]()
	t.filter(s.filter)
	t.sort(s.places[s.tab].order)
	if s.filter != "" && len(t.entries) == 0 {
		t.empty = []string{"Nothing here holds " + strconv.Quote(report.Clean(s.filter)) + ". Esc shows all."}
	}
	return t
}

// verdict is a peer's word as the command review shows it.
func verdict(word string) cell {
	switch word {
	case "malicious":
		return words(word, red)
	case "suspicious":
		return words(word, amber)
	case "normal":
		return words("", dim)
	default:
		return words(report.Clean(word), dim)
	}
}

// waiting says why a tab is empty before there is anything in it.
func (s *screen) waiting(what string) []string {
	if why := s.failures[what]; why != "" {
		return []string{why}
	}
	if what == "pages" {
		return []string{"Reading the access logs of this machine."}
	}
	if what == "review" {
		return []string{"Reading the logs of this machine for the first time."}
	}
	if what == "fleet" {
		return []string{"Asking the hub how the hosts of the fleet are."}
	}
	return []string{"Asking for the first time."}
}

// findings are what needs a person, and beneath it how near the machine is to its limits.
func (s *screen) findings() *table {
	t := &table{}
	if s.review == nil {
		t.empty = s.waiting("review")
		return t
	}
	n := 0
	for i := range s.review.Findings {
		f := &s.review.Findings[i]
		lead, st := strings.TrimSpace(s.pen.dot()), bold
		if f.Level != "info" {
			n++
			lead, st = strconv.Itoa(n), amber
		}
		if f.Level == "critical" {
			st = red
		}
		e := entry{key: f.Title, target: f.Addr, lines: [][]span{{{fmt.Sprintf("%-3s", lead), plain}, {report.Clean(f.Title), st}}}}
		for _, line := range wrap(report.Clean(f.Detail), s.width-gutter-3) {
			e.lines = append(e.lines, []span{{"   " + line, plain}})
		}
		for _, next := range f.Next { // whole: it is there to be typed
			for _, line := range fold(s.pen.arrow()+" "+report.Clean(next), max(s.width-gutter-3, 10)) {
				e.lines = append(e.lines, []span{{"   " + line, accent}})
			}
		}
		e.lines = append(e.lines, nil)
		t.entries = append(t.entries, e)
	}
	t.empty = wrap("Nothing needs you. "+report.LookedAt(s.review), s.width-gutter)
	t.below = s.limits()
	return t
}

// limits are the machine's, the nearest first as the review has them, and what could not be seen.
func (s *screen) limits() [][]span {
	var out [][]span
	pressing := slices.DeleteFunc(slices.Clone(s.review.Pressure), func(p report.Pressure) bool { return p.Value == 0 })
	if len(pressing) > 0 {
		out = append(out, []span{{"LIMITS", bold}})
		t := &table{cols: []column{{title: "NOW", right: true}, {title: "LIMIT", right: true}, {title: "", drop: 1}, {title: "WHAT"}, {title: "WHY", least: 10, drop: 2}}}
		for _, p := range pressing {
			st, share, limit := plain, 0.0, ""
			switch p.Level {
			case "critical":
				st = red
			case "warning":
				st = amber
			}
			if p.Limit > 0 {
				share, limit = min(p.Value/p.Limit, 1), figure(p.Limit)
			}
			t.entries = append(t.entries, entry{cells: []cell{
				words(figure(p.Value), bold), words(limit, plain), words(s.pen.bar(share, report.BarWidth(s.width)), st),
				words(strings.TrimSpace(strings.ReplaceAll(p.What, "_", "-")+" "+report.Clean(p.About)), st), words(report.Clean(p.Why), dim),
			}})
		}
		w := t.widths(s.width - gutter)
		head, _ := t.head(&s.pen, w, order{})
		out = append(out, head)
		for i := range t.entries {
			out = append(out, t.line(&s.pen, w, t.entries[i].cells, nil))
		}
		out = append(out, nil)
	}
	if e := s.review.Events; e != nil && e.Counted > 0 {
		out = append(out, []span{{"LOGINS AND MAIL  " + report.Thousands(e.Counted), bold}})
		for _, line := range wrap(report.Kinds(e.Kinds, s.pen.dot()), s.width-gutter-2) {
			out = append(out, []span{{"  " + line, plain}})
		}
		out = append(out, nil)
	}
	if len(s.review.Problems) > 0 {
		out = append(out, []span{{"Not seen:", dim}})
		for _, p := range report.Told(s.review.Problems) {
			for _, line := range wrap(p, s.width-gutter-2) {
				out = append(out, []span{{"  " + line, dim}})
			}
		}
	}
	return out
}

// figure is a number that may have a fraction.
func figure(f float64) string {
	if f == float64(uint64(f)) {
		return report.Thousands(uint64(f))
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// peers are the addresses and groups of the review, worst first, with the connections that they have now.
func (s *screen) peers() *table {
	t := &table{cols: []column{
		{title: "VERDICT", worth: true}, {title: "ADDRESS"}, {title: "OPEN", right: true, drop: 1}, {title: "", drop: 6}, {title: "REQUESTS", right: true, drop: 5},
		{title: "WHY", least: 16, drop: 4}, {title: "CC", drop: 7}, {title: "NETWORK", least: 12, drop: 8},
	}}
	if s.review == nil {
		t.empty = s.waiting("review")
		return t
	}
	t.empty = []string{"No peer. " + report.LookedAt(s.review)}
	open := s.open()
	n := report.BarWidth(s.width) / 2
	var top uint64
	for i := range s.review.Peers {
		top = max(top, slices.Max(append(s.history.of(s.review.Peers[i].Addr, n), 0)))
	}
	longest := 15 // of an IPv4 address
	for i := range s.review.Peers {
		p := &s.review.Peers[i]
		longest = max(longest, len(p.Addr))
		now := open(p)
		e := s.peer(p)
		e.cells[2], e.cells[3] = number(now, plain), words(s.pen.spark(s.history.of(p.Addr, n), top, n), dim)
		t.entries = append(t.entries, e)
	}
	for i := range s.review.Groups {
		if p := &s.review.Groups[i]; p.Verdict != "normal" {
			e := s.peer(p)
			e.key, e.cells[1].text = p.Kind+" "+p.Addr, s.pen.cut(p.Kind+" "+e.cells[1].text, longest)
			if p.Kind != "net" {
				e.target = ""
				e.explain = s.group(p)
			}
			t.entries = append(t.entries, e)
		}
	}
	return t
}

func (s *screen) peer(p *report.Peer) entry {
	network, country := "", ""
	if p.Network != nil {
		network, country = report.Clean(p.Network.Org), p.Network.Country
	}
	judged := verdict(p.Verdict)
	if judged.value = float64(p.Score); p.Score > 0 && judged.text != "" && s.width >= 50 {
		judged.text += " " + strconv.Itoa(p.Score)
	}
	return entry{key: p.Addr, target: p.Addr, cells: []cell{
		judged, words(report.Clean(p.Addr), bold), {}, {}, number(p.Requests, plain), words(s.why(p), plain), words(country, plain), words(network, dim),
	}}
}

// why is what a peer does: the first reason for its verdict, else what it is and what it was answered.
func (s *screen) why(p *report.Peer) string {
	var parts []string
	if b := s.blockOf(p.Addr); b != nil {
		parts = append(parts, "BLOCKED "+report.Left(s.now, b.Until))
	}
	switch {
	case len(p.Evidence) > 0:
		parts = append(parts, report.Clean(p.Evidence[0].Why))
	case p.Bot != nil:
		parts = append(parts, report.Clean(p.Bot.Claim)+" "+p.Bot.Proof)
	default:
		for _, class := range []string{"2xx", "3xx", "4xx", "5xx"} {
			if n := p.Status[class]; n > 0 {
				parts = append(parts, class+" "+report.Percent(n, p.Requests))
			}
		}
	}
	return strings.Join(parts, s.pen.dot())
}

// open tells how many connections a peer has by the last sample, or by the review where that held no more rows.
func (s *screen) open() func(*report.Peer) uint64 {
	if s.live == nil {
		return func(p *report.Peer) uint64 { return p.Open }
	}
	live := make(map[string]uint64, len(s.live.Rows))
	for _, r := range s.live.Rows {
		live[r.Key] = r.Count
	}
	return func(p *report.Peer) uint64 {
		n, shown := live[p.Addr]
		if !shown && s.live.Rest.Rows > 0 {
			return p.Open
		}
		return n
	}
}

// blockOf is the block that holds an address.
func (s *screen) blockOf(addr string) *report.Block {
	a, err := netip.ParseAddr(addr)
	if err != nil || s.blocks == nil {
		return nil
	}
	for i := range s.blocks.Blocks {
		b := &s.blocks.Blocks[i]
		if p, err := netip.ParsePrefix(b.Target); err == nil && p.Contains(a) && b.State == "in_force" {
			return b
		}
	}
	return nil
}

// conns are the connections by address, as they are now.
func (s *screen) conns() *table {
	d := s.live
	if d == nil && s.review != nil {
		d = s.review.Conns
	}
	t := &table{cols: []column{
		{title: "COUNT", right: true}, {title: "SHARE", right: true, drop: 5}, {title: "", drop: 4}, {title: "ADDRESS"}, {title: "VERDICT"}, {title: "", drop: 9},
		{title: "IN", right: true, drop: 6}, {title: "OUT", right: true, drop: 7}, {title: "PORTS", least: 9, drop: 3}, {title: "STATES", least: 20, drop: 8},
	}}
	switch {
	case d == nil && !s.opt.Conns:
		t.empty = []string{"Connections were not looked at: --no-conns."}
		return t
	case d == nil:
		t.empty = s.waiting("conns")
		return t
	}
	t.empty = []string{"No connection, but for those of this machine with itself."}
	thought := map[string]string{}
	if s.review != nil {
		for i := range s.review.Peers {
			thought[s.review.Peers[i].Addr] = s.review.Peers[i].Verdict
		}
	}
	n := report.BarWidth(s.width)
	var top uint64
	if len(d.Rows) > 0 {
		top = d.Rows[0].Count
	}
	for _, r := range d.Rows {
		t.entries = append(t.entries, entry{key: r.Key, target: r.Key, cells: []cell{
			number(r.Count, bold), {text: report.Percent(r.Count, d.Total), value: r.Share}, words(s.pen.bar(r.Share, n), plain), words(report.Clean(r.Key), bold),
			verdict(thought[r.Key]), words(s.pen.spark(s.history.of(r.Key, n/2), top, n/2), dim), number(r.In, plain), number(r.Out, plain),
			words(report.Counts(r.Ports, r.Count), plain), words(report.States(r.States, r.Count, s.pen.dot()), dim),
		}})
	}
	if d.Rest.Rows > 0 {
		t.below = [][]span{{{fmt.Sprintf("%s more addresses with %s connections", report.Thousands(d.Rest.Rows), report.Thousands(d.Rest.Count)), dim}}}
	}
	return t
}
