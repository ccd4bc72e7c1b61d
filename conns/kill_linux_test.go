package conns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// rows are the sockets of the scene's server.
func (s *scene) rows(t *testing.T) []string {
	t.Helper()
	var rec recorder
	if _, err := Snapshot(context.Background(), Options{Namespace: s.server, States: allStates, Listen: true, Loopback: true}, &rec); err != nil {
		t.Fatal(err)
	}
	return rec.lines()
}

// kill closes in the scene's server.
func (s *scene) kill(t *testing.T, prefix string) (n int) {
	t.Helper()
	netnstest.In(t, s.server, func() (err error) {
		n, err = Kill(context.Background(), netip.MustParsePrefix(prefix))
		return err
	})
	return n
}

// TestKernelKill closes one peer's sockets of every kind, and nobody else's: what is left is what ss -K leaves.
func TestKernelKill(t *testing.T) {
	s, twin := newScene(t), newScene(t)
	before := s.rows(t)
	// Three to port 80, two in IPv6 clothes, one that nobody has accepted, one that goes out, one of UDP.
	if n := s.kill(t, "192.0.2.2/32"); n != 8 {
		t.Errorf("closed %d sockets of 192.0.2.2, want 8", n)
	}
	after := s.rows(t)
	if len(after) != len(before)-8 {
		t.Errorf("%d rows before, %d after:\n%s", len(before), len(after), strings.Join(after, "\n"))
	}
	for _, row := range after {
		if strings.Contains(row, " 192.0.2.2:") && !strings.Contains(row, " time_wait ") {
			t.Errorf("left: %s", row)
		}
	}
	netnstest.Command(t, "ip", "netns", "exec", twin.server, "ss", "-HKtun", "dst", "192.0.2.2")
	// The unaccepted connection's listener has a port of its own in both; the peers' ports differ.
	if got, want := withoutPorts(after), withoutPorts(twin.rows(t)); !slices.Equal(got, want) {
		t.Errorf("left by us\n%s\nleft by ss -K\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, step := range []struct {
		prefix string
		want   int
	}{
		{"192.0.2.2/32", 0},
		{"203.0.113.0/24", 0},
		{"198.51.100.0/24", 1}, // half open
		{"2001:db8::/64", 1},
		{"::/0", 1}, // the client's end of the loopback connection; its server's end is reset with it
	} {
		if n := s.kill(t, step.prefix); n != step.want {
			t.Errorf("closed %d sockets of %s, want %d", n, step.prefix, step.want)
		}
	}
	for _, row := range s.rows(t) {
		if !strings.Contains(row, " listen ") && !strings.Contains(row, " time_wait ") && !strings.Contains(row, " close ") {
			t.Errorf("left at the end: %s", row)
		}
	}
}

func withoutPorts(rows []string) []string {
	var list []string
	for _, row := range rows {
		f := strings.Fields(row)
		if at := strings.LastIndexByte(f[3], ':'); at >= 0 {
			f[3] = f[3][:at]
		}
		if f[1] == "established" && strings.HasPrefix(f[2], "[::1]") {
			f[2] = "[::1]"
		}
		list = append(list, strings.Join(f, " "))
	}
	slices.Sort(list)
	return list
}

// TestKernelKillEnds is what the two programs see whose connection is closed.
func TestKernelKillEnds(t *testing.T) {
	server, peer := netnstest.Pair(t)
	for _, to := range []string{"192.0.2.1:80", "[2001:db8::1]:80"} {
		addr := netip.MustParseAddrPort(to)
		var l *net.TCPListener
		netnstest.In(t, server, func() (err error) {
			l, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
			return err
		})
		defer l.Close()
		var theirs *net.TCPConn
		netnstest.In(t, peer, func() (err error) {
			theirs, err = net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(addr))
			return err
		})
		defer theirs.Close()
		ours, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer ours.Close()
		netnstest.In(t, server, func() error {
			bits := map[bool]string{true: "192.0.2.2/32", false: "2001:db8::/64"}[addr.Addr().Is4()]
			n, err := Kill(context.Background(), netip.MustParsePrefix(bits))
			if err == nil && n != 1 {
				err = fmt.Errorf("closed %d, want 1", n)
			}
			return err
		})
		deadline := time.Now().Add(10 * time.Second)
		for _, c := range []struct {
			who  string
			conn net.Conn
			want syscall.Errno
		}{{"ours", ours, unix.ECONNABORTED}, {"theirs", theirs, unix.ECONNRESET}} {
			_ = c.conn.SetReadDeadline(deadline)
			if _, err := c.conn.Read(make([]byte, 1)); !errors.Is(err, c.want) || errors.Is(err, io.EOF) {
				t.Errorf("%s, at %s: read says %v, want %v", c.who, to, err, c.want)
			}
		}
	}
}

// TestKernelKillMany closes more than one send's worth.
func TestKernelKillMany(t *testing.T) {
	const many = 3*killsAtOnce + 7
	netnstest.Run(t, func() {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for range many {
			c, err := net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
		}
		// Both ends are in the table. The reset that closes one may close the other before its turn comes.
		n, err := Kill(context.Background(), netip.MustParsePrefix("127.0.0.0/8"))
		if err != nil || n < many || n > 2*many {
			t.Errorf("closed %d of %d, %v", n, 2*many, err)
		}
		if n, err := Kill(context.Background(), netip.MustParsePrefix("127.0.0.0/8")); n != 0 || err != nil {
			t.Errorf("closed %d more, %v", n, err)
		}
		ctx, stop := context.WithCancel(context.Background())
		stop()
		if _, err := Kill(ctx, netip.MustParsePrefix("127.0.0.0/8")); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
	})
}

// TestKernelKillDenied asks as nobody.
func TestKernelKillDenied(t *testing.T) {
	s := newScene(t)
	before := s.rows(t)
	var n int
	var err error
	netnstest.In(t, s.server, func() error {
		// The call itself changes this thread alone, which ends with the goroutine; the package's changes all of them.
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			return errno
		}
		n, err = Kill(context.Background(), netip.MustParsePrefix("192.0.2.2/32"))
		return nil
	})
	if n != 0 || !errors.Is(err, connwarden.ErrDenied) || !strings.Contains(err.Error(), "192.0.2.2/32") {
		t.Errorf("as nobody: %d closed, %v", n, err)
	}
	if after := s.rows(t); !slices.Equal(after, before) {
		t.Errorf("rows changed:\n%s", strings.Join(after, "\n"))
	}
}
