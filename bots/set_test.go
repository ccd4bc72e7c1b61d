package bots

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

// Every list that is shipped can be read, is dated, holds nothing that no operator has, and is known where it is used.
func TestShipped(t *testing.T) {
	s, problems := Load("")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	known := map[string]bool{}
	for _, l := range s.Lists() {
		known[l.Name] = true
	}
	first, last := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	prefixes := 0
	for name, l := range s.lists {
		if !known[name] {
			t.Errorf("%s is shipped, but nobody is proved by it", name)
		}
		if l.date.Before(first) || l.date.After(last) || len(l.homes) == 0 || l.ranges.Empty() {
			t.Errorf("%s of %s in networks %v, empty %v", name, l.date, l.homes, l.ranges.Empty())
		}
		for _, p := range l.ranges.Prefixes() {
			prefixes++
			if p.Addr().Is4() && p.Bits() < widest4 || p.Addr().Is6() && p.Bits() < widest6 || !public(p.Addr()) {
				t.Errorf("%s holds %s", name, p)
			}
		}
	}
	if len(s.lists) != 37 || prefixes < 2000 {
		t.Errorf("%d lists with %d prefixes", len(s.lists), prefixes)
	}
}

// How many can be proved, and that the great are among them.
func TestProvable(t *testing.T) {
	s, _ := Load("")
	proved := map[string]bool{}
	names := map[string]bool{}
	for _, c := range crawlers {
		if names[c.name] {
			t.Errorf("%s stands in the table twice", c.name)
		}
		names[c.name] = true
		shipped := slices.ContainsFunc(c.lists, func(l string) bool { return s.lists[l] != nil })
		if shipped || len(c.names) > 0 {
			proved[c.name] = true
		}
		if c.full && !shipped || c.naming != someNamed && len(c.names) == 0 {
			t.Errorf("%s promises what it does not have", c.name)
		}
		for _, a := range c.agents {
			if a != strings.ToLower(a) {
				t.Errorf("%s: agent %q is not in small letters", c.name, a)
			}
		}
	}
	if len(proved) < 60 {
		t.Errorf("only %d can be proved", len(proved))
	}
	for _, name := range []string{
		"Googlebot", "bingbot", "Applebot", "YandexBot", "Baiduspider", "DuckDuckBot", "Qwantbot", "SeznamBot", "Yahoo! Slurp", "Yeti", "PetalBot", "Sogou spider",
		"GPTBot", "OAI-SearchBot", "ChatGPT-User", "ClaudeBot", "PerplexityBot", "Amazonbot", "CCBot", "Bytespider", "meta-externalagent",
		"facebookexternalhit", "Twitterbot", "LinkedInBot", "Pinterestbot", "Discordbot", "TelegramBot",
		"UptimeRobot", "Pingdom", "StatusCake", "Better Stack", "Pulsetic", "WebPageTest",
		"AhrefsBot", "SemrushBot", "DataForSeoBot", "BLEXBot", "Barkrowler", "SISTRIX", "archive.org_bot",
		"Stripe", "PayPal", "GitHub-Hookshot", "Square", "Jetpack", "Censys", "Shodan",
	} {
		if !proved[name] {
			t.Errorf("%s cannot be proved", name)
		}
	}
}

