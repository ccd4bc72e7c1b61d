package host

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
)

// process is one row of /proc, of the few kinds that matter here.
type process struct {
	pid, parent int
	name        string   // comm, at most 15 bytes; hostile
	args        []string // the command line; servers write a title there; hostile
	uid         uint32
	known       bool // of uid
	foreign     bool // in another mount namespace: a container's
}

// maxProcesses bounds a walk over /proc; the usual kernel.pid_max of a small machine is half of it.
const maxProcesses = 65_536

// maxTitle bounds a command line that is read: kernels let a process make its own as long as it likes.
const maxTitle = 4096

// serviceOf tells which service a program's name stands for.
func serviceOf(comm string) string {
	switch {
	case comm == "apache2" || comm == "httpd":
		return "apache"
	case comm == "nginx":
		return "nginx"
	case strings.HasPrefix(comm, "php-fpm"):
		return "php-fpm"
	case comm == "litespeed" || comm == "lshttpd" || comm == "openlitespeed":
		return "litespeed"
	case comm == "lighttpd":
		return "lighttpd"
	case comm == "firewalld" || comm == "dockerd":
		return comm
	default:
		return ""
	}
}

// readProcesses takes in the servers' processes from /proc. What is not there or not readable is left out: other
// accounts' processes may be hidden (hidepid of proc(5)).
func (s *scan) readProcesses() {
	entries, more, err := s.tree.list("/proc", maxProcesses)
	if err != nil {
		return
	}
	s.sawProcesses = true
	if more {
		s.problem("/proc", "too many processes: the rest is not looked at")
	}
	own := s.mounts("self")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || s.ctx.Err() != nil {
			continue
		}
		dir := "/proc/" + e.Name()
		text, _, err := s.tree.read(dir+"/stat", maxTitle)
		if err != nil {
			continue
		}
		p := process{pid: pid}
		var ok bool
		if p.name, p.parent, ok = statLine(text); !ok || serviceOf(p.name) == "" {
			continue
		}
		if text, _, err := s.tree.read(dir+"/cmdline", maxTitle); err == nil {
			for arg := range bytes.SplitSeq(bytes.TrimRight(text, "\x00"), []byte{0}) {
				p.args = append(p.args, string(arg))
			}
		}
		if _, info, err := s.tree.find(dir); err == nil {
			o := s.tree.owner(info)
			p.uid, p.known = o.uid, o.known
		}
		if theirs := s.mounts(e.Name()); own != "" && theirs != "" && own != theirs {
			p.foreign = true
		}
		s.procs = append(s.procs, p)
	}
}

// mounts names the mount namespace of a process; "" when it may not be known.
func (s *scan) mounts(pid string) string {
	if s.tree.root != "" {
		return ""
	}
	link, err := os.Readlink("/proc/" + pid + "/ns/mnt")
	if err != nil {
		return ""
	}
	return link
}

// statLine reads /proc/PID/stat: "pid (comm) state ppid …"; comm may itself hold brackets and blanks. What has ended
// and only waits to be asked for its status is no process here.
func statLine(text []byte) (comm string, parent int, ok bool) {
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return "", 0, false
	}
	f := bytes.Fields(text[end+1:])
	if len(f) < 2 || f[0][0] == 'Z' || f[0][0] == 'X' {
		return "", 0, false
	}
	parent, err := strconv.Atoi(string(f[1]))
	return string(text[open+1 : end]), parent, err == nil
}

// masters returns the processes of a service that no other of the service started, and whose word on where its
// configuration is can be taken: root's, a daemon's, or the caller's own.
func (s *scan) masters(service string) []process {
	of := map[int]bool{}
	for _, p := range s.procs {
		if serviceOf(p.name) == service {
			of[p.pid] = true
		}
	}
	var out []process
	for _, p := range s.procs {
		if !of[p.pid] || of[p.parent] || p.foreign {
			continue
		}
		if p.known && s.tree.isPerson(p.uid) && int(p.uid) != os.Geteuid() {
			continue
		}
		out = append(out, p)
	}
	return out
}

// title is the command line as one text.
func (p *process) title() string { return strings.Join(p.args, " ") }

// flag returns the value of a one-letter flag, set apart ("-f x") or not ("-fx"), or nothing.
func (p *process) flag(letter byte) string {
	args := p.args
	if len(args) == 1 { // a title: words joined by blanks
		args = strings.Fields(args[0])
	}
	for i, a := range args {
		if len(a) < 2 || a[0] != '-' || a[1] != letter {
			continue
		}
		if len(a) > 2 {
			return a[2:]
		}
		if i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// master is where a running server's configuration begins.
type master struct {
	file, root string
	process    process
}

// running returns the configuration files named on the command lines of running servers.
func (s *scan) running(service string) []master {
	var out []master
	for _, p := range s.masters(service) {
		m := master{process: p}
		switch service {
		case "apache":
			m.file, m.root = p.flag('f'), p.flag('d')
		case "nginx":
			m.file, m.root = p.flag('c'), p.flag('p')
		case "php-fpm":
			if _, after, ok := strings.Cut(p.title(), "master process ("); ok {
				m.file, _, _ = strings.Cut(after, ")")
			} else {
				m.file, m.root = p.flag('y'), p.flag('p')
			}
		}
		if m.root != "" && !strings.HasPrefix(m.root, "/") {
			m.root = ""
		}
		if m.file != "" && !strings.HasPrefix(m.file, "/") {
			if m.root == "" {
				continue // relative to what was compiled in: the usual places find it
			}
			m.file = path.Join(m.root, m.file)
		}
		out = append(out, m)
	}
	return out
}

// environ returns the environment that a process was started with; nothing when it may not be read.
func (s *scan) environ(pid int) map[string]string {
	vars := map[string]string{}
	text, _, err := s.tree.read("/proc/"+strconv.Itoa(pid)+"/environ", 1<<16)
	if err != nil {
		return vars
	}
	for v := range bytes.SplitSeq(text, []byte{0}) {
		if name, value, ok := strings.Cut(string(v), "="); ok {
			vars[name] = value
		}
	}
	return vars
}
