package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/report"
)

// member is a screen of a host that is in a fleet, on the tab that shows it.
func member(t *testing.T, width, height int, operator bool) *hand {
	t.Helper()
	h := begin(t, width, height, Options{})
	now := h.clock.now
	h.review.Fleet = &report.Member{Host: "web1.example.net", Group: "web", Operator: operator}
	end, later := now.Add(54*time.Minute), now.Add(23*time.Hour)
	d := &report.Fleet{Host: "web1.example.net", Group: "web", Operator: operator, Time: now, Rest: 12, Hosts: []report.FleetHost{
		{Host: "db1.example.net", Group: "db", Health: "ok", Seen: now.Add(-3 * time.Second), Version: "0.1.0", Load: 0.31, Cores: 8, Open: 44, Requests: 0, Blocks: 31, Held: 31},
		{Host: "web1.example.net", Group: "web", Health: "ok", Seen: now.Add(-2 * time.Second), Version: "0.1.0", Load: 0.52, Cores: 2, Open: 118, Requests: 1312, Errors: 2, Blocks: 31, Held: 19, Shared: 12},
		{Host: "web2.example.net", Group: "web", Health: "critical", Seen: now.Add(-6 * time.Second), Version: "0.1.0", Load: 7.2, Cores: 2, Open: 311, Requests: 4120, Errors: 38, Findings: 2, Blocks: 30, Held: 21, Shared: 9, Refused: 1, Recent: []report.FleetRefusal{
			{Kind: "block", Target: "198.51.100.1/32", From: "web1.example.net", Why: "it is the gateway of eth0", Time: now.Add(-time.Minute)},
		}},
		{Host: "web3.example.net", Group: "web", Health: "warning", Seen: now.Add(-8 * time.Second), Version: "0.1.0", Load: 1.9, Cores: 2, Open: 97, Requests: 860, Errors: 4, Findings: 1, Blocks: 31, Held: 31},
		{Host: "web4.example.net", Group: "web", Health: "silent", Seen: now.Add(-3 * time.Hour), Version: "0.1.0", Load: 0.2, Cores: 2, Blocks: 12},
		{Host: "evil\x1b[2J\x07" + strings.Repeat("long", 60), Group: "\x1b]0;x\x07", Health: "critical\x1b[1m", Seen: now.Add(time.Hour), Version: "\r\n=1+1", Load: -1, Cores: -3, Open: -5, Findings: -1, Blocks: -1, Clock: 7200},
	}, Blocked: []report.FleetBlock{
		{Target: "203.0.113.7/32", Scope: "all", Hosts: []string{"web1.example.net", "web2.example.net", "db1.example.net"}, Score: 97, Until: &end, Why: "441 POSTs to /xmlrpc.php in 5 minutes"},
		{Target: "2001:db8:4:5::/64", Scope: "all", Hosts: []string{"web2.example.net"}, Score: 91, Until: &later, Why: "guesses passwords\x1b[1m"},
	}, Problems: []report.Problem{{What: "fleet", Why: "1 message of other hosts cannot be read"}}}
	h.desk.fleet = d
	h.keys("7")
	return h
}

func TestFleet(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 20}} {
		h := member(t, size[0], size[1], true)
		got := uncoloured(h.shown())
		if strings.ContainsAny(got, "\x1b\x07\r") {
			t.Errorf("control characters reach the terminal: %q", got)
		}
		golden(t, fmt.Sprintf("fleet-%dx%d.txt", size[0], size[1]), got)
	}
}

func TestFleetHost(t *testing.T) {
	h := member(t, 80, 40, true)
	h.sees("7 Fleet", "critical", "web2.example.net", "203.0.113.7", "12 more", "NOT TAKEN", "gateway of eth0")
	h.keys("enter")
	golden(t, "fleet-host.txt", uncoloured(h.shown()))
	h.sees("web2.example.net", "30 blocks in force, 21", "This is what it says of itself.")
	h.keys("r", "esc", "down", "enter")
	h.sees("web4.example.net", "silent", "its daemon does not run")
	h.keys("esc", "/", "db1", "enter", "enter")
	h.sees("db1.example.net", "group db")
	if got := strings.Join(h.desk.did, ", "); got != "visit web2.example.net, visit web2.example.net, visit web4.example.net, visit db1.example.net" {
		t.Errorf("it did %s", got)
	}
}

// Who is no operator sees what a host tells all others, and asks nobody.
func TestFleetNoOperator(t *testing.T) {
	h := member(t, 80, 24, false)
	h.keys("enter")
	h.sees("web2.example.net", "4,120 requests", "without --operator")
	if len(h.desk.did) > 0 {
		t.Errorf("it did %v", h.desk.did)
	}
}

func TestNoFleet(t *testing.T) {
	h := begin(t, 120, 24, Options{})
	h.missesAll("Fleet")
	h.keys("7")
	h.missesAll("Fleet")
	h.keys("6", "tab")
	if h.tab != tabFindings {
		t.Errorf("after the last tab comes number %d", h.tab)
	}
	h = member(t, 120, 24, true)
	h.sees("7 Fleet (6)")
	left := *h.review
	left.Fleet = nil
	h.desk.review = &left
	h.run(h.look())
	if h.tab != tabFindings {
		t.Errorf("the tab of a fleet that was left is shown")
	}
	h = member(t, 120, 24, true)
	h.desk.fleet, h.fleet = nil, nil
	h.clock.now = h.clock.now.Add(time.Minute)
	h.now = h.clock.now
	h.run(h.dueFleet())
	h.sees("the hub does not answer")
}
