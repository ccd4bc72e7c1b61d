package block_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/nets"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func prefixes(text string) []netip.Prefix {
	var list []netip.Prefix
	for word := range strings.FieldsSeq(text) {
		list = append(list, prefix(word))
	}
	return list
}

func TestParseTarget(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"192.0.2.7", "192.0.2.7/32"},
		{" 192.0.2.7\n", "192.0.2.7/32"},
		{"192.0.2.7/24", "192.0.2.0/24"},
		{"::ffff:192.0.2.7", "192.0.2.7/32"},
		{"::ffff:192.0.2.7/120", "192.0.2.0/24"},
		{"::ffff:0:0/96", "0.0.0.0/0"},
		{"2001:DB8::7", "2001:db8::7/128"},
		{"[2001:db8::7]", "2001:db8::7/128"},
		{"2001:db8::7/64", "2001:db8::/64"},
		{"::ffff:0:0/95", "::fffe:0:0/95"},
		{"", ""},
		{"192.0.2", ""},
		{"192.0.2.7/33", ""},
		{"192.0.2.07", ""},
		{"fe80::1%eth0", ""},
		{"192.0.2.7; rm -rf /", ""},
		{"example.com", ""},
		{strings.Repeat("1", 4096), ""},
	} {
		got, err := block.ParseTarget(c.text)
		if c.want == "" {
			if err == nil {
				t.Errorf("ParseTarget(%.40q) = %v, want an error", c.text, got)
			}
			continue
		}
		if err != nil || got.String() != c.want {
			t.Errorf("ParseTarget(%q) = %v, %v, want %s", c.text, got, err, c.want)
		}
	}
}

func TestAutomaticBlocksTheWholeHousehold(t *testing.T) {
	for from, want := range map[string]string{
		"2001:db8:1:2:3:4:5:6/128": "2001:db8:1:2::/64",
		"2001:db8:1:2::/96":        "2001:db8:1:2::/64",
		"2001:db8::/48":            "2001:db8::/48",
		"192.0.2.7/32":             "192.0.2.7/32",
		"64:ff9b::c000:207/128":    "64:ff9b::c000:207/128", // 192.0.2.7 behind a translation
		"64:ff9b::c000:200/120":    "64:ff9b::c000:200/120",
		"64:ff9b:1::c000:207/128":  "64:ff9b:1::c000:207/128",
		"64:ff9b:2::c000:207/128":  "64:ff9b:2::/64",
	} {
		if got := block.Automatic(prefix(from)); got != prefix(want) {
			t.Errorf("Automatic(%s) = %s, want %s", from, got, want)
		}
	}
}

func TestSubtract(t *testing.T) {
	for _, c := range []struct{ whole, except, want string }{
		{"192.0.2.0/24", "", "192.0.2.0/24"},
		{"192.0.2.0/24", "198.51.100.7/32 2001:db8::/32", "192.0.2.0/24"},
		{"192.0.2.0/29", "192.0.2.2/32", "192.0.2.0/31 192.0.2.3/32 192.0.2.4/30"},
		{"192.0.2.0/24", "192.0.2.0/25", "192.0.2.128/25"},
		{"192.0.2.0/24", "192.0.2.0/24", ""},
		{"192.0.2.7/32", "192.0.2.0/24", ""},
		{"2001:db8::/62", "2001:db8:0:1::/64", "2001:db8::/64 2001:db8:0:2::/63"},
		{"2001:db8::/126", "2001:db8::/128 2001:db8::3/128", "2001:db8::1/128 2001:db8::2/128"},
	} {
		got := block.Subtract(prefix(c.whole), prefixes(c.except))
		if !slices.Equal(got, prefixes(c.want)) {
			t.Errorf("%s without %s = %v, want %s", c.whole, c.except, got, c.want)
		}
	}
}

