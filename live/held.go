package live

import (
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// held are blocks in force and when each ends, of which there may be 100,000: some 60 bytes each, without pointers. What else is to be
// told of one is asked of the journal when it ends. The zero value is empty; it belongs to one goroutine.
type held struct {
	ends    map[spot]term
	numbers map[manner]uint32
	manners []manner // by number
	round   uint32   // of looks at all there are
}

// manner is how something is blocked: of those there are few.
type manner struct {
	scope  connwarden.Scope
	driver string
}

// spot is the key of a block.
type spot struct {
	addr   [16]byte // of IPv4 in IPv6's clothes
	bits   uint8
	four   bool
	manner uint32
}

// term is until when.
type term struct {
	until    uint32 // in seconds since 1970, rounded up; 0: it does not end
	revision uint32 // of the journal, when it was made so
	round    uint32 // in which it was seen last
}

func (h *held) spot(k connwarden.BlockKey) spot {
	m := manner{k.Scope, k.Driver}
	n, ok := h.numbers[m]
	if !ok {
		if h.numbers == nil {
			h.numbers, h.ends = map[manner]uint32{}, map[spot]term{}
		}
		n = uint32(len(h.manners))
		h.numbers[m], h.manners = n, append(h.manners, m)
	}
	return spot{k.Target.Addr().As16(), uint8(k.Target.Bits()), k.Target.Addr().Is4(), n}
}

func (h *held) key(s spot) connwarden.BlockKey {
	addr := netip.AddrFrom16(s.addr)
	if s.four {
		addr = addr.Unmap()
	}
	m := &h.manners[s.manner]
	return connwarden.BlockKey{Target: netip.PrefixFrom(addr, int(s.bits)), Scope: m.scope, Driver: m.driver}
}

// put notes a block, and tells whether it is new.
func (h *held) put(w *block.Wish) bool {
	t := term{revision: uint32(w.Revision), round: h.round}
	if !w.Until.IsZero() {
		t.until = uint32(max(1, min(w.Until.Add(time.Second-1).Unix(), 1<<32-1)))
	}
	s, before := h.spot(w.BlockKey), len(h.ends)
	h.ends[s] = t
	return len(h.ends) > before
}

// wish is what is known of a block here.
func (h *held) wish(s spot, t term) (w block.Wish) {
	w.BlockKey, w.Revision = h.key(s), int64(t.revision)
	if t.until != 0 {
		w.Until = time.Unix(int64(t.until), 0).UTC()
	}
	return w
}

// look begins a round, in which all there are will be put.
func (h *held) look() { h.round++ }

// unseen forgets and returns those that were not put since look.
func (h *held) unseen() (list []block.Wish) {
	for s, t := range h.ends {
		if t.round != h.round {
			list = append(list, h.wish(s, t))
			delete(h.ends, s)
		}
	}
	return list
}

// over forgets and returns those that have ended; next is when the next one does, or latest if that is before.
func (h *held) over(now, latest time.Time) (list []block.Wish, next time.Time) {
	at, soonest := now.Unix(), latest.Unix()
	for s, t := range h.ends {
		switch {
		case t.until == 0:
		case int64(t.until) <= at:
			list = append(list, h.wish(s, t))
			delete(h.ends, s)
		default:
			soonest = min(soonest, int64(t.until))
		}
	}
	return list, time.Unix(soonest, 0)
}

// count is how many there are, by driver and scope.
func (h *held) count() map[[2]string]int {
	n := map[[2]string]int{}
	for s := range h.ends {
		m := &h.manners[s.manner]
		n[[2]string{m.driver, m.scope.Kind.String()}]++
	}
	return n
}
