package geo

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// build makes a table of CSV texts and wants it to be sound.
func build(t testing.TB, texts ...string) *Table {
	t.Helper()
	var b Builder
	for i, text := range texts {
		if err := b.ReadCSV(fmt.Sprintf("%d.csv", i+1), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	table, err := b.Build(time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Verify(); err != nil {
		t.Fatal(err)
	}
	return table
}

func TestBoundaries(t *testing.T) {
	table := build(t, `1.0.128.0,1.0.196.255,23969,TOT Public Company Limited
8.8.8.0,8.8.8.255,15169,Google LLC
20.0.0.1,20.0.0.1,7,"One, alone"
223.255.255.0,223.255.255.255,8,Last
2001:4860::,2001:4860:4804:ffff:ffff:ffff:ffff:ffff,15169,Google LLC
2001:4860:4805::,2001:4860:4805:ffff:ffff:ffff:ffff:ffff,43515,Google Ireland Limited
2620:0:1::,2620:0:1:0:ffff:ffff:ffff:ffff,9,One /64
`, `1.0.160.0,1.0.160.255,TH
8.8.8.128,8.8.9.255,US
2001:4860::,2001:4860:ffff:ffff:ffff:ffff:ffff:ffff,US
`)
	const tot = "23969 TOT Public Company Limited"
	for _, c := range []struct{ addr, prefix, org, country string }{
		{"1.0.127.255", "", "", ""},
		{"1.0.128.0", "1.0.128.0/19", tot, ""},
		{"1.0.160.9", "1.0.160.0/24", tot, "TH"},
		{"1.0.161.0", "1.0.161.0/24", tot, ""},
		{"1.0.192.0", "1.0.192.0/22", tot, ""},
		{"1.0.196.255", "1.0.196.0/24", tot, ""},
		{"1.0.197.0", "", "", ""},
		{"8.8.7.255", "", "", ""},
		{"8.8.8.127", "8.8.8.0/25", "15169 Google LLC", ""},
		{"8.8.8.128", "8.8.8.128/25", "15169 Google LLC", "US"},
		{"8.8.9.0", "8.8.9.0/24", "", "US"},
		{"8.8.10.0", "", "", ""},
		{"20.0.0.0", "", "", ""},
		{"20.0.0.1", "20.0.0.1/32", "7 One, alone", ""},
		{"20.0.0.2", "", "", ""},
		{"223.255.255.255", "223.255.255.0/24", "8 Last", ""},
		{"224.0.0.0", "", "", ""},
		{"2001:485f:ffff:ffff::", "", "", ""},
		{"2001:4860::", "2001:4860::/34", "15169 Google LLC", "US"},
		{"2001:4860:4804:ffff:ffff:ffff:ffff:ffff", "2001:4860:4804::/48", "15169 Google LLC", "US"},
		{"2001:4860:4805::", "2001:4860:4805::/48", "43515 Google Ireland Limited", "US"},
		{"2001:4860:4806::", "2001:4860:4806::/47", "", "US"},
		{"2620:0:1::", "2620:0:1::/64", "9 One /64", ""},
		{"2620:0:1:1::", "", "", ""},
	} {
		checkNetwork(t, table, c.addr, c.prefix, c.org, c.country)
	}
}

func TestBuilderCleans(t *testing.T) {
	var b Builder
	err := b.ReadCSV("x.csv", strings.NewReader("10.0.0.0,10.0.0.255,1,Private\n"+ // left out
		"7.0.0.0,11.0.0.0,1,Over a private one\n"+ // left out
		"::ffff:8.0.0.0,::ffff:8.0.0.9,0,Nobody\n"+ // announced by nobody
		"2001:500:30ff::,2001:500:30ff::2f,396585,A\n"+ // the /64 is whose its first address is
		"2001:500:30ff::30,2001:500:30ff::30,396552,B\n"+ // left out
		"2001:500:30ff::31,2001:500:30ff:ffff:ffff:ffff:ffff:ffff,396585,Another name\n"+
		"20.0.0.0,20.0.0.255,5,\" "+strings.Repeat("é", 100)+"\"\n"+
		"21.0.0.0,21.0.0.255,6,\"a\xffb\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if taken, dropped := b.Rows(); taken != 4 || dropped != 3 {
		t.Errorf("%d rows taken, %d left out", taken, dropped)
	}
	table, err := b.Build(time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	checkNetwork(t, table, "10.0.0.1", "", "", "")
	checkNetwork(t, table, "8.0.0.1", "", "", "")
	checkNetwork(t, table, "2001:500:30ff::30", "2001:500:30ff::/48", "396585 A", "")
	checkNetwork(t, table, "2001:500:30ff:1::", "2001:500:30ff::/48", "396585 A", "")
	checkNetwork(t, table, "20.0.0.1", "20.0.0.0/24", "5 "+strings.Repeat("é", 64), "")
	checkNetwork(t, table, "21.0.0.1", "21.0.0.0/24", "6 a�b", "")
}

func TestReadCSVRefuses(t *testing.T) {
	const good = "8.8.8.0,8.8.8.255,15169,Google LLC\n"
	for _, c := range []struct{ name, text, says string }{
		{"two columns", "8.8.8.0,8.8.8.255\n", "x.csv:1: 2 columns"},
		{"columns that change", good + "8.8.9.0,8.8.9.255,US\n", "x.csv:2: wrong number of fields"},
		{"a heading", "start,end,asn,org\n" + good, `x.csv:1: "start" to "end" is no range`},
		{"numbers", "16777216,16777471,AU\n", "no range of addresses"},
		{"turned round", "8.8.8.255,8.8.8.0,US\n", "no range of addresses"},
		{"two families", "8.8.8.0,2001:4860::,US\n", "no range of addresses"},
		{"a zone", "fe80::1%eth0,fe80::2%eth0,US\n", "no range of addresses"},
		{"cut off", good + "9.9.9.0,9.9.9.25", "wrong number of fields"},
		{"cut off in quotes", good + `1.1.1.0,1.1.1.255,13335,"Cloudfl`, `x.csv:2: extraneous or missing " in quoted-field`},
		{"no country", "8.8.8.0,8.8.8.255,Us\n", `"Us" is no country`},
		{"no number", "8.8.8.0,8.8.8.255,AS1,Google\n", `"AS1" is no AS number`},
		{"a number too large", "8.8.8.0,8.8.8.255,4294967296,Google\n", "is no AS number"},
		{"a page", "<!DOCTYPE html>\n<html lang=en>\n", "x.csv:1: 1 columns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b Builder
			if err := b.ReadCSV("x.csv", strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want %q", err, c.says)
			}
		})
	}
}

// TestOverlaps builds tables of random rows, many of which overlap, and compares each address with what the rule says.
func TestOverlaps(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		type want struct {
			first, last int
			says        string
		}
		var lists [2][]want
		var texts [2]strings.Builder
		for tells := range lists {
			for range random.IntN(12) {
				first := random.IntN(256)
				w := want{first, first + random.IntN(256-first), fmt.Sprint(1 + random.IntN(5))}
				line := fmt.Sprintf("8.8.8.%d,8.8.8.%d,%s,Org\n", w.first, w.last, w.says)
				if tells == tellsCountry {
					w.says = string(rune('A'+random.IntN(4))) + "X"
					line = fmt.Sprintf("8.8.8.%d,8.8.8.%d,%s\n", w.first, w.last, w.says)
				}
				texts[tells].WriteString(line)
				lists[tells] = append(lists[tells], w)
			}
			slices.SortStableFunc(lists[tells], func(a, b want) int { return cmp.Or(a.first-b.first, b.last-a.last) })
		}
		table := build(t, texts[0].String(), texts[1].String())
		for i := range 256 {
			says := [2]string{"0", ""}
			for tells, list := range lists {
				for _, w := range list {
					if w.first <= i && i <= w.last {
						says[tells] = w.says
					}
				}
			}
			a := netip.AddrFrom4([4]byte{8, 8, 8, byte(i)})
			n, ok := table.Lookup(a)
			if strconv.Itoa(int(n.ASN)) != says[0] || n.Country != says[1] || ok != (says != [2]string{"0", ""}) || ok && !n.Prefix.Contains(a) {
				t.Fatalf("round %d: %v is %+v, want %v, of\n%s\n%s", round, a, n, says, &texts[0], &texts[1])
			}
		}
	}
}

// FuzzBuild wants a sound table of whatever was not refused.
func FuzzBuild(f *testing.F) {
	f.Add("8.8.8.0,8.8.8.255,15169,\"Google, LLC\"\n8.8.8.9,8.8.9.1,2,B\n", "8.0.0.0,9.0.0.0,US\n2001:4860::,2001:4860::9,DE\n")
	f.Add("f000::,f000::,1,A\nefff:ffff:ffff:ffff::1,efff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,1,A\n", "1::,efff:ffff:ffff:ffff::,US\n")
	f.Fuzz(func(t *testing.T, systems, countries string) {
		var b Builder
		for _, text := range []string{systems, countries} {
			if b.ReadCSV("fuzz.csv", strings.NewReader(text)) != nil {
				return
			}
		}
		table, err := b.Build(time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if err := table.Verify(); err != nil {
			t.Fatalf("%v\n%q\n%q", err, systems, countries)
		}
		v4, v6 := table.Ranges()
		if taken, _ := b.Rows(); (taken > 0) != (v4+v6 > 0) {
			t.Fatalf("%d rows make %d ranges", taken, v4+v6)
		}
	})
}

// csvFolder is named by the environment variable that the tests against the true files need.
const csvFolder = "CONNWARDEN_GEO_CSV"

// TestShippedIsTheCSV compares every row of the files that the shipped table was made of with the table, and the gaps
// between them.
func TestShippedIsTheCSV(t *testing.T) {
	archives := trueFiles(t)
	var b Builder
	for _, name := range archives {
		eachCSV(t, name, func(name string, r io.Reader) {
			if err := b.ReadCSV(name, r); err != nil {
				t.Fatal(err)
			}
		})
	}
	made, err := b.Build(Shipped().Date())
	if err != nil {
		t.Fatal(err)
	}
	if made.data != shipped {
		t.Error("geo/gen makes another table of the same files")
	}
	for _, name := range archives {
		eachCSV(t, name, func(name string, r io.Reader) {
			rows, err := csv.NewReader(r).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			wrong := 0
			for i, cells := range rows {
				if wrong += compareRow(t, cells, rows[min(i+1, len(rows)-1)]); wrong > 20 {
					t.Fatal("too many differences")
				}
			}
			t.Logf("%s: %d rows", name, len(rows))
		})
	}
}

// compareRow asks for both ends of a row and the address behind it.
func compareRow(t *testing.T, cells, next []string) (wrong int) {
	first, last, following := netip.MustParseAddr(cells[0]), netip.MustParseAddr(cells[1]), netip.MustParseAddr(next[0])
	if low := first.As16(); first.Is6() && [8]byte(low[8:]) != [8]byte{} {
		return 0 // finer than we are
	}
	says := func(a netip.Addr) (string, netip.Prefix) {
		n, _ := Shipped().Lookup(a)
		if len(cells) == 3 {
			return n.Country, n.Prefix
		}
		return fmt.Sprint(n.ASN, " ", n.Org), n.Prefix
	}
	want := cells[2]
	if len(cells) == 4 {
		want += " " + clip(cells[3])
	}
	for _, a := range []netip.Addr{first, last} {
		if a == last && following != first && !following.Less(last) || a == first {
			got, p := says(a)
			if got != want || p.Addr().Less(first) || !p.Contains(a) {
				t.Errorf("%v of %v is %q in %v", a, cells, got, p)
				wrong++
			}
		}
	}
	if low := last.Next().As16(); last.Is6() && [8]byte(low[8:]) != [8]byte{} {
		return wrong
	}
	if behind := last.Next(); behind.IsValid() && behind.Less(following) {
		if got, _ := says(behind); got != "" && got != "0 " {
			t.Errorf("%v behind %v is %q", behind, cells, got)
			wrong++
		}
	}
	return wrong
}

func trueFiles(t *testing.T) []string {
	dir := os.Getenv(csvFolder)
	if dir == "" {
		t.Skip("set " + csvFolder + " to a folder with the archives that geo/data/README.md names")
	}
	names, _ := filepath.Glob(filepath.Join(dir, "ip-location-db-asn-*.tgz"))
	if len(names) != 2 {
		t.Fatalf("%s has %d archives ip-location-db-asn-*.tgz, not 2", dir, len(names))
	}
	return names
}

func eachCSV(t *testing.T, archive string, do func(name string, r io.Reader)) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(z); ; {
		head, err := files.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(head.Name, "-ipv4.csv") || strings.HasSuffix(head.Name, "-ipv6.csv") {
			do(head.Name, files)
		}
	}
}
