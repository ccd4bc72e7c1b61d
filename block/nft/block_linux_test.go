package nft

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/internal/netnstest"
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
			s, d := newScene(t)
			s.Reaches(s.Attacker, netnstest.Attackers, published...)
			s.Reaches(s.Customer, netnstest.Customers, published...)

			entries := []block.Entry{entry(targets[0], all), entry(targets[1], all)}
			if err := d.Apply(t.Context(), entries, nil); err != nil {
				t.Fatal(err)
			}
			s.Fails(s.Attacker, netnstest.Attackers, published...)
			s.Reaches(s.Customer, netnstest.Customers, published...)
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
			for _, from := range netnstest.Attackers {
				s.Until(s.Attacker, from, published[0])
			}
			s.Reaches(s.Attacker, netnstest.Attackers, published...)
			s.Reaches(s.Customer, netnstest.Customers, published...)
			if list, err := d.List(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("listed after the end: %v, %v", list, err)
			}
		})
	}
}

// TestKernelEstablished cuts connections that were there before the block, to the host and to the container, and leaves the
// customer's. When the block is lifted they go on.
func TestKernelEstablished(t *testing.T) {
	s, d := newScene(t)
	open := func(ns string, from []string) (list []net.Conn) {
		for _, addr := range from {
			for _, port := range published {
				c, err := s.Dial(ns, addr, port, netnstest.Certain)
				if err != nil {
					t.Fatalf("%s to port %d: %v", addr, port, err)
				}
				t.Cleanup(func() { c.Close() })
				if !netnstest.Answers(c, netnstest.Certain) {
					t.Fatalf("port %d does not answer %s", port, addr)
				}
				list = append(list, c)
			}
		}
		return list
	}
	bad, good := open(s.Attacker, netnstest.Attackers), open(s.Customer, netnstest.Customers)
	entries := []block.Entry{entry("198.51.100.2/32", all), entry("2001:db8:a::/64", all)}
	if err := d.Apply(t.Context(), entries, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range bad {
		if netnstest.Answers(c, netnstest.Silence) {
			t.Errorf("the attacker's connection to %s goes on", c.RemoteAddr())
		}
	}
	for _, c := range good {
		if !netnstest.Answers(c, netnstest.Certain) {
			t.Errorf("the customer's connection to %s fell silent", c.RemoteAddr())
		}
	}
	if n := hits(t, d); n < uint64(len(bad)) {
		t.Errorf("%d packets refused, want one of each of %d connections at least", n, len(bad))
	}
	if err := d.Apply(t.Context(), nil, entries); err != nil {
		t.Fatal(err)
	}
	for _, c := range bad {
		if !netnstest.Answers(c, netnstest.Certain) {
			t.Errorf("lifted, and the connection to %s stays silent", c.RemoteAddr())
		}
	}
}

// TestKernelPorts denies some ports, of TCP and UDP, and no other. The published port is the host's.
func TestKernelPorts(t *testing.T) {
	s, d := newScene(t)
	for _, tt := range []struct {
		ports        []uint16
		denied, open []int
		datagrams    bool // UDP port 80 still answers
	}{
		{[]uint16{80}, []int{80}, []int{22, 8080}, false},
		{[]uint16{22, 8080}, []int{22, 8080}, []int{80}, true},
	} {
		entries := []block.Entry{entry("198.51.100.2/32", connwarden.Ports(tt.ports...)), entry("2001:db8:a::/64", connwarden.Ports(tt.ports...))}
		if err := d.Apply(t.Context(), entries, nil); err != nil {
			t.Fatal(err)
		}
		s.Fails(s.Attacker, netnstest.Attackers, tt.denied...)
		s.Reaches(s.Attacker, netnstest.Attackers, tt.open...)
		s.Reaches(s.Customer, netnstest.Customers, published...)
		for _, from := range netnstest.Attackers {
			wait := netnstest.Silence
			if tt.datagrams {
				wait = netnstest.Certain
			}
			if got := s.Datagram(s.Attacker, from, wait); got != tt.datagrams {
				t.Errorf("ports %v denied: datagrams of %s are answered: %t", tt.ports, from, got)
			}
		}
		if err := d.Apply(t.Context(), nil, entries); err != nil {
			t.Fatal(err)
		}
		s.Reaches(s.Attacker, netnstest.Attackers, tt.denied...)
	}
}

// TestKernelReload has the firewall beside us reload itself, as firewalld and Docker do: their tables go and come, and the
// block holds throughout, whatever they accept.
func TestKernelReload(t *testing.T) {
	s, d := newScene(t)
	if err := d.Apply(t.Context(), []block.Entry{entry("198.51.100.2/32", all)}, nil); err != nil {
		t.Fatal(err)
	}
	load(t, s, `
delete table inet filter
table inet filter {
	chain early { type filter hook prerouting priority -400; policy accept; ip saddr 198.51.100.2 accept; }
	chain input { type filter hook input priority filter; policy accept; ip saddr 198.51.100.2 accept; }
}`)
	s.Fails(s.Attacker, netnstest.Attackers[:1], published...)
	s.Reaches(s.Customer, netnstest.Customers, published...)
	s.Reaches(s.Attacker, netnstest.Attackers[1:], published...)
}

// TestKernelOutgoing leaves what goes out alone, and with it no answers: a block is of both directions in effect.
func TestKernelOutgoing(t *testing.T) {
	s, d := newScene(t)
	var there net.Listener
	netnstest.In(t, s.Attacker, func() (err error) {
		there, err = net.Listen("tcp", ":25")
		return err
	})
	defer there.Close()
	go netnstest.Echo(there)
	reaches := func(to string, wait time.Duration) (yes bool) {
		netnstest.In(t, s.Server, func() error {
			c, err := net.DialTimeout("tcp", net.JoinHostPort(to, "25"), wait)
			if err == nil {
				yes = netnstest.Answers(c, wait)
				c.Close()
			}
			return nil
		})
		return yes
	}
	for _, to := range netnstest.Attackers {
		if !reaches(to, netnstest.Certain) {
			t.Errorf("not blocked, and %s is not reached", to)
		}
	}
	if err := d.Apply(t.Context(), []block.Entry{entry(netnstest.Attackers[0]+"/32", all)}, nil); err != nil {
		t.Fatal(err)
	}
	if reaches(netnstest.Attackers[0], netnstest.Silence) {
		t.Error("blocked, and its answers come in")
	}
	if !reaches(netnstest.Attackers[1], netnstest.Certain) {
		t.Error("not blocked, and its answers do not come in")
	}
}

// TestKernelDisarmed has somebody take away what makes a block work, but not the block: what was listed brings it back.
func TestKernelDisarmed(t *testing.T) {
	for _, how := range []string{"flush chain inet connwarden incoming", "flush table inet connwarden", "add table inet connwarden { flags dormant; }"} {
		t.Run(how, func(t *testing.T) {
			s, d := newScene(t)
			blocked := []block.Entry{entry("198.51.100.2/32", all), entry("2001:db8:a::/64", all)}
			if err := d.Apply(t.Context(), blocked, nil); err != nil {
				t.Fatal(err)
			}
			load(t, s, how+"\n")
			s.Reaches(s.Attacker, netnstest.Attackers, published...)
			if list, err := d.List(t.Context()); err != nil || len(list) > 0 {
				t.Errorf("listed although nothing is dropped: %v, %v", list, err)
			}
			if err := d.Apply(t.Context(), blocked, nil); err != nil {
				t.Fatal(err)
			}
			s.Fails(s.Attacker, netnstest.Attackers, published...)
		})
	}
}
