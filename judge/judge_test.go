package judge

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// testRules stand for what ships: counts and different values, by address and by site, volume, an event.
const testRules = `
[[rule]]
name = "wp-login"
about = "guesses"
look = "request"
where = 'method=POST and path$=/wp-login.php and status!=302'
count = 10
within = "5m"
score = 85
pass = 'method=POST and path$=/wp-login.php and status=302'
pass_count = 30
why = "{count} POSTs to wp-login.php in {within}"
fires = "x"
spares = "x"

[[rule]]
name = "xmlrpc"
about = "guesses"
look = "request"
where = 'method=POST and path$=/xmlrpc.php'
count = 20
within = "5m"
score = 85
why = "{count} POSTs to xmlrpc.php in {within}"
fires = "x"
spares = "x"

[[rule]]
name = "probing"
about = "looks for what is not there"
look = "request"
where = 'status=404'
distinct = "path"
count = 8
within = "5m"
score = 60
capped = true
why = "{count} missing pages in {within}, such as {value}"
fires = "x"
spares = "x"

[[rule]]
name = "spread-login"
about = "guesses from many addresses"
look = "request"
where = 'method=POST and path$=/wp-login.php and status!=302'
by = "site"
distinct = "ip"
count = 15
within = "10m"
score = 85
pass = 'method=POST and path$=/wp-login.php and status=302'
member = 82
family = "login"
why = "{count} addresses in {within}"
fires = "x"
spares = "x"

[[rule]]
name = "flood"
about = "asks too much"
look = "request"
count = 300
within = "1m"
score = 60
capped = true
why = "{count} requests in {within}"
fires = "x"
spares = "x"

[[rule]]
name = "ssh"
about = "guesses"
look = "event"
where = 'service=sshd,nginx and kind=auth_failed,limit_hit'
count = 5
within = "1m"
score = 85
why = "{count} failures in {within}"
fires = "x"
spares = "x"

[[rule]]
name = "half-open"
about = "leaves connections half open"
look = "connection"
where = 'state=syn_recv and dir=in'
count = 50
score = 70
why = "{count} connections half open"
`

func compiled(t testing.TB) *rules.Set { return setOf(t, testRules) }

