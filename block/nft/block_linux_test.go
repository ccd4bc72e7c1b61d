package nft

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// The ways to the scene's host: its own service and the container's published port, by both families.
var (
	fromAttacker = []string{"198.51.100.1:80", "[2001:db8:a::1]:80", "198.51.100.1:8080", "[2001:db8:a::1]:8080"}
	fromCustomer = []string{"203.0.113.1:80", "[2001:db8:c::1]:80", "203.0.113.1:8080", "[2001:db8:c::1]:8080"}
)

// hits is how many packets the entries have refused, summed.
func hits(t *testing.T, d *Driver) (n uint64) {
	t.Helper()
	list, err := d.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		n += e.Hits.Packets
	}
	return n
}

// TestKernelBlock is the story itself: before, both reach the host and the container; after the block only the customer
// does; when it has ended in the kernel, both.
func TestKernelBlock(t *testing.T) {
	for _, targets := range [][]string{
		{"198.51.100.2/32", "2001:db8:a::2/128"},
		{"198.51.100.2/32", "2001:db8:a::/64"},
		{"198.51.100.0/30", "2001:db8:a::/47"},
	} {
		t.Run(strings.ReplaceAll(strings.Join(targets, " "), "/", "-"), func(t *testing.T) {
			s := newScene(t)
			d := s.driver(t)
			reaches(t, s.attacker, "tcp", fromAttacker...)
			reaches(t, s.customer, "tcp", fromCustomer...)

			entries := []block.Entry{entry(targets[0], all), entry(targets[1], all)}
			if err := d.Apply(t.Context(), entries, nil); err != nil {
				t.Fatal(err)
			}
			blocked(t, s.attacker, "tcp", fromAttacker...)
			reaches(t, s.customer, "tcp", fromCustomer...)
			for _, e := range entries {
				seen, err := d.Prove(t.Context(), e)
				if err != nil || strings.Contains(seen, "; 0 packets") {
					t.Errorf("prove %s: %q, %v; want some packets refused", e.Target, seen, err)
				}
			}

			// A short end replaces the endless one.
			for i := range entries {
				entries[i].Until = time.Now().Add(time.Second)
			}
			if err := d.Apply(t.Context(), entries, nil); err != nil {
				t.Fatal(err)
			}
			for _, to := range fromAttacker {
				until(t, s.attacker, to)
			}
			reaches(t, s.customer, "tcp", fromCustomer...)
			if list, err := d.List(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("listed after the end: %v, %v", list, err)
			}
		})
	}
}

// TestKernelEstablished cuts connections that were there before the block, to the host and to the container, and leaves the
// customer's. When the block is lifted they go on.
func TestKernelEstablished(t *testing.T) {
	s := newScene(t)
	d := s.driver(t)
	open := func(ns string, to []string) (list []net.Conn) {
		for _, addr := range to {
			c, err := talk(t, ns, "tcp", addr, patience)
			if err != nil {
				t.Fatalf("%s: %v", addr, err)
			}
			list = append(list, c)
		}
		return list
	}
	bad, good := open(s.attacker, fromAttacker), open(s.customer, fromCustomer)
	entries := []block.Entry{entry("198.51.100.2/32", all), entry("2001:db8:a::/64", all)}
	if err := d.Apply(t.Context(), entries, nil); err != nil {
		t.Fatal(err)
	}
	for i, c := range bad {
		var late net.Error
		if err := echo(c, brief); !errors.As(err, &late) || !late.Timeout() {
			t.Errorf("an established connection to %s: %v; want silence", fromAttacker[i], err)
		}
	}
	for i, c := range good {
		if err := echo(c, patience); err != nil {
			t.Errorf("the customer's connection to %s: %v", fromCustomer[i], err)
		}
	}
	if n := hits(t, d); n < uint64(len(bad)) {
		t.Errorf("%d packets refused, want one of each of %d connections at least", n, len(bad))
	}
	if err := d.Apply(t.Context(), nil, entries); err != nil {
		t.Fatal(err)
	}
	for i, c := range bad {
		if err := echo(c, patience); err != nil {
			t.Errorf("lifted, and the connection to %s: %v", fromAttacker[i], err)
		}
	}
}

// TestKernelPorts denies some ports, of TCP and UDP, and no other. The published port is the host's.
func TestKernelPorts(t *testing.T) {
	s := newScene(t)
	d := s.driver(t)
	for _, tt := range []struct {
		ports          []uint16
		denied, tcp    []string
		deniesDatagram bool
	}{
		{[]uint16{80}, []string{"198.51.100.1:80", "[2001:db8:a::1]:80"},
			[]string{"198.51.100.1:81", "[2001:db8:a::1]:81", "198.51.100.1:8080", "[2001:db8:a::1]:8080"}, true},
		{[]uint16{81, 8080}, []string{"198.51.100.1:81", "[2001:db8:a::1]:81", "198.51.100.1:8080", "[2001:db8:a::1]:8080"},
			[]string{"198.51.100.1:80", "[2001:db8:a::1]:80"}, false},
	} {
		entries := []block.Entry{entry("198.51.100.2/32", connwarden.Ports(tt.ports...)), entry("2001:db8:a::/64", connwarden.Ports(tt.ports...))}
		if err := d.Apply(t.Context(), entries, nil); err != nil {
			t.Fatal(err)
		}
		blocked(t, s.attacker, "tcp", tt.denied...)
		reaches(t, s.attacker, "tcp", tt.tcp...)
		reaches(t, s.customer, "tcp", fromCustomer...)
		datagrams := reaches
		if tt.deniesDatagram {
			datagrams = blocked
		}
		datagrams(t, s.attacker, "udp", "198.51.100.1:80", "[2001:db8:a::1]:80")
		if err := d.Apply(t.Context(), nil, entries); err != nil {
			t.Fatal(err)
		}
		reaches(t, s.attacker, "tcp", tt.denied...)
	}
}

// TestKernelReload has the firewall beside us reload itself, as firewalld and Docker do: their tables go and come, and the
// block holds throughout, whatever they accept.
func TestKernelReload(t *testing.T) {
	s := newScene(t)
	d := s.driver(t)
	if err := d.Apply(t.Context(), []block.Entry{entry("198.51.100.2/32", all)}, nil); err != nil {
		t.Fatal(err)
	}
	s.load(t, `
delete table inet filter
table inet filter {
	chain early { type filter hook prerouting priority -400; policy accept; ip saddr 198.51.100.2 accept; }
	chain input { type filter hook input priority filter; policy accept; ip saddr 198.51.100.2 accept; }
}`)
	blocked(t, s.attacker, "tcp", "198.51.100.1:80", "198.51.100.1:8080")
	reaches(t, s.customer, "tcp", fromCustomer...)
	reaches(t, s.attacker, "tcp", "[2001:db8:a::1]:80")
}

// TestKernelOutgoing leaves what goes out alone, and with it no answers: a block is of both directions in effect.
func TestKernelOutgoing(t *testing.T) {
	s := newScene(t)
	d := s.driver(t)
	var there net.Listener
	netnstest.In(t, s.attacker, func() (err error) {
		there, err = net.Listen("tcp", ":25")
		return err
	})
	defer there.Close()
	go accept(there)
	reaches(t, s.host, "tcp", host(attacker4, 25), host(attacker6, 25))
	if err := d.Apply(t.Context(), []block.Entry{entry(attacker4+"/32", all)}, nil); err != nil {
		t.Fatal(err)
	}
	blocked(t, s.host, "tcp", host(attacker4, 25))
	reaches(t, s.host, "tcp", host(attacker6, 25))
}
