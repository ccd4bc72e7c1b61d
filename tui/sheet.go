package tui

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/report"
)

// sheet is what is shown instead of a tab: an address with all that is known of it, a fault, a page, the help.
type sheet struct {
	target  string // an address or prefix; "" is none
	dossier *report.IPs
	minutes *report.Pages
	err     error
	explain func(width int) []string // of other sheets
	host    string                   // another host of the fleet; "" is none
	review  *report.Review           // what it said
	top     int
}

// dossierMsg is what the desk knows of a target.
type dossierMsg struct {
	target  string
	doc     *report.IPs
	minutes *report.Pages
	err     error
}

// lookInto opens the sheet of a target at once with what the last review holds, and asks the desk for the rest.
func (s *screen) lookInto(target string) tea.Cmd {
	s.sheet = &sheet{target: target}
	latest, since := s.review, s.opt.Since
	return func() tea.Msg {
		m := dossierMsg{target: target}
		if m.doc, m.err = s.opt.Desk.IP(s.ctx, target, since, latest); m.err == nil {
			m.minutes, _ = s.opt.Desk.Minutes(s.ctx, target, since) // without it there is no row of requests on the axis
		}
		return m
	}
}

func (s *screen) onSheet(name string) tea.Cmd {
	page := max(s.height-6, 1)
	switch name {
	case "esc", "backspace":
		s.sheet = nil
	case "down", "j":
		s.sheet.top++
	case "up", "k":
		s.sheet.top--
	case "pgdown", "ctrl+d":
		s.sheet.top += page
	case "pgup", "ctrl+u":
		s.sheet.top -= page
	case "home", "g":
		s.sheet.top = 0
	case "end", "G":
		s.sheet.top = 1 << 20
	case "b":
		if s.sheet.target != "" {
			return s.wonder(&question{verb: block, target: whole(s.sheet.target), span: usualSpan})
		}
	case "x":
		if s.sheet.target != "" {
			target := s.sheet.target
			if b := s.blockOf(target); b != nil {
				target = report.Shown(b.Target)
			}
			return s.wonder(&question{verb: unblock, target: target})
		}
	}
	return nil
}

// whole is what a block of a target is of: an IPv6 address goes with the /64 that is judged with it.
func whole(target string) string {
	a, err := netip.ParseAddr(target)
	if err != nil {
		return target
	}
	return cmp.Or(report.Judged(a), target)
}

func (h *sheet) keys() []string {
	if h.host != "" {
		return []string{"esc", "back", "r", "ask again", "up/down", "scroll", "q", "quit"}
	}
	if h.target == "" {
		return []string{"esc", "back", "up/down", "scroll", "q", "quit"}
	}
	return []string{"esc", "back", "b", "block", "x", "unblock", "up/down", "scroll", "u", "undo", "q", "quit"}
}

func (h *sheet) lines(s *screen) []string {
	switch {
	case h.explain != nil:
		return h.explain(s.width)
	case h.host != "":
		return s.visited(h)
	}
	doc := h.dossier
	if doc == nil {
		doc = s.known(h.target)
	}
	text := report.Text{Width: s.width, Color: s.pen.color, ASCII: s.pen.ascii}
	var b strings.Builder
	if err := text.IPs(&b, doc); err != nil {
		return []string{report.Clean(err.Error())}
	}
	lines := fold(b.String(), s.width)
	at := slices.Index(lines, "") // after who it is and what is thought of it, before the reasons
	if at < 0 {
		at = len(lines)
	}
	if axis := s.timeline(h, doc); len(axis) > 0 {
		lines = slices.Insert(lines, at, append([]string{""}, axis...)...)
	}
	switch {
	case h.err != nil:
		lines = append(lines, "", s.pen.draw([]span{{report.Clean(h.err.Error()), amber}}, s.width, false))
	case h.dossier == nil:
		lines = append(lines, "", s.pen.draw([]span{{"Reading what it asked for.", dim}}, s.width, false))
	}
	return lines
}

// known is what the last review holds of a target.
func (s *screen) known(target string) *report.IPs {
	d := report.Dossier{Target: target}
	out := &report.IPs{Time: s.now}
	if s.review != nil {
		out.Since = s.review.Since
		for i := range s.review.Peers {
			if s.review.Peers[i].Addr == target {
				d.Peers = append(d.Peers, s.review.Peers[i])
			}
		}
	}
	if b := s.blockOf(target); b != nil {
		d.Blocks = append(d.Blocks, *b)
	}
	out.Addrs = []report.Dossier{d}
	return out
}

