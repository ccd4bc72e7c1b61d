package truth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/geo"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/rules"
	"github.com/connwarden/connwarden/watch"
)

// Court reviews worlds with what ships: the rules, the networks, the ranges of crawlers. It asks no name server. It may be used
// by several goroutines.
type Court struct {
	rules *rules.Set
	who   watch.Identity
}

// NewCourt reads what ships.
func NewCourt() (*Court, error) {
	var list []rules.Rule
	files := rules.Shipped()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		more, errs := rules.Parse(name, files[name])
		if len(errs) > 0 {
			return nil, fmt.Errorf("read the shipped rules: %w", errors.Join(errs...))
		}
		list = rules.Merge(list, more)
	}
	set, err := rules.Compile(list)
	if err != nil {
		return nil, fmt.Errorf("read the shipped rules: %w", err)
	}
	known, problems := bots.Load("")
	if len(problems) > 0 {
		return nil, fmt.Errorf("read the shipped ranges: %s", problems[0].Why)
	}
	return &Court{set, watch.Identity{Networks: geo.Shipped(), Bots: known}}, nil
}

// Finding is what was said of one address, and what it is.
type Finding struct {
	Addr     netip.Addr
	Kind     *Kind
	Verdict  string
	Score    int
	Exempt   string
	Evidence []report.Evidence
	Lines    []string // the first that it left, of some that are odd
}

// Wrong tells whether an attack was overlooked, an innocent accused, or a crawler suspected.
func (f *Finding) Wrong() bool {
	switch f.Kind.Role {
	case Attack:
		return f.Score < connwarden.ScoreSuspicious
	case Innocent:
		return f.Verdict == connwarden.VerdictMalicious
	default:
		return f.Verdict == connwarden.VerdictMalicious || f.Verdict == connwarden.VerdictSuspicious
	}
}

// Odd tells whether a finding is worth a look: it is wrong, or an innocent is suspected.
func (f *Finding) Odd() bool {
	return f.Wrong() || f.Kind.Role == Innocent && f.Verdict == connwarden.VerdictSuspicious
}

// Review reviews logs as the command does, of a machine whose root is dir.
func (c *Court) Review(ctx context.Context, dir string, files []string, now time.Time) (*report.Review, error) {
	doc, err := watch.Review(ctx, watch.ReviewOptions{
		Options: watch.Options{Options: gather.Options{
			Window: gather.Window{Clock: func() time.Time { return now }}, Host: host.New(dir), Files: files, Zone: time.UTC, CDN: true,
		}, Top: 1},
		Logs: true, Rules: c.rules, Identity: c.who,
	})
	if err != nil {
		return nil, fmt.Errorf("review: %w", err)
	}
	return doc, nil
}

// Judge writes a world into a folder, has it reviewed and returns a finding for every address.
func (c *Court) Judge(ctx context.Context, w *World, dir string) ([]Finding, error) {
	files, err := w.Write(dir)
	if err != nil {
		return nil, err
	}
	doc, err := c.Review(ctx, dir, files, w.Begin.Add(w.Length))
	if err != nil {
		return nil, err
	}
	said := map[netip.Addr]*report.Peer{}
	for i := range doc.Peers {
		if a, err := netip.ParseAddr(doc.Peers[i].Addr); err == nil {
			said[key(a)] = &doc.Peers[i]
		}
	}
	found := make([]Finding, 0, len(w.truth))
	odd := map[string]int{}
	for a, k := range w.truth {
		f := Finding{Addr: a, Kind: k, Verdict: connwarden.VerdictNormal}
		if p := said[a]; p != nil {
			f.Verdict, f.Score, f.Exempt, f.Evidence = p.Verdict, p.Score, p.Exempt, p.Evidence
		}
		if f.Odd() {
			if odd[k.Name]++; odd[k.Name] <= samplesKept {
				f.Lines = w.Lines(a, 6)
			}
		}
		found = append(found, f)
	}
	slices.SortFunc(found, func(a, b Finding) int { return a.Addr.Compare(b.Addr) })
	return found, nil
}

// Table counts who was taken for what.
type Table struct {
	rows  map[string]*row
	total map[Role]*row
}

type row struct {
	kind    *Kind
	number  int
	said    map[string]int
	samples []Finding
}

// words are the columns, worst first.
var words = []string{connwarden.VerdictMalicious, connwarden.VerdictSuspicious, connwarden.VerdictBot, connwarden.VerdictCrawler, connwarden.VerdictNormal}

// samplesKept is how many odd findings a kind keeps.
const samplesKept = 3

// NewTable returns an empty one.
func NewTable() *Table { return &Table{rows: map[string]*row{}, total: map[Role]*row{}} }

