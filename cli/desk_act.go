package cli

import (
	"context"
	"errors"
	"net/netip"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/web"
)

// Block implements web.Desk: as connwarden block does, but it cannot be forced from a page.
func (d *desk) Block(ctx context.Context, r web.BlockRequest) (*report.Blocks, error) {
	c := d.c
	targets, err := parseTargets([]string{r.Target})
	if err != nil {
		return nil, asked(err)
	}
	f := blockFlags{span: r.For, within: r.Within, why: report.Clean(r.Why), kill: r.Kill, dryRun: r.DryRun}
	request, err := f.request()
	if err != nil {
		return nil, asked(err)
	}
	request.By, request.Target = c.operator(), targets[0]
	walls := c.firewalls(d.plan)
	w, err := c.warden(ctx, d.plan, walls, wanted(r.DryRun)) // and its lock before a driver is opened: some remember what they read then
	if err != nil {
		return nil, err
	}
	defer w.close()
	names, err := walls.choose(ctx, nil, d.plan.Block.Drivers, false)
	if err != nil {
		return nil, err
	}
	requests := []block.Request{request}
	if err := c.scope(ctx, walls, names, requests); err != nil {
		return nil, err
	}
	out, err := w.block(ctx, r.DryRun, requests)
	if out == nil {
		return nil, err
	}
	doc := c.newBlocks()
	c.fill(doc, w, out, names)
	if err != nil {
		doc.Problems = append(doc.Problems, report.Problem{What: "block", Why: report.Clean(err.Error())})
	} else if !r.DryRun {
		_ = c.afterBlock(ctx, f, w, out, doc) // which tells it in the document
	}
	return doc, nil
}

// Unblock implements web.Desk.
func (d *desk) Unblock(ctx context.Context, target string, dryRun bool) (*report.Blocks, error) {
	return d.onTarget(ctx, target, dryRun, func(w *warden, targets []netip.Prefix) (*block.Outcome, error) {
		return w.unblock(ctx, targets, nil, d.c.operator())
	})
}

// Allow implements web.Desk.
func (d *desk) Allow(ctx context.Context, target, why string, dryRun bool) (*report.Blocks, error) {
	return d.onTarget(ctx, target, dryRun, func(w *warden, targets []netip.Prefix) (*block.Outcome, error) {
		if w.emergency != nil {
			return nil, w.emergency.Why
		}
		return w.keeper.Allow(ctx, targets, d.c.operator(), report.Clean(why))
	})
}

// Disallow implements web.Desk.
func (d *desk) Disallow(ctx context.Context, target string, dryRun bool) (*report.Blocks, error) {
	return d.onTarget(ctx, target, dryRun, func(w *warden, targets []netip.Prefix) (*block.Outcome, error) {
		if w.emergency != nil {
			return nil, w.emergency.Why
		}
		return w.keeper.Disallow(ctx, targets, d.c.operator())
	})
}

// Undo implements web.Desk.
func (d *desk) Undo(ctx context.Context, change int64, dryRun bool) (*report.Blocks, error) {
	if change < 0 {
		return nil, asked(errors.New("a change has a number above 0"))
	}
	return d.act(ctx, dryRun, func(w *warden) (*block.Outcome, error) {
		if w.emergency != nil {
			return nil, w.emergency.Why
		}
		return w.keeper.Undo(ctx, change, d.c.operator())
	})
}

// Confirm implements web.Desk.
func (d *desk) Confirm(ctx context.Context, dryRun bool) (*report.Blocks, error) {
	return d.act(ctx, dryRun, func(w *warden) (*block.Outcome, error) {
		if w.emergency != nil {
			return nil, w.emergency.Why
		}
		return w.keeper.Confirm(ctx, d.c.operator())
	})
}

func (d *desk) onTarget(ctx context.Context, target string, dryRun bool, do func(*warden, []netip.Prefix) (*block.Outcome, error)) (*report.Blocks, error) {
	targets, err := parseTargets([]string{target})
	if err != nil {
		return nil, asked(err)
	}
	return d.act(ctx, dryRun, func(w *warden) (*block.Outcome, error) { return do(w, targets) })
}

// act does one thing to the journal and tells what came of it.
func (d *desk) act(ctx context.Context, dryRun bool, do func(*warden) (*block.Outcome, error)) (*report.Blocks, error) {
	w, err := d.c.warden(ctx, d.plan, d.c.firewalls(d.plan), wanted(dryRun))
	if err != nil {
		return nil, err
	}
	defer w.close()
	out, err := do(w)
	if out == nil {
		return nil, err
	}
	doc := d.c.newBlocks()
	d.c.fill(doc, w, out, nil)
	if err != nil {
		doc.Problems = append(doc.Problems, report.Problem{What: "done in part", Why: report.Clean(err.Error())})
	}
	return doc, nil
}

func wanted(dryRun bool) access {
	if dryRun {
		return reads
	}
	return writesAnyhow
}

// Blocks implements web.Desk.
func (d *desk) Blocks(ctx context.Context) (*report.Blocks, error) {
	walls := d.c.firewalls(d.plan)
	w, err := d.c.warden(ctx, d.plan, walls, reads)
	if err != nil {
		return nil, err
	}
	defer w.close()
	var held []block.Held
	var problems []connwarden.Problem
	if w.emergency != nil {
		names, err := walls.choose(ctx, nil, d.plan.Block.Drivers, false)
		if err != nil {
			return nil, err
		}
		held, problems, err = w.inNeed(ctx).Blocks(ctx, names...)
		if err != nil {
			return nil, err
		}
	} else if held, problems, err = w.keeper.Blocks(ctx); err != nil {
		return nil, err
	}
	doc := d.c.newBlocks()
	counts := map[string]bool{}
	for _, h := range held {
		if _, known := counts[h.Driver]; !known {
			driver, err := walls.get(ctx, h.Driver)
			counts[h.Driver] = err == nil && driver.Properties().Counts
		}
		add(&doc.Blocks, h, counts[h.Driver])
	}
	doc.Problems = reported(problems)
	return doc, nil
}

// Allowed implements web.Desk.
func (d *desk) Allowed(ctx context.Context) (*report.AllowedList, error) {
	w, err := d.c.warden(ctx, d.plan, d.c.firewalls(d.plan), reads)
	if err != nil {
		return nil, err
	}
	defer w.close()
	if w.emergency != nil {
		return nil, w.emergency.Why
	}
	list, err := w.keeper.Journal.Allows(ctx)
	if err != nil {
		return nil, err
	}
	doc := &report.AllowedList{Schema: report.SchemaAllowed, Allowed: []report.Allowed{}, Problems: []report.Problem{}}
	for _, a := range list {
		doc.Allowed = append(doc.Allowed, allowedRow(a))
	}
	return doc, nil
}
