// Package hand parts the process that reads from the one that acts. The hand keeps root's rights and touches the firewalls; the
// reader has an account of its own, follows the logs, judges, tells people, and asks the hand over a socket that only the
// two have. So a fault in what takes apart the bytes of strangers gives nobody the firewall.
//
// The hand believes no word of the reader. It plans by its own reading of the configuration, and brings into force only what
// a verdict may bring: single addresses, by the firewalls and for the sites that are configured, for as long as the ladder
// says, through the guard. The reader can lift nothing.
//
// What passes is JSON, a question and its answer in turns; both are bounded.
package hand

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// Keeper brings blocks into force.
type Keeper interface {
	Block(ctx context.Context, requests ...block.Request) (*block.Outcome, error)
	Sync(ctx context.Context, drivers ...string) (*block.Outcome, []block.Synced, error)
	// Last returns the last that is known of blocks, whether they are in force or ended.
	Last(ctx context.Context, keys ...connwarden.BlockKey) ([]block.Wish, error)
	// Moved tells whether somebody may have changed a firewall since the last Sync.
	Moved(ctx context.Context) (bool, error)
}

// Work is what a configuration lets the hand do.
type Work struct {
	Keeper  Keeper        // nil: nothing is blocked
	Drivers []string      // to block with
	Others  []string      // those of sites
	Folders []string      // of sites that are blocked for alone
	Every   time.Duration // how often to sync
	Close   func()
}

// Bounds.
const (
	maxQuestion = 32 << 20  // bytes; the requests of one question with their evidence
	maxAnswer   = 256 << 20 // all wishes: 100,000 at 600 bytes, and room
	maxRequests = 100       // of one question, and keys
	maxWorks    = 2         // the one in force and the one that may follow
	maxWhy      = 4 << 10
	maxEvidence = 256 << 10
)

// question is what the reader asks.
type question struct {
	Do       string                `json:"do"`
	Work     int                   `json:"work"`
	Requests []block.Request       `json:"requests,omitempty"`
	Drivers  []string              `json:"drivers,omitempty"`
	Keys     []connwarden.BlockKey `json:"keys,omitempty"`
}

// Words of questions.
const (
	doOpen   = "open"
	doClose  = "close"
	doBlock  = "block"
	doSync   = "sync"
	doWishes = "wishes"
	doLast   = "last"
	doMoved  = "moved"
)

// answer is what the hand says.
type answer struct {
	Error   string         `json:"error,omitempty"`
	Work    int            `json:"work,omitempty"` // 0: nothing is blocked
	Drivers []string       `json:"drivers,omitempty"`
	Every   time.Duration  `json:"every,omitempty"`
	Outcome *block.Outcome `json:"outcome,omitempty"`
	Synced  []synced       `json:"synced,omitempty"`
	Wishes  []block.Wish   `json:"wishes,omitempty"`
	Moved   bool           `json:"moved,omitempty"`
}

// synced is a block.Synced whose error is text.
type synced struct {
	block.Synced
	Err string `json:"err,omitempty"`
}

// Serve answers a reader until it hangs up. open reads the configuration anew each time the reader wants to go by it; wishes tells what is
// blocked, by whomever, also to one that blocks nothing.
func Serve(ctx context.Context, conn io.ReadWriter, open func(context.Context) (*Work, error), wishes func(context.Context) ([]block.Wish, error)) error {
	h := &server{open: open, wishes: wishes, works: map[int]*Work{}}
	defer func() {
		for _, w := range h.works {
			w.Close()
		}
	}()
	bounded := &io.LimitedReader{R: conn}
	in, out := json.NewDecoder(bounded), json.NewEncoder(conn)
	for {
		var q question
		bounded.N = maxQuestion
		switch err := in.Decode(&q); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("the reader's question: %w", err)
		}
		if err := out.Encode(h.answer(ctx, &q)); err != nil {
			return fmt.Errorf("answer the reader: %w", err)
		}
	}
}

type server struct {
	open   func(context.Context) (*Work, error)
	wishes func(context.Context) ([]block.Wish, error)
	works  map[int]*Work
	last   int
}

