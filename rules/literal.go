package rules

import (
	"math/bits"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// The lengths of the pieces by which literals are looked for: longer ones by three bytes, those of two bytes by both.
const (
	gram = 3
	pair = 2
)

// literals finds which of many literal texts stand in a text, in one pass: a filter of 65,536 bits tells of each piece of
// two or three bytes whether any literal has them at the place by which it is known, and only then is it compared. A few thousand
// literals cost some two nanoseconds a byte.
type literals struct {
	piece  int // gram or pair
	filter [1024]uint64
	places []place // open addressing by pieceHash; a power of two of them
	list   []literal
}

// place is where the literals of one piece stand in the list; none if to is 0.
type place struct {
	bytes    uint32 // of the piece
	from, to uint32
}

// literal is one text and what it means when it is found.
type literal struct {
	text string
	at   int32 // of the piece by which it is known
	leaf int32
	expr int32 // of mode confirm: the expression that has the last word, in program.exprs
	mode mode
}

// mode says where in the text a literal must stand.
type mode uint8

const (
	holds mode = iota
	begins
	ends
	equals
	confirm // an expression has the last word
)

func pieceHash(k uint32) uint32 { return k * 0x9e3779b1 >> 16 }

// packed is a piece of two or three bytes as a number.
func packed(piece string) (k uint32) {
	for i := range len(piece) {
		k |= uint32(piece[i]) << (8 * i)
	}
	return k
}

// newLiterals indexes texts of at least so many bytes as a piece has, each by the piece that fewest others have.
func newLiterals(list []literal, piece int) *literals {
	if len(list) == 0 {
		return nil
	}
	users := map[uint32]int{}
	for _, l := range list {
		for i := 0; i+piece <= len(l.text); i++ {
			users[packed(l.text[i:i+piece])]++
		}
	}
	by := map[uint32][]literal{}
	for _, l := range list {
		best, least := uint32(0), 1<<30
		for i := 0; i+piece <= len(l.text); i++ {
			k := packed(l.text[i : i+piece])
			if users[k] < least {
				best, least, l.at = k, users[k], int32(i)
			}
		}
		by[best] = append(by[best], l)
	}
	s := &literals{piece: piece, places: make([]place, 1<<bits.Len(uint(2*len(by)))), list: make([]literal, 0, len(list))}
	for k, some := range by {
		h := pieceHash(k)
		s.filter[h>>6] |= 1 << (h & 63)
		i := int(h) & (len(s.places) - 1)
		for s.places[i].to > 0 {
			i = (i + 1) & (len(s.places) - 1)
		}
		from := len(s.list)
		s.list = append(s.list, some...)
		s.places[i] = place{k, uint32(from), uint32(len(s.list))}
	}
	return s
}

// of returns the literals that are known by a piece.
func (s *literals) of(k, h uint32) []literal {
	mask := len(s.places) - 1
	for i := int(h) & mask; s.places[i].to > 0; i = (i + 1) & mask {
		if p := &s.places[i]; p.bytes == k {
			return s.list[p.from:p.to]
		}
	}
	return nil
}

// find calls hit for each literal that stands in text where its mode wants it, more than once if it stands there more than once.
func (s *literals) find(text []byte, hit func(*literal)) {
	if s == nil || len(text) < s.piece {
		return
	}
	k, top := packed(string(text[:s.piece-1]))<<8, 8*(s.piece-1)
	for i, c := range text[s.piece-1:] {
		k = k>>8 | uint32(c)<<(top&31)
		h := pieceHash(k)
		if s.filter[h>>6&1023]&(1<<(h&63)) == 0 {
			continue
		}
		list := s.of(k, h)
		for j := range list {
			l := &list[j]
			if from := i - int(l.at); from >= 0 && l.stands(text, from) {
				hit(l)
			}
		}
	}
}

// stands tells whether a literal stands at a place of a text, and whether that is where its mode wants it.
func (l *literal) stands(text []byte, from int) bool {
	end := from + len(l.text)
	if end > len(text) || string(text[from:end]) != l.text {
		return false
	}
	switch l.mode {
	case begins:
		return from == 0
	case ends:
		return end == len(text)
	case equals:
		return from == 0 && end == len(text)
	default:
		return true
	}
}

// shorts finds texts that are too short for grams: of one byte by the bytes that were seen, of two like longer ones.
type shorts struct {
	any   byteSet
	by    [256][]literal // those of one byte
	pairs *literals
}

// byteSet tells which bytes stand in a text.
type byteSet [4]uint64

func (b *byteSet) add(c byte) { b[c>>6] |= 1 << (c & 63) }

// within tells whether all of b are in o.
func (b *byteSet) within(o *byteSet) bool {
	return (b[0]&^o[0] | b[1]&^o[1] | b[2]&^o[2] | b[3]&^o[3]) == 0
}

func (b *byteSet) meets(o *byteSet) bool {
	return (b[0]&o[0] | b[1]&o[1] | b[2]&o[2] | b[3]&o[3]) != 0
}

func newShorts(leaves []leaf) *shorts {
	var s *shorts
	var pairs []literal
	for i := range leaves {
		for _, l := range leaves[i].short {
			if s == nil {
				s = &shorts{}
			}
			if len(l.text) == pair {
				pairs = append(pairs, l)
				continue
			}
			s.any.add(l.text[0])
			s.by[l.text[0]] = append(s.by[l.text[0]], l)
		}
	}
	if s != nil {
		s.pairs = newLiterals(pairs, pair)
	}
	return s
}

// find calls hit for each literal that stands in text where its mode wants it. seen are the bytes of text.
func (s *shorts) find(text []byte, seen *byteSet, hit func(*literal)) {
	if s == nil {
		return
	}
	for w := range seen {
		for both := seen[w] & s.any[w]; both != 0; both &= both - 1 {
			list := s.by[w<<6|bits.TrailingZeros64(both)]
			for i := range list {
				switch l := &list[i]; {
				case l.mode == holds, l.mode == confirm, l.mode == ends && l.stands(text, len(text)-1), l.stands(text, 0):
					hit(l)
				}
			}
		}
	}
	s.pairs.find(text, hit)
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
// letters, most for what ordinary paths and queries do not have. 0 of no texts, and of an empty one.
func lightest(list []string) int {
	least := 0
	for i, s := range list {
		weight := 0
		for j := range len(s) {
			switch c := s[j]; {
			case strings.IndexByte("'\"<>(){}[]|;$`\\@#^!?%\r\n\x00", c) >= 0:
				weight += 8
			case c >= 'a' && c <= 'z':
				weight += 4
			case strings.IndexByte("/:.-_=&0123456789", c) < 0:
				weight += 2
			default:
				weight++
			}
		}
		if i == 0 || weight < least {
			least = weight
		}
	}
	return least
}

// alternatives are the parts of an expression of which any is enough, each of which is tried by itself: what most texts
// hold that one of them needs is no reason to try the others.
func alternatives(expr string) (parts []string) {
	depth, from, class := 0, 0, -1
	for i := 0; i < len(expr); i++ {
		switch c := expr[i]; {
		case c == '\\':
			if i++; strings.HasPrefix(expr[i:], "Q") {
				return []string{expr}
			}
		case class >= 0:
			if c == ']' && i > class {
				class = -1
			} else if strings.HasPrefix(expr[i:], "[:") {
				i++
				if end := strings.Index(expr[i:], ":]"); end >= 0 {
					i += end + 1
				}
			}
		case c == '[':
			if class = i + 1; strings.HasPrefix(expr[class:], "^") {
				class++
			}
		case strings.HasPrefix(expr[i:], "(?") && !strings.HasPrefix(expr[i:], "(?:"): // flags may reach over all
			return []string{expr}
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			parts = append(parts, expr[from:i])
			from = i + 1
		}
	}
	parts = append(parts, expr[from:])
	for _, part := range parts {
		if _, err := syntax.Parse(folded(part), syntax.Perl); err != nil || part == "" {
			return []string{expr}
		}
	}
	return parts
}

// alphabet is the bytes that a text must be made of which an expression matches from its beginning to its end; all if it
// may match a part of a text.
func alphabet(expr string) byteSet {
	all := byteSet{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	if !strings.HasPrefix(expr, "^") {
		return all
	}
	tree, err := syntax.Parse(folded(expr), syntax.Perl)
	if err != nil || tree.Op != syntax.OpConcat || tree.Sub[0].Op != syntax.OpBeginText || tree.Sub[len(tree.Sub)-1].Op != syntax.OpEndText {
		return all
	}
	var set byteSet
	if !set.addAll(tree) {
		return all
	}
	return set
}

// addAll adds the bytes that an expression can match. It is false when they may be any.
func (b *byteSet) addAll(re *syntax.Regexp) bool {
	span := func(from, to rune) {
		for r := from; r <= to && r < 0x80; r++ {
			b.add(byte(r))
		}
		if to >= 0x80 {
			b[2], b[3] = ^uint64(0), ^uint64(0)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			span(r, r)
			for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
				span(other, other)
			}
		}
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			span(re.Rune[i], re.Rune[i+1])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return false
	}
	for _, sub := range re.Sub {
		if !b.addAll(sub) {
			return false
		}
	}
	return true
}

// maxPattern bounds a regular expression, which is compiled into memory many times its length.
const maxPattern = 2 << 10

// folded is an expression as it is compiled: without regard to case, a dot for every byte.
func folded(expr string) string { return "(?is:" + expr + ")" }

// fitsEmpty tells whether an expression matches an empty text.
func fitsEmpty(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune) == 0
	case syntax.OpEmptyMatch, syntax.OpStar, syntax.OpQuest, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpNoWordBoundary:
		return true
	case syntax.OpRepeat:
		return re.Min == 0 || fitsEmpty(re.Sub[0])
	case syntax.OpCapture, syntax.OpPlus:
		return fitsEmpty(re.Sub[0])
	case syntax.OpConcat:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !fitsEmpty(sub) })
	case syntax.OpAlternate:
		return slices.ContainsFunc(re.Sub, fitsEmpty)
	default:
		return false
	}
}
