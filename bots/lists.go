package bots

import (
	"slices"
	"time"
)

// List is a list of address ranges that an operator publishes.
type List struct {
	Name string
	URLs []string // where the operator publishes it, in forms of its own; together they are the list. None: stated on a page for people
	Date time.Time
}

// sources are all lists and where they come from. Those that are not shipped count once they were fetched.
var sources = []struct {
	name string
	urls words
}{
	{"ahrefs", words{"https://api.ahrefs.com/v3/public/crawler-ip-ranges"}},
	{"amazonbot", words{"https://developer.amazon.com/amazonbot/ip-addresses/", "https://developer.amazon.com/amazonbot/searchbot-ip-addresses/", "https://developer.amazon.com/amazonbot/live-ip-addresses/"}},
	{"applebot", words{"https://search.developer.apple.com/applebot.json"}},
	{"betterstack", words{"https://uptime.betterstack.com/ips.txt"}},
	{"bingbot", words{"https://www.bing.com/toolbox/bingbot.json"}},
	{"ccbot", words{"https://index.commoncrawl.org/ccbot.json"}},
	{"censys", nil},
	{"claudebot", words{"https://claude.com/crawling/bots.json"}},
	{"datadog", words{"https://ip-ranges.datadoghq.com/synthetics.json"}},
	{"duckduckgo", words{"https://duckduckgo.com/duckduckbot.json", "https://duckduckgo.com/duckassistbot.json"}},
	{"facebook", nil},
	{"flipboard", words{"https://cdn.flipboard.com/flipboard_ip.txt"}},
	{"github", nil}, // one member of https://api.github.com/meta
	{"google-special-crawlers", words{"https://developers.google.com/static/crawling/ipranges/special-crawlers.json"}},
	{"google-user-triggered-fetchers", words{"https://developers.google.com/static/crawling/ipranges/user-triggered-fetchers.json", "https://developers.google.com/static/crawling/ipranges/user-triggered-fetchers-google.json"}},
	{"googlebot", words{"https://developers.google.com/static/crawling/ipranges/common-crawlers.json"}},
	{"hetrixtools", words{"https://hetrixtools.com/resources/uptime-monitor-only-ips.txt"}},
	{"jetpack", words{"https://jetpack.com/ips-v4.txt"}},
	{"kagi", nil},
	{"mistral", words{"https://mistral.ai/mistralai-user-ips.json", "https://mistral.ai/mistralai-index-ips.json"}},
	{"modat", nil},
	{"nask", nil},
	{"naver", words{"https://searchadvisor.naver.com/doc/naverbot.json"}},
	{"openai", words{"https://openai.com/gptbot.json", "https://openai.com/searchbot.json", "https://openai.com/chatgpt-user.json"}},
	{"pagerduty", words{"https://developer.pagerduty.com/ip-safelists/webhooks-us-service-region-json", "https://developer.pagerduty.com/ip-safelists/webhooks-eu-service-region-json"}},
	{"paloaltonetworks", nil},
	{"paypal", nil},
	{"perplexity", words{"https://www.perplexity.ai/perplexitybot.json", "https://www.perplexity.ai/perplexity-user.json"}},
	{"pingdom", words{"https://my.pingdom.com/probes/ipv4", "https://my.pingdom.com/probes/ipv6"}},
	{"pinterest", nil},
	{"pulsetic", nil},
	{"qwant", nil},
	{"rssapi", nil},
	{"seekport", words{"https://bot.seekport.com/seekportbot_ips.txt"}},
	{"semrush", nil},
	{"seznam", words{"https://search.seznam.cz/ipranges/seznambot.json"}},
	{"shodan", nil},
	{"square", nil},
	{"statuscake", words{"https://app.statuscake.com/Workfloor/Locations.php?format=txt"}},
	{"stripe", words{"https://stripe.com/files/ips/ips_webhooks.txt"}},
	{"telegram", words{"https://core.telegram.org/resources/cidr.txt"}},
	{"turnitin", nil},
	{"twitter", nil},
	{"updown", words{"https://updown.io/api/nodes/ipv4", "https://updown.io/api/nodes/ipv6"}},
	{"uptimerobot", words{"https://cdn.uptimerobot.com/api/IPv4andIPv6.txt"}},
	{"webpagetest", nil},
	{"wikimedia", nil},
	{"yandex", nil},
}

// Lists returns every list that is known, in order of name: what is in force, and where newer ones are published. Its Date is
// zero when the list is neither shipped nor was fetched.
func (s *Set) Lists() []List {
	out := make([]List, len(sources))
	for i, src := range sources {
		out[i] = List{Name: src.name, URLs: slices.Clone(src.urls)}
		if l := s.lists[src.name]; l != nil {
			out[i].Date = l.date
		}
	}
	return out
}
