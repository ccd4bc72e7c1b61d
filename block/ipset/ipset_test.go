package ipset

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

func TestParseRules(t *testing.T) {
	const ours = `-A PREROUTING -m set --match-set cw-4 src -m comment --comment "cw all" -j DROP`
	tests := []struct {
		name, line string
		want       bool
	}{
		{"ours", ours, true},
		{"without quotes", strings.ReplaceAll(ours, `"`, ""), false},
		{"another instance's", strings.ReplaceAll(ours, "cw", "cx"), false},
		{"a name that begins with ours", strings.ReplaceAll(ours, `"cw `, `"cwx `), false},
		{"another action", strings.Replace(ours, "DROP", "ACCEPT", 1), false},
		{"another set", strings.Replace(ours, "cw-4", "cw-6", 1), false},
		{"on one interface alone", strings.Replace(ours, "PREROUTING", "PREROUTING -i eth0", 1), false},
		{"by destination", strings.Replace(ours, " src ", " dst ", 1), false},
		{"another chain", strings.Replace(ours, "PREROUTING", "OUTPUT", 1), false},
		{"only one protocol of all", strings.Replace(ours, " -m set", " -p tcp -m set", 1), false},
		{"only one port of all", strings.Replace(ours, " -m set", " -p tcp -m multiport --dports 80 -m set", 1), false},
		{"ports without ports", strings.NewReplacer("cw-4", "cw-4-bd6682df", "cw all", "cw ports:80", " -m set", " -p tcp -m set").Replace(ours), false},
		{"a scope with more", strings.Replace(ours, "cw all", "cw all:more", 1), false},
		{"a word that is no scope", strings.Replace(ours, "cw all", "cw everything", 1), false},
		{"a line that is no rule", "-P PREROUTING ACCEPT", false},
		{"nothing after an option", "-A PREROUTING --comment", false},
		{"a quote that never ends", `-A PREROUTING --comment "cw all -j DROP`, false},
		{"nothing", "-A ", false},
	}
	d := &Driver{name: "cw", families: []family{ipv4, ipv6}}
	set := func(s connwarden.Scope) string { return d.set(ipv4, s) }
	for _, tt := range tests {
		got := parseRules(tt.line+"\n", "cw", set)
		if (len(got) == 1) != tt.want {
			t.Errorf("%s: %+v of %q", tt.name, got, tt.line)
		}
	}
	ports := connwarden.Ports(80, 443)
	text := "-P PREROUTING ACCEPT\n-A PREROUTING -i lo -j ACCEPT\n" + ours + "\n"
	for _, proto := range []string{"tcp", "udp"} {
		text += "-A PREROUTING -p " + proto + " -m multiport --dports 80,443 -m set --match-set " + set(ports) +
			" src -m comment --comment \"cw ports:80,443\" -j DROP\n"
	}
	rules := parseRules(text, "cw", set)
	if len(rules) != 3 || rules[0].place != 2 || rules[2].place != 4 || rules[2].proto != "udp" {
		t.Errorf("rules: %+v", rules)
	}
	if got := inForce(rules); !slices.Equal(got, []connwarden.Scope{{}, ports}) {
		t.Errorf("in force: %v", got)
	}
	if got := inForce(rules[:2]); !slices.Equal(got, []connwarden.Scope{{}}) {
		t.Errorf("in force without the rule of udp: %v", got)
	}
}

func FuzzParseRules(f *testing.F) {
	f.Add(`-A PREROUTING -m set --match-set cw-4 src -m comment --comment "cw all" -j DROP`)
	f.Add(`-A PREROUTING -p udp -m multiport --dports 80 -m set --match-set cw-4-bd6682df src -m comment --comment "cw ports:80" -j DROP`)
	f.Add(`-A "`)
	d := &Driver{name: "cw", families: []family{ipv4}}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range parseRules(text, "cw", func(s connwarden.Scope) string { return d.set(ipv4, s) }) {
			if !d.owns(d.set(ipv4, r.scope)) || !strings.Contains(r.line, "cw "+r.scope.String()) || r.place < 1 {
				t.Errorf("%+v of %q", r, text)
			}
		}
	})
}

// message is a listing of one set in the kernel's form, least byte first: two members, one with a timeout, and an exception.
var message = unhex("0206 0000", "0500 0100 0600 0000", "0900 0200 6377 2d34 0000 0000",
	"8c00 0880",
	"2c00 0780 0c00 0180 0800 0140 c000 0207 0500 0300 2000 0000 0800 0640 0000 0e10 0c00 1940 0000 0000 0000 0003",
	"2c00 0780 0c00 0180 0800 0140 c633 6400 0500 0300 1800 0000 0800 0640 0000 0000 0c00 1840 0000 0000 0000 00b4",
	"3000 0780 0c00 0180 0800 0140 c633 6407 0500 0300 2000 0000 0800 0640 0000 0000 0800 0840 0000 0004 0800 4040 0000 0000")

