package conns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// way is how the kernel is asked, best first.
type way uint8

const (
	wayLegacy   way = iota // sock_diag, TCPDIAG_GETSOCK: both families in one walk
	wayByFamily            // sock_diag, SOCK_DIAG_BY_FAMILY: a walk for each family
	wayProc                // /proc/net
	wayHalves              // wayLegacy in two walks, which it takes by itself for large tables
)

var allWays = []way{wayLegacy, wayByFamily, wayProc}

// look is one snapshot in the making.
type look struct {
	opt    Options
	filter filter
	sink   connwarden.Sink
	res    *Result
	ways   []way
	procs  *holders // nil unless processes were asked for
	conn   connwarden.Conn
	lost   int // listeners past maxListeners
}

func snapshot(ctx context.Context, opt Options, sink connwarden.Sink) (*Result, error) {
	return snapshotBy(ctx, opt, sink, allWays)
}

// snapshotBy is snapshot by the given ways only.
func snapshotBy(ctx context.Context, opt Options, sink connwarden.Sink, ways []way) (*Result, error) {
	l := &look{opt: opt, filter: newFilter(&opt), sink: sink, res: &Result{}, ways: ways}
	l.conn.Seen = time.Now()
	if opt.Processes {
		var problems []connwarden.Problem
		l.procs, problems = findHolders(ctx)
		l.res.Problems = append(l.res.Problems, problems...)
	}
	spaces, others, err := l.spaces()
	if err != nil {
		return l.res, err
	}
	defer others()
	for _, ns := range spaces {
		if err := l.space(ctx, ns); err != nil {
			if ns.ours() || ctx.Err() != nil || len(spaces) == 1 {
				return l.res, err
			}
			l.problem("network namespace "+ns.Name, err.Error())
		}
	}
	if l.lost > 0 {
		l.problem("listeners", fmt.Sprintf("only the first %d are listed, %d more are not", maxListeners, l.lost))
	}
	return l.res, nil
}

func (l *look) problem(what, why string) {
	l.res.Problems = append(l.res.Problems, connwarden.Problem{What: what, Why: why})
}

// spaces returns the namespaces to look into, ours first, and what is to be called at the end. Those that are only counted
// are counted meanwhile: that takes a look at every process.
func (l *look) spaces() (list []space, end func(), err error) {
	ours := ourSpace()
	if l.opt.Namespace == "" {
		done := make(chan struct{})
		var others []space
		var problems []connwarden.Problem
		go func() {
			defer close(done)
			others, problems = otherSpaces(ours)
		}()
		return []space{{}}, func() {
			<-done
			switch n := len(others); n {
			case 0:
			case 1:
				l.problem("network namespaces", "1 other was not looked into (containers): use --netns all")
			default:
				l.problem("network namespaces", fmt.Sprintf("%d others were not looked into (containers): use --netns all", n))
			}
			l.res.Problems = append(l.res.Problems, problems...)
		}, nil
	}
	others, problems := otherSpaces(ours)
	if l.opt.Namespace == "all" {
		l.res.Problems = append(l.res.Problems, problems...)
		return append([]space{{}}, others...), func() {}, nil
	}
	ns, err := findSpace(others, l.opt.Namespace)
	return []space{ns}, func() {}, err
}

// space looks into one namespace by the best way that works. A way is left for the next only before it has pushed a
// row, so that nothing is counted twice.
func (l *look) space(ctx context.Context, ns space) error {
	l.conn.Namespace = ns.Name
	var firstErr error
	for _, w := range l.ways {
		before := l.res.Rows
		kept := len(l.res.Listeners)
		err := l.by(ctx, ns, w)
		if err == nil {
			return nil
		}
		if firstErr == nil {
			firstErr = err
		}
		if l.res.Rows != before || ctx.Err() != nil {
			return err
		}
		l.res.Listeners = l.res.Listeners[:kept]
	}
	return firstErr
}

func (l *look) by(ctx context.Context, ns space, w way) error {
	var listen listeners
	if w == wayProc {
		return l.proc(ctx, ns, &listen, []connwarden.Proto{connwarden.TCP, connwarden.UDP})
	}
	d, err := openDiag(ns)
	if err != nil {
		return err
	}
	defer d.close()
	if err := l.diag(ctx, d, w, connwarden.TCP, &listen); err != nil {
		return fmt.Errorf("ask sock_diag for tcp: %w", err)
	}
	// UDP's part is a module of its own (udp_diag) that may be missing where TCP's is there.
	rows := l.res.Rows
	err = l.diag(ctx, d, wayByFamily, connwarden.UDP, &listen)
	if err != nil && l.res.Rows == rows && ctx.Err() == nil {
		err = l.proc(ctx, ns, &listen, []connwarden.Proto{connwarden.UDP})
	}
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		l.problem("udp sockets", err.Error())
	}
	return l.done("sock_diag")
}

// done notes the source: the worst way used when namespaces differ.
func (l *look) done(source string) error {
	if l.res.Source != "proc" {
		l.res.Source = source
	}
	return nil
}

