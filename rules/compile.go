package rules

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/connwarden/connwarden/where"
)

// leaf is a comparison of one text. Which leaves of a slot a text fits is found in one pass over it.
type leaf struct {
	short  []literal // texts too short to be looked for by grams; [shorts] holds them
	empty  bool      // an empty text fits
	filled bool      // any other does
	op     op        // opText or opQuery
	late   []int     // of opQuery: its expressions that no text is required for
}

// expression is a regular expression, the leaf that a text fits which it matches, and what such a text is made of.
type expression struct {
	source   string
	leaf     int
	alphabet byteSet
	// Made when it is first tried: most never are.
	whole    sync.Once
	compiled *regexp.Regexp // tries what an automaton cannot
	parts    sync.Once
	prog     *syntax.Prog // for automata
}

func (e *expression) match(text []byte) bool {
	e.whole.Do(func() { e.compiled = regexp.MustCompile(folded(e.source)) }) // it was parsed before
	return e.compiled.Match(text)
}

func (e *expression) automaton() *automaton {
	e.parts.Do(func() {
		tree, err := syntax.Parse(folded(e.source), syntax.Perl)
		if err == nil {
			e.prog, err = syntax.Compile(tree.Simplify())
		}
		if err != nil {
			panic(err) // it was parsed before
		}
	})
	return newAutomaton(e.prog)
}

// late is a comparison of a number, an address or its country, which is made for each reading.
type late struct {
	slot     int // of subject.num, or one of the next
	from, to int64
	prefix   netip.Prefix
	country  string // "": one that is not known
}

const (
	lateAddress = -1
	lateCountry = -2
)

// node is a part of a condition: exactly one of its members counts, by op.
type node struct {
	op   op
	kids []node
	slot int // of a text leaf or status
	leaf int
	late late
}

type op uint8

const (
	opEvery op = iota
	opSome
	opNot
	opText
	opQuery  // a comparison of the query whose expressions are tried only on readings that fit all else
	opStatus // a comparison of the status, which is remembered like a text
	opLate
)

// condition is what one rule says of a reading.
type condition struct {
	rule  int
	pass  bool // it is the rule's pass
	broad bool // of a broad rule
	few   bool // of one of those that ask for few
	root  node
}

// program is all conditions on one kind of reading.
type program struct {
	leaves     [texts][]leaf
	literals   [texts]*literals
	shorts     [texts]*shorts
	empty      [texts][]int // leaves that an empty text fits
	filled     [texts][]int // and any other
	exprs      [texts][]*expression
	whole      [texts][]int // expressions that are tried on every text, but for those of opQuery
	pending    [texts][]literal
	conditions []condition
	forms      [texts]form
	known      [texts]map[string]int // leaves by what they compare: rules share them
	checked    bool                  // only what is wrong is wanted
}

// Set is rules that are compiled together.
type Set struct {
	Rules    []Rule
	programs [looks]program
}

// Compile makes a set of rules that Parse returned.
func Compile(list []Rule) (*Set, error) { return compile(list, false) }

// compile makes a set, or only tells what is wrong.
func compile(list []Rule, check bool) (*Set, error) {
	s := &Set{Rules: slices.Clone(list)}
	for l := range s.programs {
		s.programs[l].checked = check
		for _, f := range vocabularies[l] {
			if f.sort == text || f.sort == word {
				s.programs[l].forms[f.slot] = f.form
			}
		}
	}
	for i := range s.Rules {
		r := &s.Rules[i]
		if err := s.condition(i, r, "where", r.Where, false); err != nil {
			return nil, err
		}
		if r.Pass != "" {
			if err := s.condition(i, r, "pass", r.Pass, true); err != nil {
				return nil, err
			}
		}
	}
	if check {
		return nil, nil
	}
	for l := range s.programs {
		p := &s.programs[l]
		for slot := range p.pending {
			p.literals[slot] = newLiterals(p.pending[slot], gram)
			p.shorts[slot] = newShorts(p.leaves[slot])
			for i := range p.leaves[slot] {
				if p.leaves[slot][i].empty {
					p.empty[slot] = append(p.empty[slot], i)
				}
				if p.leaves[slot][i].filled {
					p.filled[slot] = append(p.filled[slot], i)
				}
			}
			p.pending[slot], p.known[slot] = nil, nil
		}
	}
	return s, nil
}

