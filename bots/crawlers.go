package bots

import (
	"sync"

	"github.com/connwarden/connwarden"
)

// crawler is one row of the table of those whose addresses can be proved, or whose agents need care.
type crawler struct {
	name, operator, tag string
	agents              words  // any of them claims the name; in small letters: "^" and "$" are the agent's ends, "*" anything
	lists               words  // published ranges that hold its addresses
	full                bool   // the lists hold all of them
	names               words  // domains that its addresses' names are under; with one "*", a pattern for the whole name
	naming              naming // what the operator promises of these names
	shared              bool   // others can send through its addresses: proof spares nobody
}

type words = []string

// naming says what a missing or strange name means.
type naming uint8

const (
	someNamed   naming = iota // names prove, but their lack says nothing
	allNamed                  // every address has such a name, which need not lead back
	allLeadBack               // every address has such a name, and it leads back
)

func (c *crawler) bot() connwarden.Bot {
	provable := len(c.lists)+len(c.names) > 0
	return connwarden.Bot{Name: c.name, Operator: c.operator, Tag: c.tag, Exempt: provable && !c.shared && c.tag != TagScanner}
}

var (
	google   = words{"googlebot.com"}
	proxied  = words{"rate-limited-proxy-*.google.com", "googlebot.com"}
	bing     = words{"search.msn.com"}
	yandex   = words{"yandex.ru", "yandex.net", "yandex.com"}
	semrush  = words{"bot.semrush.com"}
	facebook = words{"fbsv.net"}
	lists1   = words{"googlebot"}
	lists2   = words{"google-special-crawlers", "googlebot"}
)

