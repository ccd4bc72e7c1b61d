package truth

import (
	"fmt"
	"time"
)

// Those whose work has the words of attackers in it: programmers, hosters' customers, databases that are asked over HTTP, and
// devices that keep a password which was changed.
var deskKinds = []Kind{
	{Name: "code-reader", Role: Innocent, play: func(w *World) { // of a forge: cgit, Gitea, GitLab
		a := w.actor(3 * time.Hour)
		at := a.pick("/cgit/site.git/tree/", "/cgit/site.git/plain/", "/cgit/site.git/log/", "/team/site/src/branch/main/", "/team/site/raw/branch/main/", "/team/site/blame/branch/main/", "/team/site/-/blob/main/", "/team/site/-/raw/main/")
		for range a.from(15, 150) {
			a.page(at+a.pick(".env", ".env.example", "wp-config.php", "wp-login.php", "xmlrpc.php", "etc/passwd", "proc/self/environ", "win.ini", "shell.php", "c99.php", "bin/sh", "phpinfo.php", "web.config", "backup.sql", "docker-compose.yml", "composer.json", ".vscode/sftp.json", "vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php"), true)
			if a.chance(0.2) {
				a.get(at+a.word()+a.pick(".php", ".sql", ".yml", "/.git-blame-ignore-revs"), 404)
			}
			a.pause(2*time.Second, 40*time.Second)
		}
	}},
	{Name: "hoster-panel", Role: Innocent, play: func(w *World) { // a customer in cPanel's file manager
		a := w.actor(2 * time.Hour)
		a.user = a.word()
		session := fmt.Sprintf("/cpsess%010d", a.from(1_000_000_000, 2_000_000_000))
		for range a.from(10, 150) {
			a.ask(a.pick("GET", "POST"), session+a.pick("/execute/Fileman/get_file_content?dir=%2Fhome%2F"+a.user+"%2Fpublic_html&file=wp-config.php&from_charset=_DETECT_", "/execute/Fileman/get_file_content?dir=%2Fhome%2F"+a.user+"%2Fpublic_html&file=.htaccess", "/frontend/jupiter/filemanager/index.html", "/execute/Stats/get_bandwidth", "/download?file=%2fhome%2f"+a.user+"%2fbackup.tar.gz"), 200, a.from(90, 9000))
			a.pause(2*time.Second, time.Minute)
		}
	}},
	{Name: "synced-code", Role: Innocent, play: func(w *World) { // a programmer's folder in Nextcloud
		a := w.actor(2 * time.Hour)
		a.agent, a.user = "Mozilla/5.0 (Linux) mirall/3.14.1 (Nextcloud, debian-6.1)", a.word()
		for range a.from(50, 600) {
			a.ask(a.pick("PUT", "GET", "PROPFIND", "DELETE"), "/remote.php/dav/files/"+a.user+"/code/"+a.pick("wp-config.php", ".env", "shell.php", "phpinfo.php", ".htaccess", ".ssh/config", "backup.sql", "vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", ".git/objects/ab/"+a.letters(38)), a.choose(201, 204, 207, 404), a.from(0, 900))
			a.pause(50*time.Millisecond, 2*time.Second)
		}
	}},
	{Name: "mirror-client", Role: Innocent, play: func(w *World) { // of a mirror that has not all of it
		a := w.actor(2 * time.Hour)
		a.agent = a.pick("libdnf (AlmaLinux 9.4; generic; Linux.x86_64)", "npm/10.8.2 node/v20.18.0 linux x64 workspaces/false", "debuginfod/0.191", "Apache-Maven/3.9.9 (Java 17.0.12; Linux 6.8.0)")
		for range a.from(2, 20) {
			for range a.from(20, 200) {
				a.get(map[byte]string{
					'l': "/el9/x86_64/repodata/" + a.letters(40) + "-primary.xml.gz", 'n': "/artifactory/api/npm/npm/" + a.word(),
					'd': "/buildid/" + a.letters(40) + "/debuginfo", 'A': "/maven2/org/" + a.word() + "/maven-metadata.xml",
				}[a.agent[0]], a.choose(200, 200, 404))
				a.pause(10*time.Millisecond, 500*time.Millisecond)
			}
			a.pause(time.Minute, 10*time.Minute)
		}
	}},
	{Name: "object-store", Role: Innocent, play: func(w *World) { // backups that are looked for before they are sent
		a := w.actor(time.Hour)
		a.agent = a.pick("rclone/v1.68.1", "aws-cli/2.18.0 md/awscrt#0.22 ua/2.0 os/linux", "MinIO (linux; amd64) minio-go/v7.0.77")
		for i := range a.from(20, 300) {
			target := fmt.Sprintf("/backups/%s/db-%d.sql.gz", a.word(), i)
			a.ask("HEAD", target, 404, 0)
			a.ask("PUT", target+"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=3600&X-Amz-Signature="+a.letters(64), 200, 0)
			a.pause(50*time.Millisecond, 2*time.Second)
		}
	}},
	{Name: "asked-over-http", Role: Innocent, play: func(w *World) { // databases and catalogues whose questions stand in the address
		a := w.actor(2 * time.Hour)
		a.agent = a.pick("python-requests/2.32.3", "Grafana/11.3.0", "Java/17.0.12", "okhttp/4.12.0")
		question := a.pick("/query?db=home&q=SELECT+%22value%22+FROM+%22C%22+WHERE+entity_id+%3D+%27"+a.word()+"%27+ORDER+BY+time+DESC+LIMIT+1", "/query?q=SHOW+TAG+VALUES+FROM+%22cpu%22;+SELECT+last(%22x%22)+FROM+%22m%22&db=x", "/sru?operation=searchRetrieve&query=dc.title+all+%22"+a.word()+"%22+and+(dc.date+%3E%3D+1990+or+bath.isbn+%3D+%22x%22)", "/sparql?query=SELECT+DISTINCT+%3Fs+WHERE+%7B+%3Fs+a+%3Ft+FILTER(regex(str(%3Ft),%22"+a.word()+"%22,%22i%22))+%7D+ORDER+BY+%3Fs+LIMIT+100", "/parse/classes/Post?where=%7B%22title%22%3A%7B%22%24regex%22%3A%22"+a.word()+"%22%7D,%22n%22%3A%7B%22%24ne%22%3Anull%7D%7D", "/graphql?first=20&after=YXJyYXljb25uZWN0aW9uOj%3D%3D")
		for i := range a.from(20, 300) {
			a.ask("GET", fmt.Sprintf("%s&page=%d", question, i), a.choose(200, 200, 200, 400), a.from(90, 9000))
			a.pause(time.Second, 30*time.Second)
		}
	}},
	{Name: "live-channels", Role: Innocent, play: func(w *World) { // a page of Laravel that asks for leave to listen
		a := w.actor(3 * time.Hour)
		a.referer = "https://" + a.site.host + "/dashboard"
		for range a.from(30, 400) {
			a.ask("POST", "/broadcasting/auth", a.choose(200, 200, 403), a.from(40, 300))
			if a.chance(0.2) {
				a.page("/dashboard", true)
			}
			a.pause(time.Second, 30*time.Second)
		}
	}},
	{Name: "device-old-password", Role: Innocent, play: func(w *World) { // comes back by the clock, and there is nobody who reads its display
		a := w.actor(4 * time.Hour)
		user, every := a.word()+"-cam", a.between(30*time.Second, 5*time.Minute)
		for range a.from(20, 200) {
			a.ftp(user, false)
			a.at = a.at.Add(every)
		}
	}},
	{Name: "application-old-password", Role: Innocent, play: func(w *World) { // the database's password was changed, its settings were not
		a := w.actor(4 * time.Hour)
		user, every := a.word()+"_live", a.between(10*time.Second, 2*time.Minute)
		for range a.from(20, 400) {
			a.database(user)
			a.at = a.at.Add(every)
		}
	}},
	{Name: "monitor-with-zeal", Role: Innocent, play: func(w *World) { // of a page that it may not see
		a := w.actor(6 * time.Hour)
		a.agent = a.pick("Telegraf/1.32 Go/1.23", "munin/2.0.73 (libwww-perl/6.68)", "Zabbix 7.0")
		path := a.pick("/server-status?auto", "/nginx_status", "/status")
		for a.at.Before(a.Begin.Add(a.Length)) {
			a.get(path, 403)
			a.at = a.at.Add(10 * time.Second)
		}
	}},
}