func TestByRange(t *testing.T) {
	s, _ := Load("")
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	then := time.Date(2015, 5, 17, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		addr, bot string
		when      time.Time
		asn       uint32
		want      connwarden.Proof
		how       string
	}{
		{"66.249.66.1", "Googlebot", now, 15169, connwarden.ProofVerified, "66.249.66.1 is in the ranges that Google publishes (googlebot, 2026-08-22)"},
		{"::ffff:66.249.66.1", "Googlebot", now, 0, connwarden.ProofVerified, "66.249.66.1 is in"},
		{"66.249.66.1", "Googlebot", then, 0, connwarden.ProofVerified, "is in the ranges"},
		{"2001:4860:4801:10::1", "Googlebot", now, 0, connwarden.ProofVerified, "is in the ranges"},
		{"157.55.39.1", "bingbot", now, 8075, connwarden.ProofVerified, "Microsoft publishes"},
		{"17.241.75.9", "Applebot", now, 714, connwarden.ProofVerified, "Apple"},
		{"54.187.216.72", "Stripe", now, 16509, connwarden.ProofVerified, "(stripe, 2026-05-05)"},
		{"140.82.115.9", "GitHub-Hookshot", now, 36459, connwarden.ProofVerified, "GitHub"},

		// Outside of a complete list: from another network, from a network that is not known, from one where the operator is.
		{"203.0.113.7", "Googlebot", now, 64500, connwarden.ProofImpostor, "203.0.113.7 is in none of the ranges that Google publishes (googlebot, 2026-08-22)"},
		{"203.0.113.7", "Googlebot", time.Time{}, 0, connwarden.ProofImpostor, "in none of the ranges"},
		{"35.192.0.10", "Googlebot", now, 396982, connwarden.ProofUnproven, "in AS396982, which holds some"}, // a customer of Google's cloud
		{"203.0.113.7", "GPTBot", now, 64500, connwarden.ProofImpostor, "OpenAI"},
		{"66.249.66.1", "GPTBot", now, 15169, connwarden.ProofImpostor, "OpenAI"},
		{"203.0.113.7", "Googlebot", then, 64500, connwarden.ProofUnproven, "which says nothing of 2015-05-17"},

		// Who watches over sites has other machines months later.
		{"203.0.113.7", "UptimeRobot", now, 64500, connwarden.ProofUnproven, "which says nothing of 2026-11-22"},
		{"203.0.113.7", "UptimeRobot", time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), 64500, connwarden.ProofImpostor, "in none of the ranges"},
		{"203.0.113.7", "Pingdom", now, 64500, connwarden.ProofImpostor, "in none of the ranges"},

		// Outside of a list that is not complete, or without one.
		{"203.0.113.7", "Twitterbot", now, 64500, connwarden.ProofUnproven, "which are not all"},
		{"203.0.113.7", "Baiduspider", now, 64500, connwarden.ProofUnproven, "its name was not asked for"},
		{"203.0.113.7", "CCBot", now, 64500, connwarden.ProofUnproven, "its name was not asked for"},
		{"203.0.113.7", "Embedly", now, 64500, connwarden.ProofUnproven, "nothing is published"},
		{"203.0.113.7", "WhatsApp", now, 64500, connwarden.ProofUnproven, "nothing is published"},
		{"203.0.113.7", "", now, 64500, connwarden.ProofNone, ""},

		// Behind whom others stand.
		{"10.1.2.3", "Googlebot", now, 0, connwarden.ProofUnproven, "10.1.2.3 is not a public address"},
		{"127.0.0.1", "Googlebot", now, 0, connwarden.ProofUnproven, "not a public address"},
		{"100.64.3.2", "Googlebot", now, 0, connwarden.ProofUnproven, "not a public address"},
		{"fd00::1", "Googlebot", now, 0, connwarden.ProofUnproven, "not a public address"},
		{"fe80::1%eth0", "Googlebot", now, 0, connwarden.ProofUnproven, "fe80::1 is not a public address"},
		{"104.16.0.9", "Googlebot", now, 13335, connwarden.ProofUnproven, "104.16.0.9 belongs to a content delivery network"},
	} {
		a := s.ByRange(Question{Addr: netip.MustParseAddr(c.addr), Bot: c.bot, Time: c.when, ASN: c.asn})
		if a.Proof != c.want || !strings.Contains(a.How, c.how) {
			t.Errorf("%s as %q: %s: %s\nwant %s: %s", c.addr, c.bot, a.Proof, a.How, c.want, c.how)
		}
	}
	if a := s.ByRange(Question{Bot: "Googlebot"}); a.Proof != connwarden.ProofUnproven {
		t.Errorf("no address: %+v", a)
	}
}

func TestAt(t *testing.T) {
	s, _ := Load("")
	for addr, want := range map[string]string{
		"66.249.66.1": "Googlebot", "54.187.216.72": "Stripe", "66.240.192.138": "Shodan", "168.119.254.124": "RSS API", "203.0.113.7": "", "2001:db8::1": "",
	} {
		bot, ok := s.At(netip.MustParseAddr(addr))
		if bot.Name != want || ok != (want != "") {
			t.Errorf("%s: %+v, want %q", addr, bot, want)
		}
	}
}

