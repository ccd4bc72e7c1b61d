package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/report"
)

var screens = flag.String("screens", "", "make the pictures of the documentation in this folder: go test ./web -run 'TestReal(Program|Report|FleetPage)' -screens ../docs/screens")

// browse has testdata/browser/page.mjs look at something and reports what it found.
func browse(t *testing.T, job map[string]any) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("needs node: apt install nodejs")
	}
	job["chromium"] = ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			job["chromium"] = p
			break
		}
	}
	if job["chromium"] == "" {
		t.Skip("needs a browser: apt install chromium")
	}
	if _, err := os.Stat("testdata/browser/node_modules/playwright-core"); err != nil {
		t.Skip("needs what drives the browser: cd web/testdata/browser && npm ci")
	}
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "page.mjs", string(text))
	cmd.Dir = "testdata/browser"
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v: %s", err, errs.String())
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		name, good := strings.CutPrefix(line, "ok ")
		if !good {
			name, line, _ = strings.Cut(strings.TrimPrefix(line, "not ok "), ": ")
		}
		t.Run(name, func(t *testing.T) {
			if !good {
				t.Error(line)
			}
		})
	}
	if len(out) == 0 {
		t.Error("the browser found nothing")
	}
}

func TestRealPage(t *testing.T) {
	desk := &fakeDesk{review: manyPeers(50_000)}
	desk.review.Peers[4].Addr = "2001:db8:1111:2222:3333:4444:5555:6666" // none is longer
	desk.review.Conns.Rows = append(desk.review.Conns.Rows, report.ConnRow{Key: desk.review.Peers[4].Addr, Count: 1, Ports: map[string]uint64{"443": 1}})
	desk.review.Pages.Rows = append(desk.review.Pages.Rows, report.PageRow{Key: "/" + strings.Repeat("long-", 400), Count: 1, Status: map[string]uint64{"2xx": 1}})
	h, _ := serve(t, desk, func(o *Options) { o.Pause = 300 * time.Millisecond })
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<!doctype html><title>other</title><body>")
	}))
	t.Cleanup(other.Close)
	browse(t, map[string]any{"mode": "fake", "url": h.URL + "/?token=the-token", "origin": h.URL, "other": other.URL})
}

func TestRealDoor(t *testing.T) {
	h, _ := serve(t, &fakeDesk{review: manyPeers(3)}, func(o *Options) { o.Token, o.Password = "", "correct horse battery" })
	browse(t, map[string]any{"mode": "door", "url": h.URL, "password": "correct horse battery"})
}

// program builds connwarden and makes a machine under attack for it: logs and saved connections in dir.
func program(t *testing.T, dir string) (name string, args []string) {
	t.Helper()
	name = filepath.Join(dir, "connwarden")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", name, "github.com/connwarden/connwarden/cmd/connwarden").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for file, text := range attacked() {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return name, []string{"--no-dns", "--tz", "UTC", "--config", "config.toml", "--from", "conns.txt", "access.log", "error.log", "php-fpm.log"}
}

