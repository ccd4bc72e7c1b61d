// Package tui is the live screen of a terminal: the documents of the room report, sampled again and again, in six tabs, and a seventh for the fleet,
// with a sheet for whatever is looked into and a question before anything is changed.
//
// It knows no log, socket or firewall and decides nothing about a peer: it asks a [Desk], and the words, marks and order are
// those of the command review. All text of others goes through report.Clean. The model belongs to one goroutine; what the
// desk is asked runs beside it and comes back as a message.
package tui

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/connwarden/connwarden/report"
)

// Desk is what the screen can ask and have done. Its methods answer with the documents of the command line, go through
// the same guard as the commands, and are called concurrently. since is a span as the command line has it, "" the configured
// one. A document that comes with an error is shown with it.
type Desk interface {
	// Review is the whole picture. One that a daemon is followed for has no rows of pages: Pages reads them.
	Review(ctx context.Context, since string) (*report.Review, error)
	Pages(ctx context.Context, since string) (*report.Pages, error)
	// Conns counts connections by a key of the command conns; top is the number of rows.
	Conns(ctx context.Context, by string, top int) (*report.Conns, error)
	// IP tells of a target what latest does not; latest may be nil.
	IP(ctx context.Context, target, since string, latest *report.Review) (*report.IPs, error)
	// Minutes counts the requests of a target, minute by minute.
	Minutes(ctx context.Context, target, since string) (*report.Pages, error)
	Blocks(ctx context.Context) (*report.Blocks, error)
	// Fleet is how the hosts of this one's fleet are, and FleetHost what another says of itself. Asked for only where the
	// review says that there is one.
	Fleet(ctx context.Context) (*report.Fleet, error)
	FleetHost(ctx context.Context, host string) (*report.Review, error)

	// Block denies a target for a span, "" until it is lifted.
	Block(ctx context.Context, target, span string, dryRun bool) (*report.Blocks, error)
	Unblock(ctx context.Context, target string, dryRun bool) (*report.Blocks, error)
	// Undo takes a change back, 0 the last one.
	Undo(ctx context.Context, change int64, dryRun bool) (*report.Blocks, error)
}

// Options say what is shown and how. Desk and Clock must be set.
type Options struct {
	Desk  Desk
	Clock func() time.Time
	Since string // of the reviews; "" the configured one
	Conns bool   // sample connections
	// Changes, if not nil, tells when a review would bring something new.
	Changes <-chan struct{}
	Color   bool
	ASCII   bool // nothing beyond ASCII of our own
}

// Run shows the screen on a terminal until the user leaves it, ctx ends or the process is told to, and then puts the
// terminal back as it was. env is the environment, as os.Environ gives it.
func Run(ctx context.Context, opt Options, in io.Reader, out io.Writer, env []string) error {
	// The toolkit's own handler would wait for ever where ctx ends by the same signal.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop() // ends what listens for changes, too
	p := tea.NewProgram(newScreen(ctx, opt), tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithInput(in), tea.WithOutput(out), tea.WithEnvironment(env), tea.WithFPS(framesPerSecond))
	if opt.Changes != nil {
		go func() {
			for {
				select {
				case <-opt.Changes:
					p.Send(changeMsg{})
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	_, err := p.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// framesPerSecond is how often the screen may be written; a key is answered within a thirtieth of a second.
const framesPerSecond = 30