// Add counts findings.
func (t *Table) Add(list []Finding) {
	for i := range list {
		f := &list[i]
		r, all := t.rows[f.Kind.Name], t.total[f.Kind.Role]
		if r == nil {
			r = &row{kind: f.Kind, said: map[string]int{}}
			t.rows[f.Kind.Name] = r
		}
		if all == nil {
			all = &row{said: map[string]int{}}
			t.total[f.Kind.Role] = all
		}
		for _, one := range []*row{r, all} {
			one.number++
			one.said[f.Verdict]++
		}
		switch {
		case f.Wrong():
			r.samples = append([]Finding{*f}, r.samples...)
		case f.Odd():
			r.samples = append(r.samples, *f)
		}
		r.samples = r.samples[:min(len(r.samples), samplesKept)]
	}
}

// seen is how many of a row are suspicious or worse.
func (r *row) seen() int {
	return r.said[connwarden.VerdictMalicious] + r.said[connwarden.VerdictSuspicious]
}

// Recall is the part of the attacking addresses that was seen, and the part that was called malicious.
func (t *Table) Recall() (seen, malicious float64) {
	r := t.total[Attack]
	if r == nil {
		return 0, 0
	}
	return part(r.seen(), r.number), part(r.said[connwarden.VerdictMalicious], r.number)
}

// Even is the recall as the mean of the kinds of attack, whatever the number of addresses that it takes to do them.
func (t *Table) Even() (seen, malicious float64) {
	n := 0
	for _, r := range t.rows {
		if r.kind.Role == Attack {
			n++
			seen += part(r.seen(), r.number)
			malicious += part(r.said[connwarden.VerdictMalicious], r.number)
		}
	}
	if n == 0 {
		return 0, 0
	}
	return seen / float64(n), malicious / float64(n)
}

// Precision is the part of attackers among those called malicious.
func (t *Table) Precision() float64 {
	right, all := 0, 0
	for role, r := range t.total {
		n := r.said[connwarden.VerdictMalicious]
		if all += n; role == Attack {
			right = n
		}
	}
	return part(right, all)
}

// Accused is how many that are no attackers were called malicious, and how many crawlers were called suspicious or worse.
func (t *Table) Accused() (innocents, crawlers int) {
	if r := t.total[Innocent]; r != nil {
		innocents = r.said[connwarden.VerdictMalicious]
	}
	if r := t.total[Crawler]; r != nil {
		innocents += r.said[connwarden.VerdictMalicious]
		crawlers = r.seen()
	}
	return innocents, crawlers
}

func part(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// sorted are the rows: attacks, innocents, crawlers, each by name.
func (t *Table) sorted() []*row {
	list := slices.Collect(maps.Values(t.rows))
	slices.SortFunc(list, func(a, b *row) int {
		return cmp.Or(cmp.Compare(a.kind.Role, b.kind.Role), cmp.Compare(a.kind.Name, b.kind.Name))
	})
	return list
}

// Print writes the table as Markdown.
func (t *Table) Print(w io.Writer) {
	fmt.Fprintf(w, "| | addresses | %s | seen | malicious |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n", strings.Join(words, " | "))
	line := func(name string, r *row) {
		fmt.Fprintf(w, "| %s | %d", name, r.number)
		for _, word := range words {
			fmt.Fprintf(w, " | %d", r.said[word])
		}
		fmt.Fprintf(w, " | %.2f%% | %.2f%% |\n", 100*part(r.seen(), r.number), 100*part(r.said[connwarden.VerdictMalicious], r.number))
	}
	role := Role(255)
	for _, r := range t.sorted() {
		if r.kind.Role != role {
			role = r.kind.Role
			line("**all: "+role.String()+"**", t.total[role])
		}
		line(r.kind.Name, r)
	}
	seen, malicious := t.Recall()
	evenSeen, evenMalicious := t.Even()
	innocents, crawlers := t.Accused()
	fmt.Fprintf(w, "\nOf the attacking addresses %.3f%% were seen, %.3f%% called malicious; in the mean of the kinds of attack %.2f%% and %.2f%%. Of those called malicious %.3f%% attacked; %d did not. %d crawlers were suspected.\n",
		100*seen, 100*malicious, 100*evenSeen, 100*evenMalicious, 100*t.Precision(), innocents, crawlers)
}

// PrintOdd writes the first odd findings of every kind, with what spoke for or against them and what they did.
func (t *Table) PrintOdd(w io.Writer) {
	for _, r := range t.sorted() {
		for i := range r.samples {
			f := &r.samples[i]
			fmt.Fprintf(w, "\n%s (%s) %s: %s %d %s\n", f.Kind.Name, f.Kind.Role, f.Addr, f.Verdict, f.Score, f.Exempt)
			for _, e := range f.Evidence {
				fmt.Fprintf(w, "  %s %d: %s\n", e.Rule, e.Score, e.Why)
			}
			for _, l := range f.Lines {
				fmt.Fprintf(w, "    %s\n", report.Clean(l))
			}
		}
	}
}
