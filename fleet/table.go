package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// Policy is what this host takes of what others decide. The zero value takes all within the defaults.
type Policy struct {
	Kinds     []Kind   // nil: all
	Groups    []string // words; nil: all
	Score     int      // blocks by verdicts below it are left out
	Agree     int      // as many hosts must want a block; 0 is 1
	PerMinute int      // decisions of one host in a minute of the engine's clock; 0: PerMinute
	Most      int      // decisions of one host at a time; 0: MostOfHost
	Widest4   int      // prefixes that are shorter are left out; 0: Widest4
	Widest6   int      // likewise; 0: Widest6
}

// Defaults of a policy.
const (
	// PerMinute is what a host's own guard lets its judge block in a minute.
	PerMinute = 2000
	// MostOfHost times a /24 is some thousandth of all IPv4 addresses: what a stolen host can cut off at worst.
	MostOfHost = 20_000
	Widest4    = 24
	Widest6    = 48
	// maxPardons bounds what each block is compared with.
	maxPardons = 1000
	// maxPlaces bounds memory: some 20 MB.
	maxPlaces = 200_000
)

// place is what a decision is about, whoever decided.
type place struct {
	kind   Kind
	target netip.Prefix
	scope  connwarden.Scope
}

func (k *Key) place() place { return place{k.Kind, k.Target, k.Scope} }

// claim is what one host decided about a place.
type claim struct {
	from  *peer
	end   int64 // Unix milliseconds of our clock
	why   string
	by    connwarden.Origin
	score uint8
}

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
	seq         uint64           // of the last message
	peers       map[string]*peer // by host
	places      map[place][]claim
	pardons     map[place]bool // those of places that are pardons
	own         map[string]mine
	applied     map[place]int64 // what this host holds for the fleet, and its ends in Unix milliseconds
	refused     map[place]time.Time
	dirty       map[place]bool
	poisoned    int
	dropped     int                             // beyond bounds, or not within the policy
	tell        func(Refusal)                   // of what is left out
	bad         func(subject string, err error) // of what cannot be read
}

func newTable(p Policy, group, host string) *table {
	p.PerMinute, p.Most = cmp.Or(p.PerMinute, PerMinute), cmp.Or(p.Most, MostOfHost)
	p.Widest4, p.Widest6, p.Agree = cmp.Or(p.Widest4, Widest4), cmp.Or(p.Widest6, Widest6), max(p.Agree, 1)
	return &table{
		policy: p, group: group, host: host, applied: map[place]int64{}, refused: map[place]time.Time{},
		peers: map[string]*peer{}, places: map[place][]claim{}, pardons: map[place]bool{}, own: map[string]mine{}, dirty: map[place]bool{},
		tell: func(Refusal) {}, bad: func(string, error) {},
	}
}

// forget empties the table of what the bucket said, for a bucket that is another or is read from the start.
func (t *table) forget() {
	for p := range t.places {
		t.dirty[p] = true
	}
	for p := range t.applied {
		t.dirty[p] = true
	}
	clear(t.places)
	clear(t.pardons)
	clear(t.own)
	clear(t.peers)
	t.seq = 0
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
		t.gone(k)
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
	p := t.peers[k.Host]
	if p == nil || p.group != k.Group {
		p = &peer{group: k.Group, host: k.Host}
		t.peers[k.Host] = p
	}
	t.drop(k.place(), p) // what stood there is no more
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
	t.put(p, &d, end)
}

func (t *table) poison(subject string, err error) {
	t.poisoned++
	t.bad(subject, err)
}

// unwanted says why the policy leaves a decision out; nothing if it does not.
func (t *table) unwanted(p *peer, d *Decision) string {
	widest := t.policy.Widest6
	if d.Target.Addr().Is4() {
		widest = t.policy.Widest4
	}
	switch {
	case t.policy.Kinds != nil && !slices.Contains(t.policy.Kinds, d.Kind):
		return fmt.Sprintf("no %s of other hosts is taken here (fleet.accept)", d.Kind)
	case t.policy.Groups != nil && !slices.Contains(t.policy.Groups, d.Group):
		return fmt.Sprintf("the group %s is none that is listened to here (fleet.groups)", d.Group)
	case d.Target.Bits() < widest:
		return fmt.Sprintf("it is wider than /%d", widest)
	case d.Kind == KindBlock && d.By.Kind != connwarden.ByOperator && d.Score < t.policy.Score:
		return fmt.Sprintf("its score of %d is below %d (fleet.score)", d.Score, t.policy.Score)
	case p.count > t.policy.PerMinute:
		return fmt.Sprintf("more than %d decisions of one host in a minute", t.policy.PerMinute)
	case p.claims >= t.policy.Most:
		return fmt.Sprintf("more than %d decisions of one host", t.policy.Most)
	case len(t.places) >= maxPlaces && t.places[d.place()] == nil:
		return fmt.Sprintf("more than %d decisions of the fleet", maxPlaces)
	case d.Kind == KindPardon && len(t.pardons) >= maxPardons && !t.pardons[d.place()]:
		return fmt.Sprintf("more than %d pardons of the fleet", maxPardons)
	}
	return ""
}