// crawlers is the table. Promises are those of the operators' own pages (September 2026), with these exceptions: names of
// Bytespider, Sogou, PetalBot, YisouSpider, Linespider, coccocbot and twttr.com as seen by feitsui.com/en/article/32; the suffixes
// of LinkedIn, Discord, You.com and Common Crawl as confirmed by crowdsecurity/sec-lists. Baidu's and SISTRIX's names do not
// reliably lead back; nor do those of Ahrefs and Flipboard, which are therefore not asked. Where an operator promises nothing, its
// own domain stands here all the same: a name under it that leads back cannot be had by others.
var crawlers = []crawler{
	// Search engines.
	{name: "Googlebot", operator: "Google", tag: TagSearch, agents: words{"googlebot"}, lists: lists1, full: true, names: google, naming: allLeadBack},
	{name: "GoogleOther", operator: "Google", tag: TagSearch, agents: words{"googleother"}, lists: lists1, full: true, names: google, naming: allLeadBack},
	{name: "Google-InspectionTool", operator: "Google", tag: TagSearch, agents: words{"google-inspectiontool"}, lists: lists1, full: true, names: google, naming: allLeadBack},
	{name: "Storebot-Google", operator: "Google", tag: TagSearch, agents: words{"storebot-google"}, lists: lists1, full: true, names: google, naming: allLeadBack},
	{name: "Google-CloudVertexBot", operator: "Google", tag: TagAI, agents: words{"google-cloudvertexbot"}, lists: lists1, full: true, names: google, naming: allLeadBack},
	{name: "AdsBot-Google", operator: "Google", tag: TagAds, agents: words{"adsbot-google"}, lists: lists2, full: true, names: proxied, naming: allLeadBack},
	{name: "Mediapartners-Google", operator: "Google", tag: TagAds, agents: words{"mediapartners-google", "mediapartners (googlebot)"}, lists: lists2, full: true, names: proxied, naming: allLeadBack},
	{name: "APIs-Google", operator: "Google", tag: TagWebhook, agents: words{"apis-google"}, lists: lists2, full: true, names: proxied, naming: allLeadBack},
	{name: "Google-Safety", operator: "Google", tag: TagAudit, agents: words{"google-safety"}, lists: lists2, names: proxied},
	// What users of Google's services have it fetch, customers of its cloud among them: known, never spared.
	{name: "Google user-triggered fetcher", operator: "Google", tag: TagOther, shared: true,
		agents: words{"feedfetcher-google", "google-site-verification", "google-read-aloud", "googleproducer", "google-notebooklm", "google-pinpoint", "googlemessages", "google-agent", "duplexweb-google", "googleimageproxy", "google web preview", "google favicon"},
		lists:  words{"google-user-triggered-fetchers", "google-special-crawlers", "googlebot"}, names: words{"google-proxy-*.google.com", "rate-limited-proxy-*.google.com"}},
	{name: "App Engine application", tag: TagLibrary, agents: words{"appengine-google"}},
	{name: "bingbot", operator: "Microsoft", tag: TagSearch, agents: words{"bingbot"}, lists: words{"bingbot"}, full: true, names: bing, naming: allLeadBack},
	{name: "adidxbot", operator: "Microsoft", tag: TagAds, agents: words{"adidxbot"}, lists: words{"bingbot"}, full: true, names: bing, naming: allLeadBack},
	{name: "msnbot", operator: "Microsoft", tag: TagSearch, agents: words{"msnbot"}, lists: words{"bingbot"}, names: bing, naming: allLeadBack},
	{name: "BingPreview", operator: "Microsoft", tag: TagSocial, agents: words{"bingpreview", "microsoftpreview"}, lists: words{"bingbot"}, names: bing},
	{name: "Applebot", operator: "Apple", tag: TagSearch, agents: words{"applebot"}, lists: words{"applebot"}, full: true, names: words{"applebot.apple.com"}, naming: allLeadBack},
	{name: "YandexBot", operator: "Yandex", tag: TagSearch, agents: words{"yandex.com/bots", "yandexbot", "yandeximages", "yandexmobilebot", "yandexrenderresourcesbot", "yandexfavicons", "yandexwebmaster", "yandexmetrika", "yadirectfetcher"}, lists: words{"yandex"}, full: true, names: yandex, naming: allLeadBack},
	{name: "Baiduspider", operator: "Baidu", tag: TagSearch, agents: words{"baiduspider"}, names: words{"baidu.com", "baidu.jp"}, naming: allNamed},
	{name: "DuckDuckBot", operator: "DuckDuckGo", tag: TagSearch, agents: words{"duckduckbot"}, lists: words{"duckduckgo"}, full: true},
	{name: "DuckAssistBot", operator: "DuckDuckGo", tag: TagAI, agents: words{"duckassistbot"}, lists: words{"duckduckgo"}, full: true},
	{name: "DuckDuckGo-Favicons-Bot", operator: "DuckDuckGo", tag: TagSearch, agents: words{"duckduckgo-favicons-bot"}, lists: words{"duckduckgo"}},
	{name: "Qwantbot", operator: "Qwant", tag: TagSearch, agents: words{"qwantbot", "qwantify"}, lists: words{"qwant"}, names: words{"qwant.com"}, naming: allLeadBack},
	{name: "SeznamBot", operator: "Seznam", tag: TagSearch, agents: words{"seznambot"}, lists: words{"seznam"}, names: words{"seznam.cz"}, naming: allLeadBack},
	{name: "Yahoo! Slurp", operator: "Yahoo", tag: TagSearch, agents: words{"yahoo! slurp"}, names: words{"crawl.yahoo.net"}, naming: allLeadBack},
	{name: "Yahoo! Japan", operator: "LY Corporation", tag: TagSearch, agents: words{"y!j-"}, names: words{"yahoo-net.jp"}},
	{name: "Yeti", operator: "Naver", tag: TagSearch, agents: words{"yeti/", "naverbot"}, lists: words{"naver"}, names: words{"naver.com"}},
	{name: "Linespider", operator: "LY Corporation", tag: TagSearch, agents: words{"linespider"}, names: words{"search.line-apps.com"}},
	{name: "Sogou spider", operator: "Sogou", tag: TagSearch, agents: words{"sogou web spider", "sogou inst spider", "sogou news spider", "sogou pic spider", "sogou spider", "sogou orion spider"}, names: words{"crawl.sogou.com"}},
	{name: "YisouSpider", operator: "Shenma", tag: TagSearch, agents: words{"yisouspider"}, names: words{"crawl.sm.cn"}},
	{name: "PetalBot", operator: "Huawei", tag: TagSearch, agents: words{"petalbot", "aspiegelbot"}, names: words{"petalsearch.com", "aspiegel.com"}},
	{name: "MojeekBot", operator: "Mojeek", tag: TagSearch, agents: words{"mojeekbot"}, names: words{"mojeek.com"}},
	{name: "coccocbot", operator: "Cốc Cốc", tag: TagSearch, agents: words{"coccocbot"}, names: words{"coccoc.com"}},
	{name: "Mail.RU_Bot", operator: "VK", tag: TagSearch, agents: words{"mail.ru_bot"}, names: words{"mail.ru"}},
	{name: "Kagibot", operator: "Kagi", tag: TagSearch, agents: words{"kagibot"}, lists: words{"kagi"}, full: true},
	{name: "YepBot", operator: "Ahrefs", tag: TagSearch, agents: words{"yepbot"}, lists: words{"ahrefs"}, full: true},
	{name: "Exabot", operator: "Exalead", tag: TagSearch, agents: words{"exabot"}, names: words{"exabot.com"}},
	{name: "YouBot", operator: "You.com", tag: TagSearch, agents: words{"youbot"}, names: words{"search.you.com"}},
	{name: "Daum", operator: "Kakao", tag: TagSearch, agents: words{"daumoa", "daum/", "following mediapartners-google"}},

	// Artificial intelligence.
	{name: "GPTBot", operator: "OpenAI", tag: TagAI, agents: words{"gptbot"}, lists: words{"openai"}, full: true},
	{name: "OAI-SearchBot", operator: "OpenAI", tag: TagAI, agents: words{"oai-searchbot"}, lists: words{"openai"}, full: true},
	{name: "ChatGPT-User", operator: "OpenAI", tag: TagAI, agents: words{"chatgpt-user"}, lists: words{"openai"}, full: true},
	{name: "ClaudeBot", operator: "Anthropic", tag: TagAI, agents: words{"claudebot"}, lists: words{"claudebot"}, full: true},
	{name: "Claude-User", operator: "Anthropic", tag: TagAI, agents: words{"claude-user"}, lists: words{"claudebot"}, full: true},
	{name: "Claude-SearchBot", operator: "Anthropic", tag: TagAI, agents: words{"claude-searchbot"}, lists: words{"claudebot"}, full: true},
	{name: "PerplexityBot", operator: "Perplexity", tag: TagAI, agents: words{"perplexitybot"}, lists: words{"perplexity"}, full: true},
	{name: "Perplexity-User", operator: "Perplexity", tag: TagAI, agents: words{"perplexity-user", "perplexityuser"}, lists: words{"perplexity"}, full: true},
	{name: "Amazonbot", operator: "Amazon", tag: TagAI, agents: words{"amazonbot"}, lists: words{"amazonbot"}, names: words{"crawl.amazonbot.amazon"}, naming: allLeadBack},
	{name: "Amzn-SearchBot", operator: "Amazon", tag: TagAI, agents: words{"amzn-searchbot", "amzn-user"}, lists: words{"amazonbot"}},
	{name: "CCBot", operator: "Common Crawl", tag: TagAI, agents: words{"ccbot"}, lists: words{"ccbot"}, names: words{"crawl.commoncrawl.org"}},
	{name: "Bytespider", operator: "ByteDance", tag: TagAI, agents: words{"bytespider"}, names: words{"crawl.bytedance.com"}},
	{name: "meta-externalagent", operator: "Meta", tag: TagAI, agents: words{"meta-externalagent", "meta-externalfetcher", "meta-webindexer", "facebookbot"}, lists: words{"facebook"}, full: true, names: facebook},
	{name: "MistralAI-User", operator: "Mistral AI", tag: TagAI, agents: words{"mistralai-user", "mistralai-index"}, lists: words{"mistral"}},

	// Previews of what people share.
	{name: "iMessage preview", operator: "Apple", tag: TagSocial, agents: words{"facebookexternalhit/1.1 facebot twitterbot/1.0"}}, // from people's own telephones
	{name: "facebookexternalhit", operator: "Meta", tag: TagSocial, agents: words{"facebookexternalhit", "facebookcatalog", "facebot"}, lists: words{"facebook"}, full: true, names: facebook},
	{name: "Twitterbot", operator: "X", tag: TagSocial, agents: words{"twitterbot"}, lists: words{"twitter"}, names: words{"twttr.com"}},
	{name: "LinkedInBot", operator: "LinkedIn", tag: TagSocial, agents: words{"linkedinbot"}, names: words{"linkedin.com"}},
	{name: "Pinterestbot", operator: "Pinterest", tag: TagSocial, agents: words{"pinterestbot", "pinterest.com/bot", "^pinterest/0."}, lists: words{"pinterest"}, names: words{"pinterest.com", "pinterestcrawler.com"}, naming: allLeadBack},
	{name: "Discordbot", operator: "Discord", tag: TagSocial, agents: words{"discordbot"}, names: words{"ptr.discord.com"}},
	{name: "TelegramBot", operator: "Telegram", tag: TagSocial, agents: words{"telegrambot"}, lists: words{"telegram"}, full: true},
	{name: "Flipboard", operator: "Flipboard", tag: TagSocial, agents: words{"flipboardproxy", "flipboardrss", "flipboardbot"}, lists: words{"flipboard"}},
	{name: "Citoid", operator: "Wikimedia", tag: TagSocial, agents: words{"citoid", "zoterotranslationserver"}, lists: words{"wikimedia"}, names: words{"wikimedia.org"}},
	{name: "WhatsApp", operator: "Meta", tag: TagSocial, agents: words{"^whatsapp/"}}, // from people's own telephones

	// Tools of search engine optimisation.
	{name: "AhrefsBot", operator: "Ahrefs", tag: TagSEO, agents: words{"ahrefsbot"}, lists: words{"ahrefs"}, full: true},
	{name: "AhrefsSiteAudit", operator: "Ahrefs", tag: TagSEO, agents: words{"ahrefssiteaudit"}, lists: words{"ahrefs"}, full: true},
	{name: "SemrushBot", operator: "Semrush", tag: TagSEO, agents: words{"semrushbot"}, lists: words{"semrush"}, names: semrush},
	{name: "SiteAuditBot", operator: "Semrush", tag: TagSEO, agents: words{"siteauditbot", "splitsignalbot", "rytebot"}, lists: words{"semrush"}, names: semrush},
	{name: "SeobilityBot", operator: "Seobility", tag: TagSEO, agents: words{"seobilitybot", "seobility"}, names: words{"seobility.net"}},
	{name: "SISTRIX", operator: "SISTRIX", tag: TagSEO, agents: words{"sistrix crawler", "sistrix optimizer"}, names: words{"crawler.sistrix.net"}, naming: allNamed},
	{name: "DataForSeoBot", operator: "DataForSEO", tag: TagSEO, agents: words{"dataforseobot"}, names: words{"dataforseo.com"}},
	{name: "BLEXBot", operator: "SE Ranking", tag: TagSEO, agents: words{"blexbot", "serankingbacklinksbot"}, names: words{"webmeup.com", "seranking.com"}},
	{name: "Barkrowler", operator: "Babbar", tag: TagSEO, agents: words{"barkrowler"}, names: words{"babbar.eu", "babbar.tech"}},
	{name: "rogerbot", operator: "Moz", tag: TagSEO, agents: words{"rogerbot"}, names: words{"moz.com"}},
	{name: "DotBot", operator: "Moz", tag: TagSEO, agents: words{"dotbot/"}, names: words{"opensiteexplorer.org", "moz.com"}},
	{name: "MJ12bot", operator: "Majestic", tag: TagSEO, agents: words{"mj12bot"}, names: words{"mj12bot.com"}}, // volunteers run most of it
	{name: "SeekportBot", operator: "SISTRIX", tag: TagSEO, agents: words{"seekportbot"}, lists: words{"seekport"}},

	// Archives, libraries, universities.
	{name: "archive.org_bot", operator: "Internet Archive", tag: TagArchiver, agents: words{"archive.org_bot", "special_archiver", "ia_archiver-web.archive.org"}, names: words{"archive.org"}},
	{name: "arquivo-web-crawler", operator: "Arquivo.pt", tag: TagArchiver, agents: words{"arquivo-web-crawler"}, names: words{"arquivo.pt"}},
	{name: "bnf.fr_bot", operator: "Bibliothèque nationale de France", tag: TagArchiver, agents: words{"bnf.fr_bot"}, names: words{"bnf.fr"}},
	{name: "TurnitinBot", operator: "Turnitin", tag: TagAcademic, agents: words{"turnitin"}, lists: words{"turnitin"}},

	// Monitors.
	{name: "UptimeRobot", operator: "UptimeRobot", tag: TagMonitoring, agents: words{"uptimerobot"}, lists: words{"uptimerobot"}, full: true, names: words{"uptimerobot.com"}},
	{name: "Pingdom", operator: "SolarWinds", tag: TagMonitoring, agents: words{"pingdom.com_bot", "pingdombot", "pingdomtms"}, lists: words{"pingdom"}, full: true, names: words{"pingdom.com"}},
	{name: "StatusCake", operator: "StatusCake", tag: TagMonitoring, agents: words{"statuscake"}, lists: words{"statuscake"}, full: true, names: words{"statuscake.com"}},
	{name: "Better Stack", operator: "Better Stack", tag: TagMonitoring, agents: words{"better uptime bot", "better stack", "betteruptimebot"}, lists: words{"betterstack"}, full: true},
	{name: "Pulsetic", operator: "Pulsetic", tag: TagMonitoring, agents: words{"pulsetic"}, lists: words{"pulsetic"}, full: true},
	{name: "WebPageTest", operator: "Catchpoint", tag: TagMonitoring, agents: words{"^ptst/", " ptst/"}, lists: words{"webpagetest"}}, // others run its agents too
	{name: "GTmetrix", operator: "GTmetrix", tag: TagMonitoring, agents: words{"gtmetrix"}, names: words{"gtmetrix.com"}},
	{name: "NodePing", operator: "NodePing", tag: TagMonitoring, agents: words{"nodeping"}, names: words{"nodeping.com"}},
	{name: "Site24x7", operator: "Zoho", tag: TagMonitoring, agents: words{"site24x7"}, names: words{"site24x7.com"}},
	{name: "HetrixTools", operator: "HetrixTools", tag: TagMonitoring, agents: words{"hetrixtools"}, lists: words{"hetrixtools"}, names: words{"hetrixtools.com"}},
	{name: "updown.io", operator: "updown.io", tag: TagMonitoring, agents: words{"updown.io"}, lists: words{"updown"}, names: words{"updn.io"}},
	{name: "Datadog Synthetics", operator: "Datadog", tag: TagMonitoring, agents: words{"datadogsynthetics", "datadog/synthetics"}, lists: words{"datadog"}},
	{name: "Let's Encrypt", operator: "ISRG", tag: TagAudit, agents: words{"let's encrypt validation"}, names: words{"letsencrypt.org"}}, // it also asks from where it will not say

	// Feed readers.
	{name: "Feedbin", operator: "Feedbin", tag: TagFeed, agents: words{"^feedbin"}, names: words{"feedbin.com"}},
	{name: "Inoreader", operator: "Inoreader", tag: TagFeed, agents: words{"inoreader"}, names: words{"inoreader.com"}},
	{name: "NewsBlur", operator: "NewsBlur", tag: TagFeed, agents: words{"newsblur"}, names: words{"newsblur.com"}},
	{name: "The Old Reader", operator: "The Old Reader", tag: TagFeed, agents: words{"theoldreader.com"}, names: words{"theoldreader.com"}},
	{name: "Superfeedr", operator: "Superfeedr", tag: TagFeed, agents: words{"superfeedr"}, names: words{"superfeedr.com"}},
	{name: "RSS API", operator: "RSS API", tag: TagFeed, lists: words{"rssapi"}},

	// Advertising.
	{name: "AmazonAdBot", operator: "Amazon", tag: TagAds, agents: words{"amazonadbot", "adbot.amazon.com"}, names: words{"amazonadbot.com"}},

	// What others send because the site asked for it.
	{name: "Stripe", operator: "Stripe", tag: TagWebhook, agents: words{"^stripe/"}, lists: words{"stripe"}, full: true},
	{name: "PayPal", operator: "PayPal", tag: TagWebhook, agents: words{"paypal ipn", "paypal/auhr"}, lists: words{"paypal"}, names: words{"paypal.com"}},
	{name: "Square", operator: "Block", tag: TagWebhook, agents: words{"square connect"}, lists: words{"square"}},
	{name: "Adyen", operator: "Adyen", tag: TagWebhook, agents: words{"adyen httpclient", "adyen http client"}, names: words{"adyen.com"}},
	{name: "Mollie", operator: "Mollie", tag: TagWebhook, agents: words{"mollie http client", "mollie.nl http client"}, names: words{"mollie.com", "mollie.nl"}},
	{name: "GitHub-Hookshot", operator: "GitHub", tag: TagWebhook, agents: words{"github-hookshot"}, lists: words{"github"}, names: words{"github.com"}},
	{name: "Jetpack", operator: "Automattic", tag: TagWebhook, agents: words{"jetpack by wordpress.com", "^jetpack"}, lists: words{"jetpack"}, names: words{"wordpress.com"}},
	{name: "WordPress", tag: TagLibrary, agents: words{"^wordpress/"}}, // pingbacks, and the site's own timer
	{name: "WooCommerce", tag: TagWebhook, agents: words{"woocommerce/*hookshot"}},
	{name: "Shopify", operator: "Shopify", tag: TagWebhook, agents: words{"shopify-captain-hook"}},
	{name: "Bitbucket", operator: "Atlassian", tag: TagWebhook, agents: words{"bitbucket-webhooks"}},
	{name: "GitLab", tag: TagWebhook, agents: words{"^gitlab/"}},
	{name: "Razorpay", operator: "Razorpay", tag: TagWebhook, agents: words{"razorpay-webhook"}},
	{name: "PagerDuty", operator: "PagerDuty", tag: TagWebhook, agents: words{"pagerduty-webhook"}, lists: words{"pagerduty"}},
	{name: "Svix", tag: TagWebhook, agents: words{"svix-webhooks"}},
	{name: "Zapier", operator: "Zapier", tag: TagWebhook, agents: words{"^zapier"}},
	{name: "IFTTT", operator: "IFTTT", tag: TagWebhook, agents: words{"ifttt-protocol"}},

	// Those who scan everybody: known by name, spared by nobody.
	{name: "Censys", operator: "Censys", tag: TagScanner, agents: words{"censysinspect"}, lists: words{"censys"}, full: true, names: words{"censys-scanner.com"}},
	{name: "Shodan", operator: "Shodan", tag: TagScanner, agents: words{"shodan"}, lists: words{"shodan"}, names: words{"shodan.io"}},
	{name: "Modat", operator: "Modat", tag: TagScanner, agents: words{"modatscanner", "modat.io"}, lists: words{"modat"}},
	{name: "Cortex Xpanse", operator: "Palo Alto Networks", tag: TagScanner, agents: words{"expanse, a palo alto", "expanse indexes", "palo alto networks"}, lists: words{"paloaltonetworks"}},
	{name: "NASK", operator: "NASK", tag: TagScanner, lists: words{"nask"}},
	{name: "LeakIX", operator: "LeakIX", tag: TagScanner, agents: words{"l9explore", "l9scan", "l9tcpid", "leakix"}, names: words{"scan.leakix.org"}},
	{name: "Shadowserver", operator: "The Shadowserver Foundation", tag: TagScanner, agents: words{"shadowserver"}, names: words{"shadowserver.org"}},
	{name: "InternetMeasurement", operator: "Driftnet", tag: TagScanner, agents: words{"internetmeasurement", "internet-measurement.com"}, names: words{"internet-measurement.com"}},
	{name: "ONYPHE", operator: "ONYPHE", tag: TagScanner, agents: words{"onyphe"}, names: words{"probe.onyphe.net"}},
	{name: "Stretchoid", operator: "Stretchoid", tag: TagScanner, agents: words{"stretchoid"}, names: words{"stretchoid.com"}},
	{name: "VisionHeight", operator: "VisionHeight", tag: TagScanner, agents: words{"visionheight.com/scan"}, names: words{"visionheight.com"}},
	{name: "Cypex", operator: "Cypex", tag: TagScanner, agents: words{"cypex.ai/scanning"}, names: words{"cypex.ai"}},
}

// crawlerOf returns the row of a name; nil if there is none.
func crawlerOf(name string) *crawler { return rows()[name] }

var rows = sync.OnceValue(func() map[string]*crawler {
	all := make(map[string]*crawler, len(crawlers))
	for i := range crawlers {
		all[crawlers[i].name] = &crawlers[i]
	}
	return all
})
