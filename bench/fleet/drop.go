package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// drop times from a block on host a to the last packet that host b lets in. Addresses: the hub 10.77.0.1, a 10.77.0.2,
// b 10.77.0.3, the attackers 10.78.0.1 and on at 10.77.0.4.
func (b *bench) drop() error {
	prefix := fmt.Sprintf("cwfleet%d", os.Getpid())
	names := []string{prefix + "hub", prefix + "a", prefix + "b", prefix + "x"}
	ip := func(args ...string) error {
		out, err := exec.CommandContext(b.ctx, "ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
		return nil
	}
	for i, space := range names {
		if err := ip("netns", "add", space); err != nil {
			return err
		}
		b.undo = append(b.undo, func() { _ = exec.Command("ip", "netns", "delete", space).Run() })
		if err := ip("-n", space, "link", "set", "lo", "up"); err != nil {
			return err
		}
		if i == 0 {
			for _, args := range [][]string{{"link", "add", "br0", "address", "02:00:00:00:00:01", "type", "bridge"}, {"addr", "add", "10.77.0.1/16", "dev", "br0"}, {"link", "set", "br0", "up"}} {
				if err := ip(append([]string{"-n", space}, args...)...); err != nil {
					return err
				}
			}
			continue
		}
		port := fmt.Sprint("p", i)
		for _, args := range [][]string{
			{"-n", names[0], "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space}, {"-n", names[0], "link", "set", port, "master", "br0", "up"},
			{"-n", space, "addr", "add", fmt.Sprintf("10.77.0.%d/16", i+1), "dev", "eth0"}, {"-n", space, "link", "set", "eth0", "up"},
			{"-n", space, "route", "add", "10.78.0.0/16", "via", "10.77.0.4"},
		} {
			if i == 3 && args[2] == "route" {
				continue
			}
			if err := ip(args...); err != nil {
				return err
			}
		}
	}
	attackers := make([]string, *rounds)
	for i := range attackers {
		attackers[i] = fmt.Sprintf("10.78.%d.%d", i/250, i%250+1)
		if err := ip("-n", names[3], "addr", "add", attackers[i]+"/32", "dev", "lo"); err != nil {
			return err
		}
	}
	b.space = names[0]
	hubs, err := b.runHub("10.77.0.1")
	if err != nil {
		return err
	}
	for i, host := range []string{"a", "b"} {
		if err := b.daemon(names[i+1], host, hubs[0]); err != nil {
			return err
		}
	}
	return b.time(names, attackers)
}

// daemon joins a host and starts its daemon.
func (b *bench) daemon(space, host, hub string) error {
	dir := filepath.Join(b.dir, host)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	conf := fmt.Sprintf("[actions]\nmode = \"enforce\"\n[block]\ndrivers = [\"nft\"]\n[daemon]\nsocket = \"%s/sock\"\n", dir)
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(conf), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "access.log"), nil, 0o600); err != nil {
		return err
	}
	token, err := b.token("--operator")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600); err != nil {
		return err
	}
	if _, err := b.command(space, host, "join", hub, "--name", host, "--token", filepath.Join(dir, "token")); err != nil {
		return err
	}
	cmd := b.prepare(space, host, "watch", "--json", filepath.Join(dir, "access.log"))
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		return err
	}
	cmd.Stdout = out
	if err := b.start(cmd); err != nil {
		return err
	}
	return b.await(func() bool { // it told how it is
		out, err := b.command(space, host, "fleet", "--json")
		var d struct {
			Hosts []struct {
				Host string `json:"host"`
			} `json:"hosts"`
		}
		if err != nil || json.Unmarshal(out, &d) != nil {
			return false
		}
		for _, h := range d.Hosts {
			if h.Host == host {
				return true
			}
		}
		return false
	})
}

func (b *bench) prepare(space, host string, args ...string) *exec.Cmd {
	dir := filepath.Join(b.dir, host)
	cmd := in(b.ctx, space, *program, append(args, "--config", filepath.Join(dir, "config.toml"))...)
	cmd.Env = append(os.Environ(), "CONNWARDEN_STATE_DIR="+dir)
	return cmd
}

func (b *bench) command(space, host string, args ...string) ([]byte, error) {
	return b.prepare(space, host, args...).Output()
}

