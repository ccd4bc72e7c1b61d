package report

import (
	"math"
	"strings"
)

// style is how a cell looks on a terminal with colours. Nothing is told by colour alone: the words say it too.
type style uint8

const (
	plain  style = iota
	bold         // what the eye should meet first
	dim          // what may be passed over
	red          // harm, and nothing else
	amber        // doubt, and nothing else
	accent       // commands to type
)

var styleCodes = [...]string{"", "\x1b[1m", "\x1b[2m", "\x1b[1;31m", "\x1b[33m", "\x1b[36m"}

type column struct {
	title string
	right bool
	cut   int // the width under which its cells are not cut; 0: never cut (numbers, addresses)
	drop  int // when the table is too wide the column with the highest number goes first; 0: never
}

type field struct {
	text  string
	style style
}

type table struct {
	cols []column
	rows [][]field
}

func (t *table) add(cells ...field) { t.rows = append(t.rows, cells) }

const gap = 2 // columns of space between two columns

// fit returns the width of each column, -1 for those that are left out, so that a line takes at most room columns if
// that can be had without cutting what must not be cut.
func (t *table) fit(room int) []int {
	w := make([]int, len(t.cols))
	for i, c := range t.cols {
		w[i] = width(c.title)
		for _, r := range t.rows {
			w[i] = max(w[i], width(r[i].text))
		}
	}
	for {
		total := -gap
		for _, n := range w {
			if n >= 0 {
				total += n + gap
			}
		}
		over := total - room
		if over <= 0 {
			return w
		}
		for i := len(w) - 1; i >= 0 && over > 0; i-- {
			if c := t.cols[i]; c.cut > 0 && w[i] > c.cut {
				less := min(over, w[i]-c.cut)
				w[i] -= less
				over -= less
			}
		}
		if over <= 0 {
			return w
		}
		worst := -1
		for i, c := range t.cols {
			if w[i] >= 0 && c.drop > 0 && (worst < 0 || c.drop > t.cols[worst].drop) {
				worst = i
			}
		}
		if worst < 0 {
			return w // what is left must not be cut: the line is longer than the terminal, whole
		}
		w[worst] = -1
		for i, c := range t.cols { // the room that was won goes back to what was cut
			if w[i] >= 0 && c.cut > 0 {
				w[i] = width(c.title)
				for _, r := range t.rows {
					w[i] = max(w[i], width(r[i].text))
				}
			}
		}
	}
}

func (t *Text) table(tab *table) {
	room := t.Width - len(t.indent)
	if t.Whole {
		room = math.MaxInt / 2
	}
	w := tab.fit(room)
	titles := make([]field, len(tab.cols))
	some := false
	for i, c := range tab.cols {
		titles[i] = field{c.title, dim}
		some = some || c.title != ""
	}
	if some {
		t.line(tab, w, titles)
	}
	for _, r := range tab.rows {
		t.line(tab, w, r)
	}
}

func (t *Text) line(tab *table, w []int, cells []field) {
	var b strings.Builder
	b.WriteString(t.indent)
	pad := 0
	first := true
	for i, c := range tab.cols {
		if w[i] < 0 {
			continue
		}
		if !first {
			pad += gap
		}
		first = false
		text := cells[i].text
		if c.cut > 0 {
			text = cut(text, w[i], t.ellipsis())
		}
		free := w[i] - width(text)
		if c.right {
			pad += free
		}
		if text != "" {
			b.WriteString(strings.Repeat(" ", pad))
			pad = 0
			b.WriteString(t.paint(text, cells[i].style))
		}
		if !c.right {
			pad += free
		}
	}
	b.WriteByte('\n')
	t.out.WriteString(b.String())
}

func (t *Text) paint(s string, st style) string {
	if !t.Color || st == plain || s == "" {
		return s
	}
	return styleCodes[st] + s + "\x1b[0m"
}

func (t *Text) ellipsis() string {
	if t.ASCII {
		return "..."
	}
	return "…"
}

func (t *Text) arrow() string {
	if t.ASCII {
		return "->"
	}
	return "→"
}

func (t *Text) dot() string {
	if t.ASCII {
		return " - "
	}
	return " · "
}

func (t *Text) bar(share float64, n int) string { return Bar(share, n, t.ASCII) }

// words writes a paragraph, broken between words, each line led by indent. A word longer than the line stays whole.
func (t *Text) words(indent, text string, st style) { t.item(indent, "", text, st) }

// item is words with a mark before the first line, which the others are indented by.
func (t *Text) item(indent, mark, text string, st style) {
	lead, rest := indent+t.paint(mark, st), indent+strings.Repeat(" ", width(mark))
	room := max(t.Width-width(rest), 20)
	var line []string
	n := 0
	flush := func() {
		if len(line) > 0 {
			t.out.WriteString(lead + t.paint(strings.Join(line, " "), st) + "\n")
			line, n, lead = line[:0], 0, rest
		}
	}
	for _, word := range strings.Fields(text) {
		if n > 0 && n+1+width(word) > room {
			flush()
		}
		if n > 0 {
			n++
		}
		line = append(line, word)
		n += width(word)
	}
	flush()
}
