package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/connwarden/connwarden/hand"
	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tell"
)

// running is a daemon and what a reload replaces of it.
type running struct {
	c       *command
	flags   watchFlags
	args    []string
	metrics live.Metrics
	level   slog.LevelVar
	log     *slog.Logger
	teller  *tell.Teller

	mu      sync.Mutex // guards the rest
	plan    *Plan
	keeper  keeper // nil: nothing is blocked
	figures *figures
}

// keeper is what blocks: of this process, or its hand's.
type keeper interface {
	hand.Keeper
	close()
}

// remote is the hand's.
type remote struct{ *hand.Remote }

func (r remote) close() { r.Close() }

// options makes of a configuration what the daemon runs on, and its keeper, nil if it only suggests.
func (r *running) options(ctx context.Context, p *Plan) (opt live.Options, k keeper, err error) {
	c := r.c
	base, err := c.options(p, r.args, "")
	if err != nil {
		return opt, nil, err
	}
	set, err := c.loadRules(p)
	if err != nil {
		return opt, nil, err
	}
	for i := range set.Rules { // examples are asked of no daemon: 0.4 MB
		set.Rules[i].Fires, set.Rules[i].Spares = "", ""
	}
	id := c.identity(p)
	opt = live.Options{
		Options: base.Options, Rules: set, Networks: id.Networks, Bots: id.Bots, Resolver: id.Resolver, Conns: len(r.args) == 0 && !c.flags.noConns,
		Once: r.flags.once, Local: p.Actions.Local, Policy: p.Policy, Metrics: &r.metrics,
	}
	if !r.flags.dryRun {
		opt.History = live.File(filepath.Join(p.WatchDir, stateFile))
	}
	k, err = r.acting(ctx, p, &opt)
	return opt, k, err
}

// acting adds to the options what is needed to block. The keeper is nil if nothing is to be blocked.
func (r *running) acting(ctx context.Context, p *Plan, opt *live.Options) (keeper, error) {
	if r.flags.enforce {
		opt.Policy.Suggest = false
	}
	if r.flags.dryRun || opt.Policy.Suggest && !opt.Policy.Enforces() {
		return nil, nil
	}
	walls := r.c.firewalls(p)
	opt.Policy.Sites = slices.Clone(opt.Policy.Sites)
	for i := range opt.Policy.Sites {
		s := &opt.Policy.Sites[i]
		if s.Folder == "" {
			continue
		}
		var err error
		if s.Folder, err = filepath.EvalSymlinks(s.Folder); err != nil {
			return nil, fmt.Errorf("%s: site[%d].folder: %w", p.File, i, err)
		}
		walls.machine.sites = append(walls.machine.sites, s.Folder)
	}
	if r.c.hand != nil {
		return r.asking(opt)
	}
	var err error
	if opt.Drivers, err = walls.choose(ctx, splitNames(r.flags.drivers), p.Block.Drivers, false); err != nil {
		return nil, err
	}
	k, err := r.c.daemon(ctx, p, walls)
	if err != nil {
		return nil, err
	}
	opt.Keeper, opt.Sync = k, k.every(ctx, append(opt.Policy.Drivers(), opt.Drivers...))
	return k, nil
}

// asking has the hand block, which reads the configuration for itself.
func (r *running) asking(opt *live.Options) (keeper, error) {
	k, err := r.c.hand.Open()
	if err == nil && k == nil {
		err = errors.New("the hand blocks nothing: the configuration was changed just now")
	}
	if err != nil {
		return nil, err
	}
	opt.Drivers, opt.Sync, opt.Keeper = k.Drivers, k.Every, k
	return remote{k}, nil
}

// begin makes what a daemon has besides: its log, its figures, its notifications, and that it reads its configuration again
// when it is told to. It adds to opt.
func (r *running) begin(ctx context.Context, p *Plan, opt *live.Options) error {
	r.log = r.c.logger(p, &r.level)
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	channels, err := p.channels()
	if err != nil {
		return err
	}
	r.teller = tell.New(host, p.Zone, r.log)
	tells := tellFigures(r.teller)
	r.metrics.More = func(e *live.Exposition) {
		tells(e)
		if h, ok := opt.Recorder.(*historian); ok && h.ship != nil {
			shipFigures(h.ship, e)
		}
	}
	if !r.flags.once && !r.flags.dryRun {
		r.teller.Set(channels)
	}
	r.plan = p
	if p.Metrics != nil && !r.flags.once {
		if r.figures, err = serveFigures(ctx, *p.Metrics, &r.metrics, r.log); err != nil {
			return err
		}
	}
	notify := r.c.notifier()
	var n noter
	inner := opt.Tell
	opt.Tell = func(m any) {
		inner(m)
		logged(r.log, m)
		if note, ok := n.note(m); ok {
			r.teller.Tell(note)
		}
		if _, ok := m.(*live.Reload); ok {
			notify("READY=1")
		}
	}
	if !r.flags.once {
		opt.Reload, opt.Renew = r.hangups(ctx, notify), r.renew
	}
	return nil
}

// hangups turns signals into wishes for a reload. Several at once are one.
func (r *running) hangups(ctx context.Context, notify func(string)) <-chan struct{} {
	signals, wishes := make(chan os.Signal, 1), make(chan struct{}, 1)
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			notify(reloading())
			select {
			case wishes <- struct{}{}:
			default:
			}
		}
	}()
	return wishes
}

