package conns

import (
	"encoding/binary"
	"net/netip"

	"github.com/connwarden/connwarden"
)

// Columns of /proc/net/tcp and udp, from net/ipv4/tcp_ipv4.c and udp.c: sl, local, remote, state, queues
// (tx:rx), timer, retransmits, uid, timeout, inode, and then some that differ.
const (
	hexLocal = 1 + iota
	hexRemote
	hexState
	hexQueues
	hexTimer
	hexRetrans
	hexUID
	hexTimeout
	hexInode

	hexColumns
	// hexUDPColumns is how many a UDP row has: after the inode ref, pointer, drops. TCP has 12 or 17.
	hexUDPColumns = 13
)

// hexConn reads a row of /proc/net/tcp, tcp6, udp or udp6, cut into columns. What /proc does not hold is left zero. A row
// of a listener holds its accept queue where others hold bytes; its limit is not there. Addresses are words of the machine
// that wrote them: bigEndian says which kind.
func hexConn(col [][]byte, bigEndian bool, c *connwarden.Conn) bool {
	if len(col) < hexColumns {
		return false
	}
	if sl := col[0]; len(sl) < 2 || sl[len(sl)-1] != ':' {
		return false
	}
	local, ok1 := hexAddrPort(col[hexLocal], bigEndian)
	remote, ok2 := hexAddrPort(col[hexRemote], bigEndian)
	state, ok3 := hexNumber(col[hexState], 2)
	if !ok1 || !ok2 || !ok3 {
		return false
	}
	c.Local, c.Remote = local, remote
	c.State = connwarden.State(state)
	switch {
	case c.State == connwarden.StateNewSynRecv:
		c.State = connwarden.StateSynRecv
	case c.State >= connwarden.NumStates:
		c.State = connwarden.StateUnknown
	}
	c.RecvQueue, c.SendQueue = 0, 0
	if q := col[hexQueues]; len(q) == 17 && q[8] == ':' {
		tx, _ := hexNumber(q[:8], 8)
		rx, _ := hexNumber(q[9:], 8)
		c.SendQueue, c.RecvQueue = tx, rx
	}
	c.UID, _ = decimal(col[hexUID])
	c.Inode, _ = decimal(col[hexInode])
	return true
}

// hexAddrPort reads "0100007F:1F90": an address as words of the machine that wrote it, and a port.
func hexAddrPort(b []byte, bigEndian bool) (netip.AddrPort, bool) {
	n := len(b) - 5
	if n != 8 && n != 32 || b[n] != ':' {
		return netip.AddrPort{}, false
	}
	port, ok := hexNumber(b[n+1:], 4)
	if !ok {
		return netip.AddrPort{}, false
	}
	var raw [16]byte
	for i := 0; i < n; i += 8 {
		w, ok := hexNumber(b[i:i+8], 8)
		if !ok {
			return netip.AddrPort{}, false
		}
		if bigEndian {
			binary.BigEndian.PutUint32(raw[i/2:], w)
		} else {
			binary.LittleEndian.PutUint32(raw[i/2:], w)
		}
	}
	addr := netip.AddrFrom4([4]byte(raw[:4]))
	if n == 32 {
		addr = addr16(raw[:])
	}
	return netip.AddrPortFrom(addr, uint16(port)), true
}

// hexNumber reads exactly size hexadecimal digits.
func hexNumber(b []byte, size int) (uint32, bool) {
	if len(b) != size {
		return 0, false
	}
	var n uint32
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | uint32(c)
	}
	return n, true
}

// decimal reads a number of 32 bits.
func decimal(b []byte) (uint32, bool) {
	if len(b) == 0 || len(b) > 10 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return uint32(n), n <= 1<<32-1
}

// columns cuts a line at white space into dst, at most cap(dst) of them, and returns those. Nothing is copied.
func columns(line []byte, dst [][]byte) [][]byte {
	dst = dst[:0]
	for i := 0; i < len(line); {
		for i < len(line) && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r') {
			i++
		}
		if i == len(line) || len(dst) == cap(dst) {
			break
		}
		from := i
		for i < len(line) && line[i] != ' ' && line[i] != '\t' && line[i] != '\r' {
			i++
		}
		dst = append(dst, line[from:i])
	}
	return dst
}
