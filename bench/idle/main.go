//go:build linux

// Command idle tells what a daemon costs that has nothing to do: so many logs with a line each are followed, and nothing
// is written to them. With -one a line is then appended to each.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	program := flag.String("connwarden", "connwarden", "the program")
	logs := flag.Int("logs", 1000, "how many are followed")
	span := flag.Duration("for", time.Minute, "how long it is measured")
	settle := flag.Duration("settle", 70*time.Second, "how long it may settle first: what is not used is given back every minute")
	one := flag.Bool("one", false, "append a line to each log afterwards, and measure again")
	flag.Parse()
	if err := run(*program, *logs, *span, *settle, *one); err != nil {
		fmt.Fprintln(os.Stderr, "idle:", err)
		os.Exit(1)
	}
}

const line = "203.0.113.9 - - [%s] \"GET /shop/item HTTP/1.1\" 200 18123 \"https://shop.example.com/\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\"\n"

// now is a line of this moment.
func now() []byte {
	return fmt.Appendf(nil, line, time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700"))
}

func run(program string, logs int, span, settle time.Duration, one bool) (err error) {
	dir, err := os.MkdirTemp("", "idle")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	name := func(i int) string { return filepath.Join(dir, "logs", fmt.Sprintf("site%05d.example.com.log", i)) }
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o755); err != nil {
		return err
	}
	for i := range logs {
		if err := os.WriteFile(name(i), now(), 0o644); err != nil {
			return err
		}
	}
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, nil, 0o644); err != nil {
		return err
	}
	cmd := exec.Command(program, "watch", "--json", "--no-dns", "--config", config, filepath.Join(dir, "logs"))
	cmd.Env = append(os.Environ(), "CONNWARDEN_STATE_DIR="+filepath.Join(dir, "state"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	in := bufio.NewReader(out)
	for {
		text, err := in.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("the daemon did not begin: %w", err)
		}
		if bytes.Contains(text, []byte(`"type":"start"`)) {
			break
		}
	}
	go func() { // what it says besides
		for {
			text, err := in.ReadBytes('\n')
			if err != nil {
				return
			}
			_, _ = os.Stderr.Write(text)
		}
	}()
	<-time.After(settle)
	measure(cmd.Process.Pid, "quiet", span)
	if one {
		for i := range logs {
			f, err := os.OpenFile(name(i), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.Write(now())
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
		}
		measure(cmd.Process.Pid, "a line in each", 5*time.Second)
		<-time.After(settle)
		measure(cmd.Process.Pid, "quiet again", span)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return cmd.Wait()
}

// measure tells what a process costs over some time.
func measure(pid int, what string, span time.Duration) {
	before, began := busy(pid), time.Now()
	<-time.After(span)
	used := busy(pid) - before
	fmt.Printf("%-15s %.2f%% of a core", what, 100*used.Seconds()/time.Since(began).Seconds())
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		fmt.Println(err)
		return
	}
	for l := range strings.Lines(string(text)) {
		key, rest, _ := strings.Cut(l, ":")
		switch key {
		case "VmRSS", "VmHWM", "RssAnon", "RssFile":
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			fmt.Printf("  %s %.1f MB", key, float64(kib)*1024/1e6)
		}
	}
	fmt.Println()
}

// busy is the processor time that a process has used, in ticks of 10 ms.
func busy(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest) // from the third on
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
