package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/connwarden/connwarden/tail"
)

// History keeps what a run must know of the one before.
type History interface {
	// Load returns the state that was saved last; the zero State if there is none.
	Load(ctx context.Context) (*State, error)
	// Save replaces it, whole or not at all. It is called from one goroutine at a time.
	Save(ctx context.Context, s *State) error
}

// State is how far all was read. What it counts was counted up to these very places.
type State struct {
	Saved    time.Time             `json:"saved"`
	Lines    uint64                `json:"lines"`
	Unparsed uint64                `json:"unparsed"`
	Cursor   string                `json:"cursor,omitempty"` // of the journal
	Logs     map[string]tail.Place `json:"logs"`
	Counted  *Counted              `json:"counted,omitempty"` // of lines before these places, what is not recorded yet
}

// File is a history in one file, which is replaced as a whole.
type File string

// Load reads the file. One that cannot be understood is an error: it tells of lines that were read.
func (f File) Load(context.Context) (*State, error) {
	s := &State{}
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, s)
	}
	if err != nil {
		return nil, fmt.Errorf("read history: %w; without it %s begins anew: move it away", err, string(f))
	}
	return s, nil
}

// Save writes the file beside the old one and puts it in its place.
func (f File) Save(_ context.Context, s *State) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	name := string(f)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("save history: %w", err)
	}
	file, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("save history: %w", err)
	}
	if _, err = file.Write(b); err == nil {
		err = file.Sync()
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		return fmt.Errorf("save history: %w", err)
	}
	return nil
}

// save hands the places to the history, beside the judging; at the end it waits.
func (w *warden) save(ctx context.Context, last bool) error {
	if w.opt.History == nil || !w.changed && !last && (w.opt.Recorder == nil || !w.meter.due()) {
		return nil
	}
	var err error
	if last {
		err = <-w.saving
	} else {
		select {
		case err = <-w.saving:
		default:
			return nil // the last one is not done yet
		}
	}
	w.changed = false
	s := w.state()
	if w.opt.Recorder != nil {
		s.Counted = w.meter.state(last)
	}
	if last {
		return errors.Join(err, w.keep(ctx, s))
	}
	go func() { w.saving <- w.keep(context.WithoutCancel(ctx), s) }() // an end in the middle of it is no failure
	return err
}

// state is how far each log was read.
func (w *warden) state() *State {
	s := &State{Saved: w.now, Lines: w.lines, Unparsed: w.bad, Cursor: w.cursor, Logs: make(map[string]tail.Place, len(w.byPath))}
	for i, f := range w.feeds {
		if f == nil {
			continue
		}
		if p, ok := w.tail.Place(i); ok {
			s.Logs[f.source.Log.Path] = p
		}
	}
	return s
}

// keep saves the state, and then hands over what it says was counted: the other way round a crash between the two would
// have it counted again.
func (w *warden) keep(ctx context.Context, s *State) error {
	if err := w.opt.History.Save(ctx, s); err != nil || s.Counted == nil {
		return err
	}
	for _, b := range s.Counted.Closed {
		if err := w.opt.Recorder.Record(ctx, b); err != nil {
			return err
		}
		w.meter.kept.Store(b.Number)
	}
	return nil
}
