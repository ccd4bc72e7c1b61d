package nft

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// nftFile gives nft a file, in the namespace of the goroutine's thread.
func nftFile(text string) error {
	c := exec.Command("nft", "-f", "-")
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("nft -f -: %w\n%s\n%s", err, out, text)
	}
	return nil
}

// listed is what nft lists, without counts and time left.
func listed(t testing.TB, what ...string) string {
	t.Helper()
	return netnstest.Command(t, "nft", append([]string{"--stateless", "list"}, what...)...)
}

func open(t testing.TB) *Driver {
	t.Helper()
	d, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// others is what other programs may have put into the kernel, some of it with our words.
const others = `
table inet firewalld {
	set banned { type ipv4_addr; flags timeout; elements = { 192.0.2.7, 198.51.100.1 timeout 1d }; }
	chain in { type filter hook input priority 10; policy accept; ct state established,related accept; ip saddr @banned drop; }
}
table ip nat {
	chain pre { type nat hook prerouting priority -100; policy accept; tcp dport 8080 dnat to 172.17.0.2:80; }
}
table ip connwarden {
	set ip4-32 { type ipv4_addr; elements = { 192.0.2.7 }; }
	chain incoming { type filter hook prerouting priority -310; policy accept; ip saddr @ip4-32 drop; }
}
table inet connwarden2 {
	set ip4-32 { type ipv4_addr; flags timeout; elements = { 192.0.2.7 }; }
}
`

func TestKernelConformance(t *testing.T) {
	blocktest.Run(t, func(t testing.TB) block.Driver { return open(t) }, blocktest.Options{
		Around: netnstest.Run,
		Foreign: func(t testing.TB) func(testing.TB) {
			if err := nftFile(others); err != nil {
				t.Fatal(err)
			}
			before := listed(t, "ruleset")
			return func(t testing.TB) {
				t.Helper()
				after := listed(t, "table", "inet", "firewalld") + listed(t, "table", "ip", "nat") +
					listed(t, "table", "ip", "connwarden") + listed(t, "table", "inet", "connwarden2")
				if after != before {
					t.Errorf("before:\n%s\nafter:\n%s", before, after)
				}
			}
		},
		Traces: func(t testing.TB) string { return listed(t, "ruleset") },
		Break: func(t testing.TB, d block.Driver) func() {
			// A set of our name for keys of another kind: the kernel refuses the elements, and with them the transaction.
			c := "add table inet connwarden\nadd set inet connwarden ip6-128 { type inet_service; flags timeout; }\n"
			if err := nftFile(c); err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := nftFile("delete set inet connwarden ip6-128\n"); err != nil {
					t.Fatal(err)
				}
			}
		},
		Reopen: func(t testing.TB) block.Driver { return open(t) },
	})
}

// TestKernelMany puts 100,000 in force with one call and finds every one, however the kernel's table grows meanwhile.
func TestKernelMany(t *testing.T) {
	const many = 100_000
	netnstest.Run(t, func() {
		d := open(t)
		list := make([]block.Entry, many)
		for i := range list {
			list[i] = block.Entry{Target: netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 32)}
		}
		if err := d.Apply(t.Context(), list, nil); err != nil {
			t.Fatal(err)
		}
		got, err := d.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, block.Entry.Compare)
		if !slices.Equal(got, list) {
			t.Errorf("%d listed, want the %d that were added", len(got), many)
		}
	})
}

