package faults

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/connwarden/connwarden"
)

func TestFingerprint(t *testing.T) {
	tests := []struct{ service, code, message, want string }{
		{"apache", "AH00161", "server reached MaxRequestWorkers setting, consider raising the MaxRequestWorkers setting",
			"apache AH00161 server reached MaxRequestWorkers setting, consider raising the MaxRequestWorkers setting"},
		{"php-fpm", "", "server reached pm.max_children setting (5), consider raising it",
			"php-fpm - server reached pm.max_children setting ({n}), consider raising it"},
		{"php-fpm", "", "child 4711 exited on signal 11 (SIGSEGV) after 2.513201 seconds from start",
			"php-fpm - child {n} exited on signal {n} (SIGSEGV) after {n} seconds from start"},
		{"php-fpm", "", "executing too slow in mysqli_query() called by _do_query(), script /var/www/html/index.php",
			"php-fpm - executing too slow in mysqli_query() called by _do_query(), script /var/www/html/index.php"},
		{"nginx", "", `open() "/var/www/html/x 1.png" failed (2: No such file or directory)`,
			`nginx - open() "…" failed ({n}: No such file or directory)`},
		{"nginx", "", "connect() to unix:/run/php/php8.2-fpm.sock failed (2: No such file or directory) while connecting to upstream",
			"nginx - connect() to {path} failed ({n}: No such file or directory) while connecting to upstream"},
		{"nginx", "", `limiting requests, excess: 5.200 by zone "one"`, `nginx - limiting requests, excess: {n} by zone "…"`},
		{"nginx", "", "SSL_do_handshake() failed (SSL: error:0A000102:SSL routines::unsupported protocol) while SSL handshaking",
			"nginx - SSL_do_handshake() failed (SSL: error:{hex}:SSL routines::unsupported protocol) while SSL handshaking"},
		{"nginx", "", "768 worker_connections are not enough", "nginx - {n} worker_connections are not enough"},
		{"nginx", "", "bind() to 0.0.0.0:80 failed (98: Address already in use)", "nginx - bind() to {addr} failed ({n}: Address already in use)"},
		{"nginx", "", "bind() to [::]:80 failed (98: Address already in use)", "nginx - bind() to [{addr}]:{n} failed ({n}: Address already in use)"},
		{"apache", "AH00957", "Connection refused: http: attempt to connect to 127.0.0.1:9 (127.0.0.1:9) failed",
			"apache AH00957 Connection refused: http: attempt to connect to {addr} ({addr}) failed"},
		{"apache", "AH01618", "user bob not found: /private/", "apache AH01618 user {name} not found: {path}"},
		{"apache", "AH00128", "File does not exist: /var/www/html/nofile", "apache AH00128 File does not exist: {path}"},
		{"apache", "AH00112", "Warning: DocumentRoot [/srv/x] does not exist", "apache AH00112 Warning: DocumentRoot [{path}] does not exist"},
		{"php", "", "PHP Warning:  Undefined variable $x in /var/www/html/index.php on line 3",
			"php - PHP Warning: Undefined variable $… in {path} on line {n}"},
		{"php", "", "PHP Fatal error:  Uncaught Error: Call to undefined function foo_bar() in /a.php:3\nStack trace:\n#0 {main}",
			"php - PHP Fatal error: Uncaught Error: Call to undefined function {name}() in {path}:{n}"},
		{"php", "", `PHP Fatal error:  Uncaught App\Model\NotFound: item 5 in C:\www\a.php:3`,
			`php - PHP Fatal error: Uncaught App\Model\NotFound: item {n} in {path}:{n}`},
		{"php", "", "PHP Fatal error:  Uncaught Error: Call to undefined method Foo\\Bar::baz() in /a.php:3",
			"php - PHP Fatal error: Uncaught Error: Call to undefined method {name}() in {path}:{n}"},
		{"php", "", "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes) in /a.php on line 3",
			"php - PHP Fatal error: Allowed memory size of {n} bytes exhausted (tried to allocate {n} bytes) in {path} on line {n}"},
		{"apache", "AH01071", `Got error 'PHP message: PHP Warning:  Undefined array key "k" in /a.php on line 2'`,
			`apache AH01071 Got error 'PHP message: PHP Warning: Undefined array key "…" in {path} on line {n}'`},
		{"nginx", "", "FastCGI sent in stderr: \"PHP message: PHP Fatal error:  Uncaught Error: x() in /a.php:2\nStack trace:",
			`nginx - FastCGI sent in stderr: "PHP message: PHP Fatal error: Uncaught Error: {name}() in {path}:{n}`},
		{"nginx", "", `FastCGI sent in stderr: "Primary script unknown" while reading response header from upstream`,
			`nginx - FastCGI sent in stderr: "Primary script unknown" while reading response header from upstream`},
		{"mysql", "MY-010055", "IP address '192.0.2.1' could not be resolved: Name or service not known",
			"mysql MY-010055 IP address '…' could not be resolved: Name or service not known"},
		{"kernel", "", "nf_conntrack: nf_conntrack: table full, dropping packet", "kernel - nf_conntrack: nf_conntrack: table full, dropping packet"},
		{"kernel", "", "Out of memory: Killed process 4711 (mariadbd) total-vm:1234kB", "kernel - Out of memory: Killed process {n} (mariadbd) total-vm:{n}"},
		{"apache", "", "can't open it, don't know why", "apache - can't open it, don't know why"},
		{"apache", "", "session 4f2a9c0de1b84f2a9c0de1b8 at https://example.com/x?y=1 of www.example.com since 2026-11-22",
			"apache - session {hex} at {url} of {name} since {n}"},
		{"apache", "", "2001:db8::1 said 12:30:05", "apache - {addr} said {n}"},
		{"apache", "", "", "apache - (no text)"},
		{"apache", "", "a\x1b[31m\x00\tb\xff\u0085é", "apache - a [{n} b??é"},
		{"apache", "", "\n\n first\nsecond", "apache - first"},
	}
	for _, tt := range tests {
		f := &connwarden.Fault{Service: tt.service, Code: []byte(tt.code), Message: []byte(tt.message)}
		if got := string(Fingerprint(nil, f)); got != tt.want {
			t.Errorf("message %q\n got %s\nwant %s", tt.message, got, tt.want)
		}
	}
}

