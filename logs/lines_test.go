package logs

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

// Files of lines/ hold one line of a log each, of many daemons, versions and systems mixed: "+ADDR LINE" accuses that address, "- LINE"
// nobody. Names and paths in them that hold another address hold the forged one.
type line struct{ where, want, text string }

func lines(t testing.TB) (all map[string][]line) {
	t.Helper()
	files, err := filepath.Glob("testdata/lines/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no lines", err)
	}
	all = map[string][]line{}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for n, text := range strings.Split(string(b), "\n") {
			if text == "" || text[0] == '#' {
				continue
			}
			want, text, ok := strings.Cut(text, " ")
			if !ok || want[0] != '+' && want != "-" {
				t.Fatalf("%s:%d: neither an accusing nor a silent line", name, n+1)
			}
			all[name] = append(all[name], line{fmt.Sprintf("%s:%d", name, n+1), want, text})
		}
	}
	return all
}

// accused keeps whom the last line accuses.
type accused struct{ who string }

func (a *accused) Conn(*connwarden.Conn)       {}
func (a *accused) Request(*connwarden.Request) {}
func (a *accused) Fault(*connwarden.Fault)     {}
func (a *accused) Event(e *connwarden.Event) {
	if e.Kind.Hostile() && e.Client.IsValid() {
		a.who = "+" + e.Client.String()
	}
}

// accuses reads lines one by one with one parser, as explain does, and tells which are read wrong.
func accuses(t *testing.T, home *Format, all []line) {
	t.Helper()
	p := home.NewParser(Options{Now: errorNow, Auto: true})
	for n, l := range all {
		got := accused{"-"}
		p.Parse(connwarden.Source{Line: int64(n) + 1}, []byte(l.text+"\n"), &got)
		p.Flush(&got)
		if got.who != l.want {
			t.Errorf("%s: read as %s: got %s, want %s\n%s", l.where, home.Name, got.who, l.want, l.text)
		}
	}
}

// TestLines reads each file as the format that it is recognised as.
func TestLines(t *testing.T) {
	for name, all := range lines(t) {
		var text strings.Builder
		for _, l := range all {
			text.WriteString(l.text + "\n")
		}
		home := Detect(name, []byte(text.String()))
		if home == nil {
			home = combined
		}
		accuses(t, home, all)
	}
}

// TestMixedLines reads all files at once, in many orders, each time as a log of another format.
func TestMixedLines(t *testing.T) {
	var all []line
	for _, list := range lines(t) {
		all = append(all, list...)
	}
	homes := append(append([]*Format{combined, guessed}, errorFormats...), eventFormats...)
	for i, home := range homes {
		order := rand.New(rand.NewSource(int64(i))).Perm(len(all))
		mixed := make([]line, len(all))
		for to, from := range order {
			mixed[to] = all[from]
		}
		accuses(t, home, mixed)
	}
}

// TestLinesWithoutPrefix takes time and tag from lines of syslog: what is left may be known or not, but accuses nobody else.
func TestLinesWithoutPrefix(t *testing.T) {
	p := syslogLog.NewParser(Options{Now: errorNow, Auto: true})
	known, accusing := 0, 0
	for _, list := range lines(t) {
		for _, l := range list {
			text, tagged, _ := p.prefix([]byte(l.text))
			if !tagged || len(text) == 0 || string(p.sender) == "myapp" { // which says what sshd would say
				continue
			}
			got := accused{"-"}
			p.Parse(connwarden.Source{Line: 1}, append([]byte(nil), string(text)+"\n"...), &got)
			if got.who != "-" && got.who != l.want {
				t.Errorf("%s: got %s, want %s or nobody\n%s", l.where, got.who, l.want, text)
			}
			if l.want != "-" {
				if accusing++; got.who == l.want {
					known++
				}
			}
		}
	}
	if known*10 < accusing*6 {
		t.Errorf("only %d of %d accusing messages are known without their prefix", known, accusing)
	}
	t.Logf("%d of %d accusing messages are known without their prefix", known, accusing)
}

