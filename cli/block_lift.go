package cli

import (
	"context"
	"io"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/report"
)

func (c *command) unblockCommand() *cobra.Command {
	var f blockFlags
	cmd := &cobra.Command{
		Use:   "unblock TARGET...",
		Short: "Lift blocks",
		Long: `Lifts what is blocked of the targets and inside them, and keeps it from being blocked again by itself for a day (see
block.pardon in connwarden config). What the journal does not know is looked for in the firewalls, and lifted there if it
carries our mark.

Exit codes: 0 done; 1 something was not blocked, or failed; 2 used wrongly.`,
		Example: "  connwarden unblock 192.0.2.7\n  connwarden unblock 192.0.2.0/24 --with nft",
		Args:    cobra.MinimumNArgs(1),
	}
	cmd.RunE = c.onTargets(&f, func(ctx context.Context, w *warden, targets []netip.Prefix) (*block.Outcome, error) {
		return w.unblock(ctx, targets, splitNames(f.with), c.operator())
	})
	cmd.Flags().StringSliceVar(&f.with, "with", nil, "only of `DRIVER`, perhaps several")
	dryRun(cmd, &f)
	return cmd
}

func (c *command) allowCommand() *cobra.Command {
	var f blockFlags
	cmd := &cobra.Command{
		Use:   "allow TARGET...",
		Short: "Never block these",
		Long: `Puts addresses and prefixes on the list of those that are never blocked. What is blocked inside them is lifted; a blocked
range around them gets an exception.

Exit codes: 0 done; 1 failed; 2 used wrongly.`,
		Example: "  connwarden allow 198.51.100.0/28 --why \"the office\"",
		Args:    cobra.MinimumNArgs(1),
	}
	cmd.RunE = c.onTargets(&f, func(ctx context.Context, w *warden, targets []netip.Prefix) (*block.Outcome, error) {
		if w.emergency != nil {
			return nil, w.emergency.Why
		}
		return w.keeper.Allow(ctx, targets, c.operator(), f.why)
	})
	cmd.Flags().StringVar(&f.why, "why", "", "the reason, a `TEXT`")
	dryRun(cmd, &f)
	return cmd
}

func (c *command) disallowCommand() *cobra.Command {
	var f blockFlags
	cmd := &cobra.Command{
		Use:   "disallow TARGET...",
		Short: "Take off the list of those that are never blocked",
		Long: `Takes addresses and prefixes off the list of those that are never blocked. A range around them that is blocked loses its
exception.

Exit codes: 0 done; 1 something was not on the list, or failed; 2 used wrongly.`,
		Example: "  connwarden disallow 198.51.100.0/28",
		Args:    cobra.MinimumNArgs(1),
	}
	cmd.RunE = c.onTargets(&f, func(ctx context.Context, w *warden, targets []netip.Prefix) (*block.Outcome, error) {
		if w.emergency != nil {
			return nil, w.emergency.Why
		}
		return w.keeper.Disallow(ctx, targets, c.operator())
	})
	dryRun(cmd, &f)
	return cmd
}

func dryRun(cmd *cobra.Command, f *blockFlags) {
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and do nothing")
}

// onTargets makes a command's function of what it does to the targets that its arguments are.
func (c *command) onTargets(f *blockFlags, do func(context.Context, *warden, []netip.Prefix) (*block.Outcome, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		targets, err := parseTargets(args)
		if err != nil {
			return err
		}
		return c.act(cmd.Context(), f.dryRun, "", func(ctx context.Context, w *warden) (*block.Outcome, error) { return do(ctx, w, targets) })
	}
}

// act does one thing to the journal and tells what came of it; done is the word for the blocks that there are now.
func (c *command) act(ctx context.Context, dry bool, done string, do func(context.Context, *warden) (*block.Outcome, error)) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	want := writesAnyhow
	if dry {
		want = reads
	}
	w, err := c.warden(ctx, p, c.firewalls(p), want)
	if err != nil {
		return err
	}
	defer w.leave()
	out, err := do(ctx, w)
	if out == nil {
		return err
	}
	d := c.newBlocks()
	c.fill(d, w, out, nil)
	return c.told(d, done, err)
}

func (c *command) allowedCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "allowed",
		Short:   "Who is never blocked",
		Long:    "Lists the addresses and prefixes that connwarden allow, or block.never of the configuration, keeps from being blocked.",
		Example: "  connwarden allowed\n  connwarden allowed --csv",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.allowed(cmd.Context()) },
	}
}

func (c *command) allowed(ctx context.Context) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	w, err := c.warden(ctx, p, c.firewalls(p), reads)
	if err != nil {
		return err
	}
	defer w.leave()
	d := &report.AllowedList{Schema: report.SchemaAllowed, Allowed: []report.Allowed{}, Problems: []report.Problem{}}
	var journal block.Journal
	if w.keeper != nil {
		journal = w.keeper.Journal
	} else if journal = w.inNeed(ctx).Journal; journal == nil {
		return w.emergency.Why
	} else {
		d.Problems = append(d.Problems, report.Problem{What: "journal", Why: report.Clean(w.emergency.Why.Error())})
	}
	list, err := journal.Allows(ctx)
	if err != nil {
		return err
	}
	for _, a := range list {
		d.Allowed = append(d.Allowed, allowedRow(a))
	}
	for _, prefix := range p.Block.Never {
		if !slices.ContainsFunc(list, func(a block.Allow) bool { return a.Target == prefix }) {
			d.Allowed = append(d.Allowed, report.Allowed{Target: prefix.String(), By: "configuration", Who: "", Why: report.Clean(p.Block.NeverFrom)})
		}
	}
	return c.print(d, func(t *report.Text, w io.Writer) error { return t.Allowed(w, d) }, func(v *report.CSV) error { return v.Allowed(d) })
}
