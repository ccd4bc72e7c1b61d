// Package host finds out what this machine runs: web servers, PHP-FPM pools, panels and firewalls; where their logs
// are and in which format; the machine's own addresses and how near it is to its limits.
//
// It reads configuration, folders and /proc, and nothing that it finds is changed. It never reads a log (only its
// size, time and owner, and when the journal begins) and never follows a link that an ordinary account could have made. With a root folder set,
// every path is resolved inside that folder as chroot(2) would, and no program is started. Only [Host.Probes] starts
// programs, each with an argument list and a deadline.
//
// Every call looks afresh and keeps nothing, so a [Host] may be used from several goroutines; results belong to the
// caller. Text in results (site names, paths, formats) comes from configuration and folders that others can write:
// it is hostile.
//
// Discovery works on every system that has the files; what is read from /proc is unknown elsewhere and says so.
package host

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// Host is a machine, or a folder that is looked at as if it were one. Its zero value is this machine.
type Host struct {
	// Root is the folder to treat as "/"; "" or "/" is the machine itself.
	Root string

	owner    func(fs.FileInfo) owner // tests set it; nil means the file system's own answer
	limits   limits                  // tests lower it; zero fields mean the defaults
	programs []string                // folders of programs; tests set it; nil means the system's own
	patience time.Duration           // with a program; tests set it; 0 means two seconds
}

// New returns the host whose files stand under root.
func New(root string) *Host { return &Host{Root: root} }

// Rooted tells whether a folder is treated as "/", so that what is known of the running machine does not apply.
func (h *Host) Rooted() bool { return h.base() != "" }

func (h *Host) base() string {
	if h.Root == "" || h.Root == "/" {
		return ""
	}
	abs, err := filepath.Abs(h.Root)
	if err != nil || abs == "/" {
		return ""
	}
	return abs
}

// limits bound what a configuration, which others may write, can make us do.
type limits struct {
	file    int64 // bytes of one configuration file
	total   int64 // bytes of all configuration of one server
	files   int   // configuration files of one server
	depth   int   // includes inside includes
	entries int   // names read from one folder, and matches of one pattern
	logs    int   // logs listed
}

// A cPanel machine keeps 5 KB a site in one file, so 32 MiB hold 6,000 sites; hosts with a file a site have been
// seen with ten thousand. Apache itself stops at 20 levels of folders, nginx has no bound. Log folders of large shared
// hosts hold four names a site.
var usualLimits = limits{file: 32 << 20, total: 128 << 20, files: 20_000, depth: 20, entries: 100_000, logs: 100_000}

func (l limits) filled() limits {
	or := func(n, usual int64) int64 {
		if n == 0 {
			return usual
		}
		return n
	}
	u := usualLimits
	return limits{
		file:    or(l.file, u.file),
		total:   or(l.total, u.total),
		files:   int(or(int64(l.files), int64(u.files))),
		depth:   int(or(int64(l.depth), int64(u.depth))),
		entries: int(or(int64(l.entries), int64(u.entries))),
		logs:    int(or(int64(l.logs), int64(u.logs))),
	}
}

// maxProblems bounds what one call complains of; a broken machine would otherwise fill the screen.
const maxProblems = 200

// scan is one look at the machine.
type scan struct {
	ctx          context.Context
	tree         *tree
	lim          limits
	found        []candidate
	docroots     []Site
	beside       map[string][]string // names of logs that PHP makes beside its scripts, with where that is said
	settings     []Setting
	servers      []Server
	pools        []Pool
	procs        []process
	sawProcesses bool // /proc could be listed
	problems     []connwarden.Problem
	dropped      int
	said         map[connwarden.Problem]bool
}

func (h *Host) scan(ctx context.Context) *scan {
	return &scan{ctx: ctx, tree: h.tree(), lim: h.limits.filled(), beside: map[string][]string{}, said: map[connwarden.Problem]bool{}}
}

// problem notes what could not be seen, once.
func (s *scan) problem(what, why string) {
	p := connwarden.Problem{What: what, Why: why}
	if s.said[p] {
		return
	}
	if len(s.problems) >= maxProblems {
		s.dropped++
		return
	}
	s.said[p] = true
	s.problems = append(s.problems, p)
}

func (s *scan) done() []connwarden.Problem {
	if s.dropped > 0 {
		s.problems = append(s.problems, connwarden.Problem{What: "configuration", Why: fmt.Sprintf("%d more problems not shown", s.dropped)})
		s.dropped = 0
	}
	return slices.Clip(s.problems)
}

// position is a line of a configuration file.
type position struct {
	file string // without the root
	line int
}

func (p position) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }
