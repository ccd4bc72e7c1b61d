package live

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"strings"
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
	parser *logs.Parser // nil while there is nothing to read
	met    bool         // something was read of it
	used   bool         // since it was last looked at whether it is idle
	dated  time.Time    // when the parser was last told the time, for dates without a year
}

// begin finds the logs, takes up where the state left off, and starts what runs beside.
func (w *warden) begin(ctx, inner context.Context, state *State) error {
	opt := w.opt.Options
	if opt.Now.IsZero() && !w.opt.Once {
		opt.Now = w.now
	}
	if !w.opt.Once { // what was written before is read beside, by backfill
		opt.Since = func(now time.Time) time.Time { return now }
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
	w.journaled = journalErr == nil
	muted := w.adopt(sources, state, journalErr == nil)
	if journalErr == nil {
		go w.followJournal(inner, journal, state.Cursor)
	}
	if len(state.Logs) == 0 && w.opt.History != nil && !w.opt.Once {
		// Whoever is killed before the first save would begin at the ends of the logs again, and what came meanwhile be lost.
		if err := w.opt.History.Save(ctx, w.state()); err != nil {
			w.problem("history", err.Error())
		}
	}
	mode := w.opt.Policy.stance(nil, w.opt.Keeper != nil, w.now).Mode
	w.tail.Wake()
	w.opt.Tell(&Start{
		Head: head("start", w.now), Schema: Schema, Mode: mode, Logs: len(w.byPath), Polled: w.tail.Polled(), Journal: journalErr == nil,
		Drivers: append([]string{}, w.opt.Drivers...), Resumed: len(state.Logs) > 0,
	})
	w.actor.begin()
	w.quietly()
	if len(w.byPath) == 0 && journalErr != nil {
		p.None("logs", "watch", opt.Files)
	}
	for _, one := range p {
		w.problem(one.What, one.Why)
	}
	w.missed = p.Missed()
	if w.opt.Conns && !w.opt.Once {
		go w.look(inner)
		go w.hear(inner)
	}
	if !w.opt.Once {
		b := &backfill{w: w, sources: sources, list: muted, since: w.now.Add(-w.longest()), table: w.newTable(), zone: w.opt.Zone}
		if journalErr == nil {
			b.journal, b.until = &journal, w.now
			if state.Cursor != "" {
				b.until = state.Saved
			}
		}
		w.filling = true
		go b.run(inner)
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

// adopt follows the logs that were found, from where the state says or else from their ends. It returns them with these
// places.
func (w *warden) adopt(sources *gather.Sources, state *State, journal bool) (list []past) {
	pieces := pieces(sources)
	for _, one := range sources.List {
		known, ok := state.Logs[one.Log.Path]
		switch {
		case pieces[one.Log.Path] && !ok && (!w.opt.Once || len(state.Logs) > 0), one.Log.From == fromJournal, !one.File.Plain():
			continue
		case journal && one.Log.Service == syslogService:
			continue
		case !ok && !w.opt.Once:
			known, _ = tail.EndOf(one.Log.Path, w.tailOptions(one))
		}
		w.follow(sources, one, &known)
		list = append(list, past{one, known})
	}
	return list
}

// pieces are the paths of those logs that are older pieces of others among them.
func pieces(sources *gather.Sources) map[string]bool {
	paths := make([]string, len(sources.List))
	for i, one := range sources.List {
		paths[i] = one.Log.Path
	}
	slices.Sort(paths)
	found := map[string]bool{}
	for _, one := range sources.List {
		for _, path := range tail.RotatedAmong(one.Log.Path, paths) {
			found[path] = true
		}
	}
	return found
}

// Words of the room gather.
const (
	syslogService = "syslog"
	fromJournal   = "journalctl"
)

func (w *warden) tailOptions(one *gather.Source) tail.Options {
	return tail.Options{NoFollow: !one.Named && one.Log.Trust == connwarden.TrustLocal}
}

func (w *warden) follow(sources *gather.Sources, one *gather.Source, from *tail.Place) {
	f := &feed{source: one, from: sources}
	n := w.tail.Add(one.Log.Path, w.tailOptions(one), from)
	if n == len(w.feeds) {
		w.feeds = append(w.feeds, nil)
	}
	w.feeds[n] = f
	w.byPath[one.Log.Path] = f
	w.byName[one.Log.Shown] = n
}

// leave follows a log no more.
func (w *warden) leave(n int) {
	f := w.feeds[n]
	w.tail.Remove(n)
	w.feeds[n] = nil
	delete(w.byPath, f.source.Log.Path)
	delete(w.byName, f.source.Log.Shown)
	w.changed = true // there is a place less to be saved
}

// forgetGone leaves the logs that were deleted: names with a day in them would become more for ever. One that comes again is found as a new one.
func (w *warden) forgetGone() {
	left := false
	for n, f := range w.feeds {
		if f != nil && w.tail.Gone(n, w.now) {
			w.leave(n)
			left = true
		}
	}
	if left && !w.filling { // which reads files of theirs
		w.letGo()
	}
}

// letGo closes what no feed needs of what was opened.
func (w *warden) letGo() {
	used := map[*gather.Source]bool{}
	for _, f := range w.byPath {
		used[f.source] = true
	}
	w.sources = slices.DeleteFunc(w.sources, func(s *gather.Sources) bool {
		s.List = slices.DeleteFunc(s.List, func(one *gather.Source) bool {
			if !used[one] {
				one.File.Close()
			}
			return !used[one]
		})
		return len(s.List) == 0
	})
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
	pieces := pieces(sources)
	var added []*gather.Source
	for _, one := range sources.List {
		if !pieces[one.Log.Path] && w.byPath[one.Log.Path] == nil && one.File.Plain() && one.Log.From != fromJournal && one.Log.Service != syslogService {
			w.follow(sources, one, &tail.Place{})
			added = append(added, one)
		} else {
			one.File.Close()
		}
	}
	if sources.List = added; len(added) > 0 { // the others are known, and would stay in memory with these
		w.sources = append(w.sources, sources)
	}
}

// ready sees to it that a log has a parser that knows what it must know at a piece.
func (w *warden) ready(f *feed, p *tail.Piece) {
	if f.parser == nil {
		if !f.source.Known {
			w.recognise(f)
		}
		f.parser, f.dated = f.from.Parser(f.source, connwarden.AllFields), time.Time{}
		if !f.met {
			f.met = true
			reach := int64(backForParts)
			if f.source.Format.Directed() {
				reach = backForNames
			}
			f.parser.Resume(p.Before(reach, f.source.Format.Carry()))
		}
	}
	if !w.opt.Once && w.turn.Sub(f.dated) >= datedEvery {
		f.dated = w.turn
		f.parser.Near(w.turn)
	}
	f.used = true
}

// How far before its place is looked for what a log's next lines need, in bytes: parts of one line of 1 MiB, with what is written around
// each; a directive that names columns.
const (
	backForParts = 2 << 20
	backForNames = 16 << 20
)

// rest gives the parsers up that had nothing to read lately: thousands of logs are quiet most of the time. Those of W3C's
// formats stay, who know from a line at the top of the file what its columns are. It tells whether they were many.
func (w *warden) rest() bool {
	given := 0
	for _, f := range w.byPath {
		if f.parser != nil && !f.used && !strings.HasPrefix(f.parser.Format().Name, "w3c") && !strings.HasPrefix(f.parser.Format().Name, "iis") {
			f.source.Format = f.parser.Format()
			f.parser = nil
			given++
		}
		f.used = false
	}
	return given >= manyParsers
}

// manyParsers, at some 3 KiB each, are worth a collection of what they leave.
const manyParsers = 500

// recognise looks at a log that had nothing to be recognised by when it was found.
func (w *warden) recognise(f *feed) {
	opt := w.opt.Options
	opt.Files, opt.Since, opt.Now = []string{f.source.Log.Path}, nil, w.turn
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
	for _, f := range w.byPath {
		if f.parser != nil {
			f.parser.Flush(w.sink)
		}
	}
}

// datedEvery is how often a parser is told the time: dates without a year may be a day ahead of it.
const datedEvery = time.Hour

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
			if n, ok := w.byName[s.From.Name]; ok {
				s.Text = string(w.tail.Text(n, s.From.Offset, sampleText, fits))
			}
		}
	}
}

// network is an address's as it is told.
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
