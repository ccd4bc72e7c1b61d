// Package nft denies by nftables, in a table of its own.
//
// The chain "incoming" hooks prerouting at priority -310: before connection tracking, so that established connections are cut
// as well, and before Docker's and everybody's address translation, so that the published ports of containers are behind
// it. Another table's accept cannot undo its drop, and firewalld, Docker and iptables leave other tables alone when they reload;
// "nft flush ruleset", which the nftables service of distributions runs when it starts, takes it away with everything else.
//
// Each length of prefix has a plain hash set of its own, and a rule that masks the sender's address and looks it up:
//
//	table inet connwarden {
//		set ip4-32 { type ipv4_addr; flags timeout; counter; }
//		set ip6-64 { type ipv6_addr; flags timeout; counter; }
//		set ports-25-587-ip4-24 { type ipv4_addr; flags timeout; counter; }
//		chain incoming {
//			type filter hook prerouting priority -310; policy accept;
//			ip saddr @ip4-32 drop
//			ip6 saddr & ffff:ffff:ffff:ffff:: @ip6-64 drop
//			meta l4proto { tcp, udp } th dport { 25, 587 } jump ports-25-587
//		}
//		chain ports-25-587 {
//			ip saddr & 255.255.255.0 @ports-25-587-ip4-24 drop
//		}
//	}
//
// So a prefix is one element, as an address is: it has its own end, which the kernel keeps, its own count, and is added,
// listed and removed without regard to what overlaps it. An interval set would refuse what overlaps, and would have to be read
// before it is written. The price is a look-up for each length in use, whatever their number of elements.
//
// Sets and chains are made when they are first needed and stay until Flush; nothing but their names says what they are,
// so that any process finds what another left. The ports are those that the client sees: of a published port the host's,
// not the container's.
//
// What does not pass prerouting is not seen: packets that XDP or tc took before, connections in a flow table (forwarded
// ones that the machine's own ruleset offloads), and bridged or macvlan guests with addresses of their own.
package nft

import (
	"fmt"
	"strings"

	"github.com/connwarden/connwarden"
)

// Name is how the driver is called.
const Name = "nft"

// DefaultTable is the table's name where Options.Name is empty.
const DefaultTable = "connwarden"

// Options say which table is ours.
type Options struct {
	// Name is the table's, of the family inet: a letter, then letters, digits, '-' and '_', at most 100. All of that
	// table is ours, and Flush deletes it, so two instances must have two names. Empty is [DefaultTable].
	Name string
	// Uncounted makes sets without counters, so that List tells no hits. A counter costs the kernel 16 bytes for each
	// entry on each processor: with 100,000 entries and 64 processors 100 MB.
	Uncounted bool
}

// tableName checks the name.
func (o Options) tableName() (string, error) {
	name := o.Name
	if name == "" {
		name = DefaultTable
	}
	const most = 100
	ok := len(name) <= most && isLetter(name[0])
	for _, c := range []byte(name) {
		ok = ok && (isLetter(c) || '0' <= c && c <= '9' || c == '-' || c == '_')
	}
	if !ok {
		return "", fmt.Errorf("the table's name %q: want a letter, then letters, digits, '-' and '_', at most %d", name, most)
	}
	return name, nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// names joins words for people.
func names(list []string) string {
	const most = 8
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}

// unsupported says why an entry cannot be held.
func unsupported(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, connwarden.ErrUnsupported)...)
}
