package tally

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"net/netip"

	"github.com/connwarden/connwarden"
)

// Conns counts connections. It is a [connwarden.Sink] that takes sockets and ignores all else.
//
// Every socket falls into a cell: its remote address, service port, state, direction, protocol and process. The table of
// cells is all that is kept, so memory follows the distinct cells and not the sockets, and each view ([Conns.By]) is a sum
// over cells. Tables of the same kind add up ([Conns.Merge]).
//
// The zero value counts; set Keep before the first connection. It is not safe for concurrent use. It keeps none of the
// bytes that it is given.
type Conns struct {
	// Keep is how many single connections are remembered for [ConnByConn], the first in the order of their keys. 0: none.
	Keep int
	// Place tells countries and autonomous systems. nil: none is known.
	Place Place

	cells   cellTable
	pending cellBatch
	total   uint64

	// names of what a cell holds only a number for; number 0 is "none".
	procs     []connwarden.Process
	procIndex map[connwarden.Process]uint32
	cut       []string
	cutIndex  map[string]uint32

	kept keptConns
}

// maxNames bounds processes and truncated addresses, each. A machine has some thousands of processes; text can claim any
// number, and past the bound they share one name.
const maxNames = 1 << 17

// otherNames is that name.
const otherNames = "(others)"

// cell is one distinct kind of connection and how many there are. It holds no pointer, so the collector never looks
// into the table.
type cell struct {
	addr  [16]byte // IPv4 as ::ffff:a.b.c.d; zero bytes and cutBit: addr[12:] is a number in Conns.cut; all zero: none
	proc  uint32   // a number in Conns.procs
	port  uint16
	meta  uint16 // state, direction, protocol, cutBit
	count uint64
}

const (
	metaStateBits = 4
	metaDirShift  = metaStateBits
	metaProtoBit  = 1 << (metaDirShift + 2)
	metaCutBit    = metaProtoBit << 1
	// metaNoneBit tells the address :: from none.
	metaNoneBit = metaCutBit << 1
)

func (c *cell) state() connwarden.State   { return connwarden.State(c.meta & (1<<metaStateBits - 1)) }
func (c *cell) dir() connwarden.Direction { return connwarden.Direction(c.meta >> metaDirShift & 3) }
func (c *cell) proto() connwarden.Proto {
	if c.meta&metaProtoBit != 0 {
		return connwarden.UDP
	}
	return connwarden.TCP
}

// Conn counts one socket. NEW_SYN_RECV counts as SYN_RECV.
func (t *Conns) Conn(c *connwarden.Conn) {
	state := c.State
	switch {
	case state == connwarden.StateNewSynRecv:
		state = connwarden.StateSynRecv
	case state >= connwarden.NumStates:
		state = connwarden.StateUnknown
	}
	k := cell{port: c.ServicePort(), meta: uint16(state) | uint16(c.Dir&3)<<metaDirShift}
	if c.Proto == connwarden.UDP {
		k.meta |= metaProtoBit
	}
	switch addr := c.Remote.Addr(); {
	case addr.IsValid():
		k.addr = addr.As16()
	case c.Truncated != "":
		k.meta |= metaCutBit
		binary.BigEndian.PutUint32(k.addr[12:], t.cutNumber(c.Truncated))
	default:
		k.meta |= metaNoneBit
	}
	if c.Process.PID != 0 || c.Process.Name != "" {
		k.proc = t.procNumber(c.Process)
	}
	k.count = 1
	if t.pending.push(&k) {
		t.settle()
	}
	t.total++
	if t.Keep > 0 {
		t.kept.offer(c, t.Keep)
	}
}

// Each calls f for each kind of connection with an address at its other end, in no order; kinds that differ in their
// process alone come one by one.
func (t *Conns) Each(f func(remote netip.Addr, state connwarden.State, dir connwarden.Direction, port uint16, count uint64)) {
	t.settle()
	for i := range t.cells.len() {
		c := t.cells.at(i)
		if a, _ := t.remote(c); a.IsValid() {
			f(a, c.state(), c.dir(), c.port, c.count)
		}
	}
}

// settle puts what is pending into the table.
func (t *Conns) settle() { t.cells.addBatch(&t.pending) }

// Request does nothing.
func (t *Conns) Request(*connwarden.Request) {}

// Event does nothing.
func (t *Conns) Event(*connwarden.Event) {}

// Fault does nothing.
func (t *Conns) Fault(*connwarden.Fault) {}

// Total returns how many connections were counted.
func (t *Conns) Total() uint64 { return t.total }

// Merge adds what o counted. What o says is not changed.
func (t *Conns) Merge(o *Conns) {
	o.settle()
	for i := range o.cells.len() {
		k := *o.cells.at(i)
		if k.proc != 0 {
			k.proc = t.procNumber(o.procs[k.proc])
		}
		if k.meta&metaCutBit != 0 {
			n := binary.BigEndian.Uint32(k.addr[12:])
			binary.BigEndian.PutUint32(k.addr[12:], t.cutNumber(o.cut[n]))
		}
		if t.pending.push(&k) {
			t.settle()
		}
	}
	t.total += o.total
	if t.Keep > 0 {
		t.kept.merge(&o.kept, t.Keep)
	}
}

func (t *Conns) procNumber(p connwarden.Process) uint32 {
	if n, ok := t.procIndex[p]; ok {
		return n
	}
	if t.procIndex == nil {
		t.procIndex = make(map[connwarden.Process]uint32)
		t.procs = append(t.procs, connwarden.Process{})
	}
	if len(t.procs) > maxNames {
		p = connwarden.Process{Name: otherNames}
		if n, ok := t.procIndex[p]; ok {
			return n
		}
	}
	n := uint32(len(t.procs))
	t.procs = append(t.procs, p)
	t.procIndex[p] = n
	return n
}

