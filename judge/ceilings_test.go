package judge

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
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

// TestFewAmongMany: who guesses passwords is found among many more who failed once than there are cells.
func TestFewAmongMany(t *testing.T) {
	fails := func(a [4]byte, at time.Time, line int) *connwarden.Event {
		return &connwarden.Event{
			Time: at, Client: netip.AddrFrom4(a), Service: "sshd", Kind: connwarden.EventAuthFailed,
			From: connwarden.Source{Name: "auth.log", Offset: int64(line) * 100, Line: int64(line), Trust: connwarden.TrustRoot},
		}
	}
	const attackers = 20
	var log []*connwarden.Event
	for i := range maxCells * 5 / 4 {
		at := start.Add(time.Duration(i) * 2 * time.Millisecond)
		if log = append(log, fails([4]byte{198, byte(i >> 16), byte(i >> 8), byte(i)}, at, len(log))); i%800 == 0 {
			log = append(log, fails([4]byte{203, 0, 113, byte(i / 800 % attackers)}, at, len(log)))
		}
	}
	set := setOf(t, strings.Replace(testRules, "service=sshd,nginx and kind=auth_failed,limit_hit'\ncount = 5\nwithin = \"1m\"", "service=sshd,nginx and kind=auth_failed,limit_hit'\ncount = 5\nwithin = \"10m\"", 1))
	sum := twice(log, New(Options{Rules: set}), New(Options{Rules: set}))
	if peers, _ := sum.Verdicts(start.Add(time.Hour)); len(peers) != attackers {
		t.Errorf("%d are accused, want %d", len(peers), attackers)
	}
	if _, lost := sum.Evicted(); lost > 0 {
		t.Errorf("%d counts were let go", lost)
	}
}

// TestDoubtBeside: what was in doubt and what was not are added up.
func TestDoubtBeside(t *testing.T) {
	for requests := range 3 { // that agree
		table := New(Options{Rules: compiled(t)})
		addr := netip.MustParseAddr("203.0.113.9")
		var events []*connwarden.Event
		var log []*connwarden.Request
		for i := range 5 { // the rule asks for five
			e := &connwarden.Event{
				Time: start.Add(time.Duration(i) * 10 * time.Second), Client: addr, Kind: connwarden.EventLimitHit, Service: "nginx",
				From: connwarden.Source{Name: "error.log", Offset: int64(i) * 100, Trust: connwarden.TrustRoot},
			}
			if i < 2 {
				e.From.Trust = connwarden.TrustOutside
			}
			if events = append(events, e); i < requests {
				log = append(log, request(addr.String(), "GET", "/search", 503, e.Time.Add(time.Second), int64(i)))
			}
		}
		read := func(to *Table) {
			for _, e := range events {
				to.Event(e)
			}
			for _, r := range log {
				to.Request(r)
			}
		}
		read(table)
		again := table.Second().Table()
		read(again)
		table.Adopt(again)
		if peers, _ := table.Verdicts(start.Add(time.Minute)); (len(peers) == 1) != (requests == 2) {
			t.Errorf("%d requests agree: %d verdicts", requests, len(peers))
		}
	}
}
