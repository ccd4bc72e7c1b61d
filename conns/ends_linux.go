package conns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
)

// Groups of include/uapi/linux/sock_diag.h.
const (
	groupTCPDestroy  = 1 // SKNLGRP_INET_TCP_DESTROY
	groupTCP6Destroy = 3 // SKNLGRP_INET6_TCP_DESTROY
)

// endsRoom is the receive buffer that is asked for: some thousand ends, of which each takes about a kilobyte.
const endsRoom = 4 << 20

func ends(ctx context.Context, end func(*connwarden.Conn), lost func()) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return fmt.Errorf("open a sock_diag socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), "sock_diag")
	defer f.Close()
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, endsRoom) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, endsRoom) // as much as an ordinary user may; less loses more, and says so
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	for _, group := range []int{groupTCPDestroy, groupTCP6Destroy} {
		switch err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group); {
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
			return fmt.Errorf("hear of connections that end: %w", connwarden.ErrDenied)
		case err != nil:
			return fmt.Errorf("hear of connections that end: %w: %w", connwarden.ErrUnsupported, err)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(0, 0)) }) // wakes the reader
	defer stop()
	c := connwarden.Conn{Proto: connwarden.TCP}
	row := func(m []byte) {
		if diagConn(m, &c) {
			end(&c)
		}
	}
	buf := make([]byte, recvLeast)
	for {
		n, err := f.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS):
			lost()
			continue
		case err != nil:
			return err
		}
		if _, err := parseDiag(buf[:n], 0, row); err != nil { // what is broadcast answers no request, and so has no number
			return err
		}
	}
}
