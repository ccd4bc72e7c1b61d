package truth

import (
	"fmt"
	"time"
)

// page is a page and what a browser fetches for it, less of it when it has been here before.
func (a *actor) page(path string, before bool) {
	referer := a.referer
	a.get(path, 200)
	if !a.private {
		a.referer = "https://" + a.site.host + path
	}
	for range a.from(6, 25) {
		a.at = a.at.Add(a.between(0, 150*time.Millisecond))
		status := 200
		if before && a.chance(0.8) {
			if a.chance(0.7) {
				continue
			}
			status = 304
		}
		a.get(a.asset(), status)
	}
	a.referer = referer
}

func (a *actor) asset() string {
	switch {
	case a.isWordPress():
		return a.pick("/wp-content/themes/"+a.site.host[:3]+"/style.css?ver=6.4.2", "/wp-includes/js/jquery/jquery.min.js?ver=3.7.1", "/wp-content/uploads/2026/09"+a.article()+"photo.jpg",
			"/wp-content/plugins/elementor/assets/css/frontend.min.css?ver=3.18.3", "/wp-content/plugins/contact-form-7/includes/js/index.js?ver=5.8.5", "/wp-content/uploads/2025/11"+a.article()+"large.webp", "/favicon.ico", "/wp-includes/css/dist/block-library/style.min.css?ver=6.4.2")
	default:
		return a.pick("/assets/app-4f1c9b2e.js", "/css/main.css", "/img"+a.article()+"photo.jpg", "/img"+a.article()+"large.webp", "/fonts/inter.woff2", "/favicon.ico", "/static/base.css")
	}
}

// came says where a visitor comes from.
func (a *actor) came() string {
	return a.pick("-", "-", "https://www.google.com/", "https://www.google.com/", "https://www.bing.com/", "https://duckduckgo.com/", "https://t.co/"+a.letters(10), "https://www.facebook.com/", "https://"+a.word()+".example/"+a.slug(), "android-app://com.google.android.gm/")
}