// put notes what a host decided.
func (t *table) put(p *peer, d *Decision, end time.Time) {
	where := d.place()
	t.places[where] = append(t.places[where], claim{p, end.UnixMilli(), d.Why, d.By, uint8(d.Score)})
	p.claims++
	t.changed(where)
	if where.kind == KindPardon {
		t.pardons[where] = true
	}
}

// drop takes away what a host decided.
func (t *table) drop(where place, p *peer) {
	list := t.places[where]
	i := slices.IndexFunc(list, func(c claim) bool { return c.from.host == p.host })
	if i < 0 {
		return
	}
	list[i].from.claims--
	t.keep(where, slices.Delete(list, i, i+1))
	t.changed(where)
}

func (t *table) keep(where place, list []claim) {
	if len(list) > 0 {
		t.places[where] = list
		return
	}
	delete(t.places, where)
	delete(t.pardons, where)
}

// changed has a place looked at again, and with a pardon all that it is about.
func (t *table) changed(where place) {
	t.dirty[where] = true
	delete(t.refused, where)
	if where.kind != KindPardon {
		return
	}
	for other := range t.places {
		if other.kind == KindBlock && other.target.Overlaps(where.target) {
			t.dirty[other] = true
		}
	}
}

// gone voids all that a host decided.
func (t *table) gone(k Key) {
	if k.Host == t.host {
		clear(t.own)
		return
	}
	for where, list := range t.places {
		if slices.ContainsFunc(list, func(c claim) bool { return c.from.host == k.Host }) {
			t.drop(where, &peer{host: k.Host})
		}
	}
	delete(t.peers, k.Host)
}

// blocks are how many of what this host holds are.
func (t *table) blocks() (n int) {
	for where := range t.applied {
		if where.kind == KindBlock {
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
	for where := range t.applied {
		if t.places[where] == nil {
			delete(t.dirty, where)
		}
	}
}

// age drops what has ended and has those looked at again that were refused a while ago.
func (t *table) age(now time.Time) {
	at := now.UnixMilli()
	for where, list := range t.places {
		if slices.ContainsFunc(list, func(c claim) bool { return c.end <= at }) {
			list = slices.DeleteFunc(list, func(c claim) bool {
				if c.end <= at {
					c.from.claims--
				}
				return c.end <= at
			})
			t.keep(where, list)
			t.changed(where)
		}
	}
	for where, end := range t.applied {
		if end <= at && t.places[where] == nil {
			t.dirty[where] = true
		}
	}
	for subject, m := range t.own {
		if !m.end.After(now) {
			delete(t.own, subject)
		}
	}
	for where, since := range t.refused {
		if now.Sub(since) >= refusedRest {
			delete(t.refused, where)
			t.dirty[where] = true
		}
	}
}

// wanted is what this host is to hold at a place; ok is false if nothing.
func (t *table) wanted(where place, now time.Time) (o Order, ok bool) {
	list := t.places[where]
	need := 1
	if where.kind == KindBlock {
		need = t.policy.Agree
	}
	if len(list) < need || where.kind == KindPardon {
		return o, false
	}
	if where.kind == KindBlock {
		for p := range t.pardons {
			if p.target.Overlaps(where.target) {
				return o, false
			}
		}
	}
	best := slices.Clone(list)
	slices.SortFunc(best, func(a, b claim) int { return cmp.Or(cmp.Compare(b.end, a.end), cmp.Compare(a.from.host, b.from.host)) })
	c := best[need-1] // as long as enough hosts want it
	o = Order{
		Kind: where.kind, Target: where.target, Scope: where.scope, From: c.from.host, By: c.by, Score: int(c.score), Why: c.why,
		Until: time.UnixMilli(c.end),
	}
	return o, o.Until.After(now)
}

// slack is by how much an end may differ before it is another: estimates of clocks do.
const slack = 3 * time.Second

// orders are at most that many of what must change at this host. ready tells that the whole bucket was read, so that what
// it does not have is known to be taken back.
func (t *table) orders(now time.Time, ready bool, most int) (list []Order) {
	for where := range t.dirty {
		if len(list) == most {
			break
		}
		o, ok := t.wanted(where, now)
		end, held := t.applied[where]
		_, no := t.refused[where]
		switch {
		case ok && held && o.Until.Sub(time.UnixMilli(end)).Abs() < slack, ok && no:
		case ok:
			list = append(list, o)
		case held && !ready:
			continue // it stays dirty
		case held && where.kind == KindBlock && end <= now.UnixMilli():
			delete(t.applied, where) // the keeper ends it
		case held:
			list = append(list, Order{Kind: where.kind, Target: where.target, Scope: where.scope, Lift: true})
		}
		delete(t.dirty, where)
	}
	return list
}

// done notes what became of an order; why is the host's reason against it, or nothing.
func (t *table) done(o *Order, why string, now time.Time) {
	where := place{o.Kind, o.Target, o.Scope}
	switch {
	case o.Lift:
		delete(t.applied, where)
	case why != "":
		t.refused[where] = now // what it held before it still holds
	default:
		t.applied[where] = o.Until.UnixMilli()
	}
}
