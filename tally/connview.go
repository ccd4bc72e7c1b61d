package tally

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"github.com/connwarden/connwarden"
)

// ConnView is what was counted, seen by one key. It owns all it holds.
type ConnView struct {
	Total    uint64                       // connections
	Distinct int                          // rows there would be without a limit
	States   [connwarden.NumStates]uint64 // of all connections
	// Rows are the worst first: by count, then by key (addresses and ports as numbers, words as text).
	Rows []ConnRow
	// RestRows and RestCount are the rows left out and the connections in them.
	RestRows  int
	RestCount uint64
}

// ConnRow is one key's share.
type ConnRow struct {
	Key string // as CLI.md prints it; hostile for processes and truncated addresses
	// Addr is set by address, Prefix by address (the whole of it) and by net. Both are invalid for a truncated address, whose Key
	// is what was printed, and for listeners, whose Key is "*".
	Addr   netip.Addr
	Prefix netip.Prefix
	// Proto, Dir and Port are set by port.
	Proto connwarden.Proto
	Dir   connwarden.Direction
	Port  uint16
	// State is set by state.
	State connwarden.State
	// Process is set by process: its PID and Unit only if they are the same in all of the row. Key is "-" for sockets that
	// nobody holds, or nobody who could be seen.
	Process connwarden.Process
	// Conn is set by connection.
	Conn *connwarden.Conn

	Count, In, Out uint64 // a direction that is unknown is in neither In nor Out
	States         [connwarden.NumStates]uint64
	Ports          []PortCount // service ports, worst first, then by number
	// Processes are by name, worst first, then by name; hostile. None where nobody was asked who holds the sockets.
	Processes []ProcessCount
}

// ProcessCount is how many connections the processes of one name hold.
type ProcessCount struct {
	Name  string
	Count uint64
}

// PortCount is how many connections are about one service port. The same number may stand once for each protocol and
// direction.
type PortCount struct {
	Port  uint16
	Proto connwarden.Proto
	Dir   connwarden.Direction
	Count uint64
}

// noProcess is the key of sockets without a known process.
const noProcess = "-"

// By returns the top rows by a key; all of them if top is not positive. By connection there are at most t.Keep.
func (t *Conns) By(key ConnKey, top int) ConnView {
	t.settle()
	v := ConnView{Total: t.total}
	if key == ConnByConn {
		for i := range t.cells.len() {
			c := t.cells.at(i)
			v.States[c.state()] += c.count
		}
		t.byConn(&v, top)
		return v
	}

	g := grouping{t: t, key: key}
	if key == ConnByProcess {
		g.names = t.sameNames()
	}
	var groups cellTable
	groups.grow(len(t.cells.index)) // there are no more groups than cells
	groupOf := make([]uint32, t.cells.len())
	var b cellBatch
	done := 0
	settle := func() {
		n := b.n
		groups.addBatch(&b)
		done += copy(groupOf[done:], b.at[:n])
	}
	for i := range t.cells.len() {
		c := t.cells.at(i)
		v.States[c.state()] += c.count
		k := g.group(c)
		k.count = c.count
		if b.push(&k) {
			settle()
		}
	}
	settle()
	v.Distinct = groups.len()
	chosen := topGroups(&groups, top, g.compare)

	// The second pass looks only for the rows chosen, so that what a row holds beside its count costs nothing for the
	// others.
	v.Rows = make([]ConnRow, len(chosen))
	rowOf := make([]int32, groups.len()) // row plus one
	for r, n := range chosen {
		rowOf[n] = int32(r + 1)
		g.name(groups.at(int(n)), &v.Rows[r])
	}
	for i, n := range groupOf {
		if r := rowOf[n]; r != 0 {
			g.fill(&v.Rows[r-1], t.cells.at(i))
		}
	}
	shown := uint64(0)
	for i := range v.Rows {
		v.Rows[i].Ports = mergePorts(v.Rows[i].Ports)
		v.Rows[i].Processes = mergeProcesses(v.Rows[i].Processes)
		shown += v.Rows[i].Count
	}
	v.RestRows, v.RestCount = v.Distinct-len(v.Rows), v.Total-shown
	return v
}

