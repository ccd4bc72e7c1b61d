package rules

import (
	"bytes"
	"hash/maphash"
	"iter"
	"math/bits"
	"slices"
)

// memory is what is remembered of one kind of reading.
type memory struct {
	p *program
	// The slots that any condition looks at: those whose text is another in most readings, and those whose text is mostly
	// that of the reading before.
	often, seldom []int
	values        [texts]values
	latest        [texts]latest // of those that seldom change
	empty         [texts]uint16 // classes of empty texts
	classes       [texts]classes
	// The reading in hand.
	class  [texts]uint16
	hashes [texts]uint64 // of the texts that change often; 0: empty
	plain  bool          // the path, or what stands in its place, is as the language compares it
	status uint16
	same   uint64 // classes of the texts that change seldom
	last   *sum   // what it fits
	sums   map[sumKey]*sum
	recent [recentSums]recentSum
	// Of each status that was met the conditions that it does not rule out; and those of the combination in hand.
	statuses map[uint16][]uint64
	left     []uint64

	scratch []byte
	set     []uint64 // leaves that the text in hand fits
	asked   []uint64 // and expressions that were tried on it
	number  []byte
	hits    []Hit
	// automata try expressions, each made when it is first needed; room is for how many more states.
	automata [texts][]*automaton
	room     int
	full     bool // there are more classes than can be numbered
}

// The bounds of what is remembered: a table a slot in which a text pushes another out, and the number of different
// findings, which only an attacker drives up; then all is forgotten.
const (
	classBits  = 12 // five of them and a status fit into a word
	maxClasses = 1 << classBits
	maxSums    = 1 << 15
	recentBits = 11
	recentSums = 1 << recentBits
)

// remembered is how many texts of a slot are remembered; at 8 bytes each.
var remembered = [texts]int{
	slotPath: 1 << 16, slotQuery: 1 << 14, slotReferer: 1 << 15, slotAgent: 1 << 13, slotSite: 1 << 12, slotUser: 1 << 12, slotMethod: 1 << 10, slotKind: 1 << 8,
	slotHost: 1 << 8,
}

// seed is one for all matchers: what one finds of a text another may be asked about.
var seed = maphash.MakeSeed()

// Hash is a hash of a text, the same for all that this process asks.
func Hash(text []byte) uint64 { return maphash.Bytes(seed, text) }

// values holds what is known of texts by the texts' hashes, four that fall into one place beside each other. A value is the
// upper bits of a hash and what is known; 0 is none. What was asked for again moves to the front, what is new begins in the
// third place, so that a flood of texts that never come again does not push out those that do.
type values []uint64

const (
	ways     = 4
	newcomer = 2
)

// known is what is remembered of a text: its class, and whether it is as the language compares it.
type known uint16

const (
	knownBits = classBits + 1
	plain     = known(1 << classBits)
)

func (k known) class() uint16 { return uint16(k &^ plain) }

func (v values) find(h uint64) (k known, ok bool) {
	set := v.set(h)
	for i := range set {
		if w := set[i]; (w^h)>>knownBits == 0 {
			if i > 0 {
				set[i-1], set[i] = w, set[i-1]
			}
			return known(w & (1<<knownBits - 1)), true
		}
	}
	return 0, false
}

func (v values) add(h uint64, k known) {
	set := v.set(h)
	at := newcomer
	for i := range at {
		if set[i] == 0 {
			at = i
			break
		}
	}
	if at == newcomer {
		set[newcomer+1] = set[newcomer]
	}
	set[at] = h&^(1<<knownBits-1) | uint64(k)
}

// set is the place of a hash: the lower bits, which are not kept, choose it.
func (v values) set(h uint64) *[ways]uint64 {
	at := int(h) * ways & (len(v) - 1)
	return (*[ways]uint64)(v[at : at+ways])
}

// latest is the text of a slot that was looked up last, of the slots whose text seldom changes.
type latest struct {
	text  []byte
	known bool
}

// unchanging are the slots whose text is mostly that of the reading before.
var unchanging = [texts]bool{slotSite: true, slotUser: true, slotMethod: true, slotKind: true, slotHost: true}

// classes number the different sets of leaves that texts fit; class 0 fits none.
type classes struct {
	number map[string]uint16
	sets   [][]uint64
	open   [][]uint64 // of each the conditions that it does not rule out
}

// sumKey is all that a combination depends on but numbers and addresses: the classes of the texts that change often with the
// status, and those of the others.
type sumKey struct{ often, seldom uint64 }

// sum is what a combination fits.
type sum struct {
	narrow, broad []candidate
	busy          Busy
}

type recentSum struct {
	key sumKey
	sum *sum // nil: none
}

