package live

import (
	"bytes"
	"cmp"
	"context"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tail"
)

// feed is one log that is followed.
type feed struct {
	source *gather.Source
	from   *gather.Sources
	parser *logs.Parser // nil until there is something to read
}

// begin finds the logs, takes up where the state left off, and starts what runs beside.
func (w *warden) begin(ctx, inner context.Context, state *State) error {
	opt := w.opt.Options
	if opt.Now.IsZero() && !w.opt.Once {
		opt.Now = w.now
	}
	longest := w.longest()
	if !w.opt.Once {
		opt.Since = func(now time.Time) time.Time { return now.Add(-longest) }
	}
	var p gather.Problems
	sources, err := gather.Open(ctx, &opt, func(logs.Kind) bool { return true }, &p)
	if err != nil {
		return err
	}
	w.sources = append(w.sources, sources)
	w.lines, w.bad, w.cursor = state.Lines, state.Unparsed, state.Cursor
	if w.opt.Once {
		w.now = sources.Bounds.Now
	}
	journal, journalErr := host.Journal{}, error(connwarden.ErrUnsupported)
	if len(opt.Files) == 0 && !w.opt.Once {
		journal, journalErr = opt.Host.Journal()
	}
	jobs := w.adopt(sources, state, journalErr == nil)
	if journalErr == nil {
		go w.followJournal(inner, journal, cmp.Or(state.Cursor, ""))
	}
	mode := "suggest"
	if w.opt.Keeper != nil {
		mode = "enforce"
	}
	w.tail.Wake()
	w.opt.Tell(&Start{
		Head: head("start", w.now), Schema: Schema, Mode: mode, Logs: len(w.feeds), Polled: w.tail.Polled(), Journal: journalErr == nil,
		Drivers: append([]string{}, w.opt.Drivers...), Resumed: len(state.Logs) > 0,
	})
	for _, one := range p {
		w.problem(one.What, one.Why)
	}
	if len(w.feeds) == 0 && journalErr != nil {
		w.problem("logs", "none was found on this machine; name them: connwarden watch FILE")
	}
	if w.opt.Conns && !w.opt.Once {
		go w.look(inner)
	}
	if len(jobs) > 0 {
		go w.backfill(inner, sources, jobs)
	}
	return nil
}

// longest is the longest window of the rules.
func (w *warden) longest() (d time.Duration) {
	for i := range w.opt.Rules.Rules {
		d = max(d, w.opt.Rules.Rules[i].Within)
	}
	return d
}

// past is a stretch of a log that was read before.
type past struct {
	source *gather.Source
	to     int64 // 0: its end
}

// adopt follows the logs that were found, from where the state says or else from their ends, and returns what of them
// was written before that and within the longest window.
func (w *warden) adopt(sources *gather.Sources, state *State, journal bool) (muted []past) {
	pieces := map[string]*gather.Source{} // rotated ones, by path
	for _, one := range sources.List {
		pieces[one.Log.Path] = one
	}
	for _, one := range sources.List {
		for _, path := range tail.Rotated(one.Log.Path) {
			delete(pieces, path) // of what is left each is a log itself
		}
	}
	for _, one := range sources.List {
		if pieces[one.Log.Path] != one {
			continue
		}
		if !one.File.Plain() || journal && one.Log.Service == syslogService || one.Log.From == fromJournal {
			if !w.opt.Once {
				muted = append(muted, past{one, 0})
				continue
			}
		}
		known, ok := state.Logs[one.Log.Path]
		switch {
		case ok:
			muted = append(muted, before(sources, one, &known)...)
		case w.opt.Once:
		default:
			known, _ = tail.EndOf(one.Log.Path, w.tailOptions(one))
			if one.From < known.Offset {
				muted = append(muted, past{one, known.Offset})
			}
			for _, path := range tail.Rotated(one.Log.Path) {
				if piece := find(sources, path); piece != nil {
					muted = append(muted, past{piece, 0})
				}
			}
		}
		w.follow(sources, one, &known)
	}
	return muted
}

// Words of the room gather.
const (
	syslogService = "syslog"
	fromJournal   = "journalctl"
)

func find(sources *gather.Sources, path string) *gather.Source {
	for _, one := range sources.List {
		if one.Log.Path == path {
			return one
		}
	}
	return nil
}

// before is what of a log and its rotated pieces was read before a place.
func before(sources *gather.Sources, one *gather.Source, known *tail.Place) (list []past) {
	found := false
	visit := func(piece *gather.Source) {
		head, _ := piece.File.Head(headSize)
		switch {
		case found:
			list = append(list, past{piece, 0})
		case known.Fits(head):
			found = true
			if piece.From < known.Offset {
				list = append(list, past{piece, known.Offset})
			}
		}
	}
	visit(one)
	for _, path := range tail.Rotated(one.Log.Path) {
		if piece := find(sources, path); piece != nil {
			visit(piece)
		}
	}
	return list
}

// headSize is what a place knows the beginning of a log by.
const headSize = 256

