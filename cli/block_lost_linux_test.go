package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/store"
)

// smallDisk mounts a disk of its own, in a mount namespace that ends with the test's thread.
func smallDisk(t *testing.T) (disk string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts a small disk")
	}
	disk = t.TempDir()
	runtime.LockOSThread() // for ever: the thread is not to be used again
	for _, err := range []error{
		unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS),
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("tmpfs", disk, "tmpfs", 0, "size=512k"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return disk
}

// fill fills a disk and returns what empties it.
func fill(t *testing.T, disk string) (empty func()) {
	t.Helper()
	filler, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for size := 4096; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = filler.Write(make([]byte, size))
		}
	}
	return func() {
		if err := os.Remove(filler.Name()); err != nil {
			t.Fatal(err)
		}
		filler.Close()
	}
}

// lacks fails if a target is in the wall.
func (s stateful) lacks(d report.Blocks, target, problem string) {
	s.Helper()
	text, err := os.ReadFile(s.wall)
	if err != nil || strings.Contains(string(text), target) {
		s.Errorf("%s is in the wall: %s, %v", target, text, err)
	}
	if got := fmt.Sprint(d.Problems); !strings.Contains(got, problem) {
		s.Errorf("problems %s, want %q", got, problem)
	}
}

// TestUnblockFullDisk lifts on a full disk what the journal knows and what was blocked since, and says what comes of it.
func TestUnblockFullDisk(t *testing.T) {
	disk := smallDisk(t)
	s := stateful{t, filepath.Join(disk, "state"), filepath.Join(t.TempDir(), "wall")}
	s.run("block", "192.0.2.1")
	s.run("allow", "192.0.2.9")
	empty := fill(t, disk)
	for _, act := range [][]string{{"undo"}, {"allow", "192.0.2.10"}, {"disallow", "192.0.2.9"}} {
		out, err := s.fails(act...)
		if err != nil || !strings.Contains(out, `"what":"journal"`) || strings.Contains(out, "allowed\":[{") || strings.Contains(out, "lifted\":[{") {
			t.Errorf("%s: %s, %v", act, out, err)
		}
	}
	s.run("block", "198.51.100.7")
	s.lacks(s.run("unblock", "198.51.100.7"), "198.51.100.7/32", "nothing wants it any more, and it stays lifted")
	s.lacks(s.run("unblock", "192.0.2.1"), "192.0.2.1/32", "the next connwarden sync puts it back: unblock it again")
	empty()
	s.wants(s.run("sync"), "192.0.2.1/32", "")
	s.lacks(s.run("unblock", "192.0.2.1"), "192.0.2.1/32", "")
	s.lacks(s.run("sync"), "192.0.2.1/32", "")
}

// TestReadOnlyDisk knows on a disk that cannot be written who is allowed and what is wanted.
func TestReadOnlyDisk(t *testing.T) {
	disk := smallDisk(t)
	s := stateful{t, filepath.Join(disk, "state"), filepath.Join(t.TempDir(), "wall")}
	s.run("block", "192.0.2.8")
	s.run("allow", "192.0.2.7")
	remount := func(flags uintptr) {
		t.Helper()
		if err := unix.Mount("", disk, "", unix.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, left := range []bool{true, false} { // what SQLite keeps beside the database
		remount(unix.MS_RDONLY)
		if out, err := s.fails("block", "192.0.2.7"); err != nil || !strings.Contains(out, "it is allowed") {
			t.Errorf("block of who is allowed: %s, %v", out, err)
		}
		if d := s.run("blocks"); len(d.Blocks) != 1 || d.Blocks[0].State != "in_force" {
			t.Errorf("blocks %+v", d.Blocks)
		}
		if out, err := s.output("allowed"); err != nil || !strings.Contains(out, `"192.0.2.7/32"`) {
			t.Errorf("allowed: %s, %v", out, err)
		}
		s.lacks(s.run("unblock", "192.0.2.8"), "192.0.2.8/32", "it is still wanted, and the next connwarden sync puts it back")
		remount(0)
		s.wants(s.run("sync"), "192.0.2.8/32", "")
		if left {
			s.checkpoint()
		}
	}
}

// output returns what the program prints.
func (s stateful) output(args ...string) (string, error) {
	cmd := exec.Command("connwarden", append(args, "--json")...)
	cmd.Env = append(os.Environ(), "CONNWARDEN_STATE_DIR="+s.state, "WALL="+s.wall)
	out, err := cmd.Output()
	return string(out), err
}

// fails returns what the program prints where it is to fail.
func (s stateful) fails(args ...string) (string, error) {
	s.Helper()
	out, err := s.output(args...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == exitFailed {
		err = nil
	} else if err == nil {
		err = errors.New("it did not fail")
	}
	return out, err
}

// checkpoint moves all into the database, and takes the files beside it away.
func (s stateful) checkpoint() {
	s.Helper()
	j, err := store.Open(s.Context(), s.state)
	if err != nil {
		s.Fatal(err)
	}
	if err := j.Close(); err != nil {
		s.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.state, store.Name+"-*")); len(left) > 0 {
		s.Fatalf("left: %v", left)
	}
}
