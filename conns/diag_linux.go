package conns

import (
	"context"
	"fmt"
	"os"
	"sync"
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
	fd   int
	ours bool // in the namespace that we are in
	seq  uint32
	buf  [ahead][]byte // all but the first only once a dump is longer than one buffer
}

// openDiag opens a socket in the namespace.
func openDiag(ns space) (*diagSocket, error) {
	d := &diagSocket{fd: -1, ours: ns.ours()}
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

// ask sends a dump request.
func (d *diagSocket) ask(family, proto uint8, mask StateSet, code []byte) error {
	d.seq++
	req := diagRequest(d.seq, family, proto, mask, code)
	return os.NewSyscallError("sendto", unix.Sendto(d.fd, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

// dump asks for the sockets in mask and calls row with each, borrowed until row returns. It reports whether the kernel
// said that the table changed under the walk.
func (d *diagSocket) dump(ctx context.Context, family, proto uint8, mask StateSet, code []byte, row func(m []byte)) (interrupted bool, err error) {
	if err := d.ask(family, proto, mask, code); err != nil {
		return false, err
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
	more, err := takeAll(ctx, []*diagSocket{d}, row)
	return end.interrupted || more, err
}

// halves are the remote ports of the two walks of [dumpHalves]. Clients take theirs from 32768 on (Linux), from 49152 on
// (Windows, RFC 6335) or from anywhere (address translation), so neither half is empty on a busy server.
var halves = [2]portRange{{0, 49151}, {49152, 65535}}

// dumpHalves is a dump of all TCP sockets by two walks at once, each for its half of the remote ports. The kernel's walk
// is nearly all the time that a dump takes, and passing over a row costs it a quarter of telling it.
func dumpHalves(ctx context.Context, socks [2]*diagSocket, mask StateSet, row func(m []byte)) (interrupted bool, err error) {
	for i, d := range socks {
		if err := d.ask(afUnspec, protoTCP, mask, portCode([]portRange{halves[i]}, false, true)); err != nil {
			return false, err
		}
	}
	return takeAll(ctx, socks[:], row)
}

// block is what one socket was read of.
type block struct {
	from    *diagSocket
	slot, n int
	err     error
}

// takeAll takes the buffers of the dumps that are under way. The kernel walks its table inside read, so a goroutine a socket
// keeps it walking while the rows of the buffers before are parsed and counted: with two processors that part of the time
// is gone. A buffer takes several reads, so that they meet seldom.
func takeAll(ctx context.Context, socks []*diagSocket, row func(m []byte)) (interrupted bool, err error) {
	full := make(chan block, ahead*len(socks))
	free := map[*diagSocket]chan int{}
	var readers sync.WaitGroup
	for _, d := range socks {
		slots := make(chan int, ahead)
		for slot := range ahead {
			slots <- slot
		}
		free[d] = slots
		readers.Go(func() { d.fill(slots, full) })
	}
	// The readers end before we return: nobody reads from a socket that the caller closes. There is room in full for
	// every slot, so that none of them waits for us.
	defer func() {
		for _, slots := range free {
			close(slots)
		}
		readers.Wait()
	}()
	for open := len(socks); open > 0; {
		b := <-full
		end, err := parseDiag(b.from.buf[b.slot][:b.n], b.from.seq, row)
		interrupted = interrupted || end.interrupted
		switch {
		case err != nil:
			return interrupted, err
		case end.done:
			open--
			continue
		case b.err != nil:
			return interrupted, b.err
		}
		if err := ctx.Err(); err != nil {
			return interrupted, err
		}
		free[b.from] <- b.slot
	}
	return interrupted, nil
}

// fill reads into the slots that are free until the dump ends or fails.
func (d *diagSocket) fill(slots <-chan int, full chan<- block) {
	for slot := range slots {
		d.more(slot)
		buf, b, ends := d.buf[slot], block{from: d, slot: slot}, false
		for !ends && len(buf)-b.n >= recvLeast {
			n, err := d.read(buf[b.n:])
			ends = err != nil || diagEnds(buf[b.n:b.n+n], d.seq)
			b.n += n
			b.err = err
		}
		full <- b
		if ends {
			return
		}
	}
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
