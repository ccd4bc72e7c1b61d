package live

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/conns"
	"github.com/connwarden/connwarden/gather"
)

// Connections are looked at every second while they are few, and more seldom above: a look at 10,000 costs 6 ms.
const (
	lookEvery = time.Second
	lookRest  = 5 * time.Second
	fewConns  = 10_000
)

// alike are connections that a rule cannot tell apart.
type alike struct {
	addr       netip.Addr
	state, dir string
	port       uint16
}

// snapshot is one look at the connections.
type snapshot struct {
	cells map[alike]uint64
	total uint64
	ports map[uint16]bool // of TCP that are listened at
	why   error
	deaf  string // in the place of a look: why no ends are heard of
}

func (s *snapshot) Conn(c *connwarden.Conn) {
	if c.Dir != connwarden.DirIn || !c.Remote.IsValid() || c.Remote.Addr().IsLoopback() {
		return
	}
	s.total++
	s.cells[alike{c.Remote.Addr(), c.State.String(), c.Dir.String(), c.ServicePort()}]++
}
func (s *snapshot) Request(*connwarden.Request) {}
func (s *snapshot) Event(*connwarden.Event)     {}
func (s *snapshot) Fault(*connwarden.Fault)     {}

// look looks at the connections until ctx is done. A look that nobody takes is waited for, so they never pile up.
func (w *warden) look(ctx context.Context) {
	for {
		s := &snapshot{cells: map[alike]uint64{}}
		var found *conns.Result
		found, s.why = conns.Snapshot(ctx, conns.Options{Dir: connwarden.DirIn}, s)
		if found != nil {
			s.ports = map[uint16]bool{}
			for _, l := range found.Listeners {
				s.ports[l.Addr.Port()] = s.ports[l.Addr.Port()] || l.Proto == connwarden.TCP
			}
		}
		select {
		case w.conns <- s:
		case <-ctx.Done():
			return
		}
		if errors.Is(s.why, connwarden.ErrUnsupported) || errors.Is(s.why, connwarden.ErrDenied) {
			return
		}
		rest := lookEvery
		if s.total > fewConns {
			rest = lookRest
		}
		select {
		case <-time.After(rest):
		case <-ctx.Done():
			return
		}
	}
}

// fold puts a look in the place of the one before.
func (w *warden) fold(s *snapshot) {
	if s.deaf != "" {
		w.problem("connections that end", s.deaf+"; those that live between two looks are not counted")
		return
	}
	if s.why != nil {
		w.problem("connections", gather.Reason(s.why))
		return
	}
	w.meter.look(s.total)
	w.table.ForgetConns()
	for a, n := range s.cells {
		w.table.Conns(a.addr, a.state, a.dir, a.port, n, len(w.byPath) > 0)
	}
	for b, n := range w.ends.minute(time.Now()) {
		if s.ports[b.port] {
			w.table.Conns(b.addr, stateEnded, connwarden.DirIn.String(), b.port, uint64(n), len(w.byPath) > 0)
		}
	}
}
