package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/fleet"
	"github.com/connwarden/connwarden/report"
)

// joinFlags are those of the command join.
type joinFlags struct{ name, token, creds, ca, group string }

func (c *command) joinCommand() *cobra.Command {
	var f joinFlags
	cmd := &cobra.Command{
		Use:   "join URL",
		Short: "Make this server a member of a fleet",
		Long: `Makes this server a member of the fleet whose hub is at URL. The token, which connwarden-hub token prints at the hub,
is read from standard input; it works once. From then on connwarden watch shares what is blocked, let go and allowed
here, and holds what other hosts decided, through this host's own guard.

--creds joins a NATS of your own (2.11 or later) instead; docs/fleet.md says what it needs.

Exit codes: 0 done; 1 failed; 2 used wrongly.`,
		Example: "  connwarden-hub token | ssh web3 connwarden join tls://hub.example.net:4222\n  connwarden join hub.example.net --token FILE",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.join(cmd.Context(), f, args[0]) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.name, "name", "", "be known as `NAME` (default: the host's name)")
	fs.StringVar(&f.token, "token", "-", "read the token from `FILE`")
	fs.StringVar(&f.creds, "creds", "", "join a NATS of your own with the credentials in `FILE`")
	fs.StringVar(&f.ca, "ca", "", "trust the CA in `FILE` (with --creds; default: the system's)")
	fs.StringVar(&f.group, "group", "default", "be of `GROUP` (with --creds)")
	return cmd
}

// maxTokenFile is more than any token has.
const maxTokenFile = 64 << 10

func (c *command) join(ctx context.Context, f joinFlags, hub string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	if id, err := fleet.Load(p.StateDir); err == nil {
		return &exitError{exitFailed, fmt.Errorf("this host is %s of the fleet at %s already", fleet.Name(id.Host), strings.Join(id.URLs, ", ")), "connwarden leave"}
	} else if !errors.Is(err, fleet.ErrAlone) {
		return err
	}
	if f.name == "" {
		if f.name, err = os.Hostname(); err != nil {
			return usage("give it one with --name", "this host has no name: %w", err)
		}
	}
	var id *fleet.Identity
	if f.creds != "" {
		id, err = ownNATS(ctx, f, hub)
	} else {
		var token string
		if token, err = c.token(f.token); err == nil {
			id, err = fleet.Join(ctx, hub, token, f.name)
		}
	}
	if err != nil {
		return err
	}
	if err := id.Save(p.StateDir); err != nil {
		return err
	}
	nudge(p.StateDir)
	return c.membership(id, "joined")
}

// ownNATS is an identity at a NATS of the user's own.
func ownNATS(ctx context.Context, f joinFlags, hub string) (*fleet.Identity, error) {
	creds, err := os.ReadFile(f.creds)
	if err != nil {
		return nil, err
	}
	var ca []byte
	if f.ca != "" {
		if ca, err = os.ReadFile(f.ca); err != nil {
			return nil, err
		}
	}
	return fleet.Use(ctx, hub, f.name, f.group, creds, ca)
}

// token reads the join token: one line.
func (c *command) token(name string) (string, error) {
	in := c.env.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	} else if c.env.ErrTerminal {
		fmt.Fprint(c.env.Stderr, "token: ")
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxTokenFile)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the token: %w", err)
	}
	if strings.TrimSpace(line) == "" {
		return "", usage("connwarden-hub token | ssh HOST connwarden join URL", "no token on standard input")
	}
	return line, nil
}

// membershipDoc is the answer of join and leave.
type membershipDoc struct {
	Schema   string   `json:"schema"`
	Done     string   `json:"done"` // joined or left
	Host     string   `json:"host"`
	Group    string   `json:"group"`
	Hubs     []string `json:"hubs"`
	May      []string `json:"may"`
	Operator bool     `json:"operator"`
}

func (c *command) membership(id *fleet.Identity, done string) error {
	d := membershipDoc{"connwarden.membership/1", done, fleet.Name(id.Host), id.Group, id.URLs, id.Kinds, id.Operator}
	return c.print(d, func(_ *report.Text, w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s as %s, group %s, at %s\n", done, report.Clean(d.Host), report.Clean(d.Group), report.Clean(strings.Join(d.Hubs, ", ")))
		if err == nil && done == "joined" {
			_, err = fmt.Fprintln(w, "connwarden watch shares from now on; connwarden fleet shows the others")
		}
		return err
	}, nil)
}