// byConn fills a view with single connections.
func (t *Conns) byConn(v *ConnView, top int) {
	v.Distinct = int(t.total)
	list := t.kept.sorted()
	if top > 0 && len(list) > top {
		list = list[:top]
	}
	v.Rows = make([]ConnRow, len(list))
	for i := range list {
		c, r := &list[i], &v.Rows[i]
		r.Conn = c
		r.Key = connKeyText(c)
		r.Addr, r.Proto, r.Dir, r.Port, r.State, r.Process = c.Remote.Addr(), c.Proto, c.Dir, c.ServicePort(), c.State, c.Process
		r.Count = 1
		switch c.Dir {
		case connwarden.DirIn:
			r.In = 1
		case connwarden.DirOut:
			r.Out = 1
		}
		r.States[c.State] = 1
		r.Ports = []PortCount{{Port: r.Port, Proto: c.Proto, Dir: c.Dir, Count: 1}}
	}
	v.RestRows = v.Distinct - len(v.Rows)
	v.RestCount = v.Total - uint64(len(v.Rows))
}

// connKeyText is the key of one connection: the remote end, then ours.
func connKeyText(c *connwarden.Conn) string {
	remote := noRemote
	switch {
	case c.Remote.IsValid():
		remote = c.Remote.String()
	case c.Truncated != "":
		remote = c.Truncated + ":" + strconv.Itoa(int(c.Remote.Port()))
	}
	return remote + " " + c.Local.String()
}

// grouping maps cells to the groups of one key. A group is a cell of which only the key's own fields are set.
type grouping struct {
	t     *Conns
	key   ConnKey
	names []uint32 // by process: the first number with the same name
	// By country and autonomous system: what they are called, and the number of each.
	places  []string
	placeOf map[string]uint32
}

// place is the number of the country or autonomous system of a cell.
func (g *grouping) place(c *cell) uint32 {
	addr, _ := g.t.remote(c)
	text := g.t.Place.country(addr)
	if g.key == ConnByASN {
		text = g.t.Place.asn(addr)
	}
	n, ok := g.placeOf[text]
	if !ok {
		if g.placeOf == nil {
			g.placeOf = map[string]uint32{}
		}
		n = uint32(len(g.places))
		g.places = append(g.places, text)
		g.placeOf[text] = n
	}
	return n
}

func (g *grouping) group(c *cell) cell {
	switch g.key {
	case ConnByIP:
		return cell{addr: c.addr, meta: c.meta & (metaCutBit | metaNoneBit)}
	case ConnByNet:
		k := cell{addr: c.addr, meta: c.meta & (metaCutBit | metaNoneBit)}
		switch {
		case k.meta != 0:
		case netip.AddrFrom16(c.addr).Is4In6():
			k.addr[15] = 0 // /24
		default:
			clear(k.addr[8:]) // /64
		}
		return k
	case ConnByPort:
		return cell{port: c.port, meta: c.meta & (3<<metaDirShift | metaProtoBit)}
	case ConnByState:
		return cell{meta: c.meta & (1<<metaStateBits - 1)}
	case ConnByCountry, ConnByASN:
		return cell{proc: g.place(c)}
	default:
		if c.proc == 0 {
			return cell{}
		}
		return cell{proc: g.names[c.proc]}
	}
}

// sameNames maps each process to the first one with its name.
func (t *Conns) sameNames() []uint32 {
	first := make(map[string]uint32)
	same := make([]uint32, len(t.procs))
	for i, p := range t.procs {
		n, ok := first[p.Name]
		if !ok {
			n = uint32(i)
			first[p.Name] = n
		}
		same[i] = n
	}
	return same
}

