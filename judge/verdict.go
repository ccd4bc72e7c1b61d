package judge

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/rules"
)

// Bounds of what is answered: no person reads more, and each is some hundred bytes.
const (
	maxVerdicts  = 1 << 16
	memberShare  = 0.6 // of the requests of one that took part in what a group did
	scoreDecades = 10  // a rule's highest score is reached at ten times its count
	cappedScore  = connwarden.ScoreMalicious - 1
)

// Verdicts returns what the rules say of addresses and of groups at a moment, worst first.
func (t *Table) Verdicts(now time.Time) (peers, groups []connwarden.Verdict) {
	t.flush()
	at := now.Unix()
	list := &deeds{map[deedKey]*deed{}, at}
	for k, c := range t.groups {
		r := &t.rules[c.rule]
		e, last, ok := t.evidence(c, r, at, 0)
		if !ok {
			continue
		}
		v := connwarden.Verdict{Subject: connwarden.Subject{Kind: r.By.String(), Name: c.extras().key}, Score: e.Score, Evidence: []connwarden.Evidence{e}}
		if last >= r.Count {
			v.ScoreNow = e.Score
		}
		if r.Capped {
			v.Score, v.ScoreNow = min(v.Score, cappedScore), min(v.ScoreNow, cappedScore)
		}
		groups = append(groups, v)
		if r.Member > 0 {
			list.known[k.deed()] = t.deedOf(c, last)
		}
	}
	for i := range t.ledgers.n {
		l := t.ledgers.at(i)
		if l.cell < 0 {
			continue
		}
		if j, ok := t.verdict(l, list); ok {
			peers = append(peers, j.Verdict)
		}
	}
	slices.SortFunc(peers, worse)
	groups = joined(groups)
	slices.SortFunc(groups, worse)
	return peers[:min(len(peers), maxVerdicts)], groups[:min(len(groups), maxVerdicts)]
}

// joined makes one verdict of those on the same group. Its score is that of the strongest: what several rules say of a group is
// mostly the same fact.
func joined(groups []connwarden.Verdict) (list []connwarden.Verdict) {
	at := map[connwarden.Subject]int{}
	for _, g := range groups {
		i, known := at[g.Subject]
		if !known {
			at[g.Subject] = len(list)
			list = append(list, g)
			continue
		}
		v := &list[i]
		v.Evidence = append(v.Evidence, g.Evidence...)
		v.Score, v.ScoreNow = max(v.Score, g.Score), max(v.ScoreNow, g.ScoreNow)
	}
	for _, v := range list {
		slices.SortFunc(v.Evidence, func(a, b connwarden.Evidence) int {
			return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Rule, b.Rule))
		})
	}
	return list
}

// said is what speaks against an address: all, what is so now, and what holds without what a local account may have written.
type said struct{ all, recent, proved []connwarden.Evidence }

func (s *said) add(e *connwarden.Evidence, now, proved bool) {
	s.all = append(s.all, *e)
	if now {
		s.recent = append(s.recent, *e)
	}
	if proved {
		s.proved = append(s.proved, *e)
	}
}

// verdict is what the rules say of an address, at the moment of the deeds of groups. What is proved is told by tables that follow.
func (t *Table) verdict(l *ledger, list *deeds) (j Judged, ok bool) {
	var s said
	circled := false
	for c := range t.cells.of(l.cell) {
		if t.circle(c) != nil {
			circled = true
			continue
		}
		r := &t.rules[c.rule]
		if e, last, ok := t.evidence(c, r, list.at, l.requests); ok {
			s.add(&e, last >= r.Count, t.live != nil && c.proves(r, e.Count))
		}
	}
	if circled {
		t.members(l, list, &s)
	}
	if len(s.all) == 0 {
		return j, false
	}
	slices.SortFunc(s.all, func(a, b connwarden.Evidence) int { return cmp.Compare(a.Rule, b.Rule) }) // parts of a log merge in any order
	return Judged{connwarden.Verdict{Addr: l.ip(), Evidence: s.all, Score: weigh(s.all), ScoreNow: weigh(s.recent)}, s.proved}, true
}

