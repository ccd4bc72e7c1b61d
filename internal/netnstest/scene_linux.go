package netnstest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// Scene is a server with an attacker and a customer at cables of their own, and a container behind it whose port 80 the
// server may publish as its 8080. Everybody listens who should, on both families, and answers with what it is sent.
// Linux only.
type Scene struct {
	Server, Attacker, Customer, Container string // their namespaces

	t *testing.T
}

// The addresses of a scene, one of each family.
var (
	Attackers = []string{"198.51.100.2", "2001:db8:a::2"}
	Customers = []string{"203.0.113.2", "2001:db8:c::2"}
)

// NewScene makes a scene, which goes when the test ends.
func NewScene(t *testing.T) *Scene {
	t.Helper()
	s := &Scene{Server: Named(t), Attacker: Named(t), Customer: Named(t), Container: Named(t), t: t}
	s.cable("eth0", s.Attacker, "198.51.100.%d/24", "2001:db8:a::%d/64")
	s.cable("eth1", s.Customer, "203.0.113.%d/24", "2001:db8:c::%d/64")
	s.cable("eth2", s.Container, "172.31.0.%d/24", "fd00::%d/64")
	In(s.t, s.Server, func() error {
		for file, text := range map[string]string{"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"} {
			if err := os.WriteFile("/proc/sys/net/"+file, []byte(text), 0o644); err != nil {
				return err
			}
		}
		return nil
	})
	s.listen(s.Server)
	s.listen(s.Container)
	for i := range 2 {
		s.Until(s.Attacker, Attackers[i], 22)
		s.Until(s.Customer, Customers[i], 22)
		s.settle(func() (c net.Conn, err error) {
			In(t, s.Server, func() error {
				c, err = net.DialTimeout("tcp", []string{"172.31.0.2:22", "[fd00::2]:22"}[i], Silence)
				return nil
			})
			return c, err
		})
	}
	return s
}

// settle waits until a cable carries, for which the kernel takes a moment: before that a neighbour cannot be found.
func (s *Scene) settle(dial func() (net.Conn, error)) {
	s.t.Helper()
	for deadline := time.Now().Add(Certain); ; {
		c, err := dial()
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal(err)
		}
	}
}

// Until waits until an address of a namespace reaches a port.
func (s *Scene) Until(ns, from string, port int) {
	s.t.Helper()
	s.settle(func() (net.Conn, error) { return s.Dial(ns, from, port, Silence) })
}

// Publish makes the container's port 80 the server's 8080.
func (s *Scene) Publish() {
	s.t.Helper()
	s.exec("iptables", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "8080", "-j", "DNAT", "--to", "172.31.0.2:80")
	s.exec("ip6tables", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "8080", "-j", "DNAT", "--to", "[fd00::2]:80")
}

// cable joins the server with another, .1 and ::1 at the server's end.
func (s *Scene) cable(name, other, v4, v6 string) {
	Command(s.t, "ip", "-n", s.Server, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", other)
	for i, end := range []struct{ ns, dev string }{{s.Server, name}, {other, "eth0"}} {
		Command(s.t, "ip", "-n", end.ns, "addr", "add", fmt.Sprintf(v4, i+1), "dev", end.dev)
		Command(s.t, "ip", "-n", end.ns, "addr", "add", fmt.Sprintf(v6, i+1), "dev", end.dev, "nodad")
		Command(s.t, "ip", "-n", end.ns, "link", "set", end.dev, "up")
	}
	for _, network := range []string{v4, v6} {
		gateway := netip.MustParsePrefix(fmt.Sprintf(network, 1)).Addr().String()
		Command(s.t, "ip", "-n", other, "route", "add", "default", "via", gateway)
	}
}

// exec runs a program in the server.
func (s *Scene) exec(name string, args ...string) {
	s.t.Helper()
	Command(s.t, "ip", append([]string{"netns", "exec", s.Server, name}, args...)...)
}

func (s *Scene) listen(ns string) {
	s.t.Helper()
	for _, port := range []int{22, 80} {
		In(s.t, ns, func() error {
			l, err := net.Listen("tcp", fmt.Sprintf("[::]:%d", port))
			if err != nil {
				return err
			}
			s.t.Cleanup(func() { l.Close() })
			go Echo(l)
			return nil
		})
	}
	In(s.t, ns, func() error {
		c, err := net.ListenPacket("udp", "[::]:80")
		if err != nil {
			return err
		}
		s.t.Cleanup(func() { c.Close() })
		go echoDatagrams(c)
		return nil
	})
}

// Echo answers everybody who connects with what he says, until the listener is closed.
func Echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_, _ = io.Copy(c, c)
		}()
	}
}

