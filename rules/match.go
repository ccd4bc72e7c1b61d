package rules

import (
	"bytes"
	"hash/maphash"
	"net/netip"
	"slices"

	"github.com/connwarden/connwarden"
)

// Hit is a rule that a reading fits.
type Hit struct {
	Rule int  // in Set.Rules
	Pass bool // it speaks for the peer
}

// Matcher finds the rules that a reading fits. What a text fits is remembered by its hash, and what a combination of such
// findings fits is remembered too, so that a reading like others costs a hash a text. It belongs to one goroutine.
type Matcher struct {
	set   *Set
	looks [looks]*memory // made when they are first wanted
	sub   subject
}

// subject is a reading as conditions see it.
type subject struct {
	text [texts][]byte
	num  [nums]int64 // -1: unknown
	addr netip.Addr
}

// memory is what is remembered of one kind of reading.
type memory struct {
	p       *program
	seed    maphash.Seed
	slots   []int // those that any condition looks at
	values  [texts]values
	classes [texts]classes
	sums    map[sumKey]*sum
	recent  [recentSums]recentSum
	latest  [texts]latest
	key     sumKey // of the reading in hand
	last    *sum   // and what it fits
	scratch []byte
	set     []uint64 // leaves that the text in hand fits
	asked   []uint64 // and expressions that were tried on it
	number  []byte
	hits    []Hit
	// automata try expressions, each made when it is first needed; room is for how many more states.
	automata [texts][]*automaton
	room     int
	forgot   bool
}

// The bounds of what is remembered: a table a slot in which a text pushes another out, and the number of different
// findings, which only an attacker drives up; then all is forgotten.
const (
	classBits  = 14
	maxClasses = 1 << classBits
	maxSums    = 1 << 15
	recentBits = 11
	recentSums = 1 << recentBits
)

// remembered is how many texts of a slot are remembered; at 8 bytes each.
var remembered = [texts]int{
	slotPath: 1 << 16, slotQuery: 1 << 14, slotReferer: 1 << 14, slotAgent: 1 << 13, slotSite: 1 << 12, slotUser: 1 << 12, slotMethod: 1 << 10, slotKind: 1 << 8,
	slotHost: 1 << 8,
}

// values holds the classes of texts by the texts' hashes, four that fall into one place beside each other. A value is the
// upper bits of a hash and the class; 0 is none. What was asked for again moves to the front, what is new begins in the
// third place, so that a flood of texts that never come again does not push out those that do.
type values []uint64

const (
	ways     = 4
	newcomer = 2
)

func (v values) find(h uint64) (class uint16, known bool) {
	set := v.set(h)
	for i := range set {
		if w := set[i]; (w^h)>>classBits == 0 {
			if i > 0 {
				set[i-1], set[i] = w, set[i-1]
			}
			return uint16(w & (maxClasses - 1)), true
		}
	}
	return 0, false
}

func (v values) add(h uint64, class uint16) {
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
	set[at] = h&^(maxClasses-1) | uint64(class)
}

// set is the place of a hash: the lower bits, which are not kept, choose it.
func (v values) set(h uint64) *[ways]uint64 {
	at := int(h) * ways & (len(v) - 1)
	return (*[ways]uint64)(v[at : at+ways])
}

// latest is the text of a slot that was looked up last, of the slots whose text seldom changes.
type latest struct {
	text  []byte
	class uint16
	known bool
}

// seldom are the slots whose text is mostly that of the line before.
var seldom = [texts]bool{slotSite: true, slotUser: true, slotMethod: true, slotKind: true, slotHost: true}

// classes number the different sets of leaves that texts fit; class 0 fits none.
type classes struct {
	number map[string]uint16
	sets   [][]uint64
}

// sumKey is all that a combination depends on but numbers and addresses.
type sumKey struct {
	class  [texts]uint16
	status uint16
}

