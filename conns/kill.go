package conns

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/connwarden/connwarden"
)

// Kill closes the sockets whose remote address is in prefix, of both families and in IPv6 clothes too, and returns how many
// were closed. It means what ss -K means: only this network namespace; TCP connections, half-open ones among them, get a
// reset at both ends; UDP sockets connected to such a peer are closed; listeners, TIME-WAIT, and what the kernel cannot
// close or what is gone by then are passed over. A program that holds the socket reads ECONNABORTED. Nothing
// keeps the peer from coming back: block first.
//
// The error wraps [connwarden.ErrUnsupported] where the kernel lacks CONFIG_INET_DIAG_DESTROY (Linux 4.5) and
// [connwarden.ErrDenied] without CAP_NET_ADMIN; both are noticed only when there is something to close.
func Kill(ctx context.Context, prefix netip.Prefix) (n int, err error) {
	prefix, err = plainPrefix(prefix)
	if err != nil {
		return 0, err
	}
	n, err = kill(ctx, prefix)
	if err != nil {
		return n, fmt.Errorf("close the connections of %s: %w", prefix, err)
	}
	return n, nil
}

// plainPrefix takes IPv6 clothes off and masks.
func plainPrefix(p netip.Prefix) (netip.Prefix, error) {
	const clothes = 96 // bits of ::ffff:0:0/96
	if p.Addr().Is4In6() && p.Bits() >= clothes {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-clothes)
	}
	if !p.IsValid() {
		return p, fmt.Errorf("close connections: the prefix %s is not valid", p)
	}
	return p.Masked(), nil
}

// killStates are the states of TCP that Kill looks for: what has a peer and is more than a memory of it.
var killStates = connected &^ stateBit(connwarden.StateTimeWait)

// Numbers of sock_diag for closing, from include/uapi/linux/sock_diag.h and inet_diag.h.
const (
	sockDestroy = 21
	nlAck       = 0x4
	opRemoteIs  = 8 // INET_DIAG_BC_D_COND

	killLen = nlHeaderLen + 8 + sockIDLen
)

// hostCode is the kernel's filter for sockets whose remote address is in p: one op with a struct inet_diag_hostcond. For
// IPv4 the kernel matches sockets in IPv6 clothes too.
func hostCode(p netip.Prefix) []byte {
	family, addr := byte(afInet), p.Addr().AsSlice()
	if p.Addr().Is6() {
		family = afInet6
	}
	const head = 4 + 8 // the op, and the condition before its address
	size := head + len(addr)
	code := make([]byte, 0, size)
	code = append(code, opRemoteIs, byte(size))
	code = binary.NativeEndian.AppendUint16(code, uint16(size+4)) // a miss is four bytes past the end: refused
	code = append(code, family, byte(p.Bits()), 0, 0)
	code = binary.NativeEndian.AppendUint32(code, ^uint32(0)) // any port
	return append(code, addr...)
}

// appendKill appends the request to close the socket that m tells of. m has at least diagMsgLen bytes.
func appendKill(b []byte, seq uint32, proto uint8, m []byte) []byte {
	b = binary.NativeEndian.AppendUint32(b, killLen)
	b = binary.NativeEndian.AppendUint16(b, sockDestroy)
	b = binary.NativeEndian.AppendUint16(b, nlRequest|nlAck)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = append(b, 0, 0, 0, 0)             // from the kernel's point of view: whoever sends
	b = append(b, m[0], proto, 0, 0)      // struct inet_diag_req_v2: family, protocol, extensions, pad
	b = append(b, 0xff, 0xff, 0xff, 0xff) // every state
	return append(b, m[4:4+sockIDLen]...)
}

// parseAcks walks one received buffer and calls ack with each answer to the requests numbered first and following: 0, or
// why not. Anything else in the buffer is skipped.
func parseAcks(b []byte, first, count uint32, ack func(syscall.Errno)) error {
	for len(b) > 0 {
		if len(b) < nlHeaderLen {
			return fmt.Errorf("%w: %d bytes left", errNetlink, len(b))
		}
		size := int(binary.NativeEndian.Uint32(b))
		if size < nlHeaderLen || size > len(b) {
			return fmt.Errorf("%w: length %d of %d", errNetlink, size, len(b))
		}
		kind, seq := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint32(b[8:])
		if m := b[nlHeaderLen:size]; kind == nlError && seq-first < count {
			if len(m) < 4 {
				return fmt.Errorf("%w: error of %d bytes", errNetlink, len(m))
			}
			ack(syscall.Errno(-int32(binary.NativeEndian.Uint32(m))))
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return nil
}
