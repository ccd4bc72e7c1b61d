package nginx_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
	"github.com/connwarden/connwarden/block/canary"
	"github.com/connwarden/connwarden/block/nginx"
	"github.com/connwarden/connwarden/block/program"
	"github.com/connwarden/connwarden/internal/netnstest"
)

const (
	attacker, customer   = "198.51.100.7", "203.0.113.10"
	attacker6, customer6 = "2001:db8:1::7", "2001:db8:2::10"
)

// configuration is that of Debian's package, with HTTP and SITE in its two blocks.
const configuration = `
user www-data;
pid DIR/pid;
error_log DIR/error.log;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path DIR/tmp;
	proxy_temp_path DIR/tmp;
	fastcgi_temp_path DIR/tmp;
	uwsgi_temp_path DIR/tmp;
	scgi_temp_path DIR/tmp;
	HTTP
	server {
		listen 127.0.0.1:80;
		listen [::1]:80;
		root DIR/www;
		SITE
	}
}
`

// server is a real nginx in a network namespace of its own.
type server struct {
	testing.TB
	dir  string
	stop func()
}

const program0 = "/usr/sbin/nginx"

func around(t testing.TB, inHTTP, inSite string, test func(*server)) {
	t.Helper()
	if _, err := os.Stat(program0); err != nil {
		t.Skip("needs nginx (Debian's package nginx)")
	}
	netnstest.Run(t, func() {
		for _, addr := range []string{attacker, customer, attacker6, customer6} {
			netnstest.Command(t, "ip", "addr", "add", addr, "dev", "lo", "nodad")
		}
		s := &server{TB: t, dir: t.TempDir()}
		// nginx's workers must come through the folders that a test's are in.
		for up := s.dir; up != "/"; up = filepath.Dir(up) {
			info, err := os.Stat(up)
			check(t, err)
			if info.Mode()&0o001 == 0 {
				check(t, os.Chmod(up, info.Mode()|0o011))
			}
		}
		for _, sub := range []string{"www", "conf.d", "tmp"} {
			check(t, os.Mkdir(filepath.Join(s.dir, sub), 0o755))
		}
		s.write("www/index.html", "hello")
		s.write("nginx.conf", strings.NewReplacer("HTTP", inHTTP, "SITE", inSite).Replace(configuration))
		s.start()
		test(s)
	})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes a file below the server's folder, whose name stands for DIR.
func (s *server) write(name, text string) {
	s.Helper()
	check(s, os.WriteFile(filepath.Join(s.dir, name), []byte(strings.ReplaceAll(text, "DIR", s.dir)), 0o644))
}

func (s *server) start() {
	s.Helper()
	cmd := exec.Command(program0, append(s.args(), "-g", "daemon off;")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	check(s, cmd.Start())
	s.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	s.Cleanup(s.stop)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); ; <-tick.C {
		// nginx writes its process number after it listens, and takes signals from then on.
		if text, err := os.ReadFile(filepath.Join(s.dir, "pid")); err == nil && len(text) > 0 {
			return
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(filepath.Join(s.dir, "error.log"))
			s.Fatalf("nginx does not start\n%s", text)
		}
	}
}

func (s *server) args() []string {
	return []string{"-p", s.dir, "-c", filepath.Join(s.dir, "nginx.conf")}
}

func (s *server) options() nginx.Options {
	return nginx.Options{
		File: filepath.Join(s.dir, "conf.d/connwarden.conf"), Args: s.args(), Page: canary.Page{URL: "http://127.0.0.1/"},
	}
}

func (s *server) open() *nginx.Driver {
	s.Helper()
	d, err := nginx.Open(s.options())
	check(s, err)
	return d
}

// state is every file of the configuration.
func (s *server) state() string {
	s.Helper()
	var b strings.Builder
	check(s, filepath.WalkDir(s.dir, func(name string, e os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".conf") {
			var text []byte
			text, err = os.ReadFile(name)
			fmt.Fprintf(&b, "%s:\n%s\n", e.Name(), text)
		}
		return err
	}))
	return b.String()
}

