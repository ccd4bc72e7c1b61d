package judge

import (
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

func TestDecide(t *testing.T) {
	harm := connwarden.Evidence{Rule: "exploit", Family: "exploit", Score: 95}
	volume := connwarden.Evidence{Rule: "flood", Family: "volume", Score: 75, Capped: true}
	google := connwarden.Bot{Name: "Googlebot", Operator: "Google", Tag: searchTag, Exempt: true}
	hook := connwarden.Bot{Name: "Stripe", Operator: "Stripe", Tag: hookTag, Exempt: true}
	curl := connwarden.Bot{Name: "curl", Tag: "http-library"}
	for _, c := range []struct {
		name     string
		evidence []connwarden.Evidence
		known    Known
		word     string
		exempt   string
	}{
		{"nobody in particular", nil, Known{}, connwarden.VerdictNormal, ""},
		{"an attacker", []connwarden.Evidence{harm}, Known{}, connwarden.VerdictMalicious, ""},
		{"a library", nil, Known{Bot: curl}, connwarden.VerdictBot, ""},
		{"an attacker with a library", []connwarden.Evidence{harm}, Known{Bot: curl}, connwarden.VerdictMalicious, ""},
		{"a crawler at full speed", []connwarden.Evidence{volume}, Known{Bot: google, Proof: connwarden.ProofVerified, How: "published range"}, connwarden.VerdictCrawler, "Googlebot, proved"},
		{"a crawler that follows a spammer's link", []connwarden.Evidence{harm}, Known{Bot: google, Proof: connwarden.ProofVerified}, connwarden.VerdictCrawler, "Googlebot, proved"},
		{"an impostor that does nothing else", nil, Known{Bot: google, Proof: connwarden.ProofImpostor, How: "x"}, connwarden.VerdictMalicious, ""},
		{"a hook that somebody passes on", nil, Known{Bot: hook, Proof: connwarden.ProofImpostor, How: "x"}, connwarden.VerdictSuspicious, ""},
		{"a hook's name, and harmful", []connwarden.Evidence{harm}, Known{Bot: hook, Proof: connwarden.ProofImpostor, How: "x"}, connwarden.VerdictMalicious, ""},
		{"unproven, and fast", []connwarden.Evidence{volume}, Known{Bot: google, Proof: connwarden.ProofUnproven}, connwarden.VerdictBot, "not proved yet"},
		{"unproven, and harmful", []connwarden.Evidence{harm}, Known{Bot: google, Proof: connwarden.ProofUnproven}, connwarden.VerdictMalicious, ""},
		{"our own address", []connwarden.Evidence{harm}, Known{Exempt: "this machine's own address"}, connwarden.VerdictSuspicious, "own address"},
	} {
		v := connwarden.Verdict{Evidence: c.evidence, Score: weigh(c.evidence), ScoreNow: weigh(c.evidence)}
		word := Decide(&v, &c.known)
		if word != c.word || !strings.Contains(v.Exempt, c.exempt) || c.exempt == "" && v.Exempt != "" {
			t.Errorf("%s: %s %d, exempt %q; want %s, %q", c.name, word, v.Score, v.Exempt, c.word, c.exempt)
		}
		if v.ScoreNow > v.Score {
			t.Errorf("%s: now %d, worst %d", c.name, v.ScoreNow, v.Score)
		}
	}
}
