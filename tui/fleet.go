package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/connwarden/connwarden/report"
)

const (
	fleetPause = 5 * time.Second // between two looks at the fleet, while it is shown
	fleetBelow = 100             // attackers, and refusals, beneath the hosts
)

type (
	fleetMsg struct {
		doc *report.Fleet
		err error
	}
	// hostMsg is what another host said.
	hostMsg struct {
		host string
		doc  *report.Review
		err  error
	}
)

// shownTabs is how many tabs there are: the last one only where this machine is in a fleet.
func (s *screen) shownTabs() int {
	if s.review == nil || s.review.Fleet == nil {
		return tabFleet
	}
	return len(tabs)
}

// dueFleet looks at the fleet if that is due and it is shown.
func (s *screen) dueFleet() tea.Cmd {
	if s.tab != tabFleet || s.busy["fleet"] || s.now.Sub(s.fleetAt) < fleetPause {
		return nil
	}
	s.busy["fleet"], s.fleetAt = true, s.now
	return func() tea.Msg {
		d, err := s.opt.Desk.Fleet(s.ctx)
		return fleetMsg{d, err}
	}
}

// healths are the words for how a host is, the worst first.
var healths = []string{"critical", "silent", "warning", "unknown", "stopped", "ok"}

func health(word string) cell {
	n := slices.Index(healths, word)
	if n < 0 {
		n, word = len(healths), "unknown" // of a later version
	}
	c := cell{text: word, style: amber, value: float64(len(healths) - n)}
	switch word {
	case "critical":
		c.style = red
	case "ok", "stopped":
		c.style = dim
	}
	return c
}

// hosts are those of the fleet, the worst first, and beneath them whom they decided against and what they did not take.
func (s *screen) hosts() *table {
	t := &table{cols: []column{
		{title: "HEALTH", worth: true}, {title: "HOST", least: 16}, {title: "LOAD", right: true, drop: 4}, {title: "OPEN", right: true, drop: 1}, {title: "REQ/MIN", right: true},
		{title: "ERR/MIN", right: true, drop: 2}, {title: "FOUND", right: true, drop: 3}, {title: "BLOCKS", right: true, drop: 5}, {title: "REFUSED", right: true, drop: 7},
		{title: "SEEN", right: true, drop: 6}, {title: "VERSION", least: 8, drop: 8}, {title: "GROUP", least: 6, drop: 9},
	}}
	d := s.fleet
	if d == nil {
		t.empty = s.waiting("fleet")
		return t
	}
	t.empty = []string{"No host has told how it is."}
	for i := range d.Hosts {
		h := &d.Hosts[i]
		load := cell{}
		if h.Cores > 0 {
			load = cell{text: fmt.Sprintf("%.1f/%d", h.Load, h.Cores), value: h.Load / float64(h.Cores)}
		}
		ago := d.Time.Sub(h.Seen)
		t.entries = append(t.entries, entry{key: h.Host, host: h.Host, cells: []cell{
			health(h.Health), words(report.Clean(h.Host), bold), load, count(h.Open), number(h.Requests, plain), number(h.Errors, plain), count(h.Findings), count(h.Blocks), count(h.Refused),
			{text: report.Brief(ago), value: -ago.Seconds()}, words(report.Clean(h.Version), dim), words(report.Clean(h.Group), dim),
		}})
	}
	slices.SortStableFunc(t.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.cells[0].value, a.cells[0].value), cmp.Compare(b.cells[6].value, a.cells[6].value))
	})
	t.below = s.shared(d)
	return t
}

func count(n int) cell { return number(uint64(max(n, 0)), plain) }

// shared is what stands beneath the hosts.
func (s *screen) shared(d *report.Fleet) [][]span {
	var out [][]span
	if why := s.failures["fleet"]; why != "" {
		out = append(out, []span{{"Not seen since " + d.Time.Format("15:04:05") + ": " + why, amber}})
	}
	out = append(out, nil, []span{{"BLOCKED BY THE FLEET  " + report.Thousands(uint64(len(d.Blocked)+d.Rest)), bold}})
	t := &table{cols: []column{{title: "TARGET"}, {title: "HOSTS", right: true}, {title: "LEFT"}, {title: "BY", least: 16, drop: 1}, {title: "WHY", least: 16, drop: 2}}}
	for i := range d.Blocked[:min(len(d.Blocked), fleetBelow)] {
		b := &d.Blocked[i]
		t.entries = append(t.entries, entry{cells: []cell{
			words(report.Clean(report.Shown(b.Target)), bold), count(len(b.Hosts)), words(report.Left(s.now, b.Until), plain),
			words(report.Clean(strings.Join(b.Hosts[:min(len(b.Hosts), 5)], " ")), plain), words(report.Clean(b.Why), dim),
		}})
	}
	if len(t.entries) > 0 {
		w := t.widths(s.width - gutter)
		head, _ := t.head(&s.pen, w, order{})
		out = append(out, head)
		for i := range t.entries {
			out = append(out, t.line(&s.pen, w, t.entries[i].cells, nil))
		}
	}
	if more := len(d.Blocked) + d.Rest - len(t.entries); more > 0 {
		out = append(out, []span{{report.Thousands(uint64(more)) + " more: connwarden fleet --top 0", dim}})
	}
	refused := s.refusals(d)
	if len(refused) > 0 {
		out = append(out, nil, []span{{"NOT TAKEN", bold}})
	}
	for _, text := range refused {
		for _, line := range wrap(text, s.width-gutter) {
			out = append(out, []span{{line, plain}})
		}
	}
	for _, p := range d.Problems {
		for _, line := range wrap(report.Clean(p.What)+": "+report.Clean(p.Why), s.width-gutter) {
			out = append(out, []span{{line, dim}})
		}
	}
	return out
}

