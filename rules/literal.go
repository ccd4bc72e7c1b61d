package rules

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"strings"
)

// gram is the length of the pieces by which literals are looked for.
const gram = 3

// literals finds which of many literal texts stand in a text, in one pass: a filter of 65,536 bits tells of each three
// bytes whether any literal has them at the place by which it is known, and only then is it compared. A few thousand
// literals cost some two nanoseconds a byte.
type literals struct {
	filter [1024]uint64
	by     map[uint32][]literal
}

// literal is one text and what it means when it is found.
type literal struct {
	text string
	at   int // of the gram by which it is known
	leaf int
	mode mode
}

// mode says where in the text a literal must stand.
type mode uint8

const (
	holds mode = iota
	begins
	ends
	equals
	confirm // the leaf's expression has the last word
)

func gramHash(k uint32) uint32 { return k * 0x9e3779b1 >> 16 }

func pack(a, b, c byte) uint32 { return uint32(a) | uint32(b)<<8 | uint32(c)<<16 }

// newLiterals indexes texts of at least gram bytes, each by the three bytes that fewest others have.
func newLiterals(list []literal) *literals {
	if len(list) == 0 {
		return nil
	}
	users := map[uint32]int{}
	for _, l := range list {
		for i := 0; i+gram <= len(l.text); i++ {
			users[pack(l.text[i], l.text[i+1], l.text[i+2])]++
		}
	}
	s := &literals{by: map[uint32][]literal{}}
	for _, l := range list {
		best, least := uint32(0), 1<<30
		for i := 0; i+gram <= len(l.text); i++ {
			k := pack(l.text[i], l.text[i+1], l.text[i+2])
			if users[k] < least {
				best, least, l.at = k, users[k], i
			}
		}
		s.by[best] = append(s.by[best], l)
		h := gramHash(best)
		s.filter[h>>6] |= 1 << (h & 63)
	}
	return s
}

// find calls hit for each literal that stands in text where its mode wants it.
func (s *literals) find(text []byte, hit func(*literal)) {
	if s == nil {
		return
	}
	for i := 0; i+gram <= len(text); i++ {
		k := pack(text[i], text[i+1], text[i+2])
		h := gramHash(k)
		if s.filter[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		list := s.by[k]
		for j := range list {
			l := &list[j]
			from := i - l.at
			if from < 0 || !bytes.HasPrefix(text[from:], []byte(l.text)) {
				continue
			}
			whole := len(l.text) == len(text)-from
			switch l.mode {
			case begins:
				if from != 0 {
					continue
				}
			case ends:
				if !whole {
					continue
				}
			case equals:
				if from != 0 || !whole {
					continue
				}
			}
			hit(l)
		}
	}
}

// required returns texts of which every match of an expression holds at least one, in small letters; none when there are
// no such texts of at least gram bytes.
func required(expr string) []string {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	list := need(tree.Simplify())
	for _, s := range list {
		if len(s) < gram {
			return nil
		}
	}
	return list
}

// need is required without the least length.
func need(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r > 0x7e { // what is no ASCII has more than one form
				return nil
			}
		}
		return []string{strings.ToLower(string(re.Rune))}
	case syntax.OpCapture, syntax.OpPlus:
		return need(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return need(re.Sub[0])
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			one := need(sub)
			if len(one) == 0 {
				return nil
			}
			all = append(all, one...)
		}
		return all
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if one := need(sub); shortest(one) > shortest(best) {
				best = one
			}
		}
		return best
	}
	return nil
}

func shortest(list []string) int {
	if len(list) == 0 {
		return 0
	}
	n := 1 << 30
	for _, s := range list {
		n = min(n, len(s))
	}
	return n
}

// maxPattern bounds a regular expression, which is compiled into memory many times its length.
const maxPattern = 2 << 10

func pattern(expr string) (*regexp.Regexp, error) { return regexp.Compile("(?is:" + expr + ")") }