func (h *server) answer(ctx context.Context, q *question) *answer {
	switch q.Do {
	case doOpen:
		return h.begin(ctx)
	case doWishes:
		return h.wished(ctx)
	}
	w := h.works[q.Work]
	if w == nil || w.Keeper == nil {
		return &answer{Error: "no such work"}
	}
	a := &answer{}
	var err error
	switch q.Do {
	case doClose:
		delete(h.works, q.Work)
		w.Close()
	case doBlock:
		if err = w.allows(q.Requests); err == nil {
			a.Outcome, err = w.Keeper.Block(ctx, q.Requests...)
		}
	case doSync:
		var list []block.Synced
		a.Outcome, list, err = w.Keeper.Sync(ctx, w.mine(q.Drivers)...)
		for _, s := range list {
			one := synced{Synced: s}
			if s.Err != nil {
				one.Err = s.Err.Error()
			}
			one.Synced.Err = nil
			a.Synced = append(a.Synced, one)
		}
	case doLast:
		a.Wishes, err = w.last(ctx, q.Keys)
	case doMoved:
		a.Moved, err = w.Keeper.Moved(ctx)
	default:
		err = errors.New("no such question")
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

// wished tells what is blocked.
func (h *server) wished(ctx context.Context) *answer {
	list, err := h.wishes(ctx)
	if err != nil {
		return &answer{Error: err.Error()}
	}
	for i := range list {
		list[i].Evidence = "" // it is long, and nobody asks
	}
	return &answer{Wishes: list}
}

// begin goes by the configuration as it is now.
func (h *server) begin(ctx context.Context) *answer {
	if len(h.works) >= maxWorks {
		return &answer{Error: "too many works"}
	}
	w, err := h.open(ctx)
	if err != nil {
		return &answer{Error: err.Error()}
	}
	if w.Keeper == nil {
		w.Close()
		return &answer{}
	}
	h.last++
	h.works[h.last] = w
	return &answer{Work: h.last, Drivers: w.Drivers, Every: w.Every}
}

// last tells what is known of blocks.
func (w *Work) last(ctx context.Context, keys []connwarden.BlockKey) ([]block.Wish, error) {
	if len(keys) > maxRequests || slices.ContainsFunc(keys, func(k connwarden.BlockKey) bool { return !k.Target.IsValid() }) {
		return nil, errors.New("too many keys, or one of no target")
	}
	list, err := w.Keeper.Last(ctx, keys...)
	for i := range list {
		list[i].Evidence = "" // it is long, and nobody asks
	}
	return list, err
}

// allows refuses what no verdict of an honest reader asks for.
func (w *Work) allows(list []block.Request) error {
	if len(list) > maxRequests {
		return fmt.Errorf("%d requests at once", len(list))
	}
	for i := range list {
		r := &list[i]
		bits := 32
		if r.Target.Addr().Is6() {
			bits = 64
		}
		switch {
		case !r.Target.IsValid() || r.Target.Bits() < bits || r.Target.Addr().Is4In6() || r.Target != r.Target.Masked():
			return fmt.Errorf("%s is no single address", r.Target)
		case r.By.Kind != connwarden.ByRule || r.Forced || r.For != 0 || r.Within != 0:
			return errors.New("only a person may ask for this")
		case len(r.Drivers) == 0 || len(w.mine(r.Drivers)) != len(r.Drivers):
			return fmt.Errorf("%q is not configured", r.Drivers)
		case r.Scope != (connwarden.Scope{}) && (r.Scope.Kind != connwarden.ScopeSite || !slices.Contains(w.Folders, r.Scope.Detail)):
			return fmt.Errorf("%q is not configured", r.Scope)
		case len(r.Why) > maxWhy || len(r.Evidence) > maxEvidence:
			return errors.New("the reason is too long")
		}
	}
	return nil
}

// mine are those of the drivers that are configured.
func (w *Work) mine(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(w.Drivers, name) && !slices.Contains(w.Others, name) })
}

