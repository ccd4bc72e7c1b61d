//go:build linux || darwin || freebsd

package htaccess

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
)

// folder is an open folder of a site. All work is done relative to it, so that nobody can put another in its place.
type folder struct {
	fd   int
	st   unix.Stat_t
	held *os.File // the file that was read, with its lock, so that whoever asks for the lock waits for our change
}

// state is what a file was when it was read.
type state struct {
	exists bool
	text   []byte
	st     unix.Stat_t
}

// openFolder opens a folder step by step from the root. No step may be a link: whoever owns a folder on the way could
// lead root elsewhere.
func openFolder(dir string) (*folder, error) {
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: "/", Err: err}
	}
	path := "/"
	steps := components(dir)
	for i, name := range steps {
		path = filepath.Join(path, name)
		access := passing // who may enter a folder need not be allowed to list it
		if i == len(steps)-1 {
			access = unix.O_RDONLY
		}
		next, err := unix.Openat(fd, name, access|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil && isLink(fd, name) {
			err = fmt.Errorf("%s is a link, which is not followed: name the folder that it leads to", path)
		} else if err != nil {
			err = problem("open", path, err)
		}
		unix.Close(fd)
		if err != nil {
			return nil, err
		}
		fd = next
	}
	f := &folder{fd: fd}
	if err := unix.Fstat(fd, &f.st); err != nil {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	return f, nil
}

func (f *folder) close() {
	if f.held != nil {
		f.held.Close()
	}
	unix.Close(f.fd)
}

func isLink(dir int, name string) bool {
	var st unix.Stat_t
	return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK
}

// problem gives a failure of the kernel our sentinel where there is one.
func problem(op, path string, err error) error {
	err = &fs.PathError{Op: op, Path: path, Err: err}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", err, connwarden.ErrDenied)
	}
	return err
}

// read reads the file, once, and takes its lock, as WordPress does before it writes.
func (f *folder) read() (state, error) {
	fd, err := unix.Openat(f.fd, fileName, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return state{}, nil
	case err != nil && isLink(f.fd, fileName):
		return state{}, errors.New("it is a link, which is not followed")
	case err != nil:
		return state{}, problem("open", fileName, err)
	}
	f.held = os.NewFile(uintptr(fd), fileName)
	s := state{exists: true}
	if err := unix.Fstat(fd, &s.st); err != nil {
		return state{}, problem("stat", fileName, err)
	}
	switch {
	case s.st.Mode&unix.S_IFMT != unix.S_IFREG:
		return state{}, errors.New("it is no regular file")
	case s.st.Nlink > 1:
		return state{}, fmt.Errorf("it has %d names (hard links), of which only one would change", s.st.Nlink)
	case s.st.Size > maxFile:
		return state{}, fmt.Errorf("it has %d bytes, more than %d: %w", s.st.Size, maxFile, connwarden.ErrUnsupported)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return state{}, errBusy
	} else if err != nil {
		return state{}, problem("lock", fileName, err)
	}
	if s.text, err = io.ReadAll(io.LimitReader(f.held, maxFile+1)); err != nil {
		return state{}, err
	}
	if len(s.text) > maxFile || !f.unchanged(s) {
		return state{}, errBusy
	}
	return s, nil
}

// unchanged tells whether the file is still the one that was read.
func (f *folder) unchanged(s state) bool {
	var now unix.Stat_t
	err := unix.Fstatat(f.fd, fileName, &now, unix.AT_SYMLINK_NOFOLLOW)
	if !s.exists {
		return errors.Is(err, unix.ENOENT)
	}
	return err == nil && now.Dev == s.st.Dev && now.Ino == s.st.Ino && now.Size == s.st.Size &&
		now.Mtim == s.st.Mtim && now.Ctim == s.st.Ctim
}

// replace writes a new file beside the old one and lets it take the name. It has the old one's owner and mode, or those
// that a file of the folder's owner has.
func (f *folder) replace(was state, text []byte) error {
	uid, gid, mode := f.st.Uid, f.st.Gid, uint32(0o644)
	if was.exists {
		uid, gid, mode = was.st.Uid, was.st.Gid, uint32(was.st.Mode)&0o7777 //nolint:unconvert // the types differ between systems
	}
	if err := unix.Unlinkat(f.fd, tempName, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return problem("remove", tempName, err)
	}
	fd, err := unix.Openat(f.fd, tempName, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return problem("create", tempName, err)
	}
	if err := f.fill(fd, text, uid, gid, mode); err != nil {
		_ = unix.Unlinkat(f.fd, tempName, 0)
		return err
	}
	if !f.unchanged(was) {
		_ = unix.Unlinkat(f.fd, tempName, 0)
		return errBusy
	}
	if err := unix.Renameat(f.fd, tempName, f.fd, fileName); err != nil {
		_ = unix.Unlinkat(f.fd, tempName, 0)
		return problem("rename", tempName, err)
	}
	return f.sync()
}

// fill writes, gives away and closes a new file.
func (f *folder) fill(fd int, text []byte, uid, gid, mode uint32) error {
	file := os.NewFile(uintptr(fd), tempName)
	_, err := file.Write(text)
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err == nil && (st.Uid != uid || st.Gid != gid) {
		if err = unix.Fchown(fd, int(uid), int(gid)); err != nil {
			err = problem("give to its owner", tempName, err)
		}
	}
	if err == nil {
		err = unix.Fchmod(fd, mode)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// remove takes the file away.
func (f *folder) remove(was state) error {
	if !f.unchanged(was) {
		return errBusy
	}
	if err := unix.Unlinkat(f.fd, fileName, 0); err != nil {
		return problem("remove", fileName, err)
	}
	return f.sync()
}

// sync makes a new name outlive a loss of power.
func (f *folder) sync() error {
	if err := unix.Fsync(f.fd); err != nil {
		return problem("sync folder of", fileName, err)
	}
	return nil
}

// access tells whether files may be made in the folder.
func (f *folder) access() error {
	if err := unix.Faccessat(f.fd, ".", unix.W_OK, 0); err != nil {
		return problem("write", fileName, err)
	}
	return nil
}
