package fleet

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// letBe leaves what this host holds and the bucket does not speak of to end by itself: the bucket is another than the one
// that it was read from, and its silence says nothing.
func (t *table) letBe() {
	t.spread()
	t.due = slices.DeleteFunc(t.due, func(where place) bool { return t.places.at(where).from == 0 })
}

// whole is told that all of the bucket was read; same, that it is the one that was read before.
func (t *table) whole(same bool) {
	if t.late {
		t.all = true
	}
	t.reading, t.foretold, t.late = false, nil, false
	t.expelled = time.Time{} // of an earlier membership
	if !same {
		t.letBe()
	}
}

// early tells whether there is so much to be looked at, while the bucket is being read, that it is worth while to begin: half
// as much as is held already. So each part of a journal is written thrice, not as often as there are parts of the bucket.
func (t *table) early() bool { return !t.reading || t.fresh >= max(ordersAtOnce, t.held/2) }

// spared tells whether something else in the bucket, that was not read yet, is against a block.
func (t *table) spared(where place) bool {
	if where.kind != KindBlock {
		return false
	}
	target := where.target()
	return slices.ContainsFunc(t.foretold, target.Overlaps)
}

// spread puts in order what is to be looked at.
func (t *table) spread() {
	if t.all {
		t.due = make([]place, 0, t.places.len())
		for where := range t.places.all() {
			t.due = append(t.due, where)
		}
	} else {
		t.due = slices.AppendSeq(slices.Grow(t.due, len(t.dirty)), maps.Keys(t.dirty))
	}
	slices.SortFunc(t.due, place.compare)
	t.all, t.dirty, t.fresh = false, map[place]struct{}{}, 0 // a map that was large once stays so
}

// best is the claim that counts at a place: as long as enough hosts want it.
func (t *table) best(where place) (c claim, ok bool) {
	need := 1
	if where.kind == KindBlock {
		need = t.policy.Agree
	}
	s := t.places.at(where)
	if s.from == 0 || where.kind == KindPardon {
		return c, false
	}
	if need == 1 && len(t.more[where]) == 0 {
		return s.claim, true
	}
	list := t.claims(where)
	if len(list) < need {
		return c, false
	}
	slices.SortFunc(list, func(a, b claim) int {
		return cmp.Or(cmp.Compare(b.end, a.end), cmp.Compare(t.peers.at(a.from).host, t.peers.at(b.from).host))
	})
	return list[need-1], true
}

// wanted is the claim by which this host is to hold something at a place; ok is false if it is to hold nothing.
func (t *table) wanted(where place, now time.Time) (c claim, ok bool) {
	if c, ok = t.best(where); !ok || c.end <= inSeconds(now) {
		return c, false
	}
	if where.kind == KindBlock && len(t.pardons) > 0 {
		target := where.target()
		for _, p := range t.pardons {
			if p.Overlaps(target) {
				return c, false
			}
		}
	}
	return c, true
}

// order asks for what a claim wants.
func (t *table) order(where place, c claim) Order {
	o := Order{Kind: where.kind, Target: where.target(), Scope: where.scope.Value(), From: t.peers.at(c.from).host, Until: c.end.time(), Again: c.said == 0}
	if c.said != 0 {
		s := t.sayings.at(c.said)
		o.By, o.Score, o.Why = s.by.Value(), int(s.score), s.why
	}
	return o
}

// slack is by how much an end may differ before it is another, in seconds: estimates of clocks do.
const slack = 3

// orders are at most that many of what must change at this host. ready tells that the whole bucket was read: until then this
// host begins to hold things, but what it holds already stays, since it is not known who else wants it, and for how long.
func (t *table) orders(now time.Time, ready bool, most int) (list []Order) {
	for len(list) < most {
		if len(t.due) == 0 {
			if t.due = nil; !t.all && len(t.dirty) == 0 || !t.early() {
				break
			}
			if t.spread(); len(t.due) == 0 {
				break
			}
		}
		where := t.due[0]
		t.due = t.due[1:]
		c, ok := t.wanted(where, now)
		s := t.places.at(where)
		_, no := t.refused[where]
		switch {
		case ok && s.held != 0 && max(c.end, s.held)-min(c.end, s.held) < slack:
			t.settled(where, c.from)
		case ok && no:
		case !ready && (s.held != 0 || ok && t.spared(where)):
			t.late = true
		case ok:
			if list == nil {
				list = make([]Order, 0, min(most, 1+len(t.due)))
			}
			list = append(list, t.order(where, c))
		case s.held != 0 && where.kind == KindBlock && s.held <= inSeconds(now):
			t.hold(where, 0) // the keeper ends it
		case s.held != 0:
			list = append(list, Order{Kind: where.kind, Target: where.target(), Scope: where.scope.Value(), Lift: true})
		}
	}
	return list
}

// hold notes until when this host holds something at a place; 0: nothing.
func (t *table) hold(where place, end seconds) {
	s := t.places.at(where)
	if s.held != 0 {
		t.held--
	}
	if s.held = end; end != 0 {
		t.held++
	}
	t.set(where, s)
}

// settled forgets what a host said of a claim that this host holds: its journal has it.
func (t *table) settled(where place, from uint32) {
	s := t.places.at(where)
	if s.from == from {
		t.silence(&s.claim)
		t.places.set(where, s)
		return
	}
	more := t.more[where]
	if i := slices.IndexFunc(more, func(c claim) bool { return c.from == from }); i >= 0 {
		t.silence(&more[i])
	}
}

// again has an order given once more, of which nothing is known to have been done.
func (t *table) again(o *Order) { t.look(o.place()) }

// done notes what became of an order; why is the host's reason against it, or nothing.
func (t *table) done(o *Order, why string, now time.Time) {
	where := o.place()
	switch {
	case o.Lift:
		t.hold(where, 0)
	case why != "":
		t.refused[where] = inSeconds(now) // what it held before it still holds
	default:
		t.hold(where, inSeconds(o.Until))
		if from := t.hosts[o.From]; from != 0 {
			t.settled(where, from)
		}
	}
}
