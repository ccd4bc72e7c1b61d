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
	"github.com/connwarden/connwarden/rules"
)

// MaxLedgers bounds a table. At 96 bytes a ledger and 8 bytes of index it is 25 MB, so that two workers and their
// counts of paths stay below 120 MB; beyond it the quietest addresses are given up, and [Table.Evicted] says how many.
const MaxLedgers = 1 << 18

// Peer is what was counted of one address, or of one IPv6 /64, if that does not stand for addresses of IPv4.
type Peer struct {
	Addr        netip.Addr // of a /64 the lowest of its addresses that was seen
	Requests    uint64
	Bytes       uint64
	ByClass     [6]uint64 // 0: no status, 1 to 5: 1xx to 5xx
	First, Last time.Time // of its requests; zero when the log has no times
	Claim       uint16    // what its agent claims to be, by Options.Claim; 0: nothing
	Proxied     bool      // each of its requests came through a trusted proxy
	Dressed     bool      // it asked for a picture, a style, a font or a script of pages
}

// ledger is the compact form of a Peer. Times are Unix seconds, 0 when there is none; they last until 2106.
type ledger struct {
	addr        [16]byte // IPv4 as ::ffff:a.b.c.d
	requests    uint32
	cell        int32 // the first of its cells, -1: none
	bytes       uint64
	first, last uint32
	byClass     [6]uint32
	minute      uint32 // the one that it is in
	all         peak   // of all requests
	named       peak   // of those that may fit a broad rule that names something and asks for many
	few         slide  // and for few
	claim       uint16
	hits        uint16 // requests that fit any rule by address which waits for the second look
	least       uint16 // the least count of these rules; 0: none
	direct      bool   // a request came from it without a proxy between
	dressed     bool   // it asked for what pages are made of
}

// peak is the busiest minute.
type peak struct {
	within uint16 // requests in the minute that it is in
	most   uint16 // most in any minute of the log in hand
	before uint16 // the sum of the most of the logs before, and of merged ledgers: in any minute there were no more than both
}

// slide is the busiest minute, and the busiest slideMinutes in a row, of rules that ask for few. Its counts stay at 255, which is more than such
// rules ask for.
type slide struct {
	recent             uint32 // a byte for each of the minutes before, the lowest for the one that it is in
	most, before       uint8  // as of a peak
	mostRow, beforeRow uint8
}

const slideMinutes = 4

// chunk is how many ledgers are taken at a time: growing copies no ledger and wastes at most 96 KiB.
const chunk = 1 << 10

// ledgers are the ledgers of a table, by address.
type ledgers struct {
	index  []uint32 // open addressing: bits of the hash, and the number of the ledger plus one
	chunks [][]ledger
	n      int
	max    int
}

func newLedgers(most int) ledgers { return ledgers{index: make([]uint32, 1<<10), max: most} }

func (t *ledgers) at(i int) *ledger { return &t.chunks[i/chunk][i%chunk] }

// hashSeed is one for all tables: they are merged.
var hashSeed = func() [2]uint64 {
	seed := maphash.MakeSeed()
	return [2]uint64{maphash.String(seed, "high"), maphash.String(seed, "low") | 1}
}()

// keyOf is the part of an address that a ledger is kept by: an IPv4 address whole, also one that is translated, of IPv6 the /64.
func keyOf(a *[16]byte) (hi, lo uint64) {
	hi, lo = binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])
	if (hi != 0 || lo>>32 != 0xffff) && !connwarden.Translated(hi) {
		lo = 0
	}
	return hi, lo
}

func hashOf(hi, lo uint64) uint64 {
	h, l := bits.Mul64(hi^hashSeed[0], lo^hashSeed[1])
	h, l = bits.Mul64(h^l^hashSeed[1], 0x9e3779b97f4a7c15) // a second round: one product of near addresses still shows their nearness
	return h ^ l
}

// The number of a ledger takes numberBits of its place in the index, twice MaxLedgers while tables are merged. The upper bits are
// those of its hash, so that who looks for another address need not wait for the ledger to see that it is not his.
const (
	numberBits = 20
	numberMask = 1<<numberBits - 1
)

// tag is what the index keeps of a hash. What chooses the place are its lowest bits.
func tag(hash uint64) uint32 { return uint32(hash>>32) &^ numberMask }

func (t *ledgers) find(a *[16]byte) (slot uint64, found *ledger) {
	hi, lo := keyOf(a)
	h := hashOf(hi, lo)
	mask := uint64(len(t.index) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		n := t.index[i]
		if n == 0 {
			return i, nil
		}
		if n&^numberMask != tag(h) {
			continue
		}
		l := t.at(int(n&numberMask - 1))
		if high, low := keyOf(&l.addr); high == hi && low == lo {
			return i, l
		}
	}
}

// likely is the number, plus one, of the ledger that a hash most probably leads to; 0 when there is none.
func (t *ledgers) likely(h uint64) uint32 {
	mask := uint64(len(t.index) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		if n := t.index[i]; n == 0 || n&^numberMask == tag(h) {
			return n & numberMask
		}
	}
}

