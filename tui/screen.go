package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/connwarden/connwarden/report"
)

const blocksPause = 30 * time.Second // between two looks at what is blocked

// place is where one tab stands.
type place struct {
	key     string // of the selected row
	index   int    // where that was, for when it goes
	top     int    // first line shown
	wheeled bool   // the view was moved away from the selected row
	order   order
}

// screen is the model: what was last seen, and what of it is shown.
type screen struct {
	opt Options
	ctx context.Context
	pen pen
	now time.Time

	width, height int
	tab           int
	places        [len(tabs)]place
	filter        string
	filtering     bool
	frozen        bool
	frozenAt      time.Time
	sheet         *sheet
	ask           *question
	note          *report.Blocks // what was done last, with its undo

	live      *report.Conns
	history   history
	review    *report.Review
	blocks    *report.Blocks
	failures  map[string]string // what could not be looked at, and why
	busy      map[string]bool   // what the desk is being asked
	seen      map[string]time.Time
	pace      Pace
	asked     *report.Pages // what was asked for, while a daemon is followed
	paging    Pace          // of that
	questions int           // asked so far; an answer to an older one is late

	fleet   *report.Fleet
	fleetAt time.Time // when it was asked for
}

// Messages that the desk's answers come back as.
type (
	beatMsg   time.Time
	sampleMsg struct {
		doc        *report.Conns
		err        error
		begin, end time.Time
	}
	reviewMsg struct {
		doc        *report.Review
		err        error
		begin, end time.Time
	}
	changeMsg struct{}
	pagesMsg  struct {
		doc        *report.Pages
		err        error
		begin, end time.Time
	}
	blocksMsg struct {
		doc *report.Blocks
		err error
	}
)

func newScreen(ctx context.Context, opt Options) *screen {
	return &screen{
		opt: opt, ctx: ctx, now: opt.Clock(), pen: pen{color: opt.Color, ascii: opt.ASCII},
		failures: map[string]string{}, busy: map[string]bool{}, seen: map[string]time.Time{},
	}
}

// Init asks for everything once.
func (s *screen) Init() tea.Cmd {
	return tea.Batch(tea.RequestBackgroundColor, s.sample(), s.look(), s.listBlocks(), s.tick())
}

func (s *screen) tick() tea.Cmd {
	return tea.Tick(Beat, func(t time.Time) tea.Msg { return beatMsg(t) })
}

// Update takes one message in.
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		s.pen.shade = "48;5;254"
		if msg.IsDark() {
			s.pen.shade = "48;5;237"
		}
	case beatMsg:
		cmd = s.pulse()
	case sampleMsg:
		if s.answered("conns", msg.err) && !s.frozen {
			s.live = msg.doc
			s.history.add(msg.doc)
			s.pace.Sampled(msg.begin, msg.end, msg.doc.Total)
		}
	case reviewMsg:
		if s.answered("review", msg.err) && !s.frozen {
			if s.review = msg.doc; s.tab >= s.shownTabs() {
				s.turn(tabFindings) // it has left the fleet
			}
		}
		s.pace.Reviewed(msg.begin, msg.end)
	case changeMsg:
		s.pace.Changed()
		s.seen["blocks"] = s.now.Add(changeRest - blocksPause) // they may be others
	case pagesMsg:
		if s.answered("pages", msg.err) && !s.frozen {
			s.asked = msg.doc
		}
		s.paging.Reviewed(msg.begin, msg.end)
	case blocksMsg:
		if s.answered("blocks", msg.err) {
			s.blocks = msg.doc
		}
	case fleetMsg:
		if s.answered("fleet", msg.err) && !s.frozen {
			s.fleet = msg.doc
		}
	case hostMsg:
		if s.sheet != nil && s.sheet.host == msg.host {
			s.sheet.review, s.sheet.err = msg.doc, msg.err
		}
	case dossierMsg:
		if s.sheet != nil && s.sheet.target == msg.target {
			s.sheet.dossier, s.sheet.minutes, s.sheet.err = msg.doc, msg.minutes, msg.err
		}
	case planMsg:
		cmd = s.planned(msg)
	case tea.KeyPressMsg:
		cmd = s.key(msg)
	case tea.PasteMsg:
		if s.filtering {
			s.extend(msg.Content)
		}
	case tea.MouseClickMsg:
		cmd = s.click(msg)
	case tea.MouseWheelMsg:
		s.wheel(msg)
	}
	return s, cmd
}