// answers waits until attacker and customer are answered so, over both families: old workers answer for a while after a
// reload.
func (s *server) answers(attackers, customers int) {
	s.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); ; <-tick.C {
		wrong := ""
		for from, want := range map[string]int{attacker: attackers, attacker6: attackers, customer: customers, customer6: customers} {
			if got, err := fetch(from); got != want {
				wrong += fmt.Sprintf("%s: status %d (%v), want %d\n", from, got, err, want)
			}
		}
		if wrong == "" {
			return
		}
		if time.Now().After(end) {
			s.Fatalf("%s%s", wrong, s.state())
		}
	}
}

func fetch(from string) (int, error) {
	client := netip.MustParseAddr(from)
	to := "127.0.0.1:80"
	if client.Is6() {
		to = "[::1]:80"
	}
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(client, 0))}
	conn, err := dialer.Dial("tcp", to)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

var attackers = blocktest.Entries(connwarden.Scope{}, attacker+"/32", "2001:db8:1::/64")

const glob = "include conf.d/*.conf;"

func TestRealNginxConformance(t *testing.T) {
	var s *server
	blocktest.Run(t, func(testing.TB) block.Driver { return s.open() }, blocktest.Options{
		Around: func(t testing.TB, test func()) {
			around(t, glob, "", func(running *server) {
				s = running
				test()
			})
		},
		Foreign: func(t testing.TB) func(testing.TB) {
			const own = "# the operator's\ndeny 192.0.2.200;\n"
			s.write("conf.d/own.conf", own)
			return func(t testing.TB) {
				if !strings.Contains(s.state(), "own.conf:\n"+own) {
					t.Errorf("what others wrote is gone:\n%s", s.state())
				}
			}
		},
		Traces: func(testing.TB) string { return s.state() },
		Break: func(testing.TB, block.Driver) func() {
			s.write("conf.d/zz.conf", "nonsense;\n")
			return func() { check(t, os.Remove(filepath.Join(s.dir, "conf.d/zz.conf"))) }
		},
		Reopen: func(testing.TB) block.Driver { return s.open() },
	})
}

func TestRealNginxRefusesTheAttackerAlone(t *testing.T) {
	around(t, glob, "", func(s *server) {
		d := s.open()
		s.answers(http.StatusOK, http.StatusOK)
		check(t, d.Apply(t.Context(), attackers, nil))
		s.answers(http.StatusForbidden, http.StatusOK)
		check(t, d.Apply(t.Context(), nil, attackers))
		s.answers(http.StatusOK, http.StatusOK)
	})
}

// TestRealNginxAListThatIsIncludedByName cannot be taken away without breaking the configuration.
func TestRealNginxAListThatIsIncludedByName(t *testing.T) {
	if _, err := os.Stat(program0); err != nil {
		t.Skip("needs nginx (Debian's package nginx)")
	}
	around(t, "include conf.d/connwarden*.conf;", "", func(s *server) {
		d := s.open()
		check(t, d.Apply(t.Context(), attackers, nil))
		s.write("nginx.conf", strings.NewReplacer("HTTP", "include conf.d/connwarden.conf;", "SITE", "").Replace(configuration))
		check(t, d.Flush(t.Context()))
		s.answers(http.StatusOK, http.StatusOK)
		if _, err := program.In()(t.Context(), "nginx", append(s.args(), "-t")...); err != nil {
			t.Errorf("nginx would not start any more: %v", err)
		}
	})
}

