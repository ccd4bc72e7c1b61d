package lab_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/connwarden/connwarden/lab"
)

// truth is what a server was asked for.
type truth struct {
	lines                    int
	paths, clients, statuses map[string]int
}

// visit asks a server for pages, some of them by clients who want its log to be misread, and returns what was asked for.
func visit(t *testing.T, l *lab.Lab, port uint16, prefix string) truth {
	t.Helper()
	w := truth{paths: map[string]int{}, clients: map[string]int{}, statuses: map[string]int{}}
	note := func(from, path string, status string) {
		w.lines++
		w.paths[path]++
		w.clients[from]++
		w.statuses[status]++
	}
	get := func(from, target, path string, status int, agent, referer string) {
		t.Helper()
		want(t, l.Do(lab.Request{From: from, Port: port, Host: "blog.example.com", Target: prefix + target, Agent: agent, Referer: referer}), status)
		note(from, path, string('0'+rune(status/100))+"xx")
	}
	for range 3 {
		get("203.0.113.10", "/style.css", "/style.css", 200, "", "")
		get("203.0.113.11", "/style.css?a=1&b=%20", "/style.css", 200, "", "https://www.example.org/?q=a b")
		get("203.0.113.12", "/no-such-page", "/no-such-page", 404, "", "")
	}
	get("203.0.113.12", "/private/keys", "/private/keys", 403, "", "")
	get("203.0.113.13", "/style.css", "/style.css", 200, `x" 200 1 "-" "y`, `" 404 7 "`)
	get("203.0.113.13", "/style.css", "/style.css", 200, `\`, `[22/Nov/2026:14:03:07 +0000] `+forged+` - - "GET /forged HTTP/1.1"`)
	get("203.0.113.13", "/a%22%20HTTP/1.1%22%20200%201", "/a%22%20HTTP/1.1%22%20200%201", 404, "", "")
	get("203.0.113.13", "/a{b}|c'd", "/a{b}|c'd", 404, "", "")
	return w
}

// pages counts a log by a key.
func pages(t *testing.T, l *lab.Lab, name, by string) table {
	t.Helper()
	var p table
	if err := json.Unmarshal([]byte(ask(t, l, "pages", "--top", "0", "--by", by, filepath.Join(l.Root, name))), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// wantTruth fails the test unless a log counts what was asked for.
func wantTruth(t *testing.T, l *lab.Lab, name, format string, w truth) {
	t.Helper()
	for by, want := range map[string]map[string]int{"path": w.paths, "ip": w.clients} {
		p := pages(t, l, name, by)
		got := map[string]int{}
		for _, r := range p.Rows {
			got[r.Key] = r.Count
		}
		wantSame(t, name+" by "+by, got, want)
		if p.Lines != w.lines || p.Unparsed != 0 || p.Files[0].Format != format {
			t.Errorf("%s: %d lines, %d not understood, as %s; want %d as %s", name, p.Lines, p.Unparsed, p.Files[0].Format, w.lines, format)
		}
	}
	if t.Failed() {
		t.Log(l.Read(name))
	}
}

// TestRealProxies wants each request that was made counted once, from the logs of the servers that took it.
func TestRealProxies(t *testing.T) {
	t.Run("lighttpd", func(t *testing.T) {
		l := lab.New(t)
		l.Lighttpd()
		w := visit(t, l, 8081, "")
		l.AwaitLines("var/log/lighttpd/access.log", w.lines)
		wantTruth(t, l, "var/log/lighttpd/access.log", "apache_combined", w)
	})
	t.Run("caddy", func(t *testing.T) {
		l := lab.New(t)
		l.Caddy()
		w := visit(t, l, 8090, "")
		l.AwaitLines("var/log/caddy/access.log", w.lines)
		wantTruth(t, l, "var/log/caddy/access.log", "caddy_json", w)
	})
	t.Run("varnish", func(t *testing.T) {
		l := lab.New(t)
		l.Lighttpd()
		l.Varnish()
		w := visit(t, l, 6081, "")
		l.VarnishLog("var/log/varnish/varnishncsa.log", w.lines)
		wantTruth(t, l, "var/log/varnish/varnishncsa.log", "apache_combined", w)
	})
	t.Run("squid", func(t *testing.T) {
		l := lab.New(t)
		l.Lighttpd()
		l.Squid()
		w := visit(t, l, 3128, "http://"+lab.Addr4+":8081")
		l.AwaitLines("var/log/squid/access.log", w.lines)
		wantTruth(t, l, "var/log/squid/access.log", "squid", w)
		wantTruth(t, l, "var/log/squid/combined.log", "apache_combined", w)
	})
	t.Run("haproxy", func(t *testing.T) {
		l := lab.New(t)
		l.Syslog()
		l.Lighttpd()
		l.HAProxy()
		const name = "var/log/haproxy.log"
		w := visit(t, l, 8080, "")
		l.AwaitLines(name, w.lines)
		wantTruth(t, l, name, "haproxy_http", w)
		clf := visit(t, l, 8082, "")
		want(t, l.Do(lab.Request{From: "203.0.113.14", Port: 8084, Host: "blog.example.com", Target: "/gone"}), 503)
		c := l.Talk("198.51.100.7", 8080, "")
		c.Send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
		c.End()
		c = l.Talk("198.51.100.8", 8080, "")
		c.Send("GET /x\" {" + forged + "} \x01 HTTP/1.1\r\n\r\n")
		c.End()
		want(t, l.Do(lab.Request{From: "203.0.113.15", Port: 8083, Host: "blog.example.com", Target: "/style.css"}), 200)
		l.AwaitLines(name, w.lines+clf.lines+4)
		p := pages(t, l, name, "ip")
		if p.Lines != w.lines+clf.lines+4 || p.Parsed != p.Lines {
			t.Errorf("%d lines, %d understood; want %d", p.Lines, p.Parsed, w.lines+clf.lines+4)
		}
		got := map[string]int{}
		for _, r := range p.Rows {
			got[r.Key] = r.Count
		}
		for client, n := range clf.clients {
			w.clients[client] += n
		}
		for _, client := range []string{"203.0.113.14", "203.0.113.15", "198.51.100.7", "198.51.100.8"} {
			w.clients[client] = 1
		}
		wantSame(t, name+" by ip", got, w.clients)
	})
}
