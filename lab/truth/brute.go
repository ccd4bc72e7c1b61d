package truth

import (
	"fmt"
	"strings"
	"time"
)

// Those who guess the passwords of web sites.
var bruteKinds = []Kind{
	{Name: "wordpress-fast", play: func(w *World) {
		a := w.guesser(20 * time.Minute)
		for range a.from(15, 120) {
			a.guess()
			a.pause(200*time.Millisecond, 4*time.Second)
		}
	}},
	{Name: "wordpress-form-first", play: func(w *World) {
		a := w.guesser(40 * time.Minute)
		a.agent = a.browser()
		for range a.from(12, 60) {
			a.get("/wp-login.php", a.absent(200))
			a.pause(300*time.Millisecond, 2*time.Second)
			a.referer = "https://" + a.site.host + "/wp-login.php"
			a.guess()
			a.pause(time.Second, 15*time.Second)
		}
	}},
	{Name: "wordpress-slow", play: func(w *World) {
		a := w.guesser(7 * time.Hour)
		for range a.from(22, 60) {
			a.guess()
			a.pause(2*time.Minute, 15*time.Minute)
		}
	}},
	{Name: "wordpress-reset", play: func(w *World) { // has passwords sent to every user it knows
		a := w.guesser(10 * time.Minute)
		for range a.from(8, 40) {
			a.post("/wp-login.php?action=lostpassword", a.absent(302))
			a.pause(time.Second, 12*time.Second)
		}
	}},
	{Name: "wordpress-spread", Mass: true, play: func(w *World) {
		w.spread(w.from(50, 2000), 10*time.Minute, 90*time.Minute, func(a *actor) { a.guess() })
	}},
	{Name: "wordpress-spread-form-first", Mass: true, play: func(w *World) {
		w.spread(w.from(50, 600), 10*time.Minute, 60*time.Minute, func(a *actor) {
			a.agent = a.browser()
			a.get("/wp-login.php", a.absent(200))
			a.pause(time.Second, 4*time.Second)
			a.guess()
		})
	}},
	{Name: "wordpress-spread-thin", Mass: true, play: func(w *World) { // two to five from each, over hours
		w.spread(w.from(100, 400), 5*time.Hour, 7*time.Hour, func(a *actor) {
			for range a.from(2, 5) {
				a.guess()
				a.pause(2*time.Second, 30*time.Second)
			}
		})
	}},
	{Name: "xmlrpc-fast", play: func(w *World) {
		a := w.guesser(30 * time.Minute)
		path := a.pick("/xmlrpc.php", "//xmlrpc.php", "/blog/xmlrpc.php", "/wp/xmlrpc.php")
		for range a.from(25, 300) {
			a.ask("POST", path, a.absent(200), 370+a.IntN(60))
			a.pause(100*time.Millisecond, 5*time.Second)
		}
	}},
	{Name: "xmlrpc-slow", play: func(w *World) {
		a := w.guesser(7 * time.Hour)
		for range a.from(30, 80) {
			a.ask("POST", "/xmlrpc.php", a.absent(200), 370+a.IntN(60))
			a.pause(time.Minute, 10*time.Minute)
		}
	}},
	{Name: "xmlrpc-multicall", play: func(w *World) {
		a := w.guesser(2 * time.Hour)
		for range a.from(4, 40) {
			a.ask("POST", "/xmlrpc.php", a.absent(200), a.from(30_000, 400_000))
			a.pause(2*time.Second, 3*time.Minute)
		}
	}},
	{Name: "xmlrpc-spread", Mass: true, play: func(w *World) {
		w.spread(w.from(50, 1500), 10*time.Minute, 90*time.Minute, func(a *actor) { a.ask("POST", "/xmlrpc.php", a.absent(200), 370+a.IntN(60)) })
	}},
	{Name: "joomla-login", play: func(w *World) {
		a := w.guesser(30 * time.Minute)
		for range a.from(14, 90) {
			if a.chance(0.5) {
				a.get("/administrator/index.php", a.only(200, joomla))
				a.pause(0, time.Second)
			}
			a.post(a.pick("/administrator/index.php", "/administrator/"), a.only(303, joomla))
			a.pause(time.Second, 8*time.Second)
		}
	}},
	{Name: "drupal-login", play: func(w *World) {
		a := w.guesser(30 * time.Minute)
		for range a.from(12, 90) {
			a.post(a.pick("/user/login", "/user/login?destination=/", "/?q=user/login"), a.only(200, drupal))
			a.pause(time.Second, 8*time.Second)
		}
	}},
	{Name: "magento-login", play: func(w *World) {
		a := w.guesser(30 * time.Minute)
		path := a.pick("/customer/account/loginPost/", "/admin/", "/index.php/admin/", "/rest/V1/integration/admin/token")
		for range a.from(14, 90) {
			a.post(path, a.only(302, magento))
			a.pause(time.Second, 6*time.Second)
		}
	}},
	{Name: "phpmyadmin-login", play: func(w *World) {
		a := w.guesser(20 * time.Minute)
		path := a.pick("/phpmyadmin/index.php", "/pma/index.php", "/phpMyAdmin/", "/phpmyadmin/")
		there := a.chance(0.5)
		for range a.from(10, 120) {
			status := 200
			if !there {
				status = a.site.missing
			}
			if a.chance(0.3) {
				a.get(path, status)
			}
			a.post(path, status)
			a.pause(300*time.Millisecond, 5*time.Second)
		}
	}},
	{Name: "form-login", play: func(w *World) { // the login of an application of its own
		a := w.guesser(30 * time.Minute)
		path := a.pick("/login", "/account/login", "/signin", "/users/sign_in", "/auth/login", "/login.php", "/member/login.php", "/admin/login", "/api/login", "/api/v1/auth/login", "/api/auth/signin")
		status := a.choose(200, 401, 403, 422, 400)
		if strings.Contains(path, "/api/") { // where 200 would be a success
			status = a.choose(401, 403, 422, 400)
		}
		for range a.from(16, 150) {
			a.post(path, status)
			a.pause(300*time.Millisecond, 5*time.Second)
		}
	}},
	{Name: "basic-auth", play: func(w *World) {
		a := w.guesser(10 * time.Minute)
		path := a.pick("/admin/", "/private/", "/manager/html", "/wp-admin/", "/", "/cgi-bin/luci")
		for range a.from(10, 200) {
			a.user = a.pick("admin", "root", "user", "tomcat", "test", "manager")
			a.get(path, 401)
			a.pause(100*time.Millisecond, 3*time.Second)
		}
	}},
	{Name: "credential-stuffing", play: func(w *World) { // each password once, for customers of a shop
		a := w.guesser(2 * time.Hour)
		path := a.pick("/my-account/", "/account/login", "/login", "/customer/account/loginPost/")
		for range a.from(30, 150) {
			a.agent = a.browser()
			a.post(path, a.choose(200, 200, 200, 401))
			a.pause(2*time.Second, 20*time.Second)
		}
	}},
	{Name: "user-names", play: func(w *World) {
		a := w.guesser(10 * time.Minute)
		switch a.IntN(4) {
		case 0, 1:
			for i := range a.from(4, 20) {
				a.get(fmt.Sprintf(a.pick("/?author=%d", "/?author=%d", "/index.php?author=%d"), i+1), a.absent(301))
				a.pause(100*time.Millisecond, 3*time.Second)
			}
		case 2:
			for _, p := range []string{"/wp-json/wp/v2/users", "/wp-json/wp/v2/users/1", "/?rest_route=/wp/v2/users", "/wp-json/wp/v2/users?per_page=100&page=1"} {
				a.get(p, a.absent(a.choose(200, 401, 403)))
				a.pause(100*time.Millisecond, 3*time.Second)
			}
		default:
			for i := range a.from(4, 12) {
				a.get(fmt.Sprintf("/wp-json/wp/v2/users/%d", i+1), a.absent(404))
				a.pause(100*time.Millisecond, 3*time.Second)
			}
		}
	}},
	{Name: "user-names-once", play: func(w *World) {
		a := w.guesser(time.Minute)
		a.get(a.pick("/wp-json/wp/v2/users", "/wp-json/wp/v2/users/", "/?rest_route=/wp/v2/users", "/wp-json/?rest_route=/wp/v2/users/", "/wp-json/wp/v2/users?per_page=100", "/blog/wp-json/wp/v2/users"), a.absent(200))
		a.get("/?author=1", a.absent(301))
	}},
}

