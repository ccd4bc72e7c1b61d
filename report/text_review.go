package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Review writes d to w: what needs a person first, worst first; then the figures behind it.
func (t *Text) Review(w io.Writer, d *Review) error {
	t.begin()
	t.masthead(d)
	t.findings(d)
	words := verdictWords(d.Peers)
	if d.Conns != nil {
		t.out.WriteByte('\n')
		t.head("CONNECTIONS", Thousands(d.Conns.Total), t.states(d.Conns.States))
		t.connRows(d.Conns, words)
		t.rest(d.Conns.Rest, "connections")
		t.ports(d.Ports, d.Conns.Total)
	}
	bare := d.Events != nil && d.Events.Counted > 0 // of logs of logins alone nothing else is worth a line
	if d.Pages != nil && !(bare && len(d.Pages.Files) == 0) {
		t.out.WriteByte('\n')
		t.head("PAGES", Thousands(d.Pages.Counted), t.pagesDetail(d.Pages))
		if len(d.Pages.Files) == 0 {
			t.out.WriteString("  no access log was read\n")
		} else {
			t.pageRows(d.Pages)
			t.rest(d.Pages.Rest, "requests")
			t.visitors(d)
		}
	}
	if bare {
		t.out.WriteByte('\n')
		t.head("LOGINS AND MAIL", Thousands(d.Events.Counted), t.kinds(d.Events.Kinds))
	}
	if d.Errors != nil && !(bare && d.Errors.Counted == 0) {
		t.out.WriteByte('\n')
		detail := ""
		if d.Errors.First != nil && d.Errors.Last != nil {
			detail = Span(*d.Errors.First, *d.Errors.Last)
		}
		t.head("ERRORS", Thousands(d.Errors.Counted), detail)
		if len(d.Errors.Files) == 0 {
			t.out.WriteString("  no error log was read\n")
		} else {
			t.errorRows(d.Errors, false)
			t.rest(d.Errors.Rest, "entries")
		}
	}
	t.history("HISTORY", d.History)
	t.problems(d.Problems)
	return t.end(w)
}

func (t *Text) kinds(m map[string]uint64) string { return Kinds(m, t.dot()) }

func (t *Text) masthead(d *Review) {
	parts := []string{"connwarden", Clean(d.Host), d.Time.Format("2 Jan 15:04:05 MST")}
	if d.At != nil {
		parts[2] = "as of " + d.At.Format("2 Jan 2006 15:04:05 MST")
	}
	if d.Load != nil {
		parts = append(parts, fmt.Sprintf("load %.2f on %s", d.Load.One, Plural(uint64(d.Load.Cores), "core", "cores")))
	}
	if d.Since != nil {
		parts = append(parts, "since "+d.Since.Format("2 Jan 15:04"))
	}
	t.words("", strings.Join(parts, t.dot()), plain)
}

// findings writes what needs a person. Infos are told in one line each, after what presses.
func (t *Text) findings(d *Review) {
	pressing := 0
	for _, f := range d.Findings {
		if f.Level != "info" {
			pressing++
		}
	}
	t.out.WriteByte('\n')
	switch pressing {
	case 0:
		calm := "Nothing needs you."
		if d.Partial {
			calm = "Nothing of what was seen needs you; what was not is at the end."
		}
		t.out.WriteString(t.paint(calm, bold) + " " + LookedAt(d) + "\n")
	case 1:
		t.out.WriteString(t.paint("1 thing needs you", bold) + "\n")
	default:
		t.out.WriteString(t.paint(strconv.Itoa(pressing)+" things need you", bold) + "\n")
	}
	number := 0
	for _, f := range d.Findings {
		lead, st := strings.TrimSpace(t.dot()), bold
		if f.Level != "info" { // what is only worth knowing has no number: it waits
			number++
			lead, st = strconv.Itoa(number), amber
		}
		if f.Level == "critical" {
			st = red
		}
		lead = fmt.Sprintf("%-3s", lead)
		in := strings.Repeat(" ", width(lead))
		t.out.WriteString("\n" + lead + t.paint(cut(Clean(f.Title), t.Width-width(lead), t.ellipsis()), st) + "\n")
		t.words(in, Clean(f.Detail), plain)
		for _, n := range f.Next {
			t.out.WriteString(in + t.paint(t.arrow()+" "+Clean(n), accent) + "\n") // whole: it is there to be copied
		}
	}
}

