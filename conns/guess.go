package conns

import (
	"net/netip"

	"github.com/connwarden/connwarden"
)

// guess tells directions where the text has no LISTEN rows.
type guess struct {
	used bool // since newGuess
	// counts of each port at our end and at theirs, by protocol
	local, remote *[2][1 << 16]uint32
	ours          map[netip.Addr]struct{} // conntrack: addresses taken to be this machine's
}

// maxEvidence is how many conntrack rows are looked at to find out which address is ours; more would not change it.
const maxEvidence = 200_000

// newGuess counts what guessing needs.
func newGuess(rows *rowList, listen *listeners) *guess {
	g := &guess{}
	var peers map[[2]netip.Addr]struct{}
	flows := 0
	score := make(map[netip.Addr]*evidence)
	rows.each(func(r *textRow) {
		if r.flags&rowOrigin != 0 {
			if flows >= maxEvidence {
				return
			}
			flows++
			if peers == nil {
				peers = make(map[[2]netip.Addr]struct{})
			}
			src, dst := r.localEnd().Addr(), r.remoteEnd().Addr()
			_, known := peers[[2]netip.Addr{src, dst}]
			peers[[2]netip.Addr{src, dst}] = struct{}{}
			note(score, src, known, false)
			note(score, dst, known, true)
			return
		}
		if listen.of(r.proto).any || waiting(r.proto, r.state) {
			return
		}
		if g.local == nil {
			g.local, g.remote = new([2][1 << 16]uint32), new([2][1 << 16]uint32)
		}
		g.local[r.proto][r.lport]++
		g.remote[r.proto][r.rport]++
	})
	g.chooseOurs(score)
	return g
}

// evidence is what speaks for an address being ours.
type evidence struct{ peers, flows, called int }

func note(score map[netip.Addr]*evidence, addr netip.Addr, knownPair, called bool) {
	e := score[addr]
	if e == nil {
		e = &evidence{}
		score[addr] = e
	}
	e.flows++
	if !knownPair {
		e.peers++
	}
	if called {
		e.called++
	}
}

// chooseOurs takes, for each family, the address with the most peers: every flow of this machine has one of its own
// addresses at an end, while a peer, however busy, has few ends of ours to talk to.
func (g *guess) chooseOurs(score map[netip.Addr]*evidence) {
	var best [2]netip.Addr
	for addr, e := range score {
		if addr.IsLoopback() {
			continue
		}
		family := 0
		if addr.Is6() {
			family = 1
		}
		b := score[best[family]]
		if b == nil || e.more(b, addr.Less(best[family])) {
			best[family] = addr
		}
	}
	g.ours = map[netip.Addr]struct{}{best[0]: {}, best[1]: {}}
}

// more compares; less breaks ties so that the same text always gives the same answer.
func (e *evidence) more(o *evidence, less bool) bool {
	switch {
	case e.peers != o.peers:
		return e.peers > o.peers
	case e.called != o.called:
		return e.called > o.called
	case e.flows != o.flows:
		return e.flows > o.flows
	}
	return less
}

// origin tells the direction of a conntrack flow, whose Local is who opened it. One that touches no address of ours is
// taken to have come in, as a server's mostly do.
func (g *guess) origin(c *connwarden.Conn) connwarden.Direction {
	_, srcOurs := g.ours[c.Local.Addr()]
	_, dstOurs := g.ours[c.Remote.Addr()]
	if srcOurs && !dstOurs {
		return connwarden.DirOut
	}
	return connwarden.DirIn
}

// direction guesses: the side with a service's port is the service; if both or neither have one, the side whose port is
// seen more often; at last the lower port.
func (g *guess) direction(c *connwarden.Conn) connwarden.Direction {
	if c.Proto == connwarden.TCP {
		switch c.State {
		case connwarden.StateSynRecv:
			return connwarden.DirIn
		case connwarden.StateSynSent:
			return connwarden.DirOut
		}
	}
	g.used = true
	l, r := c.Local.Port(), c.Remote.Port()
	if known.has(l) != known.has(r) {
		return inIf(known.has(l))
	}
	if nl, nr := g.local[c.Proto][l], g.remote[c.Proto][r]; nl != nr {
		return inIf(nl > nr)
	}
	return inIf(l <= r)
}

func inIf(ours bool) connwarden.Direction {
	if ours {
		return connwarden.DirIn
	}
	return connwarden.DirOut
}
