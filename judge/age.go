package judge

import (
	"math"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// live is what a table needs besides that follows logs for ever. A table that follows gives the verdicts of one that reads
// afterwards, with these differences: broad rules begin to count an address once its busiest minute makes it possible
// that it reaches what they ask for, and then count what came before as far back as [lately] reaches, and
// their share is one of what came since that; of who has more different values than a cell keeps it still knows those of the window that ends now, where
// who reads afterwards says how many there were at least;
// what is in doubt waits for a request that agrees for some seconds and not for ever; and what lies behind every window is
// forgotten.
type live struct {
	all     uint16 // requests in the busiest minute from which on a broad rule that names nothing may be met
	named   uint16 // and one that names something and asks for many
	few     uint16 // and for few
	net     uint16 // and of a network's
	nets    [netSlots]busiest
	agreed  bool // the event in hand was in doubt and a request agreed
	failed  [failedSlots]failure
	doubts  map[uint64][]Doubt
	waiting int
	peers   map[[16]byte]bool // touched since Touched was called; true: whatever their cells say
	groups  map[groupKey]struct{}
	fired   map[deedKey]firing // groups with members whose rule was met
	looking bool               // Touched is at work
	stretch uint32             // number of the stretch of time of the last look
	claimed []netip.Addr       // who said who it is since Claimed was called
	lately  lately
}

// firing is a group whose rule was met, and the bucket in which the last stretch began in which it was.
type firing struct {
	group groupKey
	since uint32
}

// failure is a request that was refused or failed, by its address and path.
type failure struct {
	key uint64
	at  uint32
}

const (
	// netSlots counts the requests of networks by their hash, each in 12 bytes; two that meet there only make counting begin early.
	netSlots = 1 << 14
	// failedSlots holds the failed requests of the last seconds; at 16 bytes a quarter of a MiB.
	failedSlots = 1 << 14
	// maxClaimed bounds the addresses whose claims wait to be looked at.
	maxClaimed = 1 << 12
	// maxDoubts bounds the events that wait for a request.
	maxDoubts = 1 << 12
	// netShare is the part of what must come from a network in its busiest minute, for a rule to be met, from which on it is counted.
	netShare = 2
	// idle is after how long an address is forgotten that was not seen: the longest window.
	idle = 24 * time.Hour
	// lookAgain is after how many seconds an address that goes on is looked at though nothing else can be said of it: it may be wanted again.
	lookAgain = 10
	// instant is how long one reading that needs no other (a rule without a window) speaks against an address.
	instant = time.Hour
)

// Follow makes an empty table one that follows: it remembers what was touched, counts the broad rules at once, and lets
// what is in doubt wait for a request. Call [Table.Age] every minute.
func (t *Table) Follow() {
	l := &live{doubts: map[uint64][]Doubt{}, peers: map[[16]byte]bool{}, groups: map[groupKey]struct{}{}, fired: map[deedKey]firing{}}
	l.number(t.rules)
	t.live = l
}

// Requests folds requests of which a reader of this table found out what they fit, of a table that follows.
func (t *Table) Requests(list []connwarden.Request, f Findings) {
	for from := 0; from < len(list); from += queueLines {
		to := min(from+queueLines, len(list))
		t.ahead(f.list[from:to], f.hits)
		for i := from; i < to; i++ {
			if one := &f.list[i]; !one.void {
				t.follow(&list[i], one, f.hits)
			}
		}
	}
}

// follow folds a request of a table that follows.
func (t *Table) follow(r *connwarden.Request, f *found, hits []hit) {
	l := t.ledger(&f.addr)
	if f.claim > 0 && l.claim == 0 {
		t.live.claims(l.addr)
	}
	l.request(&f.waiting)
	if t.match == nil {
		return
	}
	if net, busy := t.busy(l, f); busy || f.from < f.broad {
		got := reading{at: f.at, refused: f.refused, local: f.local, from: &r.From, request: r, addr: f.addr}
		for _, h := range hits[f.from:f.broad] {
			got.pass, got.value = h.pass, h.value
			l = t.fold(l, &f.addr, int(h.rule), &t.rules[h.rule], &got)
		}
		l = t.partakes(l, &f.addr, &got)
		if busy {
			l = t.broadly(&got, l, f, hits[f.broad:f.to], net)
		}
	}
	if f.broad < f.to {
		t.remember(f, hits[f.broad:f.to], l.requests, &r.From)
	}
	if f.refused {
		t.fails(f)
	}
}

// busy counts a request for its network, and tells how many came from that in a minute at most and whether the network or the address is busy
// enough for any broad rule.
func (t *Table) busy(l *ledger, f *found) (net uint16, busy bool) {
	v := t.live
	net = v.nets[netSlot(&f.addr)].add(f.at)
	return net, v.crowd(l) || net >= v.net
}

// crowd tells whether an address is busy enough for any broad rule.
func (v *live) crowd(l *ledger) bool {
	return l.all.sum() >= v.all || l.named.sum() >= v.named || uint16(l.few.sum()) >= v.few
}

// broadly counts a request for the broad rules that its address or network may meet. The address's ledger, which it returns, may have moved.
func (t *Table) broadly(got *reading, l *ledger, f *found, hits []hit, net uint16) *ledger {
	for _, h := range hits {
		rule := &t.rules[h.rule]
		got.pass, got.value = h.pass, h.value
		if rule.By == rules.ByNet {
			if net >= inMinute(rule)/netShare {
				t.group(int(h.rule), rule, nil, got)
				k := groupKey{rule: h.rule, hash: hashOf(netKey(&f.addr))}
				if c := t.groups[k]; c != nil && c.begins() {
					t.recall(c, rule, f, 0)
					t.live.touchGroup(k, c, rule)
				}
			}
		} else if l.most(rule) >= rule.Count {
			l = t.count(l, &f.addr, int(h.rule), rule, got)
			if l.cell < 0 {
				continue
			}
			if c := t.cells.at(l.cell); c.rule == h.rule && c.begins() {
				c.ownExtra().before = t.recall(c, rule, f, l.requests) - 1
				t.live.touchPeer(l, c, rule)
			}
		}
	}
	return l
}

// doubtKey joins an address with the hash of a path; 0 is any path.
func doubtKey(addr *[16]byte, path uint32) uint64 {
	hi, lo := keyOf(addr)
	return hashOf(hi^uint64(path)<<32, lo^uint64(path)) | 1
}

// fails takes note of a request that was refused or failed, and of what was in doubt until it came.
func (t *Table) fails(f *found) {
	v, at := t.live, f.at
	for _, key := range [...]uint64{doubtKey(&f.addr, f.failed|1), doubtKey(&f.addr, 0)} {
		v.failed[key>>1%failedSlots] = failure{key, at}
		if len(v.doubts) == 0 {
			continue
		}
		kept := v.doubts[key][:0]
		for _, d := range v.doubts[key] {
			if near(seconds(d.event.Time), at) {
				v.waiting--
				t.agrees(&d.event)
			} else {
				kept = append(kept, d)
			}
		}
		if len(kept) > 0 {
			v.doubts[key] = kept
		} else {
			delete(v.doubts, key)
		}
	}
}

func near(a, b uint32) bool { return a <= b+agreeSeconds && b <= a+agreeSeconds }

// wait lets an event wait for its request, or counts it if that came before.
func (t *Table) wait(d Doubt) {
	v, addr := t.live, d.event.Client.As16()
	key := doubtKey(&addr, d.path)
	if f := v.failed[key>>1%failedSlots]; f.key == key && near(f.at, seconds(d.event.Time)) {
		t.agrees(&d.event)
		return
	}
	if v.waiting == maxDoubts {
		t.lost++
		return
	}
	v.doubts[key] = append(v.doubts[key], d)
	v.waiting++
}

// agrees counts an event with which a request agrees.
func (t *Table) agrees(e *connwarden.Event) {
	e.From.Trust = connwarden.TrustLocal
	t.live.agreed = true
	t.Event(e)
	t.live.agreed = false
}

// ForgetConns forgets what connections proved, before the next look at them is folded.
func (t *Table) ForgetConns() {
	forget := func(c *cell) {
		if t.window(c).look == rules.Connections {
			c.total, c.due, c.sealed, c.values, c.samples, c.example = 0, 0, 0, nil, nil, ""
			if c.extra != nil {
				c.extra.sketch = nil
			}
		}
	}
	for c := range t.cells.all() {
		forget(c)
	}
	for _, c := range t.groups {
		forget(c)
	}
}

// Age forgets what lies behind every window: buckets, values and samples of cells, cells and groups without any, addresses
// that were not seen for a day, events in doubt that no request agreed with. What remains of a cell counts as before.
func (t *Table) Age(now time.Time) {
	at := now.Unix()
	for c := range t.cells.all() {
		t.age(c, at)
	}
	t.ledgers.keep(func(l *ledger) bool { return l.last == 0 || int64(l.last) > at-int64(idle/time.Second) || t.holds(l) })
	t.cells.pack(&t.ledgers, func(c *cell) bool { return !c.empty() || t.circle(c) == nil && t.rules[c.rule].Share > 0 })
	for k, c := range t.groups {
		if t.age(c, at); c.empty() {
			delete(t.groups, k)
		}
	}
	v := t.live
	for k, f := range v.fired {
		if t.groups[f.group] == nil {
			delete(v.fired, k)
		}
	}
	for i := range v.nets {
		v.nets[i].most /= 2
		v.nets[i].before /= 2
	}
	for key, list := range v.doubts {
		if at-list[len(list)-1].event.Time.Unix() > 2*agreeSeconds {
			v.waiting -= len(list)
			delete(v.doubts, key)
		}
	}
}

// holds tells whether an address has a cell that is not empty.
func (t *Table) holds(l *ledger) bool {
	for c := range t.cells.of(l.cell) {
		if !c.empty() {
			return true
		}
	}
	return false
}

func (c *cell) empty() bool { return len(c.buckets) == 0 && len(c.values) == 0 && c.total == 0 }

// age drops the buckets, values and samples of a cell that no window reaches any more. Its total stays while anything
// else does, as the total of the address does to which a share is compared.
func (t *Table) age(c *cell, now int64) {
	w := t.window(c)
	if w.part == 0 {
		if w.look != rules.Connections && now-int64(c.last) > int64(instant/time.Second) {
			c.forget()
		}
		return
	}
	span, end := w.span, uint32(max(0, now))/w.part
	n := 0
	for n < len(c.buckets) && c.buckets[n].number+span < end {
		n++
	}
	c.buckets = append(c.buckets[:0], c.buckets[n:]...)
	c.values = append(c.values[:0], between(c.values, end-min(end, span), math.MaxUint32)...)
	if s := c.extras().sketch; s != nil {
		if s.values = append(s.values[:0], between(s.values, end-min(end, span), math.MaxUint32)...); len(s.values) == 0 {
			c.extra.sketch = nil
		}
	}
	if len(c.buckets) == 0 && len(c.values) == 0 {
		c.forget()
		return
	}
	oldest := uint32(max(0, now)) - min(uint32(max(0, now)), (span+1)*w.part)
	n = 0
	for n < len(c.samples) && c.samples[n].at < oldest {
		n++
	}
	if c.samples = append(c.samples[:0], c.samples[n:]...); n > 0 {
		c.sealed = 0
	}
	c.first = max(c.first, oldest)
}

// window is what a cell looks at, and for how long.
type window struct {
	look rules.Look
	part uint32 // seconds of a bucket; 0: it looks at all the time
	span uint32 // buckets
}

func (t *Table) window(c *cell) window {
	number := c.rule
	one := t.circle(c)
	if one != nil {
		number = one.rules[0].rule // what a reading fits together looks at the same
	}
	switch r := &t.rules[number]; {
	case one != nil:
		return window{r.Look, one.step, one.span}
	case r.Within == 0:
		return window{r.Look, 0, 1}
	default:
		return window{r.Look, partSeconds(r), parts(r)}
	}
}

func (c *cell) forget() {
	key := c.extras().key
	*c = cell{rule: c.rule}
	if key != "" {
		c.ownExtra().key = key
	}
}

// ScoreOf joins evidence to one score, as a verdict does.
func ScoreOf(list []connwarden.Evidence) int { return weigh(list) }
