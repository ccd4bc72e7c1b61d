package live

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/tail"
)

// past is a log and the place up to which it was read before.
type past struct {
	source *gather.Source
	known  tail.Place
}

// backfill reads what was read before, as far back as the longest window, into a table of its own, beside the following.
// The table is merged when it is full: nothing that it says is told, and it does not matter that it comes late.
type backfill struct {
	w       *warden
	sources *gather.Sources
	list    []past
	since   time.Time
	table   *judge.Table
	journal *host.Journal // nil: there is none
	until   time.Time     // of the journal
	zone    *time.Location
	folders map[string][]string
}

func (b *backfill) run(ctx context.Context) {
	b.folders = map[string][]string{}
	for i := range b.list {
		if ctx.Err() != nil {
			return
		}
		b.log(ctx, &b.list[i])
	}
	if b.journal != nil {
		b.entries(ctx)
	}
	select {
	case b.w.filled <- b.table:
	case <-ctx.Done():
	}
}

// log reads a log up to its place, and its older pieces that reach into the window.
func (b *backfill) log(ctx context.Context, p *past) {
	head, _ := p.source.File.Head(headSize)
	found := p.known.Fits(head)
	if found && !b.read(ctx, p.source, p.source.File, p.known.Offset) {
		return // the window begins in it
	}
	for _, path := range tail.RotatedAmong(p.source.Log.Path, b.folder(filepath.Dir(p.source.Log.Path))) {
		file, err := tail.Open(path, b.w.tailOptions(p.source))
		if err != nil || file.ModTime().Before(b.since) {
			return
		}
		to := int64(0)
		if !found {
			head, _ := file.Head(headSize)
			if found = p.known.Fits(head); !found {
				continue // written after the place: it is followed
			}
			to = p.known.Offset
		}
		if !b.read(ctx, p.source, file, to) {
			return
		}
	}
}

// headSize is what a place knows the beginning of a log by.
const headSize = 256

// folder lists the files of a folder, once.
func (b *backfill) folder(dir string) []string {
	list, ok := b.folders[dir]
	if !ok {
		entries, _ := os.ReadDir(dir) // what cannot be listed has no older pieces
		for _, e := range entries {
			if e.Type().IsRegular() {
				list = append(list, filepath.Join(dir, e.Name()))
			}
		}
		slices.Sort(list)
		b.folders[dir] = list
	}
	return list
}

// read reads a file from where the window begins, up to an offset or, for 0, its end. It tells whether the window may
// begin before the file does.
func (b *backfill) read(ctx context.Context, one *gather.Source, file *tail.File, to int64) (more bool) {
	from := int64(0)
	if file.Plain() {
		at, err := tail.Seek(file, b.since, b.clock(one))
		if err != nil {
			return false
		}
		from = at
	}
	if to > 0 && from >= to {
		return false
	}
	parser := b.sources.Parser(one, connwarden.AllFields)
	tail.Scan(ctx, []tail.Job{{File: file, From: from, To: to, Whole: true, Carry: one.Format.Carry()}}, tail.ScanOptions{Workers: 1}, func(_ int, p *tail.Block) {
		parser.Resume(p.Before)
		parser.Parse(connwarden.Source{Name: one.Log.Shown, Offset: p.Offset, Line: p.Line}, p.Data, b.table)
	})
	parser.Flush(b.table)
	return from == 0
}

// clock returns a function that tells the time of one line of a log.
func (b *backfill) clock(one *gather.Source) func([]byte) (time.Time, bool) {
	parser := b.sources.Parser(one, connwarden.FieldTime)
	var s stamp
	return func(line []byte) (time.Time, bool) {
		s.at = time.Time{}
		parser.Parse(connwarden.Source{}, line, &s)
		parser.Flush(&s)
		return s.at, !s.at.IsZero()
	}
}

// stamp keeps the time of what it is given.
type stamp struct{ at time.Time }

func (s *stamp) Conn(*connwarden.Conn)         {}
func (s *stamp) Request(r *connwarden.Request) { s.at = r.Time }
func (s *stamp) Event(e *connwarden.Event)     { s.at = e.Time }
func (s *stamp) Fault(f *connwarden.Fault)     { s.at = f.Time }

// entries reads the journal.
func (b *backfill) entries(ctx context.Context) {
	j, err := tail.ReadJournal(ctx, tail.JournalOptions{Program: b.journal.Program, Since: b.since, Until: b.until, Want: b.journal.Wants}, len(journalTexts), writer(b.journal))
	if err != nil && j == nil {
		return // following it tells why
	}
	defer j.Close()
	format, err := logs.Lookup(syslogService)
	if err != nil {
		return
	}
	for i, text := range j.Texts {
		parser := format.NewParser(logs.Options{Want: connwarden.AllFields, Zone: b.zone, Now: b.until, Trust: journalTexts[i].trust, Auto: true})
		tail.Scan(ctx, []tail.Job{{File: text, Whole: true}}, tail.ScanOptions{Workers: 1}, func(_ int, p *tail.Block) {
			parser.Parse(connwarden.Source{Name: journalTexts[i].shown, Offset: p.Offset}, p.Data, b.table)
		})
		parser.Flush(b.table)
	}
}
