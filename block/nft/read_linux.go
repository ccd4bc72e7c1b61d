package nft

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
)

const (
	// readBuffer is what one read may bring. The kernel fills as much of it as 32 KiB and, for each read, walks a set from its
	// beginning to where it left off: with the 4 KiB that libraries offer, the time to list a large set grows with its square.
	readBuffer = 64 << 10
	// answerTime bounds the wait for the kernel, which answers at once or never.
	answerTime = 30 * time.Second
	// readTries is how often a list that changed meanwhile is read again.
	readTries = 10
)

// errMoved is a list that changed while it was read.
var errMoved = errors.New("the ruleset changes faster than it can be read")

// attr is a text attribute of a request.
func attr(kind uint16, value string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(value), 0)}
}

// reader asks the kernel. The zero value dials when it is first asked. The socket is kept, for closing one waits for what the
// transaction before has deleted, some milliseconds.
type reader struct{ conn *netlink.Conn }

// query is a question to the kernel.
type query struct {
	family  byte   // unix.NFPROTO_INET where it is about our table
	kind    uint16 // unix.NFT_MSG_GETSET and so on
	dump    bool   // all objects are wanted, not one
	request []netlink.Attribute
	begin   func()               // called before the answer is read, perhaps for a second time; nil: nothing to begin
	each    func(m []byte) error // called with every message of the answer, until it fails
}

// ask asks until the answer is of one piece.
func (r *reader) ask(ctx context.Context, q query) error {
	for try := 0; ; try++ {
		if q.begin != nil {
			q.begin()
		}
		err := r.once(ctx, q)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.ENOENT) {
			r.close() // what may be left of the answer is nobody's
		}
		if !errors.Is(err, errMoved) || try == readTries {
			return plain(err)
		}
	}
}

func (r *reader) once(ctx context.Context, q query) (err error) {
	if r.conn == nil {
		if r.conn, err = netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{MessageBufferSize: readBuffer}); err != nil {
			return err
		}
	}
	if err := within(ctx, r.conn); err != nil {
		return err
	}
	data, err := netlink.MarshalAttributes(q.request)
	if err != nil {
		return err
	}
	m := netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | q.kind), Flags: netlink.Request},
		Data:   append([]byte{q.family, unix.NFNETLINK_V0, 0, 0}, data...),
	}
	if q.dump {
		m.Header.Flags |= netlink.Dump
	}
	if _, err := r.conn.Send(m); err != nil {
		return err
	}
	for m, e := range r.conn.ReceiveIter() {
		switch {
		case e != nil:
			return e
		case ctx.Err() != nil:
			return ctx.Err()
		case m.Header.Flags&netlink.DumpInterrupted != 0:
			err = errMoved
		}
		if e := q.each(m.Data); e != nil {
			return e
		}
	}
	return err
}

func (r *reader) close() {
	if r.conn != nil {
		r.conn.Close()
		r.conn = nil
	}
}

// within bounds the waiting of a connection.
func within(ctx context.Context, c *netlink.Conn) error {
	end := time.Now().Add(answerTime)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	return errors.Join(ctx.Err(), c.SetDeadline(end))
}

// plain finds the sentinel of the root package for what the kernel said, and keeps its words.
func plain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: needs root (CAP_NET_ADMIN): %w", connwarden.ErrDenied, err)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: %w", connwarden.ErrNotFound, err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EAFNOSUPPORT):
		return fmt.Errorf("%w: the kernel lacks nf_tables or a part of it: %w", connwarden.ErrUnsupported, err)
	default:
		return err
	}
}

