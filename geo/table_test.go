package geo

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

func TestShippedKnows(t *testing.T) {
	table := Shipped()
	if err := table.Verify(); err != nil {
		t.Fatal(err)
	}
	if whole, err := Parse(shipped); err != nil || !whole.Date().Equal(time.Date(2026, 6, 17, 19, 0, 0, 0, time.UTC)) {
		t.Fatalf("parsed with its sum: %v, %v", whole, err)
	}
	if v4, v6 := table.Ranges(); v4 != 464955 || v6 != 140269 {
		t.Errorf("%d and %d ranges; geo/data/README.md says otherwise", v4, v6)
	}
	for _, c := range []struct{ addr, prefix, org, country string }{
		{"8.8.8.8", "8.8.8.0/24", "15169 Google LLC", "US"},
		{"::ffff:8.8.8.8", "8.8.8.0/24", "15169 Google LLC", "US"},
		{"1.1.1.1", "1.1.1.0/24", "13335 Cloudflare, Inc.", "AU"}, // registered there; used everywhere
		{"9.9.9.9", "9.9.9.0/24", "19281 Quad9", "US"},
		{"193.0.6.139", "193.0.0.0/21", "3333 Reseaux IP Europeens Network Coordination Centre (RIPE NCC)", "NL"},
		{"2001:4860:4860::8888", "2001:4860:4840::/42", "15169 Google LLC", "US"},
		{"2606:4700:4700::1111%eth0", "2606:4700:4700::/48", "13335 Cloudflare, Inc.", "US"},
		{"10.1.2.3", "", "", ""},
		{"127.0.0.1", "", "", ""},
		{"192.168.1.1", "", "", ""},
		{"203.0.113.9", "", "", ""},
		{"0.0.0.0", "", "", ""},
		{"255.255.255.255", "", "", ""},
		{"::", "", "", ""},
		{"::1", "", "", ""},
		{"fe80::1", "", "", ""},
		{"2001:db8::1", "", "", ""},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", "", ""},
	} {
		checkNetwork(t, table, c.addr, c.prefix, c.org, c.country)
	}
	if n, ok := table.Lookup(netip.Addr{}); ok {
		t.Errorf("the invalid address is %v", n)
	}
}

