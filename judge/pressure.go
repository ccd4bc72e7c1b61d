package judge

import "fmt"

// Gauge is a figure of the machine that has, or has not, a limit.
type Gauge struct {
	What  string // a name of the table below; a listener's queue is "accept_queue"
	About string // which one, when there are several: "0.0.0.0:443 nginx"
	Value float64
	Limit float64 // 0: none, or not known
}

// Pressure is a gauge with what is thought of it.
type Pressure struct {
	Gauge
	Level string // "ok", "warning" or "critical"
	Why   string
}

// gauges says from where on a gauge presses, as a share of its limit or, without limit, as a figure, and what that
// means. Sources: tcp(7) and the kernel's ip-sysctl documentation for what is dropped when.
var gauges = map[string]struct {
	warn, crit float64
	ratio      bool
	why        string
}{
	"syn_recv":            {0.1, 0.75, true, "half-open connections against net.ipv4.tcp_max_syn_backlog; a SYN flood, or clients far away"},
	"syn_cookies_sent":    {1, 1000, false, "a second: a SYN queue was full, so connections are answered from cookies: a SYN flood or a listener that is too slow"},
	"listen_overflows":    {1, 100, false, "a second: connections dropped because the accept queue was full: the server process is too slow or its backlog too small"},
	"listen_drops":        {1, 100, false, "a second: connection attempts dropped at a listening socket"},
	"accept_queue":        {0.5, 1, true, "connections wait for the server process to accept them"},
	"close_wait":          {100, 1000, false, "connections that the peer closed and a local process has not: it is stuck or leaks them"},
	"conntrack":           {0.8, 0.95, true, "entries of the connection tracking table; when it is full new connections are dropped (net.netfilter.nf_conntrack_max)"},
	"file_descriptors":    {0.8, 0.95, true, "open files of all processes against fs.file-max"},
	"load":                {1.5, 4, true, "processes that run or wait, against the processor cores"},
	"memory":              {0.9, 0.97, true, "bytes in use that cannot be reclaimed, against all there is"},
	"tcp_memory":          {0.8, 0.95, true, "pages held by TCP buffers against net.ipv4.tcp_mem"},
	"swap":                {0.5, 0.9, true, "bytes swapped out, against all swap"},
	"php_fpm_children":    {0.8, 1, true, "busy or idle children of the pool against pm.max_children"},
	"waiting_for_cpu":     {40, 80, false, "% of the last ten seconds in which some task waited for a processor (PSI)"},
	"waiting_for_memory":  {10, 40, false, "% of the last ten seconds in which some task waited for memory (PSI)"},
	"waiting_for_storage": {40, 80, false, "% of the last ten seconds in which some task waited for storage (PSI)"},
}

// Weigh judges gauges, in their order. A gauge without a row in the table is ok and says so.
func Weigh(gs []Gauge) []Pressure {
	ps := make([]Pressure, 0, len(gs))
	for _, g := range gs {
		p := Pressure{Gauge: g, Level: "ok"}
		if row, known := gauges[g.What]; known {
			p.Why = row.why
			value := g.Value
			if row.ratio {
				if g.Limit <= 0 {
					value = 0
				} else {
					value = g.Value / g.Limit
				}
			}
			switch {
			case value >= row.crit:
				p.Level = "critical"
			case value >= row.warn:
				p.Level = "warning"
			}
		}
		if g.About != "" {
			p.Why = fmt.Sprintf("%s: %s", g.About, p.Why)
		}
		ps = append(ps, p)
	}
	return ps
}

// MaxChildren computes a pool's pm.max_children from what a child takes and what is free: the children there are,
// and as many more as fit into four fifths of the free memory, since the rest of the machine lives too. It returns 0
// when that is not more than now.
func MaxChildren(now int, child, free uint64) int {
	if child == 0 {
		return 0
	}
	if n := now + int(free*4/5/child); n > now {
		return n
	}
	return 0
}
