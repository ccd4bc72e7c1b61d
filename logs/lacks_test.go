package logs

import (
	"testing"

	"github.com/connwarden/connwarden"
)

// TestLacks: which logs never tell who asked with what, and from where.
func TestLacks(t *testing.T) {
	const neither = connwarden.FieldReferer | connwarden.FieldAgent
	for _, c := range []struct {
		format, line string
		want         connwarden.Fields
	}{
		{"apache_common", `192.0.2.7 - - [22/Nov/2026:14:00:00 +0000] "GET / HTTP/1.1" 200 512`, neither},
		{"apache_combined", `192.0.2.7 - - [22/Nov/2026:14:00:00 +0000] "GET / HTTP/1.1" 200 512 "-" "-"`, 0},
		{`%h %t "%r" %>s "%{User-Agent}i"`, `192.0.2.7 [22/Nov/2026:14:00:00 +0000] "GET / HTTP/1.1" 200 "x"`, connwarden.FieldReferer},
		{"haproxy_http", `Nov 22 14:00:00 lb haproxy[1]: 192.0.2.7:4711 [22/Nov/2026:14:00:00.000] web~ app/s1 0/0/1/2/3 200 512 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`, neither},
		{"haproxy_http", `Nov 22 14:00:00 lb haproxy[1]: 192.0.2.7:4711 [22/Nov/2026:14:00:00.000] web~ app/s1 0/0/1/2/3 200 512 - - ---- 1/1/0/0/0 0/0 {|x/1} "GET / HTTP/1.1"`, 0},
	} {
		format, err := Lookup(c.format)
		if err != nil {
			t.Fatal(err)
		}
		var got []connwarden.Fields
		format.NewParser(Options{}).Parse(connwarden.Source{}, []byte(c.line+"\n"), &each{f: func(r *connwarden.Request) { got = append(got, r.Lacks) }})
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: %b, want %b", c.line, got, c.want)
		}
	}
}
