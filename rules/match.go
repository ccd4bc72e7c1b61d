package rules

import (
	"bytes"
	"hash/maphash"
	"net/netip"

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
	looks [programs]*memory
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
	values  [texts][]valued
	classes [texts]classes
	sums    map[sumKey][]candidate
	recent  [recentSums]recentSum
	latest  [texts]latest
	scratch []byte
	hits    []Hit
	forgot  bool
}

// The bounds of what is remembered: a table a slot in which a text pushes another out, and the number of different
// findings, which only an attacker drives up; then all is forgotten.
const (
	manyValues = 1 << 15 // of paths and queries
	fewValues  = 1 << 12 // of all else
	maxClasses = 1 << 14
	maxSums    = 1 << 15
	recentSums = 1 << 9
)

// valued is a text's hash and the number of the class that it is in.
type valued struct {
	hash  uint64
	class uint16
	known bool
}

// latest is the text of a slot that was looked up last, of the slots whose text seldom changes.
type latest struct {
	text  []byte
	class uint16
	known bool
}

// seldom are the slots whose text is mostly that of the line before.
var seldom = [texts]bool{slotSite: true, slotUser: true, slotMethod: true, slotKind: true}

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

type recentSum struct {
	key   sumKey
	list  []candidate
	known bool
}

// candidate is a condition that a combination fits, for certain or if numbers and addresses agree.
type candidate struct {
	condition int
	late      bool
}

// NewMatcher returns a matcher of the set.
func (s *Set) NewMatcher() *Matcher {
	m := &Matcher{set: s}
	for l := range s.programs {
		p := &s.programs[l]
		if len(p.conditions) == 0 {
			continue
		}
		mem := &memory{p: p, seed: maphash.MakeSeed()}
		for slot := range p.leaves {
			if len(p.leaves[slot]) > 0 {
				mem.slots = append(mem.slots, slot)
				n := fewValues
				if slot == slotPath || slot == slotQuery {
					n = manyValues
				}
				mem.values[slot] = make([]valued, n)
			}
		}
		mem.forget()
		m.looks[l] = mem
	}
	return m
}

func (m *memory) forget() {
	for _, slot := range m.slots {
		clear(m.values[slot])
		words := (len(m.p.leaves[slot]) + 63) / 64
		m.classes[slot] = classes{map[string]uint16{string(make([]byte, 8*words)): 0}, [][]uint64{make([]uint64, words)}}
	}
	m.sums = map[sumKey][]candidate{}
	clear(m.recent[:])
	for slot := range m.latest {
		m.latest[slot].known = false
	}
}

// Request returns the rules that a request fits, but for broad ones. The result is valid until the next call.
func (m *Matcher) Request(r *connwarden.Request) []Hit { return m.request(m.looks[Requests], r) }

// Broad returns the broad rules that a request fits. The result is valid until the next call.
func (m *Matcher) Broad(r *connwarden.Request) []Hit { return m.request(m.looks[broad], r) }

func (m *Matcher) request(mem *memory, r *connwarden.Request) []Hit {
	if mem == nil {
		return nil
	}
	s := &m.sub
	s.text[slotPath], s.text[slotQuery], s.text[slotAgent], s.text[slotReferer] = r.Path, r.Query, r.Agent, r.Referer
	s.text[slotSite], s.text[slotUser], s.text[slotMethod], s.text[slotKind] = r.Host, r.User, r.Method, kinds[r.Kind]
	s.num[numStatus], s.num[numBytes], s.num[numTook] = int64(r.Status), r.Size, -1
	if r.Took >= 0 {
		s.num[numTook] = r.Took.Milliseconds()
	}
	s.addr = r.Client
	return mem.match(s, uint16(min(r.Status, 999)))
}

var kinds = [...][]byte{[]byte("http"), []byte("tls"), []byte("empty"), []byte("garbage")}

// Event returns the rules that an event fits. The result is valid until the next call.
func (m *Matcher) Event(e *connwarden.Event) []Hit {
	mem := m.looks[Events]
	if mem == nil {
		return nil
	}
	s := m.clear()
	s.text[slotService], s.text[slotKind] = append(s.text[slotService][:0], e.Service...), append(s.text[slotKind][:0], e.Kind.String()...)
	s.text[slotUser], s.text[slotDetail], s.addr = e.User, e.Detail, e.Client
	return mem.match(s, 0)
}

// Fault returns the rules that a fault fits. The result is valid until the next call.
func (m *Matcher) Fault(f *connwarden.Fault) []Hit {
	mem := m.looks[Faults]
	if mem == nil {
		return nil
	}
	s := m.clear()
	s.text[slotService], s.text[slotLevel] = append(s.text[slotService][:0], f.Service...), append(s.text[slotLevel][:0], f.Level.String()...)
	s.text[slotMessage], s.text[slotCode], s.text[slotModule], s.text[slotSite], s.addr = f.Message, f.Code, f.Module, f.Site, f.Client
	return mem.match(s, 0)
}

