package judge

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/connwarden/connwarden"
)

var start = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)

func request(addr, method, path string, status uint16, at time.Time, line int64) *connwarden.Request {
	return &connwarden.Request{
		Time: at, Client: netip.MustParseAddr(addr), Method: []byte(method), Path: []byte(path), Status: status, Size: 100,
		From: connwarden.Source{Name: "access.log", Offset: line * 100, Line: line},
	}
}

// traffic is a log of n requests of some addresses, a few of them at WordPress' doors.
func traffic(n int) []*connwarden.Request {
	rng := rand.New(rand.NewPCG(1, 2))
	list := make([]*connwarden.Request, n)
	for i := range list {
		addr := fmt.Sprintf("198.51.100.%d", rng.IntN(40))
		at := start.Add(time.Duration(rng.IntN(1800)) * time.Second)
		switch rng.IntN(4) {
		case 0:
			list[i] = request(addr, "POST", "/wp-login.php", 200, at, int64(i+1))
		case 1:
			list[i] = request("2001:db8::"+fmt.Sprint(rng.IntN(9)), "POST", "//xmlrpc.php", 403, at, int64(i+1))
		default:
			list[i] = request(addr, "GET", "/", 200, at, int64(i+1))
		}
	}
	return list
}

var sameAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// TestMerge cuts a log at many places and deals it to several tables in any order: the verdicts stay the same.
func TestMerge(t *testing.T) {
	log := traffic(3000)
	now := start.Add(30 * time.Minute)
	whole := New()
	for _, r := range log {
		whole.Request(r)
	}
	want, wantPeers := whole.Logins(now), whole.Busiest(10)
	if len(want) == 0 {
		t.Fatal("the log has no burst, so the test shows nothing")
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 60 {
		parts := make([]*Table, 1+rng.IntN(5))
		for i := range parts {
			parts[i] = New()
		}
		for from := 0; from < len(log); {
			to := min(from+1+rng.IntN(400), len(log))
			part := parts[rng.IntN(len(parts))]
			for _, r := range log[from:to] {
				part.Request(r)
			}
			from = to
		}
		rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		sum := parts[0]
		for _, part := range parts[1:] {
			sum.Merge(part)
		}
		if diff := cmp.Diff(want, sum.Logins(now), sameAddr); diff != "" {
			t.Fatalf("round %d, %d parts (-whole +merged):\n%s", round, len(parts), diff)
		}
		if diff := cmp.Diff(wantPeers, sum.Busiest(10), sameAddr); diff != "" {
			t.Fatalf("round %d (-whole +merged):\n%s", round, diff)
		}
	}
}

func TestLogins(t *testing.T) {
	burst := func(n int, every time.Duration, method, path string, status uint16) []*connwarden.Request {
		var list []*connwarden.Request
		for i := range n {
			list = append(list, request("13.14.15.16", method, path, status, start.Add(time.Duration(i)*every), int64(i+1)))
		}
		return list
	}
	for _, c := range []struct {
		name string
		log  []*connwarden.Request
		rule string // "": no verdict
		why  string
	}{
		{"xmlrpc refused", burst(441, time.Second/2, "POST", "/xmlrpc.php", 403), "wordpress-xmlrpc-bruteforce", "441 POSTs to /xmlrpc.php in 5 minutes, all refused"},
		{"xmlrpc in a subfolder, slash doubled", burst(60, time.Second, "POST", "/blog//xmlrpc.php", 200), "wordpress-xmlrpc-bruteforce", "60 POSTs to /xmlrpc.php in 5 minutes"},
		{"login fails with 200", burst(12, 10*time.Second, "POST", "/wp-login.php", 200), "wordpress-login-bruteforce", "12 POSTs to /wp-login.php in 5 minutes"},
		{"a forgetful person", burst(9, 10*time.Second, "POST", "/wp-login.php", 200), "", ""},
		{"logins that pass", burst(50, time.Second, "POST", "/wp-login.php", 302), "", ""},
		{"looking at the form", burst(500, time.Second/4, "GET", "/wp-login.php", 200), "", ""},
		{"Jetpack, now and then", burst(60, time.Minute, "POST", "/xmlrpc.php", 200), "", ""},
		{"another page of like name", burst(100, time.Second, "POST", "/my-xmlrpc.php", 200), "", ""},
		{"slowly, one in twenty seconds", burst(100, 20*time.Second, "POST", "/wp-login.php", 200), "wordpress-login-bruteforce", "15 POSTs to /wp-login.php in 5 minutes, 100 in all"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := New()
			for _, r := range c.log {
				table.Request(r)
			}
			verdicts := table.Logins(start.Add(time.Hour))
			if c.rule == "" {
				if len(verdicts) > 0 {
					t.Fatalf("accused: %+v", verdicts)
				}
				return
			}
			if len(verdicts) != 1 || len(verdicts[0].Evidence) != 1 {
				t.Fatalf("verdicts = %+v", verdicts)
			}
			v, e := verdicts[0], verdicts[0].Evidence[0]
			if e.Rule != c.rule || e.Why != c.why {
				t.Errorf("got  %s: %s\nwant %s: %s", e.Rule, e.Why, c.rule, c.why)
			}
			if v.Score < connwarden.ScoreSuspicious || v.Score >= connwarden.ScoreMalicious {
				t.Errorf("score %d is not suspicious", v.Score)
			}
			if v.ScoreNow != 0 {
				t.Errorf("an hour later the score is still %d", v.ScoreNow)
			}
			if len(e.Samples) != samplesKept || e.Samples[0].From.Line != 1 {
				t.Errorf("samples = %+v", e.Samples)
			}
			if !e.First.Equal(start) {
				t.Errorf("first = %v", e.First)
			}
		})
	}
}

