package cli

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/connwarden/connwarden/history"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/wire"
)

// following is the part of a desk that asks a daemon.
type following struct {
	client  *wire.Client
	changed chan struct{} // holds one when something changed since it was taken
}

// followAgain is how long a desk works alone after the daemon was lost, before it is looked for again.
const followAgain = 10 * time.Second

// follow has a desk ask the daemon of this machine for the present, if one answers and nothing else than what it knows is
// wanted: the last hour of this machine. It looks for one as long as ctx lasts, so that one that is started later, or anew,
// is followed too.
func (d *desk) follow(ctx context.Context) {
	f := &d.c.flags
	if len(d.files) > 0 || d.plan.Since != "1h" || f.root != "" || f.from != "" || f.netns != "" || f.noConns || f.noLogs || f.now != "" || f.at != "" {
		return
	}
	d.fleet = d.c.newOutlook(d.plan)
	context.AfterFunc(ctx, d.fleet.Close)
	if d.plan.Daemon.Socket == "" {
		return
	}
	d.daemon = &following{client: wire.NewClient(d.plan.Daemon.Socket), changed: make(chan struct{}, 1)}
	go func() {
		defer d.daemon.client.Close()
		for ctx.Err() == nil {
			d.daemon.client.Follow(ctx, d.daemon.take) //nolint:errcheck // who is not there is looked for again
			d.daemon.change()
			select {
			case <-ctx.Done():
			case <-time.After(followAgain):
			}
		}
	}()
}

// changes tells when there is something new to ask for; nil where no daemon is followed.
func (d *desk) changes() <-chan struct{} {
	if d.daemon == nil {
		return nil
	}
	return d.daemon.changed
}

func (f *following) change() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// take looks at a message of the daemon: any but those of routine changes what is to be shown.
func (f *following) take(line []byte) {
	var m struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(line, &m) == nil {
		f.change()
	}
}

// present is what the daemon knows; false where none answers.
func (d *desk) present(ctx context.Context) (*report.Review, bool) {
	if d.daemon == nil {
		return nil, false
	}
	r, err := d.daemon.client.Review(ctx)
	return r, err == nil
}

// History implements web.Desk: from the file, or from the daemon where only that may read it.
func (d *desk) History(ctx context.Context, q report.HistoryQuery) (*report.History, error) {
	var ask history.Query
	ask.From, ask.Until, ask.Rows, ask.Zone = q.From, q.Until, q.Rows, d.plan.Zone
	wired := wire.HistoryQuery{From: q.From, Until: q.Until, Rows: q.Rows}
	if q.Target != "" {
		targets, err := parseTargets([]string{q.Target})
		if err != nil {
			return nil, asked(err)
		}
		ask.Target, wired.Target = targets[0], targets[0]
	}
	doc, err := history.Read(ctx, d.plan.WatchDir, ask)
	if err != nil && d.plan.Daemon.Socket != "" {
		c := wire.NewClient(d.plan.Daemon.Socket)
		defer c.Close()
		if other, e := c.History(ctx, wired); e == nil {
			return other, nil
		}
	}
	if errors.Is(err, history.ErrNone) {
		return &report.History{
			Schema: report.SchemaHistory, From: q.From, Until: q.Until, Step: 60, Rates: []report.Rate{}, Sites: []report.SiteRate{}, Verdicts: []report.Sighting{},
			Blocks: []report.PastBlock{}, Problems: []report.Problem{{What: "history", Why: "none is kept here; connwarden watch keeps one"}},
		}, nil
	}
	return doc, err
}
