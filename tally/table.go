package tally

import (
	"encoding/binary"
	"hash/maphash"
)

// entry is what is counted of one key. It fills one cache line of 64 bytes: a line of a log touches one.
//
// The hash stands for the key, which is not looked at again: two of n keys share one with a chance of n²/2⁶⁵, which for all
// keys that a table holds is less than one in a hundred million, and as its seed is drawn anew by each process nobody can look for two
// that do.
type entry struct {
	class [6]uint64 // requests by hundreds of the status; [0] without one
	bytes uint64
	hash  uint64
}

// keyRef is where a key stands.
type keyRef struct {
	at   uint32 // in the arena
	size uint32
}

func (e *entry) count() uint64 {
	return e.class[0] + e.class[1] + e.class[2] + e.class[3] + e.class[4] + e.class[5]
}

// slot refers to an entry. Half of a 64-bit hash serves to find the place and to pass over most other keys; eight
// slots share a cache line.
type slot struct {
	hash  uint32
	entry uint32 // index + 1; 0 is free
}

// Entries and key bytes lie in chunks, so that growing copies nothing and leaves no garbage of the same size behind.
const (
	entryBits  = 12 // 4,096 entries: 256 KiB
	arenaBits  = 16 // 64 KiB: above the longest key
	firstSlots = 64
)

// table maps packed keys to entries: open addressing with linear probing, dense entries in the order of arrival, all key
// bytes in one arena.
type table struct {
	slots   []slot // a power of two of them
	shift   uint   // 32 - log2(len(slots))
	entries [][]entry
	refs    [][]keyRef // beside entries
	errs    [][]uint64 // beside entries, once keys were evicted: the most that may have been counted before
	n       int
	arena   [][]byte
	open    int // the chunk of arena that is being filled
	arenaN  int // bytes of keys
}

// hash is of 64 good bits. That of an IPv4 address, a status or another short key is a mixture that can be undone, so that
// no two of them share one.
func hash(key []byte) uint64 {
	n := len(key)
	if n >= 8 {
		return maphash.Bytes(seed, key)
	}
	var x uint64
	if n >= 4 { // both reads see the bytes between alike
		x = uint64(binary.LittleEndian.Uint32(key)) | uint64(binary.LittleEndian.Uint32(key[n-4:]))<<(8*(n-4))
	} else {
		for i, c := range key {
			x |= uint64(c) << (8 * i)
		}
	}
	x = (x | uint64(n)<<56 ^ salt[0]) * salt[1]
	x = (x ^ x>>32) * salt[2]
	return x ^ x>>32
}

func (t *table) at(i int) *entry {
	return &t.entries[i>>entryBits][i&(1<<entryBits-1)]
}

// keyOf is the key of entry i.
func (t *table) keyOf(i int) []byte {
	ref := t.refs[i>>entryBits][i&(1<<entryBits-1)]
	at := ref.at & (1<<arenaBits - 1)
	return t.arena[ref.at>>arenaBits][at : at+ref.size]
}

// find returns the index of the key with a hash, -1 when there is none.
func (t *table) find(h uint64) int {
	if len(t.slots) == 0 {
		return -1
	}
	short := uint32(h >> 32)
	mask := uint32(len(t.slots) - 1)
	for i := short >> t.shift; ; i++ {
		s := t.slots[i&mask]
		if s.entry == 0 {
			return -1
		}
		if s.hash == short {
			if i := int(s.entry - 1); t.at(i).hash == h {
				return i
			}
		}
	}
}

// probe returns the reference, index + 1, that half of a hash finds first; 0 when there is none.
func (t *table) probe(h uint64) uint32 {
	short := uint32(h >> 32)
	mask := uint32(len(t.slots) - 1)
	for i := short >> t.shift; ; i++ {
		if s := t.slots[i&mask]; s.hash == short || s.entry == 0 {
			return s.entry
		}
	}
}