// LookedAt says what a review looked at, for when it found nothing.
func LookedAt(d *Review) string {
	var parts []string
	if d.Conns != nil {
		parts = append(parts, Plural(d.Conns.Total, "connection", "connections"))
	}
	if d.Followed && d.Pages != nil && d.Errors != nil {
		parts = append(parts, fmt.Sprintf("%s and %s in the %s that the daemon follows", Plural(d.Pages.Counted, "request", "requests"), Plural(d.Errors.Counted, "error", "errors"), Plural(uint64(d.Logs), "log", "logs")))
	} else if d.Pages != nil {
		parts = append(parts, fmt.Sprintf("%s in %s", Plural(d.Pages.Counted, "request", "requests"), Plural(uint64(len(d.Pages.Files)), "log", "logs")))
	}
	if d.Errors != nil && !d.Followed {
		parts = append(parts, fmt.Sprintf("%s in %s", Plural(d.Errors.Counted, "error", "errors"), Plural(uint64(len(d.Errors.Files)), "error log", "error logs")))
	}
	if d.Events != nil && d.Events.Counted > 0 {
		parts = append(parts, Plural(d.Events.Counted, "event of logins and mail", "events of logins and mail"))
	}
	if len(parts) == 0 {
		return "Nothing could be looked at."
	}
	return "Looked at " + strings.Join(parts, ", ") + "."
}

func verdictWords(peers []Peer) map[string]field {
	m := make(map[string]field, len(peers))
	for _, p := range peers {
		m[p.Addr] = verdictField(p.Verdict)
	}
	return m
}

func verdictField(verdict string) field {
	switch verdict {
	case "malicious":
		return field{verdict, red}
	case "suspicious":
		return field{verdict, amber}
	case "normal":
		return field{"", dim}
	default:
		return field{verdict, dim}
	}
}

// ports tells the connections by service in one line for each direction.
func (t *Text) ports(rows []ConnRow, total uint64) {
	if len(rows) == 0 {
		return
	}
	n := t.barWidth()
	tab := &table{cols: []column{{title: "COUNT", right: true}, {title: "SHARE", right: true}, {drop: 2}, {title: "PORT"}, {title: "STATES", cut: 12, drop: 1}}}
	for _, r := range rows {
		tab.add(field{Thousands(r.Count), bold}, field{Percent(r.Count, total), plain}, field{t.bar(Share(r.Count, total), n), plain},
			field{portName(r), bold}, field{t.rowStates(r), dim})
	}
	t.indent = "  "
	t.table(tab)
	t.indent = ""
}

// visitorRows is how many visitors are told of.
const visitorRows = 5

// visitors tells who asked for the pages.
func (t *Text) visitors(d *Review) {
	tab := &table{cols: []column{
		{title: "REQUESTS", right: true}, {title: "SHARE", right: true}, {drop: 2}, {title: "ADDRESS"}, {title: "", drop: 1}, {title: "BYTES", right: true, drop: 3}, {title: "4XX", right: true, drop: 4}, {title: "5XX", right: true, drop: 5},
	}}
	n := t.barWidth()
	busiest := slices.DeleteFunc(slices.Clone(d.Peers), func(p Peer) bool { return p.Requests == 0 })
	slices.SortStableFunc(busiest, func(a, b Peer) int { return cmp.Compare(b.Requests, a.Requests) })
	for _, p := range busiest[:min(len(busiest), visitorRows)] {
		sh := Share(p.Requests, d.Pages.Counted)
		tab.add(field{Thousands(p.Requests), bold}, field{Percent(p.Requests, d.Pages.Counted), plain}, field{t.bar(sh, n), plain}, field{Clean(p.Addr), bold}, verdictField(p.Verdict),
			field{CellSize(p.Bytes), plain}, field{Nonzero(p.Status["4xx"]), plain}, field{Nonzero(p.Status["5xx"]), plain})
	}
	if len(tab.rows) == 0 {
		return
	}
	tab.omitEmpty("ip")
	t.indent = "  "
	t.table(tab)
	t.indent = ""
}
