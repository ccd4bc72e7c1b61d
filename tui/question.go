package tui

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/connwarden/connwarden/report"
)

// What can be asked before it is done.
const (
	block   = "block"
	unblock = "unblock"
	undo    = "undo"
)

// spans are how long a block may last; the last has no end.
var spans = [...]string{"10m", "1h", "1d", "7d", ""}

const (
	usualSpan = 1
	patience  = time.Minute // with a firewall
)

// question shows exactly what would be done, and then what was.
type question struct {
	verb   string
	target string
	change int64 // to undo; 0 the last
	span   int   // in spans, of a block
	number int   // of the last thing asked of the desk
	plan   *report.Blocks
	done   *report.Blocks
	err    error
	busy   bool // it is being done
	top    int
}

// planMsg is what would be done, or was.
type planMsg struct {
	number int
	done   bool
	doc    *report.Blocks
	err    error
}

// wonder puts a question, and asks the desk what would be done.
func (s *screen) wonder(q *question) tea.Cmd {
	s.ask = q
	q.plan, q.err, q.top = nil, nil, 0
	return s.put(q, true)
}

// put asks the desk, for a dry run or in earnest.
func (s *screen) put(q *question, dry bool) tea.Cmd {
	s.questions++
	q.number = s.questions
	verb, target, change, span, n := q.verb, q.target, q.change, spans[q.span], q.number
	return func() tea.Msg {
		ctx, stop := context.WithTimeout(s.ctx, patience)
		defer stop()
		m := planMsg{number: n, done: !dry}
		switch verb {
		case block:
			m.doc, m.err = s.opt.Desk.Block(ctx, target, span, dry)
		case unblock:
			m.doc, m.err = s.opt.Desk.Unblock(ctx, target, dry)
		case undo:
			m.doc, m.err = s.opt.Desk.Undo(ctx, change, dry)
		}
		return m
	}
}

// planned takes the desk's answer in. What was done is told even if nobody waits for it any more.
func (s *screen) planned(m planMsg) tea.Cmd {
	if m.done && m.doc != nil && acts(m.doc) > 0 {
		s.note = m.doc
	}
	if q := s.ask; q != nil && q.number == m.number {
		q.busy, q.err = false, m.err
		if m.done {
			q.done = m.doc
		} else {
			q.plan = m.doc
		}
	}
	if m.done {
		return s.listBlocks()
	}
	return nil
}

// acts is how much a document does.
func acts(d *report.Blocks) int {
	return len(d.Blocks) + len(d.Lifted) + len(d.Allowed) + len(d.Disallowed)
}

// reply is what a key means to a question.
func (s *screen) reply(name string) tea.Cmd {
	q := s.ask
	open := q.done == nil && !q.busy
	switch name {
	case "esc", "n", "q":
		if !q.busy {
			s.ask = nil
		}
	case "y":
		if open && q.doable() {
			q.busy = true
			return s.put(q, false)
		}
	case "u":
		if q.done != nil && q.done.Change != 0 && q.verb != undo {
			return s.wonder(&question{verb: undo, change: q.done.Change})
		}
	case "left", "h":
		if open && q.verb == block && q.span > 0 {
			q.span--
			return s.wonder(q)
		}
	case "right", "l":
		if open && q.verb == block && q.span < len(spans)-1 {
			q.span++
			return s.wonder(q)
		}
	case "down", "j":
		q.top++
	case "up", "k":
		q.top--
	}
	return nil
}

// doable tells that the plan is there and does something.
func (q *question) doable() bool { return q.plan != nil && q.err == nil && acts(q.plan) > 0 }

func (q *question) keys() []string {
	switch {
	case q.busy:
		return nil
	case q.done != nil && q.done.Change != 0 && q.verb != undo:
		return []string{"esc", "back", "u", "undo it"}
	case q.done != nil || q.err != nil:
		return []string{"esc", "back"}
	}
	var pairs []string
	if q.doable() {
		pairs = append(pairs, "y", "yes, "+q.verb)
	}
	pairs = append(pairs, "n", "no")
	if q.verb == block {
		pairs = append(pairs, "left/right", "how long")
	}
	return pairs
}

