package judge

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden"
)

// broadRules count what most requests fit, each in its way.
const broadRules = `
[[rule]]
name = "pages"
about = "Asks and asks"
look = "request"
where = 'kind=http and path=/'
count = 300
share = 0.8
within = "1m"
score = 82
why = "{count} requests in {within}"
fires = '400x 100ms | 192.0.2.77 - - [{clf}] "GET / HTTP/1.1" 200 1 "-" "x"'
spares = '192.0.2.77 - - [{clf}] "GET /a HTTP/1.1" 200 1 "-" "x"'

[[rule]]
name = "paths"
about = "Asks for everything"
look = "request"
where = 'kind=http and path^=/p'
distinct = "path"
count = 60
within = "1m"
score = 70
why = "{count} different paths in {within}"
fires = '100x 100ms | 192.0.2.77 - - [{clf}] "GET /p{n} HTTP/1.1" 200 1 "-" "x"'
spares = '192.0.2.77 - - [{clf}] "GET /p HTTP/1.1" 200 1 "-" "x"'

[[rule]]
name = "network"
about = "A network asks and asks"
look = "request"
by = "net"
count = 600
within = "1m"
score = 60
capped = true
why = "{count} requests in {within}"
fires = '1000x 10ms | 192.0.2.77 - - [{clf}] "GET / HTTP/1.1" 200 1 "-" "x"'
spares = '192.0.2.77 - - [{clf}] "GET /p HTTP/1.1" 200 1 "-" "x"'
`

// TestBroadFollowedLikeRead: who does hardly more than a broad rule asks for, across two minutes of the clock, is told of with the
// same figures and lines by who follows as by who reads afterwards, though the rule begins to count in the middle.
func TestBroadFollowedLikeRead(t *testing.T) {
	set := setOf(t, broadRules)
	var log []*connwarden.Request
	at := start.Truncate(time.Minute).Add(30 * time.Second)
	for i := range 310 {
		now := at.Add(time.Duration(i) * 180 * time.Millisecond)
		log = append(log, request("192.0.2.77", "GET", "/", 200, now, int64(3*i+1)), request(fmt.Sprintf("198.51.100.%d", i%200), "GET", "/", 200, now, int64(3*i+2)))
		path := "/p"
		if i%5 == 0 {
			path = fmt.Sprint("/p", i)
		}
		log = append(log, request("203.0.113.9", "GET", path, 200, now, int64(3*i+3)), request(fmt.Sprint("203.0.113.", i%250), "GET", "/x", 404, now, int64(3*i+3)))
	}
	told := func(peers, groups []connwarden.Verdict) map[string]string {
		said := map[string]string{}
		for _, v := range append(peers, groups...) {
			for _, e := range v.Evidence {
				lines := ""
				for _, s := range e.Samples {
					lines += fmt.Sprintf(" %d@%d", s.From.Line, s.From.Offset)
				}
				name := v.Subject.Name
				if v.Addr.IsValid() {
					name = v.Addr.String()
				}
				said[name+" "+e.Rule] = fmt.Sprint(e.Why, e.Score, e.First, e.Last, lines)
			}
		}
		return said
	}
	end := at.Add(time.Minute)
	want := told(judged(set, log, end))
	table := New(Options{Rules: set})
	table.Follow()
	for _, r := range log {
		table.Request(r)
	}
	peers, groups := table.Verdicts(end)
	if diff := cmp.Diff(want, told(peers, groups)); diff != "" {
		t.Errorf("(-read +followed):\n%s", diff)
	}
	if len(want) != 3 {
		t.Errorf("%d verdicts, want one of each rule: %v", len(want), want)
	}
}

// TestLatelyForgets: what is remembered is bounded, and numbers that begin anew lead nowhere wrong.
func TestLatelyForgets(t *testing.T) {
	table := New(Options{Rules: setOf(t, broadRules)})
	table.Follow()
	m := &table.live.lately
	m.last = ^uint32(0) - lateRequests/2
	for i := range 3 * lateRequests {
		table.Request(request(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), "GET", "/p", 200, start, int64(i)))
	}
	if len(m.ring) != lateRequests || len(m.hits) > lateHits {
		t.Errorf("%d requests and %d hits are remembered", len(m.ring), len(m.hits))
	}
	for i := range 400 {
		table.Request(request("192.0.2.77", "GET", "/", 200, start.Add(time.Duration(i)*100*time.Millisecond), int64(i)))
	}
	v, ok := table.Verdict(request("192.0.2.77", "GET", "/", 200, start, 1).Client, start.Add(time.Minute))
	if !ok || v.Evidence[0].Count != 400 {
		t.Errorf("verdict %+v, want one on 400 requests", v)
	}
}
