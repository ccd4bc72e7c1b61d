package judge

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// deed is what a group did, for those who took part in it.
type deed struct {
	did    string
	total  uint32
	spells []spell
	now    bool // it does it still
}

// spell is a stretch of buckets, both ends among them, in which a group's rule was met.
type spell struct{ from, to uint32 }

// deedKey names a group as the cells of those who took part do: by the rule and a part of the hash of its name.
type deedKey struct {
	rule uint16
	hash uint32
}

func (k groupKey) deed() deedKey { return deedKey{k.rule, uint32(k.hash)} }

// deedOf says what a group did whose rule is met. It costs a walk over all values of the group, so it is asked once for
// all members.
func (t *Table) deedOf(c *cell, last uint64) *deed {
	r := &t.rules[c.rule]
	return &deed{did: t.why(c, r, t.most(c, r, r.Count)), total: c.total, spells: c.spells(r), now: last >= r.Count}
}

// deeds says what groups did at a moment; of a table that follows it asks each group when it is first wanted.
type deeds struct {
	known map[deedKey]*deed // nil: the rule is not met
	at    int64
}

func (t *Table) deed(list *deeds, k deedKey) *deed {
	d, known := list.known[k]
	if known || t.live == nil {
		return d
	}
	if f, ok := t.live.fired[k]; ok && t.groups[f.group] != nil {
		c := t.groups[f.group]
		if _, last, ok := t.evidence(c, &t.rules[c.rule], list.at, 0); ok {
			d = t.deedOf(c, last)
		}
	}
	list.known[k] = d
	return d
}

// spells are the stretches in which a group's rule is met. Where more was seen than is kept they cannot be told, and it is
// taken to be met all the time.
func (c *cell) spells(r *rules.Rule) (list []spell) {
	if c.late || r.Within == 0 {
		return []spell{{0, math.MaxUint32}}
	}
	span, need := parts(r), c.need(r)
	add := func(end uint32, n uint64) {
		if n < need {
			return
		}
		from := end - min(end, span-1)
		if i := len(list) - 1; i >= 0 && from <= list[i].to+1 {
			list[i].to = end
			return
		}
		list = append(list, spell{from, end})
	}
	if r.Distinct != "" {
		for v, n := range valueWindows(c.values, span) {
			add(v.bucket, n)
		}
		return list
	}
	for b, n := range c.windows(span) {
		add(b.number, n)
	}
	return list
}

// part returns the greatest of the deeds that an address took part in while they were done, nil when there is none. The
// values of its cell are the groups that it was counted in.
func (t *Table) part(c *cell, list *deeds) (most *deed) {
	for _, v := range c.values {
		d := t.deed(list, deedKey{c.rule, v.hash})
		if d == nil || most != nil && cmp.Or(cmp.Compare(d.total, most.total), cmp.Compare(d.did, most.did)) <= 0 {
			continue
		}
		for _, s := range d.spells {
			if v.bucket >= s.from && v.bucket <= s.to {
				most = d
			}
		}
	}
	return most
}

// took tells whether an address did little else than what a cell counts, which a rule of groups asks for.
func (c *cell) took(r *rules.Rule, l *ledger) bool {
	return c.passes == 0 && (r.Look != rules.Requests || float64(c.total) >= cmp.Or(r.Share, memberShare)*float64(l.requests))
}

// member says that an address took part in what a group did, if it did little else. An address that also asked for
// other things is likely a visitor who came across.
func (t *Table) member(c *cell, r *rules.Rule, l *ledger, list *deeds) (e connwarden.Evidence, now, ok bool) {
	if !c.took(r, l) {
		return e, false, false
	}
	d := t.part(c, list)
	if d == nil {
		return e, false, false
	}
	return connwarden.Evidence{
		Rule: r.Name, Why: fmt.Sprintf("%s. This one took part with %d and did little else", d.did, c.facts()), Score: r.Member, Family: r.Family,
		Capped: r.Capped, Count: uint64(c.facts()), Window: r.Within, First: moment(int64(c.first)), Last: moment(int64(c.last)), Samples: t.samples(c),
	}, d.now && list.at-int64(c.last) <= int64(r.Within/time.Second), true
}
