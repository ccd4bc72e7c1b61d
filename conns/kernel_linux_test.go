package conns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// TestKernelSS compares every row with ss, in a namespace with IPv4, IPv6, mapped, SYN-RECV, TIME-WAIT, UDP.
func TestKernelSS(t *testing.T) {
	s := newScene(t)
	var rec recorder
	res, err := Snapshot(context.Background(), Options{Namespace: s.server, Listen: true, Loopback: true}, &rec)
	if err != nil {
		t.Fatal(err)
	}
	got, want := rec.lines(), ssLines(t, s.server, "-Htuan")
	if !slices.Equal(got, want) {
		t.Errorf("rows differ from ss:\ngot\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if res.Source != "sock_diag" || res.Rows != int64(len(want)) || res.Guessed || len(res.Problems) != 0 {
		t.Errorf("result %+v, want %d rows of sock_diag and no problem", res, len(want))
	}
	for _, state := range []string{"estab", "syn_recv", "time_wait", "close", "listen"} {
		found := false
		st, _ := stateWord([]byte(state))
		for _, c := range rec.list {
			found = found || c.State == st
		}
		if !found {
			t.Errorf("the scene has no row in %s", state)
		}
	}
}

// TestKernelWays asks the kernel in each of the ways, which must agree row for row and on every direction.
func TestKernelWays(t *testing.T) {
	s := newScene(t)
	type answer struct {
		lines, dirs []string
		listeners   []string
		source      string
	}
	ask := func(w way) (a answer) {
		var rec recorder
		netnstest.In(t, s.server, func() error {
			res, err := snapshotBy(context.Background(), Options{Listen: true, Loopback: true}, &rec, []way{w})
			if err != nil {
				return fmt.Errorf("way %d: %w", w, err)
			}
			a.source = res.Source
			for _, l := range res.Listeners {
				a.listeners = append(a.listeners, fmt.Sprint(l.Proto, l.Addr, l.Queue))
			}
			return nil
		})
		a.lines = rec.lines()
		for _, c := range rec.list {
			a.dirs = append(a.dirs, fmt.Sprint(c.Dir, c.Proto, c.Local, c.Remote, c.Inode, c.UID))
		}
		slices.Sort(a.dirs)
		slices.Sort(a.listeners)
		return a
	}
	want := ask(wayLegacy)
	if len(want.lines) < 15 {
		t.Fatalf("only %d rows: %v", len(want.lines), want.lines)
	}
	for _, w := range []way{wayHalves, wayByFamily, wayProc} {
		got := ask(w)
		if !slices.Equal(got.lines, want.lines) || !slices.Equal(got.dirs, want.dirs) || !slices.Equal(got.listeners, want.listeners) {
			t.Errorf("way %d:\ngot\n%s\n%s\nwant\n%s\n%s", w, strings.Join(got.dirs, "\n"), strings.Join(got.listeners, "\n"),
				strings.Join(want.dirs, "\n"), strings.Join(want.listeners, "\n"))
		}
		if wantSource := map[way]string{wayHalves: "sock_diag", wayByFamily: "sock_diag", wayProc: "proc"}[w]; got.source != wantSource {
			t.Errorf("way %d: source %q, want %q", w, got.source, wantSource)
		}
	}
}

// TestKernelDefaults is what CLI.md counts by default: no LISTEN, no unconnected UDP, no loopback-to-loopback; traps 4 to
// 7, 9, 11 and 12.
func TestKernelDefaults(t *testing.T) {
	s := newScene(t)
	var rec recorder
	res, err := Snapshot(context.Background(), Options{Namespace: s.server}, &rec)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, c := range rec.list {
		count[fmt.Sprintf("%s %s %s %d", c.Proto, c.Dir, c.State, c.ServicePort())]++
		if c.Namespace != s.server || c.Seen.IsZero() {
			t.Errorf("namespace %q, seen %v", c.Namespace, c.Seen)
		}
	}
	want := map[string]int{
		"tcp in established 80":   3,
		"tcp in established 443":  3,
		"tcp in established 8080": 1,
		"tcp in syn_recv 80":      1,
		"tcp in time_wait 80":     1,
		"tcp out established 25":  1,
		"udp out established 123": 1,
	}
	if fmt.Sprint(count) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", count, want)
	}
	// Trap 7: two of those to 443 are IPv4 in IPv6 clothes and must be IPv4.
	mapped := 0
	for _, c := range rec.find("192.0.2.2") {
		if c.ServicePort() == 443 {
			mapped++
			if !c.Local.Addr().Is4() {
				t.Errorf("local %v of a mapped connection is not IPv4", c.Local)
			}
		}
	}
	if mapped != 2 {
		t.Errorf("%d mapped connections of 192.0.2.2 to 443, want 2", mapped)
	}
	// Trap 11: what nobody has accepted is in the listener's queue.
	for _, l := range res.Listeners {
		if l.Addr.Port() == 8080 && (l.Queue != 1 || l.Limit == 0) {
			t.Errorf("listener on 8080 has queue %d of %d, want 1 of some", l.Queue, l.Limit)
		}
	}
	// Trap 6: the loopback connection shows only when asked for, and then twice.
	rec = recorder{}
	if _, err := Snapshot(context.Background(), Options{Namespace: s.server, Loopback: true}, &rec); err != nil {
		t.Fatal(err)
	}
	if n := len(rec.find("::1")); n != 2 {
		t.Errorf("%d loopback rows with Loopback, want both ends", n)
	}
}

