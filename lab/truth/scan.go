package truth

import (
	_ "embed"
	"strings"
	"time"
)

// paths are what scanners ask for, by theme, after what is seen in logs of public servers.
//
//go:embed paths.txt
var pathsText string

var paths = themes(pathsText)

// Those who look for what should not be there.
var scanKinds = []Kind{
	{Name: "secrets-few", play: func(w *World) { w.scan("secrets", 1, 4, 2*time.Second, 5*time.Minute) }},
	{Name: "secrets-many", play: func(w *World) { w.scan("secrets", 15, 80, 50*time.Millisecond, 3*time.Second) }},
	{Name: "backups-few", play: func(w *World) { w.scan("backups", 3, 6, time.Second, time.Minute) }},
	{Name: "backups-many", play: func(w *World) { w.scan("backups", 12, 60, 50*time.Millisecond, 3*time.Second) }},
	{Name: "shells-few", play: func(w *World) { w.scan("shells", 4, 8, time.Second, 30*time.Second) }},
	{Name: "shells-many", play: func(w *World) { w.scan("shells", 20, 90, 50*time.Millisecond, 3*time.Second) }},
	{Name: "databases-few", play: func(w *World) { w.scan("databases", 3, 6, time.Second, time.Minute) }},
	{Name: "databases-many", play: func(w *World) { w.scan("databases", 10, 50, 50*time.Millisecond, 3*time.Second) }},
	{Name: "admin-pages", play: func(w *World) { w.scan("admin", 6, 40, 200*time.Millisecond, 5*time.Second) }},
	{Name: "plugins-few", play: func(w *World) { w.scan("plugins", 4, 8, time.Second, 20*time.Second) }},
	{Name: "plugins-many", play: func(w *World) { w.scan("plugins", 15, 60, 50*time.Millisecond, 3*time.Second) }},
	{Name: "wordpress-hunt", play: func(w *World) { // in one folder after the other
		a := w.guesser(5 * time.Minute)
		tail := a.pick("/wp-includes/wlwmanifest.xml", "/wp-includes/wlwmanifest.xml", "/wp-includes/ID3/license.txt", "/wp-admin/setup-config.php", "/wp-admin/install.php", "/xmlrpc.php?rsd")
		for _, dir := range a.some(a.from(4, 14), []string{"", "/blog", "/web", "/wordpress", "/website", "/wp", "/news", "/2018", "/2019", "/shop", "/wp1", "/test", "/media", "/wp2", "/site", "/cms", "/sito"}) {
			a.get(strings.Replace(a.pick("/", "//", "//"), "//", "/", a.IntN(2))+strings.TrimPrefix(dir+tail, "/"), a.site.missing)
			a.pause(50*time.Millisecond, 2*time.Second)
		}
	}},
	{Name: "missing-logins", play: func(w *World) { // of systems that the site is not made with
		a := w.guesser(5 * time.Minute)
		list := []string{"/bitrix/admin/", "/typo3/", "/ucp.php", "/node/add", "/administrator/index.php", "/administrator/", "/admin.php", "/user/register"}
		if !a.isWordPress() {
			list = append(list, "/wp-login.php", "/wp-admin/", "/blog/wp-admin/", "/wordpress/wp-login.php", "/wp-login.php?action=register")
		}
		if a.made(joomla, drupal) {
			list = []string{"/wp-login.php", "/wp-admin/", "/bitrix/admin/", "/wp-login.php?action=register"}
		}
		if a.chance(0.3) {
			a.referer = "http://" + a.site.host + a.pick("/", "/"+a.slug())
		}
		for _, p := range a.some(a.from(1, 3), list) {
			a.get(p, a.site.missing)
			a.pause(2*time.Second, 20*time.Second)
		}
	}},
	{Name: "known-holes-one", play: func(w *World) { w.scan("holes", 1, 1, time.Second, time.Minute) }},
	{Name: "known-holes-many", play: func(w *World) { w.scan("holes", 8, 50, 50*time.Millisecond, 3*time.Second) }},
	{Name: "routers", play: func(w *World) { w.scan("routers", 1, 5, time.Second, time.Minute) }},
	{Name: "mixed-scan", play: func(w *World) { // a list of everything, as nuclei and ffuf go through it
		a := w.guesser(15 * time.Minute)
		for range a.from(60, 400) {
			theme := a.pick("secrets", "backups", "shells", "databases", "admin", "plugins", "holes")
			a.get(a.pick(paths[theme]...), a.site.missing)
			a.pause(10*time.Millisecond, 400*time.Millisecond)
		}
	}},
	{Name: "scan-slow", play: func(w *World) { // patient, and from everywhere in the list
		a := w.guesser(6 * time.Hour)
		for range a.from(10, 40) {
			a.get(a.pick(paths[a.pick("secrets", "backups", "shells", "databases", "holes")]...), a.site.missing)
			a.pause(time.Minute, 12*time.Minute)
		}
	}},
	{Name: "words-list", play: func(w *World) { // dirb and its like: words of a dictionary
		a := w.guesser(10 * time.Minute)
		for range a.from(60, 500) {
			a.get("/"+a.slug()+a.pick("", "/", ".php", ".html", ".txt"), a.site.missing)
			a.pause(5*time.Millisecond, 500*time.Millisecond)
		}
	}},
	{Name: "attack-tool", play: func(w *World) { // says who it is
		a := w.actor(10 * time.Minute)
		a.agent = a.pick("sqlmap/1.7.2#stable (https://sqlmap.org)", "Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:Port Check)", "WPScan v3.8.22 (https://wpscan.com/wordpress-security-scanner)",
			"Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "gobuster/3.6", "feroxbuster/2.10.0", "Fuzz Faster U Fool v2.1.0-dev", "Nuclei - Open-source project (github.com/projectdiscovery/nuclei)",
			"DirBuster-1.0-RC1 (http://www.owasp.org/index.php/Category:OWASP_DirBuster_Project)", "Wfuzz/2.4", "masscan/1.3 (https://github.com/robertdavidgraham/masscan)", "ZmEu", "Mozilla/5.0 Jorgee", "Mozilla/5.0 (compatible; OpenVAS 9.0)",
			"w3af.org", "Arachni/v1.5", "Acunetix Web Vulnerability Scanner", "commix/v3.4-stable (http://commixproject.com)", "whatweb/0.5.5", "l9explore/1.2.2", "Morfeus Fucking Scanner", "Go-http-client/1.1 l9tcpid/v1.1.0", "CMSmap", "Mozilla/5.0 zgrab/0.x nikto")
		for range a.from(1, 40) {
			a.get(a.pick("/", "/index.php", "/login", "/robots.txt", "/"+a.word()), a.choose(200, a.site.missing))
			a.pause(50*time.Millisecond, 2*time.Second)
		}
	}},
	{Name: "internet-survey", play: func(w *World) {
		a := w.actor(time.Minute)
		a.agent = a.pick("Mozilla/5.0 zgrab/0.x", "Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)", "Expanse, a Palo Alto Networks company, searches across the global IPv4 space multiple times per day to identify customers&#39; presences on the Internet. If you would like to be excluded from our scans, please send IP addresses/domains to: scaninfo@paloaltonetworks.com",
			"Mozilla/5.0 (compatible; InternetMeasurement/1.0; +https://internet-measurement.com/)", "Mozilla/5.0 (compatible; ModatScanner/1.1; +https://modat.io/)", "Mozilla/5.0 (compatible; Odin; https://docs.getodin.com/)", "Hello World", "Hello from Palo Alto Networks, find out more about our scans in https://docs-cortex.paloaltonetworks.com/r/1/Cortex-Xpanse/Scanning-activity",
			"Mozilla/5.0 (compatible; NetcraftSurveyAgent/1.0; +info@netcraft.com) zgrab", "masscan-ng/1.3 (https://github.com/bi-zone/masscan-ng)", "Mozilla/5.0 (l9scan/2.0; +https://leakix.net)", "fasthttp", "Mozilla/5.0 (compatible; Onyphe)", "abuse.xmco.fr", "Mozilla/5.0 (compatible; GenomeCrawlerd/1.0; +https://www.nokia.com/genomecrawler)")
		if a.agent == "fasthttp" {
			a.get("/.env", a.site.missing)
		}
		for range a.from(1, 3) {
			a.get(a.pick("/", "/", "/favicon.ico", "/robots.txt", "/sitemap.xml"), 200)
			a.pause(time.Second, 10*time.Second)
		}
	}},
	{Name: "open-proxy", play: func(w *World) {
		a := w.guesser(5 * time.Minute)
		for range a.from(1, 6) {
			target := a.pick("www.google.com:443", "api.ipify.org:443", "httpbin.org:443", "smtp.mail.example:25", "95.213.255.1:443", "www.baidu.com:443", "example.com:80", "ifconfig.me:443")
			if a.chance(0.5) {
				a.ask("CONNECT", target, a.choose(400, 405, 403, 404), 150+a.IntN(200))
			} else {
				host, _, _ := strings.Cut(target, ":")
				a.ask("GET", "http://"+host+a.pick("/", "/ip", "/azenv.php", "/get"), a.choose(404, 200, 403), 150+a.IntN(3000))
			}
			a.pause(time.Second, 30*time.Second)
		}
	}},
	{Name: "proxy-hunter", play: func(w *World) { // whatever page a proxy would show
		a := w.guesser(10 * time.Minute)
		for range a.from(2, 12) {
			a.ask("GET", "http://"+a.pick("azenv.net/", "www.proxyjudge1.net/", "www.so.com/?q=1", "5.188.210.227/echo.php", "clientapi.ipip.net/echo.php?info=1", a.word()+".com/check.php", "testphp."+a.word()+".org/"), a.choose(404, 200), 200+a.IntN(9000))
			a.pause(time.Second, time.Minute)
		}
	}},
	{Name: "not-http", play: func(w *World) { // TLS, RDP, SMB, SSH and others on a plain port
		a := w.actor(2 * time.Hour)
		a.agent = "-"
		for range a.from(3, 14) {
			a.raw(a.pick("\x16\x03\x01\x01\xfe\x01\x00\x01\xfa\x03\x03"+a.letters(12), "\x03\x00\x00/*\xe0\x00\x00\x00\x00\x00Cookie: mstshash=Administr", "\x00\x00\x00\xa4\xffSMBr\x00\x00\x00\x00\x08\x01@", "SSH-2.0-Go", "MGLNDD_192.0.2.1_80", "\x01\x00\x00\x00",
				"\x04\x01\x00\x19\x05", "\x05\x01\x00", "t3 12.1.2", "\x00\x0e8"+a.letters(6)+"\x00\x00\x00\x00\x00", "*1\r\n$4\r\nINFO\r\n", "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}", "EHLO "+a.word(), "stats", "\x16\x03\x01\x00\xee\x01\x00\x00\xea\x03\x03"), 400, 150+a.IntN(350))
			a.pause(500*time.Millisecond, 8*time.Minute)
		}
	}},
	{Name: "odd-methods", play: func(w *World) {
		a := w.guesser(5 * time.Minute)
		for range a.from(1, 6) {
			a.ask(a.pick("TRACE", "TRACK", "DEBUG", "PROPFIND", "SEARCH", "PUT", "INDEX", "FOO"), a.pick("/", "/", "/_vti_bin/shtml.dll", "/test.txt", "/x.jsp/"), a.choose(405, 403, 400, 501), 200+a.IntN(300))
			a.get(a.pick(paths["admin"]...), a.site.missing)
			a.pause(200*time.Millisecond, 9*time.Second)
		}
	}},
	{Name: "scan-spread", Mass: true, play: func(w *World) { // each address asks for one thing of the list
		w.spread(w.from(50, 300), 10*time.Minute, 2*time.Hour, func(a *actor) {
			a.get(a.pick(paths[a.pick("secrets", "holes")]...), a.site.missing)
		})
	}},
}

// scan asks for some paths of a theme, as many as from least to most, each after a pause.
func (w *World) scan(theme string, least, most int, from, to time.Duration) {
	n := w.from(least, most)
	a := w.guesser(time.Duration(n) * to)
	if a.chance(0.4) { // many look at the front page first
		a.get("/", 200)
		a.pause(from, to)
	}
	for _, p := range a.some(n, paths[theme]) {
		status := a.site.missing
		if a.chance(0.04) {
			status = a.choose(403, 301, 400)
		}
		a.get(strings.ReplaceAll(p, "SITE", a.site.host), status)
		a.pause(from, to)
	}
}