// TestKernelParts has a socket that takes only so much at once, as where the buffer cannot be raised.
func TestKernelParts(t *testing.T) {
	netnstest.Run(t, func() {
		d := open(t)
		small := func() {
			t.Helper()
			if err := d.writer.socket.SetWriteBuffer(30_000); err != nil {
				t.Fatal(err)
			}
		}
		small()
		list := make([]block.Entry, 5*part+7)
		for i := range list {
			list[i] = block.Entry{Target: netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 32)}
		}
		if err := d.apply(t.Context(), list, nil); !errors.Is(err, unix.EMSGSIZE) {
			t.Fatalf("at once: %v; want EMSGSIZE", err)
		}
		for _, step := range []struct {
			add, remove []block.Entry
			want        int
		}{{list, nil, len(list)}, {list[:2*part], list, 2 * part}, {nil, list, 0}} {
			if err := d.Apply(t.Context(), step.add, step.remove); err != nil {
				t.Fatal(err)
			}
			if got, err := d.List(t.Context()); err != nil || len(got) != step.want {
				t.Errorf("%d listed, %v; want %d", len(got), err, step.want)
			}
		}
		// Refused before anything is changed, however large.
		if err := d.Apply(t.Context(), slices.Concat(list, []block.Entry{entry("192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopeLogins})}), nil); !errors.Is(err, connwarden.ErrUnsupported) {
			t.Errorf("a scope that cannot be held: %v", err)
		}
		// The kernel refuses an element of the last part: what was done stands, and is said to.
		if err := nftFile("add set inet connwarden ip6-128 { type inet_service; flags timeout; }\n"); err != nil {
			t.Fatal(err)
		}
		small()
		err := d.Apply(t.Context(), slices.Concat(list, []block.Entry{entry("2001:db8::7/128", all)}), nil)
		if !errors.Is(err, connwarden.ErrPartial) {
			t.Errorf("failed half-way: %v; want ErrPartial", err)
		}
	})
}

// TestKernelProveFails takes away one thing after another that makes a block work; what is not in force is not listed, and Apply puts
// each back.
func TestKernelProveFails(t *testing.T) {
	web, mail := entry("192.0.2.7/32", all), entry("192.0.2.7/32", connwarden.Ports(25))
	for _, tt := range []struct {
		breaks string
		e      block.Entry
		says   string
	}{
		{"delete element inet connwarden ip4-32 { 192.0.2.7 }", web, "ip4-32"},
		{"flush chain inet connwarden incoming", web, `"ip saddr @ip4-32 drop"`},
		{"flush chain inet connwarden incoming", mail, "leads to ports-25"},
		{"flush chain inet connwarden ports-25", mail, `"ip saddr @ports-25-ip4-32 drop" in chain ports-25`},
		{"add table inet connwarden { flags dormant; }", web, "dormant"},
		{"delete table inet connwarden", web, "ip4-32"},
		{"flush ruleset", mail, "ports-25-ip4-32"},
		{`delete table inet connwarden
			add table inet connwarden
			add set inet connwarden ip4-32 { type ipv4_addr; flags timeout; counter; elements = { 192.0.2.7 }; }
			add chain inet connwarden incoming { type filter hook input priority 0; }
			add rule inet connwarden incoming ip saddr @ip4-32 drop`, web, "want prerouting"},
	} {
		netnstest.Run(t, func() {
			d := open(t)
			if err := d.Apply(t.Context(), []block.Entry{web, mail}, nil); err != nil {
				t.Fatal(err)
			}
			for _, e := range []block.Entry{web, mail} {
				seen, err := d.Prove(t.Context(), e)
				if err != nil || !strings.Contains(seen, "priority -310") || !strings.Contains(seen, "0 packets refused") {
					t.Fatalf("in force: %q, %v", seen, err)
				}
			}
			if err := nftFile(tt.breaks + "\n"); err != nil {
				t.Fatal(err)
			}
			seen, err := d.Prove(t.Context(), tt.e)
			var form *block.Error
			if err == nil || !strings.Contains(err.Error(), tt.says) || !errors.Is(err, connwarden.ErrNotFound) || !errors.As(err, &form) {
				t.Errorf("after %q: %q, %v; want ErrNotFound that says %s", tt.breaks, seen, err, tt.says)
			}
			if list, err := d.List(t.Context()); err != nil || slices.ContainsFunc(list, func(e block.Entry) bool { return e.Key() == tt.e.Key() }) {
				t.Errorf("after %q listed: %v, %v", tt.breaks, list, err)
			}
			if err := d.Apply(t.Context(), []block.Entry{web, mail}, nil); err != nil {
				t.Fatalf("after %q: %v", tt.breaks, err)
			}
			if list, err := d.List(t.Context()); err != nil || len(list) != 2 {
				t.Errorf("mended after %q: listed %v, %v", tt.breaks, list, err)
			}
			for _, e := range []block.Entry{web, mail} {
				if _, err := d.Prove(t.Context(), e); err != nil {
					t.Errorf("mended after %q: %v", tt.breaks, err)
				}
			}
		})
	}
}

// TestKernelRemedy wakes a table by the words that Prove names.
func TestKernelRemedy(t *testing.T) {
	netnstest.Run(t, func() {
		d, e := open(t), entry("192.0.2.7/32", all)
		if err := d.Apply(t.Context(), []block.Entry{e}, nil); err != nil {
			t.Fatal(err)
		}
		if err := nftFile("add table inet connwarden { flags dormant; }\n"); err != nil {
			t.Fatal(err)
		}
		_, err := d.Prove(t.Context(), e)
		if err == nil {
			t.Fatal("it sleeps, and is said to be in force")
		}
		_, words, _ := strings.Cut(err.Error(), "as nft ")
		remedy, _, ok := strings.Cut(words, " does")
		if !ok {
			t.Fatalf("no remedy in %q", err)
		}
		if err := nftFile(remedy + "\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Prove(t.Context(), e); err != nil {
			t.Error(err)
		}
	})
}

// TestKernelInstances has two tables, which never touch each other.
func TestKernelInstances(t *testing.T) {
	netnstest.Run(t, func() {
		one, err := Open(Options{Name: "connwarden-1"})
		if err != nil {
			t.Fatal(err)
		}
		defer one.Close()
		two, err := Open(Options{Name: "connwarden-2", Uncounted: true})
		if err != nil {
			t.Fatal(err)
		}
		defer two.Close()
		if !one.Properties().Counts || two.Properties().Counts {
			t.Errorf("counts: %v and %v", one.Properties().Counts, two.Properties().Counts)
		}
		e := []block.Entry{entry("192.0.2.7/32", all)}
		for _, d := range []*Driver{one, two} {
			if err := d.Apply(t.Context(), e, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := one.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := two.Prove(t.Context(), e[0]); err != nil {
			t.Error(err)
		}
		if text := listed(t, "ruleset"); strings.Contains(text, "connwarden-1") || strings.Contains(text, "counter") {
			t.Errorf("left:\n%s", text)
		}
	})
}

// TestKernelStamp counts each transaction, of anybody.
func TestKernelStamp(t *testing.T) {
	netnstest.Run(t, func() {
		d := open(t)
		last, err := d.Stamp(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			name string
			act  func() error
			by   uint64
		}{
			{"nothing", func() error { return nil }, 0},
			{"List", func() error { _, err := d.List(t.Context()); return err }, 0},
			{"Apply", func() error { return d.Apply(t.Context(), mixed(), nil) }, 1},
			{"a flush", func() error { return nftFile("flush ruleset\n") }, 1},
		} {
			if err := step.act(); err != nil {
				t.Fatal(err)
			}
			n, err := d.Stamp(t.Context())
			if err != nil || n-last != step.by {
				t.Errorf("%s raises it by %d, %v; want %d", step.name, n-last, err, step.by)
			}
			last = n
		}
	})
}

// TestKernelDenied asks as nobody.
func TestKernelDenied(t *testing.T) {
	ns := netnstest.Named(t)
	netnstest.In(t, ns, func() error {
		// The call itself changes this thread alone, which ends with the goroutine; the package's changes all of them.
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			return errno
		}
		if d, err := Open(Options{}); !errors.Is(err, connwarden.ErrDenied) {
			t.Errorf("as nobody: %v, %v; want ErrDenied", d, err)
		}
		if ok, why := Detect(context.Background()); ok || !strings.Contains(why, "root") {
			t.Errorf("as nobody: %v, %q", ok, why)
		}
		return nil
	})
}

// TestKernelDetect tells what is there.
func TestKernelDetect(t *testing.T) {
	netnstest.Run(t, func() {
		if ok, why := Detect(t.Context()); !ok || !strings.Contains(why, "no table") {
			t.Errorf("%v, %q", ok, why)
		}
		if err := nftFile(others); err != nil {
			t.Fatal(err)
		}
		if ok, why := Detect(t.Context()); !ok || !strings.Contains(why, "inet firewalld") || !strings.Contains(why, "ip nat") {
			t.Errorf("%v, %q", ok, why)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if ok, _ := Detect(ctx); ok {
			t.Error("given up, and yet it answers")
		}
		if err := open(t).Apply(ctx, mixed(), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
	})
}

func TestRelease(t *testing.T) {
	for text, want := range map[string]int{"6.18.44-fc": 6018, "5.7.0": 5007, "4.18.0-553.el8_10.x86_64": 4018, "6.12-rc1": 6012, "": 0, "x.y": 0} {
		if got := release(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if os.Getuid() == 0 && !counts() {
		t.Error("this kernel is said not to count")
	}
}