func unhex(parts ...string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(parts, ""), " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestParseList(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the sample is of a machine with the least byte first")
	}
	name, got, err := parseList(message)
	want := []member{
		{prefix: netip.MustParsePrefix("192.0.2.7/32"), left: 3600, hits: block.Hits{Packets: 3}},
		{prefix: netip.MustParsePrefix("198.51.100.0/24"), hits: block.Hits{Bytes: 180}},
	}
	if name != "cw-4" || !slices.Equal(got, want) || err != nil {
		t.Errorf("got %q %v, %v; want %v", name, got, err, want)
	}
	for _, b := range [][]byte{nil, message[:3], message[:len(message)-1], unhex("0206 0000", "0300 0280")} {
		if _, _, err := parseList(b); err == nil {
			t.Errorf("%d bytes: taken", len(b))
		}
	}
}

func FuzzParseList(f *testing.F) {
	f.Add(message)
	f.Add([]byte("\x02\x06\x00\x00\x04\x00\x08\x80"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, members, err := parseList(b)
		for _, m := range members {
			if err == nil && !m.prefix.IsValid() {
				t.Errorf("member %+v", m)
			}
		}
	})
}

func TestHolds(t *testing.T) {
	d := &Driver{name: "cw", families: []family{ipv4}}
	p := d.Properties()
	for _, tt := range []struct {
		target string
		scope  connwarden.Scope
		want   bool
	}{
		{"192.0.2.7/32", connwarden.Scope{}, true},
		{"192.0.2.0/24", connwarden.Ports(443, 80), true},
		{"0.0.0.0/0", connwarden.Scope{}, false},
		{"0.0.0.0/1", connwarden.Scope{}, true},
		{"2001:db8::7/128", connwarden.Scope{}, false},
		{"192.0.2.7/24", connwarden.Scope{}, false},
		{"::ffff:192.0.2.7/128", connwarden.Scope{}, false},
		{"192.0.2.7/32", connwarden.Scope{Detail: "more"}, false},
		{"192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopePorts}, false},
		{"192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopePorts, Detail: "443,80"}, false},
		{"192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopePorts, Detail: "80 -j ACCEPT"}, false},
		{"192.0.2.7/32", connwarden.Ports(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), true},
		{"192.0.2.7/32", connwarden.Ports(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16), false},
		{"192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopeSite, Detail: "/srv"}, false},
	} {
		err := holds(&p, block.Entry{Target: netip.MustParsePrefix(tt.target), Scope: tt.scope})
		if (err == nil) != tt.want || err != nil && !errors.Is(err, connwarden.ErrUnsupported) {
			t.Errorf("%s %s: %v, want %v", tt.target, tt.scope, err, tt.want)
		}
	}
	if holds(&p, block.Entry{}) == nil {
		t.Error("an entry of nothing is taken")
	}
}

func TestSecondsUntil(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, tt := range []struct {
		left time.Duration
		want uint32
	}{
		{time.Hour, 3600}, {time.Second, 1}, {1, 1}, {1001 * time.Millisecond, 2}, {0, 0}, {-time.Second, 0},
		{MaxExpiry, 2147483}, {1000 * 24 * time.Hour, 2147483},
	} {
		if got := secondsUntil(now, now.Add(tt.left)); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.left, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"connwarden-1a2b3c4d": true, "a": true, "": false, "-a": false, "1a": false, "a b": false, "a\"": false, "a_b": true,
		strings.Repeat("a", MaxName): true, strings.Repeat("a", MaxName+1): false,
	} {
		if got := validName(name); got != want {
			t.Errorf("name %q: %v, want %v", name, got, want)
		}
	}
	long := &Driver{name: strings.Repeat("a", MaxName)}
	if set := long.set(ipv6, connwarden.Ports(80)); len(set) > 31 || !long.owns(set) {
		t.Errorf("set %q of %d bytes", set, len(set))
	}
	d := &Driver{name: "cw"}
	for set, want := range map[string]bool{
		"cw-4": true, "cw-6": true, "cw-4-0123abcd": true, "cw-5": false, "cw": false, "cw-": false, "cw-4x": false, "cw-4-": false,
		"cw-46": false, "cw-1-4": false, "cx-4": false,
	} {
		if got := d.owns(set); got != want {
			t.Errorf("set %q: %v, want %v", set, got, want)
		}
	}
}
