package span_test

import (
	"net/netip"
	"testing"

	"github.com/connwarden/connwarden/block/span"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7":                 "192.0.2.7/32",
		"192.0.2.0/24":              "192.0.2.0/24",
		"192.0.2.9/24":              "192.0.2.0/24",
		"192.0.2.0/255.255.255.0":   "192.0.2.0/24",
		"192.0.2.7/255.255.255.255": "192.0.2.7/32",
		"10.0.0.0/255.0.0.0":        "10.0.0.0/8",
		"192.0.2.0-192.0.2.255":     "192.0.2.0/24",
		"::ffff:192.0.2.7":          "192.0.2.7/32",
		"::ffff:192.0.2.0/120":      "192.0.2.0/24",
		"DEED::1":                   "deed::1/128",
		"2001:DB8::/32":             "2001:db8::/32",
		"2001:db8::-2001:db8::ffff": "2001:db8::/112",
		"0.0.0.0/0":                 "0.0.0.0/0",
		"192.0.2.1-192.0.2.9":       "",
		"192.0.2.0/255.0.255.0":     "-",
		"192.0.2.0/0.0.0.255":       "-",
		"192.0.2.9-192.0.2.1":       "-",
		"192.0.2.1-2001:db8::1":     "-",
		"2001:db8::/255.255.255.0":  "-",
		"fe80::1%eth0":              "-",
		"192.0.2.0/33":              "-",
		"192.0.2.":                  "-",
		"":                          "-",
		"-":                         "-",
		"/":                         "-",
		"any":                       "-",
	} {
		s, ok := span.Parse(text)
		p, isPrefix := s.Prefix()
		switch {
		case want == "-" && ok:
			t.Errorf("%q is read as %v", text, s)
		case want == "" && (!ok || isPrefix):
			t.Errorf("%q: %t, prefix %v", text, ok, p)
		case want != "" && want != "-" && (!ok || p != netip.MustParsePrefix(want)):
			t.Errorf("%q is read as %v, %t, want %s", text, p, ok, want)
		}
	}
}

func TestOverlaps(t *testing.T) {
	s, _ := span.Parse("192.0.2.1-192.0.2.9")
	for text, want := range map[string]bool{
		"192.0.2.0/24": true, "192.0.2.9/32": true, "192.0.2.10/32": false, "192.0.2.0/32": false, "2001:db8::/32": false, "::/0": false,
	} {
		if got := s.Overlaps(netip.MustParsePrefix(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

// FuzzParse holds that a span that is a prefix is that of the prefix, and that its ends are in order.
func FuzzParse(f *testing.F) {
	f.Add("192.0.2.0/255.255.255.0")
	f.Add("2001:db8::1-2001:db8::ff")
	f.Add("10.0.0.0-10.255.255.255")
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := span.Parse(text)
		if !ok {
			return
		}
		if s.Last.Less(s.First) || s.First.BitLen() != s.Last.BitLen() || !s.First.IsValid() {
			t.Fatalf("%q is read as %v", text, s)
		}
		p, ok := s.Prefix()
		if !ok {
			return
		}
		if p.Masked() != p || !p.Contains(s.First) || !p.Contains(s.Last) || !s.Overlaps(p) {
			t.Errorf("%q, %v, is taken for %s", text, s, p)
		}
		if again, ok := span.Parse(p.String()); !ok || again != s {
			t.Errorf("%s is read again as %v, was %v", p, again, s)
		}
	})
}
