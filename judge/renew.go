package judge

import (
	"maps"
	"math"

	"github.com/connwarden/connwarden/rules"
)

// Renew goes on with other options. What rules counted stays where a rule of the same name counts the same readings in the
// same way; how many are too many, and what that weighs, may differ. Addresses, what they asked for and the seed stay.
func (t *Table) Renew(opt Options) {
	opt.Seed = t.opt.Seed
	t.opt = opt
	old := t.rules
	t.employ()
	list := t.rules
	to := renumbered(old, list)
	before, circles := t.circles.renew(list, to)
	t.cells.pack(&t.ledgers, func(c *cell) bool {
		c.due = 0 // a rule may ask for less now
		if c.rule&circleBit == 0 {
			c.rule = to[c.rule]
			return c.rule != noRule
		}
		old := c.rule &^ circleBit
		if c.rule = circles[old]; c.rule == noRule {
			return false
		}
		if step := t.circle(c).step; step != before[old].step {
			c.restep(before[old].step, step)
		}
		return true
	})
	groups := make(map[groupKey]*cell, len(t.groups))
	for k, c := range t.groups {
		if c.rule = to[c.rule]; c.rule != noRule {
			k.rule = c.rule
			groups[k] = c
		}
	}
	t.groups = groups
	if t.live != nil {
		t.live.renew(list, to)
	}
}

// noRule is the number of a rule that is no more. There are fewer rules.
const noRule = ^uint16(0)

// renumbered returns the new numbers of old rules.
func renumbered(old, list []rules.Rule) []uint16 {
	byName := make(map[string]int, len(list))
	for i := range list {
		byName[list[i].Name] = i
	}
	to := make([]uint16, len(old))
	for i := range old {
		to[i] = noRule
		if n, ok := byName[old[i].Name]; ok && alike(&old[i], &list[n]) {
			to[i] = uint16(n)
		}
	}
	return to
}

// alike tells whether two rules count the same.
func alike(a, b *rules.Rule) bool {
	return a.Look == b.Look && a.Where == b.Where && a.Pass == b.Pass && a.By == b.By && a.Distinct == b.Distinct && a.Within == b.Within && a.Example == b.Example
}

// renew goes on with other rules. What was touched stays touched, so that a rule which asks for less now speaks at once.
func (v *live) renew(list []rules.Rule, to []uint16) {
	v.number(list)
	v.lately.renew(to)
	fired := map[deedKey]firing{}
	for _, f := range v.fired {
		if f.group.rule = to[f.group.rule]; f.group.rule != noRule && list[f.group.rule].Member > 0 {
			fired[f.group.deed()] = f
		}
	}
	v.fired = fired
	groups := map[groupKey]struct{}{}
	for k := range maps.Keys(v.groups) {
		if k.rule = to[k.rule]; k.rule != noRule {
			groups[k] = struct{}{}
		}
	}
	v.groups = groups
}

// number notes from how many requests on any broad rule may be met.
func (v *live) number(list []rules.Rule) {
	v.all, v.named, v.few, v.net = math.MaxUint16, math.MaxUint16, math.MaxUint16, math.MaxUint16
	for i := range list {
		r := &list[i]
		least := &v.all
		switch {
		case !r.Broad():
			continue
		case r.By == rules.ByNet:
			v.net = min(v.net, inMinute(r)/netShare)
			continue
		case r.Few():
			least = &v.few
		case r.Where != "":
			least = &v.named
		}
		*least = min(*least, inMinute(r))
	}
}

// inMinute is how many requests must come in some minute of the clock for a rule to be met.
func inMinute(r *rules.Rule) uint16 {
	if r.Within == 0 {
		return 0
	}
	return uint16(min((r.Count+r.Minutes()-1)/r.Minutes(), math.MaxUint16))
}
