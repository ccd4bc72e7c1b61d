package watch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/conns"
	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tally"
)

// machine is what the machine says of itself at the beginning of a review; its counters are read again at the end, so
// that what happens right now is told from what happened ever.
type machine struct {
	live   bool
	at     time.Time
	before conns.Counters
	now    host.Pressure
	p      gather.Problems

	settings []host.Setting // read when a fault first asks for one
}

func (m *machine) begin(clock func() time.Time) {
	m.live, m.at = true, clock()
	var counters, limits []connwarden.Problem
	m.before, counters = conns.ReadCounters()
	// --root says where logs and configuration are; what runs is the machine that we are on.
	m.now, limits = host.New("").Pressure()
	m.p.Add(counters...)
	m.p.Add(limits...)
}

// listenerRows is how many listeners with waiting connections are told of, fullest first.
const listenerRows = 8

// end weighs the gauges and writes them into the document.
func (m *machine) end(r *review) {
	r.doc.Pressure = []report.Pressure{}
	var gauges []judge.Gauge
	if r.cells != nil {
		gauges = append(gauges, connGauges(r, m)...)
	}
	if m.live {
		if m.now.Load.Known {
			r.doc.Load = &report.Load{One: m.now.Load.One, Five: m.now.Load.Five, Fifteen: m.now.Load.Fifteen, Cores: m.now.CPUs}
		}
		gauges = append(gauges, m.counters(max(r.opt.Clock().Sub(m.at).Seconds(), 1))...)
		gauges = append(gauges, m.limits()...)
	}
	for _, p := range judge.Weigh(gauges) {
		r.doc.Pressure = append(r.doc.Pressure, report.Pressure{What: p.What, About: report.Clean(p.About), Value: p.Value, Limit: p.Limit, Level: p.Level, Why: report.Clean(p.Why)})
	}
}

func connGauges(r *review, m *machine) []judge.Gauge {
	var byState [connwarden.NumStates]uint64
	for _, row := range r.cells.By(tally.ConnByState, 0).Rows {
		byState[row.State] += row.Count
	}
	gauges := []judge.Gauge{
		{What: "syn_recv", Value: float64(byState[connwarden.StateSynRecv]), Limit: known(m.before.MaxSynBacklog)},
		{What: "close_wait", Value: float64(byState[connwarden.StateCloseWait])},
	}
	waiting := slices.DeleteFunc(slices.Clone(r.found.Listeners), func(l conns.Listener) bool {
		return l.Proto != connwarden.TCP || l.Queue == 0 || l.Limit == 0
	})
	slices.SortFunc(waiting, func(a, b conns.Listener) int {
		return cmp.Or(cmp.Compare(uint64(b.Queue)*uint64(a.Limit), uint64(a.Queue)*uint64(b.Limit)), a.Addr.Compare(b.Addr))
	})
	for _, l := range waiting[:min(len(waiting), listenerRows)] {
		gauges = append(gauges, judge.Gauge{What: "accept_queue", About: l.Addr.String(), Value: float64(l.Queue), Limit: float64(l.Limit)})
	}
	return gauges
}

func known(c conns.Count) float64 {
	if !c.Known {
		return 0
	}
	return float64(c.Value)
}

// counters reads the kernel's counters again. seconds is how long ago they were read first, a second at least, so that
// a single event in a short look does not seem a flood.
func (m *machine) counters(seconds float64) []judge.Gauge {
	after, _ := conns.ReadCounters() // what cannot be read has been told
	var gauges []judge.Gauge
	total := func(what string, then, now conns.Count) {
		if now.Known && then.Known {
			gauges = append(gauges, judge.Gauge{
				What: what, Value: float64(now.Value), Rate: float64(now.Value-min(then.Value, now.Value)) / seconds, Uptime: after.Uptime,
			})
		}
	}
	total("syn_cookies_sent", m.before.SyncookiesSent, after.SyncookiesSent)
	total("syn_queue_drops", m.before.ReqQFullDrop, after.ReqQFullDrop)
	total("listen_overflows", m.before.ListenOverflows, after.ListenOverflows)
	if after.ListenDrops != after.ListenOverflows { // an overflow is a drop too
		total("listen_drops", m.before.ListenDrops, after.ListenDrops)
	}
	level := func(what string, value, limit conns.Count) {
		if value.Known {
			gauges = append(gauges, judge.Gauge{What: what, Value: float64(value.Value), Limit: known(limit)})
		}
	}
	level("conntrack", after.Conntrack, after.ConntrackMax)
	level("orphans", after.TCPOrphans, after.MaxOrphans)
	level("tcp_memory", after.TCPMemPages, after.MaxTCPMemPages)
	return gauges
}

func (m *machine) limits() []judge.Gauge {
	var gauges []judge.Gauge
	add := func(known bool, what string, value, limit float64) {
		if known {
			gauges = append(gauges, judge.Gauge{What: what, Value: value, Limit: limit})
		}
	}
	n := &m.now
	add(n.Load.Known, "load", n.Load.One, float64(n.CPUs))
	add(n.Files.Known, "file_descriptors", float64(n.Files.Used), float64(n.Files.Limit))
	add(n.Memory.Known, "memory", float64(n.Memory.Total-min(n.Memory.Available, n.Memory.Total)), float64(n.Memory.Total))
	add(n.Swap.Known && n.Swap.Total > 0, "swap", float64(n.Swap.Total-min(n.Swap.Free, n.Swap.Total)), float64(n.Swap.Total))
	add(n.Thrash.Known, "waiting_for_memory", n.Thrash.Some[0], 0)
	add(n.IO.Known, "waiting_for_storage", n.IO.Some[0], 0)
	return gauges
}

// faultFindings is how many kinds of faults become findings; the table shows all.
const faultFindings = 5

// failing makes findings of the faults that need a person.
func (r *review) failing() []report.Finding {
	if r.sum == nil {
		return nil
	}
	rows := slices.DeleteFunc(r.sum.faults.Top(0), func(f faults.Row) bool { return f.Kind == nil || !f.Kind.Press })
	slices.SortStableFunc(rows, func(a, b faults.Row) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(b.Count, a.Count))
	})
	var list []report.Finding
	for _, f := range rows[:min(len(rows), faultFindings)] {
		level := "warning"
		if f.Level >= connwarden.LevelCritical {
			level = "critical"
		}
		finding := report.Finding{
			Level: level, Title: report.Clean(f.Service + ": " + f.Kind.Key + ", " + times(f.Count)), Detail: strings.TrimSpace(report.Clean(f.Meaning()) + " " + r.when(f)), Next: []string{},
		}
		if advice := r.advice(f); len(advice) > 0 {
			finding.Next = append(finding.Next, advice...)
		} else if remedy := f.Remedy(); remedy != "" {
			finding.Detail += " " + report.Clean(remedy)
		}
		list = append(list, finding)
	}
	return list
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// when tells the stretch of time in which a fault was seen.
func (r *review) when(f faults.Row) string {
	if f.First.IsZero() {
		return ""
	}
	return "Seen " + report.Span(f.First.In(r.opt.Zone), f.Last.In(r.opt.Zone)) + "."
}
