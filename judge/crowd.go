package judge

import (
	"fmt"
	"time"

	"github.com/connwarden/connwarden"
)

// Bounds of a crowd: so many addresses, each asking for one page so often and so fast and for nothing else, that between them make half of what it
// is asked for. Readers of a page that has itself loaded anew do so, too, but load what belongs to it; whether the log has that is told by the others.
const (
	crowdLeast   = 200
	crowdEach    = 4
	crowdPace    = 2 * time.Minute // between requests, in the mean
	crowdShare   = 0.5
	crowdScore   = 55
	dressedShare = 0.5 // of the other addresses that asked twice or more
	dressedLeast = 50  // so many of these there must be
)

// Crowd tells whether a path is asked for by a crowd that asks for nothing else, in a verdict on the path, and gives one on each of the crowd where other
// addresses mostly load what pages are made of. shares are of those requests to the path that browsers send that come from no page.
func (t *Table) Crowd(o PathOutlier, shares []PathShare) (crowd, members []connwarden.Verdict) {
	t.flush()
	var of []*PathShare
	var all uint64
	for i := range shares {
		s := &shares[i]
		p := &s.Peer
		if s.Count < crowdEach || s.Count != p.Requests || p.Dressed || p.Last.Sub(p.First) > crowdPace*time.Duration(s.Count) {
			continue
		}
		of, all = append(of, s), all+s.Count
	}
	if len(of) < crowdLeast || float64(all) < crowdShare*float64(o.Count) {
		return nil, nil
	}
	path := cut([]byte(o.Path), valueText) // each of thousands has it in his sentence
	one := connwarden.Evidence{Rule: pathCrowd, Score: crowdScore, Family: volume, Capped: true, Thumb: true, Count: all}
	one.Why = fmt.Sprintf("%d addresses asked for %s and for nothing else, %d of %d times: bots that flood do so, and readers of a page that loads itself anew",
		len(of), path, all, o.Count)
	for _, s := range of {
		if p := &s.Peer; one.First.IsZero() || p.First.Before(one.First) {
			one.First = p.First
		}
		if p := &s.Peer; p.Last.After(one.Last) {
			one.Last = p.Last
		}
	}
	crowd = []connwarden.Verdict{{Subject: connwarden.Subject{Kind: "path", Name: o.Path}, Score: crowdScore, ScoreNow: crowdScore, Evidence: []connwarden.Evidence{one}}}
	if !t.othersDressed(len(of)) {
		return crowd, nil
	}
	for _, s := range of {
		own := one
		own.Count, own.First, own.Last = s.Count, s.Peer.First, s.Peer.Last
		own.Why = fmt.Sprintf("asked for %s %d times and for nothing else, as %d others did", path, s.Count, len(of)-1)
		members = append(members, connwarden.Verdict{Addr: s.Peer.Addr, Score: crowdScore, ScoreNow: crowdScore, Evidence: []connwarden.Evidence{own}})
	}
	return crowd, members
}

// othersDressed tells whether most addresses but so many load what pages are made of.
func (t *Table) othersDressed(but int) bool {
	all, dressed := 0, 0
	for i := range t.ledgers.n {
		if l := t.ledgers.at(i); l.requests > 1 {
			all++
			if l.dressed {
				dressed++
			}
		}
	}
	all -= but
	return all >= dressedLeast && float64(dressed) >= dressedShare*float64(all)
}

// dresses tells whether a path is that of a picture, a style, a font or a script of pages.
func dresses(path []byte) bool {
	for i := len(path) - 1; i >= max(0, len(path)-len(".woff2")); i-- {
		if path[i] == '.' {
			switch string(path[i+1:]) {
			case "css", "js", "mjs", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "woff", "woff2":
				return true
			}
			return false
		}
	}
	return false
}
