package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/report"
)

func (c *command) undoCommand() *cobra.Command {
	var f blockFlags
	cmd := &cobra.Command{
		Use:   "undo [N]",
		Short: "Take back the last change, or change N",
		Long: `Takes back the last change of blocks or of the list of those that are allowed, or the change with the number N that the
command printed. What was changed again since stays, and is named. Run again it takes back the change before that.

Exit codes: 0 done; 1 there is no such change, or some of it was changed since; 2 used wrongly.`,
		Example: "  connwarden undo\n  connwarden undo 12 --dry-run",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n := int64(0)
			if len(args) == 1 {
				var err error
				if n, err = strconv.ParseInt(args[0], 10, 64); err != nil || n < 1 {
					return usage("the number that the command printed, as in connwarden undo 12", "%q is no number of a change", args[0])
				}
			}
			return c.act(cmd.Context(), f.dryRun, "blocked again", func(ctx context.Context, w *warden) (*block.Outcome, error) {
				if w.emergency != nil {
					return nil, w.emergency.Why
				}
				return w.keeper.Undo(ctx, n, c.operator())
			})
		},
	}
	dryRun(cmd, &f)
	return cmd
}

func (c *command) confirmCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "confirm",
		Short: "Keep a block made with --confirm-within",
		Long: `Keeps the blocks that would go away by themselves, as connwarden block --confirm-within made them.

Exit codes: 0 done; 1 nothing waits to be confirmed, or it is too late; 2 used wrongly.`,
		Example: "  connwarden confirm",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.act(cmd.Context(), false, "confirmed", func(ctx context.Context, w *warden) (*block.Outcome, error) {
				if w.emergency != nil {
					return nil, w.emergency.Why
				}
				return w.keeper.Confirm(ctx, c.operator())
			})
		},
	}
}

// syncFlags are those of sync.
type syncFlags struct{ dryRun, flush, quiet bool }

func (c *command) syncCommand() *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Make firewalls and journal agree",
		Long: `Puts back what is wanted and missing in the firewall, after a reboot or somebody's reload; lifts what is over where the
firewall does not do so by itself; and takes into the journal what this or another firewall holds of ours and the journal does
not know. Run it at boot and every minute, as the packages' systemd units do.

--flush takes all of ours out of the firewalls and leaves the journal alone, as the removal of the package does: what is
not over by then comes back with the next sync. It needs no journal that can be used.

Exit codes: 0 they agree; 1 a firewall or the journal could not be used; 2 used wrongly.`,
		Example: "  connwarden sync\n  connwarden sync --dry-run",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.sync(cmd.Context(), f) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.dryRun, "dry-run", false, "say what would be done, firewall by firewall, and do nothing")
	fs.BoolVar(&f.flush, "flush", false, "take all blocks out of the firewalls until the next sync")
	fs.BoolVar(&f.quiet, "quiet", false, "print nothing when nothing had to be done")
	return cmd
}

func (c *command) sync(ctx context.Context, f syncFlags) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	walls := c.firewalls(p)
	want := writes
	switch {
	case f.dryRun:
		want = reads
	case f.flush:
		want = writesAnyhow
	}
	w, err := c.warden(ctx, p, walls, want)
	if err != nil {
		return err
	}
	defer w.leave()
	if w.keeper != nil {
		w.keeper.Others = walls.marked()
	}
	// Besides the drivers that something is wanted of, the one that is chosen by itself: it may hold what is ours and unknown.
	names, chosen := walls.choose(ctx, nil, p.Block.Drivers, false)
	d := c.newBlocks()
	var out *block.Outcome
	var list []block.Synced
	switch {
	case f.flush:
		out = &block.Outcome{}
		list, err = w.flush(ctx, f.dryRun, out, names)
	case w.emergency != nil:
		return w.emergency.Why
	default:
		out, list, err = w.keeper.Sync(ctx, names...)
	}
	if out == nil || list == nil && err != nil {
		return err
	}
	if chosen != nil && len(list)+len(out.Plans) == 0 {
		return chosen
	}
	c.fill(d, w, out, names)
	idle := err == nil && len(d.Problems) == 0
	for _, s := range list {
		row := report.Synced{Driver: s.Driver, Wanted: s.Wanted, Added: s.Added, Removed: s.Removed, Adopted: s.Adopted}
		if s.Err != nil {
			row.Error = report.Clean(s.Err.Error())
			if err == nil {
				err = &exitError{code: exitFailed}
			}
		}
		idle = idle && err == nil && s.Added+s.Removed+s.Adopted == 0
		d.Sync = append(d.Sync, row)
	}
	if f.quiet && idle {
		return nil
	}
	return c.told(d, "in force", err)
}
