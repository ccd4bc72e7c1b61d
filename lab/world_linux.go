package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrElsewhere is the error for a target that is not an address of a namespace which this lab made.
var ErrElsewhere = errors.New("not an address of a namespace that was made here")

// Far is a third machine, bare, behind the world: a network of its own that the world routes to.
type Far struct {
	l      *Lab
	thread *thread
}

// Daemon starts a server of the machine in the foreground and waits until its pid file, named from the root, is there.
func (l *Lab) Daemon(pidFile, program string, env []string, args ...string) {
	l.t.Helper()
	l.start(pidFile, program, env, args...)
}

// Need returns the one program of the machine that the pattern fits, or skips the test, naming Debian's package.
func (l *Lab) Need(pattern, packages string) string {
	l.t.Helper()
	return l.need(pattern, packages)
}

// Spawn starts a program in the machine's folder, network and processes, as the caller made it. It is killed at the latest
// with the machine.
func (l *Lab) Spawn(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Chroot = l.Root
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	return l.machine.do(cmd.Start)
}

// Abroad starts a program of the host in the world's network, with the host's files. It is killed at the latest with the
// machine.
func (l *Lab) Abroad(cmd *exec.Cmd) error { return l.abroad(l.world, cmd) }

// Start starts a program of the host in the far machine's network. It is killed at the latest with the test.
func (f *Far) Start(cmd *exec.Cmd) error { return f.thread.do(cmd.Start) }

