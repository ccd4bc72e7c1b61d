package nft

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/blocktest"
	"github.com/connwarden/connwarden/internal/netnstest"
)

func open(t testing.TB) *Driver {
	t.Helper()
	d, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// listed is what nft lists, without what changes by itself.
func listed(t testing.TB, what ...string) string {
	t.Helper()
	return netnstest.Command(t, "nft", append([]string{"--stateless", "list"}, what...)...)
}

func load(t testing.TB, text string) {
	t.Helper()
	c := exec.Command("nft", "-f", "-")
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("nft -f -: %v\n%s\n%s", err, out, text)
	}
}

const others = `
table inet firewalld {
	set banned { type ipv4_addr; flags timeout; elements = { 192.0.2.7, 198.51.100.1 timeout 1d }; }
	chain in { type filter hook input priority 10; policy accept; ct state established,related accept; ip saddr @banned drop; }
}
table ip nat {
	chain pre { type nat hook prerouting priority -100; policy accept; tcp dport 8080 dnat to 172.17.0.2:80; }
}
table ip connwarden {
	set ip4-32 { type ipv4_addr; elements = { 192.0.2.7 }; }
}
table inet connwarden2 {
	set ip4-32 { type ipv4_addr; elements = { 192.0.2.7 }; }
}
`

func TestKernelConformance(t *testing.T) {
	netnstest.Root(t)
	blocktest.Run(t, func(t testing.TB) block.Driver { return open(t) }, blocktest.Options{
		Around: netnstest.Run,
		Foreign: func(t testing.TB) func(testing.TB) {
			load(t, others)
			before := listed(t, "ruleset")
			return func(t testing.TB) {
				after := ""
				for _, table := range []string{"inet firewalld", "ip nat", "ip connwarden", "inet connwarden2"} {
					after += listed(t, append([]string{"table"}, strings.Fields(table)...)...)
				}
				if after != before {
					t.Errorf("before:\n%s\nafter:\n%s", before, after)
				}
			}
		},
		Traces: func(t testing.TB) string { return listed(t, "ruleset") },
		Reopen: func(t testing.TB) block.Driver { return open(t) },
	})
}
