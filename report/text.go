package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Text renders documents for people. The zero value of Width means 80 columns.
type Text struct {
	Width int  // columns of the terminal
	Color bool // ANSI colours
	ASCII bool // nothing beyond ASCII of our own: no bars of blocks, no middle dots
	Whole bool // cut no cell and leave out no column: for a pipe; Width then only breaks paragraphs

	out    strings.Builder
	indent string
}

func (t *Text) begin() {
	t.out.Reset()
	t.indent = ""
	if t.Width <= 0 {
		t.Width = 80
	}
}

func (t *Text) end(w io.Writer) error {
	_, err := io.WriteString(w, t.out.String())
	return err
}

func (t *Text) barWidth() int { return BarWidth(t.Width) }

// Conns writes d to w.
func (t *Text) Conns(w io.Writer, d *Conns) error {
	t.begin()
	t.head("CONNECTIONS", Thousands(d.Total), t.states(d.States))
	t.connRows(d, nil)
	t.rest(d.Rest, "connections")
	t.problems(d.Problems)
	return t.end(w)
}

func (t *Text) head(title, figure, detail string) {
	lead := title
	if figure != "" {
		lead += "  " + figure
	}
	t.out.WriteString(t.paint(lead, bold))
	if detail == "" {
		t.out.WriteByte('\n')
		return
	}
	if width(lead)+3+width(detail) <= t.Width {
		t.out.WriteString("   " + detail + "\n")
		return
	}
	if first, rest, parted := strings.Cut(detail, partsGap); parted && width(lead)+3+width(first) <= t.Width {
		t.out.WriteString("   " + first + "\n")
		detail = rest
	} else {
		t.out.WriteByte('\n')
	}
	t.words("  ", detail, plain)
}

// partsGap stands between the two parts of a detail, which are broken there first.
const partsGap = "   "

func (t *Text) states(m map[string]uint64) string { return States(m, 0, t.dot()) }

func (t *Text) connRows(d *Conns, words map[string]field) {
	if len(d.Rows) == 0 {
		t.out.WriteString("  none\n")
		return
	}
	if d.By == "conn" {
		t.eachConn(d)
		return
	}
	n := t.barWidth()
	tab := &table{cols: []column{
		{title: "COUNT", right: true},
		{title: "SHARE", right: true},
		{title: "", drop: 4},
		{title: strings.ToUpper(keyTitle(d.By)), cut: keyCut(d.By)},
		{title: "", drop: 2},
		{title: "IN", right: true, drop: 6},
		{title: "OUT", right: true, drop: 7},
		{title: "PORTS", cut: 9, drop: 5},
		{title: "PROCESSES", cut: 10, drop: 3},
		{title: "STATES", cut: 20, drop: 8},
	}}
	for _, r := range d.Rows {
		key := Clean(r.Key)
		if d.By == "port" {
			key = portName(r)
		}
		if r.Truncated {
			key += t.ellipsis()
		}
		tab.add(field{Thousands(r.Count), bold}, field{Percent(r.Count, d.Total), plain}, field{t.bar(r.Share, n), plain}, field{key, bold},
			words[r.Key], field{Nonzero(r.In), plain}, field{Nonzero(r.Out), plain}, field{Counts(r.Ports, r.Count), plain},
			field{Counts(r.Processes, r.Count), plain}, field{t.rowStates(r), dim})
	}
	tab.omitEmpty(d.By)
	t.indent = "  "
	t.table(tab)
	t.indent = ""
}

// omitEmpty leaves out columns in which no row says anything.
func (t *table) omitEmpty(by string) {
	for i := len(t.cols) - 1; i >= 0; i-- {
		some := false
		for _, r := range t.rows {
			some = some || r[i].text != ""
		}
		if some && !(by == "port" && t.cols[i].title == "PORTS") && !(by == "state" && t.cols[i].title == "STATES") {
			continue
		}
		t.cols = append(t.cols[:i], t.cols[i+1:]...)
		for j, r := range t.rows {
			t.rows[j] = append(r[:i], r[i+1:]...)
		}
	}
}

func (t *Text) eachConn(d *Conns) {
	tab := &table{cols: []column{
		{title: "PROTO", drop: 3}, {title: "DIR", drop: 4}, {title: "LOCAL", drop: 2}, {title: "REMOTE"}, {title: "STATE"}, {title: "PROCESS", cut: 8, drop: 5},
		{title: "NETNS", cut: 8, drop: 6},
	}}
	for _, r := range d.Rows {
		process := ""
		if r.Process != nil {
			process = Clean(r.Process.Name) + "/" + strconv.Itoa(r.Process.PID)
		}
		tab.add(field{r.Proto, plain}, field{r.Dir, plain}, field{Clean(r.Local), plain}, field{Clean(r.Remote), bold},
			field{strings.ReplaceAll(r.State, "_", "-"), plain}, field{process, plain}, field{Clean(r.Namespace), dim})
	}
	tab.omitEmpty(d.By)
	t.indent = "  "
	t.table(tab)
	t.indent = ""
}

func (t *Text) rowStates(r ConnRow) string {
	if len(r.States) == 1 {
		for s := range r.States {
			return strings.ReplaceAll(s, "_", "-")
		}
	}
	return t.states(r.States)
}

