package web_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/connwarden/connwarden/history"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/web"
)

func init() { web.SeedPast = seedPast }

// seedPast writes the last day of a small shop into a history: visitors by day, and two attacks.
func seedPast(t *testing.T, dir string) {
	now := time.Now().Truncate(time.Minute)
	b := history.New(dir, 0, time.Now)
	defer b.Close()
	batch := &history.Batch{Number: 1}
	for m := range 24 * 60 {
		at := now.Add(-time.Duration(m+1) * time.Minute)
		visitors := uint64(30 + 25*math.Sin(float64(at.Hour()*60+at.Minute())/1440*2*math.Pi-math.Pi/2) + float64(m*7919%13))
		r := report.SiteMinute{At: at.Unix(), Site: "shop.example.com", Requests: visitors, Bytes: visitors * 9000, Class: [6]uint64{0, 0, visitors - visitors/20, 0, visitors / 20}}
		if m > 300 && m < 330 || m > 900 && m < 1020 {
			r.Malicious, r.Requests, r.Errors = 140, r.Requests+140, 4
			r.Class[4] += 140
		}
		batch.Rates = append(batch.Rates, r, report.SiteMinute{At: at.Unix(), Site: "blog.example.com", Requests: visitors / 3, Bytes: visitors * 2000, Class: [6]uint64{0, 0, visitors / 3}}, report.SiteMinute{At: at.Unix(), Open: 20 + visitors/2})
	}
	for i, one := range []struct {
		back int
		addr string
		why  string
		rule string
	}{
		{325, "203.0.113.66", "guesses passwords at wp-login.php: 840 failed logins at wp-login.php in 5 minutes", "wordpress-login-bruteforce"},
		{1015, "198.51.100.23", "asks for what only scanners ask for: 71 different paths in 10 minutes", "scan-paths"},
		{1010, "198.51.100.24", "asks for what only scanners ask for: 58 different paths in 10 minutes", "scan-paths"},
		{930, "2001:db8:77::15", "guesses passwords through XML-RPC: 412 calls in 5 minutes", "wordpress-xmlrpc-bruteforce"},
	} {
		at := now.Add(-time.Duration(one.back) * time.Minute)
		until := at.Add(time.Hour)
		batch.Sightings = append(batch.Sightings, report.Sighting{Time: at, Peer: report.Peer{
			Addr: one.addr, Verdict: "malicious", Score: 97 - 3*i, Status: map[string]uint64{}, Next: []string{}, Evidence: []report.Evidence{{Rule: one.rule, Why: one.why, Score: 90, Samples: []report.Sample{}}},
		}})
		batch.Acts = append(batch.Acts,
			report.PastBlock{Time: at.Add(time.Second), Type: "block", Block: report.Block{Target: one.addr, Why: fmt.Sprintf("by the rule %s", one.rule), Until: &until}},
			report.PastBlock{Time: until, Type: "unblock", Block: report.Block{Target: one.addr, Why: "its time is over"}})
	}
	if err := b.Record(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}