// unknownLog is a log of no format that is known: what an application tells itself.
func unknownLog(n int) []byte {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		switch i % 5 {
		case 0:
			fmt.Fprintf(&b, "2026-11-22 14:03:%02d.%03d [worker-%d] INFO  com.example.shop.Cart - cart %d of customer %d updated in %d ms\n", i%60, i%1000, i%8, i, i*7, i%90)
		case 1:
			fmt.Fprintf(&b, "%d;2026-11-22;14:03:%02d;item=%d;price=%d.99;host=10.0.0.%d\n", i, i%60, i*3, i%200, i%250)
		case 2:
			fmt.Fprintf(&b, "DEBUG queue %d: moved %d entries, %d left, next at 14:03:%02d\n", i%16, i%100, i%1000, i%60)
		case 3:
			fmt.Fprintf(&b, "[worker %d] task %d finished, result ok, 198.51.100.%d took part\n", i%8, i, i%250)
		case 4:
			fmt.Fprintf(&b, "    at com.example.shop.Cart.update(Cart.java:%d)\n", i%900)
		}
	}
	return []byte(b.String())
}

func benchmarkLog(b *testing.B, home *Format, text []byte) {
	p := home.NewParser(Options{Now: errorNow, Auto: true})
	var sink connwarden.Sink = nothing{}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		p.Parse(connwarden.Source{Line: 1}, text, sink)
		p.Flush(sink)
	}
}

func BenchmarkUnknown(b *testing.B) {
	text := unknownLog(1 << 20)
	for _, home := range []*Format{combined, apacheError, syslogLog} {
		b.Run(home.Name, func(b *testing.B) { benchmarkLog(b, home, text) })
	}
}

func BenchmarkMixed(b *testing.B) {
	var all []string
	for _, list := range lines(b) {
		for _, l := range list {
			all = append(all, l.text)
		}
	}
	rand.New(rand.NewSource(1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	text := []byte(strings.Repeat(strings.Join(all, "\n")+"\n", 16))
	for _, home := range []*Format{combined, apacheError, syslogLog} {
		b.Run(home.Name, func(b *testing.B) { benchmarkLog(b, home, text) })
	}
}

// BenchmarkAuthLog reads an authentication log under attack, all readings on.
func BenchmarkAuthLog(b *testing.B) {
	var text strings.Builder
	for i := 0; text.Len() < 1<<20; i++ {
		for _, s := range spoken(b) {
			if s[1] != "sshd" && s[1] != "sudo" && s[1] != "su" && s[1] != "sshd-session" || strings.ContainsAny(s[2], "\r\n") || len(s[2]) > 200 {
				continue
			}
			fmt.Fprintf(&text, "Nov 22 14:%02d:%02d web1 %s[%d]: %s\n", i%60, i*7%60, s[1], 1000+i, s[2])
		}
	}
	benchmarkLog(b, syslogLog, []byte(text.String()))
}

// FuzzLines proves that no bytes, of whatever formats mixed, make a parser panic or count more lines than there are.
func FuzzLines(f *testing.F) {
	homes := append(append([]*Format{combined, guessed}, errorFormats...), eventFormats...)
	i := 0
	for _, list := range lines(f) {
		for _, l := range list {
			f.Add(i, []byte(l.text+"\n"))
			i++
		}
	}
	f.Fuzz(func(t *testing.T, i int, text []byte) {
		p := homes[uint(i)%uint(len(homes))].NewParser(Options{Now: errorNow, Auto: true})
		s := p.Parse(connwarden.Source{Line: 1}, text, nothing{})
		p.Flush(nothing{})
		if s.Lines < s.Parsed+s.Unparsed+s.Blank {
			t.Errorf("%+v: more lines than there are", s)
		}
	})
}

// TestDetectHAProxy proves that a log in which HAProxy's formats are mixed, as they are by default, is one of requests.
func TestDetectHAProxy(t *testing.T) {
	const head = "2026-11-22T12:01:45.895763+00:00 web1 haproxy[14]: "
	text := strings.Repeat(
		head+`203.0.113.10:38971 [22/Nov/2026:12:01:45.895] web pages/one 0/0/0/0/0 200 179 - - ---- 1/1/0/0/0 0/0 "GET /style.css HTTP/1.1"`+"\n"+
			head+`203.0.113.11 - - [22/Nov/2026:12:01:45 +0000] "GET /style.css?a=1 HTTP/1.1" 200 179 "" "" 40211 942 "clf" "pages" "one" 0 0 0 0 0 ---- 2 2 1 1 0 0 0 "" "" `+"\n"+
			head+`203.0.113.15:33355 [22/Nov/2026:12:01:48.958] raw raw/one 1/0/0 203 -- 1/1/0/0/0 0/0`+"\n"+
			head+"Server pages/one is UP, reason: Layer4 check passed, check duration: 0ms.\n", 20)
	if f := Detect("haproxy.log", []byte(text)); f == nil || f.Kind != Access {
		t.Errorf("taken for %+v", f)
	}
}