func (c *command) leaveCommand() *cobra.Command {
	force := false
	cmd := &cobra.Command{
		Use:   "leave",
		Short: "Leave the fleet",
		Long: `Ends this server's membership: the hub voids what it decided and its key, and this host forgets the hub. What it holds
because of others stays until its end: connwarden blocks shows it, connwarden unblock lifts it.

Exit codes: 0 done; 1 failed; 2 used wrongly.`,
		Example: "  connwarden leave\n  connwarden leave --force   # the hub is gone for good",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, id, err := c.identityOf()
			if err != nil {
				return err
			}
			if err := id.Leave(cmd.Context()); err != nil && !force {
				return &exitError{exitFailed, err, "connwarden leave --force forgets the hub without asking it"}
			}
			if err := id.Forget(); err != nil {
				return err
			}
			nudge(p.StateDir)
			return c.membership(id, "left")
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "forget the hub although it does not answer")
	return cmd
}

func (c *command) revokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke HOST",
		Short: "Shut a server out of the fleet",
		Long: `Has the hub shut out a host: its key is refused and all that it decided is void, at once and at every host. It may join
again with a new token. Only hosts that joined with a token of connwarden-hub token --operator may do this; at the hub
itself there is connwarden-hub revoke.

Exit codes: 0 done; 1 failed; 2 used wrongly.`,
		Example: "  connwarden revoke web3.example.net",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, id, err := c.identityOf()
			if err != nil {
				return err
			}
			if err := id.Revoke(cmd.Context(), args[0]); err != nil {
				return err
			}
			d := struct {
				Schema string `json:"schema"`
				Host   string `json:"revoked"`
			}{"connwarden.revoke/1", report.Clean(args[0])}
			return c.print(d, func(_ *report.Text, w io.Writer) error {
				_, err := fmt.Fprintf(w, "revoked %s\n", d.Host)
				return err
			}, nil)
		},
	}
}

// identityOf is this host in its fleet.
func (c *command) identityOf() (*Plan, *fleet.Identity, error) {
	p, err := c.start()
	if err != nil {
		return nil, nil, err
	}
	id, err := fleet.Load(p.StateDir)
	if errors.Is(err, fleet.ErrAlone) {
		return nil, nil, &exitError{exitFailed, err, "connwarden join URL makes it a member of one"}
	}
	return p, id, err
}

func (c *command) fleetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fleet [HOST]",
		Short: "The servers of the fleet, and whom they block",
		Long: `Shows the hosts of the fleet: how they are, how busy, what they block, when they were last seen; the attackers that
they decided against, each once, those of most hosts first; and what hosts did not take of each other, with the reason.

With a HOST that host is asked for its review, which is printed as connwarden review prints it there, but for the commands
that it would suggest: the host may be stolen. Only hosts that joined with a token of connwarden-hub token --operator may ask.

Exit codes: 0 done; 1 failed; 2 used wrongly.`,
		Example: "  connwarden fleet\n  connwarden fleet --json\n  connwarden fleet web3.example.net",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, id, err := c.identityOf()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return c.fleetReview(cmd.Context(), id, args[0])
			}
			return c.fleetView(cmd.Context(), p, id)
		},
	}
	cmd.Flags().Var((*rowCount)(&c.flags.top), "top", "show `N` attackers (0: all)")
	return cmd
}

// fleetLimit is how long all of the fleet may take to be read.
const fleetLimit = 30 * time.Second

// silentAfter is when a host that told nothing is said to be silent: three times it should have.
const silentAfter = 30 * time.Second

func (c *command) fleetView(ctx context.Context, p *Plan, id *fleet.Identity) error {
	w := id.Window()
	defer w.Close()
	d, err := c.fleetDocument(ctx, p, w, id, p.Top)
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) {
			return &exitError{exitFailed, err, "the name of the hub is not known here"}
		}
		return err
	}
	return c.print(d, func(t *report.Text, w io.Writer) error { return t.Fleet(w, d) }, func(v *report.CSV) error { return v.Fleet(d) })
}