// name sets what a group's row is called.
func (g *grouping) name(k *cell, r *ConnRow) {
	switch g.key {
	case ConnByIP, ConnByNet:
		addr, text := g.t.remote(k)
		if !addr.IsValid() {
			r.Key = text
			return
		}
		bits := addr.BitLen()
		if g.key == ConnByNet {
			bits = 64
			if addr.Is4() {
				bits = 24
			}
		} else {
			r.Addr = addr
		}
		r.Prefix = netip.PrefixFrom(addr, bits)
		r.Key = addr.String()
		if g.key == ConnByNet {
			r.Key = r.Prefix.String()
		}
	case ConnByPort:
		r.Port, r.Proto, r.Dir = k.port, k.proto(), k.dir()
		r.Key = strconv.Itoa(int(k.port))
	case ConnByState:
		r.State = k.state()
		r.Key = r.State.String()
	case ConnByCountry, ConnByASN:
		r.Key = g.places[k.proc]
	default:
		if k.proc == 0 {
			r.Key = noProcess
			return
		}
		r.Process = g.t.procs[k.proc]
		r.Key = r.Process.Name
	}
}

// compare orders two groups by key.
func (g *grouping) compare(a, b *cell) int {
	switch g.key {
	case ConnByIP, ConnByNet:
		addrA, textA := g.t.remote(a)
		addrB, textB := g.t.remote(b)
		if addrA.IsValid() != addrB.IsValid() {
			if addrA.IsValid() {
				return -1
			}
			return 1
		}
		return cmp.Or(addrA.Compare(addrB), cmp.Compare(textA, textB))
	case ConnByPort:
		return cmp.Or(cmp.Compare(a.port, b.port), cmp.Compare(a.meta, b.meta))
	case ConnByState:
		return cmp.Compare(a.state().String(), b.state().String())
	case ConnByCountry, ConnByASN:
		return cmp.Compare(g.places[a.proc], g.places[b.proc])
	default:
		return cmp.Compare(g.processName(a), g.processName(b))
	}
}

func (g *grouping) processName(k *cell) string {
	if k.proc == 0 {
		return noProcess
	}
	return g.t.procs[k.proc].Name
}

// fill adds a cell to its row.
func (g *grouping) fill(r *ConnRow, c *cell) {
	r.Count += c.count
	switch c.dir() {
	case connwarden.DirIn:
		r.In += c.count
	case connwarden.DirOut:
		r.Out += c.count
	}
	r.States[c.state()] += c.count
	r.addPort(PortCount{c.port, c.proto(), c.dir(), c.count})
	if c.proc != 0 {
		r.Processes = append(r.Processes, ProcessCount{g.t.procs[c.proc].Name, c.count})
	}
	if g.key == ConnByProcess && c.proc != 0 {
		p := &g.t.procs[c.proc]
		if r.Process.PID != p.PID {
			r.Process.PID = 0
		}
		if r.Process.Unit != p.Unit {
			r.Process.Unit = ""
		}
	}
}

// addPort adds to the row's ports. Most rows have few, which are found at once; mergePorts adds up the others.
func (r *ConnRow) addPort(p PortCount) {
	const few = 8
	for i := range min(len(r.Ports), few) {
		if q := &r.Ports[i]; q.Port == p.Port && q.Proto == p.Proto && q.Dir == p.Dir {
			q.Count += p.Count
			return
		}
	}
	r.Ports = append(r.Ports, p)
}

// mergeProcesses adds up equal names and sorts them.
func mergeProcesses(list []ProcessCount) []ProcessCount {
	slices.SortFunc(list, func(a, b ProcessCount) int { return cmp.Compare(a.Name, b.Name) })
	n := 0
	for _, p := range list {
		if n > 0 && list[n-1].Name == p.Name {
			list[n-1].Count += p.Count
			continue
		}
		list[n] = p
		n++
	}
	slices.SortStableFunc(list[:n], func(a, b ProcessCount) int { return cmp.Compare(b.Count, a.Count) })
	return list[:n]
}

