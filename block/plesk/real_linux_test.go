package plesk_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
	"github.com/connwarden/connwarden/block/plesk"
	"github.com/connwarden/connwarden/block/program"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// daemon is a real fail2ban in a network namespace of its own, with our jail and another.
type daemon struct {
	testing.TB
	dir string
	run program.Runner
}

const server = "/usr/bin/fail2ban-server"

// around runs test beside a daemon whose jails act through an action.
func around(t testing.TB, action string, test func(*daemon)) {
	t.Helper()
	if _, err := os.Stat(server); err != nil {
		t.Skip("needs fail2ban (Debian's package fail2ban)")
	}
	netnstest.Run(t, func() {
		d := &daemon{t, t.TempDir(), program.In()}
		for name, text := range map[string]string{
			"fail2ban.conf": "[Definition]\nloglevel = INFO\nlogtarget = DIR/log\nsyslogsocket = auto\nsocket = DIR/sock\n" +
				"pidfile = DIR/pid\ndbfile = None\ndbmaxmatches = 10\ndbpurgeage = 1d\nallowipv6 = auto\n",
			"jail.conf":              "[DEFAULT]\nignoreip =\nbantime = 600\nfindtime = 600\nmaxretry = 5\nusedns = no\nlogencoding = utf-8\n",
			"jail.d/connwarden.conf": strings.Replace(plesk.Jail, "iptables-allports", action, 1),
			"jail.d/other.conf":      strings.ReplaceAll(strings.Replace(plesk.Jail, "iptables-allports", action, 1), "connwarden", "recidive"),
			"action.d/quiet.conf":    "[Definition]\nactionban =\nactionunban =\n",
		} {
			file := filepath.Join(d.dir, name)
			check(t, os.MkdirAll(filepath.Dir(file), 0o755))
			check(t, os.WriteFile(file, []byte(strings.ReplaceAll(text, "DIR", d.dir)), 0o644))
		}
		for _, name := range []string{"iptables.conf", "iptables-allports.conf"} {
			text, err := os.ReadFile("/etc/fail2ban/action.d/" + name)
			check(t, err)
			check(t, os.WriteFile(filepath.Join(d.dir, "action.d", name), text, 0o644))
		}
		d.start()
		test(d)
	})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start starts the daemon and waits until it answers and both jails are there.
func (d *daemon) start() {
	d.Helper()
	cmd := exec.Command(server, append(d.args(), "-p", filepath.Join(d.dir, "pid"), "-f", "start")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	check(d, cmd.Start())
	d.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); ; <-tick.C {
		log, _ := os.ReadFile(filepath.Join(d.dir, "log"))
		if strings.Count(string(log), "' started") == 2 {
			if _, err := d.run(d.Context(), "fail2ban-client", append(d.args(), "ping")...); err == nil {
				return
			}
		}
		if time.Now().After(end) {
			d.Fatalf("fail2ban does not start\n%s", log)
		}
	}
}

func (d *daemon) args() []string { return []string{"-c", d.dir, "-s", filepath.Join(d.dir, "sock")} }

func (d *daemon) client(args ...string) string {
	d.Helper()
	out, err := d.run(d.Context(), "fail2ban-client", append(d.args(), args...)...)
	check(d, err)
	return string(out)
}

func (d *daemon) open(run program.Runner) *plesk.Driver {
	d.Helper()
	driver, err := plesk.Open(plesk.Options{Args: d.args(), Run: run})
	check(d, err)
	return driver
}

func TestRealFail2banConformance(t *testing.T) {
	var d *daemon
	broken := false
	calls := 0
	run := func(ctx context.Context, name string, args ...string) ([]byte, error) {
		if calls++; broken && calls > 1 {
			return nil, &program.Error{Name: name, Code: 255, Said: "Failed to access socket path"}
		}
		return d.run(ctx, name, args...)
	}
	blocktest.Run(t, func(testing.TB) block.Driver { return d.open(run) }, blocktest.Options{
		Around: func(t testing.TB, test func()) {
			around(t, "quiet", func(running *daemon) {
				d = running
				test()
			})
		},
		Foreign: func(t testing.TB) func(testing.TB) {
			d.client("set", "recidive", "banip", "192.0.2.200", "192.0.2.7")
			return func(t testing.TB) {
				if got := d.client("get", "recidive", "banip"); got != "192.0.2.200 192.0.2.7\n" {
					t.Errorf("the other jail holds %q", got)
				}
			}
		},
		Traces: func(testing.TB) string { return d.client("banned") },
		Break: func(testing.TB, block.Driver) func() {
			broken, calls = true, 0
			return func() { broken = false }
		},
		Reopen: func(testing.TB) block.Driver { return d.open(nil) },
		Many:   300,
	})
}

const attacker, customer = "198.51.100.7", "203.0.113.10"

// TestRealFail2banRefusesTheAttackerAlone has the jail as Detect hands it out, with rules of iptables.
func TestRealFail2banRefusesTheAttackerAlone(t *testing.T) {
	around(t, "iptables-allports", func(d *daemon) {
		for _, addr := range []string{attacker, customer} {
			netnstest.Command(t, "ip", "addr", "add", addr, "dev", "lo")
		}
		l, err := net.Listen("tcp4", "127.0.0.1:80")
		check(t, err)
		defer l.Close()
		driver := d.open(nil)
		d.reaches(l, true, true)
		bad := []block.Entry{{Target: netip.MustParsePrefix("198.51.100.0/24")}}
		check(t, driver.Apply(t.Context(), bad, nil))
		d.reaches(l, false, true)
		check(t, driver.Apply(t.Context(), nil, bad))
		d.reaches(l, true, true)
	})
}

// reaches waits until attacker and customer can connect, or cannot: fail2ban acts a moment after it answers.
func (d *daemon) reaches(l net.Listener, attackers, customers bool) {
	d.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); ; <-tick.C {
		wrong := ""
		for from, want := range map[string]bool{attacker: attackers, customer: customers} {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
			conn, err := dialer.Dial("tcp4", l.Addr().String())
			if err == nil {
				conn.Close()
			} else if !errors.Is(err, syscall.ECONNREFUSED) {
				d.Fatal(err)
			}
			if (err == nil) != want {
				wrong += fmt.Sprintf("%s: %v\n", from, err)
			}
		}
		if wrong == "" {
			return
		}
		if time.Now().After(end) {
			d.Fatalf("%s%s", wrong, netnstest.Command(d, "iptables", "-S"))
		}
	}
}

func TestRealFail2banWithoutOurJail(t *testing.T) {
	around(t, "quiet", func(d *daemon) {
		d.client("stop", "connwarden")
		driver := d.open(nil)
		_, err := driver.List(t.Context())
		if err == nil || !strings.Contains(err.Error(), plesk.JailFile) {
			t.Errorf("list: %v", err)
		}
		err = driver.Apply(t.Context(), []block.Entry{{Target: netip.MustParsePrefix("192.0.2.7/32")}}, nil)
		if err == nil || !strings.Contains(err.Error(), plesk.JailFile) {
			t.Errorf("apply: %v", err)
		}
	})
}
