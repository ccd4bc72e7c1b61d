// Package paper tells a review as one self-contained HTML file, for a customer or a colleague: what is wrong first, then
// who does it with the lines that prove it, then the figures. It needs no server, no network and, but for sorting
// tables, no script; it prints well. Redact takes out what is about persons.
//
// The file is made by html/template alone, so that hostile text stays text, and its own content security policy allows
// nothing but the style and the script that are in it. look.css is shared with the local page. The package opens nothing
// and reads no clock.
package paper

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden/report"
)

var (
	//go:embed look.css
	look string
	//go:embed sheet.css
	style string
	//go:embed sort.js
	script string
	//go:embed sheet.html
	markup string
)

// Rows of the tables. A file is read by people, and mailed.
const (
	tableRows  = 200
	normalRows = 20  // give the measure of what is usual
	casesMost  = 100 // peers whose evidence is shown
	barsWide   = 960.0
	barsHigh   = 120.0
)

var sheet = template.Must(template.New("sheet").Funcs(template.FuncMap{
	"count": func(n any) string { return thousands(toUint(n)) }, "some": func(n any) string { return nonzero(toUint(n)) },
	"size": func(n uint64) string {
		if n == 0 {
			return ""
		}
		return report.Size(n)
	},
	"percent": percent, "width": width, "classes": classes, "states": states, "span": span, "when": when, "place": place, "plural": plural, "sentence": sentence,
	"ports": ports, "country": country, "harmful": harmful, "grave": grave, "repeats": repeats,
}).Parse(markup))

// Sheet is what is told.
type Sheet struct {
	Review   *report.Review
	Timeline *Timeline // nil when no request was counted
	Redacted bool      // what is about persons was taken out
	Version  string    // of the program
}

// Write writes the file.
func (s *Sheet) Write(w io.Writer) error {
	css := look + style
	v := view{
		Sheet: s, Style: template.CSS(css), Script: template.JS(script), //nolint:gosec // both are files of ours
		Policy: "default-src 'none'; style-src '" + hash(css) + "'; script-src '" + hash(script) + "'; base-uri 'none'; form-action 'none'",
	}
	v.fill()
	return sheet.Execute(w, &v)
}

// hash names a text as a content security policy does.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// view is what the template reads.
type view struct {
	*Sheet
	Style    template.CSS
	Script   template.JS
	Policy   string
	Pressing int
	Findings []finding
	Chart    *chart
	Verdict  map[string]string // of addresses that are not normal
	Peers    []report.Peer
	Cases    []report.Peer // those with evidence
	Counts   []verdictCount
	Lands    []land
}

// finding is a finding with its title in parts: the word of a verdict alone is coloured.
type finding struct {
	report.Finding
	Mark              string
	Who, Word, Others string
}

type verdictCount struct {
	Verdict string
	Count   int
}

// land is a country and what came from it.
type land struct {
	Country        string
	Peers, Harmful int
	Requests, Open uint64
}

func (v *view) fill() {
	r := v.Review
	number := 0
	for _, f := range r.Findings {
		one := finding{Finding: f, Mark: "·"}
		if f.Level != "info" {
			number++
			one.Mark = strconv.Itoa(number)
		}
		if parts := strings.Split(f.Title, "  "); f.Addr != "" && len(parts) > 1 {
			one.Who, one.Word, one.Others = parts[0], parts[1], strings.Join(parts[2:], " ")
		}
		v.Findings = append(v.Findings, one)
	}
	v.Pressing = number
	v.Verdict = map[string]string{}
	counts := map[string]int{}
	at := map[string]int{}
	for i := range r.Peers {
		p := &r.Peers[i]
		counts[p.Verdict]++
		if p.Verdict != "normal" {
			v.Verdict[p.Addr] = p.Verdict
		}
		if len(p.Evidence) > 0 && len(v.Cases) < casesMost && harmful(p.Verdict) {
			one := *p
			one.Evidence = slices.Clone(p.Evidence)
			slices.SortStableFunc(one.Evidence, func(a, b report.Evidence) int { return b.Score - a.Score })
			v.Cases = append(v.Cases, one)
		}
		c := country(p)
		j, known := at[c]
		if !known {
			j = len(v.Lands)
			at[c] = j
			v.Lands = append(v.Lands, land{Country: c})
		}
		l := &v.Lands[j]
		l.Peers++
		l.Requests += p.Requests
		l.Open += p.Open
		if harmful(p.Verdict) {
			l.Harmful++
		}
	}
	for _, word := range Verdicts {
		if counts[word] > 0 {
			v.Counts = append(v.Counts, verdictCount{word, counts[word]})
		}
	}
	slices.SortStableFunc(v.Lands, func(a, b land) int {
		if a.Harmful != b.Harmful {
			return b.Harmful - a.Harmful
		}
		return b.Peers - a.Peers
	})
	v.Lands = v.Lands[:min(len(v.Lands), tableRows)]
	normal := 0
	for i := range r.Peers {
		if r.Peers[i].Verdict == "normal" {
			normal++
		}
		if normal <= normalRows && len(v.Peers) < tableRows {
			v.Peers = append(v.Peers, r.Peers[i])
		}
	}
	if v.Timeline != nil && v.Timeline.Len() > 0 {
		v.Chart = draw(v.Timeline)
	}
}

