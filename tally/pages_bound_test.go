package tally

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

// checkBounds compares a table beyond its bound with the truth.
func checkBounds(t *testing.T, p *Pages, list []connwarden.Request, k Keys, bound int) {
	t.Helper()
	truth := map[string]PageRow{}
	for _, row := range slow(k, list).Rows {
		truth[row.Key] = row
	}
	if p.Lines() != uint64(len(list)) {
		t.Errorf("got %d requests of %d", p.Lines(), len(list))
	}
	// From the analysis at Pages: 2N/bound.
	if most := uint64(2 * len(list) / bound); p.Missed() > most {
		t.Errorf("%d may be missed, the bound is %d", p.Missed(), most)
	}
	rows := p.Top(0)
	if len(rows) > bound {
		t.Errorf("%d rows with a bound of %d", len(rows), bound)
	}
	for _, row := range rows {
		real := truth[row.Key]
		if row.Count < real.Count || row.Count-row.MaxError > real.Count {
			t.Errorf("%s: got %d with an error of %d, the truth is %d", row.Key, row.Count, row.MaxError, real.Count)
		}
		for c, n := range row.Class {
			if n > real.Class[c] || real.Class[c]-n > row.MaxError {
				t.Errorf("%s class %d: got %d with an error of %d, the truth is %d", row.Key, c, n, row.MaxError, real.Class[c])
			}
		}
		if row.Bytes > real.Bytes {
			t.Errorf("%s: got %d bytes of %d", row.Key, row.Bytes, real.Bytes)
		}
		delete(truth, row.Key)
	}
	for key, row := range truth {
		if row.Count > p.Missed() {
			t.Errorf("%s with %d requests is in no row, and only %d may be missed", key, row.Count, p.Missed())
		}
	}
	n, exact := p.Distinct()
	real := uint64(len(truth) + len(rows))
	if exact || n < real*95/100-1 || n > real*105/100+1 {
		t.Errorf("got %d different keys, exact %v, the truth is %d", n, exact, real)
	}
}

func TestPagesBeyondTheBound(t *testing.T) {
	for _, bound := range []int{1, 2, 3, 10, 100, 1000} {
		for seed := range uint64(2) {
			list := made(10_000, 6_000, seed)
			k := keys(t, "path")
			checkBounds(t, countAll(k, bound, list), list, k, bound)
			// Merged, the same holds.
			r := rand.New(rand.NewPCG(seed, 2))
			p := NewPages(k, bound)
			for rest := list; len(rest) > 0; {
				n := min(1+r.IntN(4000), len(rest))
				p.Merge(countAll(k, bound, rest[:n]))
				rest = rest[n:]
			}
			checkBounds(t, p, list, k, bound)
		}
	}
}

// The same where lines wait to be looked up together, and keys are dropped while they do.
func TestPagesBeyondTheBoundTogether(t *testing.T) {
	const bound = queueFrom + 1000
	list := made(150_000, 400_000, 7)
	for i := range list { // a quarter comes again and again
		if i%4 > 0 {
			list[i].Path = fmt.Appendf(nil, "/%d", i*2654435761%60_000)
		}
	}
	k := keys(t, "path")
	p, o := countAll(k, bound, list[:70_000]), countAll(k, bound, list[70_000:])
	p.Merge(o)
	checkBounds(t, p, list, k, bound)
	if p.Missed() == 0 {
		t.Error("nothing was dropped")
	}
}

// A flood of different keys hides nobody, and takes no more memory than the bound says.
func TestPagesFlood(t *testing.T) {
	const bound, flood, culprit = 20_000, 400_000, 500
	p := [2]*Pages{NewPages(keys(t, "path"), bound), NewPages(keys(t, "path"), bound)}
	var r connwarden.Request
	for i := range flood {
		r.Path = fmt.Appendf(r.Path[:0], "/%d/%d/%d/%d", i, i*7, i*11, i*13)
		p[i%2].Request(&r)
		if i%(flood/culprit) == 0 {
			r.Path = append(r.Path[:0], "/xmlrpc.php"...)
			p[i/2%2].Request(&r)
		}
	}
	for _, p := range p {
		if bytes := p.table.memory(); bytes > bound*150 {
			t.Errorf("a table of %d keys takes %d bytes", bound, bytes)
		}
	}
	p[0].Merge(p[1])
	if top := p[0].Top(1)[0]; top.Key != "/xmlrpc.php" || top.Count < culprit || top.Count > culprit+top.MaxError || top.MaxError > 2*flood/bound {
		t.Errorf("got %+v", top)
	}
	if n, _ := p[0].Distinct(); n < flood*95/100 || n > flood*105/100 {
		t.Errorf("got %d different keys of %d", n, flood+1)
	}
}

// Long keys leave room for fewer of them.
func TestPagesLongKeys(t *testing.T) {
	const bound = 1000
	var list []connwarden.Request
	for i := range 3000 {
		list = append(list, connwarden.Request{Path: []byte(fmt.Sprint(i, "/") + strings.Repeat("x", i%5000))})
	}
	p := countAll(keys(t, "path"), bound, list)
	if p.table.arenaN > bound*arenaPerKey || p.table.memory() > bound*(150+arenaPerKey) {
		t.Errorf("%d bytes of keys in %d bytes", p.table.arenaN, p.table.memory())
	}
	// One key may be longer than all of a small table's room.
	p = countAll(keys(t, everything), 1, []connwarden.Request{
		{Path: []byte(strings.Repeat("x", 9999)), Agent: []byte(strings.Repeat("y", 9999)), User: []byte(strings.Repeat("z", 9999)), Host: []byte(strings.Repeat("z", 9999)), Method: []byte(strings.Repeat("z", 9999)), Referer: []byte(strings.Repeat("z", 9999))},
		{Path: []byte("a")},
	})
	if p.Lines() != 2 || len(p.Top(0)) != 1 {
		t.Errorf("got %d requests in %d rows", p.Lines(), len(p.Top(0)))
	}
}