// sum is what a combination fits.
type sum struct {
	narrow, broad []candidate
	// busy tells that a broad rule that names something may be among them.
	busy bool
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

// NewMatcher returns a matcher of the set.
func (s *Set) NewMatcher() *Matcher { return &Matcher{set: s} }

// look is the memory of one kind of reading, nil when no rule looks at it.
func (m *Matcher) look(l Look) *memory {
	mem := m.looks[l]
	if mem == nil && len(m.set.programs[l].conditions) > 0 {
		mem = newMemory(&m.set.programs[l])
		m.looks[l] = mem
	}
	return mem
}

func newMemory(p *program) *memory {
	m := &memory{p: p, seed: maphash.MakeSeed(), room: maxStates}
	words, asked := 0, 0
	for slot := range p.leaves {
		if len(p.leaves[slot]) > 0 {
			m.slots = append(m.slots, slot)
			m.values[slot] = make(values, remembered[slot])
			m.automata[slot] = make([]*automaton, len(p.exprs[slot]))
			words, asked = max(words, m.words(slot)), max(asked, (len(p.exprs[slot])+63)/64)
		}
	}
	m.set, m.asked = make([]uint64, words), make([]uint64, asked)
	m.forget()
	return m
}

// words is how many words a set of leaves has.
func (m *memory) words(slot int) int { return (len(m.p.leaves[slot]) + 63) / 64 }

func (m *memory) forget() {
	for _, slot := range m.slots {
		clear(m.values[slot])
		words := m.words(slot)
		m.classes[slot] = classes{map[string]uint16{string(make([]byte, 8*words)): 0}, [][]uint64{make([]uint64, words)}}
	}
	m.sums = map[sumKey]*sum{}
	clear(m.recent[:])
	for slot := range m.latest {
		m.latest[slot].known = false
	}
}

// Request returns the rules that a request fits, but for broad ones. The result is valid until the next call.
func (m *Matcher) Request(r *connwarden.Request) []Hit {
	mem := m.request(r)
	if mem == nil {
		return nil
	}
	return mem.fits(mem.last.narrow, &m.sub)
}

// Busy tells whether the request that was last asked about may fit a broad rule that names something.
func (m *Matcher) Busy() bool {
	mem := m.looks[Requests]
	return mem != nil && mem.last.busy
}

// Broad returns the broad rules that a request fits. The result is valid until the next call.
func (m *Matcher) Broad(r *connwarden.Request) []Hit {
	if m.request(r) == nil {
		return nil
	}
	return m.BroadToo()
}

// BroadToo returns the broad rules that the request fits that was last asked about. The result is valid until the next
// call.
func (m *Matcher) BroadToo() []Hit {
	mem := m.looks[Requests]
	if mem == nil {
		return nil
	}
	return mem.fits(mem.last.broad, &m.sub)
}

func (m *Matcher) request(r *connwarden.Request) *memory {
	mem := m.look(Requests)
	if mem == nil {
		return nil
	}
	s := &m.sub
	s.text[slotPath], s.text[slotQuery], s.text[slotAgent], s.text[slotReferer] = r.Path, r.Query, r.Agent, r.Referer
	s.text[slotSite], s.text[slotUser], s.text[slotMethod], s.text[slotKind] = r.Host, r.User, r.Method, kinds[r.Kind]
	s.text[slotHost] = r.Asked
	s.num[numStatus], s.num[numBytes], s.num[numTook] = int64(r.Status), r.Size, -1
	if r.Took >= 0 {
		s.num[numTook] = r.Took.Milliseconds()
	}
	s.addr = r.Client
	mem.match(s, min(r.Status, 999))
	return mem
}

var kinds = [...][]byte{[]byte("http"), []byte("tls"), []byte("empty"), []byte("garbage")}

// Event returns the rules that an event fits. The result is valid until the next call.
func (m *Matcher) Event(e *connwarden.Event) []Hit {
	mem := m.look(Events)
	if mem == nil {
		return nil
	}
	s := m.clear()
	s.text[slotService], s.text[slotKind] = append(s.text[slotService][:0], e.Service...), append(s.text[slotKind][:0], e.Kind.String()...)
	s.text[slotUser], s.text[slotDetail], s.addr = e.User, e.Detail, e.Client
	if e.Missing {
		s.text[slotAccount] = append(s.text[slotAccount][:0], "missing"...)
	}
	mem.match(s, 0)
	return mem.fits(mem.last.narrow, s)
}

// Fault returns the rules that a fault fits. The result is valid until the next call.
func (m *Matcher) Fault(f *connwarden.Fault) []Hit {
	mem := m.look(Faults)
	if mem == nil {
		return nil
	}
	s := m.clear()
	s.text[slotService], s.text[slotLevel] = append(s.text[slotService][:0], f.Service...), append(s.text[slotLevel][:0], f.Level.String()...)
	s.text[slotMessage], s.text[slotCode], s.text[slotModule], s.text[slotSite], s.addr = f.Message, f.Code, f.Module, f.Site, f.Client
	mem.match(s, 0)
	return mem.fits(mem.last.narrow, s)
}

// Conn returns the rules that connections alike fit, whose peer made so many requests (-1: no log tells). The result is
// valid until the next call.
func (m *Matcher) Conn(addr netip.Addr, state, dir string, port uint16, requests int64) []Hit {
	mem := m.look(Connections)
	if mem == nil {
		return nil
	}
	s := m.clear()
	s.text[slotKind], s.text[slotMethod] = append(s.text[slotKind][:0], state...), append(s.text[slotMethod][:0], dir...)
	s.num[numPort], s.num[numRequests], s.addr = int64(port), requests, addr
	mem.match(s, 0)
	return mem.fits(mem.last.narrow, s)
}

// clear empties the subject. Texts of before may be borrowed from someone: they are dropped.
func (m *Matcher) clear() *subject {
	m.sub = subject{num: [nums]int64{-1, -1, -1, -1, -1}}
	return &m.sub
}

// match finds what a reading fits: m.key and m.last.
func (m *memory) match(s *subject, status uint16) {
	key := &m.key
	key.status = status
	for _, slot := range m.slots {
		key.class[slot] = m.class(slot, s.text[slot])
	}
	if m.forgot { // numbers given before are void
		m.forgot = false
		for _, slot := range m.slots {
			key.class[slot] = m.class(slot, s.text[slot])
		}
	}
	m.last = m.sum(key)
}

// fits returns those of some conditions that the reading in hand fits.
func (m *memory) fits(list []candidate, s *subject) []Hit {
	m.hits = m.hits[:0]
	for _, c := range list {
		cond := &m.p.conditions[c.condition]
		if !c.late || m.eval(&cond.root, &m.key, s) == yes {
			m.hits = append(m.hits, Hit{cond.rule, cond.pass})
		}
	}
	return m.hits
}

// class returns the number of the class that a text is in.
func (m *memory) class(slot int, t []byte) uint16 {
	if seldom[slot] || len(t) == 0 {
		l := &m.latest[slot]
		if l.known && bytes.Equal(l.text, t) {
			return l.class
		}
		class := m.byHash(slot, t)
		l.text, l.class, l.known = append(l.text[:0], t...), class, true
		return class
	}
	return m.byHash(slot, t)
}

func (m *memory) byHash(slot int, t []byte) uint16 {
	h := maphash.Bytes(m.seed, t)
	if class, known := m.values[slot].find(h); known {
		return class
	}
	class := m.classify(slot, t)
	m.values[slot].add(h, class) // after classify, which may have forgotten all
	return class
}

func (m *memory) classify(slot int, t []byte) uint16 {
	text, seen := normal(m.scratch, t, m.p.forms[slot])
	m.scratch = text
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
			try(l.expr)
		}
	}
	m.p.literals[slot].find(text, hit)
	m.p.shorts[slot].find(text, &seen, hit)
	if len(text) == 0 {
		for _, i := range m.p.empty[slot] {
			set[i>>6] |= 1 << (i & 63)
		}
	}
	for _, n := range m.p.whole[slot] {
		try(n)
	}
	return m.numberOf(slot, set)
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
		m.forget()
		m.forgot = true
		c = &m.classes[slot]
	}
	n := uint16(len(c.sets))
	c.number[string(m.number)] = n
	c.sets = append(c.sets, slices.Clone(set))
	return n
}

