package nft

import (
	"context"
	"errors"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden/block"
)

const (
	// sendBuffer lets a whole transaction out in one piece, as the kernel wants it: about 120 bytes for an entry that is
	// renewed. It bounds and reserves nothing.
	sendBuffer = 512 << 20
	// answerBuffer takes the kernel's answers, one for each message, until they are read.
	answerBuffer = 16 << 20
	// atOnce is how many elements go into one message: a list's length is told in 16 bits.
	atOnce = 1000
)

// writer sends transactions. Its socket is kept for the same reason as the reader's.
type writer struct {
	conn   *nftables.Conn // nil: to be opened
	socket *netlink.Conn  // the same, for its deadline
}

func (w *writer) open() (err error) {
	w.conn, err = nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error {
		w.socket = c
		return errors.Join(c.SetReadBuffer(answerBuffer), c.SetWriteBuffer(sendBuffer))
	}))
	return plain(err)
}

func (w *writer) close() {
	if w.conn != nil {
		_ = w.conn.CloseLasting() // nothing is waited for
		w.conn = nil
	}
}

// transaction collects changes until commit.
type transaction struct {
	*nftables.Conn
	writer *writer
	table  *nftables.Table
	plain  bool
	based  bool            // the base chain has been asked for
	chains map[string]bool // of those that the transaction has asked for
	ids    uint32          // of the sets that it makes
	err    error           // the first
}

// begin begins a transaction, which commit must end.
func (d *Driver) begin() (*transaction, error) {
	if d.writer.conn == nil {
		if err := d.writer.open(); err != nil {
			return nil, err
		}
	}
	return &transaction{Conn: d.writer.conn, writer: &d.writer, plain: d.plain, chains: map[string]bool{},
		table: &nftables.Table{Name: d.table, Family: nftables.TableFamilyINet}}, nil
}

// commit sends it all. After an error the connection is given up, for answers may be left in it, or messages unsent; but
// not where something is only not there or too long.
func (t *transaction) commit(ctx context.Context) error {
	t.note(within(ctx, t.writer.socket))
	if t.err == nil {
		t.err = t.Flush()
	}
	if t.err != nil && !errors.Is(t.err, unix.ENOENT) && !errors.Is(t.err, unix.EMSGSIZE) {
		t.writer.close()
	}
	return plain(t.err)
}

// change adds what a change of one set needs.
func (t *transaction) change(r *ruleset, c change, now time.Time) {
	name := c.set()
	if !r.sets[name] && len(c.add) == 0 {
		return // nothing is there that could be removed
	}
	set := &nftables.Set{Table: t.table, Name: name, HasTimeout: true, Counter: !t.plain,
		KeyType: nftables.TypeIPAddr, KeyByteOrder: binaryutil.BigEndian}
	if c.v6 {
		set.KeyType = nftables.TypeIP6Addr
	}
	if len(c.add) > 0 && !r.works(c.place) {
		t.lead(r, c.place)
	}
	if !r.sets[name] {
		t.ids++
		set.ID = t.ids
		t.note(t.AddSet(set, nil))
	}
	if len(c.add) > 0 && !r.drops[name] {
		t.AddRule(&nftables.Rule{Table: t.table, Chain: &nftables.Chain{Table: t.table, Name: c.chain()}, Exprs: dropRule(c.place, set)})
	}
	if r.sets[name] {
		// Deleting what is not there fails the transaction, and before Linux 6.12 adding what is there does not renew its
		// end. So each is added, whether it is there or not, deleted and, if wanted, added anew.
		touched := append(keys(c.add), keys(c.gone)...)
		t.elements(set, touched, t.SetAddElements)
		t.elements(set, touched, t.SetDeleteElements)
	}
	fresh := keys(c.add)
	for i := range fresh {
		fresh[i].Timeout = timeout(c.add[i], now)
	}
	t.elements(set, fresh, t.SetAddElements)
}

func (t *transaction) note(err error) {
	if t.err == nil {
		t.err = err
	}
}

// elements sends a list in messages of a size that the kernel takes.
func (t *transaction) elements(set *nftables.Set, list []nftables.SetElement, send func(*nftables.Set, []nftables.SetElement) error) {
	for len(list) > 0 {
		n := min(len(list), atOnce)
		t.note(send(set, list[:n]))
		list = list[n:]
	}
}

func keys(entries []block.Entry) []nftables.SetElement {
	list := make([]nftables.SetElement, len(entries))
	for i := range entries {
		list[i].Key = entries[i].Target.Addr().AsSlice()
	}
	return list
}

// lead makes sure that packets come to the chain of a place: somebody may have taken it away, or hung it somewhere else. What is there already is not made twice; two processes that
// begin at the same moment may yet make the same rule twice, the second of which no packet comes to.
func (t *transaction) lead(r *ruleset, p place) {
	base := &nftables.Chain{Table: t.table, Name: incoming, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRef(priority)}
	if !t.based {
		t.based = true
		accept := nftables.ChainPolicyAccept
		base.Policy = &accept
		t.AddTable(t.table) // without a flag: it wakes one that sleeps
		if r.misplaced {
			t.FlushChain(base)
			t.DelChain(base)
		}
		t.AddChain(base)
	}
	chain := p.chain()
	if chain == incoming || t.chains[chain] {
		return
	}
	t.chains[chain] = true
	t.AddChain(&nftables.Chain{Table: t.table, Name: chain})
	if r.jumps[chain] {
		return
	}
	protocols := t.anonymous(nftables.TypeInetProto, []byte{unix.IPPROTO_TCP}, []byte{unix.IPPROTO_UDP})
	var list [][]byte
	for _, port := range p.scope.PortList() {
		list = append(list, binaryutil.BigEndian.PutUint16(port))
	}
	var match expr.Any = &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: list[0]}
	if len(list) > 1 {
		ports := t.anonymous(nftables.TypeInetService, list...)
		match = &expr.Lookup{SourceRegister: 1, SetName: ports.Name, SetID: ports.ID}
	}
	t.AddRule(&nftables.Rule{Table: t.table, Chain: base, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Lookup{SourceRegister: 1, SetName: protocols.Name, SetID: protocols.ID},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, // of TCP and UDP alike
		match,
		&expr.Verdict{Kind: expr.VerdictJump, Chain: chain},
	}})
}

// anonymous makes a set that belongs to the rule which looks it up.
func (t *transaction) anonymous(kind nftables.SetDatatype, list ...[]byte) *nftables.Set {
	t.ids++
	set := &nftables.Set{Table: t.table, ID: t.ids, Name: "__set%d", Anonymous: true, Constant: true, KeyType: kind}
	var elements []nftables.SetElement
	for _, key := range list {
		elements = append(elements, nftables.SetElement{Key: key})
	}
	t.note(t.AddSet(set, elements))
	return set
}

// dropRule drops what the place's set has the sender of. Offsets are those of the sender in the IP headers.
func dropRule(p place, set *nftables.Set) []expr.Any {
	family, offset := byte(unix.NFPROTO_IPV4), uint32(12)
	if p.v6 {
		family, offset = unix.NFPROTO_IPV6, 8
	}
	size := uint32(p.width() / 8)
	list := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
	}
	if p.bits < p.width() {
		list = append(list, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: size, Mask: p.mask(), Xor: make([]byte, size)})
	}
	return append(list, &expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID}, &expr.Verdict{Kind: expr.VerdictDrop})
}
