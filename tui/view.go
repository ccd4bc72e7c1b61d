package tui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/connwarden/connwarden/report"
)

// hit is a stretch of the screen that a click means something on.
type hit struct {
	y, from, to int // columns from and to, to excluded
	tab         int // -1: none
	entry       int // -1: none
	title       string
}

// frame is one picture of the screen, and what lies where.
type frame struct {
	lines []string
	hits  []hit
}

// View draws the screen.
func (s *screen) View() tea.View {
	v := tea.NewView("")
	if s.width > 0 && s.height > 0 {
		f := s.frame()
		v.SetContent(strings.Join(f.lines, "\n"))
	}
	v.AltScreen = true
	v.MouseMode = tea.MouseModeCellMotion
	v.WindowTitle = "connwarden top"
	return v
}

// frame lays the screen out: who and when, the tabs, what the tab or the sheet holds, and what can be pressed.
func (s *screen) frame() frame {
	f := frame{}
	f.lines = append(f.lines, s.masthead(), s.figures())
	s.tabLine(&f)
	foot := s.footer()
	foot = foot[max(len(foot)-s.height, 0):]
	room := s.height - len(f.lines) - len(foot)
	switch {
	case s.ask != nil:
		f.lines = append(f.lines, s.scrolled(s.ask.lines(s), &s.ask.top, room)...)
	case s.sheet != nil:
		f.lines = append(f.lines, s.scrolled(s.sheet.lines(s), &s.sheet.top, room)...)
	default:
		s.body(&f, room)
	}
	for len(f.lines) < s.height-len(foot) {
		f.lines = append(f.lines, "")
	}
	f.lines = append(f.lines[:max(s.height-len(foot), 0)], foot...)
	return f
}

// masthead is which machine this is, when, and how old what is shown is.
func (s *screen) masthead() string {
	right := s.age()
	parts := []string{"connwarden"}
	if d := s.review; d != nil {
		parts = append(parts, report.Clean(d.Host), s.now.In(d.Time.Location()).Format("2 Jan 15:04:05 MST"))
		if d.Load != nil {
			parts = append(parts, fmt.Sprintf("load %.2f on %s", d.Load.One, report.Plural(uint64(d.Load.Cores), "core", "cores")))
		}
		if d.Since != nil {
			parts = append(parts, "since "+d.Since.Format("2 Jan 15:04"))
		}
	} else {
		parts = append(parts, s.now.Format("2 Jan 15:04:05 MST"))
	}
	if s.width < 60 && len(parts) > 1 { // the name of the program is known to who typed it
		parts = parts[1:]
	}
	room := s.width - columns(right.text) - gap
	for len(parts) > 1 && columns(strings.Join(parts, s.pen.dot())) > room {
		parts = parts[:len(parts)-1]
	}
	head := s.pen.cut(strings.Join(parts, s.pen.dot()), room)
	return s.pen.draw([]span{{head, plain}, {strings.Repeat(" ", max(s.width-columns(head)-columns(right.text), 1)), plain}, right}, s.width, false)
}

// age tells how old the review is that is shown, or that nothing moves.
func (s *screen) age() span {
	if s.frozen {
		return span{"FROZEN " + report.Brief(s.now.Sub(s.frozenAt)), accent}
	}
	if why := s.failures["review"]; why != "" {
		return span{"review failed", amber}
	}
	if s.review != nil && s.review.Followed {
		return span{"follows the daemon", dim}
	}
	at, ok := s.seen["review"]
	if !ok {
		return span{"reading logs", dim}
	}
	if s.now.Sub(at) < time.Second {
		return span{"logs read now", dim}
	}
	return span{"logs read " + report.Brief(s.now.Sub(at)) + " ago", dim}
}

// figures is the line that moves: the connections now, and what the logs hold.
func (s *screen) figures() string {
	var out []span
	switch {
	case s.live != nil:
		n := report.BarWidth(s.width)
		all := s.history.all(n)
		var top uint64
		for _, v := range all {
			top = max(top, v)
		}
		out = append(out, span{report.Thousands(s.live.Total), bold}, span{" connections ", plain}, span{fmt.Sprintf("%-*s", n, s.pen.spark(all, top, 0)), dim}, span{"  ", plain})
	case s.failures["conns"] != "":
		out = append(out, span{"connections: " + s.failures["conns"], amber}, span{"  ", plain})
	}
	if d := s.review; d != nil {
		var parts []string
		if d.Pages != nil && (len(d.Pages.Files) > 0 || d.Followed) {
			parts = append(parts, report.Plural(d.Pages.Counted, "request", "requests"))
		}
		if d.Errors != nil && (len(d.Errors.Files) > 0 || d.Followed) {
			parts = append(parts, report.Plural(d.Errors.Counted, "error", "errors"))
		}
		if s.live != nil {
			if states := report.States(s.live.States, 0, s.pen.dot()); states != "" {
				parts = append(parts, states)
			}
		}
		out = append(out, span{strings.Join(parts, s.pen.dot()), plain})
	}
	return s.pen.draw(out, s.width, false)
}

