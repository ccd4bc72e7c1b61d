package judge

import (
	"testing"
	"time"
)

// TestShareWhileFollowing: a broad rule begins to count late, and what came before does not count against its share.
func TestShareWhileFollowing(t *testing.T) {
	table := New(Options{Rules: setOf(t, `
[[rule]]
name = "storm"
about = "Asks and asks"
look = "request"
where = 'kind=http and referer=-'
count = 90
share = 0.9
within = "1m"
score = 81
why = "{count} pages in {within}"
fires = '192.0.2.77 - - [{clf}] "GET / HTTP/1.1" 200 1 "-" "x"'
spares = '192.0.2.77 - - [{clf}] "GET / HTTP/1.1" 200 1 "http://a/" "x"'
`)})
	table.Follow()
	for i := 1; i <= 1000; i++ {
		at := start.Add(time.Duration(i) * 50 * time.Millisecond)
		table.Request(request("192.0.2.77", "GET", "/", 200, at, int64(i)))
		if peers, _ := table.Touched(at, nobody); len(peers) > 0 {
			if i > 2*90 {
				t.Errorf("accused after %d requests, want at most twice the 90 that the rule asks for", i)
			}
			return
		}
	}
	t.Error("never accused")
}
