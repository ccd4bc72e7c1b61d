package nft

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// Driver is one table in one network namespace, that of the threads that call; they must not differ. It remembers nothing:
// each call asks the kernel what is there.
type Driver struct {
	table  string
	props  block.Properties
	plain  bool // sets without counters
	reader reader
	writer writer
}

var (
	_ block.Driver  = (*Driver)(nil)
	_ block.Prover  = (*Driver)(nil)
	_ block.Planner = (*Driver)(nil)
	_ block.Stamper = (*Driver)(nil)
)

// Open returns the driver once the kernel has answered; the table is made by the first Apply. The error is a *block.Error
// and wraps connwarden.ErrUnsupported where there is no nf_tables and connwarden.ErrDenied without privilege.
func Open(opt Options) (*Driver, error) {
	table, err := opt.tableName()
	if err != nil {
		return nil, failed("open", err)
	}
	ctx, stop := context.WithTimeout(context.Background(), answerTime)
	defer stop()
	d := &Driver{table: table, plain: opt.Uncounted}
	if err := d.reader.answers(ctx); err != nil {
		return nil, failed("open", err)
	}
	if err := d.writer.open(); err != nil {
		d.reader.close()
		return nil, failed("open", err)
	}
	d.props = block.Properties{
		Expiry: true, Prefixes: true, IPv6: true, Counts: !d.plain && counts(), Lists: true, Kernel: true,
		Scopes: []connwarden.ScopeKind{connwarden.ScopeAll, connwarden.ScopePorts},
		About:  "nftables, table inet " + table + ": the kernel drops what comes from the address, before any program or container sees it",
	}
	return d, nil
}

// Detect tells whether the kernel of this machine takes nf_tables rules from us, and why or why not, in words for people.
func Detect(ctx context.Context) (ok bool, why string) {
	var r reader
	defer r.close()
	if err := r.answers(ctx); err != nil {
		return false, "nf_tables does not answer: " + err.Error()
	}
	var tables []string
	err := r.ask(ctx, query{family: unix.NFPROTO_UNSPEC, kind: unix.NFT_MSG_GETTABLE, dump: true,
		begin: func() { tables = nil },
		each: func(m []byte) error {
			tables = append(tables, family(m)+" "+text(find(body(m), attrTableName)))
			return nil
		},
	})
	switch {
	case err != nil:
		return false, "nf_tables does not tell its tables: " + err.Error()
	case len(tables) == 0:
		return true, "nf_tables answers and has no table yet"
	default:
		return true, "nf_tables answers; it has " + names(tables)
	}
}

// failed puts an error into the drivers' form.
func failed(op string, err error) *block.Error {
	return &block.Error{Driver: Name, Op: op, Err: err}
}

// answers asks for the number of the ruleset's generation, which every nf_tables has for who may ask.
func (r *reader) answers(ctx context.Context) error {
	err := r.ask(ctx, query{kind: unix.NFT_MSG_GETGEN, each: func([]byte) error { return nil }})
	if errors.Is(err, unix.EINVAL) { // no module took the request
		return unsupported("the kernel has no nf_tables")
	}
	return err
}

// Stamp returns the number of the ruleset's generation: each transaction of anybody in this network namespace raises it.
func (d *Driver) Stamp(ctx context.Context) (n uint64, err error) {
	err = d.reader.ask(ctx, query{kind: unix.NFT_MSG_GETGEN, each: func(m []byte) error {
		n = uint64(be32(find(body(m), attrGenID)))
		return nil
	}})
	if err != nil {
		return 0, failed("list", err)
	}
	return n, nil
}

// counts tells whether the kernel counts by element: since Linux 5.7, NFTA_SET_EXPR. Older ones pass over the wish.
func counts() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	return release(unix.ByteSliceToString(u.Release[:])) >= 5_007
}

// release is a kernel's version as a number: 6.18.44 is 6018.
func release(s string) int {
	major, rest, _ := strings.Cut(s, ".")
	minor, _, _ := strings.Cut(rest, ".")
	minor, _, _ = strings.Cut(minor, "-")
	a, err1 := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	if errors.Join(err1, err2) != nil {
		return 0
	}
	return a*1000 + b
}

