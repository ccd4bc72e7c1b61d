package live

import (
	"cmp"
	"io"
	"maps"
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/logs"
)

// Metrics are the figures of a daemon. The zero value counts from nothing; it may be read while it is written. No label
// has a value that came from a log: there are as many series as there are formats, levels, drivers and reasons.
type Metrics struct {
	// More, if not nil, adds the figures of others to each page.
	More func(*Exposition)

	requests, events, faults, problems, alarms atomic.Uint64
	reloads, refusedReloads                    atomic.Uint64
	reloaded                                   atomic.Int64 // Unix seconds, of the last one that worked
	stale                                      atomic.Bool  // the last one was refused
	queue, asking, logs, polled, addresses     atomic.Int64
	evicted, quiet, enforces                   atomic.Int64

	mu       sync.Mutex // guards the rest; leaf
	formats  map[string]*readings
	verdicts map[string]uint64
	made     map[string]uint64 // blocks, by driver
	refused  map[string]uint64
	held     map[[2]string]int // driver and scope
	latency  histogram
}

// readings are what was read in one format.
type readings struct{ lines, unread, bytes uint64 }

// histogram counts durations by the bounds of latencies; the last is above all of them.
type histogram struct {
	counts [len(latencies) + 1]uint64
	sum    float64 // seconds
}

// latencies are bounds in seconds: the aim is a median under 3 and a worst under 20 milliseconds.
var latencies = [...]float64{0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}

func (h *histogram) add(d time.Duration) {
	i, _ := slices.BinarySearch(latencies[:], d.Seconds())
	h.counts[i]++
	h.sum += max(0, d.Seconds())
}

// count bounds a map by what is counted in it: its keys are words of ours.
func count(m *map[string]uint64, word string, n uint64) {
	if *m == nil {
		*m = map[string]uint64{}
	}
	(*m)[word] += n
}

// read counts what a parser made of a piece of a log.
func (m *Metrics) read(format string, s logs.Stats, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.formats[format]
	if r == nil {
		if m.formats == nil {
			m.formats = map[string]*readings{}
		}
		if len(m.formats) >= maxFormats {
			format = "other"
		}
		r = cmp.Or(m.formats[format], &readings{})
		m.formats[format] = r
	}
	r.lines += uint64(s.Lines)
	r.unread += uint64(s.Unparsed)
	r.bytes += uint64(bytes)
}

// maxFormats bounds the series of readings. Formats that are configured have one name all together.
const maxFormats = 100

// formatName is a format's name as a label: that of one which is shipped, "custom" of one that somebody wrote.
func formatName(f *logs.Format) string {
	if f == nil || f.Name == "" || strings.ContainsAny(f.Name, "%$ {\"") {
		return "custom"
	}
	return f.Name
}

// verdict counts one verdict.
func (m *Metrics) verdict(word string) {
	m.mu.Lock()
	count(&m.verdicts, word, 1)
	m.mu.Unlock()
}

// blocked counts what a batch of accusations led to. Began is when the last line each needed was taken up.
func (m *Metrics) blocked(out *block.Outcome, began []time.Time, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range out.Blocks {
		count(&m.made, out.Blocks[i].Driver, 1)
	}
	for _, r := range out.Refused {
		count(&m.refused, string(r.Reason), 1)
	}
	for _, t := range began {
		m.latency.add(now.Sub(t))
	}
}

// hold replaces the number of blocks in force, by driver and scope.
func (m *Metrics) hold(held map[[2]string]int) {
	m.mu.Lock()
	m.held = held
	m.mu.Unlock()
}

// holding counts one block more or less in force.
func (m *Metrics) holding(k connwarden.BlockKey, more int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held == nil {
		m.held = map[[2]string]int{}
	}
	m.held[[2]string{k.Driver, k.Scope.Kind.String()}] += more
}

// counter is a table that counts what it folds.
type counter struct {
	*meter
	m *Metrics
}

func (c *counter) Request(r *connwarden.Request) {
	c.m.requests.Add(1)
	c.meter.Request(r)
}