// TestKernelFilter compares the filters that the kernel runs with the same choice made here.
func TestKernelFilter(t *testing.T) {
	s := newScene(t)
	var all recorder
	if _, err := Snapshot(context.Background(), Options{Namespace: s.server, Loopback: true, Listen: true}, &all); err != nil {
		t.Fatal(err)
	}
	for _, opt := range []Options{
		{Ports: []uint16{80}},
		{Ports: []uint16{25, 53, 443}, Listen: true},
		{Ports: []uint16{1}},
		{Ports: ports(1, 65535)},
		{Ports: ports(79, 81), Dir: connwarden.DirIn},
		{Ports: ports(20, 30), Dir: connwarden.DirOut},
		{Ports: evenPorts(3000)},
		{Dir: connwarden.DirOut},
		{States: stateBits(connwarden.StateSynRecv).fold()},
		{States: stateBits(connwarden.StateTimeWait)},
		{States: stateBits(connwarden.StateListen)},
		{States: stateBits(connwarden.StateClose)},
	} {
		opt.Namespace, opt.Loopback = s.server, true
		var got, want recorder
		if _, err := Snapshot(context.Background(), opt, &got); err != nil {
			t.Fatal(err)
		}
		f := newFilter(&opt)
		for _, c := range all.list {
			if f.keep(&c) {
				want.list = append(want.list, c)
			}
		}
		if !slices.Equal(got.lines(), want.lines()) {
			t.Errorf("states %x, %d ports, dir %v:\ngot\n%s\nwant\n%s", opt.States, len(opt.Ports), opt.Dir,
				strings.Join(got.lines(), "\n"), strings.Join(want.lines(), "\n"))
		}
	}
	var rec recorder
	res, err := Snapshot(context.Background(), Options{Namespace: s.server, Ports: []uint16{443}}, &rec)
	if err != nil {
		t.Fatal(err)
	}
	if listeners := int64(len(res.Listeners)); res.Rows != listeners+3 {
		t.Errorf("%d rows reached us with a filter for port 443, want %d listeners and 3 of it: the kernel did not filter",
			res.Rows, listeners)
	}
}

func ports(lo, hi int) (list []uint16) {
	for p := lo; p <= hi; p++ {
		list = append(list, uint16(p))
	}
	return list
}

// evenPorts are n ports that make n ranges: more than the kernel's filter takes.
func evenPorts(n int) (list []uint16) {
	for p := 2; p <= 2*n; p += 2 {
		list = append(list, uint16(p))
	}
	return list
}

// TestKernelProcesses: the holder of a connection, and nobody for one in TIME-WAIT or not accepted (traps 11 and 12).
func TestKernelProcesses(t *testing.T) {
	s := newScene(t)
	var rec recorder
	res, err := Snapshot(context.Background(), Options{Namespace: s.server, Processes: true, Listen: true}, &rec)
	if err != nil {
		t.Fatal(err)
	}
	mine := unix.Getpid()
	for _, c := range rec.list {
		held := c.State != connwarden.StateTimeWait && c.State != connwarden.StateSynRecv &&
			!(c.Local.Port() == 8080 && c.State == connwarden.StateEstablished)
		switch {
		case held && (c.Process.PID != mine || c.Process.Name == ""):
			t.Errorf("%s %v %v: process %+v, want %d", c.State, c.Local, c.Remote, c.Process, mine)
		case !held && c.Process != (connwarden.Process{}):
			t.Errorf("%s %v %v: process %+v, want none", c.State, c.Local, c.Remote, c.Process)
		}
	}
	for _, l := range res.Listeners {
		if l.Process.PID != mine {
			t.Errorf("listener %v: process %+v, want %d", l.Addr, l.Process, mine)
		}
	}
}

