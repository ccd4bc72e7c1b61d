package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// patience is how long a program may take. firewall-cmd, the slowest, starts an interpreter and takes 0.7 s.
const patience = 2 * time.Second

// maxOutput bounds what is read of a program's output; a large ruleset prints more, but only its beginning matters.
const maxOutput = 256 << 10

// systemPrograms are the folders in which programs are looked for. PATH is not asked: it is the caller's, and an
// ordinary account's lacks sbin.
var systemPrograms = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"}

// lookup returns the path of a program, or nothing.
func (h *Host) lookup(name string) string {
	dirs := h.programs
	if dirs == nil {
		dirs = systemPrograms
	}
	for _, dir := range dirs {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return ""
}

// capped keeps the beginning of what is written to it.
type capped struct{ buf bytes.Buffer }

func (c *capped) Write(b []byte) (int, error) {
	if room := maxOutput - c.buf.Len(); room > 0 {
		c.buf.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

// said is what a program answered.
type said struct {
	out, complaint string
	err            error // it could not be started, did not end in time, or ended with a status that is not 0
}

// ask runs a program with an argument list, without input and in plain English.
func (h *Host) ask(ctx context.Context, program string, args ...string) said {
	wait := h.patience
	if wait == 0 {
		wait = patience
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var out, complaint capped
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.Env = []string{"LC_ALL=C", "PATH=" + strings.Join(systemPrograms, ":")}
	cmd.WaitDelay = 100 * time.Millisecond // a grandchild may hold the pipes open
	err := cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer within %s", wait)
	}
	return said{strings.TrimSpace(out.buf.String()), strings.TrimSpace(complaint.buf.String()), err}
}

// refusal tells whether the program says that a privilege is missing.
func (a said) refusal() bool {
	text := strings.ToLower(a.out + a.complaint)
	return strings.Contains(text, "permission denied") || strings.Contains(text, "not permitted") || strings.Contains(text, "must be root")
}

// unknown puts what went wrong into words.
func (a said) unknown(program string) string {
	switch {
	case a.refusal():
		return program + ": permission denied: needs root"
	case a.complaint != "":
		return program + ": " + firstLine(a.complaint)
	case a.err != nil:
		return program + ": " + a.err.Error()
	default:
		return program + ": an answer that is not known: " + firstLine(a.out)
	}
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s[:min(len(s), 200)]
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func lines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

func (h *Host) firewalls(ctx context.Context, s *scan) []Probe {
	if h.Rooted() {
		const why = "not asked: a folder is treated as /"
		return []Probe{
			{"firewall", "nft", Unknown, why}, {"firewall", "iptables", Unknown, why}, {"firewall", "ipset", Unknown, why},
			{"firewall", "firewalld", Unknown, why}, s.ufw(), s.csf(), {"firewall", "docker", Unknown, why},
		}
	}
	if runtime.GOOS == "windows" {
		p := Probe{"firewall", "windows", Unknown, "netsh.exe was not found"}
		if s.tree.exists("/Windows/System32/netsh.exe") {
			p.Answer, p.Why = Yes, "netsh.exe is there"
		}
		return []Probe{p}
	}
	return []Probe{
		h.nft(ctx), h.iptables(ctx, s), h.ipset(ctx), h.firewalld(ctx, s), s.ufw(), s.csf(), s.docker(),
	}
}

// nft answers by what the kernel says; the program only adds what is there.
func (h *Host) nft(ctx context.Context) Probe {
	p := nfTables()
	program := h.lookup("nft")
	if program == "" {
		p.Why += "; program nft is not installed"
		return p
	}
	a := h.ask(ctx, program, "list", "tables")
	if a.err != nil || a.complaint != "" {
		p.Why += "; " + a.unknown("nft")
		return p
	}
	var tables []string
	for _, line := range lines(a.out) {
		if name, ok := strings.CutPrefix(line, "table "); ok {
			tables = append(tables, name)
		}
	}
	p.Why += "; " + count(len(tables), "table")
	if len(tables) > 0 {
		p.Why += ": " + strings.Join(tables[:min(len(tables), 8)], ", ")
	}
	return p
}

// iptables tells which of its two backends the program speaks to and whether rules are there. The old backend's
// tables are asked for only where the kernel has them already, since asking would make them.
func (h *Host) iptables(ctx context.Context, s *scan) Probe {
	p := Probe{Area: "firewall", Name: "iptables"}
	program := h.lookup("iptables")
	if program == "" {
		p.Answer, p.Why = No, "program iptables is not installed"
		return p
	}
	a := h.ask(ctx, program, "--version")
	var backend string
	switch {
	case strings.Contains(a.out, "(nf_tables)"):
		backend = "nf_tables"
	case strings.HasPrefix(a.out, "iptables v"):
		backend = "legacy"
	default:
		p.Why = a.unknown("iptables")
		return p
	}
	p.Answer, p.Why = Yes, firstLine(a.out)
	old, _, err := s.tree.read("/proc/net/ip_tables_names", 4096)
	tables := strings.Fields(string(old))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		p.Why += "; legacy tables unknown: " + why(err)
	case len(tables) > 0:
		p.Why += "; legacy tables: " + strings.Join(tables, ", ")
	}
	if backend == "legacy" && len(tables) == 0 {
		return p
	}
	a = h.ask(ctx, program, "-w", "1", "-S")
	if a.err != nil || !strings.HasPrefix(a.out, "-P ") {
		p.Why += "; " + a.unknown("iptables -S")
		return p
	}
	rules := 0
	for _, line := range lines(a.out) {
		if strings.HasPrefix(line, "-A ") {
			rules++
		}
	}
	p.Why += "; " + count(rules, "rule") + " in filter"
	return p
}

func (h *Host) ipset(ctx context.Context) Probe {
	p := Probe{Area: "firewall", Name: "ipset"}
	program := h.lookup("ipset")
	if program == "" {
		p.Answer, p.Why = No, "program ipset is not installed"
		return p
	}
	a := h.ask(ctx, program, "list", "-n")
	if a.err != nil || a.complaint != "" {
		p.Why = a.unknown("ipset")
		return p
	}
	p.Answer, p.Why = Yes, count(len(lines(a.out)), "set")
	return p
}

func (h *Host) firewalld(ctx context.Context, s *scan) Probe {
	p := Probe{Area: "firewall", Name: "firewalld"}
	program := h.lookup("firewall-cmd")
	if program == "" {
		if pid := s.runs("firewalld"); pid != 0 {
			p.Why = fmt.Sprintf("process %d is named so, but firewall-cmd is not installed", pid)
			return p
		}
		p.Answer, p.Why = No, "program firewall-cmd is not installed"
		return p
	}
	a := h.ask(ctx, program, "--state")
	switch strings.ToLower(firstLine(a.out + a.complaint)) {
	case "running":
		p.Answer, p.Why = Yes, "running"
	case "not running":
		p.Answer, p.Why = No, "installed, not running"
	default:
		p.Why = a.unknown("firewall-cmd")
	}
	return p
}

func (s *scan) ufw() Probe {
	p := Probe{Area: "firewall", Name: "ufw"}
	text, _, err := s.tree.read("/etc/ufw/ufw.conf", 1<<16)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Answer, p.Why = No, "no /etc/ufw/ufw.conf"
		return p
	case err != nil:
		p.Why = "/etc/ufw/ufw.conf: " + why(err)
		return p
	}
	switch strings.ToLower(setting(text, "ENABLED")) {
	case "yes":
		p.Answer, p.Why = Yes, "ENABLED=yes in /etc/ufw/ufw.conf"
	case "no":
		p.Answer, p.Why = No, "ENABLED=no in /etc/ufw/ufw.conf"
	default:
		p.Why = "/etc/ufw/ufw.conf does not say ENABLED"
	}
	return p
}

func (s *scan) csf() Probe {
	p := Probe{Area: "firewall", Name: "csf"}
	text, _, err := s.tree.read("/etc/csf/csf.conf", 1<<20)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Answer, p.Why = No, "no /etc/csf/csf.conf"
	case err != nil:
		p.Why = "/etc/csf/csf.conf: " + why(err)
	case s.tree.exists("/etc/csf/csf.disable"):
		p.Answer, p.Why = No, "disabled by /etc/csf/csf.disable"
	case setting(text, "TESTING") == "1":
		p.Answer, p.Why = Yes, "/etc/csf/csf.conf, TESTING: its rules are lifted every few minutes"
	default:
		p.Answer, p.Why = Yes, "/etc/csf/csf.conf"
	}
	return p
}

// setting reads NAME = "value" of a file of such lines.
func setting(text []byte, name string) string {
	value := ""
	for line := range strings.Lines(string(text)) {
		if key, v, ok := strings.Cut(line, "="); ok && strings.TrimSpace(key) == name {
			value = strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return value
}

// docker matters because it publishes ports by translation before the chain INPUT is asked.
func (s *scan) docker() Probe {
	p := Probe{Area: "firewall", Name: "docker"}
	if pid := s.runs("dockerd"); pid != 0 {
		p.Answer, p.Why = Yes, fmt.Sprintf("process %d (dockerd): published ports go round the chain INPUT", pid)
		return p
	}
	_, info, err := s.tree.find("/run/docker.sock")
	switch {
	case err == nil && info.Mode()&fs.ModeSocket != 0:
		p.Why = "/run/docker.sock is there, but no process dockerd was seen"
	case err == nil || errors.Is(err, fs.ErrNotExist):
		p.Answer, p.Why = No, "no process dockerd and no /run/docker.sock"
	default:
		p.Why = "/run/docker.sock: " + why(err)
	}
	return p
}

// runs returns the process of a root's daemon, or 0.
func (s *scan) runs(service string) int {
	for _, p := range s.procs {
		if serviceOf(p.name) == service && p.known && p.uid == 0 && !p.foreign {
			return p.pid
		}
	}
	return 0
}
