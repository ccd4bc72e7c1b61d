package paper

import (
	"strings"
	"time"

	"github.com/connwarden/connwarden/report"
)

// Verdicts are the words of a verdict from harm to none, the order in which every list and chart has them.
var Verdicts = []string{"malicious", "suspicious", "bot", "crawler", "normal"}

// SchemaTimeline names the form of Timeline.
const SchemaTimeline = "connwarden.timeline/1"

// MaxBars bounds the bars of a timeline: a week in steps of an hour, with room.
const MaxBars = 400

// Timeline is how many requests came when, by the verdict on who sent them.
type Timeline struct {
	Schema string              `json:"schema"`
	Start  time.Time           `json:"start"`
	Step   float64             `json:"step"`   // seconds of a bar
	Counts map[string][]uint64 `json:"counts"` // by verdict, one number a bar; a verdict without requests is left out

	// Of Accused addresses the requests of the Told busiest are told apart; those of the others are among the normal.
	Accused int `json:"accused"`
	Told    int `json:"told"`
}

// Len is the number of bars.
func (t *Timeline) Len() int {
	for _, list := range t.Counts {
		return len(list)
	}
	return 0
}

// Total is the number of requests of a verdict.
func (t *Timeline) Total(verdict string) (sum uint64) {
	for _, n := range t.Counts[verdict] {
		sum += n
	}
	return sum
}

// Steps are the keys of time by which pages can be counted, and how long each lasts.
var Steps = map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

// StepFor is the key of time that shows a span in a number of bars that can be told apart.
func StepFor(span time.Duration) string {
	switch {
	case span <= 6*time.Hour+time.Minute:
		return "minute"
	case span <= 15*24*time.Hour:
		return "hour"
	default:
		return "day"
	}
}

// NewTimeline joins two countings of the same logs: all requests by the time key step, and by step and address those of
// the addresses in verdicts. What no such address sent is normal. It returns nil when nothing was counted.
func NewTimeline(step string, all, some *report.Pages, verdicts map[string]string) *Timeline {
	d := Steps[step]
	if all == nil || len(all.Rows) == 0 || d == 0 {
		return nil
	}
	first, last := moment(all.Rows[0].Key), moment(all.Rows[0].Key)
	for i := range all.Rows {
		at := moment(all.Rows[i].Key)
		switch {
		case at.IsZero(): // lines without a time
		case first.IsZero() || at.Before(first):
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	if first.IsZero() {
		return nil
	}
	bars := int(last.Sub(first)/d) + 1
	if bars > MaxBars { // a few lines from long ago must not make all others one bar
		first, bars = last.Add(-d*(MaxBars-1)), MaxBars
	}
	t := &Timeline{Schema: SchemaTimeline, Start: first, Step: d.Seconds(), Counts: map[string][]uint64{}}
	add := func(verdict, key string, n uint64) {
		at := moment(key)
		if at.Before(first) || at.After(last) {
			return
		}
		if t.Counts[verdict] == nil {
			t.Counts[verdict] = make([]uint64, bars)
		}
		t.Counts[verdict][int(at.Sub(first)/d)] += n
	}
	for i := range all.Rows {
		add("normal", all.Rows[i].Key, all.Rows[i].Count)
	}
	if some == nil {
		return t
	}
	for i := range some.Rows {
		row := &some.Rows[i]
		if len(row.Keys) != 2 {
			continue
		}
		if v := verdicts[row.Keys[1]]; v != "" && v != "normal" {
			add(v, row.Keys[0], row.Count)
		}
	}
	normal := t.Counts["normal"]
	for v, list := range t.Counts {
		if v == "normal" {
			continue
		}
		for i, n := range list {
			normal[i] -= min(n, normal[i])
		}
	}
	return t
}

// moment reads a key of time; zero for the key of lines without one.
func moment(key string) time.Time {
	t, err := time.Parse(time.RFC3339, key)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Accused picks the addresses whose requests are told apart in a timeline: those that are not normal, the worst first,
// at most most of them and with a filter of pages that is at most 12 KiB long ("ip=192.0.2.1,192.0.2.2"; "" when there
// is none); their verdicts; and how many there are in all.
func Accused(peers []report.Peer, most int) (filter string, verdicts map[string]string, all int) {
	const longest = 12 << 10 // of the 16 KiB that a filter may have
	verdicts = map[string]string{}
	var b strings.Builder
	for _, v := range Verdicts[:len(Verdicts)-1] {
		for i := range peers {
			p := &peers[i]
			if p.Verdict != v || p.Requests == 0 {
				continue
			}
			all++
			if len(verdicts) >= most || b.Len()+len(p.Addr)+4 > longest {
				continue
			}
			if b.Len() == 0 {
				b.WriteString("ip=" + p.Addr)
			} else {
				b.WriteString("," + p.Addr)
			}
			verdicts[p.Addr] = v
		}
	}
	return b.String(), verdicts, all
}

// On returns t on the axis of another timeline with the same step, so that both can be read one above the other.
func (t *Timeline) On(axis *Timeline) *Timeline {
	if t.Step != axis.Step {
		return t
	}
	d := &Timeline{Schema: t.Schema, Start: axis.Start, Step: axis.Step, Counts: map[string][]uint64{}}
	shift := int(t.Start.Sub(axis.Start) / time.Duration(t.Step*float64(time.Second)))
	for v, list := range t.Counts {
		moved := make([]uint64, axis.Len())
		for i, n := range list {
			if j := i + shift; j >= 0 && j < len(moved) {
				moved[j] += n
			}
		}
		d.Counts[v] = moved
	}
	return d
}

// RateTimeline draws what a daemon counted, step by step; nil where it counted no request.
func RateTimeline(rates []report.Rate, step time.Duration) *Timeline {
	if len(rates) == 0 || step <= 0 {
		return nil
	}
	first, last := rates[0].Start, rates[len(rates)-1].Start
	bars := int(last.Sub(first)/step) + 1
	if bars > MaxBars {
		first, bars = last.Add(-step*(MaxBars-1)), MaxBars
	}
	t := &Timeline{Schema: SchemaTimeline, Start: first, Step: step.Seconds(), Counts: map[string][]uint64{}}
	some := false
	for i := range rates {
		r := &rates[i]
		at := int(r.Start.Sub(first) / step)
		if r.Start.Before(first) || at >= bars {
			continue
		}
		for verdict, n := range map[string]uint64{"malicious": r.Malicious, "suspicious": r.Suspicious, "normal": r.Requests - min(r.Malicious+r.Suspicious, r.Requests)} {
			if n == 0 {
				continue
			}
			some = true
			if t.Counts[verdict] == nil {
				t.Counts[verdict] = make([]uint64, bars)
			}
			t.Counts[verdict][at] += n
		}
	}
	if !some {
		return nil
	}
	return t
}

// PastTimeline draws a history over the whole stretch that was asked for, however little of it was written down.
func PastTimeline(h *report.History) *Timeline {
	step := time.Duration(h.Step) * time.Second
	if step <= 0 || len(h.Rates) == 0 {
		return nil
	}
	// Empty ends make the stretch whole.
	edge := func(t time.Time) report.Rate {
		return report.Rate{Start: time.Unix(t.Unix()/int64(h.Step)*int64(h.Step), 0).In(t.Location())}
	}
	list := append([]report.Rate{edge(h.From)}, h.Rates...)
	if end := edge(h.Until.Add(-time.Second)); end.Start.After(list[len(list)-1].Start) {
		list = append(list, end)
	}
	if list[1].Start.Before(list[0].Start) {
		list = list[1:]
	}
	return RateTimeline(list, step)
}