// diag walks one protocol: its listeners first, which is cheap (they have a table of their own) and tells directions, then
// the rest straight into the sink.
func (l *look) diag(ctx context.Context, d *diagSocket, w way, proto connwarden.Proto, listen *listeners) error {
	waits := stateBit(connwarden.StateListen)
	number := uint8(protoTCP)
	if proto == connwarden.UDP {
		waits, number = stateBit(connwarden.StateClose), protoUDP
	}
	families := []uint8{afInet, afInet6}
	if w == wayLegacy || w == wayHalves {
		families = []uint8{afUnspec}
	}
	c := &l.conn
	c.Proto = proto

	// The listeners are kept until all are known: only then may one that is wanted as a row be pushed, and a dump that
	// the kernel calls inconsistent can be asked again without a trace.
	var found []waiter
	for _, family := range families {
		for try := 0; ; try++ {
			kept := len(found)
			interrupted, err := d.dump(ctx, family, number, waits, nil, func(m []byte) {
				if diagConn(m, c) {
					found = append(found, waiter{*c, diagV6Only(m)})
				}
			})
			if err != nil {
				return err
			}
			if !interrupted || try == maxTries {
				break
			}
			found = found[:kept]
		}
	}
	l.waiters(found, listen)

	mask := l.filter.states(proto) &^ waits &^ stateBit(connwarden.StateUnknown)
	if mask == 0 {
		return nil
	}
	code := l.portCode()
	c.Proto = proto
	push := func(m []byte) {
		if diagConn(m, c) {
			l.row(listen)
		}
	}
	changed := false
	if code == nil && d.ours && (w == wayHalves || w == wayLegacy && many()) {
		var err error
		if changed, err = inHalves(ctx, d, mask, push); err != nil {
			return err
		}
	} else {
		for _, family := range families {
			interrupted, err := d.dump(ctx, family, number, mask, code, push)
			if err != nil {
				return err
			}
			changed = changed || interrupted
		}
	}
	if changed {
		l.problem(proto.String()+" sockets", "the kernel's table changed while it was read: some may be missing or counted twice")
	}
	return nil
}

// manySockets is from where on a second walk is worth its processor.
const manySockets = 20_000

// many tells whether our namespace's table is large and a second processor is there to walk it.
func many() bool {
	if runtime.GOMAXPROCS(0) < 2 {
		return false
	}
	var v4, v6 Counters
	v4.sockets(optional("/proc/net/sockstat"))
	v6.sockets(strings.ReplaceAll(optional("/proc/net/sockstat6"), "TCP6:", "TCP:"))
	return v4.TCPInUse.Value+v4.TCPTimeWait.Value+v6.TCPInUse.Value >= manySockets
}

// inHalves walks by two sockets, the second of which it opens.
func inHalves(ctx context.Context, d *diagSocket, mask StateSet, row func(m []byte)) (changed bool, err error) {
	second, err := openDiag(space{})
	if err != nil {
		return d.dump(ctx, afUnspec, protoTCP, mask, nil, row)
	}
	defer second.close()
	return dumpHalves(ctx, [2]*diagSocket{d, second}, mask, row)
}

// maxTries is how often a listener walk that the kernel calls inconsistent is begun again.
const maxTries = 3

// waiter is a listener with what its row said.
type waiter struct {
	conn   connwarden.Conn
	v6only bool
}

// waiters takes listeners in: into the result, into what directions are told by, and into the sink if wanted.
func (l *look) waiters(found []waiter, listen *listeners) {
	for i := range found {
		f := &found[i]
		if !waiting(f.conn.Proto, f.conn.State) {
			continue
		}
		listen.of(f.conn.Proto).add(f.conn.Local, f.v6only)
		if len(l.res.Listeners) >= maxListeners {
			l.lost++
			continue
		}
		l.res.Listeners = append(l.res.Listeners, Listener{
			Proto: f.conn.Proto, Addr: f.conn.Local, Queue: f.conn.RecvQueue, Limit: f.conn.SendQueue,
			Process: l.procs.of(f.conn.Inode), Namespace: l.conn.Namespace,
		})
	}
	for i := range found {
		if waiting(found[i].conn.Proto, found[i].conn.State) {
			l.conn = found[i].conn
			l.row(listen)
		}
	}
}

// row finishes l.conn and pushes it if it is wanted.
func (l *look) row(listen *listeners) {
	l.res.Rows++
	c := &l.conn
	c.Dir = listen.direction(c)
	if waiting(c.Proto, c.State) {
		c.Remote = netip.AddrPort{} // the kernel's zeros are nobody's address
	}
	if !l.filter.keep(c) {
		return
	}
	if l.procs != nil {
		c.Process = l.procs.of(c.Inode)
	}
	l.sink.Conn(c)
}

// portCode is the kernel's part of the port filter. It lets through what the directions not yet known may need; row
// decides.
func (l *look) portCode() []byte {
	if l.filter.ports == nil {
		return nil
	}
	dir := l.filter.dir
	return portCode(l.filter.ports.ranges(), dir != connwarden.DirOut, dir != connwarden.DirIn)
}

// proc reads the tables in /proc.
func (l *look) proc(ctx context.Context, ns space, listen *listeners, protos []connwarden.Proto) error {
	read := false
	var errs []error
	for _, proto := range protos {
		var found []waiter
		for _, family := range []string{"", "6"} {
			name := ns.procNet() + proto.String() + family
			err := readHexTable(ctx, name, &l.conn, func() bool {
				l.conn.Proto = proto
				if !waiting(proto, l.conn.State) {
					// TCP's listeners come first in the file; UDP's are anywhere.
					return proto == connwarden.UDP
				}
				found = append(found, waiter{conn: l.conn})
				return true
			})
			if err != nil {
				errs = append(errs, err)
			}
		}
		l.waiters(found, listen)
		for _, family := range []string{"", "6"} {
			name := ns.procNet() + proto.String() + family
			err := readHexTable(ctx, name, &l.conn, func() bool {
				l.conn.Proto = proto
				if !waiting(proto, l.conn.State) {
					l.row(listen)
				}
				return true
			})
			read = read || err == nil
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !read {
		return errors.Join(errs...)
	}
	return l.done("proc")
}
