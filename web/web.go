// Package web is the local page: one HTTP handler with the page itself, which is embedded, its JSON and its stream of
// events, and the rules about who may ask and who may change something.
//
// It decides nothing about a peer and knows no log, socket or firewall: it asks a [Desk]. A review is made at most once a
// pause whoever asks, and only while somebody looks. Everything that a client sends is bounded; everything that is shown
// comes as JSON and is made into text by the page, never into markup.
package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/connwarden/connwarden/report"
)

// PagesQuery says which requests are counted by what, in the words of the command pages.
type PagesQuery struct {
	By    string
	Where string // "" is all
	Since string
	Top   int
	IPs   bool // count the distinct addresses of each row
}

// BlockRequest says what is to be denied, in the words of the command block.
type BlockRequest struct {
	Target string `json:"target"`
	For    string `json:"for"` // "" until it is lifted
	Why    string `json:"why"`
	DryRun bool   `json:"dry_run"`
	Kill   bool   `json:"kill"`           // close its open connections too
	Within string `json:"confirm_within"` // it undoes itself unless it is confirmed in this time; "" keeps it
}

// Desk is what the page can ask and have done. Its methods answer with the documents of the command line, go through the
// same guard as the commands, and may be called concurrently. since is a span as the command line has it ("1h"), "" the
// configured one. An error that is connwarden.ErrUnsupported means that this machine cannot, [ErrRequest] that
// what was asked for makes no sense.
type Desk interface {
	// Review is the whole picture. One of a daemon that is followed has no rows of pages.
	Review(ctx context.Context, since string) (*report.Review, error)
	// IP tells of a target what latest does not; latest may be nil.
	IP(ctx context.Context, target, since string, latest *report.Review) (*report.IPs, error)
	Conns(ctx context.Context, by string, top int) (*report.Conns, error)
	Pages(ctx context.Context, q PagesQuery) (*report.Pages, error)
	Errors(ctx context.Context, by, since string) (*report.Errors, error)
	Rules(ctx context.Context) (*report.Rules, error)
	Blocks(ctx context.Context) (*report.Blocks, error)
	Allowed(ctx context.Context) (*report.AllowedList, error)
	// History is what a daemon wrote down; empty with a problem where none did.
	History(ctx context.Context, q report.HistoryQuery) (*report.History, error)
	// Fleet is how the hosts of this one's fleet are; connwarden.ErrNotFound where it is in none.
	Fleet(ctx context.Context) (*report.Fleet, error)
	// FleetHost asks another host for its review. All in it is that host's word.
	FleetHost(ctx context.Context, host string) (*report.Review, error)

	Block(ctx context.Context, r BlockRequest) (*report.Blocks, error)
	Unblock(ctx context.Context, target string, dryRun bool) (*report.Blocks, error)
	Allow(ctx context.Context, target, why string, dryRun bool) (*report.Blocks, error)
	Disallow(ctx context.Context, target string, dryRun bool) (*report.Blocks, error)
	Undo(ctx context.Context, change int64, dryRun bool) (*report.Blocks, error)
	// Confirm keeps the blocks that would undo themselves.
	Confirm(ctx context.Context, dryRun bool) (*report.Blocks, error)
}

// ErrRequest is an error of whoever asked; its text says what to write instead.
var ErrRequest = errors.New("asked wrongly")

// Spans are the lengths of time that the page offers, besides the configured one.
var Spans = []string{"15m", "1h", "6h", "1d", "7d"}

// Options say how the page is served.
type Options struct {
	Desk     Desk
	Token    string          // what the address must carry once; "" asks for none, as on a Unix socket
	Password string          // asked for instead of the token; "" is none
	TLS      bool            // whether clients come over TLS: what the origin of the page is called
	Names    []string        // host names besides addresses and localhost by which the page may be asked for
	Pause    time.Duration   // between two reviews; 0 is 3 s
	Changes  <-chan struct{} // tells when a review would bring something new; may be nil
	Clock    func() time.Time
	Log      *slog.Logger // nil logs nothing
}

// Server is the page. It is an http.Handler; Close ends what it has begun.
type Server struct {
	opt     Options
	session string // what the cookie holds
	ctx     context.Context
	stop    context.CancelFunc
	mux     *http.ServeMux
	tries   limiter

	mu      sync.Mutex
	feeds   map[string]*feed
	clients int
	working sync.WaitGroup // reviews and feeds under way
	acting  sync.Mutex     // one change after the other
	paged   pager
}

// New returns a server that answers at once. The caller must call Close.
func New(opt Options) *Server {
	if opt.Pause <= 0 {
		opt.Pause = 3 * time.Second
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{opt: opt, session: Secret(), mux: http.NewServeMux(), feeds: map[string]*feed{}}
	s.tries = limiter{clock: opt.Clock}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.routes()
	return s
}

// Close ends reviews under way and all streams, and waits for them.
func (s *Server) Close() {
	s.stop()
	s.working.Wait()
}

// ServeHTTP answers one request, or refuses it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.guard(w, r) }

// Secret returns 256 random bits as text that can stand in an address.
func Secret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// digest makes texts equally long, so that comparing them takes equally long too.
func digest(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }
