package watch

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden/report"
)

// TestManyGroups: of many groups of which the same is said some are told of, and how many more there are.
func TestManyGroups(t *testing.T) {
	groups := func(kind, rule string, n int) (list []report.Peer) {
		for i := range n {
			list = append(list, report.Peer{Addr: fmt.Sprint(rule, i), Kind: kind, Verdict: "suspicious", Score: 60, Evidence: []report.Evidence{{Rule: rule, Why: "does " + rule + ": 12 times"}}})
		}
		return list
	}
	for _, c := range []struct {
		groups []report.Peer
		want   []string
	}{
		{groups("agent", "a", 4), []string{"the agent a0  SUSPICIOUS 60", "the agent a1  SUSPICIOUS 60", "the agent a2  SUSPICIOUS 60", "the agent a3  SUSPICIOUS 60"}},
		{
			append(groups("asn", "n", 9), groups("country", "c", 1)...),
			[]string{"the networks of n0  SUSPICIOUS 60", "the networks of n1  SUSPICIOUS 60", "the networks of n2  SUSPICIOUS 60", "6 more operators' networks of which the same is said", "the country c0  SUSPICIOUS 60"},
		},
	} {
		r := &review{doc: &report.Review{Groups: c.groups, Time: time.Now()}}
		r.findings()
		var got []string
		for _, f := range r.doc.Findings {
			got = append(got, f.Title)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}
