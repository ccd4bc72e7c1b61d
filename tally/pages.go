package tally

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// DefaultBound is how many keys a table counts exactly. A busy server has some hundred thousand paths and addresses a
// day; at the bound, with keys as long as arenaPerKey, a table takes 52 MB, so that two workers' stay under 150 MB with
// the whole program. Who counts by many keys at once gives each table less.
const DefaultBound = 350_000

// arenaPerKey bounds the bytes of keys: DefaultBound keys of usual length. Longer ones leave room for fewer.
const arenaPerKey = 64

// Pages counts requests by keys.
//
// Up to the bound all is exact. When more keys come, those with the smallest counts are dropped, as in Space-Saving
// (Metwally, Agrawal, El Abbadi 2005) but half of the table at a time, which costs the same few nanoseconds a line
// however many there are. What was dropped was counted at most Missed times, so a key that comes (back) later starts with
// that error, and no key with more requests than Missed is ever missing. Of N requests Missed is at most 2N/bound.
type Pages struct {
	// What each request touches stands together, in few cache lines.
	class  [6]uint64
	bytes  uint64
	time   time.Time // of the last request: most lines share it with the line before
	recent *entry    // the one that was counted last, but for those that waited; nil when entries have moved
	status uint16    // of the last request
	only   kind      // the key; several when there are more
	timed  bool      // keys come in their order, so that the next is mostly the last
	passed bool      // requests go to the groups
	table  table
	pack   packer
	queue  queue

	keys        Keys
	bound       int
	groups      []*Pages // of Also: what was handed over so far
	instead     bool     // addresses are kept while they fit
	missed      uint64
	seen        sketch // of all keys; nil while all of them are in the table
	first, last time.Time
}

// PageRow is what was counted of one key.
type PageRow struct {
	Key   string   // several keys are joined by a tab; hostile
	Parts []string // the keys one by one; hostile
	Count uint64   // requests; at most MaxError too high, never too low
	// Bytes and Class (0: no status, 1 to 5: 1xx to 5xx) hold what was counted since the key was last taken in: up to
	// MaxError requests may be missing from them.
	Bytes    uint64
	Class    [6]uint64
	MaxError uint64
}

// NewPages returns an empty table. bound is how many keys are counted exactly; 0 means DefaultBound.
func NewPages(keys Keys, bound int) *Pages {
	if bound <= 0 {
		bound = DefaultBound
	}
	p := &Pages{keys: keys, pack: packer{keys: keys}, bound: bound, only: several, timed: keys.Timed()}
	if len(keys.kinds) == 1 {
		p.only = keys.kinds[0]
	}
	return p
}

// Keys are those that p counts by.
func (p *Pages) Keys() Keys { return p.keys }

// Request counts one request.
func (p *Pages) Request(r *connwarden.Request) {
	class := int(r.Status / 100)
	if class > 5 {
		class = 0
	}
	size := uint64(max(r.Size, 0))
	p.class[class]++
	p.bytes += size
	moved := r.Time != p.time
	if moved {
		p.when(r.Time)
	}
	// Times and statuses often repeat those of the line before.
	again := p.only == byStatus && r.Status == p.status || p.timed && p.only != several && !moved
	p.status = r.Status
	if e := p.recent; e != nil && again {
		e.class[class]++
		e.bytes += size
		return
	}
	if p.passed {
		for _, g := range p.groups {
			g.Request(r)
		}
		return
	}
	key := p.pack.pack(r)
	if p.table.n >= queueFrom && !p.timed {
		p.queue.add(key, class, size)
		if p.queue.n == queueLines {
			p.flush()
		}
		return
	}
	p.count(key, hash(key), class, size)
}

// count adds one request.
func (p *Pages) count(key []byte, h uint64, class int, size uint64) {
	e := p.recent
	if e == nil || e.hash != h { // else as in the line before
		i := p.table.find(h)
		if i < 0 {
			i = p.take(key, h)
		}
		e = p.table.at(i)
		p.recent = e
	}
	e.class[class]++
	e.bytes += size
}

