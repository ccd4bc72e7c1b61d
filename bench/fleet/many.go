package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/connwarden/connwarden/fleet"
)

// reader is a host that reads the bucket as the agent does, by hints and from where it stopped, and keeps nothing: a
// thousand whole hosts do not fit into this machine.
type reader struct {
	nc    *nats.Conn
	id    *fleet.Identity
	hints chan uint64
	last  uint64
	got   func(subject string)
}

// open joins a host and connects it.
func (b *bench) open(hub, name string) (*reader, error) {
	token, err := b.token()
	if err != nil {
		return nil, err
	}
	id, err := fleet.Join(b.ctx, hub, token, name)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "hosts", name)
	if err := id.Save(dir); err != nil {
		return nil, err
	}
	r := &reader{id: id, hints: make(chan uint64, 1), got: func(string) {}}
	r.nc, err = nats.Connect("tls://"+hub, nats.UserCredentials(filepath.Join(dir, "fleet", "user.creds")), nats.RootCAs(filepath.Join(dir, "fleet", "ca.pem")), nats.CustomInboxPrefix(fleet.Inbox(name)))
	if err != nil {
		return nil, err
	}
	b.undo = append(b.undo, r.nc.Close)
	return r, nil
}

// listen begins to read at the end of the bucket.
func (r *reader) listen(last uint64) error {
	r.last = last
	_, err := r.nc.Subscribe(fleet.AllHints, func(m *nats.Msg) {
		n, _ := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		for {
			select {
			case r.hints <- n:
				return
			case other := <-r.hints:
				n = max(n, other)
			}
		}
	})
	go func() {
		for n := range r.hints {
			for tries := 0; r.last < n && tries < 12; tries++ {
				if tries > 0 {
					again.Add(1)
					<-time.After(time.Millisecond << tries)
				}
				if n == r.last+1 {
					m, err := r.nc.Request(fleet.GetDecisions, fmt.Appendf(nil, `{"seq":%d}`, n), 5*time.Second)
					if err == nil && m.Header.Get("Status") == "" {
						r.last = n
						r.got(m.Header.Get("Nats-Subject"))
						continue
					}
				}
				if err := r.read(); err != nil {
					return
				}
			}
		}
	}()
	return err
}

// again counts answers that did not have what was hinted at.
var again atomic.Int64

// read asks once for what is new.
func (r *reader) read() error {
	inbox := r.nc.NewRespInbox()
	sub, err := r.nc.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	question, err := json.Marshal(map[string]any{"seq": r.last + 1, "batch": 4096})
	if err == nil {
		err = r.nc.PublishRequest(fleet.GetDecisions, inbox, question)
	}
	for err == nil {
		m, err := sub.NextMsg(5 * time.Second)
		if err != nil || m.Header.Get("Status") != "" {
			break
		}
		r.last, _ = strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		r.got(m.Header.Get("Nats-Subject"))
	}
	return errors.Join(err, sub.Unsubscribe())
}

// value is a decision whose reason is like no other's, as reasons are.
func value(addr netip.Addr) []byte {
	b := addr.As4()
	return fmt.Appendf(nil, `{"v":1,"for":86400,"score":95,"by":"rule:ssh-bruteforce","why":"%d failed logins of root in 5 minutes, from one address"}`, binary.BigEndian.Uint32(b[:])%1_000_000)
}

// put writes a block and waits until it was stored.
func (r *reader) put(addr netip.Addr) (seq uint64, err error) {
	k := fleet.Key{Group: "default", Host: r.id.Host, Kind: fleet.KindBlock, Target: netip.PrefixFrom(addr, addr.BitLen())}
	m, err := r.nc.RequestMsg(&nats.Msg{Subject: k.Subject(), Data: value(addr), Header: nats.Header{"Nats-TTL": {"86400s"}}}, 10*time.Second)
	if err != nil {
		return 0, err
	}
	var s struct{ Seq uint64 }
	err = json.Unmarshal(m.Data, &s)
	return s.Seq, err
}

func (b *bench) many() error {
	hubs, err := b.runHub("127.0.0.1")
	if err != nil {
		return err
	}
	fmt.Printf("hub at its start: %d MB\n", b.hubMemory())
	began := time.Now()
	list := make([]*reader, *hosts)
	for i := range list {
		if list[i], err = b.open(hubs[i%len(hubs)], fmt.Sprint("host", i)); err != nil {
			return err
		}
	}
	fmt.Printf("%d hosts joined, one after another, in %v; hub %d MB\n", len(list), time.Since(began).Round(time.Millisecond), b.hubMemory())
	began = time.Now()
	last, err := b.fill(list)
	if err != nil {
		return err
	}
	fmt.Printf("%d blocks written in %v; hub %d MB\n", *blocks, time.Since(began).Round(time.Millisecond), b.hubMemory())
	if err := b.everywhere(list, last); err != nil {
		return err
	}
	fmt.Printf("hub %d MB\n", b.hubMemory())
	return b.newcomer(hubs[0])
}

