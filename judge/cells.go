package judge

import "iter"

// cells are the cells of a table's addresses, by number. Growing copies none of them, and who looks for one of an address
// reads but eight bytes of each that he passes.
type cells struct {
	chunks [][]cell
	links  []link // of each its rule and the next of the same address
}

type link struct {
	next int32 // -1: none
	rule uint16
}

// cellBits: a chunk is 512 cells, 68 KiB.
const cellBits = 9

func (s *cells) len() int { return len(s.links) }

func (s *cells) at(i int32) *cell { return &s.chunks[i>>cellBits][i&(1<<cellBits-1)] }

// find returns the cell of a rule among those of an address, given its first; nil when there is none.
func (s *cells) find(first int32, rule uint16) *cell {
	for i := first; i >= 0; i = s.links[i].next {
		if s.links[i].rule == rule {
			return s.at(i)
		}
	}
	return nil
}

// add makes a cell of an address, given its first, and returns its number, which is the first from now on.
func (s *cells) add(rule uint16, first int32) int32 {
	i := int32(len(s.links))
	if int(i>>cellBits) == len(s.chunks) {
		s.chunks = append(s.chunks, written(make([]cell, 1<<cellBits)))
	}
	s.links = append(s.links, link{first, rule})
	s.at(i).rule = rule
	return i
}

// take puts the cells of another table behind its own, and unused ones up to the next chunk between. It returns how much
// their numbers are higher now.
func (s *cells) take(o *cells) (base int32) {
	base = int32(len(s.chunks) << cellBits)
	for len(s.links) < int(base) {
		s.links = append(s.links, link{next: -1})
	}
	s.chunks = append(s.chunks, o.chunks...)
	for _, k := range o.links {
		if k.next >= 0 {
			k.next += base
		}
		s.links = append(s.links, k)
	}
	*o = cells{}
	return base
}

// of yields the cells of an address, given its first.
func (s *cells) of(first int32) iter.Seq[*cell] {
	return func(yield func(*cell) bool) {
		for i := first; i >= 0 && yield(s.at(i)); i = s.links[i].next {
		}
	}
}

// all yields all cells.
func (s *cells) all() iter.Seq[*cell] {
	return func(yield func(*cell) bool) {
		for i := range int32(len(s.links)) {
			if !yield(s.at(i)) {
				return
			}
		}
	}
}

// pack closes the gaps that cells leave which do not stay or which no address has any more. It does so in place: a table
// that is full must not need as much memory again. stays may change a cell's rule.
func (s *cells) pack(l *ledgers, stays func(*cell) bool) {
	place := make([]int32, len(s.links)) // where each goes, plus 1; 0: nowhere
	for n := range l.n {
		last := &l.at(n).cell
		for i := *last; i >= 0; i = s.links[i].next {
			if c := s.at(i); stays(c) {
				s.links[i].rule = c.rule
				*last, last = i, &s.links[i].next
				place[i] = 1
			}
		}
		*last = -1
	}
	kept := int32(0)
	for i := range place {
		if place[i] > 0 {
			if n := int32(i); n != kept {
				*s.at(kept), s.links[kept] = *s.at(n), s.links[n]
			}
			kept++
			place[i] = kept
		}
	}
	for i := kept; i < int32(len(s.links)); i++ {
		*s.at(i) = cell{}
	}
	s.links = s.links[:kept]
	chunks := (len(s.links) + 1<<cellBits - 1) >> cellBits
	clear(s.chunks[chunks:])
	s.chunks = s.chunks[:chunks]
	for i := range s.links {
		if k := &s.links[i]; k.next >= 0 {
			k.next = place[k.next] - 1
		}
	}
	for n := range l.n {
		if one := l.at(n); one.cell >= 0 {
			one.cell = place[one.cell] - 1
		}
	}
}