// Requests counts and folds requests of which a reader found out what they fit.
func (c *counter) Requests(list []connwarden.Request, f judge.Findings) {
	c.m.requests.Add(uint64(len(list)))
	c.table.Requests(list, f)
}

func (c *counter) Event(e *connwarden.Event) {
	c.m.events.Add(1)
	c.meter.Event(e)
}

func (c *counter) Fault(f *connwarden.Fault) {
	c.m.faults.Add(1)
	c.meter.Fault(f)
}

// WriteTo writes all figures in the text format of Prometheus, version 0.0.4.
func (m *Metrics) WriteTo(w io.Writer) (int64, error) {
	e := &Exposition{}
	m.readings(e)
	m.judging(e)
	m.acting(e)
	m.reloading(e)
	process(e)
	if m.More != nil {
		m.More(e)
	}
	n, err := io.WriteString(w, e.String())
	return int64(n), err
}

func (m *Metrics) readings(e *Exposition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	formats := slices.Sorted(maps.Keys(m.formats))
	e.Family("connwarden_lines_total", "counter", "Lines read, by the format of their log.")
	for _, f := range formats {
		e.Sample(float64(m.formats[f].lines), "format", f)
	}
	e.Family("connwarden_lines_unread_total", "counter", "Lines among them that were not understood.")
	for _, f := range formats {
		e.Sample(float64(m.formats[f].unread), "format", f)
	}
	e.Family("connwarden_bytes_total", "counter", "Bytes of log read.")
	for _, f := range formats {
		e.Sample(float64(m.formats[f].bytes), "format", f)
	}
	e.Family("connwarden_readings_total", "counter", "What the lines said: requests, events about a peer, faults.")
	e.Sample(float64(m.requests.Load()), "kind", "request")
	e.Sample(float64(m.events.Load()), "kind", "event")
	e.Sample(float64(m.faults.Load()), "kind", "fault")
	e.One("connwarden_logs", "gauge", "Logs that are followed.", float64(m.logs.Load()))
	e.One("connwarden_logs_polled", "gauge", "Logs among them that are looked at by the clock.", float64(m.polled.Load()))
}

func (m *Metrics) judging(e *Exposition) {
	e.One("connwarden_addresses", "gauge", "Addresses that are remembered.", float64(m.addresses.Load()))
	e.One("connwarden_forgotten_total", "counter", "Addresses and counts given up because the tables were full.", float64(m.evicted.Load()))
	e.Family("connwarden_queue_length", "gauge", "What waits, by the queue.")
	e.Sample(float64(m.queue.Load()), "queue", "accusations")
	e.Sample(float64(m.asking.Load()), "queue", "names")
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Family("connwarden_verdicts_total", "counter", "Verdicts told, by level.")
	for _, word := range []string{connwarden.VerdictMalicious, connwarden.VerdictSuspicious, connwarden.VerdictBot, connwarden.VerdictCrawler, connwarden.VerdictNormal} {
		e.Sample(float64(m.verdicts[word]), "level", word)
	}
}

func (m *Metrics) acting(e *Exposition) {
	e.One("connwarden_enforcing", "gauge", "1 if blocks are made by themselves now, by the server's mode.", float64(m.enforces.Load()))
	e.One("connwarden_quiet", "gauge", "1 while what a deployment provokes is not blocked.", float64(m.quiet.Load()))
	e.One("connwarden_limit_alarms_total", "counter", "How often the limit of automatic blocks in a minute was reached.", float64(m.alarms.Load()))
	e.One("connwarden_problems_total", "counter", "Problems told.", float64(m.problems.Load()))
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Family("connwarden_blocks_total", "counter", "Blocks made by verdicts, by driver.")
	for _, k := range slices.Sorted(maps.Keys(m.made)) {
		e.Sample(float64(m.made[k]), "driver", k)
	}
	e.Family("connwarden_blocks_in_force", "gauge", "Blocks that are wanted now, by driver and what they deny.")
	for _, k := range slices.SortedFunc(maps.Keys(m.held), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		e.Sample(float64(m.held[k]), "driver", k[0], "scope", k[1])
	}
	e.Family("connwarden_blocks_refused_total", "counter", "Blocks that were not made, by reason.")
	for _, r := range block.Reasons() {
		e.Sample(float64(m.refused[string(r)]), "reason", string(r))
	}
	e.Histogram("connwarden_block_seconds", "From taking up the last line that a block needed to the block in force.", latencies[:], m.latency.counts[:], m.latency.sum)
}

