package lab_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/lab"
)

// TestRealBlock blocks an attacker of a real site by the command line: before, he and a customer reach it; then only the customer;
// and when the block has ended, both. Firewalls of the kernel drop his packets, servers refuse him.
func TestRealBlock(t *testing.T) {
	const nothing = 0
	for _, c := range []struct {
		driver  string
		port    uint16
		host    string
		refused int
		proof   string
		args    []string
	}{
		{"nft", 80, "blog.example.com", nothing, "listed in set ip", nil},
		{"ipset", 80, "blog.example.com", nothing, "", []string{"--with", "ipset"}},
		{"iptables", 80, "blog.example.com", nothing, "", []string{"--with", "iptables"}},
		{"htaccess", 80, "blog.example.com", http.StatusForbidden, "403 to 127.0.0.77, 404 to 127.0.0.78", []string{"--site", "blog.example.com"}},
		{"nginx", 8080, "api.example.com", http.StatusForbidden, "", []string{"--with", "nginx"}},
	} {
		t.Run(c.driver, func(t *testing.T) {
			l := lab.New(t)
			if c.driver == "nginx" {
				l.Write("etc/nginx/conf.d/none.conf", "")
				l.Nginx()
			} else {
				// A server that heeds .htaccess, as shared hosting has it.
				l.Write("etc/apache2/conf-enabled/override.conf", "<Directory /var/www/blog>\n\tAllowOverride AuthConfig Limit\n</Directory>\n")
				l.PHP()
				l.Apache("event")
			}
			// Debian's names of iptables are links to links; and the timer that the packages enable has sync run, as the test does.
			for _, name := range []string{"iptables", "ip6tables", "iptables-save", "ip6tables-save", "iptables-restore", "ip6tables-restore"} {
				if to, err := os.Readlink("/etc/alternatives/" + name); err == nil {
					link := filepath.Join(l.Root, "etc/alternatives", name)
					if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(to, link)); err != nil {
						t.Fatal(err)
					}
				}
			}
			l.Write("run/systemd/system/units", "")
			l.Write("etc/systemd/system/timers.target.wants/connwarden-sync.timer", "")
			program := build(t, l)
			run := func(args ...string) string {
				t.Helper()
				r := l.Run([]string{"HOME=/root", "PATH=/usr/sbin:/usr/bin"}, program, args...)
				if r.Code != 0 {
					t.Fatalf("connwarden %s: exit code %d\n%s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
				}
				return r.Stdout
			}
			for _, who := range []struct{ attacker, customer string }{{"198.51.100.7", "203.0.113.10"}, {"2001:db8:1::66", "2001:db8:1:1::10"}} {
				reach := func(when string, attacker int) {
					t.Helper()
					for from, want := range map[string]int{who.attacker: attacker, who.customer: http.StatusOK} {
						within := time.Minute
						if want == nothing {
							within = 500 * time.Millisecond // a cable answers in less than one
						}
						// nginx is told by a signal to read its list, and its old workers answer until the new ones do.
						got := -1
						for began := time.Now(); got != want && time.Since(began) < 20*time.Second; {
							got = l.Try(lab.Request{From: from, Port: c.port, Host: c.host, Target: "/"}, within)
						}
						if got != want {
							t.Errorf("%s %s is answered %d, want %d", when, from, got, want)
						}
					}
				}
				reach("before the block", http.StatusOK)
				out := run(append([]string{"block", who.attacker, "--why", "guesses passwords"}, c.args...)...)
				if !strings.Contains(out, "blocked") || !strings.Contains(out, c.proof) {
					t.Errorf("block says\n%s", out)
				}
				reach("after the block", c.refused)
				if out := run("blocks"); !strings.Contains(out, "guesses passwords") || strings.Contains(out, "NOT IN FORCE") {
					t.Errorf("blocks says\n%s", out)
				}
				run("undo")
				reach("after undo", http.StatusOK)
				// What ends does so in the kernel, or when sync runs, as the timer of the packages has it do.
				run(append([]string{"block", who.attacker, "--for", "1s"}, c.args...)...)
				for began := time.Now(); l.Try(lab.Request{From: who.attacker, Port: c.port, Host: c.host, Target: "/"}, 500*time.Millisecond) != http.StatusOK; {
					if time.Since(began) > time.Minute {
						t.Fatalf("the block of a second has not ended after a minute\n%s", run("blocks"))
					}
					run("sync")
				}
				reach("after its end", http.StatusOK)
			}
			if out := l.Read("var/www/blog/.htaccess"); strings.Contains(out, "connwarden") {
				t.Errorf(".htaccess is left with\n%s", out)
			}
		})
	}
}
