package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/conns"
	"github.com/connwarden/connwarden/report"
)

// blockFlags are those of the commands about blocks.
type blockFlags struct {
	span    string
	within  string
	ports   string
	with    []string
	site    string
	why     string
	imports string
	kill    bool
	dryRun  bool
	force   bool
}

func (c *command) blockCommand() *cobra.Command {
	var f blockFlags
	cmd := &cobra.Command{
		Use:   "block TARGET...",
		Short: "Deny addresses and prefixes",
		Long: `Denies addresses and prefixes in the firewall that filters this machine, or in those named by --with, and shows that it
is so. What is wanted is written down before the firewall is touched, and survives a reboot.

Refused, with the reason: this machine's own addresses, gateways and name servers, the address you are logged in from,
those from which root or a sudoer logged in, or used WHM, within a week, everybody who is logged in by ssh now, the hub of the
fleet, what is on the list of connwarden allowed, proved crawlers and prefixes around them, content delivery networks, and
prefixes wider than /16 (IPv4) or /32 (IPv6). --force insists, one target at a time; nothing insists on loopback or the
machine itself.

--confirm-within 60s makes a block that goes away by itself, even if this connection dies, unless connwarden confirm
follows in time.

Exit codes: 0 done; 1 something was refused or failed; 2 used wrongly.`,
		Example: "  connwarden block 192.0.2.7 --for 1h\n  connwarden block 192.0.2.0/24 2001:db8::/48 --ports 25,587 --why \"spam\" --kill\n  connwarden block 192.0.2.7 --confirm-within 60s\n  connwarden block --import banned.txt --dry-run",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.block(cmd.Context(), f, args) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.span, "for", "", "lift it after `D`: 10m, 1h, 2d (default: never)")
	fs.StringVar(&f.ports, "ports", "", "deny only these ports of ours, a `LIST`: 25,587 or names")
	fs.StringSliceVar(&f.with, "with", nil, "use `DRIVER`, perhaps several: "+strings.Join(c.driverNames(), ", "))
	fs.StringVar(&f.site, "site", "", "deny only a site, by its .htaccess: its host name, or its `DIR`")
	fs.StringVar(&f.why, "why", "", "the reason, for whoever asks later, a `TEXT`")
	fs.StringVar(&f.imports, "import", "", "block what is listed in `FILE` (- is standard input): a plain list, CSV, or what cscli decisions list and fail2ban-client banned print")
	fs.BoolVar(&f.kill, "kill", false, "close the connections that the targets have open")
	fs.BoolVar(&f.dryRun, "dry-run", false, "say what would be done, firewall by firewall, and do nothing")
	fs.BoolVar(&f.force, "force", false, "block although it must not be; one target at a time")
	fs.StringVar(&f.within, "confirm-within", "", "take it back after `D` unless connwarden confirm follows")
	return cmd
}

func (c *command) block(ctx context.Context, f blockFlags, args []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	walls := c.firewalls(p)
	if f.site != "" {
		if f.site, err = walls.machine.siteDir(f.site); err != nil {
			return err
		}
		walls.machine.sites = append(walls.machine.sites, f.site)
	}
	r, err := f.request()
	if err != nil {
		return err
	}
	r.By = c.operator()
	targets, err := parseTargets(args)
	if err != nil {
		return err
	}
	requests := make([]block.Request, 0, len(targets))
	for _, target := range targets {
		one := r
		one.Target = target
		requests = append(requests, one)
	}
	d := c.newBlocks()
	if f.imports != "" {
		if requests, err = c.imported(f.imports, r, requests, p.Zone, d); err != nil {
			return err
		}
	}
	switch {
	case len(requests) == 0 && f.imports == "":
		return usage("name who is to be blocked: connwarden block 192.0.2.7", "no target")
	case f.force && len(requests) != 1:
		return usage("run it once for each", "--force takes one target at a time")
	}
	want := writesAnyhow
	if f.dryRun {
		want = reads
	}
	w, err := c.warden(ctx, p, walls, want) // and its lock before a driver is opened: some remember what they read then
	if err != nil {
		return err
	}
	defer w.leave()
	names, err := walls.choose(ctx, splitNames(f.with), p.Block.Drivers, f.site != "")
	if err != nil {
		return err
	}
	if err := c.scope(ctx, walls, names, requests); err != nil {
		return err
	}
	out, err := w.block(ctx, f.dryRun, requests)
	if out == nil {
		return err
	}
	c.fill(d, w, out, names)
	if err == nil && !f.dryRun {
		err = c.afterBlock(ctx, f, w, out, d)
	}
	done := "blocked"
	if f.dryRun {
		done = "would block"
	}
	return c.told(d, done, err)
}

