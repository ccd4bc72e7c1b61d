// Package watch runs the pipeline: it finds the logs and connections of this machine, or takes those that were named,
// reads them with the rooms that know how, lets judge weigh what was read, and answers with a document of the room report.
//
// It holds no judgement, prints nothing and changes nothing on the machine. Work is shared among one goroutine a
// processor; each owns its parsers and tables until they are merged. Functions may be called concurrently. It runs on
// every system; what a system lacks is in the document's problems.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/report"
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

// Options say what is read and how. Clock, Host and Zone must be set.
type Options struct {
	Window
	Host     *host.Host
	Files    []string  // logs and folders; none: those that the machine's servers write
	Extra    []string  // logs and folders to read besides those found
	Stdin    io.Reader // what "-" is
	Zone     *time.Location
	Format   string // of the named logs: a name or a format string; "" recognises
	Proxies  []netip.Prefix
	CDN      bool // trust the published ranges of CDNs as proxies
	Top      int  // rows of a table; 0: all
	Progress func(done, total int64)
}

// bounds is a Window once now is known.
type bounds struct {
	since, until, now time.Time
}

func (b *bounds) holds(t time.Time) bool {
	return (b.since.IsZero() || !t.Before(b.since)) && (b.until.IsZero() || t.Before(b.until))
}

// open tells that every time is wanted.
func (b *bounds) open() bool { return b.since.IsZero() && b.until.IsZero() }

func (w *Window) resolve(now time.Time) (bounds, error) {
	b := bounds{now: now}
	if w.Since != nil {
		b.since = w.Since(now)
	}
	if w.Until != nil {
		b.until = w.Until(now)
	}
	clock := w.Clock()
	if w.Now.After(clock) {
		clock = w.Now
	}
	switch {
	case b.since.After(clock) && b.since.After(now):
		return b, fmt.Errorf("--since %s is in the future; it is %s", b.since.Format(time.RFC3339), clock.Format(time.RFC3339))
	case !b.since.IsZero() && !b.until.IsZero() && !b.since.Before(b.until):
		return b, fmt.Errorf("--since %s is not before --until %s", b.since.Format(time.RFC3339), b.until.Format(time.RFC3339))
	}
	return b, nil
}

// problems collects what could not be seen.
type problems struct {
	list   []report.Problem
	missed bool // a source that the user named is among them
}

func (p *problems) add(list ...connwarden.Problem) {
	for _, one := range list {
		p.list = append(p.list, report.Problem{What: one.What, Why: one.Why})
		p.missed = p.missed || one.Named
	}
}

func (p *problems) say(what, format string, args ...any) {
	p.list = append(p.list, report.Problem{What: what, Why: fmt.Sprintf(format, args...)})
}

// done returns the problems as a document wants them: never nil.
func (p *problems) done() []report.Problem {
	if p.list == nil {
		return []report.Problem{}
	}
	return p.list
}

// reason is the bare cause of an error about a file whose name stands beside it.
func reason(err error) string {
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
