package report

import (
	"strings"
	"testing"
	"time"
)

func TestFleet(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	end := now.Add(time.Hour)
	d := &Fleet{
		Time: now, Rest: 7,
		Hosts: []FleetHost{
			{Host: "web1.example.net", Group: "web", Health: "ok", Seen: now.Add(-4 * time.Second), Load: 0.5, Cores: 2, Open: 311, Requests: 1700, Errors: 12, Findings: 1, Blocks: 20, Version: "0.1"},
			{Host: "evil\x1b[2J", Group: "web", Health: "critical\x07", Seen: now.Add(-time.Hour), Version: "=1+1\n", Recent: []FleetRefusal{
				{Kind: "block", Target: "192.0.2.1/32", From: "web1.example.net\x1b]0;x\x07", Why: "it is the gateway of eth0"},
			}},
		},
		Blocked:  []FleetBlock{{Target: "203.0.113.7/32", Scope: "all", Hosts: []string{"a", "b", "c", "d"}, Score: 97, Until: &end, Why: "guesses passwords\x1b[1m"}},
		Problems: []Problem{{What: "fleet", Why: "1 message cannot be read"}},
	}
	var b strings.Builder
	if err := (&Text{Width: 140, ASCII: true}).Fleet(&b, d); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if strings.ContainsAny(text, "\x1b\x07") {
		t.Errorf("control characters reach the terminal: %q", text)
	}
	for _, want := range []string{
		"HOSTS  2", "web1.example.net", "0.50/2", "1,700", "4s ago", "BLOCKED BY THE FLEET  8", "203.0.113.7 ", "4 hosts: a b c ...", "and 7 more",
		"did not take the block of 192.0.2.1 from web1.example.net", "it is the gateway of eth0", "1 message cannot be read",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	b.Reset()
	if err := NewCSV(&b).Fleet(d); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "web1.example.net,web,ok,2026-11-22T13:59:56Z,0.1,0.50,2,311,1700,12,1,20,0,0,0") || strings.Contains(got, ",=1") {
		t.Errorf("as CSV\n%s", got)
	}
	b.Reset()
	if err := (&Text{Width: 100}).Fleet(&b, &Fleet{Time: now}); err != nil || strings.Count(b.String(), "none") != 2 {
		t.Errorf("an empty fleet is %q, %v", b.String(), err)
	}
}
