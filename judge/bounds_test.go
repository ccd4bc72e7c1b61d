package judge

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

func TestCombine(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	one := func(addr netip.Addr, rule, family string, capped bool, score int) connwarden.Verdict {
		return connwarden.Verdict{Addr: addr, Score: score, ScoreNow: score, Evidence: []connwarden.Evidence{{Rule: rule, Family: family, Capped: capped, Score: score}}}
	}
	got := Combine([]connwarden.Verdict{one(a, "conns", "volume", true, 60), one(b, "path", "volume", true, 55), one(a, "path", "volume", true, 55), one(a, "login", "login", false, 70)})
	if len(got) != 2 || got[0].Addr != a || len(got[0].Evidence) != 3 {
		t.Fatalf("Combine = %+v", got)
	}
	if got[0].Score != 88 { // 1-(1-0.7)(1-0.6)
		t.Errorf("score = %d, want 88", got[0].Score)
	}
	if got[0].Evidence[0].Rule != "login" {
		t.Errorf("the strongest evidence is not first: %+v", got[0].Evidence)
	}
	if two := Combine([]connwarden.Verdict{one(b, "conns", "volume", true, 60), one(b, "path", "volume", true, 55)}); two[0].Score != 60 {
		t.Errorf("two outliers in volume count twice: %d", two[0].Score)
	}
	if two := Combine([]connwarden.Verdict{one(b, "conns", "volume", true, 70), one(b, "missing", "probing", true, 60)}); two[0].Score != cappedScore {
		t.Errorf("what honest users do is malicious: %d", two[0].Score)
	}
}

// TestEvict floods a small table with addresses that ask once: whoever asked often stays, and the loss is told.
func TestEvict(t *testing.T) {
	table := New(Options{Rules: compiled(t)})
	table.ledgers.max = 1000
	for i := range 50_000 {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		table.Request(&connwarden.Request{Time: start, Client: addr, Path: []byte("/")})
		if i%10 == 0 {
			table.Request(request("13.14.15.16", "POST", "/xmlrpc.php", 403, start, int64(i)))
		}
	}
	if table.Len() > 1000 {
		t.Errorf("%d ledgers, bound 1000", table.Len())
	}
	if got := table.Peer(netip.MustParseAddr("13.14.15.16")).Requests; got != 5000 {
		t.Errorf("the attacker has %d requests, want 5000", got)
	}
	evicted, _ := table.Evicted()
	if got, want := evicted+uint64(table.Len()), uint64(50_001); got != want {
		t.Errorf("kept and evicted are %d, want %d", got, want)
	}
}

// TestTimeless proves that a log without times, in which all of a day seems to be of one moment, accuses nobody.
func TestTimeless(t *testing.T) {
	table := New(Options{Rules: compiled(t)})
	for i := range 5_000 {
		r := request("13.14.15.16", "POST", "/xmlrpc.php", 403, start, int64(i))
		r.Time = time.Time{}
		table.Request(r)
	}
	if table.Len() != 0 {
		t.Errorf("%d ledgers of requests at no time", table.Len())
	}
}

func TestFoldAllocates(t *testing.T) {
	table := New(Options{Rules: compiled(t)})
	r := request("192.0.2.1", "GET", "/", 200, start, 1)
	login := request("192.0.2.1", "POST", "/wp-login.php", 200, start, 1)
	table.Request(r)
	for range samplesKept + 1 {
		table.Request(login)
	}
	if n := testing.AllocsPerRun(100, func() { table.Request(r); table.Request(login) }); n > 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkRequest(b *testing.B) {
	log := traffic(1 << 14)
	slices.SortFunc(log, func(a, b *connwarden.Request) int { return a.Time.Compare(b.Time) })
	table := New(Options{Rules: compiled(b)})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		table.Request(log[i&(1<<14-1)])
	}
}
