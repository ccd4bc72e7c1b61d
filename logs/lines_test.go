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
