package faults

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var start = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)

// log makes n faults of several kinds, some without time or client.
func log(n int) []connwarden.Fault {
	r := rand.New(rand.NewPCG(1, 2))
	services := []string{"apache", "nginx", "php-fpm"}
	forms := []func() connwarden.Fault{
		func() connwarden.Fault {
			return connwarden.Fault{Service: "php-fpm", Module: []byte("www"), Level: connwarden.LevelWarning,
				Message: fmt.Appendf(nil, "server reached pm.max_children setting (%d), consider raising it", r.IntN(9))}
		},
		func() connwarden.Fault {
			return connwarden.Fault{Service: "php-fpm", Module: []byte("shop"), Level: connwarden.LevelWarning,
				Message: fmt.Appendf(nil, "server reached max_children setting (%d), consider raising it", r.IntN(9))}
		},
		func() connwarden.Fault {
			return connwarden.Fault{Service: "apache", Code: []byte("AH01630"), Level: connwarden.LevelError,
				Message: fmt.Appendf(nil, "client denied by server configuration: /srv/%d", r.IntN(99))}
		},
		func() connwarden.Fault {
			return connwarden.Fault{Service: services[r.IntN(3)], Level: connwarden.Level(r.IntN(9)),
				Message: fmt.Appendf(nil, "something %s with %d", string(rune('a'+r.IntN(9))), r.IntN(99))}
		},
		func() connwarden.Fault {
			return connwarden.Fault{Service: "php-fpm", Module: []byte("www"), Level: connwarden.LevelWarning,
				Message: fmt.Appendf(nil, "executing too slow in f%d() called by g(), script /a.php", r.IntN(3))}
		},
	}
	all := make([]connwarden.Fault, n)
	for i := range all {
		f := forms[r.IntN(len(forms))]()
		if r.IntN(10) > 0 {
			f.Time = start.Add(time.Duration(r.IntN(7200*4)) * time.Second / 4)
		}
		if r.IntN(2) > 0 {
			f.Client = netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(200))})
		}
		if r.IntN(2) > 0 {
			f.Site = fmt.Appendf(nil, "s%d.example.com", r.IntN(20))
		}
		f.From = connwarden.Source{Name: "log" + string(rune('a'+r.IntN(3))), Offset: int64(i * 100), Line: int64(i + 1)}
		f.Raw = fmt.Appendf(nil, "line %d", i)
		all[i] = f
	}
	return all
}

var rowOptions = cmp.Options{cmp.AllowUnexported(Row{}), cmp.Comparer(func(a, b *Kind) bool { return a == b }), cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()}

// exact leaves the clients out where there were too many to know them all: who is among them then depends on the order.
func exact(rows []Row) []Row {
	rows = slices.Clone(rows)
	for i := range rows {
		if rows[i].IPs > partBound {
			rows[i].Clients = nil
		}
	}
	return rows
}

// TestMergeLaw counts a log cut anywhere, its parts in any order, and wants what the whole gives.
func TestMergeLaw(t *testing.T) {
	all := log(1500)
	r := rand.New(rand.NewPCG(3, 4))
	for by := ByFault; by <= ByDay; by++ {
		t.Run(by.String(), func(t *testing.T) {
			whole := NewTable(by, Options{})
			for i := range all {
				whole.Fault(&all[i])
			}
			want := whole.Top(0)
			if len(want) < 2 {
				t.Fatalf("only %d rows", len(want))
			}
			for range 6 {
				parts := make([]*Table, 1+r.IntN(5))
				for i := range parts {
					parts[i] = NewTable(by, Options{})
				}
				for _, i := range r.Perm(len(all)) {
					parts[r.IntN(len(parts))].Fault(&all[i])
				}
				for _, p := range parts[1:] {
					parts[0].Merge(p)
				}
				if diff := cmp.Diff(exact(want), exact(parts[0].Top(0)), rowOptions); diff != "" {
					t.Fatalf("(-whole +parts):\n%s", diff)
				}
				if got := parts[0].Total(); got != uint64(len(all)) {
					t.Fatalf("total %d, want %d", got, len(all))
				}
				if got := parts[0].Distinct(); got != len(want) {
					t.Fatalf("distinct %d, want %d", got, len(want))
				}
			}
		})
	}
}

