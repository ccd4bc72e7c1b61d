package host

import (
	"strings"
	"testing"
)

func FuzzMySQL(f *testing.F) {
	fuzzSeeds(f, "testdata/*/etc/my.cnf", "testdata/*/etc/mysql/*.cnf", "testdata/*/etc/mysql/*/*.cnf")
	f.Add("[mysqld]\n!include\nlog_error = '/x\n!includedir ../..\n")
	scan := small(f)
	f.Fuzz(func(t *testing.T, text string) {
		s := scan()
		m := &mysql{book: s.book(), options: map[string]option{}}
		for line := range strings.Lines(text) {
			m.line(line, position{"/c", 1}, 0)
		}
		if name, _ := m.path("log_error"); name != "" && !strings.HasPrefix(name, "/") {
			t.Errorf("names %q, which is not absolute", name)
		}
		fuzzProblems(t, s)
	})
}

func FuzzLighttpd(f *testing.F) {
	fuzzSeeds(f, "testdata/*/etc/lighttpd/*.conf")
	f.Add("a = \"\\\" + b\n$HTTP[\"host\"] == {\n} else { server.errorlog = a + a }")
	scan := small(f)
	f.Fuzz(func(t *testing.T, text string) {
		s := scan()
		l := &lighttpd{book: s.book(), vars: map[string]string{}, hosts: []*lighttpdHost{{values: map[string]option{}}}}
		l.text(text, "/c", 0, l.hosts[0])
		l.emit()
		fuzzProblems(t, s)
	})
}

func FuzzLiteSpeed(f *testing.F) {
	fuzzSeeds(f, "testdata/*/usr/local/lsws/conf/*.conf", "testdata/*/usr/local/lsws/conf/*.xml", "testdata/*/usr/local/lsws/conf/vhosts/*/*.conf")
	scan := small(f)
	f.Fuzz(func(t *testing.T, text string) {
		s := scan()
		l := &litespeed{book: s.book(), root: "/usr/local/lsws"}
		top := &lsNode{}
		if parseXML([]byte(text), "/c", top) != nil {
			top = &lsNode{}
			parseLines(text, "/c", top)
		}
		l.server(top)
		fuzzProblems(t, s)
	})
}

func FuzzIIS(f *testing.F) {
	fuzzSeeds(f, "testdata/iis/Windows/System32/inetsrv/config/*.config")
	scan := small(f)
	f.Fuzz(func(t *testing.T, text string) {
		s := scan()
		c := iisConfig{scan: s, file: "/c"}
		if c.parse([]byte(text)) == nil {
			for _, site := range c.sites {
				c.add(site)
			}
		}
		fuzzProblems(t, s)
	})
}
