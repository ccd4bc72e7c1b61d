package where

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

// sample is the request that most tests ask about.
func sample() *connwarden.Request {
	return &connwarden.Request{
		Time:    time.Date(2026, 11, 22, 14, 3, 7, 0, time.UTC),
		Client:  netip.MustParseAddr("203.0.113.9"),
		Host:    []byte("Blog.Example.com"),
		Method:  []byte("POST"),
		Path:    []byte("/wp-login.php"),
		Query:   []byte("redirect_to=%2F&a=b,c"),
		Status:  404,
		Size:    4096,
		Took:    1500 * time.Millisecond,
		Agent:   []byte("curl/8.5.0 (x)"),
		Referer: []byte("https://example.com/"),
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		expr string
		want bool
	}{
		{`status=404`, true},
		{`status=4xx`, true},
		{`status!=4xx`, false},
		{`status>=500`, false},
		{`status>4xx`, false},
		{`status<=4xx`, true},
		{`status<4xx`, false},
		{`status=200,4XX`, true},
		{`status!=200,404`, false},
		{`path=/wp-login.php`, true},
		{`path=/wp-login`, false},
		{`path~^/wp-`, true},
		{`path~^wp-`, false},
		{`path~^/wp-login.php$`, true},
		{`path~wp-(login|cron)\.php`, true},
		{`path^=/admin,/wp-`, true},
		{`path^=wp-`, false},
		{`path$=.php`, true},
		{`path$=.php5,.ph`, false},
		{`agent*=wget, curl/8.5`, true},
		{`agent*=url.8`, false},
		{`path!~\.php`, false},
		{`path~\(`, false},
		{`(path~^/wp-(a|l))`, true},
		{`path~^/(?i)WP-`, true},
		{`url=/wp-login.php?redirect_to=%2F&a=b`, false},
		{`url="/wp-login.php?redirect_to=%2F&a=b,c"`, true},
		{`url~php\?redirect`, true},
		{`url~^/wp-login.php\?redirect_to=.*c$`, true},
		{`query~a=b,c`, true},
		{`ip=203.0.113.9`, true},
		{`ip=203.0.113.0/24`, true},
		{`ip=::ffff:203.0.113.9`, true},
		{`ip=::ffff:203.0.113.0/120`, true},
		{`ip=2001:db8::/32,203.0.113.8/31`, true},
		{`ip!=203.0.113.0/24`, false},
		{`ip=-`, false},
		{`net=203.0.113.77`, true},
		{`net=203.0.112.77`, false},
		{`site=blog.example.com`, true},
		{`host=BLOG.example.COM`, true},
		{`site~example`, true},
		{`method=get,post`, true},
		{`method!=GET`, true},
		{`agent~curl`, true},
		{`agent~Curl`, false},
		{`agent~(?i)CURL/\d`, true},
		{`agent='curl/8.5.0 (x)'`, true},
		{`agent="curl/8.5.0 \(x)"`, false},
		{`user=-`, true},
		{`user=""`, true},
		{`user!=-`, false},
		{`referer=-`, false},
		{`bytes>4k`, false},
		{`bytes>=4k`, true},
		{`bytes<1M`, true},
		{`took>1`, true},
		{`took>1500ms`, false},
		{`took>=1.5`, true},
		{`took<1m`, true},
		{`kind=http`, true},
		{`kind=tls,empty`, false},
		{`time=2026-11-22`, true},
		{`time>2026-11-22`, false},
		{`time>=2026-11-22`, true},
		{`time<2026-11-22`, false},
		{`time=2026-11-22T14:03`, true},
		{`time="2026-11-22 14:04"`, false},
		{`time<2026-11-22T15:03:08+01:00`, true},
		{`time<2026-11-22T15:03:07+01:00`, false},
		{`not status=404`, false},
		{`not not status=404`, true},
		{`status=404 and method=GET or agent~curl`, true},
		{`status=404 and (method=GET or agent~wget)`, false},
		{`not (method=GET or agent~wget) AND status>=400`, true},
		{` ( ( status = 404 ) ) `, true},
		{`agent~^`, true},
	} {
		e, err := Parse(c.expr)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		if got := e.Match(sample()); got != c.want {
			t.Errorf("%s: got %v, want %v", c.expr, got, c.want)
		}
	}
}

