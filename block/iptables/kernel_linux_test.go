package iptables

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

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
	for _, name := range []string{"ip", "iptables", "ip6tables", "iptables-save", "iptables-restore", "ip6tables-restore"} {
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

// holdings is all that the tables of this namespace hold, without what changes by itself.
func holdings(t testing.TB) string {
	text := ""
	for line := range strings.Lines(netnstest.Command(t, "iptables-save") + netnstest.Command(t, "ip6tables-save")) {
		if !strings.HasPrefix(line, "#") {
			text += line
		}
	}
	return text
}

// foreign are rules of others, some of which look like ours.
func foreign(t testing.TB) func(testing.TB) {
	for _, program := range []string{"iptables", "ip6tables"} {
		netnstest.Command(t, program, "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
		netnstest.Command(t, program, "-t", "raw", "-N", testName+"-x")
		netnstest.Command(t, program, "-t", "raw", "-A", "PREROUTING", "-p", "udp", "-m", "comment", "--comment", testName, "-j", testName+"-x")
		netnstest.Command(t, program, "-t", "raw", "-A", testName+"-x", "-p", "udp", "-m", "comment", "--comment", testName+" all", "-j", "DROP")
		netnstest.Command(t, program, "-t", "raw", "-A", "PREROUTING", "-p", "udp", "-m", "comment", "--comment", "a \"quoted\" word", "-j", "CT", "--notrack")
		netnstest.Command(t, program, "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "8080", "-j", "REDIRECT", "--to-ports", "80")
	}
	before := holdings(t)
	return func(t testing.TB) {
		var theirs strings.Builder
		for line := range strings.Lines(holdings(t)) {
			ours := strings.HasPrefix(line, ":"+testName+" ") || strings.HasPrefix(line, "-A "+testName+" ") || line == "-A "+jump(testName)+"\n"
			if !ours {
				theirs.WriteString(line)
			}
		}
		if theirs.String() != before {
			t.Errorf("what others put there has changed\nbefore:\n%s\nafter:\n%s", before, theirs.String())
		}
	}
}

// TestKernelContract runs the conformance suite, each test in a namespace of its own.
func TestKernelContract(t *testing.T) {
	needs(t)
	blocktest.Run(t, func(t testing.TB) block.Driver { return mustOpen(t) }, blocktest.Options{
		Around: func(t testing.TB, test func()) {
			netnstest.Run(t, func() {
				// iptables makes a table when it first puts something there and leaves it, empty, for ever.
				for _, program := range []string{"iptables", "ip6tables"} {
					netnstest.Command(t, program, "-t", "raw", "-A", "PREROUTING", "-j", "ACCEPT")
					netnstest.Command(t, program, "-t", "raw", "-D", "PREROUTING", "-j", "ACCEPT")
				}
				test()
			})
		},
		Foreign: foreign,
		Traces:  holdings,
		Reopen:  func(t testing.TB) block.Driver { return mustOpen(t) },
		Break: func(t testing.TB, d block.Driver) func() {
			whole := d.(*Driver).run
			d.(*Driver).run = func(ctx context.Context, name string, args ...string) ([]byte, error) {
				if name == "ip6tables-restore" {
					return nil, errors.New("no memory")
				}
				return whole(ctx, name, args...)
			}
			return func() { d.(*Driver).run = whole }
		},
	})
}

// TestKernelTraffic blocks an attacker while a customer goes on: the server's own ports and a container's published one.
func TestKernelTraffic(t *testing.T) {
	needs(t)
	blocktest.Traffic(t, netnstest.NewScene(t), mustOpen(t), "rule 1 of")
}

// TestKernelMeddling is somebody's hand in our chain: what they put there stays, and what is not in force is not listed.
func TestKernelMeddling(t *testing.T) {
	needs(t)
	netnstest.Run(t, func() {
		d := mustOpen(t)
		list := append(blocktest.Entries(connwarden.Ports(80), "192.0.2.7"), blocktest.Entries(connwarden.Scope{}, "192.0.2.8")...)
		apply := func() {
			t.Helper()
			if err := d.Apply(t.Context(), list, nil); err != nil {
				t.Fatal(err)
			}
		}
		listed := func(want int) {
			t.Helper()
			if got, err := d.List(t.Context()); err != nil || len(got) != want {
				t.Errorf("list: %v, %v; want %d", got, err, want)
			}
		}
		apply()
		listed(2)
		netnstest.Command(t, "iptables", "-t", "raw", "-D", testName, "1")
		listed(1) // of two rules of the first one is gone
		apply()
		listed(2)
		netnstest.Command(t, "iptables", "-t", "raw", "-F", "PREROUTING")
		listed(0)
		if _, err := d.Prove(t.Context(), list[0]); err == nil || !strings.Contains(err.Error(), "none in PREROUTING") {
			t.Errorf("prove: %v; want that nothing jumps to it", err)
		}
		apply()
		listed(2)
		netnstest.Command(t, "iptables", "-t", "raw", "-I", testName, "-s", "192.0.2.9", "-j", "DROP")
		listed(2)
		if err := d.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		theirs := "-N " + testName + "\n-A " + jump(testName) + "\n-A " + testName + " -s 192.0.2.9/32 -j DROP\n"
		if got := netnstest.Command(t, "iptables", "-t", "raw", "-S"); !strings.HasSuffix(got, theirs) {
			t.Errorf("after flush, want their rule and what leads to it:\n%s", got)
		}
		netnstest.Command(t, "iptables", "-t", "raw", "-F", testName)
		netnstest.Command(t, "iptables", "-t", "raw", "-A", "OUTPUT", "-j", testName)
		apply()
		if err := d.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := netnstest.Command(t, "iptables", "-t", "raw", "-S"); !strings.HasSuffix(got, "-N "+testName+"\n-A OUTPUT -j "+testName+"\n") {
			t.Errorf("after flush, want their jump and an empty chain:\n%s", got)
		}
	})
}

// TestKernelLegacy is the old backend of iptables, where it is installed.
func TestKernelLegacy(t *testing.T) {
	needs(t)
	if _, err := exec.LookPath("ip6tables-legacy-restore"); err != nil {
		t.Skip("needs the programs iptables-legacy and ip6tables-legacy")
	}
	netnstest.Run(t, func() {
		netnstest.Command(t, "iptables-legacy", "-t", "raw", "-A", "PREROUTING", "-s", "10.9.9.9", "-j", "ACCEPT")
		before := netnstest.Command(t, "iptables-legacy", "-t", "raw", "-S")
		run := program.In()
		d, err := open(Options{Name: testName}, func(ctx context.Context, name string, args ...string) ([]byte, error) {
			return run(ctx, strings.Replace(name, "tables", "tables-legacy", 1), args...)
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
	for _, n := range []int{1, Most} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			netnstest.Run(b, func() {
				d := mustOpen(b)
				list := make([]block.Entry, n)
				for i := range list {
					list[i] = block.Entry{Target: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 32)}
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

// TestKernelNothingAsked looks for what is ours without making a table that is not there.
func TestKernelNothingAsked(t *testing.T) {
	needs(t)
	netnstest.Run(t, func() {
		d := mustOpen(t)
		d.version = "iptables v1.8.9 (legacy)"
		d.run = func(_ context.Context, name string, args ...string) ([]byte, error) {
			return nil, fmt.Errorf("%s %v was asked", name, args)
		}
		if list, err := d.List(t.Context()); err != nil || len(list) > 0 {
			t.Errorf("listed %v, %v", list, err)
		}
		if err := d.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		d.version = "iptables v1.8.9 (nf_tables)"
		if _, err := d.List(t.Context()); err == nil {
			t.Error("what may be there was not asked for")
		}
	})
}
