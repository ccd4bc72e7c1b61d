package tally

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/connwarden/connwarden"
)

func TestDistinct(t *testing.T) {
	list := made(50_000, 500, 5)
	for _, by := range []string{"path", "status,path", "hour"} {
		k := keys(t, by)
		truth := map[string]map[netip.Addr]bool{}
		for i := range list {
			key := string(k.Append(nil, &list[i]))
			if truth[key] == nil {
				truth[key] = map[netip.Addr]bool{}
			}
			truth[key][list[i].Client] = true
		}
		var rows []string
		for _, row := range countAll(k, 0, list).Top(20) {
			rows = append(rows, row.Key)
		}
		for cut := 0; cut <= len(list); cut += 9999 {
			d, e := NewDistinct(k, rows), NewDistinct(k, rows)
			for i := range list {
				if i < cut {
					d.Request(&list[i])
				} else {
					e.Request(&list[i])
				}
			}
			d.Merge(e)
			for _, row := range rows {
				if n, exact := d.Count(row); n != uint64(len(truth[row])) || !exact {
					t.Errorf("%s: got %d, want %d", row, n, len(truth[row]))
				}
			}
		}
	}
}

func TestDistinctOdd(t *testing.T) {
	k := keys(t, "status,ip")
	d := NewDistinct(k, []string{"404\t-", "404\t-", "404", "x\t-", "404\thost"})
	d.Request(&connwarden.Request{Status: 404})
	d.Request(&connwarden.Request{Status: 404, Name: []byte("host")})
	for row, want := range map[string]uint64{"404\t-": 1, "404\thost": 1, "404": 0, "200\t-": 0, "": 0, "404\t-\t-": 0} {
		if n, exact := d.Count(row); n != want || !exact {
			t.Errorf("%q: got %d, want %d", row, n, want)
		}
	}
	if want := connwarden.FieldStatus | connwarden.FieldClient; d.Fields() != want {
		t.Errorf("fields: got %b, want %b", d.Fields(), want)
	}
	if n, _ := NewDistinct(k, nil).Count("a"); n != 0 {
		t.Error("no rows gave some")
	}
}

// Beyond its bound a row becomes an estimate; how it was cut makes no difference.
func TestDistinctManyClients(t *testing.T) {
	k := keys(t, "path")
	for _, clients := range []int{exactMost, exactMost + 1, 500_000} {
		var all [3]*Distinct
		for i := range all {
			all[i] = NewDistinct(k, []string{"/"})
		}
		r := connwarden.Request{Path: []byte("/")}
		for i := range clients {
			r.Client = netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
			all[0].Request(&r)
			all[1+i%2].Request(&r)
			all[1].Request(&r)
		}
		all[2].Merge(all[1])
		n, exact := all[0].Count("/")
		if m, e := all[2].Count("/"); m != n || e != exact {
			t.Errorf("got %d %v whole and %d %v in parts", n, exact, m, e)
		}
		if exact != (clients <= exactMost) || exact && n != uint64(clients) || n < uint64(clients)*95/100 || n > uint64(clients)*105/100 { // six standard errors: hashes are others in each run
			t.Errorf("got %d %v of %d", n, exact, clients)
		}
	}
}

// Many rows with many clients take bounded memory.
func TestDistinctManyRows(t *testing.T) {
	const rows = 20_000
	var names []string
	for i := range rows {
		names = append(names, fmt.Sprint(i))
	}
	d := NewDistinct(keys(t, "path"), names)
	var r connwarden.Request
	for i := range 40 * rows {
		r.Path = append(r.Path[:0], names[i%rows]...)
		r.Client = netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		d.Request(&r)
	}
	bytes := 0
	for i := range d.rows {
		bytes += 8*cap(d.rows[i].slots) + cap(d.rows[i].sketch)
	}
	if bytes > distinctMemory*3/2 {
		t.Errorf("%d rows take %d bytes", rows, bytes)
	}
}

func TestSketch(t *testing.T) {
	for _, n := range []int{0, 1, 10, 1000, 30_000, 300_000} {
		a, b := newSketch(sketchBits), newSketch(sketchBits)
		for i := range n {
			h := hash(fmt.Append(nil, i))
			a.add(h)
			a.add(h)
			if i%3 == 0 {
				b.add(h)
			}
		}
		b.merge(a)
		got := a.estimate()
		// Six standard errors of 0.81%: hashes are others in each run.
		if off := max(float64(n)*0.05, 2); float64(got) < float64(n)-off || float64(got) > float64(n)+off {
			t.Errorf("got %d of %d", got, n)
		}
		if b.estimate() != got {
			t.Errorf("merged with a part of itself: got %d and %d", b.estimate(), got)
		}
	}
}