// entries reads "192.0.2.0/24@2 192.0.2.7/32": a target and, behind the sign, its end in hours from an epoch.
func entries(text string) []block.Entry {
	var list []block.Entry
	for word := range strings.FieldsSeq(text) {
		target, hours, ends := strings.Cut(word, "@")
		e := block.Entry{Target: prefix(target)}
		if ends {
			var n int
			fmt.Sscan(hours, &n)
			e.Until = epoch.Add(time.Duration(n) * time.Hour)
		}
		list = append(list, e)
	}
	return list
}

var epoch = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)

func words(list []block.Entry) string {
	var words []string
	for _, e := range list {
		word := e.Target.String()
		if !e.Until.IsZero() {
			word += fmt.Sprintf("@%g", e.Until.Sub(epoch).Hours())
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestFlatten(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"an address inside a range that lasts as long", "192.0.2.0/24@2 192.0.2.7/32@2", "192.0.2.0/24@2"},
		{"an address inside a range that ends later", "192.0.2.7/32@1 192.0.2.0/24@2", "192.0.2.0/24@2"},
		{"a range over an address that stays", "192.0.2.0/30@1 192.0.2.2/32", "192.0.2.0/31@1 192.0.2.2/32 192.0.2.3/32@1"},
		{"a range without end over all", "192.0.2.2/32@9 192.0.2.0/24 192.0.2.128/25@9", "192.0.2.0/24"},
		{"the same target twice", "192.0.2.7/32@1 192.0.2.7/32@3 192.0.2.7/32@2", "192.0.2.7/32@3"},
		{"three deep", "10.0.0.0/29@1 10.0.0.0/30@2 10.0.0.0/31@1 10.0.0.1/32@3", "10.0.0.0/32@2 10.0.0.1/32@3 10.0.0.2/31@2 10.0.0.4/30@1"},
		{"apart", "192.0.2.9/32 192.0.2.7/32 2001:db8::/64", "192.0.2.7/32 192.0.2.9/32 2001:db8::/64"},
		{"neighbours stay apart", "192.0.2.6/32 192.0.2.7/32", "192.0.2.6/32 192.0.2.7/32"},
	} {
		if got := words(block.Flatten(entries(c.in))); got != c.want {
			t.Errorf("%s: %s\n got %s\nwant %s", c.name, c.in, got, c.want)
		}
	}
}

func TestFlattenKeepsScopesApart(t *testing.T) {
	all := entries("192.0.2.0/24 192.0.2.7/32")
	all[1].Scope = connwarden.Ports(80)
	if got := block.Flatten(all); len(got) != 2 {
		t.Errorf("%v: the address's ports are not what the range denies", got)
	}
}

func TestMerge(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"192.0.2.6/32 192.0.2.7/32", "192.0.2.6/31"},
		{"192.0.2.7/32 192.0.2.8/32", "192.0.2.7/32 192.0.2.8/32"},
		{"192.0.2.6/32@1 192.0.2.7/32@2", "192.0.2.6/32@1 192.0.2.7/32@2"},
		{"192.0.2.4/32 192.0.2.5/32 192.0.2.6/31 192.0.2.8/32", "192.0.2.4/30 192.0.2.8/32"},
		{"2001:db8::/64 2001:db8:0:1::/64", "2001:db8::/63"},
		{"0.0.0.0/1 128.0.0.0/1 ::/1 8000::/1", "0.0.0.0/0 ::/0"},
	} {
		if got := words(block.Merge(entries(c.in), 0, 0)); got != c.want {
			t.Errorf("Merge(%s)\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestMergeKeepsToTheShortest(t *testing.T) {
	in := "10.0.0.0/16 10.1.0.0/16 192.0.2.6/32 192.0.2.7/32 2001:db8::/32 2001:db9::/32"
	want := "10.0.0.0/16 10.1.0.0/16 192.0.2.6/31 2001:db8::/32 2001:db9::/32"
	if got := words(block.Merge(entries(in), 16, 32)); got != want {
		t.Errorf("Merge(%s)\n got %s\nwant %s", in, got, want)
	}
}

// FuzzResolve holds the arithmetic against a model that looks at each of 256 addresses: four bytes of input are an
// entry (address, length, end) or an exception.
func FuzzResolve(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 7, 8, 2, 0, 7, 8, 0, 1})
	f.Add([]byte{0, 4, 3, 0, 16, 4, 3, 0, 17, 8, 0, 0, 3, 6, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 400 {
			return
		}
		for _, base := range []string{"10.0.0.0/24", "2001:db8::/120"} {
			var in []block.Entry
			var except []netip.Prefix
			for rest := data; len(rest) >= 4; rest = rest[4:] {
				p := below(prefix(base), rest[0], int(rest[1])%9)
				if rest[3]%4 == 1 {
					except = append(except, p)
					continue
				}
				e := block.Entry{Target: p}
				if end := rest[2] % 5; end > 0 {
					e.Until = epoch.Add(time.Duration(end) * time.Hour)
				}
				in = append(in, e)
			}
			resolved(t, prefix(base), in, except)
		}
	})
}

