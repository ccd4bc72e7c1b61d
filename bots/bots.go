// Package bots tells who an agent says it is and whether the address proves it.
//
// [Claim] reads an agent; it knows some 2,000 crawlers, previews, monitors, feed readers, libraries and attack tools. [Set] holds
// the address ranges that operators publish, as shipped with the program or refreshed in a folder. [Resolver] asks the name
// service: the name of the address, and whether that name leads back to it. [Set.Prove] puts the two together and never takes
// longer than it may. What is shipped is unpacked when first asked for, not when the program starts.
//
// A claim is verified only by a published range or a name that leads back, and refuted only by what cannot be otherwise: see
// [Set.ByRange] and [Set.Prove] for what counts as that. Everything else is unproven, which accuses nobody.
package bots

import (
	"strings"
	"sync"

	"github.com/connwarden/connwarden"
)

// What a bot is for. Tools of attack and those who scan the whole internet are [TagScanner]; services that check a site's
// security, certificates or cookies, mostly for its owner, are [TagAudit].
const (
	TagSearch     = "search-engine"
	TagAI         = "ai-crawler"
	TagSEO        = "seo"
	TagSocial     = "social-preview"
	TagMonitoring = "monitoring"
	TagScanner    = "scanner"
	TagAudit      = "audit"
	TagLibrary    = "http-library"
	TagAutomation = "browser-automation"
	TagFeed       = "feed-reader"
	TagArchiver   = "archiver"
	TagAds        = "advertising"
	TagWebhook    = "webhook"
	TagAcademic   = "academic"
	TagOther      = "other" // says that it is a bot, but none that is known
)

// Claim tells who the agent says it is; false when it says nothing of being a bot, as browsers do. The letters' case does not
// matter for who can be proved and for tools of attack. Where an agent names several, a tool of attack comes before a known
// crawler, that before others, and libraries come last; among equals the longer name is taken. "like Googlebot" is no claim. Only
// the first kilobyte is read. Claim allocates nothing and may be called from any number of goroutines.
func Claim(agent []byte) (connwarden.Bot, bool) {
	all := claims()
	i := all.find(agent)
	if i < 0 || all.bots[i].Name == "" {
		return connwarden.Bot{}, false
	}
	return all.bots[i], true
}

// The order in which claims are believed.
const (
	rankTool    uint8 = iota // who calls itself sqlmap is not asked for more
	rankCrawler              // in our own table
	rankKnown
	rankLibrary // "python-requests (compatible; SomeBot)" is SomeBot
	rankPhone
	rankOther
)

// claims is the matcher of everything that is known.
var claims = sync.OnceValue(compile)

func compile() *matcher {
	m := new(matcher)
	for _, name := range tools {
		m.add(rankTool, connwarden.Bot{Name: plain(name), Tag: TagScanner}, false, name)
	}
	for i := range crawlers {
		c := &crawlers[i]
		m.add(rankCrawler, c.bot(), false, c.agents...)
	}
	for _, name := range libraries {
		m.add(rankLibrary, connwarden.Bot{Name: plain(name), Tag: TagLibrary}, false, name)
	}
	tag := ""
	for line := range strings.Lines(unpack(agentsData)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line[0] == '#':
		case line[0] == '@':
			tag = line[1:]
			if tag == TagScanner {
				tag = TagAudit // the tools of attack among them are in our own list
			}
		default:
			text, name, _ := strings.Cut(line, "\t")
			if name == "" {
				name = plain(text)
			}
			rank := rankKnown
			if tag == TagLibrary || tag == TagAutomation {
				rank = rankLibrary
			}
			m.add(rank, connwarden.Bot{Name: name, Tag: tag}, true, text)
		}
	}
	m.add(rankPhone, connwarden.Bot{}, false, "cubot", "cuboot") // a make of telephones
	m.add(rankOther, connwarden.Bot{Name: "unnamed bot", Tag: TagOther}, false, generic...)
	m.settle()
	return m
}

// plain takes off what marks the ends of a pattern and what surrounds a name.
func plain(text string) string {
	text = strings.TrimPrefix(strings.TrimPrefix(strings.Trim(text, "^$"), "http://"), "https://")
	text, _, _ = strings.Cut(text, "*")
	if i := strings.Index(text, " ("); i > 0 {
		text = text[:i]
	}
	return strings.Trim(text, " /;()-")
}
