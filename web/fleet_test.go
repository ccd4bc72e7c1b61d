package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/report"
)

func TestFleet(t *testing.T) {
	desk := &fakeDesk{review: manyPeers(3)}
	h, _ := serve(t, desk, func(o *Options) { o.Token = "" })
	if a, body := call(t, "GET", h.URL+"/api/fleet", ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("without a fleet: %s %s", a.Status, body)
	}
	desk.fleet = manyHosts(2)
	a, body := call(t, "GET", h.URL+"/api/fleet", "")
	var d report.Fleet
	if err := json.Unmarshal([]byte(body), &d); err != nil || a.StatusCode != http.StatusOK || len(d.Hosts) != 4 {
		t.Errorf("the fleet: %s %s, %v", a.Status, body, err)
	}
	a, body = call(t, "GET", h.URL+"/api/fleet/web1.example.net", "")
	var r report.Review
	if err := json.Unmarshal([]byte(body), &r); err != nil || a.StatusCode != http.StatusOK || r.Host != "web1.example.net" {
		t.Errorf("another host: %s %s, %v", a.Status, body, err)
	}
	if a, body := call(t, "GET", h.URL+"/api/fleet/silent", ""); a.StatusCode != http.StatusInternalServerError {
		t.Errorf("a host that does not answer: %s %s", a.Status, body)
	}
}

func TestRealFleetPage(t *testing.T) {
	desk := &fakeDesk{review: manyPeers(30), fleet: manyHosts(1000)}
	mode := "fleet"
	if *screens != "" {
		desk.review, desk.fleet, mode = &report.Review{Schema: report.SchemaReview, Host: "web1.example.net", Time: noon, Load: &report.Load{One: 0.52, Cores: 2}, Followed: true}, fewHosts(), "fleetScreens"
	}
	desk.review.Fleet = &report.Member{Host: "web1.example.net", Group: "web", Operator: true}
	h, _ := serve(t, desk, func(o *Options) { o.Pause = 300 * time.Millisecond })
	alone, _ := serve(t, &fakeDesk{review: manyPeers(3)}, nil)
	to, err := filepath.Abs(*screens)
	if err != nil {
		t.Fatal(err)
	}
	browse(t, map[string]any{"mode": mode, "url": h.URL + "/?token=the-token", "alone": alone.URL + "/?token=the-token", "screens": to})
}

// fewHosts is a fleet as one may be, for pictures.
func fewHosts() *report.Fleet {
	at := func(after time.Duration) *time.Time { end := noon.Add(after); return &end }
	d := &report.Fleet{Schema: report.SchemaFleet, Host: "web1.example.net", Group: "web", Operator: true, Time: noon, Problems: []report.Problem{}, Blocked: []report.FleetBlock{
		{Target: "203.0.113.7/32", Scope: "all", Hosts: []string{"web1.example.net", "web2.example.net", "shop1.example.net", "shop2.example.net"}, Score: 97, Until: at(54 * time.Minute), Why: "Guesses passwords through XML-RPC: 441 POSTs to /xmlrpc.php in 5 minutes"},
		{Target: "198.51.100.23/32", Scope: "all", Hosts: []string{"mail1.example.net", "web2.example.net"}, Score: 95, Until: at(9*time.Minute + 12*time.Second), Why: "Guesses passwords of SSH: 34 failed logins in 5 minutes"},
		{Target: "2001:db8:4:5::/64", Scope: "all", Hosts: []string{"shop1.example.net"}, Score: 91, Until: at(23 * time.Hour), Why: "Looks for files that leak: 120 paths that are not there, .env and .git/config among them"},
	}}
	row := func(host, group, health string, seen time.Duration, load float64, cores, open int, requests, errors uint64, findings, refused int) {
		d.Hosts = append(d.Hosts, report.FleetHost{
			Host: host, Group: group, Health: health, Seen: noon.Add(-seen), Version: "0.1.0", Load: load, Cores: cores, Open: open, Requests: requests, Errors: errors, Findings: findings, Blocks: 31 - refused, Held: 19,
			Refused: refused, Recent: []report.FleetRefusal{},
		})
	}
	row("web1.example.net", "web", "ok", 2*time.Second, 0.52, 2, 118, 1312, 2, 0, 0)
	row("web2.example.net", "web", "critical", 6*time.Second, 7.21, 2, 311, 4120, 38, 2, 0)
	row("shop1.example.net", "shop", "warning", 8*time.Second, 3.1, 4, 402, 2860, 4, 1, 0)
	row("shop2.example.net", "shop", "ok", 3*time.Second, 1.4, 4, 377, 2544, 1, 0, 0)
	row("mail1.example.net", "mail", "ok", 5*time.Second, 0.31, 8, 64, 3, 0, 0, 1)
	row("db1.example.net", "db", "silent", 3*time.Hour, 0.2, 8, 44, 0, 0, 0, 0)
	d.Hosts[4].Recent = []report.FleetRefusal{{Kind: "block", Target: "192.0.2.1/32", From: "web2.example.net", Why: "it is the gateway of eth0", Time: noon.Add(-time.Minute)}}
	return d
}

