package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
)

// A block is written as report.JSON writes it, whatever stands in it.
func FuzzBlockLine(f *testing.F) {
	f.Add("203.0.113.7/32", "34 failed logins of root", "host1", "connwarden unblock 203.0.113.7", int64(1795394575642), int64(7), true)
	f.Add("x", "\"<script>\\ \x1b \xff é \u2028", "", "", int64(0), int64(0), false)
	f.Add("x", "~ !", "{}", "'", int64(-1), int64(-1), false)
	f.Add("x", "a year beyond 9999", "", "", int64(1e15), int64(1), false)
	f.Fuzz(func(t *testing.T, target, why, who, undo string, at, change int64, forced bool) {
		since, until := time.UnixMilli(at).UTC(), time.Unix(at, at).In(time.FixedZone("", 3600))
		for _, m := range []*live.Block{
			{Block: report.Block{Target: target, Scope: "all", Drivers: []string{"nft"}, Since: &since, Until: &until, By: "fleet", Who: who, Why: why, State: "in_force", Forced: forced, Change: change}, Undo: undo},
			{Block: report.Block{Target: target, Drivers: []string{who}, Since: &since, By: why}},
			{Block: report.Block{Drivers: []string{"nft"}, Confirm: &since}},
			{Block: report.Block{Drivers: []string{"nft"}, Hits: &report.Hits{Packets: 1}}},
			{Block: report.Block{Drivers: []string{"nft", "ipset"}}},
			{},
		} {
			m.Type, m.Time = "block", since
			var want bytes.Buffer
			if err := report.JSON(&want, m); err != nil {
				if _, ok := blockLine(nil, m); ok {
					t.Errorf("%+v is written although it cannot be: %v", m, err)
				}
				continue
			}
			got, ok := blockLine(nil, m)
			if ok && string(got) != want.String() {
				t.Errorf("it is\n%s, want\n%s", got, want.String())
			}
		}
	})
}

func TestBlockLine(t *testing.T) {
	since := time.Date(2026, 11, 22, 12, 0, 0, 5e6, time.UTC)
	m := &live.Block{Head: live.Head{Type: "block", Time: since}, Undo: "connwarden unblock 203.0.113.7", Block: report.Block{
		Target: "203.0.113.7/32", Scope: "all", Drivers: []string{"nft"}, Since: &since, By: "fleet", Who: "host1", Why: "34 failed logins of root", State: "in_force", Change: 7,
	}}
	const want = `{"type":"block","time":"2026-11-22T12:00:00.005Z","target":"203.0.113.7/32","scope":"all","drivers":["nft"],"since":"2026-11-22T12:00:00.005Z","until":null,` +
		`"by":"fleet","who":"host1","why":"34 failed logins of root","state":"in_force","change":7,"hits":null,"undo":"connwarden unblock 203.0.113.7"}` + "\n"
	if got, ok := blockLine(nil, m); !ok || string(got) != want {
		t.Errorf("it is %v,\n%s, want\n%s", ok, got, want)
	}
}
