package judge

import (
	"math"

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
