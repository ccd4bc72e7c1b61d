package nft

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/connwarden/connwarden/internal/netnstest"
)

// Addresses of the scene.
const (
	attacker4, attacker6 = "198.51.100.2", "2001:db8:a::2"
	customer4, customer6 = "203.0.113.2", "2001:db8:c::2"
)

// scene is a host between an attacker and a customer, each in a namespace of its own, with a container behind it:
//
//	attacker 198.51.100.2 ─┐                  ┌─ container 172.17.0.2, fd00:17::2, echo on port 80
//	         2001:db8:a::2 ├─ host .1, ::1 ───┘
//	customer 203.0.113.2 ──┘  echo on ports 80 and 81 (TCP), 80 (UDP);
//	         2001:db8:c::2    8080 is the container's 80, by address translation as Docker does it
type scene struct {
	host, attacker, customer, container string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{netnstest.Named(t), netnstest.Named(t), netnstest.Named(t), netnstest.Named(t)}
	for i, end := range []struct{ ns, v4, v6 string }{
		{s.attacker, "198.51.100.", "2001:db8:a::"}, {s.customer, "203.0.113.", "2001:db8:c::"}, {s.container, "172.17.0.", "fd00:17::"},
	} {
		card := fmt.Sprintf("veth%d", i)
		netnstest.Command(t, "ip", "-n", s.host, "link", "add", card, "type", "veth", "peer", "name", "eth0", "netns", end.ns)
		for _, side := range []struct{ ns, card, last string }{{s.host, card, "1"}, {end.ns, "eth0", "2"}} {
			netnstest.Command(t, "ip", "-n", side.ns, "addr", "add", end.v4+side.last+"/24", "dev", side.card)
			netnstest.Command(t, "ip", "-n", side.ns, "addr", "add", end.v6+side.last+"/64", "dev", side.card, "nodad")
			netnstest.Command(t, "ip", "-n", side.ns, "link", "set", side.card, "up")
		}
		netnstest.Command(t, "ip", "-n", end.ns, "route", "add", "default", "via", end.v4+"1")
		netnstest.Command(t, "ip", "-n", end.ns, "-6", "route", "add", "default", "via", end.v6+"1")
	}
	netnstest.In(t, s.host, func() error {
		return errors.Join(os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0),
			os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0))
	})
	s.load(t, `
table ip nat {
	chain prerouting { type nat hook prerouting priority dstnat; tcp dport 8080 dnat to 172.17.0.2:80; }
	chain postrouting { type nat hook postrouting priority srcnat; oifname "veth2" masquerade; }
}
table ip6 nat {
	chain prerouting { type nat hook prerouting priority dstnat; tcp dport 8080 dnat to [fd00:17::2]:80; }
}
table inet filter {
	chain input { type filter hook input priority filter; policy accept; ct state established,related accept; }
}`)
	for _, l := range []struct{ ns, network, address string }{
		{s.host, "tcp", ":80"}, {s.host, "tcp", ":81"}, {s.container, "tcp", ":80"},
	} {
		var listener net.Listener
		netnstest.In(t, l.ns, func() (err error) {
			listener, err = net.Listen(l.network, l.address)
			return err
		})
		t.Cleanup(func() { listener.Close() })
		go accept(listener)
	}
	netnstest.In(t, s.host, func() error {
		c, err := net.ListenPacket("udp", ":80")
		if err == nil {
			t.Cleanup(func() { c.Close() })
			go answer(c)
		}
		return err
	})
	// The kernel takes a moment until cables carry; before that a neighbour cannot be found.
	for _, to := range fromAttacker {
		until(t, s.attacker, to)
	}
	for _, to := range fromCustomer {
		until(t, s.customer, to)
	}
	return s
}

// accept echoes what each connection says.
func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 64)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

// answer echoes datagrams.
func answer(c net.PacketConn) {
	buf := make([]byte, 64)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = c.WriteTo(buf[:n], from)
	}
}

const (
	// patience is for what must come.
	patience = 20 * time.Second
	// brief is for what must not.
	brief = 300 * time.Millisecond
)

// talk dials and waits for an echo.
func talk(t *testing.T, ns, network, to string, long time.Duration) (c net.Conn, err error) {
	t.Helper()
	netnstest.In(t, ns, func() error {
		c, err = (&net.Dialer{Timeout: long}).Dial(network, to)
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.Close() })
	return c, echo(c, long)
}

// echo says something and waits for it to come back.
func echo(c net.Conn, long time.Duration) error {
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(long)); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 64))
	return err
}

// reaches fails unless the namespace reaches all of the addresses.
func reaches(t *testing.T, ns string, network string, to ...string) {
	t.Helper()
	for _, addr := range to {
		if _, err := talk(t, ns, network, addr, patience); err != nil {
			t.Errorf("%s does not reach %s %s: %v", ns, network, addr, err)
		}
	}
}

// blocked fails if the namespace reaches one of the addresses.
func blocked(t *testing.T, ns string, network string, to ...string) {
	t.Helper()
	for _, addr := range to {
		var late net.Error
		if _, err := talk(t, ns, network, addr, brief); err == nil {
			t.Errorf("%s reaches %s %s", ns, network, addr)
		} else if !errors.As(err, &late) || !late.Timeout() {
			t.Errorf("%s is told about %s %s: %v; a drop says nothing", ns, network, addr, err)
		}
	}
}

// until waits for the namespace to reach an address.
func until(t *testing.T, ns string, to string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		if _, err := talk(t, ns, "tcp", to, brief); err == nil {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("%s does not reach %s: %v", ns, to, err)
		}
	}
}

// driver opens the driver at the host.
func (s *scene) driver(t *testing.T) (d *Driver) {
	t.Helper()
	netnstest.In(t, s.host, func() (err error) {
		d, err = Open(Options{})
		return err
	})
	t.Cleanup(func() { d.Close() })
	return d
}

// load gives nft a file at the host.
func (s *scene) load(t *testing.T, text string) {
	t.Helper()
	netnstest.In(t, s.host, func() error { return nftFile(text) })
}

func host(addr string, port int) string {
	return netip.AddrPortFrom(netip.MustParseAddr(addr), uint16(port)).String()
}
