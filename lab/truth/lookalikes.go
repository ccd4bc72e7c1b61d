package truth

import (
	_ "embed"
	"fmt"
	"strings"
	"time"
)

//go:embed lookalikes.txt
var lookalikesText string

var lookalikes = themes("@all\n" + lookalikesText)["all"]

// themes reads lists that stand below "@name"; "#" begins what is said about them.
func themes(text string) map[string][]string {
	m := map[string][]string{}
	theme := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "@"); ok {
			theme = name
		} else if line != "" && line[0] != '#' {
			m[theme] = append(m[theme], line)
		}
	}
	return m
}

// Those whose words or programs look like an attack and are none.
var lookalikeKinds = []Kind{
	{Name: "odd-queries", Role: Innocent, play: func(w *World) {
		a := w.actor(time.Hour)
		a.referer = a.came()
		for i := range a.from(2, 6) {
			a.page(a.article(), i > 0)
			a.referer = "https://" + a.site.host + "/"
			a.get(a.pick(lookalikes...), a.choose(200, 200, 200, 200, 200, 302, 304))
			a.pause(5*time.Second, 2*time.Minute)
		}
	}},
	{Name: "odd-query-alone", Role: Innocent, play: func(w *World) { // a link in a mail, a program, an old bookmark
		a := w.actor(time.Hour)
		a.agent = a.pick(a.browser(), a.browser(), "okhttp/4.12.0", "Java/17.0.1", "MyApp/3.1 (iPhone; iOS 17.2; Scale/3.00)", "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)")
		for range a.from(1, 2) {
			a.get(a.pick(lookalikes...), a.choose(200, 200, 200, 301, 404))
			a.pause(time.Minute, 20*time.Minute)
		}
	}},
	{Name: "nineties", Role: Innocent, play: func(w *World) { // an archive that is as it was, and readers who are
		a := w.actor(2 * time.Hour)
		a.agent = a.pick("-", "Mozilla/3.0 (Win95; I)", "Mozilla/4.08 [en] (WinNT; U)", "Lynx/2.8.9rel.1 libwww-FM/2.14", "NCSA_Mosaic/2.7b5 (X11;SunOS 5.4 sun4m)", "Mozilla/4.0 (compatible; MSIE 5.01; Windows 98)")
		for range a.from(5, 60) {
			p := a.pick("/shuttle/countdown/", "/images/logo-small.gif", "/history/apollo/apollo-13.html", "/cgi-bin/imagemap/countdown?"+fmt.Sprint(a.from(10, 300), ",", a.from(10, 300)), "/docs/WELCOME.html", "/~anna/index.html", "/%7Eanna/pub/paper.ps.Z", "/htbin/cdt_main.pl", "/cgi-bin/geturlstats.pl", "/cgi-bin/wais.pl?q=shuttle+launch", "/icons/circle_logo_small.gif", "/Access/", "/cgi-bin/counter.pl?page=home", "/cgi-bin/guestbook.cgi", "/usage/last7days.gif", "/software/readme.txt", "/pub/winvn/release.txt", "/index.htm", "/cgi-bin/formmail.pl")
			a.ask(a.pick("GET", "GET", "GET", "GET", "HEAD"), p, a.choose(200, 200, 200, 200, 304, 304, 302, 404), a.from(0, 40000))
			a.pause(time.Second, 90*time.Second)
		}
	}},
	{Name: "wiki-editor", Role: Innocent, play: func(w *World) { // lists with bars in every call
		a := w.actor(2 * time.Hour)
		a.page("/wiki/Main_Page", false)
		for range a.from(10, 80) {
			a.get(a.pick("/w/api.php?action=query&prop=info|revisions|ids&titles=A|B&rvprop=ids|timestamp|user|comment|content&format=json", "/w/load.php?modules=startup|site|user&only=scripts", "/w/index.php?title=SELECT_(SQL)&action=edit&section=2", "/w/api.php?action=query&meta=userinfo|siteinfo&uiprop=groups|rights|id|name", "/w/index.php?search=union+select+from&ns0=1", "/wiki/Shellshock_(software_bug)", "/wiki/Cross-site_scripting", "/w/api.php?action=opensearch&search=%3Cscript", "/wiki/Special:Diff/123;456"), 200)
			if a.chance(0.3) {
				a.post("/w/api.php", 200)
			}
			a.pause(2*time.Second, 40*time.Second)
		}
	}},
	{Name: "mail-in-the-browser", Role: Innocent, play: func(w *World) { // Exchange as its users use it
		a := w.actor(3 * time.Hour)
		a.get("/owa/", 302)
		a.get("/owa/auth/logon.aspx?replaceCurrent=1&url=https%3a%2f%2f"+a.site.host+"%2fowa%2f", 200)
		a.post("/owa/auth.owa", 302)
		for range a.from(20, 120) {
			a.ask(a.pick("POST", "GET"), a.pick("/owa/service.svc?action=FindItem&EP=1&ID=-5", "/owa/ev.owa2?ns=PendingRequest&ev=FinishNotificationRequest", "/owa/15.2.1118/owa2/ext/def/scripts/boot.dist.js", "/EWS/Exchange.asmx", "/Microsoft-Server-ActiveSync?Cmd=Ping&User=anna&DeviceId=a1&DeviceType=iPhone", "/ecp/default.aspx?p=personalsettings", "/mapi/emsmdb/?MailboxId=1", "/autodiscover/autodiscover.xml", "/rpc/rpcproxy.dll?mail.local:6004"), a.choose(200, 200, 200, 200, 401), a.from(100, 9000))
			a.pause(time.Second, time.Minute)
		}
		a.get("/owa/auth/logoff.aspx?Cmd=logoff", 200)
	}},
	{Name: "federation", Role: Innocent, play: func(w *World) { // other servers of a social network and of a messenger
		a := w.actor(4 * time.Hour)
		a.agent = a.pick("Mastodon/4.2.1 (http.rb/5.1.1; +https://social."+a.word()+".example/)", "Synapse/1.98.0", "Pleroma 2.6.0; https://"+a.word()+".example", "Misskey/2023.12 (https://"+a.word()+".example)", "Dendrite/0.13", "Lemmy/0.19.0; +https://"+a.word()+".example")
		for range a.from(10, 150) {
			a.ask(a.pick("POST", "GET"), a.pick("/users/anna/inbox", "/inbox", "/.well-known/webfinger?resource=acct:anna@"+a.site.host, "/users/anna", "/_matrix/federation/v1/send/1700000000", "/_matrix/federation/v1/query/directory?room_alias=%23room:"+a.site.host, "/.well-known/matrix/server", "/nodeinfo/2.0", "/_matrix/key/v2/server"), a.choose(200, 202, 401, 404, 200), a.from(20, 4000))
			a.pause(time.Second, 3*time.Minute)
		}
	}},
	{Name: "own-tools", Role: Innocent, play: func(w *World) { // wget -r, git, aria2, rclone and scripts of people who work on the site
		a := w.actor(time.Hour)
		switch a.IntN(4) {
		case 0:
			a.agent = "Wget/1.21.3"
			a.get("/robots.txt", 200)
			for range a.from(60, 250) {
				status, path := 200, a.article()
				if a.chance(0.2) {
					status, path = 404, "/blog/"+a.slug()+".html"
				}
				a.referer = "http://" + a.site.host + "/"
				a.get(path, status)
				a.pause(5*time.Millisecond, 400*time.Millisecond)
			}
		case 1:
			a.agent = "git/2.39.5"
			for range a.from(2, 8) {
				a.get("/repo.git/info/refs?service=git-upload-pack", 200)
				a.get("/repo.git/HEAD", 200)
				a.get("/repo.git/objects/info/http-alternates", 404)
				a.get("/repo.git/objects/info/packs", 200)
				a.pause(time.Second, time.Minute)
			}
		case 2:
			a.agent, a.user = "rclone/v1.60.1", "anna"
			for range a.from(20, 90) {
				a.ask(a.pick("PROPFIND", "PUT", "MKCOL", "MOVE", "GET"), "/dav/"+a.word()+a.pick("/", ".png", ".php", ".sql"), a.choose(207, 201, 204, 404, 405), a.from(0, 900))
				a.pause(5*time.Millisecond, 900*time.Millisecond)
			}
		default:
			a.agent = a.pick("python-requests/2.31.0", "curl/7.88.1", "HTTPie/3.2.1")
			for i := range a.from(30, 120) {
				if i%4 == 0 {
					a.get("/private/", 401)
					a.user = "anna"
					a.get("/private/", 200)
					a.user = "-"
				}
				a.get(fmt.Sprintf("/article.php?id=%d", i), 200)
				a.pause(100*time.Millisecond, 2*time.Second)
			}
		}
	}},
	{Name: "mail-link-scanner", Role: Innocent, play: func(w *World) { // opens every link of a mail before its reader does
		a := w.actor(time.Hour)
		a.agent = a.pick(a.browser(), "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0.3945.88 Safari/537.36", "-")
		for range a.from(2, 9) {
			a.ask(a.pick("HEAD", "GET", "GET"), a.article()+"?utm_source=newsletter&utm_medium=email&utm_content=%7B%7Bcontent%7D%7D&mc_eid="+a.letters(10), a.choose(200, 200, 302), a.from(0, 9000))
			a.pause(10*time.Millisecond, 2*time.Second)
		}
	}},
	{Name: "page-builder", Role: Innocent, play: func(w *World) { // hours in the editor of a theme
		if !w.isWordPress() {
			return
		}
		a := w.actor(3 * time.Hour)
		a.page("/wp-login.php", false)
		a.submit("/wp-login.php", 302)
		a.referer = "https://" + a.site.host + "/wp-admin/post.php?post=12&action=elementor"
		for range a.from(60, 300) {
			switch a.IntN(5) {
			case 0:
				a.get(a.pick("/?elementor-preview=12&ver=1700000000", "/?et_fb=1&PageSpeed=off", "/?fl_builder", "/?customize_changeset_uuid=0f3c&customize_theme=astra&customize_messenger_channel=preview-0", "/wp-admin/customize.php?return=%2Fwp-admin%2Fthemes.php&url=https%3A%2F%2F"+a.site.host+"%2F", "/wp-admin/admin.php?page=revslider&view=slide&id=new"), 200)
			case 1:
				a.get("/wp-json/elementor/v1/globals/colors?_locale=user", 200)
			case 2:
				a.post("/wp-admin/admin-ajax.php?action=elementor_ajax", 200)
			default:
				a.post("/wp-admin/admin-ajax.php", 200)
			}
			a.pause(500*time.Millisecond, 30*time.Second)
		}
	}},
}