func (s *Set) condition(i int, r *Rule, key, expr string, pass bool) error {
	p := &s.programs[r.Look]
	if expr == "" { // volume: every request fits
		p.conditions = append(p.conditions, condition{rule: i, pass: pass, broad: r.Broad(), root: node{op: opEvery}})
		return nil
	}
	tree, err := where.ParseTree(expr, r.Look.vocabulary())
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	n, err := p.node(r.Look, tree)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if p.always(n) {
		return fmt.Errorf("%s: every %s fits it: it must name something", key, r.Look)
	}
	p.conditions = append(p.conditions, condition{i, pass, r.Broad(), r.Few(), n})
	return nil
}

// always tells whether a condition says nothing but what is not, or that there is something.
func (p *program) always(n node) bool {
	switch n.op {
	case opEvery:
		return !slices.ContainsFunc(n.kids, func(k node) bool { return !p.always(k) })
	case opSome:
		return slices.ContainsFunc(n.kids, p.always)
	case opText:
		return p.leaves[n.slot][n.leaf].filled
	case opNot:
		return true
	}
	return false
}

// isEmpty tells whether a comparison asks for an empty text: agent=-
func isEmpty(t *where.Term) bool {
	return t != nil && t.Op == "=" && len(t.Values) == 1 && t.Values[0] == "-"
}

// something makes a leaf that any text fits but an empty one. It is no leaf's opposite: of what a log does not tell nobody knows whether it was empty.
func (p *program) something(f *field) node {
	const key = "!=\x00-"
	at, ok := p.known[f.slot][key]
	if !ok {
		at = len(p.leaves[f.slot])
		p.leaves[f.slot] = append(p.leaves[f.slot], leaf{op: opText, filled: true})
		p.know(f.slot, key, at)
	}
	return node{op: opText, slot: f.slot, leaf: at}
}

func (p *program) know(slot int, key string, leaf int) {
	if p.known[slot] == nil {
		p.known[slot] = map[string]int{}
	}
	p.known[slot][key] = leaf
}

func (p *program) node(l Look, t *where.Tree) (node, error) {
	switch {
	case t.Not != nil && isEmpty(t.Not.Term) && l.field(t.Not.Term.Field).sort == text:
		return p.something(l.field(t.Not.Term.Field)), nil
	case t.Not != nil:
		kid, err := p.node(l, t.Not)
		return node{op: opNot, kids: []node{kid}}, err
	case t.Term != nil:
		return p.term(l, t.Term)
	}
	n, trees := node{op: opEvery}, t.Every
	if t.Some != nil {
		n.op, trees = opSome, t.Some
	}
	for _, kid := range trees {
		k, err := p.node(l, kid)
		if err != nil {
			return n, err
		}
		n.kids = append(n.kids, k)
	}
	return n, nil
}

func (p *program) term(l Look, t *where.Term) (node, error) {
	f := l.field(t.Field)
	switch f.sort {
	case text, word:
		return p.text(f, t)
	}
	n := node{op: opSome}
	for _, v := range t.Values {
		var k late
		var err error
		switch f.sort {
		case address:
			k.slot = lateAddress
			k.prefix, err = prefixOf(v)
		case country:
			k.slot = lateCountry
			k.country, err = countryOf(v)
		default:
			k.slot = f.slot
			k.from, k.to, err = span(f.name, t.Op, v)
		}
		if err != nil {
			return n, err
		}
		kind := opLate
		if l == Requests && f.name == "status" {
			kind = opStatus
		}
		n.kids = append(n.kids, node{op: kind, late: k})
	}
	return n, nil
}

func prefixOf(v string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(v); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	x, err := netip.ParsePrefix(v)
	if err != nil {
		return x, fmt.Errorf("%q is no address and no prefix: write 203.0.113.7 or 2001:db8::/32", v)
	}
	return x.Masked(), nil
}

// countryOf is a country as tables have it.
func countryOf(v string) (string, error) {
	if v == "-" {
		return "", nil
	}
	c := strings.ToUpper(v)
	if len(c) != 2 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", fmt.Errorf("%q is no country: write two letters (ISO 3166-1), such as NL, or - for one that is not known", v)
	}
	return c, nil
}

