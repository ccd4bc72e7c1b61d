package fleet

import (
	"bytes"
	"cmp"
	"iter"
	"net/netip"
	"time"
	"unique"

	"github.com/connwarden/connwarden"
)

// place is what a decision is about, whoever decided. Of places there are 100,000 and more: they are small and, but for the
// scope that most share, without pointers.
type place struct {
	addr  [16]byte // of IPv4 in IPv6's clothes, which no target wears
	bits  uint8    // of its own family
	kind  Kind
	scope unique.Handle[connwarden.Scope]
}

func (k *Key) place() place { return placeOf(k.Kind, k.Target, k.Scope) }

func (o *Order) place() place { return placeOf(o.Kind, o.Target, o.Scope) }

func placeOf(kind Kind, target netip.Prefix, scope connwarden.Scope) place {
	handle := allScope
	if scope != allScope.Value() {
		handle = unique.Make(scope)
	}
	return place{target.Addr().As16(), uint8(target.Bits()), kind, handle}
}

// allScope is that of most decisions.
var allScope = unique.Make(connwarden.Scope{})

func (p *place) target() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16(p.addr).Unmap(), int(p.bits))
}

// compare orders what is allowed before what is blocked, and each by address: a journal is written fastest in its own order.
func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(o.kind, p.kind), bytes.Compare(p.addr[:], o.addr[:]), cmp.Compare(p.bits, o.bits))
}

// seconds is a time since 1970, at least 1: zero is none. An end becomes earlier by that, never later.
type seconds uint32

func inSeconds(t time.Time) seconds { return seconds(max(1, min(t.Unix(), 1<<32-1))) }

func (s seconds) time() time.Time { return time.Unix(int64(s), 0) }

// claim is what one host decided about a place.
type claim struct {
	from uint32 // number of the peer; 0: nobody
	said uint32 // number of what it said of it; 0: it is forgotten, because this host holds it and has that in its journal
	end  seconds
}

// spot is what is known of a place. Most have one claim; others are in table.more.
type spot struct {
	claim
	held seconds // the end of what this host holds there for the fleet; 0: nothing
}

// spots are by place. Of 100,000 places most are about addresses of IPv4, whatever the port: those need half of the memory, and without a
// pointer among them the collector looks at none. The zero value is empty and can be written to.
type spots struct {
	four  map[place4]spot
	other map[place]spot
}

// place4 is a place of IPv4, in the scope of most.
type place4 struct {
	addr [4]byte
	bits uint8
	kind Kind
}

// small returns the short form of a place, if it has one.
func (p *place) small() (place4, bool) {
	return place4{[4]byte(p.addr[12:]), p.bits, p.kind}, p.scope == allScope && netip.AddrFrom16(p.addr).Is4In6()
}

func (p place4) place() place {
	return place{netip.AddrFrom4(p.addr).As16(), p.bits, p.kind, allScope}
}

func (s *spots) len() int { return len(s.four) + len(s.other) }

func (s *spots) at(where place) spot {
	if four, ok := where.small(); ok {
		return s.four[four]
	}
	return s.other[where]
}

func (s *spots) set(where place, one spot) {
	if s.four == nil {
		s.four, s.other = map[place4]spot{}, map[place]spot{}
	}
	if four, ok := where.small(); ok {
		s.four[four] = one
	} else {
		s.other[where] = one
	}
}

func (s *spots) drop(where place) {
	if four, ok := where.small(); ok {
		delete(s.four, four)
	} else {
		delete(s.other, where)
	}
}

// all yields places and what is known of each; what is yielded may be set or dropped meanwhile.
func (s *spots) all() iter.Seq2[place, spot] {
	return func(yield func(place, spot) bool) {
		for where, one := range s.four {
			if !yield(where.place(), one) {
				return
			}
		}
		for where, one := range s.other {
			if !yield(where, one) {
				return
			}
		}
	}
}

// said is what a host said of a decision.
type said struct {
	why   string
	by    unique.Handle[connwarden.Origin]
	score uint8
}

// numbered are values that go as they come, by numbers from 1 on.
type numbered[T any] struct {
	list []T
	free []uint32
}

func (n *numbered[T]) add(v T) uint32 {
	if last := len(n.free) - 1; last >= 0 {
		i := n.free[last]
		n.free = n.free[:last]
		n.list[i-1] = v
		return i
	}
	n.list = append(n.list, v)
	return uint32(len(n.list))
}

func (n *numbered[T]) at(i uint32) *T { return &n.list[i-1] }

// drop forgets a value. When it was the last all memory is given up.
func (n *numbered[T]) drop(i uint32) {
	var none T
	n.list[i-1] = none
	if n.free = append(n.free, i); len(n.free) == len(n.list) {
		*n = numbered[T]{}
	}
}