// Conn returns the rules that connections alike fit, whose peer made so many requests (-1: no log tells). The result is
// valid until the next call.
func (m *Matcher) Conn(addr netip.Addr, state, dir string, port uint16, requests int64) []Hit {
	mem := m.looks[Connections]
	if mem == nil {
		return nil
	}
	s := m.clear()
	s.text[slotKind], s.text[slotMethod] = append(s.text[slotKind][:0], state...), append(s.text[slotMethod][:0], dir...)
	s.num[numPort], s.num[numRequests], s.addr = int64(port), requests, addr
	return mem.match(s, 0)
}

// clear empties the subject. Texts of before may be borrowed from someone: they are dropped.
func (m *Matcher) clear() *subject {
	m.sub = subject{num: [nums]int64{-1, -1, -1, -1, -1}}
	return &m.sub
}

func (m *memory) match(s *subject, status uint16) []Hit {
	var key sumKey
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
	m.hits = m.hits[:0]
	for _, c := range m.sum(&key) {
		cond := &m.p.conditions[c.condition]
		if !c.late || m.eval(&cond.root, &key, s) == yes {
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
	at := h & uint64(len(m.values[slot])-1)
	if v := &m.values[slot][at]; v.known && v.hash == h {
		return v.class
	}
	class := m.classify(slot, t)
	m.values[slot][at] = valued{h, class, true} // after classify, which may have forgotten all
	return class
}

func (m *memory) classify(slot int, t []byte) uint16 {
	m.scratch = normal(m.scratch, t, m.p.forms[slot])
	text := m.scratch
	leaves := m.p.leaves[slot]
	set := make([]uint64, (len(leaves)+63)/64)
	fits := func(i int) { set[i>>6] |= 1 << (i & 63) }
	var asked []int // expressions that were tried
	m.p.literals[slot].find(text, func(l *literal) {
		if l.mode != confirm {
			fits(l.leaf)
			return
		}
		if set[l.leaf>>6]&(1<<(l.leaf&63)) != 0 {
			return
		}
		for _, i := range asked {
			if i == l.leaf {
				return
			}
		}
		asked = append(asked, l.leaf)
		if leaves[l.leaf].matches(text) {
			fits(l.leaf)
		}
	})
	for i := range leaves {
		l := &leaves[i]
		if set[i>>6]&(1<<(i&63)) != 0 {
			continue
		}
		if l.empty && len(text) == 0 || l.whole && l.matches(text) || len(l.short) > 0 && l.shortFits(text) {
			fits(i)
		}
	}
	return m.number(slot, set)
}

func (l *leaf) matches(text []byte) bool {
	for _, re := range l.exprs {
		if re.Match(text) {
			return true
		}
	}
	return false
}

// shortFits looks for the leaf's texts that are too short for grams. Those that an expression needs only say that it is
// worth trying.
func (l *leaf) shortFits(text []byte) bool {
	for i := range l.short {
		s := l.short[i].text
		switch l.short[i].mode {
		case begins:
			if len(text) >= len(s) && string(text[:len(s)]) == s {
				return true
			}
		case ends:
			if len(text) >= len(s) && string(text[len(text)-len(s):]) == s {
				return true
			}
		case equals:
			if string(text) == s {
				return true
			}
		case holds:
			if bytes.Contains(text, []byte(s)) {
				return true
			}
		default:
			if bytes.Contains(text, []byte(s)) {
				return l.matches(text)
			}
		}
	}
	return false
}

// number returns the number of a set of leaves.
func (m *memory) number(slot int, set []uint64) uint16 {
	key := make([]byte, 0, 8*len(set))
	for _, w := range set {
		key = append(key, byte(w), byte(w>>8), byte(w>>16), byte(w>>24), byte(w>>32), byte(w>>40), byte(w>>48), byte(w>>56))
	}
	c := &m.classes[slot]
	if n, ok := c.number[string(key)]; ok {
		return n
	}
	if len(c.sets) >= maxClasses {
		m.forget()
		m.forgot = true
		c = &m.classes[slot]
	}
	n := uint16(len(c.sets))
	c.number[string(key)] = n
	c.sets = append(c.sets, set)
	return n
}

// sum returns the conditions that a combination may fit.
func (m *memory) sum(key *sumKey) []candidate {
	h := uint64(key.status)
	for _, c := range key.class {
		h = (h ^ uint64(c)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	r := &m.recent[h%recentSums]
	if r.known && r.key == *key {
		return r.list
	}
	list, ok := m.sums[*key]
	if !ok {
		for i := range m.p.conditions {
			switch m.eval(&m.p.conditions[i].root, key, nil) {
			case yes:
				list = append(list, candidate{i, false})
			case unsure:
				list = append(list, candidate{i, true})
			}
		}
		if len(m.sums) >= maxSums {
			clear(m.sums)
		}
		m.sums[*key] = list
	}
	*r = recentSum{*key, list, true}
	return list
}

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

func sure(b bool) truth {
	if b {
		return yes
	}
	return no
}

// Normal returns a path as the language compares it, in dst, which it returns grown.
func Normal(dst, path []byte) []byte { return normal(dst, path, pathForm) }