// tabLine shows the tabs with their figures where there is room, and on a narrow screen the name of one.
func (s *screen) tabLine(f *frame) {
	names := make([]string, s.shownTabs())
	total := -1 // nothing follows the last one
	for i, name := range tabs[:len(names)] {
		names[i] = fmt.Sprintf("%d %s", i+1, name)
		if n, ok := s.held(i); ok {
			names[i] += " (" + report.Thousands(n) + ")"
		}
		total += columns(names[i]) + 3
	}
	if total > s.width {
		total = -1
		for i, name := range tabs[:len(names)] {
			names[i] = fmt.Sprintf("%d %s", i+1, name)
			total += columns(names[i]) + 3
		}
	}
	var out []span
	x := 0
	for i := range names {
		name := names[i]
		if total > s.width && i != s.tab {
			name = fmt.Sprint(i + 1)
		}
		name = " " + name + " "
		st := plain
		if i == s.tab {
			st = reverse
		}
		f.hits = append(f.hits, hit{y: len(f.lines), from: x, to: x + columns(name), tab: i, entry: -1})
		out = append(out, span{name, st}, span{" ", plain})
		x += columns(name) + 1
	}
	f.lines = append(f.lines, s.pen.draw(out, s.width, false), "")
}

// held is how many things a tab is about.
func (s *screen) held(tab int) (uint64, bool) {
	switch {
	case tab == tabConns && s.live != nil:
		return s.live.Total, true
	case tab == tabBlocks && s.blocks != nil:
		return uint64(len(s.blocks.Blocks)), true
	case tab == tabFleet && s.fleet != nil:
		return uint64(len(s.fleet.Hosts)), true
	case s.review == nil:
	case tab == tabFindings:
		n := uint64(0)
		for i := range s.review.Findings {
			if s.review.Findings[i].Level != "info" {
				n++
			}
		}
		return n, true
	case tab == tabPeers:
		return uint64(len(s.review.Peers)), true
	case tab == tabPages && s.review.Pages != nil:
		return s.review.Pages.Counted, true
	case tab == tabErrors && s.review.Errors != nil:
		return s.review.Errors.Counted, true
	}
	return 0, false
}

// body draws the rows of a tab, and moves its view so that the selected one is seen.
func (s *screen) body(f *frame, room int) {
	t := s.table()
	at := s.place()
	sel := at.find(t)
	var lines [][]span
	var owner []int
	put := func(line []span, entry int) { lines, owner = append(lines, line), append(owner, entry) }
	if s.tab == tabFindings && len(t.entries) > 0 && s.filter == "" {
		n, _ := s.held(tabFindings)
		put([]span{{needs(n), bold}}, -1)
		put(nil, -1)
	}
	if len(t.cols) > 0 && len(t.entries) > 0 {
		w := t.widths(s.width - gutter)
		head, titles := t.head(&s.pen, w, at.order)
		for i, x := range titles {
			if x >= 0 {
				f.hits = append(f.hits, hit{y: len(f.lines), from: x, to: x + w[i] + gap, tab: -1, entry: -1, title: t.cols[i].title})
			}
		}
		f.lines = append(f.lines, s.pen.draw(append([]span{{"  ", plain}}, head...), s.width, false))
		room--
		for i := range t.entries {
			put(t.line(&s.pen, w, t.entries[i].cells, nil), i)
		}
	}
	first, last := -1, -1 // lines of the selected entry
	for i := range t.entries {
		if i == sel {
			first = len(lines)
		}
		for _, line := range t.entries[i].lines {
			put(line, i)
		}
		if i == sel {
			last = len(lines) - 1
		}
	}
	if len(t.cols) > 0 {
		first, last = sel, sel
	}
	if len(t.entries) == 0 {
		for _, line := range t.empty {
			for _, part := range wrap(line, s.width-gutter) {
				put([]span{{part, plain}}, -1)
			}
		}
		put(nil, -1)
	}
	for _, line := range t.below {
		put(line, -1)
	}
	if sel == 0 {
		first = 0 // with what stands above it
	}
	at.show(first, last, len(lines), room)
	for i := at.top; i < min(len(lines), at.top+max(room, 0)); i++ {
		mark, here := "  ", owner[i] >= 0 && owner[i] == sel
		if here && lines[i] != nil {
			mark = s.pen.glyph("▌ ", "> ")
		}
		shaded := here && (len(t.cols) > 0 || i == first)
		if owner[i] >= 0 {
			f.hits = append(f.hits, hit{y: len(f.lines), to: s.width, tab: -1, entry: owner[i]})
		}
		f.lines = append(f.lines, s.pen.draw([]span{{mark, accent}}, min(gutter, s.width), false)+s.pen.draw(lines[i], s.width-gutter, shaded))
	}
}

