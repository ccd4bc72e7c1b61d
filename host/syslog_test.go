package host

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

func TestSelectors(t *testing.T) {
	for text, want := range map[string]string{
		"*.*":                       "all 192",
		"mail.*":                    "mail 8",
		"mail.err":                  "mail 4",
		"mail.error":                "mail 4",
		"mail.=info":                "mail 1",
		"mail.*;mail.!err":          "mail 4",
		"mail.*;mail.!=info":        "mail 7",
		"auth,authpriv.info":        "auth,authpriv 14",
		"kern.panic":                "kern 1",
		"*.*;*.none":                " 0",
		"*.info;mail.none;mark.*":   "all 161",
		"nobody.*":                  "no",
		"mail":                      "no",
		"mail.often":                "no",
		"/var/log/x.log":            "no",
		`file="/var/log/x.log"`:     "no",
		"module(load=\"imuxsock\")": "no",
		"":                          " 0",
	} {
		got := "no"
		if sel, ok := selector(text); ok {
			var names []string
			for i, name := range facilities {
				if sel[i] != 0 {
					names = append(names, name)
				}
			}
			if len(names) > 20 {
				names = []string{"all"}
			}
			got = fmt.Sprintf("%s %d", strings.Join(names, ","), sel.size())
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// What one file holds is not read from another; what goes nowhere else is.
func TestSyslogTwins(t *testing.T) {
	for _, c := range []struct{ name, conf, want string }{
		{"a filter that stops before", "if $programname == 'a' then /l/a\n& stop\n*.* /l/all", "/l/a /l/all"},
		{"a filter that goes on", ":programname, isequal, \"a\" /l/a\n*.* /l/all", "/l/a=/l/all /l/all"},
		{"a filter behind the rule", "*.* /l/all\n:programname, isequal, \"a\" /l/a\n& ~", "/l/a=/l/all /l/all"},
		{"the same twice", "mail.* /l/a\nmail.* /l/all", "/l/a /l/all=/l/a"},
		{"options of a file", "mail.* -/l/a;Template\nmail.err;kern.* -/l/all", "/l/a /l/all"},
		{"two actions", "mail.* /l/all\n& /l/a\n", "/l/a=/l/all /l/all"},
		{"rainer", "mail.* action(type=\"omfile\" File=\"/l/a\")\n*.* { action(type=\"omfile\" file=\"/l/all\") }", "/l/a=/l/all /l/all"},
		{"nothing of interest", "cron,news.* /l/a\nuucp.err /l/all", ""},
		{"elsewhere", "mail.* @192.0.2.1\n*.* |/l/a\n*.* :omusrmsg:*\n*.* ?Name\n*.* /dev/console", ""},
		{"a cycle", "$IncludeConfig /etc/rsyslog.conf\nmail.* /l/a", "/l/a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := plant(t, map[string]string{"etc/rsyslog.conf": c.conf, "l/a": "", "l/all": ""})
			files, _ := h.Logs(context.Background())
			var got []string
			for _, f := range files {
				one := f.Shown
				if f.Twin != "" {
					one += "=" + f.Twin
				}
				got = append(got, one)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %s, want %s", strings.Join(got, " "), c.want)
			}
		})
	}
}

func FuzzSyslog(f *testing.F) {
	fuzzSeeds(f, "testdata/*/etc/rsyslog.conf", "testdata/*/etc/rsyslog.d/*.conf", "testdata/*/etc/syslog.conf")
	scan := small(f)
	f.Fuzz(func(t *testing.T, text string) {
		s := scan()
		r := syslogReader{book: s.book()}
		for line := range strings.Lines(text) {
			r.line(strings.TrimSpace(line), position{"/c", 1}, 0)
		}
		for _, file := range r.files {
			if !strings.HasPrefix(file.name, "/") {
				t.Errorf("names %q, which is not absolute", file.name)
			}
		}
	})
}