// time blocks one attacker after another on a, and asks the shower at b when it last heard of each.
func (b *bench) time(names, attackers []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	heard := in(b.ctx, names[2], self, "gauge", "10.77.0.3:9999")
	pipe, err := heard.StdoutPipe()
	if err != nil {
		return err
	}
	if err := b.start(heard); err != nil {
		return err
	}
	if err := b.start(in(b.ctx, names[3], self, append([]string{"shower", "10.77.0.3:9999"}, attackers...)...)); err != nil {
		return err
	}
	last := make(map[string]time.Time, len(attackers))
	var mu sync.Mutex
	go func() {
		d := json.NewDecoder(pipe)
		for {
			var one struct {
				From string
				At   time.Time
			}
			if d.Decode(&one) != nil {
				return
			}
			mu.Lock()
			last[one.From] = one.At
			mu.Unlock()
		}
	}()
	if err := b.await(func() bool { mu.Lock(); defer mu.Unlock(); return len(last) == len(attackers) }); err != nil {
		return err
	}
	began := map[string]time.Time{}
	for i, a := range attackers {
		if *kill && i == len(attackers)/2 {
			if err := b.killNode(); err != nil {
				return err
			}
		}
		out, err := b.command(names[1], "a", "block", a, "--for", "10m", "--json")
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		var d struct{ Blocks []struct{ Since time.Time } }
		if err := json.Unmarshal(out, &d); err != nil || len(d.Blocks) != 1 {
			return fmt.Errorf("%w: %s", err, out)
		}
		began[a] = d.Blocks[0].Since
	}
	// Quiet is when nothing more has come for two seconds. Longer than half a minute nobody waits.
	var took []time.Duration
	var open int
	for range 30 {
		<-time.After(time.Second)
		mu.Lock()
		quiet := true
		for _, at := range last {
			quiet = quiet && time.Since(at) >= 2*time.Second
		}
		mu.Unlock()
		if quiet {
			break
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, a := range attackers {
		if time.Since(last[a]) < 2*time.Second {
			open++
			continue
		}
		took = append(took, max(0, last[a].Sub(began[a])))
	}
	spread(fmt.Sprintf("from the block on a to the last packet let in by b, %d nodes, kill %v, leader %v", *nodes, *kill, *leader), took)
	fmt.Printf("still let in: %d of %d\n", open, len(attackers))
	return nil
}

// killNode kills a node of the hub: the one that the hosts use, or the leader.
func (b *bench) killNode() error {
	if !*leader {
		return b.hubs[0].Process.Kill()
	}
	out, err := in(b.ctx, b.space, *hubbin, "nodes", "--json", "--state", filepath.Join(b.dir, "hub0")).Output()
	if err != nil {
		return err
	}
	var d struct{ Nodes []struct{ Leads bool } } // by name
	if err := json.Unmarshal(out, &d); err != nil {
		return err
	}
	for i, n := range d.Nodes {
		if n.Leads {
			return b.hubs[i].Process.Kill()
		}
	}
	return fmt.Errorf("nobody leads: %s", out)
}

// shower sends packets from each address in turn, each some thousand a second.
func shower(to string, from []string) error {
	dst, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		return err
	}
	var list []*net.UDPConn
	for _, a := range from {
		c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(a)}, dst)
		if err != nil {
			return err
		}
		list = append(list, c)
	}
	var n [8]byte
	tick := time.NewTicker(time.Millisecond)
	for i := uint64(0); ; i++ {
		<-tick.C
		binary.BigEndian.PutUint64(n[:], i)
		for _, c := range list {
			_, _ = c.Write(n[:]) // what does not arrive is what is measured
		}
	}
}

// gauge prints when it last heard of each address, ten times a second.
func gauge(at string) error {
	c, err := net.ListenPacket("udp", at)
	if err != nil {
		return err
	}
	type word struct {
		From string
		At   time.Time
	}
	last := map[string]time.Time{}
	told := map[string]time.Time{}
	var mu sync.Mutex
	go func() {
		e := json.NewEncoder(os.Stdout)
		for range time.Tick(100 * time.Millisecond) {
			mu.Lock()
			for a, t := range last {
				if !told[a].Equal(t) {
					told[a] = t
					_ = e.Encode(word{a, t})
				}
			}
			mu.Unlock()
		}
	}()
	var b [64]byte
	for {
		_, from, err := c.ReadFrom(b[:])
		if err != nil {
			return err
		}
		now := time.Now()
		host, _, err := net.SplitHostPort(from.String())
		if err != nil {
			return fmt.Errorf("%s: %w", strconv.Quote(from.String()), err)
		}
		mu.Lock()
		last[host] = now
		mu.Unlock()
	}
}