// candidate is a condition that a combination fits, for certain or if numbers, addresses and what waits of the query agree.
type candidate struct {
	condition uint16
	late      bool
}

func newMemory(p *program) *memory {
	m := &memory{p: p, room: maxStates, statuses: map[uint16][]uint64{}}
	words, asked := 0, 0
	for slot := range p.leaves {
		if len(p.leaves[slot]) == 0 {
			continue
		}
		if unchanging[slot] {
			m.seldom = append(m.seldom, slot)
		} else {
			m.often = append(m.often, slot)
		}
		m.values[slot] = make(values, remembered[slot])
		m.automata[slot] = make([]*automaton, len(p.exprs[slot]))
		words, asked = max(words, m.words(slot)), max(asked, (len(p.exprs[slot])+63)/64)
	}
	m.set, m.asked = make([]uint64, words), make([]uint64, asked)
	m.forget()
	return m
}

// words is how many words a set of leaves has.
func (m *memory) words(slot int) int { return (len(m.p.leaves[slot]) + 63) / 64 }

func (m *memory) forget() {
	m.full = false
	m.sums = map[sumKey]*sum{}
	clear(m.recent[:])
	for slot := range m.p.leaves {
		if words := m.words(slot); words > 0 {
			clear(m.values[slot])
			m.latest[slot].known = false
			nothing := make([]uint64, words)
			m.classes[slot] = classes{map[string]uint16{string(make([]byte, 8*words)): 0}, [][]uint64{nothing}, [][]uint64{m.not(&given{slot: slot, set: nothing})}}
			m.empty[slot] = m.classify(slot, nil).class()
		}
	}
}

// match finds what a reading fits: m.last.
func (m *memory) match(s *subject, status uint16) {
	m.status = status
	m.look(s)
	if m.full { // numbers given before are void
		m.forget()
		m.look(s)
	}
}

func (m *memory) look(s *subject) {
	for _, slot := range m.often { // all at first, so that the waits for memory below pass together
		m.hashes[slot] = 0
		if t := s.text[slot]; len(t) > 0 {
			m.hashes[slot] = Hash(t)
		}
	}
	key := sumKey{often: uint64(m.status)}
	m.plain = false
	for _, slot := range m.often {
		class := m.empty[slot]
		if s.lacks>>slot&1 != 0 {
			class = 0 // it fits nothing
		} else if t := s.text[slot]; len(t) > 0 {
			k := m.byHash(slot, t, m.hashes[slot])
			class = k.class()
			if slot == slotPath {
				m.plain = k&plain != 0
			}
		}
		m.class[slot] = class
		key.often = key.often<<classBits | uint64(class)
	}
	for _, slot := range m.seldom {
		if l := &m.latest[slot]; !l.known || !bytes.Equal(l.text, s.text[slot]) {
			m.changed(slot, s.text[slot])
		}
	}
	key.seldom = m.same
	r := &m.recent[(key.often*0x9e3779b97f4a7c15^key.seldom*0xc2b2ae3d27d4eb4f)>>(64-recentBits)]
	if r.key != key || r.sum == nil {
		*r = recentSum{key, m.sum(key)}
	}
	m.last = r.sum
}

// byHash returns what is known of a text that has a hash.
func (m *memory) byHash(slot int, t []byte, h uint64) known {
	k, ok := m.values[slot].find(h)
	if !ok {
		k = m.classify(slot, t)
		m.values[slot].add(h, k)
	}
	return k
}

// changed takes note of another text of a slot whose text changes seldom.
func (m *memory) changed(slot int, t []byte) {
	class := m.empty[slot]
	if len(t) > 0 {
		class = m.byHash(slot, t, Hash(t)).class()
	}
	l := &m.latest[slot]
	l.text, l.known = append(l.text[:0], t...), true
	m.class[slot] = class
	m.same = 0
	for _, one := range m.seldom {
		m.same = m.same<<classBits | uint64(m.class[one])
	}
}

func (m *memory) classify(slot int, t []byte) (k known) {
	text, seen := normal(m.scratch, t, m.p.forms[slot])
	m.scratch = text
	if bytes.Equal(text, t) {
		k = plain
	}
	words := m.words(slot)
	set, asked := m.set[:words], m.asked[:(len(m.p.exprs[slot])+63)/64]
	clear(set)
	clear(asked)
	try := func(n int) {
		leaf := m.p.exprs[slot][n].leaf
		if word, bit := leaf>>6, uint64(1)<<(leaf&63); set[word]&bit == 0 && m.matches(slot, n, text, &seen) {
			set[word] |= bit
		}
	}
	hit := func(l *literal) {
		if l.mode != confirm {
			set[l.leaf>>6] |= 1 << (l.leaf & 63)
		} else if word, bit := l.expr>>6, uint64(1)<<(l.expr&63); asked[word]&bit == 0 {
			asked[word] |= bit
			try(int(l.expr))
		}
	}
	m.p.literals[slot].find(text, hit)
	m.p.shorts[slot].find(text, &seen, hit)
	of := m.p.filled[slot]
	if len(text) == 0 {
		of = m.p.empty[slot]
	}
	for _, i := range of {
		set[i>>6] |= 1 << (i & 63)
	}
	for _, n := range m.p.whole[slot] {
		try(n)
	}
	return k | known(m.numberOf(slot, set))
}