// renew reads the configuration and all that it names again. It runs beside the daemon; what it made is taken into use, or
// not, by live.Options.Taken.
func (r *running) renew(ctx context.Context) (*live.Options, error) {
	p, err := r.c.plan()
	if err != nil {
		return nil, located(err, r.c.flags.config, r.c)
	}
	channels, err := p.channels()
	if err != nil {
		return nil, located(err, p.File, r.c)
	}
	r.mu.Lock()
	before, old := r.plan, r.figures
	r.mu.Unlock()
	fresh, moved := old, !samePlace(before, p)
	if moved {
		if fresh = nil; p.Metrics != nil {
			if fresh, err = serveFigures(ctx, *p.Metrics, &r.metrics, r.log); err != nil {
				return nil, err
			}
		}
	}
	opt, k, err := r.options(ctx, p)
	if err != nil {
		if moved {
			fresh.close()
		}
		return nil, located(err, p.File, r.c)
	}
	if before.History != p.History || before.Daemon != p.Daemon || before.ClickHouse != p.ClickHouse {
		r.log.Warn("a change of [history], [clickhouse] or [daemon] waits for a restart")
	}
	opt.Taken = func(used bool) {
		if !used {
			if k != nil {
				k.close()
			}
			if moved {
				fresh.close()
			}
			return
		}
		r.mu.Lock()
		gone := r.keeper
		r.plan, r.keeper, r.figures = p, k, fresh
		r.mu.Unlock()
		r.level.Set(p.Log.Level)
		if !r.flags.dryRun {
			r.teller.Set(channels)
		}
		if gone != nil {
			gone.close()
		}
		if moved {
			old.close()
		}
	}
	return &opt, nil
}

// samePlace tells whether two plans serve metrics at the same place.
func samePlace(a, b *Plan) bool {
	if a.Metrics == nil || b.Metrics == nil {
		return a.Metrics == b.Metrics
	}
	return *a.Metrics == *b.Metrics
}

// tellPatience is how long the end waits for notifications that are under way.
const tellPatience = 3 * time.Second

// end ends all that begin and options made.
func (r *running) end() {
	if r.teller != nil {
		ctx, stop := context.WithTimeout(context.Background(), tellPatience)
		r.teller.Close(ctx)
		stop()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.figures.close(); err != nil {
		r.log.Warn("metrics ended", "error", err.Error())
	}
	if r.keeper != nil {
		r.keeper.close()
	}
}

// testNotifications sends a test over each channel and says what came of it.
func (c *command) testNotifications(ctx context.Context, p *Plan) error {
	if len(p.Notify) == 0 {
		return usage("write a section [[notify]] into the configuration; docs/watch.md shows each kind", "nothing is configured")
	}
	channels, err := p.channels()
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	failed := false
	for i, err := range tell.TestAll(ctx, host, c.env.Now().In(p.Zone), channels) {
		line := struct {
			Type    string `json:"type"`
			Channel string `json:"channel"`
			Sent    bool   `json:"sent"`
			Why     string `json:"why,omitempty"`
		}{"notification", channels[i].Name, err == nil, ""}
		text := "sent"
		if err != nil {
			failed = true
			line.Why = strings.TrimPrefix(err.Error(), line.Channel+": ")
			text = "not sent: " + line.Why
		}
		if c.flags.json {
			err = report.JSON(c.env.Stdout, line)
		} else {
			_, err = fmt.Fprintf(c.env.Stdout, "%s  %s\n", line.Channel, text)
		}
		if err != nil {
			return err
		}
	}
	if failed {
		return &exitError{code: exitFailed}
	}
	return nil
}

// located adds to an error of the configuration the line on which its setting stands, and what would be right.
func located(err error, file string, c *command) error {
	if file == "" {
		file = defaultConfig(c.env.Getenv)
	}
	text := err.Error()
	if rest, ok := strings.CutPrefix(text, file+": "); ok {
		key, _, _ := strings.Cut(rest, ":")
		if n := lineOf(file, key); n > 0 {
			text = fmt.Sprintf("%s:%d: %s", file, n, rest)
		}
	}
	if hint := hintFor(err); hint != "" {
		text += "; " + hint
	}
	return errors.New(text)
}

// lineOf is the line of a configuration file on which a setting stands, as in "actions.mode" and "notify[1].server", or its
// section does; 0 if there is none.
func lineOf(file, setting string) (line int) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	var p unstable.Parser
	p.Reset(b)
	counts := map[string]int{}
	table := ""
	best := 0
	for p.NextExpression() {
		e := p.Expression()
		var words []string
		at := 0
		for it := e.Key(); it.Next(); {
			n := it.Node()
			if words = append(words, string(n.Data)); at == 0 {
				at = p.Shape(n.Raw).Start.Line
			}
		}
		name := strings.Join(words, ".")
		switch e.Kind {
		case unstable.Table:
			table = name
		case unstable.ArrayTable:
			table = fmt.Sprintf("%s[%d]", name, counts[name])
			counts[name]++
		case unstable.KeyValue:
			if table != "" {
				name = table + "." + name
			}
			if name == setting {
				return at
			}
			continue
		}
		if table == setting || strings.HasPrefix(setting, table+".") {
			best = at
		}
	}
	return best
}