// guesser is one that guesses: with the agent of a browser or of a script.
func (w *World) guesser(lasts time.Duration) *actor {
	a := w.actor(lasts)
	a.agent = a.disguise()
	if a.chance(0.1) {
		a.forged = a.pick("127.0.0.1", "8.8.8.8", "10.0.0.1")
	}
	return a
}

// guess is a password at WordPress that is wrong.
func (a *actor) guess() {
	a.ask("POST", "/wp-login.php", a.absent(200), 4000+a.IntN(3000))
}

// absent is the answer that WordPress gives, or what a site without it says.
func (a *actor) absent(status int) int {
	if a.isWordPress() {
		return status
	}
	return a.site.missing
}

// only is the answer of a system, or what a site without it says.
func (a *actor) only(status int, s system) int {
	if a.site.system == s {
		return status
	}
	return a.site.missing
}

func (w *World) choose(list ...int) int { return list[w.IntN(len(list))] }

// spread has n addresses do something once each, within a time; some of them are neighbours.
func (w *World) spread(n int, from, to time.Duration, does func(*actor)) {
	long := w.between(from, to)
	begin := w.moment(long + time.Minute)
	w.sieges = append(w.sieges, siege{w.kind.Name, begin, long, w.target})
	agents := []string{w.disguise(), w.disguise(), w.disguise()}
	same := w.chance(0.5)
	last := w.stranger()
	for range n {
		addr := w.stranger()
		if w.chance(0.15) {
			addr = w.neighbour(last)
		}
		last = addr
		a := w.actorAt(addr, 0)
		a.at = begin.Add(w.between(0, long))
		a.agent = w.disguise()
		if same {
			a.agent = w.pick(agents...)
		}
		does(a)
	}
}
