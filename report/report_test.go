package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); go test ./report -update rewrites it\n%s", path, diff)
	}
}

// saved reads the review that all faces are tested with.
func saved(t *testing.T) *Review {
	t.Helper()
	b, err := os.ReadFile("testdata/review.json")
	if err != nil {
		t.Fatal(err)
	}
	var d Review
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		t.Fatal(err)
	}
	return &d
}

func TestReviewText(t *testing.T) {
	for _, face := range []struct {
		name string
		text Text
	}{
		{"review_80.txt", Text{Width: 80}},
		{"review_120.txt", Text{Width: 120}},
		{"review_200.txt", Text{Width: 200}},
		{"review_40.txt", Text{Width: 40}},
		{"review_80_color.txt", Text{Width: 80, Color: true}},
		{"review_pipe.txt", Text{Width: 100, ASCII: true, Whole: true}},
	} {
		t.Run(face.name, func(t *testing.T) {
			var out strings.Builder
			if err := face.text.Review(&out, saved(t)); err != nil {
				t.Fatal(err)
			}
			golden(t, face.name, out.String())
		})
	}
}

// TestWidth holds every line of the tables to the terminal, but for commands, which are there to be copied whole.
func TestWidth(t *testing.T) {
	for _, columns := range []int{50, 60, 80, 120} {
		var out strings.Builder
		if err := (&Text{Width: columns}).Review(&out, saved(t)); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			line = strings.TrimRight(line, "\n")
			if width(line) > columns && !strings.Contains(line, "→ ") {
				t.Errorf("%d columns: line of %d: %q", columns, width(line), line)
			}
		}
	}
}

func TestAddressesAreNeverCut(t *testing.T) {
	long := "2001:db8:1111:2222:3333:4444:5555:6666"
	d := &Conns{By: "ip", Total: 3, Rows: []ConnRow{{Key: long, Count: 3, Share: 1, In: 3, States: map[string]uint64{"established": 3}, Ports: map[string]uint64{"443": 3}}}}
	var out strings.Builder
	if err := (&Text{Width: 30}).Conns(&out, d); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), long) {
		t.Errorf("the address is not whole:\n%s", out.String())
	}
}

func TestASCII(t *testing.T) {
	var out strings.Builder
	d := saved(t)
	if err := (&Text{Width: 100, ASCII: true}).Review(&out, d); err != nil {
		t.Fatal(err)
	}
	for _, r := range out.String() {
		if r > 0x7e || r < 0x20 && r != '\n' {
			t.Fatalf("%q in plain text:\n%s", r, out.String())
		}
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain", "plain"},
		{"Grüße, 世界", "Grüße, 世界"},
		{"\x1b[2J", `\x1b[2J`},
		{"a\nb\tc", `a\x0ab\x09c`},
		{"\xff\xfe", `\xff\xfe`},
		{"\x7f", `\x7f`},
		{"a\u202eb", `a\u{202e}b`},
		{"\u200b", `\u{200b}`},
		{"\u009b31m", `\u{9b}31m`},
		{"\U000e0041", `\u{e0041}`},
		{"\u2028", `\u{2028}`},
		{"a\ufe0f", `a\u{fe0f}`},
	} {
		if got := Clean(c.in); got != c.want {
			t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b]0;title\x07")
	f.Add("a\xc3(\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if !utf8.ValidString(got) {
			t.Fatalf("Clean(%q) = %q is no UTF-8", s, got)
		}
		for _, r := range got {
			if r < 0x20 || r == 0x7f || hidden(r) {
				t.Fatalf("Clean(%q) = %q holds %U", s, got, r)
			}
		}
		if Clean(got) != got {
			t.Fatalf("Clean is not stable on %q", s)
		}
		if utf8.ValidString(s) && s == got && strings.ContainsAny(s, "\x1b\n") {
			t.Fatalf("%q passed", s)
		}
	})
}

func TestCSVFormula(t *testing.T) {
	d := &Pages{By: "path", Rows: []PageRow{
		{Key: "=HYPERLINK(\"http://x\")", Count: 1}, {Key: "+1+2", Count: 1}, {Key: "@SUM(A1)", Count: 1}, {Key: "\t=1", Count: 1}, {Key: "-cmd", Count: 1}, {Key: "/a,\"b\"", Count: 1},
	}}
	var out strings.Builder
	if err := NewCSV(&out).Pages(d); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(d.Rows)+1 {
		t.Fatalf("%d rows, want %d", len(rows), len(d.Rows)+1)
	}
	for _, r := range rows[1:] {
		if strings.ContainsAny(r[0][:1], "=+-@\t\r") {
			t.Errorf("cell %q starts a formula", r[0])
		}
	}
	if got := rows[6][0]; got != `/a,"b"` {
		t.Errorf("cell = %q", got)
	}
}

