package conns

import (
	"context"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// recvSize is the receive buffer; 4 to 256 KiB measured equal. The kernel fills at most 32 KiB a read, and what is read must not
	// be cut, so a buffer is full when less than that is left.
	recvSize  = 256 << 10
	recvLeast = 32 << 10
)

// answerSeconds bounds the wait for an answer. The kernel walks while it is read from, so one is there at once or never
// comes (as under sandboxes that only pretend to have sock_diag).
const answerSeconds = 10

// ahead is how many buffers may be read before they are looked at: one being filled, one being parsed, one between them.
const ahead = 3

// diagSocket speaks sock_diag in one network namespace: that of the thread that opened it, for ever.
type diagSocket struct {
	fd  int
	seq uint32
	buf [ahead][]byte // all but the first only once a dump is longer than one buffer
}

// openDiag opens a socket in the namespace.
func openDiag(ns space) (*diagSocket, error) {
	d := &diagSocket{fd: -1}
	err := ns.enter(func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
		if err != nil {
			return fmt.Errorf("open a sock_diag socket: %w", err)
		}
		d.fd = fd
		return nil
	})
	if err != nil {
		return nil, err
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
	if err := ctx.Err(); err != nil {
		return false, err
	}
	d.more(0)
	n, err := d.read(d.buf[0])
	if err != nil {
		return false, err
	}
	end, err := parseDiag(d.buf[0][:n], d.seq, row)
	if err != nil || end.done {
		return end.interrupted, err
	}
	more, err := d.rest(ctx, row)
	return end.interrupted || more, err
}

// rest takes the buffers after the first. The kernel walks its table inside read, so a goroutine of its own keeps it
// walking while the rows of the buffer before are parsed and counted: with two processors that part of the time is gone. A
// buffer takes several reads, so that the two meet seldom.
func (d *diagSocket) rest(ctx context.Context, row func(m []byte)) (interrupted bool, err error) {
	type block struct {
		slot, n int
		err     error
	}
	free := make(chan int, ahead)
	full := make(chan block, ahead)
	for slot := range ahead {
		free <- slot
	}
	seq := d.seq
	go func() {
		defer close(full)
		for slot := range free {
			d.more(slot)
			buf, b, ends := d.buf[slot], block{slot: slot}, false
			for !ends && len(buf)-b.n >= recvLeast {
				n, err := d.read(buf[b.n:])
				ends = err != nil || diagEnds(buf[b.n:b.n+n], seq)
				b.n += n
				b.err = err
			}
			full <- b
			if ends {
				return
			}
		}
	}()
	// The reader ends before we return: nobody reads from a socket that the caller closes.
	defer func() {
		close(free)
		for range full {
		}
	}()
	for b := range full {
		end, err := parseDiag(d.buf[b.slot][:b.n], seq, row)
		interrupted = interrupted || end.interrupted
		if err != nil || end.done {
			return interrupted, err
		}
		if b.err != nil {
			return interrupted, b.err
		}
		if err := ctx.Err(); err != nil {
			return interrupted, err
		}
		free <- b.slot
	}
	return interrupted, fmt.Errorf("%w: the dump has no end", errNetlink)
}

// more makes sure that a buffer is there.
func (d *diagSocket) more(slot int) {
	if d.buf[slot] == nil {
		d.buf[slot] = make([]byte, recvSize)
	}
}

// read takes one read's messages. The kernel walks its table in there for some hundred microseconds and does not wait for
// anything, so the scheduler is not told: it would take the processor away and give it back at every read.
func (d *diagSocket) read(buf []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(d.fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			if err := d.wait(); err != nil {
				return 0, err
			}
		default:
			return 0, os.NewSyscallError("read", errno)
		}
	}
}

// wait waits until there is something to read.
func (d *diagSocket) wait() error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(d.fd), Events: unix.POLLIN}}, answerSeconds*1000)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("poll", err)
		case n == 0:
			return fmt.Errorf("sock_diag gave no answer within %d s", answerSeconds)
		default:
			return nil
		}
	}
}
