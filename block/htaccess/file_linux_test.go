package htaccess

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// site is a folder and the driver of it, whose server cannot be asked.
func site(t *testing.T) (dir string, d *Driver) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir, open(t, dir)
}

func open(t *testing.T, dir string) *Driver {
	t.Helper()
	d, err := Open(Options{Sites: []Site{{Dir: dir}}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func entry(dir, target string) block.Entry {
	return block.Entry{Target: netip.MustParsePrefix(target), Scope: scope(dir)}
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestOwnerAndModeStay(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: gives files to another account")
	}
	dir, d := site(t)
	file := filepath.Join(dir, fileName)
	put(t, file, "Options -Indexes\n")
	for _, err := range []error{os.Chown(dir, 1234, 1235), os.Chown(file, 1236, 1237), os.Chmod(file, 0o604)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	apply(t, d, entry(dir, "192.0.2.7/32"))
	is(t, file, 1236, 1237, 0o604)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	apply(t, d, entry(dir, "192.0.2.7/32"))
	is(t, file, 1234, 1235, 0o644) // a new file belongs to the owner of the folder
}

func apply(t *testing.T, d *Driver, add ...block.Entry) {
	t.Helper()
	if err := d.Apply(t.Context(), add, nil); err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, file string, uid, gid uint32, mode os.FileMode) {
	t.Helper()
	info, err := os.Lstat(file)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if st.Uid != uid || st.Gid != gid || info.Mode() != mode {
		t.Errorf("%s belongs to %d:%d with mode %v, want %d:%d %v", file, st.Uid, st.Gid, info.Mode(), uid, gid, mode)
	}
}

// TestWhatUsersPutInTheWay is what the owner of a site may prepare for root.
func TestWhatUsersPutInTheWay(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "shadow")
	put(t, secret, "root:x\n")
	for _, c := range []struct {
		name string
		lay  func(dir string) error
		want string
	}{
		{"the file is a link", func(dir string) error { return os.Symlink(secret, filepath.Join(dir, fileName)) }, "it is a link"},
		{"the file is a link to nothing", func(dir string) error { return os.Symlink(secret+"x", filepath.Join(dir, fileName)) }, "it is a link"},
		{"the file is another name", func(dir string) error { return os.Link(secret, filepath.Join(dir, fileName)) }, "2 names"},
		{"the file is a pipe", func(dir string) error { return unix.Mkfifo(filepath.Join(dir, fileName), 0o644) }, "no regular file"},
		{"the file is a folder", func(dir string) error { return os.Mkdir(filepath.Join(dir, fileName), 0o755) }, "no regular file"},
		{"the file has no end", func(dir string) error {
			f, err := os.Create(filepath.Join(dir, fileName))
			return errors.Join(err, f.Truncate(1<<40), f.Close())
		}, "bytes, more than"},
		{"the section has no end", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, fileName), []byte("x\n"+beginLine+"\n"), 0o644)
		}, "line 2 begins our section"},
		{"the new file is a folder", func(dir string) error { return os.Mkdir(filepath.Join(dir, tempName), 0o755) }, "remove .htaccess.connwarden"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, d := site(t)
			if err := c.lay(dir); err != nil {
				t.Fatal(err)
			}
			before := names(t, dir)
			err := d.Apply(t.Context(), []block.Entry{entry(dir, "192.0.2.7/32")}, nil)
			var e *block.Error
			if !errors.As(err, &e) || e.Driver != "htaccess" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if ok, why := Detect(t.Context(), Options{Sites: []Site{{Dir: dir}}}); ok && c.name != "the new file is a folder" {
				t.Errorf("detect: %t %s", ok, why)
			}
			if after := names(t, dir); after != before || get(t, secret) != "root:x\n" {
				t.Errorf("the folder holds %s, held %s", after, before)
			}
		})
	}
}

// TestAFileThatLeadsElsewhereAsTempIsNotWritten lays a link where the new text is written.
func TestAFileThatLeadsElsewhereAsTempIsNotWritten(t *testing.T) {
	dir, d := site(t)
	victim := filepath.Join(t.TempDir(), "victim")
	put(t, victim, "keep")
	if err := os.Symlink(victim, filepath.Join(dir, tempName)); err != nil {
		t.Fatal(err)
	}
	apply(t, d, entry(dir, "192.0.2.7/32"))
	if get(t, victim) != "keep" || names(t, dir) != fileName {
		t.Errorf("the folder holds %s, the victim %q", names(t, dir), get(t, victim))
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func TestNoLinkInThePathIsFollowed(t *testing.T) {
	dir, _ := site(t)
	if err := os.MkdirAll(filepath.Join(dir, "real/www"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "home")); err != nil {
		t.Fatal(err)
	}
	through := filepath.Join(dir, "home/www")
	d := open(t, through)
	err := d.Apply(t.Context(), []block.Entry{entry(through, "192.0.2.7/32")}, nil)
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "home")+" is a link") {
		t.Errorf("got %v", err)
	}
	if got := names(t, filepath.Join(dir, "real/www")); got != "" {
		t.Errorf("written through the link: %s", got)
	}
	if _, err := d.List(t.Context()); err == nil {
		t.Error("List follows the link")
	}
}

