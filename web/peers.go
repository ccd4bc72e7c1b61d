package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/web/paper"
)

// Schemas of the documents that only the page has.
const (
	SchemaPeers    = "connwarden.peers/1"
	SchemaNetworks = "connwarden.networks/1"
)

// Peers is a part of the peers of a review, filtered and sorted.
type Peers struct {
	Schema  string         `json:"schema"`
	Number  uint64         `json:"number"`  // of the review
	Total   int            `json:"total"`   // peers of the review
	Matched int            `json:"matched"` // of them those that fit the filter
	Offset  int            `json:"offset"`
	Counts  map[string]int `json:"counts"` // of all peers, by verdict
	Rows    []report.Peer  `json:"rows"`   // evidence without its lines
}

// peersQuery is what the table of peers asks for.
type peersQuery struct {
	filter, verdict, sort string
	ascending             bool
	offset, limit         int
}

// maxRows is how many rows one answer has.
const maxRows = 500

// texts are what a filter looks in, one a peer, in lower case.
func texts(peers []report.Peer) []string {
	list := make([]string, len(peers))
	for i := range peers {
		p := &peers[i]
		parts := []string{p.Addr, p.Verdict, p.Name}
		if p.Network != nil {
			parts = append(parts, fmt.Sprintf("as%d", p.Network.ASN), p.Network.Org, p.Network.Country)
		}
		if p.Bot != nil {
			parts = append(parts, p.Bot.Claim, p.Bot.Proof)
		}
		for j := range p.Evidence {
			parts = append(parts, p.Evidence[j].Rule, p.Evidence[j].Why)
		}
		list[i] = strings.ToLower(strings.Join(parts, " "))
	}
	return list
}

// peers answers a query about a snapshot.
func (n *snapshot) peers(q peersQuery) *Peers {
	all := n.review.Peers
	d := &Peers{Schema: SchemaPeers, Number: n.number, Total: len(all), Counts: verdictCounts(all), Rows: []report.Peer{}}
	words := strings.Fields(strings.ToLower(q.filter))
	var search []string
	if len(words) > 0 {
		search = n.search()
	}
	list := make([]int, 0, len(all))
	for i := range all {
		if q.verdict != "" && all[i].Verdict != q.verdict {
			continue
		}
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(search[i], w) }) {
			list = append(list, i)
		}
	}
	if less := orders[q.sort]; less != nil {
		slices.SortStableFunc(list, func(a, b int) int {
			c := less(&all[a], &all[b])
			if q.ascending {
				return -c
			}
			return c
		})
	}
	d.Matched = len(list)
	d.Offset = min(max(q.offset, 0), len(list))
	for _, i := range list[d.Offset:min(d.Offset+min(max(q.limit, 1), maxRows), len(list))] {
		d.Rows = append(d.Rows, slim(&all[i]))
	}
	return d
}

// orders sort peers by a column, the most first; texts from A on. The order of the review is worst first.
var orders = map[string]func(a, b *report.Peer) int{
	"requests": func(a, b *report.Peer) int { return cmp.Compare(b.Requests, a.Requests) },
	"open":     func(a, b *report.Peer) int { return cmp.Compare(b.Open, a.Open) },
	"bytes":    func(a, b *report.Peer) int { return cmp.Compare(b.Bytes, a.Bytes) },
	"4xx":      func(a, b *report.Peer) int { return cmp.Compare(b.Status["4xx"], a.Status["4xx"]) },
	"5xx":      func(a, b *report.Peer) int { return cmp.Compare(b.Status["5xx"], a.Status["5xx"]) },
	"addr":     func(a, b *report.Peer) int { return cmp.Compare(a.Addr, b.Addr) },
	"country":  func(a, b *report.Peer) int { return cmp.Compare(network(a).Country, network(b).Country) },
	"network":  func(a, b *report.Peer) int { return cmp.Compare(network(a).Org, network(b).Org) },
}

func network(p *report.Peer) report.Network {
	if p.Network == nil {
		return report.Network{}
	}
	return *p.Network
}

// slim is a peer without the lines of its evidence, which only its dossier shows.
func slim(p *report.Peer) report.Peer {
	one := *p
	one.Evidence = slices.Clone(p.Evidence)
	for i := range one.Evidence {
		one.Evidence[i].Samples = []report.Sample{}
	}
	return one
}

func verdictCounts(peers []report.Peer) map[string]int {
	counts := map[string]int{}
	for i := range peers {
		counts[peers[i].Verdict]++
	}
	return counts
}

// Networks are the peers of a review added up by country or by autonomous system.
type Networks struct {
	Schema string       `json:"schema"`
	Number uint64       `json:"number"`
	By     string       `json:"by"` // country or asn
	Rows   []NetworkRow `json:"rows"`
}

// NetworkRow is one country or autonomous system; the key "" is what is not known.
type NetworkRow struct {
	Key      string `json:"key"` // NL, AS64500
	Name     string `json:"name"`
	Peers    int    `json:"peers"`
	Harmful  int    `json:"harmful"` // of them malicious or suspicious
	Worst    string `json:"worst"`   // the worst verdict among them
	Requests uint64 `json:"requests"`
	Open     uint64 `json:"open"`
	Bytes    uint64 `json:"bytes"`
}

// networks adds up by "country" or "asn", those with most harm first, then the busiest.
func (n *snapshot) networks(by string) *Networks {
	d := &Networks{Schema: SchemaNetworks, Number: n.number, By: by, Rows: []NetworkRow{}}
	at := map[string]int{}
	for i := range n.review.Peers {
		p := &n.review.Peers[i]
		net := network(p)
		key, name := net.Country, ""
		if by == "asn" {
			key, name = "", net.Org
			if net.ASN > 0 {
				key = fmt.Sprintf("AS%d", net.ASN)
			}
		}
		j, known := at[key]
		if !known {
			j = len(d.Rows)
			at[key] = j
			d.Rows = append(d.Rows, NetworkRow{Key: key, Name: name, Worst: p.Verdict})
		}
		row := &d.Rows[j]
		row.Peers++
		row.Requests += p.Requests
		row.Open += p.Open
		row.Bytes += p.Bytes
		if gravity(p.Verdict) < gravity(row.Worst) {
			row.Worst = p.Verdict
		}
		if gravity(p.Verdict) < gravity("bot") {
			row.Harmful++
		}
	}
	slices.SortStableFunc(d.Rows, func(a, b NetworkRow) int {
		return cmp.Or(cmp.Compare(b.Harmful, a.Harmful), cmp.Compare(b.Requests+b.Open, a.Requests+a.Open), cmp.Compare(a.Key, b.Key))
	})
	d.Rows = d.Rows[:min(len(d.Rows), maxRows)]
	return d
}

// gravity is the place of a verdict among all, the worst first.
func gravity(verdict string) int {
	if i := slices.Index(paper.Verdicts, verdict); i >= 0 {
		return i
	}
	return len(paper.Verdicts)
}