// sum returns the conditions that a combination may fit.
func (m *memory) sum(key *sumKey) *sum {
	c := &key.class
	h := (uint64(c[0])|uint64(c[1])<<16|uint64(c[2])<<32|uint64(c[3])<<48)*0x9e3779b97f4a7c15 ^
		(uint64(c[4])|uint64(c[5])<<16|uint64(c[6])<<32|uint64(c[7])<<48+uint64(key.status))*0xc2b2ae3d27d4eb4f
	r := &m.recent[(h^h>>32)*0x9e3779b97f4a7c15>>(64-recentBits)]
	if r.key == *key && r.sum != nil {
		return r.sum
	}
	found := m.sums[*key]
	if found == nil {
		found = &sum{}
		for i := range m.p.conditions {
			cond := &m.p.conditions[i]
			truth := m.eval(&cond.root, key, nil)
			if truth == no {
				continue
			}
			one := candidate{uint16(i), truth == unsure}
			if cond.broad {
				found.broad = append(found.broad, one)
				found.busy = found.busy || !cond.root.everything()
			} else {
				found.narrow = append(found.narrow, one)
			}
		}
		found.narrow, found.broad = slices.Clip(found.narrow), slices.Clip(found.broad)
		if len(m.sums) >= maxSums {
			clear(m.sums)
		}
		m.sums[*key] = found
	}
	*r = recentSum{*key, found}
	return found
}

