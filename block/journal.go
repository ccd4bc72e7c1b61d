package block

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
)

// State says how far a wish has come.
type State uint8

const (
	StateWanted  State = iota // written down, not yet known to be in force
	StateInForce              // the firewall took it
	StateLifted               // no longer wanted, not yet known to be gone from the firewall
)

var stateWords = [...]string{"wanted", "in_force", "lifted"}

// String returns "wanted", "in_force" or "lifted".
func (s State) String() string { return stateWords[min(int(s), len(stateWords)-1)] }

// Wish is a block as the journal keeps it. Its Revision is the number of the change that made it what it is.
type Wish struct {
	connwarden.Block
	State    State
	Evidence string // what a verdict rested on, as JSON; hostile text inside
	// Confirm, if not zero, is by when an operator must say that all is well; Until is then no later unless the target was
	// blocked longer already, so that the firewall itself takes the block back. Then is the end after that.
	Confirm time.Time
	Then    time.Time
	// Restores is the revision that an undo brought back; 0: none did.
	Restores int64
}

// Wanted tells whether a wish is to be in force.
func (w *Wish) Wanted(now time.Time) bool { return w.State != StateLifted && !w.Expired(now) }

// Pending tells whether a wish waits for its confirmation.
func (w *Wish) Pending(now time.Time) bool {
	return w.State != StateLifted && !w.Confirm.IsZero() && now.Before(w.Confirm)
}

func (w *Wish) entry() Entry {
	return Entry{Target: w.Target, Scope: w.Scope, Until: w.Until, Forced: w.Forced}
}

// Allow is a target that must never be blocked, whatever else is wanted.
type Allow struct {
	Target   netip.Prefix
	Since    time.Time
	By       connwarden.Origin
	Why      string
	Revision int64
	Restores int64 // as of a Wish
}

// Pardon keeps judge and fleet from blocking again what an operator let go.
type Pardon struct {
	Target   netip.Prefix
	Since    time.Time
	Until    time.Time // never zero
	By       connwarden.Origin
	Revision int64
}

// Past is a block that was.
type Past struct {
	connwarden.Block
	Ended time.Time // when it ended or was lifted, no later than Until
}

// Swap is one line of a change: what stood there and what stands there now; nil is nothing.
type Swap[T any] struct {
	Before *T `json:",omitempty"`
	After  *T `json:",omitempty"`
}

// WishKey returns which block a swap is about.
func WishKey(s Swap[Wish]) connwarden.BlockKey {
	if s.After != nil {
		return s.After.BlockKey
	}
	return s.Before.BlockKey
}

// Verbs of a change that mean something to the journal itself. Others are a command's name.
const (
	VerbUndo  = "undo"  // takes another change back
	VerbAdopt = "adopt" // took in what a firewall held and the journal did not know of
)

// Change is one act on the journal: what a command or a batch of verdicts did, and all that is needed to undo it.
type Change struct {
	Number  int64 // given by Record, ascending
	At      time.Time
	By      connwarden.Origin
	Verb    string // "block", "unblock", "allow", "disallow", "confirm", VerbUndo or VerbAdopt
	Undoes  int64  // the change that this one takes back; 0: none
	Undone  int64  // the change that took this one back; 0: none
	Wishes  []Swap[Wish]
	Allows  []Swap[Allow]
	Pardons []Swap[Pardon]
}

// Empty tells whether a change changes nothing.
func (c *Change) Empty() bool { return len(c.Wishes)+len(c.Allows)+len(c.Pardons) == 0 }

// Settlement says that a driver holds what is wanted of it.
type Settlement struct {
	Driver string
	Number int64 // of the one change that is settled; 0: all
	Now    time.Time
	Open   []connwarden.BlockKey // what is wanted still and not in force: it stays or becomes StateWanted
}

// NoChange is the error of a journal that has no change n; 0 is the last that could be undone.
func NoChange(n int64) error {
	if n == 0 {
		return fmt.Errorf("no change that could be undone: %w", connwarden.ErrNotFound)
	}
	return fmt.Errorf("change %d: %w", n, connwarden.ErrNotFound)
}

// ErrJournal is what every error of a journal wraps: it could not be opened, read or written. What is in force stays in
// force, and an Emergency still blocks.
var ErrJournal = errors.New("the journal cannot be used")

// Undoable tells whether undo without a number may take a change back.
func (c *Change) Undoable() bool {
	return c.By.Kind == connwarden.ByOperator && c.Undone == 0 && c.Verb != VerbUndo && c.Verb != VerbAdopt
}

// Journal remembers what is wanted. Each method is one transaction: it happens whole or not at all, and what was
// returned without an error survives the death of the process. Times are whole milliseconds. Errors wrap ErrJournal, but
// for what is not there. A Journal belongs to one goroutine at a time.
type Journal interface {
	// Wishes returns the wishes of every state that share addresses with one of the targets, or all if none is named,
	// in the order of their keys.
	Wishes(ctx context.Context, overlapping ...netip.Prefix) ([]Wish, error)
	// Page returns at most most wishes of a driver, of every state, that stand behind a key, in the order of targets and those of
	// one target in an order of its own; without Why and Evidence, which are long. Behind the zero key stand all.
	Page(ctx context.Context, driver string, after EntryKey, most int) ([]Wish, error)
	// Drivers returns the names of those that there are wishes of, in order.
	Drivers(ctx context.Context) ([]string, error)
	// Allows and Pardons return all there are, in the order of targets.
	Allows(ctx context.Context) ([]Allow, error)
	Pardons(ctx context.Context) ([]Pardon, error)
	// Past returns blocks that ended and share addresses with the target, latest first, at most most.
	Past(ctx context.Context, target netip.Prefix, most int) ([]Past, error)
	// Pasts returns the same of many targets, by target; what has none is left out.
	Pasts(ctx context.Context, targets []netip.Prefix, most int) (map[netip.Prefix][]Past, error)
	// Record numbers a change, remembers it and brings it about: what stands After is put, with the number as its
	// revision; a wish without After becomes lifted and stays until it is settled; what was over or lifted and is put
	// anew is kept as past. The change that it undoes is marked as undone.
	Record(ctx context.Context, c *Change) error
	// Change returns change n, or for 0 the last one of an operator that is neither undone nor itself an undo or an
	// adoption. It wraps connwarden.ErrNotFound if there is none.
	Change(ctx context.Context, n int64) (*Change, error)
	// Changes returns the last changes without their swaps, latest first, at most most.
	Changes(ctx context.Context, most int) ([]Change, error)
	// Settle marks the wishes of a driver: wanted becomes in force; what was lifted or is over becomes past.
	Settle(ctx context.Context, s Settlement) error
	// Prune forgets changes and past blocks from before a time, and pardons that are over.
	Prune(ctx context.Context, before, now time.Time) error
	Close() error
}
