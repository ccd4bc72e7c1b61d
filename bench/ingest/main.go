//go:build linux

// Command ingest tells how many lines a second a daemon follows and judges. It starts one, appends the lines of an access log to several logs
// at once, again and again, and asks the daemon's figures how many it has judged.
//
// With -rate so many lines are written each second, and it tells by how much the daemon falls behind; with -backlog so many while the daemon is
// stopped, so that nothing runs beside it when it goes on; else as many as it takes.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
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
	from := flag.String("from", "", "access log in common or combined format whose lines are written")
	keep := flag.Bool("keep", false, "leave the times of the lines as they are; without it each has the time of the moment")
	dir := flag.String("dir", os.TempDir(), "folder in which the logs are made; one in memory keeps disks out of it")
	logs := flag.Int("logs", 8, "how many are written to at once")
	span := flag.Duration("for", 15*time.Second, "how long")
	rate := flag.Int("rate", 0, "lines a second; 0: as many as are taken")
	backlog := flag.Int("backlog", 0, "lines that are written while the daemon is stopped; 0: it runs all the time")
	flag.Parse()
	if err := run(*program, *from, *dir, *logs, *rate, *backlog, *keep, *span); err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}

const (
	piece    = 64 << 10 // bytes of one write
	ahead    = 300_000  // lines that may be written and not yet judged
	stamp    = "02/Jan/2006:15:04:05 +0000"
	patience = time.Minute
	look     = 20 * time.Millisecond // between two looks at the figures
)

// block is some lines of the text and where their times stand.
type block struct {
	text  []byte
	times []int
}

// blocks cuts a log into pieces of whole lines.
func blocks(name string) (list []block, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var b block
	start := 0
	for at := 0; at < len(text); {
		n := bytes.IndexByte(text[at:], '\n') + 1
		if n == 0 {
			break
		}
		open := bytes.IndexByte(text[at:at+n], '[')
		if open < 0 || open+1+len(stamp) > n {
			return nil, fmt.Errorf("%s: a line without a time: %.100q", name, text[at:at+n])
		}
		b.times = append(b.times, at-start+open+1)
		if at += n; at-start >= piece {
			b.text = text[start:at]
			list, b, start = append(list, b), block{}, at
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: too few lines", name)
	}
	return list, nil
}

type bench struct {
	cmd     *exec.Cmd
	client  *http.Client
	files   []*os.File
	written []moment // that may not be judged yet, oldest first
	lines   int
	before  int // lines that it had judged when it began
	behind  []time.Duration
}

// moment is how many lines had been written when.
type moment struct {
	lines int
	at    time.Time
}

func run(program, from, dir string, logs, rate, backlog int, keep bool, span time.Duration) (err error) {
	list, err := blocks(from)
	if err != nil {
		return err
	}
	if dir, err = os.MkdirTemp(dir, "ingest"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{}
	for i := range logs {
		file, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("site%04d.example.com.log", i)), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return err
		}
		defer file.Close()
		b.files = append(b.files, file)
		if err := b.write(i, &list[0], keep); err != nil { // by which the format is recognised
			return err
		}
	}
	if err := b.start(program, dir); err != nil {
		return err
	}
	defer func() {
		_ = b.cmd.Process.Kill()
		_ = b.cmd.Wait()
	}()
	if b.before, err = b.judged(); err != nil {
		return err
	}
	b.lines = 0
	if backlog > 0 {
		if err := b.pile(list, backlog, keep); err != nil {
			return err
		}
		span = 0
	}
	daemon, writer, start := -busy(b.cmd.Process.Pid), -ours(), time.Now()
	looked := start
	for i := 0; time.Since(start) < span; i++ {
		if err := b.write(i%logs, &list[i%len(list)], keep); err != nil {
			return err
		}
		if rate > 0 {
			<-time.After(time.Until(start.Add(time.Duration(float64(b.lines) / float64(rate) * float64(time.Second)))))
		}
		for time.Since(looked) >= look {
			left, err := b.look()
			if err != nil {
				return err
			}
			if looked = time.Now(); rate > 0 || left < ahead {
				break
			}
			<-time.After(look)
		}
	}
	wrote := time.Now()
	for left := 1; left > 0; {
		<-time.After(look)
		if left, err = b.look(); err != nil {
			return err
		}
		if time.Since(wrote) > patience {
			return fmt.Errorf("%d lines were not judged within %s", left, patience)
		}
	}
	all := time.Since(start)
	daemon += busy(b.cmd.Process.Pid)
	writer += ours()
	slices.Sort(b.behind)
	each := func(d time.Duration) float64 { return float64(d) / float64(b.lines) }
	fmt.Printf("%d logs: %.2f million lines a second for %.1f s; behind by %.0f ms, at worst %.0f ms\n", logs, float64(b.lines)/all.Seconds()/1e6, all.Seconds(),
		b.behind[len(b.behind)/2].Seconds()*1e3, b.behind[len(b.behind)-1].Seconds()*1e3)
	fmt.Printf("processor: daemon %.0f ns a line (%.2f cores), writer %.0f ns; resident %d MB at most\n", each(daemon), daemon.Seconds()/all.Seconds(), each(writer), peak(b.cmd.Process.Pid)>>10)
	return nil
}

