package cli

import (
	"slices"

	"github.com/connwarden/connwarden/fleet"
)

// fleetFile is the section [fleet] of the configuration.
type fleetFile struct {
	Accept    []string `toml:"accept" comment:"what other hosts may decide for this one: block, pardon, allow"`
	Enforce   *bool    `toml:"enforce" comment:"hold what other hosts decided although [actions] only suggests"`
	Groups    []string `toml:"groups" comment:"groups of hosts that are listened to (default: all)"`
	Score     *int     `toml:"score" comment:"blocks by verdicts below this score are left out"`
	Agree     *int     `toml:"agree" comment:"how many hosts must want the same block"`
	PerMinute *int     `toml:"per_minute" comment:"decisions of one other host in a minute, at most"`
	Most      *int     `toml:"most" comment:"decisions of one other host at a time, at most"`
	Widest4   *int     `toml:"widest_ipv4" comment:"the shortest IPv4 prefix that is taken from other hosts"`
	Widest6   *int     `toml:"widest_ipv6" comment:"the shortest IPv6 prefix that is taken from other hosts"`
	Share     []string `toml:"share" comment:"what this host shares: block, pardon, allow"`
}

// fleetPlan is what is taken from other hosts, and what is shared with them.
type fleetPlan struct {
	Policy  fleet.Policy
	Enforce bool
	Share   []fleet.Kind
}

// planFleet reads the section.
func (p *Plan) planFleet(f *fleetFile, inFile func(string) string) error {
	b := fleetPlan{Policy: fleet.Policy{Kinds: fleet.Kinds(), Agree: 1, PerMinute: fleet.PerMinute, Most: fleet.MostOfHost, Widest4: fleet.Widest4, Widest6: fleet.Widest6}, Share: fleet.Kinds()}
	for _, list := range []struct {
		key  string
		from []string
		to   *[]fleet.Kind
	}{{"accept", f.Accept, &b.Policy.Kinds}, {"share", f.Share, &b.Share}} {
		origin := "default"
		if list.from != nil {
			origin = inFile("fleet." + list.key)
			*list.to = []fleet.Kind{}
			for _, word := range list.from {
				k, ok := fleet.ParseKind(word)
				if !ok {
					return usage("some of block, pardon, allow", "%s: %q", origin, word)
				}
				*list.to = append(*list.to, k)
			}
		}
		words := []string{}
		for _, k := range *list.to {
			words = append(words, k.String())
		}
		p.set("fleet."+list.key, words, origin)
	}
	origin := "default"
	if f.Enforce != nil {
		b.Enforce, origin = *f.Enforce, inFile("fleet.enforce")
	}
	p.set("fleet.enforce", b.Enforce, origin)
	origin = "default"
	if f.Groups != nil {
		origin = inFile("fleet.groups")
		for _, name := range f.Groups {
			word, err := fleet.Word(name)
			if err != nil {
				return usage("a group as connwarden-hub token --group names it", "%s: %w", origin, err)
			}
			b.Policy.Groups = append(b.Policy.Groups, word)
		}
	}
	p.set("fleet.groups", slices.Clone(f.Groups), origin)
	for _, n := range []struct {
		key      string
		from     *int
		to       *int
		low, top int
	}{
		{"score", f.Score, &b.Policy.Score, 0, 100}, {"agree", f.Agree, &b.Policy.Agree, 1, 1000},
		{"per_minute", f.PerMinute, &b.Policy.PerMinute, 1, 1_000_000}, {"most", f.Most, &b.Policy.Most, 1, 1_000_000},
		{"widest_ipv4", f.Widest4, &b.Policy.Widest4, 8, 32}, {"widest_ipv6", f.Widest6, &b.Policy.Widest6, 16, 128},
	} {
		origin := "default"
		if n.from != nil {
			origin = inFile("fleet." + n.key)
			if *n.from < n.low || *n.from > n.top {
				return usage("", "%s: %d is not between %d and %d", origin, *n.from, n.low, n.top)
			}
			*n.to = *n.from
		}
		p.set("fleet."+n.key, *n.to, origin)
	}
	p.Fleet = b
	return nil
}
