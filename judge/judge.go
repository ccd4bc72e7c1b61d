// Package judge folds readings into a ledger an address and says which addresses are worth a second look, and why.
//
// It is small on purpose: an address that holds an outlying share of the connections, an address that asks for one
// path again and again, and bursts of logins at WordPress. None of these is proof, so no verdict here is worse than
// suspicious.
//
// It opens nothing, reads no clock and writes no log: readings and times come in as arguments, and a verdict can be
// made again from the same readings. Ledgers are counted in absolute time buckets and samples are chosen by earliest, so
// that tables of the parts of a log, merged in any order, equal the table of the whole. A Table belongs to one
// goroutine; merging is done by one.
package judge

import (
	"cmp"
	"hash/maphash"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// MaxLedgers bounds a table. At 96 bytes a ledger and 8 bytes of index it is 54 MB; beyond it the quietest
// addresses are given up, and [Table.Evicted] says how many.
const MaxLedgers = 1 << 19

// Peer is what was counted of one address.
type Peer struct {
	Addr        netip.Addr
	Requests    uint64
	Bytes       uint64
	ByClass     [6]uint64 // 0: no status, 1 to 5: 1xx to 5xx
	First, Last time.Time // of its requests; zero when the log has no times
}

// ledger is the compact form of a Peer. Times are Unix seconds, 0 when there is none.
type ledger struct {
	addr        netip.Addr
	requests    uint32
	login       int32 // index into logins, -1: none
	bytes       uint64
	first, last int64
	byClass     [6]uint32
}

// Table holds the ledgers of one reader of logs. It is a [connwarden.Sink].
type Table struct {
	seed    [2]uint64
	index   []uint32 // open addressing: number of the ledger plus one
	ledgers []ledger
	logins  []login
	evicted uint64
	max     int
}

// New returns an empty table.
func New() *Table {
	seed := maphash.MakeSeed()
	return &Table{
		seed:  [2]uint64{maphash.String(seed, "high"), maphash.String(seed, "low") | 1},
		index: make([]uint32, 1<<10),
		max:   MaxLedgers,
	}
}

func (t *Table) hash(a netip.Addr) uint64 {
	b := a.As16()
	hi := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
	lo := uint64(b[8]) | uint64(b[9])<<8 | uint64(b[10])<<16 | uint64(b[11])<<24 | uint64(b[12])<<32 | uint64(b[13])<<40 | uint64(b[14])<<48 | uint64(b[15])<<56
	h, l := bits.Mul64(hi^t.seed[0], lo^t.seed[1])
	h, l = bits.Mul64(h^l^t.seed[1], 0x9e3779b97f4a7c15) // a second round: one product of near addresses still shows their nearness
	return h ^ l
}

func (t *Table) find(a netip.Addr) (slot uint64, found *ledger) {
	mask := uint64(len(t.index) - 1)
	for i := t.hash(a) & mask; ; i = (i + 1) & mask {
		n := t.index[i]
		if n == 0 {
			return i, nil
		}
		if l := &t.ledgers[n-1]; l.addr == a {
			return i, l
		}
	}
}

func (t *Table) ledger(a netip.Addr) *ledger {
	slot, l := t.find(a)
	if l != nil {
		return l
	}
	if len(t.ledgers) >= t.max {
		t.evict()
		slot, _ = t.find(a)
	} else if (len(t.ledgers)+1)*4 > len(t.index)*3 {
		t.rehash(len(t.index) * 2)
		slot, _ = t.find(a)
	}
	t.ledgers = append(t.ledgers, ledger{addr: a, login: -1})
	t.index[slot] = uint32(len(t.ledgers))
	return &t.ledgers[len(t.ledgers)-1]
}

func (t *Table) rehash(size int) {
	t.index = make([]uint32, size)
	mask := uint64(size - 1)
	for n := range t.ledgers {
		i := t.hash(t.ledgers[n].addr) & mask
		for t.index[i] != 0 {
			i = (i + 1) & mask
		}
		t.index[i] = uint32(n + 1)
	}
}

// evict gives up the quietest quarter or more, never an address with logins: a late attacker still finds room, and a
// heavy one stays.
func (t *Table) evict() {
	counts := make([]uint32, 0, len(t.ledgers))
	for i := range t.ledgers {
		counts = append(counts, t.ledgers[i].requests)
	}
	slices.Sort(counts)
	limit := counts[len(counts)/4]
	kept := t.ledgers[:0]
	for _, l := range t.ledgers {
		if l.requests > limit || l.login >= 0 {
			kept = append(kept, l)
		}
	}
	if len(kept) == len(t.ledgers) { // all alike: the youngest half goes
		kept = kept[:len(kept)/2]
	}
	t.evicted += uint64(len(t.ledgers) - len(kept))
	t.ledgers = kept
	t.rehash(len(t.index))
}

// Evicted tells how many ledgers were given up because the table was full.
func (t *Table) Evicted() uint64 { return t.evicted }

// Conn is not folded here: connections are counted by their own table and judged as a whole.
func (t *Table) Conn(*connwarden.Conn) {}

// Event is counted from the day that rules speak of events.
func (t *Table) Event(*connwarden.Event) {}

// Fault is told, not judged.
func (t *Table) Fault(*connwarden.Fault) {}

// Request folds one request. A request without a client is not folded.
func (t *Table) Request(r *connwarden.Request) {
	if !r.Client.IsValid() {
		return
	}
	l := t.ledger(r.Client)
	l.requests++
	if r.Size > 0 {
		l.bytes += uint64(r.Size)
	}
	if c := r.Status / 100; c <= 5 {
		l.byClass[c]++
	}
	var at int64
	if !r.Time.IsZero() {
		at = r.Time.Unix()
		if l.first == 0 || at < l.first {
			l.first = at
		}
		l.last = max(l.last, at)
	}
	if kind := loginPath(r); kind != noLogin {
		t.login(l, kind, r, at)
	}
}

// Merge adds the ledgers of o, which must not be used afterwards.
func (t *Table) Merge(o *Table) {
	t.evicted += o.evicted
	for i := range o.ledgers {
		from := &o.ledgers[i]
		to := t.ledger(from.addr)
		to.requests += from.requests
		to.bytes += from.bytes
		for c, n := range from.byClass {
			to.byClass[c] += n
		}
		if from.first != 0 && (to.first == 0 || from.first < to.first) {
			to.first = from.first
		}
		to.last = max(to.last, from.last)
		if from.login >= 0 {
			t.mergeLogin(to, &o.logins[from.login])
		}
	}
}

// Peer returns what is known of an address; zero counts if nothing is.
func (t *Table) Peer(a netip.Addr) Peer {
	_, l := t.find(a)
	if l == nil {
		return Peer{Addr: a}
	}
	return l.peer()
}

// Len is the number of addresses in the table.
func (t *Table) Len() int { return len(t.ledgers) }

// Busiest returns the n addresses with the most requests, most first.
func (t *Table) Busiest(n int) []Peer {
	order := make([]int32, len(t.ledgers))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		la, lb := &t.ledgers[a], &t.ledgers[b]
		if la.requests != lb.requests {
			return cmp.Compare(lb.requests, la.requests)
		}
		return la.addr.Compare(lb.addr)
	})
	peers := make([]Peer, 0, min(n, len(order)))
	for _, i := range order[:min(n, len(order))] {
		peers = append(peers, t.ledgers[i].peer())
	}
	return peers
}

func (l *ledger) peer() Peer {
	p := Peer{Addr: l.addr, Requests: uint64(l.requests), Bytes: l.bytes, First: moment(l.first), Last: moment(l.last)}
	for i, n := range l.byClass {
		p.ByClass[i] = uint64(n)
	}
	return p
}

func moment(sec int64) time.Time {
	if sec == 0 {
		return time.Time{}
	}
	return time.Unix(sec, 0).UTC()
}
