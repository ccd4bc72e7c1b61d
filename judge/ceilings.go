package judge

import "math"

// ceilings tell how often the readings of an address fitted a rule by address at most: counts by a hash of both, which others may share, and which stay at
// 255. Whoever has fewer than the rule asks for cannot meet it, so that the second look keeps no cell for the two.
type ceilings []uint8

// ceilingBits: a MiB.
const ceilingBits = 20

// ceiling is where the count of a rule and an address stands, whose hash is given.
func ceiling(address uint64, rule int) uint64 {
	return (address + uint64(rule+1)*0x9e3779b97f4a7c15) >> (64 - ceilingBits)
}

// add adds n times that an address's reading fits a rule.
func (c *ceilings) add(address uint64, rule int, n uint32) {
	if *c == nil {
		*c = make(ceilings, 1<<ceilingBits)
	}
	sum := &(*c)[ceiling(address, rule)]
	*sum = sum8(*sum, uint8(min(n, math.MaxUint8)))
}

// reach tells whether a rule may have been fitted so often.
func (c ceilings) reach(address uint64, rule int, count uint64) bool {
	return c != nil && uint64(c[ceiling(address, rule)]) >= min(count, math.MaxUint8)
}

// merge adds those of another table.
func (c *ceilings) merge(o ceilings) {
	if *c == nil {
		*c = o
		return
	}
	for i, n := range o {
		(*c)[i] = sum8((*c)[i], n)
	}
}
