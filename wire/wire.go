// Package wire is the daemon's Unix socket: HTTP with the documents of the command line, so that other commands follow the
// daemon instead of reading the logs again. It has both ends, [Server] and [Client].
//
// Who may ask is settled by the socket's rights and then by what the kernel says of the peer (SO_PEERCRED): root and the
// daemon's own account, and others only as far as the configuration lets them. Nothing can be changed through it. Whatever a
// peer sends or leaves unsent, the daemon does not wait for it: requests are small and have a deadline, answers are made once
// for all, and a follower that does not keep up is let go. Where the system cannot tell who the peer is (all but Linux), the
// socket is for its owner alone.
package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/report"
)

// Name is the socket's name in its folder.
const Name = "connwarden.sock"

// Bounds.
const (
	maxConns    = 64 // connections at a time
	maxOthers   = 16 // of them, of accounts that are neither root nor the daemon's
	maxHeader   = 8 << 10
	maxQueue    = 256              // messages that wait for one follower
	readLimit   = 5 * time.Second  // for a request
	writeLimit  = 10 * time.Second // for each piece of an answer
	idleLimit   = 30 * time.Second
	beatEvery   = 15 * time.Second // on a stream on which nothing happens
	reviewRest  = time.Second      // a review is not older than that
	reviewWait  = 2 * time.Second  // after which one that was made before is answered instead
	reviewLimit = 30 * time.Second // for making one
)

// Daemon is who answers. Its methods are called one at a time each, but where they say otherwise.
type Daemon interface {
	// Review is what is known now.
	Review(ctx context.Context) (*report.Review, error)
	// History is what was written down.
	History(ctx context.Context, q HistoryQuery) (*report.History, error)
	// Fleet is how the hosts of its fleet are; connwarden.ErrNotFound where it is in none. May be called concurrently.
	Fleet(ctx context.Context) (*report.Fleet, error)
	// Host is the review of another host of the fleet. May be called concurrently.
	Host(ctx context.Context, name string) (*report.Review, error)
}

// HistoryQuery says which part of the history is wanted.
type HistoryQuery struct {
	From, Until time.Time
	Target      netip.Prefix // the zero prefix: all
	Rows        int
}

// Place is where the socket is and whom it is for.
type Place struct {
	Path  string
	Group int  // id of a group whose members may ask; -1: none
	Open  bool // every account of the machine may ask
	// Listener, if not nil, is the socket, which somebody else opened with the place's rights and will remove.
	Listener *net.UnixListener
}

// Server is the daemon's end. Make it with [Listen].
type Server struct {
	place  Place
	daemon Daemon
	door   *door
	http   *http.Server
	done   chan struct{}

	mu        sync.Mutex // guards the rest; leaf
	start     []byte     // the message that every stream begins with
	followers map[chan []byte]bool
	flight    chan struct{} // closed when the review under way is made; nil: none is
	latest    []byte
	made      time.Time
	failed    error
	reading   chan struct{} // whoever reads the history holds it
}

// Listen opens the socket and answers until Close. A socket that nobody answers on any more is replaced; the error is that
// of the address being in use if somebody does.
func Listen(ctx context.Context, place Place, d Daemon) (*Server, error) {
	l := place.Listener
	if l == nil {
		var err error
		if l, err = place.Make(ctx); err != nil {
			return nil, fmt.Errorf("socket: %w", err)
		}
	}
	s := &Server{place: place, daemon: d, done: make(chan struct{}), followers: map[chan []byte]bool{}, reading: make(chan struct{}, 1)}
	s.door = &door{UnixListener: l, place: place}
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.http = &http.Server{
		Handler: s.routes(inner), ReadHeaderTimeout: readLimit, WriteTimeout: reviewLimit + writeLimit, IdleTimeout: idleLimit, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return inner },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, ownKey{}, c.(*guest).own)
		},
	}
	go func() {
		defer close(s.done)
		defer stop()
		s.http.Serve(s.door) //nolint:errcheck // ends by Close
	}()
	return s, nil
}

// Make makes the socket, with its rights.
func (p *Place) Make(ctx context.Context) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(p.Path), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(p.Path); err == nil {
		if info.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("%s is no socket", p.Path)
		}
		if c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", p.Path); err == nil {
			c.Close()
			return nil, fmt.Errorf("%s: another daemon answers there", p.Path)
		}
		if err := os.Remove(p.Path); err != nil {
			return nil, err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", p.Path)
	if err != nil {
		return nil, err
	}
	u := l.(*net.UnixListener)
	if err := p.rights(); err != nil {
		u.Close()
		return nil, err
	}
	return u, nil
}

// rights are those of the file: connecting needs the right to write. Whoever came before they were set is refused by the
// door.
func (p *Place) rights() error {
	mode := os.FileMode(0o600)
	switch {
	case !knowsPeers:
	case p.Open:
		mode = 0o666
	case p.Group >= 0:
		if err := os.Chown(p.Path, -1, p.Group); err != nil {
			return err
		}
		mode = 0o660
	}
	return os.Chmod(p.Path, mode)
}

