package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/watch"
)

func (c *command) reviewFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.flags.from, "from", "", "read connections from saved text in `FILE` (- is standard input) instead of the kernel")
	f.BoolVar(&c.flags.noConns, "no-conns", false, "do not look at connections")
	f.BoolVar(&c.flags.withConns, "conns", false, "look at the live connections even when logs are named")
	f.BoolVar(&c.flags.noLogs, "no-logs", false, "do not read logs")
	f.StringVar(&c.flags.since, "since", "", "begin at `TIME` (default: 1h back; for named logs their first line)")
	f.StringVar(&c.flags.until, "until", "", "end at `TIME`")
	f.Var((*rowCount)(&c.flags.top), "top", "show `N` rows of each table, 0 for all")
	f.StringVar(&c.flags.failOn, "fail-on", "", "exit with 3 if a verdict is at least `LEVEL`: suspicious or malicious")
	f.StringVar(&c.flags.netns, "netns", "", "look into other network namespaces too: all, or the `NAME` of one")
	f.StringVar(&c.flags.format, "format", "", "format of the named logs: a name, a LogFormat or a log_format `STRING`")
}

func (c *command) reviewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "review [FILE|DIR...]",
		Short: "The whole picture, once",
		Long: `Who is connected, what they ask for, what fails, who is harmful and why, and what to do next.

Without files it looks at the live connections and at the last hour of the logs that this machine's servers write.
With files it reads those, whole or from --since, judged as of their last line, and looks at connections only if --from
or --conns asks for them.

Exit codes: 0 done; 1 failed; 2 used wrongly; 3 --fail-on was met; 4 a named source could not be read.`,
		Example: "  connwarden review\n  connwarden review --since 15m --json\n  connwarden review access.log error.log\n  ss -tan | connwarden review --from - --no-logs",
		RunE:    c.review,
	}
	c.reviewFlags(cmd)
	return cmd
}

func (c *command) review(cmd *cobra.Command, args []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	limit, err := c.failOn()
	if err != nil {
		return err
	}
	since := p.Since
	if len(args) > 0 {
		since = c.flags.since
	}
	opt, err := c.options(p, args, since)
	if err != nil {
		return err
	}
	if c.flags.noConns && c.flags.noLogs {
		return usage("leave one away", "--no-conns and --no-logs leave nothing to review")
	}
	if c.flags.from == "-" && contains(args, "-") {
		return usage("save one of them to a file", "standard input can be read once: as --from or as a log")
	}
	set, err := c.loadRules(p)
	if err != nil {
		return err
	}
	past := c.flags.at != ""
	d, err := watch.Review(cmd.Context(), watch.ReviewOptions{
		Past:     past,
		Rules:    set,
		Identity: c.identity(p),
		Options:  opt,
		Conns:    !c.flags.noConns && (!past || c.flags.from != "") && (len(args) == 0 || c.flags.withConns || c.flags.from != ""),
		From:     c.flags.from,
		Logs:     !c.flags.noLogs,
		Netns:    c.flags.netns,
	})
	if err != nil {
		return err
	}
	if past && len(args) == 0 {
		c.recall(cmd.Context(), p, opt.Now, d)
	}
	err = c.print(d, func(t *report.Text, w io.Writer) error { return t.Review(w, d) }, func(v *report.CSV) error { return v.Review(d) })
	if err != nil {
		return err
	}
	return c.verdict(d, limit)
}

// failOn is the score that --fail-on asks for; 0 without it.
func (c *command) failOn() (int, error) {
	switch c.flags.failOn {
	case "":
		return 0, nil
	case connwarden.VerdictSuspicious:
		return connwarden.ScoreSuspicious, nil
	case connwarden.VerdictMalicious:
		return connwarden.ScoreMalicious, nil
	default:
		return 0, usage("one of suspicious, malicious", "--fail-on %q is no level", c.flags.failOn)
	}
}

// verdict is the exit code of a review: whether somebody has the score that --fail-on asks for, or something was missed.
func (c *command) verdict(d *report.Review, limit int) error {
	for _, peers := range [][]report.Peer{d.Peers, d.Groups} {
		for i := range peers {
			if limit > 0 && peers[i].Score >= limit {
				return &exitError{code: exitFinding}
			}
		}
	}
	return c.partial(d.Problems, d.Partial)
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
