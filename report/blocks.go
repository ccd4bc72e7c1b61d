package report

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Schemas of the documents about blocks.
const (
	SchemaBlocks  = "connwarden.blocks/1"
	SchemaAllowed = "connwarden.allowed/1"
)

// Blocks is the answer of the command blocks, and of each that changes blocks: then it tells what is so now.
type Blocks struct {
	Schema     string      `json:"schema"`
	Time       time.Time   `json:"time"`
	DryRun     bool        `json:"dry_run,omitempty"` // nothing was changed
	Change     int64       `json:"change,omitempty"`  // the number of what was done; undo takes it back
	Undo       string      `json:"undo,omitempty"`    // the command that does
	Confirm    *time.Time  `json:"confirm_by,omitempty"`
	Blocks     []Block     `json:"blocks"`
	Lifted     []Block     `json:"lifted,omitempty"`
	Allowed    []Allowed   `json:"allowed,omitempty"`
	Disallowed []Allowed   `json:"disallowed,omitempty"`
	Plan       []BlockPlan `json:"plan,omitempty"`   // --dry-run: what each driver would do
	Proof      []string    `json:"proof,omitempty"`  // what was seen of it in the firewall
	Killed     *int        `json:"killed,omitempty"` // connections that were closed
	Sync       []Synced    `json:"sync,omitempty"`
	Refused    []Refused   `json:"refused"`
	Problems   []Problem   `json:"problems"`
}

// Block is one denial, of one target and scope by one driver or several.
type Block struct {
	Target  string     `json:"target"`
	Scope   string     `json:"scope"`
	Drivers []string   `json:"drivers"`
	Since   *time.Time `json:"since"` // null when not known
	Until   *time.Time `json:"until"` // null: until it is lifted
	By      string     `json:"by"`    // operator, rule or fleet
	Who     string     `json:"who"`   // the account, the rule, the host
	Why     string     `json:"why"`
	State   string     `json:"state"` // in_force, wanted (and not in force) or lifted
	Forced  bool       `json:"forced,omitempty"`
	Confirm *time.Time `json:"confirm_by,omitempty"` // when it goes away unless it is confirmed
	Change  int64      `json:"change,omitempty"`     // that made it what it is
	Hits    *Hits      `json:"hits"`                 // null when the firewall does not count
}

// Hits is how often a block refused something.
type Hits struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Refused is a target for which nothing was done.
type Refused struct {
	Target string `json:"target"`
	Why    string `json:"why"`
}

// BlockPlan is what a driver would do.
type BlockPlan struct {
	Driver string   `json:"driver"`
	Lines  []string `json:"lines"`
}

// Synced is what a sync did to one driver.
type Synced struct {
	Driver  string `json:"driver"`
	Wanted  int    `json:"wanted"`
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
	Adopted int    `json:"adopted"`
	Error   string `json:"error,omitempty"`
}

// AllowedList is the answer of the command allowed.
type AllowedList struct {
	Schema   string    `json:"schema"`
	Allowed  []Allowed `json:"allowed"`
	Problems []Problem `json:"problems"`
}

// Allowed is a target that is never blocked.
type Allowed struct {
	Target string     `json:"target"`
	Since  *time.Time `json:"since"`
	By     string     `json:"by"`
	Who    string     `json:"who"`
	Why    string     `json:"why"`
	Change int64      `json:"change,omitempty"`
}

// Blocks writes what is blocked.
func (t *Text) Blocks(w io.Writer, d *Blocks) error {
	t.begin()
	t.head("BLOCKS", Thousands(uint64(len(d.Blocks))), "")
	tab := &table{cols: []column{
		{title: "TARGET"}, {title: "WHAT", cut: 8, drop: 4}, {title: "LEFT"}, {title: "HITS", right: true, drop: 2}, {title: "BY", cut: 8, drop: 3},
		{title: "FIREWALL", drop: 1}, {title: "WHY", cut: 16},
	}}
	for i := range d.Blocks {
		b := &d.Blocks[i]
		hits := ""
		if b.Hits != nil {
			hits = Thousands(b.Hits.Packets)
		}
		st, why := bold, Clean(b.Why)
		if b.State != "in_force" {
			st, why = amber, strings.TrimSpace("NOT IN FORCE "+why)
		}
		if b.Confirm != nil {
			why = strings.TrimSpace("TO BE CONFIRMED " + why)
		}
		tab.add(field{Shown(b.Target), st}, field{Clean(b.Scope), plain}, field{Left(d.Time, b.Until), plain}, field{hits, plain}, field{who(b.By, b.Who), plain},
			field{Clean(strings.Join(b.Drivers, " ")), plain}, field{why, plain})
	}
	if len(d.Blocks) > 0 {
		t.indent = "  "
		t.table(tab)
	} else {
		t.out.WriteString("  none\n")
	}
	t.refused(d.Refused)
	t.problems(d.Problems)
	return t.end(w)
}

