package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/connwarden/connwarden/history"
	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/watch"
	"github.com/connwarden/connwarden/wire"
)

// daemonFile is the section [daemon] of the configuration.
type daemonFile struct {
	Socket *string `toml:"socket" comment:"where the daemon answers other commands; \"none\": nowhere"`
	Group  *string `toml:"socket_group" comment:"a group whose members may ask it too; they change nothing"`
	Open   *bool   `toml:"socket_open" comment:"every account of this machine may ask it"`
	Reader *string `toml:"reader" comment:"an account under which logs are read and judged, apart from the process that blocks; needs root, and 30-reader.conf beside the unit"`
}

// daemonPlan says where the daemon answers and whom.
type daemonPlan struct {
	Socket string // "": nowhere
	Group  int    // -1: none
	Open   bool
	Reader string // account of the process that reads; "": the same that blocks
}

// runDir is where sockets are by custom, of root's daemon with the usual state folder.
const runDir = "/run/connwarden"

func (p *Plan) planDaemon(f *daemonFile, inFile func(string) string) error {
	p.Daemon = daemonPlan{Socket: filepath.Join(p.StateDir, wire.Name), Group: -1}
	if runtime.GOOS != "windows" && os.Geteuid() == 0 && p.StateDir == "/var/lib/connwarden" {
		p.Daemon.Socket = filepath.Join(runDir, wire.Name)
	}
	origin := "default"
	if f.Socket != nil {
		p.Daemon.Socket, origin = *f.Socket, inFile("daemon.socket")
		if p.Daemon.Socket == "none" {
			p.Daemon.Socket = ""
		} else if !filepath.IsAbs(p.Daemon.Socket) {
			return usage("write a path from the root, or none", "%s: %q", origin, *f.Socket)
		}
	}
	p.set("daemon.socket", p.Daemon.Socket, origin)
	origin = "default"
	name := ""
	if f.Group != nil && *f.Group != "" {
		name, origin = *f.Group, inFile("daemon.socket_group")
		g, err := user.LookupGroup(name)
		if err != nil {
			return usage("name one of /etc/group", "%s: there is no group %q", origin, name)
		}
		if p.Daemon.Group, err = strconv.Atoi(g.Gid); err != nil {
			return usage("this system has no such groups", "%s: %q", origin, name)
		}
	}
	p.set("daemon.socket_group", name, origin)
	origin = "default"
	if f.Open != nil {
		p.Daemon.Open, origin = *f.Open, inFile("daemon.socket_open")
	}
	p.set("daemon.socket_open", p.Daemon.Open, origin)
	return p.planReader(f, inFile)
}

// presence answers who asks the daemon. It implements wire.Daemon.
type presence struct {
	c    *command
	plan *Plan
	opt  watch.ReviewOptions
	asks chan chan<- *live.Present
	*outlook
}

// presentPeers is how many of the accused one answer tells of; no person reads more, and each is some 2 KiB.
const presentPeers = 1000

// presentRows is how many rows of connections and errors it has.
const presentRows = 200

