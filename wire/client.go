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
	"net/url"
	"os"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/report"
)

// maxAnswer bounds what is read of an answer, in bytes, and maxLine one line of a stream.
const (
	maxAnswer = 64 << 20
	maxLine   = 1 << 20
	dialLimit = 2 * time.Second
)

// ErrNone is the error where no daemon answers.
var ErrNone = errors.New("no daemon answers")

// Client is the other end. It may be used by several goroutines.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a client of the daemon at a socket; nothing is asked yet.
func NewClient(path string) *Client {
	c := &Client{path: path}
	c.http = &http.Client{Transport: &http.Transport{MaxIdleConns: 2, IdleConnTimeout: idleLimit / 2, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return c.dial(ctx)
	}}}
	return c
}

// dial connects to a daemon that root or our own account runs: what any other says is not to be believed.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialLimit}).DialContext(ctx, "unix", c.path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	if uid, known := peer(conn.(*net.UnixConn)); known && uid != 0 && uid != uint32(os.Geteuid()) {
		conn.Close()
		return nil, fmt.Errorf("%w: %s belongs to account %d", ErrNone, c.path, uid)
	}
	return conn, nil
}

// Answers tells whether a daemon is there and lets us ask.
func (c *Client) Answers(ctx context.Context) bool {
	ctx, stop := context.WithTimeout(ctx, dialLimit)
	defer stop()
	resp, err := c.get(ctx, "/events") // answers at once, whatever is under way
	if err != nil {
		return false
	}
	resp.Body.Close()
	return true
}

// Review is what the daemon knows now.
func (c *Client) Review(ctx context.Context) (*report.Review, error) {
	d := &report.Review{}
	return d, c.document(ctx, "/review", d)
}

// History is a part of what the daemon wrote down.
func (c *Client) History(ctx context.Context, q HistoryQuery) (*report.History, error) {
	d := &report.History{}
	return d, c.document(ctx, "/history?"+q.values().Encode(), d)
}

// Fleet is how the hosts of the daemon's fleet are; the error is connwarden.ErrNotFound where it is in none.
func (c *Client) Fleet(ctx context.Context) (*report.Fleet, error) {
	d := &report.Fleet{}
	return d, c.document(ctx, "/fleet", d)
}

// FleetHost is another host's review, which the daemon asks it for; connwarden.ErrDenied where we may not have it asked.
func (c *Client) FleetHost(ctx context.Context, name string) (*report.Review, error) {
	d := &report.Review{}
	return d, c.document(ctx, "/fleet/"+url.PathEscape(name), d)
}

// Follow hands each message to take, a JSON object that is borrowed, until the stream ends or ctx is done. The error says why
// it ended; it is never nil.
func (c *Client) Follow(ctx context.Context, take func(line []byte)) error {
	resp, err := c.get(ctx, "/events")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if line := lines.Bytes(); len(line) > 0 {
			take(line)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("daemon: %w", err)
	}
	return fmt.Errorf("%w any more", ErrNone)
}

func (c *Client) document(ctx context.Context, path string, to any) error {
	ctx, stop := context.WithTimeout(ctx, reviewLimit+writeLimit)
	defer stop()
	resp, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(to); err != nil {
		return fmt.Errorf("daemon: %w", err)
	}
	return nil
}

func (c *Client) get(ctx context.Context, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://connwarden"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var why refusal
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxHeader)).Decode(&why); err != nil || why.Error == "" {
		why.Error = resp.Status
	}
	return nil, &told{kinds[resp.StatusCode], report.Clean(why.Error)}
}

// told is what a daemon says against a question, in its words.
type told struct {
	kind error // of the shared ones; nil: none
	why  string
}

var kinds = map[int]error{http.StatusNotFound: connwarden.ErrNotFound, http.StatusForbidden: connwarden.ErrDenied}

func (e *told) Error() string { return "daemon: " + e.why }
func (e *told) Unwrap() error { return e.kind }

// Close lets idle connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }
