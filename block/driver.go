// Package block keeps denials: what is wanted, who must never be denied, and how the two reach a firewall. A driver is
// told what to add and what to remove and can say what it holds; the keeper compares and brings reality to the wish.
//
// The wish is written to a journal before any firewall is touched. Only what carries our mark is ever deleted. Drivers are
// rooms of their own below this one and do not know one another. A Driver, and all that wraps one, belongs to one
// goroutine at a time.
package block

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
)

// Entry is what a driver holds or is told to hold: a denial without its history.
type Entry struct {
	Target netip.Prefix // masked; IPv4 never in IPv6 clothes
	Scope  connwarden.Scope
	Until  time.Time // zero: no end. A driver without expiry ignores it; the keeper removes in time
	Hits   Hits      // told by List where Properties.Counts; ignored by Apply
	Forced bool      // an operator insisted although the guard refuses; for the guard alone, drivers ignore it
}

// Hits is how often an entry refused something. Zero when the firewall does not count.
type Hits struct{ Packets, Bytes uint64 }

// EntryKey tells entries of one driver apart.
type EntryKey struct {
	Target netip.Prefix
	Scope  connwarden.Scope
}

// Key returns what tells the entry from others of the same driver.
func (e Entry) Key() EntryKey { return EntryKey{e.Target, e.Scope} }

// Compare orders entries by target and scope.
func (e Entry) Compare(o Entry) int { return e.Key().Compare(o.Key()) }

// Compare orders keys by target and scope.
func (k EntryKey) Compare(o EntryKey) int {
	return cmp.Or(k.Target.Compare(o.Target), cmp.Compare(k.Scope.Kind, o.Scope.Kind), cmp.Compare(k.Scope.Detail, o.Scope.Detail))
}

// Properties say what a firewall can do, so that no caller asks by name.
type Properties struct {
	Expiry    bool          // ends entries by itself, at Entry.Until
	MaxExpiry time.Duration // the longest such end; 0: no bound
	Scopes    []connwarden.ScopeKind
	Prefixes  bool // holds prefixes, not only single addresses
	IPv6      bool
	Most      int    // entries it holds; 0: no bound but memory
	Counts    bool   // List tells hits
	Lists     bool   // List asks the firewall itself; else it answers from what we wrote down
	Kernel    bool   // acts before any program of this machine sees a packet, published ports of containers included
	About     string // one line for people: what it denies and where
}

// Allows tells whether a kind of scope is among Scopes.
func (p *Properties) Allows(kind connwarden.ScopeKind) bool {
	for _, k := range p.Scopes {
		if k == kind {
			return true
		}
	}
	return false
}

// Holds tells whether a firewall with these properties can hold an entry, leaving aside how many there are; the error
// wraps connwarden.ErrUnsupported and says what it lacks. Nothing holds the whole internet.
func (p *Properties) Holds(e Entry) error {
	lacks := ""
	switch {
	case !e.Target.IsValid() || e.Target.Addr().Is4In6() || e.Target != e.Target.Masked():
		return fmt.Errorf("%v is no masked prefix: %w", e.Target, connwarden.ErrUnsupported)
	case e.Target.Bits() == 0:
		return fmt.Errorf("%v is the whole internet: %w", e.Target, connwarden.ErrUnsupported)
	case !p.Allows(e.Scope.Kind):
		lacks = "scope " + e.Scope.Kind.String()
	case !p.IPv6 && e.Target.Addr().Is6():
		lacks = "IPv6"
	case !p.Prefixes && !e.Target.IsSingleIP():
		lacks = "prefixes"
	default:
		return nil
	}
	return fmt.Errorf("it has no %s: %w", lacks, connwarden.ErrUnsupported)
}

// Driver is one firewall. Every method may wait and returns *Error.
//
// Apply is idempotent: adding what is there renews its end, removing what is not there is no error. It takes any
// number at once, as one transaction where the firewall has them; where it fails half-way, the error says so with
// ErrPartial and what was done stands. Removals are done before additions. A target that the driver cannot hold (a prefix,
// IPv6, a scope, one too many) fails the whole call with connwarden.ErrUnsupported before anything is changed.
// Where the firewall ends entries by itself, adding one whose end has passed is the same as removing it; one that is
// taken for endless would be a block that nothing lifts. Whoever calls Apply sees to it that the entries of one scope
// that are left do not overlap.
//
// List returns what carries our mark, in any order, and nothing else. Flush takes away every trace of ours and leaves
// everything else byte for byte. What others put into the firewall is never touched.
type Driver interface {
	Name() string
	Properties() Properties
	List(ctx context.Context) ([]Entry, error)
	Apply(ctx context.Context, add, remove []Entry) error
	Flush(ctx context.Context) error
	Close() error
}

// Prover is a driver that can show that an entry is in force, beyond listing it.
type Prover interface {
	// Prove returns nil and one line of what was seen, or why the entry is not in force.
	Prove(ctx context.Context, e Entry) (seen string, err error)
}

// Planner is a driver that can say what Apply would do, in the words that an operator would type or in the lines that
// would be written, without changing anything.
type Planner interface {
	Plan(ctx context.Context, add, remove []Entry) ([]string, error)
}

// Error is what a driver could not do. It unwraps to its cause: a sentinel of the root package where one fits, with the
// program's or kernel's own words around it.
type Error struct {
	Driver string
	Op     string // "add", "remove", "list", "flush", "open", "prove"
	Target string // empty: all of it
	Err    error
}

// Error returns "nft: add 192.0.2.7/32: …".
func (e *Error) Error() string {
	if e.Target == "" {
		return fmt.Sprintf("%s: %s: %v", e.Driver, e.Op, e.Err)
	}
	return fmt.Sprintf("%s: %s %s: %v", e.Driver, e.Op, e.Target, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
