package csf

import (
	"net/netip"
	"testing"
	"time"
)

func FuzzLists(f *testing.F) {
	f.Add("192.0.2.7 # cw - Sun Nov 22\n# x\nInclude /x\ntcp|in|d=22|s=10.0.0.1 # cw - x\n", "1795334669|192.0.2.7||in|3600|cw\n")
	f.Add("::ffff:1.2.3.4 # cw - \n1.2.3.4/33 # cw - ", "|1.2.3.4||in||cw\n9223372036854775807|1.2.3.4||in|9|cw")
	f.Add("# cw - x", "||||||")
	f.Fuzz(func(t *testing.T, deny, temp string) {
		l := &lists{deny: map[netip.Prefix]bool{}, temp: map[netip.Prefix]time.Time{}, theirs: map[netip.Prefix]string{}}
		l.parseDeny(deny, "cw")
		l.parseTemp(temp, "cw")
		l.parseAllow(temp)
		for _, target := range l.ours() {
			if !target.IsValid() || target != target.Masked() || target.Addr().Is4In6() || target.Addr().Zone() != "" {
				t.Errorf("%v of %q and %q", target, deny, temp)
			}
		}
	})
}

func TestSettings(t *testing.T) {
	got := settings("# IPV6 = \"0\"\nIPV6 = \"1\"\n  DENY_IP_LIMIT=\"200\" \nTESTING\nX = \"a=b\"\nDENY_IP_LIMIT_X = \"9\"\r\n")
	for name, want := range map[string]string{"IPV6": "1", "DENY_IP_LIMIT": "200", "TESTING": "", "X": "a=b", "DENY_IP_LIMIT_X": "9"} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	for text, want := range map[string]int{"200": 200, "": 0, "-1": 0, "x": 0, "99999999999": 0} {
		if got := number(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
