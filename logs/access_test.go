package logs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/nets"
)

// sampleText is all lines of a format's samples that are read without settings of their own.
func sampleText(t testing.TB, name string) []byte {
	t.Helper()
	var text []byte
	for _, s := range accessSamples(t, name) {
		if len(s.set) == 0 {
			text = append(text, s.text(t)...)
		}
	}
	return text
}

// A log may be cut at every line end, and read in any number of pieces by as many parsers, in any order.
func TestCuts(t *testing.T) {
	for _, f := range sampleFormats() {
		for _, auto := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/auto=%v", f.Name, auto), func(t *testing.T) {
				checkCuts(t, f, sampleText(t, f.Name), Options{Auto: auto, Now: errorNow})
			})
		}
	}
}

// checkCuts reads a log whole and cut once at every line end, the later piece first, by one parser and by two.
func checkCuts(t *testing.T, f *Format, text []byte, opt Options) {
	t.Helper()
	bound := f.WithHead(text)
	read := func(p *Parser, before, text []byte) ([]string, Stats) {
		var s noted
		p.Resume(before)
		stats := p.Parse(connwarden.Source{}, text, &s)
		return s.lines, stats
	}
	fresh := func() *Parser { return bound.NewParser(opt) }
	want, whole := read(fresh(), nil, text)
	for n, c := range text {
		if c != '\n' {
			continue
		}
		var before []byte
		if carry := bound.Carry(); carry != nil {
			before = carry(nil, text[:n+1])
			for m := range n { // it adds up
				if text[m] == '\n' {
					if again := carry(carry(nil, text[:m+1]), text[m+1:n+1]); !bytes.Equal(again, before) {
						t.Fatalf("before %d %q is known, and cut at %d %q", n+1, before, m, again)
					}
				}
			}
		}
		late, early := fresh(), fresh()
		if n%2 == 1 {
			early = late
		}
		more, stats := read(late, before, text[n+1:])
		got, first := read(early, nil, text[:n+1])
		stats.Add(first)
		if got = append(got, more...); !slices.Equal(got, want) || stats != whole {
			t.Fatalf("cut at %d: %d readings and %+v, want %d and %+v", n, len(got), stats, len(want), whole)
		}
	}
}