// chart is a timeline as rectangles.
type chart struct {
	Wide, High float64
	Rects      []rect
	Ticks      []string
	Legend     []verdictTotal
	Top        uint64
	Step       string
	From, To   string
}

type rect struct {
	Class, About string
	X, Y, W, H   float64
}

type verdictTotal struct {
	Verdict string
	Total   uint64
}

func draw(t *Timeline) *chart {
	n := t.Len()
	c := &chart{Wide: barsWide, High: barsHigh, Step: "minute"}
	layout := "15:04"
	switch step := time.Duration(t.Step * float64(time.Second)); {
	case step >= 24*time.Hour:
		c.Step, layout = "day", "2 Jan"
	case step >= time.Hour:
		c.Step, layout = "hour", "2 Jan 15:04"
	}
	sums := make([]uint64, n)
	for _, list := range t.Counts {
		for i, k := range list {
			sums[i] += k
		}
	}
	c.Top = max(slices.Max(sums), 1)
	label := func(i int) string {
		return t.Start.Add(time.Duration(float64(i) * t.Step * float64(time.Second))).Format(layout)
	}
	c.From, c.To = label(0), label(n-1)
	wide := barsWide / float64(n)
	below := make([]float64, n)
	for _, v := range Verdicts { // harm at the foot, where heights can be compared
		list := t.Counts[v]
		if sum := t.Total(v); sum > 0 {
			c.Legend = append(c.Legend, verdictTotal{v, sum})
		}
		for i, k := range list {
			if k == 0 {
				continue
			}
			h := float64(k) / float64(c.Top) * barsHigh
			below[i] += h
			c.Rects = append(c.Rects, rect{
				Class: v, About: label(i) + "  " + v + " " + thousands(k), X: round(float64(i)*wide + wide*0.08), Y: round(barsHigh - below[i]), W: round(wide * 0.84), H: round(h),
			})
		}
	}
	ticks := min(n, 5)
	for i := range ticks {
		c.Ticks = append(c.Ticks, label(i*(n-1)/max(ticks-1, 1)))
	}
	return c
}

func round(f float64) float64 { return float64(int(f*100+0.5)) / 100 }

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

func toUint(n any) uint64 {
	switch n := n.(type) {
	case uint64:
		return n
	case *uint64:
		if n != nil {
			return *n
		}
	case int:
		return uint64(max(n, 0))
	case int64:
		return uint64(max(n, 0))
	}
	return 0
}

func percent(part, total uint64) string {
	switch share := float64(part) / float64(max(total, 1)); {
	case share == 0:
		return "0%"
	case share < 0.01:
		return "<1%"
	default:
		return strconv.Itoa(int(share*100+0.5)) + "%"
	}
}

// width is a bar's: part of whole in percent, and never nothing of something.
func width(part, whole uint64) float64 {
	if part == 0 {
		return 0
	}
	return max(round(float64(min(part, whole))/float64(max(whole, 1))*100), 1)
}

func classes(m map[string]uint64, total uint64) string {
	var parts []string
	for _, c := range []string{"1xx", "2xx", "3xx", "4xx", "5xx"} {
		if n := m[c]; n > 0 {
			parts = append(parts, c+" "+percent(n, total))
		}
	}
	return strings.Join(parts, " · ")
}

func states(m map[string]uint64) string {
	var parts []string
	for _, s := range []string{"established", "syn_recv", "syn_sent", "listen", "time_wait", "close_wait", "fin_wait1", "fin_wait2", "last_ack", "closing", "close", "unknown"} {
		if n := m[s]; n > 0 {
			parts = append(parts, strings.ReplaceAll(s, "_", "-")+" "+thousands(n))
		}
	}
	return strings.Join(parts, " · ")
}

func span(from, to *time.Time) string {
	if from == nil || to == nil {
		return ""
	}
	return report.Span(*from, *to)
}

func when(t time.Time) string { return t.Format("2 Jan 2006 15:04:05 MST") }

func place(n *report.Network) string {
	if n == nil {
		return ""
	}
	var parts []string
	if n.ASN > 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("AS%d %s", n.ASN, n.Org)))
	}
	if n.Country != "" {
		parts = append(parts, n.Country)
	}
	return strings.Join(parts, ", ")
}

func country(p *report.Peer) string {
	if p.Network == nil {
		return ""
	}
	return p.Network.Country
}

func ports(m map[string]uint64) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if m[a] != m[b] {
			if m[a] > m[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	if len(keys) > 3 {
		keys = append(keys[:3], "…")
	}
	return strings.Join(keys, " ")
}

func plural(n any, one, many string) string {
	if k := toUint(n); k != 1 {
		return thousands(k) + " " + many
	}
	return "1 " + one
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func harmful(verdict string) bool { return verdict == "malicious" || verdict == "suspicious" }

// grave is the colour of a level of an error log.
func grave(level string) string {
	switch level {
	case "critical", "alert", "emergency":
		return "harm"
	case "error", "warning":
		return "doubt"
	default:
		return "dim"
	}
}

// repeats tells whether the lines of a reason were shown for an earlier one of the same peer.
func repeats(p report.Peer, i int) bool {
	same := func(a, b report.Sample) bool { return a.File == b.File && a.Offset == b.Offset && a.Text == b.Text }
	lines := p.Evidence[i].Samples
	return len(lines) > 0 && slices.ContainsFunc(p.Evidence[:i], func(e report.Evidence) bool { return slices.EqualFunc(e.Samples, lines, same) })
}