func needs(n uint64) string {
	switch n {
	case 0:
		return "Nothing needs you."
	case 1:
		return "1 thing needs you"
	default:
		return report.Thousands(n) + " things need you"
	}
}

// find returns which row is selected now: the one that was, wherever it went, else whatever took its place. A hand that has
// chosen none is on the first, whichever that is; -1 is none.
func (at *place) find(t *table) int {
	for i := range t.entries {
		if t.entries[i].key == at.key {
			at.index = i
			return i
		}
	}
	return min(at.index, len(t.entries)-1)
}

// show scrolls so that the lines from first to last are in a view of room lines; first is -1 when none need be.
func (at *place) show(first, last, lines, room int) {
	if first >= 0 && !at.wheeled {
		if last >= at.top+room {
			at.top = last - room + 1
		}
		if first < at.top {
			at.top = first
		}
	}
	at.top = max(min(at.top, lines-room), 0)
}

// scrolled is the part of a sheet that is in view.
func (s *screen) scrolled(lines []string, top *int, room int) []string {
	*top = max(min(*top, len(lines)-room), 0)
	return lines[*top:min(len(lines), *top+max(room, 0))]
}

// footer is what was done last, and what can be pressed.
func (s *screen) footer() []string {
	var out []string
	if s.note != nil && s.ask == nil {
		out = append(out, s.pen.draw(s.noted(), s.width, false))
	}
	switch {
	case s.filtering:
		t := s.table()
		out = append(out, s.pen.draw([]span{{"/", accent}, {report.Clean(s.filter), bold}, {s.pen.glyph("▏", "_"), accent}, {fmt.Sprintf("  %s", report.Plural(uint64(len(t.entries)), "row", "rows")), dim}, {"  enter keeps  esc shows all", dim}}, s.width, false))
	case s.ask != nil:
		if back := s.ask.back(&s.pen); back != nil {
			out = append(out, s.pen.draw(back, s.width, false))
		}
		out = append(out, s.keys(s.ask.keys()...))
	case s.sheet != nil:
		out = append(out, s.keys(s.sheet.keys()...))
	default:
		out = append(out, s.tabKeys())
	}
	return out
}

// keys draws pairs of a key and its meaning, as many as fit.
func (s *screen) keys(pairs ...string) string {
	var out []span
	x := 0
	for i := 0; i+1 < len(pairs); i += 2 {
		n := columns(pairs[i]) + 1 + columns(pairs[i+1])
		if i > 0 {
			n += gap
		}
		if x += n; x > s.width {
			break
		}
		out = append(out, span{strings.Repeat(" ", min(i, 1)*gap), plain}, span{pairs[i], accent}, span{" " + pairs[i+1], plain})
	}
	return s.pen.draw(out, s.width, false)
}

func (s *screen) tabKeys() string {
	var pairs []string
	if s.filter != "" {
		pairs = append(pairs, "/"+report.Clean(s.filter), "esc shows all")
	}
	if o := s.place().order; o.title != "" {
		dir := "most first"
		if o.up {
			dir = "reversed"
		}
		pairs = append(pairs, "sorted", "by "+o.title+", "+dir)
	}
	pairs = append(pairs, "q", "quit", "?", "help")
	if e := s.selected(); e != nil {
		if e.target != "" && s.tab != tabBlocks {
			pairs = append(pairs, "b", "block")
		}
		if e.target != "" && s.tab == tabBlocks {
			pairs = append(pairs, "x", "unblock")
		}
		if e.target != "" || e.explain != nil || e.host != "" {
			pairs = append(pairs, "enter", "look into")
		}
	}
	freeze := "freeze"
	if s.frozen {
		freeze = "go on"
	}
	pairs = append(pairs, "/", "filter", "space", freeze)
	if s.tab != tabFindings {
		pairs = append(pairs, "s", "sort")
	}
	return s.keys(append(pairs, "u", "undo", "r", "read now", "tab", "next")...)
}

// since is a time as a sheet shows it.
func since(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format("15:04")
}
