package truth

import (
	"fmt"
	"time"
)

// Those who ask for more than a server can give, or pretend to be who they are not.
var floodKinds = []Kind{
	{Name: "flood-one", play: func(w *World) {
		a := w.guesser(10 * time.Minute)
		path := a.pick("/", "/", "/index.php", a.article(), "/?s="+a.word())
		for range a.from(800, 4000) {
			a.get(path, a.choose(200, 200, 503))
			a.pause(5*time.Millisecond, 80*time.Millisecond)
		}
	}},
	{Name: "flood-many", Mass: true, play: func(w *World) { // dozens from each of hundreds, of one page and nothing else
		path := w.pick("/", "/", w.article(), "/shop/", "/search?q="+w.word())
		status := w.choose(200, 200, 503, 502)
		w.spread(w.from(100, 800), 2*time.Minute, 6*time.Minute, func(a *actor) {
			for range a.from(25, 90) {
				a.get(path, status)
				a.pause(200*time.Millisecond, 6*time.Second)
			}
		})
	}},
	{Name: "flood-post", play: func(w *World) {
		a := w.guesser(10 * time.Minute)
		path := a.pick("/", "/index.php", "/contact", "/cart")
		for range a.from(300, 1500) {
			a.post(path, a.choose(200, 503, 405))
			a.pause(10*time.Millisecond, 300*time.Millisecond)
		}
	}},
	{Name: "cache-busting-one", play: func(w *World) {
		a := w.guesser(10 * time.Minute)
		for range a.from(150, 1500) {
			a.get(a.busting(), 200)
			a.pause(10*time.Millisecond, 400*time.Millisecond)
		}
	}},
	{Name: "cache-busting-many", Mass: true, play: func(w *World) {
		w.spread(w.from(200, 2000), time.Minute, 5*time.Minute, func(a *actor) {
			for range a.from(1, 8) {
				a.get(a.busting(), 200)
				a.pause(300*time.Millisecond, 20*time.Second)
			}
		})
	}},
	{Name: "random-names", play: func(w *World) {
		a := w.guesser(10 * time.Minute)
		for range a.from(150, 1200) {
			a.get("/"+a.letters(a.from(8, 20)), a.site.missing)
			a.pause(10*time.Millisecond, 300*time.Millisecond)
		}
	}},
	{Name: "search-flood", play: func(w *World) {
		a := w.guesser(10 * time.Minute)
		for range a.from(150, 900) {
			a.get(a.pick("/?s=", "/search?q=", "/index.php?route=product/search&search=")+a.word()+a.word(), a.choose(200, 200, 504))
			a.pause(50*time.Millisecond, 500*time.Millisecond)
		}
	}},
	{Name: "slow-requests", play: func(w *World) { // opens connections and says nothing, or not enough
		a := w.actor(30 * time.Minute)
		a.agent = "-"
		for range a.from(40, 400) {
			a.raw("-", 408, a.choose(0, 300, 487))
			a.pause(10*time.Millisecond, 2*time.Second)
		}
	}},
	{Name: "pingback-flood", Mass: true, play: func(w *World) {
		target := w.stranger()
		w.spread(w.from(60, 500), time.Minute, 8*time.Minute, func(a *actor) {
			a.agent = fmt.Sprintf("WordPress/%d.%d; https://%s.example; verifying pingback from %s", a.from(4, 6), a.from(0, 9), a.word(), target)
			for range a.from(1, 6) {
				a.get("/", 200)
				a.pause(time.Second, 20*time.Second)
			}
		})
	}},
	{Name: "load-scripts", play: func(w *World) {
		a := w.guesser(10 * time.Minute)
		for range a.from(100, 800) {
			a.get("/wp-admin/load-scripts.php?c=1&load%5B%5D=eutil,common,wp-a11y,sack,quicktag,colorpicker,editor,wp-fullscreen-stu,wp-ajax-response,wp-api-request,wp-pointer,autosave,heartbeat,wp-auth-check,wp-lists,prototype,scriptaculous-root,scriptaculous-builder,scriptaculous-dragdrop,scriptaculous-effects,scriptaculous-slider,scriptaculous-sound,scriptaculous-controls,scriptaculous,cropper,jquery,jquery-core,jquery-migrate,jquery-ui-core,jquery-effects-core,jquery-effects-blind,jquery-effects-bounce,jquery-effects-clip,jquery-effects-drop,jquery-effects-explode,jquery-effects-fade,jquery-effects-fold,jquery-effects-highlight,jquery-effects-puff,jquery-effects-pulsate", a.absent(200))
			a.pause(50*time.Millisecond, 600*time.Millisecond)
		}
	}},
	{Name: "flood-network", play: func(w *World) { // a few dozen neighbours at once
		first := w.stranger()
		begin := w.moment(5 * time.Minute)
		for range w.from(20, 60) {
			a := w.actorAt(w.neighbour(first), 0)
			a.agent = a.disguise()
			a.at = begin
			for range a.from(400, 700) {
				a.get(a.pick("/", "/?p="+fmt.Sprint(a.from(1, 900))), 200)
				a.pause(20*time.Millisecond, 350*time.Millisecond)
			}
		}
	}},
	{Name: "impostor", play: func(w *World) { // says it is a crawler that publishes all its addresses
		a := w.actor(time.Hour)
		a.agent = a.pick(
			"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot/2.1 (+http://www.google.com/bot.html)",
			"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
			"Googlebot-Image/1.0", "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
			"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.1.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
			"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
			"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)")
		for range a.from(1, 80) {
			a.get(a.pick("/", "/robots.txt", a.article(), "/wp-login.php", "/sitemap.xml"), a.choose(200, 200, 404))
			a.pause(time.Second, 40*time.Second)
		}
	}},
	{Name: "impostor-scan", play: func(w *World) {
		a := w.actor(10 * time.Minute)
		a.agent = a.pick("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)")
		for range a.from(4, 50) {
			a.get(a.pick(paths[a.pick("secrets", "shells", "holes")]...), a.site.missing)
			a.pause(200*time.Millisecond, 10*time.Second)
		}
	}},
}