// TestKernelNamespaces is trap 14: sockets of other namespaces are not in ours; they are said, and found when asked for.
func TestKernelNamespaces(t *testing.T) {
	name := netnstest.Named(t) // nothing but its mount keeps it
	netnstest.In(t, name, func() error {
		l, err := net.Listen("tcp4", "127.0.0.1:7777")
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	})
	held := netnstest.Named(t)
	sleeper := exec.Command("ip", "netns", "exec", held, "sleep", "600")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sleeper.Process.Kill(); sleeper.Wait() })
	has := func(rec *recorder, ns string) bool {
		return slices.ContainsFunc(rec.list, func(c connwarden.Conn) bool { return c.Local.Port() == 7777 && c.Namespace == ns })
	}

	netnstest.Run(t, func() {
		before, err := inodeOf("/proc/thread-self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		var rec recorder
		res, err := Snapshot(context.Background(), Options{Listen: true}, &rec)
		if err != nil {
			t.Fatal(err)
		}
		if len(rec.list) != 0 {
			t.Errorf("rows of another namespace: %v", rec.lines())
		}
		if len(res.Problems) == 0 || !strings.Contains(res.Problems[0].Why, "--netns all") {
			t.Errorf("problems %v, want one that names --netns all", res.Problems)
		}
		res, err = Snapshot(context.Background(), Options{Listen: true, Namespace: "all"}, &rec)
		if err != nil {
			t.Fatal(err)
		}
		if !has(&rec, name) {
			t.Errorf("all: no listener of %s in %v", name, rec.lines())
		}
		for _, p := range res.Problems {
			if strings.Contains(p.Why, "--netns") {
				t.Errorf("all: problem %v", p)
			}
		}
		if after, _ := inodeOf("/proc/thread-self/ns/net"); after != before {
			t.Errorf("our thread is in namespace %d, was in %d", after, before)
		}
		rec = recorder{}
		if _, err := Snapshot(context.Background(), Options{Namespace: "no-such-namespace"}, &rec); !errors.Is(err, connwarden.ErrNotFound) {
			t.Errorf("an unknown name: %v, want ErrNotFound", err)
		}
		if _, err := Snapshot(context.Background(), Options{Namespace: "2147483646"}, &rec); !errors.Is(err, connwarden.ErrNotFound) {
			t.Errorf("an unknown PID: %v, want ErrNotFound", err)
		}
	})

	// By PID, and through /proc/PID/net, which needs a process there.
	spaces, _ := otherSpaces(ourSpace())
	var pid int
	deadline := time.Now().Add(10 * time.Second)
	for pid == 0 && time.Now().Before(deadline) {
		spaces, _ = otherSpaces(ourSpace())
		if i := slices.IndexFunc(spaces, func(s space) bool { return s.Name == held }); i >= 0 {
			pid = spaces[i].pid
		}
	}
	if pid == 0 {
		t.Fatalf("no process found in %s: %+v", held, spaces)
	}
	netnstest.In(t, held, func() error {
		l, err := net.Listen("tcp4", "127.0.0.1:7777")
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	})
	for _, w := range allWays {
		for _, as := range []string{held, fmt.Sprint(pid), fmt.Sprintf("pid:%d", pid)} {
			var rec recorder
			if _, err := snapshotBy(context.Background(), Options{Namespace: as, Listen: true}, &rec, []way{w}); err != nil {
				t.Fatalf("way %d as %s: %v", w, as, err)
			}
			if !has(&rec, held) {
				t.Errorf("way %d as %s: %v", w, as, rec.lines())
			}
		}
	}
}

// TestKernelCookies is trap 10: a flood that SYN cookies answer leaves few rows; the counters tell.
func TestKernelCookies(t *testing.T) {
	server, peer := netnstest.Pair(t)
	netnstest.Command(t, "ip", "-n", server, "route", "add", "198.51.100.0/24", "dev", "eth0")
	netnstest.Command(t, "ip", "-n", server, "neigh", "add", "198.51.100.9", "lladdr", "02:00:00:00:00:99", "dev", "eth0")
	netnstest.Command(t, "ip", "-n", peer, "addr", "add", "198.51.100.9/32", "dev", "lo")
	netnstest.Command(t, "ip", "netns", "exec", server, "sysctl", "-qw", "net.ipv4.tcp_syncookies=1")
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	netnstest.In(t, server, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: 80}); err != nil {
			return err
		}
		return unix.Listen(fd, 1)
	})
	const attempts = 50
	netnstest.In(t, peer, func() error {
		for range attempts {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			fds = append(fds, fd)
			if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{198, 51, 100, 9}}); err != nil {
				return err
			}
			if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}, Port: 80}); !errors.Is(err, unix.EINPROGRESS) {
				return err
			}
		}
		return nil
	})
	var rec recorder
	if _, err := Snapshot(context.Background(), Options{Namespace: server}, &rec); err != nil {
		t.Fatal(err)
	}
	var c Counters
	var problems []connwarden.Problem
	netnstest.In(t, server, func() error { c, problems = ReadCounters(); return nil })
	if len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
	if len(rec.list) >= attempts/2 {
		t.Errorf("%d rows of %d attempts: the flood was not answered by cookies, so this proves nothing", len(rec.list), attempts)
	}
	if !c.SyncookiesSent.Known || c.SyncookiesSent.Value < attempts/2 {
		t.Errorf("cookies sent %+v, want at least %d", c.SyncookiesSent, attempts/2)
	}
	if !c.ReqQFullDoCookies.Known || c.ReqQFullDoCookies.Value == 0 {
		t.Errorf("queue full %+v, want some", c.ReqQFullDoCookies)
	}
	for name, n := range map[string]Count{"somaxconn": c.SomaxConn, "max_syn_backlog": c.MaxSynBacklog, "syncookies": c.Syncookies,
		"overflows": c.ListenOverflows, "drops": c.ListenDrops, "in use": c.TCPInUse, "orphans": c.TCPOrphans, "mem": c.TCPMemPages} {
		if !n.Known {
			t.Errorf("%s is not known", name)
		}
	}
	if c.Uptime <= 0 {
		t.Errorf("uptime %v", c.Uptime)
	}
}

