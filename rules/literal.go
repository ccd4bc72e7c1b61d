package rules

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"slices"
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
// no such texts.
func required(expr string) []string {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	n := needs(tree.Simplify())
	list := better(n.exact, n.some)
	if lightest(list) == 0 {
		return nil
	}
	return list
}

// maxExact bounds how many texts an expression may stand for before its parts are looked at one by one.
const maxExact = 256

// need is what a part of an expression asks of a text: exact, when it matches these texts and no other; or some, of which
// every match holds one.
type need struct{ exact, some []string }

func needs(re *syntax.Regexp) need {
	switch re.Op {
	case syntax.OpLiteral:
		if slices.ContainsFunc(re.Rune, func(r rune) bool { return r > 0x7e }) { // what is no ASCII has more than one form
			return need{}
		}
		return need{exact: []string{strings.ToLower(string(re.Rune))}}
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return need{exact: []string{""}}
	case syntax.OpCharClass:
		return class(re.Rune)
	case syntax.OpCapture:
		return needs(re.Sub[0])
	case syntax.OpPlus:
		n := needs(re.Sub[0])
		return need{some: better(n.exact, n.some)}
	case syntax.OpQuest:
		if n := needs(re.Sub[0]); n.exact != nil {
			return need{exact: append([]string{""}, n.exact...)}
		}
	case syntax.OpAlternate:
		return alternate(re.Sub)
	case syntax.OpConcat:
		return concat(re.Sub)
	}
	return need{}
}

// class is a character class of few characters.
func class(ranges []rune) need {
	var list []string
	for i := 0; i < len(ranges); i += 2 {
		if ranges[i+1] > 0x7e || ranges[i+1]-ranges[i] > 16 || len(list) > 16 {
			return need{}
		}
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			list = append(list, strings.ToLower(string(r)))
		}
	}
	return need{exact: list}
}

func alternate(subs []*syntax.Regexp) need {
	var all need
	exact := true
	for _, sub := range subs {
		n := needs(sub)
		exact = exact && n.exact != nil
		one := better(n.exact, n.some)
		if len(one) == 0 {
			return need{}
		}
		all.some = append(all.some, one...)
	}
	if exact && len(all.some) <= maxExact {
		return need{exact: all.some}
	}
	return need{some: all.some}
}

func concat(subs []*syntax.Regexp) need {
	var best []string
	run := []string{""} // the texts that the parts so far match, since one that was not exact
	whole := true
	for _, sub := range subs {
		n := needs(sub)
		if n.exact != nil && len(run)*len(n.exact) <= maxExact {
			run = product(run, n.exact)
			continue
		}
		whole = false
		best = better(best, run)
		if run = n.exact; run == nil {
			best = better(best, n.some)
			run = []string{""}
		}
	}
	if whole {
		return need{exact: run}
	}
	return need{some: better(best, run)}
}

func product(a, b []string) []string {
	list := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			list = append(list, x+y)
		}
	}
	return list
}

// better is the list whose lightest text is heavier.
func better(a, b []string) []string {
	if lightest(b) > lightest(a) {
		return b
	}
	return a
}

// lightest is the weight of the text that stands in most texts by chance: little for what every address has, more for
// letters, most for what ordinary paths and queries do not have. 0 of no texts.
func lightest(list []string) int {
	least := 0
	for i, s := range list {
		weight := 1
		for j := range len(s) {
			switch c := s[j]; {
			case strings.IndexByte("'\"<>(){}[]|;$`\\@#^!?%\r\n\x00", c) >= 0:
				weight += 4
			case c >= 'a' && c <= 'z':
				weight += 2
			case strings.IndexByte("/:.-_=&", c) < 0:
				weight++
			}
		}
		if i == 0 || weight < least {
			least = weight
		}
	}
	return least
}

// maxPattern bounds a regular expression, which is compiled into memory many times its length.
const maxPattern = 2 << 10

func pattern(expr string) (*regexp.Regexp, error) { return regexp.Compile("(?is:" + expr + ")") }
