package tally

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/connwarden/connwarden"
)

// crowd returns requests by n clients, some of which are IPv6 and some names.
func crowd(requests, n int) []connwarden.Request {
	list := made(requests, 50, 11)
	r := rand.New(rand.NewPCG(12, 1))
	for i := range list {
		c := &list[i]
		switch who := r.IntN(n); who % 8 {
		case 0:
			c.Client = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 7: byte(who >> 8 & 3), 15: byte(who)})
		case 1:
			c.Client, c.Name = netip.Addr{}, fmt.Appendf(nil, "host%d.example.com", who&15)
		case 2:
			c.Client = netip.Addr{}
		default:
			c.Client = netip.AddrFrom4([4]byte{198, 51, byte(who >> 8 & 7), byte(who)})
		}
	}
	return list
}

// halves places addresses by their third byte.
func halves(a netip.Addr) (connwarden.Network, bool) {
	if b := a.As16(); a.Is4() && b[14] < 6 {
		return connwarden.Network{ASN: 64500 + uint32(b[14]), Org: "Example", Country: [...]string{"NL", "DE"}[b[14]&1]}, true
	}
	return connwarden.Network{}, false
}

// grouped counts by address and by k with it, or by k instead once there are too many.
func grouped(k Keys, bound int, instead bool, list []connwarden.Request) *Pages {
	p := NewPages(k.Addresses(), bound)
	if instead {
		p.Instead(k, 0)
	} else {
		p.Also(k, 0)
	}
	for i := range list {
		p.Request(&list[i])
	}
	return p
}

// What is handed over by addresses is what a table of its own would have counted, however many addresses were dropped.
func TestGroups(t *testing.T) {
	list := crowd(20_000, 3000)
	for _, by := range []string{"net", "country", "asn"} {
		k := keys(t, by).At(halves)
		want := ask(countAll(k, 0, list))
		for _, bound := range []int{0, 1000, 100, 7} {
			for _, instead := range []bool{false, true} {
				whole := grouped(k, bound, instead, list)
				merged := grouped(k, bound, instead, list[:6000])
				merged.Merge(grouped(k, bound, instead, list[6000:6001]))
				merged.Merge(grouped(k, bound, instead, list[6001:]))
				for _, p := range []*Pages{whole, merged} {
					if dropped := p.Missed() > 0; dropped != (bound > 0) {
						t.Fatalf("%s, %d, %v: addresses were dropped: %v", by, bound, instead, dropped)
					}
					if got := ask(p.Groups()[0]); !reflect.DeepEqual(got, want) {
						t.Errorf("%s, %d, %v:\ngot  %+v\nwant %+v", by, bound, instead, got, want)
					}
				}
			}
		}
	}
}

// Requests that wait to be looked up together are there when there are too many addresses.
func TestGroupsInsteadTogether(t *testing.T) {
	list := crowd(40_000, 3000)
	for i := range list {
		list[i].Client = netip.AddrFrom4([4]byte{198, byte(i * 31 >> 12), byte(i >> 7), byte(i)})
	}
	k := keys(t, "net")
	p := grouped(k, queueFrom+1000, true, list[:30_000])
	p.Merge(grouped(k, queueFrom+1000, true, list[30_000:30_100]))
	p.Merge(grouped(k, queueFrom+1000, true, list[30_100:]))
	if p.table.n > queueLines*3 {
		t.Errorf("%d addresses are kept", p.table.n)
	}
	if got, want := ask(p.Groups()[0]), ask(countAll(k, 0, list)); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The same of every cut, and who stands behind the rows.
func TestGroupsEveryCut(t *testing.T) {
	list := crowd(200, 100)
	k := keys(t, "net")
	want := ask(countAll(k, 0, list))
	clients := map[string]map[string]bool{}
	var rows []string
	for i := range list {
		row, who := string(k.Append(nil, &list[i])), string(k.Addresses().Append(nil, &list[i]))
		if clients[row] == nil {
			clients[row] = map[string]bool{}
			rows = append(rows, row)
		}
		clients[row][who] = true
	}
	var behind []uint64
	for _, row := range rows {
		behind = append(behind, uint64(len(clients[row])))
	}
	for cut := range len(list) + 1 {
		p := grouped(k, 0, cut%2 > 0, list[:cut])
		p.Merge(grouped(k, 0, cut%2 > 0, list[cut:]))
		if got, ok := p.Clients(k, append(rows, "10.9.8.0/24", "no\tkey")); !ok || !slices.Equal(got, append(slices.Clone(behind), 0, 0)) {
			t.Fatalf("cut at %d: got %v behind %q, want %v", cut, got, rows, behind)
		}
		if got := ask(p.Groups()[0]); !reflect.DeepEqual(got, want) {
			t.Fatalf("cut at %d:\ngot  %+v\nwant %+v", cut, got, want)
		}
	}
}

// Groups that pass their own bound keep its promises.
func TestGroupsBeyondTheBound(t *testing.T) {
	const bound = 40
	list := made(20_000, 3000, 13)
	k := keys(t, "net")
	for i := range list {
		list[i].Client = netip.AddrFrom4([4]byte{10, byte(i % 7), byte(i * i % 251), list[i].Client.As4()[2]})
	}
	p := NewPages(k.Addresses(), 100)
	p.Also(k, bound)
	for i := range list {
		p.Request(&list[i])
	}
	if _, ok := p.Clients(k, nil); ok {
		t.Error("clients that were dropped are said to be all")
	}
	checkBounds(t, p.Groups()[0], list, k, bound)
}

func TestOfAddress(t *testing.T) {
	for by, want := range map[string]bool{"net": true, "country": true, "asn": true, "ip": false, "path": false, "net,path": false} {
		if got := keys(t, by).OfAddress(); got != want {
			t.Errorf("%s: got %v", by, got)
		}
	}
}
