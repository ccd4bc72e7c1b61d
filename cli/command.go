package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/gather"
	"github.com/connwarden/connwarden/hand"
	"github.com/connwarden/connwarden/host"
	"github.com/connwarden/connwarden/logs"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/watch"
)

// Version is set when a release is built (-ldflags -X).
var Version = "0.1.0-dev"

// command is one run of the program: its environment, the flags that were given, and the plan made of them.
type command struct {
	env   *Env
	flags flags

	// Of a reader:
	hand     *hand.Client      // nil: this process blocks itself
	listener *net.UnixListener // the daemon's socket; nil: it is to be made

	null    sync.Once
	nothing block.Driver // the null firewall, of which a machine has one as of any other
}

// flags are those of every command and those that several share. A flag that was not given has the value that
// newRoot gives as default.
type flags struct {
	json, csv  bool
	config     string
	root       string
	zone       string
	now        string
	at         string
	noDNS      bool
	dnsTimeout string
	color      string

	since, until string
	top          int
	format       string
	by           string
	where        []string
	noIPs        bool
	from         string
	failOn       string

	states, ports string
	in, out       bool
	loopback, all bool
	processes     bool
	netns         string

	noConns, withConns, noLogs bool

	metrics, logLevel, logFormat string
}

// softMemory is where the collector begins to work harder instead of letting the heap double: tables under a flood of
// addresses hold some 70 MB, which would otherwise be 140 MB of heap.
const softMemory = 104 << 20

// Main runs the program and returns its exit code.
func Main(args []string, env *Env) int {
	debug.SetMemoryLimit(softMemory)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c := &command{env: env}
	root := c.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code := exitFailed
	var e *exitError
	if errors.As(err, &e) {
		code = e.code
	} else if isUsage(err) {
		code = exitUsage
	}
	if text := err.Error(); text != "" {
		for i, line := range strings.Split(text, "\n") {
			if i == 0 {
				line = "connwarden: " + line
			}
			fmt.Fprintln(env.Stderr, report.Clean(line))
		}
		if hint := hintFor(err); hint != "" {
			fmt.Fprintf(env.Stderr, "  %s\n", hint)
		}
	}
	return code
}

// isUsage recognises the errors that the command library makes by itself.
func isUsage(err error) bool {
	s := err.Error()
	return strings.HasPrefix(s, "unknown command") || strings.HasPrefix(s, "unknown flag") || strings.HasPrefix(s, "unknown shorthand") ||
		strings.Contains(s, "accepts ") && strings.Contains(s, " arg(s)") || strings.HasPrefix(s, "invalid argument") || strings.HasPrefix(s, "requires at least")
}

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "connwarden",
		Short: "Who is connected to this server, what they want, what is failing, and who is harmful",
		Long: `connwarden reads the kernel's table of connections and the logs of the web servers on this machine, and says in
one second who is connected, what they ask for, what fails and who is harmful.

Without a command it is "connwarden review".`,
		Example:       "  connwarden\n  connwarden review --since 15m --json\n  connwarden conns --by port\n  connwarden pages /var/log/nginx/access.log --by ip",
		Version:       Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          c.review,
	}
	root.SetVersionTemplate(fmt.Sprintf("connwarden {{.Version}} (%s, %s/%s)\n", runtime.Version(), runtime.GOOS, runtime.GOARCH))
	root.SetOut(c.env.Stdout)
	root.SetErr(c.env.Stderr)
	root.SetIn(c.env.Stdin)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("see "+cmd.CommandPath()+" --help", "%w", err)
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return c.checkAt(cmd) }
	f := root.PersistentFlags()
	f.BoolVar(&c.flags.json, "json", false, "print one JSON object")
	f.BoolVar(&c.flags.csv, "csv", false, "print the rows as CSV")
	f.StringVar(&c.flags.config, "config", "", "read the configuration from `FILE`")
	f.StringVar(&c.flags.root, "root", "", "take `DIR` for / when looking for logs, panels and configuration")
	f.StringVar(&c.flags.zone, "tz", "", "`ZONE` of times that logs write without one (default: the machine's)")
	f.StringVar(&c.flags.now, "now", "", "judge as of `TIME` (default: the clock; for named logs the time of their last line)")
	f.StringVar(&c.flags.at, "at", "", "answer for a past `TIME`, from the logs and from what connwarden watch wrote down: \"yesterday 14:00\"")
	f.BoolVar(&c.flags.noDNS, "no-dns", false, "ask no name server")
	f.StringVar(&c.flags.dnsTimeout, "dns-timeout", "800ms", "wait at most `D` for name servers")
	f.StringVar(&c.flags.color, "color", "auto", "colours: auto, always or never")
	c.flags.top = -1
	c.reviewFlags(root)
	defer tellDefaults(root)
	root.AddCommand(c.reviewCommand(), c.topCommand(), c.connsCommand(), c.pagesCommand(), c.errorsCommand(), c.explainCommand(), c.rulesCommand(), c.ipCommand(), c.doctorCommand(), c.configCommand(), c.updateCommand())
	root.AddCommand(c.blockCommand(), c.unblockCommand(), c.blocksCommand(), c.allowCommand(), c.disallowCommand(), c.allowedCommand(), c.undoCommand(), c.confirmCommand(), c.syncCommand())
	root.AddCommand(c.fleetCommand(), c.joinCommand(), c.leaveCommand(), c.revokeCommand())
	root.AddCommand(c.watchCommand(), c.quietCommand(), c.webCommand(), c.reportCommand())
	return root
}

// tellDefaults says in the help what a flag that was not given means, where the library would show our mark for that.
func tellDefaults(root *cobra.Command) {
	for _, cmd := range append(root.Commands(), root) {
		if f := cmd.Flags().Lookup("top"); f != nil {
			f.DefValue = "10"
		}
	}
}

