package firewalld

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/connwarden/connwarden/internal/netnstest"
)

// busConfig is a bus of the test's own, on which root may do all. It would start firewalld if it were asked to: by a
// program that leaves a file behind.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>unix:path=%[1]s/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>%[1]s/services</servicedir>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
`

const serviceFile = `[D-BUS Service]
Name=org.fedoraproject.FirewallD1
Exec=/bin/touch %s/started
`

// machine has a message bus and, when started, a firewalld of its own, in a namespace of its own.
type machine struct {
	t       *testing.T
	ns, dir string
	daemon  *exec.Cmd
}

// needs skips, aloud, where root or a program is missing.
func needs(t *testing.T) {
	t.Helper()
	netnstest.Root(t)
	for _, name := range []string{"ip", "nft", "iptables", "ip6tables", "dbus-daemon", "firewalld"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs the program %s", name)
		}
	}
}

// newMachine starts the bus.
func newMachine(t *testing.T, ns string) *machine {
	t.Helper()
	m := &machine{t: t, ns: ns, dir: t.TempDir()}
	for name, text := range map[string]string{
		"bus.conf":                      fmt.Sprintf(busConfig, m.dir),
		"services/firewalld.service":    fmt.Sprintf(serviceFile, m.dir),
		"etc/firewalld.conf":            "DefaultZone=public\nFirewallBackend=nftables\n",
		"etc/zones/office.xml":          `<zone><rule family="ipv4"><source address="192.0.2.99"/><reject/></rule></zone>`,
		"etc/ipsets/somebody.xml":       `<ipset type="hash:ip"><entry>192.0.2.7</entry></ipset>`,
		"etc/services/connwarden-x.xml": `<service><port port="8080" protocol="tcp"/></service>`,
	} {
		file := filepath.Join(m.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.background("dbus-daemon", "--config-file="+filepath.Join(m.dir, "bus.conf"), "--nofork", "--nopidfile", "--nosyslog")
	m.await("the message bus", func() error {
		conn, err := dbus.Connect(m.address())
		if err == nil {
			conn.Close()
		}
		return err
	})
	return m
}

func (m *machine) address() string { return "unix:path=" + filepath.Join(m.dir, "bus") }

// background starts a program in the namespace, to be ended with the test.
func (m *machine) background(name string, args ...string) *exec.Cmd {
	m.t.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", m.ns, name}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DBUS_SYSTEM_BUS_ADDRESS="+m.address())
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { m.end(cmd) })
	return cmd
}

// end ends a program that background started, once.
func (m *machine) end(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
}

// start starts firewalld.
func (m *machine) start() {
	m.t.Helper()
	m.daemon = m.background("firewalld", "--nofork", "--nopid", "--system-config", filepath.Join(m.dir, "etc"), "--log-file", filepath.Join(m.dir, "log"))
	m.await("firewalld", func() error {
		d, err := m.open()
		if err == nil {
			d.Close()
		}
		return err
	})
}

func (m *machine) open() (*Driver, error) {
	return Open(Options{Name: "connwarden-1a2b3c4d", Address: m.address()})
}

func (m *machine) mustOpen() *Driver {
	m.t.Helper()
	d, err := m.open()
	if err != nil {
		m.t.Fatal(err)
	}
	return d
}

// await asks until there is no error.
func (m *machine) await(what string, ask func() error) {
	m.t.Helper()
	ctx, stop := context.WithTimeout(m.t.Context(), time.Minute)
	defer stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(m.dir, "log"))
			m.t.Fatalf("%s: %v\n%s", what, err, log)
		case <-tick.C:
		}
	}
}

// tell calls a method of firewalld as somebody else would.
func (m *machine) tell(method string, args ...any) {
	m.t.Helper()
	conn, err := dbus.Connect(m.address())
	if err != nil {
		m.t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Object(service, path).Call(method, dbus.FlagNoAutoStart, args...).Err
	if err != nil && !strings.HasPrefix(err.Error(), "ALREADY_ENABLED") {
		m.t.Fatalf("%s%v: %v", method, args, err)
	}
}

// holdings is all that firewalld holds, in the kernel and in its runtime.
func (m *machine) holdings(t testing.TB) string {
	text := netnstest.Command(t, "ip", "netns", "exec", m.ns, "nft", "--stateless", "list", "ruleset")
	conn, err := dbus.Connect(m.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, name := range []string{"public", "internal", "office", "drop"} {
		var rules []string
		if err := conn.Object(service, path).Call(zone+".getRichRules", 0, name).Store(&rules); err != nil {
			t.Fatal(err)
		}
		slices.Sort(rules) // firewalld keeps them without order
		text += name + "\n" + strings.Join(rules, "\n") + "\n"
	}
	files, err := filepath.Glob(filepath.Join(m.dir, "etc", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return text + strings.Join(files, "\n")
}