// attacked is the hour of a small shop in which three addresses attack and PHP runs short of children.
func attacked() map[string]string {
	end := time.Date(2026, 11, 22, 14, 3, 7, 0, time.UTC)
	var access, nginx, php, open strings.Builder
	seed := uint32(7)
	dice := func(n int) int { // the same at every run
		seed = seed*1664525 + 1013904223
		return int(seed>>8) % n
	}
	line := func(at time.Time, addr, request string, status, size int, agent string) {
		fmt.Fprintf(&access, "%s - - [%s] \"%s HTTP/1.1\" %d %d \"-\" \"%s\"\n", addr, at.Format("02/Jan/2006:15:04:05 -0700"), request, status, size, agent)
	}
	pages := []string{"/", "/shop/", "/shop/winter-coat", "/about/", "/contact/", "/blog/", "/blog/how-to-knit", "/assets/site.css", "/cart"}
	probes := []string{"/.env", "/.git/config", "/wp-config.php.bak", "/phpinfo.php", "/admin.php", "/backup.sql", "/.aws/credentials", "/cgi-bin/luci"}
	people := make([]string, 60)
	for i := range people {
		people[i] = fmt.Sprintf("84.%d.%d.%d", 1+dice(250), 1+dice(250), 1+dice(250))
	}
	for s := 3600; s > 0; s-- {
		at := end.Add(-time.Duration(s) * time.Second)
		if dice(4) == 0 {
			line(at, people[dice(len(people))], "GET "+pages[dice(len(pages))], 200, 900+dice(60000), "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0")
		}
		if dice(40) == 0 {
			line(at, "66.249.66.1", "GET "+pages[dice(len(pages))], 200, 5120, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
		}
		if s <= 294 { // 441 in all
			for range 1 + s%2 {
				line(at, "13.14.15.16", "POST /xmlrpc.php", 403, 461, "Mozilla/5.0 (compatible; Googlebot/2.1)")
			}
		}
		if s > 1600 && s <= 1780 && s%2 == 0 {
			line(at, "45.148.10.77", "GET "+probes[dice(len(probes))], 404, 196, "curl/8.1")
		}
		if s > 1900 && s <= 2320 && s%7 == 0 {
			line(at, "91.92.240.15", "POST /wp-login.php", 200, 7301, "python-requests/2.31")
		}
	}
	for i := range 26 {
		fmt.Fprintf(&nginx, "%s [error] 812#812: *%d upstream timed out (110: Connection timed out) while reading response header from upstream, client: 84.2.3.%d, server: blog.example.com, request: \"GET /shop/ HTTP/1.1\", upstream: \"fastcgi://unix:/run/php/php8.2-fpm.sock\", host: \"blog.example.com\"\n",
			end.Add(-900*time.Second+time.Duration(i)*30*time.Second).Format("2006/01/02 15:04:05"), 4000+i, i%9)
	}
	for i := range 12 {
		fmt.Fprintf(&php, "[%s] WARNING: [pool www] server reached pm.max_children setting (5), consider raising it\n", end.Add(-300*time.Second+time.Duration(i)*20*time.Second).Format("02-Jan-2006 15:04:05"))
	}
	open.WriteString("Active Internet connections (servers and established)\nProto Recv-Q Send-Q Local Address           Foreign Address         State\ntcp        0      0 0.0.0.0:443             0.0.0.0:*               LISTEN\n")
	for i := range 311 {
		peer, state := fmt.Sprintf("13.14.15.16:%d", 10000+i), "ESTABLISHED"
		if i < 12 {
			state = "SYN_RECV"
		} else if i >= 300 {
			peer = fmt.Sprintf("%s:%d", people[i%5], 20000+i)
		}
		fmt.Fprintf(&open, "tcp        0      0 192.0.2.10:443          %s      %s\n", peer, state)
	}
	return map[string]string{
		"access.log": access.String(), "error.log": nginx.String(), "php-fpm.log": php.String(), "conns.txt": open.String(), "config.toml": "[block]\ndrivers = [\"null\"]\n",
	}
}

func TestRealProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	dir := t.TempDir()
	name, args := program(t, dir)
	cmd := exec.CommandContext(t.Context(), name, append([]string{"web", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = dir
	state := filepath.Join(dir, "state")
	if *screens != "" {
		if err := os.Mkdir(state, 0o700); err != nil {
			t.Fatal(err)
		}
		SeedPast(t, state)
	}
	cmd.Env = append(os.Environ(), "CONNWARDEN_STATE_DIR="+state)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(first)
	u, err := url.Parse(address)
	if err != nil || u.Query().Get("token") == "" {
		t.Fatalf("it prints %q", first)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if *screens != "" {
		to, err := filepath.Abs(*screens)
		if err != nil {
			t.Fatal(err)
		}
		browse(t, map[string]any{"mode": "screens", "url": address, "screens": to})
		return
	}
	var more strings.Builder
	for i := range 120 {
		fmt.Fprintf(&more, "5.188.10.99 - - [22/Nov/2026:14:03:%02d +0000] \"POST /wp-login.php HTTP/1.1\" 200 7301 \"-\" \"python-requests/2.31\"\n", 10+i/4)
	}
	browse(t, map[string]any{
		"mode": "real", "url": address, "origin": u.Scheme + "://" + u.Host, "log": filepath.Join(dir, "access.log"), "more": more.String(), "attacker": "5.188.10.99", "pid": cmd.Process.Pid,
	})
	if err := cmd.Wait(); err != nil {
		t.Errorf("asked to stop: %v", err)
	}
}

func TestRealReport(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	dir := t.TempDir()
	name, args := program(t, dir)
	cmd := exec.CommandContext(t.Context(), name, append([]string{"report", "-o", "report.html"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CONNWARDEN_STATE_DIR="+filepath.Join(dir, "state"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	to := ""
	if *screens != "" {
		var err error
		if to, err = filepath.Abs(*screens); err != nil {
			t.Fatal(err)
		}
	}
	browse(t, map[string]any{"mode": "report", "url": "file://" + filepath.Join(dir, "report.html"), "screens": to})
}

// TestRealFollowsADaemon has the real page beside a real daemon: what that finds is shown at once, and the page goes on alone
// when it ends.
func TestRealFollowsADaemon(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	dir, err := os.MkdirTemp("", "follow") //nolint:usetesting // the name of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name, _ := program(t, dir)
	log := filepath.Join(dir, "live.log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(args ...string) (*exec.Cmd, string) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), "CONNWARDEN_STATE_DIR="+dir), os.Stderr
		return cmd, start(t, cmd)
	}
	daemon, _ := start("watch", "--no-dns", "--config", "config.toml", log)
	_, address := start("web", "--no-dns", "--config", "config.toml", "--listen", "127.0.0.1:0")
	var more strings.Builder
	for range 60 {
		fmt.Fprintf(&more, "5.188.10.99 - - [%s] \"POST /wp-login.php HTTP/1.1\" 200 7301 \"-\" \"python-requests/2.31\"\n", time.Now().Format("02/Jan/2006:15:04:05 -0700"))
	}
	browse(t, map[string]any{"mode": "follow", "url": address, "log": log, "more": more.String(), "attacker": "5.188.10.99", "daemon": daemon.Process.Pid})
}

// start starts a program and returns the first line that it prints. It ends with the test.
func start(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	first, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	drained := make(chan struct{})
	go func() { defer close(drained); r.WriteTo(io.Discard) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-drained; cmd.Wait() })
	return strings.TrimSpace(first)
}