// everything tells that a condition names nothing, so that every reading fits it.
func (n *node) everything() bool { return n.op == opEvery && len(n.kids) == 0 }

// truth is the answer of a condition when not all is known.
type truth uint8

const (
	no truth = iota
	unsure
	yes
)

// eval answers a condition; without a subject numbers and addresses are unsure.
func (m *memory) eval(n *node, key *sumKey, s *subject) truth {
	switch n.op {
	case opEvery:
		answer := yes
		for i := range n.kids {
			if answer = min(answer, m.eval(&n.kids[i], key, s)); answer == no {
				break
			}
		}
		return answer
	case opSome:
		answer := no
		for i := range n.kids {
			if answer = max(answer, m.eval(&n.kids[i], key, s)); answer == yes {
				break
			}
		}
		return answer
	case opNot:
		return yes - m.eval(&n.kids[0], key, s)
	case opText:
		set := m.classes[n.slot].sets[key.class[n.slot]]
		return sure(set[n.leaf>>6]&(1<<(n.leaf&63)) != 0)
	case opQuery:
		if set := m.classes[n.slot].sets[key.class[n.slot]]; set[n.leaf>>6]&(1<<(n.leaf&63)) != 0 {
			return yes
		}
		if s == nil {
			return unsure
		}
		return sure(m.tries(n, s.text[n.slot]))
	case opStatus:
		return sure(key.status > 0 && int64(key.status) >= n.late.from && int64(key.status) <= n.late.to)
	default:
		if s == nil {
			return unsure
		}
		if n.late.slot < 0 {
			return sure(n.late.prefix.Contains(s.addr))
		}
		x := s.num[n.late.slot]
		return sure(x >= 0 && x >= n.late.from && x <= n.late.to)
	}
}

// tries tells whether an expression of a comparison that waited matches a text.
func (m *memory) tries(n *node, t []byte) bool {
	text, seen := normal(m.scratch, t, m.p.forms[n.slot])
	m.scratch = text
	return slices.ContainsFunc(m.p.leaves[n.slot][n.leaf].late, func(i int) bool {
		return m.matches(n.slot, i, text, &seen)
	})
}

// matches tells whether an expression of a slot matches a text, which is made of the bytes seen.
func (m *memory) matches(slot, n int, text []byte, seen *byteSet) bool {
	e := m.p.exprs[slot][n]
	if !seen.within(&e.alphabet) {
		return false
	}
	if seen[2]|seen[3] == 0 {
		a := &m.automata[slot][n]
		if *a == nil {
			*a = e.automaton()
		}
		if yes, sure := (*a).match(text, &m.room); sure {
			return yes
		}
	}
	return e.match(text)
}

func sure(b bool) truth {
	if b {
		return yes
	}
	return no
}

// Normal returns a path as the language compares it, in dst, which it returns grown.
func Normal(dst, path []byte) []byte {
	text, _ := normal(dst, path, pathForm)
	return text
}
