package conns

import (
	"net/netip"

	"github.com/connwarden/connwarden"
)

// listening answers whether a local end belongs to a listener: which makes a connection one that came in.
type listening struct {
	any   bool    // there is one at all
	wild4 portSet // listens on every IPv4 address
	wild6 portSet // listens on every IPv6 address
	some  portSet // listens on some address: ask exact
	exact map[netip.AddrPort]struct{}
}

// add takes a listener in. v6only says that one on [::] takes no IPv4.
func (l *listening) add(local netip.AddrPort, v6only bool) {
	l.any = true
	addr, port := local.Addr(), local.Port()
	switch {
	case !addr.IsValid():
		l.wild4.add(port)
		l.wild6.add(port)
	case addr.IsUnspecified() && addr.Is4():
		l.wild4.add(port)
	case addr.IsUnspecified():
		l.wild6.add(port)
		if !v6only {
			l.wild4.add(port)
		}
	default:
		if l.exact == nil {
			l.exact = make(map[netip.AddrPort]struct{})
		}
		l.some.add(port)
		l.exact[netip.AddrPortFrom(addr.WithZone(""), port)] = struct{}{}
	}
}

// has tells whether something listens where local is. A local end whose address is not known matches by its port.
func (l *listening) has(local netip.AddrPort) bool {
	addr, port := local.Addr(), local.Port()
	switch {
	case !addr.IsValid():
		return l.wild4.has(port) || l.wild6.has(port) || l.some.has(port)
	case addr.Is4():
		if l.wild4.has(port) {
			return true
		}
	case l.wild6.has(port):
		return true
	}
	if !l.some.has(port) {
		return false
	}
	_, ok := l.exact[netip.AddrPortFrom(addr.WithZone(""), port)]
	return ok
}

// listeners holds what listens in one namespace, or in one text.
type listeners struct{ tcp, udp listening }

func (l *listeners) of(p connwarden.Proto) *listening {
	if p == connwarden.UDP {
		return &l.udp
	}
	return &l.tcp
}

// direction tells who opened a connection. The handshake's states say it themselves; a local port equal to a
// listener's is a service's; whatever is left we opened.
func (l *listeners) direction(c *connwarden.Conn) connwarden.Direction {
	if waiting(c.Proto, c.State) {
		return connwarden.DirIn
	}
	if c.Proto == connwarden.TCP {
		switch c.State {
		case connwarden.StateSynRecv:
			return connwarden.DirIn
		case connwarden.StateSynSent:
			return connwarden.DirOut
		}
	}
	if l.of(c.Proto).has(c.Local) {
		return connwarden.DirIn
	}
	return connwarden.DirOut
}
