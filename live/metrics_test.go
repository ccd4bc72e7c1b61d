package live

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/logs"
)

// family is one family of a page.
type family struct {
	kind    string
	samples map[string]float64 // by name and labels as written
}

var (
	nameForm   = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	sampleForm = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*")*\})? (\S+)$`)
	bucketForm = regexp.MustCompile(`^\{(?:(.*),)?le="([^"]*)"\}$`)
)

// parsePage reads a page strictly by the text format, version 0.0.4: families in one piece with HELP and TYPE before their
// samples, no sample twice, counters named so and not negative, histograms cumulative and complete.
func parsePage(text string) (map[string]*family, error) {
	all := map[string]*family{}
	var now *family
	name, help := "", ""
	if !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line has no end")
	}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		fail := func(why string) error { return fmt.Errorf("line %d: %s: %q", i+1, why, line) }
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			n, words, _ := strings.Cut(rest, " ")
			if !nameForm.MatchString(n) || words == "" || all[n] != nil {
				return nil, fail("bad or second HELP")
			}
			help, now = n, nil
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			n, kind, _ := strings.Cut(rest, " ")
			if n != help || !slices.Contains([]string{"counter", "gauge", "histogram"}, kind) || all[n] != nil {
				return nil, fail("bad TYPE")
			}
			if kind == "counter" != strings.HasSuffix(n, "_total") {
				return nil, fail("counters and nothing else end in _total")
			}
			name, now = n, &family{kind, map[string]float64{}}
			all[n] = now
			continue
		}
		m := sampleForm.FindStringSubmatch(line)
		if m == nil || now == nil {
			return nil, fail("no sample of a family")
		}
		suffix := strings.TrimPrefix(m[1], name)
		if !strings.HasPrefix(m[1], name) || now.kind == "histogram" != slices.Contains([]string{"_bucket", "_sum", "_count"}, suffix) || now.kind != "histogram" && suffix != "" {
			return nil, fail("a sample of another family")
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil || now.kind != "gauge" && v < 0 || math.IsNaN(v) {
			return nil, fail("bad value")
		}
		if _, twice := now.samples[m[1]+m[2]]; twice {
			return nil, fail("twice")
		}
		now.samples[m[1]+m[2]] = v
		if suffix == "_bucket" {
			b := bucketForm.FindStringSubmatch(m[2])
			if b == nil {
				return nil, fail("a bucket without its bound")
			}
		}
	}
	for n, f := range all {
		if f.kind == "histogram" {
			if err := f.cumulative(n, text); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func (f *family) cumulative(name, text string) error {
	last, bound := -1.0, math.Inf(-1)
	for line := range strings.Lines(text) {
		m := sampleForm.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil || m[1] != name+"_bucket" {
			continue
		}
		le, err := strconv.ParseFloat(bucketForm.FindStringSubmatch(m[2])[2], 64)
		v, _ := strconv.ParseFloat(m[3], 64)
		if err != nil || le <= bound || v < last {
			return fmt.Errorf("%s: bucket %v holds %v after %v of %v", name, le, v, last, bound)
		}
		last, bound = v, le
	}
	if !math.IsInf(bound, 1) || last != f.samples[name+"_count"] {
		return fmt.Errorf("%s: the last bucket holds %v of %v", name, last, f.samples[name+"_count"])
	}
	return nil
}

func page(t *testing.T, m *Metrics) map[string]*family {
	t.Helper()
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	all, err := parsePage(b.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	return all
}

// A page of a daemon that did something has its figures, and one of a daemon that did nothing is a page too.
func TestMetrics(t *testing.T) {
	if all := page(t, &Metrics{}); len(all) < 20 {
		t.Errorf("%d families", len(all))
	}
	log := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, log, "")
	opt := options(t, log)
	k, _ := keeper()
	opt.Keeper, opt.Drivers, opt.Metrics = k, []string{"wall"}, &Metrics{}
	opt.Metrics.More = func(e *Exposition) {
		e.Family("connwarden_x_total", "counter", "A line\nand \\ another.")
		e.Sample(1, "a", "\"quoted\" \\ and\na line \xff")
	}
	r := start(t, opt)
	await[*Start](r)
	hostile := "198.51.100.7 - \"}\\n# TYPE x - no line of a log\n"
	appendTo(t, log, hostile+attack("198.51.100.7", 12))
	await[*Block](r)
	end, _ := r.end()
	all := page(t, opt.Metrics)
	for sample, want := range map[string]float64{
		`connwarden_lines_total{format="apache_combined"}`:               13,
		`connwarden_lines_unread_total{format="apache_combined"}`:        1,
		`connwarden_readings_total{kind="request"}`:                      12,
		`connwarden_verdicts_total{level="malicious"}`:                   1,
		`connwarden_blocks_total{driver="wall"}`:                         1,
		`connwarden_blocks_in_force{driver="wall",scope="all"}`:          1,
		`connwarden_blocks_refused_total{reason="limit"}`:                0,
		`connwarden_block_seconds_count`:                                 1,
		`connwarden_config_last_reload_successful`:                       1,
		`connwarden_x_total{a="\"quoted\" \\ and\na line ` + "\uFFFD\"}": 1,
	} {
		name, _, _ := strings.Cut(sample, "{")
		f := all[strings.TrimSuffix(name, "_count")]
		if f == nil {
			t.Errorf("no %s", name)
		} else if got, ok := f.samples[sample]; !ok || got != want {
			t.Errorf("%s %v, want %v; there are %v", sample, got, want, f.samples)
		}
	}
	if end.Lines != 13 {
		t.Errorf("%d lines", end.Lines)
	}
	if got := all["connwarden_bytes_total"].samples[`connwarden_bytes_total{format="apache_combined"}`]; got != float64(len(hostile)+len(attack("198.51.100.7", 12))) {
		t.Errorf("%v bytes", got)
	}
}

// However many formats and reasons come, there are so many series at most, and no text of a log is among them.
func TestMetricsBounded(t *testing.T) {
	m := &Metrics{}
	for i := range 10_000 {
		m.read(fmt.Sprintf("f%d", i), logs.Stats{Lines: 1}, 10)
	}
	all := page(t, m)
	if n := len(all["connwarden_lines_total"].samples); n > maxFormats+1 {
		t.Errorf("%d series", n)
	}
	sum := 0.0
	for _, v := range all["connwarden_lines_total"].samples {
		sum += v
	}
	if sum != 10_000 {
		t.Errorf("%v lines of 10000", sum)
	}
	if name := formatName(&logs.Format{Name: `%h "%r" {evil}`}); name != "custom" {
		t.Error(name)
	}
	m.blocked(&block.Outcome{Blocks: make([]block.Wish, 2)}, []time.Time{time.Unix(0, 0), time.Unix(1, 0)}, time.Unix(1, 2e6))
	var h held
	for _, s := range []connwarden.Scope{{}, {Kind: connwarden.ScopeSite, Detail: "/var/www/x"}} {
		h.put(&block.Wish{Block: connwarden.Block{BlockKey: connwarden.BlockKey{Target: netip.MustParsePrefix("192.0.2.7/32"), Scope: s, Driver: "a"}}})
	}
	m.hold(h.count())
	all = page(t, m)
	if got := all["connwarden_blocks_in_force"].samples; got[`connwarden_blocks_in_force{driver="a",scope="site"}`] != 1 || len(got) != 2 {
		t.Errorf("%v", got)
	}
	if got := all["connwarden_block_seconds"].samples; got[`connwarden_block_seconds_bucket{le="0.002"}`] != 1 || got["connwarden_block_seconds_count"] != 2 {
		t.Errorf("%v", got)
	}
}
