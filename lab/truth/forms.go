package truth

import "time"

// sending is what is sent with a form, or to what stands behind it, and how it is answered.
type sending struct {
	page, target string
	status       int
}

// sending draws one of those that everybody may send: a login that is refused, comments, registrations, requests for a new password, payments.
func (w *World) sending() sending {
	all := []sending{
		{"/login", "/api/v1/auth/login", 401},
		{"/users/sign_in", "/users/sign_in", 422},
		{"/2026/10/a-post/", "/wp-comments-post.php", 302},
		{"/register", "/register", 302},
		{"/wp-login.php?action=register", "/wp-login.php?action=register", 302},
		{"/wp-login.php?action=lostpassword", "/wp-login.php?action=lostpassword", 302},
		{"/password/reset", "/password/email", 302},
		{"/checkout/", "/?wc-ajax=checkout", 200},
	}
	return all[w.IntN(len(all))]
}

// Those who send forms from many addresses, and those who send the same ones meanwhile.
var formKinds = []Kind{
	{Name: "forms-spread", Mass: true, play: func(w *World) {
		f := w.sending()
		w.spread(w.from(400, 1500), 10*time.Minute, 35*time.Minute, func(a *actor) {
			if a.chance(0.5) {
				a.referer = "https://" + a.site.host + f.page
			}
			a.post(f.target, f.status)
		})
	}},
	{Name: "meanwhile-forms", Role: Innocent, play: func(w *World) {
		a, _, ok := w.meanwhile("forms-spread")
		if !ok {
			return
		}
		f := w.sending()
		a.page(f.page, a.chance(0.3))
		for range a.from(1, 2) {
			a.pause(5*time.Second, time.Minute)
			a.submit(f.target, f.status)
		}
		a.page("/", true)
	}},
}
