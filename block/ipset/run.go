package ipset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// patience is how long a program may take; five seconds of it may be the wait for the lock of iptables.
const patience = 15 * time.Second

// maxOutput bounds what is read of a program's output: some ten thousand rules.
const maxOutput = 4 << 20

// systemPrograms are the folders in which programs are looked for. PATH is not asked: it is the caller's.
var systemPrograms = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"}

// find returns the path of a program, or nothing.
func find(name string) string {
	for _, dir := range systemPrograms {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return ""
}

// hasIPv6 tells whether the kernel speaks IPv6.
func hasIPv6() bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return err == nil
}

// capped keeps the beginning of what is written to it.
type capped struct {
	bytes.Buffer
	over bool
}

// Write keeps what fits and takes everything.
func (c *capped) Write(b []byte) (int, error) {
	room := maxOutput - c.Len()
	c.over = c.over || room < len(b)
	c.Buffer.Write(b[:min(room, len(b))])
	return len(b), nil
}

// run runs a program with an argument list, in plain English, and returns what it says. An error has the program's own
// first words.
func run(ctx context.Context, input []byte, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out, complaint capped
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &complaint
	cmd.Env = []string{"LC_ALL=C", "PATH=" + strings.Join(systemPrograms, ":")}
	cmd.WaitDelay = 100 * time.Millisecond
	err := cmd.Run()
	words := firstLine(complaint.String())
	switch name := filepath.Base(program); {
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: no answer in time: %w", name, ctx.Err())
	case errors.As(err, new(*exec.ExitError)) && strings.Contains(strings.ToLower(words), "permission denied"):
		return "", fmt.Errorf("%s: %s: %w", name, words, connwarden.ErrDenied)
	case err != nil:
		return "", fmt.Errorf("%s: %w: %s", name, err, words)
	case out.over:
		return "", fmt.Errorf("%s: its answer is longer than %d bytes", name, maxOutput)
	}
	return out.String(), nil
}

// firstLine is the first line that is not a warning.
func firstLine(s string) string {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line[:min(len(line), 200)]
		}
	}
	return ""
}
