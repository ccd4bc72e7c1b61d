package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/tell"
	"github.com/connwarden/connwarden/web"
)

// metricsFile is the section [metrics] of the configuration.
type metricsFile struct {
	Listen *string `toml:"listen" comment:"where connwarden watch serves /metrics for Prometheus: a port (of this machine alone), an address with a port, or unix:/PATH"`
}

// planMetrics reads the section, over which the flag wins.
func (p *Plan) planMetrics(f *metricsFile, flags *flags, inFile func(string) string) error {
	text, origin := "", "default"
	if f.Listen != nil {
		text, origin = *f.Listen, inFile("metrics.listen")
	}
	if flags.metrics != "" {
		text, origin = flags.metrics, "flag --metrics"
	}
	p.set("metrics.listen", text, origin)
	if text == "" {
		return nil
	}
	switch {
	case !strings.Contains(text, ":"):
		text = "127.0.0.1:" + text
	case strings.HasPrefix(text, ":"):
		text = "127.0.0.1" + text
	}
	place, err := web.ParsePlace(text)
	if err != nil {
		return usage("a port, an address with a port, or unix:/PATH", "%s: %w", origin, err)
	}
	p.Metrics = &place
	return nil
}

// figures serves the daemon's metrics at one place.
type figures struct {
	place  web.Place
	server *http.Server
	ended  chan error
}

// serveFigures begins to serve. What it is asked besides /metrics is not there.
func serveFigures(ctx context.Context, place web.Place, m *live.Metrics, log *slog.Logger) (*figures, error) {
	l, err := place.Listen(ctx)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		m.WriteTo(w) //nolint:errcheck // a client that left needs no answer
	})
	const seconds, header = 10 * time.Second, 8 << 10
	f := &figures{place: place, ended: make(chan error, 1), server: &http.Server{
		Handler: mux, ReadHeaderTimeout: seconds, ReadTimeout: seconds, WriteTimeout: seconds, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: header,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what strangers do wrong
	}}
	log.Info("serving metrics", "at", shownPlace(l, place))
	if !place.Local {
		log.Warn("metrics can be read by everyone who reaches the address", "at", shownPlace(l, place))
	}
	go func() { f.ended <- f.server.Serve(web.Few(l)) }()
	return f, nil
}

func shownPlace(l net.Listener, place web.Place) string {
	if place.Network == "unix" {
		return "unix:" + place.Address
	}
	return "http://" + l.Addr().String() + "/metrics"
}

// close ends it, without waiting for who reads slowly.
func (f *figures) close() error {
	if f == nil {
		return nil
	}
	err := f.server.Close()
	if e := <-f.ended; !errors.Is(e, http.ErrServerClosed) && err == nil {
		err = e
	}
	return err
}

// tellFigures adds the figures of notifications.
func tellFigures(t *tell.Teller) func(*live.Exposition) {
	return func(e *live.Exposition) {
		list := t.Stats()
		e.Family("connwarden_notifications_total", "counter", "Messages sent or given up, by channel.")
		for _, s := range list {
			e.Sample(float64(s.Sent), "channel", s.Name, "result", "sent")
			e.Sample(float64(s.Failed), "channel", s.Name, "result", "failed")
		}
		e.Family("connwarden_notifications_suppressed_total", "counter", "What found no room in a message and was only counted, by channel.")
		for _, s := range list {
			e.Sample(float64(s.Suppressed), "channel", s.Name)
		}
		e.Family("connwarden_notifications_waiting", "gauge", "What waits for its message, by channel.")
		for _, s := range list {
			e.Sample(float64(s.Waiting), "channel", s.Name)
		}
	}
}
