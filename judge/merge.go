package judge

// Merge adds what o counted, which must have the same options and must not be used afterwards. What it holds is taken over or
// let go piece by piece: both tables and their sum would not fit beside each other.
func (t *Table) Merge(o *Table) {
	t.flush()
	o.flush()
	t.evicted += o.evicted
	t.lost += o.lost
	t.lostGroups += o.lostGroups
	t.marks.merge(o.marks)
	t.ceilings.merge(o.ceilings)
	renumber := func(n uint16) uint16 { return t.source(o.names[n]) }
	if t.live == nil { // there is a second look
		t.spare = append(append(t.spare, o.match), o.spare...)
	}
	o.match, o.read, o.spare, o.ledgers.index = nil, nil, nil, nil
	in := incoming{base: t.cells.take(&o.cells), source: renumber, circle: t.circles.merge(t.rules, &o.circles)}
	for i := range o.ledgers.n {
		t.adopt(o.ledgers.at(i), &in)
		if (i+1)%chunk == 0 {
			o.ledgers.chunks[i/chunk] = nil
		}
	}
	for k, c := range o.groups {
		c.renumber(renumber)
		if to := t.groups[k]; to != nil {
			to.merge(c, parts(&t.rules[c.rule]), t.names)
		} else {
			t.groups[k] = c
		}
	}
	t.fit() // which members' cells stay depends on the groups
	for i, d := range o.doubts {
		if len(t.doubts) == maxClaims {
			t.lost += uint64(len(o.doubts) - i)
			break
		}
		t.doubts = append(t.doubts, d)
	}
	for i, yes := range o.agreed {
		t.agreed[i] = t.agreed[i] || yes
	}
}

// incoming tells how what another table holds is numbered in this one.
type incoming struct {
	base   int32 // of its cells
	source func(uint16) uint16
	circle []uint16 // noRule: there is no room for it
}

// adopt merges another table's ledger, whose cells stand among the table's own by now, behind them.
func (t *Table) adopt(from *ledger, in *incoming) {
	slot, l := t.ledgers.find(&from.addr)
	if l == nil {
		l = t.ledgers.add(&from.addr, slot)
	}
	l.merge(from)
	if from.cell < 0 {
		return
	}
	for i := from.cell + in.base; i >= 0; {
		k, c := &t.cells.links[i], t.cells.at(i)
		next := k.next
		if k.rule&circleBit != 0 {
			k.rule = in.circle[k.rule&^circleBit]
			c.rule = k.rule
		}
		c.renumber(in.source)
		c.touched, c.due = false, 0 // where it comes from
		switch mine := t.cells.find(l.cell, k.rule); {
		case mine != nil:
			mine.merge(c, t.window(c).span, t.names)
			*c = cell{}
		case k.rule == noRule:
			t.lost++
			*c = cell{}
		default:
			k.next, l.cell = l.cell, i
		}
		i = next
	}
}

// fit brings a table that took in another one back to its bounds.
func (t *Table) fit() {
	for t.ledgers.n > t.ledgers.max {
		t.evict()
	}
	t.cells.pack(&t.ledgers, func(*cell) bool { return true })
	if t.cells.len() > maxCells {
		t.thin()
	}
	if over := t.cells.len() - maxCells; over > 0 { // every one is near its bound: those of the youngest addresses go, and those of one rule last
		kept := map[bool]int{} // of circles and of rules
		for c := range t.cells.all() {
			kept[t.circle(c) != nil]++
		}
		kept[true] = max(kept[true]-over, 0)
		kept[false] = min(kept[false], maxCells)
		t.cells.pack(&t.ledgers, func(c *cell) bool {
			circled := t.circle(c) != nil
			kept[circled]--
			return kept[circled] >= 0
		})
		t.lost += uint64(over)
	}
}

// Lighten lets go of all but the addresses: when the verdicts are given nothing else is asked for.
func (t *Table) Lighten() {
	t.flush()
	t.match, t.read, t.spare, t.cells, t.groups, t.doubts, t.marks, t.ceilings = nil, nil, nil, cells{}, nil, nil, nil, nil
	for i := range t.ledgers.n {
		t.ledgers.at(i).cell = -1
	}
}