func TestKeys(t *testing.T) {
	zone := time.FixedZone("", 3600)
	f := connwarden.Fault{
		Time: start, Service: "apache", Code: []byte("AH00161"), Level: connwarden.LevelError, Site: []byte("example.com"),
		Client: netip.MustParseAddr("2001:db8::1"), From: connwarden.Source{Name: "/var/log/apache2/error.log"},
		Message: []byte("server reached MaxRequestWorkers setting, consider raising the MaxRequestWorkers setting"),
	}
	empty := connwarden.Fault{Service: "php", Message: []byte("x 1")}
	tests := []struct {
		by          By
		full, empty string
	}{
		{ByFault, "server reached MaxRequestWorkers", "x {n}"},
		{ByCode, "AH00161", "-"},
		{ByLevel, "error", "unknown"},
		{ByService, "apache", "php"},
		{BySite, "example.com", "-"},
		{ByIP, "2001:db8::1", "-"},
		{ByFile, "/var/log/apache2/error.log", "-"},
		{ByMinute, "2026-11-22T15:00:00+01:00", "-"},
		{ByHour, "2026-11-22T15:00:00+01:00", "-"},
		{ByDay, "2026-11-22", "-"},
	}
	for _, tt := range tests {
		t.Run(tt.by.String(), func(t *testing.T) {
			if by, err := ParseBy(tt.by.String()); err != nil || by != tt.by {
				t.Errorf("the word leads to %v, %v", by, err)
			}
			for _, c := range []struct {
				f    *connwarden.Fault
				want string
			}{{&f, tt.full}, {&empty, tt.empty}} {
				table := NewTable(tt.by, Options{Zone: zone})
				table.Fault(c.f)
				if rows := table.Top(0); len(rows) != 1 || rows[0].Key != c.want {
					t.Errorf("rows %+v, want one of key %q", rows, c.want)
				}
			}
		})
	}
	if _, err := ParseBy("colour"); err == nil || !strings.Contains(err.Error(), "fault, code") {
		t.Errorf("by colour: %v", err)
	}
}

