package lab_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/connwarden/connwarden/lab"
)

// blog asks the blog.
func blog(from, method, target string) lab.Request {
	return lab.Request{From: from, Host: "blog.example.com", Method: method, Target: target}
}

// want fails the test unless the answer has the status.
func want(t *testing.T, a lab.Answer, status int) {
	t.Helper()
	if a.Status != status {
		t.Fatalf("status %d, want %d; body %q", a.Status, status, a.Body)
	}
}

// TestRealApache makes Apache and PHP-FPM write what they write on a bad day.
func TestRealApache(t *testing.T) {
	for _, model := range []struct{ name, full string }{
		{"event", "AH00484: server reached MaxRequestWorkers setting"},
		{"prefork", "AH00161: server reached MaxRequestWorkers setting"},
	} {
		t.Run(model.name, func(t *testing.T) {
			l := lab.New(t)
			version := l.PHP()
			l.Apache(model.name)

			want(t, l.Do(blog("203.0.113.10", "", "/?p=3")), http.StatusOK)
			want(t, l.Do(blog("2001:db8:1::10", "", "/style.css")), http.StatusOK)
			want(t, l.Do(blog("198.51.100.9", "", "/no-such-page")), http.StatusNotFound)
			want(t, l.Do(blog("198.51.100.9", "", "/private/backup.sql")), http.StatusForbidden)
			want(t, l.Do(blog("198.51.100.7", "POST", "/wp-login.php")), http.StatusOK)
			want(t, l.Do(blog("198.51.100.8", "POST", "/xmlrpc.php")), http.StatusForbidden)
			want(t, l.Do(blog("198.51.100.9", "POST", "/xmlrpc.php")), http.StatusOK)
			want(t, l.Do(blog("198.51.100.9", "GET", "/xmlrpc.php")), http.StatusMethodNotAllowed)
			login := blog("203.0.113.10", "POST", "/wp-login.php")
			login.Body = "log=ann&pwd=correct+horse"
			want(t, l.Do(login), http.StatusFound)

			want(t, l.Do(blog("203.0.113.11", "", "/memory.php")), http.StatusInternalServerError)
			want(t, l.Do(blog("203.0.113.11", "", "/cart.php")), http.StatusInternalServerError)
			shop := lab.Request{From: "203.0.113.12", Host: "shop.example.com", Target: "/missing.php"}
			want(t, l.Do(shop), http.StatusInternalServerError)

			full(t, l, version, model.full)

			l.AwaitLines("var/log/apache2/blog.access.log", 9+2+12)
			l.AwaitLines("var/log/apache2/other_vhosts_access.log", 1+3)
			for name, texts := range map[string][]string{
				"var/log/apache2/blog.access.log": {
					`203.0.113.10 - - [`, `2001:db8:1::10 - - [`, `"POST /xmlrpc.php HTTP/1.1" 403 `, `"POST /wp-login.php HTTP/1.1" 302 `,
				},
				"var/log/apache2/other_vhosts_access.log": {`shop.example.com:80 203.0.113.12 - - [`},
				"var/log/apache2/blog.error.log": {
					"AH01630: client denied by server configuration: /var/www/blog/private/backup.sql",
					"AH01630: client denied by server configuration: /var/www/blog/xmlrpc.php",
					"AH01071: Got error 'PHP message: PHP Fatal error:  Allowed memory size of 16777216 bytes exhausted",
					"PHP Fatal error:  Uncaught RuntimeException: no rate for EUR in /var/www/blog/wp-content/plugins/cart/cart.php:12",
				},
				"var/log/php/shop.error.log": {
					"UTC] PHP Fatal error:  Uncaught Error: Call to undefined function charge_card_of_a_plugin_that_was_removed()",
					"\nStack trace:\n#0 /var/www/shop/missing.php(6): checkout()\n#1 {main}\n  thrown in /var/www/shop/missing.php on line 4\n",
				},
			} {
				for _, text := range texts {
					if got := l.Read(name); !strings.Contains(got, text) {
						t.Errorf("%s lacks %q; it holds:\n%s", name, text, got)
					}
				}
			}
		})
	}
}

// full fills both pools of PHP, then Apache itself, with requests that wait, until each has said so, and lets them go:
// twelve of the blog, three of the shop.
func full(t *testing.T, l *lab.Lab, version, apache string) {
	t.Helper()
	fpm := fmt.Sprintf("var/log/php%s-fpm.log", version)
	gate := l.Close()
	var held []*lab.Held
	hold := func(host string, n int) {
		for i := range n {
			from := fmt.Sprintf("203.0.113.%d", 100+i)
			held = append(held, l.Send(lab.Request{From: from, Host: host, Target: "/hold.php"}))
		}
	}
	// An on-demand pool looks at a new connection only while no child is idle, and only once: one at a time.
	for n := range 2 {
		hold("shop.example.com", 1)
		l.AwaitLines("tmp/waiting", n+1)
	}
	hold("shop.example.com", 1)
	l.AwaitText(fpm, "[pool shop] server reached max_children setting (2), consider raising it")
	hold("blog.example.com", 6)
	l.AwaitText(fpm, "[pool www] server reached pm.max_children setting (5), consider raising it")
	l.AwaitText("var/log/php/www.slow.log", "flock() /var/www/blog/hold.php:5")
	hold("blog.example.com", 6)
	l.AwaitText("var/log/apache2/error.log", apache)
	gate.Open()
	for _, h := range held {
		want(t, h.Answer(), http.StatusOK)
	}
}

// TestRealNginx makes nginx write what it writes on a bad day.
func TestRealNginx(t *testing.T) {
	l := lab.New(t)
	l.Nginx()
	ask := func(from, target string, status int) {
		t.Helper()
		want(t, l.Do(lab.Request{From: from, Port: 8080, Host: "api.example.com", Target: target}), status)
	}
	ask("203.0.113.10", "/", http.StatusOK)
	ask("203.0.113.10", "/favicon.ico", http.StatusNotFound)
	ask("2001:db8:1::10", "/app/orders", http.StatusBadGateway)
	ask("198.51.100.20", "/private/keys", http.StatusForbidden)
	ask("198.51.100.20", "/search", http.StatusOK)
	for range 9 {
		ask("198.51.100.20", "/search", http.StatusServiceUnavailable)
	}
	l.AwaitLines("var/log/nginx/api.access.log", 14)
	l.AwaitLines("var/log/nginx/api.error.log", 12)
	text := l.Read("var/log/nginx/api.error.log")
	for want, times := range map[string]int{
		"connect() failed (111: Connection refused) while connecting to upstream, client: 2001:db8:1::10,": 1,
		`access forbidden by rule, client: 198.51.100.20,`:                                                 1,
		`open() "/var/www/api/favicon.ico" failed (2: No such file or directory), client: 203.0.113.10,`:   1,
		`by zone "search", client: 198.51.100.20,`:                                                         9,
	} {
		if got := strings.Count(text, want); got != times {
			t.Errorf("%q is there %d times, want %d; the log holds:\n%s", want, got, times, text)
		}
	}
}
