// Package conns looks at live sockets: a snapshot of the kernel's table, the same from saved text, and the counters
// and limits that tell whether the table is under pressure.
//
// It never counts, judges or prints: each socket is pushed into a [connwarden.Sink] and forgotten. It changes nothing on
// the machine and starts no program. The *connwarden.Conn that a sink gets is one struct filled again and again; who
// keeps it copies it (its strings are owned by the room and may be kept).
//
// Every function may be called from several goroutines at once; each call pushes from the goroutine that called it.
//
// Live sockets are read on Linux: sock_diag over netlink, parsed in place, and /proc/net where the kernel refuses that.
// Elsewhere [Snapshot] returns [connwarden.ErrUnsupported]; [Read] takes the text of every system on every system.
package conns

import (
	"context"
	"net/netip"

	"github.com/connwarden/connwarden"
)

// Options say which sockets are wanted. The zero value wants what CLI.md counts by default: every TCP state but
// LISTEN, and connected UDP, of this network namespace, loopback-to-loopback left out.
type Options struct {
	// States is the set wanted; 0 is every state but LISTEN and, of UDP, connected sockets only.
	States StateSet
	// Listen wants LISTEN too, and the UDP sockets that are bound but not connected, which are UDP's listeners.
	Listen bool
	// Ports are service ports ([connwarden.Conn.ServicePort]); none means all.
	Ports []uint16
	// Dir wants one direction only; DirUnknown both.
	Dir connwarden.Direction
	// Loopback wants connections whose both ends are loopback addresses. Each shows twice, once from each end.
	Loopback bool
	// Processes asks who holds each socket: one pass over /proc/*/fd, which needs privilege for other users' processes.
	Processes bool
	// Namespace is "" for the network namespace we are in, "all" for every one on this machine, or one of them: its
	// name under /run/netns, a container's ID (a prefix is enough), a PID, or "pid:N". Only [Snapshot] heeds it.
	Namespace string
}

// Listener is a socket that waits for peers: TCP in LISTEN, UDP bound and not connected.
type Listener struct {
	Proto connwarden.Proto
	// Addr is the local end; the zero address of its family when it listens on all.
	Addr netip.AddrPort
	// Queue is how many connections wait to be accepted, Limit the most that may. Limit is 0 when unknown, as in
	// /proc/net/tcp. Of UDP, Queue is bytes waiting to be read.
	Queue, Limit uint32
	// Process is filled when Options.Processes was set and the holder could be seen.
	Process connwarden.Process
	// Namespace is "" for ours.
	Namespace string
}

// Result is what a look found besides the sockets themselves.
type Result struct {
	// Source is the way the rows were got: "sock_diag" or "proc" for a snapshot; for saved text the form that most of
	// its rows have: "netstat", "ss", "proc_net_tcp", "conntrack", "netstat_windows", "netstat_bsd", or "" when it has none.
	Source string
	// Guessed tells that directions were inferred from ports, the text having no LISTEN rows.
	Guessed bool
	// Listeners are all that were seen, whether or not Options wanted them as rows. They are at most 100,000.
	Listeners []Listener
	// Rows is how many sockets were seen, before Options chose among them; LISTEN included.
	Rows int64
	// Unparsed is how many lines of saved text looked like nothing known. Headers and blank lines are not among them.
	Unparsed int64
	// Problems is what could not be seen. Those of a text that a user named have Named set.
	Problems []connwarden.Problem
}

// maxListeners bounds Result.Listeners. A busy machine has some hundreds; text can claim any number.
const maxListeners = 100_000

// Snapshot pushes every socket that opt wants into sink and returns what it found besides. Sockets come in the
// kernel's order. What could not be seen is in Result.Problems. The error wraps [connwarden.ErrUnsupported] where this
// system cannot be looked at, [connwarden.ErrNotFound] for a namespace that is not there, and the context's error; a
// result that is not nil beside an error holds what was seen until then.
func Snapshot(ctx context.Context, opt Options, sink connwarden.Sink) (*Result, error) {
	return snapshot(ctx, opt, sink)
}

// filter is Options made ready for one question a row.
type filter struct {
	tcp, udp StateSet
	ports    *portSet // nil: all
	dir      connwarden.Direction
	loopback bool
}

func newFilter(opt *Options) filter {
	f := filter{dir: opt.Dir, loopback: opt.Loopback}
	f.tcp, f.udp = opt.States.fold(), opt.States.fold()
	if opt.States == 0 {
		f.tcp = allStates &^ stateBit(connwarden.StateListen)
		f.udp = f.tcp &^ stateBit(connwarden.StateClose)
	}
	if opt.Listen {
		f.tcp |= stateBit(connwarden.StateListen)
		f.udp |= stateBit(connwarden.StateClose)
	}
	if len(opt.Ports) > 0 {
		f.ports = newPortSet(opt.Ports)
	}
	return f
}

// states returns the set wanted of a protocol.
func (f *filter) states(p connwarden.Proto) StateSet {
	if p == connwarden.UDP {
		return f.udp
	}
	return f.tcp
}

// keep tells whether the row is wanted. Its direction must have been set.
func (f *filter) keep(c *connwarden.Conn) bool {
	if !f.states(c.Proto).Has(c.State) {
		return false
	}
	if f.dir != connwarden.DirUnknown && c.Dir != f.dir {
		return false
	}
	if f.ports != nil && !f.ports.has(c.ServicePort()) {
		return false
	}
	if !f.loopback && c.Local.Addr().IsLoopback() && c.Remote.Addr().IsLoopback() {
		return false
	}
	return true
}

// waiting tells whether a state is that of a listener of the protocol.
func waiting(p connwarden.Proto, s connwarden.State) bool {
	if p == connwarden.UDP {
		return s == connwarden.StateClose
	}
	return s == connwarden.StateListen
}
