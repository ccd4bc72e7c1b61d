package hub

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/connwarden/connwarden/fleet"
)

// line is a long way to a hub: what goes through it takes a time, each way.
type line struct {
	net.Listener
	takes atomic.Int64 // time.Duration
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	l := &line{}
	var err error
	if l.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			go l.carry(near, far)
			go l.carry(far, near)
		}
	}()
	return l
}

// carry hands on what comes, each piece when its time has come.
func (l *line) carry(to, from net.Conn) {
	type piece struct {
		b  []byte
		at time.Time
	}
	on := make(chan piece, 1000)
	go func() {
		defer to.Close()
		for p := range on {
			<-time.After(time.Until(p.at))
			if _, err := to.Write(p.b); err != nil {
				from.Close()
				_, _ = io.Copy(io.Discard, from)
			}
		}
	}()
	defer close(on)
	for {
		b := make([]byte, 32<<10)
		n, err := from.Read(b)
		if err != nil {
			return
		}
		on <- piece{b[:n], time.Now().Add(time.Duration(l.takes.Load()))}
	}
}

// An engine that answers after seconds is told everything, some of it perhaps twice, and nobody does anything twice.
func TestEngineSlow(t *testing.T) {
	h := start(t, t.TempDir(), "127.0.0.1:0")
	way := newLine(t, h.Address())
	id := join(t, h, "far")
	id.URLs = []string{"tls://" + way.Addr().String()}
	far := run(t, id, nil, fleet.Policy{})
	near := run(t, join(t, h, "near"), nil, fleet.Policy{})
	far.decide(fleet.KindBlock, attacker, time.Hour)
	near.decide(fleet.KindBlock, other, time.Hour)
	eventually(t, "both hold what the other decided", func() bool { return near.holds(attacker) && far.holds(other) })
	way.takes.Store(int64(time.Second)) // there and back again, it is more than the agent waits before it writes anew
	const many = 50
	target := func(net, n int) string { return fmt.Sprintf("198.51.%d.%d/32", net, n) }
	for n := range many {
		far.decide(fleet.KindBlock, target(100, n), time.Hour)
		near.decide(fleet.KindBlock, target(101, n), time.Hour)
	}
	eventually(t, "all arrives", func() bool { return len(near.holding()) == many+1 && len(far.holding()) == many+1 })
	near.mu.Lock()
	defer near.mu.Unlock()
	if near.orders != many+1 {
		t.Errorf("%d orders came to the near host, want %d", near.orders, many+1)
	}
}

// holding are all that a host holds.
func (h *host) holding() (list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := range h.held {
		list = append(list, p.String())
	}
	return list
}

// limit sets how much the bucket may hold.
func (h *Hub) limit(t *testing.T, bytes int64) {
	t.Helper()
	s, err := h.js.Stream(t.Context(), fleet.DecisionsStream)
	if err != nil {
		t.Fatal(err)
	}
	conf := s.CachedInfo().Config
	if conf.MaxBytes = bytes; bytes == 0 {
		conf.MaxBytes = int64(s.CachedInfo().State.Bytes)
	}
	if _, err := h.js.UpdateStream(t.Context(), conf); err != nil {
		t.Fatal(err)
	}
}

// A bucket that is full loses nothing of what it has, and takes what it could not take as soon as there is room. That it is
// full is told by each host that has something to say.
func TestEngineFull(t *testing.T) {
	dir := t.TempDir()
	h := start(t, dir, "127.0.0.1:0")
	a, b := run(t, join(t, h, "a"), nil, fleet.Policy{}), run(t, join(t, h, "b"), nil, fleet.Policy{})
	first := a.decide(fleet.KindBlock, attacker, time.Hour)
	eventually(t, "it is held", func() bool { return b.holds(attacker) })
	h.limit(t, 0)
	a.decide(fleet.KindBlock, other, time.Hour)
	eventually(t, "it is told", func() bool { return a.heard("maximum bytes exceeded") })
	if !b.holds(attacker) || b.holds(other) {
		t.Error("a full bucket lost what it had, or took more")
	}
	a.takeBack(first)
	h.limit(t, maxDecisions)
	eventually(t, "there is room, and both changes arrive", func() bool { return b.holds(other) && !b.holds(attacker) })
}

// A host that was away for more than a week finds neither what was taken back nor the mark of it. What it held has ended by its
// own clock, and what has no end of its own is let go; new decisions last as long as they should.
func TestBackAfterAWeek(t *testing.T) {
	h := start(t, t.TempDir(), "127.0.0.1:0")
	a, b := run(t, join(t, h, "a"), nil, fleet.Policy{}), run(t, join(t, h, "b"), nil, fleet.Policy{})
	block := a.decide(fleet.KindBlock, attacker, time.Hour)
	allow := a.decide(fleet.KindAllow, "198.51.100.0/28", 0)
	eventually(t, "both are held", func() bool { return b.holds(attacker) && b.holds("198.51.100.0/28") })
	b.stop()
	a.takeBack(block)
	a.takeBack(allow)
	s, err := h.js.Stream(t.Context(), fleet.DecisionsStream)
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{block.Subject(), allow.Subject()} {
		eventually(t, "it is taken back", func() bool {
			m, err := s.GetLastMsgForSubject(t.Context(), subject)
			return err == nil && m.Header.Get("KV-Operation") == "DEL"
		})
		if err := s.Purge(t.Context(), jetstream.WithPurgeSubject(subject)); err != nil { // its time has come
			t.Fatal(err)
		}
	}
	b.skew = 8 * 24 * time.Hour // by b's clock; the engine's cannot be set
	b = run(t, b.id, b, fleet.Policy{})
	a.decide(fleet.KindBlock, other, time.Hour)
	eventually(t, "it has caught up", func() bool { return b.holds(other) && !b.holds("198.51.100.0/28") })
	now := time.Now().Add(b.skew)
	if b.order(attacker).Until.After(now) {
		t.Error("what ended is held for longer")
	}
	if left := b.order(other).Until.Sub(now); left > time.Hour+time.Second || left < time.Hour-patience {
		t.Errorf("an hour became %v", left)
	}
}
