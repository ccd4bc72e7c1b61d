package live

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/report"
)

// TestCountsSurviveCrashes reads lines, saves, records and crashes at random: in the end each line was counted once.
func TestCountsSurviveCrashes(t *testing.T) {
	for seed := range uint64(50) {
		dice := rand.New(rand.NewPCG(seed, 1))
		start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		kept := map[uint64][]report.SiteMinute{} // as a recorder keeps them: each number once
		type saved struct {
			line  int
			state []byte
		}
		disk := saved{}
		now := start
		begin := func() (*meter, int) {
			m := newMeter(judge.New(judge.Options{}), &now, time.UTC)
			var c *Counted
			if disk.state != nil {
				c = &Counted{}
				if err := json.Unmarshal(disk.state, c); err != nil {
					t.Fatal(err)
				}
			}
			m.restore(c)
			return m, disk.line
		}
		save := func(m *meter, line int, end bool) {
			state, err := json.Marshal(m.state(end))
			if err != nil {
				t.Fatal(err)
			}
			if !end && dice.IntN(10) == 0 {
				return // it crashed before it was on the disk
			}
			disk = saved{line, state}
			c := &Counted{}
			if err := json.Unmarshal(state, c); err != nil {
				t.Fatal(err)
			}
			for _, b := range c.Closed {
				if !end && dice.IntN(5) == 0 {
					return // it crashed, or the database was locked
				}
				if _, is := kept[b.Number]; !is {
					kept[b.Number] = b.Rates
				}
				m.kept.Store(b.Number)
			}
		}
		const lines = 500
		m, line := begin()
		for line < lines {
			now = start.Add(time.Duration(line) * 5 * time.Second)
			m.Request(&connwarden.Request{Time: now, Client: netip.AddrFrom4([4]byte{192, 0, 2, 1}), Host: fmt.Appendf(nil, "site%d.example", line%3), Status: 200, Size: 1})
			line++
			switch dice.IntN(20) {
			case 0:
				m, line = begin()
			case 1, 2, 3:
				save(m, line, false)
			}
		}
		save(m, line, true)
		var sum report.SiteMinute
		for _, list := range kept {
			for i := range list {
				sum.Add(&list[i])
			}
		}
		if sum.Requests != lines || sum.Bytes != lines || sum.Class[2] != lines {
			t.Errorf("seed %d: %d requests of %d", seed, sum.Requests, lines)
		}
	}
}

// TestMeterIsBounded counts requests to ever new sites from ever new times: what is held stays small, and nothing is lost but
// what is too old.
func TestMeterIsBounded(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	m := newMeter(judge.New(judge.Options{}), &now, time.UTC)
	for i := range 3 * maxCells {
		m.Request(&connwarden.Request{Time: now, Host: fmt.Appendf(nil, "%d.example", i), Status: 200, Size: -1})
	}
	m.Request(&connwarden.Request{Time: now.Add(-48 * time.Hour), Status: 200})
	m.Request(&connwarden.Request{Time: now.Add(48 * time.Hour), Status: 200})
	m.Request(&connwarden.Request{Status: 200})
	if len(m.cells) > maxCells+2 {
		t.Errorf("%d cells", len(m.cells))
	}
	var sum report.SiteMinute
	for _, r := range m.hour() {
		sum.Add(&r)
	}
	if sum.Requests != 3*maxCells+2 {
		t.Errorf("%d requests", sum.Requests)
	}
	for i := range maxClosed + 5 {
		now = now.Add(time.Minute)
		m.Request(&connwarden.Request{Time: now, Status: 200})
		if s := m.state(false); len(s.Closed) > maxClosed {
			t.Fatalf("minute %d: %d batches wait", i, len(s.Closed))
		}
	}
	if m.lost == 0 {
		t.Error("nothing was given up although nothing was taken")
	}
}

