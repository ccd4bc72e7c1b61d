//go:build unix

package tail

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func pipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip("no named pipes here:", err)
	}
	return path
}

func TestNamedPipe(t *testing.T) {
	path := pipe(t)
	text := strings.Repeat("0123456789\n", 100_000)
	done := make(chan error, 1)
	go func() { done <- os.WriteFile(path, []byte(text), 0) }()
	f := open(t, path, Options{})
	if head, err := f.Head(10); err != nil || string(head) != text[:10] {
		t.Errorf("got %q, %v", head, err)
	}
	check(t, f, text, 0, 0, false, usual)
	check(t, f, text, 0, 0, true, usual)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Neither a pipe without a writer nor a silent one holds up who gives up.
func TestNamedPipeCancel(t *testing.T) {
	for _, silent := range []bool{false, true} {
		path := pipe(t)
		f := open(t, path, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		if silent {
			go func() {
				w, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err != nil {
					t.Error(err)
				}
				io.WriteString(w, "one\n")
				cancel()
				<-ctx.Done()
				defer w.Close()
			}()
		} else {
			cancel()
		}
		r := Scan(ctx, []Job{{File: f, Whole: true}}, ScanOptions{}, func(int, *Block) {})[0]
		cancel()
		if !errors.Is(r.Err, context.Canceled) {
			t.Errorf("silent %v: got %v", silent, r.Err)
		}
	}
}

// Standard input that is a pipe and never ends, too.
func TestStdinPipeCancel(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	f := open(t, "-", Options{Stdin: r})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := Scan(ctx, []Job{{File: f}}, ScanOptions{}, func(int, *Block) {})[0]; !errors.Is(got.Err, context.Canceled) {
		t.Errorf("got %v", got.Err)
	}
}

func TestOpenRefusesPipesAndSockets(t *testing.T) {
	path := pipe(t)
	if _, err := Open(path, Options{NoFollow: true}); err == nil || !strings.Contains(err.Error(), "it is a named pipe in a folder of a user") {
		t.Errorf("a pipe: got %v", err)
	}
	socket := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Open(socket, Options{}); err == nil || !strings.Contains(err.Error(), "it is a socket") {
		t.Errorf("a socket: got %v", err)
	}
}

// A pipe that took the place of a log must not hold up the program.
func TestPipeTakesThePlace(t *testing.T) {
	path := write(t, "access.log", "a\n")
	f := open(t, path, Options{})
	os.Remove(path)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, r := gather(t, Job{File: f}, ScanOptions{}); r.Err == nil {
		t.Error("the pipe was read")
	}
}
