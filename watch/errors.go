package watch

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/report"
)

// ErrorsOptions say what is grouped by what.
type ErrorsOptions struct {
	Options
	By faults.By
}

// Errors groups error logs. missed tells that a source which the user named could not be read.
func Errors(ctx context.Context, opt ErrorsOptions) (d *report.Errors, missed bool, err error) {
	var p gather.Problems
	s, err := open(ctx, &opt.Options.Options, func(k logs.Kind) bool { return k == logs.Error }, &p)
	if err != nil {
		return nil, false, err
	}
	defer s.Close()
	if s.Found == 0 {
		p.None("error logs", "errors", opt.Files)
	}
	folds, files, err := s.read(ctx, 0, func() *fold {
		return &fold{faults: faults.NewTable(opt.By, faults.Options{Zone: opt.Zone})}
	}, opt.Progress, &p)
	if err != nil {
		return nil, false, err
	}
	mergeFaults(folds)
	d = errorsDocument(folds[0], opt.By, opt.Top, files, opt.Zone, &p)
	if d.Counted == 0 && !s.Bounds.Open() && d.Parsed > 0 {
		p.Say("window", "no line of these logs is in it")
	}
	s.samples(ctx, errorSamples(d), &p)
	d.Problems = told(p)
	return d, p.Missed(), nil
}

func mergeFaults(folds []*fold) {
	sum := folds[0]
	for _, f := range folds[1:] {
		sum.faults.Merge(f.faults)
		if sum.first.IsZero() || !f.first.IsZero() && f.first.Before(sum.first) {
			sum.first = f.first
		}
		sum.last = latest(sum.last, &f.last)
	}
}

func errorsDocument(sum *fold, by faults.By, top int, files []report.File, zone *time.Location, p *gather.Problems) *report.Errors {
	t := sum.faults
	d := &report.Errors{
		Schema: report.SchemaErrors, By: by.String(), Counted: t.Total(), First: report.When(in(sum.first, zone)), Last: report.When(in(sum.last, zone)),
		Distinct: uint64(t.Distinct()), Rows: []report.ErrorRow{}, Files: files, Problems: []report.Problem{},
	}
	d.Lines, d.Parsed, d.Unparsed = totals(files)
	shown := uint64(0)
	rows := t.Top(top)
	if by >= faults.ByMinute { // those with the most entries, in the order of time
		slices.SortStableFunc(rows, func(a, b faults.Row) int { return cmp.Compare(a.Key, b.Key) })
	}
	for _, r := range rows {
		row := report.ErrorRow{
			Key: report.Clean(r.Key), Code: report.Clean(r.Code), Service: r.Service, Level: r.Level.String(), Count: r.Count,
			Share: report.Share(r.Count, d.Counted), First: report.When(in(r.First, zone)), Last: report.When(in(r.Last, zone)), IPs: uint64(r.IPs),
			Meaning: report.Clean(r.Meaning()), Remedy: report.Clean(r.Remedy()), Clients: []report.Part{}, Sites: []report.Part{}, Minutes: []report.Minute{},
		}
		for _, c := range r.Clients {
			row.Clients = append(row.Clients, report.Part{Name: c.Name.String(), Count: c.Count, Over: c.Over})
		}
		for _, n := range r.Names {
			row.Sites = append(row.Sites, report.Part{Name: report.Clean(n.Name), Count: n.Count, Over: n.Over})
		}
		for _, m := range r.Minutes {
			row.Minutes = append(row.Minutes, report.Minute{Start: in(m.Start, zone), Count: m.Count})
		}
		if r.Sample.From.Name != "" {
			row.Sample = &report.Sample{File: r.Sample.From.Name, Offset: r.Sample.From.Offset, Text: report.Clean(r.Sample.Text)}
			if n := r.Sample.From.Line; n > 0 {
				row.Sample.Line = &n
			}
		}
		shown += r.Count
		d.Rows = append(d.Rows, row)
	}
	d.Rest = report.Rest{Rows: d.Distinct - uint64(len(d.Rows)), Count: d.Counted - shown}
	if rows, most := t.Lost(); rows > 0 {
		p.Say("errors", "too many different ones: the %d rarest were let go, so that a count may be %d too low", rows, most)
	}
	return d
}

func errorSamples(d *report.Errors) []*report.Sample {
	var list []*report.Sample
	for _, r := range d.Rows {
		if r.Sample != nil && r.Sample.Line == nil {
			list = append(list, r.Sample)
		}
	}
	return list
}
