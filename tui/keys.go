package tui

import (
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/connwarden/connwarden/report"
)

func (s *screen) place() *place { return &s.places[s.tab] }

// selected is the row that keys are about.
func (s *screen) selected() *entry {
	t := s.table()
	i := s.place().find(t)
	if i < 0 {
		return nil
	}
	return &t.entries[i]
}

// key does what a key means where the hand is: in the filter, in a question, on a sheet or in a tab.
func (s *screen) key(msg tea.KeyPressMsg) tea.Cmd {
	name := msg.String()
	switch {
	case name == "ctrl+c":
		return tea.Quit
	case name == "ctrl+z":
		return tea.Suspend
	case s.filtering:
		s.typed(msg)
		return nil
	case s.ask != nil:
		return s.reply(name)
	}
	switch name {
	case "q":
		return tea.Quit
	case "?":
		s.sheet = &sheet{explain: s.help}
	case " ", "space":
		s.frozen, s.frozenAt = !s.frozen, s.now
	case "r":
		if s.sheet != nil && s.sheet.host != "" {
			return s.visit(s.sheet.host)
		}
		if !s.busy["review"] {
			s.frozen = false
			return s.look()
		}
	case "u":
		change := int64(0)
		if s.note != nil {
			change = s.note.Change
		}
		return s.wonder(&question{verb: undo, change: change})
	case "tab", "right", "l":
		s.turn((s.tab + 1) % s.shownTabs())
	case "shift+tab", "left", "h":
		s.turn((s.tab + s.shownTabs() - 1) % s.shownTabs())
	case "1", "2", "3", "4", "5", "6", "7":
		if tab := int(name[0] - '1'); tab < s.shownTabs() {
			s.turn(tab)
		}
	default:
		if s.sheet != nil {
			return s.onSheet(name)
		}
		return s.onTab(name)
	}
	return tea.Batch(s.duePages(), s.dueFleet())
}

// turn shows a tab.
func (s *screen) turn(tab int) { s.tab, s.sheet = tab, nil }

// typed changes the filter.
func (s *screen) typed(msg tea.KeyPressMsg) {
	switch msg.String() {
	case "enter":
		s.filtering = false
	case "esc":
		s.filtering, s.filter = false, ""
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(s.filter)
		s.filter = s.filter[:len(s.filter)-n]
	case "ctrl+u":
		s.filter = ""
	default:
		s.extend(msg.Text)
	}
}

// extend adds to the filter, within reason.
func (s *screen) extend(text string) {
	const most = 200
	if text = report.Clean(text); len(s.filter)+len(text) <= most {
		s.filter += text
	}
}

func (s *screen) onTab(name string) tea.Cmd {
	at := s.place()
	page := max(s.height-8, 1)
	switch name {
	case "down", "j":
		s.move(1)
	case "up", "k":
		s.move(-1)
	case "pgdown", "ctrl+d":
		s.move(page)
	case "pgup", "ctrl+u":
		s.move(-page)
	case "home", "g":
		at.key, at.index, at.top, at.wheeled = "", 0, 0, false
	case "end", "G":
		s.move(1 << 20)
	case "/":
		s.filtering = true
	case "esc":
		s.filter = ""
	case "s", "S":
		s.sort(name == "S")
	case "enter":
		return s.enter()
	case "b":
		if e := s.selected(); e != nil && e.target != "" && s.tab != tabBlocks {
			return s.wonder(&question{verb: block, target: whole(e.target), span: usualSpan})
		}
	case "x":
		if e := s.selected(); e != nil && e.target != "" && s.tab == tabBlocks {
			return s.wonder(&question{verb: unblock, target: e.target})
		}
	}
	return nil
}

// move selects another row. Beyond the last one the view goes on, to what stands beneath the rows.
func (s *screen) move(by int) {
	t, at := s.table(), s.place()
	i := at.find(t)
	to := max(min(i+by, len(t.entries)-1), 0)
	at.wheeled = false
	if to == i && by > 0 || len(t.entries) == 0 {
		at.top, at.wheeled = at.top+max(min(by, 3), -3), true
		return
	}
	at.index, at.key = to, t.entries[to].key
}

// sort goes on to the next column, or turns the order around.
func (s *screen) sort(turn bool) {
	o := &s.place().order
	if turn {
		o.up = !o.up && o.title != ""
		return
	}
	titles := []string{""}
	for _, c := range s.table().cols {
		if c.title != "" {
			titles = append(titles, c.title)
		}
	}
	for i, title := range titles {
		if title == o.title {
			*o = order{title: titles[(i+1)%len(titles)]}
			return
		}
	}
}

// enter looks into the selected row.
func (s *screen) enter() tea.Cmd {
	e := s.selected()
	switch {
	case e == nil:
		return nil
	case e.explain != nil:
		s.sheet = &sheet{explain: e.explain}
		return nil
	case e.host != "":
		return s.visit(e.host)
	case e.target == "":
		return nil
	default:
		return s.lookInto(e.target)
	}
}

// click is what the left button means: a tab, a title to sort by, a row to select, and that row again to look into it.
func (s *screen) click(msg tea.MouseClickMsg) tea.Cmd {
	if msg.Button != tea.MouseLeft || s.ask != nil || s.height == 0 {
		return nil
	}
	for _, h := range s.frame().hits {
		if h.y != msg.Y || msg.X < h.from || msg.X >= h.to {
			continue
		}
		switch at := s.place(); {
		case h.tab >= 0:
			s.turn(h.tab)
			return tea.Batch(s.duePages(), s.dueFleet())
		case h.title != "":
			at.order = order{title: h.title, up: at.order.title == h.title && !at.order.up}
		case h.entry >= 0:
			t := s.table()
			if again := at.find(t) == h.entry; again {
				return s.enter()
			}
			at.index, at.key, at.wheeled = h.entry, t.entries[h.entry].key, false
		}
		return nil
	}
	return nil
}

// wheel moves the view and leaves the selection where it is.
func (s *screen) wheel(msg tea.MouseWheelMsg) {
	by := 3
	if msg.Button == tea.MouseWheelUp {
		by = -3
	}
	switch {
	case s.ask != nil:
		s.ask.top += by
	case s.sheet != nil:
		s.sheet.top += by
	default:
		at := s.place()
		at.top, at.wheeled = max(at.top+by, 0), true
	}
}
