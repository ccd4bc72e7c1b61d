package conns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
)

const (
	// killsAtOnce is how many requests are sent before their answers are read: the answers have to fit the socket's
	// buffer, where each takes up to a kilobyte.
	killsAtOnce = 100
	// maxKills bounds what one walk of the table collects, 72 bytes each; what is more waits for the next walk.
	maxKills = 1 << 16
)

// killer closes sockets and keeps count.
type killer struct {
	d       *diagSocket
	closed  int
	refused int // for the kernel cannot close such a socket, or none at all
}

func kill(ctx context.Context, prefix netip.Prefix) (int, error) {
	d, err := openDiag(space{})
	if err != nil {
		return 0, err
	}
	defer d.close()
	k := killer{d: d}
	families := []uint8{afInet6}
	if prefix.Addr().Is4() {
		families = []uint8{afInet, afInet6}
	}
	for _, family := range families {
		if err := k.all(ctx, family, protoTCP, killStates, prefix); err != nil {
			return k.closed, err
		}
		// UDP's part is a module of its own (udp_diag) that may be missing where TCP's is there.
		if err := k.all(ctx, family, protoUDP, stateBit(connwarden.StateEstablished), prefix); err != nil && !errors.Is(err, unix.ENOENT) {
			return k.closed, err
		}
	}
	if k.closed == 0 && k.refused > 0 {
		return 0, k.able()
	}
	return k.closed, nil
}

// able asks to close a socket that nobody has: a kernel that can close any says that it is not there.
func (k *killer) able() error {
	nobody := [diagMsgLen]byte{afInet}
	k.refused = 0
	if err := k.some(appendKill(nil, 0, protoTCP, nobody[:])); err != nil || k.refused == 0 {
		return err
	}
	return fmt.Errorf("%w: the kernel has no CONFIG_INET_DIAG_DESTROY", connwarden.ErrUnsupported)
}

// all closes the sockets of one family and protocol.
func (k *killer) all(ctx context.Context, family, proto uint8, mask StateSet, prefix netip.Prefix) error {
	for {
		var reqs []byte
		var c connwarden.Conn
		_, err := k.d.dump(ctx, family, proto, mask, hostCode(prefix), func(m []byte) {
			if len(reqs) < maxKills*killLen && diagConn(m, &c) && prefix.Contains(c.Remote.Addr()) {
				reqs = appendKill(reqs, 0, proto, m)
			}
		})
		if err != nil {
			return err
		}
		before := k.closed
		full := len(reqs) == maxKills*killLen
		for len(reqs) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(len(reqs), killsAtOnce*killLen)
			if err := k.some(reqs[:n]); err != nil {
				return err
			}
			reqs = reqs[n:]
		}
		if !full || k.closed == before {
			return nil
		}
	}
}

// some sends requests and reads their answers.
func (k *killer) some(reqs []byte) error {
	first, count := k.d.seq+1, uint32(len(reqs)/killLen)
	for at := 0; at < len(reqs); at += killLen {
		k.d.seq++
		binary.NativeEndian.PutUint32(reqs[at+8:], k.d.seq)
	}
	if err := unix.Sendto(k.d.fd, reqs, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	var failed error
	for answered := uint32(0); answered < count; {
		n, err := k.d.read(k.d.buf[0])
		if err != nil {
			return err
		}
		err = parseAcks(k.d.buf[0][:n], first, count, func(e syscall.Errno) {
			answered++
			switch e {
			case 0:
				k.closed++
			case unix.ENOENT: // closed meanwhile
			case unix.EOPNOTSUPP:
				k.refused++
			case unix.EPERM, unix.EACCES:
				failed = fmt.Errorf("%w: needs root", connwarden.ErrDenied)
			default:
				failed = e
			}
		})
		if err != nil {
			return err
		}
	}
	return failed
}
