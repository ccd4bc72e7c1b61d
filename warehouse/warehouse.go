// Package warehouse sends history to a ClickHouse over its HTTP interface: what each site had in each minute, who was
// accused, what was blocked, of as many hosts as send there.
//
// What is put in is on disk before Put returns, in a spool of bounded size, and is sent by one goroutine, oldest first, with
// longer and longer rests while the server does not take it. So nothing waits for the server and nothing is lost while it
// is away, until the spool is full: then the oldest goes first, and is counted. After a crash or an answer that never
// came a batch is sent again; the tables (schema.sql) keep one of rows with the same host, time and number, so that a question with
// FINAL counts it once.
//
// Host names, paths and reasons are hostile text: they travel as JSON strings, never as part of a statement.
package warehouse

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/connwarden/connwarden/report"
)

// Options say where to and as whom. URL, Host and Spool are needed.
type Options struct {
	URL      string // of the HTTP interface, as in https://clickhouse.example.com:8443/; settings in its query are kept
	Database string // "": connwarden; letters, digits and "_"
	User     string // "": default
	Password string
	Roots    *x509.CertPool // nil: the system's
	Host     string         // what this host is called in the rows
	Spool    string         // a folder of its own, made if missing
	Bound    int64          // bytes that the spool may have; 0: 64 MiB
	Log      *slog.Logger   // nil: says nothing

	transport http.RoundTripper // for tests
}

// DefaultBound is what a spool may have: weeks of a quiet server, days of one under attack.
const DefaultBound = 64 << 20

// Batch is what one minute or so brought. A batch that is put in again after a crash has the same number.
type Batch struct {
	Number    uint64
	Rates     []report.SiteMinute
	Sightings []report.Sighting
	Acts      []report.PastBlock
}

// Stats tells how it fares.
type Stats struct {
	Sent    uint64 // files that the server took
	Refused uint64 // that it will never take, and were put aside
	Dropped uint64 // that found no room
	Files   int    // that wait
	Bytes   int64  // theirs
	Problem string // why the last attempt failed; "": it did not
}

// Warehouse sends. Make one with Open; its methods may be called from several goroutines.
type Warehouse struct {
	opt    Options
	client *http.Client
	more   chan struct{} // something was put in
	stop   context.CancelFunc
	ended  chan struct{}

	mu    sync.Mutex // guards the rest
	files []file     // that wait, oldest first
	turn  uint64
	stats Stats
}

// CheckDatabase returns nil for a name that is taken as a database's: at most 64 letters, digits and "_", no digit first.
func CheckDatabase(name string) error {
	const most = 64
	ok := name != "" && len(name) <= most && (name[0] < '0' || name[0] > '9')
	for _, c := range []byte(name) {
		ok = ok && (c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z')
	}
	if !ok {
		return fmt.Errorf("%q: write letters, digits and _", name)
	}
	return nil
}

// Open begins to send what an earlier process left in the spool.
func Open(opt Options) (*Warehouse, error) {
	u, err := url.Parse(opt.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return nil, errors.New("clickhouse: the address is none as in https://clickhouse.example.com:8443/") // and may hold a secret
	}
	if opt.Database == "" {
		opt.Database = "connwarden"
	}
	if err := CheckDatabase(opt.Database); err != nil {
		return nil, fmt.Errorf("clickhouse: database %w", err)
	}
	if opt.User == "" {
		opt.User = "default"
	}
	if opt.Bound <= 0 {
		opt.Bound = DefaultBound
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(opt.Spool, 0o700); err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	w := &Warehouse{opt: opt, more: make(chan struct{}, 1), ended: make(chan struct{})}
	if w.files, err = scan(opt.Spool); err != nil {
		return nil, fmt.Errorf("clickhouse: read %s: %w", opt.Spool, err)
	}
	for _, f := range w.files {
		w.stats.Bytes += f.size
	}
	transport := opt.transport
	if transport == nil {
		transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: opt.Roots, MinVersion: tls.VersionTLS12},
			MaxIdleConns: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		}
	}
	w.client = &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	go w.run(ctx)
	return w, nil
}

// Stats returns a copy.
func (w *Warehouse) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Files = len(w.files)
	return s
}

// Close ends the sending at once; what waits is sent by the next process.
func (w *Warehouse) Close() {
	w.stop()
	<-w.ended
	w.client.CloseIdleConnections()
}

// Rests between attempts.
const (
	patience  = time.Minute // for one answer
	firstRest = 5 * time.Second
	lastRest  = 5 * time.Minute
)

// run sends until it is stopped.
func (w *Warehouse) run(ctx context.Context) {
	defer close(w.ended)
	rest, silent := firstRest, false
	for ctx.Err() == nil {
		f, ok := w.oldest()
		if !ok {
			select {
			case <-ctx.Done():
			case <-w.more:
			}
			continue
		}
		err := w.send(ctx, f)
		var never *refusal
		switch {
		case err == nil:
			if silent {
				w.opt.Log.Info("clickhouse takes batches again")
			}
			rest, silent = firstRest, false
			w.done(f, nil)
		case errors.As(err, &never):
			w.opt.Log.Warn("clickhouse refused a batch for good; it was put aside", "file", f.name+aside, "err", err.Error())
			w.done(f, err)
		case ctx.Err() == nil:
			if !silent {
				w.opt.Log.Warn("clickhouse does not take batches; they wait", "err", err.Error())
			}
			silent = true
			w.failed(err)
			t := time.NewTimer(rest)
			select {
			case <-ctx.Done():
			case <-t.C:
			}
			t.Stop()
			rest = min(2*rest, lastRest)
		}
	}
}
