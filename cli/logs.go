package cli

import (
	"bufio"
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/faults"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tally"
	"github.com/connwarden/connwarden/watch"
	"github.com/connwarden/connwarden/where"
)

func (c *command) pagesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pages [FILE|DIR...]",
		Short: "Access logs, counted",
		Long: `Counts the requests of access logs: those named, or those that this machine's servers write. - is standard input;
.gz, .bz2, .xz and .zst are read as they are; the format of each log is recognised.

--by takes path (without the query), url (with it), ip, net, site, status, method, agent, referer, user, country, asn,
minute, hour, day, or several joined by commas. --where takes comparisons of ip, net, path, url, query, site, host, method, status, bytes,
took, agent, referer, user, kind and time, joined by and, or, not; given several times, all must hold.`,
		Example: "  connwarden pages --by ip --since 1h\n  connwarden pages access.log --where 'status>=500' --by path,ip\n" +
			"  zcat access.log.*.gz | connwarden pages - --by day",
		RunE: c.pages,
	}
	f := cmd.Flags()
	f.StringVar(&c.flags.by, "by", "", "count by `KEY`, or several joined by commas (default path)")
	f.StringArrayVar(&c.flags.where, "where", nil, "count only requests for which `EXPR` holds: 'status>=500 and path~^/wp-'")
	f.BoolVar(&c.flags.noIPs, "no-ips", false, "do not count the distinct addresses of each row: one look at the logs instead of two")
	c.logFlags(cmd)
	f.StringVar(&c.flags.format, "format", "", "format of the logs: a name, a LogFormat or a log_format `STRING`")
	return cmd
}

func (c *command) logFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.flags.since, "since", "", "begin at `TIME`")
	f.StringVar(&c.flags.until, "until", "", "end at `TIME`")
	f.Var((*rowCount)(&c.flags.top), "top", "show `N` rows, 0 for all")
}

func (c *command) pages(cmd *cobra.Command, args []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	keys, err := tally.ParseKeys(cmp.Or(c.flags.by, "path"))
	if err != nil {
		return usage("one of path, url, ip, net, site, status, method, agent, referer, user, country, asn, minute, hour, day, or several joined by commas", "--by: %w", err)
	}
	id := c.networks(p)
	keys = keys.At(id.Place())
	var filters []*where.Expr
	for _, text := range c.flags.where {
		e, err := where.ParseIn(text, p.Zone)
		if err != nil {
			return usage("compare a field with a value: status>=500, path~^/wp-, ip=203.0.113.0/24, agent~curl", "--where: %w", err)
		}
		filters = append(filters, e)
	}
	opt, err := c.options(p, args, c.flags.since)
	if err != nil {
		return err
	}
	d, missed, err := watch.Pages(cmd.Context(), watch.PagesOptions{Options: opt, By: keys, Where: where.All(filters...), NoIPs: c.flags.noIPs})
	if err != nil {
		return err
	}
	err = c.print(d, func(t *report.Text, w io.Writer) error { return t.Pages(w, d) }, func(v *report.CSV) error { return v.Pages(d) })
	if err != nil {
		return err
	}
	return c.partial(d.Problems, missed)
}

func (c *command) errorsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "errors [FILE|DIR...]",
		Short: "Error logs, grouped, explained",
		Long: `Groups the entries of error logs: those named, or those that this machine's servers write. Entries that differ only
in names and numbers are one row; what is known of a fault is said, and what to do about it.

--by takes fault, code, level, service, site, ip, file, minute, hour, day.`,
		Example: "  connwarden errors\n  connwarden errors /var/log/apache2/error.log --since yesterday\n  connwarden errors --by hour",
		RunE:    c.errors,
	}
	cmd.Flags().StringVar(&c.flags.by, "by", "", "group by `KEY` (default fault)")
	c.logFlags(cmd)
	return cmd
}

func (c *command) errors(cmd *cobra.Command, args []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	opt, err := c.options(p, args, c.flags.since)
	if err != nil {
		return err
	}
	by, err := faults.ParseBy(cmp.Or(c.flags.by, "fault"))
	if err != nil {
		return usage("see connwarden errors --help", "--by: %w", err)
	}
	d, missed, err := watch.Errors(cmd.Context(), watch.ErrorsOptions{Options: opt, By: by})
	if err != nil {
		return err
	}
	err = c.print(d, func(t *report.Text, w io.Writer) error { return t.Errors(w, d) }, func(v *report.CSV) error { return v.Errors(d) })
	if err != nil {
		return err
	}
	return c.partial(d.Problems, missed)
}

func (c *command) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [FILE|DIR...]",
		Short: "How each line of a log is read",
		Long: `Prints for each line of the logs what it is taken for: a request, an event about a peer, a fault, or nothing; the address
that it is about, whether that address is accused, who is able to write such a line, and which rules it touches.

--json prints one object a line.`,
		Example: "  connwarden explain /var/log/auth.log\n  tail -n 100 /var/log/nginx/error.log | connwarden explain - --json",
		RunE:    c.explain,
	}
	f := cmd.Flags()
	f.StringVar(&c.flags.since, "since", "", "begin at `TIME`")
	f.StringVar(&c.flags.format, "format", "", "format of the logs: a name, a LogFormat or a log_format `STRING`")
	return cmd
}

func (c *command) explain(cmd *cobra.Command, args []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	if c.flags.csv {
		return usage("use --json", "--csv: lines are not rows")
	}
	opt, err := c.options(p, args, c.flags.since)
	if err != nil {
		return err
	}
	set, err := c.loadRules(p)
	if err != nil {
		return err
	}
	opt.Progress = nil
	out := bufio.NewWriter(c.env.Stdout)
	text := c.text()
	id := c.networks(p)
	problems, missed, err := watch.Explain(cmd.Context(), opt, set, &id, func(l *report.Line) error {
		if c.flags.json {
			return report.JSON(out, l)
		}
		return text.Line(out, l)
	})
	if e := out.Flush(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	for _, one := range problems {
		fmt.Fprintf(c.env.Stderr, "connwarden: %s: %s\n", report.Clean(one.What), report.Clean(one.Why))
	}
	if missed {
		return &exitError{code: exitPartial}
	}
	return nil
}
