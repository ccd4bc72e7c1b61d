package judge

import (
	"math"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// level is what a cell says: 1 more than the score if its rule is met, and whether that is proved.
type level uint8

const proved level = 1 << 7

// touchPeer remembers that a cell of an address was filled, if it may say something else by now than at the last look.
func (v *live) touchPeer(l *ledger, c *cell, r *rules.Rule) {
	if uint64(c.total) >= r.Count {
		v.touch(l, c)
	}
}

// touchMember does so of a circle's cell, which says nothing until the rule of one of its groups is met.
func (v *live) touchMember(l *ledger, c *cell, q *joining) {
	for _, in := range q.rules {
		if _, ok := v.fired[deedKey{in.rule, q.groups[in.by]}]; ok && !in.pass {
			v.touch(l, c)
			return
		}
	}
}

func (v *live) touch(l *ledger, c *cell) {
	if c.touched || c.total < c.due && c.looked == v.stretch {
		return
	}
	c.touched = true
	if _, known := v.peers[l.addr]; !known {
		v.peers[l.addr] = false
	}
}

// looked remembers what a cell said at a look, and how many readings more it takes before it can say something else: no window
// counts more of them than come.
func (v *live) looked(c *cell, said level, more uint64) {
	if v != nil && v.looking {
		c.touched, c.level, c.looked, c.due = false, said, v.stretch, uint32(min(uint64(c.total)+more, math.MaxUint32))
	}
}

// news tells whether any cell of an address says something else than at the last look, or that was long ago.
func (t *Table) news(l *ledger) (news bool) {
	for c := range t.cells.of(l.cell) {
		if !c.touched {
			continue
		}
		one, said := t.circle(c), c.level
		switch {
		case c.looked != t.live.stretch:
			news = true
		case one == nil:
			t.met(c, &t.rules[c.rule], l.requests)
			news = news || c.level != said
		case t.takes(l, one):
			news = true
		default:
			t.live.looked(c, 0, 1)
		}
	}
	return news
}

// touchGroup remembers that the cell of a group was filled, if it may say something else by now than at the last look: where its rule was met
// and no longer is, it may be met anew.
func (v *live) touchGroup(k groupKey, c *cell, r *rules.Rule) {
	if uint64(c.total) < r.Count || c.total < c.due && c.looked == v.stretch && (c.going || c.level == 0) {
		return
	}
	v.groups[k] = struct{}{}
}

// Judged is a verdict of a table that follows.
type Judged struct {
	connwarden.Verdict
	// Proved is the part of the evidence that holds without what a local account may have written: enforcement rests on
	// it alone.
	Proved []connwarden.Evidence
}

// Touched returns the verdicts on the addresses and groups about which something was read since it was last called, in
// no order. Where a group begins to show what its rule asks for, its members are among them. Addresses that are settled are
// left out, and but for once in lookAgain seconds those of whom nothing else can be said than at the last look: under an attack
// most are, and a verdict costs some 10 µs.
func (t *Table) Touched(now time.Time, settled func(netip.Addr) bool) (peers, groups []Judged) {
	v, at := t.live, now.Unix()
	v.looking, v.stretch = true, uint32(at/lookAgain)
	list := &deeds{map[deedKey]*deed{}, at}
	begun := map[deedKey]bool{}
	for k := range v.groups {
		c := t.groups[k]
		if c == nil {
			continue
		}
		r := &t.rules[c.rule]
		e, last, ok := t.evidence(c, r, at, 0)
		if c.going = ok && last >= r.Count; !ok {
			continue
		}
		g := Judged{Verdict: connwarden.Verdict{Subject: connwarden.Subject{Kind: r.By.String(), Name: c.extras().key}, Score: e.Score, Evidence: []connwarden.Evidence{e}}}
		if r.Capped {
			g.Score = min(g.Score, cappedScore)
		}
		if c.going {
			g.ScoreNow = g.Score
		}
		if c.proves(r, e.Count) {
			g.Proved = g.Evidence
		}
		groups = append(groups, g)
		if r.Member > 0 {
			d := t.deedOf(c, last)
			list.known[k.deed()] = d
			f, known := v.fired[k.deed()]
			if since := d.spells[len(d.spells)-1].from; !known || f.since != since {
				v.fired[k.deed()] = firing{k, since}
				begun[k.deed()] = true
			}
		}
	}
	clear(v.groups)
	if len(begun) > 0 {
		t.touchMembers(begun)
	}
	for addr, whole := range v.peers {
		_, l := t.ledgers.find(&addr)
		if l == nil {
			continue
		}
		if settled(l.ip()) {
			for c := range t.cells.of(l.cell) {
				v.looked(c, c.level, math.MaxUint32)
			}
			continue
		}
		if !whole && !t.news(l) {
			continue
		}
		if one, ok := t.verdict(l, list); ok {
			peers = append(peers, one)
		}
	}
	clear(v.peers)
	v.looking = false
	return peers, groups
}

// claims notes an address that says for the first time who it is.
func (v *live) claims(addr [16]byte) {
	if len(v.claimed) < maxClaimed {
		v.claimed = append(v.claimed, netip.AddrFrom16(addr).Unmap())
	}
}

// Claimed returns the addresses that said for the first time who they are since it was last called, and that they did so is
// all that may speak against them: who lies must not wait until a rule accuses him. The list is valid until the
// table is used again.
func (t *Table) Claimed() []netip.Addr {
	list := t.live.claimed
	t.live.claimed = t.live.claimed[:0]
	return list
}

// touchMembers touches all who took part in what any of the groups did.
func (t *Table) touchMembers(groups map[deedKey]bool) {
	for n := range t.ledgers.n {
		l := t.ledgers.at(n)
		for c := range t.cells.of(l.cell) {
			if one := t.circle(c); one != nil && t.ofAny(c, one, groups) {
				t.live.peers[l.addr] = true
			}
		}
	}
}

// proves tells whether a cell meets its rule even if all that a local account may have written is left out.
func (c *cell) proves(r *rules.Rule, count uint64) bool {
	return c.local == 0 || count >= uint64(c.local)+r.Count
}
