package gather

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/tail"
)

// kept keeps what is said of each request.
type kept struct {
	stampSink
	lines []string
}

func (k *kept) Request(r *connwarden.Request) {
	k.lines = append(k.lines, fmt.Sprint(r.From.Offset, r.Time.Unix(), r.Client, string(r.Path), r.Status, string(r.Agent)))
}

// Logs whose lines need what stands before them read the same in parallel pieces as in one, from their begin and from the
// begin of a window.
func TestPieces(t *testing.T) {
	var iis, cri, turned strings.Builder
	for i := range 20_000 {
		at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Second)
		day, clock := at.Format(time.DateOnly), at.Format(time.TimeOnly)
		switch i / 2_500 % 3 {
		case 0:
			if i%2_500 == 0 {
				iis.WriteString("#Software: Microsoft Internet Information Services 10.0\r\n#Fields: date time sc-status cs-uri-stem c-ip cs(User-Agent)\r\n")
			}
			fmt.Fprintf(&iis, "%s %s 200 /a%d 192.0.2.1 one+agent\r\n", day, clock, i)
		case 1:
			if i%2_500 == 0 {
				iis.WriteString("#Fields: date time c-ip cs-uri-stem cs(User-Agent) sc-status\r\n")
			}
			fmt.Fprintf(&iis, "%s %s 192.0.2.1 /a%d one+agent 404\r\n", day, clock, i)
		default:
			if i%2_500 == 0 {
				iis.WriteString("#Fields: cs-uri-stem date time c-ip cs(User-Agent) sc-status\r\n")
			}
			fmt.Fprintf(&iis, "/a%d %s %s 192.0.2.1 one+agent 500\r\n", i, day, clock)
		}
		if i < 12_000 {
			fmt.Fprintf(&turned, "192.0.2.1 - - [%s] \"GET /a%d HTTP/1.1\" 200 5 \"-\" \"agent\"\n", at.Format("02/Jan/2006:15:04:05 -0700"), i)
		} else {
			if i == 12_000 {
				turned.WriteString("#Version: 1.0\n#Fields: cs-uri-stem date time c-ip cs(User-Agent) sc-status\n")
			}
			fmt.Fprintf(&turned, "/a%d %s %s 192.0.2.1 one+agent 500\n", i, day, clock)
		}
		line := fmt.Sprintf(`192.0.2.1 - - [%s] "GET /a%d/%s HTTP/1.1" 200 5 "-" "agent"`, at.Format("02/Jan/2006:15:04:05 -0700"), i, strings.Repeat("x", i%60))
		cut := i % len(line)
		for _, part := range []string{" stdout P " + line[:cut/2], " stderr P " + line[:cut], " stdout P " + line[cut/2:cut], " stdout F " + line[cut:], " stderr F " + line[cut:]} {
			cri.WriteString(at.Format("2006-01-02T15:04:05.000000000Z") + part + "\n")
		}
	}
	for name, text := range map[string]string{"w3c_extended": iis.String(), "cri/apache_combined": cri.String(), "apache_combined": turned.String()} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.log")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, since := range []time.Duration{0, 4 * time.Hour} {
				opt := Options{Files: []string{path}, Zone: time.UTC, Window: Window{Clock: time.Now}}
				if since > 0 {
					opt.Since = func(time.Time) time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC).Add(since) }
				}
				var p Problems
				s, err := Open(t.Context(), &opt, func(k logs.Kind) bool { return k == logs.Access }, &p)
				if err != nil || len(s.List) != 1 || len(p) > 0 {
					t.Fatal(s, err, p)
				}
				one := s.List[0]
				if one.Format.Name != name || since > 0 && one.From == 0 {
					t.Fatalf("read as %s from %d", one.Format.Name, one.From)
				}
				read := func(workers int, whole bool) ([]string, logs.Stats) {
					sinks, parsers, stats := make([]kept, workers), make([]*logs.Parser, workers), make([]logs.Stats, workers)
					for i := range parsers {
						parsers[i] = s.Parser(one, 0)
					}
					tail.Scan(t.Context(), []tail.Job{{File: one.File, From: one.From, Whole: whole, Carry: one.Format.Carry()}}, tail.ScanOptions{Workers: workers}, func(w int, b *tail.Block) {
						parsers[w].Resume(b.Before)
						stats[w].Add(parsers[w].Parse(connwarden.Source{Offset: b.Offset}, b.Data, &sinks[w]))
					})
					var lines []string
					for i := range sinks {
						lines = append(lines, sinks[i].lines...)
						if i > 0 {
							stats[0].Add(stats[i])
						}
					}
					slices.Sort(lines)
					return lines, stats[0]
				}
				want, all := read(1, true)
				got, stats := read(4, false)
				if len(want) < 2_000 || all.Unparsed > 0 || stats != all || !slices.Equal(got, want) {
					t.Errorf("since %v: %d readings and %+v in pieces, %d and %+v in one", since, len(got), stats, len(want), all)
				}
				s.Close()
			}
		})
	}
}

// A window in the middle of a log leaves out what lies a day and more behind its end, and loses nothing.
func TestUntil(t *testing.T) {
	var b strings.Builder
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := range 30_000 {
		fmt.Fprintf(&b, "192.0.2.1 - - [%s] \"GET /a%d HTTP/1.1\" 200 5 \"-\" \"-\"\n", start.Add(time.Duration(i)*time.Minute).Format("02/Jan/2006:15:04:05 -0700"), i)
	}
	path := filepath.Join(t.TempDir(), "a.log")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(d time.Duration) func(time.Time) time.Time {
		return func(time.Time) time.Time { return start.Add(d) }
	}
	opt := Options{Files: []string{path}, Zone: time.UTC, Window: Window{Clock: time.Now, Since: at(100 * time.Hour), Until: at(101 * time.Hour)}}
	var p Problems
	s, err := Open(t.Context(), &opt, func(k logs.Kind) bool { return k == logs.Access }, &p)
	if err != nil || len(s.List) != 1 {
		t.Fatal(s, err, p)
	}
	defer s.Close()
	one, parser := s.List[0], s.Parser(s.List[0], 0)
	if one.To == 0 || one.To > int64(b.Len())*2/3 {
		t.Errorf("read to %d of %d", one.To, b.Len())
	}
	var sink kept
	tail.Scan(t.Context(), []tail.Job{{File: one.File, From: one.From, To: one.To}}, tail.ScanOptions{Workers: 1}, func(_ int, b *tail.Block) {
		parser.Parse(connwarden.Source{Offset: b.Offset}, b.Data, &sink)
	})
	within := 0
	for _, l := range sink.lines {
		if unix, err := strconv.ParseInt(strings.Fields(l)[1], 10, 64); err == nil && s.Bounds.Holds(time.Unix(unix, 0)) {
			within++
		}
	}
	if within != 60 {
		t.Errorf("%d lines of the window, want 60", within)
	}
}
