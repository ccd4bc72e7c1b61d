package block

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (f *facts) system() {
	f.gateways()
	f.ancestors()
	admins := f.administrators()
	f.logind(admins)
	f.utmp(f.read("/run/utmp"), admins, time.Time{})
	if f.Now.IsZero() {
		return
	}
	since := f.Now.Add(-recently)
	f.utmp(f.tail("/var/log/wtmp"), admins, since)
	f.panel(f.tail("/usr/local/cpanel/logs/access_log"), since)
	if f.Logins == nil {
		return
	}
	logins, err := f.Logins(since)
	f.problem("wtmpdb", err)
	for _, l := range logins[:min(len(logins), maxSessions)] {
		if a, err := netip.ParseAddr(l.Host); err == nil {
			f.session(l.User, a, "logged in from within a week", "wtmpdb", admins)
		}
	}
}

// panel reads who was at WHM as root: lines of cPanel's access_log as "The cPanel & WHM Log Files" of its documentation
// describes them,
//
//	ADDRESS - USER [MM/DD/YYYY:HH:MM:SS -ZZZZ] "REQUEST" STATUS SIZE "REFERER" "AGENT" "AUTH" "FORWARDED" PORT
//
// where AUTH is "s" for a session and "a" for a key, both of which take more than a name. Request, referer and agent are the
// client's: a line with more quotes than the form has is passed over.
func (f *facts) panel(b []byte, since time.Time) {
	for s := lines(b); s.Scan(); {
		quoted := strings.Split(s.Text(), `"`)
		if len(quoted) != 11 || quoted[7] != "s" && quoted[7] != "a" {
			continue
		}
		head, status := strings.Fields(quoted[0]), strings.Fields(quoted[2])
		if len(head) != 5 || head[2] != "root" || len(status) != 2 || status[0] != "200" {
			continue
		}
		at, err := time.Parse("[01/02/2006:15:04:05 -0700]", head[3]+" "+head[4])
		if a, bad := netip.ParseAddr(head[0]); err == nil && bad == nil && !at.Before(since) {
			f.session("root", a, "used WHM from within a week", "cPanel's access_log", map[string]bool{"root": true})
		}
	}
}

// recently is how long an administrator's address is spared after a login: a week, in which as a rule he comes back.
const recently = 7 * 24 * time.Hour

const routeGateway = 0x2 // RTF_GATEWAY of linux/route.h

// gateways adds the next hops of the routing tables.
func (f *facts) gateways() {
	for s := lines(f.read("/proc/net/route")); s.Scan(); {
		// Iface Destination Gateway Flags …; an address is the hexadecimal of its four bytes taken for a native number.
		w := strings.Fields(s.Text())
		if len(w) < 4 || !hasFlag(w[3], routeGateway) {
			continue
		}
		if n, err := strconv.ParseUint(w[2], 16, 32); err == nil {
			var b [4]byte
			binary.NativeEndian.PutUint32(b[:], uint32(n))
			f.gateway(netip.AddrFrom4(b), w[0])
		}
	}
	for s := lines(f.read("/proc/net/ipv6_route")); s.Scan(); {
		// destination length source length next-hop metric references use flags interface
		w := strings.Fields(s.Text())
		if len(w) < 10 || !hasFlag(w[8], routeGateway) {
			continue
		}
		if b, err := hex.DecodeString(w[4]); err == nil {
			if a, ok := netip.AddrFromSlice(b); ok {
				f.gateway(a, w[9])
			}
		}
	}
}

func hasFlag(text string, flag uint64) bool {
	n, err := strconv.ParseUint(text, 16, 32)
	return err == nil && n&flag != 0
}

func (f *facts) gateway(a netip.Addr, device string) {
	if !a.IsUnspecified() {
		f.spare(Spare{Single(a), "the gateway of " + device, false})
	}
}

// ancestors looks through the processes that this one was started by: sudo drops SSH_CONNECTION, the shell above it
// still has it, and the sshd above that holds the connection itself.
func (f *facts) ancestors() {
	found := len(f.spares)
	pid := f.PID
	for range 64 { // deeper than any shell in a shell
		name, parent, ok := f.process(pid)
		if !ok || pid <= 1 {
			return
		}
		if pid != f.PID {
			f.operator("process "+name, f.environ(pid))
		}
		if name == "sshd" || name == "sshd-session" {
			if len(f.spares) == found {
				f.socket(pid)
			}
			return
		}
		pid = parent
	}
}

