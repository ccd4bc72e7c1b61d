package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/fleet"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/wire"
)

// Of the fleet, as the page and the screen are shown it.
const (
	fleetRest = 5 * time.Second // between two looks, whoever asks
	fleetIdle = time.Minute     // after which what was read is forgotten, and the connection ended
	fleetRows = 500             // attackers that are listed
)

// outlook is the fleet as this host sees it, looked at while somebody asks.
type outlook struct {
	c    *command
	plan *Plan
	turn chan struct{} // whoever uses the rest holds it
	w    *fleet.Window // nil before the first look
	id   *fleet.Identity
	doc  *report.Fleet // of the last look
	idle *time.Timer
}

func (c *command) newOutlook(p *Plan) *outlook {
	return &outlook{c: c, plan: p, turn: make(chan struct{}, 1)}
}

// member is this host's place in its fleet, nil where it is in none or may not know.
func (o *outlook) member() *report.Member {
	id, err := fleet.Load(o.plan.StateDir)
	if err != nil {
		return nil
	}
	return &report.Member{Host: fleet.Name(id.Host), Group: id.Group, Operator: id.Operator}
}

// enter waits for its turn; leave ends it.
func (o *outlook) enter(ctx context.Context) (leave func(), err error) {
	select {
	case o.turn <- struct{}{}:
		return func() { <-o.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Fleet is a look that is not older than fleetRest. The error is connwarden.ErrNotFound where this host is in no fleet.
func (o *outlook) Fleet(ctx context.Context) (*report.Fleet, error) {
	leave, err := o.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	id, err := fleet.Load(o.plan.StateDir)
	if err != nil {
		o.forget()
		return nil, noFleet(err)
	}
	if o.w == nil || !id.Joined.Equal(o.id.Joined) {
		o.forget()
		o.w, o.id = id.Window(), id
		o.idle = time.AfterFunc(fleetIdle, o.Close)
	}
	o.idle.Reset(fleetIdle)
	if o.doc != nil && o.c.env.Now().Sub(o.doc.Time).Abs() < fleetRest {
		return o.doc, nil
	}
	doc, err := o.c.fleetDocument(ctx, o.plan, o.w, id, fleetRows)
	if err != nil {
		return nil, err
	}
	o.doc = doc
	return doc, nil
}

// Close forgets what was read. It may be used again.
func (o *outlook) Close() {
	o.turn <- struct{}{}
	o.forget()
	<-o.turn
}

// forget is for whoever has the turn.
func (o *outlook) forget() {
	if o.w == nil {
		return
	}
	o.idle.Stop()
	o.w.Close()
	o.w, o.id, o.doc = nil, nil, nil
}

// Host is another host's review, asked of it over the fleet's connection. One is asked for at a time: each may be large.
func (o *outlook) Host(ctx context.Context, name string) (*report.Review, error) {
	id, err := fleet.Load(o.plan.StateDir)
	if err != nil {
		return nil, noFleet(err)
	}
	if _, err := fleet.Word(name); err != nil {
		return nil, asked(err)
	}
	leave, err := o.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	b, err := id.Review(ctx, name)
	if err != nil {
		return nil, err
	}
	doc, err := foreign(b)
	if err != nil {
		return nil, fmt.Errorf("the review of %s: %w", report.Clean(name), err)
	}
	return doc, nil
}

func noFleet(err error) error {
	if errors.Is(err, fleet.ErrAlone) {
		return alone{err}
	}
	return err
}

// alone is the error of a host that is in no fleet, in the words of the room fleet.
type alone struct{ error }

func (alone) Unwrap() error { return connwarden.ErrNotFound }

// Fleet implements web.Desk: by the daemon, which remembers what it read, or where none answers by this process.
func (d *desk) Fleet(ctx context.Context) (*report.Fleet, error) {
	return viaDaemon(d, func(c *wire.Client) (*report.Fleet, error) { return c.Fleet(ctx) }, func(o *outlook) (*report.Fleet, error) { return o.Fleet(ctx) })
}

// FleetHost implements web.Desk.
func (d *desk) FleetHost(ctx context.Context, host string) (*report.Review, error) {
	return viaDaemon(d, func(c *wire.Client) (*report.Review, error) { return c.FleetHost(ctx, host) }, func(o *outlook) (*report.Review, error) { return o.Host(ctx, host) })
}

func viaDaemon[T any](d *desk, there func(*wire.Client) (*T, error), here func(*outlook) (*T, error)) (*T, error) {
	if d.fleet == nil {
		return nil, noFleet(fleet.ErrAlone)
	}
	if d.daemon != nil {
		if doc, err := there(d.daemon.client); err == nil || !errors.Is(err, wire.ErrNone) {
			return doc, err
		}
	}
	return here(d.fleet)
}
