package logs

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/google/go-cmp/cmp"
)

var updateErrors = flag.Bool("update-errors", false, "rewrite the wanted readings in testdata of error formats; look at every difference")

var errorNow = time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)

// told writes readings down as the samples do.
type told struct{ lines []string }

func (s *told) Conn(*connwarden.Conn) {}
func (s *told) Request(r *connwarden.Request) {
	s.lines = append(s.lines, fmt.Sprintf("request %s", r.Raw))
}

func (s *told) Event(e *connwarden.Event) {
	s.lines = append(s.lines, fmt.Sprintf("event %s %s client=%s%s", e.Kind, e.Service, e.Client, field("user", e.User)))
}

func (s *told) Fault(f *connwarden.Fault) {
	var b strings.Builder
	at := "-"
	if !f.Time.IsZero() {
		at = f.Time.Format(time.RFC3339Nano)
	}
	fmt.Fprintf(&b, "fault %s %s %s", at, f.Level, f.Service)
	b.WriteString(field("module", f.Module) + field("code", f.Code) + field("site", f.Site))
	if f.Client.IsValid() {
		fmt.Fprintf(&b, " client=%s", f.Client)
	}
	b.WriteString(field("script", f.Script) + field("request", f.Request) + field("message", f.Message))
	s.lines = append(s.lines, b.String())
}

func field(name string, b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return fmt.Sprintf(" %s=%q", name, b)
}

// sample is one case of a testdata file: wanted readings ("= "), then the lines of the log ("> "). Comments begin
// with "#"; a blank line ends the case.
type sample struct {
	note []string
	want []string
	text []byte
}

func errorSamples(t testing.TB, format string) []sample {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", format+".txt"))
	if err != nil {
		t.Fatalf("every error format has samples: %v", err)
	}
	var all []sample
	var s sample
	for n, line := range strings.Split(string(text)+"\n", "\n") {
		switch {
		case line == "":
			if len(s.text) > 0 || len(s.note) > 0 {
				all = append(all, s)
			}
			s = sample{}
		case line[0] == '#':
			s.note = append(s.note, line)
		case strings.HasPrefix(line, "= "):
			s.want = append(s.want, line[2:])
		case line == ">" || strings.HasPrefix(line, "> "):
			s.text = append(append(s.text, strings.TrimPrefix(line[1:], " ")...), '\n')
		default:
			t.Fatalf("%s.txt:%d: neither comment, wanted reading nor line: %q", format, n+1, line)
		}
	}
	return all
}

// readErrors parses text whole and returns the readings, and what was not understood, as the samples write them.
func readErrors(f *Format, text []byte) []string {
	var s told
	p := f.NewParser(Options{Now: errorNow})
	stats := p.Parse(connwarden.Source{Name: "x", Line: 1}, text, &s)
	p.Flush(&s)
	if stats.Unparsed > 0 {
		s.lines = append(s.lines, fmt.Sprintf("unparsed %d", stats.Unparsed))
	}
	return s.lines
}

func TestErrorSamples(t *testing.T) {
	for _, f := range errorFormats {
		t.Run(f.Name, func(t *testing.T) {
			all := errorSamples(t, f.Name)
			for i := range all {
				s := &all[i]
				if len(s.text) == 0 {
					continue
				}
				got := readErrors(f, s.text)
				if *updateErrors {
					s.want = got
					continue
				}
				if diff := cmp.Diff(s.want, got); diff != "" {
					t.Errorf("%s\n%s(-want +got):\n%s", strings.Join(s.note, "\n"), s.text, diff)
				}
			}
			if *updateErrors {
				writeErrorSamples(t, f.Name, all)
			}
		})
	}
}

