package fleet

import (
	"cmp"
	"errors"
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
	places      spots
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
	fresh       int                // claims since then
	reading     bool               // the bucket is being read whole, and what it says further on is not known yet,
	foretold    []netip.Prefix     // but for what is pardoned or allowed there
	late        bool               // something waits until that is done
	poisoned    int
	dropped     int                             // beyond bounds, or not within the policy
	tell        func(Refusal)                   // of what is left out
	bad         func(subject string, err error) // of what cannot be read
}

func newTable(p Policy, group, host string) *table {
	p.PerMinute, p.Most = cmp.Or(p.PerMinute, PerMinute), cmp.Or(p.Most, MostOfHost)
	p.Widest4, p.Widest6, p.Agree = cmp.Or(p.Widest4, Widest4), cmp.Or(p.Widest6, Widest6), max(p.Agree, 1)
	return &table{
		policy: p, group: group, host: host, refused: map[place]seconds{}, hosts: map[string]uint32{}, more: map[place][]claim{},
		pardons: map[place]netip.Prefix{}, own: map[string]mine{}, dirty: map[place]struct{}{},
		tell: func(Refusal) {}, bad: func(string, error) {},
	}
}

// forget empties the table of what the bucket said, for a bucket that is another or is read from the start.
func (t *table) forget() {
	for where, s := range t.places.all() {
		t.set(where, spot{held: s.held})
	}
	t.all, t.dirty, t.due = true, map[place]struct{}{}, nil
	clear(t.more)
	clear(t.pardons)
	clear(t.own)
	clear(t.hosts)
	t.peers, t.sayings = numbered[peer]{}, numbered[said]{}
	t.known, t.seq, t.fresh = 0, 0, 0
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

// news is a message, read as far as that goes without a table.
type news struct {
	seq     uint64
	time    time.Time // of the engine
	subject string
	deleted bool
	d       Decision
	stray   error // that of the key
	bad     error // that of the value
}

// understand reads a message.
func understand(m *Message) (n news) {
	n.seq, n.time, n.subject, n.deleted = m.Seq, m.Time, m.Subject, m.Deleted
	if m.Subject == BornSubject {
		return n
	}
	if n.d.Key, n.stray = parseKey(m.Subject); n.stray == nil && !m.Deleted {
		n.bad = n.d.decode(m.Data)
	}
	return n
}

// take reads one message. ahead is how far the engine's clock is ahead of ours. A message that was read before changes
// nothing.
func (t *table) take(m *Message, ahead time.Duration, now time.Time) {
	n := understand(m)
	t.hear(&n, ahead, now)
}

// hear takes what was read of a message.
func (t *table) hear(m *news, ahead time.Duration, now time.Time) {
	if m.seq <= t.seq {
		return
	}
	t.seq = m.seq
	if m.subject == BornSubject {
		return
	}
	d, err := &m.d, m.bad
	k, at := d.Key, m.time.Add(-ahead)
	switch {
	case errors.Is(m.stray, errGone) && !m.deleted:
		t.gone(k, now)
		return
	case errors.Is(m.stray, errGone):
		return
	case m.stray != nil:
		t.poison(m.subject, m.stray)
		return
	}
	if k.Host == t.host && k.Group == t.group {
		if delete(t.own, m.subject); err == nil && !m.deleted {
			t.own[m.subject] = mine{d.Until, at, at.Add(d.For)}
		}
		return
	}
	n, where := t.peer(&k), k.place()
	t.drop(where, n) // what stood there is no more
	p := t.peers.at(n)
	if minute := m.time.Unix() / 60; minute != p.minute {
		p.minute, p.count = minute, 0
	}
	if m.deleted {
		return
	}
	if p.count++; err != nil {
		t.poison(m.subject, err)
		return
	}
	end := at.Add(d.For)
	if latest := now.Add(d.For); end.After(latest) { // clocks that disagree never make it longer
		end = latest
	}
	if !end.After(now) {
		return
	}
	if why := t.unwanted(p, d, where); why != "" {
		t.dropped++
		t.tell(Refusal{k.Kind, k.Target, k.Host, why})
		return
	}
	t.put(n, d, where, end)
}

func (t *table) poison(subject string, err error) {
	t.poisoned++
	t.bad(subject, err)
}

// put notes what a host decided.
func (t *table) put(from uint32, d *Decision, where place, end time.Time) {
	c := claim{from, t.sayings.add(said{d.Why, unique.Make(d.By), uint8(d.Score)}), inSeconds(end)}
	s := t.places.at(where)
	if s.from != 0 {
		t.more[where] = append(t.more[where], c)
	} else {
		s.claim = c
		t.places.set(where, s)
		t.known++
	}
	t.peers.at(from).claims++
	t.fresh++
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
	list[0] = t.places.at(where).claim
	return append(list, t.more[where]...)
}

// without takes claims away and tells whether there were any such.
func (t *table) without(where place, gone func(claim) bool) bool {
	s := t.places.at(where)
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
		t.places.drop(where)
		return
	}
	t.places.set(where, s)
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
	for other := range t.places.all() {
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
	for where := range t.places.all() {
		t.drop(where, n)
	}
	t.peers.drop(n)
	delete(t.hosts, k.Host)
}

// blocks are how many of what this host holds are.
func (t *table) blocks() (n int) {
	for where, s := range t.places.all() {
		if where.kind == KindBlock && s.held != 0 {
			n++
		}
	}
	return n
}

// refusedRest is the rest before what this host refused is asked of it again: its own block may have ended, the minute be over.
const refusedRest = time.Minute

// age drops what has ended and has those looked at again that were refused a while ago.
func (t *table) age(now time.Time) {
	at := inSeconds(now)
	ended := func(c claim) bool { return c.end <= at }
	for where, s := range t.places.all() {
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
