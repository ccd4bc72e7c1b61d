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
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// MaxLedgers bounds a table. At 64 bytes a ledger and 8 bytes of index it is 19 MB, so that two workers and their
// counts of paths stay below 120 MB; beyond it the quietest addresses are given up, and [Table.Evicted] says how many.
const MaxLedgers = 1 << 18

// Peer is what was counted of one address.
type Peer struct {
	Addr        netip.Addr
	Requests    uint64
	Bytes       uint64
	ByClass     [6]uint64 // 0: no status, 1 to 5: 1xx to 5xx
	First, Last time.Time // of its requests; zero when the log has no times
}

// ledger is the compact form of a Peer. Times are Unix seconds, 0 when there is none; they last until 2106.
type ledger struct {
	addr        [16]byte // IPv4 as ::ffff:a.b.c.d
	requests    uint32
	login       int32 // index into logins, -1: none
	bytes       uint64
	first, last uint32
	byClass     [6]uint32
}

// chunk is how many ledgers are taken at a time: growing copies no ledger and wastes at most 256 KiB.
const chunk = 1 << 12

// Table holds the ledgers of one reader of logs. It is a [connwarden.Sink].
type Table struct {
	seed    [2]uint64
	index   []uint32 // open addressing: number of the ledger plus one
	chunks  [][]ledger
	n       int
	logins  []login
	evicted uint64
	max     int
}

func (t *Table) at(i int) *ledger { return &t.chunks[i/chunk][i%chunk] }

// New returns an empty table.
func New() *Table {
	seed := maphash.MakeSeed()
	return &Table{
		seed:  [2]uint64{maphash.String(seed, "high"), maphash.String(seed, "low") | 1},
		index: make([]uint32, 1<<10),
		max:   MaxLedgers,
	}
}

func (t *Table) hash(a *[16]byte) uint64 {
	hi, lo := binary.LittleEndian.Uint64(a[:8]), binary.LittleEndian.Uint64(a[8:])
	h, l := bits.Mul64(hi^t.seed[0], lo^t.seed[1])
	h, l = bits.Mul64(h^l^t.seed[1], 0x9e3779b97f4a7c15) // a second round: one product of near addresses still shows their nearness
	return h ^ l
}

func (t *Table) find(a *[16]byte) (slot uint64, found *ledger) {
	mask := uint64(len(t.index) - 1)
	for i := t.hash(a) & mask; ; i = (i + 1) & mask {
		n := t.index[i]
		if n == 0 {
			return i, nil
		}
		if l := t.at(int(n - 1)); l.addr == *a {
			return i, l
		}
	}
}

func (t *Table) ledger(a *[16]byte) *ledger {
	slot, l := t.find(a)
	if l != nil {
		return l
	}
	if t.n >= t.max {
		t.evict()
		slot, _ = t.find(a)
	} else if (t.n+1)*4 > len(t.index)*3 {
		t.rehash(len(t.index) * 2)
		slot, _ = t.find(a)
	}
	if t.n == len(t.chunks)*chunk {
		t.chunks = append(t.chunks, make([]ledger, chunk))
	}
	l = t.at(t.n)
	*l = ledger{addr: *a, login: -1}
	t.n++
	t.index[slot] = uint32(t.n)
	return l
}

func (t *Table) rehash(size int) {
	t.index = make([]uint32, size)
	mask := uint64(size - 1)
	for n := range t.n {
		i := t.hash(&t.at(n).addr) & mask
		for t.index[i] != 0 {
			i = (i + 1) & mask
		}
		t.index[i] = uint32(n + 1)
	}
}

// evict gives up the quietest quarter or more, never an address with logins: a late attacker still finds room, and a
// heavy one stays.
func (t *Table) evict() {
	counts := make([]uint32, t.n)
	for i := range counts {
		counts[i] = t.at(i).requests
	}
	slices.Sort(counts)
	limit := counts[len(counts)/4]
	kept := 0
	for i := range t.n {
		if l := t.at(i); l.requests > limit || l.login >= 0 {
			*t.at(kept) = *l
			kept++
		}
	}
	if kept == t.n { // every one has logins: the youngest half goes
		kept /= 2
	}
	t.evicted += uint64(t.n - kept)
	t.n = kept
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
	addr := r.Client.As16()
	l := t.ledger(&addr)
	l.requests++
	if r.Size > 0 {
		l.bytes += uint64(r.Size)
	}
	if c := r.Status / 100; c <= 5 {
		l.byClass[c]++
	}
	at := seconds(r.Time)
	if at != 0 {
		if l.first == 0 || at < l.first {
			l.first = at
		}
		l.last = max(l.last, at)
	}
	if kind := loginPath(r); kind != noLogin {
		t.login(l, kind, r, int64(at))
	}
}

// seconds is a time as ledgers keep it; what they cannot keep is none.
func seconds(t time.Time) uint32 {
	if n := t.Unix(); n > 0 && n <= math.MaxUint32 {
		return uint32(n)
	}
	return 0
}

// Merge adds the ledgers of o, which must not be used afterwards.
func (t *Table) Merge(o *Table) {
	t.evicted += o.evicted
	for i := range o.n {
		from := o.at(i)
		to := t.ledger(&from.addr)
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
	addr := a.As16()
	_, l := t.find(&addr)
	if l == nil {
		return Peer{Addr: a}
	}
	return l.peer()
}

// Len is the number of addresses in the table.
func (t *Table) Len() int { return t.n }

// Busiest returns the n addresses with the most requests, most first.
func (t *Table) Busiest(n int) []Peer {
	order := make([]int32, t.n)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		la, lb := t.at(int(a)), t.at(int(b))
		if la.requests != lb.requests {
			return cmp.Compare(lb.requests, la.requests)
		}
		return la.ip().Compare(lb.ip())
	})
	peers := make([]Peer, 0, min(n, len(order)))
	for _, i := range order[:min(n, len(order))] {
		peers = append(peers, t.at(int(i)).peer())
	}
	return peers
}

func (l *ledger) ip() netip.Addr { return netip.AddrFrom16(l.addr).Unmap() }

func (l *ledger) peer() Peer {
	p := Peer{Addr: l.ip(), Requests: uint64(l.requests), Bytes: l.bytes, First: moment(int64(l.first)), Last: moment(int64(l.last))}
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
