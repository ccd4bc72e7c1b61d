package cli

import (
	"cmp"
	"io"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/conns"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/tally"
	"github.com/connwarden/connwarden/watch"
)

func (c *command) connsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "conns",
		Short: "Active connections, counted",
		Long: `Counts the connections that the kernel knows, or those of saved text.

Counted are every TCP state but LISTEN, and connected UDP; not connections of this machine with itself over loopback
(--loopback counts those too) and not listeners (--all counts all of it). A port is the service's port: ours for a
connection that came in, theirs for one that goes out, and the two are never added together.

--from reads netstat -ntu, -tuna, -ntup; ss -tan, -tunap, -Htn; /proc/net/tcp and tcp6; conntrack -L; netstat -ano of
Windows; netstat -an of macOS and FreeBSD: it sees for itself which.`,
		Example: "  connwarden conns\n  connwarden conns --by port --in\n  connwarden conns --state syn-recv --by net\n  netstat -ntu | connwarden conns --from -",
		Args:    cobra.NoArgs,
		RunE:    c.conns,
	}
	f := cmd.Flags()
	f.StringVar(&c.flags.by, "by", "", "count by `KEY`: ip, net (/24 and /64), port, state, process, country, asn, or conn for one row each (default ip)")
	f.StringVar(&c.flags.states, "state", "", "only these states, a `LIST`: established,syn-recv,time-wait…")
	f.StringVar(&c.flags.ports, "port", "", "only these service ports, a `LIST`: 80,443,8000-8010 or names")
	f.BoolVar(&c.flags.in, "in", false, "only connections that came in")
	f.BoolVar(&c.flags.out, "out", false, "only connections that go out")
	f.BoolVar(&c.flags.loopback, "loopback", false, "count connections with both ends on loopback too")
	f.BoolVar(&c.flags.all, "all", false, "count listeners and loopback too")
	f.BoolVar(&c.flags.processes, "processes", false, "say which processes hold them")
	f.StringVar(&c.flags.netns, "netns", "", "look into other network namespaces too: all, or the `NAME` of one")
	f.Var((*rowCount)(&c.flags.top), "top", "show `N` rows, 0 for all")
	f.StringVar(&c.flags.from, "from", "", "read saved text from `FILE` (- is standard input) instead of the kernel")
	return cmd
}

func (c *command) conns(cmd *cobra.Command, _ []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	key, err := tally.ParseConnKey(cmp.Or(c.flags.by, "ip"))
	if err != nil {
		return usage("one of ip, net, port, state, process, country, asn, conn", "--by: %w", err)
	}
	states, err := conns.ParseStates(c.flags.states)
	if err != nil {
		return usage("one or more of established, syn-recv, syn-sent, time-wait, close-wait, fin-wait1, fin-wait2, last-ack, closing, listen", "--state: %w", err)
	}
	ports, err := conns.ParsePorts(c.flags.ports)
	if err != nil {
		return usage("numbers, ranges or names: 80,443,8000-8010,ssh", "--port: %w", err)
	}
	dir := connwarden.DirUnknown
	switch {
	case c.flags.in && c.flags.out:
		return usage("without either both are counted", "--in and --out exclude each other")
	case c.flags.in:
		dir = connwarden.DirIn
	case c.flags.out:
		dir = connwarden.DirOut
	}
	id := c.networks(p)
	d, missed, err := watch.Conns(cmd.Context(), watch.ConnsOptions{
		Place: id.Place(),
		Clock: c.env.Now, From: c.flags.from, Stdin: c.env.Stdin, By: key, Top: p.Top,
		Conns: conns.Options{
			States: states, Ports: ports, Dir: dir, Listen: c.flags.all, Loopback: c.flags.loopback || c.flags.all,
			Processes: c.flags.processes || key == tally.ConnByProcess, Namespace: c.flags.netns,
		},
	})
	if err != nil {
		return err
	}
	err = c.print(d, func(t *report.Text, w io.Writer) error { return t.Conns(w, d) }, func(v *report.CSV) error { return v.Conns(d) })
	if err != nil {
		return err
	}
	return c.partial(d.Problems, missed)
}
