package windows

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

const (
	// prefix begins the names of our rules, which is our mark.
	prefix = "connwarden-"
	// perRule bounds the targets of a rule, so that the longest two hundred fit into a command line.
	perRule = 200
)

// part is some of a scope's targets: one rule of everything, or two of ports, whose rules have a protocol each.
type part struct {
	scope  connwarden.Scope
	number int
}

// names are the rules of a part: "connwarden-all-1", "connwarden-80_443-1-tcp" and "connwarden-80_443-1-udp".
func (p part) names() []string {
	number := strconv.Itoa(p.number)
	if p.scope.Kind == connwarden.ScopeAll {
		return []string{prefix + "all-" + number}
	}
	stem := prefix + strings.ReplaceAll(p.scope.Detail, ",", "_") + "-" + number
	return []string{stem + "-tcp", stem + "-udp"}
}

// parseName is the part that a rule is of, and its protocol; ok is false for names that are not ours.
func parseName(name string) (p part, protocol string, ok bool) {
	rest, ours := strings.CutPrefix(name, prefix)
	words := strings.Split(rest, "-")
	if !ours || len(words) < 2 {
		return part{}, "", false
	}
	number, err := strconv.Atoi(words[1])
	if err != nil || number < 1 {
		return part{}, "", false
	}
	if p = (part{number: number}); len(words) == 3 {
		s := connwarden.Scope{Kind: connwarden.ScopePorts, Detail: strings.ReplaceAll(words[0], "_", ",")}
		p.scope, protocol = connwarden.Ports(s.PortList()...), words[2]
	}
	return p, protocol, slices.Contains(p.names(), name)
}

// rule is what the firewall has under one name.
type rule struct {
	off     bool // somebody switched it off
	targets []netip.Prefix
}

// rules are all of ours, by name.
type rules map[string]rule

// parts are the targets that stand in every rule of a part.
func (r rules) parts() map[part][]netip.Prefix {
	parts := map[part][]netip.Prefix{}
	for name := range r {
		p, _, ok := parseName(name)
		if _, seen := parts[p]; !ok || seen {
			continue
		}
		count := map[netip.Prefix]int{}
		for _, name := range p.names() {
			if held, ok := r[name]; ok && !held.off {
				for _, t := range targets(held.targets) {
					count[t]++
				}
			}
		}
		parts[p] = []netip.Prefix{}
		for t, n := range count {
			if n == len(p.names()) {
				parts[p] = append(parts[p], t)
			}
		}
	}
	return parts
}

// entries are what is in force.
func (r rules) entries() []block.Entry {
	var list []block.Entry
	for p, targets := range r.parts() {
		for _, t := range targets {
			list = append(list, block.Entry{Target: t, Scope: p.scope})
		}
	}
	return list
}

// after returns the rules that a wish asks for: what is kept stays in its rule, what comes goes where there is room.
func (r rules) after(add, remove []block.Entry) rules {
	where := map[block.EntryKey]part{}
	parts := map[part][]netip.Prefix{}
	for p, targets := range r.parts() {
		for _, t := range targets {
			where[block.EntryKey{Target: t, Scope: p.scope}] = p
		}
	}
	for _, e := range remove {
		delete(where, block.EntryKey{Target: e.Target.Masked(), Scope: e.Scope})
	}
	for key, p := range where {
		parts[p] = append(parts[p], key.Target)
	}
	room := map[connwarden.Scope]int{} // the first part of a scope that may have room
	for _, e := range add {
		key := block.EntryKey{Target: e.Target.Masked(), Scope: e.Scope}
		if _, held := where[key]; held {
			continue
		}
		p := part{e.Scope, max(1, room[e.Scope])}
		for len(parts[p]) >= perRule {
			p.number++
		}
		room[e.Scope] = p.number
		parts[p] = append(parts[p], key.Target)
		where[key] = p
	}
	next := rules{}
	for p, list := range parts {
		for _, name := range p.names() {
			next[name] = rule{targets: targets(list)}
		}
	}
	return next
}

// act is what is done to a rule.
type act uint8

const (
	drop act = iota
	set
	create
)

// step is one change of one rule.
type step struct {
	act      act
	name     string
	targets  []netip.Prefix
	ports    string // "80,443" of a rule of ports that is made
	protocol string
}

// steps lead from the rules as they are to others: first what goes, then what changes, then what comes.
func (r rules) steps(to rules) []step {
	var steps []step
	for _, name := range slices.Sorted(maps.Keys(r)) {
		next, stays := to[name]
		switch {
		case !stays:
			steps = append(steps, step{act: drop, name: name})
		case r[name].off || !slices.Equal(targets(r[name].targets), next.targets):
			steps = append(steps, step{act: set, name: name, targets: next.targets})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(to)) {
		if _, there := r[name]; there {
			continue
		}
		p, protocol, _ := parseName(name)
		steps = append(steps, step{create, name, to[name].targets, p.scope.Detail, protocol})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return int(a.act) - int(b.act) })
	return steps
}
