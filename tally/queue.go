package tally

// Figures of a batch. A table that is larger than a processor's nearest caches waits for memory twice a line: for
// the slot and the entry. Looked up one after another, those waits add up; looked up together, they pass at the
// same time.
const (
	queueFrom  = 2048 // entries: smaller tables stay in the caches, and gain nothing
	queueLines = 32   // lines: as many waits as a processor can have under way, and few enough to stay in its nearest cache
)

// queue holds requests that wait to be counted.
type queue struct {
	n       int
	waiting [queueLines]waiting
	keys    []byte // one behind another
	near    uint32 // keeps the walk that fetches from being left out
}

// waiting is one request.
type waiting struct {
	hash   uint64
	size   uint64
	entry  uint32 // that it probably belongs to, plus 1; 0 for none
	length uint16
	class  uint8
}

func (q *queue) add(key []byte, class int, size uint64) {
	w := &q.waiting[q.n]
	w.hash, w.size, w.length, w.class = hash(key), size, uint16(len(key)), uint8(class)
	q.keys = append(q.keys, key...)
	q.n++
}

// flush counts the requests that wait. Whatever looks at the table calls it first.
func (p *Pages) flush() {
	q, t := &p.queue, &p.table
	all := q.waiting[:q.n]
	// The first walk only brings the slots near, and the third the entries: nothing in them depends on what they read, so no
	// wait holds up the next.
	var near uint32
	for i := range all {
		near ^= t.slots[uint32(all[i].hash>>32)>>t.shift].entry
	}
	q.near = near
	for i := range all {
		all[i].entry = t.probe(all[i].hash)
	}
	var hashes uint64
	for i := range all {
		hashes ^= t.at(int(max(all[i].entry, 1) - 1)).hash
	}
	q.near ^= uint32(hashes)
	evicted := p.missed
	at := 0
	for i := range all {
		w := &all[i]
		key := q.keys[at : at+int(w.length)]
		at += int(w.length)
		if w.entry > 0 && p.missed == evicted { // else entries have moved
			if e := t.at(int(w.entry - 1)); e.hash == w.hash {
				e.class[w.class]++
				e.bytes += w.size
				continue
			}
		}
		p.count(key, w.hash, int(w.class), w.size)
	}
	q.n, q.keys = 0, q.keys[:0]
}
