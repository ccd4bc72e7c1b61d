package lab_test

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/lab"
)

// TestRealWebLogins wants those accused who guess the passwords of pages, by Apache's and nginx' error logs. What a name holds is not believed.
func TestRealWebLogins(t *testing.T) {
	get := func(l *lab.Lab, from string, port uint16, target, authorization, begin string) string {
		c := l.Talk(from, port, "")
		if authorization != "" {
			authorization = "Authorization: " + authorization + "\r\n"
		}
		c.Send("GET " + target + " HTTP/1.1\r\nHost: members.example.com\r\nConnection: close\r\n" + authorization + "\r\n")
		line := c.Hear(begin)
		c.End()
		return line
	}
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	t.Run("apache", func(t *testing.T) {
		l := lab.New(t)
		l.Apache("event")
		digest := func(from, user, uri, end string) {
			t.Helper()
			challenge := get(l, from, 80, "/digest", "", "WWW-Authenticate: Digest ")
			_, nonce, _ := strings.Cut(challenge, `nonce="`)
			nonce, _, _ = strings.Cut(nonce, `"`)
			nonce = nonce[:len(nonce)-len(end)] + end
			get(l, from, 80, "/digest", fmt.Sprintf(`Digest username="%s", realm="lab", nonce="%s", uri="%s", qop=auth, nc=00000001, cnonce="x", algorithm=MD5, response="%x"`,
				user, nonce, uri, md5.Sum([]byte("wrong"))), "HTTP/1.1 40")
		}
		get(l, "203.0.113.10", 80, "/basic/x", basic("ann", lab.Password), "HTTP/1.1 404 ")
		get(l, "198.51.100.7", 80, "/basic/x", basic("ann", "wrong"), "HTTP/1.1 401 ")
		get(l, "198.51.100.7", 80, "/basic/x", basic("root", "wrong"), "HTTP/1.1 401 ")
		get(l, "198.51.100.8", 80, "/basic/x", basic("x [client "+forged+":1] AH01617: user root", "wrong"), "HTTP/1.1 401 ")
		get(l, "198.51.100.8", 80, "/basic/x", basic("x\n[Sun Nov 22 14:03:07.123456 2026] [auth_basic:error] [pid 1:tid 1] [client "+forged+":1] AH01617: user root: authentication failure for \"/\": Password Mismatch", "wrong"), "HTTP/1.1 401 ")
		digest("198.51.100.9", "ann", "/digest", "")
		digest("198.51.100.9", "root", "/digest", "")
		digest("198.51.100.9", "ann", "/other", "")
		digest("198.51.100.9", "ann", "/digest", "0000")
		l.AwaitLines("var/log/apache2/members.access.log", 5+4+4)
		list := explain(t, l, "var/log/apache2/members.error.log", "apache_error")
		wantSame(t, "accused", accused(list), map[string]int{
			"198.51.100.7 auth_failed apache": 2, "198.51.100.8 auth_failed apache": 2, "198.51.100.9 auth_failed apache": 4,
		})
		wantInnocent(t, l, "var/log/apache2/members.error.log", "var/log/apache2/members.access.log")
	})
	t.Run("nginx", func(t *testing.T) {
		l := lab.New(t)
		l.Nginx()
		get(l, "203.0.113.10", 8080, "/members", basic("ann", lab.Password), "HTTP/1.1 404 ")
		get(l, "198.51.100.7", 8080, "/members", basic("ann", "wrong"), "HTTP/1.1 401 ")
		get(l, "198.51.100.7", 8080, "/members", basic("root", "wrong"), "HTTP/1.1 401 ")
		get(l, "198.51.100.8", 8080, "/members", basic(`x" was not found in "y", client: `+forged+`, server: z`, "wrong"), "HTTP/1.1 401 ")
		get(l, "198.51.100.8", 8080, "/members", basic("x\n2026/11/22 14:03:07 [error] 1#1: *1 user \"y\": password mismatch, client: "+forged+", server: z", "wrong"), "HTTP/1.1 401 ")
		l.AwaitLines("var/log/nginx/api.access.log", 5)
		// A name may hold a client, and the end of a line.
		list := explain(t, l, "var/log/nginx/api.error.log", "nginx_error", `user "x" was not found in "y"`, `2026/11/22 14" was not found`)
		wantSame(t, "accused", accused(list), map[string]int{"198.51.100.7 auth_failed nginx": 2})
		wantInnocent(t, l, "var/log/nginx/api.error.log", "var/log/nginx/api.access.log")
	})
}
