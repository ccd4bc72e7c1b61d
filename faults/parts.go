package faults

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// partBound is how many of the clients, and how many of the sites, behind a row are known by name: more than anybody looks at, so that
// those shown are right.
const partBound = 24

// Part is how much of a row one client or one site is behind. At least Count - Over of its faults are its own: until more than 24 different
// names have turned up, Over is 0 and Count is exact; beyond that a name that was let go may come back with what another had.
type Part[K comparable] struct {
	Name  K
	Count uint64
	Over  uint64
}

// parts counts names in bounded memory, after Metwally, Agrawal and El Abbadi, "Efficient computation of frequent and top-k elements in data
// streams" (2005): whoever is behind more than a 24th of a row is among them.
type parts[K comparable] []Part[K]

// add counts name n times.
func (p *parts[K]) add(name K, n, over uint64) {
	least := 0
	for i := range *p {
		one := &(*p)[i]
		if one.Name == name {
			one.Count += n
			one.Over += over
			return
		}
		if one.Count < (*p)[least].Count {
			least = i
		}
	}
	if len(*p) < partBound {
		*p = append(*p, Part[K]{name, n, over})
		return
	}
	gone := (*p)[least].Count
	(*p)[least] = Part[K]{name, gone + n, gone + over}
}

// merge adds o to p.
func (p *parts[K]) merge(o parts[K]) {
	for _, one := range o {
		p.add(one.Name, one.Count, one.Over)
	}
}

// top returns the parts, the largest first.
func (p parts[K]) top(compare func(a, b K) int) []Part[K] {
	list := slices.Clone(p)
	slices.SortFunc(list, func(a, b Part[K]) int { return cmp.Or(cmp.Compare(b.Count, a.Count), compare(a.Name, b.Name)) })
	return list
}

func topClients(p parts[netip.Addr]) []Part[netip.Addr] { return p.top(netip.Addr.Compare) }
func topSites(p parts[string]) []Part[string]           { return p.top(strings.Compare) }

// hasSite tells whether a site is among the parts already, and counts it if so; names are kept only when they are new.
func hasSite(p parts[string], site []byte) bool {
	for i := range p {
		if p[i].Name == string(site) {
			p[i].Count++
			return true
		}
	}
	return false
}
