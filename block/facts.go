package block

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// Machine is where the facts are read.
type Machine struct {
	Root   string              // taken for /; "" is /
	PID    int                 // whose ancestors are looked through for a login; 0 is this process
	Getenv func(string) string // os.Getenv if nil
	Now    time.Time           // administrators' logins of the week before it are spared; zero: only those who are logged in
	ByHand bool                // an operator acts: the peers of all who are logged in by ssh are spared from what he asks for
	// Logins returns the logins since a time that a database of the system holds; nil is none.
	Logins func(since time.Time) ([]Login, error)
}

// Login is somebody's login from elsewhere.
type Login struct {
	User, Host string // Host is an address, or a name, of which nothing can be said
}

// Facts reads who this machine must not block: its own addresses, gateways and resolvers, and where the person at the
// keyboard and other administrators are logged in from, or were within a week. What a process above this one tells of a login may be
// over, as in a tmux that was begun elsewhere; ByHand adds those whose connection stands. It reads files and asks the kernel for the addresses of
// interfaces; it starts no program and takes no list longer than a bound. What could not be seen is told.
func Facts(m Machine) ([]Spare, []connwarden.Problem) {
	if m.PID == 0 {
		m.PID = os.Getpid()
	}
	if m.Getenv == nil {
		m.Getenv = os.Getenv
	}
	f := &facts{Machine: m, seen: map[Spare]bool{}}
	f.read, f.back = f.file, f.backwards
	if m.Root == "" {
		f.own()
	}
	f.resolvers()
	f.operator("environment", m.Getenv)
	f.system()
	return f.spares, f.problems
}

type facts struct {
	Machine
	read     func(name string) []byte // a file's contents; nothing if it cannot be read
	back     func(name string, take func(b []byte, first bool) (rest int, more bool))
	spares   []Spare
	seen     map[Spare]bool
	problems []connwarden.Problem
}

func (f *facts) spare(s Spare) {
	if !f.seen[s] {
		f.seen[s] = true
		f.spares = append(f.spares, s)
	}
}

// problem tells of what could not be read; what is not there is none.
func (f *facts) problem(what string, err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.problems = append(f.problems, connwarden.Problem{What: what, Why: err.Error()})
	}
}

// maxFacts bounds what is read of one file: a router with the whole Internet's routes has over 100 MB of them, of
// which the default route is the first. maxAccounts bounds a list of accounts and groups.
const (
	maxFacts    = 1 << 20
	maxAccounts = 64 << 20
)

func (f *facts) file(name string) []byte {
	file, err := os.Open(filepath.Join("/", f.Root, name))
	if err != nil {
		f.problem(name, err)
		return nil
	}
	defer file.Close()
	most := maxFacts
	if strings.HasPrefix(name, "/etc/") {
		most = maxAccounts
	}
	b, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	f.problem(name, err)
	if len(b) <= most {
		return b
	}
	if !strings.HasPrefix(name, "/proc/") {
		f.problem(name, fmt.Errorf("only its first %d MiB were read", most>>20))
	}
	return b[:most]
}

// Bounds of what is read of the end of a log: at most maxBack, maxPiece at a time, which is a multiple of both sizes of a record of
// utmp(5). maxRest is longer than any line that counts.
const (
	maxBack  = 64 << 20
	maxPiece = 7 * 384 * 400
	maxRest  = 64 << 10
)

// backwards hands over a log piece by piece from its end on, as far back as take wants; anybody may have filled it. take tells how many
// bytes at a piece's beginning are the end of what began before: it gets them again, at the end of the piece before that.
// first is the piece at the log's beginning.
func (f *facts) backwards(name string, take func(b []byte, first bool) (rest int, more bool)) {
	file, err := os.Open(filepath.Join("/", f.Root, name))
	if err != nil {
		f.problem(name, err)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		f.problem(name, err)
		return
	}
	var rest []byte
	for at := info.Size(); at > 0; {
		if info.Size()-at >= maxBack {
			f.problem(name, fmt.Errorf("only its last %d MiB were read, which do not reach back a week", maxBack>>20))
			return
		}
		n := min(at, maxPiece)
		at -= n
		b := make([]byte, n, n+int64(len(rest)))
		if _, err := file.ReadAt(b, at); err != nil {
			f.problem(name, err)
			return
		}
		b = append(b, rest...)
		keep, more := take(b, at == 0)
		if !more {
			return
		}
		rest = slices.Clone(b[:min(keep, maxRest)])
	}
}

// lines are those of a text, however long they are.
func lines(b []byte) *bufio.Scanner {
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, len(b)+1)
	return s
}

// own adds the addresses of all interfaces.
func (f *facts) own() {
	list, err := net.InterfaceAddrs()
	f.problem("addresses of this machine", err)
	for _, a := range list {
		p, err := netip.ParsePrefix(a.String())
		if err == nil {
			f.spare(Spare{Prefix: Single(p.Addr()), Who: "this machine's own address", Always: true})
		}
	}
}

// resolvers adds the name servers. Where systemd-resolved runs, the first file names a stub of it and the second the
// true ones.
func (f *facts) resolvers() {
	for _, name := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		for s := lines(f.read(name)); s.Scan(); {
			if word := strings.Fields(s.Text()); len(word) >= 2 && word[0] == "nameserver" {
				if a, err := netip.ParseAddr(word[1]); err == nil {
					f.spare(Spare{Prefix: Single(a), Who: "a name server of this machine"})
				}
			}
		}
	}
}

// operator adds the client that sshd tells a login of: SSH_CONNECTION and SSH_CLIENT begin with its address.
func (f *facts) operator(where string, getenv func(string) string) {
	for _, name := range []string{"SSH_CONNECTION", "SSH_CLIENT"} {
		client, _, _ := strings.Cut(getenv(name), " ")
		if a, err := netip.ParseAddr(client); err == nil {
			f.spare(operatorAt(a, name+" of the "+where))
			return
		}
	}
}

// operatorAt spares the address of the person at the keyboard, of IPv6 with its /64, since the next connection may come
// from another address of it.
func operatorAt(a netip.Addr, how string) Spare {
	return Spare{Prefix: Automatic(Single(a)), Who: "where you are logged in from (" + how + ")"}
}
