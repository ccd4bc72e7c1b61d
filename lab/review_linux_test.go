package lab_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/lab"
)

// What the command line promises of its JSON, as far as it is looked at here; written anew and not taken from room
// report, so that a renamed key is noticed.
type (
	row struct {
		Key     string                      `json:"key"`
		Code    string                      `json:"code"`
		Service string                      `json:"service"`
		Count   int                         `json:"count"`
		In      int                         `json:"in"`
		IPs     int                         `json:"ips"`
		States  map[string]int              `json:"states"`
		Ports   map[string]int              `json:"ports"`
		Status  map[string]int              `json:"status"`
		Sample  struct{ Text, File string } `json:"sample"`
		Meaning string                      `json:"meaning"`
		Remedy  string                      `json:"remedy"`
	}
	table struct {
		Schema   string `json:"schema"`
		Lines    int    `json:"lines"`
		Parsed   int    `json:"parsed"`
		Unparsed int    `json:"unparsed"`
		Rows     []row  `json:"rows"`
		Files    []struct {
			Name, Format    string
			Lines, Unparsed int
		} `json:"files"`
		Problems []problem `json:"problems"`
	}
	problem struct{ What, Why string }
	peer    struct {
		Addr     string     `json:"addr"`
		Verdict  string     `json:"verdict"`
		Score    int        `json:"score"`
		Open     int        `json:"open"`
		Requests int        `json:"requests"`
		Evidence []evidence `json:"evidence"`
		Next     []string   `json:"next"`
	}
	evidence struct {
		Rule    string                        `json:"rule"`
		Why     string                        `json:"why"`
		Count   int                           `json:"count"`
		Samples []struct{ File, Text string } `json:"samples"`
	}
	review struct {
		Schema   string                                  `json:"schema"`
		Conns    table                                   `json:"conns"`
		Pages    table                                   `json:"pages"`
		Errors   table                                   `json:"errors"`
		Peers    []peer                                  `json:"peers"`
		Findings []struct{ Level, Title, Detail string } `json:"findings"`
		Problems []problem                               `json:"problems"`
	}
)

// build builds the real program into the machine and returns its name there.
func build(t *testing.T, l *lab.Lab) string {
	t.Helper()
	const name = "/opt/connwarden"
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(l.Root, name), "github.com/connwarden/connwarden/cmd/connwarden")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build connwarden: %v\n%s", err, out)
	}
	return name
}

// answer decodes what a command printed: one object and nothing else.
func answer[T any](t *testing.T, r lab.Result) T {
	t.Helper()
	var v T
	if r.Code != 0 {
		t.Fatalf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	d := json.NewDecoder(strings.NewReader(r.Stdout))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, r.Stdout)
	}
	if d.More() {
		t.Fatalf("more than one object:\n%s", r.Stdout)
	}
	return v
}

// The world of the review: who does what, so that the truth is known.
const (
	hurried       = "203.0.113.15"   // asks faster than a limit allows
	loginAttacker = "198.51.100.7"   // 60 passwords for wp-login.php, 200 each
	pingAttacker  = "198.51.100.8"   // 120 calls of xmlrpc.php, all refused
	farAttacker   = "2001:db8:1::66" // 40 calls of xmlrpc.php, 200 each
	scanner       = "198.51.100.9"   // 80 pages that do not exist, and one that is denied
	holder        = "198.51.100.30"  // 40 connections that ask for nothing
	customers     = 12               // each a visitor of five pages: 203.0.113.10 and on
)

// sent is what the servers were asked for.
type sent struct {
	lines int            // of all access logs
	paths map[string]int // requests by path
}

