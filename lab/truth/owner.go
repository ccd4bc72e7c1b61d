package truth

import (
	"fmt"
	"net/netip"
	"time"
)

// automattic are networks of the company behind Jetpack, as it publishes them.
var automattic = []netip.Prefix{netip.MustParsePrefix("192.0.80.0/20"), netip.MustParsePrefix("192.0.96.0/20"), netip.MustParsePrefix("192.0.112.0/20"), netip.MustParsePrefix("195.234.108.0/22"), netip.MustParsePrefix("122.248.245.244/32"), netip.MustParsePrefix("54.217.201.243/32"), netip.MustParsePrefix("54.232.116.4/32")}

// Those whose site it is.
var ownerKinds = []Kind{
	{Name: "administrator", Role: Innocent, play: func(w *World) {
		if !w.isWordPress() {
			return
		}
		a := w.actor(5 * time.Hour)
		a.page("/wp-login.php", false)
		if a.chance(0.4) {
			a.submit("/wp-login.php", 200)
		}
		a.submit("/wp-login.php", 302)
		a.referer = "https://" + a.site.host + "/wp-admin/post.php?post=5&action=edit"
		for range a.from(40, 200) {
			switch a.IntN(6) {
			case 0:
				a.page(a.pick("/wp-admin/", "/wp-admin/edit.php", "/wp-admin/plugins.php", "/wp-admin/post-new.php", "/wp-admin/upload.php", "/wp-admin/users.php", "/wp-admin/options-general.php", "/wp-admin/update-core.php", "/wp-admin/theme-editor.php?file=functions.php&theme=x", "/wp-admin/plugin-editor.php?file=akismet%2Fakismet.php"), true)
				a.get("/wp-admin/load-styles.php?c=0&dir=ltr&load%5Bchunk_0%5D=dashicons,admin-bar,common,forms,admin-menu,dashboard,list-tables,edit,revisions,media,themes,about,nav-menus,wp-pointer,widgets&load%5Bchunk_1%5D=,site-icon,l10n,buttons,wp-auth-check,media-views&ver=6.4.2", 200)
				a.get("/wp-admin/load-scripts.php?c=0&load%5Bchunk_0%5D=jquery-core,jquery-migrate,utils&ver=6.4.2", 200)
			case 1: // the editor asks who may be the author
				a.get(a.pick("/wp-json/wp/v2/users/me?_locale=user", "/wp-json/wp/v2/users?context=view&who=authors&per_page=50&_locale=user", "/wp-json/wp/v2/users/1?context=view&_locale=user", "/wp-json/wp/v2/types?context=edit&_locale=user", "/wp-json/wp/v2/posts/5?context=edit&_locale=user"), 200)
			case 2:
				a.ask("POST", fmt.Sprintf("/wp-json/wp/v2/posts/%d/autosaves?_locale=user", a.from(1, 900)), 200, 4000)
			default:
				a.ask("POST", "/wp-admin/admin-ajax.php", 200, a.from(40, 900)) // heartbeat
			}
			a.pause(5*time.Second, 40*time.Second)
		}
	}},
	{Name: "other-administrator", Role: Innocent, play: func(w *World) { // of Joomla, Drupal, Magento, phpMyAdmin or a program of their own
		a := w.actor(4 * time.Hour)
		base, login := "/admin/", "/admin/login"
		switch a.site.system {
		case joomla:
			base, login = "/administrator/index.php?option=com_", "/administrator/index.php"
		case drupal:
			base, login = "/admin/content/", "/user/login"
		case magento:
			base, login = "/admin/sales/order/view/order_id/", "/admin/"
		}
		a.page(login, false)
		a.submit(login, a.choose(302, 303))
		for range a.from(30, 150) {
			a.page(base+a.word(), true)
			if a.chance(0.4) {
				a.post(base+a.word(), a.choose(303, 200, 302))
			}
			if a.chance(0.1) {
				a.post("/phpmyadmin/index.php?route=/sql", 200)
				a.get("/phpmyadmin/index.php?route=/sql&db=shop&table=orders&sql_query=SELECT+%2A+FROM+%60orders%60&pos=0", 200)
			}
			a.pause(3*time.Second, time.Minute)
		}
	}},
	{Name: "link-checker", Role: Innocent, play: func(w *World) { // of the owner, over every link, and some are dead
		a := w.actor(time.Hour)
		a.agent = a.pick("Mozilla/5.0 (compatible; LinkChecker/10.2; +https://linkchecker.github.io/linkchecker/)", "Xenu Link Sleuth/1.3.8", "Screaming Frog SEO Spider/19.4", "W3C-checklink/4.81 libwww-perl/6.67", "Integrity/10")
		dead := a.pick("/", ".html", ".php", "/index.php")
		for range a.from(150, 900) {
			status, path := 200, a.article()
			if a.chance(0.12) {
				status, path = 404, "/"+a.slug()+dead
			}
			a.ask(a.pick("HEAD", "GET"), path, status, a.from(0, 20000))
			a.pause(20*time.Millisecond, 700*time.Millisecond)
		}
	}},
	{Name: "backup-plugin", Role: Innocent, play: func(w *World) { // fetches its archives, piece by piece
		a := w.actor(2 * time.Hour)
		a.agent = a.pick("UpdraftCentral/1.0", "curl/7.88.1", "ManageWP/1.0", "BlogVault/5.0", "Wget/1.21.3")
		for i := range a.from(20, 120) {
			switch a.IntN(3) {
			case 0:
				a.post("/wp-admin/admin-ajax.php?action=updraft_ajax&subaction=backupnow", a.absent(200))
			case 1:
				a.ask("GET", fmt.Sprintf("/wp-content/updraft/backup_2026-11-0%d-uploads%d.zip", a.from(1, 9), i), 200, a.from(1_000_000, 90_000_000))
			default:
				a.post("/?bvplugname=bvbackup&bvMethod=getfile", 200)
			}
			a.pause(time.Second, 40*time.Second)
		}
	}},
	{Name: "site-manager", Role: Innocent, play: func(w *World) { // MainWP, ManageWP and the like
		a := w.actor(3 * time.Hour)
		a.agent = a.pick("MainWP/5.0", "Mozilla/5.0 (compatible; ManageWP)", "InfiniteWP")
		for range a.from(20, 150) {
			a.post(a.pick("/", "/wp-admin/admin-ajax.php", "/wp-load.php?mainwpsignature="+a.letters(40)), 200)
			a.pause(time.Second, 90*time.Second)
		}
	}},
	{Name: "own-tests", Role: Innocent, play: func(w *World) { // a browser without a window, over every page after a deploy
		a := w.actor(time.Hour)
		a.agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.6099.28 Safari/537.36"
		for range a.from(15, 60) {
			a.page(a.article(), false)
			a.pause(200*time.Millisecond, 3*time.Second)
		}
	}},
	{Name: "staging", Role: Innocent, play: func(w *World) { // somebody builds the site and asks for files that are not there yet
		a := w.actor(2 * time.Hour)
		for i := range a.from(10, 40) {
			a.page("/"+a.word()+"/", i > 0)
			for range a.from(0, 4) {
				a.get("/"+a.pick("js", "css", "img")+"/"+a.slug()+a.pick(".js", ".css", ".map", ".png", ".woff2"), 404)
			}
			if a.chance(0.15) {
				a.get("/"+a.slug()+a.pick("", ".php", ".html"), a.choose(404, 500, 403))
			}
			a.pause(5*time.Second, time.Minute)
		}
	}},
}