// Those who read.
var visitorKinds = []Kind{
	{Name: "visitor", Role: Innocent, play: func(w *World) {
		a := w.actor(20 * time.Minute)
		a.referer = a.came()
		for i := range a.from(1, 9) {
			a.page(a.pick("/", a.article(), "/about/", a.article()), i > 0)
			a.pause(4*time.Second, 2*time.Minute)
		}
	}},
	{Name: "searcher", Role: Innocent, play: func(w *World) { // whose words look like something else
		a := w.actor(10 * time.Minute)
		path := a.pick("/?s=", "/search?q=", "/suche?query=", "/index.php?route=product/search&search=")
		for range a.from(1, 5) {
			a.get(path+a.pick("o%27reilly", "d%27Artagnan+and+sons", "rock+%26+roll", "50%25+off", "select+a+gift+from+the+list", "union+jack+flag", "student+union+select+committee", "drop+table+lamp", "c%2B%2B+tutorial", "%22exact+phrase%22", "tom+and+jerry",
				"sleep+tracker", "order+by+phone", "cat+food", "id+card+holder", "%E2%82%AC+20", "who+am+i", "script+font", "alert+bracelet", "rm+200+amp", "wget+alternative", "what+is+%22%3Cbody%3E%22", "a%2Fb+testing", "1%3D1", "price+%3C+100", "%23hashtag", "x+or+y", "l%27or+noir", "insert+coin", "update+set+top+box", "%28brackets%29",
				"user%40example.com", "how+to+exec+a+will", "benchmark+%28score%29", "having+fun", "https%3A%2F%2Fexample.com%2Fpage", "window.onload", "char+grill", "convert+%28eur%29"), 200)
			a.page(a.article(), true)
			a.pause(3*time.Second, 40*time.Second)
		}
	}},
	{Name: "developer", Role: Innocent, play: func(w *World) { // searches documentation for what others attack with
		a := w.actor(10 * time.Minute)
		a.page("/docs/", false)
		for range a.from(1, 2) {
			a.get("/docs/search?q="+a.pick("phpinfo%28%29", "system%28%29", "eval%28%29", "base64_decode%28%29", "select+*+from", "union+select", "information_schema", "%3Cscript%3E", "document.cookie", "%24%7Bjndi%7D", "sleep%285%29", "waitfor+delay", "%7B%7B+variable+%7D%7D", "onerror%3D", "%2Fetc%2Fpasswd", "file%3A%2F%2F%2F", "php%3A%2F%2Finput", "%3C%3Fphp", "%2Fbin%2Fbash", "..%2F", "curl+-X+POST", "cat+file+%7C+grep", "exec%28%29", "case+when+then", "__init__", "javascript%3Avoid%280%29", "alert%28%29", "xp_cmdshell"), 200)
			a.pause(5*time.Second, time.Minute)
			a.page("/docs"+a.article(), true)
		}
	}},
	{Name: "from-advertisement", Role: Innocent, play: func(w *World) { // long addresses, some with what a template did not fill in
		a := w.actor(10 * time.Minute)
		a.referer = a.pick("https://www.facebook.com/", "https://l.instagram.com/", "https://googleads.g.doubleclick.net/", "android-app://com.google.android.googlequicksearchbox/")
		a.page(a.pick("/", a.article())+"?"+a.pick("fbclid=IwAR"+a.letters(50), "gclid="+a.letters(60), "utm_source=facebook&utm_medium=cpc&utm_campaign={{campaign.name}}&utm_content={{ad.name}}", "utm_source={{site_source_name}}&utm_campaign=%7B%7Bcampaign.name%7D%7D&ad_id=%7B%7Bad.id%7D%7D", "utm_campaign=%7Bcampaignid%7D&keyword=%7Bkeyword%7D&device=%7Bdevice%7D",
			"msclkid="+a.letters(32), "utm_source=newsletter&utm_campaign=*|CAMPAIGN_UID|*&mc_eid=*|UNIQID|*", "utm_source=__CAMPAIGN_NAME__&ttclid=__CLICKID__", "mkt_tok="+a.letters(80), "utm_term=%27black+friday%27&utm_content=50%25", "_hsenc="+a.letters(60)+"&_hsmi="+fmt.Sprint(a.Uint32()), "ref=${referrer}", "email=%%emailaddr%%&name=%%First Name%%"), false)
	}},
	{Name: "application-links", Role: Innocent, play: func(w *World) { // parameters of honest programs that hold addresses, conditions, markup
		a := w.actor(20 * time.Minute)
		for range a.from(1, 5) {
			a.get(a.pick("/login?redirect=https%3A%2F%2F"+a.site.host+"%2Faccount", "/oauth/authorize?client_id="+a.letters(8)+"&redirect_uri=http%3A%2F%2F127.0.0.1%3A51004%2F&response_type=code", "/oauth/authorize?client_id="+a.letters(8)+"&redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fcallback", "/odata/Products?$filter=Name%20eq%20%27Milk%27%20and%20Price%20lt%205",
				"/odata/Orders?$filter=(Status%20eq%20%27open%27)%20or%20(Status%20eq%20%27held%27)&$orderby=Date%20desc", "/api/items?filter=%7B%22name%22%3A%22x%22%2C%22price%22%3A%7B%22%24gt%22%3A5%7D%7D", "/api/items?where=%7B%22id%22%3A1%7D&include=owner", "/share?url=https%3A%2F%2Fexample.com%2Fa.html%3Fx%3D1%26y%3D2&title=Tom%20%26%20Jerry", "/viewer.html?file=https%3A%2F%2Fcdn.example.com%2Fmanual.pdf", "/image?src=https%3A%2F%2Fimages.example.com%2Fphoto.jpg&w=640",
				"/_next/image?url=%2Fimg%2F"+a.word()+".jpg&w=1080&q=75", "/embed?html=%3Cb%3Ebold%3C%2Fb%3E", "/graphql?query=%7Buser(id%3A1)%7Bname%7D%7D", "/map?bbox=5.9,45.8,10.5,47.8&format=image/png", "/calendar?date=2026-11-01..2026-11-30", "/products?price=10..50&sort=name", "/translate?text=It%27s%20a%20dog%20or%20a%20cat", "/jira/issues/?jql=project%20%3D%20WEB%20AND%20status%20%3D%20%22In%20Progress%22%20ORDER%20BY%20created", "/static/../css/site.css", "/wp-json/oembed/1.0/embed?url=https%3A%2F%2F"+a.site.host+"%2F"+a.slug()+"%2F",
				"/ajax?callback=jQuery3510"+fmt.Sprint(a.Uint32())+"_1&_="+fmt.Sprint(a.Uint32()), "/kibana/app/discover#/?_g=(filters:!(),time:(from:now-15m,to:now))", "/grafana/api/ds/query?expr=rate(http_requests_total%5B5m%5D)", "/search?q=title:%22x%22%20AND%20NOT%20tag:old", "/export?columns=id,name&format=csv&file=report.txt", "/download?file=manual_v1.2.pdf", "/docs/1..2/changes", "/proxy?page=https%3A%2F%2Fexample.org%2Findex.html", "/?redirect_to=https%3A%2F%2F"+a.site.host+"%2Fwp-admin%2Fpost.php%3Fpost%3D5%26action%3Dedit",
				"/saml/acs?RelayState=https%3A%2F%2F"+a.site.host+"%2F", "/api/report?sql_mode=ansi&order=created_at%20desc", "/p?t=javascript&lang=de", "/files?path=%2Fprojects%2F2026%2Fplan", "/email/open?d=PGh0bWw%2B&u="+a.letters(20)), 200)
			a.pause(2*time.Second, 30*time.Second)
		}
	}},
	{Name: "gallery", Role: Innocent, play: func(w *World) {
		a := w.actor(10 * time.Minute)
		for range a.from(1, 3) {
			a.get("/gallery/"+a.slug()+"/", 200)
			for range a.from(80, 250) {
				a.at = a.at.Add(a.between(0, 60*time.Millisecond))
				a.get("/gallery/"+a.word()+"/thumb-"+a.letters(5)+".jpg", 200)
			}
			a.pause(10*time.Second, 2*time.Minute)
		}
	}},
	{Name: "video", Role: Innocent, play: func(w *World) {
		a := w.actor(time.Hour)
		path := "/video/" + a.slug() + ".mp4"
		hls := a.chance(0.5)
		a.page("/watch/"+a.slug(), false)
		for i := range a.from(60, 400) {
			if hls {
				a.get(fmt.Sprintf("/hls/%s/segment%05d.ts", a.site.host[:3], i), 200)
			} else {
				a.ask("GET", path, 206, a.from(200_000, 2_000_000))
			}
			a.pause(300*time.Millisecond, 6*time.Second)
		}
	}},
	{Name: "old-links", Role: Innocent, play: func(w *World) { // pages that moved, from search results and bookmarks
		a := w.actor(20 * time.Minute)
		a.referer = a.came()
		for range a.from(1, 4) {
			a.get("/"+a.slug()+a.pick("", "/", ".html", ".php", ".asp", "/index.php?id="+fmt.Sprint(a.from(1, 900))), a.choose(404, 404, 410, 301))
			a.get("/favicon.ico", 200)
			a.pause(3*time.Second, 40*time.Second)
		}
		a.page("/", false)
	}},
	{Name: "broken-theme", Role: Innocent, play: func(w *World) { // ten pictures that nobody finds
		a := w.actor(20 * time.Minute)
		for i := range a.from(2, 8) {
			a.page(a.article(), i > 0)
			for n := range 10 {
				a.get(fmt.Sprintf("/wp-content/themes/old/images/icon-%d%s", n, a.pick(".png", ".svg", ".gif")), 404)
			}
			if a.chance(0.5) {
				a.get("/wp-content/plugins/gone/assets/missing.js", 404)
				a.get("/apple-touch-icon-precomposed.png", 404)
			}
			a.pause(5*time.Second, time.Minute)
		}
	}},
	{Name: "flash-crowd", Role: Innocent, Mass: true, play: func(w *World) {
		path := w.article()
		elsewhere := w.chance(0.3) // pictures and styles are with somebody else
		from := w.pick("https://news.ycombinator.com/", "-", "https://www.reddit.com/", "https://t.co/"+w.letters(10))
		w.spread(w.from(1500, 3000), 10*time.Minute, 40*time.Minute, func(a *actor) {
			a.agent, a.referer = a.browser(), from
			if elsewhere {
				for range a.from(1, 2) {
					a.get(path, 200)
					a.pause(5*time.Second, time.Minute)
				}
				return
			}
			a.page(path, false)
		})
	}},
	{Name: "deploy", Role: Innocent, Mass: true, play: func(w *World) { // the site fails for some minutes, and people press reload
		status := w.choose(500, 502, 503)
		w.spread(w.from(30, 120), 3*time.Minute, 10*time.Minute, func(a *actor) {
			a.agent = a.browser()
			a.page("/", true)
			for range a.from(2, 14) {
				a.get(a.pick("/", a.article(), "/cart/", "/api/cart"), status)
				a.get("/favicon.ico", status)
				a.pause(time.Second, 12*time.Second)
			}
		})
	}},
	{Name: "delivery-network", Role: Innocent, play: func(w *World) { // many visitors behind one address
		if w.site.proxied {
			return
		}
		a := w.actorAt(w.edge(), 5*time.Hour)
		for range a.from(150, 600) {
			a.agent, a.referer = a.browser(), a.came()
			a.page(a.pick("/", a.article()), a.chance(0.5))
			a.pause(0, 5*time.Second)
		}
	}},
	{Name: "early-connections", Role: Innocent, play: func(w *World) { // browsers open connections that they may not need
		a := w.actor(30 * time.Minute)
		for i := range a.from(3, 12) {
			a.page(a.article(), i > 0)
			if a.site.form < nginxForm {
				for range a.from(0, 3) {
					was, ref := a.agent, a.referer
					a.agent, a.referer = "-", "-"
					a.raw("-", 408, 0)
					a.agent, a.referer = was, ref
				}
			}
			a.pause(5*time.Second, 2*time.Minute)
		}
	}},
	{Name: "early-connections-only", Role: Innocent, play: func(w *World) { // and the rest of its assets were in the cache
		if w.site.form >= nginxForm {
			return
		}
		a := w.actor(30 * time.Minute)
		a.page("/", true)
		a.agent = "-"
		for range a.from(1, 6) {
			a.raw("-", 408, 0)
			a.pause(time.Second, time.Minute)
		}
	}},
	{Name: "mistaken-scheme", Role: Innocent, play: func(w *World) { // https at the plain port, some times
		a := w.actor(5 * time.Minute)
		a.agent = "-"
		for range a.from(1, 3) {
			a.raw("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"+a.letters(20), 400, 157)
			a.pause(time.Second, 20*time.Second)
		}
	}},
	{Name: "carrier", Role: Innocent, play: func(w *World) { // hundreds of telephones behind one address
		a := w.actor(6 * time.Hour)
		for range a.from(80, 300) {
			a.agent, a.referer = a.browser(), a.came()
			a.page(a.pick("/", a.article()), a.chance(0.3))
			if a.chance(0.05) && a.isWordPress() {
				a.get("/wp-login.php", 200)
				a.submit("/wp-login.php", 200)
				a.submit("/wp-login.php", 302)
			}
			a.pause(0, 2*time.Minute)
		}
	}},
}
