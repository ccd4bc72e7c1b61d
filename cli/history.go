package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/connwarden/connwarden/history"
	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/warehouse"
)

// historyFile is the section [history] of the configuration.
type historyFile struct {
	Size *string `toml:"size" comment:"how large the daemon's history may become: 256M, 2G, or 0 for none"`
}

// historyPlan says how much is kept, in bytes; 0: nothing.
type historyPlan struct{ Size int64 }

func (p *Plan) planHistory(f *historyFile, inFile func(string) string) error {
	p.History.Size = history.DefaultBound
	origin, text := "default", "256M"
	if f.Size != nil {
		origin, text = inFile("history.size"), *f.Size
		n, err := parseSize(text)
		if err != nil || n > 0 && n < history.LeastBound {
			return usage(fmt.Sprintf("write 256M, 2G, or 0 for none; the least is %dM", history.LeastBound>>20), "%s: %q", origin, text)
		}
		p.History.Size = n
	}
	p.set("history.size", text, origin)
	return nil
}

// parseSize understands "0", "64M" and "2G", of powers of two.
func parseSize(text string) (int64, error) {
	shift := 0
	number := strings.TrimSuffix(strings.ToUpper(text), "B")
	if number != "" {
		switch number[len(number)-1] {
		case 'K':
			shift = 10
		case 'M':
			shift = 20
		case 'G':
			shift = 30
		}
	}
	if shift > 0 {
		number = number[:len(number)-1]
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no size", text)
	}
	return n << shift, nil
}

// historian writes down what the daemon tells and counts. What is told waits for the next batch of counts.
type historian struct {
	book *history.Book        // nil: none is kept here
	ship *warehouse.Warehouse // nil: nothing is sent

	mu        sync.Mutex // guards the rest; leaf
	sightings []report.Sighting
	acts      []report.PastBlock
	left      uint64
}

var _ live.Recorder = (*historian)(nil)

// tell takes a message of the pipeline. It never waits.
func (h *historian) tell(m any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch m := m.(type) {
	case *live.Verdict:
		if len(h.sightings) >= 2*history.MaxSightings {
			h.left++
			return
		}
		h.sightings = append(h.sightings, report.Sighting{Time: m.Time, Peer: m.Peer})
	case *live.Block:
		if len(h.acts) < history.MaxActs {
			h.acts = append(h.acts, report.PastBlock{Time: m.Time, Type: m.Type, Block: m.Block})
		}
	}
}

// Record implements live.Recorder.
func (h *historian) Record(ctx context.Context, b live.Batch) error {
	h.mu.Lock()
	batch := &history.Batch{Number: b.Number, Rates: b.Rates, Sightings: h.sightings, Acts: h.acts, Left: h.left}
	h.sightings, h.acts, h.left = nil, nil, 0
	h.mu.Unlock()
	var err error
	if h.book != nil {
		err = h.book.Record(ctx, batch)
	}
	var replaced *history.Replaced
	if err != nil && !errors.As(err, &replaced) { // it comes again, with what was told since
		h.mu.Lock()
		defer h.mu.Unlock()
		h.sightings, h.acts, h.left = append(batch.Sightings, h.sightings...), append(batch.Acts, h.acts...), h.left+batch.Left
		if over := len(h.sightings) - 2*history.MaxSightings; over > 0 {
			h.sightings, h.left = h.sightings[over:], h.left+uint64(over)
		}
		h.acts = h.acts[max(len(h.acts)-history.MaxActs, 0):]
		return err
	}
	if h.ship != nil {
		// It says itself what it could not keep; the history has it, and must not take it twice.
		_ = h.ship.Put(&warehouse.Batch{Number: batch.Number, Rates: batch.Rates, Sightings: batch.Sightings, Acts: batch.Acts})
	}
	return err
}

// past is what the history says of a stretch; nil with a sentence where it says nothing.
func (c *command) past(ctx context.Context, p *Plan, q history.Query) (*report.History, string) {
	q.Zone = p.Zone
	d, err := history.Read(ctx, p.WatchDir, q)
	switch {
	case errors.Is(err, history.ErrNone):
		return nil, "none is kept here; connwarden watch keeps one"
	case err != nil:
		return nil, err.Error()
	case d.Begins == nil:
		return d, "nothing is written down yet"
	case q.Until.Before(*d.Begins) || q.Until.Equal(*d.Begins):
		return d, "it begins at " + d.Begins.Format(momentForm) + " and does not reach back to then"
	case !q.From.Before(*d.Ends):
		return d, "it ends at " + d.Ends.Format(momentForm) + ": connwarden watch was not running then"
	case q.From.Before(*d.Begins):
		return d, "it begins at " + d.Begins.Format(momentForm)
	}
	return d, gaps(d)
}

// momentForm is how a moment of the past is told.
const momentForm = "2 Jan 2006 15:04 MST"

// gaps says when nothing was written down: then no daemon was running. The machine's connections are counted every minute,
// so that a quiet minute is no gap.
func gaps(d *report.History) string {
	step := time.Duration(d.Step) * time.Second
	from, until := d.From, d.Until
	if d.Ends.Before(until) {
		until = *d.Ends
	}
	longest, begin := time.Duration(0), from
	see := func(a, b time.Time) {
		if gap := b.Sub(a); gap > longest {
			longest, begin = gap, a
		}
	}
	for _, r := range d.Rates {
		see(from, r.Start)
		from = r.Start.Add(step)
	}
	see(from, until)
	if longest < 5*time.Minute || longest <= step {
		return ""
	}
	return fmt.Sprintf("nothing was written down from %s to %s: connwarden watch was not running", begin.Format(momentForm), begin.Add(longest).Format(momentForm))
}