// Client is the reader's end. It may be used from several goroutines.
type Client struct {
	mu      sync.Mutex // guards the rest: a question and its answer belong together
	bounded *io.LimitedReader
	in      *json.Decoder
	out     *json.Encoder
}

// NewClient asks over a connection that Serve answers.
func NewClient(conn io.ReadWriter) *Client {
	bounded := &io.LimitedReader{R: conn}
	return &Client{bounded: bounded, in: json.NewDecoder(bounded), out: json.NewEncoder(conn)}
}

func (c *Client) ask(q *question) (*answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.out.Encode(q); err != nil {
		return nil, fmt.Errorf("ask the hand: %w", err)
	}
	var a answer
	c.bounded.N = maxAnswer
	if err := c.in.Decode(&a); err != nil {
		return nil, fmt.Errorf("the hand's answer: %w", err)
	}
	if a.Error != "" {
		return &a, errors.New(a.Error)
	}
	return &a, nil
}

// Open has the hand go by the configuration as it is now. The Remote is nil if nothing is blocked by it.
func (c *Client) Open() (*Remote, error) {
	a, err := c.ask(&question{Do: doOpen})
	if err != nil || a.Work == 0 {
		return nil, err
	}
	return &Remote{client: c, work: a.Work, Drivers: a.Drivers, Every: a.Every}, nil
}

// Wishes asks what is blocked, by whomever.
func (c *Client) Wishes(context.Context) ([]block.Wish, error) {
	a, err := c.ask(&question{Do: doWishes})
	if err != nil {
		return nil, err
	}
	return a.Wishes, nil
}

// Remote is a Keeper that the hand has.
type Remote struct {
	client  *Client
	work    int
	Drivers []string
	Every   time.Duration
}

// Block asks the hand, for some at a time.
func (r *Remote) Block(_ context.Context, requests ...block.Request) (*block.Outcome, error) {
	all := &block.Outcome{}
	for some := range slices.Chunk(requests, maxRequests) {
		a, err := r.client.ask(&question{Do: doBlock, Work: r.work, Requests: some})
		if a != nil && a.Outcome != nil {
			all.Change = a.Outcome.Change
			all.Blocks = append(all.Blocks, a.Outcome.Blocks...)
			all.Refused = append(all.Refused, a.Outcome.Refused...)
			all.Problems = append(all.Problems, a.Outcome.Problems...)
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// Sync asks the hand.
func (r *Remote) Sync(_ context.Context, drivers ...string) (*block.Outcome, []block.Synced, error) {
	a, err := r.client.ask(&question{Do: doSync, Work: r.work, Drivers: drivers})
	if a == nil {
		return nil, nil, err
	}
	list := make([]block.Synced, len(a.Synced))
	for i, s := range a.Synced {
		if list[i] = s.Synced; s.Err != "" {
			list[i].Err = errors.New(s.Err)
		}
	}
	return a.Outcome, list, err
}

// Each asks the hand for what is wanted now, and hands it over.
func (r *Remote) Each(ctx context.Context, each func(*block.Wish)) error {
	list, err := r.client.Wishes(ctx)
	now := time.Now()
	for i := range list {
		if w := &list[i]; w.Wanted(now) {
			each(w)
		}
	}
	return err
}

// Last asks the hand, for some at a time.
func (r *Remote) Last(_ context.Context, keys ...connwarden.BlockKey) (list []block.Wish, err error) {
	for some := range slices.Chunk(keys, maxRequests) {
		a, err := r.client.ask(&question{Do: doLast, Work: r.work, Keys: some})
		if err != nil {
			return list, err
		}
		list = append(list, a.Wishes...)
	}
	return list, nil
}

// Moved asks the hand.
func (r *Remote) Moved(context.Context) (bool, error) {
	a, err := r.client.ask(&question{Do: doMoved, Work: r.work})
	return err == nil && a.Moved, err
}

// Close lets the hand forget the configuration that it was opened by.
func (r *Remote) Close() {
	_, _ = r.client.ask(&question{Do: doClose, Work: r.work}) // the hand is gone, or has forgotten it
}

var _ Keeper = (*Remote)(nil)
