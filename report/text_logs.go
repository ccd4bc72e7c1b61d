package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Pages writes d to w.
func (t *Text) Pages(w io.Writer, d *Pages) error {
	t.begin()
	t.head("PAGES", Thousands(d.Counted), t.pagesDetail(d))
	t.pageRows(d)
	t.rest(d.Rest, "requests")
	t.files(d.Files, d.Unparsed)
	t.problems(d.Problems)
	return t.end(w)
}

func (t *Text) pagesDetail(d *Pages) string {
	s := "requests"
	if d.First != nil && d.Last != nil {
		s += ", " + Span(*d.First, *d.Last)
	}
	if c := t.classes(d.Status, d.Counted); c != "" {
		s += partsGap + c
	}
	return s
}

func (t *Text) classes(m map[string]uint64, total uint64) string {
	var parts []string
	for _, c := range classWords[1:] {
		if n := m[c]; n > 0 {
			parts = append(parts, c+" "+Percent(n, total))
		}
	}
	if n := m["none"]; n > 0 {
		parts = append(parts, "no status "+Percent(n, total))
	}
	return strings.Join(parts, t.dot())
}

func (t *Text) pageRows(d *Pages) {
	if len(d.Rows) == 0 {
		t.out.WriteString("  none\n")
		return
	}
	n := t.barWidth()
	byAddress := slices.Contains(strings.Split(d.By, ","), "ip") // then each row has one, which is not worth a column
	tab := &table{cols: []column{
		{title: "COUNT", right: true},
		{title: "SHARE", right: true},
		{title: "", drop: 5},
		{title: strings.ToUpper(keyTitle(d.By)), cut: keyCut(d.By)},
		{title: "IPS", right: true, drop: 4},
		{title: "BYTES", right: true, drop: 6},
		{title: "2XX", right: true, drop: 9},
		{title: "3XX", right: true, drop: 10},
		{title: "4XX", right: true, drop: 7},
		{title: "5XX", right: true, drop: 8},
	}}
	for _, r := range d.Rows {
		st5 := plain
		if r.Status["5xx"] > 0 {
			st5 = amber
		}
		count := Thousands(r.Count)
		if r.MaxError > 0 {
			count = "~" + count
		}
		ips := optional(r.IPs)
		if byAddress {
			ips = ""
		}
		tab.add(field{count, bold}, field{Percent(r.Count, d.Counted), plain}, field{t.bar(r.Share, n), plain}, field{Clean(r.Key), bold},
			field{ips, plain}, field{CellSize(r.Bytes), plain}, field{Nonzero(r.Status["2xx"]), plain}, field{Nonzero(r.Status["3xx"]), plain},
			field{Nonzero(r.Status["4xx"]), plain}, field{Nonzero(r.Status["5xx"]), st5})
	}
	tab.omitEmpty(d.By)
	t.indent = "  "
	t.table(tab)
	t.indent = ""
}

// Errors writes d to w.
func (t *Text) Errors(w io.Writer, d *Errors) error {
	t.begin()
	detail := ""
	if d.First != nil && d.Last != nil {
		detail = Span(*d.First, *d.Last)
	}
	t.head("ERRORS", Thousands(d.Counted), detail)
	t.errorRows(d, true)
	t.rest(d.Rest, "entries")
	t.files(d.Files, d.Unparsed)
	t.problems(d.Problems)
	return t.end(w)
}

