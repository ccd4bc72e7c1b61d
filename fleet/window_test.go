package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

// A window reads what is new alone: who decides again, takes back or is shut out changes what was read before.
func TestWindow(t *testing.T) {
	w := (&Identity{}).Window()
	w.claims = map[attacked]*claimed{}
	seq := uint64(0)
	read := func(m *Message) {
		seq++
		m.Seq = seq
		w.take(m)
	}
	see := func(want string, after time.Duration) {
		t.Helper()
		var words []string
		for _, b := range w.blocked(noon.Add(after)) {
			words = append(words, fmt.Sprintf("%s by %s until %s", b.Target, strings.Join(b.Hosts, " "), b.Until.Sub(noon)))
		}
		if got := strings.Join(words, ", "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	read(told(t, "g", "a", KindBlock, peer1, time.Hour, 80))
	read(told(t, "g", "b_x", KindBlock, peer2, 2*time.Hour, 80))
	read(told(t, "g", "b_x", KindAllow, peer1, time.Hour, 0))
	see("203.0.113.2/32 by b.x until 2h0m0s, 203.0.113.1/32 by a until 1h0m0s", 0)
	read(told(t, "h", "c", KindBlock, peer1, 3*time.Hour, 97))
	read(told(t, "g", "a", KindBlock, peer1, 4*time.Hour, 80)) // it decides again
	see("203.0.113.1/32 by a c until 4h0m0s, 203.0.113.2/32 by b.x until 2h0m0s", 0)
	see("203.0.113.1/32 by a until 4h0m0s", 3*time.Hour)
	read(&Message{Time: noon, Subject: told(t, "g", "a", KindBlock, peer1, 1, 0).Subject, Deleted: true})
	see("", 0)
	read(told(t, "g", "a", KindBlock, peer1, time.Hour, 80))
	read(told(t, "g", "c", KindBlock, peer1, time.Hour, 80))
	read(&Message{Time: noon, Subject: GoneSubject("g", "a")})
	see("203.0.113.1/32 by c until 1h0m0s", 0)
	bad := told(t, "g", "c", KindBlock, peer1, time.Hour, 80)
	bad.Data = []byte("x")
	read(bad)
	read(&Message{Time: noon, Subject: "$KV.decisions.nonsense"})
	see("", 0)
	if w.unread != 2 || len(w.claims) != 0 {
		t.Errorf("%d messages could not be read, and %d places are left", w.unread, len(w.claims))
	}
}

func FuzzWindow(f *testing.F) {
	f.Add("$KV.decisions.g.h.block.c0000207-32.all", []byte(`{"v":1,"for":60,"score":97,"by":"rule:x","why":"y"}`), false)
	f.Add("$KV.decisions.g.h.gone", []byte(nil), false)
	f.Fuzz(func(t *testing.T, subject string, data []byte, deleted bool) {
		w := (&Identity{}).Window()
		w.claims = map[attacked]*claimed{}
		w.take(&Message{Seq: 1, Time: noon, Subject: subject, Data: data, Deleted: deleted})
		for _, b := range w.blocked(noon) {
			if !b.Target.IsValid() || b.Score > 100 || len(b.Why) > maxWhy || len(b.Hosts) != 1 || b.Scope.Kind == connwarden.ScopeSite {
				t.Errorf("%q %q is %+v", subject, data, b)
			}
		}
	})
}
