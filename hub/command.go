package hub

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/connwarden/connwarden/fleet"
)

// Version is set when a release is built (-ldflags -X).
var Version = "0.1.0-dev"

const help = `connwarden-hub is the engine of a fleet of connwardens: NATS with JetStream inside, TLS always.

  connwarden-hub run [--listen ADDR] [--name NAME,...]     serve hosts; at the first start secrets are made
  connwarden-hub token [--group G] [--may block,pardon,allow] [--operator] [--for 1h]
                                                           print a token with which one host joins, once
  connwarden-hub hosts [--json]                            who joined, and who is gone and why
  connwarden-hub revoke HOST                               shut a host out; what it decided is void
  connwarden-hub nodes [--json]                            which node leads, whether the others are there, how full it is
  connwarden-hub version

  --state DIR   behind any of them: where everything is kept (default $CONNWARDEN_HUB_DIR, or /var/lib/connwarden-hub)

Three nodes, which go on when one of them is lost, have the same keys.json in their state folders:

  connwarden-hub run --name hub1.example.net --node a --cluster 10.0.0.1:6222 --peers 10.0.0.2:6222,10.0.0.3:6222 \
      --hubs hub1.example.net:4222,hub2.example.net:4222,hub3.example.net:4222

Exit codes: 0 done; 1 failed; 2 used wrongly.
`

const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// errUsage is an error of the person at the keyboard.
var errUsage = errors.New("connwarden-hub help tells how it is used")

// program is one run.
type program struct {
	out, err io.Writer
	state    string
	flags    *flag.FlagSet
}

// Main runs the program and returns its exit code. It ends when ctx does.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer, getenv func(string) string) int {
	p := &program{out: stdout, err: stderr, flags: flag.NewFlagSet("connwarden-hub", flag.ContinueOnError)}
	p.flags.SetOutput(io.Discard)
	p.state = "/var/lib/connwarden-hub"
	if dir := getenv("CONNWARDEN_HUB_DIR"); dir != "" {
		p.state = dir
	}
	p.flags.StringVar(&p.state, "state", p.state, "")
	verb := "help"
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := p.do(ctx, verb, args)
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "connwarden-hub: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "connwarden-hub: %v\n", err)
		return exitFailed
	}
}

func (p *program) do(ctx context.Context, verb string, args []string) error {
	switch verb {
	case "run":
		return p.run(ctx, args)
	case "token":
		return p.token(ctx, args)
	case "hosts":
		return p.hosts(ctx, args)
	case "revoke":
		return p.revoke(ctx, args)
	case "nodes":
		return p.nodes(ctx, args)
	case "version", "--version":
		fmt.Fprintf(p.out, "connwarden-hub %s (%s, %s/%s)\n", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return nil
	case "help", "--help", "-h":
		fmt.Fprint(p.out, help)
		return nil
	default:
		if strings.HasPrefix(verb, "-") {
			return fmt.Errorf("%q stands before the command; options follow it, as in connwarden-hub run --state DIR: %w", verb, errUsage)
		}
		return fmt.Errorf("there is no command %q: %w", verb, errUsage)
	}
}

// parse reads flags and wants so many words besides.
func (p *program) parse(args []string, words int) error {
	// Flags may stand behind the words, as people write them.
	var rest []string
	for {
		if err := p.flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				fmt.Fprint(p.out, help)
			}
			return fmt.Errorf("%w: %w", err, errUsage)
		}
		if p.flags.NArg() == 0 {
			break
		}
		rest, args = append(rest, p.flags.Arg(0)), p.flags.Args()[1:]
	}
	if len(rest) != words {
		return fmt.Errorf("%d words where %d belong: %w", len(rest), words, errUsage)
	}
	return p.flags.Parse(rest)
}

func split(list string) (words []string) {
	for word := range strings.SplitSeq(list, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

func (p *program) run(ctx context.Context, args []string) error {
	listen := p.flags.String("listen", ":4222", "")
	names := p.flags.String("name", "", "")
	node := p.flags.String("node", "", "")
	cluster := p.flags.String("cluster", "", "")
	peers := p.flags.String("peers", "", "")
	hubs := p.flags.String("hubs", "", "")
	if err := p.parse(args, 0); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(p.err, nil))
	opt := Options{State: p.state, Listen: *listen, Node: *node, Cluster: *cluster, Peers: split(*peers), Hubs: split(*hubs), Log: log, Clock: time.Now}
	if _, err := opt.nodes(); err != nil {
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	opt.Names = reached(split(*names), *listen, *cluster)
	h, err := Start(ctx, opt)
	if err != nil {
		return err
	}
	defer h.Close()
	fmt.Fprintf(p.out, "serves hosts at %s as %s; CA %s\n", h.Address(), opt.Names[0], fleet.Fingerprint(h.keys.ca))
	<-ctx.Done()
	return nil
}

// reached are all names that the certificate must have: those given, or what the machine is called; where it listens; and
// itself, for our own commands.
func reached(names []string, listen ...string) []string {
	if len(names) == 0 {
		if host, err := os.Hostname(); err == nil {
			names = append(names, host)
		}
		list, _ := net.InterfaceAddrs() // a hub without any is still reached from its own machine
		for _, a := range list {
			if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
				names = append(names, n.IP.String())
			}
		}
	}
	for _, address := range listen {
		if host, _, err := net.SplitHostPort(address); err == nil && host != "" && !net.ParseIP(host).IsUnspecified() {
			names = append(names, host)
		}
	}
	names = append(names, "localhost", "127.0.0.1", "::1")
	seen := map[string]bool{}
	return slices.DeleteFunc(names, func(n string) bool {
		again := seen[n]
		seen[n] = true
		return again
	})
}

// open connects to the node that runs here.
func (p *program) open(ctx context.Context) (*admin, error) {
	if _, err := os.Stat(filepath.Join(p.state, KeysFile)); err != nil {
		return nil, fmt.Errorf("no hub was ever started here: %w", err)
	}
	k, err := openKeys(p.state, time.Now())
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(p.state, placeFile))
	if err != nil {
		return nil, fmt.Errorf("no hub runs here: %w", err)
	}
	host, port, err := net.SplitHostPort(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(p.state, placeFile), err)
	}
	if net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	login, err := k.hubLogin()
	if err != nil {
		return nil, err
	}
	conf := (&leaves{keys: k}).serving(true)
	conf.GetClientCertificate = nil
	nc, err := nats.Connect("tls://"+net.JoinHostPort(host, port), login, nats.Secure(conf), nats.Name("connwarden-hub"), nats.NoReconnect())
	if err != nil {
		return nil, fmt.Errorf("connect to the hub at %s: %w", net.JoinHostPort(host, port), err)
	}
	a := &admin{keys: k, nc: nc}
	if a.js, err = jetstream.New(nc); err == nil {
		a.list, err = a.js.KeyValue(ctx, listName)
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("open the hub's list: %w", err)
	}
	return a, nil
}