func TestAFolderThatIsGone(t *testing.T) {
	dir, d := site(t)
	apply(t, d, entry(dir, "192.0.2.7/32"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if list, err := d.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	if err := d.Apply(t.Context(), nil, []block.Entry{entry(dir, "192.0.2.7/32")}); err != nil {
		t.Errorf("lifting what is gone: %v", err)
	}
	if err := d.Apply(t.Context(), []block.Entry{entry(dir, "192.0.2.7/32")}, nil); err == nil {
		t.Error("denying in a folder that is gone is no error")
	}
	if err := d.Flush(t.Context()); err != nil {
		t.Errorf("flush: %v", err)
	}
}

// TestOthersWriteAtTheSameTime has a program append lines while we block and unblock: no line of either is lost, and no
// reader ever sees half a file.
func TestOthersWriteAtTheSameTime(t *testing.T) {
	dir, d := site(t)
	file := filepath.Join(dir, fileName)
	put(t, file, "")
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 200 {
			if err := appendLine(file); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 100 {
		e := entry(dir, "192.0.2.7/32")
		var err error
		if i%2 == 0 {
			err = d.Apply(t.Context(), []block.Entry{e}, nil)
		} else {
			err = d.Apply(t.Context(), nil, []block.Entry{e})
		}
		if err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := get(t, file); got != strings.Repeat("x\n", 200) {
		t.Errorf("%d lines of the other are left of 200, %d bytes", strings.Count(got, "x\n"), len(got))
	}
}

// appendLine does as WordPress does: it opens the file, takes its lock and writes to it, unless it is no longer the file
// of that name.
func appendLine(name string) error {
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			return errors.Join(err, f.Close())
		}
		opened, err := f.Stat()
		if err != nil {
			return errors.Join(err, f.Close())
		}
		named, err := os.Stat(name)
		if err != nil {
			return errors.Join(err, f.Close())
		}
		if os.SameFile(opened, named) {
			_, err = f.WriteString("x\n")
			return errors.Join(err, f.Close())
		}
		f.Close()
	}
}

// TestWhatACrashLeaves finds a section that nobody proved and a new file that never took its name.
func TestWhatACrashLeaves(t *testing.T) {
	dir, d := site(t)
	file := filepath.Join(dir, fileName)
	sec := section{targets: prefixes("192.0.2.7/32"), unproved: true}
	put(t, file, string(join([]byte("own\n"), sec, Apache24)))
	put(t, filepath.Join(dir, tempName), "half")
	if list, err := d.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("what was not proved is listed: %v, %v", list, err)
	}
	apply(t, d, entry(dir, "192.0.2.8/32"))
	list, err := d.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Target.String() != "192.0.2.8/32" {
		t.Errorf("list: %v, %v", list, err)
	}
	if names(t, dir) != fileName {
		t.Errorf("the folder holds %s", names(t, dir))
	}
	if err := d.Flush(t.Context()); err != nil || get(t, file) != "own\n" {
		t.Errorf("flush leaves %q, %v", get(t, file), err)
	}
}

func TestTargetsThatNoSiteCanHold(t *testing.T) {
	dir, d := site(t)
	for _, e := range []block.Entry{
		entry(dir, "127.0.0.77/32"), entry(dir, "0.0.0.0/0"), entry("/srv/other", "192.0.2.7/32"),
		{Target: netip.MustParsePrefix("192.0.2.7/32")},
	} {
		err := d.Apply(t.Context(), []block.Entry{entry(dir, "192.0.2.9/32"), e}, nil)
		if !errors.Is(err, connwarden.ErrUnsupported) {
			t.Errorf("%s %s: %v", e.Target, e.Scope, err)
		}
	}
	if names(t, dir) != "" {
		t.Errorf("the folder holds %s", names(t, dir))
	}
	err := d.Apply(t.Context(), nil, []block.Entry{entry("/srv/other", "192.0.2.7/32")})
	if !errors.Is(err, connwarden.ErrNotFound) {
		t.Errorf("lifting from a site that is not known: %v", err)
	}
}

func TestOpenRefusesFoldersThatAreNotPlain(t *testing.T) {
	for _, sites := range [][]Site{
		{{Dir: ""}}, {{Dir: "www"}}, {{Dir: "/srv/../etc"}}, {{Dir: "/srv/"}}, {{Dir: "/srv/a\nb"}},
		{{Dir: "/srv"}, {Dir: "/srv"}}, {{Dir: "/srv", Form: formEnd}},
	} {
		if _, err := Open(Options{Sites: sites}); err == nil {
			t.Errorf("%+v is taken", sites)
		}
	}
}

// TestOpenLiteSpeedIsRestarted when its file changed, and only then; what it could not read is told.
func TestOpenLiteSpeedIsRestarted(t *testing.T) {
	dir, _ := site(t)
	restarts, fails := 0, error(nil)
	d, err := Open(Options{
		Sites:   []Site{{Dir: dir, Form: Rewrite}},
		Restart: func(context.Context) error { restarts++; return fails },
	})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, d, entry(dir, "192.0.2.7/32"))
	apply(t, d, entry(dir, "192.0.2.7/32"))
	if restarts != 1 {
		t.Errorf("%d restarts for one change", restarts)
	}
	fails = errors.New("lswsctrl: no process")
	if err := d.Flush(t.Context()); !errors.Is(err, fails) || restarts != 2 {
		t.Errorf("got %v after %d restarts", err, restarts)
	}
}
