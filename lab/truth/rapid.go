package truth

import (
	"fmt"
	"time"
)

// Those who are short and quick: a dozen requests within seconds, as scripts guess and as pages, programs and impatient people do by
// themselves.
var rapidKinds = []Kind{
	{Name: "login-burst", play: func(w *World) { // a handful of passwords, and gone
		a := w.actor(time.Minute)
		a.agent, a.private = a.browser(), true
		path, status := "/wp-login.php", a.absent(200)
		switch a.IntN(4) {
		case 0:
			path = a.pick("/xmlrpc.php", "//xmlrpc.php")
		case 1:
			path, status = a.pick("/login", "/users/sign_in", "/user/login", "/auth/login", "/signin"), a.choose(401, 403, 422)
		}
		for range a.from(7, 14) {
			size := a.usual(path, status)
			if path[len(path)-1] == 'p' && status == 200 && path != "/wp-login.php" {
				size = 370 + a.IntN(60)
			}
			a.ask("POST", path, status, size)
			a.pause(50*time.Millisecond, 1200*time.Millisecond)
		}
	}},
	{Name: "basic-auth-unnamed", play: func(w *World) { // the log does not tell the names that were tried
		a := w.actor(2 * time.Minute)
		a.agent, a.private = a.browser(), true
		path := a.pick("/admin/", "/private/", "/intern/", "/secure/", "/stats/")
		for range a.from(8, 60) {
			a.ask(a.pick("GET", "GET", "GET", "HEAD"), path, 401, 300+a.IntN(300))
			a.pause(100*time.Millisecond, 2*time.Second)
		}
	}},
	{Name: "clicks-again", Role: Innocent, play: func(w *World) { // the server is slow and the password wrong: click, click, click
		a := w.actor(10 * time.Minute)
		path, wrong := a.login()
		a.page(path, a.chance(0.5))
		for range a.from(1, 3) {
			a.pause(4*time.Second, 15*time.Second)
			for range a.from(2, 3) {
				a.submit(path, wrong)
				a.pause(200*time.Millisecond, 1500*time.Millisecond)
			}
		}
		a.page("/", true)
	}},
	{Name: "password-kept", Role: Innocent, play: func(w *World) { // the browser remembers a password that was changed, and a page shows many pictures
		a := w.actor(20 * time.Minute)
		a.page("/", false)
		a.user = a.word()
		if !a.private {
			a.referer = "https://" + a.site.host + "/intern/"
		}
		for range a.from(1, 2) {
			for range a.from(6, 30) {
				a.get(fmt.Sprintf("/intern/%s.%s", a.slug(), a.pick("png", "jpg", "css", "js", "svg")), 401)
				a.at = a.at.Add(a.between(0, 100*time.Millisecond))
			}
			a.pause(5*time.Second, time.Minute)
		}
	}},
	{Name: "tabs-again", Role: Innocent, play: func(w *World) { // the browser opens anew all that was open, behind a password that it does not keep
		a := w.actor(20 * time.Minute)
		begin := a.at
		for range a.from(3, 12) {
			a.get("/intern/"+a.slug(), 401)
			a.at = a.at.Add(a.between(0, 200*time.Millisecond))
		}
		a.at = begin.Add(a.between(8*time.Second, 30*time.Second))
		if a.chance(0.7) {
			a.user = a.word()
			for range a.from(6, 40) {
				a.page("/intern/"+a.slug(), true)
				a.pause(time.Second, 20*time.Second)
			}
		}
	}},
	{Name: "left-open", Role: Innocent, play: func(w *World) { // a screen of figures that asks for more, though its session is over
		a := w.actor(2 * time.Hour)
		path, status := a.pick("/api/ds/query?ds_type=prometheus", "/wp-admin/admin-ajax.php", "/api/v2/panels/data", "/notifications/poll"), a.choose(401, 403)
		if !a.private {
			a.referer = "https://" + a.site.host + "/d/" + a.letters(8)
		}
		step := a.between(500*time.Millisecond, 10*time.Second)
		for range a.from(40, 400) {
			a.post(path, status)
			a.at = a.at.Add(step)
		}
	}},
	{Name: "key-ended", Role: Innocent, play: func(w *World) { // a program of a partner that tries again and again, though its key is no longer taken
		a := w.actor(2 * time.Hour)
		a.agent = a.pick("GuzzleHttp/7", "Java/17.0.9", "axios/1.6.8", "python-requests/2.31.0", "Go-http-client/2.0", "Apache-HttpClient/4.5.13 (Java/11)")
		path, status := a.pick("/oauth/token", "/api/v1/orders", "/api/users/sync", "/payment/notify.php", "/hooks/in", "/graphql"), a.choose(401, 403, 429)
		step := a.between(500*time.Millisecond, 20*time.Second)
		for range a.from(20, 200) {
			a.post(path, status)
			a.at = a.at.Add(step)
		}
	}},
	{Name: "program-old-password", Role: Innocent, play: func(w *World) { // a program that asks for several things at once, or by the clock
		a := w.actor(2 * time.Hour)
		one := [][2]string{
			{"Prometheus/2.53.0", "/metrics/%d"}, {"Debian APT-HTTP/1.3 (2.6.1)", "/repo/dists/s%d/InRelease"}, {"Apache-Maven/3.9.6 (Java 17.0.9; Linux 6.1)", "/repository/a/%d.pom"},
			{"Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.12.0", "/calendars/%d.ics"}, {"git/2.43.0", "/r%d.git/info/refs?service=git-upload-pack"},
			{"rclone/v1.66.0", "/files/%d"}, {"pip/24.0 {\"ci\":null}", "/simple/p%d/"}, {"Composer/2.7.1 (Linux; PHP 8.2)", "/packages/%d.json"},
		}
		what := one[a.IntN(len(one))]
		a.agent, a.user = what[0], a.word()
		many, step := a.from(4, 14), a.between(5*time.Second, 5*time.Minute)
		for range a.from(2, 12) {
			for i := range many {
				a.get(fmt.Sprintf(what[1], i), 401)
				a.at = a.at.Add(a.between(0, 150*time.Millisecond))
			}
			a.at = a.at.Add(step)
		}
	}},
}
