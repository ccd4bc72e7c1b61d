package report

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// SchemaFleet is that of the command fleet.
const SchemaFleet = "connwarden.fleet/1"

// Fleet is what the engine knows of all hosts.
type Fleet struct {
	Schema   string       `json:"schema"`
	Host     string       `json:"host"` // who looks
	Group    string       `json:"group"`
	Operator bool         `json:"operator"` // it may ask others for their reviews
	Time     time.Time    `json:"time"`
	Hosts    []FleetHost  `json:"hosts"`
	Blocked  []FleetBlock `json:"blocked"` // at most --top; those of most hosts first
	Rest     int          `json:"rest"`    // blocked besides
	Problems []Problem    `json:"problems"`
}

// Member is a host's place in its fleet.
type Member struct {
	Host     string `json:"host"`
	Group    string `json:"group"`
	Operator bool   `json:"operator"` // it may ask others for their reviews
}

// FleetHost is how a host is, as it says itself.
type FleetHost struct {
	Host     string         `json:"host"`
	Group    string         `json:"group"`
	Health   string         `json:"health"` // ok, warning, critical, stopped, unknown, silent
	Seen     time.Time      `json:"seen"`
	Version  string         `json:"version"`
	Load     float64        `json:"load"`
	Cores    int            `json:"cores"`
	Open     int            `json:"open"`
	Requests uint64         `json:"requests"` // a minute
	Errors   uint64         `json:"errors"`   // a minute
	Findings int            `json:"findings"`
	Blocks   int            `json:"blocks"` // in force
	Held     int            `json:"held"`   // of them, those that other hosts decided; and what they allow
	Shared   int            `json:"shared"` // decisions that others have of it
	Refused  int            `json:"refused"`
	Unread   int            `json:"unreadable"`
	Recent   []FleetRefusal `json:"recent"`
	Clock    float64        `json:"clock_ahead"` // seconds
}

// FleetRefusal is what a host did not take of what others decided.
type FleetRefusal struct {
	Kind   string    `json:"kind"`
	Target string    `json:"target"`
	From   string    `json:"from"`
	Why    string    `json:"why"`
	Time   time.Time `json:"time"`
}

// FleetBlock is one attacker, whichever hosts decided against it.
type FleetBlock struct {
	Target string     `json:"target"`
	Scope  string     `json:"scope"`
	Hosts  []string   `json:"hosts"`
	Score  int        `json:"score"`
	Until  *time.Time `json:"until"`
	Why    string     `json:"why"`
}

// Fleet writes hosts, attackers and what was refused.
func (t *Text) Fleet(w io.Writer, d *Fleet) error {
	t.begin()
	t.head("HOSTS", Thousands(uint64(len(d.Hosts))), "")
	tab := &table{cols: []column{
		{title: "HOST", cut: 12}, {title: "GROUP", cut: 8, drop: 6}, {title: "HEALTH"}, {title: "LOAD", right: true, drop: 3}, {title: "OPEN", right: true},
		{title: "REQ/MIN", right: true}, {title: "ERR/MIN", right: true, drop: 2}, {title: "FINDINGS", right: true}, {title: "BLOCKS", right: true},
		{title: "REFUSED", right: true, drop: 4}, {title: "SEEN", right: true}, {title: "VERSION", cut: 8, drop: 5},
	}}
	n := func(v int) field { return field{Thousands(uint64(max(v, 0))), plain} }
	for i := range d.Hosts {
		h := &d.Hosts[i]
		st := plain
		switch h.Health {
		case "critical":
			st = red
		case "ok":
		default:
			st = amber
		}
		load := ""
		if h.Cores > 0 {
			load = fmt.Sprintf("%.2f/%d", h.Load, h.Cores)
		}
		tab.add(field{Clean(h.Host), bold}, field{Clean(h.Group), plain}, field{Clean(h.Health), st}, field{load, plain}, n(h.Open),
			field{Thousands(h.Requests), plain}, field{Thousands(h.Errors), plain}, n(h.Findings), n(h.Blocks), n(h.Refused),
			field{Brief(d.Time.Sub(h.Seen)) + " ago", plain}, field{Clean(h.Version), dim})
	}
	t.rows(tab, len(d.Hosts))
	t.out.WriteByte('\n')
	t.head("BLOCKED BY THE FLEET", Thousands(uint64(len(d.Blocked)+d.Rest)), "")
	tab = &table{cols: []column{{title: "TARGET"}, {title: "WHAT", cut: 8, drop: 3}, {title: "SCORE", right: true, drop: 2}, {title: "LEFT"}, {title: "BY", cut: 16}, {title: "WHY", cut: 16}}}
	for i := range d.Blocked {
		b := &d.Blocked[i]
		by := Clean(strings.Join(b.Hosts[:min(len(b.Hosts), 3)], " "))
		if more := len(b.Hosts) - 3; more > 0 {
			by = fmt.Sprintf("%d hosts: %s ...", len(b.Hosts), by)
		}
		tab.add(field{Shown(b.Target), bold}, field{Clean(b.Scope), plain}, field{fmt.Sprint(b.Score), plain}, field{Left(d.Time, b.Until), plain}, field{by, plain}, field{Clean(b.Why), plain})
	}
	t.rows(tab, len(d.Blocked))
	if d.Rest > 0 {
		fmt.Fprintf(&t.out, "  and %s more\n", Thousands(uint64(d.Rest)))
	}
	for i := range d.Hosts {
		for _, r := range d.Hosts[i].Recent {
			t.words("", fmt.Sprintf("%s did not take the %s of %s from %s: %s", Clean(d.Hosts[i].Host), Clean(r.Kind), Shown(r.Target), Clean(r.From), Clean(r.Why)), amber)
		}
	}
	t.problems(d.Problems)
	return t.end(w)
}

// rows writes a table, or that there is nothing in it.
func (t *Text) rows(tab *table, n int) {
	if n == 0 {
		t.out.WriteString("  none\n")
		return
	}
	t.indent = "  "
	t.table(tab)
	t.indent = ""
}

// Fleet writes the hosts.
func (c *CSV) Fleet(d *Fleet) error {
	c.row("host", "group", "health", "seen", "version", "load", "cores", "open", "requests", "errors", "findings", "blocks", "held", "shared", "refused")
	for i := range d.Hosts {
		h := &d.Hosts[i]
		c.row(h.Host, h.Group, h.Health, moment(&h.Seen), h.Version, fmt.Sprintf("%.2f", h.Load), fmt.Sprint(h.Cores), fmt.Sprint(h.Open), number(h.Requests), number(h.Errors),
			fmt.Sprint(h.Findings), fmt.Sprint(h.Blocks), fmt.Sprint(h.Held), fmt.Sprint(h.Shared), fmt.Sprint(h.Refused))
	}
	return c.end()
}
