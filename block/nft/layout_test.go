package nft

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

var all = connwarden.Scope{}

func entry(target string, scope connwarden.Scope) block.Entry {
	return block.Entry{Target: netip.MustParsePrefix(target), Scope: scope}
}

func TestPlaceOf(t *testing.T) {
	for _, tt := range []struct {
		target string
		scope  connwarden.Scope
		chain  string
		set    string
		match  string
	}{
		{"192.0.2.7/32", all, "incoming", "ip4-32", "ip saddr @ip4-32"},
		{"192.0.2.0/24", all, "incoming", "ip4-24", "ip saddr & 255.255.255.0 @ip4-24"},
		{"192.0.2.0/27", all, "incoming", "ip4-27", "ip saddr & 255.255.255.224 @ip4-27"},
		{"0.0.0.0/0", all, "incoming", "ip4-0", "ip saddr & 0.0.0.0 @ip4-0"},
		{"2001:db8::7/128", all, "incoming", "ip6-128", "ip6 saddr @ip6-128"},
		{"2001:db8::/64", all, "incoming", "ip6-64", "ip6 saddr & ffff:ffff:ffff:ffff:: @ip6-64"},
		{"2001:db8::/33", all, "incoming", "ip6-33", "ip6 saddr & ffff:ffff:8000:: @ip6-33"},
		{"192.0.2.7/32", connwarden.Ports(25), "ports-25", "ports-25-ip4-32", "ip saddr @ports-25-ip4-32"},
		{"2001:db8::/64", connwarden.Ports(587, 25), "ports-25-587", "ports-25-587-ip6-64",
			"ip6 saddr & ffff:ffff:ffff:ffff:: @ports-25-587-ip6-64"},
	} {
		p, err := placeOf(entry(tt.target, tt.scope))
		if err != nil || p.chain() != tt.chain || p.set() != tt.set || p.match() != tt.match {
			t.Errorf("%s %s: %v, chain %s, set %s, match %q; want %s, %s, %q", tt.target, tt.scope, err, p.chain(), p.set(), p.match(),
				tt.chain, tt.set, tt.match)
		}
		if back, ok := parsePlace(tt.set); !ok || back != p {
			t.Errorf("%s is read as %+v, %v", tt.set, back, ok)
		}
	}
}

