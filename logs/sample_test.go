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
	"github.com/connwarden/connwarden/nets"
	"github.com/google/go-cmp/cmp"
)

// The samples of access formats have the form of those of error formats: a case is wanted readings ("= "), then lines of the
// log ("> "), with comments ("#") before and a blank line behind. "! " sets what the lines of one case are read with:
//
//	! proxies 10.0.0.0/8    trusted proxies
//	! zone Europe/Berlin    of times without one
//	! site www.example.com  of lines that name none
//	! raw                   the lines are Go strings in quotes, for bytes that a text file should not hold
//	! format SPEC           a format string to read them by
var updateSamples = flag.Bool("update-samples", false, "rewrite the wanted readings in testdata of access formats; look at every difference")

// noted writes requests down as the samples do.
type noted struct{ lines []string }

func (s *noted) Conn(*connwarden.Conn)   {}
func (s *noted) Event(*connwarden.Event) {}
func (s *noted) Fault(*connwarden.Fault) {}

func (s *noted) Request(r *connwarden.Request) {
	var b strings.Builder
	at := "-"
	if !r.Time.IsZero() {
		at = r.Time.Format(time.RFC3339Nano)
	}
	fmt.Fprintf(&b, "%s %s", at, r.Kind)
	if r.Client.IsValid() {
		fmt.Fprintf(&b, " client=%s", r.Client)
	}
	if r.Via.IsValid() {
		fmt.Fprintf(&b, " via=%s", r.Via)
	}
	b.WriteString(field("name", r.Name) + field("host", r.Host) + field("user", r.User) + field("method", r.Method) + field("path", r.Path) +
		field("query", r.Query) + field("proto", r.Proto))
	fmt.Fprintf(&b, " status=%d size=%d", r.Status, r.Size)
	if r.Took >= 0 {
		fmt.Fprintf(&b, " took=%s", r.Took)
	}
	b.WriteString(field("referer", r.Referer) + field("agent", r.Agent))
	s.lines = append(s.lines, b.String())
}

// accessSample is one case.
type accessSample struct {
	note, set, want, lines []string
}

func accessSamples(t testing.TB, name string) []accessSample {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatalf("every access format has samples: %v", err)
	}
	var all []accessSample
	var s accessSample
	for n, line := range strings.Split(string(text)+"\n", "\n") {
		switch {
		case line == "":
			if len(s.lines) > 0 || len(s.note) > 0 {
				all = append(all, s)
			}
			s = accessSample{}
		case line[0] == '#':
			s.note = append(s.note, line)
		case strings.HasPrefix(line, "! "):
			s.set = append(s.set, line[2:])
		case strings.HasPrefix(line, "= "):
			s.want = append(s.want, line[2:])
		case line == ">" || strings.HasPrefix(line, "> "):
			s.lines = append(s.lines, strings.TrimPrefix(line[1:], " "))
		default:
			t.Fatalf("%s.txt:%d: neither comment, setting, wanted reading nor line: %q", name, n+1, line)
		}
	}
	return all
}

// options are those that a case sets, and its format if it sets one.
func (s *accessSample) options(t testing.TB, f *Format) (Options, *Format) {
	t.Helper()
	opt := Options{Now: errorNow}
	for _, set := range s.set {
		what, arg, _ := strings.Cut(set, " ")
		var err error
		switch what {
		case "proxies":
			opt.Proxies, err = nets.Parse(arg)
		case "zone":
			opt.Zone, err = time.LoadLocation(arg)
		case "site":
			opt.Site = []byte(arg)
		case "format":
			f, err = Lookup(arg)
		case "raw":
		default:
			err = fmt.Errorf("unknown setting")
		}
		if err != nil {
			t.Fatalf("! %s: %v", set, err)
		}
	}
	return opt, f
}

func (s *accessSample) text(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, line := range s.lines {
		if len(s.set) > 0 && s.set[0] == "raw" {
			var raw string
			if _, err := fmt.Sscanf(line, "%q", &raw); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			b.WriteString(raw)
			continue
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// readAccess tells what a format makes of text, as the samples write it.
func readAccess(f *Format, opt Options, text []byte) []string {
	var s noted
	stats := f.NewParser(opt).Parse(connwarden.Source{Name: "x", Line: 1}, text, &s)
	if stats.Unparsed > 0 {
		s.lines = append(s.lines, fmt.Sprintf("unparsed %d", stats.Unparsed))
	}
	if stats.Blank > 0 {
		s.lines = append(s.lines, fmt.Sprintf("blank %d", stats.Blank))
	}
	return s.lines
}

// sampleFormats are the formats that have a file each: those of the list, the compiled ones and the carriers.
func sampleFormats() []*Format {
	list := append([]*Format{guessed}, accessFormats...)
	for _, name := range []string{"apache_custom", "nginx_custom", "goaccess_custom"} {
		list = append(list, &Format{Name: name, read: readCombined})
	}
	for i := range carriers {
		within := *carriers[i].within(combined)
		within.Name = "in_" + carriers[i].name
		list = append(list, &within)
	}
	return list
}

func TestAccessSamples(t *testing.T) {
	for _, f := range sampleFormats() {
		t.Run(f.Name, func(t *testing.T) {
			all := accessSamples(t, f.Name)
			for i := range all {
				s := &all[i]
				if len(s.lines) == 0 {
					continue
				}
				opt, f := s.options(t, f)
				got := readAccess(f, opt, s.text(t))
				if *updateSamples {
					s.want = got
					continue
				}
				if diff := cmp.Diff(s.want, got); diff != "" {
					t.Errorf("%s\n%s\n(-want +got):\n%s", strings.Join(s.note, "\n"), strings.Join(s.lines, "\n"), diff)
				}
			}
			if *updateSamples {
				writeAccessSamples(t, f.Name, all)
			}
		})
	}
}

func writeAccessSamples(t *testing.T, name string, all []accessSample) {
	var b bytes.Buffer
	for i, s := range all {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, group := range []struct {
			mark  string
			lines []string
		}{{"", s.note}, {"! ", s.set}, {"= ", s.want}, {"> ", s.lines}} {
			for _, line := range group.lines {
				b.WriteString(strings.TrimRight(group.mark+line, " ") + "\n")
			}
		}
	}
	if err := os.WriteFile(filepath.Join("testdata", name+".txt"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Detect finds the format of each sample file whose lines say by themselves what they are.
func TestDetectSamples(t *testing.T) {
	for _, f := range append([]*Format{guessed}, accessFormats...) {
		t.Run(f.Name, func(t *testing.T) {
			var head []byte
			for _, s := range accessSamples(t, f.Name) {
				if len(s.set) == 0 {
					head = append(head, s.text(t)...)
				}
			}
			got := Detect("access.log", head)
			if got == nil || got.Name != f.Name {
				t.Errorf("got %v, want %s", got, f.Name)
			}
		})
	}
}
