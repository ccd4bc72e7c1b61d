package bots

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

// samples returns the agents of npm crawler-user-agents, each with the names that it may claim.
func samples(t testing.TB) (agents [][]byte, names [][]string) {
	data, err := os.ReadFile("testdata/samples.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(unpack(string(data))) {
		name, agent, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		agents, names = append(agents, []byte(agent)), append(names, strings.Split(name, "|"))
	}
	return agents, names
}

// All samples are found but the four whose agents are those of people's browsers; nearly all under the very name, the rest under
// another that stands in the same agent.
func TestSamples(t *testing.T) {
	agents, names := samples(t)
	claimed, people, same := 0, 0, 0
	for i, agent := range agents {
		bot, ok := Claim(agent)
		switch {
		case ok == (names[i][0] == ""):
			t.Errorf("%s: claimed %v, want %v", agent, ok, !ok)
		case !ok:
			people++
		case bot.Operator != "" || slices.ContainsFunc(names[i], func(n string) bool { return strings.EqualFold(n, bot.Name) }):
			same++
			fallthrough
		default:
			claimed++
		}
	}
	if len(agents) != 2118 || claimed != 2114 || people != 4 || same < 2090 {
		t.Errorf("of %d samples %d are claimed, %d by their own name; %d are people's browsers", len(agents), claimed, same, people)
	}
}

func TestBrowsers(t *testing.T) {
	data, err := os.ReadFile("testdata/browsers.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		n++
		if bot, ok := Claim([]byte(line)); ok {
			t.Errorf("%s is taken for %s (%s)", line, bot.Name, bot.Tag)
		}
	}
	if n < 450 {
		t.Errorf("only %d browsers", n)
	}
}

