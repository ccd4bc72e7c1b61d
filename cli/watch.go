package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/hand"
	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
)

// Modes of watch.
const (
	modeSuggest = "suggest"
	modeEnforce = "enforce"
)

// actionsFile is the section [actions] of the configuration.
type actionsFile struct {
	Mode  *string  `toml:"mode" comment:"what connwarden watch does about harm: suggest says what it would block, enforce blocks"`
	Local *bool    `toml:"believe_local" comment:"enforce also on lines that local accounts could have written, such as syslog's files"`
	Mutes []string `toml:"quiet_mutes" comment:"families and names of rules on which nothing is blocked while it is quiet, besides those that are capped"`
}

// actionsPlan is what watch does about harm.
type actionsPlan struct {
	Mode  string
	Local bool
}

func (p *Plan) planActions(f *actionsFile, inFile func(string) string) error {
	p.Actions.Mode = modeSuggest
	origin := "default"
	if f.Mode != nil {
		p.Actions.Mode, origin = *f.Mode, inFile("actions.mode")
		if p.Actions.Mode != modeSuggest && p.Actions.Mode != modeEnforce {
			return usage("suggest or enforce", "%s: %q", origin, p.Actions.Mode)
		}
	}
	p.set("actions.mode", p.Actions.Mode, origin)
	origin = "default"
	if f.Local != nil {
		p.Actions.Local, origin = *f.Local, inFile("actions.believe_local")
	}
	p.set("actions.believe_local", p.Actions.Local, origin)
	return nil
}

// watchFlags are those of the command watch.
type watchFlags struct {
	enforce, dryRun, once, test bool
	drivers                     []string
}

func (c *command) watchCommand() *cobra.Command {
	var f watchFlags
	cmd := &cobra.Command{
		Use:   "watch [FILE|DIR...]",
		Short: "The daemon: follow logs and connections, judge, act",
		Long: `Follows the logs of this machine's servers, or those named, through every kind of rotation, the journal and the
connections, and judges while it reads.

By default it says what it would block. With --enforce, or mode = "enforce" in the section [actions] of the
configuration, it blocks who is malicious, for longer each time, through the same guard as connwarden block. It never
blocks for what a local account or a client could have written into a log alone.

After a stop or a crash it goes on where it was. --once reads what is there since the last time and ends. SIGHUP has it
read its configuration, rules and tables again; what is wrong in them is said, and those before stay in force.

It tells people by mail, chats, a webhook or a program of yours, serves figures for Prometheus, keeps quiet during a
deployment (connwarden quiet) and maintenance, and treats sites differently: docs/watch.md has an example of everything.

Exit codes: 0 stopped; 1 failed; 2 used wrongly; 4 a log that --once was to read could not be read.`,
		Example: "  connwarden watch\n  connwarden watch --enforce --json\n  connwarden watch --once --json /var/log/nginx/access.log",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.watch(cmd.Context(), f, args) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.enforce, "enforce", false, "block, whatever the configuration says")
	fs.BoolVar(&f.dryRun, "dry-run", false, "block nothing, whatever the configuration says, and remember nothing")
	fs.BoolVar(&f.once, "once", false, "read what is there, and end")
	fs.StringSliceVar(&f.drivers, "with", nil, "block with `DRIVER` (default: the firewall that this machine really uses)")
	fs.BoolVar(&f.test, "test-notifications", false, "send a test over each channel of the configuration, and end")
	fs.StringVar(&c.flags.metrics, "metrics", "", "serve /metrics for Prometheus at `ADDR`: a port of this machine alone, an address with a port, or unix:/PATH")
	fs.StringVar(&c.flags.logLevel, "log-level", "", "what it says of itself on standard error: debug, info, warn or error (default warn)")
	fs.StringVar(&c.flags.logFormat, "log-format", "", "text or json (default: json with --json)")
	fs.BoolVar(&c.flags.noConns, "no-conns", false, "do not look at connections")
	fs.StringVar(&c.flags.format, "format", "", "format of the named logs: a name, a LogFormat or a log_format `STRING`")
	return cmd
}

// watchGC makes the heap grow by a third before it is collected: following makes little garbage, and lives long.
const watchGC = 33

// stateFile keeps how far logs were read, in the state folder.
const stateFile = "watch.json"

