package watch

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/report"
)

// raise says how far a limit goes up: twice as high as now, and at least so much.
type raise struct {
	service, name string
	least         uint64
}

// raises are the limits that a fault is about, where doubling them is a good next step. PHP's sizes are in bytes.
var raises = map[string][]raise{
	"nginx-connections-full": {{"nginx", "worker_connections", 4096}},
	"kernel-conntrack-full":  {{"kernel", "net.netfilter.nf_conntrack_max", 131_072}},
	"kernel-syn-flood":       {{"kernel", "net.ipv4.tcp_max_syn_backlog", 4096}, {"kernel", "net.core.somaxconn", 4096}},
	"kernel-file-max":        {{"kernel", "fs.file-max", 262_144}},
	"php-memory":             {{"php", "memory_limit", 128 << 20}},
	"php-time":               {{"php", "max_execution_time", 60}},
	"php-post-size":          {{"php", "post_max_size", 16 << 20}, {"php", "upload_max_filesize", 16 << 20}},
	"php-input-vars":         {{"php", "max_input_vars", 5000}},
}

// advice tells what to change for a fault on this machine: the setting, a value for it, and where it stands. It is empty
// where that cannot be told.
func (r *review) advice(f faults.Row) []string {
	var list []string
	say := func(s string) {
		if s != "" {
			list = append(list, report.Clean(s))
		}
	}
	switch f.Kind.Name {
	case "fpm-max-children", "fpm-max-children-ondemand":
		say(r.poolAdvice(f))
	case "apache-workers-full", "apache22-clients-full", "apache-workers-nearly-full":
		say(r.workersAdvice())
	case "nginx-connections-over-limit", "nginx-too-many-files":
		say(r.openFilesAdvice())
	case "mysql-too-many-connections", "php-db-too-many":
		say(r.connectionsAdvice())
	default:
		for _, up := range raises[f.Kind.Name] {
			if v, ok := r.setting(up.service, up.name, f.Module()); ok {
				say(raised(v, up.least))
			}
		}
	}
	return list
}

