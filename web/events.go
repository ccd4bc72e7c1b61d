package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/web/paper"
)

const (
	maxClients = 32 // streams at a time
	heartbeat  = 15 * time.Second
	writeLimit = 10 * time.Second // after which a client that takes nothing is let go
)

// Update is what the page is sent when there is a new review: the review with its lists shortened to what a screen
// holds, and what was left out.
type Update struct {
	Number   uint64          `json:"number"`
	Took     float64         `json:"took"`  // seconds that the review took
	Pause    float64         `json:"pause"` // seconds to the next, at least
	Review   report.Review   `json:"review"`
	Timeline *paper.Timeline `json:"timeline"` // null when no request was counted
	Peers    int             `json:"peers"`    // of the review
	Findings int             `json:"findings"`
	Verdicts map[string]int  `json:"verdicts"` // peers by verdict
}

// Rows of an update's lists.
const (
	updateFindings = 30
	updateRows     = 100
)

func (n *snapshot) update() *Update {
	d := &Update{
		Number: n.number, Took: n.took.Seconds(), Review: *n.review, Timeline: n.timeline, Peers: len(n.review.Peers), Findings: len(n.review.Findings),
		Verdicts: verdictCounts(n.review.Peers),
	}
	r := &d.Review
	r.Findings = first(r.Findings, updateFindings)
	r.Peers = make([]report.Peer, 0, updateRows)
	for i := range first(n.review.Peers, updateRows) {
		r.Peers = append(r.Peers, slim(&n.review.Peers[i]))
	}
	r.Groups = first(r.Groups, updateRows)
	if r.Conns != nil {
		c := *r.Conns
		c.Rows = first(c.Rows, updateRows)
		r.Conns = &c
	}
	if r.Pages != nil {
		p := *r.Pages
		p.Rows = first(p.Rows, updateRows)
		r.Pages = &p
	}
	if r.Errors != nil {
		e := *r.Errors
		e.Rows = first(e.Rows, updateRows)
		r.Errors = &e
	}
	return d
}

func first[T any](list []T, most int) []T { return list[:min(len(list), most)] }

// events is the stream: an event "review" for each review, "problem" when one failed.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	f := s.feed(r.FormValue("since"))
	if f == nil {
		refuse(w, http.StatusBadRequest, "there is no such span")
		return
	}
	s.mu.Lock()
	full := s.clients >= maxClients
	if !full {
		s.clients++
	}
	s.mu.Unlock()
	if full {
		refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d pages are open already", maxClients))
		return
	}
	defer func() {
		s.mu.Lock()
		s.clients--
		s.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	c, leave := f.follow()
	defer leave()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	text := []byte(": connwarden\n\n")
	for {
		out.SetWriteDeadline(time.Now().Add(writeLimit)) //nolint:errcheck // a test's writer has none
		if _, err := w.Write(text); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case n := <-c:
			text = event(n, f)
		case <-beat.C:
			text = []byte(": still here\n\n")
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// event writes a review, or why there is none. JSON has no line ends, which would end the event.
func event(n *snapshot, f *feed) []byte {
	name, doc := "problem", any(refusal{"the review failed"})
	if n != nil {
		d := n.update()
		f.mu.Lock()
		d.Pause = f.pause().Seconds()
		f.mu.Unlock()
		name, doc = "review", d
	} else if err := f.problem(); err != nil {
		doc = refusal{report.Clean(err.Error())}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return []byte(": " + name + "\n\n")
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, b)
}
