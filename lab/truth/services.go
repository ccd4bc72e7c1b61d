package truth

import (
	"fmt"
	"time"
)

// Programs that come by themselves and are welcome.
var serviceKinds = []Kind{
	{Name: "stripe", Role: Innocent, play: func(w *World) {
		a := w.actorAt(w.known("stripe"), 4*time.Hour)
		a.agent = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
		path := a.pick("/?wc-api=wc_stripe", "/webhooks/stripe", "/stripe/webhook")
		for range a.from(5, 200) {
			a.post(path, a.choose(200, 200, 200, 200, 400, 500))
			a.pause(time.Second, 3*time.Minute)
		}
	}},
	{Name: "webhook", Role: Innocent, play: func(w *World) { // of somebody who publishes no addresses, tried again when it fails
		a := w.actor(4 * time.Hour)
		a.agent = a.pick("GitHub-Hookshot/"+a.letters(7), "Shopify-Captain-Hook", "PayPal/AUHR-1.0-1", "Mollie.nl HTTP client/1.0", "Zapier", "Slackbot 1.0 (+https://api.slack.com/robots)", "Mailgun/1.0", "python-requests/2.31.0", "Go-http-client/1.1")
		path := "/hooks/" + a.letters(12)
		for range a.from(10, 120) {
			status := a.choose(200, 200, 200, 200, 500, 403)
			a.post(path, status)
			for status >= 400 && a.chance(0.7) {
				a.pause(time.Second, 30*time.Second)
				a.post(path, status)
			}
			a.pause(time.Second, 4*time.Minute)
		}
	}},
	{Name: "api-client", Role: Innocent, play: func(w *World) { // steady, and once an hour its token is old
		a := w.actor(6 * time.Hour)
		a.agent = a.pick("python-requests/2.31.0", "okhttp/4.12.0", "Go-http-client/2.0", "Dart/3.2 (dart:io)", "axios/1.6.2", "ERP-Connector/3.1", "-")
		for i := range a.from(300, 2500) {
			if i%200 == 0 {
				a.ask("GET", "/api/v1/orders?page=1", 401, 90)
				a.ask("POST", a.pick("/api/v1/token", "/oauth/token", "/api/login"), 200, 900)
			}
			a.ask(a.pick("GET", "GET", "POST"), fmt.Sprintf("/api/v1/%s/%d", a.pick("orders", "stock", "items"), a.from(1, 90000)), a.choose(200, 200, 200, 200, 200, 200, 200, 404), a.from(90, 4000))
			a.pause(500*time.Millisecond, 10*time.Second)
		}
	}},
	{Name: "api-client-broken", Role: Innocent, play: func(w *World) { // its key was taken away, and it does not notice
		a := w.actor(6 * time.Hour)
		a.agent = a.pick("python-requests/2.31.0", "okhttp/4.12.0", "IoT-Sensor/1.2", "ESP8266HTTPClient")
		path := "/api/v1/" + a.pick("measurements", "orders", "status")
		status := a.choose(401, 403)
		for a.at.Before(a.Begin.Add(a.Length)) {
			a.ask(a.pick("GET", "POST"), path, status, 80)
			a.at = a.at.Add(a.between(30*time.Second, 5*time.Minute))
		}
	}},
	{Name: "uptime", Role: Innocent, play: func(w *World) {
		a := w.actor(8 * time.Hour)
		a.agent = a.pick("Uptime-Kuma/1.23.11", "Mozilla/5.0 (compatible; NodePing)", "check_http/v2.3.1 (monitoring-plugins 2.3.1)", "curl/8.5.0", "Zabbix", "Blackbox Exporter/0.24.0", "-")
		path := a.pick("/", "/health", "/status", "/wp-login.php", "/robots.txt")
		for a.at.Before(a.Begin.Add(a.Length)) {
			a.ask(a.pick("GET", "HEAD"), path, 200, a.from(0, 9000))
			a.at = a.at.Add(30 * time.Second)
		}
	}},
	{Name: "feed-reader", Role: Innocent, play: func(w *World) {
		a := w.actor(7 * time.Hour)
		a.agent = a.pick("Feedly/1.0 (+http://www.feedly.com/fetcher.html; 12 subscribers)", "FreshRSS/1.23.0 (Linux; https://freshrss.org)", "Tiny Tiny RSS/24.01 (https://tt-rss.org/)", "NewsBlur Feed Fetcher - 3 subscribers", "Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher; 7 subscribers; )", "Miniflux/2.0.51", "SimplePie/1.8.0", "Liferea/1.14", "-")
		path := a.pick("/feed/", "/rss.xml", "/atom.xml", "/index.php?format=feed&type=rss")
		for a.at.Before(a.Begin.Add(a.Length)) {
			a.get(path, a.choose(200, 304, 304, 304, 301, 404))
			a.at = a.at.Add(a.between(5*time.Minute, 30*time.Minute))
		}
	}},
	{Name: "podcast-client", Role: Innocent, play: func(w *World) {
		a := w.actor(time.Hour)
		a.agent = a.pick("AppleCoreMedia/1.0.0.21C66 (iPhone; U; CPU OS 17_2_1 like Mac OS X; en_us)", "AntennaPod/3.2.0", "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)", "Podcasts/1650.20 CFNetwork/1333.0.4 Darwin/21.5.0")
		for range a.from(5, 60) {
			a.ask("GET", "/podcast"+a.article()+"audio.mp3", a.choose(206, 206, 200), a.from(100_000, 9_000_000))
			a.pause(0, time.Minute)
		}
	}},
	{Name: "jetpack", Role: Innocent, play: func(w *World) {
		a := w.actorAt(w.within(automattic[w.IntN(len(automattic))]), 4*time.Hour)
		a.agent = a.pick("Jetpack by WordPress.com", "jetmon/1.0 (Jetpack Site Uptime Monitor by WordPress.com)", "WordPress.com; https://wordpress.com")
		for range a.from(30, 250) {
			if a.agent[:3] == "jet" {
				a.ask("HEAD", "/", 200, 0)
			} else {
				a.ask("POST", "/xmlrpc.php?for=jetpack&token="+a.letters(20)+"%3A1%3A0&timestamp="+fmt.Sprint(a.at.Unix())+"&nonce="+a.letters(10)+"&body-hash="+a.letters(27)+"%3D&signature="+a.letters(27)+"%3D", a.absent(200), a.from(400, 60000))
			}
			a.pause(time.Second, 2*time.Minute)
		}
	}},
	{Name: "wordpress-app", Role: Innocent, play: func(w *World) { // speaks XML-RPC, thirty times when it starts
		if !w.isWordPress() {
			return
		}
		a := w.actor(2 * time.Hour)
		a.agent = a.pick("wp-android/23.9.1", "wp-iphone/24.1 (iPhone; iOS 17.2.1; Scale/3.00)", "Mozilla/5.0 (Linux; Android 13; SM-G991B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.43 Mobile Safari/537.36 wp-android/23.9.1")
		a.ask("GET", "/xmlrpc.php?rsd", 200, 800)
		for range a.from(1, 5) {
			for range a.from(6, 30) {
				a.ask("POST", "/xmlrpc.php", 200, a.choose(a.from(600, 1500), a.from(1500, 60000), a.from(2000, 20000)))
				a.pause(50*time.Millisecond, 3*time.Second)
			}
			a.pause(5*time.Minute, 20*time.Minute)
		}
	}},
	{Name: "own-cron", Role: Innocent, play: func(w *World) { // the site asks itself
		a := w.actor(8 * time.Hour)
		a.agent = "WordPress/6.4.2; https://" + a.site.host
		for a.at.Before(a.Begin.Add(a.Length)) {
			a.ask("POST", fmt.Sprintf("/wp-cron.php?doing_wp_cron=%d.%d", a.at.Unix(), a.Uint32()), a.absent(200), 0)
			if a.chance(0.2) {
				a.post("/wp-admin/admin-ajax.php?action=as_async_request_queue_runner&nonce="+a.letters(10), a.absent(200))
			}
			a.at = a.at.Add(a.between(10*time.Second, 3*time.Minute))
		}
	}},
	{Name: "pingbacks", Role: Innocent, play: func(w *World) { // other blogs look whether a link is there
		a := w.actor(time.Hour)
		a.agent = "WordPress/6.4; https://" + a.word() + ".example; verifying pingback from " + a.stranger().String()
		for range a.from(1, 3) {
			a.get(a.article(), 200)
			a.pause(time.Second, 20*time.Minute)
		}
	}},
	{Name: "small-crawler", Role: Innocent, play: func(w *World) { // honest, and not in any list
		a := w.actor(4 * time.Hour)
		a.agent = a.pick("Mozilla/5.0 (compatible; "+a.word()+"bot/1.0; +https://"+a.word()+".example/bot)", "Mozilla/5.0 (compatible; DotBot/1.2; +https://opensiteexplorer.org/dotbot; help@moz.com)", "Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)", "CCBot/2.0 (https://commoncrawl.org/faq/)", "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)", "Mozilla/5.0 (compatible; Qwantify/2.4w; +https://www.qwant.com/)/2.4w")
		a.get("/robots.txt", 200)
		for range a.from(30, 400) {
			if a.chance(0.8) {
				a.get(a.article(), 200)
			} else {
				a.get("/"+a.slug()+a.pick("/", "", ".html", ".php"), a.choose(404, 301))
			}
			a.pause(time.Second, 40*time.Second)
		}
	}},
	{Name: "preview", Role: Innocent, play: func(w *World) { // a link sent to a group is fetched by everyone's telephone
		a := w.actor(time.Hour)
		a.agent = a.pick("WhatsApp/2.23.20.0", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)")
		for range a.from(1, 6) {
			a.get(a.article(), 200)
			a.pause(time.Second, 10*time.Minute)
		}
	}},
	{Name: "update-client", Role: Innocent, play: func(w *World) { // asks for ever for a file that was moved
		a := w.actor(7 * time.Hour)
		a.agent = a.pick("Chef Client/10.18.2 (ruby-1.9.3-p327; ohai-6.16.0; x86_64-linux; +http://opscode.com)", "Debian APT-HTTP/1.3 (2.6.1)", "curl/7.88.1", "pip/23.0.1", "Go-http-client/1.1")
		path := "/files/" + a.slug() + a.pick(".jar", ".deb", ".tar.gz", ".php", "")
		for range a.from(20, 90) {
			a.get(path, 404)
			a.pause(5*time.Second, 5*time.Minute)
		}
	}},
	{Name: "clumsy-scraper", Role: Innocent, play: func(w *World) { // takes for links what are none
		a := w.actor(2 * time.Hour)
		a.agent = a.pick("Mozilla/5.0 (compatible; "+a.word()+"/1.0)", "Java/1.7.0_51", a.browser())
		for range a.from(3, 12) {
			a.get(a.article(), 200)
			a.get(a.pick("/scripts//%22file://$file/%22", "/scripts//%22$%7BWEBLOC%7D/view.php?file=$%7Blinkto%7D%5C%22", a.article()+"%20format(%22truetype%22", "/files/tool-%25", a.article()+"www."+a.word()+".example/~"+a.word(), "/javascript:void(0)", "/javascript:;", a.article()+"mailto:info@"+a.site.host, "/+", a.article()+"%3E", "/blog/httorg/style.css?p://www."+a.site.host+"/about/", "/undefined", "/null", a.article()+"undefined", "/[object%20Object]", "/%7B%7Burl%7D%7D"), 404)
			a.pause(2*time.Second, 2*time.Minute)
		}
	}},
	{Name: "certificate", Role: Innocent, play: func(w *World) {
		a := w.actor(time.Minute)
		a.agent = "Mozilla/5.0 (compatible; Let's Encrypt validation server; +https://www.letsencrypt.org)"
		for range a.from(1, 4) {
			a.get("/.well-known/acme-challenge/"+a.letters(43), a.choose(200, 200, 404))
			a.pause(0, time.Second)
		}
	}},
	{Name: "well-known", Role: Innocent, play: func(w *World) { // what browsers, telephones and honest crawlers look for and mostly do not find
		a := w.actor(time.Hour)
		a.page("/", false)
		for _, p := range a.some(a.from(3, 9), []string{"/apple-touch-icon.png", "/apple-touch-icon-precomposed.png", "/apple-touch-icon-120x120.png", "/apple-app-site-association", "/.well-known/apple-app-site-association", "/.well-known/assetlinks.json", "/.well-known/change-password", "/.well-known/security.txt", "/.well-known/traffic-advice", "/ads.txt", "/app-ads.txt", "/sitemap.xml", "/sitemap_index.xml", "/robots.txt", "/browserconfig.xml", "/manifest.json", "/site.webmanifest", "/favicon.png", "/crossdomain.xml", "/autodiscover/autodiscover.xml", "/.well-known/openid-configuration", "/.well-known/nodeinfo", "/.well-known/webfinger?resource=acct:a@b.example", "/humans.txt", "/llms.txt", "/.well-known/dnt-policy.txt", "/osd.xml", "/mobileconfig", "/.well-known/caldav"}) {
			a.get(p, a.choose(404, 404, 200))
			a.pause(0, 10*time.Second)
		}
	}},
	{Name: "mail-program-setup", Role: Innocent, play: func(w *World) { // Outlook and Thunderbird look for their settings
		a := w.actor(time.Hour)
		a.agent = a.pick("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.16924; Pro)", "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.6.0", "Apple-iPhone14C5/2103.66")
		for range a.from(2, 10) {
			a.ask(a.pick("POST", "GET"), a.pick("/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/autodiscover/autodiscover.json?Email=a%40"+a.site.host+"&Protocol=ActiveSync", "/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=a%40"+a.site.host, "/mail/config-v1.1.xml?emailaddress=a%40"+a.site.host), a.choose(404, 404, 301), 300)
			a.pause(0, 20*time.Minute)
		}
	}},
}
