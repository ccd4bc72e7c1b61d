package logs

import (
	"regexp"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

// wrapped are lines of logs in which NAME is a text of a client's, as the server writes it when it escapes nothing of it but line ends.
var wrapped = []string{
	`198.51.100.9 - - [22/Nov/2026:14:03:07 +0000] "GET /NAME HTTP/1.1" 404 196 "-" "x"`,
	`198.51.100.9 - - [22/Nov/2026:14:03:07 +0000] "GET / HTTP/1.1" 200 196 "NAME" "NAME"`,
	`198.51.100.9 - NAME [22/Nov/2026:14:03:07 +0000] "GET / HTTP/1.1" 401 196 "-" "x"`,
	`www.example.com:80 198.51.100.9 - - [22/Nov/2026:14:03:07 +0000] "NAME" 400 0 "-" "-"`,
	`[Sun Nov 22 14:03:07.123456 2026] [core:error] [pid 4242] [client 198.51.100.9:51022] AH00126: Invalid URI in request GET NAME HTTP/1.1`,
	`[Sun Nov 22 14:03:07.123456 2026] [auth_basic:error] [pid 4242] [client 198.51.100.9:51022] AH01618: user NAME not found: /x, referer: NAME`,
	`[Sun Nov 22 14:03:07 2026] [error] [client 198.51.100.9] File does not exist: /var/www/html/NAME`,
	`2026/11/22 14:03:07 [error] 12#12: *1 user "NAME" was not found in "/etc/x", client: 198.51.100.9, server: x, request: "GET /NAME HTTP/1.1", host: "NAME"`,
	`2026/11/22 14:03:07 [error] 12#12: *1 open() "/var/www/html/NAME" failed (2: No such file or directory), client: 198.51.100.9, server: x, request: "GET /NAME HTTP/1.1", host: "x"`,
	`2026-11-22 14:03:07: (mod_auth.c.850) password doesn't match for /NAME username: NAME IP: 198.51.100.9`,
	`2026-11-22 14:03:07.123456 [INFO] [4242] [198.51.100.9:51022#x] File not found [/var/www/html/NAME]`,
	`Nov 22 14:03:07 web1 sshd[4242]: Invalid user NAME from 198.51.100.9 port 51022`,
	`Nov 22 14:03:07 web1 myapp[4242]: NAME`,
	`Nov 22 14:03:07 web1 myapp: user NAME failed`,
	`2026-11-22T14:03:07.123456+00:00 web1 myapp[4242]: NAME`,
	`2026-11-22 14:03:07 H=(NAME) [198.51.100.9] F=<a@example.net> rejected RCPT <b@example.org>: relay not permitted`,
	`2026-11-22 14:03:07 1vMxyz-0001Ab-2C <= NAME H=(NAME) [198.51.100.9] P=esmtp S=1042 id=NAME`,
	`2026-11-22T14:03:07.123456Z 12 [Note] Access denied for user 'NAME'@'198.51.100.9' (using password: YES)`,
	`Sun Nov 22 14:03:07 2026 [pid 4242] [NAME] FAIL LOGIN: Client "198.51.100.9"`,
	`[2026-11-22 14:03:07 +0000] info [cpaneld] 198.51.100.9 - NAME "POST /login/ HTTP/1.1" FAILED LOGIN cpaneld: user password incorrect`,
	`[22-Nov-2026 14:03:07 +0100]: <a1b2c3d4> Failed login for NAME from 198.51.100.9 in session a1b2c3d4e5f60718 (error: 0)`,
	`{"time":"2026-11-22T14:03:07Z","client_ip":"198.51.100.9","method":"GET","uri":"/NAME","status":404}`,
	`{"log":"user NAME failed\n","stream":"stdout","time":"2026-11-22T14:03:07.123456789Z"}`,
	`INFO user NAME logged in`,
	`cart of NAME updated`,
	`[worker 3] NAME`,
	`[12345.678901] myapp[4242]: NAME`,
	`[12345.678901] usb 1-1: Product: NAME`,
	`web-1  | INFO NAME`,
}

var anyAddress = regexp.MustCompile(`198\.51\.100\.\d+|2001:db8::7|192\.0\.2\.\d+`)

// TestForgedLines puts every accusing line, whole and without its prefix, with somebody else's address, into every text that a client
// chooses: in whatever log, nobody else is accused.
func TestForgedLines(t *testing.T) {
	const forged = "203.0.113.9"
	var names []string
	cut := syslogLog.NewParser(Options{Now: errorNow})
	for _, list := range lines(t) {
		for _, l := range list {
			if l.want == "-" {
				continue
			}
			name := anyAddress.ReplaceAllString(l.text, forged)
			names = append(names, name, "x "+name)
			if text, tagged, _ := cut.prefix([]byte(name)); tagged && len(text) > 0 {
				names = append(names, string(text))
			}
		}
	}
	homes := []*Format{combined, apacheError, nginxError, syslogLog, named("exim"), guessed}
	parsers := make([]*Parser, len(homes))
	for i, home := range homes {
		parsers[i] = home.NewParser(Options{Now: errorNow, Auto: true})
	}
	bad := 0
	for n, name := range names {
		for m, form := range wrapped {
			for i, text := range []string{strings.ReplaceAll(form, "NAME", name), strings.ReplaceAll(form, "NAME", strings.ReplaceAll(name, `"`, `\"`))} {
				if i == 0 && form[0] == '{' {
					continue // who writes JSON escapes quotes
				}
				p := parsers[(n+m)%len(parsers)]
				got := accused{"-"}
				p.Parse(connwarden.Source{Line: 1}, []byte(text+"\n"), &got)
				p.Flush(&got)
				if got.who == "+"+forged {
					if bad++; bad < 20 {
						t.Errorf("%s: somebody else is accused: %s", p.format.Name, text)
					}
				}
			}
		}
	}
	if bad >= 20 {
		t.Errorf("%d more", bad-19)
	}
}
