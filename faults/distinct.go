package faults

import (
	"math"
	"slices"
)

// distinctBound is how many different values of one row are counted exactly. With 256 the estimate beyond it has a
// standard error of 6%, and a row costs at most 4 KB for clients and sites.
const distinctBound = 256

// distinct counts different values: it keeps the smallest hashes. Below the bound it is exact, beyond it the spread
// of those kept tells how many there are; either way two halves merge to the same as the whole.
type distinct struct {
	hashes []uint64 // ascending, all different
}

func (d *distinct) add(h uint64) {
	n := len(d.hashes)
	if n == distinctBound && h > d.hashes[n-1] {
		return
	}
	i, found := slices.BinarySearch(d.hashes, h)
	if found {
		return
	}
	if n == distinctBound {
		d.hashes = d.hashes[:n-1]
	}
	d.hashes = slices.Insert(d.hashes, i, h)
}

func (d *distinct) merge(o *distinct) {
	for _, h := range o.hashes {
		d.add(h)
	}
}

func (d *distinct) count() int {
	n := len(d.hashes)
	if n < distinctBound {
		return n
	}
	return int(float64(n-1) / (float64(d.hashes[n-1]) / math.MaxUint64))
}

// hash64 is FNV-1a with the finisher of SplitMix64, so that nearby values spread over all 64 bits. It has no secret:
// whoever picks values to collide only makes himself look like fewer.
func hash64(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h ^= h >> 30
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 27
	h *= 0x94d049bb133111eb
	return h ^ h>>31
}
