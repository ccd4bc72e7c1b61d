package cli

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/history"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/watch"
)

// pastCommands answer for a moment that is over. What the others are about is now.
var pastCommands = map[string]bool{"connwarden": true, "review": true, "ip": true, "pages": true, "errors": true, "report": true}

// checkAt refuses --at where it means nothing.
func (c *command) checkAt(cmd *cobra.Command) error {
	if c.flags.at == "" {
		return nil
	}
	if !pastCommands[cmd.Name()] {
		return usage("connwarden review --at, ip --at, pages --at, errors --at and report --at answer for the past", "--at: connwarden %s tells of now alone", cmd.Name())
	}
	if c.flags.now != "" {
		return usage("choose one", "--at and --now exclude each other")
	}
	return nil
}

// moment is the time that --at names; zero without.
func (c *command) moment(p *Plan) (time.Time, error) {
	if c.flags.at == "" {
		return time.Time{}, nil
	}
	m, err := parseMoment(c.flags.at, p.Zone)
	if err != nil {
		return time.Time{}, usage("try \"yesterday 14:00\", 14:00, 2h or 2026-11-22T14:00:00+01:00", "--at: %w", err)
	}
	now := c.env.Now()
	t := m(now)
	if t.After(now) {
		return time.Time{}, usage("name a time that is over", "--at %s is still to come", t.Format(momentForm))
	}
	return t, nil
}

// pastSpan is how far back the history of an address is told without --at, and pastRows how much of it.
const (
	pastSpan = 30 * 24 * time.Hour
	pastRows = 200
)

// recall adds to a review of the past what the daemon wrote down then, and says where neither logs nor history reach.
func (c *command) recall(ctx context.Context, p *Plan, at time.Time, d *report.Review) {
	when := at.In(p.Zone)
	d.At = &when
	from := at.Add(-time.Hour)
	if d.Since != nil {
		from = *d.Since
	}
	past, why := c.past(ctx, p, history.Query{From: from, Until: at, Rows: pastRows})
	if past != nil {
		d.History = past
		watch.Recall(d, past)
	}
	say := func(what, why string) {
		d.Problems = append(d.Problems, report.Problem{What: what, Why: report.Clean(why)})
	}
	if why != "" {
		say("history", why)
	}
	switch g := d.Pages; {
	case g == nil:
	case len(g.Files) > 0 && g.Counted == 0:
		say("access logs", "no line of that time is left in them")
	case g.First != nil && len(g.Files) > 0 && g.First.Sub(from) > 10*time.Minute && past != nil && requestsBefore(past, *g.First):
		say("access logs", fmt.Sprintf("they reach back to %s alone; what came before is from the history", g.First.Format(momentForm)))
	}
	if past == nil || len(past.Rates) == 0 {
		say("connections", "those of then are not known")
	}
}

// requestsBefore tells whether the history has requests of before a time.
func requestsBefore(h *report.History, t time.Time) bool {
	for i := range h.Rates {
		if r := &h.Rates[i]; r.Requests > 0 && r.Start.Add(time.Duration(h.Step)*time.Second).Before(t) {
			return true
		}
	}
	return false
}

// pastOf is what was written down of one target, and why it is not more.
func (c *command) pastOf(ctx context.Context, p *Plan, target netip.Prefix, from, until time.Time) (*report.History, string) {
	return c.past(ctx, p, history.Query{From: from, Until: until, Target: target, Rows: pastRows})
}
