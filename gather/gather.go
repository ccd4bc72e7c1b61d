// Package gather finds the logs that are to be read, named by the user or written by this machine's servers, opens each
// file once, recognises its format, and finds the place where the wanted stretch of time begins, in rotated pieces too.
//
// It reads no more than it needs for that and judges nothing. A [Sources] belongs to one goroutine; the files and formats
// in it may be used by several. It runs on every system.
package gather

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/host"
)

// Window says which stretch of time is wanted. The zero value wants everything.
type Window struct {
	// Since and Until are the first moment wanted and the first no longer wanted, given now; nil is open.
	Since, Until func(now time.Time) time.Time
	// Now is the moment as of which things are judged; zero: the clock, or, for logs that were named, their last line.
	Now time.Time
	// Clock tells the time. It must be set.
	Clock func() time.Time
}

// Options say which logs are wanted. Clock, Host and Zone must be set.
type Options struct {
	Window
	Host    *host.Host
	Files   []string  // logs and folders; none: those that the machine's servers write
	Extra   []string  // logs and folders to read besides those found
	Stdin   io.Reader // what "-" is
	Zone    *time.Location
	Format  string // of the named logs: a name or a format string; "" recognises
	Proxies []netip.Prefix
	CDN     bool // trust the published ranges of CDNs as proxies

	journal func() (host.Journal, error) // tests set it; nil asks Host
}

// Bounds is a Window once now is known. A zero Since or Until is open.
type Bounds struct {
	Since, Until, Now time.Time
}

// Holds tells whether a time is wanted.
func (b *Bounds) Holds(t time.Time) bool {
	return (b.Since.IsZero() || !t.Before(b.Since)) && (b.Until.IsZero() || t.Before(b.Until))
}

// Open tells that every time is wanted.
func (b *Bounds) Open() bool { return b.Since.IsZero() && b.Until.IsZero() }

func (w *Window) resolve(now time.Time) (Bounds, error) {
	b := Bounds{Now: now}
	if w.Since != nil {
		b.Since = w.Since(now)
	}
	if w.Until != nil {
		b.Until = w.Until(now)
	}
	clock := w.Clock()
	if w.Now.After(clock) {
		clock = w.Now
	}
	switch {
	case b.Since.After(clock) && b.Since.After(now):
		return b, fmt.Errorf("--since %s is in the future; it is %s", b.Since.Format(time.RFC3339), clock.Format(time.RFC3339))
	case !b.Since.IsZero() && !b.Until.IsZero() && !b.Since.Before(b.Until):
		return b, fmt.Errorf("--since %s is not before --until %s", b.Since.Format(time.RFC3339), b.Until.Format(time.RFC3339))
	}
	return b, nil
}

// Problems collects what could not be seen. Its zero value is empty.
type Problems []connwarden.Problem

// Add appends problems.
func (p *Problems) Add(list ...connwarden.Problem) { *p = append(*p, list...) }

// Say appends a problem that is nobody's fault.
func (p *Problems) Say(what, format string, args ...any) {
	p.Add(connwarden.Problem{What: what, Why: fmt.Sprintf(format, args...)})
}

// Missed tells whether a source that the user named is among them.
func (p *Problems) Missed() bool {
	for _, one := range *p {
		if one.Named {
			return true
		}
	}
	return false
}

// None appends that there was no log to read, by a command's name; who named some was told why each could not be read.
func (p *Problems) None(what, command string, named []string) {
	switch {
	case len(named) == 0:
		p.Say(what, "none was found on this machine; name them: connwarden %s FILE", command)
	case len(*p) == 0:
		p.Say(what, "none is in what was named")
	}
}

// Reason is the bare cause of an error about a file whose name stands beside it.
func Reason(err error) string {
	switch {
	case errors.Is(err, connwarden.ErrDenied):
		return "permission denied: needs root"
	case errors.Is(err, connwarden.ErrNotFound):
		return "no such file"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	default:
		return err.Error()
	}
}
