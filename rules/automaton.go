package rules

import (
	"regexp/syntax"
	"slices"
)

// automaton tells whether an expression matches a text of ASCII, in a twentieth of the time that package regexp takes. It is
// made while it runs: a state is a set of instructions of the expression's program that may come next,
// and where a byte leads from a state is found when it is first met there. It belongs to one goroutine.
type automaton struct {
	prog   *syntax.Prog
	floats bool // a match may begin anywhere
	words  bool // there are assertions that look at the byte before
	known  map[string]uint16
	states []*state
	// Of the state in making.
	here, next []uint32
	seen       []uint32 // by instruction: the round in which it was met
	round      uint32
	key        []byte
}

// state is what the bytes so far leave possible.
type state struct {
	next [ascii + 1]uint16 // by byte, and at the end of the text: a state's number + firstState
	last rune              // that stands for the byte before
	at   []uint32          // instructions
}

const (
	ascii = 128
	// Numbers of states that need no state.
	unknown    = 0
	never      = 1
	matched    = 2
	firstState = 3
	// maxStates bounds the states of all automata of a matcher, which are some 400 bytes each: a megabyte. Those that ship
	// take a few hundred on usual logs. Only who tries to drives them up; package regexp does the rest then.
	maxStates = 3000
)

func newAutomaton(prog *syntax.Prog) *automaton {
	a := &automaton{prog: prog, floats: prog.StartCond()&syntax.EmptyBeginText == 0, known: map[string]uint16{}, seen: make([]uint32, len(prog.Inst))}
	for i := range prog.Inst {
		if one := &prog.Inst[i]; one.Op == syntax.InstEmptyWidth && syntax.EmptyOp(one.Arg)&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0 {
			a.words = true
		}
	}
	return a
}

// match tells whether a text matches; sure is false when there is no room for a state that is needed. room is how many
// more states may be made.
func (a *automaton) match(text []byte, room *int) (yes, sure bool) {
	if len(a.states) == 0 {
		a.begin()
		a.add(uint32(a.prog.Start))
		if a.state(-1, room) == unknown {
			return false, false
		}
	}
	s := a.states[0]
	for _, c := range text {
		to := s.next[c]
		if to < firstState {
			if to == unknown {
				if to = a.step(s, rune(c), room); to == unknown {
					return false, false
				}
				s.next[c] = to
			}
			if to < firstState {
				return to == matched, true
			}
		}
		s = a.states[to-firstState]
	}
	if s.next[ascii] == unknown {
		s.next[ascii] = a.step(s, -1, room)
	}
	return s.next[ascii] == matched, true
}

// step finds where a byte leads from a state; -1 is the end of the text.
func (a *automaton) step(s *state, c rune, room *int) uint16 {
	holds := syntax.EmptyOpContext(s.last, c)
	a.round++
	a.here = a.here[:0]
	for _, pc := range s.at {
		a.follow(pc, holds)
	}
	a.begin()
	for _, pc := range a.here {
		switch i := &a.prog.Inst[pc]; {
		case i.Op == syntax.InstMatch:
			return matched
		case c >= 0 && i.MatchRune(c):
			a.add(i.Out)
		}
	}
	if a.floats {
		a.add(uint32(a.prog.Start))
	}
	if c < 0 || len(a.next) == 0 {
		return never
	}
	return a.state(c, room)
}

// follow lists the instructions that are reached from one without a byte, if so many assertions hold.
func (a *automaton) follow(pc uint32, holds syntax.EmptyOp) {
	if a.seen[pc] == a.round {
		return
	}
	a.seen[pc] = a.round
	switch i := &a.prog.Inst[pc]; i.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		a.follow(i.Out, holds)
		a.follow(i.Arg, holds)
	case syntax.InstCapture, syntax.InstNop:
		a.follow(i.Out, holds)
	case syntax.InstEmptyWidth:
		if syntax.EmptyOp(i.Arg)&^holds == 0 {
			a.follow(i.Out, holds)
		}
	case syntax.InstFail:
	default:
		a.here = append(a.here, pc)
	}
}

// begin begins the list of the instructions of the next state.
func (a *automaton) begin() {
	a.round++
	a.next = a.next[:0]
}

// add lists an instruction of the next state once.
func (a *automaton) add(pc uint32) {
	if a.seen[pc] != a.round {
		a.seen[pc] = a.round
		a.next = append(a.next, pc)
	}
}

// state returns the number of the state that has the listed instructions after a byte, unknown when there is no room for it.
func (a *automaton) state(c rune, room *int) uint16 {
	slices.Sort(a.next)
	last := c
	if c >= 0 {
		if last = ' '; a.words {
			last = like(c)
		}
	}
	a.key = append(a.key[:0], byte(last+1))
	for _, pc := range a.next {
		a.key = append(a.key, byte(pc), byte(pc>>8), byte(pc>>16))
	}
	n, ok := a.known[string(a.key)]
	if !ok {
		if *room == 0 {
			return unknown
		}
		*room--
		a.states = append(a.states, &state{last: last, at: slices.Clone(a.next)})
		n = uint16(len(a.states) - 1 + firstState)
		a.known[string(a.key)] = n
	}
	return n
}

// like is a byte that assertions do not tell from another: the end of a line, part of a word, neither.
func like(c rune) rune {
	switch {
	case c == '\n':
		return c
	case syntax.IsWordChar(c):
		return 'a'
	default:
		return ' '
	}
}
