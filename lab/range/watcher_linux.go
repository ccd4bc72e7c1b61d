package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// message is one of connwarden watch's, as far as it is looked at; written anew, so that a renamed key is noticed.
type message struct {
	Type     string
	Time     time.Time
	Mode     string
	Logs     int
	Drivers  []string
	Addr     string
	Kind     string
	Verdict  string
	Score    int
	Exempt   string
	Held     string
	Proved   bool
	Target   string
	Why      string
	State    string
	What     string
	Evidence []struct {
		Rule string
		Why  string
	}
	Next []string
}

// watcher is connwarden watch on the machine, and what it has told.
type watcher struct {
	g       *ground
	program string
	gone    chan error
	stderr  bytes.Buffer // read it when gone has spoken
	cmd     *exec.Cmd

	mu    sync.Mutex // guards the rest; leaf
	told  []heard
	heard chan struct{} // closed and made anew with each message
	ended bool
}

// heard is a message and when it came.
type heard struct {
	message
	at time.Time
}

func (g *ground) start(program string) *watcher {
	w := &watcher{g: g, program: program, gone: make(chan error, 1), heard: make(chan struct{})}
	w.cmd = exec.Command(program, "watch", "--json")
	w.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin"}
	w.cmd.Stderr = &w.stderr
	out, err := w.cmd.StdoutPipe()
	g.check(err)
	g.check(g.lab.Spawn(w.cmd))
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			w.take(lines.Bytes())
		}
		w.mu.Lock()
		w.ended = true
		close(w.heard)
		w.heard = make(chan struct{})
		w.mu.Unlock()
		w.gone <- w.cmd.Wait()
	}()
	g.t.Cleanup(w.stop)
	if !w.await(time.Minute, func(list []heard) bool { return len(list) > 0 }) {
		g.t.Fatalf("connwarden watch did not start\n%s", w.stderr.String())
	}
	return w
}

func (w *watcher) take(line []byte) {
	m := heard{at: time.Now()}
	if err := json.Unmarshal(line, &m.message); err != nil {
		fmt.Fprintf(os.Stderr, "range: connwarden told what is no JSON: %v: %s\n", err, line)
		return
	}
	if w.g.set.said {
		fmt.Fprintf(os.Stderr, "  %s %s %s%s %s %d %s %s", m.at.Format("05.000"), m.Type, m.Addr, m.Target, m.Verdict, m.Score, m.What, m.Why)
		for _, e := range m.Evidence {
			fmt.Fprintf(os.Stderr, "; %s: %s", e.Rule, e.Why)
		}
		fmt.Fprintln(os.Stderr, m.Exempt)
	}
	w.mu.Lock()
	w.told = append(w.told, m)
	close(w.heard)
	w.heard = make(chan struct{})
	w.mu.Unlock()
}

// await waits until what was told is as wanted.
func (w *watcher) await(patience time.Duration, is func([]heard) bool) bool {
	end := time.After(patience)
	for {
		w.mu.Lock()
		told, next, ended := w.told, w.heard, w.ended
		w.mu.Unlock()
		if is(told) {
			return true
		}
		if ended {
			return false
		}
		select {
		case <-next:
		case <-end:
			return false
		}
	}
}

// all returns what was told since the n-th message.
func (w *watcher) all(n int) []heard {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told[n:]
}

// blocks are the blocks since the n-th message, and when they were in force.
func blocks(list []heard) map[netip.Prefix]time.Time {
	found := map[netip.Prefix]time.Time{}
	for _, m := range list {
		if m.Type != "block" || m.State != "in_force" {
			continue
		}
		if p, err := netip.ParsePrefix(m.Target); err == nil {
			if _, again := found[p]; !again {
				found[p] = m.at
			}
		}
	}
	return found
}

// blocked tells since when an address is blocked.
func blocked(found map[netip.Prefix]time.Time, a netip.Addr) (at time.Time, ok bool) {
	for p, t := range found {
		if p.Contains(a) && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	return at, ok
}

// review is what connwarden review says of the machine now.
type review struct {
	Pressure []struct {
		What, Level, Why string
	}
	Peers []struct {
		Addr, Kind, Verdict string
		Score               int
		Evidence            []struct{ Rule, Why string }
		Exempt              string
		Bot                 *struct{ Claim, Proof string }
		Next                []string
	}
	Groups []struct {
		Addr, Kind, Verdict string
		Evidence            []struct {
			Rule, Why string
			Last      time.Time
		}
	}
}

func (w *watcher) review(since time.Duration) (r review) {
	answer := w.g.lab.Run([]string{"PATH=/usr/sbin:/usr/bin"}, w.program, "review", "--json", "--since", fmt.Sprintf("%ds", max(1, int(since.Seconds()))), "--top", "50")
	if answer.Code != 0 && answer.Code != 4 {
		w.g.t.Errorf("connwarden review: exit code %d\n%s", answer.Code, answer.Stderr)
		return r
	}
	if err := json.NewDecoder(strings.NewReader(answer.Stdout)).Decode(&r); err != nil {
		w.g.t.Errorf("connwarden review: %v", err)
	}
	return r
}

func (w *watcher) stop() {
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.g.t.Errorf("connwarden watch had ended: %v\n%s", <-w.gone, w.stderr.String())
		return
	}
	if err := <-w.gone; err != nil {
		w.g.t.Errorf("connwarden watch: %v\n%s", err, w.stderr.String())
	}
}
