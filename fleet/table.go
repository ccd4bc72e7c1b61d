package fleet

import (
	"cmp"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/connwarden/connwarden"
)

// peer is another host.
type peer struct {
	group, host string
	minute      int64 // of the engine's clock, in which count were taken
	count       int
	claims      int
}

// Message is one message of the bucket.
type Message struct {
	Seq     uint64
	Time    time.Time // of the engine, when it was stored
	Subject string
	Deleted bool // the key was taken back
	Data    []byte
}

// Order is what the agent asks of this host.
type Order struct {
	Kind   Kind
	Target netip.Prefix
	Scope  connwarden.Scope
	Lift   bool // it does not hold any more
	From   string
	By     connwarden.Origin // at the other host
	Score  int
	Why    string
	Until  time.Time // by our clock
	Again  bool      // this host held it before and let go meanwhile: By, Score and Why are missing, its journal has them
}

// Ours is what a host says against a block that it decided on itself: that is no refusal, and is asked for again, since
// its own may end sooner.
const Ours = "this host blocks it itself"

// Refusal is what this host did not take of what others decided.
type Refusal struct {
	Kind   Kind
	Target netip.Prefix
	From   string // host; "" where it is several
	Why    string
}

// mine is what the bucket has of this host.
type mine struct {
	until   time.Time // Decision.Until
	at, end time.Time // when it was stored and when the bucket drops it, by our clock
}

// table is what the bucket says, and what was made of it. It belongs to one goroutine.
type table struct {
	policy      Policy
	group, host string
	seq         uint64            // of the last message
	hosts       map[string]uint32 // numbers of peers
	peers       numbered[peer]
	places      map[place]spot
	more        map[place][]claim // of places with several, those behind the first
	known, held int               // places with claims, and those where this host holds something for the fleet
	sayings     numbered[said]
	pardons     map[place]netip.Prefix // those of places that are pardons
	own         map[string]mine
	expelled    time.Time          // when the hub's word that this host is gone was read
	refused     map[place]seconds  // since when
	all         bool               // every place is to be looked at,
	dirty       map[place]struct{} // or these,
	due         []place            // and before them these, in order
	poisoned    int
	dropped     int                             // beyond bounds, or not within the policy
	tell        func(Refusal)                   // of what is left out
	bad         func(subject string, err error) // of what cannot be read
}

func newTable(p Policy, group, host string) *table {
	p.PerMinute, p.Most = cmp.Or(p.PerMinute, PerMinute), cmp.Or(p.Most, MostOfHost)
	p.Widest4, p.Widest6, p.Agree = cmp.Or(p.Widest4, Widest4), cmp.Or(p.Widest6, Widest6), max(p.Agree, 1)
	return &table{
		policy: p, group: group, host: host, refused: map[place]seconds{}, hosts: map[string]uint32{}, places: map[place]spot{}, more: map[place][]claim{},
		pardons: map[place]netip.Prefix{}, own: map[string]mine{}, dirty: map[place]struct{}{},
		tell: func(Refusal) {}, bad: func(string, error) {},
	}
}

// forget empties the table of what the bucket said, for a bucket that is another or is read from the start.
func (t *table) forget() {
	for where, s := range t.places {
		t.set(where, spot{held: s.held})
	}
	t.all, t.dirty, t.due = true, map[place]struct{}{}, nil
	clear(t.more)
	clear(t.pardons)
	clear(t.own)
	clear(t.hosts)
	t.peers, t.sayings = numbered[peer]{}, numbered[said]{}
	t.known, t.seq = 0, 0
}

// peer returns the number of another host.
func (t *table) peer(k *Key) uint32 {
	n := t.hosts[k.Host]
	if n == 0 {
		host := strings.Clone(k.Host) // not the whole subject
		n = t.peers.add(peer{host: host})
		t.hosts[host] = n
	}
	if p := t.peers.at(n); p.group != k.Group {
		p.group, p.minute, p.count = strings.Clone(k.Group), 0, 0
	}
	return n
}

