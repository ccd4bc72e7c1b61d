package report

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
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

func (t *Text) barWidth() int {
	switch {
	case t.Width >= 110:
		return 20
	case t.Width >= 80:
		return 12
	default:
		return 6
	}
}

// Conns writes d to w.
func (t *Text) Conns(w io.Writer, d *Conns) error {
	t.begin()
	t.head("CONNECTIONS", thousands(d.Total), t.states(d.States))
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
	t.out.WriteByte('\n')
	t.words("  ", detail, plain)
}

// stateOrder is the order in which states are told: what serves first, then what begins, then what ends.
var stateOrder = [...]string{"established", "syn_recv", "syn_sent", "listen", "time_wait", "close_wait", "fin_wait1", "fin_wait2", "last_ack", "closing", "close", "unknown"}

func (t *Text) states(m map[string]uint64) string {
	var parts []string
	for _, s := range stateOrder {
		if n := m[s]; n > 0 {
			parts = append(parts, strings.ReplaceAll(s, "_", "-")+" "+thousands(n))
		}
	}
	return strings.Join(parts, t.dot())
}

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
		tab.add(field{thousands(r.Count), bold}, field{percentOf(r.Count, d.Total), plain}, field{t.bar(r.Share, n), plain}, field{key, bold},
			words[r.Key], field{nonzero(r.In), plain}, field{nonzero(r.Out), plain}, field{counts(r.Ports, r.Count), plain},
			field{counts(r.Processes, r.Count), plain}, field{t.rowStates(r), dim})
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

// Pages writes d to w.
func (t *Text) Pages(w io.Writer, d *Pages) error {
	t.begin()
	t.head("PAGES", thousands(d.Counted), t.pagesDetail(d))
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
		s += "   " + c
	}
	return s
}

func (t *Text) classes(m map[string]uint64, total uint64) string {
	var parts []string
	for _, c := range classWords[1:] {
		if n := m[c]; n > 0 {
			parts = append(parts, c+" "+percentOf(n, total))
		}
	}
	if n := m["none"]; n > 0 {
		parts = append(parts, "no status "+percentOf(n, total))
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
		count := thousands(r.Count)
		if r.MaxError > 0 {
			count = "~" + count
		}
		ips := optional(r.IPs)
		if byAddress {
			ips = ""
		}
		tab.add(field{count, bold}, field{percentOf(r.Count, d.Counted), plain}, field{t.bar(r.Share, n), plain}, field{Clean(r.Key), bold},
			field{ips, plain}, field{size(r.Bytes), plain}, field{nonzero(r.Status["2xx"]), plain}, field{nonzero(r.Status["3xx"]), plain},
			field{nonzero(r.Status["4xx"]), plain}, field{nonzero(r.Status["5xx"]), st5})
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
	t.head("ERRORS", thousands(d.Counted), detail)
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
		tab.add(field{thousands(r.Count), bold}, field{t.bar(r.Share, n), plain}, field{r.Service, plain}, field{r.Level, levelStyle(r.Level)},
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

func (t *Text) errorBlock(r ErrorRow) {
	head := fmt.Sprintf("%7s  ", thousands(r.Count))
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
	if r.IPs > 0 {
		when = append(when, plural(r.IPs, "address", "addresses"))
	}
	if len(r.Sites) > 0 {
		when = append(when, "on "+Clean(strings.Join(r.Sites[:min(3, len(r.Sites))], ", ")))
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
		t.out.WriteString(in + t.paint(cut(Clean(r.Sample.Text), max(t.Width-len(in), 20), t.ellipsis()), dim) + "\n")
	}
}

func (t *Text) rest(r Rest, what string) {
	if r.Rows > 0 {
		t.words("  ", fmt.Sprintf("%s more rows with %s %s (--top 0 shows all)", thousands(r.Rows), thousands(r.Count), what), dim)
	}
}

func (t *Text) files(files []File, unparsed int64) {
	if len(files) == 0 {
		return
	}
	s := fmt.Sprintf("Read: %s", plural(uint64(len(files)), "log", "logs"))
	if len(files) == 1 {
		s = "Read: " + Clean(files[0].Name)
		if files[0].Format != "" {
			s += " (" + files[0].Format + ")"
		}
	}
	if unparsed > 0 {
		s += fmt.Sprintf("%s%s not understood", t.dot(), plural(uint64(unparsed), "line", "lines"))
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
	for i, p := range ps {
		if i == most {
			t.words("  ", fmt.Sprintf("and %d more (--json lists all)", len(ps)-most), dim)
			break
		}
		text := Clean(p.Why)
		if p.What != "" {
			text = Clean(p.What) + ": " + text
		}
		t.words("  ", text, dim)
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

// Line writes how one line of a log is read.
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
	st, accused := plain, ""
	if l.Hostile {
		st, accused = amber, "accused"
	}
	if l.Reading == ReadingNone {
		st = dim
	}
	t.out.WriteString(t.paint(strings.TrimRight(fmt.Sprintf("%s:%d  %-7s  %s  %-15s  %s %s %s %s", Clean(l.File), l.Line, l.Reading, when, client, l.Service, l.Kind, l.User, accused), " "), st) + "\n")
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

func thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func nonzero(n uint64) string {
	if n == 0 {
		return ""
	}
	return thousands(n)
}

func optional(n *uint64) string {
	if n == nil {
		return ""
	}
	return nonzero(*n)
}

func percentOf(part, total uint64) string {
	return percent(float64(part) / float64(max(total, 1)))
}

func percent(share float64) string {
	switch {
	case share == 0:
		return "0%"
	case share < 0.01:
		return "<1%"
	default:
		return strconv.Itoa(int(share*100+0.5)) + "%"
	}
}

// Size prints bytes in powers of 1000 with the SI letter: "52 MB".
func Size(n uint64) string {
	if n == 0 {
		return "0 B"
	}
	return size(n)
}

// size is Size for a cell: nothing for nothing.
func size(n uint64) string {
	if n == 0 {
		return ""
	}
	if n < 1000 {
		return strconv.FormatUint(n, 10) + " B"
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB", "PB"} {
		f /= 1000
		if f < 999.5 {
			if f < 9.95 {
				return fmt.Sprintf("%.1f %s", f, unit)
			}
			return fmt.Sprintf("%.0f %s", f, unit)
		}
	}
	return fmt.Sprintf("%.0f EB", f/1000)
}

func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// counts lists the largest entries of a map, worst first; the figure is left out where it is that of the whole row.
func counts(m map[string]uint64, whole uint64) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if m[keys[i]] != m[keys[j]] {
			return m[keys[i]] > m[keys[j]]
		}
		return keys[i] < keys[j]
	})
	var b strings.Builder
	for i, k := range keys {
		if i == 4 {
			fmt.Fprintf(&b, " +%d", len(keys)-i)
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Clean(k))
		if m[k] != whole {
			b.WriteString("x" + thousands(m[k]))
		}
	}
	return b.String()
}

// Span prints a stretch of time without saying anything twice: "22 Nov 13:58:00 to 14:01:00".
func Span(from, to time.Time) string {
	if to.Sub(from) < time.Second {
		return from.Format("2 Jan 15:04:05")
	}
	if from.Year() == to.Year() && from.YearDay() == to.YearDay() {
		return from.Format("2 Jan 15:04:05") + " to " + to.Format("15:04:05")
	}
	if from.Year() != to.Year() {
		return from.Format("2 Jan 2006 15:04") + " to " + to.Format("2 Jan 2006 15:04")
	}
	return from.Format("2 Jan 15:04") + " to " + to.Format("2 Jan 15:04")
}
