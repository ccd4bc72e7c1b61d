package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/web"
)

// webFlags are those of the command web.
type webFlags struct {
	listen   string
	names    []string
	password string
	cert     string
	key      string
	metrics  string
}

// defaultListen is where the page is served unless that port is taken.
const defaultListen = "127.0.0.1:4790"

func (c *command) webCommand() *cobra.Command {
	var f webFlags
	cmd := &cobra.Command{
		Use:   "web [FILE|DIR...]",
		Short: "The local page",
		Long: `Serves a page for a browser: what is wrong, who does it and what to press, live; peers, pages, errors, networks, blocks and
rules; and the same actions as the commands, through the same guard.

It prints the address to open, with a token that only this run knows; programs read /api/review and what else is below
/api/ with ?token= or the header Authorization: Bearer. By default nobody but users of this machine reaches
it; from afar, forward the port: ssh -L 4790:127.0.0.1:4790 SERVER. On a Unix socket (unix:/PATH) the rights of the file
stand in for the token. Elsewhere it wants --password-file and speaks TLS alone, with a certificate made at the start
unless --tls-cert and --tls-key name one.

Files are named and judged as by connwarden review.

Exit codes: 0 stopped; 1 failed; 2 used wrongly.`,
		Example: "  connwarden web\n  connwarden web --listen unix:/run/connwarden.sock\n  connwarden web --listen 0.0.0.0:4790 --password-file /root/page-password\n  connwarden web /var/log/nginx/access.log",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.web(cmd.Context(), f, args) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.listen, "listen", "", "serve at `ADDR`: an address with a port, or unix:/PATH (default "+defaultListen+", or another port if that is taken)")
	fs.StringSliceVar(&f.names, "name", nil, "a host `NAME` by which the page may be asked for, besides addresses and localhost")
	fs.StringVar(&f.password, "password-file", "", "ask for the password in the first line of `FILE` instead of the token")
	fs.StringVar(&f.cert, "tls-cert", "", "speak TLS with the certificate in `FILE`")
	fs.StringVar(&f.key, "tls-key", "", "and its key in `FILE`")
	fs.StringVar(&f.metrics, "metrics", "", "serve /metrics for Prometheus at `ADDR` too, to whoever reaches it, without a token")
	fs.StringVar(&c.flags.since, "since", "", "begin at `TIME` (default: 1h back; for named logs their first line)")
	fs.StringVar(&c.flags.from, "from", "", "read connections from saved text in `FILE` instead of the kernel")
	fs.BoolVar(&c.flags.withConns, "conns", false, "look at the live connections even when logs are named")
	fs.StringVar(&c.flags.netns, "netns", "", "look into other network namespaces too: all, or the `NAME` of one")
	return cmd
}

func (c *command) web(ctx context.Context, f webFlags, args []string) error {
	p, err := c.start()
	if err != nil {
		return err
	}
	if contains(args, "-") || c.flags.from == "-" {
		return usage("save it to a file", "standard input can be read once, and the page looks again and again")
	}
	if err := c.canRead(c.flags.from); err != nil {
		return err
	}
	place, err := web.ParsePlace(cmp.Or(f.listen, defaultListen))
	if err != nil {
		return usage("an address with a port, or unix:/PATH", "--listen: %w", err)
	}
	conf, password, err := f.protection(place, c)
	if err != nil {
		return err
	}
	desk, err := c.newDesk(p, args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	desk.follow(ctx)
	l, err := place.Listen(ctx)
	if f.listen == "" && errors.Is(err, syscall.EADDRINUSE) {
		place.Address = "127.0.0.1:0"
		l, err = place.Listen(ctx)
	}
	if err != nil {
		return err
	}
	opt := web.Options{Desk: desk, Password: password, TLS: conf != nil, Names: f.names, Clock: c.env.Now, Changes: desk.changes()}
	if password == "" && place.Network != "unix" {
		opt.Token = web.Secret()
	}
	var figures net.Listener
	if f.metrics != "" {
		if figures, err = (&net.ListenConfig{}).Listen(ctx, "tcp", f.metrics); err != nil {
			l.Close()
			return fmt.Errorf("--metrics: %w", err)
		}
		defer figures.Close()
	}
	if err := c.tellPage(l.Addr(), place, &opt, conf); err != nil {
		l.Close()
		return err
	}
	s := web.New(opt)
	if figures == nil {
		return s.Serve(ctx, l, conf)
	}
	ctx, end := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		defer end() // neither without the other
		done <- s.ServeMetrics(ctx, figures)
	}()
	err = s.Serve(ctx, l, conf)
	end()
	return errors.Join(err, <-done)
}

