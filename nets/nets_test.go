package nets

import (
	"math/rand"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"comments and separators", "192.0.2.1, 192.0.2.8/30 # two\n# none\n\t2001:db8::/32\r\n", "192.0.2.1/32 192.0.2.8/30 2001:db8::/32"},
		{"bits behind the length", "192.0.2.77/24", "192.0.2.0/24"},
		{"neighbours join", "192.0.2.0/25 192.0.2.128/25", "192.0.2.0/24"},
		{"one inside another", "10.0.0.0/8 10.1.0.0/16 2001:db8::/32 2001:db8:1::/48", "10.0.0.0/8 2001:db8::/32"},
		{"overlap that is no prefix", "192.0.2.0/31 192.0.2.2", "192.0.2.0/31 192.0.2.2/32"},
		{"the ends of both families", "0.0.0.0 255.255.255.255 :: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"0.0.0.0/32 255.255.255.255/32 ::/128 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
		{"everything", "0.0.0.0/0 ::/0 192.0.2.1 2001:db8::1", "0.0.0.0/0 ::/0"},
		{"IPv4 in IPv6 clothes", "::ffff:192.0.2.0/120 ::ffff:198.51.100.7", "192.0.2.0/24 198.51.100.7/32"},
		{"a zone", "fe80::1%eth0", "fe80::1/128"},
		{"neighbours across the middle of IPv6", "2001:db8::ffff:ffff:ffff:ffff 2001:db8:0:1::", "2001:db8::ffff:ffff:ffff:ffff/128 2001:db8:0:1::/128"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse(c.text)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range s.Prefixes() {
				got = append(got, p.String())
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if s.Empty() != (c.want == "") {
				t.Error("Empty is wrong")
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"192.0.2.1\n192.0.2.0/33", `line 2: "192.0.2.0/33"`},
		{"localhost", `line 1: "localhost"`},
		{"192.0.2.1-192.0.2.9", `line 1: "192.0.2.1-192.0.2.9"`},
	} {
		_, err := Parse(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Parse(%q): got %v, want it to name %s", c.text, err, c.want)
		}
	}
}

func TestContains(t *testing.T) {
	s, err := Parse("10.0.0.0/8 192.0.2.1 2001:db8::/32")
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"10.0.0.0": true, "10.255.255.255": true, "11.0.0.0": false, "9.255.255.255": false, "192.0.2.1": true, "192.0.2.2": false,
		"::ffff:10.1.2.3": true, "2001:db8::1": true, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff": true, "2001:db9::": false, "::": false,
		"2001:db8::1%eth0": true, "::a00:1": false,
	} {
		if got := s.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Contains(%s) = %v", addr, got)
		}
	}
	var none *Set
	if none.Contains(netip.MustParseAddr("10.0.0.1")) || s.Contains(netip.Addr{}) || !none.Empty() || none.Prefixes() != nil {
		t.Error("nil holds something, or the zero address is somewhere")
	}
}

// A set answers as a list of its prefixes does, and its own prefixes make it again.
func TestAgainstList(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for range 200 {
		var list []netip.Prefix
		for range rng.Intn(12) {
			// Few values, so that prefixes meet.
			if rng.Intn(2) == 0 {
				list = append(list, netip.PrefixFrom(addr4(uint32(rng.Intn(64))<<26|uint32(rng.Intn(4))), rng.Intn(33)))
			} else {
				list = append(list, netip.PrefixFrom(addr6(u128{uint64(rng.Intn(4)) << 62, uint64(rng.Intn(4)) | uint64(rng.Intn(2))<<63}), rng.Intn(129)))
			}
		}
		s := New(list...)
		again := Union(nil, New(s.Prefixes()...), New(list[:len(list)/2]...))
		if !slices.Equal(again.v4, s.v4) || !slices.Equal(again.v6, s.v6) {
			t.Fatalf("%v: made again from its prefixes %v it differs", list, s.Prefixes())
		}
		for range 200 {
			a := addr4(uint32(rng.Intn(64))<<26 | uint32(rng.Intn(6)))
			if rng.Intn(2) == 0 {
				a = addr6(u128{uint64(rng.Intn(4)) << 62, uint64(rng.Intn(6)) | uint64(rng.Intn(2))<<63})
			}
			want := slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
			if got := s.Contains(a); got != want {
				t.Fatalf("%v contains %s: got %v", list, a, got)
			}
		}
	}
}

