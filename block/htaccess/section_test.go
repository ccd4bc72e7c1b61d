package htaccess

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func prefixes(words ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, w := range words {
		list = append(list, netip.MustParsePrefix(w))
	}
	return list
}

var few = prefixes("192.0.2.0/25", "198.51.100.7/32", "2001:db8::/64", "2001:db8:1::7/128")

// TestForms shows what is written, as it stands in a WordPress site's file.
func TestForms(t *testing.T) {
	wordpress, err := os.ReadFile("testdata/wordpress")
	if err != nil {
		t.Fatal(err)
	}
	for form, golden := range map[Form]string{Apache24: "apache24", Apache22: "apache22", Rewrite: "rewrite"} {
		want, err := os.ReadFile(filepath.Join("testdata", golden))
		if err != nil {
			t.Fatal(err)
		}
		got := join(wordpress, section{targets: few}, form)
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", golden, diff)
		}
		own, sec, err := split(got)
		if err != nil || !bytes.Equal(own, wordpress) || cmp.Diff(few, sec.targets, comparePrefix) != "" {
			t.Errorf("%s: what is read again: %v, %v", golden, sec, err)
		}
	}
}

var comparePrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestSplit(t *testing.T) {
	const rules = beginLine + "\nRequire not ip 192.0.2.7\n" + endLine + "\n"
	for _, c := range []struct {
		name, text, own string
		targets         []netip.Prefix
		fails           string
	}{
		{"nothing", "", "", nil, ""},
		{"no section", "a\nb", "a\nb", nil, ""},
		{"only ours", rules, "", prefixes("192.0.2.7/32"), ""},
		{"moved down", "a\n" + rules + "b", "a\nb", prefixes("192.0.2.7/32"), ""},
		{"inside another's section", "# BEGIN WordPress\n" + rules + "# END WordPress\n", "# BEGIN WordPress\n# END WordPress\n", prefixes("192.0.2.7/32"), ""},
		{"copied", rules + "x\n" + rules, "x\n", prefixes("192.0.2.7/32"), ""},
		{"ends of lines of Windows", strings.ReplaceAll(rules, "\n", "\r\n") + "x\r\n", "x\r\n", prefixes("192.0.2.7/32"), ""},
		{"no end of line at the end", strings.TrimSuffix(rules, "\n"), "", prefixes("192.0.2.7/32"), ""},
		{"after a byte order mark", bom + rules + "x", bom + "x", prefixes("192.0.2.7/32"), ""},
		{"an end alone is not ours", endLine + "\n", endLine + "\n", nil, ""},
		{"nearly ours", beginLine + " \n x" + beginLine + "\n", beginLine + " \n x" + beginLine + "\n", nil, ""},
		{"no end", "x\n" + beginLine + "\nRequire not ip 192.0.2.7\n", "", nil, "line 2 begins our section"},
		{"what a hand wrote", beginLine + "\nRequire not ip x 10. 1.2.3.4/33 ::ffff:1.2.3.4 fe80::1%eth0 127.0.0.1 203.0.113.9/24\nfoo\n" + endLine, "", prefixes("1.2.3.4/32", "203.0.113.0/24"), ""},
	} {
		own, sec, err := split([]byte(c.text))
		switch {
		case c.fails != "":
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %v, want %q", c.name, err, c.fails)
			}
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case string(own) != c.own:
			t.Errorf("%s: the bytes of others are %q, want %q", c.name, own, c.own)
		default:
			if diff := cmp.Diff(c.targets, sec.targets, comparePrefix); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
	}
}

func TestTheEndsOfLinesAreThoseOfTheFile(t *testing.T) {
	got := string(join([]byte("a\r\nb\r\n"), section{targets: few}, Apache24))
	if strings.Count(got, "\n") != strings.Count(got, "\r\n") {
		t.Errorf("mixed ends of lines:\n%q", got)
	}
}

// TestNoLineIsTooLong has as many of the longest targets as would make one.
func TestNoLineIsTooLong(t *testing.T) {
	var targets []netip.Prefix
	for i := range 400 {
		a := netip.MustParseAddr("2001:db8:ffff:ffff:ffff:ffff:ffff:0").As16()
		a[14], a[15] = byte(i>>8), byte(i)
		targets = append(targets, netip.PrefixFrom(netip.AddrFrom16(a), 128))
		targets = append(targets, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 17))
	}
	for _, form := range []Form{Apache24, Apache22, Rewrite} {
		for line := range strings.Lines(string(section{targets: targets}.render(form, "\n"))) {
			if len(line) > 8190 {
				t.Errorf("form %d: a line of %d bytes: %.80s…", form, len(line), line)
			}
		}
	}
}

// FuzzForeign holds that no byte of others is lost, added or moved, whatever they wrote and however often we write.
func FuzzForeign(f *testing.F) {
	f.Add([]byte("# BEGIN WordPress\nRewriteEngine On\n# END WordPress\n"), byte(0))
	f.Add([]byte("a\r\nb"), byte(1))
	f.Add([]byte(bom+"a\x00\r"), byte(2))
	f.Add([]byte(endLine+"\n"), byte(3))
	f.Add([]byte(beginLine+"\n# deny 192.0.2.9\n"+endLine+"\r\nx\\\n"), byte(4))
	f.Fuzz(func(t *testing.T, text []byte, pick byte) {
		own, _, err := split(text)
		if err != nil {
			return // we leave the file alone
		}
		form := Form(pick) % formEnd
		for i, sec := range []section{{targets: few}, {targets: few[:1], unproved: true}, {made: true, targets: few[2:]}} {
			again, got, err := split(join(own, sec, form))
			if err != nil || !bytes.Equal(again, own) {
				t.Fatalf("after write %d the bytes of others are %q, were %q: %v", i, again, own, err)
			}
			if diff := cmp.Diff(sec.targets, got.targets, comparePrefix); diff != "" || got.made != sec.made || got.unproved != sec.unproved {
				t.Fatalf("write %d is read as %+v:\n%s", i, got, diff)
			}
		}
		if out := join(own, section{}, form); !bytes.Equal(out, own) {
			t.Fatalf("taking the section out leaves %q of %q", out, own)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	targets := make([]netip.Prefix, 10_000)
	for i := range targets {
		targets[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
	}
	sec := section{targets: targets}
	b.ReportAllocs()
	b.SetBytes(int64(len(sec.render(Apache24, "\n"))))
	for b.Loop() {
		sec.render(Apache24, "\n")
	}
}
