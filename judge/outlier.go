package judge

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// Bounds of the rules of thumb. A handful of connections or requests is never an outlier; ten times the neighbours is the rule that administrators
// go by; what makes itself felt is a fifth of the connections, or a tenth of the requests, at a pace that nobody who looks in regularly keeps up.
//
// Ten times a median is far out by any robust measure, too: of counts, which are never below zero, half are no farther from the median than the
// median is from zero, so that their median absolute deviation is at most the median, and ten times the median is at least nine such deviations above it.
const (
	connsMin     = 20
	connsLone    = 100 // with fewer than three other addresses there is nothing to compare with
	connsShare   = 0.2
	pathMin      = 100
	talkerMin    = 1000
	talkerReader = 10_000 // of who loads what pages are made of, as an owner at work on a quiet site does: each page is dozens of requests
	talkerShare  = 0.1
	talkersMost  = 10              // so many can each have made a tenth
	pace         = 5 * time.Second // between requests, in the mean; who takes longer polls, or watches whether the site is there
	outlying     = 10
	neighbours   = 20
	capOutlier   = 74 // one office, one proxy, one tunnel look just the same
	pathHolder   = 0.5
	pathScore    = 55
	talkerScore  = 55
	fewNeighbors = 3
	volume       = "volume" // the family of evidence on requests
	held         = "conns"  // and on connections, that of the rules on these
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
			Rule: connectionOutlier, Why: why, Score: score, Family: held, Capped: true, Count: o.Count,
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
	counts := make([]uint64, len(ranked))
	for i := range ranked {
		counts[i] = ranked[i].Count
	}
	for i, p := range ranked {
		if p.Count < pathMin {
			break
		}
		if usual, ok := ahead(counts[i:]); ok {
			out = append(out, PathOutlier{p.Path, p.Count, usual})
		}
	}
	return out
}

// ahead tells whether the first of ranked counts, most first, is ten times the median of the twenty that follow, which it returns.
func ahead(counts []uint64) (usual uint64, ok bool) {
	next := counts[1:min(1+neighbours, len(counts))]
	if len(next) < fewNeighbors {
		return 0, false
	}
	usual = next[len(next)/2]
	return usual, counts[0] >= outlying*usual
}

// Talkers returns a verdict on each address that made an outlying share of all requests: a thousand (ten thousand if it loads pictures and styles, too) and a
// tenth of them at least, ten times the median of the addresses that follow in the ranking, and one in five seconds for as long as it came.
func (t *Table) Talkers() []connwarden.Verdict {
	t.flush()
	var total uint64
	for i := range t.ledgers.n {
		total += uint64(t.ledgers.at(i).requests)
	}
	return talkers(t.ledgers.busiest(talkersMost+neighbours, nil), total)
}

// talkers is Talkers of ranked addresses, most first.
func talkers(busiest []Peer, total uint64) []connwarden.Verdict {
	var verdicts []connwarden.Verdict
	counts := make([]uint64, len(busiest))
	for i := range busiest {
		counts[i] = busiest[i].Requests
	}
	for i := range busiest {
		p := &busiest[i]
		if p.Requests < talkerMin || float64(p.Requests) < talkerShare*float64(total) {
			break
		}
		usual, ok := ahead(counts[i:])
		if !ok || p.pollsWith(p.Requests) || p.Dressed && p.Requests < talkerReader {
			continue
		}
		verdicts = append(verdicts, connwarden.Verdict{Addr: p.Addr, Score: talkerScore, ScoreNow: talkerScore, Evidence: []connwarden.Evidence{{
			Rule:  requestOutlier,
			Why:   fmt.Sprintf("made %d of %d requests; the median of the addresses that come next is %d", p.Requests, total, usual),
			Score: talkerScore, Family: volume, Capped: true, Thumb: true, Count: p.Requests, First: p.First, Last: p.Last,
		}}})
	}
	return verdicts
}

// pollsWith tells whether so many requests of a peer came more slowly than who burdens a site sends them.
func (p *Peer) pollsWith(requests uint64) bool {
	return p.Last.Sub(p.First) > pace*time.Duration(requests)
}

// PathShare is how often one address asked for an outlying path.
type PathShare struct {
	Peer  Peer
	Count uint64
}

// PathHolders returns a verdict on each address that makes half or more of the requests to an outlying path, unless it polls.
func PathHolders(o PathOutlier, shares []PathShare) []connwarden.Verdict {
	var verdicts []connwarden.Verdict
	for i := range shares {
		s := &shares[i]
		if s.Count < pathMin || float64(s.Count) < pathHolder*float64(o.Count) || s.Peer.pollsWith(s.Count) {
			continue
		}
		verdicts = append(verdicts, connwarden.Verdict{Addr: s.Peer.Addr, Score: pathScore, ScoreNow: pathScore, Evidence: []connwarden.Evidence{{
			Rule:  pathOutlier,
			Why:   fmt.Sprintf("%d of %d requests to %s, a path asked for %d times as often as its neighbours", s.Count, o.Count, cut([]byte(o.Path), valueText), o.Count/max(o.Usual, 1)),
			Score: pathScore, Family: volume, Capped: true, Thumb: true, Count: s.Count, First: s.Peer.First, Last: s.Peer.Last,
		}}})
	}
	return verdicts
}
