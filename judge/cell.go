package judge

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// The bounds of a cell. A window is cut into windowParts absolute buckets, and one more is looked at, so that every
// window of that length is seen whole, whichever moment it begins at; what is counted may be a tenth longer.
const (
	windowParts = 10
	maxBuckets  = 1 << 10 // of more, the half in the fullest windows stays
	maxValues   = 1 << 9  // likewise; rules ask for fewer
	samplesKept = 3
	valueText   = 80  // bytes of an example that are kept
	agentText   = 200 // and of an agent, which tells at its end what it is
	cutMark     = "…" // behind what was longer
)

// cell counts the readings of one group that fit one rule. What each reading needs stands first.
type cell struct {
	rule    uint16
	late    bool     // values or buckets were more than are kept
	touched bool     // something was read since the last look by which it may say something else
	level   level    // what it said then
	going   bool     // of a group: its rule was met then, in the window that ended then
	total   uint32   // of all voices
	refused uint32   // status 4xx and 5xx
	local   uint32   // that a local account may have written
	first   uint32   // of times
	last    uint32   // likewise
	due     uint32   // the total from which on it may say something else than it did
	looked  uint32   // the stretch of time in which it did
	sealed  uint32   // after this moment no reading is among the samples; 0: any may be
	buckets []bucket // by number, ascending
	values  []value  // by bucket, then by hash
	samples []sample // the earliest, in order
	example string   // a value of the earliest sample, as it was written; hostile
	extra   *extra   // nil: nothing
}

// extra is what few cells need: tables have tens of thousands of them.
type extra struct {
	sketch *sketch                          // nil: no values were let go
	passes uint32                           // readings that speak for it
	before uint32                           // requests of the address before a broad rule began to count it: they say nothing of its share
	others [connwarden.NumVoices - 1]uint32 // of the total, those of voices other than the first
	key    string                           // of a group its name; hostile
}

var noExtra extra

// extras is what few cells need, to be read alone.
func (c *cell) extras() *extra {
	if c.extra == nil {
		return &noExtra
	}
	return c.extra
}

// ownExtra is the same, to be written to.
func (c *cell) ownExtra() *extra {
	if c.extra == nil {
		c.extra = &extra{}
	}
	return c.extra
}

// bucket is how many readings of one voice came in one part of a window; 0 gathers those without a time.
type bucket struct {
	number, count uint32
	voice         connwarden.Voice
}

func (b bucket) compare(o bucket) int {
	return cmp.Or(cmp.Compare(b.number, o.number), cmp.Compare(b.voice, o.voice))
}

// value is one different value of a field, by its hash, whose lowest bits are its rank.
type value struct{ bucket, hash uint32 }

// sample tells where a line stands.
type sample struct {
	at     uint32
	source uint16 // in Table.names
	trust  connwarden.Trust
	line   int64
	offset int64
}

// bucketOf is the number of the bucket of a rule's window that a second lies in.
func bucketOf(r *rules.Rule, at uint32) uint32 {
	if r.Within == 0 {
		return 0
	}
	return at / partSeconds(r)
}

func partSeconds(r *rules.Rule) uint32 {
	return max(1, uint32(r.Within/time.Second)/windowParts)
}

// parts is how many buckets are looked at together.
func parts(r *rules.Rule) uint32 {
	if r.Within == 0 {
		return 1 // all is in bucket 0
	}
	return (uint32(r.Within/time.Second)+partSeconds(r)-1)/partSeconds(r) + 1
}

// facts is how many facts the readings tell of.
func (c *cell) facts() uint32 {
	if c.extra == nil {
		return c.total
	}
	own := c.total
	for _, n := range c.extra.others {
		own -= n
	}
	return max(own, slices.Max(c.extra.others[:]))
}

// begins tells whether one reading was counted.
func (c *cell) begins() bool { return c.total+c.extras().passes == 1 }

// add counts readings in a bucket. span is how many buckets make a window.
func (c *cell) add(b bucket, span uint32) {
	n := len(c.buckets)
	if n > 0 && c.buckets[n-1].number == b.number && c.buckets[n-1].voice == b.voice { // logs are mostly in order
		c.buckets[n-1].count += b.count
		return
	}
	i, found := n, false
	if n > 0 && c.buckets[n-1].compare(b) > 0 {
		i, found = slices.BinarySearchFunc(c.buckets, b, bucket.compare)
	}
	if found {
		c.buckets[i].count += b.count
		return
	}
	if n >= maxBuckets {
		c.thinBuckets(span)
		c.add(b, span)
		return
	}
	c.buckets = slices.Insert(c.buckets, i, b)
}

