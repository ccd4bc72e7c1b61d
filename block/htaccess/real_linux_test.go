package htaccess_test

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
	"syscall"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
	"github.com/connwarden/connwarden/block/canary"
	"github.com/connwarden/connwarden/block/htaccess"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// apache is a real Apache 2.4 in a network namespace of its own, with one site.
type apache struct {
	testing.TB
	root string // the site's folder
	logs string
}

// configuration is that of a hosting machine; OVERRIDE is what the site may set.
const configuration = `
ServerRoot "DIR"
ServerName shop.example.com
Listen 127.0.0.1:80
Listen [::1]:80
PidFile "DIR/pid"
ErrorLog "DIR/error.log"
User www-data
Group www-data
StartServers 1
LoadModule mpm_event_module MODULES/mod_mpm_event.so
LoadModule authn_core_module MODULES/mod_authn_core.so
LoadModule authn_file_module MODULES/mod_authn_file.so
LoadModule auth_basic_module MODULES/mod_auth_basic.so
LoadModule authz_core_module MODULES/mod_authz_core.so
LoadModule authz_user_module MODULES/mod_authz_user.so
LoadModule authz_host_module MODULES/mod_authz_host.so
LoadModule access_compat_module MODULES/mod_access_compat.so
LoadModule rewrite_module MODULES/mod_rewrite.so
LoadModule dir_module MODULES/mod_dir.so
DocumentRoot "DIR/www"
<Directory />
	Require all denied
</Directory>
<Directory "DIR/www">
	Options FollowSymLinks
	AllowOverride OVERRIDE
	Require all granted
</Directory>
`

const modules = "/usr/lib/apache2/modules"

// around runs test beside a server that runs, in a namespace where the test addresses are our own.
func around(t testing.TB, override string, test func(*apache)) {
	t.Helper()
	if _, err := os.Stat(modules + "/mod_access_compat.so"); err != nil {
		t.Skip("needs Apache (Debian's package apache2-bin)")
	}
	netnstest.Run(t, func() {
		for _, addr := range []string{attacker, customer, attacker6, customer6} {
			netnstest.Command(t, "ip", "addr", "add", addr, "dev", "lo", "nodad")
		}
		dir, err := filepath.EvalSymlinks(t.TempDir())
		check(t, err)
		// Apache's own account must come through the folders that a test's are in.
		for up := dir; up != "/"; up = filepath.Dir(up) {
			info, err := os.Stat(up)
			check(t, err)
			if info.Mode()&0o001 == 0 {
				check(t, os.Chmod(up, info.Mode()|0o011))
			}
		}
		a := &apache{t, filepath.Join(dir, "www"), filepath.Join(dir, "error.log")}
		check(t, os.MkdirAll(filepath.Join(a.root, "sub"), 0o755))
		a.write("index.html", "hello")
		a.write("sub/index.html", "hello")
		a.start(dir, override)
		test(a)
	})
}

// start starts the server and waits until it answers. It ends with the test.
func (a *apache) start(dir, override string) {
	a.Helper()
	conf := strings.NewReplacer("DIR", dir, "MODULES", modules, "OVERRIDE", override).Replace(configuration)
	check(a, os.WriteFile(filepath.Join(dir, "conf"), []byte(conf), 0o644))
	cmd := exec.Command("/usr/sbin/apache2", "-f", filepath.Join(dir, "conf"), "-DFOREGROUND")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM} // it ends its whole group
	check(a, cmd.Start())
	a.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	for end := time.Now().Add(time.Minute); ; {
		conn, err := net.Dial("tcp", "127.0.0.1:80")
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(a.logs)
			a.Fatalf("apache does not answer: %v\n%s", err, text)
		}
		tick := time.NewTimer(5 * time.Millisecond)
		<-tick.C
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (a *apache) write(name, text string) {
	a.Helper()
	check(a, os.WriteFile(filepath.Join(a.root, name), []byte(text), 0o644))
}

func (a *apache) read() string {
	text, err := os.ReadFile(filepath.Join(a.root, ".htaccess"))
	if errors.Is(err, os.ErrNotExist) {
		return "(no file)"
	}
	check(a, err)
	return string(text)
}

const (
	attacker, customer   = "198.51.100.7", "203.0.113.10"
	attacker6, customer6 = "2001:db8:1::7", "2001:db8:2::10"
)

// ask asks for a page from an address of the world and returns the status.
func (a *apache) ask(from, path string) int {
	a.Helper()
	status, err := fetch(from, path)
	check(a, err)
	return status
}