// refusals are what hosts did not take of each other, the latest first.
func (s *screen) refusals(d *report.Fleet) []string {
	type one struct {
		at   time.Time
		text string
	}
	var all []one
	for i := range d.Hosts {
		for _, r := range d.Hosts[i].Recent {
			all = append(all, one{r.Time, fmt.Sprintf("%s: the %s of %s by %s: %s", report.Clean(d.Hosts[i].Host), report.Clean(r.Kind), report.Clean(report.Shown(r.Target)), report.Clean(r.From), report.Clean(r.Why))})
		}
	}
	slices.SortStableFunc(all, func(a, b one) int { return b.at.Compare(a.at) })
	texts := make([]string, min(len(all), fleetBelow))
	for i := range texts {
		texts[i] = all[i].text
	}
	return texts
}

// visit opens the sheet of a host at once with what it tells all others, and asks it for its review if this host may.
func (s *screen) visit(host string) tea.Cmd {
	s.sheet = &sheet{host: host}
	if s.review == nil || s.review.Fleet == nil || !s.review.Fleet.Operator {
		return nil
	}
	return func() tea.Msg {
		d, err := s.opt.Desk.FleetHost(s.ctx, host)
		return hostMsg{host, d, err}
	}
}

// visited is the sheet of a host.
func (s *screen) visited(h *sheet) []string {
	var out []string
	for i := range s.fleet.Hosts {
		if t := &s.fleet.Hosts[i]; t.Host == h.host {
			out = append(out, s.told(t)...)
		}
	}
	switch {
	case h.review != nil:
		out = append(out, s.paragraph("This is what it says of itself. What it would have you type is left out: a host may be stolen.", dim, s.width)...)
		out = append(out, "")
		text := report.Text{Width: s.width, Color: s.pen.color, ASCII: s.pen.ascii}
		var b strings.Builder
		if err := text.Review(&b, h.review); err != nil {
			return append(out, report.Clean(err.Error()))
		}
		return append(out, fold(b.String(), s.width)...)
	case h.err != nil:
		return append(out, s.paragraph(report.Clean(h.err.Error()), amber, s.width)...)
	case s.review.Fleet != nil && s.review.Fleet.Operator:
		return append(out, s.paragraph("Asking it for its review.", dim, s.width)...)
	default:
		return append(out, s.paragraph("Its review cannot be asked for: this host joined with a token that was made without --operator.", amber, s.width)...)
	}
}

// told is what a host tells all others.
func (s *screen) told(h *report.FleetHost) []string {
	word := health(h.Health)
	out := s.paragraph(report.Clean(h.Host), bold, s.width)
	out = append(out, s.pen.draw([]span{{word.text, word.style}}, s.width, false))
	n := func(v int, one, many string) string { return report.Plural(uint64(max(v, 0)), one, many) }
	parts := []string{
		"group " + report.Clean(h.Group), "connwarden " + report.Clean(h.Version), "seen " + report.Brief(s.fleet.Time.Sub(h.Seen)) + " ago",
		n(h.Open, "connection", "connections"), report.Plural(h.Requests, "request", "requests") + " and " + report.Plural(h.Errors, "error", "errors") + " a minute",
		n(h.Blocks, "block", "blocks") + " in force, " + report.Thousands(uint64(max(h.Held, 0))) + " held for others", n(h.Shared, "decision", "decisions") + " shared, " + report.Thousands(uint64(max(h.Refused, 0))) + " not taken",
	}
	if h.Cores > 0 {
		parts = slices.Insert(parts, 3, fmt.Sprintf("load %.2f on %s", h.Load, n(h.Cores, "core", "cores")))
	}
	if h.Clock >= 2 || h.Clock <= -2 {
		parts = append(parts, fmt.Sprintf("its clock is %.0f s ahead of the hub's", h.Clock))
	}
	out = append(out, s.paragraph(strings.Join(parts, s.pen.dot()), plain, s.width)...)
	for _, r := range h.Recent {
		out = append(out, s.paragraph(fmt.Sprintf("Not taken: the %s of %s by %s: %s", report.Clean(r.Kind), report.Clean(report.Shown(r.Target)), report.Clean(r.From), report.Clean(r.Why)), dim, s.width)...)
	}
	return append(out, "")
}