func (t *Conns) cutNumber(s string) uint32 {
	if n, ok := t.cutIndex[s]; ok {
		return n
	}
	if t.cutIndex == nil {
		t.cutIndex = make(map[string]uint32)
	}
	if len(t.cut) >= maxNames {
		s = otherNames
		if n, ok := t.cutIndex[s]; ok {
			return n
		}
	}
	n := uint32(len(t.cut))
	t.cut = append(t.cut, s)
	t.cutIndex[s] = n
	return n
}

// remote returns the address of a cell, or the invalid address and what to print instead.
func (t *Conns) remote(c *cell) (netip.Addr, string) {
	switch {
	case c.meta&metaCutBit != 0:
		return netip.Addr{}, t.cut[binary.BigEndian.Uint32(c.addr[12:])]
	case c.meta&metaNoneBit != 0:
		return netip.Addr{}, noRemote
	}
	return netip.AddrFrom16(c.addr).Unmap(), ""
}

// noRemote is the key of sockets without a remote end, which are listeners: as ss prints it.
const noRemote = "*"

// cellTable is an open-addressing index over cells that lie in chunks. Growing copies only the index, four bytes a slot:
// the cells stay where they are, so memory never holds the table twice.
type cellTable struct {
	chunks []*[chunkCells]cell
	n      int
	index  []uint32 // number of a cell plus one; 0 is empty
	seed   [2]uint64
	// touched keeps the compiler from dropping the reads that addBatch makes ahead of need.
	touched uint64
}

const (
	chunkShift = 11
	// chunkCells keeps what is allocated ahead to 64 KiB.
	chunkCells = 1 << chunkShift
	minIndex   = 1 << 8
)

func (t *cellTable) len() int       { return t.n }
func (t *cellTable) at(i int) *cell { return &t.chunks[i>>chunkShift][i&(chunkCells-1)] }

// cellBatchSize is how many cells are added together. One lookup misses the cache twice and waits both times; the misses of a
// batch are under way at once. More than some dozens gained nothing.
const cellBatchSize = 64

// cellBatch is cells on their way into a table.
type cellBatch struct {
	n     int
	cells [cellBatchSize]cell
	// at is filled by addBatch: the number of each cell.
	at [cellBatchSize]uint32
}

// push appends a cell and reports whether the batch is full, which must then be added before the next.
func (b *cellBatch) push(k *cell) bool {
	b.cells[b.n] = *k
	b.n++
	return b.n == cellBatchSize
}

// addBatch adds the counts of a batch's cells and empties it.
func (t *cellTable) addBatch(b *cellBatch) {
	// Three quarters full is where linear probing stays short.
	for t.n+b.n > len(t.index)/4*3 {
		t.grow(2 * len(t.index))
	}
	mask := uint64(len(t.index) - 1)
	var slots [cellBatchSize]uint64
	touched := uint64(0)
	for i := range b.n {
		slots[i] = t.hash(&b.cells[i]) & mask
		b.at[i] = t.index[slots[i]]
	}
	for i := range b.n {
		if n := b.at[i]; n != 0 {
			touched += t.at(int(n - 1)).count
		}
	}
	t.touched = touched
	for i := range b.n {
		b.at[i] = t.add(&b.cells[i], slots[i], mask)
	}
	b.n = 0
}

// add adds k's count to the cell with its key, looking from slot on, and returns that cell's number.
func (t *cellTable) add(k *cell, slot, mask uint64) uint32 {
	for ; ; slot = (slot + 1) & mask {
		i := t.index[slot]
		if i == 0 {
			if t.n&(chunkCells-1) == 0 {
				t.chunks = append(t.chunks, new([chunkCells]cell))
			}
			*t.at(t.n) = *k
			t.n++
			t.index[slot] = uint32(t.n)
			return uint32(t.n - 1)
		}
		c := t.at(int(i - 1))
		if c.addr == k.addr && c.proc == k.proc && c.port == k.port && c.meta == k.meta {
			c.count += k.count
			return i - 1
		}
	}
}

// grow makes the index of the given size, a power of two.
func (t *cellTable) grow(size int) {
	if t.index == nil {
		t.seed = newSeed()
	}
	t.index = make([]uint32, max(size, minIndex))
	mask := uint64(len(t.index) - 1)
	for i := range t.n {
		slot := t.hash(t.at(i)) & mask
		for t.index[slot] != 0 {
			slot = (slot + 1) & mask
		}
		t.index[slot] = uint32(i + 1)
	}
}

// newSeed draws what hashes begin with: peers choose their addresses and ports, and must not be able to choose slots.
func newSeed() [2]uint64 {
	return [2]uint64{maphash.Bytes(maphash.MakeSeed(), nil) | 1, maphash.Bytes(maphash.MakeSeed(), nil) | 1}
}

// hash mixes the key by multiplying its halves, each keyed by the seed, and folding the product (as wyhash does).
func (t *cellTable) hash(k *cell) uint64 {
	rest := uint64(k.proc)<<32 | uint64(k.port)<<16 | uint64(k.meta)
	return mix(mix(binary.LittleEndian.Uint64(k.addr[:])^t.seed[0], binary.LittleEndian.Uint64(k.addr[8:])^t.seed[1]), rest^t.seed[1])
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
