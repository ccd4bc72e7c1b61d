package wire

import (
	"net"
	"syscall"
)

// knowsPeers tells whether the system says who is at the other end.
const knowsPeers = true

// peer returns the account at the other end, as it was when it connected.
func peer(c *net.UnixConn) (uid uint32, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 1<<32 - 1, true // nobody
	}
	uid, ok = 1<<32-1, true
	raw.Control(func(fd uintptr) { //nolint:errcheck // then it stays nobody
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			uid = cred.Uid
		}
	})
	return uid, ok
}