func TestRow(t *testing.T) {
	table := NewTable(ByFault, Options{})
	add := func(minute int, client, site, limit, pool string) {
		f := connwarden.Fault{
			Time: start.Add(time.Duration(minute) * time.Minute), Service: "php-fpm", Level: connwarden.LevelWarning, Module: []byte(pool),
			Site: []byte(site), From: connwarden.Source{Name: "fpm.log", Offset: int64(minute)},
			Message: []byte("server reached pm.max_children setting (" + limit + "), consider raising it"), Raw: []byte("raw " + limit),
		}
		if client != "" {
			f.Client = netip.MustParseAddr(client)
		}
		table.Fault(&f)
	}
	add(7, "192.0.2.1", "a.example", "9", "shop")
	add(3, "192.0.2.1", "a.example", "5", "www")
	add(7, "192.0.2.2", "", "9", "shop")
	rows := table.Top(5)
	if len(rows) != 1 {
		t.Fatalf("%d rows, want 1: %+v", len(rows), rows)
	}
	r := rows[0]
	want := Row{
		Key: "pool reached pm.max_children", Service: "php-fpm", Level: connwarden.LevelWarning, Count: 3, First: start.Add(3 * time.Minute),
		Last: start.Add(7 * time.Minute), IPs: 2, Sites: 1, Sample: connwarden.Sample{From: connwarden.Source{Name: "fpm.log", Offset: 3}, Text: "raw 5"},
		Clients: []Part[netip.Addr]{{netip.MustParseAddr("192.0.2.1"), 2, 0}, {netip.MustParseAddr("192.0.2.2"), 1, 0}}, Names: []Part[string]{{"a.example", 2, 0}},
		Minutes: []Minute{{start.Add(3 * time.Minute), 1}, {start.Add(7 * time.Minute), 2}}, Kind: r.Kind,
	}
	if diff := cmp.Diff(want, r, cmpopts.IgnoreUnexported(Row{}), cmpopts.EquateComparable(netip.Addr{}), cmp.Comparer(func(a, b *Kind) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r.Kind == nil || r.Kind.Name != "fpm-max-children" {
		t.Fatalf("kind %+v", r.Kind)
	}
	if s := r.Remedy(); !strings.Contains(s, "of pool www above 5:") || strings.Contains(s, "{") {
		t.Errorf("remedy %q", s)
	}
	if s := r.Meaning(); !strings.Contains(s, "of pool www were busy") {
		t.Errorf("meaning %q", s)
	}
	unknown := Row{}
	if unknown.Meaning() != "" || unknown.Remedy() != "" {
		t.Error("an unknown fault has a meaning")
	}
}

// TestBound fills a table with different faults and wants it to stay within its bound, keep what is frequent and known,
// and say what it let go.
func TestBound(t *testing.T) {
	const bound = 100
	table := NewTable(ByFault, Options{Bound: bound})
	word := func(i int) string {
		s := ""
		for ; i > 0; i /= 26 {
			s += string(rune('a' + i%26))
		}
		return "q" + s
	}
	often := connwarden.Fault{Service: "x", Message: []byte("the frequent one")}
	known := connwarden.Fault{Service: "apache", Code: []byte("AH00161"), Message: []byte("server reached MaxRequestWorkers setting")}
	table.Fault(&known)
	n := uint64(1)
	for i := range 20000 {
		table.Fault(&connwarden.Fault{Service: "x", Message: []byte("noise " + word(i+1))})
		n++
		if i > 10000 && i%20 == 0 { // begins when the table has long been full
			table.Fault(&often)
			n++
		}
		if len(table.rows) > bound {
			t.Fatalf("%d rows, the bound is %d", len(table.rows), bound)
		}
	}
	var sum uint64
	var gotOften, gotKnown uint64
	for _, r := range table.Top(0) {
		sum += r.Count
		switch r.Key {
		case "the frequent one":
			gotOften = r.Count
		case "server reached MaxRequestWorkers":
			gotKnown = r.Count
		}
	}
	lost, most := table.Lost()
	if table.Total() != n || sum+lost != n {
		t.Errorf("total %d, rows %d and lost %d, want %d", table.Total(), sum, lost, n)
	}
	if gotKnown != 1 {
		t.Errorf("the known fault is counted %d times, want 1", gotKnown)
	}
	if gotOften+most < 500 || gotOften < 400 {
		t.Errorf("the frequent fault is counted %d, at most %d too little, want 500", gotOften, most)
	}
}

func TestMinutesBound(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	a, b := &row{}, &row{}
	for _, i := range r.Perm(1000) {
		a.minute(minute{int64(i), 1})
	}
	for i := range 1000 {
		b.minute(minute{int64(i), 1})
	}
	if len(a.minutes) != minuteBound || a.minutes[0].at != 1000-minuteBound {
		t.Errorf("%d minutes from %d on, want the latest %d", len(a.minutes), a.minutes[0].at, minuteBound)
	}
	if diff := cmp.Diff(b.minutes, a.minutes, cmp.AllowUnexported(minute{})); diff != "" {
		t.Errorf("order matters (-sorted +shuffled):\n%s", diff)
	}
}

func TestDistinct(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 1000, 100000} {
		var whole, left, right distinct
		for i := range n {
			h := hash64(fmt.Appendf(nil, "192.0.2.%d", i))
			whole.add(h)
			whole.add(h)
			if i%3 == 0 {
				left.add(h)
			} else {
				right.add(h)
			}
		}
		left.merge(&right)
		if diff := cmp.Diff(whole.hashes, left.hashes, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%d: halves differ from the whole", n)
		}
		got := whole.count()
		if n < distinctBound && got != n {
			t.Errorf("%d values are counted as %d", n, got)
		}
		if off := float64(got-n) / float64(max(n, 1)); off > 0.2 || off < -0.2 {
			t.Errorf("%d values are estimated as %d", n, got)
		}
	}
}

func TestTableAllocs(t *testing.T) {
	all := log(300)
	for by := ByFault; by <= ByDay; by++ {
		table := NewTable(by, Options{})
		run := func() {
			for i := range all {
				table.Fault(&all[i])
			}
		}
		run()
		if n := testing.AllocsPerRun(5, run); n > 0 {
			t.Errorf("by %s: %v allocations for what is known, want none", by, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Find(&all[0]) }); n > 0 {
		t.Errorf("Find: %v allocations, want none", n)
	}
}

func TestParseCatalog(t *testing.T) {
	tests := []struct{ text, want string }{
		{"service x", `c.txt:1: an entry begins with "service", want "name"`},
		{" x", "c.txt:1: a continued line continues nothing"},
		{"name a\ncolour x", `c.txt:2: unknown word "colour"`},
		{"name a\ntext ", "c.txt:2: an empty text"},
		{"name a\nrows some", `c.txt:2: rows "some", want "each"`},
		{"name a\nservice x", `c.txt: entry "a" lacks one of service, key, meaning, remedy, format, sample`},
		{"name a\nservice s\nkey k\nmeaning m\nremedy r\nformat f\nsample l", `c.txt: entry "a" has neither code nor text`},
	}
	for _, tt := range tests {
		if _, err := parseCatalog("c.txt", tt.text); err == nil || err.Error() != tt.want {
			t.Errorf("%q\n got %v\nwant %s", tt.text, err, tt.want)
		}
	}
	kinds, err := parseCatalog("c.txt", "# x\n\nname a\nservice s\ncode C\nkey k\nmeaning one\n  two\nremedy r\nformat f\nsample l\nsample m\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []*Kind{{Name: "a", Service: "s", Code: "C", Key: "k", Meaning: "one two", Remedy: "r", Format: "f", Sample: "l\nm"}}
	if diff := cmp.Diff(want, kinds, cmp.AllowUnexported(Kind{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func BenchmarkTable(b *testing.B) {
	all := log(1000)
	for _, by := range []By{ByFault, ByIP, ByMinute} {
		b.Run(by.String(), func(b *testing.B) {
			table := NewTable(by, Options{})
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				table.Fault(&all[i%len(all)])
				i++
			}
		})
	}
}

// BenchmarkCatalog reads the whole catalogue: the cost of the first fault of a process.
func BenchmarkCatalog(b *testing.B) {
	for b.Loop() {
		files, err := catalogFiles.ReadDir("catalog")
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range files {
			text, err := catalogFiles.ReadFile("catalog/" + f.Name())
			if err != nil {
				b.Fatal(err)
			}
			if _, err := parseCatalog(f.Name(), string(text)); err != nil {
				b.Fatal(err)
			}
		}
	}
}