// Act writes what a command did; done is the word for what became of the blocks ("blocked", "would block").
func (t *Text) Act(w io.Writer, d *Blocks, done string) error {
	t.begin()
	tab := &table{cols: []column{{title: ""}, {title: ""}, {title: "", drop: 2}, {title: ""}, {title: "", drop: 1}, {title: "", cut: 16}}}
	for i := range d.Blocks {
		b := &d.Blocks[i]
		word, st := done, bold
		if b.State != "in_force" && !d.dry() {
			word, st = "NOT IN FORCE", amber
		}
		tab.add(field{word, st}, field{Shown(b.Target), bold}, field{Clean(b.Scope), plain}, field{until(d.Time, b.Until), plain},
			field{Clean(strings.Join(b.Drivers, " ")), plain}, field{Clean(b.Why), dim})
	}
	for i := range d.Lifted {
		b := &d.Lifted[i]
		word, st := conditional("unblocked", d), bold
		if b.State != "lifted" && !d.dry() {
			word, st = "NOT LIFTED", amber
		}
		tab.add(field{word, st}, field{Shown(b.Target), bold}, field{Clean(b.Scope), plain}, field{}, field{Clean(strings.Join(b.Drivers, " ")), plain}, field{})
	}
	for _, l := range []struct {
		word string
		list []Allowed
	}{{"allowed", d.Allowed}, {"disallowed", d.Disallowed}} {
		for i := range l.list {
			tab.add(field{conditional(l.word, d), bold}, field{Shown(l.list[i].Target), bold}, field{}, field{}, field{}, field{Clean(l.list[i].Why), dim})
		}
	}
	for _, s := range d.Sync {
		t.synced(&s)
	}
	if len(tab.rows) > 0 {
		t.table(tab)
	}
	if d.Killed != nil {
		t.out.WriteString(Plural(uint64(*d.Killed), "connection", "connections") + " closed\n")
	}
	for _, line := range d.Proof {
		t.words("  ", Clean(line), dim)
	}
	t.refused(d.Refused)
	for _, p := range d.Plan {
		t.out.WriteString(t.paint("by "+Clean(p.Driver)+":", bold) + "\n")
		if len(p.Lines) == 0 {
			t.out.WriteString("  nothing\n")
		}
		for _, line := range p.Lines {
			t.out.WriteString("  " + Clean(line) + "\n") // whole: it is there to be copied
		}
	}
	if d.Confirm != nil {
		t.out.WriteString(t.paint(fmt.Sprintf("It goes away at %s unless you say: connwarden confirm", d.Confirm.Format("15:04:05")), amber) + "\n")
	}
	if d.Undo != "" {
		t.out.WriteString("  " + t.paint(t.arrow()+" "+d.Undo, accent) + t.paint(" takes it back", dim) + "\n")
	}
	t.told(d.Problems)
	return t.end(w)
}

// dry tells whether nothing was changed.
func (d *Blocks) dry() bool { return d.DryRun || len(d.Plan) > 0 }

// conditional is a word for what was done, or would be.
func conditional(word string, d *Blocks) string {
	if d.dry() {
		return "would be " + word
	}
	return word
}

func (t *Text) synced(s *Synced) {
	if s.Error != "" {
		t.words("", Clean(s.Driver)+": "+Clean(s.Error), amber)
		return
	}
	parts := []string{Thousands(uint64(s.Wanted)) + " in force"}
	for _, p := range []struct {
		n    int
		word string
	}{{s.Added, "put back or renewed"}, {s.Removed, "removed"}, {s.Adopted, "taken into the journal"}} {
		if p.n > 0 {
			parts = append(parts, Thousands(uint64(p.n))+" "+p.word)
		}
	}
	t.words("", Clean(s.Driver)+": "+strings.Join(parts, ", "), plain)
}

