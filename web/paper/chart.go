package paper

import (
	"slices"
	"time"

	"github.com/connwarden/connwarden/report"
)

// The size of a chart, in units of its own: it is drawn as wide as the page.
const (
	barsWide = 960.0
	barsHigh = 120.0
)

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
				Class: v, About: label(i) + "  " + v + " " + report.Thousands(k), X: round(float64(i)*wide + wide*0.08), Y: round(barsHigh - below[i]), W: round(wide * 0.84), H: round(h),
			})
		}
	}
	ticks := min(n, 5)
	for i := range ticks {
		c.Ticks = append(c.Ticks, label(i*(n-1)/max(ticks-1, 1)))
	}
	return c
}