// answered notes that the desk answered, and tells whether with a document.
func (s *screen) answered(what string, err error) bool {
	s.busy[what] = false
	if err != nil {
		s.failures[what] = report.Clean(err.Error())
		return false
	}
	delete(s.failures, what)
	s.seen[what] = s.now
	return true
}

// pulse asks for what is due.
func (s *screen) pulse() tea.Cmd {
	s.now = s.opt.Clock()
	if s.frozen {
		return s.tick()
	}
	cmds := []tea.Cmd{s.tick()}
	if !s.busy["conns"] && s.pace.SampleDue(s.now) {
		cmds = append(cmds, s.sample())
	}
	if !s.busy["review"] && s.pace.ReviewDue(s.now) {
		cmds = append(cmds, s.look())
	}
	cmds = append(cmds, s.duePages(), s.dueFleet())
	if !s.busy["blocks"] && s.now.Sub(s.seen["blocks"]) >= blocksPause {
		cmds = append(cmds, s.listBlocks())
	}
	return tea.Batch(cmds...)
}

func (s *screen) sample() tea.Cmd {
	if !s.opt.Conns {
		return nil
	}
	s.busy["conns"] = true
	return func() tea.Msg {
		begin := s.opt.Clock()
		d, err := s.opt.Desk.Conns(s.ctx, "ip", SampleRows)
		return sampleMsg{d, err, begin, s.opt.Clock()}
	}
}

func (s *screen) look() tea.Cmd {
	s.busy["review"] = true
	return func() tea.Msg {
		begin := s.opt.Clock()
		d, err := s.opt.Desk.Review(s.ctx, s.opt.Since)
		return reviewMsg{d, err, begin, s.opt.Clock()}
	}
}

// duePages reads the pages if that is due: a daemon does not count them, so it is done while they are looked at.
func (s *screen) duePages() tea.Cmd {
	if s.tab != tabPages || s.review == nil || !s.review.Followed || s.busy["pages"] || !s.paging.ReviewDue(s.now) {
		return nil
	}
	s.busy["pages"] = true
	return func() tea.Msg {
		begin := s.opt.Clock()
		d, err := s.opt.Desk.Pages(s.ctx, s.opt.Since)
		return pagesMsg{d, err, begin, s.opt.Clock()}
	}
}

func (s *screen) listBlocks() tea.Cmd {
	s.busy["blocks"] = true
	return func() tea.Msg {
		d, err := s.opt.Desk.Blocks(s.ctx)
		return blocksMsg{d, err}
	}
}

// history is how many connections each address had in the last samples.
type history struct {
	samples []map[string]uint64
	totals  []uint64
}

const historyLength = 120

func (h *history) add(d *report.Conns) {
	m := make(map[string]uint64, len(d.Rows))
	for _, r := range d.Rows {
		m[r.Key] = r.Count
	}
	h.samples, h.totals = append(h.samples, m), append(h.totals, d.Total)
	if over := len(h.samples) - historyLength; over > 0 {
		h.samples, h.totals = h.samples[over:], h.totals[over:]
	}
}

// of is the last n samples of an address, fewer at the beginning.
func (h *history) of(key string, n int) []uint64 {
	from := max(len(h.samples)-n, 0)
	out := make([]uint64, 0, n)
	for _, m := range h.samples[from:] {
		out = append(out, m[key])
	}
	return out
}

// all is the last n totals.
func (h *history) all(n int) []uint64 { return h.totals[max(len(h.totals)-n, 0):] }
