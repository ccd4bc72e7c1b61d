package hub

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/connwarden/connwarden/fleet"
)

// TestFloodsGoByTheList: what was noted of hosts may be older than the list. Who joined again keeps what it decides, and what who has just
// gone wrote late is void, though both wrote in this round.
func TestFloodsGoByTheList(t *testing.T) {
	dir := t.TempDir()
	h := start(t, dir, "127.0.0.1:0")
	join(t, h, "back")
	command(t, 0, dir, "revoke", "back")
	join(t, h, "back")
	join(t, h, "left")
	command(t, 0, dir, "revoke", "left")
	join(t, h, "moved")
	command(t, 0, dir, "revoke", "moved")
	join(t, h, "moved", "--group", "web")
	decisions, err := h.js.Stream(t.Context(), fleet.DecisionsStream)
	if err != nil {
		t.Fatal(err)
	}
	subject := func(host string) string {
		k := fleet.Key{Group: "default", Host: host, Kind: fleet.KindBlock, Target: netip.MustParsePrefix("192.0.2.99/32")}
		return k.Subject()
	}
	gone := func(host string) *Member { return &Member{Host: host, rights: rights{Group: "default"}} }
	f := &floods{
		// Another than the one that runs, whose notes are its goroutine's.
		hub:    &Hub{opt: h.opt, js: h.js, list: h.list, gone: map[string]*Member{"default.back": gone("back"), "default.moved": gone("moved")}},
		counts: map[string]int{"default.back": 1, "default.left": maxRate + 1, "default.moved": 1},
	}
	for _, host := range []string{"back", "left", "moved"} {
		if _, err := h.js.Publish(t.Context(), subject(host), []byte(`{"v":1,"for":3600,"score":100,"by":"operator"}`)); err != nil {
			t.Fatal(err)
		}
	}
	f.look(t.Context())
	for host, want := range map[string]bool{"back": true, "left": false, "moved": false} {
		_, err := decisions.GetLastMsgForSubject(t.Context(), subject(host))
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			t.Fatal(err)
		}
		if (err == nil) != want {
			t.Errorf("what %s wrote stands: %v, want %v", host, err == nil, want)
		}
	}
	if len(f.counts) != 0 {
		t.Errorf("counted again: %v", f.counts)
	}
}
