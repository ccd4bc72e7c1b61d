package truth

import (
	"fmt"
	"time"
)

// Those who look like an attack by their number or by what goes wrong at their end: whole schools, other programs, machines that
// nobody looks after.
var houseKinds = []Kind{
	{Name: "school", Role: Innocent, play: func(w *World) { // a class signs in at once, and some have forgotten
		a := w.actor(2 * time.Hour)
		path, right, wrong := "/login/index.php", 303, 200
		switch a.site.system {
		case joomla:
			path, wrong = "/administrator/index.php", 303
		case drupal:
			path = "/user/login"
		case magento:
			path, right, wrong = "/customer/account/loginPost/", 302, 302
		case wordpress, shop:
			path, right = "/wp-login.php", 302
		}
		for range a.from(1, 3) {
			for range a.from(20, 32) {
				a.agent = a.browser()
				a.page(path, a.chance(0.5))
				for a.chance(0.25) {
					a.submit(path, wrong)
					a.pause(time.Second, 5*time.Second)
				}
				a.submit(path, right)
				a.page("/my/", a.chance(0.5))
				a.page(a.article(), true)
				a.pause(0, 8*time.Second)
			}
			a.pause(10*time.Minute, 40*time.Minute)
		}
	}},
	{Name: "carrier-shop", Role: Innocent, play: func(w *World) { // customers of a shop, hundreds behind one address
		a := w.actor(3 * time.Hour)
		for range a.from(60, 200) {
			a.agent, a.referer = a.browser(), a.came()
			a.page("/product"+a.article(), a.chance(0.3))
			if a.chance(0.5) {
				a.submit("/customer/account/loginPost/", 302)
				a.page("/customer/account/", true)
			}
			if a.chance(0.2) {
				a.submit("/checkout/cart/add/", 302)
				a.page("/checkout/cart/", true)
			}
			a.pause(0, 25*time.Second)
		}
	}},
	{Name: "app-backend", Role: Innocent, play: func(w *World) { // another server signs in for everybody who uses an app
		a := w.actor(6 * time.Hour)
		a.agent = a.pick("axios/1.6.2", "Go-http-client/1.1", "okhttp/4.12.0", "Apache-HttpClient/4.5.14 (Java/17.0.9)", "-")
		login := a.pick("/api/login", "/api/v1/auth/login", "/api/v2/session", "/rest/auth/login")
		for range a.from(300, 1500) {
			if a.chance(0.3) {
				a.ask("POST", login, a.choose(200, 200, 200, 200, 200, 200, 200, 200, 401, 422), 700)
			} else {
				a.ask("GET", fmt.Sprintf("/api/v1/users/%d/items", a.from(1, 90000)), a.choose(200, 200, 200, 200, 404), a.from(90, 4000))
			}
			a.pause(200*time.Millisecond, 8*time.Second)
		}
	}},
	{Name: "database-administrator", Role: Innocent, play: func(w *World) { // a day with phpMyAdmin
		a := w.actor(4 * time.Hour)
		a.page("/phpmyadmin/", false)
		for range a.from(0, 2) {
			a.submit("/phpmyadmin/index.php?route=/", 200)
			a.pause(4*time.Second, 15*time.Second)
		}
		a.submit("/phpmyadmin/index.php?route=/", 302)
		for range a.from(80, 300) {
			a.ask("POST", "/phpmyadmin/index.php?route="+a.pick("/sql", "/table/structure", "/navigation&ajax_request=1", "/ajax", "/table/change", "/import/status", "/database/sql/autocomplete"), 200, a.from(300, 40000))
			if a.chance(0.2) {
				a.get("/phpmyadmin/index.php?route=/sql&server=1&db=shop&table=wp_users&sql_query=SELECT+%2A+FROM+%60wp_users%60+WHERE+%60id%60+%3D+5+ORDER+BY+%60id%60+DESC&pos=0", 200)
			}
			a.pause(500*time.Millisecond, 20*time.Second)
		}
	}},
	{Name: "health-check", Role: Innocent, play: func(w *World) { // of a balancer before the servers, some a second
		a := w.actor(time.Hour)
		a.agent = a.pick("ELB-HealthChecker/2.0", "GoogleHC/1.0", "kube-probe/1.28", "Amazon-Route53-Health-Check-Service (ref abc; report http://amzn.to/1vsZADi)", "Edge Health Probe")
		for range a.from(1000, 3000) {
			a.get("/", 200)
			a.pause(100*time.Millisecond, 400*time.Millisecond)
		}
	}},
	{Name: "file-sync", Role: Innocent, play: func(w *World) { // uploads folders, and asks first whether they are there
		a := w.actor(2 * time.Hour)
		a.agent, a.user = "Mozilla/5.0 (Windows) mirall/3.10.1stable-Win64 (build 20231010) (Nextcloud, windows-10.0.19045)", "anna"
		for range a.from(100, 600) {
			path := "/remote.php/dav/files/anna/" + a.slug() + a.pick(".docx", ".jpg", "/", ".php", ".zip", ".sql")
			if a.chance(0.5) {
				a.ask("PROPFIND", path, 404, 300)
			}
			a.ask(a.pick("PUT", "MKCOL", "MOVE"), path, 201, 0)
			a.pause(50*time.Millisecond, 2*time.Second)
		}
	}},
	{Name: "forge-reader", Role: Innocent, play: func(w *World) { // reads the source of programs, where all files have their names
		a := w.actor(2 * time.Hour)
		for range a.from(5, 40) {
			a.page("/"+a.pick("anna/tools", "team/site", "mirror/linux")+a.pick("/blob/main/", "/raw/branch/main/", "/src/branch/main/", "/-/blob/main/", "/plain/", "/tree/")+
				a.pick(".gitignore", ".env.example", ".github/workflows/ci.yml", "Dockerfile", "docker-compose.yml", "config/database.yml", "composer.json", "wp-config-sample.php", ".htaccess", "src/main.go", "README.md", "settings.py", ".travis.yml", "backup.sql", "install.php", "shell.php", "wp-config.php", "cmd.jsp"), true)
			a.pause(2*time.Second, 40*time.Second)
		}
	}},
	{Name: "package-client", Role: Innocent, play: func(w *World) { // asks for translations and compressions that a repository does not have
		a := w.actor(time.Hour)
		a.agent = a.pick("Debian APT-HTTP/1.3 (2.6.1)", "Debian APT-HTTP/1.3 (2.4.11) non-interactive", "libdnf (AlmaLinux 9.3; generic; Linux.x86_64)")
		for _, name := range a.some(a.from(3, 12), []string{"InRelease", "Release", "Release.gpg", "main/binary-amd64/Packages.xz", "main/binary-amd64/Packages.gz", "main/binary-amd64/Packages.bz2", "main/binary-all/Packages.gz", "main/i18n/Translation-de.xz", "main/i18n/Translation-de.bz2", "main/i18n/Translation-en.gz", "main/Contents-amd64.gz", "main/source/Sources.xz", "main/dep11/Components-amd64.yml.gz"}) {
			a.get("/debian/dists/stable/"+name, a.choose(404, 404, 200, 304))
			a.pause(0, time.Second)
		}
	}},
	{Name: "web-developer", Role: Innocent, play: func(w *World) { // curl, odd methods, answers of 400 and 500
		a := w.actor(2 * time.Hour)
		for range a.from(20, 80) {
			a.agent = a.pick("curl/8.5.0", "PostmanRuntime/7.36.0", "insomnia/8.4.5", a.browser())
			a.ask(a.pick("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), a.pick("/api/v1/", "/api/v2/", "/graphql", "/api/test/")+a.word(), a.choose(200, 200, 201, 400, 404, 422, 500, 401), a.from(60, 3000))
			a.pause(2*time.Second, 90*time.Second)
		}
	}},
	{Name: "news-sender", Role: Innocent, play: func(w *World) { // a service that sends newsletters, also to those who have left
		a := w.actor(3 * time.Hour)
		for range a.from(100, 300) {
			if a.chance(0.04) {
				a.unknownRecipient(a.word() + "@" + a.site.host)
			} else if a.machine.mail == "postfix" {
				a.postfix("smtpd", "disconnect from mta.news.example[%s] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7", a.addr)
			}
			a.pause(5*time.Second, 50*time.Second)
		}
	}},
	{Name: "printer", Role: Innocent, play: func(w *World) { // sends what it has scanned, and nobody told it a password
		a := w.actor(5 * time.Hour)
		for range a.from(2, 12) {
			to := a.word() + "@gmail.example"
			if a.machine.mail == "postfix" {
				a.postfix("smtpd", "NOQUEUE: reject: RCPT from unknown[%s]: 454 4.7.1 <%s>: Relay access denied; from=<scanner@%s> to=<%s> proto=ESMTP helo=<scanner>", a.addr, to, a.site.host, to)
			} else {
				a.exim("H=(scanner) [%s]:%d F=<scanner@%s> rejected RCPT <%s>: relay not permitted", a.addr, a.from(1024, 65535), a.site.host, to)
			}
			a.pause(5*time.Minute, 40*time.Minute)
		}
	}},
}
