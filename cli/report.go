package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/web"
	"github.com/connwarden/connwarden/web/paper"
)

// reportRows is how many rows each table of a report has.
const reportRows = 200

func (c *command) reportCommand() *cobra.Command {
	var out string
	var redact bool
	cmd := &cobra.Command{
		Use:   "report [FILE|DIR...]",
		Short: "The review as one self-contained HTML file",
		Long: `Writes what connwarden review sees as one HTML file for a customer or a colleague: findings first, then the evidence with
its lines, requests by time and verdict, and tables that sort. The file loads nothing from anywhere and prints well.

--redact leaves out what is about persons: addresses get other names, the same throughout the file, of their networks the
country stays; accounts, referrers, queries and the names of agents go.

Without -o it goes to standard output. Exit codes: 0 done; 1 failed; 2 used wrongly; 3 --fail-on was met; 4 a named source could not be read.`,
		Example: "  connwarden report -o report.html\n  connwarden report --since 1d --redact -o for-the-customer.html\n  connwarden report access.log error.log > report.html",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.report(cmd, out, redact, args) },
	}
	c.reviewFlags(cmd)
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to `FILE`, which is replaced only when all of it is written")
	cmd.Flags().BoolVar(&redact, "redact", false, "leave out what is about persons")
	return cmd
}

func (c *command) report(cmd *cobra.Command, out string, redact bool, args []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	switch {
	case c.flags.json || c.flags.csv:
		return usage("connwarden review has them", "--json and --csv: a report is HTML")
	case out == "" && c.env.OutTerminal:
		return usage("name a file with -o, or send it into one", "a report is HTML, which a terminal does not show")
	case c.flags.noConns && c.flags.noLogs:
		return usage("leave one away", "--no-conns and --no-logs leave nothing to report")
	case contains(args, "-"):
		return usage("save it to a file", "standard input can be read once, and a report looks several times")
	}
	limit, err := c.failOn()
	if err != nil {
		return err
	}
	d, err := c.newDesk(p, args)
	if err != nil {
		return err
	}
	d.top = reportRows
	if c.flags.top >= 0 {
		d.top = c.flags.top
	}
	ctx := cmd.Context()
	r, err := d.Review(ctx, "")
	if err != nil {
		return err
	}
	line, err := web.MakeTimeline(ctx, d, r, "")
	if err != nil {
		return err
	}
	sheet := &paper.Sheet{Review: r, Timeline: line, Redacted: redact, Version: Version}
	if redact {
		sheet.Review = paper.Redact(r)
	}
	if err := c.writeFile(out, sheet.Write); err != nil {
		return err
	}
	return c.verdict(r, limit)
}

// writeFile writes a file beside its place and then puts it there; "" is standard output. Only the owner can read it:
// what is in it is about people.
func (c *command) writeFile(name string, write func(io.Writer) error) (err error) {
	if name == "" {
		return write(c.env.Stdout)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".connwarden-*.html")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer os.Remove(f.Name()) // nothing once it has its name
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
