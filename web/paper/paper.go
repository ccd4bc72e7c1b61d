// Package paper tells a review as one self-contained HTML file, for a customer or a colleague: what is wrong first, then
// who does it with the lines that prove it, then the figures. It needs no server, no network and, but for sorting
// tables, no script; it prints well. Redact takes out what is about persons.
//
// The file is made by html/template alone, so that hostile text stays text, and its own content security policy allows
// nothing but the style and the script that are in it. look.css is shared with the local page. The package opens nothing
// and reads no clock.
package paper

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/connwarden/connwarden/report"
)

var (
	//go:embed look.css
	look string
	//go:embed sheet.css
	style string
	//go:embed sort.js
	script string
	//go:embed sheet.html
	markup string
)

// Rows of the tables. A file is read by people, and mailed.
const (
	tableRows  = 200
	normalRows = 20  // give the measure of what is usual
	casesMost  = 100 // peers whose evidence is shown
)

// sheet is made when it is first wanted: it takes longer than all else of the program's start.
var sheet = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("sheet").Funcs(template.FuncMap{
		"count": func(n any) string { return report.Thousands(toUint(n)) }, "some": func(n any) string { return report.Nonzero(toUint(n)) },
		"size": func(n uint64) string {
			if n == 0 {
				return ""
			}
			return report.Size(n)
		},
		"percent": percent, "width": width, "classes": classes, "states": states, "span": span, "when": when, "plural": plural, "sentence": sentence,
		"ports": ports, "country": country, "harmful": harmful, "grave": grave, "repeats": repeats,
	}).Parse(markup))
})

// Sheet is what is told.
type Sheet struct {
	Review   *report.Review
	Timeline *Timeline // nil when no request was counted
	Redacted bool      // what is about persons was taken out
	Version  string    // of the program
}

// Write writes the file.
func (s *Sheet) Write(w io.Writer) error {
	css := look + style
	v := view{
		Sheet: s, Style: template.CSS(css), Script: template.JS(script), //nolint:gosec // both are files of ours
		Policy: "default-src 'none'; style-src '" + hash(css) + "'; script-src '" + hash(script) + "'; base-uri 'none'; form-action 'none'",
	}
	v.fill()
	return sheet().Execute(w, &v)
}

// hash names a text as a content security policy does.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// view is what the template reads.
type view struct {
	*Sheet
	Style    template.CSS
	Script   template.JS
	Policy   string
	Pressing int
	Findings []finding
	Chart    *chart
	Verdict  map[string]string // of addresses that are not normal
	Peers    []report.Peer
	Cases    []report.Peer // those with evidence
	Counts   []verdictCount
	Lands    []land
}

// finding is a finding with its title in parts: the word of a verdict alone is coloured.
type finding struct {
	report.Finding
	Mark              string
	Who, Word, Others string
}

type verdictCount struct {
	Verdict string
	Count   int
}

// land is a country and what came from it.
type land struct {
	Country        string
	Peers, Harmful int
	Requests, Open uint64
}

func (v *view) fill() {
	r := v.Review
	number := 0
	for _, f := range r.Findings {
		one := finding{Finding: f, Mark: "·"}
		if f.Level != "info" {
			number++
			one.Mark = strconv.Itoa(number)
		}
		if parts := strings.Split(f.Title, "  "); f.Addr != "" && len(parts) > 1 {
			one.Who, one.Word, one.Others = parts[0], parts[1], strings.Join(parts[2:], " ")
		}
		v.Findings = append(v.Findings, one)
	}
	v.Pressing = number
	v.Verdict = map[string]string{}
	counts := map[string]int{}
	at := map[string]int{}
	for i := range r.Peers {
		p := &r.Peers[i]
		counts[p.Verdict]++
		if p.Verdict != "normal" {
			v.Verdict[p.Addr] = p.Verdict
		}
		if len(p.Evidence) > 0 && len(v.Cases) < casesMost && harmful(p.Verdict) {
			one := *p
			one.Evidence = slices.Clone(p.Evidence)
			slices.SortStableFunc(one.Evidence, func(a, b report.Evidence) int { return b.Score - a.Score })
			v.Cases = append(v.Cases, one)
		}
		c := country(p)
		j, known := at[c]
		if !known {
			j = len(v.Lands)
			at[c] = j
			v.Lands = append(v.Lands, land{Country: c})
		}
		l := &v.Lands[j]
		l.Peers++
		l.Requests += p.Requests
		l.Open += p.Open
		if harmful(p.Verdict) {
			l.Harmful++
		}
	}
	for _, word := range Verdicts {
		if counts[word] > 0 {
			v.Counts = append(v.Counts, verdictCount{word, counts[word]})
		}
	}
	slices.SortStableFunc(v.Lands, func(a, b land) int {
		if a.Harmful != b.Harmful {
			return b.Harmful - a.Harmful
		}
		return b.Peers - a.Peers
	})
	v.Lands = v.Lands[:min(len(v.Lands), tableRows)]
	normal := 0
	for i := range r.Peers {
		if r.Peers[i].Verdict == "normal" {
			normal++
		}
		if normal <= normalRows && len(v.Peers) < tableRows {
			v.Peers = append(v.Peers, r.Peers[i])
		}
	}
	if v.Timeline != nil && v.Timeline.Len() > 0 {
		v.Chart = draw(v.Timeline)
	}
}