// Those who prove themselves.
var crawlerKinds = []Kind{
	{Name: "search-engine", Role: Crawler, play: func(w *World) { w.crawl(300, 3000, 100*time.Millisecond, 4*time.Second, 0.02) }},
	{Name: "search-engine-full-speed", Role: Crawler, play: func(w *World) { w.crawl(2000, 5000, 20*time.Millisecond, 150*time.Millisecond, 0.05) }},
	{Name: "search-engine-old-site", Role: Crawler, play: func(w *World) { w.crawl(200, 800, 200*time.Millisecond, 6*time.Second, 0.7) }},
	{Name: "search-engine-bad-links", Role: Crawler, play: func(w *World) { // what spammers link to is asked for too
		a := w.crawler(time.Hour)
		for range a.from(20, 200) {
			a.get(a.pick(paths[a.pick("secrets", "shells", "admin", "backups")]...), a.site.missing)
			a.pause(time.Second, 30*time.Second)
		}
	}},
	{Name: "verified-monitor", Role: Crawler, play: func(w *World) {
		name := w.pick("uptimerobot", "pingdom", "statuscake")
		a := w.actorAt(w.known(name), 6*time.Hour)
		a.agent = map[string]string{"uptimerobot": "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "pingdom": "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", "statuscake": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/98.0.4758.102 Safari/537.36 StatusCake"}[name]
		for a.at.Before(a.Begin.Add(a.Length)) {
			a.ask("HEAD", "/", 200, 0)
			a.at = a.at.Add(30 * time.Second)
		}
	}},
}

// crawler is one out of the published ranges, which says who it is.
func (w *World) crawler(lasts time.Duration) *actor {
	one := knownCrawlers[w.IntN(len(knownCrawlers))]
	a := w.actorAt(w.known(one[0]), lasts)
	a.agent = one[1]
	return a
}

var knownCrawlers = [][2]string{
	{"googlebot", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
	{"googlebot", "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
	{"bingbot", "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36"},
	{"applebot", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.1.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)"},
	{"yandexbot", "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)"},
	{"duckduckbot", "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)"},
	{"gptbot", "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)"},
	{"claudebot", "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)"},
	{"perplexitybot", "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)"},
	{"facebook", "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"},
	{"ahrefs", "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"},
	{"semrush", "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)"},
	{"telegram", "TelegramBot (like TwitterBot)"},
}

// crawl asks for pages, some of which are not there any more.
func (w *World) crawl(least, most int, from, to time.Duration, dead float64) {
	a := w.crawler(time.Hour)
	a.get("/robots.txt", 200)
	for range a.from(least, most) {
		status, path := 200, a.article()+a.pick("", "", "?page="+fmt.Sprint(a.from(2, 90)))
		if a.chance(dead) {
			status, path = a.choose(404, 404, 410), "/"+a.slug()+a.pick("/", ".html", ".php", ".asp", "/index.php?id="+fmt.Sprint(a.from(1, 9999)))
		}
		a.get(path, status)
		a.pause(from, to)
	}
}