// timeline draws on one axis of time when a target asked, and over which stretch each reason for its verdict holds;
// before it the connections that it has open, on an axis of their own: the last minute.
func (s *screen) timeline(h *sheet, doc *report.IPs) []string {
	var out []string
	line := func(spans ...span) { out = append(out, s.pen.draw(spans, s.width, false)) }
	lane := max(s.width/2, 20) - gutter
	if now := s.history.of(h.target, lane); s.live != nil && len(now) > 0 && slices.Max(now) > 0 {
		line(span{"  ", plain}, span{s.pen.spark(now, slices.Max(now), lane), dim}, span{"  " + report.Plural(now[len(now)-1], "connection", "connections") + " open now", plain})
	}
	var peers []report.Peer
	for i := range doc.Addrs {
		peers = append(peers, doc.Addrs[i].Peers...)
	}
	from, to := stretch(peers, doc)
	if !from.Before(to) || len(peers) == 0 {
		return out
	}
	at := func(t time.Time) int {
		return max(min(int(float64(lane)*float64(t.Sub(from))/float64(to.Sub(from))), lane-1), 0)
	}
	if counted, most := perColumn(h.minutes, lane, at); most > 0 {
		line(span{"  ", plain}, span{s.pen.spark(counted, most, lane), plain}, span{"  " + report.Plural(most, "request", "requests") + " in its busiest minute", plain})
	}
	for i := range peers {
		for _, e := range peers[i].Evidence {
			if e.First == nil || e.Last == nil {
				continue
			}
			a, b := at(*e.First), at(*e.Last)
			mark := strings.Repeat(" ", a) + strings.Repeat(s.pen.glyph("━", "="), b-a+1)
			line(span{"  ", plain}, span{fmt.Sprintf("%-*s", lane, mark), verdict(connwarden.Word(e.Score)).style}, span{fmt.Sprintf("  %d %s", e.Score, report.Clean(e.Rule)), plain})
		}
	}
	left, right := since(&from), since(&to)
	line(span{"  " + left + strings.Repeat(" ", max(lane-columns(left)-columns(right), 1)) + right, dim})
	return out
}

// stretch is the axis: from the first thing that is known, or the beginning of the window, until now.
func stretch(peers []report.Peer, doc *report.IPs) (from, to time.Time) {
	from, to = doc.Time, doc.Time
	see := func(t *time.Time) {
		if t != nil && t.Before(from) {
			from = *t
		}
		if t != nil && t.After(to) {
			to = *t
		}
	}
	see(doc.Since)
	if doc.Since == nil {
		for i := range peers {
			see(peers[i].First)
			for _, e := range peers[i].Evidence {
				see(e.First)
			}
		}
	}
	return from, to
}

// perColumn is for each column of the axis the busiest minute that it shows a part of; most is the busiest of all.
func perColumn(d *report.Pages, lane int, at func(time.Time) int) (counts []uint64, most uint64) {
	counts = make([]uint64, lane)
	if d == nil {
		return counts, 0
	}
	for _, r := range d.Rows {
		t, err := time.Parse(time.RFC3339, r.Key)
		if err != nil {
			continue
		}
		first, end := at(t), at(t.Add(time.Minute))
		for i := first; i < max(end, first+1); i++ {
			counts[i] = max(counts[i], r.Count)
		}
		most = max(most, r.Count)
	}
	return counts, most
}

// fault explains a row of the errors: what it means, what to do, a line as it stands in the log.
func (s *screen) fault(r *report.ErrorRow) func(int) []string {
	return func(width int) []string {
		out := s.paragraph(report.Clean(r.Key), bold, width)
		count := report.Plural(r.Count, "time", "times") + ", " + report.Clean(r.Service) + ", " + report.Clean(r.Level)
		if r.First != nil && r.Last != nil {
			count += ", " + report.Span(*r.First, *r.Last)
		}
		out = append(out, s.paragraph(count, plain, width)...)
		for _, text := range []string{r.Meaning, r.Remedy} {
			if text != "" {
				out = append(out, "")
				out = append(out, s.paragraph(report.Clean(text), plain, width)...)
			}
		}
		if r.Sample != nil {
			out = append(out, "")
			out = append(out, s.line(r.Sample, width)...)
		}
		out = append(out, s.shares("ADDRESS", r.IPs, r.Clients, r.Count)...)
		return append(out, s.shares("SITE", 0, r.Sites, r.Count)...)
	}
}

// shares tells who has how much of a row. all is how many different ones there are, 0 when nobody counted.
func (s *screen) shares(title string, all uint64, parts []report.Part, whole uint64) []string {
	if len(parts) == 0 {
		return nil
	}
	t := &table{cols: []column{{title: "COUNT", right: true}, {}, {title: title, least: 8}}}
	for _, p := range parts {
		count := number(p.Count, bold)
		if p.Over > 0 {
			count.text = "~" + count.text
		}
		t.entries = append(t.entries, entry{cells: []cell{count, words(s.pen.bar(float64(p.Count)/float64(max(whole, 1)), report.BarWidth(s.width)), plain), words(report.Clean(p.Name), plain)}})
	}
	w := t.widths(s.width)
	head, _ := t.head(&s.pen, w, order{})
	out := []string{"", s.pen.draw(head, s.width, false)}
	for i := range t.entries {
		out = append(out, s.pen.draw(t.line(&s.pen, w, t.entries[i].cells, nil), s.width, false))
	}
	if more := all - min(all, uint64(len(parts))); more > 0 {
		out = append(out, s.pen.draw([]span{{report.Thousands(more) + " more", dim}}, s.width, false))
	}
	return out
}