func TestJSONIsUTF8(t *testing.T) {
	var out bytes.Buffer
	if err := JSON(&out, &Pages{Rows: []PageRow{{Key: Clean("/\xa0<script>")}}}); err != nil {
		t.Fatal(err)
	}
	if !utf8.Valid(out.Bytes()) || bytes.Count(out.Bytes(), []byte("\n")) != 1 || !json.Valid(out.Bytes()) {
		t.Errorf("JSON is not one line of UTF-8: %q", out.String())
	}
	if !strings.Contains(out.String(), `/\\xa0<script>`) {
		t.Errorf("the key is lost: %s", out.String())
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		share float64
		want  string
		ascii string
	}{
		{0, "", ""}, {0.0001, "▏", "#"}, {0.5, "█████", "#####"}, {1, "██████████", "##########"}, {0.26, "██▋", "###"},
	} {
		if got := (&Text{}).bar(c.share, 10); got != c.want {
			t.Errorf("bar(%v) = %q, want %q", c.share, got, c.want)
		}
		if got := (&Text{ASCII: true}).bar(c.share, 10); got != c.ascii {
			t.Errorf("ASCII bar(%v) = %q, want %q", c.share, got, c.ascii)
		}
	}
}

func TestFigures(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Thousands(n); got != want {
			t.Errorf("Thousands(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[uint64]string{999: "999 B", 1000: "1.0 kB", 18230011: "18 MB", 999_600: "1.0 MB", 1 << 60: "1 EB"} {
		if got := CellSize(n); got != want {
			t.Errorf("CellSize(%d) = %q, want %q", n, got, want)
		}
	}
	for f, want := range map[float64]string{0: "0%", 0.004: "<1%", 0.26: "26%", 1: "100%"} {
		if got := percent(f); got != want {
			t.Errorf("percent(%v) = %q, want %q", f, got, want)
		}
	}
	if got := Share(300, 311); got != 0.965 {
		t.Errorf("Share(300, 311) = %v", got)
	}
	if got := fmt.Sprint(When(time.Time{}) == nil); got != "true" {
		t.Error("the zero time is told")
	}
}

func TestProgress(t *testing.T) {
	got := Progress(512_000_000, 1_024_000_000, time.Second)
	if want := "[############............]  50%  512 MB read, 512 MB/s  1s left"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestEmptyDocuments(t *testing.T) {
	var out strings.Builder
	text := &Text{Width: 80}
	for _, err := range []error{
		text.Conns(&out, &Conns{By: "ip"}), text.Pages(&out, &Pages{By: "path"}), text.Errors(&out, &Errors{By: "fault"}), text.Review(&out, &Review{}),
		text.Doctor(&out, &Doctor{}), text.Config(&out, &Config{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(out.String(), "Nothing could be looked at.") {
		t.Errorf("an empty review does not say so:\n%s", out.String())
	}
}

// TestLogLine: a line of a log takes three rows of a terminal at most, and is whole in a pipe.
func TestLogLine(t *testing.T) {
	line := strings.Repeat("0123456789", 10) + "冬"
	for _, c := range []struct {
		text Text
		want string
	}{
		{Text{Width: 32}, "  012345678901234567890123456789\n  012345678901234567890123456789\n  01234567890123456789012345678…\n"},
		{Text{Width: 53}, "  012345678901234567890123456789012345678901234567890\n  1234567890123456789012345678901234567890123456789冬\n"},
		{Text{Width: 32, Whole: true}, "  " + line + "\n"},
	} {
		if c.text.logLine("  ", line); c.text.out.String() != c.want {
			t.Errorf("%d columns: got\n%swant\n%s", c.text.Width, c.text.out.String(), c.want)
		}
	}
}

// TestVisitorsWithoutErrors: a column in which nobody has anything is left out.
func TestVisitorsWithoutErrors(t *testing.T) {
	d := &Review{
		Pages: &Pages{By: "path", Counted: 3, Files: []File{{Name: "access.log"}}, Status: map[string]uint64{"2xx": 2, "4xx": 1}},
		Peers: []Peer{{Addr: "192.0.2.7", Verdict: "normal", Requests: 3, Status: map[string]uint64{"2xx": 2, "4xx": 1}}},
	}
	var b strings.Builder
	if err := (&Text{Width: 120}).Review(&b, d); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "4XX") || strings.Contains(got, "5XX") {
		t.Error(got)
	}
}
