package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// historyRows is how many verdicts and blocks a person is shown; the JSON has more.
const historyRows = 20

// history writes what was written down: how much came, and who was accused and blocked, the latest first.
func (t *Text) history(title string, d *History) {
	if d == nil || len(d.Rates)+len(d.Verdicts)+len(d.Blocks) == 0 {
		return
	}
	t.out.WriteByte('\n')
	t.head(title, d.From.Format("2 Jan 15:04")+" - "+d.Until.Format("2 Jan 15:04"), t.historySums(d))
	if line := t.spark(d); line != "" {
		t.out.WriteString("  " + t.paint(line, dim) + "\n")
	}
	type row struct {
		at    time.Time
		cells []field
	}
	var rows []row
	for i := range d.Verdicts {
		v := &d.Verdicts[i]
		word, why := verdictField(v.Verdict), ""
		if word.text == "" {
			word.text = v.Verdict
		}
		if len(v.Evidence) > 0 {
			why = Clean(v.Evidence[0].Why)
		}
		name := Clean(v.Addr)
		if v.Kind != "" {
			name = v.Kind + " " + name
		}
		rows = append(rows, row{v.Time, []field{{}, word, {strconv.Itoa(v.Score), plain}, {name, bold}, {why, plain}}})
	}
	for i := range d.Blocks {
		b := &d.Blocks[i]
		word := field{"blocked", accent}
		why := Clean(b.Why)
		if b.Type != "block" {
			word = field{"block ended", dim}
		} else if b.Until != nil {
			why = "until " + b.Until.Format("15:04:05") + ". " + why
		}
		rows = append(rows, row{b.Time, []field{{}, word, {}, {Clean(b.Target), bold}, {why, plain}}})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return b.at.Compare(a.at) })
	form := "15:04"
	if d.Until.Sub(d.From) > 24*time.Hour {
		form = "2 Jan 15:04"
	}
	tab := &table{cols: []column{{title: "TIME"}, {title: ""}, {title: "SCORE", right: true, drop: 2}, {title: "ADDRESS"}, {title: "WHY", cut: 12, drop: 1}}}
	for _, r := range rows[:min(len(rows), historyRows)] {
		r.cells[0] = field{r.at.Format(form), plain}
		tab.add(r.cells...)
	}
	if len(rows) > 0 {
		t.indent = "  "
		t.table(tab)
		t.indent = ""
	}
	if more := uint64(max(len(rows)-historyRows, 0)) + d.More; more > 0 {
		t.out.WriteString(t.paint(fmt.Sprintf("  %s more verdicts and blocks (--json has up to 200)", Thousands(more)), dim) + "\n")
	}
	if d.Unwritten > 0 {
		t.out.WriteString(t.paint(fmt.Sprintf("  %s verdicts were too many in their minute to be written down", Thousands(d.Unwritten)), dim) + "\n")
	}
}

func (t *Text) historySums(d *History) string {
	var requests, malicious, suspicious, errors, events, open uint64
	for i := range d.Rates {
		r := &d.Rates[i]
		requests += r.Requests
		malicious += r.Malicious
		suspicious += r.Suspicious
		errors += r.Errors
		events += r.Events
		open = max(open, r.Open)
	}
	if len(d.Rates) == 0 {
		return ""
	}
	parts := []string{Plural(requests, "request", "requests")}
	for _, one := range []struct {
		n    uint64
		text string
	}{{malicious, " of malicious addresses"}, {suspicious, " of suspicious ones"}, {errors, " errors"}, {events, " failed logins and other hostile events"}} {
		if one.n > 0 {
			parts = append(parts, Thousands(one.n)+one.text)
		}
	}
	if open > 0 {
		parts = append(parts, "at most "+Plural(open, "connection", "connections"))
	}
	return strings.Join(parts, t.dot())
}

// spark draws the requests on the axis of the stretch, scaled to the busiest; nothing where that cannot be drawn.
func (t *Text) spark(d *History) string {
	span := d.Until.Sub(d.From)
	n := min(t.Width-2, 60)
	if t.ASCII || span <= 0 || n < 10 {
		return ""
	}
	columns := make([]float64, n)
	most := 0.0
	for i := range d.Rates {
		at := int(float64(n) * float64(d.Rates[i].Start.Sub(d.From)) / float64(span))
		if at >= 0 && at < n {
			columns[at] += float64(d.Rates[i].Requests)
			most = max(most, columns[at])
		}
	}
	if most == 0 {
		return ""
	}
	levels := []rune("▁▂▃▄▅▆▇█")
	line := make([]rune, n)
	for i, v := range columns {
		if line[i] = ' '; v > 0 {
			line[i] = levels[min(int(v/most*float64(len(levels))), len(levels)-1)]
		}
	}
	return strings.TrimRight(string(line), " ")
}