// Close ends all streams and answers and removes the socket.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}

// Tell hands a message to all who follow; the first is what every later stream begins with. It never waits.
func (s *Server) Tell(message any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.start != nil && len(s.followers) == 0 {
		return
	}
	line, err := json.Marshal(message)
	if err != nil {
		return // messages are of strings, numbers and times
	}
	line = append(line, '\n')
	if s.start == nil {
		s.start = line
	}
	for c := range s.followers {
		select {
		case c <- line:
		default: // it does not keep up: it is let go, and told so by the end of the stream
			delete(s.followers, c)
			close(c)
		}
	}
}

func (s *Server) routes(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /review", func(w http.ResponseWriter, r *http.Request) {
		text, err := s.review(ctx, r.Context())
		answer(w, text, err)
	})
	mux.HandleFunc("GET /history", func(w http.ResponseWriter, r *http.Request) {
		q, err := parseQuery(r)
		if err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		select {
		case s.reading <- struct{}{}:
			defer func() { <-s.reading }()
		case <-r.Context().Done():
			return
		}
		d, err := s.daemon.History(r.Context(), q)
		document(w, d, err)
	})
	mux.HandleFunc("GET /events", s.events)
	mux.HandleFunc("GET /fleet", func(w http.ResponseWriter, r *http.Request) {
		d, err := s.daemon.Fleet(r.Context())
		document(w, d, err)
	})
	mux.HandleFunc("GET /fleet/{host}", func(w http.ResponseWriter, r *http.Request) {
		// Who may ask this daemon may not for that reason ask all others.
		if own, _ := r.Context().Value(ownKey{}).(bool); !own {
			refuse(w, http.StatusForbidden, errors.New("only root may ask other hosts"))
			return
		}
		d, err := s.daemon.Host(r.Context(), r.PathValue("host"))
		document(w, d, err)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 { // nothing that is sent is read, so it is not waited for either
			w.Header().Set("Connection", "close")
			refuse(w, http.StatusRequestEntityTooLarge, errors.New("send no body"))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// review returns a review that is not older than reviewRest; all who ask meanwhile wait for the same.
func (s *Server) review(ctx, asker context.Context) ([]byte, error) {
	s.mu.Lock()
	if s.latest != nil && time.Since(s.made) < reviewRest {
		defer s.mu.Unlock()
		return s.latest, nil
	}
	flight := s.flight
	if flight == nil {
		flight = make(chan struct{})
		s.flight = flight
		go func() {
			ctx, stop := context.WithTimeout(ctx, reviewLimit)
			defer stop()
			var text []byte
			d, err := s.daemon.Review(ctx)
			if err == nil {
				text, err = json.Marshal(d)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.flight, s.made = nil, time.Now()
			switch {
			case err == nil:
				s.latest, s.failed = text, nil
			case s.latest == nil || !errors.Is(err, context.DeadlineExceeded): // else the judge is busy
				s.latest, s.failed = nil, err
			}
			close(flight)
		}()
	}
	var late <-chan time.Time // nil: there is nothing else to answer with
	if s.latest != nil {
		t := time.NewTimer(reviewWait)
		defer t.Stop()
		late = t.C
	}
	s.mu.Unlock()
	select {
	case <-flight:
	case <-late: // the judge is busy: who asks sees the one before, whose time tells its age
	case <-asker.Done():
		return nil, asker.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == nil && s.failed == nil {
		return nil, context.DeadlineExceeded
	}
	return s.latest, s.failed
}

// events is the stream: one message of the daemon a line, as connwarden watch --json prints them, the first message first.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	c := make(chan []byte, maxQueue)
	s.mu.Lock()
	line := append([]byte(nil), s.start...)
	s.followers[c] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.followers, c)
	}()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		out.SetWriteDeadline(time.Now().Add(writeLimit)) //nolint:errcheck // a test's writer has none
		if _, err := w.Write(line); err != nil {
			return
		}
		if len(c) == 0 && out.Flush() != nil {
			return
		}
		var ok bool
		select {
		case line, ok = <-c:
			if !ok {
				return
			}
		case <-beat.C:
			line = []byte("\n")
		case <-r.Context().Done():
			return
		}
	}
}

// refusal is what is answered instead of a document.
type refusal struct {
	Error string `json:"error"`
}

func refuse(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(refusal{report.Clean(err.Error())}) //nolint:errcheck // who left needs no answer
}

// ownKey is whether a connection is of root or of the daemon's own account.
type ownKey struct{}

func document(w http.ResponseWriter, d any, err error) {
	if err != nil {
		answer(w, nil, err)
		return
	}
	text, err := json.Marshal(d)
	answer(w, text, err)
}

func answer(w http.ResponseWriter, text []byte, err error) {
	if err != nil {
		code := http.StatusInternalServerError
		switch {
		case errors.Is(err, connwarden.ErrNotFound):
			code = http.StatusNotFound
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			code = http.StatusServiceUnavailable
		}
		refuse(w, code, err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeLimit)) //nolint:errcheck // a test's writer has none
	w.Write(text)                                                              //nolint:errcheck // who left needs no answer
}