// when widens the time that was covered.
func (p *Pages) when(t time.Time) {
	p.time = t
	if t.IsZero() {
		return
	}
	if p.first.IsZero() || t.Before(p.first) {
		p.first = t
	}
	if t.After(p.last) {
		p.last = t
	}
}

// take puts in a key that is not in the table.
func (p *Pages) take(key []byte, h uint64) int {
	if p.full(1, len(key)) {
		p.evict()
	}
	if p.seen != nil {
		p.seen.add(h)
	}
	i := p.table.add(key, h)
	p.recent = nil // entries may have moved
	if p.missed > 0 {
		*p.table.err(i) = p.missed
	}
	return i
}

// full tells whether n more keys of size bytes pass the bound.
func (p *Pages) full(n, size int) bool {
	return p.table.n+n > p.bound || p.table.arenaN+size > max(p.bound*arenaPerKey, maxText)
}

// evict drops the lower half of the keys, and more if those that are left are long.
func (p *Pages) evict() {
	t := &p.table
	if t.n == 0 {
		return
	}
	if p.instead && !p.passed {
		p.pass()
		return
	}
	p.sketchKeys()
	t.doubt()
	for again := true; again; again = t.n > 0 && t.arenaN > p.bound*arenaPerKey*3/4 {
		// At least half of the keys stand at the median or above it and lose what it rises by, so it cannot rise by more
		// than two shares of what was counted: 2N/bound.
		p.missed = p.median()
		t.filter(func(i int) bool {
			if p.upper(i) > p.missed {
				return true
			}
			p.hand(i)
			return false
		})
	}
}

// sketchKeys begins to estimate the number of keys, with those that are there.
func (p *Pages) sketchKeys() {
	if p.seen != nil {
		return
	}
	p.seen = newSketch(sketchBits)
	for i := range p.table.n {
		p.seen.add(p.table.at(i).hash)
	}
}

// upper is the most that a key can have been asked for.
func (p *Pages) upper(i int) uint64 { return p.table.at(i).count() + p.table.errOf(i) }

// median is a count that at least half of the keys reach, and that at least half do not pass.
func (p *Pages) median() uint64 {
	const digits = 12
	rank := (p.table.n - 1) / 2
	var most uint64
	for i := range p.table.n {
		most = max(most, p.upper(i))
	}
	low, shift := uint64(0), uint(0)
	for most>>shift >= 1<<digits {
		shift += digits
	}
	for {
		var counts [1 << digits]int
		for i := range p.table.n {
			if d := (p.upper(i) - low) >> shift; p.upper(i) >= low && d < 1<<digits {
				counts[d]++
			}
		}
		d := 0
		for ; rank >= counts[d]; d++ {
			rank -= counts[d]
		}
		low += uint64(d) << shift
		if shift == 0 {
			return low
		}
		shift -= digits
	}
}

// Merge adds what o has counted, by the same keys and with the same calls of Also, to p. o must not be used afterwards.
func (p *Pages) Merge(o *Pages) {
	p.flush()
	o.flush()
	if p.passed || o.passed {
		p.pass()
		o.pass()
	}
	p.recent = nil // p.time will be that of another request
	for c, n := range o.class {
		p.class[c] += n
	}
	p.bytes += o.bytes
	p.when(o.first)
	p.when(o.last)
	t := &p.table
	if o.seen != nil {
		p.sketchKeys()
		p.seen.merge(o.seen)
	}
	// A key that only one side knows may have been dropped by the other. So all keys of p start with what o may have
	// dropped, and those that o knows are put right when they are met.
	if p.missed += o.missed; p.missed > 0 {
		t.doubt()
		for i := range t.n {
			*t.err(i) += o.missed
		}
	}
	for i, g := range o.groups {
		p.groups[i].Merge(g)
	}
	for j := range o.table.n {
		e := o.table.at(j)
		i := p.absorb(o.table.keyOf(j), e.hash, e)
		if p.missed > 0 {
			*t.err(i) += o.table.errOf(j) - o.missed
		}
	}
	*o = Pages{}
}

