package faults

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

// TestParts proves that who is behind a third of a row is found among ten thousand others, in whatever order and pieces they come, and that
// its count is right within what is said.
func TestParts(t *testing.T) {
	heavy := netip.MustParseAddr("198.51.100.7")
	for _, order := range []string{"first", "last", "among"} {
		a, b := NewTable(ByFault, Options{}), NewTable(ByFault, Options{})
		own := uint64(0)
		for i := range 15000 {
			f := connwarden.Fault{Service: "apache", Message: []byte("File does not exist: /x"), Raw: []byte("x"),
				Client: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Site: fmt.Appendf(nil, "s%d.example.com", i%3)}
			if order == "first" && i < 5000 || order == "last" && i >= 10000 || order == "among" && i%3 == 0 {
				f.Client, own = heavy, own+1
			}
			if i%2 == 0 {
				a.Fault(&f)
			} else {
				b.Fault(&f)
			}
		}
		a.Merge(b)
		row := a.Top(1)[0]
		if len(row.Clients) > partBound || len(row.Clients) == 0 || row.Clients[0].Name != heavy {
			t.Fatalf("%s: the busiest is %+v", order, row.Clients)
		}
		if got := row.Clients[0]; got.Count < own || got.Count-got.Over > own {
			t.Errorf("%s: counted %d, of which perhaps %d are others'; want %d", order, got.Count, got.Over, own)
		}
		if len(row.Names) != 3 || row.Names[0] != (Part[string]{"s0.example.com", 5000, 0}) {
			t.Errorf("%s: sites %+v", order, row.Names)
		}
	}
}

func TestBusiest(t *testing.T) {
	table := NewTable(ByFault, Options{})
	for _, minute := range []int{1, 2, 2, 2, 3, 3} {
		table.Fault(&connwarden.Fault{Time: start.Add(time.Duration(minute) * time.Minute), Service: "php", Message: []byte("x")})
	}
	row := table.Top(1)[0]
	if m := row.Busiest(); m.Count != 3 || m != row.Minutes[1] {
		t.Errorf("got %+v of %+v", m, row.Minutes)
	}
	if m := (&Row{}).Busiest(); m.Count != 0 {
		t.Errorf("an empty row has %+v", m)
	}
}
