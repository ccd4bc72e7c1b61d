package block

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
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
	// Logins returns the logins since a time that a database of the system holds; nil is none.
	Logins func(since time.Time) ([]Login, error)
}

// Login is somebody's login from elsewhere.
type Login struct {
	User, Host string // Host is an address, or a name, of which nothing can be said
}

// Facts reads who this machine must not block: its own addresses, gateways and resolvers, and where the person at the
// keyboard and other administrators are logged in from, or were within a week. It reads files and asks the kernel for the addresses of
// interfaces; it starts no program and takes no list longer than a bound. What could not be seen is told.
func Facts(m Machine) ([]Spare, []connwarden.Problem) {
	if m.PID == 0 {
		m.PID = os.Getpid()
	}
	if m.Getenv == nil {
		m.Getenv = os.Getenv
	}
	f := &facts{Machine: m, seen: map[Spare]bool{}}
	f.read, f.tail = f.file, f.end
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
	tail     func(name string) []byte // the end of a file of records
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
// which the default route is the first.
const maxFacts = 1 << 20

func (f *facts) file(name string) []byte {
	file, err := os.Open(filepath.Join("/", f.Root, name))
	if err != nil {
		f.problem(name, err)
		return nil
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxFacts))
	f.problem(name, err)
	return b
}

// maxTail is what is read of a file's end, a multiple of both sizes of a record of utmp(5): 2,400 logins or more.
const maxTail = 100 * 384 * 400 / 16

func (f *facts) end(name string) []byte {
	file, err := os.Open(filepath.Join("/", f.Root, name))
	if err != nil {
		f.problem(name, err)
		return nil
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > maxTail {
		_, err = file.Seek(-maxTail, io.SeekEnd)
		f.problem(name, err)
	}
	b, err := io.ReadAll(io.LimitReader(file, maxTail))
	f.problem(name, err)
	return b
}

func lines(b []byte) *bufio.Scanner { return bufio.NewScanner(bytes.NewReader(b)) }

// own adds the addresses of all interfaces.
func (f *facts) own() {
	list, err := net.InterfaceAddrs()
	f.problem("addresses of this machine", err)
	for _, a := range list {
		p, err := netip.ParsePrefix(a.String())
		if err == nil {
			f.spare(Spare{Single(p.Addr()), "this machine's own address", true})
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
					f.spare(Spare{Single(a), "a name server of this machine", false})
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
	return Spare{Automatic(Single(a)), "where you are logged in from (" + how + ")", false}
}
