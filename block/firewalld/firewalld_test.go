package firewalld

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

func TestParseRule(t *testing.T) {
	const ours = `rule priority="-7000" family="ipv4" source address="192.0.2.7/32" drop`
	for _, tt := range []struct {
		name, text string
		want       string
	}{
		{"ours", ours, "192.0.2.7/32"},
		{"IPv6", `rule priority="-7000" family="ipv6" source address="2001:db8::/64" drop`, "2001:db8::/64"},
		{"another priority", strings.Replace(ours, "-7000", "-7001", 1), ""},
		{"no priority", strings.Replace(ours, ` priority="-7000"`, "", 1), ""},
		{"another action", strings.Replace(ours, "drop", "reject", 1), ""},
		{"all but the source", strings.Replace(ours, "source address", "source NOT address", 1), ""},
		{"the destination", strings.Replace(ours, "source", "destination", 1), ""},
		{"with a log", strings.Replace(ours, "drop", `log prefix="x" drop`, 1), ""},
		{"a single port", strings.Replace(ours, "drop", `port port="80" protocol="tcp" drop`, 1), ""},
		{"no prefix", strings.Replace(ours, "/32", "", 1), ""},
		{"a set", strings.Replace(ours, `address="192.0.2.7/32"`, `ipset="x"`, 1), ""},
		{"the wrong family", strings.Replace(ours, "ipv4", "ipv6", 1), ""},
		{"nothing", "", ""},
	} {
		got, ok := parseRule(tt.text, -7000)
		if ok != (tt.want != "") || ok && got.String() != tt.want {
			t.Errorf("%s: %v, %v; want %q", tt.name, got, ok, tt.want)
		}
	}
}

func FuzzParseRule(f *testing.F) {
	f.Add(rule(-7000, netip.MustParsePrefix("192.0.2.7/32")))
	f.Add(rule(-7000, netip.MustParsePrefix("2001:db8::/64")))
	f.Add(` source address="`)
	f.Fuzz(func(t *testing.T, text string) {
		if target, ok := parseRule(text, -7000); ok && (!target.IsValid() || rule(-7000, target) != text) {
			t.Errorf("%v of %q", target, text)
		}
	})
}

func TestPriority(t *testing.T) {
	seen := map[int]bool{}
	for _, name := range []string{"connwarden-1a2b3c4d", "connwarden-00000000", "a", "b"} {
		p := priority(name)
		if p < -32000 || p > -4001 || seen[p] {
			t.Errorf("%s: %d", name, p)
		}
		seen[p] = true
	}
}

func TestHolds(t *testing.T) {
	d := &Driver{}
	p := d.Properties()
	for _, e := range []block.Entry{
		{},
		{Target: netip.MustParsePrefix("0.0.0.0/0")},
		{Target: netip.MustParsePrefix("192.0.2.7/24")},
		{Target: netip.MustParsePrefix("::ffff:192.0.2.7/128")},
		{Target: netip.MustParsePrefix("2001:db8::7/128")},
		{Target: netip.MustParsePrefix("192.0.2.7/32"), Scope: connwarden.Ports(80)},
	} {
		if err := p.Holds(e); !errors.Is(err, connwarden.ErrUnsupported) {
			t.Errorf("%v: %v", e, err)
		}
	}
	if err := p.Holds(block.Entry{Target: netip.MustParsePrefix("192.0.2.0/24")}); err != nil {
		t.Error(err)
	}
}

func TestInWords(t *testing.T) {
	for name, want := range map[string]error{
		"org.freedesktop.DBus.Error.AccessDenied":               connwarden.ErrDenied,
		"org.fedoraproject.FirewallD1.NotAuthorizedException":   connwarden.ErrDenied,
		"org.freedesktop.DBus.Error.NameHasNoOwner":             connwarden.ErrUnsupported,
		"org.freedesktop.DBus.Error.ServiceUnknown":             connwarden.ErrUnsupported,
		"org.fedoraproject.FirewallD1.Exception: INVALID_RULES": nil,
	} {
		err := inWords(dbus.Error{Name: name, Body: []any{"words"}})
		if err == nil || want != nil && !errors.Is(err, want) || want == nil && err.Error() != "words" {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if err := inWords(nil); err != nil {
		t.Error(err)
	}
	if !says(dbus.Error{Name: service + ".Exception", Body: []any{"ALREADY_ENABLED: rule"}}, "ALREADY_ENABLED") || says(errors.New("ALREADY_ENABLED"), "ALREADY_ENABLED") {
		t.Error("the codes of firewalld are not told from other errors")
	}
}

func TestEverywhere(t *testing.T) {
	seven := netip.MustParsePrefix("192.0.2.7/32")
	z := &zones{active: []string{"public", "internal"}, rules: map[string]map[netip.Prefix]bool{"public": {seven: true}, "drop": {seven: true}}}
	if z.everywhere(seven) {
		t.Error("one of two active zones is enough")
	}
	z.rules["internal"] = map[netip.Prefix]bool{seven: true}
	if !z.everywhere(seven) {
		t.Error("all active zones are not enough")
	}
}