// back is what takes back what would be done: always in view, however long the plan.
func (q *question) back(p *pen) []span {
	switch {
	case q.done != nil || q.busy || !q.doable():
		return nil
	case q.verb == undo: // connwarden undo alone would then take back the change before
		return []span{{"What takes this back is told when it is done.", dim}}
	default:
		return []span{{p.arrow() + " connwarden undo", accent}, {" takes it back (u)", dim}}
	}
}

// lines are the question and what would be done line by line, or was.
func (q *question) lines(s *screen) []string {
	p := &s.pen
	line := func(spans ...span) string { return p.draw(spans, s.width, false) }
	var out []string
	switch {
	case q.done != nil && acts(q.done) > 0 && q.err == nil:
		out = append(out, line(span{"Done.", bold}))
	case q.done != nil:
	case q.verb == undo && q.change > 0:
		out = append(out, line(span{fmt.Sprintf("Undo change %d?", q.change), bold}))
	case q.verb == undo:
		out = append(out, line(span{"Undo the last change?", bold}))
	case q.verb == unblock:
		out = append(out, line(span{"Unblock " + report.Clean(q.target) + "?", bold}))
	default:
		out = append(out, line(span{"Block " + report.Clean(q.target) + "?", bold}), line(q.spanLine()...))
	}
	out = append(out, "")
	text := report.Text{Width: s.width, Color: p.color, ASCII: p.ascii}
	act := func(d *report.Blocks, done string) {
		var b strings.Builder
		if err := text.Act(&b, d, done); err == nil && b.Len() > 0 {
			out = append(out, fold(b.String(), s.width)...)
		}
	}
	switch {
	case q.done != nil:
		act(q.done, q.past())
	case q.busy:
		out = append(out, line(span{"Doing it.", plain}))
	case q.plan != nil:
		act(q.plan, "would "+q.future())
	case q.err == nil:
		out = append(out, line(span{"Asking the firewall what it would do.", plain}))
	}
	if q.err != nil {
		for _, l := range wrap(report.Clean(q.err.Error()), s.width) {
			out = append(out, line(span{l, amber}))
		}
	}
	if q.done == nil && !q.busy && (q.err != nil || q.plan != nil && !q.doable()) {
		out = append(out, "", line(span{"Nothing would be done.", bold}))
	}
	return out
}

// past and future are what becomes of the blocks of an answer.
func (q *question) past() string {
	if q.verb == undo {
		return "blocked again"
	}
	return "blocked"
}

func (q *question) future() string {
	if q.verb == undo {
		return "block again"
	}
	return "block"
}

// spanLine lists how long a block may last, with the one that is chosen.
func (q *question) spanLine() []span {
	out := []span{{"for ", plain}}
	for i, name := range spans {
		if name == "" {
			name = "no end"
		}
		st := plain
		if i == q.span {
			st, name = reverse, "["+name+"]"
		}
		out = append(out, span{" ", plain}, span{name, st})
	}
	return out
}

// noted is what was done last, and what takes it back.
func (s *screen) noted() []span {
	d := s.note
	var parts []string
	say := func(word string, list []report.Block) {
		if len(list) == 0 {
			return
		}
		text := word + " " + report.Clean(report.Shown(list[0].Target))
		if len(list) > 1 {
			text += fmt.Sprintf(" and %d more", len(list)-1)
		}
		parts = append(parts, text)
	}
	say("blocked", d.Blocks)
	say("unblocked", d.Lifted)
	out := []span{{strings.Join(parts, s.pen.dot()), bold}}
	if d.Undo != "" {
		out = append(out, span{"  " + s.pen.arrow() + " " + d.Undo, accent}, span{" takes it back (u)", dim})
	}
	return out
}
