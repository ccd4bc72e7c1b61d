package judge

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/connwarden/connwarden/rules"
)

// sketch is a part of the values of a cell that has too many to keep: those of at least a rank, which every second value of the rank
// below has. Which those are does not depend on their order nor on who counted them, so that what is told of a great attack is the same each time.
type sketch struct {
	rank   uint32
	values []value // as of a cell; maxSketch at most
}

const maxSketch = 2 * maxValues

// rankBits is how many of the lowest bits of a value's hash are its rank.
const rankBits = 5

func (v value) rank() uint32 { return v.hash & (1<<rankBits - 1) }

// sketched is the sketch of a cell, which begins with all that the cell has.
func (c *cell) sketched() *sketch {
	m := c.ownExtra()
	if m.sketch == nil {
		m.sketch = &sketch{values: slices.Clone(c.values)}
	}
	return m.sketch
}

func (s *sketch) add(v value) {
	if v.rank() < s.rank {
		return
	}
	i, found := place(s.values, v)
	if found {
		return
	}
	for s.values = slices.Insert(s.values, i, v); len(s.values) > maxSketch; {
		s.raise(s.rank + 1)
	}
}

// raise drops the values below a rank.
func (s *sketch) raise(rank uint32) {
	s.rank = rank
	s.values = slices.DeleteFunc(s.values, func(v value) bool { return v.rank() < rank })
}

func (s *sketch) merge(o *sketch) {
	if o.rank > s.rank {
		s.raise(o.rank)
	}
	for _, v := range o.values {
		s.add(v)
	}
}

// worst is how many different values came within so many buckets at least: of a part of them, what in 98 of 100 drawings
// is not too much.
func (s *sketch) worst(span uint32) uint64 {
	most := uint64(0)
	for _, n := range valueWindows(s.values, span) {
		most = max(most, n)
	}
	if s.rank == 0 {
		return most
	}
	sure := float64(most) - 2*math.Sqrt(float64(most))
	return uint64(max(0, sure) * float64(uint64(1)<<s.rank))
}

// seed chooses the ranks of values.
type seed uint64

// seedOf spreads a number over all bits of a seed, by which is multiplied (splitmix64's end).
func seedOf(n uint64) seed {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return seed(n ^ n>>31)
}

// value is what is kept of a text whose differences are counted, of which a hash is known.
func (s seed) value(hash uint64, text []byte) uint32 {
	h := uint64(s) ^ uint64(len(text))
	for ; len(text) >= 8; text = text[8:] {
		h = s.mix(h, binary.LittleEndian.Uint64(text))
	}
	var rest [8]byte
	copy(rest[:], text)
	return ranked(hash, s.mix(s.mix(h, binary.LittleEndian.Uint64(rest[:])), 0))
}

// text is the same of a text whose hash is not known.
func (s seed) text(text []byte) uint32 { return s.value(rules.Hash(text), text) }

// addr is the same of an address as a ledger is kept by, or of its network.
func (s seed) addr(field string, a netip.Addr) uint32 {
	if field == "net" {
		a = netOf(a).Addr()
	}
	b := a.As16()
	hi, lo := keyOf(&b)
	return ranked(hashOf(hi, lo), s.mix(s.mix(s.mix(uint64(s), hi), lo), 0))
}

// mix takes eight more bytes into a hash.
func (s seed) mix(h, b uint64) uint64 {
	hi, lo := bits.Mul64(h^b, uint64(s)|1)
	return hi ^ lo ^ bits.RotateLeft64(h, 32)
}

// ranked is a hash with a rank for its lowest bits, r or more in one of 2^r cases.
func ranked(hash, chance uint64) uint32 {
	rank := min(bits.TrailingZeros64(chance), 1<<rankBits-1)
	return uint32(hash)&^(1<<rankBits-1) | uint32(rank)
}
