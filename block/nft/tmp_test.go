package nft

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/internal/netnstest"
)

func TestTmp(t *testing.T) {
	ctx := context.Background()
	for _, n := range []int{1000, 5000, 20000, 50000, 100000, 150000, 200000} {
		for range 5 {
			netnstest.Run(t, func() {
				d, _ := Open(Options{})
				var all []block.Entry
				for i := range n {
					all = append(all, block.Entry{Target: netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 32)})
				}
				if err := d.Apply(ctx, all, nil); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					list, err := d.List(ctx)
					if err != nil {
						t.Fatal(err)
					}
					seen := map[block.EntryKey]bool{}
					for _, e := range list {
						seen[e.Key()] = true
					}
					if len(seen) != n || len(list) != n {
						fmt.Println(n, "listed", len(list), "distinct", len(seen))
					}
				}
				d.Close()
			})
		}
	}
}
