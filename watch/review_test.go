package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/rules"
)

// TestConnectionRules: what the rules say of connections counts in a review as it does in the daemon.
func TestConnectionRules(t *testing.T) {
	var all []rules.Rule
	for name, text := range rules.Shipped() {
		list, errs := rules.Parse(name, text)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		all = append(all, list...)
	}
	set, err := rules.Compile(all)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString("State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\nLISTEN 0 511 0.0.0.0:443 0.0.0.0:*\n")
	for i := range 90 {
		fmt.Fprintf(&text, "ESTAB 0 0 192.0.2.1:443 198.51.100.7:%d\n", 20000+i)
	}
	file := filepath.Join(t.TempDir(), "ss.txt")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Review(t.Context(), ReviewOptions{
		Options: Options{Options: gather.Options{Host: host.New(t.TempDir()), Window: gather.Window{Clock: time.Now}, Zone: time.UTC}, Top: 10},
		Rules:   set, From: file, Conns: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Peers) != 1 || d.Peers[0].Open != 90 || d.Peers[0].Verdict == connwarden.VerdictMalicious || hasRule(d.Peers[0].Evidence, "slow-requests") {
		t.Errorf("without a log nobody knows how much it asked for: %+v", d.Peers[0].Evidence)
	}
	log := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(log, []byte(time.Now().UTC().Format(`203.0.113.9 - - [02/Jan/2006:15:04:05 +0000] "GET / HTTP/1.1" 200 512 "-" "Mozilla/5.0"`)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err = Review(t.Context(), ReviewOptions{
		Options: Options{Options: gather.Options{Host: host.New(t.TempDir()), Window: gather.Window{Clock: time.Now}, Zone: time.UTC, Files: []string{log}}, Top: 10},
		Rules:   set, From: file, Conns: true, Logs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Peers) == 0 || d.Peers[0].Verdict != connwarden.VerdictMalicious || !hasRule(d.Peers[0].Evidence, "slow-requests") {
		t.Errorf("%+v", d.Peers)
	}
}