// put lets a free place of the index lead to a ledger.
func (t *ledgers) put(slot uint64, a *[16]byte, n int) {
	t.index[slot] = tag(hashOf(keyOf(a))) | uint32(n+1)
}

// full tells whether another address needs room that is not there.
func (t *ledgers) full() bool { return t.n >= t.max }

// add puts an address in that is not there. slot is what find said.
func (t *ledgers) add(a *[16]byte, slot uint64) *ledger {
	if (t.n+1)*4 > len(t.index)*3 {
		t.rehash(len(t.index) * 2)
		slot, _ = t.find(a)
	}
	if t.n == len(t.chunks)*chunk {
		t.chunks = append(t.chunks, make([]ledger, chunk))
	}
	l := t.at(t.n)
	*l = ledger{addr: *a, cell: -1}
	t.put(slot, a, t.n)
	t.n++
	return l
}

func (t *ledgers) rehash(size int) {
	if size == len(t.index) {
		clear(t.index)
	} else {
		t.index = written(make([]uint32, size))
	}
	mask := uint64(size - 1)
	for n := range t.n {
		a := &t.at(n).addr
		i := hashOf(keyOf(a)) & mask
		for t.index[i] != 0 {
			i = (i + 1) & mask
		}
		t.put(i, a, n)
	}
}

// written writes to new memory. Linux backs a page that is read first with one of zeros for all, and must take that back from every processor when
// it is written to.
func written[T any](list []T) []T {
	clear(list)
	return list
}

// quietest returns the number of requests up to which a quarter of the ledgers go.
func (t *ledgers) quietest() uint32 {
	var few [1 << 10]int // in a flood, which is when this is asked often, nearly all made fewer requests
	for i := range t.n {
		if n := t.at(i).requests; n < uint32(len(few)) {
			few[n]++
		}
	}
	rank := t.n / 4
	for n, many := range few {
		if rank < many {
			return uint32(n)
		}
		rank -= many
	}
	counts := make([]uint32, t.n)
	for i := range counts {
		counts[i] = t.at(i).requests
	}
	slices.Sort(counts)
	return counts[len(counts)/4]
}

// keep drops the ledgers that fail.
func (t *ledgers) keep(stays func(*ledger) bool) (dropped int) {
	kept := 0
	for i := range t.n {
		if l := t.at(i); stays(l) {
			*t.at(kept) = *l
			kept++
		}
	}
	dropped = t.n - kept
	t.n = kept
	t.rehash(len(t.index))
	return dropped
}

// busiest returns the n ledgers with the most requests, of those that fit, most first; nil: all fit.
func (t *ledgers) busiest(n int, fits func(*ledger) bool) []Peer {
	before := func(a, b int32) int {
		la, lb := t.at(int(a)), t.at(int(b))
		if la.requests != lb.requests {
			return cmp.Compare(lb.requests, la.requests)
		}
		return la.ip().Compare(lb.ip())
	}
	// Of many the first are kept sorted twice as long as wanted, and cut when that is full: sorting all takes a hundred times
	// as long.
	order := make([]int32, 0, min(2*n, t.n))
	bar := uint32(0) // of the last that stays
	for i := range t.n {
		if l := t.at(i); l.requests < bar || fits != nil && !fits(l) {
			continue
		}
		if len(order) == cap(order) && len(order) > n {
			slices.SortFunc(order, before)
			order = order[:n]
			if n > 0 {
				bar = t.at(int(order[n-1])).requests
			}
		}
		order = append(order, int32(i))
	}
	slices.SortFunc(order, before)
	peers := make([]Peer, 0, min(n, len(order)))
	for _, i := range order[:min(n, len(order))] {
		peers = append(peers, t.at(int(i)).peer())
	}
	return peers
}

// those returns the ledgers that fit, those with the most requests first.
func (t *ledgers) those(fits func(*ledger) bool) []Peer {
	var list []Peer
	for i := range t.n {
		if l := t.at(i); fits(l) {
			list = append(list, l.peer())
		}
	}
	slices.SortFunc(list, func(a, b Peer) int { return cmp.Or(cmp.Compare(b.Requests, a.Requests), a.Addr.Compare(b.Addr)) })
	return list
}

func (l *ledger) ip() netip.Addr { return netip.AddrFrom16(l.addr).Unmap() }

// request adds one request.
func (l *ledger) request(w *waiting) {
	l.requests++
	if w.size > 0 {
		l.bytes += uint64(w.size)
	}
	if w.class <= 5 {
		l.byClass[w.class]++
	}
	l.seen(w.at)
	l.claim = max(l.claim, w.claim)
	l.direct = l.direct || !w.via
	l.dressed = l.dressed || w.dresses
	switch m := w.at / 60; {
	case m > l.minute:
		l.few.pass(m - l.minute)
		l.minute, l.all.within, l.named.within = m, 0, 0
	case m+1 < l.minute: // another log begins; a line that is late by less counts in the minute that is
		l.minute = m
		l.all.begin()
		l.named.begin()
		l.few.begin()
	}
	l.all.add()
	if w.busy.Many {
		l.named.add()
	}
	if w.busy.Few {
		l.few.add()
	}
	if w.least > 0 {
		l.hit(1, w.least)
	}
}

