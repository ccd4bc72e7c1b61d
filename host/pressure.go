package host

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// Pressure is how near the machine is to its limits. What could not be read is marked: a group's Known is false, and
// CPUs and Uptime, which are never zero, are 0.
type Pressure struct {
	Load    Load
	CPUs    int // online
	Memory  Memory
	Files   Files
	CPU, IO Stall // of Linux 4.20 and later, if switched on
	Swap    Swap
	Thrash  Stall         // waiting for memory
	Uptime  time.Duration // since the machine started
	Workers []Workers     // by service, configuration and pool
}

// Load is the load averages (proc(5), loadavg).
type Load struct {
	Known              bool
	One, Five, Fifteen float64
	Runnable, Tasks    int
}

// Memory is in bytes (proc(5), meminfo). Available is what can be used without swapping, by the kernel's estimate.
type Memory struct {
	Known            bool
	Total, Available uint64
}

// Swap is in bytes. A machine without swap has a known Total of 0.
type Swap struct {
	Known       bool
	Total, Free uint64
}

// Files counts the open files of the whole machine and the most there may be (proc(5), file-nr).
type Files struct {
	Known       bool
	Used, Limit uint64
}

// Stall is the share of time, in percent over 10, 60 and 300 seconds, in which some or all tasks that wanted to run
// waited (the kernel's accounting/psi). For the processor of the whole machine Full has no meaning and is 0.
type Stall struct {
	Known      bool
	Some, Full [3]float64
}

// Workers are the children of one web server, or of one pool of PHP-FPM, without their master. A container's are
// left out.
type Workers struct {
	Service  string // "apache", "nginx", "php-fpm", "litespeed", "lighttpd"
	Pool     string // of PHP-FPM; hostile
	Main     string // configuration of the PHP-FPM master; "" when its title does not tell
	Count    int
	Measured int    // of how many the memory was read, at most [maxMeasured]; 0: unknown
	RSS      uint64 // mean bytes in memory of one, shared pages counted wholly
	Shared   int    // of how many the share was read; 0: PSS is unknown (needs root)
	PSS      uint64 // mean bytes of one, shared pages divided among their users: what one more child would cost
}

// maxMeasured bounds how many processes of one pool have their memory read: the kernel walks all pages of a process
// for it, about a millisecond for each 200 MB.
const maxMeasured = 64

// Each is the memory that one more worker would need: PSS when known, else RSS. ok is false when neither is.
func (w Workers) Each() (bytes uint64, ok bool) {
	switch {
	case w.Shared > 0:
		return w.PSS, true
	case w.Measured > 0:
		return w.RSS, true
	default:
		return 0, false
	}
}

// Pressure reads the machine's limits, from /proc below the root. What cannot be read is unknown and has a problem,
// but for the stalls, which many kernels do not offer.
func (h *Host) Pressure() (Pressure, []connwarden.Problem) {
	s := h.scan(context.Background())
	var p Pressure
	if !s.tree.exists("/proc/loadavg") && !s.tree.exists("/proc/meminfo") {
		s.problem("/proc", "not there: load, memory, files and processes are unknown")
		return p, s.done()
	}
	get := func(name string, take func(text []byte) bool) {
		text, _, err := s.tree.read(name, 1<<20)
		switch {
		case err != nil:
			s.problem(name, why(err))
		case !take(text):
			s.problem(name, "not in the form that is known")
		}
	}
	get("/proc/loadavg", p.Load.read)
	get("/proc/meminfo", func(text []byte) bool { return readMeminfo(text, &p.Memory, &p.Swap) })
	get("/proc/sys/fs/file-nr", p.Files.read)
	get("/proc/uptime", func(text []byte) bool {
		seconds, err := strconv.ParseFloat(firstField(text), 64)
		ok := err == nil && seconds > 0 && seconds < 1e9
		if ok {
			p.Uptime = time.Duration(seconds * float64(time.Second))
		}
		return ok
	})
	get("/proc/stat", func(text []byte) bool {
		p.CPUs = countCPUs(text)
		return p.CPUs > 0
	})
	for name, stall := range map[string]*Stall{"cpu": &p.CPU, "memory": &p.Thrash, "io": &p.IO} {
		if text, _, err := s.tree.read("/proc/pressure/"+name, 4096); err == nil {
			stall.read(text)
		}
	}
	s.readProcesses()
	p.Workers = s.workers(nil)
	return p, s.done()
}

// ChildrenOf tells how many children a pool has now and how much memory they use. ok is false when no process of
// PHP-FPM could be seen at all, so that even the number is unknown.
func (h *Host) ChildrenOf(pool Pool) (w Workers, ok bool) {
	s := h.scan(context.Background())
	s.readProcesses()
	for _, w := range s.workers(func(w Workers) bool {
		return w.Service == "php-fpm" && w.Pool == pool.Name && (w.Main == pool.Main || w.Main == "")
	}) {
		return w, true
	}
	return Workers{Service: "php-fpm", Pool: pool.Name, Main: pool.Main}, len(s.masters("php-fpm")) > 0
}

