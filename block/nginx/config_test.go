package nginx

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIncludes(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"include a;", nil},
		{"http { include a; }", []string{"a"}},
		{"http{include a;include b.d/*.conf;server{include c;}include 'd e';}", []string{"a", "b.d/*.conf", "d e"}},
		{"stream { include a; }\nhttp { }", nil},
		{"# http {\nhttp { # include x;\n include \"a\\\"b\"; }", []string{`a"b`}},
		{"http { log_format x '{ include y; }' ; include z; }", []string{"z"}},
		{"http { map $x $y { default ''; } include z\n ; }", []string{"z"}},
		{"} http { include a", nil},
		{"http { i\\nclude a; include b\\;c; include d}e; }", []string{`b\;c`, "d}e"}}, // only a quote or a backslash loses its backslash
	} {
		if diff := cmp.Diff(c.want, includes([]byte(c.text))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.text, diff)
		}
	}
}

func TestParseOfADump(t *testing.T) {
	c := parse([]byte("# configuration file /etc/nginx/nginx.conf:\nhttp {\ninclude conf.d/*.conf;\n}\n\n" +
		"# configuration file /etc/nginx/conf.d/a.conf:\nhttp { include b; }\n"))
	want := config{"/etc/nginx/nginx.conf", []string{"/etc/nginx/nginx.conf", "/etc/nginx/conf.d/a.conf"}, []string{"/etc/nginx/conf.d/*.conf"}}
	if diff := cmp.Diff(want, c, cmp.AllowUnexported(config{})); diff != "" {
		t.Error(diff)
	}
	for file, would := range map[string]bool{"/etc/nginx/conf.d/connwarden.conf": true, "/etc/nginx/connwarden.conf": false, "/etc/nginx/conf.d/x/a.conf": false} {
		if got := c.wouldLoad(file); got != would {
			t.Errorf("%s: %t", file, got)
		}
	}
}

func TestListText(t *testing.T) {
	l := list{present: true, pending: true, targets: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::7/128")}}
	want := headLine + "\n" + pendingLine + "\ndeny 127.0.0.77;\ndeny 192.0.2.0/24;\ndeny 2001:db8::7;\n"
	if got := l.text(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	again, ok := parseList(want)
	if !ok || again.text() != want {
		t.Errorf("read again: %t\n%s", ok, again.text())
	}
	for _, text := range []string{"", "deny 192.0.2.7;\n", "x" + headLine} {
		if _, ok := parseList(text); ok {
			t.Errorf("%q is taken for ours", text)
		}
	}
}

// FuzzList holds that what a hand left in our file is read into a list that is written and read alike.
func FuzzList(f *testing.F) {
	f.Add("deny 192.0.2.7;\ndeny all;\ndeny 2001:db8::/64;\n")
	f.Add(pendingLine + "\r\n deny 10.0.0.1/8 ;")
	f.Fuzz(func(t *testing.T, text string) {
		l, ok := parseList(headLine + "\n" + text)
		again, okAgain := parseList(l.text())
		if !ok || !okAgain || len(again.targets) != len(l.targets) || again.pending != l.pending {
			t.Fatalf("%+v is read again as %+v", l, again)
		}
	})
}

// FuzzConfig holds that no text of a configuration hangs or breaks the reading.
func FuzzConfig(f *testing.F) {
	f.Add("http { include a; }")
	f.Add("http { include 'a\\")
	f.Add("http { i\\nclude a;")
	f.Fuzz(func(t *testing.T, text string) {
		parse([]byte(header + "/x:\n" + text))
		for _, found := range includes([]byte(text)) {
			if found != "" && !strings.Contains(text, "include") {
				t.Errorf("%q is found in %q", found, text)
			}
		}
	})
}
