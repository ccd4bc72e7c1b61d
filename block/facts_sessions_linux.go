package block

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// session is a process that holds the connection of somebody who is logged in by ssh.
type session struct {
	pid  int
	name string // of the process
	user string // who; "" is the person at the keyboard
}

// sessions adds the peers of all who are logged in by ssh. The operator is one of them, also where no process above this one tells
// of his connection: in a tmux that was begun elsewhere, or behind a hop over loopback.
func (f *facts) sessions() {
	list, err := os.ReadDir(f.path("proc"))
	f.problem("/proc", err)
	type process struct {
		name   string
		parent int
	}
	all, heads := map[int]process{}, map[int]bool{} // heads have a child of another name
	for _, e := range list {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			stat, _ := os.ReadFile(f.of(pid, "stat")) // it may have ended
			if name, parent, ok := procStat(stat); ok {
				all[pid] = process{name, parent}
			}
		}
	}
	for _, p := range all {
		if all[p.parent].name != p.name {
			heads[p.parent] = true
		}
	}
	var found []session
	for pid, p := range all {
		switch {
		case isSSHD(p.name):
			// Anybody may call a process so; that of an account is a child of root's.
			if user, ok := sshUser(f.title(pid)); ok && (f.ofRoot(pid) || isSSHD(all[p.parent].name) && f.ofRoot(p.parent)) {
				found = append(found, session{pid, p.name, user})
			}
		case p.name == "dropbear" && p.parent > 1 && all[p.parent].name == p.name && heads[pid] && f.ofRoot(pid): // it has a shell
			found = append(found, session{pid, p.name, "somebody"})
		}
	}
	slices.SortFunc(found, func(a, b session) int { return a.pid - b.pid })
	if len(found) > maxSessions {
		f.problem("logins by ssh", errors.New("only the first "+strconv.Itoa(maxSessions)+" were looked at"))
		found = found[:maxSessions]
	}
	f.peers(found)
}

func isSSHD(name string) bool { return name == "sshd" || name == "sshd-session" }

// sshUser reads the title of a process of OpenSSH: "sshd: anna@pts/0,pts/1", "sshd: anna@notty", "sshd: anna@internal-sftp", and "sshd:
// anna" of one who only forwards ports. Before a login it is "sshd: anna [priv]", "sshd: unknown [net]", "sshd: [accepted]".
func sshUser(title string) (user string, ok bool) {
	name, rest, ok := strings.Cut(title, ": ")
	if !ok || !isSSHD(name) || strings.HasSuffix(rest, "]") {
		return "", false
	}
	if i := strings.LastIndexByte(rest, '@'); i > 0 {
		for _, kind := range []string{"pts/", "tty", "notty", "internal-sftp"} {
			if strings.HasPrefix(rest[i+1:], kind) {
				return rest[:i], true
			}
		}
	}
	return rest, rest != "" && !strings.ContainsAny(rest, " []/")
}

func (f *facts) path(name string) string { return filepath.Join("/", f.Root, name) }

// of is the path of a file of a process.
func (f *facts) of(pid int, name string) string {
	return f.path("proc/" + strconv.Itoa(pid) + "/" + name)
}

// title is what a process calls itself.
func (f *facts) title(pid int) string {
	b, _ := os.ReadFile(f.of(pid, "cmdline")) // it may have ended
	text, _, _ := bytes.Cut(b, []byte{0})
	return strings.TrimSpace(string(text))
}

// ofRoot tells whether root started a process.
func (f *facts) ofRoot(pid int) bool {
	b, _ := os.ReadFile(f.of(pid, "status"))
	_, rest, ok := bytes.Cut(b, []byte("\nUid:"))
	id := bytes.Fields(rest)
	return ok && len(id) > 0 && string(id[0]) == "0"
}

// peers adds the peers of the TCP connections that are open and that processes hold.
func (f *facts) peers(list []session) {
	type space struct {
		pid    int // one of those in it
		holder map[string]session
	}
	spaces := map[string]*space{} // network namespaces
	var hidden error
	for _, s := range list {
		where, _ := os.Readlink(f.of(s.pid, "ns/net"))
		dir := f.of(s.pid, "fd")
		fds, err := os.ReadDir(dir)
		hidden = cmp.Or(hidden, err)
		if spaces[where] == nil {
			spaces[where] = &space{s.pid, map[string]session{}}
		}
		for _, fd := range fds {
			link, err := os.Readlink(filepath.Join(dir, fd.Name()))
			if inode, ok := strings.CutPrefix(link, "socket:["); ok && err == nil {
				spaces[where].holder[strings.TrimSuffix(inode, "]")] = s
			}
		}
	}
	f.problem("logins by ssh", hidden)
	for _, in := range spaces {
		for _, table := range []string{"tcp", "tcp6"} {
			f.table(f.of(in.pid, "net/"+table), in.holder)
		}
	}
}

// table reads a table of connections of /proc, which a flood makes long.
func (f *facts) table(name string, holder map[string]session) {
	file, err := os.Open(name)
	if err != nil {
		f.problem(name, err)
		return
	}
	defer file.Close()
	for s := bufio.NewScanner(bufio.NewReaderSize(file, 64<<10)); s.Scan(); {
		// sl local remote st queues timer retransmits uid timeout inode
		w := bytes.Fields(s.Bytes())
		if len(w) < 10 || string(w[3]) != "01" { // TCP_ESTABLISHED
			continue
		}
		one, ok := holder[string(w[9])]
		if !ok {
			continue
		}
		a, ok := procAddr(string(w[2]))
		if !ok || a.IsLoopback() {
			continue
		}
		who := "the connection of " + strings.TrimSuffix(one.name, "-session") + ", process " + strconv.Itoa(one.pid)
		if one.user == "" {
			f.spare(operatorAt(a, who))
		} else {
			f.spare(Spare{Prefix: Automatic(Single(a)), Who: "where " + one.user + " is logged in from (" + who + ")", ByHand: true})
		}
	}
}

// procAddr reads the address of "0100007F:1F90": each four bytes are the hexadecimal of a native number.
func procAddr(text string) (netip.Addr, bool) {
	word, _, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(word)
	if err != nil || len(b) != 4 && len(b) != 16 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	return a.Unmap(), ok
}

// process reads a process's name and parent.
func (f *facts) process(pid int) (name string, parent int, ok bool) {
	return procStat(f.read("/proc/" + strconv.Itoa(pid) + "/stat"))
}

func procStat(stat []byte) (name string, parent int, ok bool) {
	first, last := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if first < 0 || last < first {
		return "", 0, false
	}
	words := bytes.Fields(stat[last+1:])
	if len(words) < 2 {
		return "", 0, false
	}
	parent, err := strconv.Atoi(string(words[1]))
	return string(stat[first+1 : last]), parent, err == nil
}
