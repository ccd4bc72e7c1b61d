package tail

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/connwarden/connwarden"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	target := write(t, "access.log", "a\n")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "dangling")
	os.Symlink(filepath.Join(dir, "nowhere"), dangling)
	for _, c := range []struct {
		name string
		opt  Options
		want string // in the error
		is   error
	}{
		{dir, Options{}, "it is a folder: name the logs in it", nil},
		{os.DevNull, Options{}, "it is a device", nil},
		{filepath.Join(dir, "missing"), Options{}, "not found", connwarden.ErrNotFound},
		{dangling, Options{}, "not found", connwarden.ErrNotFound},
		{link, Options{NoFollow: true}, "it is a link in a folder of a user", nil},
		{dangling, Options{NoFollow: true}, "it is a link in a folder of a user", nil},
		{"-", Options{}, "there is none", nil},
		{"", Options{}, "not found", connwarden.ErrNotFound},
		{"a\x00b", Options{}, "invalid argument", nil},
	} {
		_, err := Open(c.name, c.opt)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%q: got %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := Open(link, Options{}); err != nil {
		t.Errorf("a link that was named: %v", err)
	}
	if _, err := Open(target, Options{NoFollow: true}); err != nil {
		t.Errorf("a file: %v", err)
	}
}

func TestFaultNamesTheFile(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
		is   error
	}{
		{&fs.PathError{Op: "open", Path: "/x", Err: fs.ErrPermission}, "read /x: permission denied", connwarden.ErrDenied},
		{&fs.PathError{Op: "open", Path: "/x", Err: fs.ErrNotExist}, "read /x: not found", connwarden.ErrNotFound},
		{&fs.PathError{Op: "read", Path: "/x", Err: errors.New("input/output error")}, "read /x: input/output error", nil},
	} {
		if got := fault("/x", c.err); got.Error() != c.want || c.is != nil && !errors.Is(got, c.is) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// A link or another file that takes the place of a log between two looks is never read.
func TestOpenSwapped(t *testing.T) {
	path := write(t, "access.log", "mine\n")
	secret := write(t, "secret", "secret\n")
	f := open(t, path, Options{NoFollow: true})
	os.Remove(path)
	if err := os.Symlink(secret, path); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Head(100); err == nil {
		t.Error("the head of a link was read")
	}
	if got, r := gather(t, Job{File: f}, ScanOptions{}); r.Err == nil || len(got) > 0 {
		t.Errorf("got %v, %v", got, r.Err)
	}
}

func TestFileFacts(t *testing.T) {
	path := write(t, "access.log", "one\ntwo\n")
	f, same := open(t, path, Options{}), open(t, filepath.Dir(path)+"/./access.log", Options{})
	if f.Name() != path || f.Size() != 8 || !f.Plain() || f.ModTime().IsZero() {
		t.Errorf("got %q %d %v %v", f.Name(), f.Size(), f.Plain(), f.ModTime())
	}
	dev, inode := f.ID()
	dev2, inode2 := same.ID()
	if dev != dev2 || inode != inode2 || inode == 0 {
		t.Errorf("two names of a file: got %d %d and %d %d", dev, inode, dev2, inode2)
	}
	s := open(t, "-", Options{Stdin: strings.NewReader("x")})
	if dev, inode := s.ID(); s.Name() != "-" || s.Size() != -1 || s.Plain() || !s.ModTime().IsZero() || dev != 0 || inode != 0 {
		t.Errorf("a stream: got %q %d %v", s.Name(), s.Size(), s.Plain())
	}
}

func TestHead(t *testing.T) {
	text := strings.Repeat("0123456789\n", 50_000)
	for way, f := range ways(t, text) {
		for _, n := range []int{0, 1, 6, 1000, memory} {
			got, err := f.Head(n)
			if err != nil || string(got) != text[:n] {
				t.Errorf("%s: %d: got %d bytes, %v", way, n, len(got), err)
			}
		}
		if got, err := f.Head(1 << 30); err != nil || len(got) != memory || string(got) != text[:memory] {
			t.Errorf("%s: more than is given: got %d bytes, %v", way, len(got), err)
		}
		// Nothing of it is lost.
		check(t, f, text, 0, 0, true, usual)
	}
	for way, f := range ways(t, "short") {
		if got, err := f.Head(100); err != nil || string(got) != "short" {
			t.Errorf("%s: got %q, %v", way, got, err)
		}
	}
}

func TestHeadOfBrokenStream(t *testing.T) {
	broken := errors.New("wire cut")
	f := open(t, "-", Options{Stdin: iotest.ErrReader(broken)})
	if _, err := f.Head(10); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestStdinIsAFile(t *testing.T) {
	std, err := os.Open(write(t, "log", "one\ntwo\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer std.Close()
	f := open(t, "-", Options{Stdin: std})
	if !f.Plain() || f.Size() != 8 {
		t.Errorf("got plain %v and size %d", f.Plain(), f.Size())
	}
	check(t, f, "one\ntwo\n", 0, 0, false, usual)
	check(t, f, "one\ntwo\n", 4, 0, true, usual)

	// Somebody has read the first line: the rest is a stream.
	if _, err := std.Seek(4, 0); err != nil {
		t.Fatal(err)
	}
	f = open(t, "-", Options{Stdin: std})
	check(t, f, "two\n", 0, 0, false, usual)
	check(t, f, "two\n", 0, 0, false, usual)
}

func TestStdinIsAFolder(t *testing.T) {
	std, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer std.Close()
	if _, err := Open("-", Options{Stdin: std}); err == nil || !strings.Contains(err.Error(), "standard input: it is a folder") {
		t.Errorf("got %v", err)
	}
}
