//go:build linux

// Sockets fills the network namespace that it runs in with established TCP sockets that never sent a packet, and holds
// them until its standard input ends or it is told to stop.
//
// It uses TCP_REPAIR, the kernel's interface for moving connections between machines (Linux 3.5, needs CAP_NET_ADMIN): a
// socket in repair mode becomes ESTABLISHED by connect alone. Seven in ten are IPv4 from 10.0.0.0/8 to 192.0.2.1:443, one
// in ten is the same as an IPv4-mapped IPv6 socket at port 8443, two in ten are IPv6 from 2001:db8:1::/48 to
// 2001:db8::1:8443. A fifth of the number, or -addrs, is how many addresses they come from, the busiest far ahead of
// the rest. The namespace must have these addresses and routes: see bench/conns.sh.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"

	"golang.org/x/sys/unix"
)

// spare is how many descriptors a process keeps for itself.
const spare = 100

func main() {
	n := flag.Int("n", 100_000, "how many sockets")
	addrs := flag.Int("addrs", 0, "from how many addresses; 0 is a fifth of the sockets")
	part := flag.Int("part", -1, "set for the processes that this one starts: which part of the sockets is theirs")
	flag.Parse()
	if *addrs == 0 {
		*addrs = *n/5 + 1
	}
	if err := run(*n, *addrs, *part); err != nil {
		fmt.Fprintln(os.Stderr, "sockets:", err)
		os.Exit(1)
	}
}

func run(n, addrs, part int) error {
	limit := unix.Rlimit{}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	// One process can hold only so many: share them out.
	each := int(limit.Max) - spare
	if part < 0 && n > each {
		return share(n, addrs, each)
	}
	if part <= 0 {
		if err := listen(); err != nil {
			return err
		}
	}
	if err := fill(n, addrs, max(part, 0)); err != nil {
		return err
	}
	fmt.Println("ready", n)
	wait()
	return nil
}

// share starts a process for each part and waits with them.
func share(n, addrs, each int) error {
	var children []*exec.Cmd
	var inputs []io.Closer
	defer func() {
		for _, in := range inputs {
			in.Close()
		}
		for _, c := range children {
			_ = c.Wait() // it was told to stop
		}
	}()
	for part := 0; part*each < n; part++ {
		size := min(each, n-part*each)
		c := exec.Command("/proc/self/exe", "-n", fmt.Sprint(size), "-addrs", fmt.Sprint(addrs), "-part", fmt.Sprint(part))
		c.Stderr = os.Stderr
		in, err := c.StdinPipe()
		if err != nil {
			return err
		}
		out, err := c.StdoutPipe()
		if err != nil {
			return err
		}
		if err := c.Start(); err != nil {
			return fmt.Errorf("start part %d: %w", part, err)
		}
		children, inputs = append(children, c), append(inputs, in)
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			return fmt.Errorf("part %d was not made: %w", part, err)
		}
	}
	fmt.Println("ready", n)
	wait()
	return nil
}

// wait returns when standard input ends or a signal says so.
func wait() {
	done := make(chan os.Signal, 1)
	signal.Notify(done, unix.SIGINT, unix.SIGTERM)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // whatever ends it, ends us
		done <- unix.SIGTERM
	}()
	<-done
}

var (
	local4 = [4]byte{192, 0, 2, 1}
	local6 = [16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1}
)

// listen opens the listeners that make the rest connections that came in.
func listen() error {
	for _, at := range []struct {
		family int
		addr   unix.Sockaddr
	}{
		{unix.AF_INET, &unix.SockaddrInet4{Port: 443, Addr: local4}},
		{unix.AF_INET6, &unix.SockaddrInet6{Port: 8443}},
	} {
		fd, err := unix.Socket(at.family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open a listener: %w", err)
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return err
		}
		if err := unix.Bind(fd, at.addr); err != nil {
			return fmt.Errorf("bind a listener: %w", err)
		}
		if err := unix.Listen(fd, 128); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	return nil
}

// fill makes n sockets. The same part always makes the same.
func fill(n, addrs, part int) error {
	r := rand.New(rand.NewPCG(uint64(part), 1))
	for i := 0; i < n; {
		u := r.Float64()
		peer := int(u * u * u * float64(addrs)) // the first tenth of the addresses has nearly half of the sockets
		kind := r.IntN(10)
		err := open(kind, peer, 1024+r.IntN(64_000))
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			continue // that peer already uses that port
		}
		if err != nil {
			return fmt.Errorf("socket %d: %w", i, err)
		}
		i++
	}
	return nil
}

// open makes one socket, which stays open as long as the process.
func open(kind, peer, port int) error {
	theirs4 := [4]byte{10, byte(peer >> 16), byte(peer >> 8), byte(peer)}
	family := unix.AF_INET6
	var ours, theirs unix.Sockaddr
	switch {
	case kind < 2:
		ours = &unix.SockaddrInet6{Port: 8443, Addr: local6}
		theirs = &unix.SockaddrInet6{Port: port, Addr: [16]byte{0x20, 0x01, 0x0d, 0xb8, 5: 1, 6: byte(peer >> 16), 7: byte(peer >> 8), 15: byte(peer)}}
	case kind < 3:
		ours = &unix.SockaddrInet6{Port: 8443, Addr: mapped(local4)}
		theirs = &unix.SockaddrInet6{Port: port, Addr: mapped(theirs4)}
	default:
		family = unix.AF_INET
		ours = &unix.SockaddrInet4{Port: 443, Addr: local4}
		theirs = &unix.SockaddrInet4{Port: port, Addr: theirs4}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) },
		func() error { return unix.Bind(fd, ours) },
		func() error { return unix.Connect(fd, theirs) },
	} {
		if err := step(); err != nil {
			unix.Close(fd)
			return err
		}
	}
	return nil
}

func mapped(a [4]byte) [16]byte {
	return [16]byte{10: 0xff, 11: 0xff, 12: a[0], 13: a[1], 14: a[2], 15: a[3]}
}
