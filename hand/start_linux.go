package hand

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Variable is how a reader knows that it is one: its value says what it was given, see [Inherited].
const Variable = "CONNWARDEN_HAND"

// Descriptors of a reader.
const (
	talkFD   = 3
	listenFD = 4
)

// kept are the capabilities of a reader, of those that the hand has: logs belong to many. CAP_SYS_PTRACE, by which it would see the
// processes that hold connections, is not among them: who has it can write into the memory of the hand.
var kept = []uintptr{unix.CAP_DAC_READ_SEARCH}

// Account is whom the reader runs as.
type Account struct {
	UID, GID uint32
	Groups   []uint32
}

// LookupAccount finds an account by name. It must not be root's.
func LookupAccount(name string) (Account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return Account{}, err
	}
	groups, err := u.GroupIds()
	if err != nil {
		return Account{}, err
	}
	var numbers []uint32
	for _, text := range append([]string{u.Uid, u.Gid}, groups...) {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return Account{}, fmt.Errorf("account %s: %w", name, err)
		}
		numbers = append(numbers, uint32(n))
	}
	if numbers[0] == 0 {
		return Account{}, fmt.Errorf("account %s is root's", name)
	}
	return Account{numbers[0], numbers[1], numbers[2:]}, nil
}

// Reader is a process that reads.
type Reader struct {
	Talk net.Conn // what it asks comes here
	cmd  *exec.Cmd
	life io.Closer
}

// Start starts this program again, with these arguments and variables besides its own, as a reader. l, if not nil, is a socket on
// which the reader answers.
func Start(as Account, args, env []string, stdout, stderr io.Writer, l *net.UnixListener) (*Reader, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "hand"), os.NewFile(uintptr(pair[1]), "reader")
	defer theirs.Close()
	talk, err := net.FileConn(ours)
	if err := errors.Join(err, ours.Close()); err != nil {
		return nil, err
	}
	r := &Reader{Talk: talk, cmd: exec.Command("/proc/self/exe", args...)}
	given := "talk"
	r.cmd.Args[0] = os.Args[0]
	r.cmd.ExtraFiles = []*os.File{theirs}
	if l != nil {
		file, err := l.File()
		if err != nil {
			return nil, errors.Join(err, talk.Close())
		}
		defer file.Close()
		given = "talk listen"
		r.cmd.ExtraFiles = append(r.cmd.ExtraFiles, file)
	}
	r.cmd.Env = append(append(os.Environ(), env...), Variable+"="+given)
	r.cmd.Stdout, r.cmd.Stderr = stdout, stderr
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as.UID, Gid: as.GID, Groups: as.Groups}, AmbientCaps: had(kept)}
	if r.life, err = r.cmd.StdinPipe(); err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the reader: %w", err), talk.Close())
	}
	return r, nil
}

// had are those of some capabilities that this process has.
func had(list []uintptr) []uintptr {
	var data [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(list), func(c uintptr) bool { return data[c/32].Permitted&(1<<(c%32)) == 0 })
}

// PID is the reader's process.
func (r *Reader) PID() int { return r.cmd.Process.Pid }

// Signal sends it a signal; one that has ended gets none.
func (r *Reader) Signal(s os.Signal) error { return r.cmd.Process.Signal(s) }

// Wait waits until it has ended.
func (r *Reader) Wait() error {
	err := r.cmd.Wait()
	if err != nil {
		err = fmt.Errorf("the reader ended: %w", err)
	}
	return errors.Join(err, r.Talk.Close())
}

// Inherited is what a reader was given: the way to its hand, and the socket on which it answers, nil for none. gone is closed when
// the hand has ended.
func Inherited(given string) (c *Client, l *net.UnixListener, gone <-chan struct{}, err error) {
	file := os.NewFile(talkFD, "hand")
	conn, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", Variable, err)
	}
	if given == "talk listen" {
		file := os.NewFile(listenFD, "socket")
		any, err := net.FileListener(file)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", Variable, err)
		}
		var ok bool
		if l, ok = any.(*net.UnixListener); !ok {
			return nil, nil, nil, fmt.Errorf("%s: no Unix socket", Variable)
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the hand, which writes nothing
	}()
	return NewClient(conn), l, ended, nil
}