func (m *Metrics) reloading(e *Exposition) {
	e.Family("connwarden_config_reloads_total", "counter", "Reloads of the configuration, by what became of them.")
	e.Sample(float64(m.reloads.Load()), "result", "done")
	e.Sample(float64(m.refusedReloads.Load()), "result", "refused")
	good := 1.0
	if m.stale.Load() {
		good = 0
	}
	e.One("connwarden_config_last_reload_successful", "gauge", "0 if the last reload was refused and the configuration before it is in force.", good)
	e.One("connwarden_config_last_reload_success_timestamp_seconds", "gauge", "When the configuration in force was read.", float64(m.reloaded.Load()))
}

// process adds what is known of this process. What the system does not tell is left out.
func process(e *Exposition) {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(s)
	e.One("connwarden_heap_bytes", "gauge", "Memory that is in use on the heap.", float64(s[0].Value.Uint64()))
	e.One("connwarden_mapped_bytes", "gauge", "Memory that the runtime holds.", float64(s[1].Value.Uint64()))
	e.One("connwarden_goroutines", "gauge", "Goroutines.", float64(runtime.NumGoroutine()))
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := strings.Fields(string(b)); len(f) > 1 {
			if pages, err := strconv.ParseUint(f[1], 10, 64); err == nil {
				e.One("process_resident_memory_bytes", "gauge", "Resident memory.", float64(pages)*float64(os.Getpagesize()))
			}
		}
	}
}

// Exposition builds a page of figures. Names are ours, values of labels are escaped.
type Exposition struct {
	b    strings.Builder
	name string
}

// String returns the page.
func (e *Exposition) String() string { return e.b.String() }

var (
	helpEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// Family begins a family: counter, gauge or histogram.
func (e *Exposition) Family(name, kind, help string) {
	e.name = name
	e.b.WriteString("# HELP " + name + " " + helpEscapes.Replace(help) + "\n# TYPE " + name + " " + kind + "\n")
}

// Sample adds a sample to the family; labels are names and values in turn.
func (e *Exposition) Sample(value float64, labels ...string) { e.sample(e.name, value, labels) }

// One is a family of one sample.
func (e *Exposition) One(name, kind, help string, value float64) {
	e.Family(name, kind, help)
	e.Sample(value)
}

// Histogram is a family of one histogram: counts has one more than bounds, for what is above them.
func (e *Exposition) Histogram(name, help string, bounds []float64, counts []uint64, sum float64) {
	e.Family(name, "histogram", help)
	total := uint64(0)
	for i, n := range counts {
		total += n
		bound := math.Inf(1)
		if i < len(bounds) {
			bound = bounds[i]
		}
		e.sample(name+"_bucket", float64(total), []string{"le", figure(bound)})
	}
	e.sample(name+"_sum", sum, nil)
	e.sample(name+"_count", float64(total), nil)
}

func (e *Exposition) sample(name string, value float64, labels []string) {
	e.b.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		mark := ","
		if i == 0 {
			mark = "{"
		}
		e.b.WriteString(mark + labels[i] + `="` + labelEscapes.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD")) + `"`)
	}
	if len(labels) > 0 {
		e.b.WriteByte('}')
	}
	e.b.WriteString(" " + figure(value) + "\n")
}

func figure(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// gauge notes how much is held, once a second.
func (w *warden) gauge() {
	m := w.metrics
	m.logs.Store(int64(len(w.byPath)))
	m.polled.Store(int64(w.tail.Polled()))
	m.addresses.Store(int64(w.table.Len()))
	addresses, counts := w.table.Evicted()
	m.evicted.Store(int64(addresses + counts))
}