// thinBuckets drops the half of the buckets whose windows hold least: they cannot be the worst. The last window stays, unless it is much.
func (c *cell) thinBuckets(span uint32) {
	c.late = true
	sums := make([]uint64, len(c.buckets))
	last := c.buckets[len(c.buckets)-1].number
	for i, b := range c.buckets { // the window that b stands in the middle of, in both directions
		if len(c.buckets)-i <= len(c.buckets)/4 && b.number+span > last {
			sums[i] = math.MaxUint64 // there will be more of it
			continue
		}
		for j := i; j >= 0 && c.buckets[j].number+span > b.number; j-- {
			sums[i] += uint64(c.buckets[j].of(b.voice))
		}
		for j := i + 1; j < len(c.buckets) && c.buckets[j].number < b.number+span; j++ {
			sums[i] += uint64(c.buckets[j].of(b.voice))
		}
	}
	c.buckets = fuller(c.buckets, sums)
}

// of is the count if the bucket is of a voice.
func (b bucket) of(v connwarden.Voice) uint32 {
	if b.voice != v {
		return 0
	}
	return b.count
}

// fuller keeps the half of a list that has the larger sums, in order; of equal ones the later, which are news.
func fuller[T any](list []T, sums []uint64) []T {
	sorted := slices.Clone(sums)
	slices.Sort(sorted)
	goes := len(list) - len(list)/2
	bar := sorted[goes]
	first, _ := slices.BinarySearch(sorted, bar)
	even := goes - first // of those at the bar so many go
	kept := 0
	for i, n := range sums {
		switch {
		case n < bar:
			continue
		case n == bar && even > 0:
			even--
			continue
		}
		list[kept] = list[i]
		kept++
	}
	return list[:kept]
}

// key orders values.
func (v value) key() uint64 { return uint64(v.bucket)<<32 | uint64(v.hash) }

// place is where a value stands, or belongs: mostly near the end, as logs are mostly in order.
func place(values []value, v value) (at int, found bool) {
	to, step := len(values), 1
	for at = to - 1; at >= 0 && values[at].key() >= v.key(); step *= 2 {
		to = at
		at -= step
	}
	for at = max(at+1, 0); at < to; {
		if mid := (at + to) / 2; values[mid].key() < v.key() {
			at = mid + 1
		} else {
			to = mid
		}
	}
	return at, at < len(values) && values[at] == v
}

// between are the values of some buckets, both ends among them.
func between(values []value, from, to uint32) []value {
	first, _ := place(values, value{bucket: from})
	end := len(values)
	if to < math.MaxUint32 {
		end, _ = place(values, value{bucket: to + 1})
	}
	return values[first:end]
}

// note remembers a different value. span is how many buckets make a window.
func (c *cell) note(v value, span uint32) {
	if s := c.extras().sketch; s != nil {
		s.add(v)
	}
	for !c.put(v) {
		c.sketched().add(v)
		c.thinValues(span)
	}
}

// put puts a value among those that are kept; false: there is no room.
func (c *cell) put(v value) bool {
	i, found := place(c.values, v)
	if found {
		return true
	}
	if len(c.values) == maxValues {
		return false
	}
	c.values = slices.Insert(c.values, i, v)
	return true
}

// thinValues drops the half of the values in whose windows there are fewest. What is of the last window stays, unless it is much: there will be
// more of it.
func (c *cell) thinValues(span uint32) {
	c.late = true
	sums := make([]uint64, len(c.values))
	from, to := 0, 0
	for i, v := range c.values {
		for c.values[from].bucket+span <= v.bucket {
			from++
		}
		for to < len(c.values) && c.values[to].bucket < v.bucket+span {
			to++
		}
		sums[i] = uint64(to - from)
	}
	last := c.values[len(c.values)-1].bucket
	if from, _ := place(c.values, value{bucket: last - min(last, span-1)}); len(c.values)-from <= len(c.values)/4 {
		for i := range sums[from:] {
			sums[from+i] = math.MaxUint64 // there will be more of it
		}
	}
	c.values = fuller(c.values, sums)
}