func echoDatagrams(c net.PacketConn) {
	word := make([]byte, 64)
	for {
		n, from, err := c.ReadFrom(word)
		if err != nil {
			return
		}
		_, _ = c.WriteTo(word[:n], from)
	}
}

// How long is waited.
const (
	Certain = 20 * time.Second       // what must come, comes in this time on the slowest machine
	Silence = 400 * time.Millisecond // what has not come by then was dropped; the kernel would answer at once
)

// Dial connects from a namespace to the server, from an address there.
func (s *Scene) Dial(ns, from string, port int, wait time.Duration) (net.Conn, error) {
	return s.dial(net.Dialer{Timeout: wait, LocalAddr: net.TCPAddrFromAddrPort(there(from))}, "tcp", ns, from, port)
}

// Datagram tells whether the server's UDP port 80 answers an address of a namespace.
func (s *Scene) Datagram(ns, from string, wait time.Duration) bool {
	c, err := s.dial(net.Dialer{Timeout: wait, LocalAddr: net.UDPAddrFromAddrPort(there(from))}, "udp", ns, from, 80)
	if err != nil {
		return false
	}
	defer c.Close()
	return Answers(c, wait)
}

// there is an address with any port.
func there(addr string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(addr), 0) }

func (s *Scene) dial(d net.Dialer, network, ns, from string, port int) (conn net.Conn, err error) {
	to := "198.51.100.1"
	if ns == s.Customer {
		to = "203.0.113.1"
	}
	if strings.Contains(from, ":") {
		to = strings.TrimSuffix(from, "2") + "1"
	}
	In(s.t, ns, func() error {
		conn, err = d.Dial(network, net.JoinHostPort(to, fmt.Sprint(port)))
		return nil
	})
	return conn, err
}

// Answers tells whether the other end of a connection sends back what it is sent.
func Answers(c net.Conn, wait time.Duration) bool {
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		return false
	}
	word := []byte("hello")
	if _, err := c.Write(word); err != nil {
		return false
	}
	_, err := io.ReadFull(c, word)
	return err == nil
}

// Reaches fails the test unless a namespace's addresses reach a port.
func (s *Scene) Reaches(ns string, from []string, ports ...int) {
	s.t.Helper()
	for _, addr := range from {
		for _, port := range ports {
			c, err := s.Dial(ns, addr, port, Certain)
			if err != nil {
				s.t.Errorf("%s cannot reach port %d: %v", addr, port, err)
				continue
			}
			if !Answers(c, Certain) {
				s.t.Errorf("port %d does not answer %s", port, addr)
			}
			c.Close()
		}
	}
}

// Fails fails the test if one of a namespace's addresses reaches a port.
func (s *Scene) Fails(ns string, from []string, ports ...int) {
	s.t.Helper()
	for _, addr := range from {
		for _, port := range ports {
			c, err := s.Dial(ns, addr, port, Silence)
			var refusal net.Error
			if err == nil {
				c.Close()
				s.t.Errorf("%s reaches port %d", addr, port)
			} else if !errors.As(err, &refusal) || !refusal.Timeout() {
				s.t.Errorf("%s to port %d: %v; want Silence", addr, port, err)
			}
		}
	}
}
