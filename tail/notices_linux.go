package tail

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// notices are what inotify(7) tells: of files that they changed, of folders that names in them came and went. A file is
// watched by itself and not through its folder, since it may have other names, in other folders, and keeps its notice when
// it is renamed.
//
// One goroutine waits for the descriptor; the events are read by [Follower.Read], so that they join in the kernel while
// lines are judged.
type notices struct {
	f    *Follower
	in   *os.File
	ack  chan struct{}
	done chan struct{}
	buf  []byte

	mu     sync.Mutex // guards the rest while logs are looked at
	files  map[int32]*trail
	dirs   map[int32]string
	names  map[string]*trail // whole path, of what is followed and of what links lead to
	folder map[string]int32
}

const (
	fileMask = unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_MOVE_SELF
	dirMask  = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_ATTRIB | unix.IN_ONLYDIR
	// noticeBuffer holds some thousand events.
	noticeBuffer = 64 << 10
)

func newNotices(f *Follower) (*notices, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	n := &notices{
		f: f, in: os.NewFile(uintptr(fd), "inotify"), ack: make(chan struct{}, 1), done: make(chan struct{}), buf: make([]byte, noticeBuffer),
		files: map[int32]*trail{}, dirs: map[int32]string{}, names: map[string]*trail{}, folder: map[string]int32{},
	}
	go n.wait()
	return n, nil
}

// wait makes the follower ready when there are events, and waits until they were taken.
func (n *notices) wait() {
	defer close(n.done)
	raw, err := n.in.SyscallConn()
	if err != nil {
		return
	}
	for {
		err := raw.Read(func(fd uintptr) bool {
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			some, err := unix.Poll(poll, 0)
			return some > 0 || err != nil && !errors.Is(err, unix.EINTR)
		})
		if err != nil {
			return // closed
		}
		n.f.signal()
		if _, ok := <-n.ack; !ok {
			return
		}
	}
}

// take reads all events and marks the logs that they are about.
func (n *notices) take() {
	if n == nil {
		return
	}
	raw, err := n.in.SyscallConn()
	if err != nil {
		return
	}
	for {
		size := 0
		if err := raw.Control(func(fd uintptr) { size, _ = unix.Read(int(fd), n.buf) }); err != nil || size <= 0 {
			break
		}
		n.f.mu.Lock() // nobody looks at logs now
		for b := n.buf[:size]; len(b) >= unix.SizeofInotifyEvent; {
			end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
			n.event(int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:]), b[unix.SizeofInotifyEvent:end])
			b = b[end:]
		}
		n.f.mu.Unlock()
	}
	select {
	case n.ack <- struct{}{}:
	default:
	}
}

func (n *notices) event(wd int32, mask uint32, name []byte) {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		for _, t := range n.f.trails {
			n.f.markLocked(t, true)
		}
		return
	}
	if t := n.files[wd]; t != nil {
		if mask&unix.IN_IGNORED != 0 {
			delete(n.files, wd)
		}
		n.f.markLocked(t, mask&unix.IN_MODIFY == 0)
		return
	}
	dir, ok := n.dirs[wd]
	if !ok {
		return
	}
	if mask&unix.IN_IGNORED != 0 { // the folder is gone; the slow round finds it again
		delete(n.dirs, wd)
		delete(n.folder, dir)
		return
	}
	base, _, _ := bytes.Cut(name, []byte{0})
	if t := n.names[filepath.Join(dir, string(base))]; t != nil {
		n.f.markLocked(t, true)
	} else if mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0 && stray(string(base)) {
		n.f.strays = true
	}
}

// folders watches the folder of a log's name and, of a link, that of its target.
func (n *notices) folders(t *trail) {
	if n == nil {
		return
	}
	n.enter(t, t.name)
	if t.opt.NoFollow {
		return
	}
	target, err := filepath.EvalSymlinks(t.name)
	if err != nil || target == t.target {
		return
	}
	t.target = target
	if target != filepath.Clean(t.name) {
		n.enter(t, target)
	}
}

func (n *notices) enter(t *trail, name string) {
	name = filepath.Clean(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[name] = t
	dir := filepath.Dir(name)
	if _, ok := n.folder[dir]; ok {
		return
	}
	wd, err := n.add(dir, dirMask)
	if err != nil {
		t.polled = true
		return
	}
	n.dirs[wd], n.folder[dir] = dir, wd
}

func (n *notices) add(name string, mask uint32) (wd int32, err error) {
	raw, err := n.in.SyscallConn()
	if err != nil {
		return -1, err
	}
	var got int
	if e := raw.Control(func(fd uintptr) { got, err = unix.InotifyAddWatch(int(fd), name, mask) }); e != nil {
		return -1, e
	}
	return int32(got), err
}

// watch asks for notices of a file that is open. It is named through its descriptor: its own name may be another's by now.
func (n *notices) watch(t *trail, g *generation) {
	if n == nil {
		return
	}
	wd, err := n.add(fmt.Sprintf("/proc/self/fd/%d", g.f.Fd()), fileMask)
	t.polled = err != nil || foreign(g.f)
	if err == nil {
		g.watch = wd
		n.mu.Lock()
		n.files[wd] = t
		n.mu.Unlock()
	}
	n.f.mark(t, false) // what came before the watch
}

func (n *notices) unwatch(g *generation) {
	if n == nil || g.watch < 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.files, g.watch)
	raw, err := n.in.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.InotifyRmWatch(int(fd), uint32(g.watch)) })
	}
	g.watch = -1
}

// forget takes away the names of a log.
func (n *notices) forget(t *trail) {
	if n == nil {
		return
	}
	for _, name := range []string{filepath.Clean(t.name), t.target} {
		if n.names[name] == t {
			delete(n.names, name)
		}
	}
}

func (n *notices) close() error {
	if n == nil {
		return nil
	}
	close(n.ack)
	err := n.in.Close()
	<-n.done
	return err
}

// foreignTypes are file systems whose files others change without the kernel here knowing (statfs(2)).
var foreignTypes = []int64{
	unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC,
	unix.AFS_SUPER_MAGIC, unix.CODA_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC, 0x01161970, // GFS2
}

func foreign(file *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &st); err != nil {
		return true
	}
	return slices.Contains(foreignTypes, int64(st.Type))
}
