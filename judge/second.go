package judge

import (
	"net/netip"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// Second is what a second look at the same logs is for: the readings of the addresses that may meet a rule, the requests of the busiest
// networks, which are too many to be counted by time for everyone, and the requests that agree with what was in doubt. It is
// read by the tables of several workers.
type Second struct {
	first *Table
	spare []*rules.Matcher // of the first look: they remember what its texts fit
	broad []int            // broad rules by address
	busy  ledgers          // of those that any of them may be met by
	// suspects are those who may meet any other rule by address, a bit for each hash: whoever shares it is counted in vain.
	suspects [1 << (suspectBits - 6)]uint64
	nets     map[netip.Prefix]bool
	doubts   []Doubt
	doubted  map[[16]byte][]int
}

// suspectBits: 128 KiB.
const suspectBits = 20

// Second returns what a second look is for, nil when none is needed.
func (t *Table) Second() *Second {
	t.flush()
	s := &Second{first: t, spare: append(t.spare, t.match), busy: newLedgers(MaxLedgers), nets: map[netip.Prefix]bool{}, doubts: t.doubts, doubted: map[[16]byte][]int{}}
	for i, d := range t.doubts {
		a := d.event.Client.As16()
		s.doubted[a] = append(s.doubted[a], i)
	}
	for i := range t.rules {
		r := &t.rules[i]
		if !r.Broad() {
			continue
		}
		if r.By == rules.ByIP {
			s.broad = append(s.broad, i)
		} else {
			t.heavy(s.nets, r)
		}
	}
	suspects := false
	for i := range t.ledgers.n {
		l := t.ledgers.at(i)
		if s.crowds(l) {
			slot, _ := s.busy.find(&l.addr)
			*s.busy.add(&l.addr, slot) = *l
		}
		if l.suspect() {
			word, bit := suspectBit(&l.addr)
			s.suspects[word] |= bit
			suspects = true
		}
	}
	if len(t.doubts) == 0 && len(s.nets) == 0 && s.busy.n == 0 && !suspects {
		return nil
	}
	return s
}

// suspectBit is where the hash of an address leads to.
func suspectBit(a *[16]byte) (word int, bit uint64) {
	h := hashOf(keyOf(a)) >> (64 - suspectBits)
	return int(h >> 6), 1 << (h & 63)
}

// suspected tells whether rules by address count what stands at an offset of a log.
func (s *Second) suspected(a *[16]byte, offset int64) bool {
	if !s.first.marks.has(offset) {
		return false
	}
	word, bit := suspectBit(a)
	return s.suspects[word]&bit != 0
}

// reaches tells whether an address may meet a rule by address.
func (s *Second) reaches(a *[16]byte, rule int) bool {
	return s.first.ceilings.reach(hashOf(keyOf(a)), rule, s.first.rules[rule].Count)
}

// Wants tells whether the second look counts a request of an address that stands at an offset of a log.
func (s *Second) Wants(a netip.Addr, offset int64) bool {
	addr := a.As16()
	if s.suspected(&addr, offset) {
		return true
	}
	if _, busy := s.busy.find(&addr); busy != nil {
		return true
	}
	return len(s.doubted) > 0 && s.doubted[addr] != nil || len(s.nets) > 0 && s.nets[netOf(a)]
}

// crowds tells whether a broad rule can be met by an address.
func (s *Second) crowds(l *ledger) bool {
	for _, i := range s.broad {
		if r := &s.first.rules[i]; l.mostEver(r) >= r.Count {
			return true
		}
	}
	return false
}

// heavy adds the networks that may have made so many requests in a rule's window. Sums by a hash of the network tell first
// which of them are worth a place in a map.
func (t *Table) heavy(nets map[netip.Prefix]bool, r *rules.Rule) {
	rough := make([]uint64, netSlots)
	for i := range t.ledgers.n {
		l := t.ledgers.at(i)
		rough[netSlot(&l.addr)] += l.most(r)
	}
	sums := map[netip.Prefix]uint64{}
	for i := range t.ledgers.n {
		if l := t.ledgers.at(i); rough[netSlot(&l.addr)] >= r.Count {
			sums[netOf(l.ip())] += l.most(r)
		}
	}
	for p, n := range sums {
		if n >= r.Count {
			nets[p] = true
		}
	}
}

func netSlot(a *[16]byte) uint64 { return hashOf(netKey(a)) % netSlots }

// Table returns an empty table for the second look; merge its likes and then [Table.Adopt] it. The table of the first look must
// rest until then: its matcher is lent.
func (s *Second) Table() *Table {
	t := New(Options{Rules: s.first.opt.Rules, Place: s.first.opt.Place, Seed: s.first.opt.Seed})
	if n := len(s.spare); n > 0 {
		t.match, s.spare = s.spare[n-1], s.spare[:n-1]
		t.read.match = t.match
	}
	t.second, t.agreed = s, make([]bool, len(s.doubts))
	return t
}

// again folds one request of the second look.
func (t *Table) again(r *connwarden.Request) {
	s := t.second
	addr := r.Client.As16()
	if r.Status >= 400 && len(s.doubted) > 0 {
		t.agree(s.doubted[addr], r)
	}
	suspected := s.suspected(&addr, r.From.Offset)
	_, busy := s.busy.find(&addr)
	net := len(s.nets) > 0 && s.nets[netOf(r.Client)]
	if !suspected && !net && busy == nil {
		return
	}
	hits := t.match.Request(r)
	got := t.reading(r)
	if suspected {
		for _, h := range hits {
			if t.rules[h.Rule].By == rules.ByIP && s.reaches(&addr, h.Rule) {
				t.count(t.ledger(&addr), &addr, h.Rule, t.fits(&got, h), &got)
			}
		}
	}
	for _, h := range t.match.Broad() {
		rule := t.fits(&got, h)
		switch {
		case rule.By == rules.ByNet:
			if net {
				t.group(h.Rule, rule, t.requestKey(rule.By, r), &got)
			}
		case busy != nil && busy.mostEver(rule) >= rule.Count:
			t.count(t.ledger(&addr), &addr, h.Rule, rule, &got)
		}
	}
}

func (t *Table) agree(list []int, r *connwarden.Request) {
	at := r.Time.Unix()
	for _, i := range list {
		d := &t.second.doubts[i]
		if t.agreed[i] || d.path != 0 && d.path != hashText(r.Path)|1 {
			continue
		}
		if apart := d.event.Time.Unix() - at; apart <= agreeSeconds && apart >= -agreeSeconds {
			t.agreed[i] = true
		}
	}
}

// Adopt takes in what the second look counted. It returns how many doubts no request agreed with.
func (t *Table) Adopt(second *Table) (unproved int) {
	for i, d := range t.doubts {
		if second.agreed[i] {
			d.event.From.Trust = connwarden.TrustLocal
			t.event(&d.event, t.match.Event(&d.event), lookOnce)
		} else {
			unproved++
		}
	}
	if len(t.doubts) == 0 { // else these may be the more that is missing
		second.cells.pack(&second.ledgers, func(c *cell) bool {
			r := &t.rules[c.rule]
			return c.worst(r, parts(r)) >= c.need(r) // it was read to the end
		})
	}
	t.doubts = nil
	second.doubts, second.agreed = nil, nil
	t.Merge(second)
	return unproved
}
