package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/report"
)

func (c *command) blocksCommand() *cobra.Command {
	export := ""
	cmd := &cobra.Command{
		Use:   "blocks [TARGET...]",
		Short: "What is blocked, why and for how long",
		Long: `Lists what is blocked, with what the firewall says of it: whether it is in force, and how many packets it refused.

--export writes it for other programs: list (one target a line), csv, crowdsec (for cscli decisions import) or fail2ban
(as fail2ban-client banned prints it). connwarden block --import reads all of them.`,
		Example: "  connwarden blocks\n  connwarden blocks 192.0.2.0/24 --json\n  connwarden blocks --export crowdsec > decisions.json",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.blocks(cmd.Context(), export, args) },
	}
	cmd.Flags().StringVar(&export, "export", "", "write for other programs, in `FORMAT`: csv, "+strings.Join(block.ExportFormats, ", "))
	return cmd
}

func (c *command) blocks(ctx context.Context, export string, args []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	if export != "" && export != "csv" && !slices.Contains(block.ExportFormats, export) {
		return usage("one of csv, "+strings.Join(block.ExportFormats, ", "), "--export %q is no format", export)
	}
	targets, err := parseTargets(args)
	if err != nil {
		return err
	}
	walls := c.firewalls(p)
	w, err := c.warden(ctx, p, walls, reads)
	if err != nil {
		return err
	}
	defer w.leave()
	var held []block.Held
	var problems []connwarden.Problem
	if w.keeper != nil {
		w.keeper.Others = walls.marked()
	}
	if w.emergency != nil {
		names, err := walls.choose(ctx, nil, p.Block.Drivers, false)
		if err != nil {
			return err
		}
		if held, problems, err = w.inNeed(ctx).Blocks(ctx, names...); err != nil {
			return err
		}
	} else if held, problems, err = w.keeper.Blocks(ctx, targets...); err != nil {
		return err
	}
	if slices.Contains(block.ExportFormats, export) {
		left, err := block.Export(c.env.Stdout, export, held, c.env.Now())
		if err == nil && left > 0 {
			fmt.Fprintf(c.env.Stderr, "connwarden: %d blocks of ports, sites or logins are left out: %s knows none\n", left, export)
		}
		return err
	}
	d := c.newBlocks()
	counts := map[string]bool{}
	for _, h := range held {
		if _, asked := counts[h.Driver]; !asked {
			driver, err := walls.get(ctx, h.Driver)
			counts[h.Driver] = err == nil && driver.Properties().Counts
		}
		add(&d.Blocks, h, counts[h.Driver])
	}
	d.Problems = reported(append(problems, rootsOwn(p.StateDir, c.env.Getenv("CONNWARDEN_STATE_DIR") != "")...))
	if export == "csv" {
		return report.NewCSV(c.env.Stdout).Blocks(d)
	}
	return c.print(d, func(t *report.Text, w io.Writer) error { return t.Blocks(w, d) }, func(v *report.CSV) error { return v.Blocks(d) })
}

// rootsOwn tells who is not root that the machine's own blocks are in another folder.
func rootsOwn(dir string, named bool) []connwarden.Problem {
	const machines = "/var/lib/connwarden"
	if _, err := os.Stat(machines); err != nil || dir == machines || os.Geteuid() <= 0 || named {
		return nil
	}
	return []connwarden.Problem{{What: machines, Why: "what root blocked is root's to see: try it as root (sudo)"}}
}