// take reads one message. ahead is how far the engine's clock is ahead of ours. A message that was read before changes
// nothing.
func (t *table) take(m *Message, ahead time.Duration, now time.Time) {
	if m.Seq <= t.seq {
		return
	}
	t.seq = m.Seq
	if m.Subject == BornSubject {
		return
	}
	k, err := parseKey(m.Subject)
	at := m.Time.Add(-ahead)
	switch {
	case errors.Is(err, errGone) && !m.Deleted:
		t.gone(k, now)
		return
	case errors.Is(err, errGone):
		return
	case err != nil:
		t.poison(m.Subject, err)
		return
	}
	var d Decision
	if !m.Deleted {
		err = d.decode(m.Data)
	}
	if k.Host == t.host && k.Group == t.group {
		if delete(t.own, m.Subject); err == nil && !m.Deleted {
			t.own[m.Subject] = mine{d.Until, at, at.Add(d.For)}
		}
		return
	}
	n := t.peer(&k)
	t.drop(k.place(), n) // what stood there is no more
	p := t.peers.at(n)
	if minute := m.Time.Unix() / 60; minute != p.minute {
		p.minute, p.count = minute, 0
	}
	if m.Deleted {
		return
	}
	if p.count++; err != nil {
		t.poison(m.Subject, err)
		return
	}
	d.Key = k
	end := at.Add(d.For)
	if latest := now.Add(d.For); end.After(latest) { // clocks that disagree never make it longer
		end = latest
	}
	if !end.After(now) {
		return
	}
	if why := t.unwanted(p, &d); why != "" {
		t.dropped++
		t.tell(Refusal{k.Kind, k.Target, k.Host, why})
		return
	}
	t.put(n, &d, end)
}

func (t *table) poison(subject string, err error) {
	t.poisoned++
	t.bad(subject, err)
}

// put notes what a host decided.
func (t *table) put(from uint32, d *Decision, end time.Time) {
	where := d.place()
	c := claim{from, t.sayings.add(said{d.Why, unique.Make(d.By), uint8(d.Score)}), inSeconds(end)}
	s := t.places[where]
	if s.from != 0 {
		t.more[where] = append(t.more[where], c)
	} else {
		s.claim = c
		t.places[where] = s
		t.known++
	}
	t.peers.at(from).claims++
	t.changed(where)
	if where.kind == KindPardon {
		t.pardons[where] = d.Target
	}
}

// drop takes away what a host decided.
func (t *table) drop(where place, from uint32) {
	if t.without(where, func(c claim) bool { return c.from == from }) {
		t.changed(where)
	}
}

// claims are those of a place, of which there are some.
func (t *table) claims(where place) []claim {
	list := make([]claim, 1, 4)
	list[0] = t.places[where].claim
	return append(list, t.more[where]...)
}

// without takes claims away and tells whether there were any such.
func (t *table) without(where place, gone func(claim) bool) bool {
	s := t.places[where]
	if more := t.more[where]; s.from == 0 || !gone(s.claim) && !slices.ContainsFunc(more, gone) {
		return false
	}
	list := slices.DeleteFunc(t.claims(where), func(c claim) bool {
		if !gone(c) {
			return false
		}
		t.peers.at(c.from).claims--
		t.silence(&c)
		return true
	})
	delete(t.more, where)
	if s.claim = (claim{}); len(list) > 0 {
		if s.claim = list[0]; len(list) > 1 {
			t.more[where] = list[1:]
		}
	} else {
		t.known--
		delete(t.pardons, where)
	}
	t.set(where, s)
	return true
}

// set notes what is known of a place.
func (t *table) set(where place, s spot) {
	if s == (spot{}) {
		delete(t.places, where)
		return
	}
	t.places[where] = s
}

// silence forgets what was said of a claim.
func (t *table) silence(c *claim) {
	if c.said != 0 {
		t.sayings.drop(c.said)
		c.said = 0
	}
}

// look has a place looked at.
func (t *table) look(where place) {
	if !t.all {
		t.dirty[where] = struct{}{}
	}
}