// evidence says what a cell proves, if its rule's count is met. last is the count of the window that ends now.
func (t *Table) evidence(c *cell, r *rules.Rule, now int64, requests uint32) (e connwarden.Evidence, last uint64, ok bool) {
	most, ok := t.met(c, r, requests)
	if ok {
		last = c.recent(r, parts(r), now)
		e = connwarden.Evidence{
			Rule: r.Name, Why: t.why(c, r, most), Score: score(r, most), Family: r.Family, Capped: r.Capped, Count: most, Window: r.Within,
			First: moment(int64(c.first)), Last: moment(int64(c.last)), Samples: t.samples(c),
		}
	}
	return e, last, ok
}

// met tells whether a cell's rule is, and by how many.
func (t *Table) met(c *cell, r *rules.Rule, requests uint32) (most uint64, ok bool) {
	need := c.need(r)
	if n := uint64(len(c.values)); r.Distinct != "" && c.extras().sketch == nil && n < need { // no window has more
		t.live.looked(c, 0, need-n)
		return 0, false
	}
	most = c.worst(r, parts(r))
	if most < need {
		more := need - most
		if c.extras().sketch != nil {
			more = 1
		}
		t.live.looked(c, 0, more)
		return 0, false
	}
	if r.Share > 0 && r.By == rules.ByIP && float64(c.total) < r.Share*float64(requests-min(requests, c.extras().before)) {
		t.live.looked(c, 0, 1)
		return 0, false
	}
	most = t.most(c, r, need)
	more, said := moreFor(r, most), level(1+score(r, most))
	if c.proves(r, most) {
		said |= proved
	} else {
		more = min(more, uint64(c.local)+r.Count-most)
	}
	t.live.looked(c, said, more)
	return most, true
}

// need is how many a rule asks for, of one that may have passed.
func (c *cell) need(r *rules.Rule) uint64 {
	if n := c.extras().passes; n > 0 {
		return max(r.PassCount, 3*uint64(n))
	}
	return r.Count
}

// score rises from the rule's score to its highest at ten times the count.
func score(r *rules.Rule, n uint64) int {
	if n <= r.Count {
		return r.Score
	}
	decades := math.Log(float64(n)/float64(r.Count)) / math.Log(scoreDecades)
	return min(r.Most, r.Score+int(decades*float64(r.Most-r.Score)+0.5))
}

// moreFor is no more than by how much a count must grow for another score.
func moreFor(r *rules.Rule, n uint64) uint64 {
	now := score(r, n)
	if now >= r.Most {
		return math.MaxUint32
	}
	next := float64(r.Count) * math.Pow(scoreDecades, (float64(now+1-r.Score)-0.5)/float64(r.Most-r.Score))
	return max(1, uint64(max(next, float64(n)))-n)
}

func (t *Table) why(c *cell, r *rules.Rule, most uint64) string {
	distinct := most
	if r.Distinct == "" {
		distinct = uint64(len(c.values))
	}
	text := fill(r.About+": "+singular(r.Why, most), func(name string) (string, bool) {
		switch name {
		case "count":
			if c.late && r.Distinct != "" {
				return fmt.Sprint("at least ", most), true
			}
			return strconv.FormatUint(most, 10), true
		case "total":
			return strconv.FormatUint(uint64(c.facts()), 10), true
		case "distinct":
			return strconv.FormatUint(distinct, 10), true
		case "within":
			return span(r.Within), true
		case "value", "agent", "referer":
			return c.example, true
		}
		return "", false
	})
	if all := c.facts(); all > uint32(min(most, math.MaxUint32)) && r.Within > 0 && r.Distinct == "" && !strings.Contains(r.Why, "{total}") {
		text += fmt.Sprintf(", %d in all", all)
	}
	if r.Look == rules.Requests && r.Count > 1 && r.Distinct == "" {
		switch {
		case c.refused == c.total:
			text += ", all refused"
		case c.refused > 0:
			text += fmt.Sprintf(", %d refused", c.refused)
		}
	}
	return text
}

// fill puts values for the names in braces; what is no name stays.
func fill(text string, value func(name string) (string, bool)) string {
	var b strings.Builder
	for {
		before, rest, _ := strings.Cut(text, "{")
		b.WriteString(before)
		if len(before) == len(text) {
			return b.String()
		}
		name, after, ends := strings.Cut(rest, "}")
		if v, ok := value(name); ok && ends {
			b.WriteString(v)
			text = after
		} else {
			b.WriteByte('{')
			text = rest
		}
	}
}

