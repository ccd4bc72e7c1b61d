package conns

import (
	"encoding/binary"
	"net/netip"

	"github.com/connwarden/connwarden"
)

// diagRow makes the message of one socket as the kernel does.
func diagRow(kind uint16, seq uint32, state connwarden.State, local, remote netip.AddrPort, family byte) []byte {
	b := make([]byte, nlHeaderLen+diagMsgLen+8)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], 2)
	binary.NativeEndian.PutUint32(b[8:], seq)
	m := b[nlHeaderLen:]
	m[0], m[1] = family, byte(state)
	binary.BigEndian.PutUint16(m[4:], local.Port())
	binary.BigEndian.PutUint16(m[6:], remote.Port())
	put := func(at int, a netip.Addr) {
		if family == afInet {
			v4 := a.As4()
			copy(m[at:], v4[:])
			return
		}
		v6 := a.As16()
		copy(m[at:], v6[:])
	}
	put(8, local.Addr())
	put(24, remote.Addr())
	binary.NativeEndian.PutUint32(m[44:], 7)
	binary.NativeEndian.PutUint32(m[48:], 1)
	binary.NativeEndian.PutUint32(m[56:], 5)
	binary.NativeEndian.PutUint32(m[60:], 128)
	binary.NativeEndian.PutUint32(m[64:], 33)
	binary.NativeEndian.PutUint32(m[68:], 4711)
	binary.NativeEndian.PutUint16(m[72:], 5) // INET_DIAG_SHUTDOWN, which the kernel always adds
	binary.NativeEndian.PutUint16(m[74:], 8)
	return b
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// someDump makes the buffers of a dump of n connections, 350 a buffer, as the kernel fills them.
func someDump(n int) [][]byte {
	var bufs [][]byte
	var buf []byte
	for i := range n {
		remote := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		switch {
		case i%5 == 0:
			local := netip.MustParseAddrPort("[2001:db8::1]:443")
			r := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 5: byte(i >> 8), 15: byte(i)})
			buf = append(buf, diagRow(tcpDiagGetSock, 1, connwarden.StateEstablished, local, netip.AddrPortFrom(r, uint16(i)), afInet6)...)
		case i%10 == 1:
			local := netip.AddrPortFrom(netip.AddrFrom16(netip.MustParseAddr("192.0.2.1").As16()), 8443)
			buf = append(buf, diagRow(tcpDiagGetSock, 1, connwarden.StateEstablished, local, netip.AddrPortFrom(netip.AddrFrom16(remote.As16()), uint16(i)), afInet6)...)
		default:
			buf = append(buf, diagRow(tcpDiagGetSock, 1, connwarden.StateEstablished, ap("192.0.2.1:443"), netip.AddrPortFrom(remote, uint16(i)), afInet)...)
		}
		if i%350 == 349 {
			bufs = append(bufs, buf)
			buf = nil
		}
	}
	return append(bufs, buf)
}

// nowhere is a sink that counts.
type nowhere struct{ n int }

func (s *nowhere) Conn(*connwarden.Conn)       { s.n++ }
func (s *nowhere) Request(*connwarden.Request) {}
func (s *nowhere) Event(*connwarden.Event)     {}
func (s *nowhere) Fault(*connwarden.Fault)     {}