// changed has a place looked at again, and with a pardon all that it is about.
func (t *table) changed(where place) {
	t.look(where)
	delete(t.refused, where)
	if where.kind != KindPardon {
		return
	}
	pardoned := where.target()
	for other := range t.places {
		if other.kind == KindBlock && other.target().Overlaps(pardoned) {
			t.look(other)
		}
	}
}

// gone voids all that a host decided.
func (t *table) gone(k Key, now time.Time) {
	if k.Host == t.host {
		clear(t.own)
		t.expelled = now
		return
	}
	n := t.hosts[k.Host]
	if n == 0 {
		return
	}
	for where := range t.places {
		t.drop(where, n)
	}
	t.peers.drop(n)
	delete(t.hosts, k.Host)
}

// blocks are how many of what this host holds are.
func (t *table) blocks() (n int) {
	for where, s := range t.places {
		if where.kind == KindBlock && s.held != 0 {
			n++
		}
	}
	return n
}

// refusedRest is the rest before what this host refused is asked of it again: its own block may have ended, the minute be over.
const refusedRest = time.Minute

// letBe leaves what this host holds and the bucket does not speak of to end by itself: the bucket is another than the one
// that it was read from, and its silence says nothing.
func (t *table) letBe() {
	t.spread()
	t.due = slices.DeleteFunc(t.due, func(where place) bool { return t.places[where].from == 0 })
}

// spread puts in order what is to be looked at.
func (t *table) spread() {
	if t.all {
		t.due = slices.AppendSeq(make([]place, 0, len(t.places)), maps.Keys(t.places))
	} else {
		t.due = slices.AppendSeq(slices.Grow(t.due, len(t.dirty)), maps.Keys(t.dirty))
	}
	slices.SortFunc(t.due, place.compare)
	t.all, t.dirty = false, map[place]struct{}{} // one that was large once stays so
}

// age drops what has ended and has those looked at again that were refused a while ago.
func (t *table) age(now time.Time) {
	at := inSeconds(now)
	ended := func(c claim) bool { return c.end <= at }
	for where, s := range t.places {
		if t.without(where, ended) {
			t.changed(where)
		} else if s.from == 0 && s.held <= at {
			t.look(where)
		}
	}
	for subject, m := range t.own {
		if !m.end.After(now) {
			delete(t.own, subject)
		}
	}
	for where, since := range t.refused {
		if at >= since+seconds(refusedRest/time.Second) {
			delete(t.refused, where)
			t.look(where)
		}
	}
}

// best is the claim that counts at a place: as long as enough hosts want it.
func (t *table) best(where place) (c claim, ok bool) {
	need := 1
	if where.kind == KindBlock {
		need = t.policy.Agree
	}
	s := t.places[where]
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

// orders are at most that many of what must change at this host. ready tells that the whole bucket was read, so that what
// it does not have is known to be taken back.
func (t *table) orders(now time.Time, ready bool, most int) (list []Order) {
	var wait []place
	for len(list) < most {
		if len(t.due) == 0 {
			if t.due = nil; !t.all && len(t.dirty) == 0 {
				break
			}
			if t.spread(); len(t.due) == 0 {
				break
			}
		}
		where := t.due[0]
		t.due = t.due[1:]
		c, ok := t.wanted(where, now)
		s := t.places[where]
		_, no := t.refused[where]
		switch {
		case ok && s.held != 0 && max(c.end, s.held)-min(c.end, s.held) < slack:
			t.settled(where, c.from)
		case ok && no:
		case ok:
			list = append(list, t.order(where, c))
		case s.held != 0 && !ready:
			wait = append(wait, where)
		case s.held != 0 && where.kind == KindBlock && s.held <= inSeconds(now):
			t.hold(where, 0) // the keeper ends it
		case s.held != 0:
			list = append(list, Order{Kind: where.kind, Target: where.target(), Scope: where.scope.Value(), Lift: true})
		}
	}
	for _, where := range wait {
		t.look(where)
	}
	return list
}

// hold notes until when this host holds something at a place; 0: nothing.
func (t *table) hold(where place, end seconds) {
	s := t.places[where]
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
	s := t.places[where]
	if s.from == from {
		t.silence(&s.claim)
		t.places[where] = s
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