// mergePorts adds up equal ports and sorts them.
func mergePorts(list []PortCount) []PortCount {
	slices.SortFunc(list, comparePorts)
	n := 0
	for _, p := range list {
		if n > 0 && comparePorts(list[n-1], p) == 0 {
			list[n-1].Count += p.Count
			continue
		}
		list[n] = p
		n++
	}
	list = list[:n:n]
	slices.SortFunc(list, func(a, b PortCount) int { return cmp.Or(cmp.Compare(b.Count, a.Count), comparePorts(a, b)) })
	return list
}

func comparePorts(a, b PortCount) int {
	return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Dir, b.Dir))
}

// topGroups returns the numbers of the top groups, worst first.
func topGroups(groups *cellTable, top int, compare func(a, b *cell) int) []uint32 {
	worse := func(a, b uint32) int {
		ca, cb := groups.at(int(a)), groups.at(int(b))
		return cmp.Or(cmp.Compare(cb.count, ca.count), compare(ca, cb))
	}
	if top <= 0 || top > groups.len() {
		top = groups.len()
	}
	// The least of those chosen is at the root, where a worse one takes its place.
	chosen := make([]uint32, 0, top)
	for i := range groups.len() {
		n := uint32(i)
		switch {
		case len(chosen) < top:
			chosen = append(chosen, n)
			if len(chosen) == top && top < groups.len() {
				for at := top/2 - 1; at >= 0; at-- {
					siftDown(chosen, at, worse)
				}
			}
		case worse(n, chosen[0]) < 0:
			chosen[0] = n
			siftDown(chosen, 0, worse)
		}
	}
	slices.SortFunc(chosen, worse)
	return chosen
}

// siftDown restores a heap whose greatest element, by compare, is at its root.
func siftDown[T any](heap []T, at int, compare func(a, b T) int) {
	for {
		child := 2*at + 1
		if child >= len(heap) {
			return
		}
		if child+1 < len(heap) && compare(heap[child+1], heap[child]) > 0 {
			child++
		}
		if compare(heap[child], heap[at]) <= 0 {
			return
		}
		heap[at], heap[child] = heap[child], heap[at]
		at = child
	}
}

// keptConns remembers the first connections in the order of their keys: a heap with the last of them at its root.
type keptConns struct{ heap []connwarden.Conn }

func (k *keptConns) offer(c *connwarden.Conn, keep int) {
	if len(k.heap) < keep {
		k.heap = append(k.heap, *c)
		for at := len(k.heap) - 1; at > 0; {
			parent := (at - 1) / 2
			if compareConns(&k.heap[at], &k.heap[parent]) <= 0 {
				break
			}
			k.heap[at], k.heap[parent] = k.heap[parent], k.heap[at]
			at = parent
		}
		return
	}
	if compareConns(c, &k.heap[0]) >= 0 {
		return
	}
	k.heap[0] = *c
	siftDown(k.heap, 0, func(a, b connwarden.Conn) int { return compareConns(&a, &b) })
}

func (k *keptConns) merge(o *keptConns, keep int) {
	for i := range o.heap {
		k.offer(&o.heap[i], keep)
	}
}

func (k *keptConns) sorted() []connwarden.Conn {
	list := slices.Clone(k.heap)
	slices.SortFunc(list, func(a, b connwarden.Conn) int { return compareConns(&a, &b) })
	return list
}

// compareConns orders connections by their remote end, then ours; those without a whole remote address come last.
func compareConns(a, b *connwarden.Conn) int {
	if a.Remote.IsValid() != b.Remote.IsValid() {
		if a.Remote.IsValid() {
			return -1
		}
		return 1
	}
	return cmp.Or(
		a.Remote.Compare(b.Remote), cmp.Compare(a.Truncated, b.Truncated), a.Local.Compare(b.Local),
		cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.State, b.State),
		cmp.Compare(a.ID, b.ID))
}
