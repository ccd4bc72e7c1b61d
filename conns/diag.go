package conns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/connwarden/connwarden"
)

// Netlink and sock_diag numbers, from include/uapi/linux/netlink.h, sock_diag.h and inet_diag.h.
const (
	nlHeaderLen = 16

	nlNoop    = 1
	nlError   = 2
	nlDone    = 3
	nlOverrun = 4

	nlRequest  = 0x1
	nlDumpIntr = 0x10
	nlDump     = 0x300

	tcpDiagGetSock   = 18 // the legacy request: TCP of both families in one walk
	sockDiagByFamily = 20

	afUnspec = 0
	afInet   = 2
	afInet6  = 10

	protoTCP = 6
	protoUDP = 17

	diagMsgLen = 72 // struct inet_diag_msg
	sockIDLen  = 48 // struct inet_diag_sockid

	attrReqBytecode = 1  // INET_DIAG_REQ_BYTECODE
	attrSkV6Only    = 11 // INET_DIAG_SKV6ONLY
)

// errNetlink is the root of what parseDiag finds wrong with the bytes themselves.
var errNetlink = errors.New("malformed netlink message")

// diagRequest builds a dump request for one protocol and the states in mask. family is afUnspec for the legacy request,
// which takes TCP only and answers for both families.
func diagRequest(seq uint32, family, proto uint8, mask StateSet, code []byte) []byte {
	b := make([]byte, nlHeaderLen, nlHeaderLen+8+sockIDLen+8+4+len(code))
	kind := uint16(sockDiagByFamily)
	if family == afUnspec {
		// struct inet_diag_req: family, two prefix lengths, extensions, the socket's ID, states, dbs.
		kind = tcpDiagGetSock
		b = append(b, afInet, 0, 0, 0)
		b = append(b, make([]byte, sockIDLen)...)
		b = binary.NativeEndian.AppendUint32(b, uint32(mask))
		b = binary.NativeEndian.AppendUint32(b, 0)
	} else {
		// struct inet_diag_req_v2: family, protocol, extensions, pad, states, the socket's ID.
		b = append(b, family, proto, 0, 0)
		b = binary.NativeEndian.AppendUint32(b, uint32(mask))
		b = append(b, make([]byte, sockIDLen)...)
	}
	if len(code) > 0 {
		b = binary.NativeEndian.AppendUint16(b, uint16(4+len(code)))
		b = binary.NativeEndian.AppendUint16(b, attrReqBytecode)
		b = append(b, code...)
	}
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], nlRequest|nlDump)
	binary.NativeEndian.PutUint32(b[8:], seq)
	return b
}

// Ops of the kernel's socket filter, from inet_diag.h. Each is four bytes: code, how far on a match (one byte), how far
// otherwise (two); the port ops have their port in the second half of a further four bytes.
const (
	opJump     = 1
	opLocalGE  = 2
	opLocalLE  = 3
	opRemoteGE = 4
	opRemoteLE = 5
)

// maxFilterRanges bounds the filter: a jump is at most 65,535 bytes and a range on both sides costs 40. Past it the rows
// are chosen here.
const maxFilterRanges = 1024

// portCode is the kernel's filter for sockets whose local port (if local) or remote port (if remote) is in one of
// the ranges. It is nil when there is nothing to filter or too much.
//
// The audit in net/ipv4/inet_diag.c wants every jump's aim to be reachable by walking the "match" distances from the
// start; so those lead to the next op always, and acceptance is a jump.
func portCode(ranges []portRange, local, remote bool) []byte {
	if len(ranges) == 0 || len(ranges) > maxFilterRanges || !local && !remote {
		return nil
	}
	type test struct {
		ge, le byte
		r      portRange
	}
	var tests []test
	for _, r := range ranges {
		if local {
			tests = append(tests, test{opLocalGE, opLocalLE, r})
		}
		if remote {
			tests = append(tests, test{opRemoteGE, opRemoteLE, r})
		}
	}
	const size = 20 // two port ops and a jump
	total := len(tests)*size - 4
	code := make([]byte, 0, total)
	op := func(kind, yes byte, no int) {
		code = append(code, kind, yes)
		code = binary.NativeEndian.AppendUint16(code, uint16(no))
	}
	for i, t := range tests {
		end := total - len(code) // from here to acceptance
		next := size             // from here to the next test
		if i == len(tests)-1 {   // the last one's miss is the refusal: four bytes past the end
			next = end + 4
		}
		op(t.ge, 8, next)
		op(0, 0, int(t.r.lo))
		op(t.le, 8, next-8)
		op(0, 0, int(t.r.hi))
		if i < len(tests)-1 {
			op(opJump, 4, end-16)
		}
	}
	return code
}

// diagEnd is what ended or spoiled a dump.
type diagEnd struct {
	done        bool
	interrupted bool // NLM_F_DUMP_INTR: the table changed while it was walked
}

