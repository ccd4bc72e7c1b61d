package judge

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// circle is the rules of groups that some readings fit together. One reading may fit twenty, which count attacks of many addresses by site, by
// agent or by account, in a minute or in a day: an address keeps one cell for all of them, so that there is room for the many addresses of such
// an attack. The cell's values are the groups of the readings, with the time.
type circle struct {
	rules  []circled
	step   uint32  // seconds: each bucket of a window of its rules is as long or a multiple; 0: no rule has a window
	span   uint32  // steps of the longest window
	share  float64 // the least that any rule asks of an address's requests
	member int     // the most that any rule says of a member
}

// circled is a rule that a reading fits, or that it speaks against.
type circled struct {
	rule uint16
	by   rules.By
	pass bool
}

// circleBit marks what stands in place of a rule's number as a circle's. There are fewer rules.
const (
	circleBit  = 1 << 15
	maxCircles = 1 << 12
)

// circles are those of a table, by number.
type circles struct {
	list    []circle
	numbers map[string]uint16
	scratch []byte
}

// number is that of a circle, which is made when it is new; false: there are too many.
func (s *circles) number(list []rules.Rule, of []circled) (n uint16, ok bool) {
	s.scratch = s.scratch[:0]
	for _, c := range of {
		n := c.rule << 1
		if c.pass {
			n |= 1
		}
		s.scratch = binary.LittleEndian.AppendUint16(s.scratch, n)
	}
	if n, ok = s.numbers[string(s.scratch)]; ok {
		return n, true
	}
	if len(s.list) == maxCircles {
		return 0, false
	}
	one := circle{rules: slices.Clone(of), span: 1, share: 1}
	longest := time.Duration(0)
	for _, c := range of {
		r := &list[c.rule]
		one.share, one.member = min(one.share, memberOf(r)), max(one.member, r.Member)
		if r.Within > 0 {
			one.step = divisor(partSeconds(r), one.step)
			longest = max(longest, r.Within)
		}
	}
	if longest > 0 {
		one.span += uint32(longest/time.Second) / one.step
	}
	n = circleBit | uint16(len(s.list))
	s.list = append(s.list, one)
	if s.numbers == nil {
		s.numbers = map[string]uint16{}
	}
	s.numbers[string(s.scratch)] = n
	return n, true
}

// merge adds those of another table, and returns their numbers; noRule where there was no room.
func (s *circles) merge(list []rules.Rule, o *circles) (to []uint16) {
	for i := range o.list {
		n, ok := s.number(list, o.list[i].rules)
		if !ok {
			n = noRule
		}
		to = append(to, n)
	}
	return to
}

// renew goes on with other rules, of which to has the numbers. It returns the circles that there were and the numbers that they have now; noRule
// where nothing is left of one.
func (s *circles) renew(list []rules.Rule, to []uint16) (old []circle, numbers []uint16) {
	old = s.list
	s.list, s.numbers = nil, nil
	for _, one := range old {
		var of []circled
		for _, in := range one.rules {
			if in.rule = to[in.rule]; in.rule != noRule && list[in.rule].Member > 0 {
				of = append(of, in)
			}
		}
		n := noRule
		if len(of) > 0 {
			n, _ = s.number(list, of) // there are no more than there were
		}
		numbers = append(numbers, n)
	}
	return old, numbers
}

// restep has the values of a circle's cell tell times in other steps, which are as long as the old ones or a multiple; 0: they have none.
func (c *cell) restep(old, step uint32) {
	for i := range c.values {
		if b := &c.values[i].bucket; step > 0 {
			*b = *b * old / step
		} else {
			*b = 0
		}
	}
	slices.SortFunc(c.values, func(a, b value) int { return cmp.Compare(a.key(), b.key()) })
	c.values = slices.Compact(c.values)
}

