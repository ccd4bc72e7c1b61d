package nft

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/connwarden/connwarden/block"
)

// script is a transaction in the words of nft.
type script struct {
	table   string // with its family
	counter bool
	lines   []string
	chains  map[string]bool // of those that have been written
}

func (w *script) line(format string, args ...any) {
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}

// change writes what a change of one set needs; there are the entries that are in the set.
func (w *script) change(r *ruleset, c change, there []block.Entry, now time.Time) {
	name := c.set()
	if !r.sets[name] && len(c.add) == 0 {
		return
	}
	if len(c.add) > 0 && !r.works(c.place) {
		w.lead(r, c.place)
	}
	if !r.sets[name] {
		family, counter := "ipv4_addr", ""
		if c.v6 {
			family = "ipv6_addr"
		}
		if w.counter {
			counter = " counter;"
		}
		w.line("add set %s %s { type %s; flags timeout;%s }", w.table, name, family, counter)
	}
	if len(c.add) > 0 && !r.drops[name] {
		w.line("add rule %s %s %s drop", w.table, c.chain(), c.match())
	}
	for _, e := range there {
		w.line("delete element %s %s { %s }", w.table, name, e.Target.Addr())
	}
	for _, e := range c.add {
		end := ""
		if left := timeout(e, now); left > 0 {
			end = " timeout " + nftTime(left)
		}
		w.line("add element %s %s { %s%s }", w.table, name, e.Target.Addr(), end)
	}
}

// lead writes what makes packets come to the chain of a place.
func (w *script) lead(r *ruleset, p place) {
	if w.chains == nil {
		w.chains = map[string]bool{}
		w.line("add table %s", w.table)
		if r.misplaced {
			w.line("flush chain %s %s", w.table, incoming)
			w.line("delete chain %s %s", w.table, incoming)
		}
		w.line("add chain %s %s { type filter hook prerouting priority %d; policy accept; }", w.table, incoming, priority)
	}
	chain := p.chain()
	if chain == incoming || w.chains[chain] {
		return
	}
	w.chains[chain] = true
	w.line("add chain %s %s", w.table, chain)
	if !r.jumps[chain] {
		ports := p.scope.Detail
		if strings.Contains(ports, ",") {
			ports = "{ " + strings.ReplaceAll(ports, ",", ", ") + " }"
		}
		w.line("add rule %s %s meta l4proto { tcp, udp } th dport %s jump %s", w.table, incoming, ports, chain)
	}
}

// match is the rule of a set without its verdict.
func (p place) match() string {
	header := "ip saddr"
	if p.v6 {
		header = "ip6 saddr"
	}
	if p.bits < p.width() {
		mask, _ := netip.AddrFromSlice(p.mask())
		header += " & " + mask.String()
	}
	return header + " @" + p.set()
}

// nftTime writes a timeout in nft's form, "1h30m".
func nftTime(d time.Duration) string {
	text := ""
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if n := d / unit.size; n > 0 {
			text += fmt.Sprint(int64(n), unit.name)
			d %= unit.size
		}
	}
	return text
}
