package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func blocksDoc() *Blocks {
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	soon, late := now.Add(59*time.Minute+30*time.Second), now.Add(146*time.Hour)
	return &Blocks{
		Schema: SchemaBlocks, Time: now, Change: 7, Undo: "connwarden undo 7",
		Blocks: []Block{
			{Target: "192.0.2.7/32", Scope: "all", Drivers: []string{"nft"}, Since: &now, Until: &soon, By: "operator", Who: "root", Why: "noise", State: "in_force", Hits: &Hits{12345, 740700}},
			{Target: "2001:db8::/64", Scope: "ports:80,443", Drivers: []string{"nft", "csf"}, Until: &late, By: "rule", Who: "ssh-bruteforce", Why: "\x1b[31mred", State: "wanted"},
			{Target: "198.51.100.0/24", Scope: "all", Drivers: []string{"nft"}, By: "fleet", Who: "web7", State: "in_force", Confirm: &soon},
		},
		Refused:  []Refused{{"127.0.0.1/32", "it is loopback"}},
		Problems: []Problem{{What: "csf", Why: "not running"}},
	}
}

func TestBlocksText(t *testing.T) {
	want := `BLOCKS  3
  TARGET           WHAT          LEFT      HITS    BY                   FIREWALL  WHY
  192.0.2.7        all           59m 30s   12,345  root                 nft       noise
  2001:db8::/64    ports:80,443  6d 2h             rule ssh-bruteforce  nft csf   NOT IN FORCE \x1b[31mred
  198.51.100.0/24  all           no end            fleet web7           nft       TO BE CONFIRMED
refused: 127.0.0.1: it is loopback

Not seen:
  csf: not running
`
	var b strings.Builder
	if err := (&Text{Width: 120}).Blocks(&b, blocksDoc()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Fields(want), strings.Fields(b.String())); d != "" {
		t.Errorf("(-want +got)\n%s\n%s", d, b.String())
	}
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "  19") && !strings.HasPrefix(line[19:], "all") {
			t.Errorf("columns do not stand under one another:\n%s", b.String())
		}
	}
}

func TestActText(t *testing.T) {
	d := blocksDoc()
	n := 3
	d.Killed, d.Proof = &n, []string{"nft lists 192.0.2.7"}
	var b strings.Builder
	if err := (&Text{Width: 120, ASCII: true}).Act(&b, d, "blocked"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"blocked       192.0.2.7", "until 14:59:30 (59m 30s)", "NOT IN FORCE  2001:db8::/64", "until 28 Nov 16:00 (6d 2h)", "until it is lifted",
		"3 connections closed\n", "  nft lists 192.0.2.7\n", "refused: 127.0.0.1: it is loopback\n", "  -> connwarden undo 7 takes it back\n", "csf: not running\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	d = &Blocks{Plan: []BlockPlan{{"nft", []string{"add element x"}}}, Blocks: d.Blocks[:1], Confirm: &d.Time}
	b.Reset()
	if err := (&Text{Width: 120}).Act(&b, d, "would block"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"would block", "by nft:\n  add element x\n", "It goes away at 14:00:00 unless you say: connwarden confirm"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestBlocksCSV(t *testing.T) {
	var b strings.Builder
	if err := NewCSV(&b).Blocks(blocksDoc()); err != nil {
		t.Fatal(err)
	}
	want := "target,scope,drivers,since,until,by,who,state,packets,bytes,why\n" +
		"192.0.2.7/32,all,nft,2026-11-22T14:00:00Z,2026-11-22T14:59:30Z,operator,root,in_force,12345,740700,noise\n" +
		"2001:db8::/64,\"ports:80,443\",nft csf,,2026-11-28T16:00:00Z,rule,ssh-bruteforce,wanted,,,\\x1b[31mred\n" +
		"198.51.100.0/24,all,nft,,,fleet,web7,in_force,,,\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestAllowedText(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	d := &AllowedList{Allowed: []Allowed{{Target: "192.0.2.0/24", Since: &now, By: "operator", Who: "root", Why: "the office"}}}
	var b strings.Builder
	if err := (&Text{}).Allowed(&b, d); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "192.0.2.0/24  22 Nov 2026 14:00  root  the office") {
		t.Errorf("%s", b.String())
	}
	b.Reset()
	if err := NewCSV(&b).Allowed(d); err != nil || b.String() != "target,since,by,who,why\n192.0.2.0/24,2026-11-22T14:00:00Z,operator,root,the office\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestBrief(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 0: "0s", 59 * time.Second: "59s", time.Minute: "1m", 90 * time.Second: "1m 30s", time.Hour: "1h", 26 * time.Hour: "1d 2h", 7 * 24 * time.Hour: "7d",
	} {
		if got := Brief(d); got != want {
			t.Errorf("Brief(%v) = %q, want %q", d, got, want)
		}
	}
}
