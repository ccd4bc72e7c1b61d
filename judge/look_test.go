package judge

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

// lookRules rise by degrees: of counts, of different values, of a share, of what also may be passed.
const lookRules = `
[[rule]]
name = "flood"
about = "asks"
look = "request"
where = 'path^=/a'
count = 12
within = "1m"
score = 40
most = 79
why = "{count} requests in {within}"
fires = "x"
spares = "x"

[[rule]]
name = "breadth"
about = "asks for much"
look = "request"
where = 'status=404'
distinct = "path"
count = 6
within = "5m"
score = 30
most = 70
why = "{count} pages in {within}"
fires = "x"
spares = "x"

[[rule]]
name = "only"
about = "asks for one thing"
look = "request"
where = 'method=HEAD'
count = 5
share = 0.5
within = "1h"
score = 50
most = 90
why = "{count} requests in {within}"
fires = "x"
spares = "x"

[[rule]]
name = "login"
about = "guesses"
look = "request"
where = 'method=POST and status=200'
count = 10
within = "5m"
score = 60
most = 95
pass = 'method=POST and status=302'
pass_count = 14
why = "{count} POSTs in {within}"
fires = "x"
spares = "x"
`

// TestLooksMissNothing: who is touched only when something else can be said of him is never thought worse of than was said, with what
// local accounts may have written and without.
func TestLooksMissNothing(t *testing.T) {
	set := setOf(t, lookRules)
	addr := netip.MustParseAddr("192.0.2.7")
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		table, truth := New(Options{Rules: set}), New(Options{Rules: set}) // one is looked at, the other asked
		table.Follow()
		truth.Follow()
		odds, at := 1+rng.IntN(12), start
		said, proved := 0, 0
		for i := range 600 {
			r := request(addr.String(), "GET", "/b", 200, at, int64(i))
			switch rng.IntN(4 + odds) {
			case 0:
				r.Method, r.Status = []byte("POST"), 302
			case 1:
				r.Method = []byte("HEAD")
			case 2:
				r.Path, r.Status = fmt.Appendf(nil, "/x%d", rng.IntN(200)), 404
			case 3:
				r.Method = []byte("POST")
			default:
				r.Path = []byte("/a")
			}
			if r.From.Trust = connwarden.TrustLocal; rng.IntN(odds) > 0 {
				r.From.Trust = connwarden.TrustRoot
			}
			table.Request(r)
			truth.Request(r)
			peers, _ := table.Touched(start, nobody) // a moment that stands still: nobody is looked at for its own sake
			for _, p := range peers {
				said, proved = max(said, p.Score), max(proved, weigh(p.Proved))
			}
			_, l := truth.ledgers.find(&[16]byte{10: 0xff, 11: 0xff, 12: 192, 14: 2, 15: 7})
			list := &deeds{map[deedKey]*deed{}, start.Unix()}
			v, _ := truth.verdict(l, list)
			if v.Score > said || weigh(v.Proved) > proved {
				t.Fatalf("seed %d, request %d: %d, of it %d proved; said was %d and %d", seed, i, v.Score, weigh(v.Proved), said, proved)
			}
			at = at.Add(time.Duration(rng.IntN(3000)) * time.Millisecond)
		}
	}
}

// TestLooksAgain: who goes on is looked at again after a while, though nothing else can be said of him: he may be wanted anew.
func TestLooksAgain(t *testing.T) {
	f := newFollowing(t)
	for i := range 200 {
		f.Request(request("192.0.2.7", "POST", "/xmlrpc.php", 403, start, int64(i)))
	}
	for i, want := range []int{1, 0, 0, 1, 0} {
		if i == 3 {
			f.now = f.now.Add(lookAgain * time.Second)
			f.judge() // the moment is known by a look
		}
		f.Request(request("192.0.2.7", "POST", "/xmlrpc.php", 403, f.now, int64(1000+i)))
		if got := f.judge(); got != want {
			t.Errorf("look %d: %d verdicts, want %d", i, got, want)
		}
	}
}

// TestLooksAfterMerge: who was touched in another table, which nobody looks at, is looked at when he goes on.
func TestLooksAfterMerge(t *testing.T) {
	f, past := newFollowing(t), newFollowing(t)
	for i := range 30 {
		past.Request(request("192.0.2.7", "POST", "/xmlrpc.php", 403, start, int64(i)))
	}
	f.Merge(past.Table)
	f.Request(request("192.0.2.7", "POST", "/xmlrpc.php", 403, start, 31))
	if got := f.judge(); got != 1 {
		t.Errorf("%d verdicts, want one", got)
	}
	if len(f.spare) > 0 {
		t.Error("what was remembered of texts to merge is kept, a MB")
	}
}
