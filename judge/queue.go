package judge

import "github.com/connwarden/connwarden/rules"

// queueLines is how many requests wait to be counted: each waits for memory twice, for the index and for the ledger, and
// looked up together those waits pass at the same time.
const queueLines = 32

// queue holds requests that wait to be counted in the ledgers of a table that does not follow.
type queue struct {
	n       int
	waiting [queueLines]waiting
	hash    [queueLines]uint64
	place   [queueLines]uint32
	warm    uint32 // nothing: it keeps the compiler from leaving the look-up out
}

// waiting is what a ledger counts of a request.
type waiting struct {
	addr    [16]byte
	size    int64
	at      uint32
	claim   uint16
	class   uint8      // hundreds of the status; 6: none of HTTP's
	least   uint16     // the least count of the rules by address that it fits; 0: none
	busy    rules.Busy // the broad rules that it may fit
	via     bool       // a trusted proxy passed it on
	dresses bool       // it asks for what pages are made of
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
		q.hash[i] = hashOf(keyOf(&all[i].addr))
	}
	q.find(l, len(all))
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

// find looks up where so many requests will probably be counted, by the hashes of their addresses. No loop that waits for memory decides
// by what it reads there: a processor that has guessed wrong begins anew only when the memory has answered, and then all waits come one
// after the other.
func (q *queue) find(l *ledgers, n int) {
	warm, mask := uint32(0), uint64(len(l.index)-1)
	for _, h := range q.hash[:n] {
		warm += l.index[h&mask]
	}
	for i, h := range q.hash[:n] {
		q.place[i] = l.likely(h)
	}
	for _, n := range q.place[:n] {
		if n > 0 {
			one := l.at(int(n - 1))
			warm += uint32(one.addr[0]) + one.minute
		}
	}
	q.warm = warm
}

// ahead looks up what some requests will be counted in, at most queueLines of them: all ledgers, then all cells, then what these end with, so
// that the waits for memory pass together. It changes nothing.
func (t *Table) ahead(list []found, hits []hit) {
	q := &t.queue
	for i := range list {
		q.hash[i] = hashOf(keyOf(&list[i].addr))
	}
	q.find(&t.ledgers, len(list))
	var chains [queueLines]chain
	open := chains[:0]
	for i := range list {
		n := q.place[i]
		if n == 0 {
			continue
		}
		l, wanted := t.ledgers.at(int(n-1)), hits[list[i].from:list[i].broad]
		if t.live.crowd(l) {
			wanted = hits[list[i].from:list[i].to]
		}
		if len(wanted) == 0 || l.cell < 0 {
			continue
		}
		one := chain{next: l.cell}
		for _, h := range wanted {
			one.wanted |= 1 << (h.rule & 63)
		}
		open = append(open, one)
	}
	warm := q.warm
	var cells [4 * queueLines]*cell
	n := 0
	for len(open) > 0 { // a link of each further; as in find
		for i := range open {
			open[i].link = t.cells.links[open[i].next]
		}
		from, left := n, 0
		for _, one := range open {
			if (one.wanted>>(one.link.rule&63)&1 != 0 || one.link.rule&circleBit != 0) && n < len(cells) {
				cells[n] = t.cells.at(one.next)
				n++
			}
			if one.next = one.link.next; one.next >= 0 {
				open[left] = one
				left++
			}
		}
		open = open[:left]
		for _, c := range cells[from:n] {
			warm += c.total + uint32(len(c.values))
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

// chain is how far the cells of an address were looked through.
type chain struct {
	wanted uint64 // bits of rules; of two that share one both are looked up, and circles in any case
	next   int32
	link   link
}
