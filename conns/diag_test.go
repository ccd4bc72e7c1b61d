package conns

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"

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

func TestParseDiag(t *testing.T) {
	local, remote := ap("192.0.2.1:443"), ap("203.0.113.5:51234")
	mappedL := netip.AddrPortFrom(netip.AddrFrom16(local.Addr().As16()), 443)
	mappedR := netip.AddrPortFrom(netip.AddrFrom16(remote.Addr().As16()), 51234)
	want := connwarden.Conn{ID: 1<<32 | 7, State: connwarden.StateEstablished, Local: local, Remote: remote, RecvQueue: 5, SendQueue: 128, UID: 33, Inode: 4711}
	half := want
	half.State = connwarden.StateSynRecv
	odd := want
	odd.State = connwarden.StateUnknown
	six := want
	six.Local, six.Remote = ap("[2001:db8::1]:443"), ap("[2001:db8::2]:51234")
	for _, tt := range []struct {
		name string
		row  []byte
		want connwarden.Conn
		ok   bool
	}{
		{"IPv4", diagRow(tcpDiagGetSock, 1, connwarden.StateEstablished, local, remote, afInet), want, true},
		{"by family", diagRow(sockDiagByFamily, 1, connwarden.StateEstablished, local, remote, afInet), want, true},
		{"mapped (trap 7)", diagRow(tcpDiagGetSock, 1, connwarden.StateEstablished, mappedL, mappedR, afInet6), want, true},
		{"IPv6", diagRow(tcpDiagGetSock, 1, connwarden.StateEstablished, six.Local, six.Remote, afInet6), six, true},
		{"a request socket is half open", diagRow(tcpDiagGetSock, 1, connwarden.StateNewSynRecv, local, remote, afInet), half, true},
		{"a state of a later kernel", diagRow(tcpDiagGetSock, 1, 200, local, remote, afInet), odd, true},
		{"another family", diagRow(tcpDiagGetSock, 1, connwarden.StateEstablished, local, remote, 1), connwarden.Conn{}, false},
	} {
		var got connwarden.Conn
		n := 0
		if _, err := parseDiag(tt.row, 1, func(m []byte) {
			n++
			if diagConn(m, &got) != tt.ok {
				t.Errorf("%s: ok is not %v", tt.name, tt.ok)
			}
		}); err != nil || n != 1 {
			t.Errorf("%s: %d rows, %v", tt.name, n, err)
		}
		if got != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.name, got, tt.want)
		}
	}
}

// message makes one netlink message.
func message(kind, flags uint16, seq uint32, payload ...byte) []byte {
	b := make([]byte, nlHeaderLen, nlHeaderLen+len(payload))
	binary.NativeEndian.PutUint32(b[0:], uint32(nlHeaderLen+len(payload)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], flags)
	binary.NativeEndian.PutUint32(b[8:], seq)
	return append(b, payload...)
}

func errno(n int32) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(-n)) }

func TestParseDiagEnds(t *testing.T) {
	row := diagRow(tcpDiagGetSock, 1, connwarden.StateEstablished, ap("192.0.2.1:443"), ap("203.0.113.5:51234"), afInet)
	interrupted := slices.Clone(row)
	binary.NativeEndian.PutUint16(interrupted[6:], 2|nlDumpIntr)
	long := slices.Clone(row)
	binary.NativeEndian.PutUint32(long, uint32(len(row)+4))
	other := diagRow(tcpDiagGetSock, 2, connwarden.StateEstablished, ap("192.0.2.1:443"), ap("203.0.113.5:51234"), afInet)
	for _, tt := range []struct {
		name string
		buf  []byte
		rows int
		end  diagEnd
		err  error
	}{
		{"more to come", slices.Concat(row, row), 2, diagEnd{}, nil},
		{"done", slices.Concat(row, message(nlDone, 2, 1, errno(0)...)), 1, diagEnd{done: true}, nil},
		{"done badly", message(nlDone, 2, 1, errno(int32(syscall.ENOMEM))...), 0, diagEnd{done: true}, syscall.ENOMEM},
		{"refused", message(nlError, 0, 1, errno(int32(syscall.ENOENT))...), 0, diagEnd{done: true}, syscall.ENOENT},
		{"the table changed", slices.Concat(interrupted, row), 2, diagEnd{interrupted: true}, nil},
		{"of a dump given up", slices.Concat(other, message(nlDone, 2, 2), row), 1, diagEnd{}, nil},
		{"overrun", message(nlOverrun, 0, 1), 0, diagEnd{done: true}, errNetlink},
		{"noop", slices.Concat(message(nlNoop, 0, 1), row), 1, diagEnd{}, nil},
		{"longer than the buffer", long, 0, diagEnd{}, errNetlink},
		{"half a header", row[:10], 0, diagEnd{}, errNetlink},
		{"half a socket", message(tcpDiagGetSock, 2, 1, row[16:60]...), 0, diagEnd{}, errNetlink},
		{"an error without a number", message(nlError, 0, 1), 0, diagEnd{done: true}, errNetlink},
		{"nothing", nil, 0, diagEnd{}, nil},
	} {
		rows := 0
		end, err := parseDiag(tt.buf, 1, func([]byte) { rows++ })
		if rows != tt.rows || end != tt.end || !errors.Is(err, tt.err) {
			t.Errorf("%s: %d rows, %+v, %v; want %d, %+v, %v", tt.name, rows, end, err, tt.rows, tt.end, tt.err)
		}
		// What ends a dump must stop the reader too, or it would wait for ever.
		if (end.done || err != nil) && !diagEnds(tt.buf, 1) && tt.name != "half a socket" {
			t.Errorf("%s: the reader would read on", tt.name)
		}
	}
}

