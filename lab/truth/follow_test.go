package truth_test

import (
	"fmt"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/lab/truth"
	"github.com/connwarden/connwarden/report"
)

// TestFollowed: of every address and group the daemon that follows the logs of a server says the word that a review of them says afterwards. What compares all
// that was read, the rules of thumb, is the review's alone.
func TestFollowed(t *testing.T) {
	court, err := truth.NewCourt()
	if err != nil {
		t.Fatal(err)
	}
	accused := 0
	for seed := range uint64(3) {
		dir := t.TempDir()
		world := truth.New(7100+seed, truth.Cast{Attacks: 16, Plays: 2, Innocents: 1})
		files, err := world.Write(dir)
		if err != nil {
			t.Fatal(err)
		}
		now := world.Begin.Add(world.Length)
		doc, err := court.Review(t.Context(), dir, files, now)
		if err != nil {
			t.Fatal(err)
		}
		said, err := court.Follow(t.Context(), dir, files, now)
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		all := append(doc.Peers, doc.Groups...)
		for i := range all {
			p := &all[i]
			name := truth.Name(p)
			known[name] = true
			if p.Score >= connwarden.ScoreSuspicious {
				accused++
			}
			if live, ok := said[name]; grave(p) != grave(&live) && !byThumb(p) {
				t.Errorf("seed %d: %s is %s %d in a review, for %s;\n%v, %s %d for who follows, for %s",
					seed, name, p.Verdict, p.Score, reasons(p), ok, live.Verdict, live.Score, reasons(&live))
			}
		}
		for addr, live := range said {
			if !known[addr] && grave(&live) > 0 {
				t.Errorf("seed %d: %s is %s for who follows, for %s, and nothing in a review", seed, addr, live.Verdict, reasons(&live))
			}
		}
	}
	if accused < 500 {
		t.Errorf("only %d were accused, so the test shows little", accused)
	}
}

func grave(p *report.Peer) int {
	switch p.Verdict {
	case connwarden.VerdictMalicious:
		return 2
	case connwarden.VerdictSuspicious:
		return 1
	}
	return 0
}

func byThumb(p *report.Peer) bool {
	for _, e := range p.Evidence {
		if e.Rule != "request-outlier" && e.Rule != "path-outlier" && e.Rule != "path-crowd" {
			return false
		}
	}
	return len(p.Evidence) > 0
}

func reasons(p *report.Peer) (list []string) {
	for _, e := range p.Evidence {
		list = append(list, fmt.Sprintf("%s %d", e.Rule, e.Count))
	}
	return list
}
