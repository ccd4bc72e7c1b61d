package tui

import (
	"fmt"
	"strings"

	"github.com/connwarden/connwarden/report"
)

// pages are what is asked for.
func (s *screen) pages() *table {
	t := &table{cols: []column{
		{title: "COUNT", right: true}, {title: "SHARE", right: true, drop: 3}, {title: "", drop: 5}, {title: "PATH", least: 16}, {title: "IPS", right: true, drop: 4},
		{title: "BYTES", right: true, drop: 6}, {title: "2XX", right: true, drop: 9}, {title: "3XX", right: true, drop: 10}, {title: "4XX", right: true, drop: 7}, {title: "5XX", right: true, drop: 8},
	}}
	if s.review == nil {
		t.empty = s.waiting("review")
		return t
	}
	d := s.review.Pages
	if s.review.Followed {
		if d = s.asked; d == nil {
			t.empty = s.waiting("pages")
			return t
		}
	}
	if d == nil || len(d.Files) == 0 {
		t.empty = []string{"No access log was read."}
		return t
	}
	t.empty = []string{"No request in " + report.Plural(uint64(len(d.Files)), "log", "logs") + s.window() + "."}
	n := report.BarWidth(s.width)
	for i := range d.Rows {
		r := &d.Rows[i]
		count := number(r.Count, bold)
		if r.MaxError > 0 {
			count.text = "~" + count.text
		}
		ips := cell{}
		if r.IPs != nil {
			ips = number(*r.IPs, plain)
		}
		fifth := number(r.Status["5xx"], plain)
		if r.Status["5xx"] > 0 {
			fifth.style = amber
		}
		t.entries = append(t.entries, entry{key: r.Key, explain: s.page(r), cells: []cell{
			count, {text: report.Percent(r.Count, d.Counted), value: r.Share}, words(s.pen.bar(r.Share, n), plain), words(report.Clean(r.Key), plain), ips,
			{text: report.CellSize(r.Bytes), value: float64(r.Bytes)}, number(r.Status["2xx"], plain), number(r.Status["3xx"], plain), number(r.Status["4xx"], plain), fifth,
		}})
	}
	t.below = rest(d.Rest, "requests")
	return t
}

func (s *screen) window() string {
	if s.review.Since == nil {
		return ""
	}
	return " since " + s.review.Since.Format("2 Jan 15:04")
}

func rest(r report.Rest, what string) [][]span {
	if r.Rows == 0 {
		return nil
	}
	return [][]span{{{fmt.Sprintf("%s more rows with %s %s", report.Thousands(r.Rows), report.Thousands(r.Count), what), dim}}}
}

// errors are the faults of the error logs.
func (s *screen) errors() *table {
	t := &table{cols: []column{
		{title: "COUNT", right: true}, {title: "", drop: 3}, {title: "SERVICE", drop: 2}, {title: "LEVEL", drop: 4}, {title: "FAULT", least: 24}, {title: "LAST", drop: 5},
	}}
	if s.review == nil {
		t.empty = s.waiting("review")
		return t
	}
	d := s.review.Errors
	if d == nil || len(d.Files) == 0 && !s.review.Followed {
		t.empty = []string{"No error log was read."}
		return t
	}
	t.empty = []string{"No error in " + report.Plural(uint64(len(d.Files)), "error log", "error logs") + s.window() + "."}
	if s.review.Followed {
		t.empty = []string{"No error in the " + report.Plural(uint64(s.review.Logs), "log", "logs") + " that the daemon follows" + s.window() + "."}
	}
	for i := range d.Rows {
		r := &d.Rows[i]
		last := cell{}
		if r.Last != nil {
			last = words(r.Last.Format("2 Jan 15:04:05"), dim)
		}
		t.entries = append(t.entries, entry{key: r.Service + r.Key, explain: s.fault(r), cells: []cell{
			number(r.Count, bold), words(s.pen.bar(r.Share, report.BarWidth(s.width)), plain), words(report.Clean(r.Service), plain), words(report.Clean(r.Level), level(r.Level)),
			words(report.Clean(r.Key), plain), last,
		}})
	}
	t.below = rest(d.Rest, "entries")
	return t
}

func level(word string) style {
	switch word {
	case "critical", "alert", "emergency":
		return red
	case "error", "warning":
		return amber
	default:
		return dim
	}
}

// blocked is what is blocked.
func (s *screen) blocked() *table {
	t := &table{cols: []column{
		{title: "TARGET"}, {title: "WHAT", least: 8, drop: 4}, {title: "LEFT"}, {title: "HITS", right: true, drop: 2}, {title: "BY", least: 8, drop: 3},
		{title: "FIREWALL", drop: 1}, {title: "WHY", least: 16},
	}}
	d := s.blocks
	if d == nil {
		t.empty = s.waiting("blocks")
		return t
	}
	t.empty = []string{"Nobody is blocked. Looked into the journal of blocks and the firewall."}
	for i := range d.Blocks {
		b := &d.Blocks[i]
		hits := cell{}
		if b.Hits != nil {
			hits = cell{text: report.Thousands(b.Hits.Packets), value: float64(b.Hits.Packets)}
		}
		st, why := bold, report.Clean(b.Why)
		if b.State != "in_force" {
			st, why = amber, strings.TrimSpace("NOT IN FORCE "+why)
		}
		if b.Confirm != nil {
			why = strings.TrimSpace("TO BE CONFIRMED " + why)
		}
		by := b.By + " " + b.Who
		if b.By == "operator" {
			by = b.Who
		}
		t.entries = append(t.entries, entry{key: b.Target + b.Scope, target: report.Shown(b.Target), cells: []cell{
			words(report.Clean(report.Shown(b.Target)), st), words(report.Clean(b.Scope), plain), words(report.Left(s.now, b.Until), plain), hits, words(report.Clean(strings.TrimSpace(by)), plain),
			words(report.Clean(strings.Join(b.Drivers, " ")), plain), words(why, plain),
		}})
	}
	for _, p := range d.Problems {
		t.below = append(t.below, []span{{report.Clean(p.What) + ": " + report.Clean(p.Why), dim}})
	}
	return t
}