// checkNetwork wants a network of an address: prefix, "ASN organisation", country; or nothing.
func checkNetwork(t *testing.T, table Networks, addr, prefix, org, country string) {
	t.Helper()
	var want connwarden.Network
	if prefix != "" {
		want.Prefix, want.Country = netip.MustParsePrefix(prefix), country
		number, name, _ := strings.Cut(org, " ")
		for _, digit := range number {
			want.ASN = want.ASN*10 + uint32(digit-'0')
		}
		want.Org = name
	}
	got, ok := table.Lookup(netip.MustParseAddr(addr))
	if got != want || ok != (prefix != "") {
		t.Errorf("%s is %+v, %v; want %+v", addr, got, ok, want)
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	table := Shipped()
	for _, text := range []string{"8.8.8.8", "2001:4860:4860::8888", "10.0.0.1", "223.255.255.255"} {
		a := netip.MustParseAddr(text)
		if n := testing.AllocsPerRun(100, func() { _, sink = table.Lookup(a) }); n != 0 {
			t.Errorf("a look-up of %s allocates %v times", text, n)
		}
	}
}

func TestLoad(t *testing.T) {
	changed := func(change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, name string) {
			newer(t, name)
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, change(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		put    func(t *testing.T, name string)
		loaded bool
		says   string // the error; "" is none
	}{
		{"nothing there", func(*testing.T, string) {}, false, ""},
		{"newer", func(t *testing.T, name string) { newer(t, name) }, true, ""},
		{"older", changed(func(b []byte) []byte { stamp(b, Shipped().Date().Add(-time.Hour)); return b }), false, ""},
		{"as old", changed(func(b []byte) []byte { stamp(b, Shipped().Date()); return b }), false, ""},
		{"cut off", changed(func(b []byte) []byte { return b[:len(b)-1] }), false, "damaged"},
		{"one bit", changed(func(b []byte) []byte { b[len(b)/2] ^= 4; return b }), false, "damaged"},
		{"nothing in it", changed(func([]byte) []byte { return nil }), false, "no table"},
		{"a text", changed(func([]byte) []byte { return []byte(strings.Repeat("not found\n", 99)) }), false, "no table"},
		{"through a text transfer", changed(func(b []byte) []byte {
			return []byte(strings.ReplaceAll(string(b), "\r\n", "\n"))
		}), false, "no table"},
		{"a folder", func(t *testing.T, name string) {
			if err := os.Mkdir(name, 0o755); err != nil {
				t.Fatal(err)
			}
		}, false, "directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.put(t, filepath.Join(dir, File))
			table, err := Load(dir)
			switch {
			case (table != Shipped()) != c.loaded:
				t.Errorf("loaded %v, want %v", table != Shipped(), c.loaded)
			case c.says == "" && err != nil, c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("the error is %v, want %q", err, c.says)
			case c.says != "" && !strings.Contains(err.Error(), filepath.Join(dir, File)):
				t.Errorf("%v does not name the file", err)
			}
			checkNetwork(t, table, "8.8.8.8", "8.8.8.0/24", "15169 Google LLC", "US")
		})
	}
}

func TestOpenAndReadBounds(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Read(endless{}); err == nil || !strings.Contains(err.Error(), "more than 64 MB") {
		t.Errorf("an endless table: %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestVerify changes a good table and wants each lie to be found although its sum is right.
func TestVerify(t *testing.T) {
	good := build(t, "8.8.8.0,8.8.8.255,15169,Google LLC\n9.0.0.0,9.0.0.9,2,B\n2001:4860::,2001:4860:ffff:ffff:ffff:ffff:ffff:ffff,15169,Google LLC\n")
	if err := good.Verify(); err != nil {
		t.Fatal(err)
	}
	systems := headBytes
	networks := systems + len(good.systems)
	v4 := networks + len(good.networks)
	for _, c := range []struct {
		name   string
		change func([]byte)
		says   string
	}{
		{"a private range", func(b []byte) { b[v4+3] = 10 }, "belongs to nobody"},
		{"more ranges promised", func(b []byte) { b[20+4*3]++ }, "promises"},
		{"a network too high", func(b []byte) { b[v4+13] = 99 }, "damaged"},
		{"a range over the end", func(b []byte) { b[v4+12] = 33 }, "damaged"},
		{"a country that is none", func(b []byte) { b[networks+netBytes+4] = 'x' }, "damaged"},
		{"a system beyond", func(b []byte) { b[networks+netBytes+1] = 9 }, "damaged"},
		{"a name beyond", func(b []byte) { b[systems+4] = 99 }, "damaged"},
		{"the unknown network is known", func(b []byte) { b[networks+4], b[networks+5] = 'D', 'E' }, "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := []byte(good.data)
			c.change(text)
			sum(text)
			table, err := Parse(string(text))
			if err == nil {
				err = table.Verify()
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want %q", err, c.says)
			}
		})
	}
}

func TestPrefer(t *testing.T) {
	wide := build(t, "8.0.0.0,8.255.255.255,15169,Google LLC\n", "8.0.0.0,8.255.255.255,US\n9.0.0.0,9.0.0.255,DE\n")
	names := build(t, "8.8.8.0,8.8.8.255,1,Mine\n7.0.0.0,7.0.0.255,2,Mine too\n")
	both := Prefer(names, wide)
	checkNetwork(t, both, "8.8.8.8", "8.8.8.0/24", "1 Mine", "US")
	checkNetwork(t, both, "8.8.9.8", "8.0.0.0/8", "15169 Google LLC", "US")
	checkNetwork(t, both, "7.0.0.1", "7.0.0.0/24", "2 Mine too", "")
	checkNetwork(t, both, "9.0.0.1", "9.0.0.0/24", "", "DE")
	checkNetwork(t, both, "11.0.0.1", "", "", "")
	checkNetwork(t, Prefer(wide, names), "8.8.8.8", "8.0.0.0/8", "15169 Google LLC", "US")
	if !Prefer(newTable(t, 3), newTable(t, 2)).Date().Equal(time.Unix(2, 0)) || !Prefer(newTable(t, 3), newTable(t, 4)).Date().Equal(time.Unix(3, 0)) {
		t.Error("the date is not that of the older")
	}
}

func newTable(t *testing.T, date int64) *Table {
	t.Helper()
	table, err := new(Builder).Build(time.Unix(date, 0))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestReserved(t *testing.T) {
	for text, want := range map[string]bool{
		"10.0.0.0/8": true, "10.20.30.40/32": true, "0.0.0.0/0": true, "8.0.0.0/6": true, "192.168.5.0/24": true, "224.0.0.1/32": true,
		"::/0": true, "::1/128": true, "fe80::/10": true, "fd00::1/128": true, "2001:db8:1::/48": true, "::ffff:10.0.0.1/128": true,
		"::ffff:0:0/96": true, "8.8.8.0/24": false, "100.63.255.0/24": false, "100.128.0.0/9": false, "192.88.99.0/24": false,
		"2001:4860::/32": false, "2002::/16": false, "::ffff:8.8.8.8/128": false,
	} {
		if got := Reserved(netip.MustParsePrefix(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// TestNobodyIsLeftOut gives a builder a row at either end of each reserved block.
func TestNobodyIsLeftOut(t *testing.T) {
	var b Builder
	for _, p := range reservedBlocks() {
		first := p.Addr()
		last := first.AsSlice()
		for bit := p.Bits(); bit < first.BitLen(); bit++ {
			last[bit/8] |= 0x80 >> (bit % 8)
		}
		for _, a := range []any{first, net.IP(last)} {
			if err := b.ReadCSV("x.csv", strings.NewReader(fmt.Sprintf("%v,%v,1,Nobody\n", a, a))); err != nil {
				t.Error(err)
			}
		}
	}
	if taken, _ := b.Rows(); taken != 0 {
		t.Errorf("%d rows about nobody's addresses were taken", taken)
	}
}

// FuzzParse gives a right sum to whatever comes, so that all that is behind it is tried.
func FuzzParse(f *testing.F) {
	small := build(f, "8.8.8.0,8.8.8.255,15169,Google LLC\n2001:4860::,2001:4860:ffff:ffff:ffff:ffff:ffff:ffff,15169,Google LLC\n", "8.0.0.0,9.255.255.255,US\n")
	f.Add([]byte(small.data), []byte{8, 8, 8, 8})
	f.Add([]byte(small.data[:len(small.data)-3]), make([]byte, 16))
	f.Add([]byte(magic), []byte(nil))
	f.Fuzz(func(t *testing.T, text, addr []byte) {
		if len(text) >= headBytes {
			copy(text, magic)
			sum(text)
		}
		table, err := Parse(string(text))
		if err != nil {
			return
		}
		sound := table.Verify() == nil
		asked, _ := netip.AddrFromSlice(addr)
		for _, a := range []netip.Addr{asked, netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("2001:4860::1"), netip.MustParseAddr("::")} {
			n, ok := table.Lookup(a)
			if !ok && n != (connwarden.Network{}) {
				t.Errorf("%v is unknown and %+v", a, n)
			}
			if ok && sound && !n.Prefix.Contains(a.Unmap().WithZone("")) {
				t.Errorf("%v is not in %v", a, n.Prefix)
			}
		}
	})
}
