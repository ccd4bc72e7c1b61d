package cli

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/conns"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tally"
	"github.com/connwarden/connwarden/watch"
	"github.com/connwarden/connwarden/where"
)

func (c *command) ipCommand() *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use:   "ip ADDR...",
		Short: "Everything known of an address or prefix",
		Long: `Network and country, whether it is the crawler that it says it is, its open connections, what it asked for, the verdict
with the lines that prove it, and the blocks that hold it.

It looks at the live connections and the last hour of this machine's logs; --log names others, which are read whole.

Exit codes: 0 done; 1 failed; 2 used wrongly; 4 a named source could not be read.`,
		Example: "  connwarden ip 192.0.2.7\n  connwarden ip 2001:db8::/64 --since 1d\n  connwarden ip 192.0.2.7 --log access.log --json",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.ip(cmd.Context(), files, args) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&files, "log", nil, "read this log `FILE` or folder instead of the machine's; may be given several times")
	f.StringVar(&c.flags.since, "since", "", "begin at `TIME` (default: 1h back; for named logs their first line)")
	f.StringVar(&c.flags.until, "until", "", "end at `TIME`")
	f.Var((*rowCount)(&c.flags.top), "top", "show `N` rows of each table, 0 for all")
	return cmd
}

// dossierConns is how many connections of one target are told of.
const dossierConns = 1000

func (c *command) ip(ctx context.Context, files, args []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	if c.flags.csv {
		return usage("use --json", "--csv: this command prints no rows")
	}
	targets, err := parseTargets(args)
	if err != nil {
		return err
	}
	since := p.Since
	if len(files) > 0 {
		since = c.flags.since
	}
	opt, err := c.options(p, files, since)
	if err != nil {
		return err
	}
	set, err := c.loadRules(p)
	if err != nil {
		return err
	}
	id := c.identity(p)
	live := len(files) == 0 && c.flags.at == ""
	r, err := watch.Review(ctx, watch.ReviewOptions{Rules: set, Identity: id, Options: opt, Conns: live, Logs: true, Want: targets, Past: c.flags.at != ""})
	if err != nil {
		return err
	}
	d := &report.IPs{Schema: report.SchemaIP, Host: r.Host, Time: r.Time, Since: r.Since, Addrs: []report.Dossier{}, Problems: r.Problems}
	var open []report.ConnRow
	if live {
		all, _, err := watch.Conns(ctx, watch.ConnsOptions{Clock: c.env.Now, By: tally.ConnByConn, Conns: conns.Options{}})
		if err == nil {
			open = all.Rows
		} else {
			d.Problems = append(d.Problems, report.Problem{What: "connections", Why: gather.Reason(err)})
		}
	}
	until := c.env.Now()
	from := until.Add(-pastSpan)
	if c.flags.at != "" { // the logs' window
		if until = opt.Now; r.Since != nil {
			from = *r.Since
		} else {
			from = until.Add(-time.Hour)
		}
	}
	for _, target := range targets {
		one, err := c.dossier(ctx, p, opt, target, r, open)
		if err != nil {
			return err
		}
		if len(files) == 0 {
			why := ""
			if one.History, why = c.pastOf(ctx, p, target, from, until); c.flags.at != "" && why != "" {
				d.Problems = append(d.Problems, report.Problem{What: "history", Why: report.Clean(why)})
			}
		}
		d.Addrs = append(d.Addrs, *one)
	}
	if err := c.print(d, func(t *report.Text, w io.Writer) error { return t.IPs(w, d) }, nil); err != nil {
		return err
	}
	return c.partial(d.Problems, r.Partial)
}

func (c *command) dossier(ctx context.Context, p *Plan, opt watch.Options, target netip.Prefix, r *report.Review, open []report.ConnRow) (*report.Dossier, error) {
	text := target.String()
	if target.IsSingleIP() {
		text = target.Addr().String()
	}
	d := &report.Dossier{Target: text, Peers: []report.Peer{}, Conns: []report.ConnRow{}, Blocks: []report.Block{}}
	for i := range r.Peers {
		if a, err := netip.ParseAddr(r.Peers[i].Addr); err == nil && (target.Contains(a) || target.IsSingleIP() && report.Judged(a) != "" && report.Judged(a) == report.Judged(target.Addr())) {
			d.Peers = append(d.Peers, r.Peers[i])
		}
	}
	for i := range open {
		if a, err := netip.ParseAddrPort(open[i].Remote); err == nil && target.Contains(a.Addr().Unmap()) && len(d.Conns) < dossierConns {
			d.Conns = append(d.Conns, open[i])
		}
	}
	if r.Pages != nil && len(r.Pages.Files) > 0 {
		keys, err := tally.ParseKeys("path")
		if err != nil {
			return nil, err
		}
		only, err := where.Parse("ip=" + target.String())
		if err != nil {
			return nil, err
		}
		pages, _, err := watch.Pages(ctx, watch.PagesOptions{Options: opt, By: keys, Where: only, NoIPs: true})
		if err != nil {
			return nil, err
		}
		d.Pages = pages
	}
	blocks, err := c.blocksOf(ctx, p, target)
	d.Blocks = blocks
	return d, err
}

// blocksOf lists the blocks that hold a target. Who may not look into the journal is told so by the command blocks.
func (c *command) blocksOf(ctx context.Context, p *Plan, target netip.Prefix) ([]report.Block, error) {
	rows := []report.Block{}
	w, err := c.warden(ctx, p, c.firewalls(p), reads)
	if err != nil || w.keeper == nil {
		return rows, nil
	}
	defer w.close()
	held, _, err := w.keeper.Blocks(ctx, target)
	if err != nil {
		return rows, err
	}
	for _, h := range held {
		add(&rows, h, false)
	}
	return slices.DeleteFunc(rows, func(b report.Block) bool { return strings.EqualFold(b.State, "lifted") }), nil
}