func (w *warden) tailOptions(one *gather.Source) tail.Options {
	return tail.Options{NoFollow: !one.Named && one.Log.Trust == connwarden.TrustLocal}
}

func (w *warden) follow(sources *gather.Sources, one *gather.Source, from *tail.Place) {
	f := &feed{source: one, from: sources}
	w.feeds = append(w.feeds, f) // before Add: its number is its place in the list
	w.byPath[one.Log.Path] = f
	w.tail.Add(one.Log.Path, w.tailOptions(one), from)
}

// discover follows logs that are new.
func (w *warden) discover(ctx context.Context) {
	opt := w.opt.Options
	opt.Now = w.now
	opt.Since = func(now time.Time) time.Time { return now } // nothing of what is there is wanted
	var p gather.Problems                                    // told at the start
	sources, err := gather.Open(ctx, &opt, func(logs.Kind) bool { return true }, &p)
	if err != nil {
		w.problem("logs", err.Error())
		return
	}
	added := false
	for _, one := range sources.List {
		if w.byPath[one.Log.Path] == nil && one.File.Plain() && one.Log.From != fromJournal && one.Log.Service != syslogService {
			w.follow(sources, one, &tail.Place{})
			added = true
		}
	}
	if added {
		w.sources = append(w.sources, sources)
	} else {
		sources.Close()
	}
}

// piece parses what was appended to a log.
func (w *warden) piece(p *tail.Piece) {
	f := w.feeds[p.Log]
	if f.parser == nil {
		if !f.source.Known {
			w.recognise(f)
		}
		f.parser = f.from.Parser(f.source, connwarden.AllFields)
	}
	w.changed = true
	if p.Last {
		f.parser.Flush(w.table)
		return
	}
	stats := f.parser.Parse(connwarden.Source{Name: f.source.Log.Shown, Offset: p.Offset}, p.Data, w.table)
	f.parser.Flush(w.table) // who writes an entry of several lines writes it at once
	w.lines += uint64(stats.Lines)
	w.bad += uint64(stats.Unparsed)
}

// recognise looks at a log that had nothing to be recognised by when it was found.
func (w *warden) recognise(f *feed) {
	opt := w.opt.Options
	opt.Files, opt.Since, opt.Now = []string{f.source.Log.Path}, nil, w.now
	var p gather.Problems // it was opened before, and is being read
	sources, err := gather.Open(context.Background(), &opt, func(logs.Kind) bool { return true }, &p)
	if err != nil {
		return
	}
	defer sources.Close()
	for _, one := range sources.List {
		if one.Known {
			f.source.Format, f.source.Known = one.Format, true
			if f.source.Named {
				f.source.Log.Trust = one.Log.Trust
			}
		}
	}
}

func (w *warden) flush() {
	for _, f := range w.feeds {
		if f.parser != nil {
			f.parser.Flush(w.table)
		}
	}
}

// sampleText bounds a line that is shown as evidence, in bytes.
const sampleText = 2048

// quote fills the texts of samples in. Where a log was rotated since, its offset may be another line's: only one that
// names the address is taken.
func (w *warden) quote(v *judge.Judged) {
	addr := []byte(v.Addr.String())
	fits := func(line []byte) bool { return !v.Addr.IsValid() || v.Addr.Is6() || bytes.Contains(line, addr) }
	for i := range v.Evidence {
		for j := range v.Evidence[i].Samples {
			s := &v.Evidence[i].Samples[j]
			for n, f := range w.feeds {
				if f.source.Log.Shown == s.From.Name {
					s.Text = string(w.tail.Text(n, s.From.Offset, sampleText, fits))
					break
				}
			}
		}
	}
}

// backfill reads what was read before, into a table of its own that is merged when it is full: so nothing that it says is
// told, and it does not matter that it comes late.
func (w *warden) backfill(ctx context.Context, sources *gather.Sources, list []past) {
	table := w.newTable()
	parsers := make([]*logs.Parser, len(list))
	jobs := make([]tail.Job, len(list))
	for i, p := range list {
		parsers[i] = sources.Parser(p.source, connwarden.AllFields)
		jobs[i] = tail.Job{File: p.source.File, From: p.source.From, To: p.to, Whole: true}
	}
	tail.Scan(ctx, jobs, tail.ScanOptions{Workers: 1}, func(_ int, b *tail.Block) {
		if b.Last {
			parsers[b.Job].Flush(table)
			return
		}
		parsers[b.Job].Parse(connwarden.Source{Name: list[b.Job].source.Log.Shown, Offset: b.Offset, Line: b.Line}, b.Data, table)
	})
	select {
	case w.filled <- table:
	case <-ctx.Done():
	}
}

// shown is an address's network as it is told.
func network(n interface {
	Lookup(netip.Addr) (connwarden.Network, bool)
}, a netip.Addr) *report.Network {
	if n == nil {
		return nil
	}
	known, ok := n.Lookup(a)
	if !ok {
		return nil
	}
	return &report.Network{Prefix: known.Prefix.String(), ASN: known.ASN, Org: report.Clean(known.Org), Country: known.Country}
}
