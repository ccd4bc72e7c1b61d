package truth

import (
	"fmt"
	"time"
)

// signedIn is a login that succeeds, with the page before and after.
func (a *actor) signedIn(path string) {
	a.page(path, a.chance(0.5))
	a.pause(2*time.Second, 20*time.Second)
	a.submit(path, 302)
	a.page("/my-account/", true)
}

// submit sends the form of a page, as a browser does: it says from which page, unless its owner told it not to.
func (a *actor) submit(path string, status int) {
	was := a.referer
	if a.referer = "-"; !a.private {
		a.referer = "https://" + a.site.host + path
	}
	a.post(path, status)
	a.referer = was
}

// login is where customers of the site sign in, and what it says to a wrong password.
func (w *World) login() (path string, wrong int) {
	if w.isWordPress() {
		return w.pick("/wp-login.php", "/my-account/"), 200
	}
	return w.pick("/login", "/account/login", "/users/sign_in"), w.choose(200, 401, 422)
}

// Those who have accounts.
var customerKinds = []Kind{
	{Name: "forgetful", Role: Innocent, play: func(w *World) {
		a := w.actor(20 * time.Minute)
		path, wrong := a.login()
		a.page("/", false)
		for range a.from(3, 5) {
			a.page(path, true)
			a.pause(3*time.Second, 30*time.Second)
			a.submit(path, wrong)
			a.pause(2*time.Second, 15*time.Second)
		}
		a.signedIn(path)
	}},
	{Name: "forgetful-gives-up", Role: Innocent, play: func(w *World) {
		a := w.actor(20 * time.Minute)
		path, wrong := a.login()
		a.page(path, a.chance(0.5))
		for range a.from(3, 5) {
			a.pause(3*time.Second, 30*time.Second)
			a.submit(path, wrong)
			if a.chance(0.5) {
				a.get(a.asset(), 304)
			}
		}
		if a.isWordPress() && a.chance(0.5) {
			a.post("/wp-login.php?action=lostpassword", 302)
		}
	}},
	{Name: "password-manager", Role: Innocent, play: func(w *World) { // several sites of a house, one after the other
		a := w.actor(20 * time.Minute)
		path, wrong := a.login()
		for range a.from(1, 4) {
			if a.chance(0.3) {
				a.submit(path, wrong)
				a.pause(time.Second, 4*time.Second)
			}
			a.signedIn(path)
			a.pause(10*time.Second, 2*time.Minute)
		}
	}},
	{Name: "office", Role: Innocent, play: func(w *World) { // everybody signs in in the morning, some with the wrong password
		a := w.actor(4 * time.Hour)
		path, wrong := a.login()
		for range a.from(150, 400) {
			a.agent = a.browser()
			for a.chance(0.2) {
				a.submit(path, wrong)
				a.pause(time.Second, 5*time.Second)
			}
			if a.chance(0.5) {
				a.signedIn(path)
			} else {
				a.submit(path, 302)
				a.page("/my-account/", true)
			}
			a.pause(0, 30*time.Second)
		}
	}},
	{Name: "checkout", Role: Innocent, play: func(w *World) {
		a := w.actor(30 * time.Minute)
		a.page("/", false)
		for range a.from(2, 8) {
			a.page("/product"+a.article(), true)
			a.post("/?wc-ajax=get_refreshed_fragments", 200)
			if a.chance(0.5) {
				a.post("/?wc-ajax=add_to_cart", 200)
			}
			a.pause(5*time.Second, 40*time.Second)
		}
		a.page("/cart/", true)
		a.page("/checkout/", true)
		for range a.from(6, 30) { // after every field
			a.post("/?wc-ajax=update_order_review", 200)
			a.pause(time.Second, 8*time.Second)
		}
		for a.chance(0.4) {
			a.post("/?wc-ajax=checkout", 200)
			a.pause(3*time.Second, 20*time.Second)
		}
		a.post("/?wc-ajax=checkout", 200)
		a.page(fmt.Sprintf("/checkout/order-received/%d/?key=wc_order_%s", a.from(1000, 9999), a.letters(13)), true)
	}},
	{Name: "commenter", Role: Innocent, play: func(w *World) {
		a := w.actor(30 * time.Minute)
		for range a.from(1, 3) {
			a.page(a.article(), a.chance(0.5))
			a.pause(30*time.Second, 3*time.Minute)
			a.post("/wp-comments-post.php", a.absent(302))
		}
	}},
	{Name: "chat", Role: Innocent, play: func(w *World) { // asks every few seconds whether there is news
		a := w.actor(3 * time.Hour)
		a.page("/support/", false)
		path := a.pick("/wp-admin/admin-ajax.php", "/api/chat/poll", "/ajax/messages")
		for range a.from(200, 1200) {
			a.post(path, 200)
			a.pause(2*time.Second, 6*time.Second)
		}
	}},
	{Name: "typing-search", Role: Innocent, play: func(w *World) { // every letter asks
		a := w.actor(10 * time.Minute)
		a.page("/", false)
		for range a.from(2, 6) {
			word := a.word() + a.word()
			for n := range len(word) {
				a.get(a.pick("/suggest?q=", "/?s=")+word[:n+1], 200)
				a.pause(80*time.Millisecond, 400*time.Millisecond)
			}
			a.page(a.article(), true)
			a.pause(2*time.Second, 20*time.Second)
		}
	}},
	{Name: "single-page", Role: Innocent, play: func(w *World) { // an application that asks for much, and whose session ends
		a := w.actor(time.Hour)
		a.page("/app/", false)
		for i := range a.from(60, 400) {
			status := 200
			if i%97 == 96 {
				status = 401
			}
			a.ask(a.pick("GET", "GET", "POST", "PUT"), a.pick("/api/v1/", "/api/v2/")+a.word()+a.pick("", "/"+fmt.Sprint(a.from(1, 9999))), status, a.from(80, 9000))
			if status == 401 {
				a.ask("POST", "/api/v1/auth/refresh", 200, 900)
			}
			a.pause(100*time.Millisecond, 5*time.Second)
		}
	}},
	{Name: "upload", Role: Innocent, play: func(w *World) {
		a := w.actor(time.Hour)
		a.page("/upload/", false)
		for range a.from(20, 120) {
			a.post(a.pick("/api/upload", "/wp-admin/async-upload.php", "/files/chunk"), 200)
			a.pause(200*time.Millisecond, 3*time.Second)
		}
	}},
	{Name: "webdav", Role: Innocent, play: func(w *World) { // a first answer of 401 to every request is how it works
		a := w.actor(3 * time.Hour)
		a.agent = a.pick("Mozilla/5.0 (Linux) mirall/3.10.1 (Nextcloud)", "davfs2/1.6.1 neon/0.32.5", "DAVx5/4.3.12-ose (2024/01/04; dav4jvm; okhttp/4.12.0) Android/13", "Microsoft-WebDAV-MiniRedir/10.0.19045", "macOS/14.2 (23C64) CalendarAgent/988")
		for range a.from(40, 400) {
			path := a.pick("/remote.php/dav/files/anna/", "/remote.php/dav/calendars/anna/", "/dav/") + a.pick("", a.slug()+".pdf")
			if a.chance(0.4) {
				a.ask("PROPFIND", path, 401, 500)
			}
			a.user = "anna"
			a.ask(a.pick("PROPFIND", "PROPFIND", "REPORT", "GET", "PUT"), path, a.choose(207, 207, 200, 204, 304), a.from(200, 9000))
			a.user = "-"
			a.pause(100*time.Millisecond, 30*time.Second)
		}
	}},
	{Name: "basic-auth-user", Role: Innocent, play: func(w *World) {
		a := w.actor(time.Hour)
		a.get("/private/", 401)
		a.user = a.word()
		for range a.from(0, 3) {
			a.get("/private/", 401)
			a.pause(4*time.Second, 15*time.Second)
		}
		for range a.from(3, 30) {
			a.page("/private"+a.article(), true)
			a.pause(3*time.Second, 40*time.Second)
		}
	}},
}