func (c *command) watch(ctx context.Context, f watchFlags, args []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	if f.enforce && f.dryRun {
		return usage("choose one", "--enforce and --dry-run exclude each other")
	}
	if c.flags.csv {
		return usage("use --json", "--csv: messages are not rows")
	}
	if f.test {
		return c.testNotifications(ctx, p)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	if given := c.env.Getenv(hand.Variable); given != "" {
		var gone <-chan struct{}
		if c.hand, c.listener, gone, err = hand.Inherited(given); err != nil {
			return err
		}
		go func() { // ends with the process, or the hand
			<-gone
			stop()
		}()
	} else if p.Daemon.Reader != "" && !f.once && !f.dryRun {
		return c.part(ctx, p, f, args)
	}
	debug.SetGCPercent(watchGC)
	r := &running{c: c, flags: f, args: args}
	defer r.end()
	opt, k, err := r.options(ctx, p)
	if err != nil {
		return err
	}
	r.keeper, opt.Beat, opt.Behind, opt.Ease = k, c.beat(ctx), behindProxies, ease
	out := bufio.NewWriterSize(c.env.Stdout, 32<<10) // some 100 blocks of one act
	var broken error                                 // who reads us is gone
	opt.Tell = func(m any) {
		if broken == nil {
			broken = c.message(out, m)
			if b, ok := m.(*live.Block); !ok || !b.More {
				broken = errors.Join(broken, out.Flush())
			}
		}
	}
	if !f.dryRun && !f.once {
		defer c.attend(ctx, p, &opt)()
	}
	if err := r.begin(ctx, p, &opt); err != nil {
		return err
	}
	if !f.dryRun && !f.once {
		c.takePart(ctx, p, f, &opt)
	}
	err = live.Run(ctx, opt)
	if errors.Is(err, live.ErrMissed) && broken == nil {
		return &exitError{code: exitPartial} // what and why was told
	}
	return errors.Join(err, broken)
}

// message writes one message of the pipeline.
func (c *command) message(w *bufio.Writer, m any) error {
	if c.flags.json {
		if b, ok := m.(*live.Block); ok {
			if line, ok := blockLine(w.AvailableBuffer(), b); ok {
				_, err := w.Write(line)
				return err
			}
		}
		return report.JSON(w, m)
	}
	line := ""
	switch m := m.(type) {
	case *live.Start:
		line = fmt.Sprintf("follows %d logs; mode %s", m.Logs, m.Mode)
		if len(m.Drivers) > 0 {
			line += ", with " + strings.Join(m.Drivers, " ")
		}
		return stamped(w, m.Head, line)
	case *live.Verdict:
		line = fmt.Sprintf("%s %s %d", m.Addr, strings.ToUpper(m.Verdict), m.Score)
		for _, e := range m.Evidence {
			line += "; " + e.Why
		}
		if m.Exempt != "" {
			line += "; must not be blocked: " + m.Exempt
		}
		if m.Held != "" {
			line += "; not blocked: " + m.Held
		}
		for _, next := range m.Next {
			line += "\n    -> " + next
		}
		return stamped(w, m.Head, line)
	case *live.Block:
		line = m.Target + " " + m.Why
		if m.Undo != "" {
			line = fmt.Sprintf("%s until %s (%s); to undo: %s", m.Target, until(m.Until), strings.Join(m.Drivers, " "), m.Undo)
		}
		return stamped(w, m.Head, line)
	case *live.Problem:
		return stamped(w, m.Head, m.What+": "+m.Why)
	case *live.Mode:
		return stamped(w, m.Head, modeWords(m))
	case *live.Reload:
		if !m.Done {
			return stamped(w, m.Head, "refused, the configuration before stays in force: "+m.Why)
		}
		return stamped(w, m.Head, "the configuration was read again")
	case *live.End:
		return stamped(w, m.Head, fmt.Sprintf("%d lines read, %d verdicts, %d blocks", m.Lines, m.Verdicts, m.Blocks))
	}
	return nil
}

func stamped(w io.Writer, h live.Head, line string) error {
	_, err := fmt.Fprintf(w, "%s %-8s %s\n", h.Time.Format("2006-01-02 15:04:05"), h.Type, line)
	return err
}

func until(t *time.Time) string {
	if t == nil {
		return "it is lifted"
	}
	return t.Format("2006-01-02 15:04:05")
}

// daemon is the keeper of a process that lives on: it holds the lock of the state folder only while it acts, so that the
// commands have their turn.
type daemon struct {
	c *command
	w *warden
}

func (c *command) daemon(ctx context.Context, p *Plan, walls *firewalls) (*daemon, error) {
	w, err := c.warden(ctx, p, walls, writes)
	if err != nil {
		return nil, err
	}
	w.daemon = true
	w.keeper.Lifts = func() string { return "" } // we do
	d := &daemon{c, w}
	d.release()
	return d, nil
}

func (d *daemon) release() {
	if d.w.lock != nil {
		d.w.lock.Close()
		d.w.lock = nil
	}
}

// Block blocks under the lock.
func (d *daemon) Block(ctx context.Context, requests ...block.Request) (*block.Outcome, error) {
	if err := d.w.hold(ctx, filepath.Join(d.w.plan.StateDir, "lock")); err != nil {
		return nil, err
	}
	defer d.release()
	return d.w.keeper.Block(ctx, requests...)
}

// Sync compares under the lock.
func (d *daemon) Sync(ctx context.Context, drivers ...string) (*block.Outcome, []block.Synced, error) {
	if err := d.w.hold(ctx, filepath.Join(d.w.plan.StateDir, "lock")); err != nil {
		return nil, nil, err
	}
	defer d.release()
	out, list, err := d.w.keeper.Sync(ctx, drivers...)
	if out != nil {
		out.Problems = append(out.Problems, d.w.problems...)
		d.w.problems = nil
	}
	return out, list, err
}

// Moved tells whether a firewall may have been changed by somebody, for which no lock is needed.
func (d *daemon) Moved(ctx context.Context) (bool, error) { return d.w.keeper.Moved(ctx) }

// Each hands over what is wanted now, by the journal, for which no lock is needed.
func (d *daemon) Each(ctx context.Context, each func(*block.Wish)) error {
	return d.w.keeper.Each(ctx, each)
}

// Last returns the last that the journal knows of blocks.
func (d *daemon) Last(ctx context.Context, keys ...connwarden.BlockKey) ([]block.Wish, error) {
	return d.w.keeper.Last(ctx, keys...)
}

// every is how often the firewalls are compared with what is wanted: where one ends no block by itself, as precisely as a
// person expects a block to end.
func (d *daemon) every(ctx context.Context, drivers []string) time.Duration {
	for _, name := range drivers {
		if wall, err := d.w.walls.get(ctx, name); err == nil && !wall.Properties().Expiry {
			return 10 * time.Second
		}
	}
	return 0
}

func (d *daemon) close() { d.w.close() }

var _ live.Keeper = (*daemon)(nil)