// refused writes what was not done, and why.
func (t *Text) refused(list []Refused) {
	const most = 20
	for i, r := range list {
		if i == most {
			t.words("", fmt.Sprintf("and %s more refused (--json lists all)", Thousands(uint64(len(list)-most))), red)
			return
		}
		t.words("", fmt.Sprintf("refused: %s: %s", Shown(r.Target), Clean(r.Why)), red)
	}
}

// told writes problems of something that was done.
func (t *Text) told(list []Problem) {
	for _, p := range list {
		t.words("", Clean(p.What)+": "+Clean(p.Why), amber)
	}
}

// Allowed writes who is never blocked.
func (t *Text) Allowed(w io.Writer, d *AllowedList) error {
	t.begin()
	t.head("NEVER BLOCKED", Thousands(uint64(len(d.Allowed))), "")
	tab := &table{cols: []column{{title: "TARGET"}, {title: "SINCE"}, {title: "BY", cut: 8, drop: 1}, {title: "WHY", cut: 16}}}
	for _, a := range d.Allowed {
		since := ""
		if a.Since != nil {
			since = a.Since.Format("2 Jan 2006 15:04")
		}
		tab.add(field{Shown(a.Target), bold}, field{since, plain}, field{who(a.By, a.Who), plain}, field{Clean(a.Why), plain})
	}
	if len(d.Allowed) > 0 {
		t.indent = "  "
		t.table(tab)
	} else {
		t.out.WriteString("  none\n")
	}
	t.problems(d.Problems)
	return t.end(w)
}

// Blocks writes the rows of d.
func (c *CSV) Blocks(d *Blocks) error {
	c.row("target", "scope", "drivers", "since", "until", "by", "who", "state", "packets", "bytes", "why")
	for _, b := range d.Blocks {
		packets, bytes := "", ""
		if b.Hits != nil {
			packets, bytes = number(b.Hits.Packets), number(b.Hits.Bytes)
		}
		c.row(b.Target, b.Scope, strings.Join(b.Drivers, " "), moment(b.Since), moment(b.Until), b.By, b.Who, b.State, packets, bytes, b.Why)
	}
	return c.end()
}

// Allowed writes the rows of d.
func (c *CSV) Allowed(d *AllowedList) error {
	c.row("target", "since", "by", "who", "why")
	for _, a := range d.Allowed {
		c.row(a.Target, moment(a.Since), a.By, a.Who, a.Why)
	}
	return c.end()
}

// Shown is a target as people write it: a single address without its length.
func Shown(target string) string {
	s := Clean(target)
	if address, ok := strings.CutSuffix(s, "/32"); ok && !strings.Contains(s, ":") {
		return address
	}
	if address, ok := strings.CutSuffix(s, "/128"); ok {
		return address
	}
	return s
}

// who is the name of who wanted something, with what it is unless that is a person.
func who(by, name string) string {
	by, name = Clean(by), Clean(name)
	switch {
	case name == "":
		return by
	case by == "operator":
		return name
	default:
		return by + " " + name
	}
}

// Left is how long it is until an end: "59m", "3h 20m", "6d 2h".
func Left(now time.Time, until *time.Time) string {
	if until == nil {
		return "no end"
	}
	return Brief(until.Sub(now))
}

// until is an end as a time and a span.
func until(now time.Time, end *time.Time) string {
	if end == nil {
		return "until it is lifted"
	}
	layout := "15:04:05"
	if end.Sub(now) >= 12*time.Hour {
		layout = "2 Jan 15:04"
	}
	return "until " + end.Format(layout) + " (" + Brief(end.Sub(now)) + ")"
}

// Brief is a span in its two largest units.
func Brief(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = d.Round(time.Second); {
	case d < time.Second:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return pair(d/time.Minute, "m", d%time.Minute/time.Second, "s")
	case d < day:
		return pair(d/time.Hour, "h", d%time.Hour/time.Minute, "m")
	default:
		return pair(d/day, "d", d%day/time.Hour, "h")
	}
}

func pair(a time.Duration, unit string, b time.Duration, part string) string {
	if b == 0 {
		return fmt.Sprintf("%d%s", a, unit)
	}
	return fmt.Sprintf("%d%s %d%s", a, unit, b, part)
}
