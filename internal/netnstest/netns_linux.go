package netnstest

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Root skips the test, aloud, unless it runs as root.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
}

// Run calls fn in a new network namespace whose loopback is up. fn runs on the test's goroutine, locked to a thread that
// is in the namespace; sockets opened and programs started by that goroutine are in it, those of other goroutines
// are not.
func Run(t testing.TB, fn func()) {
	t.Helper()
	Root(t)
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("open our network namespace: %v", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	defer func() {
		// A thread that could not go back stays locked, and ends with its goroutine.
		if err := unix.Setns(home, unix.CLONE_NEWNET); err == nil {
			runtime.UnlockOSThread()
		}
		unix.Close(home)
	}()
	loopbackUp(t)
	fn()
}

// In calls fn on a thread of its own in the named namespace and waits for it. fn must not end the test.
func In(t testing.TB, name string, fn func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		fd, err := unix.Open("/run/netns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			done <- err
			return
		}
		defer unix.Close(fd)
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace %s: %w", name, err)
			return
		}
		done <- fn()
	}()
	if err := <-done; err != nil {
		t.Fatalf("in network namespace %s: %v", name, err)
	}
}

var names atomic.Int64

// Named makes a namespace with a name under /run/netns, loopback up, and removes it when the test ends.
func Named(t testing.TB) string {
	t.Helper()
	Root(t)
	name := fmt.Sprintf("cwtest-%d-%d", os.Getpid(), names.Add(1))
	Command(t, "ip", "netns", "add", name)
	t.Cleanup(func() { Command(t, "ip", "netns", "del", name) })
	Command(t, "ip", "-n", name, "link", "set", "lo", "up")
	return name
}

// Pair makes two named namespaces joined by a cable, with the addresses 192.0.2.1/24 and 2001:db8::1/64 at the first
// one's end and .2 and ::2 at the second's. The interface is called eth0 in both.
func Pair(t testing.TB) (a, b string) {
	t.Helper()
	a, b = Named(t), Named(t)
	Command(t, "ip", "-n", a, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", b)
	for i, ns := range []string{a, b} {
		Command(t, "ip", "-n", ns, "addr", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", "eth0")
		Command(t, "ip", "-n", ns, "addr", "add", fmt.Sprintf("2001:db8::%d/64", i+1), "dev", "eth0", "nodad")
		Command(t, "ip", "-n", ns, "link", "set", "eth0", "up")
	}
	return a, b
}

// Command runs a program, in the namespace of the goroutine's thread, and returns what it prints.
func Command(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func loopbackUp(t testing.TB) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("open a socket: %v", err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	ifr.SetUint16(unix.IFF_UP)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(ifr))); errno != 0 {
		t.Fatalf("bring lo up: %v", errno)
	}
}
