package tally

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

var epoch = time.Date(2026, 11, 22, 14, 3, 7, 0, time.UTC)

func keys(t testing.TB, text string) Keys {
	t.Helper()
	k, err := ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// everything is all keys at once.
const everything = "path,url,ip,net,site,status,method,agent,referer,user,minute,hour,day"

func TestParseKeys(t *testing.T) {
	k := keys(t, "status, ip")
	if k.String() != "status,ip" || !slices.Equal(k.Words(), []string{"status", "ip"}) || k.Timed() || !keys(t, "hour,ip").Timed() {
		t.Errorf("got %v", k)
	}
	want := connwarden.FieldStatus | connwarden.FieldClient | connwarden.FieldTime | connwarden.FieldSize
	if k.Fields() != want {
		t.Errorf("fields: got %b, want %b", k.Fields(), want)
	}
	for text, want := range map[string]string{
		"":              `key "": not one of path, url,`,
		"pth":           `key "pth": not one of path, url,`,
		"path,":         `key "": not one of`,
		"path,ip,path":  `key "path": given twice`,
		"contry":        `key "contry": not one of`,
		"path\x1b[31m,": `key "path\x1b[31m"`,
	} {
		if _, err := ParseKeys(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// TestPlaces: requests by country and autonomous system, of addresses that are known and that are not.
func TestPlaces(t *testing.T) {
	place := func(a netip.Addr) (connwarden.Network, bool) {
		if a == netip.MustParseAddr("192.0.2.1") {
			return connwarden.Network{ASN: 64500, Org: "Example", Country: "NL"}, true
		}
		return connwarden.Network{}, false
	}
	for text, want := range map[string][2]string{
		"country":      {"NL", "-"},
		"asn":          {"AS64500 Example", "-"},
		"country,path": {"NL\t/", "-\t/"},
	} {
		k := keys(t, text).At(place)
		p := NewPages(k, 10)
		for range 2 {
			p.Request(&connwarden.Request{Client: netip.MustParseAddr("192.0.2.1"), Path: []byte("/")})
		}
		p.Request(&connwarden.Request{Client: netip.MustParseAddr("2001:db8::1"), Path: []byte("/")})
		rows := p.Top(0)
		if len(rows) != 2 || rows[0].Key != want[0] || rows[0].Count != 2 || rows[1].Key != want[1] {
			t.Errorf("%s: %+v", text, rows)
		}
	}
	c := Conns{Place: place}
	for _, a := range []string{"192.0.2.1:99", "192.0.2.1:100", "198.51.100.1:9"} {
		c.Conn(&connwarden.Conn{Remote: netip.MustParseAddrPort(a), Local: netip.MustParseAddrPort("192.0.2.9:80"), Dir: connwarden.DirIn})
	}
	for key, want := range map[ConnKey]string{ConnByCountry: "NL", ConnByASN: "AS64500 Example"} {
		v := c.By(key, 0)
		if len(v.Rows) != 2 || v.Rows[0].Key != want || v.Rows[0].Count != 2 || v.Rows[1].Key != "-" {
			t.Errorf("%v: %+v", key, v.Rows)
		}
	}
}

func TestKeyTexts(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	r := &connwarden.Request{
		Time: epoch, Client: netip.MustParseAddr("203.0.113.9"), Host: []byte("example.com"), Method: []byte("GET"), Path: []byte("/a b"),
		Query: []byte("c=d"), Status: 404, Agent: []byte("curl\x1b"), Referer: []byte("http://x/"), User: []byte("root"),
	}
	six := *r
	six.Client = netip.MustParseAddr("2001:db8:1:2:3::4")
	named := connwarden.Request{Name: []byte("host.example")}
	zoned := connwarden.Request{Client: netip.MustParseAddr("fe80::1%eth0")}
	odd := connwarden.Request{Path: []byte("a\tb\x00"), Agent: []byte(strings.Repeat("x", 5000)), Status: 7}
	for _, c := range []struct {
		r    *connwarden.Request
		keys string
		zone *time.Location
		want string
	}{
		{r, "path", nil, "/a b"},
		{r, "url", nil, "/a b?c=d"},
		{r, "ip", nil, "203.0.113.9"},
		{r, "net", nil, "203.0.113.0/24"},
		{&six, "ip", nil, "2001:db8:1:2:3::4"},
		{&six, "net", nil, "2001:db8:1:2::/64"},
		{r, "site", nil, "example.com"},
		{r, "status", nil, "404"},
		{r, "minute", nil, "2026-11-22T14:03:00Z"},
		{r, "hour", nil, "2026-11-22T14:00:00Z"},
		{r, "day", nil, "2026-11-22"},
		{r, "minute", berlin, "2026-11-22T15:03:00+01:00"},
		{r, "hour", time.FixedZone("", -5400), "2026-11-22T12:00:00-01:30"},
		{r, "day", time.FixedZone("", 12*3600), "2026-11-23"},
		{r, everything, nil, "/a b\t/a b?c=d\t203.0.113.9\t203.0.113.0/24\texample.com\t404\tGET\tcurl\x1b\thttp://x/\troot\t2026-11-22T14:03:00Z\t2026-11-22T14:00:00Z\t2026-11-22"},
		{&connwarden.Request{}, everything, nil, strings.Repeat("-\t", 12) + "-"},
		{&named, "ip", nil, "host.example"},
		{&named, "ip,net,path", nil, "host.example\thost.example\t-"},
		{&zoned, "ip", nil, "fe80::1%eth0"},
		{&odd, "path", nil, "a\tb\x00"},
		{&odd, "path,status", nil, "a\\x09b\x00\t007"},
		{&odd, "agent", nil, strings.Repeat("x", maxText-3) + "…"},
		{&odd, "agent,ip", nil, strings.Repeat("x", maxParts-3) + "…\t-"},
	} {
		k := keys(t, c.keys)
		if c.zone != nil {
			k = k.In(c.zone)
		}
		got := string(k.Append([]byte("> "), c.r))
		if got != "> "+c.want {
			t.Errorf("%s: got %q, want %q", c.keys, got, c.want)
		}
		p := NewPages(k, 0)
		p.Request(c.r)
		row := p.Top(0)[0]
		if row.Key != c.want || strings.Join(row.Parts, "\t") != c.want || len(row.Parts) != len(k.Words()) {
			t.Errorf("%s: got row %q of %q, want %q", c.keys, row.Key, row.Parts, c.want)
		}
		// A row is found again by its text.
		d := NewDistinct(k, []string{row.Key})
		d.Request(c.r)
		if n, exact := d.Count(row.Key); n != 1 || !exact {
			t.Errorf("%s: row %q is not found again", c.keys, row.Key)
		}
	}
}

// Each time has one bucket, in whatever order times come, in zones that change their offset within an hour too.
func TestTimeBuckets(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Skip("no time zones here:", err)
		}
		r := rand.New(rand.NewPCG(7, 8))
		warm := packer{keys: keys(t, "minute,hour,day").In(zone)}
		_, change := epoch.In(zone).ZoneBounds()
		for i := range 20_000 {
			at := epoch.Add(time.Duration(r.Int64N(365*24*60)) * time.Minute)
			if i%2 == 0 && !change.IsZero() {
				at = change.Add(time.Duration(r.IntN(120)-60) * time.Minute)
			}
			request := &connwarden.Request{Time: at}
			got := string(warm.pack(request))
			cold := packer{keys: warm.keys}
			if want := string(cold.pack(request)); got != want {
				t.Fatalf("%s in %s: got %q after other times and %q alone", at, name, warm.keys.text([]byte(got)), warm.keys.text([]byte(want)))
			}
			local := at.In(zone)
			want := local.Format("2006-01-02T15:04") + ":00" + local.Format("Z07:00") + "\t"
			if text := warm.keys.text([]byte(got)); !strings.HasPrefix(text, want) || !strings.HasSuffix(text, "\t"+local.Format(time.DateOnly)) {
				t.Fatalf("%s in %s: got %q, want %q…", at, name, text, want)
			}
		}
	}
}

// made returns requests whose paths and clients are skewed.
func made(n, paths int, seed uint64) []connwarden.Request {
	r := rand.New(rand.NewPCG(seed, 1))
	zipf := rand.NewZipf(r, 1.2, 3, uint64(paths-1))
	list := make([]connwarden.Request, n)
	for i := range list {
		path := zipf.Uint64()
		list[i] = connwarden.Request{
			Time: epoch.Add(time.Duration(i)*time.Second - time.Duration(r.IntN(90))*time.Second), Path: fmt.Appendf(nil, "/page/%d", path),
			Client: netip.AddrFrom4([4]byte{10, 0, byte(zipf.Uint64()), byte(r.IntN(4))}), Status: uint16(r.IntN(7)*100 + 4), Size: int64(r.IntN(1000)) - 1,
			Query: fmt.Appendf(nil, "%d", r.IntN(3)), Agent: []byte("agent"), Method: []byte("GET"),
		}
	}
	return list
}

// answer is all that a table says.
type answer struct {
	Rows, InOrder      []PageRow
	Lines, Bytes       uint64
	Class              [6]uint64
	First, Last        time.Time
	Distinct, Missed   uint64
	Exact              bool
	Half, HalfOrdered  []PageRow
	TopOne, FirstOrder []PageRow
}

func ask(p *Pages) answer {
	n, exact := p.Distinct()
	half := max(int(n)/2, 1)
	return answer{p.Top(0), p.InOrder(0), p.Lines(), p.Bytes(), p.Class(), p.First(), p.Last(), n, p.Missed(), exact,
		p.Top(half), p.InOrder(half), p.Top(1), p.InOrder(1)}
}

func countAll(k Keys, bound int, list []connwarden.Request) *Pages {
	p := NewPages(k, bound)
	for i := range list {
		p.Request(&list[i])
	}
	return p
}

// slow counts with maps.
func slow(k Keys, list []connwarden.Request) answer {
	rows := map[string]*PageRow{}
	var a answer
	for i := range list {
		r := &list[i]
		key := string(k.Append(nil, r))
		row := rows[key]
		if row == nil {
			row = &PageRow{Key: key, Parts: strings.Split(key, "\t")}
			rows[key] = row
		}
		class := int(r.Status) / 100
		if class > 5 {
			class = 0
		}
		row.Count++
		row.Class[class]++
		a.Class[class]++
		a.Lines++
		if r.Size > 0 {
			row.Bytes += uint64(r.Size)
			a.Bytes += uint64(r.Size)
		}
		if a.First.IsZero() || r.Time.Before(a.First) {
			a.First = r.Time
		}
		if r.Time.After(a.Last) {
			a.Last = r.Time
		}
	}
	a.Distinct, a.Exact = uint64(len(rows)), true
	for _, row := range rows {
		a.Rows = append(a.Rows, *row)
	}
	return a
}

func TestPagesExact(t *testing.T) {
	list := made(20_000, 3000, 1)
	for _, by := range []string{"path", "url", "ip", "status", "status,ip", "minute,path"} {
		k := keys(t, by)
		got := ask(countAll(k, 0, list))
		want := slow(k, list)
		for _, rows := range [][]PageRow{got.Rows, got.InOrder} {
			byKey := func(a, b PageRow) int { return strings.Compare(a.Key, b.Key) }
			rows, all := slices.Clone(rows), slices.Clone(want.Rows)
			slices.SortFunc(rows, byKey)
			slices.SortFunc(all, byKey)
			if !reflect.DeepEqual(rows, all) {
				t.Fatalf("%s:\ngot  %v\nwant %v", by, rows, all)
			}
		}
		if !slices.IsSortedFunc(got.Rows, func(a, b PageRow) int { return int(b.Count) - int(a.Count) }) {
			t.Errorf("%s: rows are not ordered by count", by)
		}
		if !reflect.DeepEqual(got.Half, got.Rows[:len(got.Half)]) || !reflect.DeepEqual(got.HalfOrdered, got.InOrder[:len(got.Half)]) ||
			got.TopOne[0].Key != got.Rows[0].Key || got.FirstOrder[0].Key != got.InOrder[0].Key {
			t.Errorf("%s: a part of the rows is not the begin of all", by)
		}
		got.Rows, want.Rows = nil, nil
		got.InOrder, got.Half, got.HalfOrdered, got.TopOne, got.FirstOrder = nil, nil, nil, nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", by, got, want)
		}
	}
}

func TestPagesOrder(t *testing.T) {
	var list []connwarden.Request
	for _, a := range []string{"9.0.0.1", "10.0.0.1", "2001:db8::1", "10.0.0.1", "9.0.0.1", "1.1.1.1"} {
		list = append(list, connwarden.Request{Client: netip.MustParseAddr(a)})
	}
	var got []string
	for _, row := range countAll(keys(t, "ip"), 0, list).Top(0) {
		got = append(got, row.Key)
	}
	if want := []string{"9.0.0.1", "10.0.0.1", "1.1.1.1", "2001:db8::1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Two halves of a log add up to the whole, wherever it is cut.
func TestMergeEveryCut(t *testing.T) {
	list := made(200, 30, 2)
	for _, by := range []string{"path", "ip,status", "hour,path", "minute", "status", "site"} {
		k := keys(t, by)
		want := ask(countAll(k, 200, list))
		if !want.Exact || want.Missed > 0 {
			t.Fatalf("%s: the sample passes the bound", by)
		}
		for cut := range len(list) + 1 {
			p := countAll(k, 200, list[:cut])
			p.Merge(countAll(k, 200, list[cut:]))
			if got := ask(p); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s cut at %d:\ngot  %+v\nwant %+v", by, cut, got, want)
			}
		}
	}
}

// A table goes on counting after it has taken in another, whose last request was of another minute.
func TestMergeThenCount(t *testing.T) {
	list := made(4, 1, 2)
	for i := range list {
		list[i].Time = epoch.Add([...]time.Duration{time.Minute, 0, time.Minute, time.Minute}[i])
	}
	k := keys(t, "minute")
	p := countAll(k, 0, list[:2])
	p.Merge(countAll(k, 0, list[2:3]))
	p.Request(&list[3])
	if got, want := ask(p), ask(countAll(k, 0, list)); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestMergeAtRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	list := made(20_000, 5000, 3)
	k := keys(t, "url")
	want := ask(countAll(k, 0, list))
	for range 5 {
		// Chunks in any order to any of some workers, whose tables are merged in any order.
		workers := make([]*Pages, 1+r.IntN(6))
		for i := range workers {
			workers[i] = NewPages(k, 0)
		}
		for rest := list; len(rest) > 0; {
			n := min(1+r.IntN(3000), len(rest))
			w := workers[r.IntN(len(workers))]
			for i := range rest[:n] {
				w.Request(&rest[i])
			}
			rest = rest[n:]
		}
		r.Shuffle(len(workers), func(i, j int) { workers[i], workers[j] = workers[j], workers[i] })
		for _, w := range workers[1:] {
			workers[0].Merge(w)
		}
		if got := ask(workers[0]); !reflect.DeepEqual(got, want) {
			t.Fatal("merged tables differ from one table")
		}
	}
}

// memory is what a table holds, in bytes.
func (t *table) memory() int {
	n := cap(t.slots) * 8
	for i := range t.entries {
		n += cap(t.entries[i]) * 64
	}
	for i := range t.errs {
		n += cap(t.errs[i]) * 8
	}
	for i := range t.arena {
		n += cap(t.arena[i])
	}
	return n
}

func TestRequestAllocatesNothing(t *testing.T) {
	list := made(1000, 100, 4)
	for _, by := range []string{"path", "url", "ip", "net", "minute", everything} {
		p := countAll(keys(t, by), 0, list)
		if n := testing.AllocsPerRun(100, func() {
			for i := range list {
				p.Request(&list[i])
			}
		}); n != 0 {
			t.Errorf("%s: got %v allocations for keys that are there", by, n)
		}
	}
}

func FuzzPages(f *testing.F) {
	f.Add([]byte("a\nb\na\n\nccc\x00\n"), byte(2), byte(1))
	f.Fuzz(func(t *testing.T, log []byte, bound, cut byte) {
		var list []connwarden.Request
		for line := range strings.SplitSeq(string(log), "\n") {
			list = append(list, connwarden.Request{Path: []byte(line), Query: []byte(line[:len(line)/2]), Host: []byte(line), Status: uint16(len(line)) * 50})
		}
		for _, by := range []string{"path", "path,status,site"} {
			k := keys(t, by)
			at := int(cut) % len(list)
			p := countAll(k, int(bound)+1, list[:at])
			p.Merge(countAll(k, int(bound)+1, list[at:]))
			if p.missed > 0 {
				rows := p.Top(0)
				if len(rows) > int(bound)+1 {
					t.Errorf("%d rows", len(rows))
				}
				continue
			}
			if got, want := ask(p), ask(countAll(k, 0, list)); !reflect.DeepEqual(got, want) {
				t.Errorf("%s:\ngot  %+v\nwant %+v", by, got, want)
			}
		}
	})
}