func writeErrorSamples(t *testing.T, format string, all []sample) {
	var b strings.Builder
	for i, s := range all {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, n := range s.note {
			b.WriteString(n + "\n")
		}
		for _, w := range s.want {
			b.WriteString("= " + w + "\n")
		}
		for line := range strings.Lines(string(s.text)) {
			b.WriteString(strings.TrimSpace("> "+strings.TrimSuffix(line, "\n")) + "\n")
		}
	}
	if err := os.WriteFile(filepath.Join("testdata", format+".txt"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestErrorCuts reads every file of samples in blocks of one line: what is open at the end of a block goes on in the
// next, and readings say where they began.
func TestErrorCuts(t *testing.T) {
	for _, f := range errorFormats {
		t.Run(f.Name, func(t *testing.T) {
			var text []byte
			for _, s := range errorSamples(t, f.Name) {
				text = append(text, s.text...)
			}
			want := readErrors(f, text)
			var s told
			p := f.NewParser(Options{Now: errorNow})
			var stats Stats
			from := connwarden.Source{Name: "x", Line: 1}
			for line := range bytes.Lines(text) {
				block := bytes.Clone(line)
				stats.Add(p.Parse(from, block, &s))
				from.Offset += int64(len(line))
				from.Line++
				for i := range block {
					block[i] = '!' // the caller's again: nothing may still look at it
				}
			}
			p.Flush(&s)
			if stats.Unparsed > 0 {
				s.lines = append(s.lines, fmt.Sprintf("unparsed %d", stats.Unparsed))
			}
			if diff := cmp.Diff(want, s.lines); diff != "" {
				t.Errorf("(-whole +by line):\n%s", diff)
			}
		})
	}
}

// places checks that a reading's Raw is what stands at its Source.
type places struct {
	t    *testing.T
	text []byte
	n    int
}

func (s *places) Conn(*connwarden.Conn)       {}
func (s *places) Request(*connwarden.Request) {}
func (s *places) Event(e *connwarden.Event)   { s.check(e.From, e.Raw) }
func (s *places) Fault(f *connwarden.Fault)   { s.check(f.From, f.Raw) }

func (s *places) check(from connwarden.Source, raw []byte) {
	s.n++
	at := s.text[from.Offset:]
	if !bytes.HasPrefix(at, raw) || len(at) > len(raw) && at[len(raw)] != '\n' {
		s.t.Errorf("at %d stands %.60q, the reading says %.60q", from.Offset, at, raw)
	}
	if line := int64(bytes.Count(s.text[:from.Offset], []byte("\n")) + 1); line != from.Line {
		s.t.Errorf("offset %d is in line %d, the reading says %d", from.Offset, line, from.Line)
	}
	if from.Trust != connwarden.TrustLocal {
		s.t.Errorf("trust %v, want that of the options", from.Trust)
	}
}

func TestErrorPlaces(t *testing.T) {
	for _, f := range errorFormats {
		t.Run(f.Name, func(t *testing.T) {
			s := places{t: t}
			for _, one := range errorSamples(t, f.Name) {
				s.text = append(s.text, one.text...)
			}
			p := f.NewParser(Options{Now: errorNow, Trust: connwarden.TrustLocal})
			p.Parse(connwarden.Source{Name: "x", Line: 1}, s.text, &s)
			p.Flush(&s)
			if s.n == 0 {
				t.Error("no readings")
			}
		})
	}
}

type nothing struct{}

func (nothing) Conn(*connwarden.Conn)       {}
func (nothing) Request(*connwarden.Request) {}
func (nothing) Event(*connwarden.Event)     {}
func (nothing) Fault(*connwarden.Fault)     {}

// errorBlock repeats a format's samples to about n bytes.
func errorBlock(t testing.TB, f *Format, n int) []byte {
	var text []byte
	for _, s := range errorSamples(t, f.Name) {
		text = append(text, s.text...)
	}
	return bytes.Repeat(text, n/len(text)+1)
}

func TestErrorAllocs(t *testing.T) {
	for _, f := range errorFormats {
		t.Run(f.Name, func(t *testing.T) {
			block := errorBlock(t, f, 1<<16)
			p := f.NewParser(Options{Now: errorNow})
			var sink connwarden.Sink = nothing{}
			if n := testing.AllocsPerRun(10, func() { p.Parse(connwarden.Source{}, block, sink) }); n > 0 {
				t.Errorf("%v allocations in %d lines, want none", n, bytes.Count(block, []byte("\n")))
			}
		})
	}
}

func BenchmarkErrors(b *testing.B) {
	for _, f := range errorFormats {
		b.Run(f.Name, func(b *testing.B) {
			block := errorBlock(b, f, 1<<20)
			p := f.NewParser(Options{Now: errorNow})
			var sink connwarden.Sink = nothing{}
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				p.Parse(connwarden.Source{}, block, sink)
			}
		})
	}
}

// inside checks that readings lend nothing but bytes, and that nothing is unbounded.
type inside struct{ t *testing.T }

func (inside) Conn(*connwarden.Conn)       {}
func (inside) Request(*connwarden.Request) {}

func (s inside) Event(e *connwarden.Event) {
	if e.Client.Is4In6() || e.Client.Zone() != "" { // none where a daemon writes a name in its place
		s.t.Errorf("event of client %v", e.Client)
	}
}

func (s inside) Fault(f *connwarden.Fault) {
	for _, b := range [][]byte{f.Module, f.Code, f.Site, f.Request, f.Script, f.Message} {
		if len(b) > 2*maxEntry && len(b) > len(f.Raw) {
			s.t.Errorf("a part of %d bytes", len(b))
		}
	}
	if f.Service == "" {
		s.t.Error("a fault without a service")
	}
}

func FuzzErrorParse(f *testing.F) {
	for i, format := range errorFormats {
		for _, s := range errorSamples(f, format.Name) {
			f.Add(i, s.text)
		}
	}
	f.Fuzz(func(t *testing.T, i int, text []byte) {
		format := errorFormats[uint(i)%uint(len(errorFormats))]
		for line := range bytes.Lines(text) {
			format.fits(bytes.TrimSuffix(line, []byte("\n")))
		}
		p := format.NewParser(Options{Now: errorNow})
		s := p.Parse(connwarden.Source{Line: 1}, text, inside{t})
		p.Flush(inside{t})
		if s.Lines < s.Parsed+s.Unparsed+s.Blank {
			t.Errorf("%+v: more lines than there are", s)
		}
	})
}

// TestErrorFits tells the formats apart by their own samples: an entry's first line fits its format and none that is
// asked earlier.
func TestErrorFits(t *testing.T) {
	for i, f := range errorFormats {
		t.Run(f.Name, func(t *testing.T) {
			good := 0
			for _, s := range errorSamples(t, f.Name) {
				line, _, _ := bytes.Cut(s.text, []byte("\n"))
				if !f.fits(line) {
					continue
				}
				good++
				for _, other := range errorFormats[:i] {
					if other.fits(line) {
						t.Errorf("%s is asked before and takes %q", other.Name, line)
					}
				}
			}
			if good == 0 {
				t.Error("no sample fits its own format")
			}
		})
	}
}
