package live

import (
	"context"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tail"
)

// renewal is what a reload brings to the goroutine that judges.
type renewal struct {
	opt     *Options
	sources *gather.Sources
	err     error
}

// reload reads the configuration anew, beside the judging. A second one that is asked for meanwhile follows it.
func (w *warden) reload(ctx context.Context) {
	if w.opt.Renew == nil {
		return
	}
	if w.renewing {
		w.again = true
		return
	}
	w.renewing = true
	now := w.now
	go func() {
		r := renewal{}
		if r.opt, r.err = w.opt.Renew(ctx); r.err == nil {
			look := r.opt.Options
			look.Now, look.Since = now, func(now time.Time) time.Time { return now } // nothing of what is there is wanted
			var p gather.Problems
			r.sources, r.err = gather.Open(ctx, &look, func(logs.Kind) bool { return true }, &p)
			if r.err != nil && r.opt.Taken != nil {
				r.opt.Taken(false)
			}
		}
		select {
		case w.renewed <- r:
		case <-ctx.Done():
			if r.err == nil {
				r.sources.Close()
				if r.opt.Taken != nil {
					r.opt.Taken(false)
				}
			}
		}
	}()
}

// renew puts a new configuration in the place of the one before. What was counted, told and blocked stays, but for the
// counts of rules that now count something else.
func (w *warden) renew(ctx context.Context, r renewal) {
	w.renewing = false
	if r.err != nil {
		w.metrics.refusedReloads.Add(1)
		w.metrics.stale.Store(true)
		w.actor.say(&Reload{Head: head("reload", w.now), Why: report.Clean(r.err.Error())})
	} else {
		w.flush()
		old := w.opt
		w.opt.settle(r.opt)
		w.table.Renew(w.judging())
		for _, p := range w.workers {
			p.reader = w.table.Reader()
		}
		w.rebind(&old, r.sources)
		w.renewals++
		w.metrics.reloads.Add(1)
		w.metrics.stale.Store(false)
		w.metrics.reloaded.Store(w.now.Unix())
		w.quietAt = w.quietAt.Add(1) // another file perhaps
		w.quietly()
		clear(w.said) // who was spared may not be any more
		w.actor.settle(r.opt)
		go debug.FreeOSMemory() // rules were compiled twice
		w.actor.say(&Reload{Head: head("reload", w.now), Done: true})
	}
	if w.again {
		w.again = false
		w.reload(ctx)
	}
}

// settle takes over what may change while the daemon runs.
func (o *Options) settle(n *Options) {
	o.Zone, o.Proxies, o.CDN, o.Extra = n.Zone, n.Proxies, n.CDN, n.Extra
	o.Rules, o.Networks, o.Bots, o.Resolver = n.Rules, n.Networks, n.Bots, n.Resolver
	o.Keeper, o.Drivers, o.Sync, o.Local, o.Policy = n.Keeper, n.Drivers, n.Sync, n.Local, n.Policy
	o.Taken = n.Taken
}

// judging are the options of the table that judges.
func (w *warden) judging() judge.Options {
	opt := judge.Options{Rules: w.opt.Rules}
	if w.opt.Bots != nil {
		opt.Claim = w.claims.Claim
	}
	if n := w.opt.Networks; n != nil {
		opt.Place = n.Lookup
	}
	return opt
}

// rebind follows the logs that the new configuration names besides, from their ends, leaves those that it does not name
// any more, and reads the others on as it says.
func (w *warden) rebind(old *Options, sources *gather.Sources) {
	pieces := pieces(sources)
	same := old.Zone.String() == w.opt.Zone.String() && old.CDN == w.opt.CDN && slices.Equal(old.Proxies, w.opt.Proxies)
	found := make(map[string]bool, len(sources.List))
	used := false
	for _, one := range sources.List {
		if pieces[one.Log.Path] || !one.File.Plain() || one.Log.From == fromJournal || w.journaled && one.Log.Service == syslogService {
			continue
		}
		found[one.Log.Path] = true
		f := w.byPath[one.Log.Path]
		switch {
		case f == nil:
			end, _ := tail.EndOf(one.Log.Path, w.tailOptions(one))
			w.follow(sources, one, &end)
			used = true
		case !same && !f.columns(): // which say at the top of the file what they hold, and are read on
			if !one.Known {
				one.Format, one.Known = f.source.Format, f.source.Known
			}
			f.source, f.from, f.parser = one, sources, nil
			used = true
		}
	}
	for path, f := range w.byPath {
		if _, err := os.Stat(path); !found[path] && err == nil {
			w.leave(w.byName[f.source.Log.Shown])
		}
	}
	if used {
		w.sources = append(w.sources, sources)
	} else {
		sources.Close()
	}
	if !w.filling { // which reads files of those before
		w.letGo()
	}
}

// columns tells whether the lines of a log are understood by one at its top.
func (f *feed) columns() bool {
	return f.parser != nil && (strings.HasPrefix(f.parser.Format().Name, "w3c") || strings.HasPrefix(f.parser.Format().Name, "iis"))
}
