package live

import (
	"context"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/tail"
)

// journalTexts are what the journal is read into, by who can have written.
var journalTexts = [...]struct {
	shown string
	trust connwarden.Trust
}{
	{"journal", connwarden.TrustRoot},
	{"journal (local accounts)", connwarden.TrustLocal},
}

// journalBlock is what came from the journal together. done is closed when it was judged: the lines are borrowed.
type journalBlock struct {
	text   int
	lines  []byte
	cursor string
	why    error // why the journal cannot be followed
	done   chan struct{}
}

// journalRest is how long to wait before the journal is followed anew after its program ended.
const journalRest = 10 * time.Second

// followJournal hands the journal's entries to the judge until ctx is done.
func (w *warden) followJournal(ctx context.Context, j host.Journal, cursor string) {
	send := func(b *journalBlock) {
		b.done = make(chan struct{})
		select {
		case w.journal <- b:
			<-b.done
		case <-ctx.Done():
		}
	}
	for ctx.Err() == nil {
		err := tail.FollowJournal(ctx, tail.JournalOptions{Program: j.Program, After: cursor, Want: j.Wants}, writer(&j), func(text int, lines []byte, at string) {
			cursor = at
			send(&journalBlock{text: text, lines: lines, cursor: at})
		})
		if ctx.Err() != nil {
			return
		}
		send(&journalBlock{why: err})
		select {
		case <-time.After(journalRest):
		case <-ctx.Done():
		}
	}
}

// writer tells which of the texts an entry belongs to.
func writer(j *host.Journal) func(*tail.Entry) int {
	return func(e *tail.Entry) int {
		if j.Trust(host.Writer{Identifier: e.Identifier, Unit: e.Unit, Exe: e.Exe, Transport: e.Transport, UID: e.UID}) == connwarden.TrustRoot {
			return 0
		}
		return 1
	}
}

// entries parses what came from the journal.
func (w *warden) entries(b *journalBlock) {
	defer close(b.done)
	if b.why != nil {
		w.problem("journal", gather.Reason(b.why))
		return
	}
	t := journalTexts[b.text]
	format, err := logs.Lookup(syslogService)
	if err != nil {
		w.problem("journal", err.Error())
		return
	}
	parser := format.NewParser(logs.Options{Want: connwarden.AllFields, Zone: w.opt.Zone, Now: w.now, Trust: t.trust, Auto: true})
	stats := parser.Parse(connwarden.Source{Name: t.shown}, b.lines, w.sink)
	parser.Flush(w.sink)
	w.lines += uint64(stats.Lines)
	w.bad += uint64(stats.Unparsed)
	w.metrics.read("journal", stats, len(b.lines))
	w.cursor, w.changed = b.cursor, true
}
