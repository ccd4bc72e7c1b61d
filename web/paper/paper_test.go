package paper

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden/report"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestTimelineByVerdict(t *testing.T) {
	at := func(m int) string { return noon.Add(time.Duration(m) * time.Minute).Format(time.RFC3339) }
	all := &report.Pages{Rows: []report.PageRow{{Key: "-", Count: 9}, {Key: at(0), Count: 10}, {Key: at(3), Count: 5}}}
	some := &report.Pages{Rows: []report.PageRow{
		{Keys: []string{at(0), "192.0.2.1"}, Count: 4}, {Keys: []string{at(3), "192.0.2.2"}, Count: 5}, {Keys: []string{at(3), "192.0.2.9"}, Count: 5},
		{Keys: []string{at(99), "192.0.2.1"}, Count: 1}, // came after the first counting
	}}
	got := NewTimeline("minute", all, some, map[string]string{"192.0.2.1": "malicious", "192.0.2.2": "bot"})
	want := &Timeline{Schema: SchemaTimeline, Start: noon, Step: 60, Counts: map[string][]uint64{
		"malicious": {4, 0, 0, 0}, "bot": {0, 0, 0, 5}, "normal": {6, 0, 0, 0},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if NewTimeline("minute", &report.Pages{}, nil, nil) != nil || NewTimeline("path", all, nil, nil) != nil {
		t.Error("a timeline of nothing")
	}
}

func TestTimelineIsBounded(t *testing.T) {
	all := &report.Pages{Rows: []report.PageRow{{Key: "1970-01-01T00:00:00Z", Count: 1}, {Key: noon.Format(time.RFC3339), Count: 2}}}
	got := NewTimeline("minute", all, nil, nil)
	if got.Len() != MaxBars || got.Total("normal") != 2 {
		t.Errorf("%d bars with %d requests", got.Len(), got.Total("normal"))
	}
}

func TestTimelineOnAnotherAxis(t *testing.T) {
	axis := &Timeline{Start: noon, Step: 60, Counts: map[string][]uint64{"normal": make([]uint64, 4)}}
	own := &Timeline{Start: noon.Add(2 * time.Minute), Step: 60, Counts: map[string][]uint64{"normal": {7, 8, 9}}}
	if got := own.On(axis).Counts["normal"]; !cmp.Equal(got, []uint64{0, 0, 7, 8}) {
		t.Errorf("moved to %v", got)
	}
}

func TestAccused(t *testing.T) {
	peers := []report.Peer{
		{Addr: "192.0.2.3", Verdict: "normal", Requests: 9}, {Addr: "192.0.2.2", Verdict: "bot", Requests: 9}, {Addr: "192.0.2.1", Verdict: "malicious", Requests: 1},
		{Addr: "192.0.2.4", Verdict: "malicious"}, // of its connections alone
	}
	filter, verdicts, all := Accused(peers, 1000)
	if filter != "ip=192.0.2.1,192.0.2.2" || len(verdicts) != 2 || all != 2 {
		t.Errorf("filter %q for %v of %d", filter, verdicts, all)
	}
	if filter, _, all := Accused(peers, 1); filter != "ip=192.0.2.1" || all != 2 {
		t.Errorf("a filter of one address: %q of %d", filter, all)
	}
	var many []report.Peer
	for i := range 5000 {
		many = append(many, report.Peer{Addr: fmt.Sprintf("2001:db8:ffff:ffff:ffff:ffff:ffff:%x", i), Verdict: "bot", Requests: 1})
	}
	if filter, _, all := Accused(many, 1<<20); len(filter) > 12<<10 || all != 5000 {
		t.Errorf("a filter of %d bytes for %d", len(filter), all)
	}
}

// hostile is in every text of the review that hostileReview makes.
const hostile = `</script><script>alert(1)</script>'"><img src=x onerror=alert(2)>`

// secrets are what a redacted report must not hold.
var secrets = []string{"192.0.2.7", "2001:db8::7", "198.51.100.0/24", "alice", "alice@example.org", "secret=1", "referrer.example", "ExampleNet", "gecko-7.7", "host7.example"}

func review(text string) *report.Review {
	line := int64(7)
	at := noon
	n := uint64(2)
	sample := []report.Sample{
		{File: "access.log", Line: &line, Text: `192.0.2.7 - alice [22/Nov/2026:12:00:00 +0000] "GET /u/alice@example.org?secret=1 HTTP/1.1" 404 19 "http://referrer.example/?x" "Mozilla/5.0 gecko-7.7"` + text},
		{File: "auth.log", Text: "Failed password for alice from 192.0.2.7 " + text},
	}
	return &report.Review{
		Schema: report.SchemaReview, Host: "web3" + text, Time: noon, Since: &at, Load: &report.Load{One: 1, Cores: 2},
		Conns:  &report.Conns{By: "ip", Total: 3, States: map[string]uint64{"established": 3}, Rows: []report.ConnRow{{Key: "192.0.2.7", Count: 3, Ports: map[string]uint64{"443": 3}}, {Key: "203.0.113.5" + text}}},
		Pages:  &report.Pages{By: "path", Counted: 9, First: &at, Last: &at, Rows: []report.PageRow{{Key: "/u/alice@example.org" + text, Count: 9, IPs: &n}}, Files: []report.File{{Name: "access.log" + text, Format: "apache_combined", Lines: 9}}},
		Errors: &report.Errors{Counted: 1, Rows: []report.ErrorRow{{Key: "timeout of 192.0.2.7:443 " + text, Service: "nginx", Level: "error", Count: 1, First: &at, Last: &at, Meaning: "slow " + text, Remedy: "wait " + text, Sample: &sample[1]}}},
		Peers: []report.Peer{{
			Addr: "192.0.2.7", Verdict: "malicious", Score: 97, Requests: 9, Status: map[string]uint64{"4xx": 9}, Name: "host7.example" + text, First: &at, Last: &at,
			Network: &report.Network{Prefix: "198.51.100.0/24", ASN: 64500, Org: "ExampleNet" + text, Country: "NL"}, Bot: &report.Bot{Claim: "Googlebot" + text, Proof: "impostor", How: "192.0.2.7 is not in 198.51.100.0/24" + text},
			Evidence: []report.Evidence{{Rule: "ssh-bruteforce", Why: "guesses passwords: 9 failed logins in 5 minutes, such as alice" + text, Score: 97, Count: 9, Window: 300, First: &at, Last: &at, Samples: sample}},
			Next:     []string{"connwarden block 192.0.2.7"},
		}, {Addr: "2001:db8::7", Verdict: "normal", Requests: 1}},
		Groups:   []report.Peer{{Addr: "alice", Kind: "user", Verdict: "malicious"}},
		Findings: []report.Finding{{Level: "critical", Title: "192.0.2.7  MALICIOUS 97  AS64500 ExampleNet" + text, Detail: "Such as alice from 192.0.2.7." + text, Addr: "192.0.2.7", Next: []string{"connwarden block 192.0.2.7" + text}}, {Level: "info", Title: "/u/alice@example.org?secret=1 is asked for" + text, Detail: text}},
		Problems: []report.Problem{{What: "names" + text, Why: "198.51.100.0/24 of alice@example.org"}},
	}
}

func write(t *testing.T, s *Sheet) string {
	t.Helper()
	var b strings.Builder
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSheetTellsEverything(t *testing.T) {
	line := &Timeline{Start: noon, Step: 60, Counts: map[string][]uint64{"malicious": {5, 0, 4}, "normal": {1, 2, 3}}}
	got := write(t, &Sheet{Review: review(""), Timeline: line, Version: "1.2.3"})
	for _, want := range []string{
		"1 thing needs you", "192.0.2.7", "MALICIOUS 97", "connwarden block 192.0.2.7", "ssh-bruteforce", "access.log:7</span>", "Failed password for alice", "Says it is Googlebot, and is not",
		"7 a minute at most", `<rect class="malicious"`, "12:02", "slow", "wait", "/u/alice@example.org", "apache_combined", "connwarden 1.2.3", "default-src &#39;none&#39;",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(got, "ZgotmplZ") {
		t.Error("a text was in a place where it may not be")
	}
}

func TestSheetIsSelfContained(t *testing.T) {
	got := write(t, &Sheet{Review: review("")})
	for _, never := range []string{"src=", "@import", "url(", "<link"} {
		if strings.Contains(got, never) {
			t.Errorf("the file has %q", never)
		}
	}
	// What the policy allows is what is there.
	for _, part := range []string{"style", "script"} {
		_, after, _ := strings.Cut(got, "<"+part+">")
		text, _, _ := strings.Cut(after, "</"+part+">")
		if h := strings.ReplaceAll(hash(text), "+", "&#43;"); text == "" || !strings.Contains(got, h) {
			t.Errorf("the policy does not name the %s, %s", part, h)
		}
	}
}

func TestHostileTextStaysText(t *testing.T) {
	got := write(t, &Sheet{Review: review(hostile)})
	if strings.Contains(got, "<script>alert") || strings.Contains(got, "<img") {
		t.Error("hostile text became markup")
	}
	if n := strings.Count(got, "&lt;script&gt;alert(1)"); n < 15 {
		t.Errorf("hostile text is shown in %d places only", n)
	}
}

func TestRedact(t *testing.T) {
	d := review("")
	before, _ := json.Marshal(d)
	got := write(t, &Sheet{Review: Redact(d), Redacted: true})
	for _, s := range secrets {
		if i := strings.Index(got, s); i >= 0 {
			t.Errorf("%q is still there: …%s…", s, got[max(0, i-80):min(len(got), i+80)])
		}
	}
	for _, want := range []string{
		"peer-1", "peer-2", "NL", "access.log", "ssh-bruteforce", "guesses passwords: 9 times within 5 min", "Says it is Googlebot, and is not.",
		`peer-1 [22/Nov/2026:12:00:00 &#43;0000] &#34;GET /u/… HTTP/1.1&#34; 404 19 &#34;Mozilla&#34;`, "timeout of peer-1:443", "Without personal data",
	} {
		want = strings.ReplaceAll(want, "guesses", "Guesses")
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if after, _ := json.Marshal(d); string(after) != string(before) {
		t.Error("the review itself was changed")
	}
}

func TestRedactText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"from 192.0.2.7: refused", "from peer-1: refused"},
		{"(192.0.2.7)", "(peer-1)"},
		{"192.0.2.7.", "peer-1."},
		{"192.0.2.7:8080 and [2001:db8::1]:443", "peer-1:8080 and [peer-2]:443"},
		{"all of 198.51.100.0/24", "all of net-1"},
		{"::ffff:192.0.2.7", "peer-1"},
		{"22 Nov 13:58:00 to 14:01:00", "22 Nov 13:58:00 to 14:01:00"},
		{"version 2.4.62, load 1.5", "version 2.4.62, load 1.5"},
		{"/search?q=alice&x=1 HTTP", "/search?… HTTP"},
		{"mail bob@example.org now", "mail … now"},
		{"see https://alice.example/x", "see …"},
	} {
		r := &redactor{names: map[string]string{}}
		if got := r.text(c.in); got != c.want {
			t.Errorf("text(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// TestRedactKnowsEveryField puts an address into every text of a review, those of a later day too: none may come through
// but where a word of ours stands, or a name of this machine's own.
func TestRedactKnowsEveryField(t *testing.T) {
	d := &report.Review{}
	places := map[string]bool{}
	for name := range strings.FieldsSeq("Host Schema File.Name File.Format Sample.File Sites Source By Direction Proto Dir State Namespace Process Code Service Level What Verdict LevelNow Kind Claim Proof Rule Country") {
		places[name] = true
	}
	fill(reflect.ValueOf(d).Elem(), "", places, 0)
	got, err := json.Marshal(Redact(d))
	if err != nil {
		t.Fatal(err)
	}
	if i := strings.Index(string(got), "192.0.2.77"); i >= 0 {
		t.Errorf("…%s…", got[max(0, i-300):min(len(got), i+20)])
	}
}

func fill(v reflect.Value, where string, places map[string]bool, depth int) {
	switch {
	case depth > 6 || places[where] || !v.CanSet() && v.Kind() != reflect.Struct:
	case v.Kind() == reflect.String:
		v.SetString("192.0.2.77")
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), where, places, depth+1)
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), where, places, depth+1)
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if !places[name] && !places[v.Type().Name()+"."+name] {
				fill(v.Field(i), name, places, depth+1)
			}
		}
	}
}

// FuzzRedact wants that no address survives, whatever stands around it.
func FuzzRedact(f *testing.F) {
	f.Add("from ", ": no")
	f.Add(`1.2.3.4 - - [x] "GET `, `" 200 1`)
	f.Fuzz(func(t *testing.T, before, after string) {
		r := &redactor{names: map[string]string{}}
		d := &report.Review{Findings: []report.Finding{{Title: before + " 192.0.2.77 " + after}}, Problems: []report.Problem{{Why: before + "\n192.0.2.77\t" + after}}}
		got := Redact(d)
		if s := fmt.Sprint(got.Findings, got.Problems, r.line(before+" 192.0.2.77 "+after)); strings.Contains(s, "192.0.2.77 ") && !strings.Contains(before+after, "192.0.2.77") {
			t.Errorf("an address is still there: %q", s)
		}
	})
}
