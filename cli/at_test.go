package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/history"
	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
)

// ask runs a command at a fixed time and returns what it prints.
func ask(t *testing.T, now time.Time, args ...string) (out, errs string, code int) {
	t.Helper()
	env := testSystem()
	var stdout, stderr bytes.Buffer
	env.Stdout, env.Stderr, env.Now = &stdout, &stderr, func() time.Time { return now }
	code = Main(args, env)
	return stdout.String(), stderr.String(), code
}

// pastMachine is a folder to be taken for the machine, whose log reaches back an hour and whose history reaches back a day.
func pastMachine(t *testing.T, now time.Time) (root string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("CONNWARDEN_STATE_DIR", filepath.Join(dir, "state"))
	root = filepath.Join(dir, "root")
	for _, d := range []string{filepath.Join(dir, "state"), filepath.Join(root, "var/log/nginx"), filepath.Join(root, "etc/nginx")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var lines strings.Builder
	for i := range 60 {
		fmt.Fprintf(&lines, "203.0.113.%d - - [%s] \"GET / HTTP/1.1\" 200 7301 \"-\" \"x\"\n", i%5, now.Add(time.Duration(i-60)*time.Minute).Format("02/Jan/2006:15:04:05 -0700"))
	}
	for name, text := range map[string]string{"etc/nginx/nginx.conf": "http { access_log /var/log/nginx/access.log combined; server { listen 80; } }\n", "var/log/nginx/access.log": lines.String()} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := history.New(filepath.Join(dir, "state"), 0, func() time.Time { return now })
	defer b.Close()
	batch := &history.Batch{Number: 1}
	then := now.Add(-20 * time.Hour)
	for m := range 20 * 60 {
		if at := then.Add(time.Duration(m) * time.Minute); m < 600 || m > 660 {
			batch.Rates = append(batch.Rates, report.SiteMinute{At: at.Unix(), Requests: 100, Malicious: 40, Open: 311})
		}
	}
	until := then.Add(2 * time.Hour)
	batch.Sightings = []report.Sighting{{Time: then.Add(30 * time.Minute), Peer: report.Peer{
		Addr: "198.51.100.7", Verdict: "malicious", Score: 97, Status: map[string]uint64{}, Next: []string{},
		Evidence: []report.Evidence{{Rule: "wordpress-login-bruteforce", Why: "guesses passwords: 441 failed logins", Score: 97, Samples: []report.Sample{{File: "access.log", Text: "POST /wp-login.php"}}}},
	}}}
	batch.Acts = []report.PastBlock{{Time: then.Add(31 * time.Minute), Type: "block", Block: report.Block{Target: "198.51.100.7/32", Why: "by rule", Until: &until}}}
	if err := b.Record(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	return root
}

// TestAtAnswersForThePast asks for times that the logs reach, that the history alone reaches, and that neither reaches.
func TestAtAnswersForThePast(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 3, 0, 0, time.UTC)
	root := pastMachine(t, now)
	review := func(at string) (d report.Review) {
		out, errs, code := ask(t, now, "review", "--root", root, "--no-dns", "--tz", "UTC", "--json", "--at", at)
		if code != 0 {
			t.Fatalf("%d: %s", code, errs)
		}
		if err := json.Unmarshal([]byte(out), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	why := func(d *report.Review) string {
		text := ""
		for _, p := range d.Problems {
			text += p.What + ": " + p.Why + "\n"
		}
		return text
	}

	d := review("yesterday 19:03")
	if d.At == nil || !d.At.Equal(now.Add(-19*time.Hour)) || !d.Time.Equal(*d.At) || len(d.Peers) != 1 || d.Peers[0].Addr != "198.51.100.7" || d.Peers[0].Verdict != "malicious" || d.Conns != nil || d.Load != nil {
		t.Errorf("%+v", d)
	}
	if h := d.History; h == nil || len(h.Rates) != 60 || h.Rates[0].Open != 311 || len(h.Verdicts) != 1 || len(h.Blocks) != 1 {
		t.Errorf("history %+v", h)
	}
	if len(d.Findings) != 1 || d.Findings[0].Level != "critical" || !strings.Contains(d.Findings[0].Detail, "441 failed logins") || !strings.Contains(d.Findings[0].Detail, "By the history of 21 Nov 18:33") {
		t.Errorf("findings %+v", d.Findings)
	}
	if got := why(&d); !strings.Contains(got, "no line of that time is left") {
		t.Error(got)
	}

	if d := review("10m"); d.Pages.Counted == 0 || strings.Contains(why(&d), "history:") {
		t.Errorf("%d requests; %s", d.Pages.Counted, why(&d))
	}
	if d := review("2 days ago"); !strings.Contains(why(&d), "history: it begins at 21 Nov 2026 18:03 UTC and does not reach back to then") {
		t.Error(why(&d))
	}
	if d := review("05:00"); !strings.Contains(why(&d), "nothing was written down from 22 Nov 2026 04:03 UTC to 22 Nov 2026 05:00 UTC: connwarden watch was not running") {
		t.Error(why(&d))
	}

	out, _, _ := ask(t, now, "review", "--root", root, "--no-dns", "--tz", "UTC", "--at", "yesterday 19:03")
	for _, want := range []string{"as of 21 Nov 2026 19:03:00 UTC", "198.51.100.7  MALICIOUS 97", "HISTORY  21 Nov 18:03 - 21 Nov 19:03", "2,400 of malicious addresses", "18:34", "blocked", "at most 311 connections"} {
		if !strings.Contains(out, want) {
			t.Errorf("without %q:\n%s", want, out)
		}
	}
	out, errs, code := ask(t, now, "ip", "198.51.100.7", "--root", root, "--no-dns", "--tz", "UTC", "--at", "yesterday 19:03")
	if code != 0 || !strings.Contains(out, "guesses passwords: 441 failed logins") || !strings.Contains(out, "blocked") {
		t.Errorf("%d %s\n%s", code, errs, out)
	}
	out, _, _ = ask(t, now, "ip", "198.51.100.7", "--root", root, "--no-dns", "--tz", "UTC", "--json")
	var ips report.IPs
	if err := json.Unmarshal([]byte(out), &ips); err != nil || ips.Addrs[0].History == nil || len(ips.Addrs[0].History.Verdicts) != 1 || len(ips.Addrs[0].History.Blocks) != 1 {
		t.Errorf("now: %v %s", err, out)
	}
}

func TestAtIsRefused(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 3, 0, 0, time.UTC)
	t.Setenv("CONNWARDEN_STATE_DIR", t.TempDir())
	for _, c := range [][]string{
		{"still to come", "review", "--at", "tomorrow"}, {"tells of now alone", "conns", "--at", "1h"}, {"exclude each other", "review", "--at", "1h", "--now", "1h"}, {"is not understood", "review", "--at", "soon"},
	} {
		if _, errs, code := ask(t, now, c[1:]...); code != exitUsage || !strings.Contains(errs, c[0]) {
			t.Errorf("%v: %d %s", c[1:], code, errs)
		}
	}
}

// TestHistorianKeepsWhatCouldNotBeWritten has the database locked away: what was told comes with the next batch.
func TestHistorianKeepsWhatCouldNotBeWritten(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 3, 0, 0, time.UTC)
	dir := filepath.Join(t.TempDir(), "state")
	h := &historian{book: history.New(dir, 0, func() time.Time { return now })}
	defer h.book.Close()
	h.tell(&live.Verdict{Head: live.Head{Type: "verdict", Time: now}, Peer: report.Peer{Addr: "192.0.2.7", Verdict: "malicious", Score: 90}})
	h.tell(&live.Block{Head: live.Head{Type: "block", Time: now}, Block: report.Block{Target: "192.0.2.7/32"}})
	batch := live.Batch{Number: 1, Rates: []report.SiteMinute{{At: now.Unix() / 60 * 60, Requests: 5}}}
	if err := h.Record(t.Context(), batch); err == nil {
		t.Fatal("written although there is no folder")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it comes again, as after a crash
		if err := h.Record(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	d, err := history.Read(t.Context(), dir, history.Query{From: now.Add(-time.Hour), Until: now.Add(time.Hour)})
	if err != nil || len(d.Verdicts) != 1 || len(d.Blocks) != 1 || d.Rates[0].Requests != 5 {
		t.Errorf("%v %+v", err, d)
	}
	for range 3 * history.MaxSightings {
		h.tell(&live.Verdict{Head: live.Head{Time: now}, Peer: report.Peer{Addr: "192.0.2.8"}})
	}
	if len(h.sightings) > 2*history.MaxSightings || h.left == 0 {
		t.Errorf("%d verdicts wait, %d were left out", len(h.sightings), h.left)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "64M": 64 << 20, "2g": 2 << 30, "512MB": 512 << 20, "8388608": 8 << 20} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: %d %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "M", "-1", "many", "1.5G", "99999999999999999999"} {
		if _, err := parseSize(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