// Where each reading was found.
func TestSource(t *testing.T) {
	text := []byte("x\n" + goodLine + "\r\n\n\x00\x00" + goodLine + "\n" + goodLine)
	type place struct{ offset, line int64 }
	var got []place
	sink := &each{f: func(r *connwarden.Request) {
		got = append(got, place{r.From.Offset, r.From.Line})
		if string(r.Raw) != goodLine || r.From.Name != "a.log" || r.From.Trust != connwarden.TrustRoot {
			t.Errorf("raw %q from %+v", r.Raw, r.From)
		}
	}}
	combined.NewParser(Options{Trust: connwarden.TrustRoot}).Parse(connwarden.Source{Name: "a.log", Offset: 100, Line: 7}, text, sink)
	n := int64(len(goodLine))
	want := []place{{102, 8}, {102 + n + 5, 10}, {102 + n + 5 + n + 1, 11}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

const goodLine = `192.0.2.7 - - [22/Nov/2026:14:03:07 +0000] "GET /a?b HTTP/1.1" 200 5 "-" "curl/7.88.1"`

type each struct {
	counter
	f func(*connwarden.Request)
}

func (s *each) Request(r *connwarden.Request) { s.f(r) }

// No reading allocates, however odd the line, once a parser has seen its kind.
func TestAllocations(t *testing.T) {
	cdn := nets.New()
	for _, f := range sampleFormats() {
		t.Run(f.Name, func(t *testing.T) {
			text := sampleText(t, f.Name)
			if f.Name == "iis" {
				text = text[:bytes.LastIndex(text, fieldsDirective)] // a change of columns is worth its memory
			}
			for _, auto := range []bool{false, true} {
				p := f.WithHead(text).NewParser(Options{Now: errorNow, Proxies: cdn, Auto: auto})
				var c counter
				p.Parse(connwarden.Source{}, text, &c)
				if n := testing.AllocsPerRun(20, func() { p.Parse(connwarden.Source{}, text, &c) }); n > 0 {
					t.Errorf("auto=%v: %v allocations in %d lines", auto, n, bytes.Count(text, []byte("\n")))
				}
			}
		})
	}
}

// What is not wanted may be left out; what is wanted is the same.
func TestWant(t *testing.T) {
	text := sampleText(t, "apache_combined")
	var all []connwarden.Request
	read := func(want connwarden.Fields) {
		i := 0
		combined.NewParser(Options{Want: want}).Parse(connwarden.Source{}, text, &each{f: func(r *connwarden.Request) {
			if want == 0 {
				all = append(all, *r)
				return
			}
			if w := &all[i]; !r.Time.Equal(w.Time) || r.Status != w.Status || r.Kind != w.Kind ||
				want&connwarden.FieldClient != 0 && r.Client != w.Client ||
				want&connwarden.FieldPath != 0 && !bytes.Equal(r.Path, w.Path) {
				t.Errorf("want %b: %s", want, r.Raw)
			}
			i++
		}})
		if want != 0 && i != len(all) {
			t.Errorf("want %b: %d readings of %d", want, i, len(all))
		}
	}
	read(0)
	read(connwarden.FieldPath | connwarden.FieldStatus)
	read(connwarden.FieldClient)
	read(connwarden.FieldTime)
}

// A line that syslog brought and that is cut off is a request still, and not syslog's own.
func TestCutInSyslog(t *testing.T) {
	f, err := Lookup("syslog/combined")
	if err != nil {
		t.Fatal(err)
	}
	for _, auto := range []bool{false, true} {
		got := readAccess(f, Options{Auto: auto}, []byte("Nov 22 14:03:08 web1 nginx[12]: "+goodLine[:70]+"\n"))
		if len(got) != 1 || !strings.Contains(got[0], "client=192.0.2.7") {
			t.Errorf("auto %v: %q", auto, got)
		}
	}
}

// A log that changes its format half-way is read on; one odd line changes nothing.
func TestAuto(t *testing.T) {
	vhosted := "www.example.com:443 " + goodLine + "\n"
	plain := goodLine + "\n"
	caddy := `{"ts":1795325524.6,"logger":"http.log.access","request":{"remote_ip":"192.0.2.7","proto":"HTTP/1.1","method":"GET","host":"www.example.com","uri":"/a?b"},"status":200,"size":5}` + "\n"
	for _, c := range []struct {
		name, text, format string
		auto               bool
		parsed             int64
	}{
		{"one odd line", plain + vhosted + plain, "apache_combined", true, 3},
		{"half-way", plain + strings.Repeat(vhosted, switchAfter+3), "apache_vhost_combined", true, 1 + switchAfter + 3},
		{"there and back", plain + strings.Repeat(caddy, 20) + strings.Repeat(plain, 20), "apache_combined", true, 41},
		{"interleaved", strings.Repeat(plain+caddy, 20), "apache_combined", true, 40},
		{"garbage between", plain + strings.Repeat(caddy+"x\n", 20), "apache_combined", true, 21},
		{"not asked for", plain + strings.Repeat(caddy, 20), "apache_combined", false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := combined.NewParser(Options{Auto: c.auto})
			sink := &each{f: func(r *connwarden.Request) {
				if string(r.Path) != "/a" || string(r.Query) != "b" || r.Status != 200 || r.Client.String() != "192.0.2.7" {
					t.Errorf("read %+v", r)
				}
			}}
			s := p.Parse(connwarden.Source{}, []byte(c.text), sink)
			if s.Parsed != c.parsed || p.Format().Name != c.format {
				t.Errorf("got %+v, then %s; want %d, then %s", s, p.Format().Name, c.parsed, c.format)
			}
		})
	}
}

func TestDetect(t *testing.T) {
	log := func(lines ...string) []byte { return []byte(strings.Join(lines, "\n")) }
	for _, c := range []struct {
		name string
		head []byte
		want string
	}{
		{"nothing", nil, ""},
		{"no log", log("hello", "world", ""), ""},
		{"binary", []byte("\x7fELF\x00\x00\x00\n\x00\x01"), ""},
		{"one line", log(goodLine), "apache_combined"},
		{"the last line cut", log(goodLine, goodLine[:60]), "apache_combined"},
		{"an old Mac's", []byte(goodLine + "\r" + goodLine + "\r"), "apache_combined"},
		{"garbage around", log("x", "y", goodLine, "z"), "apache_combined"},
		{"common", log(goodLine[:strings.Index(goodLine, ` "-"`)]), "apache_common"},
		{"syslog in front", log("Nov 22 14:03:07 web nginx: " + goodLine), "syslog/apache_combined"},
		{"syslog with a whole date in front", log("2026-11-22T14:03:07.123456+00:00 web1 nginx[12]: " + goodLine), "syslog/apache_combined"},
		{"LiteSpeed through syslog", log(`Nov 22 14:03:07 web1 lsws[1]: "` + goodLine + `"`), "syslog/apache_combined"},
		{"a relay in front", log("<190>1 2026-11-22T14:03:07Z web nginx - - - " + goodLine), "syslog/apache_combined"},
		{"Docker", log(`{"log":"192.0.2.7 - - [22/Nov/2026:14:03:07 +0000] \"GET / HTTP/1.1\" 200 5\n","stream":"stdout","time":"2026-11-22T14:03:07.1Z"}`), "docker/apache_common"},
		{"JSON in Docker", log(`{"log":"{\"time\":\"2026-11-22T14:03:07Z\",\"remote_addr\":\"192.0.2.7\",\"request\":\"GET / HTTP/1.1\",\"status\":200}\n","stream":"stdout","time":"2026-11-22T14:03:07.1Z"}`), "docker/json"},
		{"a pod's file", log("2026-11-22T14:03:07.123456789Z stdout F " + goodLine), "cri/apache_combined"},
		{"docker-compose", log("web_1  | " + goodLine), "apache_combined"},
		{"lighttpd", log(strings.Replace(goodLine, " - - ", " www.example.com - ", 1)), "apache_combined"},
		{"the middle of IIS's log", log("2026-11-22 14:03:07 10.0.0.5 GET /a - 443 - 192.0.2.7 curl - 200 0 0 15"), "iis"},
		{"Nextcloud's JSON, which has a client and a path too", log(`{"reqId":"x","level":2,"time":"2026-11-22T14:03:07+00:00","remoteAddr":"192.0.2.7","user":"--","app":"core","method":"POST","url":"/login","message":"Login failed: bob (Remote IP: 192.0.2.7)","userAgent":"x","version":"25.0.0.0"}`), "nextcloud"},
		{"an error log of nginx", log(`2026/11/22 14:03:07 [error] 1#1: *1 open() "/x" failed (2: No such file or directory), client: 192.0.2.7, server: _, request: "GET /x HTTP/1.1", host: "x"`), "nginx_error"},
		{"an error log of Apache", log("[Sun Nov 22 14:03:07.123456 2026] [core:error] [pid 1:tid 2] [client 192.0.2.7:4711] AH00126: Invalid URI in request GET / HTTP/1.1"), "apache_error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if f := Detect("access.log", c.head); f != nil {
				got = f.Name
				if _, err := Lookup(got); err != nil {
					t.Errorf("Detect's name is not known to Lookup: %v", err)
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// The columns of a W3C log reach a parser of its middle through the format.
func TestWithHead(t *testing.T) {
	head := []byte("#Version: 1.0\n#Fields: date time c-ip sc-status cs-method cs-uri-stem\n2026-11-22 14:03:07 192.0.2.7 404 GET /x\n")
	f, err := Lookup("w3c_extended")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*Format{f.WithHead(head), Detect("x", head)} {
		got := readAccess(f, Options{}, []byte("2026-11-22 14:03:08 192.0.2.8 200 POST /y\n"))
		want := `2026-11-22T14:03:08Z http client=192.0.2.8 method="POST" path="/y" status=200 size=-1`
		if len(got) != 1 || got[0] != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLookupErrors(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{"", "neither a known name"},
		{"nonsense", "neither a known name"},
		{"%h %Y", "%Y at 4"},
		{"%h %{Referer", "{ at 5"},
		{"%h %", "directive at 4"},
		{"%h %u", "has no time"},
		{"%h%u %t", "%u at 3"},
		{"%h %{%Q}t", "%Q"},
		{"$remote_addr $", "$ at 14"},
		{"$remote_addr ${time_local", "${ at 14"},
		{"$remote_addr", "has no time"},
		{"$remote_addr$status $time_local", "$status at 13"},
		{"goaccess:%h %x %Y", "%Y at 7"},
		{"goaccess:%h %x %", "letter at 7"},
		{`{"a":"$time_local"`, "is none"},
		{`{"a":"$remote_addr"}`, "no key holds a time"},
		{"syslog/nonsense", "neither a known name"},
	} {
		f, err := Lookup(c.spec)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Lookup(%q): got %v and error %v, want one with %q", c.spec, f, err, c.want)
		}
	}
}

// A format string that is word for word a known format is that, since those are read faster.
func TestFamily(t *testing.T) {
	for spec, want := range map[string]*Format{
		`%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"`:       combined,
		`%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"`: vhost,
		`%h %l %u %t "%r" %>s %b`:    common,
		`%v %h %l %u %t "%r" %>s %b`: vhostCommon,
		`$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`:                         combined,
		`$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for"`: combined,
		`%h %^[%d:%t %^] "%r" %s %b "%R" "%u"`:                                nil,
		`%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D`:           nil,
		`%h %l %u %{%d/%b/%Y}t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"`:    nil,
		`%{X-Forwarded-For}i %l %u %t "%r" %>s %b`:                            nil,
		`%h %l %u %t "%r" %>s %b "%{User-Agent}i" "%{Referer}i"`:              nil,
		`%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{Cookie}i"`: nil,
	} {
		f, err := Lookup(spec)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		if want == nil && slices.Contains(accessFormats, f) || want != nil && f != want {
			t.Errorf("%s: got %s", spec, f.Name)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range append(Names(), "combined", "common", "vhost_combined", "nginx_combined", "haproxy", "COMBINED", "syslog/squid", "docker/json", "cri/apache_error") {
		f, err := Lookup(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f.read == nil && (f.fits == nil || f.line == nil) {
			t.Errorf("%s can read nothing", name)
		}
	}
	for _, file := range glob(t, "testdata/*.txt") {
		known := slices.Contains(Names(), file) || slices.ContainsFunc(sampleFormats(), func(f *Format) bool { return f.Name == file })
		if !known {
			t.Errorf("testdata/%s.txt is of no format", file)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatal("no samples", err)
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(filepath.Base(name), ".txt")
	}
	return names
}

func FuzzParse(f *testing.F) {
	formats := append(sampleFormats(), errorFormats...)
	for i, format := range formats {
		text, err := os.ReadFile(filepath.Join("testdata", format.Name+".txt"))
		if err != nil {
			f.Fatal(err)
		}
		lines := 0
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			if line, ok := bytes.CutPrefix(line, []byte("> ")); ok && len(line) < 1000 && lines < 12 {
				f.Add(uint8(i), append(slices.Clone(line), '\n'))
				lines++
			}
		}
	}
	for i, spec := range fuzzSpecs {
		format, err := Lookup(spec)
		if err != nil {
			f.Fatal(err)
		}
		formats = append(formats, format)
		f.Add(uint8(len(formats)-1), []byte(fuzzLines[i]))
	}
	proxies := nets.CDN()
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		format := formats[int(which)%len(formats)]
		p := format.NewParser(Options{Now: errorNow, Auto: which&1 == 1, Proxies: proxies})
		readings := int64(0)
		s := p.Parse(connwarden.Source{}, text, &each{f: func(r *connwarden.Request) {
			readings++
			if len(r.Method)+len(r.Path)+len(r.Query)+len(r.Agent)+len(r.Referer) > 8*len(text) || r.Client.Is4In6() || r.Size < -1 || r.Took < -1 {
				t.Errorf("read %+v", r)
			}
		}})
		p.Flush(&each{f: func(*connwarden.Request) { t.Error("a request from Flush") }})
		if format.Kind == Access && s.Lines != s.Parsed+s.Unparsed+s.Blank || format.Kind == Access && readings != s.Parsed && (which&1 == 0 || readings > s.Parsed) { // a guest may say nothing
			t.Errorf("%+v with %d readings", s, readings)
		}
		Detect("x", text)
	})
}

var fuzzSpecs = []string{
	`%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" %D`,
	`$host $remote_addr [$time_iso8601] "$request" $status $bytes_sent $request_time "$upstream_response_time" $upstream_addr "$http_user_agent"`,
	`goaccess:%v:%^ ~h{, } %^[%d:%t %^] "%r" %s %b "%R" "%u" %T`,
	`%{%a, %d %b %Y %H:%M:%S %z}t %a %m %U%q`,
}

var fuzzLines = []string{
	"www.example.com:80 192.0.2.7 - x y [22/Nov/2026:14:03:07 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" 12\n",
	"www.example.com 192.0.2.7 [2026-11-22T14:03:07+01:00] \"GET / HTTP/2.0\" 200 5 0.123 \"0.100, 0.020\" 10.0.0.5:80, 10.0.0.6:80 \"curl\"\n",
	"www.example.com:443 198.51.100.66, 203.0.113.9 - - [22/Nov/2026:14:03:07 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"-\" 0.1\n",
	"Sun, 22 Nov 2026 14:03:07 +0100 192.0.2.7 GET /a?b\n",
}

func FuzzLookup(f *testing.F) {
	for _, spec := range append(append(Names(), fuzzSpecs...), `{"a":"$time_local","b":{"c":"$remote_addr"}}`, "log_format x 'a' \"$b\";", `LogFormat "%h \"%r\"" x`) {
		f.Add(spec, goodLine)
	}
	f.Fuzz(func(t *testing.T, spec, line string) {
		format, err := Lookup(spec)
		if err != nil {
			return
		}
		format.NewParser(Options{}).Parse(connwarden.Source{}, []byte(line), &counter{})
	})
}

func BenchmarkFormats(b *testing.B) {
	for _, f := range sampleFormats() {
		b.Run(f.Name, func(b *testing.B) {
			var text []byte
			one := sampleText(b, f.Name)
			if len(one) == 0 {
				b.Skip("every sample of it has a format string of its own")
			}
			for len(text) < 1<<16 {
				text = append(text, one...)
			}
			p := f.WithHead(text).NewParser(Options{Now: errorNow})
			var sink counter
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				p.Parse(connwarden.Source{}, text, &sink)
			}
		})
	}
}

func BenchmarkDetect(b *testing.B) {
	head := combinedLog(400)[:1<<16]
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		if f := Detect("access.log", head); f != combined {
			b.Fatal(f)
		}
	}
}
