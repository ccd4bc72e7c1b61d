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
		{"uvicorn", `INFO:     192.0.2.7:51822 - "GET /a HTTP/1.1" 200 OK`, neither},
		{"json", `{"time":"2026-11-22T14:00:00Z","remote_addr":"192.0.2.7","request":"GET / HTTP/1.1","status":200}`, neither},
		{"json", `{"time":"2026-11-22T14:00:00Z","remote_addr":"192.0.2.7","request":"GET / HTTP/1.1","status":200,"http_user_agent":"","http_referer":""}`, 0},
		{"json", `{"time":"2026-11-22T14:00:00Z","remote_addr":"192.0.2.7","request":"GET / HTTP/1.1","status":200,"http_user_agent":"x"}`, connwarden.FieldReferer},
		{"caddy_json", `{"ts":1795355000,"logger":"http.log.access","request":{"client_ip":"192.0.2.7","method":"GET","host":"a.example","uri":"/","headers":{"Accept":["*/*"]}},"status":200}`, 0},
		{"ltsv", "time:22/Nov/2026:14:00:00 +0000\thost:192.0.2.7\treq:GET / HTTP/1.1\tstatus:200\tua:-", connwarden.FieldReferer},
		{"iis", "#Fields: date time c-ip cs-method cs-uri-stem cs(User-Agent) sc-status\n2026-11-22 14:00:00 192.0.2.7 GET / - 200", connwarden.FieldReferer},
		{"iis", "#Fields: date time c-ip cs-method cs-uri-stem cs(User-Agent) cs(Referer) sc-status\n2026-11-22 14:00:00 192.0.2.7 GET / - - 200", 0},
		{"iis", "2026-11-22 14:00:00 192.0.2.1 GET / - 80 - 192.0.2.7 x/1 200 0 0 15", connwarden.FieldReferer},
		{"gin", `[GIN] 2026/11/22 - 14:03:07 | 200 | 1.2ms | 192.0.2.7 | GET "/a"`, neither},
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
