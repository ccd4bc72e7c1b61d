package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a server may take to do what it surely does: it is met by broken servers only, on the
// slowest machine.
const patience = 60 * time.Second

// Await waits until the file, named from the machine's root, exists and its text is as wanted. It is told of each
// change by the kernel. The test fails after a minute, showing what the file held.
func (l *Lab) Await(name, wanted string, is func(text string) bool) {
	l.t.Helper()
	file := filepath.Join(l.Root, name)
	text, err := await(file, is, l.fallen)
	if err != nil {
		l.t.Fatalf("%s: %s: %v\nthe file holds:\n%s\n%s", name, wanted, err, text, l.ended())
	}
}

// AwaitText waits until the file holds the text.
func (l *Lab) AwaitText(name, want string) {
	l.t.Helper()
	l.Await(name, fmt.Sprintf("%q was not written", want), func(text string) bool { return strings.Contains(text, want) })
}

// AwaitLines waits until the file holds n lines and fails the test if it holds more.
func (l *Lab) AwaitLines(name string, n int) {
	l.t.Helper()
	got := 0
	l.Await(name, fmt.Sprintf("fewer than %d lines", n), func(text string) bool {
		got = strings.Count(text, "\n")
		return got >= n
	})
	if got > n {
		l.t.Errorf("%s: %d lines, want %d", name, got, n)
	}
}

// await waits for the file, until patience or a server comes to its end.
func await(file string, is func(string) bool, fallen <-chan struct{}) (string, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return "", os.NewSyscallError("inotify_init1", err)
	}
	changes := os.NewFile(uintptr(fd), "inotify")
	defer changes.Close()
	if err := changes.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-done:
		case <-fallen:
			_ = changes.SetReadDeadline(time.Unix(0, 0)) // wakes the reader; closed already means that nobody reads
		}
	}()
	// The folder is watched and not the file, which may not exist yet.
	_, err = unix.InotifyAddWatch(fd, filepath.Dir(file), unix.IN_CREATE|unix.IN_MODIFY|unix.IN_MOVED_TO)
	if err != nil {
		return "", os.NewSyscallError("inotify_add_watch "+filepath.Dir(file), err)
	}
	buf := make([]byte, 16<<10)
	for {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if err == nil && is(string(text)) {
			return string(text), nil
		}
		if _, err := changes.Read(buf); err != nil {
			return string(text), err
		}
	}
}
