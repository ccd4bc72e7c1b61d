package tally

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

// stretch is a piece of a log to count: 300,000 paths and 140,000 clients, skewed like a real server's, with some
// hundred agents.
func stretch(n int) []connwarden.Request {
	r := rand.New(rand.NewPCG(1, 1))
	paths, clients, agents := rand.NewZipf(r, 1.05, 20, 300_000), rand.NewZipf(r, 1.05, 50, 140_000), rand.NewZipf(r, 1.1, 5, 500)
	list := make([]connwarden.Request, n)
	for i := range list {
		path, client := paths.Uint64(), clients.Uint64()*2654435761
		list[i] = connwarden.Request{
			Time: epoch.AddDate(0, 0, i*30/n), Path: fmt.Appendf(nil, "/shop/category-%d/product-%d.html", path%97, path), Size: 1000, Status: 200,
			Client: netip.AddrFrom4([4]byte{byte(client), byte(client >> 8), byte(client >> 16), byte(client >> 24)}),
			Agent:  fmt.Appendf(nil, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0", agents.Uint64()),
		}
	}
	return list
}

// BenchmarkPages counts a line an operation. Bytes are those of a line of a combined log.
func BenchmarkPages(b *testing.B) {
	list := stretch(1 << 20)
	for _, by := range []string{"status", "minute", "agent", "path", "ip", "path,status"} {
		b.Run(strings.ReplaceAll(by, ",", "+"), func(b *testing.B) {
			k, err := ParseKeys(by)
			if err != nil {
				b.Fatal(err)
			}
			p := NewPages(k, 0)
			for i := range list {
				p.Request(&list[i])
			}
			b.SetBytes(230)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				p.Request(&list[i])
				i = (i + 1) & (len(list) - 1)
			}
		})
	}
}

// BenchmarkPagesFlood counts keys of which no two are equal, far beyond the bound.
func BenchmarkPagesFlood(b *testing.B) {
	k, err := ParseKeys("path")
	if err != nil {
		b.Fatal(err)
	}
	p := NewPages(k, 100_000)
	var r connwarden.Request
	b.SetBytes(230)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		r.Path = fmt.Appendf(r.Path[:0], "/%d/flood.php", i)
		p.Request(&r)
	}
}

func BenchmarkDistinct(b *testing.B) {
	list := stretch(1 << 20)
	k, err := ParseKeys("path")
	if err != nil {
		b.Fatal(err)
	}
	p := NewPages(k, 0)
	for i := range list {
		p.Request(&list[i])
	}
	var rows []string
	for _, row := range p.Top(20) {
		rows = append(rows, row.Key)
	}
	d := NewDistinct(k, rows)
	b.SetBytes(230)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		d.Request(&list[i])
		i = (i + 1) & (len(list) - 1)
	}
}