// abroad starts a program among the machine's processes, which end with its first whatever becomes of us, and in the
// network of a thread. A signal for the death of its parent would not do: who changes his user loses it.
func (l *Lab) abroad(th *thread, cmd *exec.Cmd) error {
	const enter = "/usr/bin/nsenter"
	cmd.Args = append([]string{enter, "--net=" + th.netns(), "--", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = enter
	return l.machine.do(cmd.Start)
}

// Route gives the world the addresses of a prefix besides those that it has.
func (l *Lab) Route(prefix netip.Prefix) {
	l.t.Helper()
	l.ip(l.world, "route add local "+prefix.String()+" dev lo")
}

// Lose makes packets to a prefix vanish in the world, as those to an address that nobody has.
func (l *Lab) Lose(prefix netip.Prefix) {
	l.t.Helper()
	l.ip(l.world, "route add blackhole "+prefix.String())
}

// Have gives the world's end of the cable an address beside its own: for servers there.
func (l *Lab) Have(prefix netip.Prefix) {
	l.t.Helper()
	l.ip(l.world, "addr add "+prefix.String()+" dev eth0")
}

// Far makes a machine with the given addresses: of IPv4 in a /24 of which the world has .254, of IPv6 in a /64 of which it has ::fe.
func (l *Lab) Far(name string, addr, addr6 netip.Addr) *Far {
	l.t.Helper()
	th, err := newThread(unix.CLONE_NEWNET|unix.CLONE_NEWPID, nil)
	l.check(err)
	l.t.Cleanup(th.end)
	// With its first process all others end, and that with the thread, as on the machine.
	first := exec.Command("/usr/bin/sleep", "infinity")
	first.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	l.check(th.do(first.Start))
	l.t.Cleanup(func() {
		l.check(first.Process.Kill())
		_ = first.Wait() // says that it was killed
	})
	net4 := addr.As4()
	net4[3] = 254
	gate := netip.AddrFrom4(net4).String()
	l.ip(th, "link set lo up")
	l.ip(l.world, "link add "+name+" type veth peer name eth0 netns "+th.netns())
	l.ip(l.world, "addr add "+gate+"/24 dev "+name)
	l.ip(l.world, "link set "+name+" up")
	l.ip(th, "addr add "+addr.String()+"/24 dev eth0")
	l.ip(th, "link set eth0 up")
	l.ip(th, "route add default via "+gate)
	net6 := addr6.As16()
	net6[15] = 0xfe
	gate6 := netip.AddrFrom16(net6).String()
	l.ip(l.world, "addr add "+gate6+"/64 dev "+name+" nodad")
	l.ip(th, "addr add "+addr6.String()+"/64 dev eth0 nodad")
	l.ip(th, "-6 route add default via "+gate6)
	l.check(l.world.do(func() error { return setting("ipv4/ip_forward", "1") }))
	f := &Far{l, th}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.far = append(l.far, f)
	return f
}

// Ours tells whether an address is one that the machine or a far machine has: whatever is sent goes there or nowhere. The
// error is [ErrElsewhere].
func (l *Lab) Ours(to netip.Addr) error {
	to = to.Unmap()
	l.mu.Lock()
	known, threads := l.ours[to], []*thread{l.machine}
	for _, f := range l.far {
		threads = append(threads, f.thread)
	}
	l.mu.Unlock()
	if known {
		return nil
	}
	for _, th := range threads {
		held := false
		err := th.do(func() error {
			if err := apart(); err != nil {
				return err
			}
			list, err := net.InterfaceAddrs()
			for _, a := range list {
				p, err := netip.ParsePrefix(a.String())
				held = held || err == nil && p.Addr().Unmap() == to && !to.IsLoopback()
			}
			return err
		})
		if err != nil {
			return err
		}
		if held {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.ours == nil {
				l.ours = map[netip.Addr]bool{}
			}
			l.ours[to] = true
			return nil
		}
	}
	return fmt.Errorf("%s: %w", to, ErrElsewhere)
}

// apart makes sure that the calling thread is not in the network that the program was started in.
func apart() error {
	here, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	home, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", os.Getpid()))
	if err == nil && here == home {
		err = errors.New("this thread is in the host's network")
	}
	return err
}

// Dial begins a connection from an address of the world, without waiting for it: the first write, or [Connected], does.
// The target must be one of [Lab.Ours].
func (l *Lab) Dial(from netip.Addr, to netip.AddrPort) (net.Conn, error) {
	if err := l.Ours(to.Addr()); err != nil {
		return nil, err
	}
	fd := -1
	err := l.world.do(func() (err error) {
		family := unix.AF_INET
		if from.Is6() {
			family = unix.AF_INET6
		}
		fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// The socket is the world's for good, whichever thread uses it.
	file := os.NewFile(uintptr(fd), "connection of "+from.String())
	defer file.Close()
	if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(from, 0))); err != nil {
		return nil, os.NewSyscallError("bind "+from.String(), err)
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return nil, os.NewSyscallError("connect", err)
	}
	return net.FileConn(file)
}

// Connected waits until a connection that was begun is made.
func Connected(conn net.Conn, patience time.Duration) error {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		if _, err := unix.Getpeername(int(fd)); err == nil {
			return true
		}
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			failed = unix.Errno(code)
			return true
		}
		return false
	})
	return errors.Join(err, failed)
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// Throw sends whole IPv4 packets from the world, any source address in them. The targets must be of [Lab.Ours]; beyond that no
// packet leaves the world, which knows no other way than those to what was made here.
func (l *Lab) Throw(to netip.Addr, packets [][]byte) error {
	if err := l.Ours(to); err != nil {
		return err
	}
	return l.world.do(func() error {
		if err := apart(); err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer unix.Close(fd)
		for _, p := range packets {
			// By the address in the packet the kernel would send it too; they must not differ.
			if len(p) < 20 || [4]byte(p[16:20]) != to.As4() {
				return fmt.Errorf("a packet that is not for %s: %w", to, ErrElsewhere)
			}
			if err := unix.Sendto(fd, p, 0, &unix.SockaddrInet4{Addr: to.As4()}); err != nil {
				return os.NewSyscallError("sendto", err)
			}
		}
		return nil
	})
}

// Setting changes a setting of the machine's network, by its name below /proc/sys/net.
func (l *Lab) Setting(name, value string) {
	l.t.Helper()
	l.check(l.machine.do(func() error { return setting(name, value) }))
}

// ip runs ip(8) in a network of this lab.
func (l *Lab) ip(th *thread, words string) {
	l.t.Helper()
	var out []byte
	err := th.do(func() (err error) {
		out, err = exec.Command("ip", strings.Fields(words)...).CombinedOutput()
		return err
	})
	if err != nil {
		l.t.Fatalf("ip %s: %v\n%s", words, err, out)
	}
}
