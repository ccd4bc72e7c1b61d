package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tui"
	"github.com/connwarden/connwarden/web"
)

// topRows is how many rows of each table the screen's reviews have; a person reads no more.
const topRows = 500

func (c *command) topCommand() *cobra.Command {
	var files []string
	samples := 0
	cmd := &cobra.Command{
		Use:   "top",
		Short: "The live screen",
		Long: `Peers worst first, connections, pages, errors and blocks on one screen that keeps itself up to date. Enter looks into an
address, b blocks it after showing exactly what would be done, u takes that back, ? lists the keys.

Connections are counted twice a second, once a second above 10,000; logs are read again every few seconds, over the last
hour or from --since; both more seldom where that takes long. The age of what is shown stands at the top right. Where
connwarden watch runs, it is followed instead: nothing is read twice, and a verdict or a block is seen within a second.

With --json it needs no terminal and prints one object a line: the connections at every sample, and the review whenever
there is a new one.

Exit codes: 0 done; 1 failed; 2 used wrongly.`,
		Example: "  connwarden top\n  connwarden top --since 15m\n  connwarden top --log access.log --log error.log\n  connwarden top --json --samples 10",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.liveScreen(cmd.Context(), files, samples) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&files, "log", nil, "read this log `FILE` or folder instead of the machine's; may be given several times")
	f.StringVar(&c.flags.since, "since", "", "begin at `TIME` (default: 1h back; for named logs their first line)")
	f.StringVar(&c.flags.from, "from", "", "read connections from saved text in `FILE` instead of the kernel")
	f.BoolVar(&c.flags.noConns, "no-conns", false, "do not look at connections")
	f.BoolVar(&c.flags.noLogs, "no-logs", false, "do not read logs")
	f.StringVar(&c.flags.netns, "netns", "", "look into other network namespaces too: all, or the `NAME` of one")
	f.IntVar(&samples, "samples", 0, "with --json end after `N` samples of the connections")
	return cmd
}

func (c *command) liveScreen(ctx context.Context, files []string, samples int) error {
	p, err := c.start()
	switch {
	case err != nil:
		return err
	case c.flags.csv:
		return usage("use --json", "--csv: this command prints no rows")
	case c.flags.noConns && c.flags.noLogs:
		return usage("leave one away", "--no-conns and --no-logs leave nothing to look at")
	case c.flags.from == "-":
		return usage("save it to a file, which is read again and again", "--from -: standard input can be read once")
	case samples < 0 || samples > 0 && (!c.flags.json || c.flags.noConns):
		return usage("as in connwarden top --json --samples 10", "--samples %d counts what --json prints of the connections", samples)
	case !c.flags.json && !c.env.OutTerminal:
		return usage("use connwarden review, or connwarden top --json", "top: standard output is no terminal")
	}
	if err := c.canRead(c.flags.from); err != nil {
		return err
	}
	c.flags.withConns = true
	d, err := c.newDesk(p, files)
	if err != nil {
		return err
	}
	d.top = topRows
	d.follow(ctx)
	if c.flags.json {
		return c.stream(ctx, d, samples)
	}
	t := c.text()
	return tui.Run(ctx, tui.Options{
		Desk: screenDesk{d}, Clock: c.env.Now, Conns: d.live(), Changes: d.changes(), Color: t.Color, ASCII: t.ASCII,
	}, c.env.Stdin, c.env.Stdout, os.Environ())
}

// screenDesk is the desk as the screen wants it.
type screenDesk struct{ *desk }

// Block implements tui.Desk.
func (d screenDesk) Block(ctx context.Context, target, span string, dryRun bool) (*report.Blocks, error) {
	return d.desk.Block(ctx, web.BlockRequest{Target: target, For: span, DryRun: dryRun})
}

// Minutes implements tui.Desk.
func (d screenDesk) Minutes(ctx context.Context, target, since string) (*report.Pages, error) {
	return d.desk.Pages(ctx, web.PagesQuery{By: "minute", Where: "ip=" + target, Since: since})
}

// Pages implements tui.Desk.
func (d screenDesk) Pages(ctx context.Context, since string) (*report.Pages, error) {
	return d.desk.Pages(ctx, web.PagesQuery{Since: since, Top: topRows})
}

// stream prints what the screen would show, one object a line, until ctx ends or there were enough samples; 0 is no end.
func (c *command) stream(ctx context.Context, d *desk, samples int) error {
	beat := time.NewTicker(tui.Beat)
	defer beat.Stop()
	pace := tui.Pace{}
	for n := 0; ; {
		now := c.env.Now()
		if pace.ReviewDue(now) {
			r, err := d.Review(ctx, "")
			if err != nil {
				return ended(ctx, err)
			}
			pace.Reviewed(now, c.env.Now())
			if err := report.JSON(c.env.Stdout, r); err != nil {
				return err
			}
		}
		if d.live() && pace.SampleDue(now) {
			begin := c.env.Now()
			s, err := d.Conns(ctx, "ip", tui.SampleRows)
			if err != nil {
				return ended(ctx, err)
			}
			pace.Sampled(begin, c.env.Now(), s.Total)
			if err := report.JSON(c.env.Stdout, s); err != nil {
				return err
			}
			if n++; n == samples {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
	}
}

// ended is an error, unless the user ended the program.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // what was under way then fails, which is what was wanted
	}
	return err
}