// parseDiag walks one received buffer and calls row with each socket's message: a struct inet_diag_msg and its
// attributes, borrowed from b. It keeps nothing and allocates nothing but errors. Messages of another sequence
// number are skipped: they belong to a dump that was given up.
func parseDiag(b []byte, seq uint32, row func(m []byte)) (end diagEnd, err error) {
	for len(b) > 0 {
		if len(b) < nlHeaderLen {
			return end, fmt.Errorf("%w: %d bytes left", errNetlink, len(b))
		}
		size := int(binary.NativeEndian.Uint32(b))
		if size < nlHeaderLen || size > len(b) {
			return end, fmt.Errorf("%w: length %d of %d", errNetlink, size, len(b))
		}
		m := b[nlHeaderLen:size]
		kind := binary.NativeEndian.Uint16(b[4:])
		flags := binary.NativeEndian.Uint16(b[6:])
		mine := binary.NativeEndian.Uint32(b[8:]) == seq
		b = b[min((size+3)&^3, len(b)):]
		if !mine {
			continue
		}
		if flags&nlDumpIntr != 0 {
			end.interrupted = true
		}
		switch kind {
		case tcpDiagGetSock, sockDiagByFamily:
			if len(m) < diagMsgLen {
				return end, fmt.Errorf("%w: socket of %d bytes", errNetlink, len(m))
			}
			row(m)
		case nlDone:
			end.done = true
			return end, diagErrno(m)
		case nlError:
			end.done = true
			if len(m) < 4 {
				return end, fmt.Errorf("%w: error of %d bytes", errNetlink, len(m))
			}
			return end, diagErrno(m)
		case nlOverrun:
			end.done = true
			return end, fmt.Errorf("%w: overrun", errNetlink)
		case nlNoop:
		}
	}
	return end, nil
}

// diagEnds tells whether a buffer holds the end of the dump, or what parseDiag will refuse.
func diagEnds(b []byte, seq uint32) bool {
	for len(b) >= nlHeaderLen {
		size := int(binary.NativeEndian.Uint32(b))
		if size < nlHeaderLen || size > len(b) {
			return true
		}
		if binary.NativeEndian.Uint32(b[8:]) == seq {
			switch binary.NativeEndian.Uint16(b[4:]) {
			case nlDone, nlError, nlOverrun:
				return true
			}
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return len(b) > 0
}

// diagErrno reads the errno, negated, that an error and the end of a dump begin with.
func diagErrno(m []byte) error {
	if len(m) < 4 {
		return nil
	}
	if n := int32(binary.NativeEndian.Uint32(m)); n < 0 && n > -4096 {
		return syscall.Errno(-n)
	}
	return nil
}

// diagConn reads a struct inet_diag_msg into c: all but the direction, the process and what holds for a whole dump. It
// reports false for a family that is neither IPv4 nor IPv6. m has at least diagMsgLen bytes.
func diagConn(m []byte, c *connwarden.Conn) bool {
	_ = m[diagMsgLen-1]
	var local, remote netip.Addr
	switch m[0] {
	case afInet:
		local = netip.AddrFrom4([4]byte(m[8:12]))
		remote = netip.AddrFrom4([4]byte(m[24:28]))
	case afInet6:
		local, remote = addr16(m[8:24]), addr16(m[24:40])
	default:
		return false
	}
	state := connwarden.State(m[1])
	switch {
	case state == connwarden.StateNewSynRecv:
		state = connwarden.StateSynRecv
	case state >= connwarden.NumStates:
		state = connwarden.StateUnknown
	}
	c.State = state
	c.Local = netip.AddrPortFrom(local, binary.BigEndian.Uint16(m[4:]))
	c.Remote = netip.AddrPortFrom(remote, binary.BigEndian.Uint16(m[6:]))
	c.ID = uint64(binary.NativeEndian.Uint32(m[44:])) | uint64(binary.NativeEndian.Uint32(m[48:]))<<32
	c.RecvQueue = binary.NativeEndian.Uint32(m[56:])
	c.SendQueue = binary.NativeEndian.Uint32(m[60:])
	c.UID = binary.NativeEndian.Uint32(m[64:])
	c.Inode = binary.NativeEndian.Uint32(m[68:])
	return true
}

// addr16 reads an IPv6 address; one that is IPv4 in IPv6 clothes comes out as IPv4.
func addr16(b []byte) netip.Addr {
	if binary.BigEndian.Uint64(b) == 0 && binary.BigEndian.Uint32(b[8:]) == 0xffff {
		return netip.AddrFrom4([4]byte(b[12:16]))
	}
	return netip.AddrFrom16([16]byte(b))
}

// diagV6Only tells whether the socket said of itself that it takes no IPv4.
func diagV6Only(m []byte) bool {
	for a := m[diagMsgLen:]; len(a) >= 4; {
		size := int(binary.NativeEndian.Uint16(a))
		if size < 4 || size > len(a) {
			return false
		}
		if binary.NativeEndian.Uint16(a[2:]) == attrSkV6Only && size > 4 {
			return a[4] != 0
		}
		a = a[min((size+3)&^3, len(a)):]
	}
	return false
}
