package judge

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

// TestMembers: who took part is who did so in the group whose rule was met, while it was, and did not get in; read at once, in
// parts, or followed.
func TestMembers(t *testing.T) {
	set := compiled(t) // spread-login asks for 15 addresses at one site within 10 minutes
	post := func(addr, site string, at time.Time, n int) *connwarden.Request {
		r := request(addr, "POST", "/wp-login.php", 200, at, int64(n))
		r.Host = []byte(site)
		return r
	}
	log := []*connwarden.Request{
		post("198.51.100.1", "a.example", start, 1), // hours before the attack
	}
	at := start.Add(5 * time.Hour)
	log = append(log, post("198.51.100.2", "a.example", at, 2), post("198.51.100.3", "b.example", at, 3)) // while it lasts, here and elsewhere
	// One mistypes while it lasts and gets in, and many get in at once: that neither spares others nor lifts what is asked for.
	for i := range 40 {
		r := post(fmt.Sprintf("198.51.100.%d", 100+i), "a.example", at, 200+i)
		if i == 0 {
			log = append(log, post("198.51.100.100", "a.example", at, 199))
		}
		r.Status = 302
		log = append(log, r)
	}
	for i := range 20 {
		log = append(log, post(fmt.Sprintf("192.0.2.%d", i+1), "a.example", at.Add(time.Duration(i)*10*time.Second), 10+i))
	}
	log = append(log, post("198.51.100.4", "a.example", at.Add(3*time.Hour), 60)) // hours behind it
	again := at.Add(6 * time.Hour)
	for i := range 20 { // it begins again
		log = append(log, post(fmt.Sprintf("203.0.113.%d", i+1), "a.example", again.Add(time.Duration(i)*10*time.Second), 100+i))
	}
	want := map[string]bool{"198.51.100.2": true}
	for i := range 20 {
		want[fmt.Sprintf("192.0.2.%d", i+1)], want[fmt.Sprintf("203.0.113.%d", i+1)] = true, true
	}
	end := again.Add(5 * time.Minute)

	check := func(t *testing.T, got map[string]bool) {
		t.Helper()
		for _, r := range log {
			if a := r.Client.String(); got[a] != want[a] {
				t.Errorf("%s is accused: %t, want %t", a, got[a], want[a])
			}
		}
	}
	t.Run("read in parts", func(t *testing.T) {
		one, two := New(Options{Rules: set}), New(Options{Rules: set})
		for i, r := range log {
			if i%2 == 0 {
				one.Request(r)
			} else {
				two.Request(r)
			}
		}
		one.Merge(two)
		got := map[string]bool{}
		peers, _ := one.Verdicts(end)
		for _, p := range peers {
			got[p.Addr.String()] = true
			if now := p.ScoreNow > 0; now != netip.MustParsePrefix("203.0.113.0/24").Contains(p.Addr) {
				t.Errorf("%s takes part now: %t", p.Addr, now)
			}
		}
		check(t, got)
	})
	t.Run("followed", func(t *testing.T) {
		table := New(Options{Rules: set})
		table.Follow()
		got := map[string]bool{}
		for i, r := range log {
			table.Request(r)
			if i%3 != 0 && i != len(log)-1 {
				continue
			}
			peers, _ := table.Touched(r.Time, nobody)
			for _, p := range peers {
				got[p.Addr.String()] = true
			}
			table.Age(r.Time)
		}
		check(t, got)
		if _, ok := table.Verdict(netip.MustParseAddr("203.0.113.7"), end); !ok {
			t.Error("one that takes part is not accused when asked for alone")
		}
		if _, ok := table.Verdict(netip.MustParseAddr("198.51.100.4"), end); ok {
			t.Error("one that does not take part is accused when asked for alone")
		}
	})
}

// TestJoinedGroups: what several rules say of one group is one verdict, no worse than the worst of them.
func TestJoinedGroups(t *testing.T) {
	site := connwarden.Subject{Kind: "site", Name: "a.example"}
	got := joined([]connwarden.Verdict{
		{Subject: site, Score: 70, ScoreNow: 70, Evidence: []connwarden.Evidence{{Rule: "slow", Score: 70}}},
		{Subject: connwarden.Subject{Kind: "site", Name: "b.example"}, Score: 60, Evidence: []connwarden.Evidence{{Rule: "slow", Score: 60}}},
		{Subject: site, Score: 85, Evidence: []connwarden.Evidence{{Rule: "fast", Score: 85}}},
	})
	if len(got) != 2 || got[0].Score != 85 || got[0].ScoreNow != 70 || len(got[0].Evidence) != 2 || got[0].Evidence[0].Rule != "fast" {
		t.Errorf("joined to %+v", got)
	}
}