func TestPlaceRefused(t *testing.T) {
	var many []uint16
	for i := range maxPorts + 1 {
		many = append(many, uint16(60_000+i))
	}
	for _, e := range []block.Entry{
		{},
		entry("192.0.2.7/24", all),
		entry("::ffff:192.0.2.7/128", all),
		entry("192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopeSite, Detail: "/srv/www"}),
		entry("192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopeLogins}),
		entry("192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopePorts}),
		entry("192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopePorts, Detail: "80,25"}),
		entry("192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopePorts, Detail: "25,smtp"}),
		entry("192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopeAll, Detail: "25"}),
		entry("192.0.2.7/32", connwarden.Ports(many...)),
	} {
		if p, err := placeOf(e); !errors.Is(err, connwarden.ErrUnsupported) {
			t.Errorf("%s %s: %+v, %v; want ErrUnsupported", e.Target, e.Scope, p, err)
		}
	}
	if _, err := placeOf(entry("192.0.2.7/32", connwarden.Ports(many[1:]...))); err != nil {
		t.Errorf("%d ports: %v", maxPorts, err)
	}
}

func TestParsePlaceOthers(t *testing.T) {
	for _, name := range []string{"", "ip4", "ip4-", "ip4-33", "ip4-+8", "ip4-08", "ip6-129", "ip5-32", "ip4-32 ", "banned", "ports-", "ports-ip4-32",
		"ports-25", "ports-25-ip4", "ports-587-25-ip4-32", "ports-25-25-ip4-32", "ports-025-ip4-32", "ports-65536-ip4-32", "ports-25,26-ip4-32",
		"__set0", "PORTS-25-ip4-32"} {
		if p, ok := parsePlace(name); ok {
			t.Errorf("%q is taken for %+v", name, p)
		}
	}
}

func FuzzParsePlace(f *testing.F) {
	for _, name := range []string{"ip4-32", "ip6-64", "ports-25-587-ip4-24", "ports--ip4-1", "ip4--1"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if p, ok := parsePlace(name); ok && p.set() != name {
			t.Errorf("%q is read as %+v, which is %q", name, p, p.set())
		}
	})
}

func TestMask(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		p := place{v6: v6}
		for ; p.bits <= p.width(); p.bits++ {
			ones := netip.MustParseAddr(map[bool]string{false: "255.255.255.255", true: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}[v6])
			want := netip.PrefixFrom(ones, p.bits).Masked().Addr().AsSlice()
			if got := p.mask(); !slices.Equal(got, want) {
				t.Errorf("/%d: %x, want %x", p.bits, got, want)
			}
		}
	}
}

func TestChanges(t *testing.T) {
	now := time.Now()
	until := func(e block.Entry, d time.Duration) block.Entry {
		e.Until = now.Add(d)
		return e
	}
	a, b, c := entry("192.0.2.7/32", all), entry("192.0.2.8/32", all), entry("192.0.2.9/32", all)
	net, mail := entry("10.0.0.0/8", all), entry("192.0.2.7/32", connwarden.Ports(25))
	site := entry("192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopeSite, Detail: "/srv/www"})
	six := entry("2001:db8::/64", all)
	show := func(list []change) (s string) {
		for _, c := range list {
			s += c.set()
			for _, e := range c.add {
				s += " +" + e.Target.String()
				if !e.Until.IsZero() {
					s += "=" + e.Until.Sub(now).String()
				}
			}
			for _, e := range c.gone {
				s += " -" + e.Target.String()
			}
			s += "\n"
		}
		return s
	}
	for _, tt := range []struct {
		what        string
		add, remove []block.Entry
		want        string
	}{
		{"nothing", nil, nil, ""},
		{"sorted: scope, family, length", []block.Entry{mail, six, net, a}, nil,
			"ip4-32 +192.0.2.7/32\nip4-8 +10.0.0.0/8\nip6-64 +2001:db8::/64\nports-25-ip4-32 +192.0.2.7/32\n"},
		{"the last of several", []block.Entry{until(a, time.Hour), b, until(a, 2*time.Hour)}, nil, "ip4-32 +192.0.2.8/32 +192.0.2.7/32=2h0m0s\n"},
		{"additions win", []block.Entry{a}, []block.Entry{a, b, b}, "ip4-32 +192.0.2.7/32 -192.0.2.8/32\n"},
		{"what has ended goes", []block.Entry{until(a, -time.Second), until(b, 0), c}, nil, "ip4-32 +192.0.2.9/32 -192.0.2.7/32 -192.0.2.8/32\n"},
		{"what cannot be held is not there", nil, []block.Entry{site, a}, "ip4-32 -192.0.2.7/32\n"},
	} {
		list, err := changes(tt.add, tt.remove, now)
		if got := show(list); err != nil || got != tt.want {
			t.Errorf("%s: %v\n%swant\n%s", tt.what, err, got, tt.want)
		}
	}
	if _, err := changes([]block.Entry{a, site}, nil, now); !errors.Is(err, connwarden.ErrUnsupported) || err.Target != "192.0.2.7/32" {
		t.Errorf("a scope that cannot be held: %v", err)
	}
}

func TestTimeout(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		left, want time.Duration
		text       string
	}{
		{time.Hour + 30*time.Minute, time.Hour + 30*time.Minute, "1h30m"},
		{49*time.Hour + 5*time.Millisecond + 3*time.Nanosecond, 49*time.Hour + 5*time.Millisecond, "2d1h5ms"},
		{time.Microsecond, time.Millisecond, "1ms"}, // never 0, which would be for ever
		{90 * time.Second, 90 * time.Second, "1m30s"},
	} {
		got := timeout(block.Entry{Until: now.Add(tt.left)}, now)
		if got != tt.want || nftTime(got) != tt.text {
			t.Errorf("%v: %v, %q; want %v, %q", tt.left, got, nftTime(got), tt.want, tt.text)
		}
	}
	if got := timeout(block.Entry{}, now); got != 0 {
		t.Errorf("without end: %v", got)
	}
}

func TestTableName(t *testing.T) {
	for in, want := range map[string]string{"": "connwarden", "cw-1_a": "cw-1_a", "x": "x", "1x": "!", "a b": "!", "a;flush ruleset": "!", "-a": "!",
		"a\n": "!", "ä": "!", strings.Repeat("a", 100): strings.Repeat("a", 100), strings.Repeat("a", 101): "!"} {
		got, err := Options{Name: in}.tableName()
		if err != nil {
			got = "!"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	if got := names(strings.Fields("a b c d e f g h")); got != "a, b, c, d, e, f, g, h" {
		t.Error(got)
	}
	if got := names(strings.Fields("a b c d e f g h i j")); got != "a, b, c, d, e, f, g, h and 2 more" {
		t.Error(got)
	}
}