// keep remembers where a line stands if it is among the earliest, and tells whether it is the first of them.
func (c *cell) keep(s sample, names []string) (first bool) {
	if n := len(c.samples); n == samplesKept {
		if last := &c.samples[n-1]; s.at > last.at || s.at == last.at && s.source == last.source && s.offset > last.offset {
			return false // the usual case, in a log that is in order
		}
	}
	i, found := slices.BinarySearchFunc(c.samples, s, func(a, b sample) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(names[a.source], names[b.source]), cmp.Compare(a.offset, b.offset))
	})
	if found || i >= samplesKept {
		return false
	}
	if len(c.samples) == samplesKept {
		c.samples = c.samples[:samplesKept-1]
	}
	if len(c.samples) == cap(c.samples) && len(c.samples) > 0 {
		c.samples = append(make([]sample, 0, samplesKept), c.samples...) // no room for a fourth
	}
	if c.samples = slices.Insert(c.samples, i, s); len(c.samples) == samplesKept {
		c.sealed = c.samples[samplesKept-1].at
	}
	return i == 0
}

func (c *cell) seen(at uint32) {
	if at != 0 {
		if c.first == 0 || at < c.first {
			c.first = at
		}
		c.last = max(c.last, at)
	}
}

// worst returns the largest count, of facts or of different values, within so many buckets.
func (c *cell) worst(r *rules.Rule, span uint32) (most uint64) {
	switch {
	case r.Distinct != "":
		for _, n := range valueWindows(c.values, span) {
			most = max(most, n)
		}
		if s := c.extras().sketch; s != nil {
			most = max(most, s.worst(span))
		}
	case r.Within == 0:
		return uint64(c.facts())
	default:
		for _, n := range c.windows(span) {
			most = max(most, n)
		}
	}
	return most
}

// recent is the count within the buckets that end now.
func (c *cell) recent(r *rules.Rule, span uint32, now int64) (n uint64) {
	if r.Within == 0 {
		return c.worst(r, span)
	}
	end := uint32(max(0, min(now, math.MaxUint32))) / partSeconds(r)
	if r.Distinct != "" {
		from := end - min(end, span-1)
		for _, n = range valueWindows(between(c.values, from, end), math.MaxUint32) {
		}
		if s := c.extras().sketch; s != nil {
			part := sketch{s.rank, between(s.values, from, end)}
			n = max(n, part.worst(math.MaxUint32))
		}
		return n
	}
	var sums [connwarden.NumVoices]uint64
	for _, b := range c.buckets {
		if b.number <= end && b.number+span > end {
			sums[b.voice] += uint64(b.count)
		}
	}
	return slices.Max(sums[:])
}

// windows yields each bucket and how much its voice told of within the window that ends with it.
func (c *cell) windows(span uint32) iter.Seq2[bucket, uint64] {
	return func(yield func(bucket, uint64) bool) {
		var sums [connwarden.NumVoices]uint64
		from := 0
		for _, b := range c.buckets {
			sums[b.voice] += uint64(b.count)
			for old := c.buckets[from]; old.number+span <= b.number; old = c.buckets[from] {
				sums[old.voice] -= uint64(old.count)
				from++
			}
			if !yield(b, sums[b.voice]) {
				return
			}
		}
	}
}

// renumber gives the sources of samples other numbers.
func (c *cell) renumber(to func(uint16) uint16) {
	for i := range c.samples {
		c.samples[i].source = to(c.samples[i].source)
	}
}

// count adds the counts, times and samples of another cell. The sources of the samples of both are numbers in names.
func (c *cell) count(o *cell, names []string) {
	c.total += o.total
	c.refused += o.refused
	c.local += o.local
	if o.extra != nil {
		m := c.ownExtra()
		for v, n := range o.extra.others {
			m.others[v] += n
		}
		m.passes += o.extra.passes
		m.before += o.extra.before
	}
	c.late = c.late || o.late
	c.due = 0
	c.seen(o.first)
	c.last = max(c.last, o.last)
	for i, s := range o.samples {
		if c.keep(s, names) && i == 0 {
			c.example = o.example
		}
	}
}

// merge adds another cell of the same rule and group, or of the same circle. span is how many buckets make a window.
func (c *cell) merge(o *cell, span uint32, names []string) {
	c.count(o, names)
	for _, b := range o.buckets {
		c.add(b, span)
	}
	if s := o.extras().sketch; s != nil {
		c.sketched().merge(s)
	}
	for _, v := range o.values {
		if c.rule&circleBit == 0 {
			c.note(v, span)
			continue
		}
		for !c.put(v) {
			c.thinValues(span)
		}
	}
}