func TestExemptPrefix(t *testing.T) {
	s, _ := Load("")
	for p, want := range map[string]string{
		"66.249.66.1/32": "Googlebot 66.249.66.1/32", "66.249.0.0/16": "Googlebot 66.249.64.0/23", "54.187.216.0/24": "Stripe 54.187.216.72/32", "66.240.192.138/32": "", "66.240.192.0/24": "",
		"2001:4860:4801::/48": "Googlebot 2001:4860:4801:2::/64", "203.0.113.0/24": "", "2001:db8::/32": "",
	} {
		bot, at, ok := s.Exempt(netip.MustParsePrefix(p))
		got := ""
		if ok {
			got = bot.Name + " " + at.String()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", p, got, want)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	ranges := filepath.Join(dir, "ranges")
	if err := os.Mkdir(ranges, 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) string {
		name = filepath.Join(ranges, name)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	when := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	fresh := put("googlebot.txt", "# fetched\n203.0.113.0/24\n2001:db8:1::/64\n")
	if err := os.Chtimes(fresh, when, when); err != nil {
		t.Fatal(err)
	}
	put("ccbot.txt", "# taken 2026-11-21T08:00:00Z from https://index.commoncrawl.org/ccbot.json\n198.51.100.7\n") // not shipped
	put("bingbot.txt", "<html>404 not found</html>")
	put("applebot.txt", "# nothing\n")
	put("openai.txt", "0.0.0.0/0\n")
	put("perplexity.txt", "2000::/3\n")
	put("claudebot.txt", "192.0.2.1\n"+strings.Repeat("# long\n", maxList/7))
	put("unheard-of.txt", "192.0.2.1\n")
	if err := os.Mkdir(filepath.Join(ranges, "stripe.txt"), 0o755); err != nil {
		t.Fatal(err)
	}
	s, problems := Load(dir)
	for addr, bot := range map[string]string{
		"203.0.113.9": "Googlebot", "2001:db8:1::5": "Googlebot", "198.51.100.7": "CCBot",
		"157.55.39.1": "bingbot", "17.241.75.9": "Applebot", "54.187.216.72": "Stripe", "216.73.216.1": "ClaudeBot", // as shipped
	} {
		if a := s.ByRange(Question{Addr: netip.MustParseAddr(addr), Bot: bot}); a.Proof != connwarden.ProofVerified {
			t.Errorf("%s as %s: %+v", addr, bot, a)
		}
		if at, ok := s.At(netip.MustParseAddr(addr)); !ok || at.Name != bot {
			t.Errorf("at %s: %+v, want %s", addr, at, bot)
		}
	}
	if at, ok := s.At(netip.MustParseAddr("66.249.66.1")); ok {
		t.Errorf("at an address that only the shipped list holds: %+v", at)
	}
	if a := s.ByRange(Question{Addr: netip.MustParseAddr("66.249.66.1"), Bot: "Googlebot", ASN: 15169}); a.Proof != connwarden.ProofUnproven || !strings.Contains(a.How, "2026-11-20") {
		t.Errorf("an address that only the shipped list holds, in Google's network: %+v", a)
	}
	var said []string
	for _, p := range problems {
		said = append(said, filepath.Base(p.What)+": "+p.Why)
	}
	want := []string{
		"applebot.txt: holds no range; the ranges of 2026-05-05 are in force",
		`bingbot.txt: parse prefixes: line 1: "<html>404" is neither an address nor a prefix: write it like 192.0.2.0/24 or 2001:db8::/32; the ranges of 2026-08-22 are in force`,
		"claudebot.txt: not a regular file of at most 4194304 bytes; the ranges of 2026-05-05 are in force",
		"openai.txt: 0.0.0.0/0 is wider than anything a crawler has; the ranges of 2026-08-22 are in force",
		"perplexity.txt: 2000::/3 is wider than anything a crawler has; the ranges of 2026-08-22 are in force",
		"stripe.txt: not a regular file of at most 4194304 bytes; the ranges of 2026-05-05 are in force",
	}
	if !slices.Equal(said, want) {
		t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
	for _, l := range s.Lists() {
		want, ok := map[string]time.Time{"googlebot": when, "ccbot": time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), "amazonbot": {}, "bingbot": time.Date(2026, 8, 22, 0, 0, 0, 0, time.UTC)}[l.Name]
		if ok && !l.Date.Equal(want) {
			t.Errorf("%+v, want %s", l, want)
		}
	}
	if _, problems := Load(filepath.Join(dir, "not there")); len(problems) > 0 {
		t.Errorf("a folder that is not there: %v", problems)
	}
}

// TestLoadClosed: a folder that cannot be entered, here because it is none, is told of once and not for each list.
func TestLoadClosed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ranges"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, problems := Load(dir)
	if len(problems) != 1 || problems[0].What != filepath.Join(dir, "ranges") || !strings.HasSuffix(problems[0].Why, "; the ranges that ship are in force") {
		t.Errorf("%v", problems)
	}
	if _, ok := s.At(netip.MustParseAddr("66.249.66.1")); !ok {
		t.Error("what ships is not known")
	}
}

func BenchmarkByRange(b *testing.B) {
	s, _ := Load("")
	for _, c := range []struct {
		name string
		q    Question
	}{
		{"verified", Question{Addr: netip.MustParseAddr("66.249.66.1"), Bot: "Googlebot"}},
		{"impostor", Question{Addr: netip.MustParseAddr("203.0.113.7"), Bot: "Googlebot", ASN: 64500}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.ByRange(c.q)
			}
		})
	}
}

// BenchmarkRanges is the look-up itself, in the largest list.
func BenchmarkRanges(b *testing.B) {
	s, _ := Load("")
	l := s.lists["duckduckgo"].ranges
	a := netip.MustParseAddr("52.250.30.131")
	b.ReportAllocs()
	for b.Loop() {
		l.Contains(a)
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Load("")
	}
}
