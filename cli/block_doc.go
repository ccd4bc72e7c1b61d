package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/report"
)

func (c *command) newBlocks() *report.Blocks {
	return &report.Blocks{Schema: report.SchemaBlocks, Time: c.env.Now(), Blocks: []report.Block{}, Refused: []report.Refused{}, Problems: []report.Problem{}}
}

// fill puts an outcome into a document. names are the drivers of a dry run, of which each is shown, with nothing to do too.
func (c *command) fill(d *report.Blocks, w *warden, out *block.Outcome, names []string) {
	for _, wish := range out.Blocks {
		add(&d.Blocks, block.Held{Wish: wish, InForce: wish.State == block.StateInForce}, false)
		if !wish.Confirm.IsZero() {
			d.Confirm = &wish.Confirm
		}
	}
	for _, wish := range out.Lifted {
		add(&d.Lifted, block.Held{Wish: wish, InForce: wish.State == block.StateInForce}, false)
	}
	for _, a := range out.Allowed {
		d.Allowed = append(d.Allowed, allowedRow(a))
	}
	for _, a := range out.Disallowed {
		d.Disallowed = append(d.Disallowed, allowedRow(a))
	}
	for _, r := range out.Refused {
		d.Refused = append(d.Refused, report.Refused{Target: r.Target.String(), Why: report.Clean(r.Why)})
	}
	if out.Change != 0 {
		d.Change, d.Undo = out.Change, fmt.Sprintf("connwarden undo %d", out.Change)
	}
	if w.keeper != nil && w.keeper.Plan {
		d.DryRun = true
		for _, name := range names {
			if !slices.ContainsFunc(out.Plans, func(p block.Plan) bool { return p.Driver == name }) {
				out.Plans = append(out.Plans, block.Plan{Driver: name})
			}
		}
	}
	for _, p := range out.Plans {
		plan := report.BlockPlan{Driver: p.Driver, Lines: []string{}}
		for _, line := range p.Lines {
			plan.Lines = append(plan.Lines, report.Clean(line))
		}
		d.Plan = append(d.Plan, plan)
	}
	d.Problems = append(d.Problems, reported(slices.Concat(w.problems, out.Problems))...)
}

// add puts a block into rows, joined with the one before if only the driver differs.
func add(rows *[]report.Block, h block.Held, counts bool) {
	row := blockRow(&h.Wish, state(&h))
	if counts {
		row.Hits = &report.Hits{Packets: h.Hits.Packets, Bytes: h.Hits.Bytes}
	}
	if n := len(*rows); n > 0 {
		last := &(*rows)[n-1]
		if last.Target == row.Target && last.Scope == row.Scope && last.State == row.State && last.By == row.By && last.Who == row.Who && same(last.Until, row.Until) {
			last.Drivers = append(last.Drivers, h.Driver)
			if row.Hits != nil {
				if last.Hits == nil {
					last.Hits = &report.Hits{}
				}
				last.Hits.Packets += row.Hits.Packets
				last.Hits.Bytes += row.Hits.Bytes
			}
			return
		}
	}
	*rows = append(*rows, row)
}

// blockRow is what is shown of a block.
func blockRow(w *block.Wish, state string) report.Block {
	return report.Block{
		Target: w.Target.String(), Scope: report.Clean(w.Scope.String()), Drivers: []string{w.Driver}, Since: report.When(w.Since), Until: report.When(w.Until),
		By: w.By.Kind.String(), Who: report.Clean(w.By.Name), Why: report.Clean(w.Why), State: state, Forced: w.Forced, Confirm: report.When(w.Confirm), Change: w.Revision,
	}
}

func state(h *block.Held) string {
	switch {
	case h.State == block.StateLifted:
		return block.StateLifted.String()
	case h.InForce:
		return block.StateInForce.String()
	default:
		return block.StateWanted.String()
	}
}

func same(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

func allowedRow(a block.Allow) report.Allowed {
	return report.Allowed{
		Target: a.Target.String(), Since: report.When(a.Since), By: a.By.Kind.String(), Who: report.Clean(a.By.Name), Why: report.Clean(a.Why), Change: a.Revision,
	}
}

func reported(list []connwarden.Problem) []report.Problem {
	out := make([]report.Problem, 0, len(list))
	for _, p := range list {
		out = append(out, report.Problem{What: report.Clean(p.What), Why: report.Clean(p.Why)})
	}
	return out
}

// told prints what a command did, and then fails if something was refused or went wrong. A program reads the reasons in
// the document, a person beneath it.
func (c *command) told(d *report.Blocks, done string, err error) error {
	if c.flags.json && err != nil && err.Error() != "" { // a person reads it beneath
		what := "act"
		var wall *block.Error
		switch {
		case errors.Is(err, block.ErrJournal):
			what = "journal"
		case errors.As(err, &wall):
			what = wall.Driver
		}
		d.Problems = append(d.Problems, report.Problem{What: what, Why: report.Clean(err.Error())})
	}
	if err := c.print(d, func(t *report.Text, w io.Writer) error { return t.Act(w, d, done) }, func(v *report.CSV) error { return v.Blocks(d) }); err != nil {
		return err
	}
	switch {
	case err != nil && d.Change != 0 && len(d.Blocks) == 0 && slices.ContainsFunc(d.Lifted, kept) && !errors.Is(err, connwarden.ErrUnsupported):
		return &exitError{exitFailed, err, fmt.Sprintf("it is still blocked there: connwarden sync tries again to lift it, connwarden undo %d leaves it blocked", d.Change)}
	case err != nil && d.Change != 0 && !errors.Is(err, connwarden.ErrUnsupported):
		return &exitError{exitFailed, err, fmt.Sprintf("it stays wanted: connwarden sync tries again, connwarden undo %d forgets it", d.Change)}
	case err != nil:
		return err
	case len(d.Refused) > 0:
		return &exitError{code: exitFailed}
	default:
		return nil
	}
}

// kept tells of what was to be lifted that it was not.
func kept(b report.Block) bool { return b.State != block.StateLifted.String() }
