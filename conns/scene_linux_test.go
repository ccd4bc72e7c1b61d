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
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// recorder keeps every connection.
type recorder struct {
	nowhere
	list []connwarden.Conn
}

func (r *recorder) Conn(c *connwarden.Conn) { r.list = append(r.list, *c) }

// lines writes each connection as "proto state local remote", sorted.
func (r *recorder) lines() []string {
	var list []string
	for _, c := range r.list {
		remote := "*"
		if c.Remote.IsValid() {
			remote = c.Remote.String()
		}
		list = append(list, fmt.Sprintf("%s %s %s %s", c.Proto, c.State, c.Local, remote))
	}
	slices.Sort(list)
	return list
}

// find returns the connections with that remote address.
func (r *recorder) find(remote string) []connwarden.Conn {
	var list []connwarden.Conn
	for _, c := range r.list {
		if c.Remote.Addr() == netip.MustParseAddr(remote) {
			list = append(list, c)
		}
	}
	return list
}

// scene is a server and its peer on a cable, with a socket of every kind at the server's end.
type scene struct {
	server, peer string
	closers      []io.Closer
}

func (s *scene) keep(c io.Closer, err error) error {
	if err == nil {
		s.closers = append(s.closers, c)
	}
	return err
}

// newScene makes, at the server: listeners on 0.0.0.0:80, [::]:443 and [::1]:5432, a bound UDP socket on port 53; three
// connections from 192.0.2.2 to port 80, two mapped ones and one of 2001:db8::2 to 443, one that nobody
// accepts on port 8080, one half open from 198.51.100.9, one in TIME-WAIT from 192.0.2.2, one that goes out to port 25,
// a connected UDP socket, and a loopback connection with its two ends.
func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{}
	s.server, s.peer = netnstest.Pair(t)
	t.Cleanup(func() {
		for _, c := range s.closers {
			c.Close()
		}
	})
	// The answers to 198.51.100.9 go to a card that nobody has, so that its handshake stays half open.
	netnstest.Command(t, "ip", "-n", s.server, "route", "add", "198.51.100.0/24", "dev", "eth0")
	netnstest.Command(t, "ip", "-n", s.server, "neigh", "add", "198.51.100.9", "lladdr", "02:00:00:00:00:99", "dev", "eth0")
	netnstest.Command(t, "ip", "-n", s.peer, "addr", "add", "198.51.100.9/32", "dev", "lo")

	var l80, l443 *net.TCPListener
	var slow io.Closer
	netnstest.In(t, s.server, func() (err error) {
		if l80, err = net.ListenTCP("tcp4", &net.TCPAddr{Port: 80}); s.keep(l80, err) != nil {
			return err
		}
		if l443, err = net.ListenTCP("tcp", &net.TCPAddr{Port: 443}); s.keep(l443, err) != nil {
			return err
		}
		own, err := net.ListenTCP("tcp6", &net.TCPAddr{IP: net.IPv6loopback, Port: 5432})
		if s.keep(own, err) != nil {
			return err
		}
		slow, err = net.ListenTCP("tcp4", &net.TCPAddr{Port: 8080})
		if s.keep(slow, err) != nil {
			return err
		}
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 53})
		if s.keep(udp, err) != nil {
			return err
		}
		out, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 123})
		if s.keep(out, err) != nil {
			return err
		}
		loop, err := net.DialTCP("tcp6", nil, &net.TCPAddr{IP: net.IPv6loopback, Port: 5432})
		return s.keep(loop, err)
	})
	var mail *net.TCPListener
	netnstest.In(t, s.peer, func() (err error) {
		mail, err = net.ListenTCP("tcp4", &net.TCPAddr{Port: 25})
		if s.keep(mail, err) != nil {
			return err
		}
		for _, to := range []string{"192.0.2.1:80", "192.0.2.1:80", "192.0.2.1:80", "192.0.2.1:443", "192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.1:8080"} {
			c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(ap(to)))
			if s.keep(c, err) != nil {
				return err
			}
		}
		// Half open.
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		s.closers = append(s.closers, closeFD(fd))
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{198, 51, 100, 9}}); err != nil {
			return err
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}, Port: 80}); !errors.Is(err, unix.EINPROGRESS) {
			return fmt.Errorf("connect: %w", err)
		}
		return nil
	})
	for range 3 {
		c, err := l80.Accept()
		if s.keep(c, err) != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		c, err := l443.Accept()
		if s.keep(c, err) != nil {
			t.Fatal(err)
		}
	}
	netnstest.In(t, s.server, func() error {
		c, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 25})
		return s.keep(c, err)
	})
	s.timeWait(t, l80)
	return s
}

// timeWait leaves one TIME-WAIT at the server: the end that closes first keeps it.
func (s *scene) timeWait(t *testing.T, l *net.TCPListener) {
	t.Helper()
	var peer *net.TCPConn
	netnstest.In(t, s.peer, func() (err error) {
		peer, err = net.DialTCP("tcp4", nil, net.TCPAddrFromAddrPort(ap("192.0.2.1:80")))
		return err
	})
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("read at the peer: %v, want EOF", err)
	}
	peer.Close()
	// The server's end is in TIME-WAIT once the peer's last word has been acknowledged: soon, but when is the kernel's
	// affair.
	s.until(t, "time_wait", 1)
}

// until waits for as many rows in a state at the server.
func (s *scene) until(t *testing.T, state string, n int) {
	t.Helper()
	mask, err := ParseStates(state)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		var rec recorder
		if _, err := Snapshot(context.Background(), Options{Namespace: s.server, States: mask}, &rec); err != nil {
			t.Fatal(err)
		}
		if len(rec.list) == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d rows, want %d", state, len(rec.list), n)
		}
	}
}

type closeFD int

func (fd closeFD) Close() error { return unix.Close(int(fd)) }

// ssLines asks ss for the same, in the form of recorder.lines.
func ssLines(t *testing.T, ns string, args ...string) []string {
	t.Helper()
	out := netnstest.Command(t, "ip", append([]string{"netns", "exec", ns, "ss"}, args...)...)
	var list []string
	plain := strings.NewReplacer("[::ffff:", "", "]:", ":")
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		state, ok := stateWord([]byte(f[1]))
		if !ok {
			t.Fatalf("ss: state of %q", line)
		}
		end := func(s string) string {
			if strings.HasPrefix(s, "[::ffff:") {
				return plain.Replace(s)
			}
			if s == "*:443" {
				return "[::]:443" // how ss prints a socket that listens on both families
			}
			return s
		}
		remote := end(f[5])
		if strings.HasSuffix(remote, ":*") {
			remote = "*"
		}
		list = append(list, fmt.Sprintf("%s %s %s %s", f[0], state, end(f[4]), remote))
	}
	slices.Sort(list)
	return list
}