// absorb adds what e counts to the key, and returns its entry.
func (p *Pages) absorb(key []byte, h uint64, e *entry) int {
	i := p.table.find(h)
	if i < 0 {
		i = p.take(key, h)
	}
	mine := p.table.at(i)
	for c, n := range e.class {
		mine.class[c] += n
	}
	mine.bytes += e.bytes
	return i
}

// Lines is the number of requests.
func (p *Pages) Lines() uint64 {
	var n uint64
	for _, c := range p.class {
		n += c
	}
	return n
}

// Bytes is the sum of the sizes of all answers.
func (p *Pages) Bytes() uint64 { return p.bytes }

// Class holds the number of all requests by hundreds of the status; [0] is those without one.
func (p *Pages) Class() [6]uint64 { return p.class }

// First is the earliest time of a request, zero when none has one.
func (p *Pages) First() time.Time { return p.first }

// Last is the latest time of a request, zero when none has one.
func (p *Pages) Last() time.Time { return p.last }

// Missed is the most requests that a key which is in no row can have; 0 tells that all keys are there and all counts
// exact.
func (p *Pages) Missed() uint64 {
	p.flush()
	return p.missed
}

// Distinct is the number of different keys. Beyond the bound it is an estimate, within 1.6% in 95 of 100 logs.
func (p *Pages) Distinct() (n uint64, exact bool) {
	p.flush()
	if p.seen == nil {
		return uint64(p.table.n), true
	}
	return p.seen.estimate(), false
}

// Top returns the n keys with the most requests, worst first, and those that have equally many by their keys; all of
// them when n is 0 or less.
func (p *Pages) Top(n int) []PageRow {
	return p.rows(n, func(a, b int) bool {
		if x, y := p.upper(a), p.upper(b); x != y {
			return x > y
		}
		return p.before(a, b)
	})
}

// InOrder returns the first n keys in their own order, which of times is that of time and of addresses that of their
// numbers; all of them when n is 0 or less.
func (p *Pages) InOrder(n int) []PageRow { return p.rows(n, p.before) }

// before orders entries by their keys.
func (p *Pages) before(a, b int) bool {
	return bytes.Compare(p.table.keyOf(a), p.table.keyOf(b)) < 0
}

func (p *Pages) rows(n int, before func(a, b int) bool) []PageRow {
	p.flush()
	best := first(p.table.n, n, before)
	rows := make([]PageRow, 0, len(best))
	for _, i := range best {
		e := p.table.at(i)
		parts := p.keys.parts(p.table.keyOf(i))
		rows = append(rows, PageRow{
			Key: strings.Join(parts, "\t"), Parts: parts, Count: p.upper(i),
			Bytes: e.bytes, Class: e.class, MaxError: p.table.errOf(i),
		})
	}
	return rows
}

// first returns those of the numbers below total that come first, n of them, in order; all when n is 0 or less.
func first(total, n int, before func(a, b int) bool) []int {
	compare := func(a, b int) int {
		if before(a, b) {
			return -1
		}
		return 1 // no two are equal
	}
	if n <= 0 || n > total {
		n = total
	}
	// A heap of the n best so far, the worst of them on top.
	best := make([]int, 0, n)
	for i := range total {
		if len(best) < n {
			if best = append(best, i); len(best) == n {
				for j := n/2 - 1; j >= 0; j-- {
					sink(best, j, before)
				}
			}
		} else if before(i, best[0]) {
			best[0] = i
			sink(best, 0, before)
		}
	}
	slices.SortFunc(best, compare)
	return best
}

// sink puts element j of a heap in its place.
func sink(heap []int, j int, before func(a, b int) bool) {
	for {
		child := 2*j + 1
		if child >= len(heap) {
			return
		}
		if child+1 < len(heap) && before(heap[child], heap[child+1]) {
			child++
		}
		if before(heap[child], heap[j]) {
			return
		}
		heap[j], heap[child] = heap[child], heap[j]
		j = child
	}
}
