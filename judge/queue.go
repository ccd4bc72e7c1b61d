package judge

// queueLines is how many requests wait to be counted: each waits for memory twice, for the index and for the ledger, and
// looked up together those waits pass at the same time.
const queueLines = 32

// queue holds requests that wait to be counted in the ledgers of a table that does not follow.
type queue struct {
	n       int
	waiting [queueLines]waiting
	place   [queueLines]uint32
	warm    uint32 // nothing: it keeps the compiler from leaving the look-up out
}

// waiting is what a ledger counts of a request.
type waiting struct {
	addr  [16]byte
	size  int64
	at    uint32
	claim uint16
	class uint8  // hundreds of the status; 6: none of HTTP's
	least uint16 // the least count of the rules by address that it fits; 0: none
	named bool   // it may fit a broad rule that names something
	via   bool   // a trusted proxy passed it on
}

// later lets a request wait to be counted.
func (t *Table) later(w *waiting) {
	q := &t.queue
	q.waiting[q.n] = *w
	if q.n++; q.n == queueLines {
		t.flush()
	}
}

// flush counts the requests that wait. Whatever looks at the ledgers of a table that does not follow calls it first.
func (t *Table) flush() {
	q, l := &t.queue, &t.ledgers
	all := q.waiting[:q.n]
	q.n = 0
	for i := range all {
		q.place[i] = l.likely(hashOf(keyOf(&all[i].addr)))
	}
	warm := uint32(0)
	for i := range all {
		if n := q.place[i]; n > 0 {
			one := l.at(int(n - 1))
			warm += uint32(one.addr[0]) + one.minute
		}
	}
	q.warm = warm
	evicted := t.evicted
	for i := range all {
		w := &all[i]
		if n := q.place[i]; n > 0 && t.evicted == evicted { // else ledgers have moved
			if one := l.at(int(n - 1)); one.addr == w.addr {
				one.request(w)
				continue
			}
		}
		t.ledger(&w.addr).request(w)
	}
}

// ahead looks up what some requests will be counted in, at most queueLines of them: all ledgers, then all cells, then what these end with, so
// that the waits for memory pass together. It changes nothing.
func (t *Table) ahead(list []found, hits []hit) {
	q := &t.queue
	for i := range list {
		q.place[i] = t.ledgers.likely(hashOf(keyOf(&list[i].addr)))
	}
	var next [queueLines]int32
	var wanted [queueLines]uint64 // bits of rules; of two that share one both are looked up
	warm := uint32(0)
	for i := range list {
		next[i] = -1
		if n := q.place[i]; n > 0 {
			one := t.ledgers.at(int(n - 1))
			next[i] = one.cell
			warm += uint32(one.addr[0]) + one.minute
		}
		for _, h := range hits[list[i].from:list[i].to] {
			wanted[i] |= 1 << (h.rule & 63)
		}
	}
	var cells [4 * queueLines]*cell
	n := 0
	for more := true; more; {
		more = false
		for i := range list {
			if next[i] < 0 {
				continue
			}
			link := t.cells.links[next[i]]
			if wanted[i]>>(link.rule&63)&1 != 0 && n < len(cells) {
				cells[n] = t.cells.at(next[i])
				warm += cells[n].total
				n++
			}
			next[i] = link.next
			more = true
		}
	}
	for _, c := range cells[:n] {
		if i := len(c.buckets); i > 0 {
			warm += c.buckets[i-1].count
		}
		if i := len(c.values); i > 0 {
			warm += c.values[i-1].hash
		}
	}
	q.warm = warm
}
