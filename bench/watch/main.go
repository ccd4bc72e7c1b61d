//go:build linux

// Command watch measures how fast a program that follows logs denies an address: from the moment the last line that it
// needs is in the log to the kernel's notice that the address is in an nft set.
//
// It is to be run as root in a network namespace of its own (bench/watch.sh does so) and starts the program that it measures.
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	log := flag.String("log", "", "log that is written")
	need := flag.Int("need", 12, "lines after which an address is denied")
	kind := flag.String("kind", "web", "web or ssh")
	trials := flag.Int("trials", 200, "single attackers")
	many := flag.Int("many", 500, "attackers at once")
	bulk := flag.Int("bulk", 200_000, "lines appended at once")
	pause := flag.Duration("pause", 20*time.Millisecond, "between the lines before the last one and the last one")
	flag.Parse()
	if err := run(*log, *kind, *need, *trials, *many, *bulk, *pause, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		os.Exit(1)
	}
}

type bench struct {
	log  *os.File
	kind string
	nft  int
	buf  []byte
	next uint32
}

func run(name, kind string, need, trials, many, bulk int, pause time.Duration, args []string) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	b := &bench{log: file, kind: kind, buf: make([]byte, 1<<20), next: 0xc6120000} // 198.18.0.0/15 is for benchmarks (RFC 2544)
	if b.nft, err = listen(); err != nil {
		return err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	ready := false
	for range 30 { // until it denies someone, it is not ready
		a := b.addr()
		b.write(a, need+2)
		if _, err := b.wait([]netip.Addr{a}, time.Second); err == nil {
			ready = true
			break
		}
	}
	if !ready {
		return errors.New("it denied nobody within 30 seconds")
	}
	var took []time.Duration
	for range trials {
		a := b.addr()
		b.write(a, need-1)
		if _, err := b.wait([]netip.Addr{a}, pause); err == nil {
			return fmt.Errorf("%s was denied after %d lines; it needs fewer than -need %d", a, need-1, need)
		}
		start := b.write(a, 1)
		d, err := b.wait([]netip.Addr{a}, 10*time.Second)
		if err != nil {
			return err
		}
		took = append(took, d.Sub(start))
	}
	slices.Sort(took)
	if len(took) > 0 {
		fmt.Printf("one attacker, %d times: median %s, worst %s\n", len(took), ms(took[len(took)/2]), ms(took[len(took)-1]))
	}
	list := make([]netip.Addr, many)
	for i := range list {
		list[i] = b.addr()
	}
	var text []byte
	for range need {
		for _, a := range list {
			text = b.line(text, a)
		}
	}
	start := time.Now()
	if _, err := b.log.Write(text); err != nil {
		return err
	}
	wrote := time.Now()
	end, err := b.wait(list, 2*time.Minute)
	if err != nil {
		return fmt.Errorf("%d attackers: %w", many, err)
	}
	fmt.Printf("%d attackers, %d lines in one write: all denied %s after it began, %s after it ended\n", many, many*need, ms(end.Sub(start)), ms(end.Sub(wrote)))
	text = text[:0]
	last := b.addr()
	for i := range bulk {
		if i >= bulk-need {
			text = b.line(text, last)
		} else {
			text = b.innocent(text, i)
		}
	}
	start = time.Now()
	if _, err := b.log.Write(text); err != nil {
		return err
	}
	if end, err = b.wait([]netip.Addr{last}, 2*time.Minute); err != nil {
		return fmt.Errorf("%d lines: %w", bulk, err)
	}
	fmt.Printf("%d lines appended at once (%d MB): the attacker at their end denied %s after writing began\n", bulk, len(text)>>20, ms(end.Sub(start)))
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

func (b *bench) addr() netip.Addr {
	b.next += 2 // interval sets tell of the address behind an element, too
	if b.next&0xff == 0 {
		b.next += 2
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, b.next)))
}

// line appends a line that accuses.
func (b *bench) line(to []byte, a netip.Addr) []byte {
	if b.kind == "ssh" {
		return fmt.Appendf(to, "%s host sshd[%d]: Failed password for invalid user admin from %s port 4711 ssh2\n", time.Now().Format("Jan _2 15:04:05"), 1000+b.next%9000, a)
	}
	return fmt.Appendf(to, "%s - - [%s] \"POST /administrator/index.php HTTP/1.1\" 303 5123 \"https://shop.example/administrator/index.php\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\"\n",
		a, time.Now().Format("02/Jan/2006:15:04:05 -0700"))
}

func (b *bench) innocent(to []byte, i int) []byte {
	a := netip.AddrFrom4([4]byte{100, 64, byte(i >> 6), byte(i)})
	if b.kind == "ssh" {
		return fmt.Appendf(to, "%s host sshd[%d]: Connection closed by %s port 4711\n", time.Now().Format("Jan _2 15:04:05"), 1000+i%9000, a)
	}
	return fmt.Appendf(to, "%s - - [%s] \"GET /products/item-%d.html?ref=%d HTTP/1.1\" 200 18230 \"https://shop.example.com/\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\"\n",
		a, time.Now().Format("02/Jan/2006:15:04:05 -0700"), i%3000, i%50)
}

func (b *bench) write(a netip.Addr, n int) time.Time {
	var text []byte
	for range n {
		text = b.line(text, a)
	}
	start := time.Now()
	_, _ = b.log.Write(text)
	return start
}

// listen opens the kernel's notices of changes in nftables.
func listen() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20)
	const group = 7 // NFNLGRP_NFTABLES
	return fd, unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group)
}

// wait waits until all addresses are in a set, and returns when the last notice came.
func (b *bench) wait(list []netip.Addr, patience time.Duration) (time.Time, error) {
	left := map[netip.Addr]bool{}
	for _, a := range list {
		left[a] = true
	}
	deadline := time.Now().Add(patience)
	for len(left) > 0 {
		tv := unix.NsecToTimeval(int64(max(time.Until(deadline), time.Millisecond)))
		_ = unix.SetsockoptTimeval(b.nft, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
		n, _, err := unix.Recvfrom(b.nft, b.buf, 0)
		now := time.Now()
		if err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) && (!errors.Is(err, unix.EAGAIN) || now.After(deadline)) {
			return now, fmt.Errorf("%d of %d addresses are not denied after %s: %w", len(left), len(list), patience, err)
		}
		for a := range left {
			raw := a.As4()
			if n > 0 && bytes.Contains(b.buf[:n], raw[:]) {
				delete(left, a)
			}
		}
		if len(left) == 0 {
			return now, nil
		}
	}
	return time.Now(), nil
}
