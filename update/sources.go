package update

// networkFiles are the release files of ip-location-db (github.com/sapics/ip-location-db, README): who announces what, and
// in which country its users are. The makers' own compilations, licensed under CDLA-Permissive-2.0.
const networkFiles = "https://github.com/sapics/ip-location-db/releases/download/latest/"

// Sources returns everything that is refreshed, networks first. The lists of ranges have the names that room bots knows
// them by; the URLs are those that the operators' documentation names, as of autumn 2026.
func Sources() []Source {
	return []Source{
		{Name: Networks, URLs: []string{
			networkFiles + "origin-asn-ipv4.csv", networkFiles + "origin-asn-ipv6.csv",
			networkFiles + "user-country-ipv4.csv", networkFiles + "user-country-ipv6.csv",
		}},
		{"ahrefs", []string{"https://api.ahrefs.com/v3/public/crawler-ip-ranges"}, 25},
		{"applebot", []string{"https://search.developer.apple.com/applebot.json"}, 6},
		{"betterstack", []string{"https://uptime.betterstack.com/ips.txt"}, 17},
		{"bingbot", []string{"https://www.bing.com/toolbox/bingbot.json"}, 14},
		{"bunnycdn", []string{"https://api.bunny.net/system/edgeserverlist", "https://api.bunny.net/system/edgeserverlist/ipv6"}, 390},
		{"ccbot", []string{"https://index.commoncrawl.org/ccbot.json"}, 2},
		{"claudebot", []string{"https://claude.com/crawling/bots.json"}, 10},
		{"cloudflare", []string{"https://www.cloudflare.com/ips-v4", "https://www.cloudflare.com/ips-v6"}, 11},
		{"datadog", []string{"https://ip-ranges.datadoghq.com/#synthetics"}, 10},
		{"duckduckgo", []string{"https://duckduckgo.com/duckduckbot.json", "https://duckduckgo.com/duckassistbot.json"}, 200},
		{"fastly", []string{"https://api.fastly.com/public-ip-list"}, 8},
		{"github", []string{"https://api.github.com/meta#hooks"}, 3},
		{"google-special-crawlers", []string{"https://developers.google.com/static/crawling/ipranges/special-crawlers.json"}, 23},
		{"google-user-triggered-fetchers", []string{
			"https://developers.google.com/static/crawling/ipranges/user-triggered-fetchers.json",
			"https://developers.google.com/static/crawling/ipranges/user-triggered-fetchers-google.json",
		}, 160},
		{"googlebot", []string{"https://developers.google.com/static/crawling/ipranges/common-crawlers.json"}, 33},
		{"jetpack", []string{"https://jetpack.com/ips-v4.txt"}, 3},
		{"mistral", []string{"https://mistral.ai/mistralai-index-ips.json", "https://mistral.ai/mistralai-user-ips.json"}, 2},
		{"openai", []string{"https://openai.com/gptbot.json", "https://openai.com/searchbot.json", "https://openai.com/chatgpt-user.json"}, 115},
		{"perplexity", []string{"https://www.perplexity.ai/perplexitybot.json", "https://www.perplexity.ai/perplexity-user.json"}, 6},
		{"pingdom", []string{"https://my.pingdom.com/probes/ipv4", "https://my.pingdom.com/probes/ipv6"}, 75},
		{"pulsetic", []string{"https://api.pulsetic.com/ip-ranges.txt", "https://api.pulsetic.com/ipv6-ranges.txt"}, 25},
		{"statuscake", []string{"https://app.statuscake.com/Workfloor/Locations.php?format=txt"}, 90},
		{"stripe", []string{"https://stripe.com/files/ips/ips_webhooks.txt"}, 7},
		{"telegram", []string{"https://core.telegram.org/resources/cidr.txt"}, 5},
		{"updown", []string{"https://updown.io/api/nodes/ipv4", "https://updown.io/api/nodes/ipv6"}, 5},
		{"uptimerobot", []string{"https://uptimerobot.com/inc/files/ips/IPv4andIPv6.txt"}, 100},
		{"webpagetest", []string{"https://www.webpagetest.org/addresses.php?f=json"}, 16},
	}
}
