package live

import (
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/nets"
)

// held are blocks in force and when each ends, of which there may be 100,000: some 30 bytes each, without pointers. What else is to be
// told of one is asked of the journal when it ends. The zero value is empty; it belongs to one goroutine.
type held struct {
	ends    nets.Table[term] // the number is that of a manner
	numbers map[manner]uint32
	manners []manner // by number
	round   uint32   // of looks at all there are
}

// manner is how something is blocked: of those there are few.
type manner struct {
	scope  connwarden.Scope
	driver string
}

// term is until when.
type term struct {
	until    uint32 // in seconds since 1970, rounded up; 0: it does not end
	revision uint32 // of the journal, when it was made so
	round    uint32 // in which it was seen last
}

func (h *held) place(k connwarden.BlockKey) nets.Place {
	m := manner{k.Scope, k.Driver}
	n, ok := h.numbers[m]
	if !ok {
		if h.numbers == nil {
			h.numbers = map[manner]uint32{}
		}
		n = uint32(len(h.manners))
		h.numbers[m], h.manners = n, append(h.manners, m)
	}
	return nets.Place{Prefix: k.Target, Number: n}
}

func (h *held) key(p nets.Place) connwarden.BlockKey {
	m := &h.manners[p.Number]
	return connwarden.BlockKey{Target: p.Prefix, Scope: m.scope, Driver: m.driver}
}

// put notes a block, and tells whether it is new.
func (h *held) put(w *block.Wish) bool {
	t := term{revision: uint32(w.Revision), round: h.round}
	if !w.Until.IsZero() {
		t.until = uint32(max(1, min(w.Until.Add(time.Second-1).Unix(), 1<<32-1)))
	}
	before := h.ends.Len()
	h.ends.Set(h.place(w.BlockKey), t)
	return h.ends.Len() > before
}

// wish is what is known of a block here.
func (h *held) wish(p nets.Place, t term) (w block.Wish) {
	w.BlockKey, w.Revision = h.key(p), int64(t.revision)
	if t.until != 0 {
		w.Until = time.Unix(int64(t.until), 0).UTC()
	}
	return w
}

// look begins a round, in which all there are will be put.
func (h *held) look() { h.round++ }

// unseen forgets and returns those that were not put since look.
func (h *held) unseen() (list []block.Wish) {
	for p, t := range h.ends.All() {
		if t.round != h.round {
			list = append(list, h.wish(p, t))
			h.ends.Delete(p)
		}
	}
	return list
}

// over forgets and returns those that have ended; next is when the next one does, or latest if that is before.
func (h *held) over(now, latest time.Time) (list []block.Wish, next time.Time) {
	at, soonest := now.Unix(), latest.Unix()
	for p, t := range h.ends.All() {
		switch {
		case t.until == 0:
		case int64(t.until) <= at:
			list = append(list, h.wish(p, t))
			h.ends.Delete(p)
		default:
			soonest = min(soonest, int64(t.until))
		}
	}
	return list, time.Unix(soonest, 0)
}

// count is how many there are, by driver and scope.
func (h *held) count() map[[2]string]int {
	n := map[[2]string]int{}
	for p := range h.ends.All() {
		m := &h.manners[p.Number]
		n[[2]string{m.driver, m.scope.Kind.String()}]++
	}
	return n
}
