package program_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block/program"
)

// TestMain lets the test's own program stand for others: it is started under the name "standin".
func TestMain(m *testing.M) {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == "standin" {
		standIn(os.Args[1:])
	}
	os.Exit(m.Run())
}

func standIn(args []string) {
	switch args[0] {
	case "echo":
		fmt.Print(strings.Join(args[1:], "|"))
	case "fail":
		fmt.Print("printed before")
		fmt.Fprintln(os.Stderr, "\n  it went wrong\nand more")
		os.Exit(3)
	case "fail-aloud":
		fmt.Print("only here")
		os.Exit(1)
	case "denied":
		fmt.Fprintln(os.Stderr, "open /x: Permission denied")
		os.Exit(1)
	case "flood":
		text := strings.Repeat("x", 1<<20)
		for range 17 {
			fmt.Print(text)
		}
	case "hang":
		select {}
	case "env":
		fmt.Print(strings.Join(os.Environ(), "\n"))
	}
	os.Exit(0)
}

// folder has the test's program under another name.
func folder(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs links")
	}
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(me, filepath.Join(dir, "standin")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestArgumentsReachTheProgramAsTheyAre(t *testing.T) {
	out, err := program.In(folder(t))(t.Context(), "standin", "echo", "a b", "$(id)", "; rm -rf /", "")
	if err != nil || string(out) != "a b|$(id)|; rm -rf /|" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestFailures(t *testing.T) {
	run := program.In(folder(t))
	for _, c := range []struct {
		name string
		args []string
		text string
		is   error
		code int
	}{
		{"standin", []string{"fail"}, "standin: status 3: it went wrong; and more", nil, 3},
		{"standin", []string{"fail-aloud"}, "standin: status 1: only here", nil, 1},
		{"standin", []string{"denied"}, "standin: status 1: open /x: Permission denied: permission denied", connwarden.ErrDenied, 1},
		{"standin", []string{"flood"}, "standin: printed more than 16777216 bytes", nil, -1},
		{"nosuch", nil, "nosuch: not installed: not found", connwarden.ErrNotFound, -1},
	} {
		_, err := run(t.Context(), c.name, c.args...)
		var e *program.Error
		if !errors.As(err, &e) || e.Error() != c.text || e.Code != c.code || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s %v: %v; want %q", c.name, c.args, err, c.text)
		}
	}
	if out, _ := run(t.Context(), "standin", "fail"); string(out) != "printed before" {
		t.Errorf("the output of a program that fails is %q", out)
	}
}

func TestAProgramThatHangsIsEnded(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	run := program.In(folder(t))
	go func() {
		_, err := run(ctx, "standin", "hang")
		done <- err
	}()
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTheCallersEnvironmentStaysOutside(t *testing.T) {
	t.Setenv("LD_PRELOAD", "")
	t.Setenv("PATH", "/tmp/evil")
	out, err := program.In(folder(t))(t.Context(), "standin", "env")
	if err != nil {
		t.Fatal(err)
	}
	if text := string(out); strings.Contains(text, "evil") || strings.Contains(text, "LD_PRELOAD") || !strings.Contains(text, "LC_ALL=C") {
		t.Errorf("the program's environment is\n%s", text)
	}
}
