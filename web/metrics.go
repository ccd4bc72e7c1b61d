package web

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/connwarden/connwarden/web/paper"
)

// metrics answers with figures of the latest review in the text format of Prometheus, version 0.0.4.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	n, err := s.feed("").get(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Write([]byte(n.metrics())) //nolint:errcheck // a client that left needs no answer
}

// ServeMetrics answers /metrics alone, to whoever asks, on a listener that only those can reach who may know: figures,
// no address among them. It ends with ctx and closes l.
func (s *Server) ServeMetrics(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.metrics)
	return s.serve(ctx, l, nil, mux)
}

func (n *snapshot) metrics() string {
	var b strings.Builder
	head := func(name, help string) {
		fmt.Fprintf(&b, "# HELP connwarden_%s %s\n# TYPE connwarden_%s gauge\n", name, help, name)
	}
	one := func(name, label, value string, f float64) {
		if label != "" {
			label = fmt.Sprintf("{%s=%q}", label, value)
		}
		fmt.Fprintf(&b, "connwarden_%s%s %s\n", name, label, strconv.FormatFloat(f, 'f', -1, 64))
	}
	several := func(name, label string, m map[string]uint64) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			one(name, label, k, float64(m[k]))
		}
	}
	d := n.review
	head("review_timestamp_seconds", "When the latest review was made.")
	one("review_timestamp_seconds", "", "", float64(n.made.UnixMilli())/1000)
	head("review_duration_seconds", "How long it took.")
	one("review_duration_seconds", "", "", n.took.Seconds())
	head("peers", "Addresses of the latest review by verdict.")
	counts := verdictCounts(d.Peers)
	for _, v := range paper.Verdicts {
		one("peers", "verdict", v, float64(counts[v]))
	}
	head("findings", "Findings of the latest review by level.")
	levels := map[string]uint64{"critical": 0, "warning": 0, "info": 0}
	for i := range d.Findings {
		levels[d.Findings[i].Level]++
	}
	several("findings", "level", levels)
	if d.Conns != nil {
		head("connections", "Connections by state.")
		several("connections", "state", d.Conns.States)
	}
	if d.Pages != nil {
		head("requests", "Requests in the window of the review by status class.")
		several("requests", "status", d.Pages.Status)
		head("sent_bytes", "Bytes sent in the window of the review, by the access logs.")
		one("sent_bytes", "", "", float64(d.Pages.Bytes))
	}
	if d.Errors != nil {
		head("errors", "Entries of error logs in the window of the review.")
		one("errors", "", "", float64(d.Errors.Counted))
	}
	if d.Load != nil {
		head("load1", "Load average of a minute.")
		one("load1", "", "", d.Load.One)
	}
	return b.String()
}
