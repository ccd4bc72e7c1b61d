package watch

import (
	"net/netip"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/report"
)

// TestPresentTellsWhatTheDaemonKnows makes a review of what a daemon knows and saved connections.
func TestPresentTellsWhatTheDaemonKnows(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 3, 0, 0, time.UTC)
	table := faults.NewTable(faults.ByFault, faults.Options{})
	table.Fault(&connwarden.Fault{Time: now, Service: "php-fpm", Module: []byte("www"), Level: connwarden.LevelWarning, Message: []byte("[pool www] server reached pm.max_children setting (5), consider raising it")})
	var peers []report.Peer
	for i := range 14 {
		a := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).String()
		peers = append(peers, report.Peer{Addr: a, Verdict: "malicious", Score: 90, Evidence: []report.Evidence{{Rule: "x", Why: "guesses", Score: 90}}})
	}
	d, err := Present(t.Context(), ReviewOptions{Options: Options{
		Options: gather.Options{Host: host.New(t.TempDir()), Window: gather.Window{Clock: func() time.Time { return now }}, Zone: time.UTC}, Top: 10,
	}}, &Known{
		Time: now, Since: now.Add(-time.Hour), Requests: 500, Class: [6]uint64{0, 0, 400, 0, 100}, Peers: peers, More: 3, Faults: table,
		Groups:  []report.Peer{{Addr: "192.0.2.0/24", Kind: "net", Verdict: "malicious", Score: 85, Evidence: []report.Evidence{{Rule: "y", Why: "many guess", Score: 85}}}},
		Busiest: []judge.Peer{{Addr: netip.MustParseAddr("192.0.2.1"), Requests: 9}, {Addr: netip.MustParseAddr("198.51.100.1"), Requests: 7}}, Claims: &bots.Claims{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !d.Followed || len(d.Peers) != 15 || d.Peers[14].Addr != "198.51.100.1" || d.Peers[14].Verdict != "normal" || d.Pages.Counted != 500 || d.Errors.Counted != 1 {
		t.Errorf("%+v", d)
	}
	want := map[string]bool{"4 more addresses are suspicious or malicious": true, "the network 192.0.2.0/24  MALICIOUS 85": true}
	for _, f := range d.Findings {
		delete(want, f.Title)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v in %+v", want, d.Findings)
	}
	if len(d.Problems) == 0 || d.Problems[len(d.Problems)-1].What != "peers" {
		t.Errorf("problems %+v", d.Problems)
	}
}
