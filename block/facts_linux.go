package block

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func (f *facts) system() {
	f.gateways()
	f.ancestors()
	admins := f.administrators()
	f.logind(admins)
	f.utmp(admins)
	if !f.Now.IsZero() {
		f.week(admins, f.Now.Add(-recently))
	}
	if f.ByHand {
		f.sessions()
	}
}

// week adds the logins since a time, also those that are over.
func (f *facts) week(admins map[string]bool, since time.Time) {
	f.wtmp(admins, since)
	f.panel(since)
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

// recently is how long an administrator's address is spared after a login: a week, in which as a rule he comes back.
const recently = 7 * 24 * time.Hour

const routeGateway = 0x2 // RTF_GATEWAY of linux/route.h

// gateways adds the next hops of the routing tables.
func (f *facts) gateways() {
	if f.Root == "" {
		f.routes()
	}
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
	if a.IsValid() && !a.IsUnspecified() {
		f.spare(Spare{Prefix: Single(a), Who: "the gateway of " + device})
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
		if isSSHD(name) {
			if len(f.spares) == found {
				f.peers([]session{{pid: pid, name: name}})
			}
			return
		}
		pid = parent
	}
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

func (f *facts) session(user string, a netip.Addr, how, where string, admins map[string]bool) {
	if a.IsValid() && admins[user] && !a.IsLoopback() && !a.IsUnspecified() {
		f.spare(Spare{Prefix: Automatic(Single(a)), Who: "where the administrator " + user + " " + how + " (" + where + ")"})
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