// pile writes so many lines while the daemon is stopped, and lets it go on.
func (b *bench) pile(list []block, lines int, keep bool) error {
	if err := b.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for i := 0; b.lines < lines; i++ {
		if err := b.write(i%len(b.files), &list[i%len(list)], keep); err != nil {
			return err
		}
	}
	return b.cmd.Process.Signal(syscall.SIGCONT)
}

// start starts the daemon and waits until it follows.
func (b *bench) start(program, dir string) error {
	config, figures := filepath.Join(dir, "config.toml"), filepath.Join(dir, "figures")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		return err
	}
	b.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", figures)
	}}}
	args := []string{"watch", "--json", "--no-dns", "--config", config, "--metrics", "unix:" + figures}
	for _, f := range b.files {
		args = append(args, f.Name())
	}
	b.cmd = exec.Command(program, args...)
	b.cmd.Env = append(os.Environ(), "CONNWARDEN_STATE_DIR="+filepath.Join(dir, "state"))
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := b.cmd.Start(); err != nil {
		return err
	}
	in := bufio.NewReaderSize(out, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("the daemon did not begin: %w", err)
		}
		if bytes.Contains(line, []byte(`"type":"start"`)) {
			break
		}
	}
	go in.WriteTo(discard{}) //nolint:errcheck // it ends with the daemon
	return nil
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// write appends a block to a log.
func (b *bench) write(log int, one *block, keep bool) error {
	now := time.Now()
	if !keep {
		text := now.UTC().Format(stamp)
		for _, at := range one.times {
			copy(one.text[at:], text)
		}
	}
	b.lines += len(one.times)
	b.written = append(b.written, moment{b.lines, now})
	_, err := b.files[log].Write(one.text)
	return err
}

// look notes by how much the daemon is behind, and returns how many lines it has not judged yet.
func (b *bench) look() (left int, err error) {
	now := time.Now()
	done, err := b.judged()
	if err != nil {
		return 0, err
	}
	done -= b.before
	for len(b.written) > 0 && b.written[0].lines <= done {
		b.written = b.written[1:]
	}
	late := time.Duration(0)
	if len(b.written) > 0 {
		late = now.Sub(b.written[0].at)
	}
	b.behind = append(b.behind, max(0, late))
	return b.lines - done, nil
}

// judged is how many lines the daemon says that it has.
func (b *bench) judged() (n int, err error) {
	answer, err := b.client.Get("http://daemon/metrics")
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	in := bufio.NewScanner(answer.Body)
	for in.Scan() {
		if strings.HasPrefix(in.Text(), "connwarden_lines_total{") {
			f := strings.Fields(in.Text())
			v, err := strconv.ParseFloat(f[len(f)-1], 64)
			if err != nil {
				return 0, err
			}
			n += int(v)
		}
	}
	return n, in.Err()
}

// ours is what this process has used of the processor.
func ours() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// busy is what another has, in ticks of a hundredth of a second (proc_pid_stat(5)).
func busy(pid int) time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// peak is the most that a process had in memory, in KiB.
func peak(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}