func fetch(from, path string) (int, error) {
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
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n", path)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// answers fails unless attacker and customer are answered so, over both families.
func (a *apache) answers(path string, attackers, customers int) {
	a.Helper()
	for from, want := range map[string]int{attacker: attackers, attacker6: attackers, customer: customers, customer6: customers} {
		if got := a.ask(from, path); got != want {
			a.Errorf("%s asks for %s: status %d, want %d; .htaccess:\n%s", from, path, got, want, a.read())
		}
	}
}

func (a *apache) open(form htaccess.Form) *htaccess.Driver {
	a.Helper()
	d, err := htaccess.Open(htaccess.Options{Sites: []htaccess.Site{{
		Dir: a.root, Form: form, Page: canary.Page{URL: "http://shop.example.com/"},
	}}})
	check(a, err)
	return d
}

func (a *apache) entries(targets ...string) []block.Entry {
	var list []block.Entry
	for _, t := range targets {
		list = append(list, block.Entry{
			Target: netip.MustParsePrefix(t), Scope: connwarden.Scope{Kind: connwarden.ScopeSite, Detail: a.root},
		})
	}
	return list
}

// attackers are the attacker's addresses, one as itself and one by its network.
func (a *apache) attackers() []block.Entry { return a.entries(attacker+"/32", "2001:db8:1::/64") }

// TestRealApacheConformance runs the suite for each form against a real server that is asked at each change.
func TestRealApacheConformance(t *testing.T) {
	for _, c := range []struct {
		name     string
		form     htaccess.Form
		override string
		many     int
	}{
		{"2.4", htaccess.Apache24, "AuthConfig", 10_000},
		{"2.2", htaccess.Apache22, "Limit", 10_000},
		{"rewrite", htaccess.Rewrite, "FileInfo", 2_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a *apache
			blocktest.Run(t, func(testing.TB) block.Driver { return a.open(c.form) }, blocktest.Options{
				Around: func(t testing.TB, test func()) {
					around(t, c.override, func(running *apache) {
						a = running
						test()
					})
				},
				Foreign: func(t testing.TB) func(testing.TB) {
					const own = "# BEGIN WordPress\r\n\r\n# END WordPress\r\n# no end of line"
					a.write(".htaccess", own)
					return func(t testing.TB) {
						if !strings.HasSuffix(a.read(), own) {
							t.Errorf("what the site wrote is gone:\n%s", a.read())
						}
					}
				},
				Traces: func(testing.TB) string { return a.read() },
				Break: func(testing.TB, block.Driver) func() {
					check(t, os.Mkdir(filepath.Join(a.root, ".htaccess.connwarden"), 0o755))
					return func() { check(t, os.Remove(filepath.Join(a.root, ".htaccess.connwarden"))) }
				},
				Reopen: func(testing.TB) block.Driver { return a.open(c.form) },
				Site:   func(testing.TB) string { return a.root },
				Many:   c.many,
			})
		})
	}
}

// TestRealApacheKeepsThePassword blocks on a site that asks everyone for a password, and in its subfolder that does not.
func TestRealApacheKeepsThePassword(t *testing.T) {
	around(t, "AuthConfig", func(a *apache) {
		a.write(".htpasswd", "ann:$apr1$x$y\n")
		a.write(".htaccess", "AuthType Basic\nAuthName shop\nAuthUserFile "+a.root+"/.htpasswd\nRequire valid-user\n")
		a.write("sub/.htaccess", "Require all granted\n")
		a.answers("/", http.StatusUnauthorized, http.StatusUnauthorized)
		a.answers("/sub/", http.StatusOK, http.StatusOK)
		d := a.open(htaccess.Apache24)
		check(a, d.Apply(a.Context(), a.attackers(), nil))
		a.answers("/", http.StatusForbidden, http.StatusUnauthorized)
		a.answers("/sub/", http.StatusForbidden, http.StatusOK)
		check(a, d.Apply(a.Context(), nil, a.attackers()))
		a.answers("/", http.StatusUnauthorized, http.StatusUnauthorized)
		a.answers("/sub/", http.StatusOK, http.StatusOK)
	})
}

// TestRealApacheForms blocks and lifts in each form, beside a WordPress site's own rules.
func TestRealApacheForms(t *testing.T) {
	const wordpress = "# BEGIN WordPress\nRewriteEngine On\nRewriteBase /\nRewriteRule ^index\\.html$ - [L]\n" +
		"RewriteCond %{REQUEST_FILENAME} !-f\nRewriteCond %{REQUEST_FILENAME} !-d\nRewriteRule . /index.html [L]\n# END WordPress\n"
	for form, name := range map[htaccess.Form]string{htaccess.Apache24: "2.4", htaccess.Apache22: "2.2", htaccess.Rewrite: "rewrite"} {
		t.Run(name, func(t *testing.T) {
			around(t, "All", func(a *apache) {
				a.write(".htaccess", wordpress)
				d := a.open(form)
				a.answers("/some-post/", http.StatusOK, http.StatusOK)
				check(a, d.Apply(a.Context(), a.attackers(), nil))
				a.answers("/", http.StatusForbidden, http.StatusOK)
				a.answers("/some-post/", http.StatusForbidden, http.StatusOK)
				a.answers("/sub/", http.StatusForbidden, http.StatusOK)
				seen, err := d.Prove(a.Context(), a.attackers()[0])
				if err != nil || !strings.Contains(seen, "403 to 127.0.0.77, 200 to 127.0.0.78") {
					a.Errorf("proof: %q, %v", seen, err)
				}
				check(a, d.Apply(a.Context(), nil, a.attackers()))
				a.answers("/some-post/", http.StatusOK, http.StatusOK)
				if a.read() != wordpress {
					a.Errorf("what is left is\n%s", a.read())
				}
			})
		})
	}
}

