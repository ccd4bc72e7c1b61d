package block

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// Spool is a file beside the journal to which acts are appended while the journal cannot be used, and from which they are
// taken in later: one JSON object a line.
type Spool struct{ Name string }

// note is one line.
type note struct {
	Verb   string // "block" or "unblock"
	At     time.Time
	Target netip.Prefix
	Scope  string   `json:",omitempty"`
	Driver []string // of an unblock empty: all
	Until  time.Time
	By     string
	Why    string `json:",omitempty"`
	Forced bool   `json:",omitempty"`
}

// maxSpool is far more than anyone types while a disk is full; what is beyond is not read.
const maxSpool = 16 << 20

// append writes lines in one piece and waits for the disk. It begins a line of its own, since whoever wrote before may
// have died in the middle of one.
func (s *Spool) append(notes ...note) error {
	text := []byte{'\n'}
	for _, n := range notes {
		line, err := json.Marshal(n)
		if err != nil {
			return err
		}
		text = append(append(text, line...), '\n')
	}
	f, err := os.OpenFile(s.Name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// read returns the lines, and the numbers of those that are none: a process that died while it wrote leaves one.
func (s *Spool) read() (notes []note, bad []int, err error) {
	f, err := os.Open(s.Name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSpool))
	if err != nil {
		return nil, nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxSpool)
	for i := 1; lines.Scan(); i++ {
		var n note
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &n); err != nil || !n.Target.IsValid() || n.Target != Canonical(n.Target) {
			bad = append(bad, i)
			continue
		}
		notes = append(notes, n)
	}
	return notes, bad, lines.Err()
}

// takeIn puts what is in the spool into the journal. It may be cut short and done again: the file goes last.
func (k *Keeper) takeIn(ctx context.Context, b book) (told []connwarden.Problem, err error) {
	notes, bad, err := k.Spool.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil: // it stays where it is, and nobody has to wait for it
		return []connwarden.Problem{{What: k.Spool.Name, Why: err.Error()}}, nil //nolint:nilerr // it is told
	}
	for _, n := range notes {
		c := &Change{At: n.At, By: connwarden.ParseOrigin(n.By), Verb: n.Verb}
		held, err := k.held(ctx, &b, []netip.Prefix{n.Target})
		if err != nil {
			return told, err
		}
		switch n.Verb {
		case "block":
			c.Wishes = n.wishes(held)
		case "unblock":
			for _, w := range inOrder(held) {
				if within(w.Target, n.Target) && w.State != StateLifted && (len(n.Driver) == 0 || slices.Contains(n.Driver, w.Driver)) {
					c.Wishes = append(c.Wishes, Swap[Wish]{Before: &w})
				}
			}
			c.Pardons = append(c.Pardons, k.forgive(n.Target, c.By, b))
		}
		if c.Empty() {
			continue
		}
		if err := k.Journal.Record(ctx, c); err != nil {
			return told, err
		}
	}
	if len(notes) > 0 {
		told = append(told, connwarden.Problem{What: "journal", Why: fmt.Sprintf("%d acts from while it could not be used are in it now", len(notes))})
	}
	if len(bad) > 0 {
		aside := k.Spool.Name + ".unread"
		told = append(told, connwarden.Problem{What: k.Spool.Name, Why: fmt.Sprintf("lines %v are not understood; the file is now %s", bad, aside)})
		return told, gone(os.Rename(k.Spool.Name, aside))
	}
	return told, gone(os.Remove(k.Spool.Name))
}

// gone makes a file that stays an error of the journal: what it says must not be taken in again when it is no longer so.
func gone(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrJournal, err)
}

// wishes are those of a line of the verb block; the firewall took them when it was written.
func (n *note) wishes(held map[connwarden.BlockKey]Wish) []Swap[Wish] {
	scope, ok := connwarden.ParseScope(n.Scope)
	if !ok {
		return nil
	}
	var list []Swap[Wish]
	for _, driver := range n.Driver {
		w := Wish{State: StateInForce}
		w.BlockKey = connwarden.BlockKey{Target: n.Target, Scope: scope, Driver: driver}
		w.Since, w.Until, w.By, w.Why, w.Forced = n.At, n.Until, connwarden.ParseOrigin(n.By), n.Why, n.Forced
		s := Swap[Wish]{After: &w}
		if old, ok := held[w.BlockKey]; ok {
			s.Before = &old
		}
		list = append(list, s)
	}
	return list
}