// fill has the hosts write all blocks, each its share.
func (b *bench) fill(list []*reader) (last uint64, err error) {
	var top atomic.Uint64
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	const writers = 50
	per := *blocks / len(list)
	for w := range writers {
		wg.Go(func() {
			for i := w; i < len(list); i += writers {
				for n := i * per; n < (i+1)*per; n++ {
					at := n * 2654435761 % (1 << 22) // each once, in no order
					seq, err := list[i].put(netip.AddrFrom4([4]byte{100, byte(64 + at>>16), byte(at >> 8), byte(at)}))
					if err != nil {
						failed.Store(&err)
						return
					}
					for old := top.Load(); seq > old && !top.CompareAndSwap(old, seq); old = top.Load() {
					}
				}
			}
		})
	}
	wg.Wait()
	if e := failed.Load(); e != nil {
		return 0, *e
	}
	return top.Load(), nil
}

// everywhere times from a new block to the last of all hosts that has it.
func (b *bench) everywhere(list []*reader, last uint64) error {
	arrived := make(chan time.Time, len(list))
	for _, r := range list {
		r.got = func(string) { arrived <- time.Now() }
		if err := r.listen(last); err != nil {
			return err
		}
		if err := r.nc.Flush(); err != nil {
			return err
		}
	}
	var each, all []time.Duration
	for i := range *rounds {
		began := time.Now()
		if _, err := list[i%len(list)].put(netip.AddrFrom4([4]byte{198, 18, byte(i / 250), byte(i % 250)})); err != nil {
			return err
		}
		var slowest time.Duration
		for range list {
			select {
			case at := <-arrived:
				each = append(each, at.Sub(began))
				slowest = max(slowest, at.Sub(began))
			case <-time.After(30 * time.Second):
				return fmt.Errorf("round %d: only %d hosts have it", i, len(each)-i*len(list))
			}
		}
		all = append(all, slowest)
	}
	spread(fmt.Sprintf("from a new block to one of %d hosts", len(list)), each)
	spread("from a new block to the last of them", all)
	fmt.Printf("asked again: %d\n", again.Load())
	return nil
}

// newcomer times a real daemon with the null firewall that joins, until it holds all, and what it needs.
func (b *bench) newcomer(hub string) error {
	b.space = ""
	alone, _, err := b.follower("alone")
	if err != nil {
		return err
	}
	pid, out, err := b.follower("new")
	if err != nil {
		return err
	}
	<-time.After(3 * time.Second)
	fmt.Printf("a daemon without a fleet: %d MB\n", memory(pid, "VmRSS"))
	before := used(pid)
	token, err := b.token()
	if err != nil {
		return err
	}
	file := filepath.Join(b.dir, "new", "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		return err
	}
	began := time.Now()
	if _, err := b.command("", "new", "join", hub, "--name", "new", "--token", file); err != nil {
		return err
	}
	first := time.Duration(0)
	if err := b.await(func() bool {
		if first == 0 && out.blocks.Load() > 0 {
			first = time.Since(began)
		}
		return out.blocks.Load() >= int64(*blocks)
	}); err != nil {
		return fmt.Errorf("%w: it holds %d", err, out.blocks.Load())
	}
	fmt.Printf("from join to the first block %v, to all %d (journal and null firewall) %v, of which the daemon worked %v; daemon %d MB, at most %d\n",
		first.Round(time.Millisecond), *blocks, time.Since(began).Round(time.Millisecond), used(pid)-before, memory(pid, "VmRSS"), memory(pid, "VmHWM"))
	<-time.After(*after)
	fmt.Printf("%v later %d MB, of which %d are files; one without a fleet %d, %d\n", *after, memory(pid, "VmRSS"), memory(pid, "RssFile"), memory(alone, "VmRSS"), memory(alone, "RssFile"))
	return nil
}

// follower starts a daemon with the null firewall that follows an empty log, and waits for its first message.
func (b *bench) follower(name string) (pid int, out *lines, err error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, nil, err
	}
	conf := "[actions]\nmode = \"enforce\"\n[block]\ndrivers = [\"null\"]\n[daemon]\nsocket = \"" + dir + "/sock\"\n"
	for file, text := range map[string]string{"config.toml": conf, "access.log": ""} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			return 0, nil, err
		}
	}
	cmd := b.prepare("", name, "watch", "--json", filepath.Join(dir, "access.log"))
	out = &lines{}
	cmd.Stdout = out
	if err := b.start(cmd); err != nil {
		return 0, nil, err
	}
	err = b.await(func() bool { return out.n.Load() >= 1 })
	return cmd.Process.Pid, out, err
}

// lines counts messages, whose ends may come later than their beginnings.
type lines struct {
	n, blocks atomic.Int64
	tail      []byte // that may be a part of what is counted
}

func (l *lines) Write(b []byte) (int, error) {
	const block = `{"type":"block"`
	l.n.Add(int64(bytes.Count(b, []byte{'\n'})))
	l.tail = append(l.tail, b...)
	l.blocks.Add(int64(bytes.Count(l.tail, []byte(block))))
	l.tail = append(l.tail[:0], l.tail[max(0, len(l.tail)-len(block)+1):]...)
	return len(b), nil
}

func (b *bench) hubMemory() (most int) {
	for _, h := range b.hubs {
		most = max(most, memory(h.Process.Pid, "VmRSS"))
	}
	return most
}

// memory is what a process has resident (VmRSS), or had at most (VmHWM), in MB.
func memory(pid int, line string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte(line+":"))
	var kb int
	_, _ = fmt.Sscan(string(rest), &kb)
	return kb / 1024
}

// used is how long processors worked for a process, in user and kernel: fields 14 and 15 of proc(5), in hundredths of a second.
func used(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	words := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // from field 3 on
	user, _ := strconv.Atoi(words[11])
	system, _ := strconv.Atoi(words[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
