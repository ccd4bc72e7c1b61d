package truth

import (
	"fmt"
	"strings"
	"time"
)

// siege is an attack of many addresses, and the account that it is after, if it is one.
type siege struct {
	kind    string
	begin   time.Time
	long    time.Duration
	account string
}

// meanwhile is one who comes while an attack of such kinds lasts, and does what it is about; nobody when there is none.
func (w *World) meanwhile(kinds ...string) (*actor, siege, bool) {
	var list []siege
	for _, s := range w.sieges {
		for _, k := range kinds {
			if strings.HasPrefix(s.kind, k) {
				list = append(list, s)
			}
		}
	}
	if len(list) == 0 {
		return nil, siege{}, false
	}
	s := list[w.IntN(len(list))]
	a := w.actor(0)
	a.at = s.begin.Add(w.between(s.long/20, s.long))
	a.private = w.chance(0.15)
	return a, s, true
}

// Those who come while an attack lasts, and do about what it does.
var meanwhileKinds = []Kind{
	{Name: "meanwhile-mistyped", Role: Innocent, play: func(w *World) {
		a, _, ok := w.meanwhile("wordpress-spread", "one-agent", "xmlrpc")
		if !ok {
			return
		}
		path, wrong := a.login()
		a.page(path, false)
		for range a.from(1, 3) {
			a.pause(3*time.Second, 30*time.Second)
			a.submit(path, wrong)
			if a.chance(0.7) {
				a.get(a.asset(), 200)
			}
		}
		if a.chance(0.6) {
			a.signedIn(path)
		}
	}},
	{Name: "meanwhile-bookmark", Role: Innocent, play: func(w *World) { // has the form's pictures from last week, and goes away
		a, _, ok := w.meanwhile("wordpress-spread", "one-agent", "xmlrpc")
		if !ok {
			return
		}
		path, wrong := a.login()
		a.page(path, true)
		a.pause(3*time.Second, 30*time.Second)
		a.submit(path, wrong)
		if a.chance(0.3) {
			a.submit(path, wrong)
		}
	}},
	{Name: "meanwhile-manager", Role: Innocent, play: func(w *World) { // a program that looks after several sites with a script
		a, _, ok := w.meanwhile("wordpress-spread", "one-agent", "xmlrpc")
		if !ok {
			return
		}
		a.agent = a.pick("okhttp/4.12.0", "ManageWP/2.1", "MainWP/5.2 (+https://mainwp.com)", "python-requests/2.31.0", "wp-iphone/24.1 (iPhone; iOS 17.2.1; Scale/3.00)", "MyShop/3.4.1 (Android 14)")
		path, _ := a.login()
		for range a.from(2, 20) {
			a.post(path, 302)
			a.get("/wp-admin/", a.absent(200))
			a.pause(time.Second, time.Minute)
		}
	}},
	{Name: "meanwhile-xmlrpc", Role: Innocent, play: func(w *World) {
		a, _, ok := w.meanwhile("xmlrpc", "wordpress-spread")
		if !ok || !w.isWordPress() {
			return
		}
		a.agent = a.pick("wp-android/23.9.1", "wp-iphone/24.1 (iPhone; iOS 17.2.1; Scale/3.00)", "Windows Live Writer 1.0", "MarsEdit/5.1.2 CFNetwork/1410.1 Darwin/22.6.0", "Open Live Writer 0.6.3", "ecto/3.0", "IFTTT Protocol v1")
		a.ask("GET", "/xmlrpc.php?rsd", 200, 800)
		for range a.from(3, 12) {
			a.ask("POST", "/xmlrpc.php", 200, a.choose(a.from(600, 1500), a.from(1500, 60000), a.from(2000, 20000)))
			a.pause(300*time.Millisecond, 5*time.Second)
		}
	}},
	{Name: "meanwhile-visitor", Role: Innocent, play: func(w *World) {
		a, _, ok := w.meanwhile("flood", "cache-busting", "scan-spread", "pingback", "wordpress", "xmlrpc")
		if !ok {
			return
		}
		a.page("/", false)
		for range a.from(1, 5) {
			a.pause(4*time.Second, time.Minute)
			a.page(a.article(), true)
		}
	}},
	{Name: "meanwhile-impatient", Role: Innocent, play: func(w *World) { // the site does not answer, so he asks again, and again
		a, _, ok := w.meanwhile("flood", "cache-busting", "pingback")
		if !ok {
			return
		}
		path := a.pick("/", "/", "/shop/", a.article())
		for range a.from(3, 14) {
			a.get(path, a.choose(503, 502, 504, 499))
			a.pause(2*time.Second, 20*time.Second)
		}
		a.page(path, true)
	}},
	{Name: "meanwhile-poller", Role: Innocent, play: func(w *World) { // a monitor, a feed reader, a screen in a shop
		a, _, ok := w.meanwhile("flood", "cache-busting", "scan-spread", "pingback")
		if !ok {
			return
		}
		path := "/"
		switch a.IntN(3) {
		case 0:
			a.agent = a.pick("Uptime-Kuma/1.23.11", "check_http/v2.3.1 (monitoring-plugins 2.3.1)", "curl/8.5.0", "Zabbix", "-")
		case 1:
			a.agent, path = a.pick("FreshRSS/1.23.0 (Linux; https://freshrss.org)", "Miniflux/2.0.51", "SimplePie/1.8.0"), a.pick("/feed/", "/rss.xml")
		default:
			path = a.pick("/shop/", "/api/v1/stock", "/live/scores.json")
		}
		every := time.Duration(a.choose(5, 10, 30, 60)) * time.Second
		for range a.from(20, 200) {
			a.get(path, a.choose(200, 200, 304, 503))
			a.at = a.at.Add(every)
		}
	}},
	{Name: "meanwhile-ssh", Role: Innocent, play: func(w *World) {
		a, s, ok := w.meanwhile("ssh-spread")
		if !ok {
			return
		}
		user := s.account
		if user == "" || a.chance(0.3) {
			user = a.pick("root", a.word())
		}
		for range a.from(1, 3) {
			a.refused(user, true)
			a.pause(3*time.Second, 20*time.Second)
		}
		if user == "root" || a.chance(0.7) { // who tries root knows what its password was like
			a.entered(user, "password")
		}
	}},
	{Name: "meanwhile-mail", Role: Innocent, play: func(w *World) {
		a, s, ok := w.meanwhile("mail-spread")
		if !ok {
			return
		}
		user := s.account
		if a.chance(0.3) {
			user = a.mailbox()
		}
		for range a.from(1, 4) {
			a.mailRefused(user, a.chance(0.4))
			a.pause(5*time.Second, time.Minute)
		}
		if a.chance(0.5) {
			a.mailEntered(user)
		}
	}},
	{Name: "meanwhile-mail-program", Role: Innocent, play: func(w *World) { // a telephone whose password is old
		a, s, ok := w.meanwhile("mail-spread")
		if !ok {
			return
		}
		for range a.from(6, 40) {
			a.mailRefused(s.account, a.chance(0.2))
			a.at = a.at.Add(5 * time.Minute)
		}
	}},
	{Name: "meanwhile-ftp", Role: Innocent, play: func(w *World) {
		a, s, ok := w.meanwhile("ftp-spread")
		if !ok {
			return
		}
		for range a.from(1, 3) {
			a.ftp(s.account, false)
			a.pause(5*time.Second, 40*time.Second)
		}
		if a.chance(0.6) {
			a.ftp(s.account, true)
		}
	}},
	{Name: "meanwhile-odd", Role: Innocent, play: func(w *World) { // asks for something that is not there, as browsers and their helpers do
		a, _, ok := w.meanwhile("scan-spread")
		if !ok {
			return
		}
		for range a.from(1, 3) {
			a.get(a.pick("/favicon.ico", "/apple-touch-icon.png", "/old-page.html", "/index.php?page="+fmt.Sprint(a.from(2, 9)), "/.well-known/traffic-advice", "/ads.txt", a.article()), a.site.missing)
			a.pause(0, 20*time.Second)
		}
	}},
}
