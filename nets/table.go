package nets

import (
	"iter"
	"math"
	"net/netip"
)

// Table keeps a value for each of very many prefixes, of which there may be several that a number tells apart. A key of IPv4 takes 8 bytes,
// any other 24, and the collector finds no pointer in them. The zero value is empty and can be written to; it belongs to one goroutine.
type Table[V any] struct {
	four  map[key4]V
	other map[key]V
}

// Place is a key of a table.
type Place struct {
	Prefix netip.Prefix // never with a zone
	Number uint32
}

// key4 is a place of IPv4 with a small number.
type key4 struct {
	addr   [4]byte
	bits   uint8
	number uint16
}

type key struct {
	addr   [16]byte // of IPv4 in IPv6's clothes
	bits   uint8
	four   bool
	number uint32
}

func (p *Place) small() bool { return p.Prefix.Addr().Is4() && p.Number <= math.MaxUint16 }

func (p *Place) key4() key4 {
	return key4{p.Prefix.Addr().As4(), uint8(p.Prefix.Bits()), uint16(p.Number)}
}

func (p *Place) key() key {
	return key{p.Prefix.Addr().As16(), uint8(p.Prefix.Bits()), p.Prefix.Addr().Is4(), p.Number}
}

// Set keeps a value.
func (t *Table[V]) Set(p Place, v V) {
	if t.four == nil {
		t.four, t.other = map[key4]V{}, map[key]V{}
	}
	if p.small() {
		t.four[p.key4()] = v
	} else {
		t.other[p.key()] = v
	}
}

// Delete forgets a value, if there is one.
func (t *Table[V]) Delete(p Place) {
	if p.small() {
		delete(t.four, p.key4())
	} else {
		delete(t.other, p.key())
	}
}

// Len is how many values there are.
func (t *Table[V]) Len() int { return len(t.four) + len(t.other) }

// All yields all in no order. What is yielded may be set or deleted meanwhile.
func (t *Table[V]) All() iter.Seq2[Place, V] {
	return func(yield func(Place, V) bool) {
		for k, v := range t.four {
			if !yield(Place{netip.PrefixFrom(netip.AddrFrom4(k.addr), int(k.bits)), uint32(k.number)}, v) {
				return
			}
		}
		for k, v := range t.other {
			addr := netip.AddrFrom16(k.addr)
			if k.four {
				addr = addr.Unmap()
			}
			if !yield(Place{netip.PrefixFrom(addr, int(k.bits)), k.number}, v) {
				return
			}
		}
	}
}
