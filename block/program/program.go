// Package program starts the programs that drivers speak to: by argument list, never through a shell, without input, in
// plain English, with a bound on time and on what is read of their output.
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// Runner starts a program by its name, without a folder, and returns what it wrote to standard output, also when it
// failed. Every error is an *Error. It may be called from several goroutines.
type Runner func(ctx context.Context, name string, args ...string) (out []byte, err error)

// Error is why a program did not do what it was told. It unwraps to connwarden.ErrNotFound where the program is not
// installed, to connwarden.ErrDenied where it complains of a missing privilege, and to the context's error.
type Error struct {
	Name string // of the program
	Code int    // its exit status; -1 when it did not start or was ended
	Said string // the beginning of its complaint, at most 500 bytes, lines joined by "; "; may quote hostile text
	Err  error
}

// Error returns "nginx: status 1: open() … failed".
func (e *Error) Error() string {
	text := e.Name
	if e.Code > 0 {
		text += fmt.Sprintf(": status %d", e.Code)
	}
	if e.Said != "" {
		text += ": " + e.Said
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause; nil for a plain exit status.
func (e *Error) Unwrap() error { return e.Err }

const (
	patience  = time.Minute // nginx -T with thousands of sites, powershell.exe on a busy machine
	maxOutput = 16 << 20    // nginx -T prints the whole configuration
	maxSaid   = 64 << 10
)

// In returns a runner that looks for programs in these folders alone; of none in the system's and the panels'. The
// caller's PATH is not asked: it is anybody's.
func In(dirs ...string) Runner {
	if len(dirs) == 0 {
		dirs = places()
	}
	return func(ctx context.Context, name string, args ...string) ([]byte, error) {
		return run(ctx, dirs, name, args)
	}
}

// places are the folders of the system's programs.
func places() []string {
	if runtime.GOOS == "windows" {
		system := filepath.Join(os.Getenv("SystemRoot"), "System32")
		return []string{system, filepath.Join(system, "WindowsPowerShell", "v1.0")}
	}
	return []string{
		"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/local/cpanel/bin",
	}
}

// find returns the path of a program, or nothing.
func find(dirs []string, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	for _, dir := range dirs {
		file := filepath.Join(dir, name)
		info, err := os.Stat(file)
		if err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0) {
			return file
		}
	}
	return ""
}

func run(ctx context.Context, dirs []string, name string, args []string) ([]byte, error) {
	file := find(dirs, name)
	if file == "" {
		return nil, &Error{Name: name, Code: -1, Err: fmt.Errorf("not installed: %w", connwarden.ErrNotFound)}
	}
	ctx, stop := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %v: %w", patience, context.DeadlineExceeded))
	defer stop()
	out, said := capped{most: maxOutput}, capped{most: maxSaid}
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.Env = append(environment(), "LC_ALL=C", "LANG=C")
	cmd.WaitDelay = time.Second // a grandchild may hold the pipes open
	err := cmd.Run()
	text := out.text.Bytes()
	exit := (*exec.ExitError)(nil)
	switch {
	case ctx.Err() != nil:
		return text, &Error{Name: name, Code: -1, Err: context.Cause(ctx)}
	case err == nil && out.over:
		return text, &Error{Name: name, Code: -1, Err: fmt.Errorf("printed more than %d bytes", maxOutput)}
	case err == nil:
		return text, nil
	case errors.As(err, &exit):
		return text, failed(name, exit.ExitCode(), said.text.String(), out.text.String())
	default:
		return text, &Error{Name: name, Code: -1, Err: err}
	}
}

// failed is the error of a program that ended with a status. Some complain to standard output.
func failed(name string, code int, said, out string) *Error {
	e := &Error{Name: name, Code: code, Said: words(said)}
	if e.Said == "" {
		e.Said = words(out)
	}
	if denied(said + "\n" + out[:min(len(out), maxSaid)]) {
		e.Err = connwarden.ErrDenied
	}
	return e
}

// words joins the lines that are not empty, so that what explains a failure is there wherever it stands.
func words(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		if b.WriteString(line); b.Len() > 500 {
			break
		}
	}
	return b.String()[:min(b.Len(), 500)]
}

// denied tells whether a program complains that a privilege is missing.
func denied(text string) bool {
	text = strings.ToLower(text)
	for _, words := range [...]string{"permission denied", "not permitted", "must be root", "access is denied", "requires elevation"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// environment is what programs are told of the world. Those of Windows do not start without some of it.
func environment() []string {
	if runtime.GOOS == "windows" {
		return os.Environ()
	}
	return []string{"PATH=" + strings.Join(places(), ":"), "HOME=/"}
}

// capped keeps the beginning of what is written to it.
type capped struct {
	text bytes.Buffer // not embedded: it would be filled past the bound by ReadFrom
	most int
	over bool
}

// Write never fails: a program that says too much is let finish.
func (c *capped) Write(b []byte) (int, error) {
	room := c.most - c.text.Len()
	c.over = c.over || len(b) > room
	c.text.Write(b[:min(len(b), room)])
	return len(b), nil
}
