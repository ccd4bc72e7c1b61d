//go:build linux

// Nft measures what blocks cost, in network namespaces that it makes and removes: how long they take to be put in force,
// and what each packet pays that is let through.
//
// For the latter, frames of 60 bytes from -senders addresses, none of them blocked, are sent straight into a veth cable; the kernel
// takes them through prerouting to a UDP socket that nobody reads, on the same processor and before the sender goes on,
// so that packets a second are the inverse of a packet's whole cost. Cases take turns, and of each the fastest turn counts:
// whatever else the machine does only adds.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/nft"
)

func main() {
	n := flag.Int("n", 100_000, "how many entries the large cases have")
	senders := flag.Int("senders", 16_384, "from how many addresses the packets come; many meet cold caches")
	rounds := flag.Int("rounds", 10, "how often each case is set up")
	turns := flag.Int("turns", 20, "how often it is measured then")
	turn := flag.Duration("turn", 50*time.Millisecond, "how long that takes")
	flag.Parse()
	if err := run(*n, *senders, *rounds, *turns, *turn); err != nil {
		fmt.Fprintln(os.Stderr, "nft:", err)
		os.Exit(1)
	}
}

func run(n, senders, rounds, turns int, turn time.Duration) error {
	if err := changes(n); err != nil {
		return err
	}
	return packets(n, senders, rounds, turns, turn)
}

// addresses are n single addresses, none of which sends.
func addresses(n int) []block.Entry {
	list := make([]block.Entry, n)
	until := time.Now().Add(24 * time.Hour)
	for i := range list {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 11<<24+uint32(i)*7)
		list[i] = block.Entry{Target: netip.PrefixFrom(netip.AddrFrom4(a), 32), Until: until}
	}
	return list
}

// lengths is one prefix of each of the lengths.
func lengths(from, to int) []block.Entry {
	var list []block.Entry
	for bits := from; bits <= to; bits++ {
		list = append(list, block.Entry{Target: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16}), bits).Masked()})
	}
	return list
}

// changes times what the driver does.
func changes(n int) error {
	pair, err := newPair()
	if err != nil {
		return err
	}
	defer pair.remove()
	ctx := context.Background()
	return in(pair.server, func() error {
		d, err := nft.Open(nft.Options{})
		if err != nil {
			return err
		}
		defer d.Close()
		all := addresses(n)
		one := []block.Entry{{Target: netip.MustParsePrefix("192.0.2.7/32"), Until: time.Now().Add(time.Hour)}}
		for _, step := range []struct {
			what string
			do   func() error
		}{
			{"put in force at once, into nothing", func() error { return d.Apply(ctx, all, nil) }},
			{"one more", func() error { return d.Apply(ctx, one, nil) }},
			{"that one renewed", func() error { return d.Apply(ctx, one, nil) }},
			{"that one proved", func() error { _, err := d.Prove(ctx, one[0]); return err }},
			{"that one removed", func() error { return d.Apply(ctx, nil, one) }},
			{"all listed", func() error { _, err := d.List(ctx); return err }},
			{"all renewed", func() error { return d.Apply(ctx, all, nil) }},
			{"all removed", func() error { return d.Apply(ctx, nil, all) }},
		} {
			begin := time.Now()
			if err := step.do(); err != nil {
				return err
			}
			fmt.Printf("%8.2f ms  %d entries: %s\n", time.Since(begin).Seconds()*1e3, n, step.what)
		}
		return nil
	})
}

// load is a case: what is in force at the server.
type load struct {
	what string
	fill func(d *nft.Driver) error
	best time.Duration // of a packet
	lost uint64
}

func packets(n, senders, rounds, turns int, turn time.Duration) error {
	ctx := context.Background()
	apply := func(list ...[]block.Entry) func(d *nft.Driver) error {
		return func(d *nft.Driver) error {
			for _, entries := range list {
				if err := d.Apply(ctx, entries, nil); err != nil {
					return err
				}
			}
			return nil
		}
	}
	ports := addresses(n)
	for i := range ports {
		ports[i].Scope = connwarden.Ports(25, 587)
	}
	loads := []*load{
		{what: "no table", fill: apply()},
		{what: "an empty set", fill: func(d *nft.Driver) error {
			one := addresses(1)
			return errors.Join(d.Apply(ctx, one, nil), d.Apply(ctx, nil, one))
		}},
		{what: fmt.Sprintf("%d addresses", n), fill: apply(addresses(n))},
		{what: fmt.Sprintf("%d addresses, prefixes of 4 lengths", n), fill: apply(addresses(n), lengths(21, 24))},
		{what: fmt.Sprintf("%d addresses, prefixes of all lengths from /8", n), fill: apply(addresses(n), lengths(12, 31), lengths(8, 11))},
		{what: fmt.Sprintf("%d addresses for two ports, not the packets'", n), fill: apply(ports)},
	}
	p, err := newPair()
	if err != nil {
		return err
	}
	defer p.remove()
	if err := p.ready(senders); err != nil {
		return err
	}
	runtime.LockOSThread()
	var one unix.CPUSet
	one.Set(runtime.NumCPU() - 1)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("stay on one processor: %w", err)
	}
	for range rounds {
		for _, l := range loads {
			if err := p.measure(l, turns, turn); err != nil {
				return err
			}
		}
	}
	for _, l := range loads {
		fmt.Printf("%8.0f ns a packet, %8.0f packets/s, %+6.1f ns against an empty set, %d lost: %s\n", float64(l.best),
			float64(time.Second)/float64(l.best), float64(l.best-loads[1].best), l.lost, l.what)
	}
	return nil
}