// ruleset reads the table. Where there is none, nothing is in it.
func (d *Driver) ruleset(ctx context.Context) (*ruleset, error) {
	r := &ruleset{}
	sets := query{family: unix.NFPROTO_INET, kind: unix.NFT_MSG_GETSET, dump: true,
		request: []netlink.Attribute{attr(unix.NFTA_SET_TABLE, d.table)},
		begin:   func() { r.sets = map[string]bool{} },
		each: func(m []byte) error {
			name := text(find(body(m), attrSetName))
			if _, ok := parsePlace(name); ok {
				r.sets[name] = true
			}
			return nil
		},
	}
	rules := query{family: unix.NFPROTO_INET, kind: unix.NFT_MSG_GETRULE, dump: true,
		request: []netlink.Attribute{attr(unix.NFTA_RULE_TABLE, d.table)},
		begin:   func() { r.drops, r.jumps = map[string]bool{}, map[string]bool{} },
		each: func(m []byte) error {
			rule := parseRule(m)
			switch p, ok := parsePlace(rule.set); {
			case ok && rule.drop && rule.chain == p.chain():
				r.drops[rule.set] = true
			case rule.chain == incoming && rule.jump != "":
				r.jumps[rule.jump] = true
			}
			return nil
		},
	}
	for _, q := range []query{sets, rules} {
		if err := d.reader.ask(ctx, q); err != nil && !errors.Is(err, connwarden.ErrNotFound) {
			return nil, err
		}
	}
	flags, err := d.flags(ctx)
	if err != nil && !errors.Is(err, connwarden.ErrNotFound) {
		return nil, err
	}
	r.asleep = flags&tableDormant != 0
	h, err := d.hook(ctx)
	switch {
	case errors.Is(err, connwarden.ErrNotFound):
	case err != nil:
		return nil, err
	case !h.early():
		r.misplaced, r.jumps = true, map[string]bool{}
		maps.DeleteFunc(r.drops, func(set string, _ bool) bool {
			p, _ := parsePlace(set)
			return p.chain() == incoming
		})
	}
	return r, nil
}

// flags are those of the table.
func (d *Driver) flags(ctx context.Context) (flags uint32, err error) {
	err = d.reader.ask(ctx, query{family: unix.NFPROTO_INET, kind: unix.NFT_MSG_GETTABLE,
		request: []netlink.Attribute{attr(unix.NFTA_TABLE_NAME, d.table)},
		each:    func(m []byte) error { flags = be32(find(body(m), attrTableFlags)); return nil },
	})
	return flags, err
}

// hook tells where the chain incoming hangs.
func (d *Driver) hook(ctx context.Context) (h hook, err error) {
	err = d.reader.ask(ctx, query{family: unix.NFPROTO_INET, kind: unix.NFT_MSG_GETCHAIN,
		request: []netlink.Attribute{attr(unix.NFTA_CHAIN_TABLE, d.table), attr(unix.NFTA_CHAIN_NAME, incoming)},
		each:    func(m []byte) error { h = parseHook(m); return nil },
	})
	return h, err
}

// read calls each with every element of a set; see query for begin.
//
// While a set's hash table grows, which goes on for some milliseconds after many were added, the kernel tells some elements
// twice and as many not at all, and says nothing of it (seen on Linux 6.18). So a list with one twice is read again.
func (d *Driver) read(ctx context.Context, set string, begin func(), each func(element)) error {
	var seen map[string]bool
	return d.reader.ask(ctx, query{family: unix.NFPROTO_INET, kind: unix.NFT_MSG_GETSETELEM, dump: true,
		request: []netlink.Attribute{attr(unix.NFTA_SET_ELEM_LIST_TABLE, d.table), attr(unix.NFTA_SET_ELEM_LIST_SET, set)},
		begin: func() {
			seen = make(map[string]bool, len(seen))
			begin()
		},
		each: func(m []byte) error {
			for e := range elements(m) {
				if seen[string(e.key)] {
					return errMoved
				}
				seen[string(e.key)] = true
				each(e)
			}
			return nil
		},
	})
}

// get returns one element of a set; the error wraps connwarden.ErrNotFound if it is not there.
func (d *Driver) get(ctx context.Context, set string, key []byte) (found element, err error) {
	// Marshalling fails only where an attribute is too long, which an address is not.
	nest := func(kind uint16, v []byte) netlink.Attribute {
		return netlink.Attribute{Type: kind | unix.NLA_F_NESTED, Data: v}
	}
	marshal := func(a netlink.Attribute) []byte {
		b, _ := netlink.MarshalAttributes([]netlink.Attribute{a})
		return b
	}
	value := marshal(netlink.Attribute{Type: unix.NFTA_DATA_VALUE, Data: key})
	list := marshal(nest(unix.NFTA_LIST_ELEM, marshal(nest(unix.NFTA_SET_ELEM_KEY, value))))
	err = d.reader.ask(ctx, query{family: unix.NFPROTO_INET, kind: unix.NFT_MSG_GETSETELEM,
		request: []netlink.Attribute{attr(unix.NFTA_SET_ELEM_LIST_TABLE, d.table), attr(unix.NFTA_SET_ELEM_LIST_SET, set),
			nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS, list)},
		each: func(m []byte) error {
			for e := range elements(m) {
				found = e
			}
			return nil
		},
	})
	return found, err
}
