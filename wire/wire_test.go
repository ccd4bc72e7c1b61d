package wire

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/report"
)

func TestMain(m *testing.M) {
	// net/http waits half a second before it closes a connection on which somebody may still write.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// fake is a daemon that knows one thing.
type fake struct {
	reviews atomic.Int64
	asked   HistoryQuery
	wait    chan struct{} // nil: a review is made at once
	err     error
	alone   bool
}

func (f *fake) Review(ctx context.Context) (*report.Review, error) {
	f.reviews.Add(1)
	if f.wait != nil {
		select {
		case <-f.wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &report.Review{Schema: report.SchemaReview, Host: "here", Peers: []report.Peer{{Addr: "192.0.2.7"}}}, f.err
}

func (f *fake) History(_ context.Context, q HistoryQuery) (*report.History, error) {
	f.asked = q
	return &report.History{Schema: report.SchemaHistory}, f.err
}

func (f *fake) Fleet(context.Context) (*report.Fleet, error) {
	if f.alone {
		return nil, fmt.Errorf("%w: nobody else", connwarden.ErrNotFound)
	}
	return &report.Fleet{Schema: report.SchemaFleet, Hosts: []report.FleetHost{{Host: "there"}}}, f.err
}

func (f *fake) Host(_ context.Context, name string) (*report.Review, error) {
	return &report.Review{Schema: report.SchemaReview, Host: name}, f.err
}

func TestFleet(t *testing.T) {
	f := &fake{}
	_, path := serve(t, f, Place{Group: -1})
	c := client(t, path)
	if d, err := c.Fleet(t.Context()); err != nil || len(d.Hosts) != 1 || d.Hosts[0].Host != "there" {
		t.Errorf("the fleet is %+v, %v", d, err)
	}
	for _, name := range []string{"web1.example.net", "a/b?c#d", "ä\x1b"} {
		if d, err := c.FleetHost(t.Context(), name); err != nil || d.Host != name {
			t.Errorf("the review of %q is %+v, %v", name, d, err)
		}
	}
	f.alone = true
	if _, err := c.Fleet(t.Context()); !errors.Is(err, connwarden.ErrNotFound) || !strings.Contains(err.Error(), "nobody else") {
		t.Errorf("without a fleet: %v", err)
	}
}

type message struct {
	Type string `json:"type"`
	N    int    `json:"n"`
}

func serve(t *testing.T, f *fake, place Place) (*Server, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "wire") //nolint:usetesting // the name of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	place.Path = filepath.Join(dir, "sub", Name)
	s, err := Listen(t.Context(), place, f)
	if err != nil {
		t.Skip("no Unix sockets here:", err)
	}
	t.Cleanup(func() {
		s.Close()
		if _, err := os.Lstat(place.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
	return s, place.Path
}

func client(t *testing.T, path string) *Client {
	c := NewClient(path)
	t.Cleanup(c.Close)
	return c
}

func TestDocuments(t *testing.T) {
	f := &fake{}
	_, path := serve(t, f, Place{Group: -1})
	c := client(t, path)
	if !c.Answers(t.Context()) {
		t.Fatal("it does not answer")
	}
	d, err := c.Review(t.Context())
	if err != nil || d.Host != "here" || d.Peers[0].Addr != "192.0.2.7" {
		t.Fatalf("%+v %v", d, err)
	}
	want := HistoryQuery{From: time.Unix(1e9, 0).UTC(), Until: time.Unix(1e9+60, 0).UTC(), Target: netip.MustParsePrefix("2001:db8::/32"), Rows: 7}
	if _, err := c.History(t.Context(), want); err != nil || f.asked != want {
		t.Errorf("asked for %+v, got %+v, %v", want, f.asked, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	f.err = errors.New("the disk is gone\x1b[2J")
	if _, err := c.History(t.Context(), want); err == nil || !strings.Contains(err.Error(), `the disk is gone\x1b[2J`) {
		t.Error(err)
	}
}

func TestOneReviewForAll(t *testing.T) {
	f := &fake{wait: make(chan struct{})}
	s, path := serve(t, f, Place{Group: -1})
	c := client(t, path)
	results := make(chan error, 10)
	for range 10 {
		go func() {
			_, err := c.Review(t.Context())
			results <- err
		}()
	}
	for f.reviews.Load() == 0 {
		<-time.After(time.Millisecond)
	}
	close(f.wait)
	for range 10 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	s.mu.Lock()
	recent := time.Since(s.made) < reviewRest
	s.mu.Unlock()
	if n := f.reviews.Load(); n != 1 && recent {
		t.Errorf("%d reviews were made", n)
	}
}

func TestStream(t *testing.T) {
	s, path := serve(t, &fake{}, Place{Group: -1})
	s.Tell(message{"start", 0})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	got := make(chan message, 10)
	ended := make(chan error, 1)
	go func() {
		ended <- client(t, path).Follow(ctx, func(line []byte) {
			var m message
			if err := json.Unmarshal(line, &m); err != nil {
				t.Error(err)
			}
			got <- m
		})
	}()
	if m := <-got; m.Type != "start" {
		t.Errorf("it begins with %+v", m)
	}
	s.Tell(message{"verdict", 1})
	s.Tell(message{"block", 2})
	if a, b := <-got, <-got; a.N != 1 || b.N != 2 {
		t.Errorf("%+v %+v", a, b)
	}
	stop()
	if err := <-ended; err == nil {
		t.Error("it ended without an error")
	}
}

// TestSlowFollower stops reading: the daemon goes on, and lets it go.
func TestSlowFollower(t *testing.T) {
	s, path := serve(t, &fake{}, Place{Group: -1})
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	followers := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.followers)
	}
	for followers() == 0 {
		<-time.After(time.Millisecond)
	}
	long := strings.Repeat("x", 100_000)
	for range 2 * maxQueue {
		s.Tell(map[string]string{"type": "verdict", "why": long})
	}
	if followers() != 0 {
		t.Error("it is still followed")
	}
}

// TestHostile sends what no client does: every one is answered or let go, and the next asker gets an answer.
func TestHostile(t *testing.T) {
	_, path := serve(t, &fake{}, Place{Group: -1})
	for name, text := range map[string]string{
		"nothing":     "",
		"noise":       "\x00\x01\x02\r\n\r\n",
		"long header": "GET /review HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 20_000) + "\r\n\r\n",
		"long path":   "GET /" + strings.Repeat("z", 20_000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"a body":      "GET /review HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nx",
		"chunks":      "GET /review HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n",
		"a change":    "POST /review HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"bad times":   "GET /history?from=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, text); err != nil {
				return // it was let go already
			}
			if text == "" {
				return
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				return
			}
			defer resp.Body.Close()
			if resp.StatusCode < 400 {
				t.Errorf("answered with %s", resp.Status)
			}
		})
	}
	if _, err := client(t, path).Review(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestFull opens more connections than there are places: those beyond are told so, and a place that was left is free again.
func TestFull(t *testing.T) {
	_, path := serve(t, &fake{}, Place{Group: -1})
	var open []net.Conn
	refused := false
	for range maxConns + 1 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
	}
	text, _ := io.ReadAll(open[maxConns])
	if refused = strings.Contains(string(text), "503"); !refused {
		t.Errorf("one too many got %q", text)
	}
	for _, c := range open {
		c.Close()
	}
	c := client(t, path)
	for range 1000 {
		if _, err := c.Review(t.Context()); err == nil {
			return
		}
		<-time.After(time.Millisecond)
	}
	t.Error("no place became free")
}

func TestSecondDaemon(t *testing.T) {
	_, path := serve(t, &fake{}, Place{Group: -1})
	if _, err := Listen(t.Context(), Place{Path: path, Group: -1}, &fake{}); err == nil || !strings.Contains(err.Error(), "another daemon") {
		t.Error(err)
	}
}

func TestSocketLeftBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, Name)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Skip("no Unix sockets here:", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	s, err := Listen(t.Context(), Place{Path: path, Group: -1}, &fake{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), Place{Path: path, Group: -1}, &fake{}); err == nil {
		t.Error("a file was taken for a socket")
	}
}

func TestNobodyThere(t *testing.T) {
	c := client(t, filepath.Join(t.TempDir(), Name))
	if _, err := c.Review(t.Context()); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if c.Answers(t.Context()) {
		t.Error("it answers")
	}
}

// FuzzQuery holds that whatever is asked of the history is refused, or means the same when it is asked again.
func FuzzQuery(f *testing.F) {
	f.Add("from=2026-11-22T14:00:00Z&until=2026-11-22T15:00:00Z&target=192.0.2.0/24&rows=10")
	f.Add("from=2026-11-22T14:00:00+01:00&until=2026-11-22T15:00:00Z&target=::ffff:192.0.2.0/120")
	f.Add("from=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z&rows=-1")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := parseQuery(&http.Request{URL: &url.URL{RawQuery: text}})
		if err != nil {
			return
		}
		again, err := parseQuery(httptest.NewRequest(http.MethodGet, "/history?"+q.values().Encode(), nil))
		if err != nil || !again.From.Equal(q.From.Truncate(time.Second)) && q.From.Nanosecond() == 0 || again.Target != q.Target || again.Rows != q.Rows {
			t.Errorf("%q: %+v, then %+v, %v", text, q, again, err)
		}
	})
}