func portName(r ConnRow) string {
	s := r.Key
	if r.Dir == "out" {
		s += " out"
	}
	if r.Proto == "udp" {
		s += " udp"
	}
	return s
}

func keyTitle(by string) string {
	switch by {
	case "ip", "":
		return "address"
	case "net":
		return "network"
	default:
		return strings.ReplaceAll(by, ",", " ")
	}
}

// keyCut is how far a key column may be narrowed. Addresses are never cut.
func keyCut(by string) int {
	switch by {
	case "ip", "net", "port", "state", "status", "method", "minute", "hour", "day", "code", "level":
		return 0
	default:
		return 16
	}
}

func (t *Text) rest(r Rest, what string) {
	if r.Rows > 0 {
		t.words("  ", fmt.Sprintf("%s more rows with %s %s (--top 0 shows all)", Thousands(r.Rows), Thousands(r.Count), what), dim)
	}
}

func (t *Text) files(files []File, unparsed int64) {
	if len(files) == 0 {
		return
	}
	s := fmt.Sprintf("Read: %s", Plural(uint64(len(files)), "log", "logs"))
	if len(files) == 1 {
		s = "Read: " + Clean(files[0].Name)
		if files[0].Format != "" {
			s += " (" + files[0].Format + ")"
		}
	}
	if unparsed > 0 {
		s += fmt.Sprintf("%s%s not understood", t.dot(), Plural(uint64(unparsed), "line", "lines"))
	}
	t.out.WriteByte('\n')
	t.words("", s, dim)
}

func (t *Text) problems(ps []Problem) {
	if len(ps) == 0 {
		return
	}
	t.out.WriteString("\n" + t.paint("Not seen:", dim) + "\n")
	const most = 12
	lines := Told(ps)
	for _, line := range lines[:min(len(lines), most)] {
		t.words("  ", line, dim)
	}
	if more := len(lines) - most; more > 0 {
		t.words("  ", fmt.Sprintf("and %d more (--json lists all)", more), dim)
	}
}

// Doctor writes d to w.
func (t *Text) Doctor(w io.Writer, d *Doctor) error {
	t.begin()
	area := ""
	for i, p := range d.Probes {
		if p.Area != area {
			if i > 0 {
				t.out.WriteByte('\n')
			}
			area = p.Area
			t.head(strings.ToUpper(Clean(area)), "", "")
		}
		st := plain
		switch p.Answer {
		case "no":
			st = dim
		case "unknown":
			st = amber
		}
		lead := fmt.Sprintf("  %-8s %-22s ", p.Answer, cut(Clean(p.Name), 22, t.ellipsis()))
		why := Clean(p.Why)
		room := t.Width - width(lead)
		if width(why) <= room || room < 24 {
			t.out.WriteString(t.paint(lead, st) + why + "\n")
			continue
		}
		first, others := firstLine(why, room)
		t.out.WriteString(t.paint(lead, st) + first + "\n")
		t.words(strings.Repeat(" ", width(lead)), others, plain)
	}
	t.problems(d.Problems)
	return t.end(w)
}

func firstLine(s string, room int) (string, string) {
	end := 0
	for i, r := range s {
		if r == ' ' {
			if width(s[:i]) > room {
				break
			}
			end = i
		}
	}
	if end == 0 {
		return "", s
	}
	return s[:end], s[end+1:]
}

// Line writes how one line of a log is read, and below it the rules that it touches, but for those on volume.
func (t *Text) Line(w io.Writer, l *Line) error {
	t.begin()
	client := "-"
	if l.Client != nil {
		client = *l.Client
	}
	when := "-"
	if l.Time != nil {
		when = l.Time.Format("2006-01-02 15:04:05")
	}
	words := []string{l.Service, l.Kind}
	st := plain
	if l.Hostile {
		st = amber
		words = append(words, "accused")
	}
	switch {
	case l.Reading == ReadingNone:
		st = dim
	case l.Trust == "local":
		words = append(words, "(a local account can write this)")
	case l.Trust == "outside":
		words = append(words, "(a client can write this)")
	}
	if l.User != "" { // last: nothing that it holds can be taken for ours
		words = append(words, "user "+l.User)
	}
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	t.out.WriteString(t.paint(strings.TrimRight(fmt.Sprintf("%s:%d  %-7s  %s  %-15s  %s", Clean(l.File), l.Line, l.Reading, when, client, strings.Join(words, " ")), " "), st) + "\n")
	against := slices.DeleteFunc(slices.Clone(l.Rules[:len(l.Rules)-l.Volume]), func(r string) bool { return slices.Contains(l.For, r) })
	if len(against) > 0 {
		t.words("    ", strings.Join(against, ", "), dim)
	}
	if n := len(l.For); n > 0 {
		t.words("    ", fmt.Sprintf("speaks for the peer in %d rules, %s among them", n, l.For[0]), dim)
	}
	return t.end(w)
}

// Config writes d to w.
func (t *Text) Config(w io.Writer, d *Config) error {
	t.begin()
	tab := &table{cols: []column{{title: "KEY"}, {title: "VALUE", cut: 16}, {title: "ORIGIN", cut: 10}}}
	for _, v := range d.Values {
		tab.add(field{v.Key, bold}, field{Clean(fmt.Sprint(v.Value)), plain}, field{Clean(v.Origin), dim})
	}
	t.table(tab)
	t.problems(d.Problems)
	return t.end(w)
}