// hit adds requests that fit rules by address, the least of whose counts is given.
func (l *ledger) hit(n, least uint16) {
	l.hits = sum16(l.hits, n)
	if l.least == 0 || least < l.least {
		l.least = least
	}
}

// suspect tells whether a rule by address that waits for the second look may be met.
func (l *ledger) suspect() bool { return l.least > 0 && l.hits >= l.least }

func (p *peak) add() {
	p.within = sum16(p.within, 1)
	p.most = max(p.most, p.within)
}

// begin begins another log.
func (p *peak) begin() { *p = peak{before: p.sum()} }

// sum is no less than what came in any minute.
func (p *peak) sum() uint16 { return sum16(p.before, p.most) }

func (p *peak) merge(o *peak) { p.before = sum16(p.before, o.sum()) }

// pass lets minutes pass.
func (s *slide) pass(minutes uint32) { s.recent <<= 8 * min(minutes, slideMinutes) }

func (s *slide) add() {
	if s.recent&0xff < 0xff {
		s.recent++
	}
	s.most = max(s.most, uint8(s.recent))
	row := s.recent>>24 + s.recent>>16&0xff + s.recent>>8&0xff + s.recent&0xff
	s.mostRow = uint8(min(max(row, uint32(s.mostRow)), math.MaxUint8))
}

// begin begins another log.
func (s *slide) begin() { *s = slide{before: s.sum(), beforeRow: s.sumRow()} }

// sum is no less than what came in any minute, and sumRow in any row of them.
func (s *slide) sum() uint8    { return sum8(s.before, s.most) }
func (s *slide) sumRow() uint8 { return sum8(s.beforeRow, s.mostRow) }

func (s *slide) merge(o *slide) {
	s.before, s.beforeRow = sum8(s.before, o.sum()), sum8(s.beforeRow, o.sumRow())
}

func sum8(a, b uint8) uint8 { return uint8(min(uint32(a)+uint32(b), math.MaxUint8)) }

// busiest is the busiest minute of the logs.
type busiest struct {
	minute uint32 // the one that it is in
	peak
}

// add counts a request at a moment, and tells the most that came in any minute.
func (b *busiest) add(at uint32) uint16 {
	switch m := at / 60; {
	case m > b.minute:
		b.minute, b.within = m, 0
	case m+1 < b.minute: // another log begins; a line that is late by less counts in the minute that is
		b.minute = m
		b.begin()
	}
	b.peak.add()
	return b.sum()
}

// sum16 adds and stays at the highest number.
func sum16(a, b uint16) uint16 { return uint16(min(uint32(a)+uint32(b), math.MaxUint16)) }

// most is no less than the requests in any window of a broad rule that may fit it.
func (l *ledger) most(r *rules.Rule) uint64 {
	peak, full := uint64(l.all.sum()), uint64(math.MaxUint16)
	switch {
	case r.Few():
		peak, full = uint64(l.few.sum()), math.MaxUint8
	case r.Where != "":
		peak = uint64(l.named.sum())
	}
	if r.Within == 0 || peak == full {
		return uint64(l.requests)
	}
	return min(uint64(l.requests), peak*r.Minutes())
}

// mostEver is the same of logs that were read to their end, and where it can be it is less: what comes in a row of minutes is seldom as much as the
// busiest of them would bring in each. A line that is late may count a minute later than it says.
func (l *ledger) mostEver(r *rules.Rule) uint64 {
	most := l.most(r)
	if row := l.few.sumRow(); r.Few() && r.Within > 0 && row < math.MaxUint8 {
		return min(most, uint64(row)*((r.Minutes()+slideMinutes)/slideMinutes))
	}
	return most
}

func (l *ledger) seen(at uint32) {
	if at != 0 {
		if l.first == 0 || at < l.first {
			l.first = at
		}
		l.last = max(l.last, at)
	}
}

// merge adds another ledger of the same key.
func (l *ledger) merge(o *ledger) {
	if netip.AddrFrom16(o.addr).Less(netip.AddrFrom16(l.addr)) {
		l.addr = o.addr
	}
	l.requests += o.requests
	l.bytes += o.bytes
	for c, n := range o.byClass {
		l.byClass[c] += n
	}
	l.seen(o.first)
	l.last = max(l.last, o.last)
	l.claim = max(l.claim, o.claim)
	l.direct = l.direct || o.direct
	l.dressed = l.dressed || o.dressed
	l.all.merge(&o.all)
	l.named.merge(&o.named)
	l.few.merge(&o.few)
	if o.least > 0 {
		l.hit(o.hits, o.least)
	}
}

func (l *ledger) peer() Peer {
	p := Peer{
		Addr: l.ip(), Requests: uint64(l.requests), Bytes: l.bytes, First: moment(int64(l.first)), Last: moment(int64(l.last)), Claim: l.claim,
		Proxied: l.requests > 0 && !l.direct, Dressed: l.dressed,
	}
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
