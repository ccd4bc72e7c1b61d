package iptables

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

func key(target string, scope connwarden.Scope) block.EntryKey {
	return block.EntryKey{Target: netip.MustParsePrefix(target), Scope: scope}
}

// printed is a table as iptables 1.8.9 prints it, with rules of others.
const printed = `-P PREROUTING ACCEPT -c 12 3400
-P OUTPUT ACCEPT -c 0 0
-N cw
-N cw-other
-A PREROUTING -i lo -c 1 60 -j ACCEPT
-A PREROUTING -m comment --comment cw -c 9 400 -j cw
-A OUTPUT -c 0 0 -j cw
-A cw -s 192.0.2.7/32 -m comment --comment "cw all" -c 3 180 -j DROP
-A cw -s 10.9.8.7/32 -c 0 0 -j ACCEPT
-A cw -s 198.51.100.0/24 -p tcp -m multiport --dports 80,443 -m comment --comment "cw ports:80,443" -c 2 120 -j DROP
-A cw -s 198.51.100.0/24 -p udp -m multiport --dports 80,443 -m comment --comment "cw ports:80,443" -c 5 300 -j DROP
-A cw -s 203.0.113.9/32 -p tcp -m multiport --dports 22 -m comment --comment "cw ports:22" -c 0 0 -j DROP
`

func TestParse(t *testing.T) {
	got := parse(printed, "cw")
	if !got.chain || got.jump != 2 || got.strange != 1 || got.called != 1 || len(got.rules) != 4 {
		t.Fatalf("%+v", got)
	}
	all, web, ssh := key("192.0.2.7/32", connwarden.Scope{}), key("198.51.100.0/24", connwarden.Ports(80, 443)), key("203.0.113.9/32", connwarden.Ports(22))
	if keys := got.keys(); !slices.Equal(keys, []block.EntryKey{all, web, ssh}) {
		t.Errorf("keys %v", keys)
	}
	if hits := got.hits(web); hits != (block.Hits{Packets: 7, Bytes: 420}) {
		t.Errorf("hits %v", hits)
	}
	if got.place(web) != 3 {
		t.Errorf("place %d", got.place(web))
	}
	for k, want := range map[block.EntryKey][]string{
		all: nil, web: nil, ssh: {"udp"}, key("192.0.2.7/32", connwarden.Ports(1)): {"tcp", "udp"}, key("192.0.2.9/32", connwarden.Scope{}): {""},
	} {
		if lacking := got.lacking(k); len(lacking) != len(want) || !slices.Equal(lacking, want) && len(want) > 0 {
			t.Errorf("%v lacks %q, want %q", k, lacking, want)
		}
	}
	for _, change := range []string{"cw x", `-s 192.0.2.7/32 -i eth0`, `-s 192.0.2.7/32 -p tcp`} {
		line := strings.Replace(strings.Split(printed, "\n")[7], "-s 192.0.2.7/32", change, 1)
		if got := parse(line, "cw"); len(got.rules) != 0 || got.strange != 1 {
			t.Errorf("a rule that somebody changed is ours: %s: %+v", line, got)
		}
	}
}

func TestChange(t *testing.T) {
	fresh, full := &table{}, parse(printed, "cw")
	all, web := key("192.0.2.7/32", connwarden.Scope{}), key("198.51.100.0/24", connwarden.Ports(80, 443))
	ssh := key("203.0.113.9/32", connwarden.Ports(22))
	tests := []struct {
		name        string
		t           *table
		add, remove []block.EntryKey
		want        []string
	}{
		{"nothing", fresh, nil, nil, nil},
		{"what is not there", fresh, nil, []block.EntryKey{all}, nil},
		{"the first", fresh, []block.EntryKey{all}, nil, []string{
			":cw - [0:0]", `-A cw -s 192.0.2.7/32 -m comment --comment "cw all" -j DROP`, "-I PREROUTING 1 -m comment --comment cw -j cw"}},
		{"what is there", full, []block.EntryKey{all, web}, nil, nil},
		{"removed and added stays", full, []block.EntryKey{all}, []block.EntryKey{all}, nil},
		{"what is there by half", full, []block.EntryKey{ssh}, nil, []string{
			`-A cw -s 203.0.113.9/32 -p udp -m multiport --dports 22 -m comment --comment "cw ports:22" -j DROP`}},
		{"one of two scopes", full, nil, []block.EntryKey{web, key("198.51.100.0/24", connwarden.Scope{})}, []string{
			`-D cw -s 198.51.100.0/24 -p tcp -m multiport --dports 80,443 -m comment --comment "cw ports:80,443" -j DROP`,
			`-D cw -s 198.51.100.0/24 -p udp -m multiport --dports 80,443 -m comment --comment "cw ports:80,443" -j DROP`}},
	}
	for _, tt := range tests {
		if got := tt.t.change("cw", tt.add, tt.remove); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(printed)
	f.Add(`-A cw -s 192.0.2.7/32 -m comment --comment "cw all" -c 3`)
	f.Add("-A \"\n-N")
	f.Fuzz(func(t *testing.T, out string) {
		got := parse(out, "cw")
		for _, k := range got.keys() {
			if !k.Target.IsValid() || got.place(k) < 1 {
				t.Errorf("%v of %q", k, out)
			}
			for _, line := range got.change("cw", nil, []block.EntryKey{k}) {
				if strings.ContainsAny(line, "\n\r") || !strings.HasPrefix(line, "-D cw -s ") {
					t.Errorf("the line %q of %q", line, out)
				}
			}
		}
	})
}

func TestHolds(t *testing.T) {
	d := &Driver{name: "cw", families: make([]family, 1)}
	p := d.Properties()
	for _, tt := range []struct {
		target string
		scope  connwarden.Scope
		want   bool
	}{
		{"192.0.2.7/32", connwarden.Scope{}, true},
		{"192.0.2.0/24", connwarden.Ports(443, 80), true},
		{"0.0.0.0/0", connwarden.Scope{}, false},
		{"2001:db8::7/128", connwarden.Scope{}, false},
		{"192.0.2.7/24", connwarden.Scope{}, false},
		{"::ffff:192.0.2.7/128", connwarden.Scope{}, false},
		{"192.0.2.7/32", connwarden.Scope{Detail: "more"}, false},
		{"192.0.2.7/32", connwarden.Scope{Kind: connwarden.ScopePorts}, false},
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
	for name, want := range map[string]bool{
		"connwarden-1a2b3c4d": true, "": false, "-a": false, "1a": false, "a b": false, "a\n": false,
		strings.Repeat("a", MaxName): true, strings.Repeat("a", MaxName+1): false,
	} {
		if got := validName(name); got != want {
			t.Errorf("name %q: %v, want %v", name, got, want)
		}
	}
}
