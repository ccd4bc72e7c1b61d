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
	Count   uint64
	Window  time.Duration // 0: no window, an instant
	First   time.Time
	Last    time.Time
	Samples []Sample // at most five, the earliest
}

// Verdict is what is thought of one address.
type Verdict struct {
	Addr     netip.Addr
	Score    int // 0 to 100, the worst in the window
	ScoreNow int // at the end of the window
	Evidence []Evidence
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
