package cli

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/internal/netnstest"
)

// cable is a server and an attacker, and the whole program in the server's namespace.
type cable struct {
	*testing.T
	server, attacker, state string
}

func newCable(t *testing.T) *cable {
	c := &cable{T: t, state: filepath.Join(t.TempDir(), "state")}
	c.server, c.attacker = netnstest.Pair(t)
	return c
}

func (c *cable) run(args ...string) string {
	c.Helper()
	var out []byte
	var err error
	netnstest.In(c, c.server, func() error {
		cmd := exec.Command("connwarden", args...)
		cmd.Env = append(os.Environ(), "CONNWARDEN_STATE_DIR="+c.state)
		out, err = cmd.CombinedOutput()
		return nil
	})
	if err != nil {
		c.Fatalf("connwarden %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// serve accepts connections until the test ends.
func (c *cable) serve(network, address string) {
	c.Helper()
	var l net.Listener
	netnstest.In(c, c.server, func() (err error) {
		l, err = net.Listen(network, address)
		return err
	})
	c.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
}

// dial connects the attacker.
func (c *cable) dial(network, address string, patience time.Duration) (conn net.Conn, err error) {
	netnstest.In(c, c.attacker, func() error {
		ctx, stop := context.WithTimeout(c.Context(), patience)
		defer stop()
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return nil
	})
	return conn, err
}

// reaches fails unless the attacker reaches the server, or does not.
func (c *cable) reaches(network, address string, want bool, when string) {
	c.Helper()
	patience := 500 * time.Millisecond // a cable answers in less than one
	if want {
		patience = 20 * time.Second // and an attempt that was dropped is made again after one, three and seven seconds
	}
	conn, err := c.dial(network, address, patience)
	if err == nil {
		conn.Close()
	}
	if (err == nil) != want {
		c.Fatalf("%s the attacker reaches the server: %v, want %v (%v)", when, err == nil, want, err)
	}
}

// TestKernelBlock holds the whole way against the firewall that is chosen by itself: before the block the attacker
// reaches the server, after it not, nor by a connection that was open, nor after somebody's reload and a sync; after
// unblock again, and again when a block was not confirmed in time.
func TestKernelBlock(t *testing.T) {
	for _, side := range []struct{ network, listen, target string }{
		{"tcp4", "192.0.2.1:8080", "192.0.2.2"},
		{"tcp6", "[2001:db8::1]:8080", "2001:db8::2"},
	} {
		t.Run(side.target, func(t *testing.T) {
			c := newCable(t)
			c.serve(side.network, side.listen)
			open, err := c.dial(side.network, side.listen, 10*time.Second)
			if err != nil {
				t.Fatalf("before the block: %v", err)
			}
			defer open.Close()
			if out := c.run("block", side.target, "--kill", "--for", "1h"); !strings.Contains(out, "blocked") || !strings.Contains(out, "listed in set") || !strings.Contains(out, "1 connection closed") {
				t.Errorf("block says\n%s", out)
			}
			c.reaches(side.network, side.listen, false, "after the block")
			if out := c.run("blocks"); !strings.Contains(out, side.target) || strings.Contains(out, "NOT IN FORCE") {
				t.Errorf("blocks says\n%s", out)
			}
			netnstest.In(t, c.server, func() error { return exec.Command("nft", "flush", "ruleset").Run() })
			if out := c.run("sync"); !strings.Contains(out, "1 put back") {
				t.Errorf("sync says\n%s", out)
			}
			c.reaches(side.network, side.listen, false, "after a reload and a sync")
			c.run("unblock", side.target)
			c.reaches(side.network, side.listen, true, "after unblock")
			c.run("block", side.target, "--confirm-within", "2s")
			c.reaches(side.network, side.listen, false, "before the confirmation is late")
			c.reaches(side.network, side.listen, true, "when it is too late to confirm") // no process of ours runs
		})
	}
}

// TestKernelParts: a prefix around somebody who is allowed is denied in parts, of which not every one is told.
func TestKernelParts(t *testing.T) {
	c := newCable(t)
	c.run("allow", "198.51.100.7")
	out := c.run("block", "198.51.100.0/24", "--for", "1h")
	if strings.Count(out, "listed in set") != 2 || !strings.Contains(out, "and so 6 more parts of it") || !strings.Contains(out, "since it is allowed: 198.51.100.7") {
		t.Errorf("block says\n%s", out)
	}
}

// TestKernelOtherFirewalls blocks and lifts with those of the kernel that are asked for by name.
func TestKernelOtherFirewalls(t *testing.T) {
	for _, name := range []string{"ipset", "iptables"} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("%s is not installed", name)
			}
			c := newCable(t)
			c.serve("tcp4", "192.0.2.1:8080")
			c.reaches("tcp4", "192.0.2.1:8080", true, "before the block")
			c.run("block", "192.0.2.2", "--with", name)
			c.reaches("tcp4", "192.0.2.1:8080", false, "after the block")
			c.run("undo")
			c.reaches("tcp4", "192.0.2.1:8080", true, "after the undo")

			// What no journal knows is found where nobody names it.
			forget := func() {
				c.run("block", "192.0.2.2", "--with", name)
				if err := os.RemoveAll(c.state); err != nil {
					t.Fatal(err)
				}
			}
			forget()
			c.run("unblock", "192.0.2.2")
			c.reaches("tcp4", "192.0.2.1:8080", true, "without its journal, after unblock")
			forget()
			if out := c.run("sync"); !strings.Contains(out, name+": 1 in force, 1 taken into the journal") {
				t.Errorf("sync says\n%s", out)
			}
			forget()
			other := *c // an instance with a state folder of its own
			other.state += "-2"
			other.run("block", "192.0.2.99", "--with", name)
			if out := c.run("blocks"); strings.Contains(out, "192.0.2.99") {
				t.Errorf("blocks of another instance:\n%s", out)
			}
			c.run("sync", "--flush")
			c.reaches("tcp4", "192.0.2.1:8080", true, "after the flush")
			if out := other.run("blocks"); !strings.Contains(out, "192.0.2.99") || strings.Contains(out, "NOT IN FORCE") {
				t.Errorf("blocks of the other instance after the flush of one:\n%s", out)
			}
			other.run("sync", "--flush")
			netnstest.In(t, c.server, func() error {
				for _, ask := range [][]string{{"iptables-save"}, {"ip6tables-save"}, {"ipset", "list", "-name"}} {
					if out, err := exec.Command(ask[0], ask[1:]...).Output(); err == nil && strings.Contains(string(out), "connwarden") {
						t.Errorf("left by the flush:\n%s", out)
					}
				}
				return nil
			})
		})
	}
}