// TestRealFleetPrograms has the page of one host beside a hub and another host that is attacked, all real.
func TestRealFleetPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the programs")
	}
	dir, err := os.MkdirTemp("", "fleet") //nolint:usetesting // the name of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name, _ := program(t, dir)
	hub := filepath.Join(dir, "connwarden-hub")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", hub, "github.com/connwarden/connwarden/cmd/connwarden-hub").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	log := filepath.Join(dir, "live.log")
	for file, text := range map[string]string{log: "", filepath.Join(dir, "config.toml"): "[block]\ndrivers = [\"null\"]\n[actions]\nmode = \"enforce\"\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := func(state, in, program string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir, cmd.Stdin, cmd.Stderr = dir, strings.NewReader(in), os.Stderr
		cmd.Env = append(os.Environ(), "CONNWARDEN_STATE_DIR="+filepath.Join(dir, state), "CONNWARDEN_HUB_DIR="+filepath.Join(dir, "hub"))
		return cmd
	}
	run := func(state, in, program string, args ...string) string {
		t.Helper()
		out, err := command(state, in, program, args...).Output()
		if err != nil {
			t.Fatalf("%s %v: %v", program, args, err)
		}
		return string(out)
	}
	start := func(state, program string, args ...string) (*exec.Cmd, string) {
		t.Helper()
		cmd := command(state, "", program, args...)
		return cmd, start(t, cmd)
	}
	start("", hub, "run", "--listen", "127.0.0.1:0", "--name", "127.0.0.1")
	at, err := os.ReadFile(filepath.Join(dir, "hub", "listens"))
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(string(at))
	run("a", run("", "", hub, "token", "--operator", "--group", "web"), name, "join", address, "--name", "web1.example.net")
	run("b", run("", "", hub, "token", "--group", "web"), name, "join", address, "--name", "web2.example.net")
	empty := filepath.Join(dir, "empty.log")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	start("a", name, "watch", "--no-dns", "--config", "config.toml", empty)
	attacked, _ := start("b", name, "watch", "--no-dns", "--config", "config.toml", log)
	_, page := start("a", name, "web", "--no-dns", "--config", "config.toml", "--listen", "127.0.0.1:0")
	var more strings.Builder
	for range 60 {
		fmt.Fprintf(&more, "5.188.10.99 - - [%s] \"POST /wp-login.php HTTP/1.1\" 200 7301 \"-\" \"python-requests/2.31\"\n", time.Now().Format("02/Jan/2006:15:04:05 -0700"))
	}
	browse(t, map[string]any{"mode": "hosts", "url": page, "log": log, "more": more.String(), "attacker": "5.188.10.99", "daemon": attacked.Process.Pid})
}
