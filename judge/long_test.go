package judge

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

// TestLongAttack: of an attack that goes on for two days, slowly and about as fast all the time, the fullest window is told, whoever read which part.
func TestLongAttack(t *testing.T) {
	set := setOf(t, `
[[rule]]
name = "slow"
about = "Guesses slowly"
look = "request"
where = 'method=POST and path$=/wp-login.php'
count = 9
within = "30m"
score = 55
most = 79
why = "{count} logins in {within}"
fires = '10x 20s | 192.0.2.77 - - [{clf}] "POST /wp-login.php HTTP/1.1" 200 1 "-" "x"'
spares = '192.0.2.77 - - [{clf}] "GET /wp-login.php HTTP/1.1" 200 1 "-" "x"'
`)
	rng := rand.New(rand.NewPCG(5, 6))
	var log []*connwarden.Request
	for range 900 {
		at := start.Add(time.Duration(rng.Int64N(int64(48 * time.Hour))))
		log = append(log, request("192.0.2.77", "POST", "/wp-login.php", 200, at, 0))
	}
	slices.SortFunc(log, func(a, b *connwarden.Request) int { return a.Time.Compare(b.Time) })
	now := start.Add(50 * time.Hour)
	want, _ := judged(set, log, now)
	if len(want) != 1 {
		t.Fatalf("%d verdicts, want one", len(want))
	}
	for range 20 {
		sum := deal(rng, log, 60, func() *Table { return New(Options{Rules: set}) })
		second := sum.Second()
		sum.Adopt(deal(rng, log, 60, second.Table))
		got, _ := sum.Verdicts(now)
		if len(got) != 1 || got[0].Evidence[0].Why != want[0].Evidence[0].Why || got[0].Score != want[0].Score {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
}