// TestRealApacheThatDoesNotHeedIsLeftAsItWas has servers that ignore the section, or answer 500 to everyone for it.
func TestRealApacheThatDoesNotHeedIsLeftAsItWas(t *testing.T) {
	for _, c := range []struct {
		name, override, own string
		form                htaccess.Form
		is                  error
		says                string
	}{
		{"AllowOverride None", "None", "", htaccess.Apache24, canary.ErrIneffective, "AllowOverride AuthConfig"},
		{"a narrow AllowOverride", "FileInfo", "", htaccess.Apache24, canary.ErrBroken, "AllowOverride AuthConfig"},
		{"a narrow AllowOverride, 2.2", "AuthConfig", "", htaccess.Apache22, canary.ErrBroken, "AllowOverride Limit"},
		{"a narrow AllowOverride, rewrite", "Limit", "", htaccess.Rewrite, canary.ErrBroken, "AllowOverride FileInfo"},
		{"no links allowed, rewrite", "FileInfo Options", "Options -FollowSymLinks\n", htaccess.Rewrite, canary.ErrBroken, "Options FollowSymLinks"},
		{"Satisfy Any", "All", "Satisfy Any\nOrder allow,deny\nAllow from all\n", htaccess.Apache24, canary.ErrIneffective, "does not heed"},
		{"Allow from all", "All", "Order deny,allow\nAllow from all\n", htaccess.Apache22, canary.ErrIneffective, "does not heed"},
		{"a later If grants", "All", "<If \"true\">\nRequire all granted\n</If>\n", htaccess.Apache24, canary.ErrIneffective, "does not heed"},
		{"the rewrite engine is off", "All", "RewriteEngine Off\n", htaccess.Rewrite, canary.ErrIneffective, "does not heed"},
		{"refuses everyone already", "All", "Require all denied\n", htaccess.Apache24, nil, "refuses everyone already"},
		{"is broken already", "All", "Nonsense\n", htaccess.Apache24, nil, "broken already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			around(t, c.override, func(a *apache) {
				if c.own != "" {
					a.write(".htaccess", c.own)
				}
				before, status := a.read(), a.ask(customer, "/")
				d := a.open(c.form)
				err := d.Apply(a.Context(), a.attackers(), nil)
				if err == nil || !strings.Contains(err.Error(), c.says) {
					a.Errorf("got %v, want %q", err, c.says)
				}
				if c.is != nil && (!errors.Is(err, c.is) || !errors.Is(err, connwarden.ErrUnsupported)) {
					a.Errorf("%v does not wrap %v and connwarden.ErrUnsupported", err, c.is)
				}
				if after := a.read(); after != before {
					a.Errorf("the file holds\n%s\nheld\n%s", after, before)
				}
				if got := a.ask(customer, "/"); got != status {
					a.Errorf("the customer is answered %d, was %d", got, status)
				}
				if list, err := d.List(a.Context()); err != nil || len(list) != 0 {
					a.Errorf("list: %v, %v", list, err)
				}
			})
		})
	}
}

// TestRealApacheBlocksThatStandSurviveOneThatFails has the second change fail because the site was changed in between.
func TestRealApacheBlocksThatStandSurviveOneThatFails(t *testing.T) {
	around(t, "All", func(a *apache) {
		d := a.open(htaccess.Apache24)
		check(a, d.Apply(a.Context(), a.attackers(), nil))
		stood := a.read()
		a.write(".htaccess", stood+"Satisfy Any\nAllow from all\n")
		if err := d.Apply(a.Context(), a.entries("192.0.2.9/32"), nil); !errors.Is(err, canary.ErrIneffective) {
			a.Errorf("got %v", err)
		}
		if got := a.read(); got != stood+"Satisfy Any\nAllow from all\n" {
			a.Errorf("the file holds\n%s", got)
		}
		if seen, err := d.Prove(a.Context(), a.attackers()[0]); err == nil {
			a.Errorf("proof of what is not in force any more: %s", seen)
		}
	})
}

// TestRealApacheIsDown cannot be asked: nothing is added, and what stands can be lifted.
func TestRealApacheIsDown(t *testing.T) {
	netnstest.Run(t, func() {
		root, err := filepath.EvalSymlinks(t.TempDir())
		check(t, err)
		a := &apache{TB: t, root: root}
		d := a.open(htaccess.Apache24)
		if err := d.Apply(t.Context(), a.attackers(), nil); err == nil || a.read() != "(no file)" {
			t.Errorf("%v\n%s", err, a.read())
		}
		blind, err := htaccess.Open(htaccess.Options{Sites: []htaccess.Site{{Dir: root}}})
		check(t, err)
		check(t, blind.Apply(t.Context(), a.attackers(), nil))
		check(t, d.Apply(t.Context(), nil, a.attackers()))
		if a.read() != "(no file)" {
			t.Errorf("left:\n%s", a.read())
		}
	})
}