// TestDiagAllocs: a row costs no allocation.
func TestDiagAllocs(t *testing.T) {
	bufs := someDump(700)
	var c connwarden.Conn
	row := func(m []byte) { diagConn(m, &c) }
	if n := testing.AllocsPerRun(100, func() {
		for _, b := range bufs {
			if _, err := parseDiag(b, 1, row); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for 700 rows", n)
	}
}

// runCode does what the kernel does with a filter (inet_diag_bc_run): it reports whether the socket passes.
func runCode(t *testing.T, code []byte, local, remote uint16) bool {
	t.Helper()
	left := len(code)
	for left > 0 {
		at := len(code) - left
		yes := true
		port := func() uint16 { return binary.NativeEndian.Uint16(code[at+6:]) }
		switch code[at] {
		case opJump:
			yes = false
		case opLocalGE:
			yes = local >= port()
		case opLocalLE:
			yes = local <= port()
		case opRemoteGE:
			yes = remote >= port()
		case opRemoteLE:
			yes = remote <= port()
		default:
			t.Fatalf("op %d at %d", code[at], at)
		}
		if yes {
			left -= int(code[at+1])
		} else {
			left -= int(binary.NativeEndian.Uint16(code[at+2:]))
		}
	}
	return left == 0
}

func TestPortCode(t *testing.T) {
	ranges := newPortSet([]uint16{25, 80, 81, 82, 443, 65535}).ranges()
	if want := []portRange{{25, 25}, {80, 82}, {443, 443}, {65535, 65535}}; !slices.Equal(ranges, want) {
		t.Fatalf("ranges %v, want %v", ranges, want)
	}
	in := func(p uint16) bool {
		return slices.ContainsFunc(ranges, func(r portRange) bool { return r.lo <= p && p <= r.hi })
	}
	both, local, remote := portCode(ranges, true, true), portCode(ranges, true, false), portCode(ranges, false, true)
	ports := []uint16{1, 24, 25, 26, 79, 80, 81, 82, 83, 442, 443, 444, 65534, 65535}
	for _, l := range ports {
		for _, r := range ports {
			if got := runCode(t, both, l, r); got != (in(l) || in(r)) {
				t.Errorf("both: %d %d: %v", l, r, got)
			}
			if got := runCode(t, local, l, r); got != in(l) {
				t.Errorf("local: %d %d: %v", l, r, got)
			}
			if got := runCode(t, remote, l, r); got != in(r) {
				t.Errorf("remote: %d %d: %v", l, r, got)
			}
		}
	}
	if portCode(nil, true, true) != nil || portCode(make([]portRange, maxFilterRanges+1), true, true) != nil {
		t.Error("a filter for nothing, or too long a one")
	}
}

func FuzzParseDiag(f *testing.F) {
	row := diagRow(tcpDiagGetSock, 1, connwarden.StateEstablished, ap("192.0.2.1:443"), ap("203.0.113.5:51234"), afInet)
	six := diagRow(sockDiagByFamily, 1, connwarden.StateListen, ap("[::]:443"), ap("[::]:0"), afInet6)
	f.Add(slices.Concat(row, six, message(nlDone, 2, 1, 0, 0, 0, 0)))
	f.Add(message(nlError, 0, 1, errno(int32(syscall.ENOENT))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		sink := checker{t: t}
		var listen listeners
		end, err := parseDiag(b, 1, func(m []byte) {
			var c connwarden.Conn
			diagV6Only(m)
			if diagConn(m, &c) {
				c.Dir = listen.direction(&c)
				sink.Conn(&c)
			}
		})
		if err != nil && !errors.Is(err, errNetlink) && !end.done {
			t.Fatalf("%v without an end", err)
		}
		diagEnds(b, 1)
	})
}
