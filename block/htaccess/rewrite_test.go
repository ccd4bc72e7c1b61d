package htaccess

import (
	"encoding/binary"
	"net/netip"
	"regexp"
	"testing"
)

// matches tells whether a server that writes addresses as inet_ntop(3) does refuses one.
func matches(t testing.TB, p netip.Prefix) func(netip.Addr) bool {
	t.Helper()
	re, err := regexp.Compile("^(?:" + pattern(p) + ")$")
	if err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	return func(a netip.Addr) bool { return re.MatchString(a.String()) }
}

func TestPatterns(t *testing.T) {
	for target, want := range map[string]string{
		"192.0.2.7/32":        `192\.0\.2\.7`,
		"192.0.2.0/24":        `192\.0\.2\.[0-9]+`,
		"192.0.2.4/30":        `192\.0\.2\.(?:4|5|6|7)`,
		"10.0.0.0/8":          `10\.[0-9]+\.[0-9]+\.[0-9]+`,
		"2001:db8:1:2::/64":   `2001:db8:1:2:[0-9a-f:.]*`,
		"2001:db8:1:20::/60":  `2001:db8:1:2[0123456789abcdef]:[0-9a-f:.]*`,
		"2001:db8:1:8::/61":   `2001:db8:1:[89abcdef]:[0-9a-f:.]*`,
		"1:2:3:4:5:6:7:8/128": `1:2:3:4:5:6:7:8`,
	} {
		if got := pattern(netip.MustParsePrefix(target)); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// TestPatternsFitExactly asks for addresses with all runs of zeros that a shortened text can have, inside the prefix and
// around it.
func TestPatternsFitExactly(t *testing.T) {
	values := []uint16{0, 1, 0xf, 0x10, 0xff, 0x100, 0x8000, 0xffff}
	var bases []netip.Addr
	for mask := range 256 {
		for _, v := range values[1:] {
			var b [16]byte
			for g := range 8 {
				if mask&(1<<g) != 0 {
					binary.BigEndian.PutUint16(b[2*g:], v)
				}
			}
			bases = append(bases, netip.AddrFrom16(b))
		}
	}
	for _, bits := range []int{16, 29, 32, 44, 48, 56, 60, 62, 63, 64, 65, 80, 96, 112, 120, 127, 128} {
		for i, base := range bases {
			if i%7 != bits%7 {
				continue
			}
			p := netip.PrefixFrom(base, bits).Masked()
			if p.Addr().Is4In6() || p.Addr().As16()[0] == 0 && p.Addr().As16()[1] == 0 {
				continue // Go and C write addresses that begin with zeros differently, and none is on the net
			}
			fits := matches(t, p)
			for j := i % 5; j < len(bases); j += 5 {
				for _, a := range [...]netip.Addr{bases[j], graft(p, bases[j])} {
					if got := fits(a); got != p.Contains(a) {
						t.Fatalf("%s: %s is matched: %t\n%s", p, a, got, pattern(p))
					}
				}
			}
		}
	}
}

// graft returns the address with its head replaced by the prefix.
func graft(p netip.Prefix, a netip.Addr) netip.Addr {
	head, tail := p.Addr().As16(), a.As16()
	for i := range 128 {
		if bit := byte(1) << (7 - i%8); i < p.Bits() {
			tail[i/8] = tail[i/8]&^bit | head[i/8]&bit
		}
	}
	return netip.AddrFrom16(tail)
}

func TestPatternsOfIPv4FitExactly(t *testing.T) {
	for bits := 1; bits <= 32; bits++ {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, 199}), bits).Masked()
		fits := matches(t, p)
		for o := range 4 {
			for v := range 256 {
				b := [4]byte{198, 51, 100, 199}
				b[o] = byte(v)
				if a := netip.AddrFrom4(b); fits(a) != p.Contains(a) {
					t.Fatalf("%s: %s is matched: %t", p, a, fits(a))
				}
			}
		}
	}
}

// FuzzPattern holds that a pattern matches just what its prefix contains.
func FuzzPattern(f *testing.F) {
	f.Add([]byte{0x20, 1, 0xd, 0xb8, 15: 1}, uint8(64), []byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 15: 7})
	f.Add([]byte{192, 0, 2, 7}, uint8(31), []byte{192, 0, 2, 6})
	f.Fuzz(func(t *testing.T, base []byte, bits uint8, other []byte) {
		a, ok := netip.AddrFromSlice(base)
		b, also := netip.AddrFromSlice(other)
		if !ok || !also || a.BitLen() != b.BitLen() || a.Is6() && (a.As16()[0] == 0 || b.As16()[0] == 0) {
			return
		}
		p := netip.PrefixFrom(a, int(bits)%a.BitLen()+1).Masked()
		if p.Addr().Is6() && p.Addr().As16()[0] == 0 {
			return
		}
		if got := matches(t, p)(b); got != p.Contains(b) {
			t.Errorf("%s: %s is matched: %t\n%s", p, b, got, pattern(p))
		}
	})
}