// live lets the world do what it does. Each server has written its lines when it returns.
func live(t *testing.T, l *lab.Lab) sent {
	t.Helper()
	s := sent{paths: map[string]int{}}
	logged := map[string]int{}
	do := func(r lab.Request, status int) {
		t.Helper()
		want(t, l.Do(r), status)
		path, _, _ := strings.Cut(r.Target, "?")
		s.paths[path]++
		s.lines++
		switch r.Host {
		case "blog.example.com":
			logged["apache2/blog.access.log"]++
		case "shop.example.com":
			logged["apache2/other_vhosts_access.log"]++
		default:
			logged["nginx/api.access.log"]++
		}
	}
	shop := func(from, target string) lab.Request {
		return lab.Request{From: from, Host: "shop.example.com", Target: target}
	}
	api := func(from, target string) lab.Request {
		return lab.Request{From: from, Port: 8080, Host: "api.example.com", Target: target}
	}
	for i := range customers {
		from := fmt.Sprintf("203.0.113.%d", 10+i)
		do(blog(from, "", "/"), http.StatusOK)
		do(blog(from, "", "/style.css"), http.StatusOK)
		do(blog(from, "", "/favicon.ico"), http.StatusNotFound)
		do(blog(from, "", fmt.Sprintf("/?p=%d", i)), http.StatusOK)
		do(shop(from, "/"), http.StatusOK)
	}
	ann := blog("203.0.113.10", "POST", "/wp-login.php")
	ann.Body = "log=ann&pwd=correct+horse"
	do(ann, http.StatusFound)
	for i := range 60 {
		r := blog(loginAttacker, "POST", "/wp-login.php")
		r.Agent, r.Body = "python-requests/2.31.0", fmt.Sprintf("log=admin&pwd=%d", i)
		do(r, http.StatusOK)
	}
	for range 120 {
		do(blog(pingAttacker, "POST", "/xmlrpc.php"), http.StatusForbidden)
	}
	for range 40 {
		do(blog(farAttacker, "POST", "/xmlrpc.php"), http.StatusOK)
	}
	for i := range 80 {
		do(blog(scanner, "", fmt.Sprintf("/backup-%d.zip", i)), http.StatusNotFound)
	}
	do(blog(scanner, "", "/private/backup.sql"), http.StatusForbidden)
	for range 3 {
		do(blog("203.0.113.11", "", "/memory.php"), http.StatusInternalServerError)
	}
	for range 2 {
		do(blog("203.0.113.12", "", "/cart.php"), http.StatusInternalServerError)
		do(shop("203.0.113.13", "/missing.php"), http.StatusInternalServerError)
	}
	for range 4 {
		do(api("203.0.113.14", "/app/orders"), http.StatusBadGateway)
	}
	do(api(hurried, "/search?q=a"), http.StatusOK)
	for range 9 {
		do(api(hurried, "/search?q=b"), http.StatusServiceUnavailable)
	}
	for name, n := range logged {
		l.AwaitLines("var/log/"+name, n)
	}
	return s
}

// TestRealReview lets customers and attackers loose on a machine whose servers run full and whose scripts fail, and wants
// the program to tell what happened, both on the machine and from outside it with --root.
func TestRealReview(t *testing.T) {
	l := lab.New(t)
	version := l.PHP()
	l.Apache("event")
	l.Nginx()
	program := build(t, l)
	s := live(t, l)
	full(t, l, version, "AH00484: server reached MaxRequestWorkers setting")
	s.paths["/hold.php"] += 15
	s.lines += 15
	l.AwaitLines("var/log/apache2/other_vhosts_access.log", s.paths["/missing.php"]+customers+3)
	for range 40 {
		l.Connect(holder, 8080)
	}

	for _, place := range []struct {
		name string
		run  func(args ...string) lab.Result
	}{
		{"on the machine", func(args ...string) lab.Result { return l.Run(nil, program, args...) }},
		{"with --root", func(args ...string) lab.Result {
			return l.RunOutside(nil, filepath.Join(l.Root, program), append(args, "--root", l.Root)...)
		}},
	} {
		t.Run(place.name, func(t *testing.T) {
			t.Run("pages", func(t *testing.T) {
				wantPages(t, answer[table](t, place.run("pages", "--json", "--no-dns", "--top", "0")), s)
			})
			t.Run("errors", func(t *testing.T) {
				e := answer[table](t, place.run("errors", "--json", "--no-dns", "--top", "0"))
				wantErrors(t, e)
			})
			t.Run("review", func(t *testing.T) {
				r := answer[review](t, place.run("review", "--json", "--no-dns", "--top", "0"))
				wantPages(t, r.Pages, s)
				wantErrors(t, r.Errors)
				wantConns(t, r.Conns)
				wantPeers(t, r.Peers)
				if len(r.Findings) == 0 {
					t.Error("no findings, with servers full and scripts failing")
				}
				for _, p := range r.Problems {
					// With --root the processes are the host's, among which there may be containers and other tests.
					if p.What == "logins, mail and the kernel" { // this machine has neither journal nor syslog
						continue
					}
					if place.name == "on the machine" || p.What != "network namespaces" {
						t.Errorf("problem on a machine where root sees everything: %s: %s", p.What, p.Why)
					}
				}
			})
			t.Run("for people", func(t *testing.T) {
				r := place.run("review", "--no-dns")
				for _, text := range []string{loginAttacker, pingAttacker, "/xmlrpc.php", "MaxRequestWorkers"} {
					if r.Code != 0 || !strings.Contains(r.Stdout, text) {
						t.Errorf("exit code %d; the text lacks %q:\n%s%s", r.Code, text, r.Stdout, r.Stderr)
					}
				}
			})
		})
	}
}

// wantPages wants every request counted once, under its path.
func wantPages(t *testing.T, p table, s sent) {
	t.Helper()
	if p.Lines != s.lines || p.Parsed != s.lines || p.Unparsed != 0 {
		t.Errorf("%d lines, %d parsed, %d not; want %d, all parsed; files: %+v", p.Lines, p.Parsed, p.Unparsed, s.lines, p.Files)
	}
	got := map[string]int{}
	for _, r := range p.Rows {
		got[r.Key] = r.Count
		if r.Key == "/xmlrpc.php" && (r.IPs != 2 || r.Status["4xx"] != 120 || r.Status["2xx"] != 40) {
			t.Errorf("/xmlrpc.php: %d addresses, statuses %v; want 2, 120 refused, 40 answered", r.IPs, r.Status)
		}
	}
	for path, n := range s.paths {
		if got[path] != n {
			t.Errorf("%s is counted %d times; it was asked for %d times", path, got[path], n)
		}
	}
	if len(got) != len(s.paths) {
		t.Errorf("%d paths; %d were asked for", len(got), len(s.paths))
	}
}

