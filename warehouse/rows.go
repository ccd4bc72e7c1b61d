package warehouse

import (
	"net/netip"
	"strings"
	"time"

	"github.com/connwarden/connwarden/report"
)

// tables are those of schema.sql.
var tables = []string{"rates", "verdicts", "blocks"}

// maxText bounds a text of a row, in bytes.
const maxText = 1000

type rateRow struct {
	Host       string `json:"host"`
	At         int64  `json:"at"`
	Site       string `json:"site"`
	Batch      uint64 `json:"batch"`
	Requests   uint64 `json:"requests"`
	Bytes      uint64 `json:"bytes"`
	None       uint64 `json:"status_none"`
	S1         uint64 `json:"status_1xx"`
	S2         uint64 `json:"status_2xx"`
	S3         uint64 `json:"status_3xx"`
	S4         uint64 `json:"status_4xx"`
	S5         uint64 `json:"status_5xx"`
	Malicious  uint64 `json:"malicious"`
	Suspicious uint64 `json:"suspicious"`
	Errors     uint64 `json:"errors"`
	Events     uint64 `json:"events"`
	Open       uint64 `json:"open"`
}

func rates(host string, b *Batch) []any {
	list := make([]any, len(b.Rates))
	for i := range b.Rates {
		r := &b.Rates[i]
		list[i] = &rateRow{
			Host: host, At: r.At, Site: cut(r.Site), Batch: b.Number, Requests: r.Requests, Bytes: r.Bytes,
			None: r.Class[0], S1: r.Class[1], S2: r.Class[2], S3: r.Class[3], S4: r.Class[4], S5: r.Class[5],
			Malicious: r.Malicious, Suspicious: r.Suspicious, Errors: r.Errors, Events: r.Events, Open: r.Open,
		}
	}
	return list
}

type verdictRow struct {
	Host     string   `json:"host"`
	At       int64    `json:"at"`
	Batch    uint64   `json:"batch"`
	N        int      `json:"n"`
	Kind     string   `json:"kind"`
	Subject  string   `json:"subject"`
	Verdict  string   `json:"verdict"`
	Score    int      `json:"score"`
	Country  string   `json:"country"`
	ASN      uint32   `json:"asn"`
	Org      string   `json:"org"`
	Requests uint64   `json:"requests"`
	Bytes    uint64   `json:"bytes"`
	Open     uint64   `json:"open"`
	Claim    string   `json:"claim"`
	Proof    string   `json:"proof"`
	Exempt   string   `json:"exempt"`
	Rules    []string `json:"rules"`
	Why      string   `json:"why"`
}

func verdicts(host string, b *Batch) []any {
	list := make([]any, len(b.Sightings))
	for i := range b.Sightings {
		s := &b.Sightings[i]
		r := &verdictRow{
			Host: host, At: s.Time.Unix(), Batch: b.Number, N: i, Kind: s.Kind, Subject: cut(s.Addr), Verdict: s.Verdict, Score: s.Score,
			Requests: s.Requests, Bytes: s.Bytes, Open: s.Open, Exempt: cut(s.Exempt), Rules: []string{},
		}
		if r.Kind == "" {
			r.Kind = "address"
			if _, err := netip.ParsePrefix(s.Addr); err == nil {
				r.Kind = "net"
			}
		}
		if n := s.Network; n != nil {
			r.Country, r.ASN, r.Org = n.Country, n.ASN, cut(n.Org)
		}
		if s.Bot != nil {
			r.Claim, r.Proof = cut(s.Bot.Claim), s.Bot.Proof
		}
		var why []string
		for j := range s.Evidence {
			r.Rules = append(r.Rules, s.Evidence[j].Rule)
			why = append(why, s.Evidence[j].Why)
		}
		r.Why = cut(strings.Join(why, "; "))
		list[i] = r
	}
	return list
}

type blockRow struct {
	Host    string   `json:"host"`
	At      int64    `json:"at"`
	Batch   uint64   `json:"batch"`
	N       int      `json:"n"`
	Act     string   `json:"act"`
	Target  string   `json:"target"`
	Scope   string   `json:"scope"`
	Drivers []string `json:"drivers"`
	Until   *int64   `json:"until"`
	By      string   `json:"by"`
	Who     string   `json:"who"`
	Why     string   `json:"why"`
}

func blocks(host string, b *Batch) []any {
	list := make([]any, len(b.Acts))
	for i := range b.Acts {
		a := &b.Acts[i]
		list[i] = &blockRow{
			Host: host, At: a.Time.Unix(), Batch: b.Number, N: i, Act: a.Type, Target: a.Target, Scope: cut(a.Scope), Drivers: append([]string{}, a.Drivers...),
			Until: unix(a.Until), By: a.By, Who: cut(a.Who), Why: cut(a.Why),
		}
	}
	return list
}

func unix(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	n := t.Unix()
	return &n
}

// cut shortens a text and cleans it of what is no UTF-8.
func cut(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(report.Clean(s), "")
}
