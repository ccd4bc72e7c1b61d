package block_test

import (
	"strings"
	"testing"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/internal/netnstest"
)

// TestRealRoutes finds every next hop: of a route with several, of a hop of the other family, and of another table.
func TestRealRoutes(t *testing.T) {
	netnstest.Run(t, func() {
		for _, words := range []string{
			"link add d0 type veth peer name p0", "link add d1 type veth peer name p1", "link set d0 up", "link set p0 up", "link set d1 up", "link set p1 up",
			"addr add 192.0.2.10/24 dev d0", "addr add 198.51.100.10/24 dev d1", "addr add 2001:db8:1::10/64 dev d0 nodad", "addr add 2001:db8:2::10/64 dev d1 nodad",
			"route add default nexthop via 192.0.2.1 dev d0 weight 1 nexthop via 198.51.100.1 dev d1 weight 1",
			"route add default via 198.51.100.2 dev d1 table 100",
			"route add 203.0.113.0/24 via inet6 2001:db8:1::3 dev d0",
			"-6 route add default nexthop via 2001:db8:1::1 dev d0 nexthop via 2001:db8:2::1 dev d1",
		} {
			netnstest.Command(t, "ip", strings.Fields(words)...)
		}
		got, problems := block.Facts(block.Machine{Getenv: func(string) string { return "" }})
		text := strings.Join(spared(got), "\n") + "\n"
		for _, want := range []string{
			"192.0.2.1/32 the gateway of d0", "198.51.100.1/32 the gateway of d1", "198.51.100.2/32 the gateway of d1",
			"2001:db8:1::1/128 the gateway of d0", "2001:db8:1::3/128 the gateway of d0", "2001:db8:2::1/128 the gateway of d1",
		} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("%s is missing:\n%s", want, text)
			}
		}
		for _, p := range problems {
			if p.What == "routes" {
				t.Error(p.Why)
			}
		}
	})
}

// FuzzHops feeds hostile routes.
func FuzzHops(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00\x05\x00\xc0\x00\x02\x01\x08\x00\x04\x00\x02\x00\x00\x00"))
	f.Fuzz(func(_ *testing.T, route []byte) { block.Hops(route) })
}
