package watch

import (
	"bytes"
	"context"
	"net/netip"
	"runtime"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/judge"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tail"
	"github.com/connwarden/connwarden/tally"
	"github.com/connwarden/connwarden/where"
)

// fold is what one worker makes of the lines that it reads. Tables that are nil are not wanted.
type fold struct {
	bounds   *gather.Bounds
	anytime  bool
	where    *where.Expr // nil: all
	pages    *tally.Pages
	ledgers  *judge.Table
	again    *judge.Table // of the second look
	brief    *brief       // nil: all parts of all requests that are wanted are read
	faults   *faults.Table
	quiet    bool // leave out faults that are only news: a review tells what fails
	distinct *tally.Distinct
	holders  *tally.Pages    // requests to outlying paths, by path and address
	crowds   *tally.Pages    // those of them that browsers may have sent which came from no page
	outlying map[string]bool // the paths that holders and crowds count
	first    time.Time       // of faults
	last     time.Time
	twins    *twins // nil: no server stands before another
	side     side   // of the source in hand
	events   [connwarden.NumEventKinds]uint64
	heard    time.Time      // the last event
	parsers  []*logs.Parser // by source
	stats    []logs.Stats   // by source
}

// brief says of whom few parts of a request are enough.
type brief struct {
	few  connwarden.Fields
	deep func(peer netip.Addr, offset int64) bool // of whom, on which line, they are not
}

// Conn takes nothing: connections are counted apart.
func (f *fold) Conn(*connwarden.Conn) {}

// Event is judged.
func (f *fold) Event(e *connwarden.Event) {
	if !f.anytime && !f.bounds.Holds(e.Time) {
		return
	}
	if f.again != nil {
		f.again.Event(e)
	}
	if f.ledgers == nil {
		return
	}
	f.ledgers.Event(e)
	f.events[e.Kind]++
	f.heard = latest(f.heard, &e.Time)
}

func (f *fold) Request(r *connwarden.Request) {
	if !f.anytime && !f.bounds.Holds(r.Time) {
		return
	}
	switch f.side {
	case front:
		f.twins.front(r)
	case behind:
		if f.twins.behind(r) {
			return
		}
	}
	if !f.where.Match(r) {
		return
	}
	if f.pages != nil {
		f.pages.Request(r)
	}
	if f.ledgers != nil {
		f.ledgers.Request(r)
	}
	if f.distinct != nil {
		f.distinct.Request(r)
	}
	if f.again != nil {
		f.again.Request(r)
	}
	if f.holders != nil && f.outlying[string(r.Path)] {
		f.holders.Request(r)
		if len(r.Referer) == 0 && r.Lacks == 0 && bytes.HasPrefix(r.Agent, []byte("Mozilla/5.0 (")) && !bytes.Contains(r.Agent, []byte("compatible;")) {
			f.crowds.Request(r)
		}
	}
}

func (f *fold) Fault(t *connwarden.Fault) {
	// An entry without a time belongs to the window unless one was asked for.
	if !f.anytime && !f.bounds.Holds(t.Time) {
		return
	}
	if f.again != nil {
		f.again.Fault(t)
	}
	if f.ledgers != nil {
		f.ledgers.Fault(t)
	}
	if f.faults == nil {
		return
	}
	if f.quiet && faults.News(t) {
		return
	}
	f.faults.Fault(t)
	if t.Time.IsZero() {
		return
	}
	if f.first.IsZero() || t.Time.Before(f.first) {
		f.first = t.Time
	}
	if t.Time.After(f.last) {
		f.last = t.Time
	}
}