// below is the prefix of n bits more than base that holds base's address i.
func below(base netip.Prefix, i byte, n int) netip.Prefix {
	b := base.Addr().AsSlice()
	b[len(b)-1] = i
	a, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(a, base.Bits()+n).Masked()
}

func resolved(t *testing.T, base netip.Prefix, in []block.Entry, except []netip.Prefix) {
	t.Helper()
	for _, e := range in {
		// The fewest: what a set of ranges makes of the same addresses.
		if got := block.Subtract(e.Target, except); !slices.Equal(got, nets.New(got...).Prefixes()) {
			t.Fatalf("%v without %v = %v, which are not the fewest", e.Target, except, got)
		}
	}
	flat := block.Flatten(block.Carve(in, except))

	merged := block.Merge(flat, 0, 0)
	if len(merged) > len(flat) {
		t.Fatalf("merging made %d of %d", len(merged), len(flat))
	}
	for i := range 256 {
		a := below(base, byte(i), 8).Addr()
		want := model(a, in, except)
		for what, list := range map[string][]block.Entry{"flattened": flat, "merged": merged} {
			got := "open"
			for _, e := range list {
				if !e.Target.Contains(a) {
					continue
				}
				if got != "open" {
					t.Fatalf("%s: two entries hold %v: %s", what, a, words(list))
				}
				got = "blocked until " + e.Until.String()
			}
			if got != want {
				t.Fatalf("%s: %v is %s, want %s\nof %s without %v\ngot %s", what, a, got, want, words(in), except, words(list))
			}
		}
	}
	for i := 1; i < len(merged); i++ {
		a, b := merged[i-1], merged[i]
		joined := nets.New(a.Target, b.Target).Prefixes()
		if len(joined) == 1 && a.Until.Equal(b.Until) {
			t.Fatalf("%v and %v could be one: %s", a.Target, b.Target, words(merged))
		}
	}
}

// model says what is to become of one address.
func model(a netip.Addr, in []block.Entry, except []netip.Prefix) string {
	for _, p := range except {
		if p.Contains(a) {
			return "open"
		}
	}
	blocked, until := false, time.Time{}
	for _, e := range in {
		if !e.Target.Contains(a) {
			continue
		}
		if !blocked || e.Until.IsZero() || !until.IsZero() && e.Until.After(until) {
			until = e.Until
		}
		blocked = true
	}
	if !blocked {
		return "open"
	}
	return "blocked until " + until.String()
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"192.0.2.7", "::ffff:192.0.2.7/120", "[2001:db8::1]", "fe80::1%eth0", "::/0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := block.ParseTarget(text)
		if err != nil {
			return
		}
		if p != p.Masked() || !p.IsValid() || p.Addr().Is4In6() && p.Bits() >= 96 || p.Addr().Zone() != "" {
			t.Errorf("ParseTarget(%q) = %v, which is not canonical", text, p)
		}
		if again, err := block.ParseTarget(p.String()); err != nil || again != p {
			t.Errorf("%q: what was printed as %v reads as %v, %v", text, p, again, err)
		}
	})
}
