package conns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/connwarden/connwarden"
)

// space is a network namespace. The zero value is that of the calling thread.
type space struct {
	Name  string // as Options.Namespace takes it
	path  string // what setns opens
	pid   int    // a process in it; 0 when none is known
	inode uint64
}

func (s space) ours() bool { return s.path == "" }

// procNet is the folder of the namespace's tables in /proc. A namespace that only a mount keeps alive has none, and the
// name returned does not exist.
func (s space) procNet() string {
	if s.ours() {
		return "/proc/thread-self/net/"
	}
	return "/proc/" + strconv.Itoa(s.pid) + "/net/"
}

// enter runs do in the namespace. For another one than ours that is on a thread of its own, which ends with the
// goroutine: no thread that could run anything else is ever left in a wrong namespace.
func (s space) enter(do func() error) error {
	if s.ours() {
		return do()
	}
	f, err := os.Open(s.path)
	if err != nil {
		return spaceError(s.Name, err)
	}
	defer f.Close()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- spaceError(s.Name, os.NewSyscallError("setns", err))
			return
		}
		done <- do()
	}()
	return <-done
}

func spaceError(name string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: needs root", connwarden.ErrDenied)
	}
	return fmt.Errorf("enter network namespace %s: %w", name, err)
}

// mountFolders are where namespaces are kept by name: by ip-netns(8), and by Docker.
var mountFolders = []string{"/run/netns", "/run/docker/netns"}

// ourSpace returns the inode of the calling thread's namespace; 0 when it cannot be told.
func ourSpace() uint64 {
	ino, _ := inodeOf("/proc/thread-self/ns/net")
	return ino
}

// otherSpaces lists every network namespace of this machine but the one with the inode ours, each once: those with names first, then those
// that only processes hold. Without privilege other users' processes do not say which is theirs, and one problem
// tells how many.
func otherSpaces(ours uint64) ([]space, []connwarden.Problem) {
	var list []space
	at := map[uint64]int{ours: -1} // inode to index in list; -1 for ours
	for _, folder := range mountFolders {
		entries, _ := os.ReadDir(folder)
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			var fsys unix.Statfs_t
			// A leftover of a namespace that is gone is an ordinary empty file.
			if unix.Statfs(path, &fsys) != nil || fsys.Type != unix.NSFS_MAGIC {
				continue
			}
			ino, err := inodeOf(path)
			if _, seen := at[ino]; err != nil || seen {
				continue
			}
			at[ino] = len(list)
			list = append(list, space{Name: e.Name(), path: path, inode: ino})
		}
	}
	named := len(list)
	denied := 0
	pids, _ := listPIDs()
	for _, pid := range pids {
		base := "/proc/" + strconv.Itoa(pid)
		ino, err := inodeOf(base + "/ns/net")
		if errors.Is(err, fs.ErrPermission) {
			denied++
		}
		if err != nil {
			continue
		}
		i, seen := at[ino]
		switch {
		case seen && i >= 0 && list[i].pid == 0:
			list[i].pid = pid
		case !seen:
			at[ino] = len(list)
			list = append(list, space{Name: "pid:" + strconv.Itoa(pid), path: base + "/ns/net", pid: pid, inode: ino})
		}
	}
	for i := range list {
		// Docker's names are not the container's: prefer its ID.
		if i < named && strings.HasPrefix(list[i].path, mountFolders[0]) || list[i].pid == 0 {
			continue
		}
		if b, err := os.ReadFile("/proc/" + strconv.Itoa(list[i].pid) + "/cgroup"); err == nil {
			if id := containerOf(string(b)); id != "" {
				list[i].Name = id
			}
		}
	}
	if denied > 0 {
		return list, []connwarden.Problem{{What: "network namespaces",
			Why: fmt.Sprintf("those of %d process(es) cannot be told, nor whether they are containers: %s", denied, needsRoot())}}
	}
	return list, nil
}

// findSpace finds the namespace that name means. Our own, when its own PID is named, is the zero value.
func findSpace(others []space, name string) (space, error) {
	if i := slices.IndexFunc(others, func(s space) bool { return s.Name == name }); i >= 0 {
		return others[i], nil
	}
	if pid, err := strconv.Atoi(strings.TrimPrefix(name, "pid:")); err == nil && pid > 0 {
		ino, err := inodeOf("/proc/" + strconv.Itoa(pid) + "/ns/net")
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = connwarden.ErrNotFound
			}
			return space{}, spaceError(name, err)
		}
		if i := slices.IndexFunc(others, func(s space) bool { return s.inode == ino }); i >= 0 {
			return others[i], nil
		}
		return space{}, nil
	}
	// Four digits of an ID are as few as docker takes in practice; fewer may be a name mistyped.
	if len(name) >= 4 {
		for _, s := range others {
			if strings.HasPrefix(s.Name, name) || len(s.Name) == 12 && strings.HasPrefix(name, s.Name) {
				return s, nil
			}
		}
	}
	return space{}, fmt.Errorf("network namespace %s: %w: use a name of ip netns, a container's ID, or a PID", name, connwarden.ErrNotFound)
}

// inodeOf returns the inode that a namespace is known by.
func inodeOf(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return st.Ino, nil
}

// needsRoot says what would help where a process does not show itself.
func needsRoot() string {
	if os.Geteuid() == 0 {
		return "not even root may look here"
	}
	return "needs root"
}
