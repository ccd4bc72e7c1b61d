package nft

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

const (
	// incoming is the chain that the kernel calls.
	incoming = "incoming"
	// priority is before raw (-300), where connection tracking can be turned off, and after the putting together of
	// fragments (-400).
	priority = -310
	// maxPorts bounds a scope of ports: its name lists them, and the kernel's names end at 255.
	maxPorts = 32
)

// place is a set: what entries have in common that are in it.
type place struct {
	scope connwarden.Scope
	v6    bool
	bits  int
}

// placeOf returns where an entry belongs.
func placeOf(e block.Entry) (place, error) {
	p := place{e.Scope, e.Target.Addr().Is6(), e.Target.Bits()}
	switch {
	case !e.Target.IsValid() || e.Target.Addr().Is4In6() || e.Target != e.Target.Masked():
		return p, unsupported("%s is no masked prefix", e.Target)
	case e.Scope == connwarden.Scope{}:
		return p, nil
	case e.Scope.Kind != connwarden.ScopePorts:
		return p, unsupported("it has no scope %s", e.Scope)
	}
	ports := e.Scope.PortList()
	if len(ports) == 0 || connwarden.Ports(ports...) != e.Scope {
		return p, unsupported("the scope %s is no ascending list of ports", e.Scope)
	}
	if len(ports) > maxPorts {
		return p, unsupported("the scope has %d ports and at most %d have room", len(ports), maxPorts)
	}
	return p, nil
}

const portsWord = "ports-"

// chain is the name of the chain that looks the set up.
func (p place) chain() string {
	if p.scope.Kind == connwarden.ScopeAll {
		return incoming
	}
	return portsWord + strings.ReplaceAll(p.scope.Detail, ",", "-")
}

// set is the set's name: the scope, the family, the length.
func (p place) set() string {
	word := "ip4-"
	if p.v6 {
		word = "ip6-"
	}
	if p.scope.Kind != connwarden.ScopeAll {
		word = p.chain() + "-" + word
	}
	return word + strconv.Itoa(p.bits)
}

// parsePlace reads what set wrote, and nothing else.
func parsePlace(set string) (place, bool) {
	var p place
	rest := set
	if ports, ok := strings.CutPrefix(set, portsWord); ok {
		at := strings.Index(ports, "-ip")
		if at < 0 {
			return p, false
		}
		p.scope = connwarden.Scope{Kind: connwarden.ScopePorts, Detail: strings.ReplaceAll(ports[:at], "-", ",")}
		rest = ports[at+1:]
	}
	family, bits, _ := strings.Cut(rest, "-")
	p.v6 = family == "ip6"
	p.bits, _ = strconv.Atoi(bits)
	if p.bits < 0 || p.bits > p.width() || p.set() != set {
		return place{}, false
	}
	_, err := placeOf(block.Entry{Target: p.prefix(p.zero()), Scope: p.scope})
	return p, err == nil
}

// width is how many bits an address has.
func (p place) width() int {
	if p.v6 {
		return 128
	}
	return 32
}

func (p place) zero() netip.Addr {
	if p.v6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

func (p place) prefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, p.bits) }

// mask is what the sender's address is cut to.
func (p place) mask() []byte {
	m := make([]byte, p.width()/8)
	for i := range m {
		if left := p.bits - 8*i; left > 0 {
			m[i] = 0xff << (8 - min(left, 8))
		}
	}
	return m
}

// compare puts the longest first: single addresses are what most packets are refused by.
func (p place) compare(o place) int {
	v6 := map[bool]int{true: 1}
	return cmp.Or(cmp.Compare(p.scope.Kind, o.scope.Kind), cmp.Compare(p.scope.Detail, o.scope.Detail),
		cmp.Compare(v6[p.v6], v6[o.v6]), cmp.Compare(o.bits, p.bits))
}

// ruleset is what our table holds, but for the elements.
type ruleset struct {
	asleep    bool            // the table has the flag "dormant": its chains are not called
	misplaced bool            // incoming is there and hangs somewhere else, or nowhere; its rules are as if they were not
	sets      map[string]bool // by name, those that are places
	drops     map[string]bool // sets whose rule drops, by name, in the chain where it belongs
	jumps     map[string]bool // chains that incoming leads to
}

// leads tells whether packets come to the chain of a place.
func (r *ruleset) leads(p place) bool { return p.chain() == incoming || r.jumps[p.chain()] }

// works tells whether what is in the set of a place is dropped.
func (r *ruleset) works(p place) bool {
	return !r.asleep && !r.misplaced && r.drops[p.set()] && r.leads(p)
}

// change is what is to be done to one set.
type change struct {
	place
	add  []block.Entry // of which there is one a target
	gone []block.Entry // what is removed, and not in add
}

// changes sorts entries by set. Of several entries with one key the last counts, and additions win over removals, as if the
// removals were done first. What has ended by now is removed.
func changes(add, remove []block.Entry, now time.Time) ([]change, *block.Error) {
	last := make(map[block.EntryKey]int, len(add))
	for i := range add {
		last[add[i].Key()] = i
	}
	var list []change
	at := map[place]int{}
	of := func(p place) *change {
		i, ok := at[p]
		if !ok {
			i = len(list)
			at[p] = i
			list = append(list, change{place: p})
		}
		return &list[i]
	}
	for i, e := range add {
		p, err := placeOf(e)
		switch {
		case err != nil:
			return nil, &block.Error{Driver: Name, Op: "add", Target: e.Target.String(), Err: err}
		case last[e.Key()] != i:
		case !e.Until.IsZero() && !e.Until.After(now):
			c := of(p)
			c.gone = append(c.gone, e)
		default:
			c := of(p)
			c.add = append(c.add, e)
		}
	}
	seen := make(map[block.EntryKey]bool, len(remove))
	for _, e := range remove {
		_, comes := last[e.Key()]
		p, err := placeOf(e)
		if err != nil || comes || seen[e.Key()] {
			continue // what cannot be held is not there
		}
		seen[e.Key()] = true
		c := of(p)
		c.gone = append(c.gone, e)
	}
	slices.SortFunc(list, func(a, b change) int { return a.compare(b.place) })
	return list, nil
}

// timeout is what is left of an entry, in whole milliseconds and at least one; 0 for one without end. An element with
// a timeout of 0 stays for ever, which is why none may be rounded down to it.
func timeout(e block.Entry, now time.Time) time.Duration {
	if e.Until.IsZero() {
		return 0
	}
	return max(e.Until.Sub(now).Truncate(time.Millisecond), time.Millisecond)
}
