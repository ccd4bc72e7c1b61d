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

func shipped(t *testing.T) *rules.Set {
	t.Helper()
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
	return set
}

// TestCrowd: bots that flood a page are told of as one thing, and each of them for its part, and readers of the site are not.
func TestCrowd(t *testing.T) {
	var text strings.Builder
	now := time.Date(2026, 11, 22, 14, 10, 0, 0, time.UTC)
	ask := func(ago time.Duration, addr, path, from string) {
		fmt.Fprintf(&text, "%s - - [%s] \"GET %s HTTP/1.1\" 200 512 \"%s\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\"\n",
			addr, now.Add(-ago).Format("02/Jan/2006:15:04:05 -0700"), path, from)
	}
	for k := 5; k > 0; k-- {
		for i := range 250 {
			ask(time.Duration(k)*30*time.Second, fmt.Sprintf("91.%d.7.%d", i, i), "/", "-")
		}
		for i := range 12 {
			addr, page := fmt.Sprintf("45.%d.7.%d", k, i), fmt.Sprintf("/blog/%d/", i)
			ask(time.Duration(k)*29*time.Second, addr, page, "-")
			ask(time.Duration(k)*29*time.Second, addr, "/site.css", "https://www.example.com"+page)
			ask(time.Duration(k)*29*time.Second, addr, fmt.Sprintf("/img/%d.jpg", i), "https://www.example.com"+page)
		}
	}
	log := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(log, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Review(t.Context(), ReviewOptions{
		Options: Options{Options: gather.Options{Host: host.New(t.TempDir()), Window: gather.Window{Clock: func() time.Time { return now }}, Zone: time.UTC, Files: []string{log}}, Top: 10},
		Rules:   shipped(t), Logs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Groups) != 1 || d.Groups[0].Kind != "path" || d.Groups[0].Addr != "/" || d.Groups[0].Verdict != connwarden.VerdictSuspicious {
		t.Errorf("groups: %+v", d.Groups)
	}
	bots := 0
	for i := range d.Peers {
		p := &d.Peers[i]
		if p.Score < connwarden.ScoreSuspicious {
			continue
		}
		if bots++; !strings.HasPrefix(p.Addr, "91.") || p.Verdict != connwarden.VerdictSuspicious || !hasRule(p.Evidence, "path-crowd") {
			t.Errorf("%s is %s: %+v", p.Addr, p.Verdict, p.Evidence)
		}
	}
	if bots != 250 {
		t.Errorf("%d are suspicious, want the 250 that flood", bots)
	}
	told := 0
	for _, f := range d.Findings {
		if strings.HasPrefix(f.Title, "the path /  SUSPICIOUS") && strings.HasPrefix(f.Detail, "250 addresses asked for / and for nothing else, 1250 of 1250 times") {
			told++
		}
		if strings.HasPrefix(f.Title, "/ is asked for") || strings.Contains(strings.Join(f.Next, " "), "block") {
			t.Errorf("finding: %+v", f)
		}
	}
	if told != 1 {
		t.Errorf("the crowd is told %d times: %+v", told, d.Findings)
	}
}

// TestConnectionRules: what the rules say of connections counts in a review as it does in the daemon.
func TestConnectionRules(t *testing.T) {
	set := shipped(t)
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