// pair are two namespaces and what sends from one to the other.
type pair struct {
	client, server string
	sender, socket int // descriptors
	frames         [][]byte
}

// burst is how many frames one call sends.
const burst = 64

var made int

func newPair() (p pair, err error) {
	made++
	p = pair{client: fmt.Sprintf("cwbench-%d-%d-a", os.Getpid(), made), server: fmt.Sprintf("cwbench-%d-%d-b", os.Getpid(), made)}
	for _, args := range []string{
		"netns add " + p.client, "netns add " + p.server,
		"-n " + p.client + " link add eth0 type veth peer name eth0 netns " + p.server,
		"-n " + p.client + " link set eth0 up",
		"-n " + p.server + " addr add 192.0.2.1/24 dev eth0",
		"-n " + p.server + " link set eth0 up",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			p.remove()
			return p, fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
	}
	return p, nil
}

func (p *pair) remove() {
	for _, ns := range []string{p.client, p.server} {
		_ = exec.Command("ip", "netns", "del", ns).Run() // what is left is seen with ip netns
	}
}

// ready opens the sockets of both ends and makes the frames.
func (p *pair) ready(senders int) error {
	var mac net.HardwareAddr
	err := in(p.server, func() (err error) {
		card, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		mac = card.HardwareAddr
		if p.socket, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); err != nil {
			return err
		}
		return errors.Join(unix.SetsockoptInt(p.socket, unix.SOL_SOCKET, unix.SO_RCVBUF, 0), unix.Bind(p.socket, &unix.SockaddrInet4{Port: 9}))
	})
	if err != nil {
		return err
	}
	const many, size = 1 << 14, 60
	from := make([]uint32, max(senders, 1))
	for i := range from {
		from[i] = rand.Uint32()
	}
	all := make([]byte, many*size)
	for i := range many {
		f := all[i*size:][:size]
		frame(f, mac, from[i%len(from)])
		p.frames = append(p.frames, f)
	}
	return in(p.client, func() (err error) {
		card, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		if p.sender, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); err != nil {
			return err
		}
		const ip = 0x0008 // ETH_P_IP as the kernel wants it
		return errors.Join(unix.SetsockoptInt(p.sender, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1),
			unix.Bind(p.sender, &unix.SockaddrLinklayer{Protocol: ip, Ifindex: card.Index}))
	})
}

// frame makes a datagram to port 9 from a sender in 100.64.0.0/10.
func frame(f []byte, to net.HardwareAddr, from uint32) {
	copy(f, to)
	f[6], f[11], f[12] = 2, 1, 8
	ip := f[14:]
	ip[0], ip[3], ip[8], ip[9] = 0x45, 46, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint32(ip[12:], 100<<24|64<<16|from&(1<<22-1))
	copy(ip[16:], []byte{192, 0, 2, 1})
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum+sum>>16))
	copy(ip[20:], []byte{0x30, 0x39, 0, 9, 0, 26})
}

// measure sets a case up and takes its turns.
func (p *pair) measure(l *load, turns int, long time.Duration) error {
	ctx := context.Background()
	var d *nft.Driver
	err := in(p.server, func() (err error) {
		if d, err = nft.Open(nft.Options{}); err != nil {
			return err
		}
		return l.fill(d)
	})
	if err != nil {
		return err
	}
	defer d.Close()
	for range turns {
		if err := p.turn(l, long); err != nil {
			return err
		}
	}
	return d.Flush(ctx)
}

// turn sends for a while and keeps the time of a packet if it is the best so far.
func (p *pair) turn(l *load, long time.Duration) error {
	before, err := p.arrived()
	if err != nil {
		return err
	}
	begin := time.Now()
	sent := 0
	for time.Since(begin) < long {
		n, err := send(p.sender, p.frames[sent%len(p.frames):][:burst])
		if err != nil {
			return err
		}
		sent += n
	}
	each := time.Since(begin) / time.Duration(sent)
	after, err := p.arrived()
	if err != nil {
		return err
	}
	l.lost += uint64(sent) - (after - before)
	if l.best == 0 || each < l.best {
		l.best = each
	}
	return nil
}

// send sends all frames with one call.
func send(fd int, frames [][]byte) (int, error) {
	var list [burst]unix.Mmsghdr
	var vecs [burst]unix.Iovec
	for i, f := range frames {
		vecs[i].Base = &f[0]
		vecs[i].SetLen(len(f))
		list[i].Hdr.Iov = &vecs[i]
		list[i].Hdr.SetIovlen(1)
	}
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&list[0])), uintptr(len(frames)), 0, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("sendmmsg", errno)
	}
	return int(n), nil
}

// arrived is how many datagrams came as far as the socket, which has no room for them.
func (p *pair) arrived() (n uint64, err error) {
	err = in(p.server, func() error {
		text, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		var head []string
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			switch {
			case f[0] != "Udp:":
			case head == nil:
				head = f
			default:
				for i, name := range head {
					if name == "InDatagrams" || name == "RcvbufErrors" {
						v, err := strconv.ParseUint(f[i], 10, 64)
						if err != nil {
							return err
						}
						n += v
					}
				}
			}
		}
		return nil
	})
	return n, err
}

// in calls fn on a thread of its own in the namespace.
func in(ns string, fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		fd, err := unix.Open("/run/netns/"+ns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			done <- fmt.Errorf("open network namespace %s: %w", ns, err)
			return
		}
		defer unix.Close(fd)
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace %s: %w", ns, err)
			return
		}
		done <- fn()
	}()
	return <-done
}