// group explains the verdict on what is no address.
func (s *screen) group(p *report.Peer) func(int) []string {
	return func(width int) []string {
		out := s.paragraph(p.Kind+" "+report.Clean(p.Addr), bold, width)
		v := verdict(p.Verdict)
		out = append(out, s.pen.draw([]span{{v.text, v.style}, {fmt.Sprintf(" %d", p.Score), bold}}, width, false))
		for _, e := range p.Evidence {
			out = append(out, "", s.pen.draw([]span{{fmt.Sprint(e.Score), bold}, {" " + report.Clean(e.Rule), plain}}, width, false))
			out = append(out, s.paragraph(report.Clean(e.Why), plain, width)...)
			for i := range e.Samples {
				out = append(out, s.line(&e.Samples[i], width)...)
			}
		}
		return out
	}
}

// page explains a row of the pages: the key whole, which a table cuts.
func (s *screen) page(r *report.PageRow) func(int) []string {
	return func(width int) []string {
		out := s.paragraph(report.Clean(r.Key), bold, width)
		text := report.Plural(r.Count, "request", "requests") + ", " + report.Size(r.Bytes)
		if r.IPs != nil {
			text += ", from " + report.Plural(*r.IPs, "address", "addresses")
		}
		out = append(out, s.paragraph(text+".", plain, width)...)
		for _, class := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "none"} {
			if n := r.Status[class]; n > 0 {
				out = append(out, s.pen.draw([]span{{fmt.Sprintf("%8s  %s  %4s  ", report.Thousands(n), class, report.Percent(n, r.Count)), plain}, {s.pen.bar(float64(n)/float64(max(r.Count, 1)), report.BarWidth(s.width)), plain}}, width, false))
			}
		}
		next := "connwarden pages --where " + quote("path="+r.Key) + " --by ip"
		return append(append(out, ""), s.whole(s.pen.arrow()+" "+report.Clean(next), accent, width)...)
	}
}

// quote writes a word as a shell reads it back.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// paragraph breaks clean text between words, and words where the screen ends.
func (s *screen) paragraph(text string, st style, width int) []string {
	var out []string
	for _, line := range wrap(text, width) {
		out = append(out, fold(s.pen.draw([]span{{line, st}}, columns(line), false), width)...)
	}
	return out
}

// whole draws clean text over as many lines as it takes, unbroken but where the screen ends.
func (s *screen) whole(text string, st style, width int) []string {
	return fold(s.pen.draw([]span{{text, st}}, columns(text), false), width)
}

// line is a line of a log as it stands there, beneath its place.
func (s *screen) line(l *report.Sample, width int) []string {
	where := report.Clean(l.File)
	if l.Line != nil {
		where += fmt.Sprintf(":%d", *l.Line)
	}
	return append(s.whole(where, dim, width), s.whole(report.Clean(l.Text), plain, width)...)
}

// help lists the keys and the marks.
func (s *screen) help(width int) []string {
	pairs := []string{
		"1 to 7, tab", "findings, peers, connections, pages, errors, blocks, and the fleet where there is one",
		"up, down, j, k", "select; page up and down, home and end go farther",
		"enter", "look into the row: evidence, lines, connections, timeline",
		"esc", "back; in a tab: show all rows again",
		"/", "show only rows that hold these words, as you type",
		"s, S", "sort by the next column; the other way round",
		"space", "freeze what is shown, and go on",
		"r", "read the logs now",
		"b", "block: shows first what exactly would be done",
		"x", "unblock: of the blocks, or of the address looked into",
		"u", "undo what was done last",
		"mouse", "click a tab, a title to sort by it, a row; click a row again to look into it; the wheel scrolls",
		"q, ctrl-c", "quit; ctrl-z suspends",
	}
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		for j, text := range wrap(pairs[i+1], width-17) {
			lead := ""
			if j == 0 {
				lead = pairs[i]
			}
			out = append(out, s.pen.draw([]span{{fmt.Sprintf("%-15s  ", lead), accent}, {text, plain}}, width, false))
		}
	}
	out = append(out, "")
	return append(out, s.paragraph("Connections are sampled twice a second, once a second above 10,000; logs are read again every few seconds, and more seldom where that takes long; their age is at the top right. OPEN and the row of bars beside it are the last samples, all rows to one scale.", dim, width)...)
}
