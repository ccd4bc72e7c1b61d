package judge

import (
	"testing"

	"github.com/connwarden/connwarden"
)

// TestSingular: the words behind a count of one are those of one.
func TestSingular(t *testing.T) {
	for _, c := range []struct{ why, want string }{
		{"{count} requests in {within}", "{count} request in {within}"},
		{"{count} times in {within}", "once in {within}"},
		{"{count} different names of shells tried", "{count} name of shells tried"},
		{"{count} tries over SSH", "{count} try over SSH"},
		{"asked for {value}", "asked for {value}"},
	} {
		if got := singular(c.why, 1); got != c.want {
			t.Errorf("%q: got %q, want %q", c.why, got, c.want)
		}
		if got := singular(c.why, 2); got != c.why {
			t.Errorf("%q of two: got %q", c.why, got)
		}
	}
}

// TestWeighCapped: the cap on what honest heavy users do too comes off only where the rest is worth something by itself.
func TestWeighCapped(t *testing.T) {
	fast := connwarden.Evidence{Rule: "fast", Family: "volume", Score: 58, Capped: true}
	broad := connwarden.Evidence{Rule: "broad", Family: "breadth", Score: 56, Capped: true}
	probe := connwarden.Evidence{Rule: "probe", Family: "scan", Score: 54}
	hole := connwarden.Evidence{Rule: "hole", Family: "exploit", Score: 66}
	odd := connwarden.Evidence{Rule: "odd", Family: "proxy", Score: 54}
	for _, c := range []struct {
		name string
		list []connwarden.Evidence
		want int
	}{
		{"nothing", nil, 0},
		{"one", []connwarden.Evidence{probe}, 54},
		{"one family, the strongest counts", []connwarden.Evidence{fast, {Rule: "faster", Family: "volume", Score: 70, Capped: true}}, 70},
		{"heavy alone", []connwarden.Evidence{fast, broad}, cappedScore},
		{"heavy, and one weak probe", []connwarden.Evidence{fast, broad, probe}, cappedScore},
		{"heavy, and a hole", []connwarden.Evidence{fast, hole}, 86},
		{"heavy, and one odd page", []connwarden.Evidence{fast, {Rule: "page", Family: "theft", Score: 60}}, cappedScore},
		{"two oddities and heavy", []connwarden.Evidence{fast, probe, odd}, cappedScore},
		{"three oddities", []connwarden.Evidence{probe, odd, {Rule: "again", Family: "injection", Score: 55}}, 90},
	} {
		if got := weigh(c.list); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
