package ipset

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
	"github.com/connwarden/connwarden/block/program"
	"github.com/connwarden/connwarden/internal/netnstest"
)

const testName = "connwarden-1a2b3c4d"

// needs skips, aloud, where root or a program is missing.
func needs(t testing.TB) {
	t.Helper()
	netnstest.Root(t)
	for _, name := range []string{"ip", "iptables", "ip6tables", "iptables-save", "ipset"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs the program %s", name)
		}
	}
}

func mustOpen(t testing.TB) *Driver {
	t.Helper()
	d, err := Open(Options{Name: testName})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// holdings is all that the tables and the sets of this namespace hold, without what changes by itself.
func holdings(t testing.TB) string {
	text := ""
	for line := range strings.Lines(netnstest.Command(t, "iptables-save") + netnstest.Command(t, "ip6tables-save") + netnstest.Command(t, "ipset", "save")) {
		if !strings.HasPrefix(line, "#") {
			text += line
		}
	}
	return text
}

// foreign are rules and sets of others, some of which look like ours.
func foreign(t testing.TB) func(testing.TB) {
	netnstest.Command(t, "ipset", "create", testName, "hash:ip", "timeout", "0")
	netnstest.Command(t, "ipset", "add", testName, "192.0.2.7")
	netnstest.Command(t, "ipset", "create", testName+"-5", "hash:net")
	for _, program := range []string{"iptables", "ip6tables"} {
		netnstest.Command(t, program, "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
		netnstest.Command(t, program, "-t", "raw", "-N", testName)
		netnstest.Command(t, program, "-t", "raw", "-A", "PREROUTING", "-p", "udp", "-m", "comment", "--comment", testName+" all", "-j", "DROP")
		netnstest.Command(t, program, "-t", "raw", "-A", "PREROUTING", "-p", "udp", "-m", "comment", "--comment", "a \"quoted\" word", "-j", "CT", "--notrack")
		netnstest.Command(t, program, "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "8080", "-j", "REDIRECT", "--to-ports", "80")
	}
	before := holdings(t)
	return func(t testing.TB) {
		var theirs strings.Builder
		for line := range strings.Lines(holdings(t)) {
			if !ours(line) {
				theirs.WriteString(line)
			}
		}
		if theirs.String() != before {
			t.Errorf("what others put there has changed\nbefore:\n%s\nafter:\n%s", before, theirs.String())
		}
	}
}

// ours tells lines of iptables-save and ipset save that must be of this driver.
func ours(line string) bool {
	for _, family := range []string{"-4", "-6"} {
		if strings.Contains(line, " "+testName+family) {
			return true
		}
	}
	return false
}

// TestKernelContract runs the conformance suite, each test in a namespace of its own.
func TestKernelContract(t *testing.T) {
	needs(t)
	blocktest.Run(t, func(t testing.TB) block.Driver { return mustOpen(t) }, blocktest.Options{
		Around: func(t testing.TB, test func()) {
			netnstest.Run(t, func() {
				// iptables makes a table when it first puts something there and leaves it, empty, for ever.
				for _, program := range []string{"iptables", "ip6tables"} {
					netnstest.Command(t, program, "-t", "raw", "-N", "x")
					netnstest.Command(t, program, "-t", "raw", "-A", "PREROUTING", "-j", "x")
					netnstest.Command(t, program, "-t", "raw", "-D", "PREROUTING", "-j", "x")
					netnstest.Command(t, program, "-t", "raw", "-X", "x")
				}
				test()
			})
		},
		Foreign: foreign,
		Traces:  holdings,
		Reopen:  func(t testing.TB) block.Driver { return mustOpen(t) },
		Break: func(t testing.TB, _ block.Driver) func() {
			// A set of another type stands where ours for IPv6 would.
			netnstest.Command(t, "ipset", "create", testName+"-6", "hash:ip", "family", "inet6")
			return func() { netnstest.Command(t, "ipset", "destroy", testName+"-6") }
		},
	})
}

// TestKernelTraffic blocks an attacker while a customer goes on: the server's own ports and a container's published one.
func TestKernelTraffic(t *testing.T) {
	needs(t)
	s := netnstest.NewScene(t)
	d := mustOpen(t)
	blocktest.Traffic(t, s, d, "rule 1 of")

	// Adding again, with an end, keeps the count; the end comes by itself.
	denied := blocktest.Entries(connwarden.Scope{}, netnstest.Attackers...)
	apply := func() {
		t.Helper()
		netnstest.In(t, s.Server, func() error { return d.Apply(t.Context(), denied, nil) })
	}
	apply()
	s.Fails(s.Attacker, netnstest.Attackers, 80)
	for i := range denied {
		denied[i].Until = time.Now().Add(time.Second)
	}
	apply()
	netnstest.In(t, s.Server, func() error {
		ctx, stop := context.WithTimeout(t.Context(), netnstest.Certain)
		defer stop()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			list, err := d.List(ctx)
			if err != nil || len(list) == 0 {
				return err
			}
			if list[0].Hits.Packets == 0 {
				return fmt.Errorf("%s: adding again has set the count to zero", list[0].Target)
			}
			<-tick.C
		}
	})
	s.Reaches(s.Attacker, netnstest.Attackers, 80)
}

// TestKernelFlushedTable is a table that somebody emptied: nothing is in force, so nothing is listed, and adding brings all
// of it back.
func TestKernelFlushedTable(t *testing.T) {
	needs(t)
	netnstest.Run(t, func() {
		d := mustOpen(t)
		list := blocktest.Entries(connwarden.Ports(80), "192.0.2.7")
		if err := d.Apply(t.Context(), list, nil); err != nil {
			t.Fatal(err)
		}
		netnstest.Command(t, "iptables", "-t", "raw", "-D", "PREROUTING", "1")
		if got, err := d.List(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("list: %v, %v; want nothing: of two rules one is gone", got, err)
		}
		if seen, err := d.Prove(t.Context(), blocktest.Entries(connwarden.Ports(443), "192.0.2.7")[0]); err == nil {
			t.Errorf("proved what was never added: %q", seen)
		}
		netnstest.Command(t, "iptables", "-t", "raw", "-F")
		if _, err := d.Prove(t.Context(), list[0]); err == nil || !strings.Contains(err.Error(), "no rule") {
			t.Errorf("prove: %v; want that no rule is there", err)
		}
		if err := d.Apply(t.Context(), list, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := d.List(t.Context()); err != nil || len(got) != 1 || got[0].Key() != list[0].Key() {
			t.Errorf("list: %v, %v", got, err)
		}
	})
}

// TestKernelLegacy is the old backend of iptables, where it is installed.
func TestKernelLegacy(t *testing.T) {
	needs(t)
	if _, err := exec.LookPath("ip6tables-legacy"); err != nil {
		t.Skip("needs the programs iptables-legacy and ip6tables-legacy")
	}
	netnstest.Run(t, func() {
		netnstest.Command(t, "iptables-legacy", "-t", "raw", "-A", "PREROUTING", "-s", "10.9.9.9", "-j", "ACCEPT")
		before := netnstest.Command(t, "iptables-legacy", "-t", "raw", "-S")
		run := program.In()
		d, err := open(Options{Name: testName}, func(ctx context.Context, name string, args ...string) ([]byte, error) {
			return run(ctx, name+"-legacy", args...)
		})
		if err != nil || !strings.Contains(d.version, "legacy") {
			t.Fatal(d, err)
		}
		want := append(blocktest.Entries(connwarden.Scope{}, "192.0.2.7", "2001:db8::7"), blocktest.Entries(connwarden.Ports(80, 443), "192.0.2.7")...)
		if err := d.Apply(t.Context(), want, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := d.List(t.Context()); err != nil || len(got) != len(want) {
			t.Errorf("list: %v, %v", got, err)
		}
		if err := d.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := netnstest.Command(t, "iptables-legacy", "-t", "raw", "-S"); after != before {
			t.Errorf("before\n%s\nafter\n%s", before, after)
		}
	})
}

// BenchmarkKernelApply adds and removes; the figures stand for the whole call.
func BenchmarkKernelApply(b *testing.B) {
	needs(b)
	for _, n := range []int{1, 1000, 50_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			netnstest.Run(b, func() {
				d := mustOpen(b)
				list := make([]block.Entry, n)
				for i := range list {
					addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
					list[i] = block.Entry{Target: netip.PrefixFrom(addr, 32), Until: time.Now().Add(time.Hour)}
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := d.Apply(b.Context(), list, nil); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					if err := d.Apply(b.Context(), nil, list); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			})
		})
	}
}

// TestKernelNothingAsked asks no program where no set of ours is, and leaves nothing behind when all has ended.
func TestKernelNothingAsked(t *testing.T) {
	needs(t)
	netnstest.Run(t, func() {
		d := mustOpen(t)
		whole := d.run
		d.run = func(_ context.Context, name string, args ...string) ([]byte, error) {
			return nil, fmt.Errorf("%s %v was asked", name, args)
		}
		if list, err := d.List(t.Context()); err != nil || len(list) > 0 {
			t.Errorf("listed %v, %v", list, err)
		}
		if err := d.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		d.run = whole
		e := block.Entry{Target: netip.MustParsePrefix("192.0.2.7/32")}
		if err := d.Apply(t.Context(), []block.Entry{e}, nil); err != nil {
			t.Fatal(err)
		}
		if err := d.Apply(t.Context(), nil, []block.Entry{e}); err != nil {
			t.Fatal(err)
		}
		if err := d.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if sets, err := d.sets(); err != nil || len(sets) > 0 || strings.Contains(netnstest.Command(t, "iptables-save", "-t", "raw"), d.name) {
			t.Errorf("left: %v, %v\n%s", sets, err, netnstest.Command(t, "iptables-save", "-t", "raw"))
		}
	})
}
