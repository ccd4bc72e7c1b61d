package watch

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/conns"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tally"
)

// ConnsOptions say which connections are counted by what. Clock must be set.
type ConnsOptions struct {
	Conns conns.Options
	From  string    // saved text to read; "-" is Stdin, "" the kernel
	Stdin io.Reader // what "-" is
	By    tally.ConnKey
	Top   int         // rows; 0: all
	Place tally.Place // nil: countries and autonomous systems are not known
	Clock func() time.Time
}

// Conns counts connections. missed tells that the text which the user named could not be read.
func Conns(ctx context.Context, opt ConnsOptions) (d *report.Conns, missed bool, err error) {
	var p gather.Problems
	cells, found, err := look(ctx, &opt, &p)
	if err != nil {
		return nil, false, err
	}
	d = connsDocument(cells, found, &opt, opt.Clock())
	d.Problems = told(p)
	return d, p.Missed(), nil
}

// look counts the kernel's connections or those of a text. Not being able to look at the kernel's is an error; a text
// that cannot be read is a problem, and what was read of it counts.
func look(ctx context.Context, opt *ConnsOptions, p *gather.Problems) (*tally.Conns, *conns.Result, error) {
	cells := &tally.Conns{Place: opt.Place}
	if opt.By == tally.ConnByConn {
		cells.Keep = keptConns(opt.Top)
	}
	var found *conns.Result
	var err error
	switch opt.From {
	case "":
		found, err = conns.Snapshot(ctx, opt.Conns, cells)
	case "-":
		found, err = conns.Read(ctx, opt.Stdin, fromName(opt.From), opt.Conns, cells)
	default:
		found, err = readText(ctx, opt, cells)
	}
	if found != nil {
		p.Add(found.Problems...)
	}
	if err != nil && opt.From != "" && ctx.Err() == nil {
		p.Add(connwarden.Problem{What: fromName(opt.From), Why: gather.Reason(err), Named: true})
		err = nil
	}
	if err != nil {
		return nil, nil, err
	}
	if found == nil {
		found = &conns.Result{}
	}
	return cells, found, nil
}

// fromName is what a text is called.
func fromName(from string) string {
	if from == "-" {
		return "standard input"
	}
	return from
}

// keptConns is how many single connections are kept to be shown: all that are asked for, but not without bound.
func keptConns(top int) int {
	const most = 1_000_000
	if top <= 0 || top > most {
		return most
	}
	return top
}

func readText(ctx context.Context, opt *ConnsOptions, sink connwarden.Sink) (*conns.Result, error) {
	f, err := os.Open(opt.From)
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		return nil, at.Err // the name stands beside it
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.New("is a folder; name a file with the text of netstat or ss")
	}
	return conns.Read(ctx, f, opt.From, opt.Conns, sink)
}

func connsDocument(cells *tally.Conns, found *conns.Result, opt *ConnsOptions, now time.Time) *report.Conns {
	view := cells.By(opt.By, opt.Top)
	d := &report.Conns{
		Schema: report.SchemaConns, Host: hostname(), Time: now, Source: found.Source, By: opt.By.String(), Total: view.Total,
		Distinct: uint64(view.Distinct), States: states(&view.States), Rest: report.Rest{Rows: uint64(view.RestRows), Count: view.RestCount},
		Unparsed: uint64(found.Unparsed),
	}
	if found.Guessed {
		d.Direction = "guessed"
	}
	d.Rows = connRows(&view, opt.By, opt.Conns.Processes)
	return d
}

func connRows(view *tally.ConnView, by tally.ConnKey, processes bool) []report.ConnRow {
	rows := make([]report.ConnRow, 0, len(view.Rows))
	for _, r := range view.Rows {
		row := report.ConnRow{
			Key: report.Clean(r.Key), Count: r.Count, Share: report.Share(r.Count, view.Total), In: r.In, Out: r.Out,
			States: states(&r.States), Ports: map[string]uint64{},
		}
		row.Truncated = by == tally.ConnByIP && !r.Addr.IsValid() && r.Key != "*"
		for _, p := range r.Ports {
			row.Ports[strconv.Itoa(int(p.Port))] += p.Count
		}
		switch by {
		case tally.ConnByPort:
			row.Proto, row.Dir = r.Proto.String(), r.Dir.String()
		case tally.ConnByConn:
			oneConn(&row, r.Conn)
		}
		if by == tally.ConnByProcess && r.Process.PID > 0 {
			row.Process = process(r.Process)
		}
		if processes && by != tally.ConnByProcess && by != tally.ConnByConn {
			row.Processes = map[string]uint64{}
			for _, p := range r.Processes {
				row.Processes[report.Clean(p.Name)] += p.Count
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func oneConn(row *report.ConnRow, c *connwarden.Conn) {
	row.Proto, row.Dir, row.State = c.Proto.String(), c.Dir.String(), c.State.String()
	row.Local, row.Remote, row.Namespace = c.Local.String(), c.Remote.String(), c.Namespace
	if c.Truncated != "" {
		row.Remote = report.Clean(c.Truncated)
	}
	if c.Process.PID > 0 {
		row.Process = process(c.Process)
	}
}

func process(p connwarden.Process) *report.Process {
	return &report.Process{PID: p.PID, Name: report.Clean(p.Name), Unit: report.Clean(p.Unit)}
}

// states names the states that have connections; a request socket is half-open like any other.
func states(s *[connwarden.NumStates]uint64) map[string]uint64 {
	m := map[string]uint64{}
	for i, n := range s {
		if st := connwarden.State(i); n > 0 {
			if st == connwarden.StateNewSynRecv {
				st = connwarden.StateSynRecv
			}
			m[st.String()] += n
		}
	}
	return m
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return report.Clean(name)
}