// setOf compiles rules.
func setOf(t testing.TB, text string) *rules.Set {
	t.Helper()
	list, errs := rules.Parse("test", []byte(text))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	set, err := rules.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// judged reads a log twice, as a review does, and returns the verdicts.
func judged(set *rules.Set, log []*connwarden.Request, now time.Time) (peers, groups []connwarden.Verdict) {
	table := New(Options{Rules: set})
	for _, r := range log {
		table.Request(r)
	}
	if s := table.Second(); s != nil {
		again := s.Table()
		for _, r := range log {
			again.Request(r)
		}
		table.Adopt(again)
	}
	return table.Verdicts(now)
}

// twice has a log of events read by some tables, and again by one.
func twice(events []*connwarden.Event, parts ...*Table) *Table {
	for i, e := range events {
		parts[i%len(parts)].Event(e)
	}
	for _, part := range parts[1:] {
		parts[0].Merge(part)
	}
	if s := parts[0].Second(); s != nil {
		again := s.Table()
		for _, e := range events {
			again.Event(e)
		}
		parts[0].Adopt(again)
	}
	return parts[0]
}

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
	set := compiled(t)
	log := traffic(4000)
	for i := range 800 { // a flood besides, in order
		log = append(log, request("192.0.2.77", "GET", "/", 200, start.Add(time.Duration(i)*100*time.Millisecond), int64(10_000+i)))
	}
	now := start.Add(30 * time.Minute)
	type answer struct{ Peers, Groups []connwarden.Verdict }
	var want answer
	want.Peers, want.Groups = judged(set, log, now)
	if len(want.Peers) == 0 || len(want.Groups) == 0 {
		t.Fatalf("the log has %d peers and %d groups, so the test shows nothing", len(want.Peers), len(want.Groups))
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 40 {
		sum := deal(rng, log, 400, func() *Table { return New(Options{Rules: set}) })
		second := sum.Second()
		if second == nil {
			t.Fatal("no second look is wanted")
		}
		sum.Adopt(deal(rng, log, 400, second.Table))
		var got answer
		got.Peers, got.Groups = sum.Verdicts(now)
		if diff := cmp.Diff(want, got, sameAddr); diff != "" {
			t.Fatalf("round %d (-whole +merged):\n%s", round, diff)
		}
	}
}

// deal gives pieces of a log, each of at most so many lines, to some tables by chance, and merges these in any order.
func deal(rng *rand.Rand, log []*connwarden.Request, longest int, fresh func() *Table) *Table {
	parts := make([]*Table, 1+rng.IntN(5))
	for i := range parts {
		parts[i] = fresh()
	}
	for from := 0; from < len(log); {
		to := min(from+1+rng.IntN(longest), len(log))
		part := parts[rng.IntN(len(parts))]
		for _, r := range log[from:to] {
			part.Request(r)
		}
		from = to
	}
	rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	for _, part := range parts[1:] {
		parts[0].Merge(part)
	}
	return parts[0]
}

func TestVerdicts(t *testing.T) {
	set := compiled(t)
	burst := func(n int, every time.Duration, method, path string, status uint16) []*connwarden.Request {
		var list []*connwarden.Request
		for i := range n {
			list = append(list, request("13.14.15.16", method, path, status, start.Add(time.Duration(i)*every), int64(i+1)))
		}
		return list
	}
	pages := func(n int, status uint16) []*connwarden.Request {
		list := burst(n, time.Second, "GET", "/", status)
		for i, r := range list {
			r.Path = fmt.Appendf(nil, "/page-%d", i)
		}
		return list
	}
	for _, c := range []struct {
		name string
		log  []*connwarden.Request
		rule string // "": no verdict
		why  string
		word string
	}{
		{"xmlrpc refused", burst(441, time.Second/2, "POST", "/xmlrpc.php", 403), "xmlrpc", "441 POSTs to xmlrpc.php in 5 minutes, all refused", "malicious"},
		{"encoded, in a subfolder, slash doubled", burst(60, time.Second, "POST", "/blog//XMLRPC%2ephp", 200), "xmlrpc", "60 POSTs to xmlrpc.php in 5 minutes", "malicious"},
		{"login fails with 200", burst(12, 10*time.Second, "POST", "/wp-login.php", 200), "wp-login", "12 POSTs to wp-login.php in 5 minutes", "malicious"},
		{"a forgetful person", burst(9, 10*time.Second, "POST", "/wp-login.php", 200), "", "", ""},
		{"an office whose people log in", slices.Concat(burst(12, 10*time.Second, "POST", "/wp-login.php", 200), burst(9, time.Second, "POST", "/wp-login.php", 302)), "", "", ""},
		{"one that gets in at last", slices.Concat(burst(90, time.Second, "POST", "/wp-login.php", 200), burst(1, time.Second, "POST", "/wp-login.php", 302)),
			"wp-login", "90 POSTs to wp-login.php in 5 minutes", "malicious"},
		{"logins that pass", burst(50, 3*time.Second, "POST", "/wp-login.php", 302), "", "", ""},
		{"looking at the form", burst(200, 3*time.Second, "GET", "/wp-login.php", 200), "", "", ""},
		{"Jetpack, now and then", burst(60, time.Minute, "POST", "/xmlrpc.php", 200), "", "", ""},
		{"slowly, one in twenty seconds", burst(100, 20*time.Second, "POST", "/wp-login.php", 200), "wp-login", "15 POSTs to wp-login.php in 5 minutes, 100 in all", "malicious"},
		{"missing pages", pages(40, 404), "probing", "40 missing pages in 5 minutes, such as /page-0", "suspicious"},
		{"one missing page often", burst(40, time.Second, "GET", "/favicon.ico", 404), "", "", ""},
		{"a flood", burst(4000, time.Second/20, "GET", "/", 200), "flood", "1200 requests in 1 minute, 4000 in all", "suspicious"},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdicts, _ := judged(set, c.log, start.Add(3*time.Hour))
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
			if _, why, _ := strings.Cut(e.Why, ": "); e.Rule != c.rule || why != c.why || connwarden.Word(v.Score) != c.word {
				t.Errorf("got  %s %d: %s\nwant %s %s: %s", e.Rule, v.Score, e.Why, c.rule, c.word, c.why)
			}
			if v.ScoreNow != 0 {
				t.Errorf("hours later the score is still %d", v.ScoreNow)
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

// TestSpread: an attack of one request each is seen as one thing, its members are named, a customer beside them is not.
func TestSpread(t *testing.T) {
	set := compiled(t)
	var log []*connwarden.Request
	for i := range 40 {
		at := start.Add(time.Duration(i) * 10 * time.Second)
		log = append(log, request(fmt.Sprintf("198.18.%d.7", i), "POST", "/wp-login.php", 200, at, int64(i+1)))
	}
	for i, path := range []string{"/", "/wp-login.php", "/style.css"} {
		log = append(log, request("192.0.2.1", "GET", path, 200, start.Add(time.Duration(i)*time.Second), int64(100+i)))
	}
	log = append(log, request("192.0.2.1", "POST", "/wp-login.php", 200, start.Add(9*time.Second), 110))
	peers, groups := judged(set, log, start.Add(5*time.Minute))
	if len(groups) != 1 || groups[0].Subject != (connwarden.Subject{Kind: "site", Name: string(noSite)}) || groups[0].Evidence[0].Count != 41 {
		t.Fatalf("groups = %+v", groups)
	}
	if len(peers) != 40 {
		t.Fatalf("%d peers are named, want the 40 attackers", len(peers))
	}
	for _, p := range peers {
		if p.Addr == netip.MustParseAddr("192.0.2.1") || p.Score != 82 {
			t.Errorf("%v has %d", p.Addr, p.Score)
		}
	}
}

// TestDoubt: what a client can have written into a log accuses only beside a request that agrees.
func TestDoubt(t *testing.T) {
	set := compiled(t)
	victim, attacker := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.9")
	table := New(Options{Rules: set})
	var log []*connwarden.Request
	for i := range 10 {
		at := start.Add(time.Duration(i) * time.Second)
		for _, a := range []netip.Addr{victim, attacker} {
			table.Event(&connwarden.Event{
				Time: at, Client: a, Kind: connwarden.EventLimitHit, Service: "nginx", Request: []byte("GET /search?q=1 HTTP/1.1"),
				From: connwarden.Source{Name: "error.log", Line: int64(i), Trust: connwarden.TrustOutside},
			})
		}
		log = append(log, request(attacker.String(), "GET", "/search", 503, at.Add(2*time.Second), int64(i)))
		log = append(log, request(victim.String(), "GET", "/search", 200, at, int64(i)))  // was not refused
		log = append(log, request(victim.String(), "GET", "/missing", 404, at, int64(i))) // another path
	}
	for _, r := range log {
		table.Request(r)
	}
	s := table.Second()
	again := s.Table()
	for _, r := range log {
		again.Request(r)
	}
	if n := table.Adopt(again); n != 10 {
		t.Errorf("%d lines without a request that agrees, want 10", n)
	}
	peers, _ := table.Verdicts(start.Add(time.Minute))
	if len(peers) != 1 || peers[0].Addr != attacker || peers[0].Evidence[0].Rule != "ssh" {
		t.Errorf("peers = %+v", peers)
	}
}

func TestConns(t *testing.T) {
	table := New(Options{Rules: compiled(t)})
	a := netip.MustParseAddr("203.0.113.9")
	table.Conns(a, "syn_recv", "in", 443, 60, false)
	table.Conns(netip.MustParseAddr("192.0.2.1"), "established", "in", 443, 600, false)
	peers, _ := table.Verdicts(start)
	if len(peers) != 1 || peers[0].Addr != a || peers[0].Evidence[0].Count != 60 {
		t.Errorf("peers = %+v", peers)
	}
}

// TestIPv6: the addresses of one /64 are one peer, of which one is shown.
func TestIPv6(t *testing.T) {
	var log []*connwarden.Request
	for i := range 30 {
		log = append(log, request(fmt.Sprintf("2001:db8:1:2::%x", 40-i), "POST", "/xmlrpc.php", 200, start, int64(i)))
	}
	peers, _ := judged(compiled(t), log, start)
	if len(peers) != 1 || peers[0].Addr != netip.MustParseAddr("2001:db8:1:2::b") {
		t.Errorf("peers = %+v", peers)
	}
}

// TestTranslated: behind a NAT64 each address is a peer, and what would be a /24 of IPv4 is a network.
func TestTranslated(t *testing.T) {
	var log []*connwarden.Request
	for i := range 30 {
		for _, addr := range []string{"64:ff9b::c000:207", "64:ff9b::c000:208", "64:ff9b:1::c000:209"} {
			log = append(log, request(addr, "POST", "/xmlrpc.php", 200, start, int64(3*i)))
		}
	}
	log = append(log, request("64:ff9b::c633:6407", "GET", "/", 200, start, 100))
	peers, _ := judged(compiled(t), log, start)
	var got []string
	for _, p := range peers {
		got = append(got, p.Addr.String())
	}
	slices.Sort(got)
	if want := []string{"64:ff9b:1::c000:209", "64:ff9b::c000:207", "64:ff9b::c000:208"}; !slices.Equal(got, want) {
		t.Errorf("peers = %v, want %v", got, want)
	}
	if got := netOf(netip.MustParseAddr("64:ff9b::c000:207")).String(); got != "64:ff9b::c000:200/120" {
		t.Errorf("network %s", got)
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
