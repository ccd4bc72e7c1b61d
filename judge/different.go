package judge

import (
	"iter"
	"math"
)

// different counts the different ones of hashes, in as many slots as there are hashes twice at least.
type different struct {
	n     uint64
	slots []seen
}

type seen struct {
	hash uint32
	n    uint16 // how often it is there
	used bool
}

// times is where it stands how often a hash is there.
func (d *different) times(hash uint32) *uint16 {
	for i := hash; ; i++ {
		s := &d.slots[i%uint32(len(d.slots))]
		if !s.used {
			s.hash, s.used = hash, true
		}
		if s.hash == hash {
			return &s.n
		}
	}
}

func (d *different) add(hash uint32) {
	n := d.times(hash)
	if *n == 0 {
		d.n++
	}
	*n++
}

func (d *different) remove(hash uint32) {
	n := d.times(hash)
	if *n--; *n == 0 {
		d.n--
	}
}

// fewValues are counted in little room, which is sooner cleared.
const fewValues = 32

// valueWindows yields each value and how many different ones were within the window that ends with its bucket. It asks for no memory:
// every look at an address comes by here.
func valueWindows(values []value, span uint32) iter.Seq2[value, uint64] {
	return func(yield func(value, uint64) bool) {
		switch n := len(values); {
		case n <= fewValues:
			var slots [2 * fewValues]seen
			eachWindow(values, span, slots[:], yield)
		case n <= maxValues:
			var slots [2 * maxValues]seen
			eachWindow(values, span, slots[:], yield)
		default:
			var slots [2 * maxSketch]seen
			eachWindow(values, span, slots[:], yield)
		}
	}
}

func eachWindow(values []value, span uint32, slots []seen, yield func(value, uint64) bool) {
	inside := different{slots: slots}
	from := 0
	for _, v := range values {
		inside.add(v.hash)
		for span != math.MaxUint32 && values[from].bucket+span <= v.bucket {
			inside.remove(values[from].hash)
			from++
		}
		if !yield(v, inside.n) {
			return
		}
	}
}
