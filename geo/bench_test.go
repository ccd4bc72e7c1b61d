package geo

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var sink bool

// BenchmarkLookup asks for the same address, for a thousand peers in turn as a busy server has them, and for addresses
// all over the table, so that most of what it reads is in no cache near by.
func BenchmarkLookup(b *testing.B) {
	table := Shipped()
	for _, c := range []struct {
		name  string
		addrs []netip.Addr
	}{
		{"one", []netip.Addr{netip.MustParseAddr("8.8.8.8")}},
		{"thousand/IPv4", spread(&table.v4, 1000)},
		{"thousand/IPv6", spread(&table.v6, 1000)},
		{"everywhere/IPv4", spread(&table.v4, 1<<16)},
		{"everywhere/IPv6", spread(&table.v6, 1<<16)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, sink = table.Lookup(c.addrs[i%len(c.addrs)])
			}
		})
	}
}

// BenchmarkShipped makes the index of the shipped table, which the first look-up waits for.
func BenchmarkShipped(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(shipped); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad reads a newer table from the state folder.
func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	newer(b, filepath.Join(dir, File))
	b.ReportAllocs()
	b.SetBytes(int64(len(shipped)))
	for b.Loop() {
		if t, err := Load(dir); err != nil || t == Shipped() {
			b.Fatalf("not loaded: %v", err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	b.SetBytes(int64(len(shipped)))
	for b.Loop() {
		if err := Shipped().Verify(); err != nil {
			b.Fatal(err)
		}
	}
}

// spread returns addresses at the beginnings of blocks and somewhat behind, in an order that jumps.
func spread(f *family, n int) []netip.Addr {
	out := make([]netip.Addr, n)
	for i := range out {
		key := f.first[i*7919%len(f.first)] + uint64(i)<<(f.bits/8)
		if out[i] = addr6(key); f.bits == 32 {
			out[i] = addr4(key)
		}
	}
	return out
}

// newer writes the shipped table, a day younger.
func newer(t testing.TB, name string) *Table {
	t.Helper()
	text := []byte(strings.Clone(shipped))
	stamp(text, Shipped().Date().Add(24*time.Hour))
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
	table, err := Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return table
}