// wantErrors wants every trouble counted, and explained.
func wantErrors(t *testing.T, e table) {
	t.Helper()
	if e.Unparsed != 0 {
		t.Errorf("%d lines of error logs were not understood; files: %+v", e.Unparsed, e.Files)
	}
	for _, w := range []struct {
		text, code, service string
		count               int // 0: at least one
	}{
		{"server reached MaxRequestWorkers setting", "AH00484", "apache", 1},
		{"client denied by server configuration: /var/www/blog/xmlrpc.php", "AH01630", "apache", 121},
		{"Allowed memory size of", "", "", 3},
		{"Uncaught RuntimeException: no rate for EUR", "", "", 2},
		{"Call to undefined function charge_card_of_a_plugin_that_was_removed()", "", "php", 2},
		{"server reached pm.max_children setting (5)", "", "php-fpm", 1},
		{"server reached max_children setting (2)", "", "php-fpm", 1},
		{"executing too slow", "", "php-fpm", 0},
		{"connect() failed (111: Connection refused) while connecting to upstream", "", "nginx", 4},
		{`by zone "search"`, "", "nginx", 9},
	} {
		i := slices.IndexFunc(e.Rows, func(r row) bool { return strings.Contains(r.Sample.Text, w.text) })
		if i < 0 {
			t.Errorf("no row shows %q; the rows: %+v", w.text, e.Rows)
			continue
		}
		r := e.Rows[i]
		if w.count > 0 && r.Count != w.count {
			t.Errorf("%q is counted %d times; it happened %d times", w.text, r.Count, w.count)
		}
		if w.code != "" && r.Code != w.code || w.service != "" && r.Service != w.service {
			t.Errorf("%q has code %q of service %q; want %q of %q", w.text, r.Code, r.Service, w.code, w.service)
		}
		if r.Meaning == "" || r.Remedy == "" {
			t.Errorf("%q is not explained: meaning %q, remedy %q", w.text, r.Meaning, r.Remedy)
		}
	}
}

// wantConns wants the connections that were held, and none of the listeners.
func wantConns(t *testing.T, c table) {
	t.Helper()
	i := slices.IndexFunc(c.Rows, func(r row) bool { return r.Key == holder })
	if i < 0 {
		t.Fatalf("%s holds 40 connections and has no row; the rows: %+v", holder, c.Rows)
	}
	if r := c.Rows[i]; r.Count != 40 || r.In != 40 || r.States["established"] != 40 || r.Ports["8080"] != 40 {
		t.Errorf("%s holds 40 connections to port 8080; got %+v", holder, r)
	}
}

// wantPeers wants the attackers accused, on top, with what they did; and nobody else.
func wantPeers(t *testing.T, peers []peer) {
	t.Helper()
	harmful := map[string]bool{"suspicious": true, "malicious": true}
	worst := len(peers)
	for i, p := range peers {
		if !harmful[p.Verdict] {
			worst = i
			break
		}
	}
	for addr, count := range map[string]int{loginAttacker: 60, pingAttacker: 120, farAttacker: 40} {
		i := slices.IndexFunc(peers, func(p peer) bool { return p.Addr == addr })
		if i < 0 || i >= worst {
			t.Errorf("%s is not among the accused: place %d of %d", addr, i, worst)
			continue
		}
		p := peers[i]
		if p.Requests != count {
			t.Errorf("%s has %d requests, want %d", addr, p.Requests, count)
		}
		if !slices.ContainsFunc(p.Evidence, func(e evidence) bool {
			return e.Count == count && e.Rule != "" && (strings.Contains(e.Why, "POST") || strings.Contains(e.Why, "failed logins")) &&
				len(e.Samples) > 0 && strings.Contains(e.Samples[0].Text, addr) && e.Samples[0].File != ""
		}) {
			t.Errorf("no evidence against %s counts its %d POSTs and shows one: %+v", addr, count, p.Evidence)
		}
	}
	for i, p := range peers {
		// Who is refused by a limit nine times at once is worth a look; all others of this network are customers.
		customer := strings.HasPrefix(p.Addr, "203.0.113.") && p.Addr != hurried
		if customer && (p.Verdict != "normal" || i < worst) {
			t.Errorf("customer %s is %s: %+v", p.Addr, p.Verdict, p.Evidence)
		}
		for _, next := range p.Next {
			if customer {
				t.Errorf("customer %s: next %q", p.Addr, next)
			}
		}
	}
}