// TestFingerprintOne takes what differs from case to case, puts other values in its place, and wants the same.
func TestFingerprintOne(t *testing.T) {
	forms := []string{
		"child pid %N exit signal Segmentation fault (%N)",
		"client denied by server configuration: %P",
		"attempt to connect to %A:80 (%A) failed",
		"Could not resolve host %H for '%P', took %N ms",
		"PHP Notice:  Undefined index: x in %P on line %N",
		"read of %P: 0x%X at %N",
	}
	values := []map[string]string{
		{"%N": "1", "%P": "/a", "%A": "10.0.0.1", "%H": "a.example.com", "%X": "ff"},
		{"%N": "4711", "%P": "/var/www/a-b_c.d/index.php", "%A": "203.0.113.250", "%H": "www.long-name.example.net", "%X": "7ffdeadbeef0"},
		{"%N": "0.250", "%P": "/home/user1/public_html/wp-content/x.min.js", "%A": "192.0.2.9", "%H": "db1.internal.example", "%X": "12"},
	}
	for _, form := range forms {
		var first string
		for i, v := range values {
			m := form
			for k, s := range v {
				m = strings.ReplaceAll(m, k, s)
			}
			got := string(Fingerprint(nil, &connwarden.Fault{Service: "apache", Message: []byte(m)}))
			if i == 0 {
				first = got
			} else if got != first {
				t.Errorf("%q\n got %s\nwant %s", m, got, first)
			}
		}
	}
}

func TestFingerprintAllocs(t *testing.T) {
	f := &connwarden.Fault{Service: "nginx", Message: []byte(`open() "/var/www/html/x" failed (2: No such file or directory) for 192.0.2.1 $x a\b`)}
	room := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { room = Fingerprint(room[:0], f) }); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkFingerprint(b *testing.B) {
	f := &connwarden.Fault{Service: "apache", Code: []byte("AH01071"), Message: []byte(
		`Got error 'PHP message: PHP Fatal error:  Uncaught Error: Call to undefined function foo() in /var/www/html/wp-content/plugins/x/a.php:3\nStack trace:\n#0 {main}\n  thrown in /var/www/html/wp-content/plugins/x/a.php on line 3'`)}
	room := make([]byte, 0, 1024)
	b.SetBytes(int64(len(f.Message)))
	b.ReportAllocs()
	for b.Loop() {
		room = Fingerprint(room[:0], f)
	}
}

func FuzzFingerprint(f *testing.F) {
	f.Add("nginx", []byte(""), []byte(`open() "/var/www/html/x" failed (2: No such file or directory)`))
	f.Add("php", []byte("AH01071"), []byte("PHP Warning:  Undefined variable $x in C:\\x.php:3 on line 3\nx"))
	f.Add("apache", []byte("A\x00"), []byte("'a''`b' 'c \"\\\" 0x0 2001:db8::1 1.2.3.4:5 :: /\\\xff\xc2\x85"))
	f.Fuzz(func(t *testing.T, service string, code, message []byte) {
		service = strings.Map(func(r rune) rune {
			if r <= ' ' || r >= 0x7f {
				return 'x'
			}
			return r
		}, service)
		service = service[:min(len(service), 16)]
		fault := &connwarden.Fault{Service: service, Code: code, Message: message}
		before := []byte("before")
		all := Fingerprint(before, fault)
		if !bytes.HasPrefix(all, before) {
			t.Fatalf("what stood before is gone: %q", all)
		}
		print := all[len(before):]
		if len(print) > maxFingerprint {
			t.Errorf("%d bytes", len(print))
		}
		if !utf8.Valid(print) || bytes.IndexFunc(print, unicode.IsControl) >= 0 {
			t.Errorf("not clean: %q", print)
		}
		if again := Fingerprint(nil, fault); !bytes.Equal(again, print) {
			t.Errorf("twice: %q, %q", print, again)
		}
		if k := Find(fault); k != nil && k.Key == "" {
			t.Errorf("a kind without a key")
		}
	})
}