// workers groups the servers' children. A process whose parent is no server of its kind is not counted: anyone can
// give a process such a name and title. want limits the work; nil is all.
func (s *scan) workers(want func(Workers) bool) []Workers {
	parents := map[int]*process{}
	for i := range s.procs {
		parents[s.procs[i].pid] = &s.procs[i]
	}
	groups := map[Workers][]int{}
	for _, p := range s.procs {
		parent := parents[p.parent]
		service := serviceOf(p.name)
		if p.foreign || parent == nil || serviceOf(parent.name) != service {
			continue
		}
		w := Workers{Service: service}
		switch service {
		case "firewalld", "dockerd":
			continue
		case "nginx":
			if !strings.Contains(p.title(), "worker process") || strings.Contains(p.title(), "shutting down") {
				continue // the cache's manager and loader; workers that only finish what they have
			}
		case "php-fpm":
			_, w.Pool, _ = strings.Cut(p.title(), "pool ")
			w.Pool = strings.TrimRight(w.Pool, " ")
			if _, after, ok := strings.Cut(parent.title(), "master process ("); ok {
				w.Main, _, _ = strings.Cut(after, ")")
			}
		}
		if want == nil || want(w) {
			groups[w] = append(groups[w], p.pid)
		}
	}
	out := make([]Workers, 0, len(groups))
	for w, pids := range groups {
		w.Count = len(pids)
		s.measure(&w, pids)
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b Workers) int {
		return strings.Compare(a.Service+"\x00"+a.Main+"\x00"+a.Pool, b.Service+"\x00"+b.Main+"\x00"+b.Pool)
	})
	return out
}

func (s *scan) measure(w *Workers, pids []int) {
	var rss, pss uint64
	page := uint64(os.Getpagesize())
	for _, pid := range pids[:min(len(pids), maxMeasured)] {
		dir := fmt.Sprintf("/proc/%d/", pid)
		if text, _, err := s.tree.read(dir+"statm", 4096); err == nil {
			if f := bytes.Fields(text); len(f) > 1 {
				if n, err := strconv.ParseUint(string(f[1]), 10, 40); err == nil && n > 0 {
					rss += n * page
					w.Measured++
				}
			}
		}
		if text, _, err := s.tree.read(dir+"smaps_rollup", 4096); err == nil {
			if n, ok := kilobytes(text, "Pss:"); ok {
				pss += n
				w.Shared++
			}
		}
	}
	if w.Measured > 0 {
		w.RSS = rss / uint64(w.Measured)
	}
	if w.Shared > 0 {
		w.PSS = pss / uint64(w.Shared)
	}
}

func (l *Load) read(text []byte) bool {
	f := strings.Fields(string(text))
	if len(f) < 4 {
		return false
	}
	var err [3]error
	for i, to := range [...]*float64{&l.One, &l.Five, &l.Fifteen} {
		*to, err[i] = strconv.ParseFloat(f[i], 64)
	}
	running, tasks, _ := strings.Cut(f[3], "/")
	l.Runnable, _ = strconv.Atoi(running)
	l.Tasks, _ = strconv.Atoi(tasks)
	l.Known = err == [3]error{}
	return l.Known
}

func (f *Files) read(text []byte) bool {
	w := strings.Fields(string(text))
	if len(w) != 3 {
		return false
	}
	used, err1 := strconv.ParseUint(w[0], 10, 64)
	free, err2 := strconv.ParseUint(w[1], 10, 64)
	limit, err3 := strconv.ParseUint(w[2], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || free > used {
		return false
	}
	*f = Files{Known: true, Used: used - free, Limit: limit}
	return true
}

func readMeminfo(text []byte, m *Memory, swap *Swap) bool {
	total, ok1 := kilobytes(text, "MemTotal:")
	available, ok2 := kilobytes(text, "MemAvailable:")
	if ok1 && ok2 {
		*m = Memory{Known: true, Total: total, Available: available}
	}
	size, ok3 := kilobytes(text, "SwapTotal:")
	free, ok4 := kilobytes(text, "SwapFree:")
	if ok3 && ok4 {
		*swap = Swap{Known: true, Total: size, Free: free}
	}
	return m.Known && swap.Known
}

// kilobytes finds "Name:   123 kB" and returns bytes.
func kilobytes(text []byte, name string) (uint64, bool) {
	for line := range bytes.Lines(text) {
		rest, ok := bytes.CutPrefix(line, []byte(name))
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(firstField(rest), 10, 54)
		return n << 10, err == nil
	}
	return 0, false
}

// countCPUs counts the rows cpu0, cpu1, … of /proc/stat: those online.
func countCPUs(text []byte) int {
	n := 0
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("cpu")); ok && len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' {
			n++
		}
	}
	return n
}

// read reads "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" and the like line of "full".
func (st *Stall) read(text []byte) {
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		to := &st.Some
		switch f[0] {
		case "some":
		case "full":
			to = &st.Full
		default:
			continue
		}
		for i, name := range [...]string{"avg10=", "avg60=", "avg300="} {
			value, ok := strings.CutPrefix(f[i+1], name)
			n, err := strconv.ParseFloat(value, 64)
			if !ok || err != nil {
				*st = Stall{}
				return
			}
			to[i] = n
		}
		st.Known = true
	}
}

func firstField(text []byte) string {
	f := bytes.Fields(text)
	if len(f) == 0 {
		return ""
	}
	return string(f[0])
}
