package watch

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/rules"
	"github.com/connwarden/connwarden/tail"
)

// explainLag is how many lines are held back until the entry that they may belong to is complete. PHP's longest usual
// stack traces have some hundred lines.
const explainLag = 512

// Explain reads logs line by line and tells, in their order, how each line is read. emit is called for each; an error of
// it ends the work and is returned. missed tells that a source which the user named could not be read; problems are
// what could not be read and why. Of the rules (nil: none) each line names those that it touches; id tells where addresses belong.
func Explain(ctx context.Context, opt Options, set *rules.Set, id *Identity, emit func(*report.Line) error) (list []report.Problem, missed bool, err error) {
	var p gather.Problems
	s, err := open(ctx, &opt.Options, func(logs.Kind) bool { return true }, &p)
	if err != nil {
		return nil, false, err
	}
	defer s.Close()
	var match *rules.Matcher
	if set != nil {
		match = set.NewMatcher()
		match.Place = id.Place()
	}
	for _, one := range s.List {
		e := explainer{one: one, set: set, match: match, parser: s.Parser(one, 0), zone: opt.Zone, emit: emit}
		results := tail.Scan(ctx, []tail.Job{{File: one.File, From: one.From, To: one.To, Whole: true, Carry: one.Format.Carry()}}, tail.ScanOptions{Workers: 1}, e.block)
		e.parser.Flush(&e)
		e.drain(0)
		switch {
		case e.err != nil:
			return told(p), p.Missed(), e.err
		case results[0].Err != nil:
			p.Add(connwarden.Problem{What: one.Log.Shown, Why: gather.Reason(results[0].Err), Named: one.Named})
		}
	}
	return told(p), p.Missed(), ctx.Err()
}

// explainer holds the lines of one source whose reading is not yet known. It is a sink.
type explainer struct {
	one    *gather.Source
	parser *logs.Parser
	zone   *time.Location
	emit   func(*report.Line) error
	set    *rules.Set     // nil: none
	match  *rules.Matcher // of set
	held   []*report.Line // in order; held[0] is line number first
	first  int64
	next   int64
	err    error
}

func (e *explainer) block(_ int, b *tail.Block) {
	if e.first == 0 {
		e.first, e.next = 1, 1
	}
	e.parser.Resume(b.Before)
	for rest := b.Data; len(rest) > 0 && e.err == nil; {
		line := rest
		if n := bytes.IndexByte(rest, '\n'); n >= 0 {
			line, rest = rest[:n+1], rest[n+1:]
		} else {
			rest = nil
		}
		e.held = append(e.held, &report.Line{
			File: e.one.Log.Shown, Line: e.next, Reading: report.ReadingNone, Format: e.parser.Format().Name, Trust: e.one.Log.Trust.String(), Rules: []string{}, For: []string{},
		})
		e.parser.Parse(connwarden.Source{Name: e.one.Log.Shown, Line: e.next}, line, e)
		e.next++
		e.drain(explainLag)
	}
}

// drain emits all but the last keep lines.
func (e *explainer) drain(keep int) {
	for len(e.held) > keep && e.err == nil {
		e.err = e.emit(e.held[0])
		e.held[0] = nil
		e.held = e.held[1:]
		e.first++
	}
}

// at returns the line of a reading; nil when it is told already.
func (e *explainer) at(from *connwarden.Source) *report.Line {
	i := from.Line - e.first
	if i < 0 || i >= int64(len(e.held)) {
		return nil
	}
	return e.held[i]
}

func (e *explainer) Conn(*connwarden.Conn) {}

func (e *explainer) Request(r *connwarden.Request) {
	l := e.at(&r.From)
	if l == nil {
		return
	}
	l.Reading, l.Format, l.Time, l.Service = report.ReadingRequest, e.parser.Format().Name, report.When(in(r.Time, e.zone)), e.one.Log.Service
	l.Kind, l.User, l.Trust = r.Kind.String(), report.Clean(string(r.User)), r.From.Trust.String()
	if e.match != nil {
		e.touch(l, e.match.Request(r))
		e.touch(l, e.match.Broad())
	}
	if r.Client.IsValid() {
		l.Client = text(r.Client.String())
	}
}

func (e *explainer) Fault(f *connwarden.Fault) {
	l := e.at(&f.From)
	if l == nil || l.Reading == report.ReadingEvent { // a line may be both; the event says who
		return
	}
	l.Reading, l.Format, l.Time, l.Service = report.ReadingFault, e.parser.Format().Name, report.When(in(f.Time, e.zone)), f.Service
	l.Kind, l.Trust = f.Level.String(), f.From.Trust.String()
	if e.match != nil && f.Client.IsValid() {
		e.touch(l, e.match.Fault(f))
	}
	if f.Client.IsValid() {
		l.Client = text(f.Client.String())
	}
}

func (e *explainer) Event(v *connwarden.Event) {
	l := e.at(&v.From)
	if l == nil {
		return
	}
	l.Reading, l.Format, l.Time, l.Service = report.ReadingEvent, e.parser.Format().Name, report.When(in(v.Time, e.zone)), v.Service
	l.Trust = v.From.Trust.String()
	if e.match != nil && v.Client.IsValid() {
		e.touch(l, e.match.Event(v))
	}
	l.Kind, l.User, l.Hostile = v.Kind.String(), report.Clean(string(v.User)), v.Kind.Hostile()
	if v.Client.IsValid() {
		l.Client = text(v.Client.String())
	} else {
		l.Client = nil
	}
}

// touch names the rules that a reading fits, but those that every reading of its kind fits.
func (e *explainer) touch(l *report.Line, hits []rules.Hit) {
	for _, h := range hits {
		if r := &e.set.Rules[h.Rule]; r.Where != "" && !slices.Contains(l.Rules, r.Name) {
			l.Rules = append(l.Rules, r.Name)
			if r.Broad() {
				l.Volume++
			}
			if h.Pass {
				l.For = append(l.For, r.Name)
			}
		}
	}
}

func text(s string) *string { return &s }
