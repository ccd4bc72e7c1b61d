package conns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// TestKernelEnds opens and closes connections that no look would see, of both families, and hears of each once.
func TestKernelEnds(t *testing.T) {
	server, client := netnstest.Pair(t)
	listen := func(network, address string) net.Listener {
		var l net.Listener
		netnstest.In(t, server, func() (err error) {
			l, err = net.Listen(network, address)
			return err
		})
		t.Cleanup(func() { l.Close() })
		return l
	}
	listeners := []net.Listener{listen("tcp4", "192.0.2.1:8080"), listen("tcp6", "[2001:db8::1]:8080")}
	ctx, stop := context.WithCancel(t.Context())
	got := make(chan connwarden.Conn, 100)
	done := make(chan error, 1)
	go netnstest.In(t, server, func() error {
		done <- Ends(ctx, func(c *connwarden.Conn) { got <- *c }, func() { t.Error("lost") })
		return nil
	})
	brief := func(l net.Listener) netip.AddrPort {
		var conn net.Conn
		netnstest.In(t, client, func() (err error) {
			conn, err = net.Dial(l.Addr().Network(), l.Addr().String())
			return err
		})
		mine, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer mine.Close()
		defer conn.Close()
		return conn.LocalAddr().(*net.TCPAddr).AddrPort()
	}
	// Hearing has begun when one is heard of.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for began := false; !began; {
		brief(listeners[0])
		select {
		case <-got:
			began = true
		case err := <-done:
			t.Fatal(err)
		case <-tick.C:
		}
	}
	const each = 5
	seen := map[netip.AddrPort]int{}
	for _, l := range listeners {
		for range each {
			seen[brief(l)] = 0
		}
	}
	deadline := time.After(20 * time.Second)
	for missing := len(seen); missing > 0; {
		select {
		case c := <-got:
			n, ok := seen[c.Remote]
			if !ok {
				continue // of those made until it was heard
			}
			if n > 0 || c.Local.Port() != 8080 || c.Proto != connwarden.TCP {
				t.Errorf("%+v is told of %d times more", c, n)
			}
			seen[c.Remote]++
			missing--
		case <-deadline:
			t.Fatalf("not heard of all: %v", seen)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestEnds hears of connections over loopback, as any user may.
func TestEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	heard := make(chan struct{}, 1)
	done := make(chan error, 1)
	go func() {
		done <- Ends(ctx, func(c *connwarden.Conn) {
			if c.Local.Port() == port || c.Remote.Port() == port {
				select {
				case heard <- struct{}{}:
				default:
				}
			}
		}, func() {})
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < 20*time.Second; {
		conn, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		mine, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		mine.Close()
		select {
		case <-heard:
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			return
		case err := <-done:
			if errors.Is(err, connwarden.ErrDenied) || errors.Is(err, connwarden.ErrUnsupported) {
				t.Skipf("this kernel does not tell: %v", err)
			}
			t.Fatal(err)
		case <-tick.C:
		}
	}
	t.Error("nothing was heard in twenty seconds")
}