// Review implements wire.Daemon.
func (d *presence) Review(ctx context.Context) (*report.Review, error) {
	answer := make(chan *live.Present, 1)
	var p *live.Present
	select {
	case d.asks <- answer:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case p = <-answer:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	k := &watch.Known{
		Time: p.Time, Since: p.Since, Logs: p.Logs, Events: p.Events, Faults: p.Faults, FirstFault: p.FirstFault, LastFault: p.LastFault,
		Peers: p.Peers, Groups: p.Groups, Busiest: p.Busiest, Claims: p.Claims,
	}
	if k.More = len(p.Peers) - presentPeers; k.More > 0 {
		k.Peers = p.Peers[:presentPeers]
	}
	rates := make([]report.Rate, len(p.Rates))
	for i := range p.Rates {
		r := &p.Rates[i]
		k.Requests += r.Requests
		k.Bytes += r.Bytes
		for class, n := range r.Class {
			k.Class[class] += n
		}
		at := time.Unix(r.At, 0).In(d.plan.Zone)
		if r.Requests > 0 {
			if k.First.IsZero() {
				k.First = at
			}
			k.Last = at
		}
		rates[i] = report.Rate{
			Start: at, Requests: r.Requests, Bytes: r.Bytes, Status: report.Classes(r.Class), Malicious: r.Malicious, Suspicious: r.Suspicious,
			Errors: r.Errors, Events: r.Events, Open: r.Open,
		}
	}
	doc, err := watch.Present(ctx, d.opt, k)
	if err == nil {
		doc.Rates, doc.Logs, doc.Fleet = rates, p.Logs, d.member()
	}
	return doc, err
}

// History implements wire.Daemon.
func (d *presence) History(ctx context.Context, q wire.HistoryQuery) (*report.History, error) {
	return history.Read(ctx, d.plan.WatchDir, history.Query{From: q.From, Until: q.Until, Target: q.Target, Rows: q.Rows, Zone: d.plan.Zone})
}

// attend has the daemon write its history and answer other commands. What of this cannot be done is a problem that is told
// once following has begun, and no reason not to follow.
func (c *command) attend(ctx context.Context, p *Plan, opt *live.Options) (end func()) {
	var ends []func()
	var problems []report.Problem
	tells := []func(any){opt.Tell}
	h := &historian{}
	if opt.History != nil {
		var err error
		if h.ship, err = c.warehouse(p); err != nil {
			problems = append(problems, report.Problem{What: "clickhouse", Why: report.Clean(err.Error())})
		}
		if h.ship != nil {
			opt.Recorder = h
			tells = append(tells, h.tell)
			ends = append(ends, h.ship.Close)
		}
	}
	if size := p.History.Size; size > 0 && opt.History != nil {
		h.book = history.New(p.WatchDir, size, c.env.Now)
		opt.Recorder = h
		now := c.env.Now()
		past, err := history.Read(ctx, p.WatchDir, history.Query{From: now.Add(-time.Hour), Until: now.Add(time.Minute), Rows: presentPeers, Zone: p.Zone})
		if err == nil {
			opt.Past = past
		} else if !errors.Is(err, history.ErrNone) {
			problems = append(problems, report.Problem{What: "history", Why: report.Clean(err.Error())})
		}
		if h.ship == nil {
			tells = append(tells, h.tell)
		}
		ends = append(ends, func() { h.book.Close() }) // what was written is written
	}
	if p.Daemon.Socket != "" {
		asks, view := make(chan chan<- *live.Present), c.newOutlook(p)
		look := watch.ReviewOptions{
			Options: watch.Options{Options: opt.Options, Top: presentRows}, Conns: opt.Conns, Rules: opt.Rules,
			Identity: watch.Identity{Networks: opt.Networks, Bots: opt.Bots, Resolver: opt.Resolver, Blocked: c.blocked(p)},
		}
		s, err := wire.Listen(ctx, wire.Place{Path: p.Daemon.Socket, Group: p.Daemon.Group, Open: p.Daemon.Open, Listener: c.listener}, &presence{c, p, look, asks, view})
		if err != nil {
			problems = append(problems, report.Problem{What: "socket", Why: report.Clean(fmt.Sprintf("%v; other commands cannot follow this daemon", err))})
		} else {
			opt.Asks = asks
			tells = append(tells, s.Tell)
			ends = append(ends, func() { s.Close() }, view.Close) // it goes either way
		}
	}
	opt.Tell = func(m any) {
		for _, tell := range tells {
			tell(m)
		}
		if s, ok := m.(*live.Start); ok {
			for _, one := range problems {
				for _, tell := range tells {
					tell(&live.Problem{Head: live.Head{Type: "problem", Time: s.Time}, Problem: one})
				}
			}
		}
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

var _ wire.Daemon = (*presence)(nil)