// numberOf returns the number of a set of leaves.
func (m *memory) numberOf(slot int, set []uint64) uint16 {
	any := uint64(0)
	m.number = m.number[:0]
	for _, w := range set {
		any |= w
		m.number = append(m.number, byte(w), byte(w>>8), byte(w>>16), byte(w>>24), byte(w>>32), byte(w>>40), byte(w>>48), byte(w>>56))
	}
	if any == 0 {
		return 0
	}
	c := &m.classes[slot]
	if n, ok := c.number[string(m.number)]; ok {
		return n
	}
	if len(c.sets) >= maxClasses {
		m.full = true
		return 0
	}
	n := uint16(len(c.sets))
	c.number[string(m.number)] = n
	c.sets = append(c.sets, slices.Clone(set))
	c.open = append(c.open, m.not(&given{slot: slot, set: set}))
	return n
}

// open yields the conditions that neither a text of the combination in hand nor its status rules out by itself: of some hundred a few.
func (m *memory) open() iter.Seq[int] {
	left, ok := m.statuses[m.status]
	if !ok {
		left = m.not(&given{slot: texts, status: m.status})
		m.statuses[m.status] = left
	}
	m.left = append(m.left[:0], left...)
	for _, slots := range [...][]int{m.often, m.seldom} {
		for _, slot := range slots {
			for i, word := range m.classes[slot].open[m.class[slot]] {
				m.left[i] &= word
			}
		}
	}
	return func(yield func(int) bool) {
		for i, word := range m.left {
			for ; word != 0; word &= word - 1 {
				if !yield(i<<6 | bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// given is one thing that is known of a reading: which leaves a text of it fits, or its status.
type given struct {
	slot   int // of the text; texts: the status is known
	set    []uint64
	status uint16
}

// not returns the conditions that what is given does not rule out, a bit for each.
func (m *memory) not(g *given) []uint64 {
	list := make([]uint64, (len(m.p.conditions)+63)/64)
	for i := range m.p.conditions {
		if m.p.conditions[i].root.given(g) != no {
			list[i>>6] |= 1 << (i & 63)
		}
	}
	return list
}

// given answers a condition when one thing alone is known.
func (n *node) given(g *given) truth {
	switch n.op {
	case opEvery:
		answer := yes
		for i := range n.kids {
			answer = min(answer, n.kids[i].given(g))
		}
		return answer
	case opSome:
		answer := no
		for i := range n.kids {
			answer = max(answer, n.kids[i].given(g))
		}
		return answer
	case opNot:
		return yes - n.kids[0].given(g)
	case opText, opQuery:
		fits := n.slot == g.slot && g.set[n.leaf>>6]&(1<<(n.leaf&63)) != 0
		if fits || n.op == opText && n.slot == g.slot {
			return sure(fits)
		}
	case opStatus:
		if g.slot == texts {
			return sure(n.status(g.status))
		}
	}
	return unsure
}

// status tells whether a status is one that a comparison asks for.
func (n *node) status(status uint16) bool {
	return status > 0 && int64(status) >= n.late.from && int64(status) <= n.late.to
}

// sum returns what the combination in hand may fit.
func (m *memory) sum(key sumKey) *sum {
	if found := m.sums[key]; found != nil {
		return found
	}
	found := &sum{}
	for i := range m.open() {
		cond := &m.p.conditions[i]
		truth := m.eval(&cond.root, nil)
		if truth == no {
			continue
		}
		one := candidate{uint16(i), truth == unsure}
		if cond.broad {
			found.broad = append(found.broad, one)
			found.busy.Few = found.busy.Few || cond.few
			found.busy.Many = found.busy.Many || !cond.few && !cond.root.everything()
		} else {
			found.narrow = append(found.narrow, one)
		}
	}
	found.narrow, found.broad = slices.Clip(found.narrow), slices.Clip(found.broad)
	if len(m.sums) >= maxSums {
		clear(m.sums)
	}
	m.sums[key] = found
	return found
}
