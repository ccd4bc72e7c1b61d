package tally

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/connwarden/connwarden"
)

// someConns makes n connections from so many addresses, a fifth of them IPv6, with a few addresses far busier than others.
func someConns(n, addrs int) []connwarden.Conn {
	r := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(r, 1.1, 8, uint64(addrs-1))
	list := make([]connwarden.Conn, n)
	for i := range list {
		a := uint32(z.Uint64())
		addr := netip.AddrFrom4([4]byte{10, byte(a >> 16), byte(a >> 8), byte(a)})
		if a%5 == 0 {
			addr = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 5: byte(a >> 16), 6: byte(a >> 8), 15: byte(a)})
		}
		port := uint16(443)
		if i%5 == 0 {
			port = 80
		}
		list[i] = connwarden.Conn{
			State: connwarden.StateEstablished, Dir: connwarden.DirIn,
			Local:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), port),
			Remote: netip.AddrPortFrom(addr, uint16(1024+r.IntN(60000))),
		}
	}
	return list
}

func BenchmarkConnsAdd(b *testing.B) {
	list := someConns(1<<20, 200_000)
	b.ReportAllocs()
	b.SetBytes(72) // of a kernel row
	var t Conns
	i := 0
	for b.Loop() {
		t.Conn(&list[i&(len(list)-1)])
		i++
	}
}

func BenchmarkConnsBy(b *testing.B) {
	var t Conns
	for _, c := range someConns(1<<20, 200_000) {
		t.Conn(&c)
	}
	for _, key := range []ConnKey{ConnByIP, ConnByNet, ConnByPort} {
		b.Run(key.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(t.Total()) * 72)
			for b.Loop() {
				t.By(key, 20)
			}
		})
	}
}
