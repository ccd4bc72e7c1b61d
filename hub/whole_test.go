package hub

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/connwarden/connwarden/fleet"
)

// TestWhole is a host that joins a fleet which decided more than it reads at once: it begins before it has read all, and yet never holds
// what somebody pardoned or allowed at the end of the bucket.
func TestWhole(t *testing.T) {
	const many = 9000
	h := start(t, t.TempDir(), "127.0.0.1:0")
	stand := func(host string, kind fleet.Kind, i int) {
		t.Helper()
		addr := netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
		k := fleet.Key{Group: "default", Host: host, Kind: kind, Target: netip.PrefixFrom(addr, 32)}
		if _, err := h.js.PublishAsync(k.Subject(), []byte(`{"v":1,"for":3600,"score":100,"by":"operator"}`)); err != nil {
			t.Fatal(err)
		}
	}
	stored := func() {
		t.Helper()
		select {
		case <-h.js.PublishAsyncComplete():
		case <-time.After(time.Minute):
			t.Fatal("the engine stores no more")
		}
	}
	for i := range many {
		stand(fmt.Sprint("h", i%30), fleet.KindBlock, i*7%many) // within the bounds of a host, in no order
		if i%1000 == 0 {
			stored() // the client refuses to have more than 4,000 on the way
		}
	}
	stand("late", fleet.KindPardon, 0)
	stand("late", fleet.KindAllow, 1)
	stored()
	b := run(t, join(t, h, "b"), nil, fleet.Policy{Kinds: []fleet.Kind{fleet.KindBlock, fleet.KindPardon}})
	eventually(t, "it holds all", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.held) == many-1 // but for the pardoned; it listens to nobody who allows
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.orders != many-1 {
		t.Errorf("%d orders, want %d", b.orders, many-1)
	}
}