// What the log left out fits only the opposite.
func TestMatchNothing(t *testing.T) {
	empty := &connwarden.Request{Size: -1, Took: -1, Kind: connwarden.ReqEmpty, Name: []byte("host.example")}
	for expr, want := range map[string]bool{
		`status<500`: false, `status!=500`: true, `bytes>=0`: false, `bytes!=1`: true, `took<1`: false,
		`time<2026-11-22`: false, `ip=0.0.0.0/0`: false, `ip!=0.0.0.0/0`: true, `ip=-`: true, `net=-`: true, `path=-`: true, `url=-`: true,
		`agent~x`: false, `agent~^$`: true, `kind=empty`: true,
	} {
		e, err := Parse(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
		} else if got := e.Match(empty); got != want {
			t.Errorf("%s: got %v, want %v", expr, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		expr string
		at   int
		why  string
	}{
		{``, 0, "empty"},
		{`stauts=200`, 0, `did you mean "status"`},
		{`path=/a and agnet~x`, 12, `did you mean "agent"`},
		{`status`, 6, "operator"},
		{`status~4`, 6, `cannot be compared with "~": use = != < <= > >=`},
		{`path>5`, 4, `use = != ~ !~`},
		{`status=4yy`, 7, "no status"},
		{`status=`, 7, "missing"},
		{`status=200,`, 11, "missing"},
		{`status=200,40x`, 11, "no status"},
		{`ip=1.2.3`, 3, "no address"},
		{`ip=1.2.3.4/33`, 3, "no address"},
		{`ip=fe80::1%eth0`, 3, "no address"},
		{`path~a(b`, 5, "missing closing )"},
		{`path~[`, 5, "regular expression"},
		{`(status=200`, 0, "never closed"},
		{`status=200)`, 10, "closes none"},
		{`status=200 method=GET`, 11, `"and" or "or"`},
		{`(status=200 method=GET)`, 12, "closing parenthesis"},
		{`agent="x`, 6, "quote"},
		{`status=200 and`, 14, "missing"},
		{`status=200 && method=GET`, 11, `"and" or "or"`},
		{`=200`, 0, "field"},
		{`time=yesterday`, 5, "no time"},
		{`bytes=99999999999999999999`, 6, "no size"},
		{`bytes=9999999999G`, 6, "no size"},
		{`took=-1s`, 5, "no duration"},
		{`kind=odd`, 5, "no kind"},
		{`path~` + strings.Repeat("a", maxPattern+1), 5, "longer"},
		{strings.Repeat("(", 200) + `status=1` + strings.Repeat(")", 200), maxDepth, "within one another"},
		{strings.Repeat("not ", 200) + `status=1`, 4 * maxDepth, "within one another"},
		{strings.Repeat("x", maxExpr+1), 40, "longer"},
	} {
		_, err := Parse(c.expr)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%.60s: got %v, want an error about %q", c.expr, err, c.why)
			continue
		}
		if e.At != c.at || !strings.Contains(e.Why, c.why) {
			t.Errorf("%.60s: got %q at %d, want %q at %d", c.expr, e.Why, e.At, c.why, c.at)
		}
	}
}

func TestErrorText(t *testing.T) {
	_, err := Parse("path=/ä\t and sttus=1")
	want := "the expression cannot be read: there is no field \"sttus\": did you mean \"status\"? The fields are " + strings.Join(vocabulary.Names, ", ") +
		"\n  path=/ä  and sttus=1\n               ^"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestFields(t *testing.T) {
	e, err := Parse(`status>=500 and url~x or not ip=1.2.3.4`)
	if err != nil {
		t.Fatal(err)
	}
	want := connwarden.FieldStatus | connwarden.FieldPath | connwarden.FieldQuery | connwarden.FieldClient
	if got := e.Fields(); got != want {
		t.Errorf("got %b, want %b", got, want)
	}
}

func TestAll(t *testing.T) {
	a, _ := Parse("status=404")
	b, _ := Parse("method=GET or method=HEAD")
	both := All(a, nil, b)
	if both.Match(sample()) || !All(a).Match(sample()) {
		t.Error("all must fit what each fits")
	}
	if got, want := both.String(), "(status=404) and (method=GET or method=HEAD)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if again, err := Parse(both.String()); err != nil || again.Fields() != both.Fields() {
		t.Errorf("its text does not mean the same: %v", err)
	}
	var none *Expr
	if All() != nil || All(nil) != nil || !none.Match(sample()) || none.Fields() != 0 || none.String() != "" {
		t.Error("no expression must fit everything")
	}
}

func TestZone(t *testing.T) {
	zone := time.FixedZone("", 3600)
	e, err := ParseIn("time=2026-11-22T15:03", zone)
	if err != nil || !e.Match(sample()) {
		t.Errorf("a time without a zone is not in the zone given (%v)", err)
	}
}

// hard is an expression with everything in it.
const hard = `(status>=400 and path~^/wp- and url~redirect and ip=10.0.0.0/8,203.0.113.0/24 and agent~c[u]rl) and
	site=blog.example.com and method=post and took>1s and time>=2026-11-22 and bytes!=0 and not user=admin`

func TestMatchAllocatesNothing(t *testing.T) {
	e, err := Parse(hard)
	if err != nil {
		t.Fatal(err)
	}
	r := sample()
	if !e.Match(r) {
		t.Fatal("it must fit")
	}
	if n := testing.AllocsPerRun(1000, func() { e.Match(r) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

// The literals that are looked for first must never change what fits.
func FuzzPattern(f *testing.F) {
	for _, re := range []string{`^/wp-`, `curl`, `a|b`, `^a$`, `(?i)Bot`, `x*yz+`, `(?m)^a`, `\x{fffd}`, "\uFFFD", `^`, `$`, `ab?c`, `\bfoo\b`, `[^a]bc`, `(?s).b`, `a{2}bc`, `(abc)`, `^abc|d`} {
		for _, text := range []string{"", "/wp-admin", "a\nabc", "\xff", "xyzz", "foo bar", "abcabc", "Robot"} {
			f.Add(re, []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, pattern string, text []byte) {
		n, why := newPattern("path", pattern)
		if why != "" {
			return // no pattern: nothing to compare
		}
		got := n.match(&connwarden.Request{Path: text})
		if want := regexp.MustCompile(pattern).Match(text); got != want {
			t.Errorf("%q in %q: got %v, want %v", pattern, text, got, want)
		}
	})
}

// FuzzParse: no text makes Parse or Match fail otherwise than with an Error that points into the text, and what was
// parsed can be put into parentheses and means the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`status>=500`, `path~^/wp-(a|b)`, hard, `not (a=b`, `ip=203.0.113.0/24,::1`, `agent="a \" b" or agent='c'`, `status=4xx,5xx and not time<2026-01-01`,
		`kind=tls`, `a`, `(((`, `url=/a?b`, `took>=1m30s`, `bytes<4G`, "path=\xff", `x~\`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			var bad *Error
			if !errors.As(err, &bad) || bad.At < 0 || bad.At > len(text) || bad.Why == "" {
				t.Fatalf("bad error %#v", err)
			}
			_ = bad.Error()
			return
		}
		r := sample()
		got := e.Match(r)
		if again, err := Parse("not ((" + text + "))"); err == nil && again.Match(r) == got {
			t.Errorf("%q and its opposite give the same: %v", text, got)
		}
		e.Match(&connwarden.Request{})
	})
}

func BenchmarkMatch(b *testing.B) {
	for _, expr := range []string{`status>=500`, `path~^/wp-`, `agent~[Cc]url`, `agent~(?i)bot`, `url~redirect`, hard} {
		e, err := Parse(expr)
		if err != nil {
			b.Fatal(err)
		}
		r := sample()
		b.Run(expr[:min(16, len(expr))], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Match(r)
			}
		})
	}
}