func (t *Text) errorRows(d *Errors, explain bool) {
	if len(d.Rows) == 0 {
		t.out.WriteString("  none\n")
		return
	}
	if d.By == "fault" && explain {
		for _, r := range d.Rows {
			t.errorBlock(r)
		}
		return
	}
	n := t.barWidth()
	tab := &table{cols: []column{
		{title: "COUNT", right: true}, {title: "", drop: 3}, {title: "SERVICE", drop: 2}, {title: "LEVEL", drop: 4},
		{title: strings.ToUpper(keyTitle(d.By)), cut: 24}, {title: "LAST", drop: 5},
	}}
	for _, r := range d.Rows {
		last := ""
		if r.Last != nil {
			last = r.Last.Format("2 Jan 15:04:05")
		}
		tab.add(field{Thousands(r.Count), bold}, field{t.bar(r.Share, n), plain}, field{r.Service, plain}, field{r.Level, levelStyle(r.Level)},
			field{cut(Clean(r.Key), faultColumns, t.ellipsis()), plain}, field{last, dim})
	}
	tab.omitEmpty(d.By)
	t.indent = "  "
	t.table(tab)
	t.indent = ""
}

// faultColumns is how much of a fault is shown in a table, on however wide a screen.
const faultColumns = 120

func levelStyle(level string) style {
	switch level {
	case "critical", "alert", "emergency":
		return red
	case "error", "warning":
		return amber
	default:
		return dim
	}
}

// shownParts is how many names a line tells.
const shownParts = 3

// parts names the largest parts of a row.
func parts(list []Part, of uint64) string {
	var words []string
	for _, p := range list[:min(len(list), shownParts)] {
		words = append(words, Clean(p.Name))
	}
	if len(words) == 0 {
		return ""
	}
	text := strings.Join(words, ", ")
	if of == 0 {
		return " " + text
	}
	if of > uint64(len(words)) {
		text += ", …"
	}
	return " (" + text + ")"
}

func (t *Text) errorBlock(r ErrorRow) {
	head := fmt.Sprintf("%7s  ", Thousands(r.Count))
	about := r.Service
	if r.Code != "" {
		about += " " + Clean(r.Code)
	}
	about += " " + r.Level
	t.out.WriteString(t.paint(head, bold) + t.paint(about, levelStyle(r.Level)) + "  " +
		t.paint(cut(Clean(r.Key), max(t.Width-len(head)-width(about)-2, 20), t.ellipsis()), bold) + "\n")
	const in = "         "
	var when []string
	if r.First != nil && r.Last != nil {
		when = append(when, Span(*r.First, *r.Last))
	}
	if most := slices.MaxFunc(append(r.Minutes, Minute{}), func(a, b Minute) int { return cmp.Compare(a.Count, b.Count) }); most.Count > 1 && len(r.Minutes) > 1 {
		when = append(when, fmt.Sprintf("at most %s a minute, at %s", Thousands(most.Count), most.Start.Format("15:04")))
	}
	if r.IPs > 0 {
		when = append(when, Plural(r.IPs, "address", "addresses")+parts(r.Clients, r.IPs))
	}
	if len(r.Sites) > 0 {
		when = append(when, "on"+parts(r.Sites, 0))
	}
	if len(when) > 0 {
		t.words(in, strings.Join(when, t.dot()), dim)
	}
	if r.Meaning != "" {
		t.words(in, Clean(r.Meaning), plain)
	}
	if r.Remedy != "" {
		t.item(in, t.arrow()+" ", Clean(r.Remedy), accent)
	}
	if r.Sample != nil && r.Meaning == "" {
		t.logLine(in, Clean(r.Sample.Text))
	}
}

// sampleRows is how many rows a line of a log takes on a terminal; what is longer ends with a mark.
const sampleRows = 3

// logLine writes a clean line of a log as evidence: whole where nothing is cut, else in a few rows.
func (t *Text) logLine(in, line string) {
	room := max(t.Width-len(in), 20)
	for row := 1; ; row++ {
		if t.Whole || width(line) <= room || row == sampleRows {
			if !t.Whole {
				line = cut(line, room, t.ellipsis())
			}
			t.out.WriteString(in + t.paint(line, dim) + "\n")
			return
		}
		part := cut(line, room, "")
		t.out.WriteString(in + t.paint(part, dim) + "\n")
		line = line[len(part):]
	}
}