// Name returns "nft".
func (d *Driver) Name() string { return Name }

// Properties returns what nf_tables can do; Counts is false before Linux 5.7.
func (d *Driver) Properties() block.Properties { return d.props }

// Close gives up the sockets; what is in force stays.
func (d *Driver) Close() error {
	d.reader.close()
	d.writer.close()
	return nil
}

// List reads all sets that packets are dropped by; what is in another, of which somebody took the rule away, is not in force until
// Apply puts it back. 100,000 entries take half a second, nearly all of it in the kernel. Ends are exact to some
// milliseconds. An element that another program put into one of our sets is listed too; one that ends while the list is
// read may hide a neighbour that stays.
func (d *Driver) List(ctx context.Context) ([]block.Entry, error) {
	r, err := d.ruleset(ctx)
	if err != nil {
		return nil, failed("list", err)
	}
	var list []block.Entry
	for set := range r.sets {
		p, _ := parsePlace(set)
		if !r.works(p) {
			continue
		}
		kept := len(list)
		err := d.read(ctx, set, func() { list = list[:kept] }, func(e element) {
			addr, ok := netip.AddrFromSlice(e.key)
			target := p.prefix(addr)
			if !ok || target != target.Masked() {
				return // of another's hand, and it matches nothing
			}
			entry := block.Entry{Target: target, Scope: p.scope, Hits: e.hits}
			if e.ends {
				entry.Until = time.Now().Add(e.left)
			}
			list = append(list, entry)
		})
		if err != nil && !errors.Is(err, connwarden.ErrNotFound) {
			return nil, failed("list", err)
		}
	}
	return list, nil
}

// part is how many entries go at once where all together are too many.
const part = 1000

// Apply is one transaction: all of it is done or nothing, and no packet sees it half done. Only where more than some
// thousand are to be changed and the kernel lets nobody raise the socket's buffer, as in a container of another user
// than root, it goes in parts. Renewing an entry begins its count anew.
func (d *Driver) Apply(ctx context.Context, add, remove []block.Entry) error {
	err := d.apply(ctx, add, remove)
	if !errors.Is(err, unix.EMSGSIZE) || len(add)+len(remove) <= part {
		return err
	}
	done := false
	some := func(add, remove []block.Entry) error {
		if err := d.apply(ctx, add, remove); err != nil {
			if done {
				return failed("add", fmt.Errorf("%w: %w", connwarden.ErrPartial, err))
			}
			return err
		}
		done = true
		return nil
	}
	for list := range slices.Chunk(remove, part) {
		if err := some(nil, list); err != nil {
			return err
		}
	}
	for list := range slices.Chunk(add, part) {
		if err := some(list, nil); err != nil {
			return err
		}
	}
	return nil
}

// apply is one transaction always.
func (d *Driver) apply(ctx context.Context, add, remove []block.Entry) error {
	now := time.Now()
	list, bad := changes(add, remove, now)
	if bad != nil {
		return bad
	}
	if len(list) == 0 {
		return nil
	}
	op := "add"
	if len(add) == 0 {
		op = "remove"
	}
	r, err := d.ruleset(ctx)
	if err != nil {
		return failed(op, err)
	}
	t, err := d.begin()
	if err != nil {
		return failed(op, err)
	}
	for _, c := range list {
		t.change(r, c, now)
	}
	if err := t.commit(ctx); err != nil {
		f := failed(op, err)
		if all := slices.Concat(add, remove); len(all) == 1 {
			f.Target = all[0].Target.String()
		}
		return f
	}
	return nil
}

// Flush deletes the table.
func (d *Driver) Flush(ctx context.Context) error {
	t, err := d.begin()
	if err != nil {
		return failed("flush", err)
	}
	t.DelTable(t.table)
	if err := t.commit(ctx); err != nil && !errors.Is(err, connwarden.ErrNotFound) {
		return failed("flush", err)
	}
	return nil
}

// family is the word for the family that a message is about.
func family(m []byte) string {
	words := map[byte]string{unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_ARP: "arp",
		unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_NETDEV: "netdev"}
	if len(m) == 0 || words[m[0]] == "" {
		return "other"
	}
	return words[m[0]]
}
