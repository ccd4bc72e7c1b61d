package judge

import (
	"cmp"
	"math"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// Options say by what is judged. The functions are called from the table's goroutine; they may be nil.
type Options struct {
	Rules *rules.Set
	// Claim numbers what an agent claims to be, 0 for nothing. It is asked once for each agent that is seen anew.
	Claim func(agent []byte) uint16
	// Place tells where an address belongs, as far as that is known.
	Place func(netip.Addr) (connwarden.Network, bool)
	// Seed chooses which values a sketch is drawn of where there are too many to keep: with the same seed the same readings tell the same
	// figures. Who knows it can make such figures small, but no rule silent. 0 is one of this process.
	Seed uint64
}

// Bounds of a table besides MaxLedgers.
const (
	maxCells  = 1 << 16 // of addresses; some 250 bytes each
	maxGroups = 1 << 15
	maxClaims = 1 << 14
	maxNames  = 1 << 16
	agentSlot = 1 << 12
)

// Table folds readings. It is a [connwarden.Sink].
type Table struct {
	opt      Options
	rules    []rules.Rule
	match    *rules.Matcher // the reader's
	read     *Reader
	spare    []*rules.Matcher // of tables that were merged: they remember what texts fit
	ledgers  ledgers
	cells    cells
	circles  circles
	joining  joining // of the reading in hand
	groups   map[groupKey]*cell
	lost     uint64 // cells that found no room
	patience uint64 // how many are lost before room is made again
	// The same of groups.
	lostGroups, groupPatience uint64
	evicted                   uint64
	names                     []string // of sources
	numbers                   map[string]uint16
	last                      string // the source looked up last
	lastNum                   uint16
	marks                     marks // of lines that wait for the second look
	ceilings                  ceilings
	doubts                    []Doubt
	second                    *Second // nil in the first look
	agreed                    []bool  // of second.doubts
	live                      *live   // nil: logs are read once
	queue                     queue
	alone                     Findings // of one request, of a table that follows
	scratch                   []byte
}

type groupKey struct {
	rule uint16
	hash uint64
}

// New returns an empty table.
func New(opt Options) *Table {
	opt.Seed = cmp.Or(opt.Seed, hashSeed[0])
	t := &Table{opt: opt, ledgers: newLedgers(MaxLedgers), groups: map[groupKey]*cell{}, numbers: map[string]uint16{}}
	t.employ()
	return t
}

// employ makes the table's own reader.
func (t *Table) employ() {
	t.read = newReader(&t.opt)
	t.rules, t.match = t.read.rules, t.read.match
}

// seconds is a time as ledgers keep it; what they cannot keep is none.
func seconds(t time.Time) uint32 {
	if n := t.Unix(); n > 0 && n <= math.MaxUint32 {
		return uint32(n)
	}
	return 0
}

func (t *Table) ledger(a *[16]byte) *ledger {
	slot, l := t.ledgers.find(a)
	if l != nil {
		if l.addr != *a && netip.AddrFrom16(*a).Less(netip.AddrFrom16(l.addr)) {
			l.addr = *a
		}
		return l
	}
	if t.ledgers.full() {
		t.evict()
		slot, _ = t.ledgers.find(a)
	}
	return t.ledgers.add(a, slot)
}

// Conn is not folded here: connections are counted by their own table and handed in as a whole, with [Table.Conns].
func (t *Table) Conn(*connwarden.Conn) {}

// Request folds one request. A request without a client is not folded.
func (t *Table) Request(r *connwarden.Request) {
	switch {
	case void(r):
	case t.second != nil:
		t.again(r)
	case t.live != nil:
		t.alone.Clear()
		t.read.Request(r, &t.alone)
		t.follow(r, &t.alone.list[0], t.alone.hits)
	default:
		t.first(r)
	}
}

// first folds a request of the first look.
func (t *Table) first(r *connwarden.Request) {
	if t.match == nil {
		w := t.read.waiting(r)
		t.later(&w)
		return
	}
	hits := t.match.Request(r)
	w := t.read.waiting(r)
	w.busy = t.match.Busy()
	least, grouped := t.suspect(&w.addr, hits, r.From.Offset, 1)
	w.least = least
	if t.later(&w); !grouped {
		return
	}
	l := t.ledger(&w.addr)
	got := t.reading(r)
	for _, h := range hits {
		if t.rules[h.Rule].By != rules.ByIP {
			l = t.fold(l, &w.addr, h.Rule, t.fits(&got, h), &got)
		}
	}
	t.partakes(l, &w.addr, &got)
}

// fold counts a request for the group of a rule, if it has one, or for the address. [Table.partakes] follows when all its rules were folded.
func (t *Table) fold(l *ledger, addr *[16]byte, number int, rule *rules.Rule, g *reading) *ledger {
	if rule.By == rules.ByIP {
		return t.count(l, addr, number, rule, g)
	}
	t.joins(number, rule, t.requestKey(rule.By, g.request), g)
	return l
}

// suspect notes what a reading, or n of them, may prove against its address, and returns the least count of the rules by address that it fits (0:
// none), and whether it fits a rule of groups. What rules by
// address count waits for the second look, which counts it for those alone who have as many readings of any such rules as the
// least of these asks for: nobody else can meet one, whatever its window, and whether readings or different values are counted.
func (t *Table) suspect(addr *[16]byte, hits []rules.Hit, offset int64, n uint32) (least uint16, grouped bool) {
	address := uint64(0)
	for _, h := range hits {
		rule := &t.rules[h.Rule]
		if rule.By != rules.ByIP {
			grouped = true
			continue
		}
		t.marks.add(offset)
		if h.Pass {
			continue
		}
		if address == 0 {
			address = hashOf(keyOf(addr))
		}
		t.ceilings.add(address, h.Rule, n)
		if count := uint16(min(rule.Count, math.MaxUint16)); least == 0 || count < least {
			least = count
		}
	}
	return least, grouped
}

// reading is a request as rules count it.
func (t *Table) reading(r *connwarden.Request) reading {
	t.read.known = false
	return reading{at: seconds(r.Time), refused: r.Status >= 400, local: r.From.Trust != connwarden.TrustRoot, from: &r.From, request: r, addr: r.Client.As16()}
}

// fits makes a request's reading that of a rule which it fits.
func (t *Table) fits(g *reading, h rules.Hit) *rules.Rule {
	rule := &t.rules[h.Rule]
	g.pass = h.Pass
	if rule.Distinct != "" {
		g.value = t.read.value(rule.Distinct, g.request)
	}
	return rule
}

// reading is what a rule counts.
type reading struct {
	at      uint32
	refused bool
	local   bool // a local account may have written it
	pass    bool
	more    uint32 // how often besides it happened
	voice   connwarden.Voice
	value   uint32 // hash of the value whose differences are counted
	from    *connwarden.Source
	addr    [16]byte
	request *connwarden.Request // whose path is an example, or
	text    []byte              // the example
}

// example is the part of the reading that a rule's sentence quotes. It owns its bytes.
func (g *reading) example(part rules.Example) string {
	text, most := g.text, valueText
	switch {
	case g.request == nil:
	case part == rules.ExampleAgent:
		text, most = g.request.Agent, agentText
	case part == rules.ExampleReferer:
		text = g.request.Referer
	default:
		return g.url()
	}
	return cut(text, most)
}

func (g *reading) url() string {
	r := g.request
	if len(r.Query) == 0 || len(r.Path) > valueText {
		return cut(r.Path, valueText)
	}
	b := append(append(append(make([]byte, 0, valueText+1), r.Path...), '?'), r.Query[:min(len(r.Query), valueText)]...)
	return cut(b, valueText)
}

// cut is the beginning of a text, and a sign where there was more.
func cut(text []byte, most int) string {
	if len(text) <= most {
		return string(text)
	}
	return string(text[:most]) + cutMark
}

// count adds a reading to the address's cell of a rule. It returns the address's ledger, which may have moved.
func (t *Table) count(l *ledger, addr *[16]byte, number int, rule *rules.Rule, g *reading) *ledger {
	c, l := t.cell(l, addr, uint16(number))
	if c == nil {
		return l
	}
	t.fill(c, rule, g)
	if t.live != nil {
		t.live.touchPeer(l, c, rule)
	}
	return l
}

// cell is an address's cell of a rule or circle, nil when there is no room. The address's ledger may have moved.
func (t *Table) cell(l *ledger, addr *[16]byte, number uint16) (*cell, *ledger) {
	c := t.cells.find(l.cell, number)
	if c == nil {
		if t.cells.len() == maxCells {
			if !t.room() {
				return nil, l
			}
			_, l = t.ledgers.find(addr)
		}
		l.cell = t.cells.add(number, l.cell)
		c = t.cells.at(l.cell)
	}
	return c, l
}

// joins counts a reading for the group of a rule, and notes for [Table.partakes] that its address is one of it.
func (t *Table) joins(number int, rule *rules.Rule, key []byte, g *reading) {
	group := uint32(0)
	if !g.pass {
		group = t.group(number, rule, key, g)
	}
	if rule.Member > 0 && (g.pass || group != 0) {
		t.joining.joins(number, rule.By, g.pass, group)
	}
}

// group adds a reading to a group's cell of a rule, and returns what [groupKey.deed] tells of the group's hash; 0: there is none. key is the
// group's name, nothing when it has none; a network's is made with its cell.
func (t *Table) group(number int, rule *rules.Rule, key []byte, g *reading) uint32 {
	k := groupKey{rule: uint16(number)}
	switch {
	case rule.By == rules.ByNet:
		k.hash = hashOf(netKey(&g.addr))
	case len(key) == 0:
		return 0
	default:
		k.hash = rules.Hash(key)
	}
	c := t.groups[k]
	if c == nil {
		if !t.groupRoom() {
			return 0
		}
		if rule.By == rules.ByNet {
			key = t.netName(&g.addr)
		}
		c = &cell{rule: k.rule, extra: &extra{key: string(key[:min(len(key), 4*valueText)])}}
		t.groups[k] = c
	}
	t.fill(c, rule, g)
	if t.live != nil {
		t.live.touchGroup(k, c, rule)
	}
	return k.deed().hash
}

// fill adds a reading to a cell of a rule.
func (t *Table) fill(c *cell, rule *rules.Rule, g *reading) {
	if g.pass {
		c.ownExtra().passes++
		c.due = 0
		return
	}
	if t.tell(c, g) {
		c.example = g.example(rule.Example)
	}
	number := bucketOf(rule, g.at)
	switch {
	case rule.Distinct != "":
		c.note(value{number, g.value}, parts(rule))
	case rule.Within > 0:
		c.add(bucket{number, 1 + g.more, g.voice}, parts(rule))
	}
}

// tell adds a reading to the counts, times and samples of a cell, and tells whether it is the first of the samples.
func (t *Table) tell(c *cell, g *reading) (first bool) {
	c.total += 1 + g.more
	if g.voice > 0 {
		c.ownExtra().others[g.voice-1] += 1 + g.more
	}
	if g.refused {
		c.refused++
	}
	if g.local && (t.live == nil || !t.live.agreed) {
		c.local += 1 + g.more
	}
	c.seen(g.at)
	if g.from == nil || c.sealed > 0 && g.at > c.sealed {
		return false
	}
	s := sample{g.at, t.source(g.from.Name), g.from.Trust, g.from.Line, g.from.Offset} // before names are looked at: it may add one
	return c.keep(s, t.names)
}

// source numbers a source's name.
func (t *Table) source(name string) uint16 {
	if name == t.last && len(t.names) > 0 {
		return t.lastNum
	}
	n, ok := t.numbers[name]
	if !ok {
		if len(t.names) >= maxNames {
			return 0 // its samples will not be shown right; no machine has so many logs
		}
		n = uint16(len(t.names))
		t.names = append(t.names, name)
		t.numbers[name] = n
	}
	t.last, t.lastNum = name, n
	return n
}

// Peer returns what is known of an address; zero counts if nothing is.
func (t *Table) Peer(a netip.Addr) Peer {
	t.flush()
	addr := a.As16()
	_, l := t.ledgers.find(&addr)
	if l == nil {
		return Peer{Addr: a}
	}
	return l.peer()
}

// Len is the number of addresses in the table.
func (t *Table) Len() int {
	t.flush()
	return t.ledgers.n
}

// Busiest returns the n addresses with the most requests, most first.
func (t *Table) Busiest(n int) []Peer {
	t.flush()
	return t.ledgers.busiest(n, nil)
}

// Claimants returns the n addresses with the most requests whose agents claim to be someone, most first.
func (t *Table) Claimants(n int) []Peer {
	t.flush()
	return t.ledgers.busiest(n, func(l *ledger) bool { return l.claim > 0 })
}

// Within returns the addresses of a prefix, those with the most requests first.
func (t *Table) Within(p netip.Prefix) []Peer {
	t.flush()
	return t.ledgers.those(func(l *ledger) bool { return p.Contains(l.ip()) })
}
