// Package watch runs the pipeline: it finds the logs and connections of this machine, or takes those that were named,
// reads them with the rooms that know how, lets judge weigh what was read, and answers with a document of the room report.
//
// It holds no judgement, prints nothing and changes nothing on the machine. Work is shared among one goroutine a
// processor; each owns its parsers and tables until they are merged. Functions may be called concurrently. It runs on
// every system; what a system lacks is in the document's problems.
package watch

import (
	"context"

	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/report"
)

// Options say what is read and how much of it is told. Clock, Host and Zone must be set.
type Options struct {
	gather.Options
	Top      int // rows of a table; 0: all
	Progress func(done, total int64)
}

// told returns problems as a document has them: never nil.
func told(list gather.Problems) []report.Problem {
	out := make([]report.Problem, len(list))
	for i, p := range list {
		out[i] = report.Problem{What: p.What, Why: p.Why}
	}
	return out
}

// sources are the logs of one command, with what reads them.
type sources struct{ *gather.Sources }

func open(ctx context.Context, opt *gather.Options, want func(logs.Kind) bool, p *gather.Problems) (*sources, error) {
	s, err := gather.Open(ctx, opt, want, p)
	if err != nil {
		return nil, err
	}
	return &sources{s}, nil
}