func TestOverlap(t *testing.T) {
	s := New(netip.MustParsePrefix("192.0.2.64/26"), netip.MustParsePrefix("192.0.2.128/31"), netip.MustParsePrefix("198.51.100.7/32"), netip.MustParsePrefix("255.255.255.255/32"),
		netip.MustParsePrefix("2001:db8:1::/48"), netip.MustParsePrefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"))
	for p, want := range map[string]string{
		"192.0.2.0/24": "192.0.2.64/26", "192.0.2.64/26": "192.0.2.64/26", "192.0.2.100/32": "192.0.2.100/32", "192.0.2.128/25": "192.0.2.128/31", "192.0.2.0/26": "",
		"0.0.0.0/0": "192.0.2.64/26", "198.51.100.0/24": "198.51.100.7/32", "198.51.100.8/29": "", "::ffff:198.51.100.0/120": "198.51.100.7/32", "203.0.113.0/24": "",
		"255.0.0.0/8": "255.255.255.255/32", "2001:db8::/32": "2001:db8:1::/48", "2001:db8:1:2::/64": "2001:db8:1:2::/64", "2001:db8:2::/47": "", "ffff::/16": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
	} {
		got, ok := s.Overlap(netip.MustParsePrefix(p))
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s: %s, %v, want %q", p, got, ok, want)
		}
	}
	if _, ok := (*Set)(nil).Overlap(netip.MustParsePrefix("::/0")); ok {
		t.Error("nothing overlaps")
	}
}

func TestCDN(t *testing.T) {
	for addr, want := range map[string]bool{
		"104.16.0.1": true, "172.64.1.1": true, "2606:4700::1": true, "5.9.71.119": true,
		"192.0.2.1": false, "10.0.0.1": false, "127.0.0.1": false, "8.8.8.8": false, "2001:db8::1": false,
	} {
		if got := CDN().Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("CDN contains %s: got %v", addr, got)
		}
	}
	for addr, want := range map[string]bool{
		"104.16.0.1": true, "151.101.1.1": true, "130.176.1.1": true, "35.191.0.1": true, "2a04:4e42::1": true, "13.32.0.1": false, "192.0.2.1": false,
	} {
		if got := Fronts().Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("fronts contain %s: got %v", addr, got)
		}
	}
	if CDN().Contains(netip.MustParseAddr("151.101.1.1")) {
		t.Error("what Fastly's customers forward is believed")
	}
	for _, p := range Fronts().Prefixes() {
		if p.Addr().Is4() && p.Bits() < 12 || p.Addr().Is6() && p.Bits() < 29 {
			t.Errorf("%s is wider than any network that publishes its edge", p)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("192.0.2.0/24, 2001:db8::/32 # x\n::ffff:1.2.3.4")
	f.Add("0.0.0.0/0 ::/0")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again := New(s.Prefixes()...)
		if !slices.Equal(again.v4, s.v4) || !slices.Equal(again.v6, s.v6) {
			t.Fatalf("%q: made again from its prefixes it differs", text)
		}
	})
}

func BenchmarkContains(b *testing.B) {
	s := CDN()
	addrs := []netip.Addr{netip.MustParseAddr("104.17.1.1"), netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::1")}
	b.ReportAllocs()
	b.SetBytes(int64(len(addrs)))
	for b.Loop() {
		for _, a := range addrs {
			s.Contains(a)
		}
	}
}