// process reads a process's name and parent.
func (f *facts) process(pid int) (name string, parent int, ok bool) {
	stat := f.read("/proc/" + strconv.Itoa(pid) + "/stat")
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

func (f *facts) environ(pid int) func(string) string {
	b, err := os.ReadFile(filepath.Join("/", f.Root, "proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return func(string) string { return "" } // another account's process; the next ancestor may say
	}
	return func(name string) string {
		for v := range bytes.SplitSeq(b, []byte{0}) {
			if value, ok := bytes.CutPrefix(v, []byte(name+"=")); ok {
				return string(value)
			}
		}
		return ""
	}
}

// socket adds the peers of an sshd's own TCP connections.
func (f *facts) socket(pid int) {
	dir := filepath.Join("/", f.Root, "proc", strconv.Itoa(pid))
	fds, err := os.ReadDir(filepath.Join(dir, "fd"))
	f.problem(dir+"/fd", err)
	var inodes []string
	for _, fd := range fds {
		link, err := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
		if inode, ok := strings.CutPrefix(link, "socket:["); ok && err == nil {
			inodes = append(inodes, strings.TrimSuffix(inode, "]"))
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		for s := lines(f.read("/proc/" + strconv.Itoa(pid) + "/net/" + table)); s.Scan(); {
			// sl local remote st queues timer retransmits uid timeout inode
			w := strings.Fields(s.Text())
			if len(w) >= 10 && w[3] == "01" && slices.Contains(inodes, w[9]) {
				if a, ok := procAddr(w[2]); ok {
					f.spare(operatorAt(a, "the connection of sshd, process "+strconv.Itoa(pid)))
				}
			}
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

// adminGroups are those whose members may become root, by the sudoers files that Debian, Ubuntu, RHEL and SUSE ship.
var adminGroups = []string{"sudo", "wheel", "admin"}

// administrators are root and the members of the groups that may become root. Others who are logged in, a customer
// with a shell, are not spared.
func (f *facts) administrators() map[string]bool {
	admins := map[string]bool{"root": true}
	for s := lines(f.read("/etc/group")); s.Scan(); {
		w := strings.Split(s.Text(), ":")
		if len(w) < 4 || !slices.Contains(adminGroups, w[0]) {
			continue
		}
		for user := range strings.SplitSeq(w[3], ",") {
			admins[strings.TrimSpace(user)] = true
		}
	}
	return admins
}

func (f *facts) session(user string, a netip.Addr, how, where string, admins map[string]bool) {
	if a.IsValid() && admins[user] && !a.IsLoopback() && !a.IsUnspecified() {
		f.spare(Spare{Automatic(Single(a)), "where the administrator " + user + " " + how + " (" + where + ")", false})
	}
}

// maxSessions bounds how many logins are looked at.
const maxSessions = 1000

// logind reads the sessions that systemd-logind knows; the files are its own and their keys those of systemd's
// src/login/logind-session.c.
func (f *facts) logind(admins map[string]bool) {
	const dir = "/run/systemd/sessions"
	list, err := os.ReadDir(filepath.Join("/", f.Root, dir))
	f.problem(dir, err)
	for _, e := range list[:min(len(list), maxSessions)] {
		if !e.Type().IsRegular() {
			continue
		}
		user, host := "", ""
		for s := lines(f.read(dir + "/" + e.Name())); s.Scan(); {
			switch key, value, _ := strings.Cut(s.Text(), "="); key {
			case "USER":
				user = value
			case "REMOTE_HOST":
				host = value
			}
		}
		if a, err := netip.ParseAddr(host); err == nil {
			f.session(user, a, "is logged in from", "logind", admins)
		}
	}
}

// Two forms of a record of utmp(5): with times of 32 bits, as amd64 has it, and of 64, as arm64.
var utmpForms = []struct {
	size, at, addr int
	wide           bool
}{{384, 340, 348, false}, {400, 344, 360, true}}

const (
	userProcess = 7  // USER_PROCESS of utmp(5)
	utmpLast    = 9  // ACCOUNTING, the highest type
	utmpUser    = 44 // of 32 bytes
)

// utmp reads logins: of all who are logged in, or with a time those since then.
func (f *facts) utmp(b []byte, admins map[string]bool, since time.Time) {
	for _, form := range utmpForms {
		if !utmpFits(b, form.size) {
			continue
		}
		for ; len(b) >= form.size; b = b[form.size:] {
			if binary.NativeEndian.Uint16(b) != userProcess {
				continue
			}
			user, _, _ := bytes.Cut(b[utmpUser:utmpUser+32], []byte{0})
			at := int64(int32(binary.NativeEndian.Uint32(b[form.at:])))
			if form.wide {
				at = int64(binary.NativeEndian.Uint64(b[form.at:]))
			}
			switch host := utmpAddr(b[form.addr : form.addr+16]); {
			case since.IsZero():
				f.session(string(user), host, "is logged in from", "utmp", admins)
			case at >= since.Unix():
				f.session(string(user), host, "logged in from within a week", "wtmp", admins)
			}
		}
		return
	}
}

// utmpFits tells whether a file consists of records of a size: each begins with a type that exists.
func utmpFits(b []byte, size int) bool {
	if len(b) == 0 || len(b)%size != 0 {
		return false
	}
	for i := 0; i < len(b); i += size {
		if t := binary.NativeEndian.Uint16(b[i:]); t > utmpLast || b[i+2] != 0 || b[i+3] != 0 {
			return false
		}
	}
	return true
}

// utmpAddr reads 16 bytes of which IPv4 takes the first four.
func utmpAddr(b []byte) netip.Addr {
	if bytes.Equal(b[4:16], make([]byte, 12)) {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16([16]byte(b)).Unmap()
}