// setting finds a limit. PHP has one for each of its kinds: that of the pool, else of the kind that runs, and none where several do.
func (r *review) setting(service, name, pool string) (host.Setting, bool) {
	if r.host.settings == nil {
		r.host.settings = r.opt.Host.Settings()
	}
	var found []host.Setting
	for _, v := range r.host.settings {
		switch {
		case v.Service != service || v.Name != name:
		case pool != "" && v.About == "pool "+pool:
			return v, true
		case strings.HasPrefix(v.About, "pool "), service == "php" && !r.serves(v.About):
		default:
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		return host.Setting{}, false
	}
	return found[0], true
}

// serves tells whether a kind of PHP, such as "8.2 fpm", can be the one that serves pages, by what runs.
func (r *review) serves(about string) bool {
	var fpm, apache bool
	for _, w := range r.host.now.Workers {
		fpm = fpm || w.Service == "php-fpm"
		apache = apache || w.Service == "apache"
	}
	switch {
	case strings.HasSuffix(about, " fpm"):
		return fpm || !apache
	case strings.HasSuffix(about, " apache2"):
		return apache && !fpm
	}
	return true
}

// raised writes a setting with a higher value.
func raised(v host.Setting, least uint64) string {
	now, ok := amount(v.Value)
	if !ok || now > 1<<62 {
		return ""
	}
	next := max(2*now, least)
	text := strconv.FormatUint(next, 10)
	if units[v.Value[len(v.Value)-1]|0x20] > 0 {
		text = strconv.FormatUint((next+1<<20-1)>>20, 10) + "M"
	}
	return set(v, text, "now "+v.Value)
}

// set writes what to do: the setting as its file has it, the place, and why.
func set(v host.Setting, value, why string) string {
	place := v.File
	if v.Line > 0 {
		place = fmt.Sprintf("%s:%d", v.File, v.Line)
	}
	format := "%s = %s in %s (%s)"
	if v.Service == "apache" || v.Service == "nginx" {
		format = "%s %s in %s (%s)"
	}
	return fmt.Sprintf(format, v.Name, value, place, why)
}

// units are those that sizes are written with.
var units = map[byte]int{'k': 10, 'm': 20, 'g': 30}

// amount reads a number with or without a unit: "128M", "1G", "768".
func amount(s string) (uint64, bool) {
	shift := 0
	if s != "" {
		if shift = units[s[len(s)-1]|0x20]; shift > 0 {
			s = s[:len(s)-1]
		}
	}
	n, err := strconv.ParseUint(s, 10, 64-shift)
	return n << shift, err == nil && n > 0
}

// poolAdvice computes pm.max_children for the pool that a fault is about, from what its children take and what is free.
func (r *review) poolAdvice(f faults.Row) string {
	if !r.host.now.Memory.Known {
		return ""
	}
	pools, _ := r.opt.Host.Pools()
	for _, pool := range pools {
		if pool.Name != f.Module() || pool.MaxChildren == 0 {
			continue
		}
		workers, ok := r.opt.Host.ChildrenOf(pool)
		each, measured := workers.Each()
		if !ok || !measured {
			return ""
		}
		free := r.host.now.Memory.Available
		n := judge.MaxChildren(pool.MaxChildren, each, free)
		if n == 0 {
			return ""
		}
		return fmt.Sprintf("pm.max_children = %d in %s:%d (%s a child, %s free)", n, pool.MaxFile, pool.MaxLine, report.Size(each), report.Size(free))
	}
	return ""
}

// workersAdvice computes MaxRequestWorkers in the same way. Under worker and event a process serves many requests at once,
// each in a thread of its own, and ServerLimit bounds the processes.
func (r *review) workersAdvice() string {
	v, ok := r.setting("apache", "MaxRequestWorkers", "")
	now, known := amount(v.Value)
	if !ok || !known || now > 1<<20 || !r.host.now.Memory.Known {
		return ""
	}
	threads := uint64(1)
	if t, ok := r.setting("apache", "ThreadsPerChild", ""); ok {
		if n, known := amount(t.Value); known {
			threads = min(n, 1<<20)
		}
	}
	free := r.host.now.Memory.Available
	for _, w := range r.host.now.Workers {
		each, measured := w.Each()
		if w.Service != "apache" || !measured {
			continue
		}
		processes := uint64(judge.MaxChildren(int(now/threads), each, free))
		if processes == 0 {
			return ""
		}
		text := set(v, strconv.FormatUint(processes*threads, 10), fmt.Sprintf("%s a process, %s free", report.Size(each), report.Size(free)))
		if limit, ok := r.setting("apache", "ServerLimit", ""); ok {
			if n, known := amount(limit.Value); known && n < processes {
				text += "; ServerLimit " + strconv.FormatUint(processes, 10)
			}
		}
		return text
	}
	return ""
}

// openFilesAdvice computes worker_rlimit_nofile: a proxied request takes two connections, and files besides.
func (r *review) openFilesAdvice() string {
	v, ok := r.setting("nginx", "worker_rlimit_nofile", "")
	connections, ok2 := r.setting("nginx", "worker_connections", "")
	n, known := amount(connections.Value)
	if !ok || !ok2 || !known || n > 1<<30 {
		return ""
	}
	now, _ := amount(v.Value)
	return set(v, strconv.FormatUint(max(2*n, 2*min(now, 1<<30), 4096), 10), "twice worker_connections, "+connections.Value)
}

// connectionsAdvice computes the database's max_connections: all children of all pools may hold one, and administrators some.
func (r *review) connectionsAdvice() string {
	const spare = 20
	v, ok := r.setting("mysql", "max_connections", "")
	now, known := amount(v.Value)
	if !ok || !known || now > 1<<20 {
		return ""
	}
	pools, _ := r.opt.Host.Pools()
	children := uint64(0)
	for _, pool := range pools {
		children += uint64(pool.MaxChildren)
	}
	why := "now " + v.Value
	if children > 0 {
		why += fmt.Sprintf(", the pools have %d children", children)
	}
	return set(v, strconv.FormatUint(max(now+now/2, children+spare), 10), why)
}
