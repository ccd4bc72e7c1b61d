package judge

import (
	"slices"

	"github.com/connwarden/connwarden"
)

// Known is what others know of an address, written down before it is judged, so that a verdict can be made again.
type Known struct {
	Bot    connwarden.Bot // who its agent says it is; Name is empty when it says nothing
	Proof  connwarden.Proof
	How    string // how it was proved or refuted, a sentence without its end
	Exempt string // why it must not be blocked whatever it does: this machine's own address, a proxy behind which others stand
}

// impostorScore is that of an address that claims to be a crawler and was proved not to be it: nobody does so by mistake.
const impostorScore = 82

// impostorHook is that of an address that claims to be a sender of web hooks: tools to test with, and services that
// pass hooks on, keep its agent.
const impostorHook = 62

// unproved is the highest score of what waits for an answer: not yet suspicious.
const unproved = connwarden.ScoreSuspicious - 1

// Decide weighs what is known of an address into its verdict and returns the word for it.
func Decide(v *connwarden.Verdict, k *Known) (word string) {
	if k.Proof == connwarden.ProofImpostor {
		score := impostorScore
		if k.Bot.Tag == hookTag {
			score = impostorHook
		}
		v.Evidence = append(v.Evidence, connwarden.Evidence{
			Rule: impostorCrawler, Why: "says it is " + k.Bot.Name + ", and is not: " + k.How, Score: score, Family: "identity", Count: 1,
		})
		v.Score, v.ScoreNow = weigh(v.Evidence), max(v.ScoreNow, score)
	}
	capped := !slices.ContainsFunc(v.Evidence, func(e connwarden.Evidence) bool { return !e.Capped })
	switch {
	case k.Exempt != "":
		v.Exempt = k.Exempt
		v.Score, v.ScoreNow = min(v.Score, cappedScore), min(v.ScoreNow, cappedScore)
	case k.Proof == connwarden.ProofVerified && k.Bot.Exempt:
		if v.Score >= connwarden.ScoreSuspicious {
			v.Exempt = k.Bot.Name + ", proved: " + k.How
		}
		v.Score, v.ScoreNow = min(v.Score, unproved), min(v.ScoreNow, unproved)
	case k.Proof == connwarden.ProofUnproven && k.Bot.Exempt && capped && v.Score >= connwarden.ScoreSuspicious:
		v.Exempt = "says it is " + k.Bot.Name + ", which is not proved yet; volume alone waits for the answer"
		v.Score, v.ScoreNow = unproved, min(v.ScoreNow, unproved)
	}
	switch {
	case v.Score >= connwarden.ScoreSuspicious:
		return connwarden.Word(v.Score)
	case k.Proof == connwarden.ProofVerified && k.Bot.Tag == searchTag:
		return connwarden.VerdictCrawler
	case k.Bot.Name != "":
		return connwarden.VerdictBot
	default:
		return connwarden.VerdictNormal
	}
}

// Tags of the room bots: search engines, and senders of web hooks.
const (
	searchTag = "search-engine"
	hookTag   = "webhook"
)
