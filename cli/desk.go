package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/connwarden/connwarden/conns"
	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/rules"
	"github.com/connwarden/connwarden/tally"
	"github.com/connwarden/connwarden/watch"
	"github.com/connwarden/connwarden/web"
	"github.com/connwarden/connwarden/where"
)

// desk answers the page, and what is written from a review, with what the commands answer.
type desk struct {
	c     *command
	plan  *Plan
	files []string
	rules *rules.Set
	id    watch.Identity
	top   int // rows of a review's tables

	daemon *following // nil: none is followed
	fleet  *outlook   // nil: something else than the present of this machine is looked at
}

// deskRows is how many rows of each table the page's reviews have, the ordinary peers among them.
const deskRows = 50_000

func (c *command) newDesk(p *Plan, files []string) (*desk, error) {
	set, err := c.loadRules(p)
	if err != nil {
		return nil, err
	}
	d := &desk{c: c, plan: p, files: files, rules: set, id: c.identity(p), top: deskRows}
	_, err = d.options("", 0)
	return d, err
}

// options are those of the pipeline. since is a span, or "" for what the configuration and the flags say.
func (d *desk) options(since string, top int) (watch.Options, error) {
	span := since
	if span == "" {
		span = d.plan.Since
		if len(d.files) > 0 {
			span = d.c.flags.since
		}
	}
	opt, err := d.c.options(d.plan, d.files, span)
	opt.Top, opt.Progress = top, nil
	return opt, err
}

// canRead tells what keeps a text of connections from being read by who would wait for it for ever.
func (c *command) canRead(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read connections: %w", err)
	}
	return f.Close()
}

// Review implements web.Desk.
func (d *desk) Review(ctx context.Context, since string) (*report.Review, error) {
	if since == "" {
		if r, ok := d.present(ctx); ok {
			return r, nil
		}
	}
	r, err := d.review(ctx, since, nil)
	if err == nil && d.fleet != nil {
		r.Fleet = d.fleet.member()
	}
	return r, err
}

func (d *desk) review(ctx context.Context, since string, want []netip.Prefix) (*report.Review, error) {
	opt, err := d.options(since, d.top)
	if err != nil {
		return nil, err
	}
	return watch.Review(ctx, watch.ReviewOptions{
		Rules: d.rules, Identity: d.id, Options: opt, Logs: !d.c.flags.noLogs, Conns: d.live(), Past: d.c.flags.at != "", From: d.c.flags.from, Netns: d.c.flags.netns, Want: want,
	})
}

// live tells whether connections are looked at.
func (d *desk) live() bool {
	f := &d.c.flags
	return !f.noConns && f.at == "" && (len(d.files) == 0 || f.withConns || f.from != "")
}

// IP implements web.Desk.
func (d *desk) IP(ctx context.Context, text, since string, latest *report.Review) (*report.IPs, error) {
	targets, err := parseTargets([]string{text})
	if err != nil {
		return nil, asked(err)
	}
	if latest == nil || !slices.ContainsFunc(latest.Peers, func(p report.Peer) bool { return p.Addr == text }) {
		if latest, err = d.review(ctx, since, targets); err != nil {
			return nil, err
		}
	}
	doc := &report.IPs{Schema: report.SchemaIP, Host: latest.Host, Time: latest.Time, Since: latest.Since, Addrs: []report.Dossier{}, Problems: []report.Problem{}}
	var open []report.ConnRow
	if d.live() {
		all, _, err := watch.Conns(ctx, watch.ConnsOptions{Clock: d.c.env.Now, By: tally.ConnByConn, From: d.c.flags.from, Conns: conns.Options{Namespace: d.c.flags.netns}})
		if err != nil {
			doc.Problems = append(doc.Problems, report.Problem{What: "connections", Why: gather.Reason(err)})
		} else {
			open = all.Rows
		}
	}
	opt, err := d.options(since, d.plan.Top)
	if err != nil {
		return nil, err
	}
	one, err := d.c.dossier(ctx, d.plan, opt, targets[0], latest, open)
	if err != nil {
		return nil, err
	}
	now := d.c.env.Now()
	one.History, _ = d.c.pastOf(ctx, d.plan, targets[0], now.Add(-pastSpan), now)
	doc.Addrs = append(doc.Addrs, *one)
	return doc, nil
}

// Conns implements web.Desk.
func (d *desk) Conns(ctx context.Context, by string, top int) (*report.Conns, error) {
	key, err := tally.ParseConnKey(cmp.Or(by, "ip"))
	if err != nil {
		return nil, asked(err)
	}
	doc, _, err := watch.Conns(ctx, watch.ConnsOptions{
		Clock: d.c.env.Now, By: key, Top: top, From: d.c.flags.from,
		Conns: conns.Options{Processes: key == tally.ConnByProcess, Namespace: d.c.flags.netns},
	})
	return doc, err
}

// Pages implements web.Desk.
func (d *desk) Pages(ctx context.Context, q web.PagesQuery) (*report.Pages, error) {
	keys, err := tally.ParseKeys(cmp.Or(q.By, "path"))
	if err != nil {
		return nil, asked(err)
	}
	var filter *where.Expr
	if q.Where != "" {
		if filter, err = where.ParseIn(q.Where, d.plan.Zone); err != nil {
			return nil, asked(err)
		}
	}
	opt, err := d.options(q.Since, q.Top)
	if err != nil {
		return nil, err
	}
	doc, _, err := watch.Pages(ctx, watch.PagesOptions{Options: opt, By: keys.At(d.id.Place()), Where: filter, NoIPs: !q.IPs})
	return doc, err
}

// Errors implements web.Desk.
func (d *desk) Errors(ctx context.Context, by, since string) (*report.Errors, error) {
	key, err := faults.ParseBy(cmp.Or(by, "fault"))
	if err != nil {
		return nil, asked(err)
	}
	opt, err := d.options(since, 0)
	if err != nil {
		return nil, err
	}
	doc, _, err := watch.Errors(ctx, watch.ErrorsOptions{Options: opt, By: key})
	return doc, err
}

// Rules implements web.Desk.
func (d *desk) Rules(context.Context) (*report.Rules, error) {
	doc := &report.Rules{Schema: report.SchemaRules, Rules: make([]report.Rule, len(d.rules.Rules)), Problems: []report.Problem{}}
	for i := range d.rules.Rules {
		doc.Rules[i] = ruleDocument(&d.rules.Rules[i])
	}
	return doc, nil
}

// asked marks an error as one of whoever asked.
func asked(err error) error {
	if hint := hintFor(err); hint != "" {
		return fmt.Errorf("%w: %w; %s", web.ErrRequest, err, hint)
	}
	return fmt.Errorf("%w: %w", web.ErrRequest, err)
}