// text makes a leaf of one comparison of a text and registers what it looks for.
func (p *program) text(f *field, t *where.Term) (node, error) {
	key := t.Op + "\x00" + strings.Join(t.Values, "\x00")
	if leaf, ok := p.known[f.slot][key]; ok {
		return node{op: p.leaves[f.slot][leaf].op, slot: f.slot, leaf: leaf}, nil
	}
	n := node{slot: f.slot, leaf: len(p.leaves[f.slot])}
	made := leaf{op: opText}
	for _, v := range t.Values {
		if t.Op == "~" {
			if err := p.expression(f, n.leaf, &made, v); err != nil {
				return n, err
			}
			continue
		}
		if f.sort == word && !slices.Contains(f.values, strings.ToLower(v)) {
			return n, fmt.Errorf("%s has no %q: it is one of %s", f.name, v, strings.Join(f.values, ", "))
		}
		if v == "-" {
			v = ""
		}
		lit := literal{text: strings.ToLower(v), leaf: int32(n.leaf), mode: map[string]mode{"=": equals, "^=": begins, "$=": ends, "*=": holds}[t.Op]}
		switch {
		case v == "" && t.Op == "=":
			made.empty = true
		case v == "":
			return n, fmt.Errorf("%s%s: an empty text fits everything", f.name, t.Op)
		case len(v) < gram:
			made.short = append(made.short, lit)
		default:
			p.pending[f.slot] = append(p.pending[f.slot], lit)
		}
	}
	n.op = made.op
	p.leaves[f.slot] = append(p.leaves[f.slot], made)
	p.know(f.slot, key, n.leaf)
	return n, nil
}

func (p *program) expression(f *field, leaf int, made *leaf, v string) error {
	if len(v) > maxPattern {
		return fmt.Errorf("the regular expression is longer than %d bytes", maxPattern)
	}
	if p.checked {
		tree, err := syntax.Parse(folded(v), syntax.Perl)
		if err != nil {
			return fmt.Errorf("the regular expression is wrong: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		if fitsEmpty(tree) {
			return fmt.Errorf("%q fits an empty text, so it fits everything", v)
		}
		return nil
	}
	for _, part := range alternatives(v) {
		n := len(p.exprs[f.slot])
		p.exprs[f.slot] = append(p.exprs[f.slot], &expression{source: part, leaf: leaf, alphabet: alphabet(part)})
		texts := required(part)
		switch {
		case len(texts) > 0:
		case f.form == queryForm && f.slot == slotQuery: // queries are often new, and such conditions mostly name a path too
			made.op, made.late = opQuery, append(made.late, n)
		default:
			p.whole[f.slot] = append(p.whole[f.slot], n)
		}
		for _, s := range texts {
			l := literal{text: s, leaf: int32(leaf), mode: confirm, expr: int32(n)}
			if len(s) < gram {
				made.short = append(made.short, l)
			} else {
				p.pending[f.slot] = append(p.pending[f.slot], l)
			}
		}
	}
	return nil
}

// span is the range of numbers that fit a comparison. A status may be a class; bytes may have k, M, G; took ms, s, m.
func span(name, op, v string) (from, to int64, err error) {
	if name == "status" && len(v) == 3 && v[1:] == "xx" && v[0] >= '1' && v[0] <= '5' {
		from = int64(v[0]-'0') * 100
		to = from + 99
	} else {
		unit := int64(1)
		text := v
		if name == "asn" {
			text = strings.TrimPrefix(strings.ToUpper(v), "AS")
		}
		for _, u := range units[name] {
			if s, ok := strings.CutSuffix(v, u.name); ok {
				text, unit = s, u.size
				break
			}
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n > math.MaxUint32 {
			return 0, 0, fmt.Errorf("%q is no number for %s", v, name)
		}
		from, to = n*unit, n*unit
	}
	switch op {
	case "<":
		from, to = 0, from-1
	case "<=":
		from = 0
	case ">":
		from, to = to+1, math.MaxInt64
	case ">=":
		to = math.MaxInt64
	}
	return from, to, nil
}

type unit struct {
	name string
	size int64
}

var units = map[string][]unit{
	"bytes": {{"k", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}},
	"took":  {{"ms", 1}, {"s", 1000}, {"m", 60_000}},
}
