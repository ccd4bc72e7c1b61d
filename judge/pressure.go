package judge

import (
	"fmt"
	"time"
)

// Gauge is a figure of the machine that has, or has not, a limit.
type Gauge struct {
	What  string // a name of the table below; a listener's queue is "accept_queue"
	About string // which one, when there are several: "0.0.0.0:443 nginx"
	Value float64
	Limit float64 // 0: none, or not known
	// Rate and Uptime are of a counter: what it grew by in a second just now, and how long it has been counting.
	Rate   float64
	Uptime time.Duration
}

// Pressure is a gauge with what is thought of it.
type Pressure struct {
	Gauge
	Level string // "ok", "warning" or "critical"
	Why   string
}

// scale is how a gauge is read.
type scale uint8

const (
	ofLimit scale = iota // its share of the limit
	figure               // its value
	counter              // its rate: a second, just now
)

// sinceBoot is the mean rate from which a counter presses although nothing was added just now: one a minute for all
// the time that the machine runs is more than bad luck.
const sinceBoot = 1.0 / 60

// gauges says from where on a gauge presses, and what that means. Sources: tcp(7) and the kernel's ip-sysctl
// documentation for what is dropped when.
var gauges = map[string]struct {
	warn, crit float64
	scale      scale
	why        string
}{
	"syn_recv":            {0.1, 0.75, ofLimit, "half-open connections against net.ipv4.tcp_max_syn_backlog: a SYN flood, or clients far away"},
	"syn_cookies_sent":    {1, 100, counter, "a SYN queue was full, so that connections were answered with cookies: a SYN flood, or a server process that is too slow"},
	"syn_queue_drops":     {1, 100, counter, "connection attempts dropped because a SYN queue was full"},
	"listen_overflows":    {1, 100, counter, "connections dropped because an accept queue was full: a server process is too slow or its backlog too small"},
	"listen_drops":        {1, 100, counter, "connection attempts dropped at a listening socket"},
	"accept_queue":        {0.5, 1, ofLimit, "connections wait for the server process to accept them"},
	"close_wait":          {100, 1000, figure, "connections that the peer has closed and a process here has not: it is stuck or leaks them"},
	"conntrack":           {0.8, 0.95, ofLimit, "entries of the connection tracking table against net.netfilter.nf_conntrack_max; when it is full new connections are dropped"},
	"orphans":             {0.5, 0.9, ofLimit, "connections without a process against net.ipv4.tcp_max_orphans; beyond it they are reset"},
	"file_descriptors":    {0.8, 0.95, ofLimit, "open files of all processes against fs.file-max"},
	"load":                {1.5, 4, ofLimit, "processes that run or wait, against the processor cores"},
	"memory":              {0.9, 0.97, ofLimit, "bytes in use that cannot be had back, against all there are"},
	"tcp_memory":          {0.8, 0.95, ofLimit, "pages held by TCP buffers against net.ipv4.tcp_mem"},
	"swap":                {0.5, 0.9, ofLimit, "bytes swapped out, against all swap"},
	"waiting_for_memory":  {10, 40, figure, "% of the last ten seconds in which some task waited for memory (PSI)"},
	"waiting_for_storage": {40, 80, figure, "% of the last ten seconds in which some task waited for storage (PSI)"},
}

// Weigh judges gauges, in their order. A gauge without a row in the table is ok.
func Weigh(gs []Gauge) []Pressure {
	ps := make([]Pressure, 0, len(gs))
	for _, g := range gs {
		row := gauges[g.What]
		p := Pressure{Gauge: g, Level: "ok", Why: row.why}
		value := g.Value
		switch row.scale {
		case ofLimit:
			value = 0
			if g.Limit > 0 {
				value = g.Value / g.Limit
			}
		case counter:
			value = g.Rate
			p.Why += fmt.Sprintf("; %.0f a second now", g.Rate)
			if seconds := g.Uptime.Seconds(); seconds > 0 && g.Value > 0 {
				p.Why += fmt.Sprintf(", %.0f since the machine started %s ago", g.Value, ago(g.Uptime))
				if g.Value/seconds >= sinceBoot {
					p.Level = "warning"
				}
			}
		}
		switch {
		case row.warn == 0:
		case value >= row.crit:
			p.Level = "critical"
		case value >= row.warn:
			p.Level = "warning"
		}
		ps = append(ps, p)
	}
	return ps
}

// ago prints a span as a person says it.
func ago(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	default:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
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
