//go:build linux

// Command soak makes a daemon live through a long attack, at speed: a day's lines are written to a log as fast as the daemon
// takes them, while the log is rotated and the daemon killed. It then tells whether each line was counted once, and what
// memory and databases it took.
//
// The daemon enforces with the firewall null, which refuses nothing, so nothing of the machine is touched.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	program := flag.String("connwarden", "connwarden", "the program")
	lines := flag.Int("lines", 24*3600*100, "lines in all: a day of 100 a second")
	rotations := flag.Int("rotations", 100, "how often the log is rotated")
	kills := flag.Int("kills", 20, "how often the daemon is killed")
	seed := flag.Uint64("seed", 1, "of the attack")
	limit := flag.Duration("limit", 15*time.Minute, "when it is given up")
	flag.Parse()
	if err := run(*program, *lines, *rotations, *kills, *seed, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// daemon is one life of the program.
type daemon struct {
	cmd   *exec.Cmd
	ended chan []byte // its last message
	begun chan struct{}
}

type soak struct {
	program, dir, log string
	file              *os.File
	rng               *rand.Rand
	written           int
	memory            []int // KiB resident, at each look
	busy              time.Duration
}

// over takes note of what a life of the daemon cost that has ended.
func (s *soak) over(d *daemon) error {
	err := d.cmd.Wait()
	s.busy += d.cmd.ProcessState.UserTime() + d.cmd.ProcessState.SystemTime()
	return err
}

func (s *soak) start() (*daemon, error) {
	d := &daemon{ended: make(chan []byte, 1), begun: make(chan struct{})}
	d.cmd = exec.Command(s.program, "watch", "--json", "--enforce", "--with", "null", "--no-dns", "--config", filepath.Join(s.dir, "config.toml"), s.log)
	d.cmd.Env = append(os.Environ(), "CONNWARDEN_STATE_DIR="+filepath.Join(s.dir, "state"))
	d.cmd.Stderr = os.Stderr
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		var last []byte
		begun := false
		for in := bufio.NewReaderSize(out, 1<<20); ; {
			line, err := in.ReadBytes('\n')
			if err != nil {
				break
			}
			if bytes.Contains(line, []byte(`"type":"problem"`)) {
				_, _ = os.Stderr.Write(line)
			}
			if last = line; !begun && bytes.Contains(line, []byte(`"type":"start"`)) {
				begun = true
				close(d.begun)
			}
		}
		d.ended <- last
	}()
	select {
	case <-d.begun:
		return d, nil
	case <-time.After(time.Minute):
		_ = d.cmd.Process.Kill()
		return nil, errors.New("the daemon did not begin within a minute")
	}
}

// write appends lines: half of them of two thousand attackers who guess passwords, the rest of visitors.
func (s *soak) write(n int) error {
	var b bytes.Buffer
	now := time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700")
	for range n {
		if s.rng.IntN(2) == 0 {
			fmt.Fprintf(&b, "198.18.%d.%d - - [%s] \"POST /wp-login.php HTTP/1.1\" 200 4512 \"-\" \"Mozilla/5.0\"\n", s.rng.IntN(8), s.rng.IntN(250), now)
		} else {
			fmt.Fprintf(&b, "203.0.%d.%d - - [%s] \"GET /shop/item-%d HTTP/1.1\" 200 18123 \"https://shop.example.com/\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\"\n",
				s.rng.IntN(250), s.rng.IntN(250), now, s.rng.IntN(5000))
		}
	}
	s.written += n
	_, err := s.file.Write(b.Bytes())
	return err
}

// rotate renames as logrotate does; ten old logs are kept.
func (s *soak) rotate() error {
	for i := 9; i > 0; i-- {
		if err := os.Rename(s.log+"."+strconv.Itoa(i), s.log+"."+strconv.Itoa(i+1)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := errors.Join(s.file.Close(), os.Rename(s.log, s.log+".1")); err != nil {
		return err
	}
	return s.open()
}

func (s *soak) open() (err error) {
	s.file, err = os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	return err
}

// resident is what a process has in memory, in KiB.
func resident(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// behind is how many lines at most may be written that the daemon has not noted yet; it notes what it read every five seconds. What
// was rotated away ten times is gone, so that with short logs it is half of what ten hold.
const behind = 400_000

// keepsUp waits until the daemon has noted all but some lines.
func (s *soak) keepsUp(but int, limit time.Time) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		var noted struct{ Lines int }
		if text, err := os.ReadFile(filepath.Join(s.dir, "state", "watch.json")); err == nil {
			if err := json.Unmarshal(text, &noted); err != nil {
				return err
			}
		}
		if noted.Lines >= s.written-but {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("the daemon does not keep up: %d lines of %d", noted.Lines, s.written)
		}
	}
}

func run(program string, lines, rotations, kills int, seed uint64, limit time.Duration) error {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &soak{program: program, dir: dir, log: filepath.Join(dir, "access.log"), rng: rand.New(rand.NewPCG(seed, 0))}
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte("[block]\nper_minute = 100000\n[daemon]\nsocket = \"none\"\n"), 0o644); err != nil {
		return err
	}
	if err := s.open(); err != nil {
		return err
	}
	began := time.Now()
	last := began.Add(limit)
	d, err := s.start()
	if err != nil {
		return err
	}
	const chunk = 2000
	steps := lines / chunk
	for i := 1; i <= steps; i++ {
		if err := s.write(chunk); err != nil {
			return err
		}
		if i*rotations/steps != (i-1)*rotations/steps {
			if err := s.rotate(); err != nil {
				return err
			}
		}
		if i*kills/steps != (i-1)*kills/steps && i < steps {
			if err := d.cmd.Process.Kill(); err != nil {
				return err
			}
			_ = s.over(d) // says that it was killed
			if d, err = s.start(); err != nil {
				return err
			}
		}
		if i%5 == 0 {
			if err := s.keepsUp(min(behind, 5*lines/max(rotations, 1)), last); err != nil {
				return err
			}
		}
		if i%50 == 0 {
			s.memory = append(s.memory, resident(d.cmd.Process.Pid))
		}
	}
	if err := s.keepsUp(0, last); err != nil {
		return err
	}
	took := time.Since(began)
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	var end struct {
		Type  string
		Lines int
	}
	if err := json.Unmarshal(<-d.ended, &end); err != nil || end.Type != "end" {
		return errors.Join(fmt.Errorf("its last message is %+v", end), err)
	}
	if err := s.over(d); err != nil {
		return err
	}
	fmt.Printf("%d lines in %.0f s (%.0f s of processor time), over %d rotations and %d kill -9: %d counted, %d lost, %d twice\n",
		s.written, took.Seconds(), s.busy.Seconds(), rotations, kills, end.Lines, max(0, s.written-end.Lines), max(0, end.Lines-s.written))
	if n := len(s.memory) / 4; n > 0 {
		first, rest := s.memory[:n], s.memory[3*n:]
		fmt.Printf("resident at most %d MB in the first quarter, %d MB in the last\n", slices.Max(first)>>10, slices.Max(rest)>>10)
	}
	files, err := os.ReadDir(filepath.Join(dir, "state"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			fmt.Printf("%10d bytes  %s\n", info.Size(), f.Name())
		}
	}
	if s.written != end.Lines {
		return errors.New("lines were lost or counted twice")
	}
	return nil
}