// busting is an address of the front page that no cache has seen.
func (a *actor) busting() string {
	return a.pick("/", "/", "/index.php") + "?" + a.pick(a.letters(a.from(5, 12)), a.letters(a.from(3, 8))+"="+a.letters(a.from(4, 12)), fmt.Sprint(a.Uint32()), "r="+fmt.Sprint(a.Uint32()))
}

// Those who advertise, harvest or copy.
var spamKinds = []Kind{
	{Name: "comment-spam", play: func(w *World) {
		a := w.guesser(20 * time.Minute)
		a.agent = a.browser()
		for range a.from(8, 60) {
			if a.chance(0.4) {
				a.get(a.article(), 200)
				a.pause(200*time.Millisecond, 2*time.Second)
			}
			a.post(a.pick("/wp-comments-post.php", "/wp-comments-post.php", "/comment/reply/12", "/guestbook.php"), a.absent(a.choose(302, 302, 409, 403, 200)))
			a.pause(time.Second, 20*time.Second)
		}
	}},
	{Name: "registration-spam", play: func(w *World) {
		a := w.guesser(20 * time.Minute)
		path := a.pick("/wp-login.php?action=register", "/user/register", "/register", "/index.php?do=register", "/signup", "/customer/account/createpost/", "/ucp.php?mode=register", "/member.php?action=register")
		for range a.from(8, 50) {
			a.post(path, a.choose(302, 200, 403))
			a.pause(time.Second, 20*time.Second)
		}
	}},
	{Name: "contact-spam", play: func(w *World) {
		a := w.guesser(30 * time.Minute)
		path := a.pick("/contact", "/kontakt/", "/contact-us/", "/contact.php", "/wp-json/contact-form-7/v1/contact-forms/5/feedback", "/feedback", "/formmail.php")
		for range a.from(15, 60) {
			a.post(path, 200)
			a.pause(time.Second, 25*time.Second)
		}
	}},
	{Name: "forum-spam", play: func(w *World) { // of a program that tells in the address how it went
		a := w.actor(5 * time.Minute)
		for range a.from(1, 4) {
			a.get(a.article()+"+++++++++++++++++++++Result:+chosen+nickname+%22"+a.word()+"%22;"+a.pick("+registered;", "+sent;", "+success+(from+first+page);"), a.choose(404, 200, 301))
			a.pause(2*time.Second, 40*time.Second)
		}
	}},
	{Name: "referrer-spam", play: func(w *World) {
		a := w.actor(6 * time.Hour)
		a.referer = "http://" + a.pick("semalt.com/project_crawl.php?u=http://x", "buttons-for-website.com/", "best-seo-offer.com/try.php", "www.ilovevitaly.com/", "forum.topic1234567.darodar.com/", "100dollars-seo.com", "free-share-buttons.com", "trafficmonetize.org/", "success-seo.com/try.php",
			a.word()+"-casino-bonus.xyz/", "buy-viagra-"+a.word()+".top/", "cheap-"+a.word()+"-seo.ru/", a.word()+"-porno.online/", "online-casino-"+a.word()+".site/", "essay-writing-"+a.word()+".club/", "replica-watches-"+a.word()+".cc/", "crypto-"+a.word()+"-profit.icu/", "payday-loans-"+a.word()+".pw/", "slot-gacor-"+a.word()+".xyz/")
		for range a.from(4, 20) {
			a.get(a.pick("/", "/", "/"+a.word()+"/"), 200)
			a.pause(5*time.Second, 20*time.Minute)
		}
	}},
	{Name: "copier", play: func(w *World) { // takes all pages, as fast as it gets them
		a := w.actor(30 * time.Minute)
		a.agent = a.pick("HTTrack 3.0x", "Mozilla/4.5 (compatible; HTTrack 3.0x; Windows 98)", "Scrapy/2.11.0 (+https://scrapy.org)", "WebZIP/3.5 (http://www.spidersoft.com)", "Teleport Pro/1.29", "WebCopier v4.6", "Offline Explorer/2.5", "SiteSnagger", "EmailCollector/1.0", "libwww-perl/6.67", "Wget/1.21.3", "python-requests/2.31.0", a.browser())
		for range a.from(500, 2500) {
			a.get(a.article()+a.pick("", "", "", "feed/", "page/"+fmt.Sprint(a.from(2, 9))+"/"), 200)
			a.pause(20*time.Millisecond, 500*time.Millisecond)
		}
	}},
}