// singular mends the word behind {count} when there is only one.
func singular(why string, n uint64) string {
	if n != 1 {
		return why
	}
	before, after, ok := strings.Cut(why, "{count} ")
	if !ok {
		return why
	}
	after = strings.TrimPrefix(after, "different ") // one differs from nothing
	word, rest, _ := strings.Cut(after, " ")
	if word == "times" {
		return before + "once " + rest
	}
	if stem, ok := strings.CutSuffix(word, "ies"); ok {
		return before + "{count} " + stem + "y " + rest
	}
	return before + "{count} " + strings.TrimSuffix(word, "s") + " " + rest
}

// span is a time as a sentence has it.
func span(d time.Duration) string {
	switch {
	case d == 0:
		return "the time looked at"
	case d%time.Hour == 0:
		return amount(int(d/time.Hour), "hour")
	case d%time.Minute == 0:
		return amount(int(d/time.Minute), "minute")
	default:
		return amount(int(d/time.Second), "second")
	}
}

func amount(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}

// most is what is told of a cell whose rule is met: what came within the window to the second, without the part by which
// more is looked at. No less than need is told: so many were found.
func (t *Table) most(c *cell, r *rules.Rule, need uint64) uint64 {
	span := max(parts(r)-1, 1)
	if s := c.extras().sketch; s != nil { // what was kept besides depends on what came first
		return max(s.worst(span), need)
	}
	return max(c.worst(r, span), need)
}

func (t *Table) samples(c *cell) []connwarden.Sample {
	list := make([]connwarden.Sample, len(c.samples))
	for i, s := range c.samples {
		list[i].From = connwarden.Source{Name: t.names[s.source], Offset: s.offset, Line: s.line, Trust: s.trust}
	}
	return list
}

// weigh joins evidence to one score: what is independent as 1-(1-a)(1-b), of one family only the strongest; what honest
// heavy users show too stays below malicious, and so do oddities: what is neither strong by itself nor of several kinds. Rules of thumb add nothing.
func weigh(list []connwarden.Evidence) int {
	if len(list) == 0 {
		return 0
	}
	best, worth := map[string]int{}, map[string]int{} // by families; worth is without what is capped
	thumb := 0
	for _, e := range list {
		if e.Thumb {
			thumb = max(thumb, e.Score)
			continue
		}
		f := cmp.Or(e.Family, e.Rule)
		best[f] = max(best[f], e.Score)
		if !e.Capped {
			worth[f] = max(worth[f], e.Score)
		}
	}
	strongest := 0
	for _, s := range worth {
		strongest = max(strongest, s)
	}
	score := min(together(best), 99)
	if strongest < strong && len(worth) < several || together(worth) < carries {
		score = min(score, cappedScore)
	}
	return max(score, thumb)
}

// together is what independent scores come to.
func together(scores map[string]int) int {
	innocent := 1.0
	for _, s := range scores {
		innocent *= 1 - float64(s)/100
	}
	return int(100*(1-innocent) + 0.5)
}

// strong is what one kind of evidence comes to that an honest visitor's odd request does not; several is how many weaker ones
// no honest visitor shows together; carries is what all that honest heavy users do not show must come to, for what they do show to make it malicious:
// a monitor that asks for one odd page all day is none.
const (
	strong  = 60
	several = 3
	carries = 65
)

// Combine joins verdicts on the same address, worst first.
func Combine(verdicts []connwarden.Verdict) []connwarden.Verdict {
	at := map[netip.Addr]int{}
	var joined []connwarden.Verdict
	for _, v := range verdicts {
		i, known := at[v.Addr]
		if !known {
			at[v.Addr] = len(joined)
			v.Evidence = slices.Clone(v.Evidence)
			joined = append(joined, v)
			continue
		}
		joined[i].Evidence = append(joined[i].Evidence, v.Evidence...)
		joined[i].ScoreNow = max(joined[i].ScoreNow, v.ScoreNow)
	}
	for i := range joined {
		v := &joined[i]
		slices.SortStableFunc(v.Evidence, func(a, b connwarden.Evidence) int { return cmp.Compare(b.Score, a.Score) })
		v.Score = weigh(v.Evidence)
		v.ScoreNow = min(v.ScoreNow, v.Score)
	}
	slices.SortFunc(joined, worse)
	return joined
}

func worse(a, b connwarden.Verdict) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(count(b), count(a)), a.Addr.Compare(b.Addr), cmp.Compare(a.Subject.Name, b.Subject.Name))
}

func count(v connwarden.Verdict) (n uint64) {
	for _, e := range v.Evidence {
		n += e.Count
	}
	return n
}
