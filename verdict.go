package connwarden

import (
	"net/netip"
	"time"
)

// Level words of a verdict, by CLI.md, from harmless to harmful.
const (
	VerdictNormal     = "normal"
	VerdictCrawler    = "crawler"
	VerdictBot        = "bot"
	VerdictSuspicious = "suspicious"
	VerdictMalicious  = "malicious"
)

// Scores from which a verdict is suspicious or malicious; 0 to 100.
const (
	ScoreSuspicious = 50
	ScoreMalicious  = 80
)

// Sample is one line that supports evidence. It owns its text.
type Sample struct {
	From Source
	Text string // hostile
}

// Evidence is one reason.
type Evidence struct {
	Rule    string // a constant name: "wordpress-login-burst"
	Why     string // a whole sentence with the figures in it; may quote hostile text
	Score   int    // 0 to 100
	Family  string // evidence of one family sees the same fact
	Capped  bool   // honest heavy users show it too: alone it is never malicious
	Thumb   bool   // a rule of thumb: what it sees other evidence may have counted, so it adds nothing to that
	Count   uint64
	Window  time.Duration // 0: no window, an instant
	First   time.Time
	Last    time.Time
	Samples []Sample // at most five, the earliest
}

// Subject is what a verdict is about when it is no single address: a network, an autonomous system, a site, an account.
// The zero value says that it is the address.
type Subject struct {
	Kind string // "net", "asn", "site", "path", "agent", "user", "service"; "" is the address
	Name string // hostile, when it came from a log
}

// Verdict is what is thought of one address or of another subject.
type Verdict struct {
	Addr     netip.Addr // of an IPv6 /64 one of its addresses; invalid when Subject is set
	Subject  Subject
	Score    int // 0 to 100, the worst in the window
	ScoreNow int // at the end of the window
	Evidence []Evidence
	Exempt   string // why it must not be blocked although it may be harmful; "" nothing speaks against it
}

// Word returns the verdict's word for a score.
func Word(score int) string {
	switch {
	case score >= ScoreMalicious:
		return VerdictMalicious
	case score >= ScoreSuspicious:
		return VerdictSuspicious
	default:
		return VerdictNormal
	}
}
