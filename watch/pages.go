package watch

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tally"
	"github.com/connwarden/connwarden/where"
)

// PagesOptions say what is counted.
type PagesOptions struct {
	Options
	By    tally.Keys
	Where *where.Expr // nil: all requests
	NoIPs bool        // do not count the distinct addresses of each row, which takes a second look at the logs
}

// Pages counts access logs. missed tells that a source which the user named could not be read.
func Pages(ctx context.Context, opt PagesOptions) (d *report.Pages, missed bool, err error) {
	var p gather.Problems
	s, err := open(ctx, &opt.Options.Options, func(k logs.Kind) bool { return k == logs.Access }, &p)
	if err != nil {
		return nil, false, err
	}
	defer s.Close()
	if s.Found == 0 {
		p.None("access logs", "pages", opt.Files)
	}
	keys := opt.By.In(opt.Zone)
	needed := keys.Fields() | opt.Where.Fields() | connwarden.FieldTime | connwarden.FieldStatus | connwarden.FieldSize
	folds, files, err := s.read(ctx, needed, func() *fold {
		return &fold{where: opt.Where, pages: pagesTable(keys)}
	}, opt.Progress, &p)
	if err != nil {
		return nil, false, err
	}
	sum := folds[0].pages
	for _, f := range folds[1:] {
		sum.Merge(f.pages)
	}
	var addresses *tally.Pages
	if keys.OfAddress() {
		addresses, sum = sum, sum.Groups()[0]
	}
	d, rows := pagesDocument(sum, keys, opt.Top, files, opt.Zone)
	if !opt.NoIPs {
		if err := s.clients(ctx, keys, rows, opt.Where, d, addresses); err != nil {
			return nil, false, err
		}
	}
	if d.Counted == 0 && !s.Bounds.Open() && d.Parsed > 0 {
		p.Say("window", "no line of these logs is in it")
	}
	d.Problems = told(p)
	return d, p.Missed(), nil
}

// addressesKept is how many addresses a worker keeps when it counts by what follows from them: 30 MB.
const addressesKept = 250_000

// pagesTable returns a table by keys; where they follow from the address, one by address that also counts by them: a country is looked up
// once an address then, and the distinct clients of a row need no second look while no address was dropped.
func pagesTable(keys tally.Keys) *tally.Pages {
	if !keys.OfAddress() {
		return tally.NewPages(keys, 0)
	}
	p := tally.NewPages(keys.Addresses(), addressesKept)
	p.Instead(keys, 0)
	return p
}

// pagesDocument makes a table into a document and returns the table's own keys of the rows beside it. The distinct
// clients of the rows are still missing. Of times the rows are those with the most requests, in the order of time.
func pagesDocument(sum *tally.Pages, keys tally.Keys, top int, files []report.File, zone *time.Location) (*report.Pages, []string) {
	d := &report.Pages{
		Schema: report.SchemaPages, By: keys.String(), Counted: sum.Lines(), Bytes: sum.Bytes(), Status: report.Classes(sum.Class()),
		First: report.When(in(sum.First(), zone)), Last: report.When(in(sum.Last(), zone)), Rows: []report.PageRow{}, Files: files, Problems: []report.Problem{},
	}
	d.Lines, d.Parsed, d.Unparsed = totals(files)
	d.Distinct, _ = sum.Distinct()
	rows := sum.Top(top)
	if keys.Timed() {
		slices.SortStableFunc(rows, func(a, b tally.PageRow) int { return cmp.Compare(a.Parts[0], b.Parts[0]) })
	}
	own := make([]string, 0, len(rows))
	for _, r := range rows {
		own = append(own, r.Key)
		row := report.PageRow{
			Key: report.Clean(strings.Join(r.Parts, " ")), Count: r.Count, Share: report.Share(r.Count, d.Counted), Bytes: r.Bytes, Status: report.Classes(r.Class), MaxError: r.MaxError,
		}
		if len(r.Parts) > 1 {
			row.Keys = make([]string, len(r.Parts))
			for i, part := range r.Parts {
				row.Keys[i] = report.Clean(part)
			}
		}
		d.MaxError = max(d.MaxError, r.MaxError)
		d.Rows = append(d.Rows, row)
		d.Rest.Count += r.Count
	}
	d.Rest = report.Rest{Rows: d.Distinct - min(d.Distinct, uint64(len(d.Rows))), Count: d.Counted - min(d.Counted, d.Rest.Count)}
	return d, own
}

// clients fills in how many distinct addresses stand behind each row that is shown: a second look at the logs, since
// a set for every path there is would not fit into memory. addresses, if any, may know already.
func (s *sources) clients(ctx context.Context, keys tally.Keys, rows []string, filter *where.Expr, d *report.Pages, addresses *tally.Pages) error {
	if len(rows) == 0 {
		return nil
	}
	if slices.Contains(keys.Words(), "ip") { // each row is about one
		one := uint64(1)
		for i := range d.Rows {
			d.Rows[i].IPs = &one
		}
		return nil
	}
	if addresses != nil {
		if all, ok := addresses.Clients(keys, rows); ok {
			for i, n := range all {
				d.Rows[i].IPs = &n
			}
			return nil
		}
	}
	var ignored gather.Problems // the first look has told them
	fields := keys.Fields() | filter.Fields() | connwarden.FieldTime | connwarden.FieldClient
	folds, _, err := s.read(ctx, fields, func() *fold {
		return &fold{where: filter, distinct: tally.NewDistinct(keys, rows)}
	}, nil, &ignored)
	if err != nil {
		return err
	}
	sum := folds[0].distinct
	for _, f := range folds[1:] {
		sum.Merge(f.distinct)
	}
	for i, key := range rows {
		n, _ := sum.Count(key)
		d.Rows[i].IPs = &n
	}
	return nil
}

// latest is the later of two times of which either may be missing.
func latest(a time.Time, b *time.Time) time.Time {
	if b != nil && b.After(a) {
		return *b
	}
	return a
}