// divisor is the greatest that both have.
func divisor(a, b uint32) uint32 {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// circle is that of a cell of an address, nil when the cell is a rule's.
func (t *Table) circle(c *cell) *circle {
	if c.rule&circleBit == 0 {
		return nil
	}
	return &t.circles.list[c.rule&^circleBit]
}

// joining is the groups that a reading was counted in, until its address's cell of their circle counts it.
type joining struct {
	rules  []circled
	groups [rules.NumBy]uint32 // a part of the hash of each group's name, by what it is grouped by; 0: none
}

// joins notes that a reading fits a rule of groups whose members are told of, and in which group it was counted.
func (q *joining) joins(number int, by rules.By, pass bool, group uint32) {
	q.rules = append(q.rules, circled{uint16(number), by, pass})
	if group != 0 {
		q.groups[by] = group
	}
}

// salted is a part of a group's hash which tells groups apart that bear one name but are no groups of the same kind: agents may be called like sites.
func salted(hash uint32, by rules.By) uint32 { return hash ^ uint32(by)*0x9e3779b1 }

// partakes counts a reading for the circle of the rules of groups that it fits, if there are any. It returns the address's ledger, which may
// have moved.
func (t *Table) partakes(l *ledger, addr *[16]byte, g *reading) *ledger {
	q := &t.joining
	if len(q.rules) == 0 {
		return l
	}
	defer func() { q.rules, q.groups = q.rules[:0], [rules.NumBy]uint32{} }()
	number, ok := t.circles.number(t.rules, q.rules)
	if !ok {
		t.lost++
		return l
	}
	c, l := t.cell(l, addr, number)
	if c == nil {
		return l
	}
	t.tell(c, g)
	one := t.circle(c)
	for by, hash := range q.groups {
		if hash == 0 {
			continue
		}
		v := value{hash: salted(hash, rules.By(by))}
		if one.step > 0 {
			v.bucket = g.at / one.step
		}
		for !c.put(v) {
			c.thinValues(one.span)
		}
	}
	if t.live != nil {
		t.live.touchMember(l, c, q)
	}
	return l
}

// ofAny tells whether what a circle's cell counts was done in any of some groups.
func (t *Table) ofAny(c *cell, one *circle, groups map[deedKey]bool) bool {
	for _, in := range one.rules {
		if !in.pass && slices.ContainsFunc(c.values, func(v value) bool { return groups[deedKey{in.rule, salted(v.hash, in.by)}] }) {
			return true
		}
	}
	return false
}

// partaken is what an address did of what a rule of groups counts.
type partaken struct {
	rule *rules.Rule
	sum  cell // counts, times and samples
	deed *deed
	// proved: it holds without what a local account may have written.
	proved bool
}

// partakings yields what an address did of what each rule of groups counts, of those rules that speak of a deed. It costs as much as these are.
func (t *Table) partakings(l *ledger, list *deeds) iter.Seq[*partaken] {
	return func(yield func(*partaken) bool) {
		var room [4]*cell
		mine := room[:0]
		for c := range t.cells.of(l.cell) {
			if t.circle(c) != nil {
				mine = append(mine, c)
			}
		}
		for i, c := range mine {
			of := t.circle(c).rules
			for j, in := range of {
				counted := func(o *cell) bool { return slices.ContainsFunc(t.circle(o).rules, in.sameRule) }
				if slices.ContainsFunc(of[:j], in.sameRule) || slices.ContainsFunc(mine[:i], counted) {
					continue
				}
				p := partaken{rule: &t.rules[in.rule], deed: t.greatest(mine[i:], in.rule, list)}
				if p.deed == nil {
					continue
				}
				for _, o := range mine[i:] {
					p.sum.partake(o, t.circle(o).rules, in.rule, t.names)
				}
				if !yield(&p) {
					return
				}
			}
		}
	}
}

func (c circled) sameRule(o circled) bool { return c.rule == o.rule }

// partake adds what a circle's cell says of one of its rules.
func (c *cell) partake(o *cell, of []circled, rule uint16, names []string) {
	for _, in := range of {
		switch {
		case in.rule != rule:
		case in.pass:
			c.ownExtra().passes += o.total
		default:
			c.count(o, names)
		}
	}
}

// greatest returns the greatest of a rule's deeds that an address took part in while they were done, nil when there is none.
func (t *Table) greatest(mine []*cell, rule uint16, list *deeds) (most *deed) {
	r := &t.rules[rule]
	for _, c := range mine {
		one := t.circle(c)
		if !slices.Contains(one.rules, circled{rule, r.By, false}) {
			continue
		}
		for _, v := range c.values {
			d := t.deed(list, deedKey{rule, salted(v.hash, r.By)})
			if d == nil || most != nil && cmp.Or(cmp.Compare(d.total, most.total), cmp.Compare(d.did, most.did)) <= 0 {
				continue
			}
			at := uint32(0)
			if r.Within > 0 {
				at = v.bucket * one.step / partSeconds(r)
			}
			for _, s := range d.spells {
				if at >= s.from && at <= s.to {
					most = d
				}
			}
		}
	}
	return most
}

// took tells whether an address did little else than what it took part in. One that also asked for other things is likely a visitor who came
// across.
func (p *partaken) took(l *ledger) bool {
	return p.sum.extras().passes == 0 && float64(p.sum.total) >= memberOf(p.rule)*float64(l.requests)
}

// memberOf is the share of its requests that makes an address a member of a rule's group.
func memberOf(r *rules.Rule) float64 {
	if r.Look != rules.Requests {
		return 0
	}
	return cmp.Or(r.Share, memberShare)
}

// members adds what an address took part in. Of what is of one family it is the strongest: mostly one attack, of which many rules speak.
// What is done now is all told, without words.
func (t *Table) members(l *ledger, list *deeds, s *said) {
	var strongest []partaken
	best := -1 // the highest score of those that are proved
	for p := range t.partakings(l, list) {
		if !p.took(l) {
			continue
		}
		r := p.rule
		if p.proved = p.sum.proves(r, uint64(p.sum.facts())); p.proved {
			best = max(best, r.Member)
		}
		if p.deed.now && list.at-int64(p.sum.last) <= int64(r.Within/time.Second) {
			s.recent = append(s.recent, connwarden.Evidence{Rule: r.Name, Score: r.Member, Family: r.Family, Capped: r.Capped})
		}
		switch i := slices.IndexFunc(strongest, p.like); {
		case i < 0:
			strongest = append(strongest, *p)
		case cmp.Or(cmp.Compare(r.Member, strongest[i].rule.Member), cmp.Compare(strongest[i].rule.Name, r.Name)) > 0:
			strongest[i] = *p
		}
	}
	for i := range strongest {
		e := t.part(&strongest[i])
		s.add(&e, false, t.live != nil && strongest[i].proved)
	}
	for c := range t.cells.of(l.cell) {
		switch one := t.circle(c); {
		case one == nil:
		case best >= one.member:
			t.live.looked(c, proved, math.MaxUint32)
		default:
			t.live.looked(c, 0, 1)
		}
	}
}

// like tells whether two speak of one family, and are proved alike.
func (p *partaken) like(o partaken) bool {
	return p.proved == o.proved && cmp.Or(p.rule.Family, p.rule.Name) == cmp.Or(o.rule.Family, o.rule.Name)
}

// part says that an address took part.
func (t *Table) part(p *partaken) connwarden.Evidence {
	r, c := p.rule, &p.sum
	return connwarden.Evidence{
		Rule: r.Name, Why: fmt.Sprintf("%s. This one took part with %d and did little else", p.deed.did, c.facts()), Score: r.Member, Family: r.Family,
		Capped: r.Capped, Count: uint64(c.facts()), Window: r.Within, First: moment(int64(c.first)), Last: moment(int64(c.last)), Samples: t.samples(c),
	}
}

// takes tells whether an address may be a member of any group of a circle.
func (t *Table) takes(l *ledger, one *circle) bool {
	sum := uint32(0)
	for c := range t.cells.of(l.cell) {
		if t.circle(c) != nil {
			sum += c.total
		}
	}
	return float64(sum) >= one.share*float64(l.requests)
}