// longestToken bounds how long a token lies about.
const longestToken = 30 * 24 * time.Hour

func (p *program) token(ctx context.Context, args []string) error {
	group := p.flags.String("group", "default", "")
	may := p.flags.String("may", "block,pardon,allow", "")
	operator := p.flags.Bool("operator", false, "")
	life := p.flags.Duration("for", time.Hour, "")
	if err := p.parse(args, 0); err != nil {
		return err
	}
	r := &rights{Operator: *operator, Kinds: []string{}}
	var err error
	if r.Group, err = fleet.Word(*group); err != nil || strings.Contains(*group, ".") {
		return fmt.Errorf("--group: %q cannot be a group: letters, digits and hyphens; %w", *group, errUsage)
	}
	for _, word := range split(*may) {
		if _, ok := fleet.ParseKind(word); !ok {
			return fmt.Errorf("--may: %q: name some of block, pardon, allow; %w", word, errUsage)
		}
		r.Kinds = append(r.Kinds, word)
	}
	if *life < time.Minute || *life > longestToken {
		return fmt.Errorf("--for: a token lasts a minute to %d days; %w", longestToken/24/time.Hour, errUsage)
	}
	a, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer a.nc.Close()
	text, err := a.newToken(ctx, r, *life, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.out, text)
	return err
}

// hostRow is a host of connwarden-hub hosts --json.
type hostRow struct {
	Host     string     `json:"host"`
	Group    string     `json:"group"`
	May      []string   `json:"may"`
	Operator bool       `json:"operator"`
	Joined   time.Time  `json:"joined"`
	Gone     *time.Time `json:"gone"`
	Why      string     `json:"why,omitempty"`
}

// list is how commands begin that show what there is: as text, or as JSON. The caller closes the connection.
func (p *program) list(ctx context.Context, args []string) (a *admin, asJSON bool, err error) {
	json := p.flags.Bool("json", false, "")
	if err := p.parse(args, 0); err != nil {
		return nil, false, err
	}
	a, err = p.open(ctx)
	return a, *json, err
}

func (p *program) hosts(ctx context.Context, args []string) error {
	a, asJSON, err := p.list(ctx, args)
	if err != nil {
		return err
	}
	defer a.nc.Close()
	members, err := a.members(ctx)
	if err != nil {
		return err
	}
	rows := make([]hostRow, len(members))
	for i, m := range members {
		rows[i] = hostRow{Host: fleet.Name(m.Host), Group: m.Group, May: m.Kinds, Operator: m.Operator, Joined: m.Joined, Why: m.Why}
		if !m.Gone.IsZero() {
			rows[i].Gone = &m.Gone
		}
	}
	if asJSON {
		return json.NewEncoder(p.out).Encode(struct {
			Schema string    `json:"schema"`
			Hosts  []hostRow `json:"hosts"`
		}{"connwarden.hub/1", rows})
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tGROUP\tMAY\tJOINED\t")
	for _, r := range rows {
		may, gone := strings.Join(r.May, " "), ""
		if r.Operator {
			may += " operator"
		}
		if r.Gone != nil {
			gone = "gone " + r.Gone.Format(time.RFC3339) + ": " + r.Why
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Host, r.Group, may, r.Joined.Format(time.RFC3339), gone)
	}
	return w.Flush()
}

func (p *program) revoke(ctx context.Context, args []string) error {
	if err := p.parse(args, 1); err != nil {
		return err
	}
	host, err := fleet.Word(p.flags.Arg(0))
	if err != nil {
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	a, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer a.nc.Close()
	return a.revoke(ctx, host)
}

// revoke asks the hub as a host would: one place does it.
func (a *admin) revoke(ctx context.Context, host string) error {
	ctx, stop := context.WithTimeout(ctx, serveLimit)
	defer stop()
	m, err := a.nc.RequestWithContext(ctx, fleet.RevokeSubject+"hub."+host, nil)
	if err != nil {
		return fmt.Errorf("ask the hub: %w", err)
	}
	var answer fleet.Answer
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	return nil
}
