package tui

import (
	"cmp"
	"slices"
	"strings"

	"github.com/connwarden/connwarden/report"
)

// column is one column of a table.
type column struct {
	title string
	right bool
	least int  // the width under which its cells are not cut; 0: never cut (numbers, addresses)
	drop  int  // when the table is too wide the column with the highest number goes first; 0: never
	worth bool // sorted by the values of its cells, as what is aligned right is
}

// cell is a field of a row. value is what it is sorted by; without one its text is.
type cell struct {
	text  string
	style style
	value float64
}

func words(text string, st style) cell { return cell{text: text, style: st} }

// number is a cell sorted by n, and empty when that is zero.
func number(n uint64, st style) cell {
	return cell{text: report.Nonzero(n), style: st, value: float64(n)}
}

// entry is one row of a table, or one finding: what can be selected.
type entry struct {
	key     string // what it stays selected by when the table changes
	target  string // an address or prefix that can be looked into and blocked; "" none
	cells   []cell
	lines   [][]span // of a finding; a table makes its own
	explain func(width int) []string
	host    string // another host of the fleet; "" none
}

// text is what a filter looks in.
func (e *entry) text() string {
	var b strings.Builder
	for _, c := range e.cells {
		b.WriteString(c.text + " ")
	}
	for _, l := range e.lines {
		for _, s := range l {
			b.WriteString(s.text + " ")
		}
	}
	return strings.ToLower(b.String())
}

// table is what a tab shows. Findings have no columns.
type table struct {
	cols    []column
	entries []entry
	empty   []string // what is said when there is no row
	below   [][]span // what follows the rows
}

const (
	gutter = 2 // columns before each line, for the mark of the selected one
	gap    = 2 // columns between two columns
)

// order is by which column a tab is sorted; the zero value is the review's own order.
type order struct {
	title string // "" the review's own
	up    bool
}

// sort puts the rows in an order. What is counted begins with the most, names with A.
func (t *table) sort(o order) {
	i := slices.IndexFunc(t.cols, func(c column) bool { return o.title != "" && c.title == o.title })
	if i < 0 {
		return
	}
	slices.SortStableFunc(t.entries, func(a, b entry) int {
		x, y := a.cells[i], b.cells[i]
		n := cmp.Compare(x.text, y.text)
		if t.cols[i].right || t.cols[i].worth {
			n = cmp.Compare(y.value, x.value)
		}
		if o.up {
			return -n
		}
		return n
	})
}

// filter keeps the rows that hold every word.
func (t *table) filter(text string) {
	wanted := strings.Fields(strings.ToLower(text))
	if len(wanted) == 0 {
		return
	}
	t.entries = slices.DeleteFunc(t.entries, func(e entry) bool {
		in := e.text()
		return slices.ContainsFunc(wanted, func(w string) bool { return !strings.Contains(in, w) })
	})
}

// widths returns the width of each column, -1 for those that are left out.
func (t *table) widths(room int) []int {
	w := make([]int, len(t.cols))
	natural := func(i int) {
		w[i] = columns(t.cols[i].title)
		for _, e := range t.entries {
			w[i] = max(w[i], columns(e.cells[i].text))
		}
	}
	for i := range t.cols {
		natural(i)
		if w[i] == 0 {
			w[i] = -1 // no row says anything
		}
	}
	for {
		over := -gap - room
		for _, n := range w {
			if n >= 0 {
				over += n + gap
			}
		}
		for i := len(w) - 1; i >= 0 && over > 0; i-- {
			if least := t.cols[i].least; least > 0 && w[i] > least {
				less := min(over, w[i]-least)
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
			return w // the line is cut where the screen ends
		}
		w[worst] = -1
		for i, c := range t.cols { // the room that was won goes back to what was cut
			if w[i] >= 0 && c.least > 0 {
				natural(i)
			}
		}
	}
}

// head is the line of titles, with a mark at the one that the rows are sorted by, and where each title begins.
func (t *table) head(p *pen, w []int, o order) ([]span, []int) {
	cells := make([]cell, len(t.cols))
	for i, c := range t.cols {
		cells[i] = words(c.title, dim)
		if o.title != "" && c.title == o.title {
			cells[i].style = accent
		}
	}
	at := make([]int, len(t.cols))
	spans := t.line(p, w, cells, at)
	return spans, at
}

// line lays the cells of a row out; at, if given, is filled with where each begins.
func (t *table) line(p *pen, w []int, cells []cell, at []int) []span {
	var out []span
	pad, column := 0, gutter
	first := true
	for i, c := range t.cols {
		if at != nil {
			at[i] = -1
		}
		if w[i] < 0 {
			continue
		}
		if !first {
			pad += gap
			column += gap
		}
		first = false
		if at != nil {
			at[i] = column
		}
		column += w[i]
		text := cells[i].text
		if c.least > 0 {
			text = p.cut(text, w[i])
		}
		free := max(w[i]-columns(text), 0)
		if c.right {
			pad += free
		}
		if text != "" {
			out = append(out, span{strings.Repeat(" ", pad), plain}, span{text, cells[i].style})
			pad = 0
		}
		if !c.right {
			pad += free
		}
	}
	return out
}
