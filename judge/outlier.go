package judge

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/connwarden/connwarden"
)

// Bounds of the two rules of thumb. A handful of connections or requests is never an outlier; ten times the
// neighbours is the rule that administrators go by; a fifth of everything is what makes itself felt.
const (
	connsMin     = 20
	connsLone    = 100 // with fewer than three other addresses there is nothing to compare with
	connsShare   = 0.2
	pathMin      = 100
	outlying     = 10
	neighbours   = 20
	capOutlier   = 74 // one office, one proxy, one tunnel look just the same
	pathHolder   = 0.5
	pathScore    = 55
	fewNeighbors = 3
	volume       = "volume" // the family of evidence
)

// Open is how many connections an address has opened to us and holds now.
type Open struct {
	Addr  netip.Addr
	Count uint64
}

// Holders returns a verdict on each address that holds an outlying share of the connections that came in: at least a
// fifth of them, and ten times the median of the other addresses.
func Holders(open []Open) []connwarden.Verdict {
	var total uint64
	counts := make([]uint64, 0, len(open))
	for _, o := range open {
		total += o.Count
		counts = append(counts, o.Count)
	}
	slices.Sort(counts)
	var verdicts []connwarden.Verdict
	for _, o := range open {
		share := float64(o.Count) / float64(max(total, 1))
		if o.Count < connsMin || share < connsShare {
			continue
		}
		others := len(counts) - 1
		usual := medianWithout(counts, o.Count)
		if others < fewNeighbors && o.Count < connsLone || o.Count < outlying*usual {
			continue
		}
		why := fmt.Sprintf("holds %d of %d connections that came in; the median of the other addresses is %d", o.Count, total, usual)
		if others == 0 {
			why = fmt.Sprintf("holds all %d connections that came in", o.Count)
		}
		score := min(connwarden.ScoreSuspicious+int(25*share), capOutlier)
		verdicts = append(verdicts, connwarden.Verdict{Addr: o.Addr, Score: score, ScoreNow: score, Evidence: []connwarden.Evidence{{
			Rule: "connection-outlier", Why: why, Score: score, Family: volume, Capped: true, Count: o.Count,
		}}})
	}
	slices.SortFunc(verdicts, worse)
	return verdicts
}

// medianWithout is the median of sorted counts with one occurrence of c taken out.
func medianWithout(sorted []uint64, c uint64) uint64 {
	n := len(sorted) - 1
	if n <= 0 {
		return 0
	}
	at, _ := slices.BinarySearch(sorted, c)
	mid := n / 2
	if mid >= at {
		mid++
	}
	return sorted[mid]
}

// PathCount is how often a path was asked for.
type PathCount struct {
	Path  string
	Count uint64
}

// PathOutlier is a path asked for at least ten times as often as its neighbours in the ranking.
type PathOutlier struct {
	Path  string
	Count uint64
	Usual uint64 // the median of its neighbours
}

// Paths finds the outlying paths among ranked ones, most first. A neighbour is one of the twenty paths that follow;
// with fewer than three there is nothing to compare with.
func Paths(ranked []PathCount) []PathOutlier {
	var out []PathOutlier
	for i, p := range ranked {
		if p.Count < pathMin {
			break
		}
		next := ranked[i+1 : min(i+1+neighbours, len(ranked))]
		if len(next) < fewNeighbors {
			break
		}
		usual := next[len(next)/2].Count
		if p.Count >= outlying*usual {
			out = append(out, PathOutlier{p.Path, p.Count, usual})
		}
	}
	return out
}

// PathShare is how often one address asked for an outlying path.
type PathShare struct {
	Addr  netip.Addr
	Count uint64
}

// PathHolders returns a verdict on each address that makes half or more of the requests to an outlying path.
func PathHolders(o PathOutlier, shares []PathShare) []connwarden.Verdict {
	var verdicts []connwarden.Verdict
	for _, s := range shares {
		if s.Count < pathMin || float64(s.Count) < pathHolder*float64(o.Count) {
			continue
		}
		verdicts = append(verdicts, connwarden.Verdict{Addr: s.Addr, Score: pathScore, ScoreNow: pathScore, Evidence: []connwarden.Evidence{{
			Rule:  "path-outlier",
			Why:   fmt.Sprintf("%d of %d requests to %s, a path asked for %d times as often as its neighbours", s.Count, o.Count, o.Path, o.Count/max(o.Usual, 1)),
			Score: pathScore, Family: volume, Capped: true, Count: s.Count,
		}}})
	}
	return verdicts
}
