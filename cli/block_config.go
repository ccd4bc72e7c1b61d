package cli

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden/block"
)

// blockFile is the section [block] of the configuration.
type blockFile struct {
	Drivers    []string          `toml:"drivers" comment:"the firewalls to block with (default: the one that filters this machine)"`
	Never      []string          `toml:"never" comment:"addresses and prefixes that are never blocked, besides those of connwarden allow"`
	Escalation []string          `toml:"escalation" comment:"how long the first, second… automatic block of an address lasts"`
	Pardon     *string           `toml:"pardon" comment:"how long after an unblock nothing is blocked again by itself"`
	Widest4    *int              `toml:"widest_ipv4" comment:"the shortest IPv4 prefix that is blocked without --force"`
	Widest6    *int              `toml:"widest_ipv6" comment:"the shortest IPv6 prefix that is blocked without --force"`
	PerMinute  *int              `toml:"per_minute" comment:"automatic blocks in a minute, at most"`
	Sites      map[string]string `toml:"sites" comment:"folders of sites and their addresses, by which a block of the driver htaccess is proved"`
}

// blockPlan is what is done about blocks.
type blockPlan struct {
	Drivers    []string // empty: the default
	Never      []netip.Prefix
	NeverFrom  string
	Escalation []time.Duration
	Pardon     time.Duration
	Limits     block.Limits
	Sites      map[string]string
}

// planBlock reads the section and says where each value comes from.
func (p *Plan) planBlock(f *blockFile, names []string, inFile func(string) string) error {
	b := blockPlan{Escalation: block.Steps(), Pardon: 24 * time.Hour, Limits: block.Limits{Widest4: block.Widest4, Widest6: block.Widest6, PerMinute: block.PerMinute}}
	origin := func(set bool, key string) string {
		if set {
			return inFile("block." + key)
		}
		return "default"
	}

	b.Drivers = f.Drivers
	for _, name := range f.Drivers {
		if !slices.Contains(names, name) {
			return usage("one or more of "+strings.Join(names, ", "), "%s: there is no firewall %q", inFile("block.drivers"), name)
		}
	}
	p.set("block.drivers", b.Drivers, origin(f.Drivers != nil, "drivers"))

	b.NeverFrom = inFile("block.never")
	for _, text := range f.Never {
		prefix, err := block.ParseTarget(text)
		if err != nil {
			return usage("write an address or a prefix", "%s: %w", b.NeverFrom, err)
		}
		b.Never = append(b.Never, prefix)
	}
	p.set("block.never", f.Never, origin(f.Never != nil, "never"))

	if f.Escalation != nil {
		b.Escalation = nil
		for _, text := range f.Escalation {
			d, err := parseFor(text)
			if err != nil || len(b.Escalation) > 0 && d <= b.Escalation[len(b.Escalation)-1] {
				return usage(`spans that rise: ["10m", "1h", "1d", "1w"]`, "%s: %q is no longer span than the one before", inFile("block.escalation"), text)
			}
			b.Escalation = append(b.Escalation, d)
		}
		if len(b.Escalation) == 0 {
			return usage(`spans that rise: ["10m", "1h", "1d", "1w"]`, "%s: there is none", inFile("block.escalation"))
		}
	}
	p.set("block.escalation", fmt.Sprint(b.Escalation), origin(f.Escalation != nil, "escalation"))

	if f.Pardon != nil {
		d, err := parseFor(*f.Pardon)
		if err != nil {
			return usage("a span: 1d, 12h", "%s: %w", inFile("block.pardon"), err)
		}
		b.Pardon = d
	}
	p.set("block.pardon", b.Pardon.String(), origin(f.Pardon != nil, "pardon"))

	for _, n := range []struct {
		key      string
		from     *int
		to       *int
		low, top int
	}{
		{"widest_ipv4", f.Widest4, &b.Limits.Widest4, 1, 32},
		{"widest_ipv6", f.Widest6, &b.Limits.Widest6, 1, 128},
		{"per_minute", f.PerMinute, &b.Limits.PerMinute, 1, 1_000_000},
	} {
		if n.from != nil {
			if *n.from < n.low || *n.from > n.top {
				return usage(fmt.Sprintf("a number from %d to %d", n.low, n.top), "%s: %d", inFile("block."+n.key), *n.from)
			}
			*n.to = *n.from
		}
		p.set("block."+n.key, *n.to, origin(n.from != nil, n.key))
	}

	for dir, page := range f.Sites {
		u, err := url.Parse(page)
		if !filepath.IsAbs(dir) || err != nil || u.Host == "" {
			return usage(`sites = {"/var/www/shop" = "https://shop.example.com/"}`, "%s: %q = %q", inFile("block.sites"), dir, page)
		}
	}
	b.Sites = f.Sites
	p.set("block.sites", slices.Sorted(maps.Keys(f.Sites)), origin(f.Sites != nil, "sites"))
	p.Block = b
	return nil
}

// longest is the longest span of a block: ten years, after which nobody remembers why.
const longest = 10 * 365 * 24 * time.Hour

// parseFor reads how long something is to last.
func parseFor(text string) (time.Duration, error) {
	d, err := parseSpan(text)
	if err == nil && (d < time.Second || d > longest) {
		err = fmt.Errorf("%q is not between a second and ten years", text)
	}
	return d, err
}