// start checks what every command needs.
func (c *command) start() (*Plan, error) {
	if c.flags.json && c.flags.csv {
		return nil, usage("choose one", "--json and --csv exclude each other")
	}
	switch c.flags.color {
	case "auto", "always", "never":
	default:
		return nil, usage("one of auto, always, never", "--color %q", c.flags.color)
	}
	if _, err := time.ParseDuration(c.flags.dnsTimeout); err != nil {
		return nil, usage("write it as 500ms or 2s", "--dns-timeout %q is no duration", c.flags.dnsTimeout)
	}
	if c.flags.noConns && (c.flags.withConns || c.flags.from != "") {
		return nil, usage("leave one away", "--no-conns excludes --conns and --from")
	}
	if c.flags.root != "" {
		if info, err := os.Stat(c.flags.root); err != nil {
			return nil, usage("name a folder that holds etc and var", "--root: %w", err)
		} else if !info.IsDir() {
			return nil, usage("name a folder that holds etc and var", "--root %s is no folder", c.flags.root)
		}
	}
	return c.plan()
}

// rowCount is how many rows --top asks for; -1 when it was not said.
type rowCount int

// String implements pflag.Value.
func (n *rowCount) String() string {
	if *n < 0 {
		return ""
	}
	return strconv.Itoa(int(*n))
}

// Set implements pflag.Value.
func (n *rowCount) Set(text string) error {
	v, err := strconv.Atoi(text)
	if err != nil || v < 0 {
		return errors.New("a number of rows, or 0 for all")
	}
	*n = rowCount(v)
	return nil
}

// Type implements pflag.Value.
func (n *rowCount) Type() string { return "int" }

// window turns --since, --until and --now into the options of the pipeline.
func (c *command) window(p *Plan, since string) (w gather.Window, err error) {
	read := func(flag, text string) moment {
		if text == "" || err != nil {
			return nil
		}
		m, e := parseMoment(text, p.Zone)
		if e != nil {
			err = usage("try 15m, 1h, 2d, yesterday, 14:00 or 2026-11-22T14:00:00+01:00", "%s: %w", flag, e)
		}
		return m
	}
	if since == "" && c.flags.at != "" {
		since = p.Since
	}
	w.Since, w.Until = read("--since", since), read("--until", c.flags.until)
	if now := read("--now", c.flags.now); now != nil {
		w.Now = now(c.env.Now())
	}
	if at, e := c.moment(p); e != nil {
		err = e
	} else if !at.IsZero() {
		if w.Now = at; w.Until == nil {
			w.Until = func(time.Time) time.Time { return at }
		}
	}
	w.Clock = c.env.Now
	return w, err
}

func (c *command) options(p *Plan, args []string, since string) (watch.Options, error) {
	if c.flags.format != "" {
		if _, err := logs.Lookup(c.flags.format); err != nil {
			return watch.Options{}, usage("a name such as apache_combined, an Apache LogFormat or an nginx log_format", "--format: %w", err)
		}
	}
	w, err := c.window(p, since)
	return watch.Options{
		Options: gather.Options{
			Host: host.New(c.flags.root), Window: w, Files: args, Extra: p.Logs, Stdin: c.env.Stdin, Zone: p.Zone, Format: c.flags.format,
			Proxies: p.Proxies, CDN: p.CDN,
		},
		Top: p.Top, Progress: c.progress(),
	}, err
}

// progress draws a bar on a terminal once the work lasts over half a second.
func (c *command) progress() func(done, total int64) {
	if !c.env.ErrTerminal || c.flags.json && c.env.OutTerminal {
		return nil
	}
	start := c.env.Now()
	return func(done, total int64) {
		took := c.env.Now().Sub(start)
		if took < 500*time.Millisecond {
			return
		}
		if total > 0 && done >= total {
			fmt.Fprint(c.env.Stderr, "\r\x1b[K")
			return
		}
		fmt.Fprintf(c.env.Stderr, "\r\x1b[K%s", report.Progress(done, total, took))
	}
}

// print writes a document in the form that was asked for.
func (c *command) print(doc any, text func(*report.Text, io.Writer) error, csv func(*report.CSV) error) error {
	switch {
	case c.flags.json:
		return report.JSON(c.env.Stdout, doc)
	case c.flags.csv && csv != nil:
		return csv(report.NewCSV(c.env.Stdout))
	case c.flags.csv:
		return usage("use --json", "--csv: this command prints no rows")
	default:
		return text(c.text(), c.env.Stdout)
	}
}

func (c *command) text() *report.Text {
	t := &report.Text{Width: c.env.Columns, Whole: !c.env.OutTerminal}
	if t.Width <= 0 {
		t.Width = 100
	}
	switch c.flags.color {
	case "always":
		t.Color = true
	case "auto":
		t.Color = c.env.OutTerminal && c.env.Getenv("NO_COLOR") == "" && c.env.Getenv("TERM") != "dumb"
	}
	t.ASCII = !c.env.OutTerminal || !utf8Locale(c.env.Getenv)
	return t
}

// utf8Locale tells whether a terminal shows more than ASCII, by the order in which setlocale(3) asks.
func utf8Locale(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return runtime.GOOS == "windows" || runtime.GOOS == "darwin"
}

// partial is the exit of work that was done but for a source that the user named. What was missed is also said on
// standard error when standard output is for a program.
func (c *command) partial(problems []report.Problem, missed bool) error {
	if !missed {
		return nil
	}
	if c.flags.json || c.flags.csv {
		for _, p := range problems {
			fmt.Fprintf(c.env.Stderr, "connwarden: %s: %s\n", report.Clean(p.What), report.Clean(p.Why))
		}
	}
	return &exitError{code: exitPartial}
}