// read runs all sources through the folds, one a worker. fresh makes an empty fold; fields are the parts of a request
// that it needs. It returns the folds to be merged, the counts of each source, and what could not be read.
func (s *sources) read(ctx context.Context, fields connwarden.Fields, fresh func() *fold, progress func(done, total int64), p *gather.Problems) ([]*fold, []report.File, error) {
	jobs := make([]tail.Job, len(s.List))
	for i, one := range s.List {
		jobs[i] = tail.Job{File: one.File, From: one.From, To: one.To, Whole: one.Format.Whole, Carry: one.Format.Carry()}
	}
	folds := make([]*fold, runtime.GOMAXPROCS(0))
	for i := range folds {
		f := fresh()
		f.bounds, f.anytime = &s.Bounds, s.Bounds.Open()
		f.parsers = make([]*logs.Parser, len(jobs))
		f.stats = make([]logs.Stats, len(jobs))
		folds[i] = f
	}
	sides := s.sides()
	var needed connwarden.Fields
	if sides != nil {
		both := &twins{seen: map[uint64]uint16{}}
		for _, f := range folds {
			f.twins = both
		}
		needed = connwarden.FieldHost | connwarden.FieldPath | connwarden.FieldQuery | connwarden.FieldStatus | connwarden.FieldTime
		fields |= needed
	}
	visit := func(worker int, b *tail.Block) {
		f, one := folds[worker], s.List[b.Job]
		parser := f.parsers[b.Job]
		if parser == nil {
			parser = s.Parser(one, fields)
			if f.brief != nil {
				parser.Brief(f.brief.few|needed, f.brief.deep)
			}
			f.parsers[b.Job] = parser
		}
		if b.Last {
			parser.Flush(f)
			return
		}
		if sides != nil {
			f.side = sides[b.Job]
		}
		parser.Resume(b.Before)
		f.stats[b.Job].Add(parser.Parse(connwarden.Source{Name: one.Log.Shown, Offset: b.Offset, Line: b.Line}, b.Data, f))
	}
	results := s.scan(ctx, jobs, sides, tail.ScanOptions{Workers: len(folds), Progress: progress}, visit)
	if sides != nil && folds[0].twins.full {
		p.Say("access logs", "too many requests to tell all that nginx passed on: some count twice")
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	files := make([]report.File, len(jobs))
	for i, r := range results {
		one := s.List[i]
		files[i] = s.file(one, i, folds, r)
		if r.Err != nil {
			p.Add(connwarden.Problem{What: one.Log.Shown, Why: gather.Reason(r.Err), Named: one.Named})
		}
		if r.Shrunk {
			p.Say(one.Log.Shown, "became shorter while it was read; what was there was counted")
		}
		if r.Cut > 0 {
			p.Say(one.Log.Shown, "%d lines over 1 MiB were cut", r.Cut)
		}
	}
	return folds, files, nil
}

// scan reads what stands behind a front server after all else, so that twins are known by then.
func (s *sources) scan(ctx context.Context, jobs []tail.Job, sides []side, opt tail.ScanOptions, visit func(int, *tail.Block)) []tail.Result {
	if sides == nil {
		return tail.Scan(ctx, jobs, opt, visit)
	}
	results := make([]tail.Result, len(jobs))
	for _, later := range [...]bool{false, true} {
		var part []tail.Job
		var number []int
		for i, job := range jobs {
			if (sides[i] == behind) == later {
				part = append(part, job)
				number = append(number, i)
			}
		}
		for i, r := range tail.Scan(ctx, part, opt, func(worker int, b *tail.Block) {
			piece := *b
			piece.Job = number[b.Job]
			visit(worker, &piece)
		}) {
			results[number[i]] = r
		}
	}
	return results
}

func (s *sources) file(one *gather.Source, i int, folds []*fold, r tail.Result) report.File {
	var sum logs.Stats
	name := ""
	for _, f := range folds {
		sum.Add(f.stats[i])
		if f.parsers[i] != nil {
			name = f.parsers[i].Format().Name
		}
	}
	if name == "" || !one.Known {
		name = one.Format.Name
		if !one.Known && sum.Parsed == 0 {
			name = ""
		}
	}
	return report.File{Name: one.Log.Shown, Format: name, Lines: sum.Lines - sum.Blank, Unparsed: sum.Unparsed, Cut: r.Cut}
}

// totals adds up the files.
func totals(files []report.File) (lines, parsed, unparsed int64) {
	for _, f := range files {
		lines += f.Lines
		unparsed += f.Unparsed
	}
	return lines, lines - unparsed, unparsed
}

// only returns the sources of one kind with their files.
func (s *sources) only(files []report.File, kind logs.Kind) []report.File {
	list := []report.File{}
	for i, one := range s.List {
		if one.Format.Kind == kind {
			list = append(list, files[i])
		}
	}
	return list
}

// samples fills texts and line numbers of samples in, each source being asked once.
func (s *sources) samples(ctx context.Context, wanted []*report.Sample, p *gather.Problems) {
	byName := map[string][]*report.Sample{}
	for _, w := range wanted {
		byName[w.File] = append(byName[w.File], w)
	}
	for _, one := range s.List {
		list := byName[one.Log.Shown]
		if len(list) == 0 {
			continue
		}
		delete(byName, one.Log.Shown)
		offsets := make([]int64, len(list))
		for i, w := range list {
			offsets[i] = w.Offset
		}
		found, err := tail.Samples(ctx, one.File, offsets, sampleText)
		if err != nil {
			p.Say(one.Log.Shown, "its lines could not be shown: %v", err)
			continue
		}
		for i, w := range list {
			if i < len(found) {
				if w.Text == "" {
					w.Text = report.Clean(string(found[i].Text))
				}
				if found[i].Line > 0 {
					w.Line = &found[i].Line
				}
			}
		}
	}
}

// sampleText bounds a line that is shown as evidence, in bytes.
const sampleText = 2048