func TestRealNginxThatDoesNotHeedIsLeftAsItWas(t *testing.T) {
	for _, c := range []struct {
		name, inHTTP, inSite string
		spoil                func(s *server)
		says                 string
		is                   error
		status               int
	}{
		{"the list is not included", "", "", nil, "conf.d/connwarden.conf: add to the http block of", connwarden.ErrUnsupported, 200},
		{"the site has lines of its own", glob, "allow all;", nil, "allow or deny lines", canary.ErrIneffective, 200},
		{"the site is closed", glob, "deny all;", nil, "refuses everyone already", nil, 403},
		{"the configuration is broken", glob, "", func(s *server) { s.write("conf.d/zz.conf", "nonsense;\n") },
			`unknown directive "nonsense"`, nil, 200},
		{"the file is somebody else's", glob, "", func(s *server) { s.write("conf.d/connwarden.conf", "deny 192.0.2.1;\n") },
			"somebody else's", nil, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			around(t, c.inHTTP, c.inSite, func(s *server) {
				if c.spoil != nil {
					c.spoil(s)
				}
				before := s.state()
				d := s.open()
				nginx.SetSettling(d, time.Second)
				err := d.Apply(t.Context(), attackers, nil)
				var e *block.Error
				if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) || c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("got %v, want %q", err, c.says)
				}
				if after := s.state(); after != before {
					t.Errorf("the configuration is\n%s\nwas\n%s", after, before)
				}
				s.answers(c.status, c.status)
			})
		})
	}
}

// TestRealNginxThatIsDown is given the list for its start, with a page and without; a broken configuration stays as it was.
func TestRealNginxThatIsDown(t *testing.T) {
	for _, page := range []canary.Page{{}, {URL: "http://127.0.0.1/"}} {
		around(t, glob, "", func(s *server) {
			s.stop()
			opt := s.options()
			opt.Page = page
			d, err := nginx.Open(opt)
			check(t, err)
			s.write("conf.d/zz.conf", "nonsense;\n")
			before := s.state()
			if err := d.Apply(t.Context(), attackers, nil); err == nil || !strings.Contains(err.Error(), "nonsense") {
				t.Errorf("a broken configuration: %v", err)
			}
			if after := s.state(); after != before {
				t.Errorf("the configuration is\n%s", after)
			}
			check(t, os.Remove(filepath.Join(s.dir, "conf.d/zz.conf")))
			check(t, d.Apply(t.Context(), attackers, nil))
			if held, err := d.List(t.Context()); err != nil || len(held) != len(attackers) {
				t.Errorf("it holds %v, %v", held, err)
			}
			seen, err := d.Prove(t.Context(), attackers[0])
			if page.URL == "" && !errors.Is(err, connwarden.ErrUnsupported) || page.URL != "" && !strings.Contains(seen, "when it starts") {
				t.Errorf("proved: %q, %v", seen, err)
			}
			s.start()
			s.answers(http.StatusForbidden, http.StatusOK)
			s.stop()
			check(t, d.Apply(t.Context(), nil, attackers))
			s.start()
			s.answers(http.StatusOK, http.StatusOK)
		})
	}
}

// TestRealNginxPageOfNobody: nginx runs, and the page that is to prove the list is none of its.
func TestRealNginxPageOfNobody(t *testing.T) {
	around(t, glob, "", func(s *server) {
		before := s.state()
		opt := s.options()
		opt.Page.URL = "http://127.0.0.1:81/"
		d, err := nginx.Open(opt)
		check(t, err)
		if err := d.Apply(t.Context(), attackers, nil); err == nil || !strings.Contains(err.Error(), "as it was before") {
			t.Errorf("got %v", err)
		}
		if after := s.state(); after != before {
			t.Errorf("the configuration is\n%s", after)
		}
		s.answers(http.StatusOK, http.StatusOK)
	})
}

func TestRealNginxDetect(t *testing.T) {
	for _, c := range []struct {
		inHTTP, inSite string
		ok             bool
		why            string
	}{
		{glob, "", true, "nginx.conf includes"},
		{"include DIR/conf.d/connwarden.conf*;", "", true, "nginx.conf includes"},
		{"", glob, false, "add to the http block of"},
		{"", "", false, "connwarden.conf*;"},
	} {
		around(t, c.inHTTP, c.inSite, func(s *server) {
			before := s.state()
			ok, why := nginx.Detect(t.Context(), s.options())
			if ok != c.ok || !strings.Contains(why, c.why) {
				t.Errorf("%q: %t %s", c.inHTTP, ok, why)
			}
			if s.state() != before {
				t.Error("Detect changed something")
			}
		})
	}
	if ok, why := nginx.Detect(t.Context(), nginx.Options{Run: program.In(t.TempDir())}); ok || why != "program nginx is not installed" {
		t.Errorf("%t %s", ok, why)
	}
}
