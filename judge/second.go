package judge

import (
	"net/netip"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// Second is what a second look at the same logs is for: the requests of the addresses that may meet a rule, and of the busiest
// networks, which are too many to be counted by time for everyone, and the requests that agree with what was in doubt. It is
// read by the tables of several workers.
type Second struct {
	first   *Table
	broad   []int   // broad rules by address
	busy    ledgers // of those that any rule by address may be met by
	nets    map[netip.Prefix]bool
	doubts  []Doubt
	doubted map[[16]byte][]int
}

// Second returns what a second look is for, nil when none is needed.
func (t *Table) Second() *Second {
	t.flush()
	s := &Second{first: t, busy: newLedgers(MaxLedgers), nets: map[netip.Prefix]bool{}, doubts: t.doubts, doubted: map[[16]byte][]int{}}
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
	for i := range t.ledgers.n {
		if l := t.ledgers.at(i); s.may(l) {
			slot, _ := s.busy.find(&l.addr)
			*s.busy.add(&l.addr, slot) = *l
		}
	}
	if len(t.doubts) == 0 && len(s.nets) == 0 && s.busy.n == 0 {
		return nil
	}
	return s
}

// Wants tells whether the second look counts requests of an address.
func (s *Second) Wants(a netip.Addr) bool {
	addr := a.As16()
	if _, busy := s.busy.find(&addr); busy != nil {
		return true
	}
	return len(s.doubted) > 0 && s.doubted[addr] != nil || len(s.nets) > 0 && s.nets[netOf(a)]
}

// may tells whether any rule that waits for the second look can be met by an address.
func (s *Second) may(l *ledger) bool {
	if l.suspect() {
		return true
	}
	for _, i := range s.broad {
		if r := &s.first.rules[i]; l.most(r) >= r.Count {
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

// Table returns an empty table for the second look; merge its likes and then [Table.Adopt] it.
func (s *Second) Table() *Table {
	t := New(Options{Rules: s.first.opt.Rules, ASN: s.first.opt.ASN})
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
	_, busy := s.busy.find(&addr)
	if busy == nil && (len(s.nets) == 0 || !s.nets[netOf(r.Client)]) {
		return
	}
	hits := t.match.Request(r)
	got := t.reading(r)
	if busy != nil && busy.suspect() {
		for _, h := range hits {
			if rule := t.fits(&got, h); rule.By == rules.ByIP {
				t.count(t.ledger(&addr), &addr, h.Rule, rule, &got)
			}
		}
	}
	for _, h := range t.match.Broad() {
		rule := t.fits(&got, h)
		switch {
		case rule.By == rules.ByNet:
			if s.nets[netOf(r.Client)] {
				t.group(h.Rule, rule, t.requestKey(rule.By, r), &got)
			}
		case busy != nil && busy.most(rule) >= rule.Count:
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
			t.Event(&d.event)
		} else {
			unproved++
		}
	}
	t.doubts = nil
	second.doubts, second.agreed = nil, nil
	t.Merge(second)
	return unproved
}