func TestHolders(t *testing.T) {
	open := func(counts ...uint64) []Open {
		list := make([]Open, len(counts))
		for i, n := range counts {
			list[i] = Open{netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), n}
		}
		return list
	}
	for _, c := range []struct {
		name string
		open []Open
		want string
	}{
		{"the help page's case", open(300, 5, 4, 1, 1), "holds 300 of 311 connections that came in; the median of the other addresses is 4"},
		{"nobody", nil, ""},
		{"a quiet server", open(9, 1, 1, 1), ""},
		{"all alike", open(100, 100, 100, 100), ""},
		{"alone, few", open(40), ""},
		{"alone, many", open(400), "holds all 400 connections that came in"},
		{"two big ones among small", open(100, 90, 1, 1, 1, 1, 1), "holds 100 of 195 connections that came in; the median of the other addresses is 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdicts := Holders(c.open)
			if c.want == "" {
				if len(verdicts) > 0 {
					t.Fatalf("accused: %+v", verdicts)
				}
				return
			}
			if len(verdicts) == 0 || verdicts[0].Evidence[0].Why != c.want {
				t.Fatalf("got %+v, want %q", verdicts, c.want)
			}
			if s := verdicts[0].Score; s < connwarden.ScoreSuspicious || s >= connwarden.ScoreMalicious {
				t.Errorf("score %d is not suspicious", s)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	ranked := []PathCount{{"/xmlrpc.php", 441}, {"/", 44}, {"/a", 40}, {"/b", 9}, {"/c", 2}}
	want := []PathOutlier{{"/xmlrpc.php", 441, 40}}
	if diff := cmp.Diff(want[:0], Paths([]PathCount{{"/a", 500}, {"/b", 100}, {"/c", 90}, {"/d", 80}}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("five times is no outlier:\n%s", diff)
	}
	got := Paths(ranked)
	if len(got) != 1 || got[0] != (PathOutlier{"/xmlrpc.php", 441, 9}) && got[0] != want[0] {
		t.Errorf("Paths = %+v", got)
	}
	verdicts := PathHolders(got[0], []PathShare{{netip.MustParseAddr("13.14.15.16"), 400}, {netip.MustParseAddr("192.0.2.1"), 41}})
	if len(verdicts) != 1 || verdicts[0].Addr != netip.MustParseAddr("13.14.15.16") {
		t.Errorf("PathHolders = %+v", verdicts)
	}
}

func TestCombine(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	one := func(addr netip.Addr, rule string, score int) connwarden.Verdict {
		return connwarden.Verdict{Addr: addr, Score: score, ScoreNow: score, Evidence: []connwarden.Evidence{{Rule: rule, Score: score}}}
	}
	got := Combine([]connwarden.Verdict{one(a, "connection-outlier", 60), one(b, "path-outlier", 55), one(a, "path-outlier", 55), one(a, "wordpress-login-bruteforce", 70)})
	if len(got) != 2 || got[0].Addr != a || len(got[0].Evidence) != 3 {
		t.Fatalf("Combine = %+v", got)
	}
	if got[0].Score != loginCeil { // 1-(1-0.7)(1-0.6) is 88, but nothing here proves intent
		t.Errorf("score = %d, want the cap %d", got[0].Score, loginCeil)
	}
	if got[0].Evidence[0].Rule != "wordpress-login-bruteforce" {
		t.Errorf("the strongest evidence is not first: %+v", got[0].Evidence)
	}
	if two := Combine([]connwarden.Verdict{one(b, "connection-outlier", 60), one(b, "path-outlier", 55)}); two[0].Score != 60 {
		t.Errorf("two outliers in volume count twice: %d", two[0].Score)
	}
}

// TestEvict floods a small table with addresses that ask once: whoever asked often stays, and the loss is told.
func TestEvict(t *testing.T) {
	table := New()
	table.max = 1000
	for i := range 50_000 {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		table.Request(&connwarden.Request{Client: addr, Path: []byte("/")})
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
	if got, want := table.Evicted()+uint64(table.Len()), uint64(50_001); got != want {
		t.Errorf("kept and evicted are %d, want %d", got, want)
	}
}

func TestWeigh(t *testing.T) {
	for _, c := range []struct {
		gauge Gauge
		want  string
	}{
		{Gauge{What: "syn_recv", Value: 512, Limit: 4096}, "warning"},
		{Gauge{What: "syn_recv", Value: 4000, Limit: 4096}, "critical"},
		{Gauge{What: "syn_recv", Value: 2, Limit: 4096}, "ok"},
		{Gauge{What: "syn_recv", Value: 512}, "ok"},
		{Gauge{What: "accept_queue", Value: 128, Limit: 128}, "critical"},
		{Gauge{What: "conntrack", Value: 90, Limit: 100}, "warning"},
		{Gauge{What: "close_wait", Value: 400}, "warning"},
		{Gauge{What: "syn_cookies_sent", Value: 384, Uptime: time.Hour}, "warning"},
		{Gauge{What: "syn_cookies_sent", Value: 384, Uptime: 1000 * time.Hour}, "ok"},
		{Gauge{What: "syn_cookies_sent", Value: 384, Rate: 300, Uptime: 1000 * time.Hour}, "critical"},
		{Gauge{What: "listen_overflows", Value: 0, Uptime: time.Hour}, "ok"},
		{Gauge{What: "load", Value: 7.2, Limit: 2}, "warning"},
		{Gauge{What: "unheard of", Value: 7.2, Limit: 2}, "ok"},
	} {
		if got := Weigh([]Gauge{c.gauge})[0]; got.Level != c.want {
			t.Errorf("%+v: %s, want %s", c.gauge, got.Level, c.want)
		}
	}
	for name := range gauges {
		if gauges[name].why == "" || gauges[name].warn <= 0 || gauges[name].crit <= gauges[name].warn {
			t.Errorf("gauge %s is not whole", name)
		}
	}
}

func TestMaxChildren(t *testing.T) {
	const mb = 1 << 20
	if got := MaxChildren(5, 52*mb, 900*mb); got != 18 {
		t.Errorf("MaxChildren = %d, want 18", got)
	}
	if got := MaxChildren(5, 52*mb, 50*mb); got != 0 {
		t.Errorf("without memory MaxChildren = %d, want 0", got)
	}
	if got := MaxChildren(5, 0, 50*mb); got != 0 {
		t.Errorf("of children of unknown size MaxChildren = %d, want 0", got)
	}
}

func TestFoldAllocates(t *testing.T) {
	table := New()
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
	table := New()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		table.Request(log[i&(1<<14-1)])
	}
}