// TestKernelCancel: a context that has ended ends the look.
func TestKernelCancel(t *testing.T) {
	netnstest.Run(t, func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := Snapshot(ctx, Options{}, &recorder{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

// TestKernelText reads what the programs of this machine print, which must give what the kernel gives.
func TestKernelText(t *testing.T) {
	s := newScene(t)
	for _, tt := range []struct {
		command string
		dirs    bool // the text has LISTEN rows
		want    func(c *connwarden.Conn) bool
	}{
		{"netstat -tuna", true, func(*connwarden.Conn) bool { return true }},
		{"netstat -tunapW", true, func(*connwarden.Conn) bool { return true }},
		{"netstat -ntu", false, func(c *connwarden.Conn) bool { return !waiting(c.Proto, c.State) }},
		{"netstat -ntup", false, func(c *connwarden.Conn) bool { return !waiting(c.Proto, c.State) }},
		{"ss -tuna", true, func(*connwarden.Conn) bool { return true }},
		{"ss -tunap", true, func(*connwarden.Conn) bool { return true }},
		{"ss -tunapim", true, func(*connwarden.Conn) bool { return true }},
		{"ss -tan", true, func(c *connwarden.Conn) bool { return c.Proto == connwarden.TCP }},
		{"ss -Huan", true, func(c *connwarden.Conn) bool { return c.Proto == connwarden.UDP }},
		{"ss -Htn state established", false, func(c *connwarden.Conn) bool {
			return c.Proto == connwarden.TCP && c.State == connwarden.StateEstablished
		}},
		{"ss -Htun state established", false, func(c *connwarden.Conn) bool { return c.State == connwarden.StateEstablished }},
		// Trap 9: without a state filter ss shows neither SYN-RECV nor TIME-WAIT; we show what the text has.
		{"ss -tn", false, func(c *connwarden.Conn) bool {
			return c.Proto == connwarden.TCP && c.State != connwarden.StateSynRecv && c.State != connwarden.StateTimeWait && c.State != connwarden.StateListen
		}},
		{"cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6", true, func(*connwarden.Conn) bool { return true }},
	} {
		var live, want, got recorder
		if _, err := Snapshot(context.Background(), Options{Namespace: s.server, Listen: true, Loopback: true}, &live); err != nil {
			t.Fatal(err)
		}
		for _, c := range live.list {
			if tt.want(&c) {
				want.list = append(want.list, c)
			}
		}
		out := netnstest.Command(t, "ip", append([]string{"netns", "exec", s.server}, strings.Fields(tt.command)...)...)
		res, err := Read(context.Background(), strings.NewReader(out), tt.command, Options{Listen: true, Loopback: true}, &got)
		if err != nil {
			t.Fatal(err)
		}
		text := func(r *recorder) string {
			for i := range r.list {
				c := &r.list[i]
				// ss writes * where a socket listens on both families.
				if waiting(c.Proto, c.State) && (!c.Local.Addr().IsValid() || c.Local.Addr().IsUnspecified()) {
					c.Local = netip.AddrPortFrom(netip.IPv4Unspecified(), c.Local.Port())
				}
			}
			list := r.lines()
			if tt.dirs {
				for _, c := range r.list {
					list = append(list, fmt.Sprint(c.Dir, c.Proto, c.Local, c.Remote))
				}
				slices.Sort(list)
			}
			return strings.Join(list, "\n")
		}
		if g, w := text(&got), text(&want); g != w || res.Unparsed != 0 || res.Guessed == tt.dirs {
			t.Errorf("%s: %d unparsed, guessed %v; got\n%s\nwant\n%s\ntext\n%s", tt.command, res.Unparsed, res.Guessed, g, w, out)
		}
	}
}
