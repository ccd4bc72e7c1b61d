package block

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
)

// hop is the next one of a route.
type hop struct {
	addr   netip.Addr
	device int32 // its number
}

// maxRoutes bounds what is read of routes, of which the default one is among the first.
const maxRoutes = 16 << 20

// routes adds the next hops that the kernel tells of when it is asked: /proc has the first of several alone, and of the main table.
func (f *facts) routes() {
	names := map[int32]string{}
	for _, family := range []byte{syscall.AF_INET, syscall.AF_INET6} {
		err := eachRoute(family, func(route []byte) {
			for _, h := range hops(route) {
				if names[h.device] == "" {
					names[h.device] = "interface " + strconv.Itoa(int(h.device))
					if i, err := net.InterfaceByIndex(int(h.device)); err == nil {
						names[h.device] = i.Name
					}
				}
				f.gateway(h.addr, names[h.device])
			}
		})
		f.problem("routes", err)
	}
}

// eachRoute hands over the routes of a family as rtnetlink(7) has them, from their struct rtmsg on.
func eachRoute(family byte, each func(route []byte)) error {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer syscall.Close(fd)
	patience := syscall.NsecToTimeval(int64(2 * time.Second))
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &patience); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	ask := make([]byte, syscall.NLMSG_HDRLEN+syscall.SizeofRtMsg)
	binary.NativeEndian.PutUint32(ask, uint32(len(ask)))
	binary.NativeEndian.PutUint16(ask[4:], syscall.RTM_GETROUTE)
	binary.NativeEndian.PutUint16(ask[6:], syscall.NLM_F_REQUEST|syscall.NLM_F_DUMP)
	ask[syscall.NLMSG_HDRLEN] = family
	if err := syscall.Sendto(fd, ask, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	b := make([]byte, 64<<10)
	for read := 0; read < maxRoutes; {
		n, _, err := syscall.Recvfrom(fd, b, 0)
		if err != nil {
			return os.NewSyscallError("recvfrom", err)
		}
		read += n
		list, err := syscall.ParseNetlinkMessage(b[:n])
		if err != nil {
			return err
		}
		for _, m := range list {
			switch m.Header.Type {
			case syscall.NLMSG_DONE:
				return nil
			case syscall.NLMSG_ERROR:
				if len(m.Data) < 4 {
					return syscall.EIO
				}
				return syscall.Errno(-int32(binary.NativeEndian.Uint32(m.Data)))
			case syscall.RTM_NEWROUTE:
				each(m.Data)
			}
		}
	}
	return nil
}

// Attributes of a route: those that package syscall does not name.
const rtaVia = 18 // RTA_VIA of linux/rtnetlink.h: a hop of the other family

// hops reads the next hops of a route.
func hops(route []byte) (list []hop) {
	if len(route) < syscall.SizeofRtMsg {
		return nil
	}
	var one hop
	attributes(route[syscall.SizeofRtMsg:], func(kind uint16, b []byte) {
		switch kind {
		case syscall.RTA_OIF:
			if len(b) >= 4 {
				one.device = int32(binary.NativeEndian.Uint32(b))
			}
		case syscall.RTA_MULTIPATH:
			for len(b) >= syscall.SizeofRtNexthop { // length flags weight device, and attributes
				n := int(binary.NativeEndian.Uint16(b))
				if n < syscall.SizeofRtNexthop || n > len(b) {
					return
				}
				h := hop{device: int32(binary.NativeEndian.Uint32(b[4:]))}
				attributes(b[syscall.SizeofRtNexthop:n], h.read)
				list = append(list, h)
				b = b[min(len(b), align(n)):]
			}
		default:
			one.read(kind, b)
		}
	})
	return append(list, one)
}

func (h *hop) read(kind uint16, b []byte) {
	switch {
	case kind == syscall.RTA_GATEWAY:
	case kind == rtaVia && len(b) > 2: // struct rtvia: a family and the address
		b = b[2:]
	default:
		return
	}
	if a, ok := netip.AddrFromSlice(b); ok {
		h.addr = a
	}
}

// attributes hands over attributes of netlink.
func attributes(b []byte, each func(kind uint16, value []byte)) {
	for len(b) >= syscall.SizeofRtAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < syscall.SizeofRtAttr || n > len(b) {
			return
		}
		each(binary.NativeEndian.Uint16(b[2:]), b[syscall.SizeofRtAttr:n])
		b = b[min(len(b), align(n)):]
	}
}

// align rounds up as netlink does.
func align(n int) int { return (n + syscall.NLMSG_ALIGNTO - 1) &^ (syscall.NLMSG_ALIGNTO - 1) }