// shortestPassword is refused below: whoever reaches the page from afar can try, if only ten times a minute.
const shortestPassword = 12

// protection is what a place needs to be served: TLS and a password where others reach it.
func (f *webFlags) protection(place web.Place, c *command) (conf *tls.Config, password string, err error) {
	if f.password != "" {
		text, err := os.ReadFile(f.password)
		if err != nil {
			return nil, "", fmt.Errorf("read password: %w", err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		if password = strings.TrimRight(line, "\r"); len(password) < shortestPassword {
			return nil, "", usage(fmt.Sprintf("write one of %d letters or more into its first line", shortestPassword), "--password-file %s: the password is too short", f.password)
		}
	}
	if !place.Local && password == "" {
		return nil, "", usage("add --password-file FILE, or forward a port instead: ssh -L 4790:"+defaultListen+" SERVER", "--listen %s: others reach this address, so a password is needed", place.Address)
	}
	switch {
	case (f.cert == "") != (f.key == ""):
		return nil, "", usage("name both", "--tls-cert and --tls-key belong together")
	case f.cert != "":
		cert, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, "", fmt.Errorf("read certificate: %w", err)
		}
		return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}, password, nil
	case place.Local:
		return nil, password, nil
	}
	names := append([]string{"localhost"}, f.names...)
	if host, _, err := net.SplitHostPort(place.Address); err == nil && host != "" {
		names = append(names, host)
	}
	cert, err := web.SelfSigned(names, c.env.Now())
	if err != nil {
		return nil, "", fmt.Errorf("make certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}, password, nil
}

// webStart is what a program reads of the page's beginning.
type webStart struct {
	Schema      string `json:"schema"`
	Event       string `json:"event"`
	Address     string `json:"address"` // to open, token included
	Fingerprint string `json:"fingerprint,omitempty"`
}

// tellPage says where the page is.
func (c *command) tellPage(at net.Addr, place web.Place, opt *web.Options, conf *tls.Config) error {
	d := webStart{Schema: "connwarden.web/1", Event: "start", Address: "unix:" + place.Address}
	if place.Network != "unix" {
		scheme := "http"
		if conf != nil {
			scheme = "https"
			d.Fingerprint = web.Fingerprint(conf.Certificates[0])
		}
		host := at.String()
		if a, ok := at.(*net.TCPAddr); ok && a.IP.IsUnspecified() {
			name, err := os.Hostname()
			if len(opt.Names) > 0 {
				name = opt.Names[0]
			}
			if err == nil {
				host = net.JoinHostPort(name, fmt.Sprint(a.Port))
				opt.Names = append(opt.Names, name)
			}
		}
		d.Address = scheme + "://" + host + "/"
		if opt.Token != "" {
			d.Address += "?token=" + opt.Token
		}
	}
	if c.flags.json {
		return report.JSON(c.env.Stdout, d)
	}
	if d.Fingerprint != "" {
		fmt.Fprintf(c.env.Stderr, "connwarden: SHA-256 of the certificate: %s\n", d.Fingerprint)
	}
	_, err := fmt.Fprintln(c.env.Stdout, d.Address)
	return err
}