func TestMeterTellsHarmApart(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	m := newMeter(judge.New(judge.Options{}), &now, time.UTC)
	ask := func(addr string) {
		m.Request(&connwarden.Request{Time: now, Client: netip.MustParseAddr(addr), Status: 404})
	}
	ask("192.0.2.1")
	m.accuse(netip.MustParseAddr("192.0.2.1"), "malicious")
	m.accuse(netip.MustParseAddr("2001:db8::1"), "suspicious")
	ask("192.0.2.1")
	ask("192.0.2.2")
	ask("2001:db8::ffff") // of the same /64
	got := m.hour()[0]
	if got.Requests != 4 || got.Malicious != 1 || got.Suspicious != 1 || got.Class[4] != 4 {
		t.Errorf("%+v", got)
	}
	now = now.Add(2 * time.Hour)
	m.age()
	if len(m.accused) != 0 {
		t.Errorf("%v is still accused", m.accused)
	}
}

// TestNotesAreBounded accuses more addresses than are remembered: the malicious stay.
func TestNotesAreBounded(t *testing.T) {
	n := &notes{peers: map[string]*note{}, groups: map[string]*note{}}
	tell := n.telling(func(any) {})
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i := range 2 * maxNotes {
		p := report.Peer{Addr: fmt.Sprint(i), Verdict: "suspicious", Score: 60}
		if i < 100 {
			p.Verdict, p.Score = "malicious", 90
		}
		tell(&Verdict{Head: head("verdict", now), Peer: p})
	}
	peers, _ := n.list(now.Add(-time.Hour))
	if len(peers) > maxNotes || peers[99].Verdict != "malicious" {
		t.Errorf("%d peers, the hundredth %+v", len(peers), peers[99])
	}
	if peers, _ := n.list(now.Add(time.Second)); len(peers) != 0 {
		t.Errorf("%d peers of before", len(peers))
	}
}

func TestMeterAllocatesNothing(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	m := newMeter(judge.New(judge.Options{}), &now, time.UTC)
	r := &connwarden.Request{Time: now, Client: netip.MustParseAddr("192.0.2.1"), Host: []byte("shop.example"), Status: 200}
	m.accuse(r.Client, "malicious")
	m.Request(r)
	if n := testing.AllocsPerRun(1000, func() { m.at(r.Time, r.Host) }); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkMeter(b *testing.B) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	m := newMeter(judge.New(judge.Options{}), &now, time.UTC)
	host := []byte("shop.example")
	for b.Loop() {
		m.at(now, host).Requests++
	}
}

// TestRatesLikeRequests: what workers counted beside is what would be counted one by one, of several sites, minutes and the accused.
func TestRatesLikeRequests(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	alone, beside := newMeter(judge.New(judge.Options{}), &now, time.UTC), newMeter(judge.New(judge.Options{}), &now, time.UTC)
	for _, m := range []*meter{alone, beside} {
		m.accuse(netip.MustParseAddr("192.0.2.1"), connwarden.VerdictMalicious)
		m.accuse(netip.MustParseAddr("2001:db8::1"), connwarden.VerdictSuspicious)
	}
	w := &warden{batches: make(chan *batch, 100)}
	p := &worker{w: w, reader: judge.New(judge.Options{}).Reader(), batch: &batch{}}
	for n := range 3*batchReadings + 5 {
		r := connwarden.Request{
			Time: now.Add(-time.Duration(n/7) * time.Second), Status: uint16(100 * (n % 9)), Size: int64(n - 1), Host: fmt.Append(nil, "site", n%(ratesLooked+3), ".example"),
			Client: netip.MustParseAddr([]string{"192.0.2.1", "192.0.2.2", "2001:db8::2", "2001:db8:1::1"}[n%4]),
		}
		switch n % 50 {
		case 0:
			r.Time = time.Time{}
		case 1:
			r.Client = netip.Addr{}
		case 2:
			r.Time = now.Add(-2 * oldest)
		}
		alone.Request(&r)
		p.Request(&r)
		clear(r.Host) // it was borrowed
	}
	p.send()
	for len(w.batches) > 0 {
		b := <-w.batches
		beside.Rates(b.rates, b.rated, &b.found)
		b.release()
	}
	order := cmpopts.SortSlices(func(a, b report.SiteMinute) bool { return a.At < b.At || a.At == b.At && a.Site < b.Site })
	if diff := cmp.Diff(alone.rates(), beside.rates(), order); diff != "" {
		t.Errorf("(-alone +beside):\n%s", diff)
	}
	if sum := beside.hour(); len(sum) < 2 || sum[len(sum)-1].Malicious == 0 || sum[len(sum)-1].Suspicious == 0 {
		t.Errorf("%+v", sum)
	}
}
