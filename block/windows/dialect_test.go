package windows

import (
	"slices"
	"strings"
	"testing"
)

// FuzzParse holds that whatever the programs print is read as rules of ours with targets that are written as they are
// read, and that both forms of a rule tell the same.
func FuzzParse(f *testing.F) {
	f.Add("connwarden-all-1\tTrue\t192.0.2.0/255.255.255.0,2001:db8::/64\r\nconnwarden-80_443-2-tcp\tFalse\tAny\r\n")
	f.Add("Rule Name:   connwarden-all-1\r\n-------------------------\r\nLocalIP:  Any\r\nRemoteIP:   192.0.2.7/32,2001:db8::7/128\r\n")
	f.Add("connwarden-all-0\tTrue\tx\nconnwarden-80_80-1-tcp\tTrue\t1.2.3.4\n connwarden--1\tTrue\t1.2.3.4")
	f.Fuzz(func(t *testing.T, out string) {
		for _, parse := range []func(string) rules{parsePowershell, parseNetsh} {
			for name, r := range parse(out) {
				p, _, ok := parseName(name)
				if !ok || !strings.HasPrefix(name, prefix) || strings.ContainsAny(name, "' \t\r\n\"") || !slices.Contains(p.names(), name) {
					t.Fatalf("%q is taken for a name of ours", name)
				}
				if len(r.targets) == 0 {
					continue
				}
				again, ok := addresses(words(r.targets, ""))
				if !ok || !slices.Equal(again, r.targets) {
					t.Errorf("%v is read again as %v", r.targets, again)
				}
			}
		}
	})
}

func TestNamesOfRules(t *testing.T) {
	for name, want := range map[string]bool{
		"connwarden-all-1": true, "connwarden-80-1-tcp": true, "connwarden-80_443-12-udp": true,
		"connwarden-all-01": false, "connwarden-443_80-1-tcp": false, "connwarden-80-1": false, "connwarden-all-1-tcp": false,
		"connwarden-all--1": false, "connwarden-": false, "x-all-1": false, "connwarden-80-1-icmp": false, "connwarden-0x50-1-tcp": false,
	} {
		if _, _, ok := parseName(name); ok != want {
			t.Errorf("%q: %t", name, ok)
		}
	}
}
