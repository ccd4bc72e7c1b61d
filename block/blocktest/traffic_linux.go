package blocktest

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// Traffic blocks a scene's attacker by a driver that counts and drops packets, while a customer goes on: the server's own
// ports and a container's published one. Every proof must say proof. In the end nothing is in force.
func Traffic(t *testing.T, s *netnstest.Scene, d interface {
	block.Driver
	block.Prover
}, proof string,
) {
	t.Helper()
	s.Publish()
	all := []int{80, 22, 8080}
	s.Reaches(s.Attacker, netnstest.Attackers, all...)
	s.Reaches(s.Customer, netnstest.Customers, all...)
	var before []net.Conn
	for _, addr := range netnstest.Attackers {
		for _, port := range all {
			c, err := s.Dial(s.Attacker, addr, port, netnstest.Certain)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			before = append(before, c)
		}
	}
	apply := func(add, remove []block.Entry) {
		t.Helper()
		netnstest.In(t, s.Server, func() error { return d.Apply(t.Context(), add, remove) })
	}
	denied := Entries(connwarden.Scope{}, netnstest.Attackers...)
	apply(denied, nil)
	s.Fails(s.Attacker, netnstest.Attackers, all...)
	s.Reaches(s.Customer, netnstest.Customers, all...)
	for i, c := range before {
		if netnstest.Answers(c, netnstest.Silence) {
			t.Errorf("open connection %d of the attacker goes on", i)
		}
	}
	apply(denied, nil) // again: the counts stay
	netnstest.In(t, s.Server, func() error {
		list, err := d.List(t.Context())
		if err != nil || len(list) != len(denied) {
			return fmt.Errorf("list: %v, %w", list, err)
		}
		for _, e := range list {
			if e.Hits.Packets < 3 || e.Hits.Bytes < 3*40 {
				return fmt.Errorf("%s: hits %+v, want three packets at least", e.Target, e.Hits)
			}
			if seen, err := d.Prove(t.Context(), e); err != nil || !strings.Contains(seen, proof) {
				return fmt.Errorf("prove %s: %q, %w", e.Target, seen, err)
			}
		}
		return nil
	})

	// Some ports alone, and a prefix.
	apply([]block.Entry{
		{Target: netip.MustParsePrefix("198.51.100.0/25"), Scope: connwarden.Ports(80, 443)},
		{Target: netip.MustParsePrefix("2001:db8:a::/64"), Scope: connwarden.Ports(80, 443)},
	}, denied)
	s.Fails(s.Attacker, netnstest.Attackers, 80)
	s.Reaches(s.Attacker, netnstest.Attackers, 22, 8080)
	s.Reaches(s.Customer, netnstest.Customers, all...)

	netnstest.In(t, s.Server, func() error { return d.Flush(t.Context()) })
	s.Reaches(s.Attacker, netnstest.Attackers, all...)
}
