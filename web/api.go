package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/web/paper"
)

func (s *Server) routes() {
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.HandleFunc("GET /page.js", s.asset)
	s.mux.HandleFunc("GET "+styleName, s.asset)
	s.mux.HandleFunc("GET /icon.svg", s.asset)
	s.mux.HandleFunc("/login", s.login)
	s.mux.HandleFunc("GET /metrics", s.metrics)

	s.mux.HandleFunc("GET /api/review", s.ofReview(func(n *snapshot, _ *http.Request) any { return n.review }))
	s.mux.HandleFunc("GET /api/update", s.ofReview(func(n *snapshot, _ *http.Request) any { return n.update() }))
	s.mux.HandleFunc("GET /api/peers", s.ofReview(func(n *snapshot, r *http.Request) any { return n.peers(readPeersQuery(r)) }))
	s.mux.HandleFunc("GET /api/networks", s.ofReview(func(n *snapshot, r *http.Request) any {
		if r.FormValue("by") == "asn" {
			return n.networks("asn")
		}
		return n.networks("country")
	}))
	s.mux.HandleFunc("GET /api/events", s.events)
	s.mux.HandleFunc("GET /api/ip/{addr...}", s.ip)
	s.mux.HandleFunc("GET /api/timeline/{addr...}", s.timeline)
	s.mux.HandleFunc("GET /api/conns", s.asked(func(r *http.Request) (any, error) {
		return s.opt.Desk.Conns(r.Context(), r.FormValue("by"), rows(r))
	}))
	s.mux.HandleFunc("GET /api/pages", s.asked(func(r *http.Request) (any, error) {
		return s.opt.Desk.Pages(r.Context(), PagesQuery{By: r.FormValue("by"), Where: r.FormValue("where"), Since: span(r), Top: rows(r), IPs: true})
	}))
	s.mux.HandleFunc("GET /api/errors", s.asked(func(r *http.Request) (any, error) { return s.opt.Desk.Errors(r.Context(), r.FormValue("by"), span(r)) }))
	s.mux.HandleFunc("GET /api/rules", s.asked(func(r *http.Request) (any, error) { return s.opt.Desk.Rules(r.Context()) }))
	s.mux.HandleFunc("GET /api/blocks", s.asked(func(r *http.Request) (any, error) { return s.opt.Desk.Blocks(r.Context()) }))
	s.mux.HandleFunc("GET /api/history", s.asked(func(r *http.Request) (any, error) {
		q, err := s.historyQuery(r)
		if err != nil {
			return nil, err
		}
		d, err := s.opt.Desk.History(r.Context(), q)
		if err != nil {
			return nil, err
		}
		return &Past{History: d, Timeline: paper.PastTimeline(d)}, nil
	}))
	s.mux.HandleFunc("GET /api/allowed", s.asked(func(r *http.Request) (any, error) { return s.opt.Desk.Allowed(r.Context()) }))
	s.mux.HandleFunc("GET /api/fleet", s.asked(func(r *http.Request) (any, error) { return s.opt.Desk.Fleet(r.Context()) }))
	s.mux.HandleFunc("GET /api/fleet/{host}", s.asked(func(r *http.Request) (any, error) { return s.opt.Desk.FleetHost(r.Context(), r.PathValue("host")) }))
	s.actRoutes()
}

// span is the length of time that a request asks for, if it is one that is offered.
func span(r *http.Request) string {
	text := r.FormValue("since")
	for _, known := range Spans {
		if text == known {
			return text
		}
	}
	return ""
}

// rows is how many rows a request asks for.
func rows(r *http.Request) int {
	n, err := strconv.Atoi(r.FormValue("top"))
	if err != nil || n < 1 || n > maxRows {
		return 100
	}
	return n
}

func readPeersQuery(r *http.Request) peersQuery {
	q := peersQuery{filter: r.FormValue("q"), verdict: r.FormValue("verdict"), sort: r.FormValue("sort"), ascending: r.FormValue("order") == "asc", limit: 100}
	if n, err := strconv.Atoi(r.FormValue("offset")); err == nil {
		q.offset = n
	}
	if n, err := strconv.Atoi(r.FormValue("limit")); err == nil {
		q.limit = n
	}
	return q
}

// ofReview answers from the latest review of the span that is asked for.
func (s *Server) ofReview(answer func(*snapshot, *http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f := s.feed(r.FormValue("since"))
		if f == nil {
			refuse(w, http.StatusBadRequest, "since is none of "+strings.Join(Spans, ", "))
			return
		}
		n, err := f.get(r.Context())
		if err != nil {
			fail(w, err)
			return
		}
		reply(w, answer(n, r))
	}
}

func (s *Server) asked(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d, err := answer(r)
		if err != nil {
			fail(w, err)
			return
		}
		reply(w, d)
	}
}

// ip answers what is known of an address or prefix.
func (s *Server) ip(w http.ResponseWriter, r *http.Request) {
	target, err := parseTarget(r.PathValue("addr"))
	if err != nil {
		fail(w, err)
		return
	}
	var latest *report.Review
	if f := s.feed(span(r)); f != nil {
		if n, err := f.get(r.Context()); err == nil {
			latest = n.review
		}
	}
	d, err := s.opt.Desk.IP(r.Context(), target, span(r), latest)
	if err != nil {
		fail(w, err)
		return
	}
	reply(w, d)
}

// timeline answers when an address asked, on the axis of all requests.
func (s *Server) timeline(w http.ResponseWriter, r *http.Request) {
	target, err := parseTarget(r.PathValue("addr"))
	if err != nil {
		fail(w, err)
		return
	}
	n, err := s.feed(span(r)).get(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	t := n.timeline
	if t == nil {
		reply(w, nil)
		return
	}
	step := paper.StepFor(time.Duration(t.Step*float64(t.Len())) * time.Second)
	own, err := s.opt.Desk.Pages(r.Context(), PagesQuery{By: step, Where: "ip=" + target, Since: span(r)})
	if err != nil {
		fail(w, err)
		return
	}
	d := paper.NewTimeline(step, own, nil, nil)
	if d == nil {
		reply(w, nil)
		return
	}
	reply(w, d.On(t))
}

// parseTarget reads an address or a prefix from a path.
func parseTarget(text string) (string, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return a.Unmap().String(), nil
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked().String(), nil
	}
	return "", fmt.Errorf("%w: %q is no address and no prefix", ErrRequest, text)
}

func reply(w http.ResponseWriter, d any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	json.NewEncoder(w).Encode(d) //nolint:errcheck,errchkjson // a client that left needs no answer; HTML characters are escaped
}

// refusal is what is answered instead of a document.
type refusal struct {
	Error string `json:"error"`
}

func refuse(w http.ResponseWriter, code int, why string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(refusal{report.Clean(why)}) //nolint:errcheck // a client that left needs no answer
}

// fail answers with an error of the desk.
func fail(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	switch {
	case errors.Is(err, ErrRequest):
		code = http.StatusBadRequest
	case errors.Is(err, connwarden.ErrUnsupported):
		code = http.StatusNotImplemented
	case errors.Is(err, connwarden.ErrNotFound):
		code = http.StatusNotFound
	case errors.Is(err, connwarden.ErrDenied):
		code = http.StatusForbidden
	case errors.Is(err, context.Canceled):
		code = http.StatusServiceUnavailable
	}
	refuse(w, code, err.Error())
}
