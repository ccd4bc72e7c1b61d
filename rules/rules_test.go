package rules_test

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// good is a rule in which nothing is wrong; tests change a line of it.
const good = `[[rule]]
name = "a-rule"
about = "does something"
look = "request"
where = 'path$=/x.php and not agent*=friend'
by = "ip"
count = 5
within = "1m"
score = 70
why = "{count} in {within}"
fires = "x"
spares = "x"
`

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`count = 5`, `cuont = 5`, `r.toml:7: there is no key "cuont": did you mean "count"?`},
		{`count = 5`, `count = "five"`, `r.toml:7:9: `},
		{`score = 70`, `score = 700`, `score: from 1 to 99`},
		{`look = "request"`, `look = "requests"`, `r.toml:1: rule a-rule: look: "requests" is none of request, event, fault, connection`},
		{`by = "ip"`, `by = "land"`, `by: a request has no "land"; group by one of ip, net, asn, country, site, path, agent, user`},
		{`within = "1m"`, `within = "1 minute"`, `"1 minute" is no time from 1s to 24h`},
		{`within = "1m"`, ``, `within: missing`},
		{`{within}"`, `{window}"`, `why: there is no {window}; use {count} {total} {distinct} {within} {value} {agent} {referer}`},
		{`fires = "x"`, ``, `fires: missing`},
		{`spares = "x"`, ``, `spares: missing`},
		{`path$=/x.php`, `pth$=/x.php`, `there is no field "pth": did you mean "path"?`},
		{`path$=/x.php`, `status~4`, `"status" cannot be compared with "~"`},
		{`path$=/x.php and not agent*=friend`, `not agent*=friend`, `every request fits it`},
		{`path$=/x.php`, `path~(`, `the regular expression is wrong`},
		{`path$=/x.php`, `path~"a*"`, `fits an empty text`},
		{`path$=/x.php`, `kind=tsl`, `kind has no "tsl"`},
		{`path$=/x.php`, `ip=300.1.2.3`, `is no address and no prefix`},
		{`path$=/x.php`, `status=99999999999999999999`, `is no number for status`},
		{`path$=/x.php`, `path=/x and country=Holland`, `"Holland" is no country: write two letters`},
		{`path$=/x.php`, `path=/x and country^=N`, `"country" cannot be compared with "^="`},
		{`path$=/x.php`, `not country=NL`, `every request fits it`},
		{`path$=/x.php`, `path=/x and asn=AS64500000000`, `is no number for asn`},
		{`name = "a-rule"`, `name = "A rule"`, `is not made of small letters`},
		{`by = "ip"`, "by = \"ip\"\nmember = 60", `has members`},
		{`by = "ip"`, "by = \"ip\"\ndistinct = \"ip\"", `have the same ip`},
		{`where = 'path$=/x.php and not agent*=friend'`, ``, `capped: a rule without a condition`},
		{`by = "ip"`, "by = \"ip\"\npass = 'path=/y'", `pass and pass_count belong together`},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%q changes nothing", c.old)
		}
		list, errs := rules.Parse("r.toml", []byte(text))
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), c.want) || len(list) != 0 {
			t.Errorf("%q: got %d rules and %q, want %q", c.new, len(list), errs, c.want)
		}
	}
	if list, errs := rules.Parse("r.toml", []byte(good)); len(errs) != 0 || len(list) != 1 || list[0].Line != 1 || list[0].Most != 80 {
		t.Errorf("the good one: %+v, %v", list, errs)
	}
	if _, errs := rules.Parse("r.toml", []byte(good+good)); len(errs) != 1 || !strings.Contains(errs[0].Error(), "r.toml:13: rule a-rule: name: \"a-rule\" stands twice") {
		t.Errorf("twice: %v", errs)
	}
}

