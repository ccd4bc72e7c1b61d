package rules

import (
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
	// Place tells where an address belongs; nil: nobody knows. It is asked only where the texts and the status fit a condition that asks for it.
	Place func(netip.Addr) (connwarden.Network, bool)

	set   *Set
	looks [looks]*memory // made when they are first wanted
	sub   subject
}

// subject is a reading as conditions see it.
type subject struct {
	text  [texts][]byte
	lacks uint32      // texts that nobody knows, a bit for each
	num   [nums]int64 // -1: unknown
	addr  netip.Addr
	at    location
}

// location is where the address of a reading belongs, once it was asked.
type location struct {
	ask   func(netip.Addr) (connwarden.Network, bool)
	known bool
	connwarden.Network
}

// where tells where the address belongs.
func (s *subject) where() *location {
	if p := &s.at; !p.known {
		if p.Network, p.known = (connwarden.Network{}), true; p.ask != nil {
			p.Network, _ = p.ask(s.addr)
		}
	}
	return &s.at
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

// Request returns the rules that a request fits, but for broad ones. The result is valid until the next call.
func (m *Matcher) Request(r *connwarden.Request) []Hit {
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
	s.addr, s.at.ask, s.at.known = r.Client, m.Place, false
	if s.lacks = 0; r.Lacks != 0 {
		s.lacks = lacks(r.Lacks)
	}
	mem.match(s, min(r.Status, 999))
	return mem.fits(mem.last.narrow, s)
}

// lacks are the texts that a log does not tell.
func lacks(f connwarden.Fields) (slots uint32) {
	if f&connwarden.FieldReferer != 0 {
		slots |= 1 << slotReferer
	}
	if f&connwarden.FieldAgent != 0 {
		slots |= 1 << slotAgent
	}
	return slots
}

// Part is a text of a request.
type Part uint8

// The parts whose hashes a matcher tells.
const (
	Path    Part = slotPath
	Query   Part = slotQuery
	Agent   Part = slotAgent
	Referer Part = slotReferer
)

// Hash is [Hash] of a part of the request that was last asked about, which must be given.
func (m *Matcher) Hash(p Part, text []byte) uint64 {
	if mem := m.looks[Requests]; mem != nil && mem.hashes[p] != 0 {
		return mem.hashes[p]
	}
	return Hash(text)
}

// Plain tells whether the path of the request that was last asked about is known to be as [Normal] makes it.
func (m *Matcher) Plain() bool {
	mem := m.looks[Requests]
	return mem != nil && mem.plain
}

// Busy tells what broad rules that name something a request may fit: those that ask for few, and others.
type Busy struct{ Few, Many bool }

// Busy tells so of the request that was last asked about.
func (m *Matcher) Busy() Busy {
	mem := m.looks[Requests]
	if mem == nil {
		return Busy{}
	}
	return mem.last.busy
}

// Broad returns the broad rules that the request fits that was last asked about. The result is valid until the next
// call.
func (m *Matcher) Broad() []Hit {
	mem := m.looks[Requests]
	if mem == nil {
		return nil
	}
	return mem.fits(mem.last.broad, &m.sub)
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
	m.sub = subject{num: [nums]int64{-1, -1, -1, -1, -1, -1}, at: location{ask: m.Place}}
	return &m.sub
}

// fits returns those of some conditions that the reading in hand fits.
func (m *memory) fits(list []candidate, s *subject) []Hit {
	m.hits = m.hits[:0]
	for _, c := range list {
		cond := &m.p.conditions[c.condition]
		if !c.late || m.eval(&cond.root, s) == yes {
			m.hits = append(m.hits, Hit{cond.rule, cond.pass})
		}
	}
	return m.hits
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
func (m *memory) eval(n *node, s *subject) truth {
	switch n.op {
	case opEvery:
		answer := yes
		for i := range n.kids {
			if answer = min(answer, m.eval(&n.kids[i], s)); answer == no {
				break
			}
		}
		return answer
	case opSome:
		answer := no
		for i := range n.kids {
			if answer = max(answer, m.eval(&n.kids[i], s)); answer == yes {
				break
			}
		}
		return answer
	case opNot:
		return yes - m.eval(&n.kids[0], s)
	case opText:
		set := m.classes[n.slot].sets[m.class[n.slot]]
		return sure(set[n.leaf>>6]&(1<<(n.leaf&63)) != 0)
	case opQuery:
		if set := m.classes[n.slot].sets[m.class[n.slot]]; set[n.leaf>>6]&(1<<(n.leaf&63)) != 0 {
			return yes
		}
		if s == nil {
			return unsure
		}
		return sure(m.tries(n, s.text[n.slot]))
	case opStatus:
		return sure(n.status(m.status))
	default:
		if s == nil {
			return unsure
		}
		x := int64(-1)
		switch slot := n.late.slot; slot {
		case lateAddress:
			return sure(n.late.prefix.Contains(s.addr))
		case lateCountry:
			return sure(s.where().Country == n.late.country)
		case numASN:
			if n := s.where().ASN; n > 0 {
				x = int64(n)
			}
		default:
			x = s.num[slot]
		}
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
