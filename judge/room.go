package judge

import "github.com/connwarden/connwarden/rules"

// evict gives up the quietest quarter or more of the addresses, never one that a rule already speaks against.
func (t *Table) evict() {
	limit := t.ledgers.quietest()
	dropped := t.ledgers.keep(func(l *ledger) bool { return l.requests > limit || t.accused(l) })
	if dropped == 0 { // every one is accused: the youngest half goes
		i, half := 0, t.ledgers.n/2
		dropped = t.ledgers.keep(func(*ledger) bool { i++; return i <= half })
	}
	t.evicted += uint64(dropped)
	t.cells.pack(&t.ledgers, func(*cell) bool { return true })
}

// accused tells whether any rule has seen enough of an address.
func (t *Table) accused(l *ledger) bool {
	if l.suspect() {
		return true
	}
	for c := range t.cells.of(l.cell) {
		if t.circle(c) == nil && uint64(c.total) >= t.rules[c.rule].Count {
			return true
		}
	}
	return false
}

// room tells whether there is room for another cell, after making some if it pays: where most that is there must stay,
// it is not looked through again before as many have been lost as would have been won.
func (t *Table) room() bool {
	if t.cells.len() < maxCells {
		return true
	}
	if t.lost < t.patience {
		t.lost++
		return false
	}
	before := t.cells.len()
	t.thin()
	t.patience = t.lost + uint64(max(maxCells/4-(before-t.cells.len()), 0))
	if t.cells.len() == maxCells {
		t.lost++
		return false
	}
	return true
}

// thin drops the cells that are farthest from what their rules ask for. Of those who may have taken part in what a group did that group decides; of
// a table that follows, first of all those go of whom that was told.
func (t *Table) thin() {
	half := func(c *cell, r *rules.Rule) bool { return uint64(c.total)*2 > r.Count }
	whole := func(c *cell, r *rules.Rule) bool { return uint64(c.total) >= r.Count }
	stays := t.staying(half, func(c *cell, r *rules.Rule) bool { return half(c, r) || c.total > 2 })
	stay := 0
	for c := range t.cells.all() {
		if stays(c) {
			stay++
		}
	}
	if stay > maxCells*3/4 {
		stays = t.staying(whole, whole)
	}
	before := t.cells.len()
	t.cells.pack(&t.ledgers, stays)
	t.lost += uint64(before - t.cells.len())
}

// staying tells which cells stay where those of addresses and of groups must fit so.
func (t *Table) staying(group, own func(*cell, *rules.Rule) bool) func(*cell) bool {
	near := t.near(group)
	return func(c *cell) bool {
		if one := t.circle(c); one != nil {
			return (c.level == 0 || c.touched) && t.ofAny(c, one, near)
		}
		return own(c, &t.rules[c.rule])
	}
}

// near are the groups with members whose cells fit.
func (t *Table) near(fits func(*cell, *rules.Rule) bool) map[deedKey]bool {
	list := map[deedKey]bool{}
	for k, c := range t.groups {
		if r := &t.rules[k.rule]; r.Member > 0 && fits(c, r) {
			list[k.deed()] = true
		}
	}
	return list
}

// groupRoom is room for groups.
func (t *Table) groupRoom() bool {
	if len(t.groups) < maxGroups {
		return true
	}
	if t.lostGroups < t.groupPatience {
		t.lostGroups++
		return false
	}
	before := len(t.groups)
	t.thinGroups()
	t.groupPatience = t.lostGroups + uint64(max(maxGroups/4-(before-len(t.groups)), 0))
	if len(t.groups) == maxGroups {
		t.lostGroups++
		return false
	}
	return true
}

// thinGroups drops the groups that are farthest from what their rules ask for.
func (t *Table) thinGroups() {
	for k, c := range t.groups {
		if uint64(c.total)*2 <= t.rules[c.rule].Count {
			delete(t.groups, k)
			t.lostGroups++
		}
	}
}

// Evicted tells how many addresses were given up because the table was full, and how many counts of rules were.
func (t *Table) Evicted() (addresses, counts uint64) {
	t.flush()
	return t.evicted, t.lost + t.lostGroups
}