// add puts in a key that is not there, and returns its index.
func (t *table) add(key []byte, h uint64) int {
	if t.n >= len(t.slots)*4/5 { // fuller, runs of linear probing grow long
		t.grow()
	}
	t.place(uint32(h>>32), uint32(t.n+1))
	if t.n>>entryBits == len(t.entries) {
		t.entries, t.refs = append(t.entries, nil), append(t.refs, nil)
		if t.errs != nil {
			t.errs = append(t.errs, nil)
		}
	}
	last := &t.entries[t.n>>entryBits]
	*last = append(grown(*last, 1, 1<<entryBits), entry{hash: h})
	refs := &t.refs[t.n>>entryBits]
	*refs = append(grown(*refs, 1, 1<<entryBits), keyRef{t.keep(key), uint32(len(key))})
	if t.errs != nil {
		errs := &t.errs[t.n>>entryBits]
		*errs = append(grown(*errs, 1, 1<<entryBits), 0)
	}
	t.n++
	return t.n - 1
}

// grown makes room for n more: twice as much each time, and never more than most.
func grown[T any](s []T, n, most int) []T {
	if len(s)+n <= cap(s) {
		return s
	}
	return append(make([]T, 0, min(max(2*cap(s), len(s)+n, 16), most)), s...)
}

// keep copies a key into the arena.
func (t *table) keep(key []byte) uint32 {
	if len(t.arena) == 0 {
		t.arena = append(t.arena, nil)
	}
	if len(t.arena[t.open])+len(key) > 1<<arenaBits {
		if t.open++; t.open == len(t.arena) {
			t.arena = append(t.arena, nil)
		}
	}
	chunk := &t.arena[t.open]
	at := len(*chunk)
	*chunk = append(grown(*chunk, len(key), 1<<arenaBits), key...)
	t.arenaN += len(key)
	return uint32(t.open<<arenaBits | at)
}

// place puts a reference into the first free slot.
func (t *table) place(short, entry uint32) {
	mask := uint32(len(t.slots) - 1)
	i := short >> t.shift
	for ; t.slots[i&mask].entry != 0; i++ {
	}
	t.slots[i&mask] = slot{short, entry}
}

// grow doubles the slots.
func (t *table) grow() {
	old := t.slots
	if len(old) == 0 {
		t.slots, t.shift = make([]slot, firstSlots), 32-6
		return
	}
	t.slots = make([]slot, 2*len(old))
	t.shift--
	for _, s := range old {
		if s.entry != 0 {
			t.place(s.hash, s.entry)
		}
	}
}

// filter keeps the entries for which keep says so, in their order. It closes the gaps in place: a table that is full must
// not need as much memory again. Room that falls free stays with the table.
func (t *table) filter(keep func(i int) bool) {
	clear(t.slots)
	t.open, t.arenaN = 0, 0
	kept, at := 0, 0
	for i := range t.n {
		if !keep(i) {
			continue
		}
		key := t.keyOf(i)
		if at+len(key) > cap(t.arena[t.open]) {
			t.arena[t.open] = t.arena[t.open][:at]
			t.open, at = t.open+1, 0
		}
		// Keys lie in the order of their entries, so the place written to is never ahead of the one read from.
		to := t.arena[t.open][at : at+len(key)]
		copy(to, key)
		t.refs[kept>>entryBits][kept&(1<<entryBits-1)] = keyRef{uint32(t.open<<arenaBits | at), uint32(len(key))}
		at += len(key)
		t.arenaN += len(key)
		*t.at(kept) = *t.at(i)
		if t.errs != nil {
			*t.err(kept) = *t.err(i)
		}
		kept++
		t.place(uint32(t.at(kept-1).hash>>32), uint32(kept))
	}
	t.n = kept
	for i := range t.arena {
		if i == t.open {
			t.arena[i] = t.arena[i][:at]
		} else if i > t.open {
			t.arena[i] = t.arena[i][:0]
		}
	}
	for c := range t.entries {
		length := min(max(kept-c<<entryBits, 0), 1<<entryBits)
		t.entries[c], t.refs[c] = t.entries[c][:length], t.refs[c][:length]
		if t.errs != nil {
			t.errs[c] = t.errs[c][:length]
		}
	}
}

// err is the place of an entry's error; there is none before the first eviction.
func (t *table) err(i int) *uint64 {
	return &t.errs[i>>entryBits][i&(1<<entryBits-1)]
}

// errOf is the most by which a count may be too high.
func (t *table) errOf(i int) uint64 {
	if t.errs == nil {
		return 0
	}
	return *t.err(i)
}

// doubt makes room for errors.
func (t *table) doubt() {
	if t.errs != nil {
		return
	}
	t.errs = make([][]uint64, len(t.entries))
	for c := range t.entries {
		t.errs[c] = make([]uint64, len(t.entries[c]), cap(t.entries[c]))
	}
}