// request is what the flags say of each target.
func (f *blockFlags) request() (r block.Request, err error) {
	r = block.Request{Why: f.why, Forced: f.force}
	if f.span != "" {
		if r.For, err = parseFor(f.span); err != nil {
			return r, usage("a span: 10m, 1h, 2d", "--for: %w", err)
		}
	}
	if f.within != "" {
		if r.Within, err = parseFor(f.within); err != nil {
			return r, usage("a span: 60s, 5m", "--confirm-within: %w", err)
		}
	}
	switch {
	case f.ports != "" && f.site != "":
		return r, usage("choose one", "--ports and --site exclude each other")
	case f.ports != "":
		ports, err := conns.ParsePorts(f.ports)
		const most = 64 // more is everything
		if err == nil && (len(ports) == 0 || len(ports) > most) {
			err = fmt.Errorf("%d ports; name 1 to %d", len(ports), most)
		}
		if err != nil {
			return r, usage("numbers, ranges or names: 25,587,8000-8010,ssh", "--ports: %w", err)
		}
		r.Scope = connwarden.Ports(ports...)
	case f.site != "":
		r.Scope = connwarden.Scope{Kind: connwarden.ScopeSite, Detail: f.site}
	}
	return r, nil
}

// scope gives requests their drivers. A driver that knows nothing but logins denies those.
func (c *command) scope(ctx context.Context, walls *firewalls, names []string, requests []block.Request) error {
	for _, name := range names {
		d, err := walls.get(ctx, name)
		if err != nil {
			return err
		}
		p := d.Properties()
		for i := range requests {
			r := &requests[i]
			if r.Scope.Kind == connwarden.ScopeAll && !p.Allows(r.Scope.Kind) && p.Allows(connwarden.ScopeLogins) && len(names) == 1 {
				r.Scope.Kind = connwarden.ScopeLogins
			}
			r.Drivers = names
		}
	}
	return nil
}

// imported adds what a file lists. What is no block is told as refused.
func (c *command) imported(name string, r block.Request, requests []block.Request, zone *time.Location, d *report.Blocks) ([]block.Request, error) {
	in := io.NopCloser(c.env.Stdin)
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		in = file
	}
	defer in.Close()
	now := c.env.Now()
	list, err := block.ParseList(in, now, zone)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, line := range list.Refused {
		d.Refused = append(d.Refused, report.Refused{Target: report.Clean(line.Text), Why: fmt.Sprintf("%s:%d: %s", report.Clean(name), line.Line, report.Clean(line.Why))})
	}
	if list.More > 0 {
		d.Refused = append(d.Refused, report.Refused{Target: "", Why: fmt.Sprintf("%s: %d more lines", report.Clean(name), list.More)})
	}
	for _, i := range list.Items {
		one := r
		one.Target = i.Target
		if one.Why == "" {
			one.Why = i.Why
		}
		if one.For == 0 && !i.Until.IsZero() {
			one.For = min(i.Until.Sub(now), longest)
		}
		requests = append(requests, one)
	}
	return requests, nil
}

func (w *warden) block(ctx context.Context, dry bool, requests []block.Request) (*block.Outcome, error) {
	if w.emergency == nil {
		out, err := w.keeper.Block(ctx, requests...)
		if dry || !w.lost(err) {
			return out, err
		}
	}
	if dry {
		return nil, w.emergency.Why
	}
	return w.inNeed(ctx).Block(ctx, requests...)
}

// afterBlock closes connections and shows that a block is in force. It fails if one is not.
func (c *command) afterBlock(ctx context.Context, f blockFlags, w *warden, out *block.Outcome, d *report.Blocks) error {
	if f.kill {
		closed := 0
		for _, target := range targetsOf(out.Blocks) {
			n, err := conns.Kill(ctx, target)
			closed += n
			if err != nil {
				d.Problems = append(d.Problems, report.Problem{What: "connections of " + block.Show(target), Why: report.Clean(err.Error())})
				break
			}
		}
		d.Killed = &closed
	}
	const (
		most      = 10 // a proof costs a question to the firewall, or a request to a site
		mostProof = 2  // lines of one
	)
	if w.keeper == nil || len(out.Blocks) > most {
		return nil
	}
	failed := 0
	for i := range out.Blocks {
		wish := &out.Blocks[i]
		seen, err := w.keeper.Prove(ctx, wish)
		if err != nil {
			d.Problems = append(d.Problems, report.Problem{What: "proof", Why: report.Clean(err.Error())})
		}
		if err != nil && !errors.Is(err, connwarden.ErrUnsupported) { // that would be no way to prove it
			failed++
			for j := range d.Blocks {
				if b := &d.Blocks[j]; b.Target == wish.Target.String() && slices.Contains(b.Drivers, wish.Driver) {
					b.State = block.StateWanted.String()
				}
			}
		}
		for j, line := range seen {
			if j == mostProof && len(seen) > mostProof+1 { // parts around what is allowed
				d.Proof = append(d.Proof, fmt.Sprintf("and so %d more parts of it", len(seen)-j))
				break
			}
			d.Proof = append(d.Proof, report.Clean(line))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d blocks could not be shown to be in force", failed, len(out.Blocks))
	}
	return nil
}

func targetsOf(wishes []block.Wish) (targets []netip.Prefix) {
	for _, w := range wishes {
		if !slices.Contains(targets, w.Target) {
			targets = append(targets, w.Target)
		}
	}
	return targets
}
