package conns

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// recvSize is the receive buffer. The kernel fills at most 32 KiB a message and 4 to 256 KiB measured equal; it must be
// no less than a message.
const recvSize = 64 << 10

// answerSeconds bounds the wait for one buffer. The kernel walks while it is read from, so an answer is there at once or
// never comes (as under sandboxes that only pretend to have sock_diag).
const answerSeconds = 10

// diagSocket speaks sock_diag in one network namespace: that of the thread that opened it, for ever.
type diagSocket struct {
	fd  int
	seq uint32
	buf []byte
}

// openDiag opens a socket in the namespace.
func openDiag(ns space) (*diagSocket, error) {
	d := &diagSocket{fd: -1, buf: make([]byte, recvSize)}
	err := ns.enter(func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
		if err != nil {
			return fmt.Errorf("open a sock_diag socket: %w", err)
		}
		d.fd = fd
		return nil
	})
	if err != nil {
		return nil, err
	}
	tv := unix.Timeval{Sec: answerSeconds}
	if err := unix.SetsockoptTimeval(d.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		d.close()
		return nil, fmt.Errorf("set the time limit of a sock_diag socket: %w", err)
	}
	return d, nil
}

func (d *diagSocket) close() { unix.Close(d.fd) }

// dump asks for the sockets in mask and calls row with each, borrowed until row returns. It reports whether the kernel
// said that the table changed under the walk.
func (d *diagSocket) dump(ctx context.Context, family, proto uint8, mask StateSet, code []byte, row func(m []byte)) (interrupted bool, err error) {
	d.seq++
	req := diagRequest(d.seq, family, proto, mask, code)
	if err := unix.Sendto(d.fd, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, os.NewSyscallError("sendto", err)
	}
	for {
		if err := ctx.Err(); err != nil {
			return interrupted, err
		}
		n, err := unix.Read(d.fd, d.buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return interrupted, os.NewSyscallError("read", err)
		}
		end, err := parseDiag(d.buf[:n], d.seq, row)
		interrupted = interrupted || end.interrupted
		if err != nil || end.done {
			return interrupted, err
		}
	}
}
