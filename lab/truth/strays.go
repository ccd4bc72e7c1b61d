package truth

import (
	"fmt"
	"time"
)

// Those who ask for what attackers ask for and are none: whose site it is, whose program or bookmark is old, who followed
// instructions, or whose own program does so.
var strayKinds = []Kind{
	{Name: "own-check", Role: Innocent, play: func(w *World) { // is it really not to be had? between two pages of his own
		a := w.actor(30 * time.Minute)
		for i := range a.from(1, 5) {
			a.page(a.pick("/", a.article()), i > 0 && a.chance(0.3))
			a.pause(5*time.Second, time.Minute)
		}
		a.get(a.pick("/.env", "/.git/config", "/.git/HEAD", "/wp-config.php", "/.htaccess", "/phpinfo.php", "/server-status", "/backup.zip"), a.choose(403, 404))
		a.page("/", true)
	}},
	{Name: "old-bookmark", Role: Innocent, play: func(w *World) { // of what the house ran here last year
		a := w.actor(30 * time.Minute)
		door := a.pick("/owa/", "/owa/auth/logon.aspx?replaceCurrent=1&url=https%3a%2f%2fmail%2fowa%2f", "/webmail/", "/roundcube/", "/nextcloud/", "/owncloud/index.php/login", "/jira/", "/jira/secure/Dashboard.jspa", "/confluence/", "/redmine/", "/gitlab/", "/moodle/", "/horde/", "/zabbix/", "/grafana/", "/nagios/", "/cacti/", "/glpi/", "/otrs/", "/sogo/", "/remote/", "/phpmyadmin/", "/wp-admin/", "/typo3/", "/administrator/", "/jenkins/", "/kibana/", "/RDWeb/", "/munin/", "/webmin/", "/nagiosxi/login.php", "/ReportServer/Pages/ReportViewer.aspx?%2fSales", "/sitecore/shell/", "/aspera/faspex/", "/a2billing/customer/", "/vicidial/welcome.php", "/global-protect/login.esp", "/human.aspx", "/xxl-job-admin/toLogin", "/wp-login.php", "/adminer.php", "/solr/", "/umbraco/")
		for range a.from(1, 3) {
			a.get(door, a.choose(404, 404, 403, 301))
			if a.chance(0.5) {
				was := a.referer
				a.referer = "https://" + a.site.host + door
				a.get("/favicon.ico", a.choose(200, 404))
				a.referer = was
			}
			a.pause(2*time.Second, 5*time.Minute)
		}
	}},
	{Name: "where-is-it", Role: Innocent, play: func(w *World) { // the tool for the database, on a server that has just been rented
		a := w.actor(20 * time.Minute)
		for _, p := range a.some(a.from(2, 5), []string{"/phpmyadmin", "/phpmyadmin/", "/phpMyAdmin/", "/phpMyAdmin", "/pma", "/pma/", "/adminer.php", "/mysql", "/cpanel", "/phpmyadmin/index.php"}) {
			a.get(p, 404)
			if a.chance(0.3) {
				a.get("/favicon.ico", 404)
			}
			a.pause(3*time.Second, 30*time.Second)
		}
		a.page("/", false)
	}},
	{Name: "installer", Role: Innocent, play: func(w *World) { // as the instructions say
		a := w.actor(10 * time.Minute)
		a.agent = a.pick("curl/8.5.0", "curl/7.88.1", "Wget/1.21.3", "Wget/1.21.4", "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1682")
		for range a.from(1, 3) {
			a.get(a.pick("/docker-compose.yml", "/install/docker-compose.yml", "/release/example.env", "/.env.example", "/dotfiles/.bashrc", "/dotfiles/.zshrc", "/install.sh", "/get.sh", "/config.yml", "/k8s/deploy.yaml", "/.vimrc", "/keys/id_ed25519.pub", "/gpg.key", "/values.yaml"), 200)
			a.pause(time.Second, 20*time.Second)
		}
	}},
	{Name: "program-settings", Role: Innocent, play: func(w *World) { // a program in the browser that looks for its own settings
		a := w.actor(time.Hour)
		dart := a.chance(0.5)
		for i := range a.from(1, 6) {
			a.get("/", 200)
			a.referer = "https://" + a.site.host + "/"
			if i == 0 || a.chance(0.3) {
				for range a.from(4, 12) {
					a.get(a.pick("/main.dart.js", "/flutter.js", "/assets/FontManifest.json", "/assets/AssetManifest.bin.json", "/_framework/blazor.webassembly.js", "/_framework/dotnet.wasm", "/manifest.json", "/icons/Icon-192.png"), 200)
				}
			}
			if dart {
				a.get(a.pick("/assets/.env", "/assets/assets/.env"), a.choose(403, 404, 200))
			} else {
				a.get("/appsettings.json", a.choose(200, 404))
				a.get("/appsettings.Production.json", 404)
			}
			a.referer = "-"
			a.pause(10*time.Second, 10*time.Minute)
		}
	}},
	{Name: "old-address", Role: Innocent, play: func(w *World) { // programs that nobody told that the service has moved
		a := w.actor(6 * time.Hour)
		one := [][2]string{
			{"kubectl/v1.29.2 (linux/amd64) kubernetes/4b8e819", "/api/v1/namespaces/default/pods"}, {"Prometheus/2.48.0", "/metrics"}, {"Grafana/10.2.0", "/api/v1/query?query=up"},
			{"Mozilla/5.0 (Linux) mirall/3.11.0 (Nextcloud)", "/nextcloud/status.php"}, {"Java-EurekaClient/v1.10.17", "/eureka/apps/delta"}, {"Apache-Maven/3.9.6 (Java 17.0.9; Linux 6.1)", "/artifactory/api/maven/a.pom"},
			{"PAN GlobalProtect/6.1.1-5 (Microsoft Windows 10 Pro, 64-bit)", "/global-protect/prelogin.esp"}, {"AnyConnect Windows 4.10.06079", "/+CSCOE+/logon.html"}, {"VMware VI Client/7.0.0", "/sdk"}, {"Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.16924; Pro)", "/EWS/Exchange.asmx"},
			{"QGIS/3.34.0", "/geoserver/wms?service=WMS&request=GetCapabilities"}, {"docker/24.0.7 go/go1.20.10 kernel/6.1.0", "/v2/"}, {"Metricbeat/8.11.1", "/_nodes/_local/stats"}, {"git/2.39.2", "/project/.git/info/refs?service=git-upload-pack"},
			{"gitlab-runner 16.5.0 (16-5-stable; go1.20.10; linux/amd64)", "/api/v4/jobs/request"}, {"Zabbix 6.4", "/server-status?auto"}, {"Consul/1.17", "/v1/agent/self"}, {"Nacos-Java-Client:v2.2.0", "/nacos/v1/ns/instance/beat"}, {"telegraf/1.29", "/jolokia/read/java.lang:type=Memory"}, {"mlflow-python-client/2.9", "/api/2.0/mlflow/runs/create"}, {"elasticsearch-py/8.11.0 (Python 3.11)", "/_search"},
		}
		what := one[a.IntN(len(one))]
		a.agent = what[0]
		status, step := a.choose(404, 404, 403, 301), time.Duration(a.from(1, 20))*time.Minute
		for range a.from(3, 18) {
			a.get(what[1], status)
			a.at = a.at.Add(step)
		}
	}},
	{Name: "torrent-program", Role: Innocent, play: func(w *World) { // asks a tracker that was at this address, or that a poisoned name leads to
		a := w.actor(6 * time.Hour)
		a.agent = a.pick("uTorrent/3530(111914544)(46514)", "Transmission/3.00", "qBittorrent/4.6.2", "-")
		path := a.pick("/announce", "/announce.php", "/scrape")
		for range a.from(5, 40) {
			hash := ""
			for range 20 {
				hash += fmt.Sprintf("%%%02x", a.IntN(256))
			}
			a.get(path+"?info_hash="+hash+"&peer_id=-UT3530-"+hash[24:]+"&port=6881&uploaded=0&downloaded=0&left=0&compact=1&event=started", a.choose(404, 404, a.site.missing))
			a.pause(time.Second, 10*time.Minute)
		}
	}},
	{Name: "unproven-crawler", Role: Innocent, play: func(w *World) { // goes through a site as it was years ago, from an address that proves nothing
		a := w.actor(2 * time.Hour)
		a.agent = a.pick("Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)", "Mozilla/5.0 (compatible; DotBot/1.2; +https://opensiteexplorer.org/dotbot; help@moz.com)", "Mozilla/5.0 (compatible; BLEXBot/1.0; +http://webmeup-crawler.com/)", "Mozilla/5.0 (compatible; SeznamBot/4.0; +https://o-seznam.cz/napoveda/vyhledavani/en/seznambot-crawler/)", "CCBot/2.0 (https://commoncrawl.org/faq/)", "Mozilla/5.0 (compatible; archive.org_bot +http://archive.org/details/archive.org_bot)")
		a.get("/robots.txt", 200)
		ending := a.pick("/", ".html", ".php", ".asp", "/index.php?id=")
		for range a.from(50, 900) {
			if a.chance(0.6) {
				target := "/" + a.slug() + ending
				if ending[len(ending)-1] == '=' {
					target += fmt.Sprint(a.from(1, 9999))
				}
				a.get(target, a.choose(404, 404, 410, 301))
			} else {
				a.get(a.article(), 200)
			}
			a.pause(500*time.Millisecond, 8*time.Second)
		}
	}},
	{Name: "old-web-password", Role: Innocent, play: func(w *World) { // a program whose password for a folder is no longer the right one
		a := w.actor(7 * time.Hour)
		a.agent, a.user = a.pick("SVN/1.14.2 (x86_64-pc-linux-gnu) serf/1.3.9", "Microsoft-WebDAV-MiniRedir/10.0.19045", "DAVx5/4.3.10-ose (2023/11/14; dav4jvm; okhttp/4.12.0) Android/13", "curl/7.88.1", "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.5.0"), a.word()
		what, step := a.pick("/svn/repo/", "/dav/", "/calendars/anna/", "/private/export.csv"), time.Duration(a.from(5, 60))*time.Minute
		for a.at.Before(a.Begin.Add(a.Length)) {
			for range a.from(1, 2) {
				a.ask(a.pick("GET", "OPTIONS", "PROPFIND"), what, 401, 400)
				a.pause(0, 2*time.Second)
			}
			a.at = a.at.Add(step)
		}
	}},
	{Name: "office-opens", Role: Innocent, play: func(w *World) { // a document from the web in a program of an office
		a := w.actor(time.Hour)
		doc := "/files/" + a.slug() + ".docx"
		a.page(a.article(), false)
		a.get(doc, 200)
		for range a.from(1, 4) {
			a.agent = "Microsoft Office Protocol Discovery"
			a.ask("OPTIONS", "/files/", a.choose(200, 405, 403), 300)
			a.agent = "Mozilla/4.0 (compatible; ms-office; MSOffice 16)"
			a.ask("HEAD", doc, 200, 0)
			if a.chance(0.4) {
				a.agent = "Mozilla/4.0 (compatible; MS FrontPage 14.0)"
				a.get("/_vti_inf.html", 404)
				a.post("/_vti_bin/shtml.exe/_vti_rpc", 404)
			}
			if a.chance(0.4) {
				a.agent = "Microsoft-WebDAV-MiniRedir/10.0.19045"
				a.ask("PROPFIND", "/files", 405, 300)
			}
			a.pause(5*time.Second, 5*time.Minute)
		}
	}},
	{Name: "product-user", Role: Innocent, play: func(w *World) { // of a program that others look for holes in, and that is here
		a := w.actor(3 * time.Hour)
		all := [][]string{
			{"/owa/", "/owa/auth/errorFE.aspx?httpCode=500", "/owa/auth/Current/themes/resources/favicon.ico", "/ecp/DDI/DDIService.svc/GetList?schema=MailboxService", "/owa/auth/RedirSuiteServiceProxy.aspx"},
			{"/secure/Dashboard.jspa", "/rest/issueNav/1/issueTable", "/plugins/servlet/gadgets/makeRequest", "/rest/menu/latest/admin", "/rest/applinks/1.0/listApplicationlinks", "/s/d41d8/_/download/batch/x.css"},
			{"/", "/service/extdirect", "/service/rest/beta/components", "/static/rapture/app.js"},
			{"/", "/e/data/js/ajax.js", "/plus/recommend.php?aid=5", "/plus/download.php?open=2&id=7", "/plus/flink.php", "/uc_server/avatar.php?uid=5"},
			{"/cgi-bin/shop.pl?cart=5", "/cgi-bin/show.cgi?item=7", "/cgi-bin/shoppingcart.cgi", "/cgi-bin/jjforum.pl"},
			{"/level/15/", "/level/16/", "/data/login.json", "/loginmsg.js"},
			{"/geoserver/web/", "/geoserver/TestWfsPost", "/geoserver/wms?service=WMS"}, {"/remote/login?lang=en", "/remote/logincheck", "/sslvpn/portal.html"}, {"/jenkins/", "/computer/(master)/", "/jenkins/job/a/"},
			{"/admin/", "/tinymce/plugins/filemanager/dialog.php", "/ueditor/php/controller.php?action=config", "/ckeditor/kcfinder/upload.php", "/elfinder/connectors/php/connector.php"},
			{"/api/v1/auth/users", "/api/v1/auth/login", "/api/v2/monitor/sensors", "/services/UserService/getAll"},
			{"/zabbix/zabbix.php?action=dashboard.view", "/zabbix/jsrpc.php?output=json-rpc", "/zabbix/"}, {"/solr/select?q=anna", "/search"}, {"/telescopes/refractor-90", "/shop/yealink/t46", "/classes/druid/bear", "/brands/hudson/"}, {"/info.php", "/i.php?/upload/a.jpg", "/cf_scripts/scripts/ajax/ckeditor/ckeditor.js"},
			{"/bbs/board.cgi?no=5", "/bbs/board.cgi", "/setup.cgi"},
			{"/pages/viewpage.action?pageId=5", "/rest/tinymce/1/macro/preview", "/pages/createpage-entervariables.action"}, {"/console/", "/console/images/logo.webp", "/console/css/app.min.css.map"},
			{"/app/upload.aspx", "/Telerik.Web.UI.WebResource.axd?type=rau", "/Telerik.Web.UI.DialogHandler.aspx?DialogName=ImageManager"}, {"/irj/portal", "/irj/servlet/prt/portal/x", "/sap/public/bc/ur/x.js"},
			{"/api/v1/nodes", "/api/v1/secrets", "/api/v1/nodes/5"}, {"/owa/", "/owa/auth/frowny.aspx?app=owa", "/ecp/default.aspx"}, {"/vpn/index.html", "/logon/LogonPoint/tmindex.html", "/nf/auth/doAuthentication.do", "/p/u/doAuthentication.do"}, {"/phpmyadmin/", "/phpmyadmin/index.php?route=/sql", "/pma/"},
		}
		pages := all[a.IntN(len(all))]
		a.get(pages[0], 200)
		for range a.from(8, 90) {
			if !a.private {
				a.referer = "https://" + a.site.host + pages[0]
			}
			a.ask(a.pick("GET", "GET", "POST"), a.pick(pages...), a.choose(200, 200, 200, 304), a.from(100, 20000))
			a.pause(500*time.Millisecond, 90*time.Second)
		}
	}},
	{Name: "inches", Role: Innocent, play: func(w *World) { // links with a quotation mark too many, or one that belongs there
		a := w.actor(time.Hour)
		form := a.pick("/tv?size=%d%%22", "/product.php?id=%d%%22", "/sale?discount=%d%%25", "/product.php?id=%d'", "/download.php?file=../docs/manual-%d.pdf", "/log?msg=TypeError%%3A%%20x%%20is%%20null%%20at%%20Object.%%3Canonymous%%3E%%20(app.js%%3A%d)")
		for range a.from(3, 16) {
			a.page(a.article(), true)
			if !a.private {
				a.referer = "https://" + a.site.host + "/"
			}
			a.get(fmt.Sprintf(form, a.from(1, 900)), 200)
			a.referer = "-"
			a.pause(5*time.Second, time.Minute)
		}
	}},
	{Name: "same-word", Role: Innocent, play: func(w *World) { // a shop or a game whose words are names of products too, sent on to the address with a slash
		a := w.actor(time.Hour)
		base := a.pick("/telescopes/", "/shop/yealink/", "/classes/druid/", "/brands/hudson/", "/grandstream/", "/catalog/cactus/zabbix-mug-")
		for range a.from(2, 14) {
			one := base + a.slug()
			a.get(one, 301)
			a.page(one+"/", true)
			if !a.private {
				a.referer = "https://" + a.site.host + base
			}
			a.pause(5*time.Second, 90*time.Second)
		}
	}},
	{Name: "telephone-set", Role: Innocent, play: func(w *World) { // wants the settings that were here
		a := w.actor(7 * time.Hour)
		a.agent = a.pick("Yealink SIP-T46S 66.84.0.15 00:15:65:aa:bb:cc", "Grandstream Model HW GXP2170 SW 1.0.11.35", "FileTransport PolycomVVX-VVX_411-UA/5.9.6", "snomD785-SIP 10.1.54.13")
		p := a.pick("/provisioning/", "/yealink/", "/prov/polycom/", "/grandstream/") + a.letters(12) + a.pick(".cfg", ".xml", ".boot")
		for range a.from(3, 8) {
			a.get(p, 404)
			a.at = a.at.Add(55 * time.Minute)
		}
	}},
	{Name: "live-ticker", Role: Innocent, Mass: true, play: func(w *World) { // a page that has itself loaded anew, of which the rest is elsewhere or kept
		path := w.pick("/live/", "/ticker/"+w.slug()+"/", "/")
		every := time.Duration(w.from(3, 30)) * time.Second
		w.spread(w.from(40, 250), 5*time.Minute, 30*time.Minute, func(a *actor) {
			a.agent = a.browser()
			a.page(path, a.chance(0.5))
			for range a.from(5, 60) {
				a.at = a.at.Add(every + a.between(0, time.Second))
				a.get(path, a.choose(200, 200, 304))
			}
		})
	}},
	{Name: "listed-by-mistake", Role: Innocent, play: func(w *World) { // an honest mail server that a block list has, and that tries again as it should
		a := w.actor(7 * time.Hour)
		for range a.from(1, 4) {
			from, to := a.word()+"@"+a.word()+".example", "info@"+a.site.host
			wait := 5 * time.Minute
			for range a.from(1, 3) {
				if a.machine.mail == "postfix" {
					a.postfix("smtpd", "NOQUEUE: reject: RCPT from mail.%s.example[%s]: 554 5.7.1 Service unavailable; Client host [%s] blocked using bl.spamcop.net; from=<%s> to=<%s> proto=ESMTP helo=<mail.x.example>", a.word(), a.addr, a.addr, from, to)
				} else {
					a.exim("H=mail.x.example [%s]:%d F=<%s> rejected RCPT <%s>: %s is listed at bl.spamcop.net", a.addr, a.from(1024, 65535), from, to, a.addr)
				}
				a.at = a.at.Add(wait)
				wait *= 2
			}
			a.pause(10*time.Minute, time.Hour)
		}
	}},
	{Name: "key-taken-away", Role: Innocent, play: func(w *World) { // a nightly copy or a tunnel whose key the server takes no longer, again and again
		a := w.actor(7 * time.Hour)
		user := a.pick("root", "backup", "deploy", a.word())
		step := a.between(20*time.Second, time.Hour)
		if user == "root" { // a task that is done by the clock
			step = a.between(5*time.Minute, time.Hour)
		}
		for range a.from(4, 60) {
			if a.at.After(a.Begin.Add(a.Length)) {
				return
			}
			a.ssh("Connection closed by authenticating user %s %s [preauth]", user, a.peer())
			a.at = a.at.Add(step)
		}
	}},
	{Name: "new-machine", Role: Innocent, play: func(w *World) { // what was the account's name again?
		a := w.actor(time.Hour)
		for _, user := range a.some(a.from(2, 4), []string{"ubuntu", "debian", "admin", "centos", "ec2-user", "cloud-user", "opc", "fedora", a.word()}) {
			a.ssh("Invalid user %s from %s", user, a.peer())
			a.ssh("Connection closed by invalid user %s %s [preauth]", user, a.peer())
			a.pause(5*time.Second, 40*time.Second)
		}
		a.entered(a.pick("root", a.word()), "publickey")
	}},
	{Name: "raw-monitor", Role: Innocent, play: func(w *World) { // a balancer or a monitor that sends a line or a hello and listens whether anything answers
		a := w.actor(3 * time.Hour)
		a.agent = "-"
		what := a.pick("\x16\x03\x01\x00\xee\x01\x00\x00\xea\x03\x03", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\\n", "PROXY TCP4 10.0.0.1 10.0.0.2 40000 80", "\r\n\r\n")
		step := time.Duration(a.from(10, 300)) * time.Second
		for range a.from(20, 60) {
			a.raw(what, 400, 157)
			a.at = a.at.Add(step)
		}
	}},
	{Name: "upload-old-password", Role: Innocent, play: func(w *World) { // a camera or a scanner that brings its files over SSH, or a program with a database
		a := w.actor(7 * time.Hour)
		user, files := a.word(), a.chance(0.6)
		step := time.Duration(a.from(8, 60)) * time.Minute
		for a.at.Before(a.Begin.Add(a.Length)) {
			if files {
				a.refused(user, true)
			} else {
				a.database(user)
			}
			a.at = a.at.Add(step)
		}
	}},
	{Name: "reset-again", Role: Innocent, play: func(w *World) { // the mail does not come, so once more
		a := w.actor(time.Hour)
		a.page("/wp-login.php?action=lostpassword", false)
		for range a.from(1, 4) {
			a.submit("/wp-login.php?action=lostpassword", a.absent(302))
			a.pause(20*time.Second, 4*time.Minute)
		}
	}},
	{Name: "small-blog-program", Role: Innocent, play: func(w *World) { // one that nobody has heard of
		a := w.actor(6 * time.Hour)
		a.agent = a.pick("python-xmlrpc/3.11", "Apache-HttpClient/4.5.13 (Java/11)", "PHP/8.1.2", "my-poster/0.3", "XML-RPC for PHP 4.9", "GuzzleHttp/7")
		for range a.from(3, 30) {
			if a.isWordPress() {
				a.ask("POST", "/xmlrpc.php", 200, a.from(150, 9000))
			}
			a.pause(time.Minute, 20*time.Minute)
		}
		a.page("/", false)
	}},
	{Name: "team-page", Role: Innocent, play: func(w *World) { // a page made in the browser from what WordPress tells of its authors
		a := w.actor(time.Hour)
		for i := range a.from(1, 6) {
			a.page("/team/", i > 0)
			if !a.private {
				a.referer = "https://" + a.site.host + "/team/"
			}
			a.get(a.pick("/wp-json/wp/v2/users", "/wp-json/wp/v2/users?per_page=20", fmt.Sprintf("/wp-json/wp/v2/users/%d", a.from(1, 9))), a.absent(200))
			a.referer = "-"
			a.pause(10*time.Second, 5*time.Minute)
		}
	}},
}
