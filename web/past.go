package web

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/web/paper"
)

// Past is a part of the history with its picture.
type Past struct {
	*report.History
	Timeline *paper.Timeline `json:"timeline"` // null when no request was written down
}

// longestPast bounds the stretch that is asked for at once.
const longestPast = 400 * 24 * time.Hour

// pastSpans are the lengths of time that the page offers of the history.
var pastSpans = map[string]time.Duration{"1h": time.Hour, "6h": 6 * time.Hour, "1d": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour, "1y": 365 * 24 * time.Hour}

// historyQuery reads which part of the history a request asks for: "until" with the length "span", or "from" and "until"; until
// is now unless it is given.
func (s *Server) historyQuery(r *http.Request) (q report.HistoryQuery, err error) {
	q.Until = s.opt.Clock()
	moment := func(name string, to *time.Time) {
		text := r.FormValue(name)
		if text == "" || err != nil {
			return
		}
		t, e := time.Parse(time.RFC3339, text)
		if e != nil || t.Year() < 1970 || t.Year() > 9000 {
			err = fmt.Errorf("%w: %s is no time as 2026-11-22T14:00:00Z", ErrRequest, name)
		}
		*to = t
	}
	moment("until", &q.Until)
	span, known := pastSpans[r.FormValue("span")]
	if !known {
		span = time.Hour
	}
	q.From = q.Until.Add(-span)
	moment("from", &q.From)
	if err == nil && (!q.From.Before(q.Until) || q.Until.Sub(q.From) > longestPast) {
		err = fmt.Errorf("%w: from must be before until, and within %d days", ErrRequest, longestPast/24/time.Hour)
	}
	if text := r.FormValue("addr"); text != "" && err == nil {
		q.Target, err = parseTarget(text)
	}
	q.Rows = rows(r)
	return q, err
}

// pager reads what was asked for, which a daemon does not count, beside the reviews and seldom enough that it takes an
// eightieth of a core at most.
type pager struct {
	mu    sync.Mutex // guards the rest; leaf
	doc   *report.Pages
	made  time.Time
	pause time.Duration
	busy  bool
}

const (
	pagesPause = 5 * time.Second
	pagesShare = 80
	pagesRows  = 100
)

// fill puts the rows that were read last into a review, and has them read anew if that is due.
func (p *pager) fill(s *Server, d *report.Review, since string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.doc != nil && d.Pages != nil {
		d.Pages.Rows, d.Pages.Distinct, d.Pages.Rest, d.Pages.Files = p.doc.Rows, p.doc.Distinct, p.doc.Rest, p.doc.Files
	}
	now := s.opt.Clock()
	if p.busy || p.doc != nil && now.Sub(p.made) < p.pause {
		return
	}
	p.busy = true
	s.working.Add(1)
	go func() {
		defer s.working.Done()
		doc, err := s.opt.Desk.Pages(s.ctx, PagesQuery{By: "path", Since: since, Top: pagesRows, IPs: true})
		p.read(s.ctx, s, doc, err, now)
	}()
}

func (p *pager) read(ctx context.Context, s *Server, doc *report.Pages, err error, begin time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy, p.made = false, s.opt.Clock()
	p.pause = max(pagesPause, pagesShare*p.made.Sub(begin))
	if err == nil {
		p.doc = doc
	} else if ctx.Err() == nil {
		s.opt.Log.Warn("pages", "error", err)
	}
}