// set compiles one rule a condition, named c0, c1, …
func set(t *testing.T, look string, conditions ...string) *rules.Set {
	t.Helper()
	var b strings.Builder
	for i, c := range conditions {
		text := strings.Replace(good, "a-rule", "c"+string(rune('0'+i)), 1)
		text = strings.Replace(text, `"request"`, `"`+look+`"`, 1)
		b.WriteString(strings.Replace(text, "where = 'path$=/x.php and not agent*=friend'", "where = '''"+c+"'''", 1))
	}
	list, errs := rules.Parse("test", []byte(b.String()))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	s, err := rules.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMatch(t *testing.T) {
	base := connwarden.Request{
		Client: netip.MustParseAddr("203.0.113.9"), Method: []byte("GET"), Path: []byte("/"), Status: 200, Size: 5000, Took: 1500 * time.Millisecond,
		Agent: []byte("Mozilla/5.0"), Host: []byte("Shop.example"),
	}
	for _, c := range []struct {
		where       string
		path, query string
		want        bool
	}{
		{`path$=/wp-login.php`, "/blog/wp-login.php", "", true},
		{`path$=/wp-login.php`, "/blog/WP-Login.PHP", "", true},
		{`path$=/wp-login.php`, "/wp-login.php5", "", false},
		{`path*=/../`, "/a/%2e%2e/b", "", true},
		{`path*=/../`, "/a/%252e%252e%255c/b", "", true},
		{`path*=/../`, `/a/..\\b`, "", true},
		{`path*=/../`, "/a/%c0%ae%c0%ae%c0%afb", "", true},
		{`path*=/../`, "/a/%u002e%u002e/b", "", true},
		{`path*=/../`, "/a/%uff0e%uff0e%uff0fb", "", true},
		{`path*=/../`, "/a/.../b", "", false},
		{`path^=/admin,/wp-`, "//wp-json", "", true},
		{`path^=/admin,/wp-`, "/x/wp-json", "", false},
		{`path=/x,/y`, "/y", "", true},
		{`path=/x,/y`, "/yy", "", false},
		{`query~"union( all)? select"`, "/", "id=1+UNION%20/**/ALL%0aselect", true},
		{`query~"union( all)? select"`, "/", "q=reunion+selected", true},
		{`query~"\bunion( all)? select\b"`, "/", "q=reunion+selected", false},
		{`query*="<script"`, "/", "q=%3CScRiPt%3E", true},
		{`query*="<script"`, "/", `q=\x3cscript`, true},
		{`query=-`, "/", "", true},
		{`path*=/x and query!=-`, "/x", "", false},
		{`status=2xx and path=/`, "/", "", true},
		{`status>=400 and path=/`, "/", "", false},
		{`bytes>4k and path=/`, "/", "", true},
		{`bytes>5k and path=/`, "/", "", false},
		{`took>=1s and path=/`, "/", "", true},
		{`took>=2s and path=/`, "/", "", false},
		{`site=shop.example and method=get`, "/", "", true},
		{`ip=203.0.113.0/24 and not path=/y`, "/", "", true},
		{`ip=2001:db8::/32`, "/", "", false},
		{`kind=http and not (path=/ or path=/x)`, "/z", "", true},
		{`kind=tls or ip=203.0.113.9`, "/", "", true},
		{`path~"^/[0-9]+$"`, "/123", "", true},
		{`path=/x and query~"^[0-9]{1,9}$"`, "/x", "123", true},
		{`path=/x and query~"^[0-9]{1,9}$"`, "/x", "12a", false},
		{`path=/x and not query~"^[0-9]{1,9}$"`, "/x", "12a", true},
		{`path=/x and not query~"^[0-9]{1,9}$"`, "/x", "%31%32", false},
		{`path=/x or query~"^[0-9]{1,9}$"`, "/y", "7", true},
		{`query~"^a|b$"`, "/", "xb", true},
		{`query~"^a|b$"`, "/", "xbx", false},
		{`path$=~`, "/a.php~", "", true},
		{`path$=~`, "/a.php", "", false},
	} {
		m := set(t, "request", c.where).NewMatcher()
		r := base
		r.Path, r.Query = []byte(c.path), []byte(c.query)
		for range 2 { // once afresh, once from memory
			if got := len(m.Request(&r)) == 1; got != c.want {
				t.Errorf("%s on %s?%s: %v", c.where, c.path, c.query, got)
			}
		}
	}
}

func TestMatchOthers(t *testing.T) {
	a := netip.MustParseAddr("2001:db8::1")
	m := set(t, "event", `service=sshd and kind=auth_failed`, `user=root`).NewMatcher()
	if got := m.Event(&connwarden.Event{Client: a, Service: "sshd", Kind: connwarden.EventAuthFailed, User: []byte("Root")}); len(got) != 2 {
		t.Errorf("event: %v", got)
	}
	if got := m.Request(&connwarden.Request{Client: a}); len(got) != 0 {
		t.Errorf("request: %v", got)
	}
	m = set(t, "fault", `service=apache and code=AH01276`).NewMatcher()
	if got := m.Fault(&connwarden.Fault{Client: a, Service: "apache", Code: []byte("AH01276")}); len(got) != 1 {
		t.Errorf("fault: %v", got)
	}
	list, errs := rules.Parse("t", []byte(strings.NewReplacer(`"request"`, `"connection"`, `path$=/x.php and not agent*=friend`, `state=syn_recv and port=80,443 and requests<3`, "within = \"1m\"\n", "").Replace(good)))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	s, _ := rules.Compile(list)
	m = s.NewMatcher()
	if got := m.Conn(a, "syn_recv", "in", 443, 0); len(got) != 1 {
		t.Errorf("conn: %v", got)
	}
	if got := m.Conn(a, "syn_recv", "in", 443, -1); len(got) != 0 {
		t.Errorf("of a peer whose requests nobody counted: %v", got)
	}
}

// TestForget drives a matcher over all its bounds: the answers stay the same.
func TestForget(t *testing.T) {
	var terms []string
	for c := 'a'; c <= 'p'; c++ {
		terms = append(terms, "path*=k"+string(c)+"k")
	}
	s := set(t, "request", strings.Join(terms, " or ")+" or query=attack", `path*=kak and path*=kbk`)
	m := s.NewMatcher()
	r := connwarden.Request{Client: netip.MustParseAddr("192.0.2.1"), Query: []byte("x")}
	for i := range 1 << 17 {
		path := []byte("/")
		for bit := range 16 {
			if i>>bit&1 == 1 {
				path = append(path, 'k', byte('a'+bit), 'k')
			}
		}
		r.Path = path
		want := 0
		if i&0xffff != 0 {
			want++
		}
		if i&3 == 3 {
			want++
		}
		if got := len(m.Request(&r)); got != want {
			t.Fatalf("%d: %d rules, want %d", i, got, want)
		}
	}
}

func TestMatchAllocates(t *testing.T) {
	s := shipped(t)
	m := s.NewMatcher()
	r := connwarden.Request{
		Client: netip.MustParseAddr("192.0.2.1"), Method: []byte("GET"), Path: []byte("/a/b/c.html"), Query: []byte("a=1&b=2"), Status: 404,
		Agent: []byte("Mozilla/5.0 (X11; Linux x86_64)"), Referer: []byte("https://example.com/"),
	}
	m.Request(&r)
	if n := testing.AllocsPerRun(100, func() { m.Request(&r) }); n > 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func shipped(t testing.TB) *rules.Set {
	t.Helper()
	files := rules.Shipped()
	var list []rules.Rule
	for _, name := range slices.Sorted(maps.Keys(files)) {
		more, errs := rules.Parse(name, files[name])
		for _, err := range errs {
			t.Error(err)
		}
		for _, r := range more {
			if slices.ContainsFunc(list, func(o rules.Rule) bool { return o.Name == r.Name }) {
				t.Errorf("%s:%d: %s stands in two files", r.File, r.Line, r.Name)
			}
		}
		list = rules.Merge(list, more)
	}
	s, err := rules.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFormat: what is shown of a rule is read back as the same.
func TestFormat(t *testing.T) {
	for _, r := range shipped(t).Rules {
		back, errs := rules.Parse(r.File, []byte(rules.Format(&r)))
		if len(errs) > 0 || len(back) != 1 {
			t.Errorf("%s: %v\n%s", r.Name, errs, rules.Format(&r))
			continue
		}
		back[0].Line, back[0].Fires, back[0].Spares = r.Line, r.Fires, r.Spares
		if back[0] != r {
			t.Errorf("got  %+v\nwant %+v", back[0], r)
		}
	}
}

// TestPlace: who tells where an address belongs is asked only about what fits all else, and once.
func TestPlace(t *testing.T) {
	s := set(t, "request", `path=/x and not country=NL,-`, `path=/x and asn=64500`, `path=/x and country=-`, `path=/x and (asn=AS1 or country=nl)`)
	m := s.NewMatcher()
	asked := 0
	for _, c := range []struct {
		path string
		at   connwarden.Network
		want []string
		asks int
	}{
		{"/x", connwarden.Network{ASN: 64500, Country: "DE"}, []string{"c0", "c1"}, 1}, {"/x", connwarden.Network{ASN: 1, Country: "NL"}, []string{"c3"}, 1},
		{"/x", connwarden.Network{Country: "NL"}, []string{"c3"}, 1}, {"/x", connwarden.Network{}, []string{"c2"}, 1}, {"/y", connwarden.Network{ASN: 1}, nil, 0},
	} {
		asked = 0
		m.Place = func(netip.Addr) (connwarden.Network, bool) { asked++; return c.at, true }
		var got []string
		for _, h := range m.Request(&connwarden.Request{Client: netip.MustParseAddr("192.0.2.1"), Path: []byte(c.path), Took: -1}) {
			got = append(got, s.Rules[h.Rule].Name)
		}
		if !slices.Equal(got, c.want) || asked != c.asks {
			t.Errorf("%s from %v: %q, asked %d times; want %q, %d", c.path, c.at, got, asked, c.want, c.asks)
		}
	}
	m.Place = nil
	if got := m.Request(&connwarden.Request{Client: netip.MustParseAddr("192.0.2.1"), Path: []byte("/x"), Took: -1}); len(got) != 1 || s.Rules[got[0].Rule].Name != "c2" {
		t.Errorf("nobody knows: %v", got)
	}
}

// TestGuide: the rule that the guide teaches by is right.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```toml\n")
	rule, _, ok := strings.Cut(rest, "```")
	if list, errs := rules.Parse("docs/rules.md", []byte(rule)); !ok || len(list) != 1 || len(errs) > 0 {
		t.Errorf("%d rules, %v", len(list), errs)
	}
}

func TestExpand(t *testing.T) {
	got, err := rules.Expand("2x 1m | {n} {clf} {ip}\n{iso} a | b\n", time.Date(2026, 11, 2, 14, 0, 0, 0, time.UTC))
	want := "1 02/Nov/2026:14:00:00 +0000 198.18.0.1\n2 02/Nov/2026:14:01:00 +0000 198.18.0.2\n2026-11-02T14:02:00.000000+00:00 a | b\n"
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
	got, err = rules.Expand("2x | {ip:NL} {in:de} {in:} {in:abc} {ip:\n", time.Time{})
	want = "2001:db8:4e4c:1::1 2001:db8:6465:0::1 {in:} {in:abc} {ip:\n2001:db8:4e4c:2::1 2001:db8:6465:0::1 {in:} {in:abc} {ip:\n"
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
	for addr, want := range map[string]string{"2001:db8:4e4c:7::1": "NL", "2001:db8:6465::1": "DE", "2001:db8:1:1::1": "", "192.0.2.1": "", "2001:db9:4e4c::1": ""} {
		if got := rules.ExampleCountry(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is in %q, want %q", addr, got, want)
		}
	}
	if _, err := rules.Expand("1000000x | a", time.Time{}); err == nil {
		t.Error("a million lines are made")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	for _, text := range rules.Shipped() {
		f.Add(text[:min(len(text), 2000)])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, _ := rules.Parse("f", text)
		if _, err := rules.Compile(list); err != nil {
			t.Fatalf("a rule that was accepted does not compile: %v", err)
		}
	})
}

func FuzzMatch(f *testing.F) {
	list, errs := rules.Parse("f", []byte(strings.Replace(good, `path$=/x.php`, `(path*=/../ or query~"union.*select" or agent^=a)`, 1)))
	if len(errs) > 0 {
		f.Fatal(errs)
	}
	s, err := rules.Compile(list)
	if err != nil {
		f.Fatal(err)
	}
	m := s.NewMatcher()
	f.Add([]byte("/a/%252e%252e/"), []byte("a=%u0055nion/**/select"), []byte(`a\x22`))
	f.Add([]byte(`/\\..\/%c0%ae`), []byte("%"), []byte("\\"))
	f.Fuzz(func(t *testing.T, path, query, agent []byte) {
		r := connwarden.Request{Path: path, Query: query, Agent: agent}
		n := len(m.Request(&r))
		if again := len(s.NewMatcher().Request(&r)); again != n {
			t.Fatalf("%d rules from memory, %d afresh", n, again)
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	s := shipped(b)
	m := s.NewMatcher()
	paths := make([][]byte, 1<<12)
	for i := range paths {
		paths[i] = []byte("/articles/2026/" + strings.Repeat(string(rune('a'+i%26)), 3+i%40) + ".html")
	}
	r := connwarden.Request{
		Client: netip.MustParseAddr("192.0.2.1"), Method: []byte("GET"), Status: 200, Referer: []byte("https://example.com/"),
		Agent: []byte("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"),
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Path = paths[i&(1<<12-1)]
		m.Request(&r)
	}
}

// BenchmarkNew is what a request costs whose path and query were never seen.
func BenchmarkNew(b *testing.B) {
	m := shipped(b).NewMatcher()
	r := connwarden.Request{
		Client: netip.MustParseAddr("192.0.2.1"), Method: []byte("GET"), Status: 200, Referer: []byte("https://example.com/"),
		Agent: []byte("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"),
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Path = fmt.Appendf(r.Path[:0], "/articles/2026/some-words-of-a-title-%d.html", i)
		r.Query = fmt.Appendf(r.Query[:0], "page=%d&sort=date", i)
		m.Request(&r)
	}
}
