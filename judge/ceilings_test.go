package judge

import (
	"testing"
	"time"
)

// TestCeilings: the second look keeps cells of those rules alone that an address may meet, whichever tables counted it, and however often a rule asks.
func TestCeilings(t *testing.T) {
	const rule = `
[[rule]]
name = "few"
about = "asks"
look = "request"
where = 'path=/few'
count = 4
within = "1h"
score = 50
why = "{count} requests"
fires = "x"
spares = "x"

[[rule]]
name = "many"
about = "asks"
look = "request"
where = 'path=/many'
count = 600
within = "1h"
score = 50
why = "{count} requests"
fires = "x"
spares = "x"
`
	for _, c := range []struct {
		few, many, cells, verdicts int
	}{{3, 3, 0, 0}, {4, 3, 1, 1}, {4, 254, 1, 1}, {4, 255, 2, 1}, {4, 600, 2, 1}, {1, 600, 1, 1}} {
		set := setOf(t, rule)
		one, two := New(Options{Rules: set}), New(Options{Rules: set})
		ask := func(path string, n int, to func(i int) *Table) {
			for i := range n {
				to(i).Request(request("192.0.2.1", "GET", path, 200, start.Add(time.Duration(i)*time.Second), int64(i)))
			}
		}
		first := func(i int) *Table { return []*Table{one, two}[i%2] }
		ask("/few", c.few, first)
		ask("/many", c.many, first)
		one.Merge(two)
		again := one.Second().Table()
		only := func(int) *Table { return again }
		ask("/few", c.few, only)
		ask("/many", c.many, only)
		if n := again.cells.len(); n != c.cells {
			t.Errorf("%d and %d requests: %d cells, want %d", c.few, c.many, n, c.cells)
		}
		one.Adopt(again)
		if peers, _ := one.Verdicts(start.Add(time.Hour)); len(peers) != c.verdicts {
			t.Errorf("%d and %d requests: %d verdicts, want %d", c.few, c.many, len(peers), c.verdicts)
		}
	}
}