// fleetDocument looks at the whole fleet; top is how many attackers are listed, 0 all.
func (c *command) fleetDocument(ctx context.Context, p *Plan, w *fleet.Window, id *fleet.Identity, top int) (*report.Fleet, error) {
	ctx, stop := context.WithTimeout(ctx, fleetLimit)
	defer stop()
	v, err := w.Look(ctx)
	if err != nil {
		return nil, err
	}
	now := c.env.Now()
	d := &report.Fleet{
		Schema: report.SchemaFleet, Host: fleet.Name(id.Host), Group: id.Group, Operator: id.Operator, Time: now.In(p.Zone),
		Hosts: make([]report.FleetHost, len(v.Hosts)), Blocked: []report.FleetBlock{}, Problems: []report.Problem{},
	}
	for i := range v.Hosts {
		d.Hosts[i] = hostRow(&v.Hosts[i], now, p.Zone)
	}
	for i := range v.Blocked {
		b := &v.Blocked[i]
		if !b.Until.After(now) {
			continue
		}
		if top > 0 && len(d.Blocked) == top {
			d.Rest++
			continue
		}
		d.Blocked = append(d.Blocked, report.FleetBlock{
			Target: b.Target.String(), Scope: b.Scope.String(), Hosts: b.Hosts, Score: b.Score, Until: report.When(b.Until.In(p.Zone)), Why: report.Clean(b.Why),
		})
	}
	if v.Unread > 0 {
		d.Problems = append(d.Problems, report.Problem{What: "fleet", Why: fmt.Sprintf("%d messages of other hosts cannot be read: they are damaged, or of a later version", v.Unread)})
	}
	if v.More > 0 {
		d.Problems = append(d.Problems, report.Problem{What: "fleet", Why: fmt.Sprintf("%d hosts and decisions are left out: there are more than can be looked at", v.More)})
	}
	return d, nil
}

func hostRow(s *fleet.Status, now time.Time, zone *time.Location) report.FleetHost {
	h := report.FleetHost{
		Host: report.Clean(s.Host), Group: report.Clean(s.Group), Health: report.Clean(s.Health), Seen: s.Time.In(zone), Version: report.Clean(s.Program), Load: s.Load, Cores: s.Cores,
		Open: s.Open, Requests: s.Requests, Errors: s.Errors, Findings: s.Findings, Blocks: s.Blocks, Held: s.Fleet.Held, Shared: s.Fleet.Shared, Refused: s.Fleet.Refused,
		Unread: s.Fleet.Unreadable, Recent: []report.FleetRefusal{}, Clock: s.Fleet.ClockAhead,
	}
	if s.Health != fleet.HealthStopped && now.Sub(s.Time) > silentAfter {
		h.Health = "silent"
	}
	for _, r := range s.Fleet.Recent {
		h.Recent = append(h.Recent, report.FleetRefusal{Kind: report.Clean(r.Kind), Target: report.Clean(r.Target), From: report.Clean(r.From), Why: report.Clean(r.Why), Time: r.Time})
	}
	return h
}

// fleetReview prints another host's review.
func (c *command) fleetReview(ctx context.Context, id *fleet.Identity, host string) error {
	b, err := id.Review(ctx, host)
	if err != nil {
		return err
	}
	d, err := foreign(b)
	if err != nil {
		return fmt.Errorf("the review of %s: %w", host, err)
	}
	return c.print(d, func(t *report.Text, w io.Writer) error { return t.Review(w, d) }, func(v *report.CSV) error { return v.Review(d) })
}

// What a review of another host may be made of. A daemon's has a tenth of it; each object costs us up to half a kilobyte.
const (
	maxObjects = 100_000
	maxTokens  = 1_000_000
)

// foreign reads a review that another host wrote, which may be stolen: every text in it is cleaned as if it came from a
// log, and what it would have typed is left out, since who reads it may be root everywhere.
func foreign(b []byte) (*report.Review, error) {
	if err := sparse(b); err != nil {
		return nil, err
	}
	var any any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&any); err != nil {
		return nil, err
	}
	b, err := json.Marshal(cleaned(any))
	if err != nil {
		return nil, err
	}
	doc := &report.Review{}
	if err := json.Unmarshal(b, doc); err != nil {
		return nil, err
	}
	for i := range doc.Findings {
		doc.Findings[i].Next = nil
	}
	for _, peers := range [][]report.Peer{doc.Peers, doc.Groups} {
		for i := range peers {
			peers[i].Next = nil
		}
	}
	return doc, nil
}

// sparse refuses what would grow beyond reason when it is read.
func sparse(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	objects := 0
	for range maxTokens {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, ok := t.(json.Delim); ok {
			objects++
		}
		if objects > 2*maxObjects { // each is seen twice
			break
		}
	}
	return errors.New("it is larger than any review")
}

func cleaned(v any) any {
	switch v := v.(type) {
	case string:
		return report.Clean(v)
	case []any:
		for i := range v {
			v[i] = cleaned(v[i])
		}
	case map[string]any:
		clean := make(map[string]any, len(v))
		for key, one := range v {
			clean[report.Clean(key)] = cleaned(one)
		}
		return clean
	}
	return v
}