func TestClaim(t *testing.T) {
	far := strings.Repeat("x", 2000)
	for _, c := range []struct{ agent, name, tag string }{
		{"", "", ""},
		{"-", "", ""},
		{"bot", "unnamed bot", TagOther},
		{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot", TagSearch},
		{"mozilla/5.0 (compatible; GOOGLEBOT/2.1)", "Googlebot", TagSearch},
		{"Googlebot", "Googlebot", TagSearch},
		{"Mozilla/5.0 (Linux; Android 6.0.1) Chrome/126.0 Mobile Safari/537.36 (compatible; GoogleOther)", "GoogleOther", TagSearch},
		{"AdsBot-Google-Mobile-Apps", "AdsBot-Google", TagAds},
		{"Mediapartners (Googlebot)", "Mediapartners-Google", TagAds},
		{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0", "bingbot", TagSearch},
		{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", "GPTBot", TagAI},
		{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Claude-User/1.0; +Claude-User@anthropic.com)", "Claude-User", TagAI},

		// Who only resembles another is not that other.
		{"Feedly/1.0 (+http://www.feedly.com/fetcher.html; like FeedFetcher-Google)", "Feedly", TagFeed},
		{"TelegramBot (like TwitterBot)", "TelegramBot", TagSocial},
		{"SomeReader/1.0 (like Googlebot/2.1)", "unnamed bot", TagOther},
		{"Mozilla/5.0 (compatible; MSIE or Firefox mutant; not on Windows server;) Daumoa/4.0 (Following Mediapartners-Google)", "Daum", TagSearch},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0", "iMessage preview", TagSocial},
		{"AppEngine-Google; (+http://code.google.com/appengine; appid: s~feedly-social)", "App Engine application", TagLibrary},

		// Tools before crawlers, crawlers before others, libraries last.
		{"sqlmap/1.7.2#stable (https://sqlmap.org)", "sqlmap", TagScanner},
		{"SQLMAP/1.0 (compatible; Googlebot/2.1)", "sqlmap", TagScanner},
		{"Mozilla/5.0 zgrab/0.x", "zgrab", TagScanner},
		{"Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "Nmap Scripting Engine", TagScanner},
		{"Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:000001)", "Nikto", TagScanner},
		{"WPScan v3.8.25 (https://wpscan.com/wordpress-security-scanner)", "WPScan", TagScanner},
		{"Mozilla/5.0 (compatible; Nuclei - Open-source project (github.com/projectdiscovery/nuclei))", "projectdiscovery", TagScanner},
		{"Fuzz Faster U Fool v2.1.0-dev", "Fuzz Faster U Fool", TagScanner},
		{"gobuster/3.6", "gobuster", TagScanner}, {"feroxbuster/2.10.1", "feroxbuster", TagScanner}, {"DirBuster-1.0-RC1", "DirBuster", TagScanner},
		{"Wfuzz/3.1.0", "Wfuzz", TagScanner}, {"Mozilla/5.0 (Hydra)", "Hydra", TagScanner}, {"masscan/1.3 (https://github.com/robertdavidgraham/masscan)", "masscan", TagScanner},
		{"Mozilla/5.0 [en] (X11, U; OpenVAS-VT 21.4.4)", "OpenVAS", TagScanner}, {"acunetix_wvs_security_test", "Acunetix", TagScanner},
		{"Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)", "Censys", TagScanner},
		{"Expanse, a Palo Alto Networks company, searches across the global IPv4 space", "Cortex Xpanse", TagScanner},
		{"python-requests/2.31 (compatible; Googlebot/2.1)", "Googlebot", TagSearch},
		{"LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)", "LinkedInBot", TagSocial},
		{"Mozilla/5.0 (compatible; Let's Encrypt validation server; +https://www.letsencrypt.org)", "Let's Encrypt", TagAudit},
		{"curl/8.5.0", "curl", TagLibrary}, {"Go-http-client/1.1", "Go-http-client", TagLibrary}, {"okhttp/4.12.0", "okhttp", TagLibrary},
		{"libwww-perl/6.72", "libwww-perl", TagLibrary}, {"axios/1.6.2", "axios", TagLibrary}, {"Python/3.11 aiohttp/3.9.1", "aiohttp", TagLibrary},
		{"WordPress/6.5; https://example.org", "WordPress", TagLibrary},

		// What a site ordered.
		{"Stripe/1.0 (+https://stripe.com/docs/webhooks)", "Stripe", TagWebhook},
		{"PayPal IPN ( https://www.paypal.com/ipn )", "PayPal", TagWebhook},
		{"GitHub-Hookshot/4f6cd23", "GitHub-Hookshot", TagWebhook},
		{"WooCommerce/8.7.0 Hookshot (WordPress/6.5)", "WooCommerce", TagWebhook},
		{"Jetpack by WordPress.com", "Jetpack", TagWebhook},
		{"Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "UptimeRobot", TagMonitoring},
		{"Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0 Safari/537.36 PTST/240601", "WebPageTest", TagMonitoring},

		{"Mozilla/5.0 (compatible; NobodyKnowsBot/1.0)", "unnamed bot", TagOther},
		{"SomeThing (+https://example.org/about)", "unnamed bot", TagOther},
		{"MyBot", "unnamed bot", TagOther},
		{"Mozilla/5.0 (Linux; Android 9; CUBOT) Googlebot/2.1", "Googlebot", TagSearch},

		// The first kilobyte counts.
		{"Googlebot " + far, "Googlebot", TagSearch},
		{far + " Googlebot", "", ""},
		{strings.Repeat("x", maxAgent-len("sqlmap")) + "sqlmap", "sqlmap", TagScanner},
		{strings.Repeat("x", maxAgent-len("sqlmap")+1) + "sqlmap", "", ""},
	} {
		got, ok := Claim([]byte(c.agent))
		if got.Name != c.name || got.Tag != c.tag || ok != (c.name != "") {
			t.Errorf("%.120s\nis %q (%s), want %q (%s)", c.agent, got.Name, got.Tag, c.name, c.tag)
		}
	}
}

// Only who answers for a crawler may be spared, and never who scans everybody or lets others send.
func TestExempt(t *testing.T) {
	for agent, want := range map[string]bool{
		"Googlebot/2.1": true, "Stripe/1.0": true, "UptimeRobot/2.0": true, "AhrefsBot/7.0": true,
		"Feedfetcher-Google": false, "AppEngine-Google": false, "CensysInspect/1.1": false, "shodan": false, "sqlmap": false, "curl/8.5.0": false,
	} {
		bot, ok := Claim([]byte(agent))
		if !ok || bot.Exempt != want {
			t.Errorf("%s: %+v", agent, bot)
		}
	}
}

// The matcher answers as trying every text at every place does.
func TestAgainstTrying(t *testing.T) {
	agents, _ := samples(t)
	for i := 0; i < len(agents)-1; i += 25 {
		check(t, agents[i])
		check(t, slices.Concat(agents[i], agents[i+1]))
	}
}

func check(t *testing.T, agent []byte) {
	m := claims()
	framed := append([]byte{begin}, agent[:min(len(agent), maxAgent)]...)
	if len(agent) <= maxAgent {
		framed = append(framed, end)
	}
	var best *text
	for k := range m.texts {
		x := &m.texts[k]
		for at := range framed {
			if x.in(framed, at) && (best == nil || x.before(best)) {
				best = x
			}
		}
	}
	got := m.find(agent)
	switch {
	case best == nil:
		if got >= 0 {
			t.Fatalf("%q: found %v, want nothing", agent, m.bots[got])
		}
	case got < 0:
		t.Fatalf("%q: found nothing, want %v", agent, m.bots[best.bot])
	case m.bots[got] != m.bots[best.bot] && !tied(m, agent, got, best):
		t.Fatalf("%q: found %v, want %v", agent, m.bots[got], m.bots[best.bot])
	}
}

// tied tells whether two texts are equally good claims.
func tied(m *matcher, agent []byte, got int, best *text) bool {
	return slices.ContainsFunc(m.texts, func(x text) bool {
		return int(x.bot) == got && x.rank == best.rank && len(x.text)+len(x.rest) == len(best.text)+len(best.rest)
	})
}

func TestTexts(t *testing.T) {
	m := claims()
	if len(m.texts) < 1800 {
		t.Errorf("only %d texts", len(m.texts))
	}
	tags := []string{TagSearch, TagAI, TagSEO, TagSocial, TagMonitoring, TagScanner, TagAudit, TagLibrary, TagAutomation, TagFeed, TagArchiver, TagAds, TagWebhook, TagAcademic, TagOther}
	for _, x := range m.texts {
		if len(x.text) < 4 {
			t.Errorf("%q is too short to be filed", x.text)
		}
		if bot := m.bots[x.bot]; x.rank != rankPhone && (bot.Name == "" || !slices.Contains(tags, bot.Tag)) {
			t.Errorf("%q has the bot %+v", x.text, bot)
		}
	}
}

func TestClaimAllocatesNothing(t *testing.T) {
	agent := []byte("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
	Claim(agent)
	if n := testing.AllocsPerRun(100, func() { Claim(agent) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzClaim(f *testing.F) {
	f.Add([]byte("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"))
	f.Add([]byte("WooCommerce/8.7.0 Hookshot"))
	f.Add([]byte{begin, end, 0, 0xff})
	f.Fuzz(func(t *testing.T, agent []byte) {
		if bot, ok := Claim(agent); ok != (bot != connwarden.Bot{}) {
			t.Fatalf("%q: %v, %v", agent, bot, ok)
		}
		check(t, agent)
	})
}

func BenchmarkClaim(b *testing.B) {
	agents, _ := samples(b)
	size := 0
	for _, a := range agents {
		size += len(a)
	}
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		for _, a := range agents {
			Claim(a)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(agents)), "ns/agent")
}

func BenchmarkClaimBrowser(b *testing.B) {
	agent := []byte("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0")
	b.ReportAllocs()
	b.SetBytes(int64(len(agent)))
	for b.Loop() {
		Claim(agent)
	}
}

// BenchmarkFirst is what the first question costs: unpacking and filing.
func BenchmarkFirst(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		compile()
	}
}

// TestClaims: a number stands for the bot that was named, and who stands earlier has the greater one.
func TestClaims(t *testing.T) {
	var c Claims
	last := uint16(1 << 15)
	for _, agent := range []string{"sqlmap/1.8", "Googlebot/2.1", "python-requests/2.32", "some bot"} {
		want, _ := Claim([]byte(agent))
		n := c.Claim([]byte(agent))
		if got := c.Bot(n); n == 0 || got != want {
			t.Errorf("%s is number %d, which is %q, want %q", agent, n, got.Name, want.Name)
		}
		if n >= last {
			t.Errorf("%s is number %d, want less than %d", agent, n, last)
		}
		last = n
	}
	if n := c.Claim([]byte("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")); n != 0 || c.Bot(0).Name != "" {
		t.Errorf("a browser is number %d", n)
	}
}
