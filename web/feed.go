package web

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/web/paper"
)

// feed makes the reviews of one span: one at a time, shared by all who ask, and in a row as long as somebody follows.
type feed struct {
	s     *Server
	since string

	mu        sync.Mutex
	latest    *snapshot     // nil before the first
	flight    chan struct{} // closed when the review under way ends; nil when none is
	err       error         // of the last review; nil when it went well
	followers map[chan *snapshot]bool
	alive     bool // whether follow runs
	dirty     bool // something changed since the review under way began
}

// snapshot is one review and what was made of it. It is never changed.
type snapshot struct {
	review   *report.Review
	timeline *paper.Timeline // nil when no request was counted
	number   uint64
	made     time.Time
	took     time.Duration
	search   func() []string // a text a peer, in which a filter looks
}

// feed returns the feed of a span, or nil for a span that is not offered.
func (s *Server) feed(since string) *feed {
	known := since == ""
	for _, span := range Spans {
		known = known || span == since
	}
	if !known {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feeds[since]
	if f == nil {
		f = &feed{s: s, since: since, followers: map[chan *snapshot]bool{}}
		s.feeds[since] = f
	}
	return f
}

// get returns a review that is not older than a pause. It waits for one under way, but only as long as ctx lasts.
func (f *feed) get(ctx context.Context) (*snapshot, error) {
	f.mu.Lock()
	if f.latest != nil && f.err == nil && !f.dirty && f.s.opt.Clock().Sub(f.latest.made) < f.pause() {
		defer f.mu.Unlock()
		return f.latest, nil
	}
	flight := f.begin()
	f.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest, f.err
}

// pause is how long a review is good for. Reading large logs must not become the machine's main work: reviews take a
// tenth of the time at most. f.mu is held.
func (f *feed) pause() time.Duration {
	if f.latest == nil {
		return f.s.opt.Pause
	}
	return max(f.s.opt.Pause, 9*f.latest.took)
}

// begin starts a review unless one is under way. f.mu is held.
func (f *feed) begin() chan struct{} {
	if f.flight == nil {
		f.flight = make(chan struct{})
		f.dirty = false
		f.s.working.Add(1)
		go f.look(f.flight)
	}
	return f.flight
}

func (f *feed) look(done chan struct{}) {
	defer f.s.working.Done()
	start := f.s.opt.Clock()
	next, err := f.s.look(f.s.ctx, f.since)
	f.mu.Lock()
	defer f.mu.Unlock()
	defer close(done)
	f.flight, f.err = nil, err
	if err != nil {
		f.s.opt.Log.Warn("review", "error", err)
		return
	}
	next.made = f.s.opt.Clock()
	next.took = next.made.Sub(start)
	next.number = 1
	if f.latest != nil {
		next.number = f.latest.number + 1
	}
	f.latest = next
}

// look makes a review with its timeline.
func (s *Server) look(ctx context.Context, since string) (*snapshot, error) {
	d, err := s.opt.Desk.Review(ctx, since)
	if err != nil {
		return nil, err
	}
	if d.Followed {
		s.paged.fill(s, d, since)
	}
	n := &snapshot{review: d}
	n.search = sync.OnceValue(func() []string { return texts(d.Peers) })
	n.timeline, err = MakeTimeline(ctx, s.opt.Desk, d, since)
	if err != nil { // the review is worth more than its picture
		s.opt.Log.Warn("timeline", "error", err)
	}
	return n, nil
}

// counter is the part of a Desk that a timeline needs.
type counter interface {
	Pages(ctx context.Context, q PagesQuery) (*report.Pages, error)
}

// timelineRows bounds what is counted for a timeline: bars times addresses.
const timelineRows = 60_000

// MakeTimeline counts the requests behind a review by time and verdict: two looks at the access logs. It is nil when
// the review counted none.
func MakeTimeline(ctx context.Context, desk counter, d *report.Review, since string) (*paper.Timeline, error) {
	if d.Followed {
		return paper.RateTimeline(d.Rates, time.Minute), nil
	}
	if d.Pages == nil || d.Pages.Counted == 0 || d.Pages.First == nil || d.Pages.Last == nil {
		return nil, nil
	}
	step := paper.StepFor(d.Pages.Last.Sub(*d.Pages.First))
	all, err := desk.Pages(ctx, PagesQuery{By: step, Since: since})
	if err != nil {
		return nil, fmt.Errorf("count requests by %s: %w", step, err)
	}
	filter, verdicts, accused := paper.Accused(d.Peers, timelineRows/max(len(all.Rows), 1))
	var some *report.Pages
	if filter != "" {
		if some, err = desk.Pages(ctx, PagesQuery{By: step + ",ip", Where: filter, Since: since}); err != nil {
			return nil, fmt.Errorf("count requests by %s and address: %w", step, err)
		}
	}
	t := paper.NewTimeline(step, all, some, verdicts)
	if t != nil {
		t.Accused, t.Told = accused, len(verdicts)
	}
	return t, nil
}

// follow hands every new review to c, in which only the newest waits, until leave is called. A feed that nobody
// follows any more rests.
func (f *feed) follow() (c chan *snapshot, leave func()) {
	c = make(chan *snapshot, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.followers[c] = true
	if f.latest != nil {
		c <- f.latest
	}
	if !f.alive {
		f.alive = true
		f.s.working.Add(1)
		go f.run()
	}
	return c, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.followers, c)
	}
}

// run makes reviews in a row as long as there are followers.
func (f *feed) run() {
	defer f.s.working.Done()
	for {
		f.mu.Lock()
		if len(f.followers) == 0 || f.s.ctx.Err() != nil {
			f.alive = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		got, err := f.get(f.s.ctx)
		f.mu.Lock()
		for c := range f.followers {
			select {
			case <-c: // what was not fetched is old now
			default:
			}
			if err != nil {
				got = nil // tells of f.err
			}
			c <- got
		}
		wait := f.pause()
		f.mu.Unlock()
		f.rest(wait)
	}
}

// changeRest is the least time between two reviews that follow changes.
const changeRest = time.Second

// rest waits until the next review is due: the pause, or less where something changes.
func (f *feed) rest(wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	changes := f.s.opt.Changes
	if f.since != "" {
		changes = nil // they are about what the daemon knows
	}
	select {
	case <-t.C:
	case <-f.s.ctx.Done():
	case <-changes:
		t.Reset(min(wait, changeRest))
		select {
		case <-t.C:
		case <-f.s.ctx.Done():
		}
		f.mu.Lock()
		f.dirty = true
		f.mu.Unlock()
	}
}

// problem is why the last review failed.
func (f *feed) problem() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
