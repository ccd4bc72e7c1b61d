package cli

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/fleet"
	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/report"
	"github.com/connwarden/connwarden/wire"
)

// nudgeFile is a socket in the state folder on which commands say that they changed something, so that it is shared at
// once. Where there is none the journal is looked at every second.
const nudgeFile = "fleet.nudge"

// nudge wakes the daemon's share in the fleet, if there is one.
func nudge(state string) {
	conn, err := net.Dial("unixgram", filepath.Join(state, nudgeFile))
	if err != nil {
		return // nobody listens
	}
	_, _ = conn.Write([]byte{1}) // or it is full of them
	conn.Close()
}

// heeded is where nudges come in, until ctx is done.
func heeded(ctx context.Context, state string) <-chan struct{} {
	woken := make(chan struct{}, 1)
	name := filepath.Join(state, nudgeFile)
	os.Remove(name) // of a daemon that died
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return woken
	}
	if err := os.Chmod(name, 0o600); err != nil {
		conn.Close()
		return woken
	}
	context.AfterFunc(ctx, func() {
		conn.Close()
		os.Remove(name)
	})
	go func() {
		var b [1]byte
		for {
			if _, err := conn.Read(b[:]); err != nil {
				return
			}
			wake(woken)
		}
	}()
	return woken
}

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// lookAgain is how often it is looked whether this host joined a fleet, or left.
const lookAgain = 2 * time.Second

// takePart lets a daemon share in the fleet from its first message to before its last. What it tells comes between the
// others.
func (c *command) takePart(ctx context.Context, p *Plan, f watchFlags, opt *live.Options) {
	if c.hand != nil {
		opt.Tell = standsAside(p.StateDir, opt.Tell)
		return
	}
	tell, mu := opt.Tell, sync.Mutex{}
	locked := func(m any) {
		mu.Lock()
		defer mu.Unlock()
		tell(m)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	woken := make(chan struct{}, 1)
	var part sync.WaitGroup
	opt.Tell = func(m any) {
		switch m.(type) {
		case *live.End:
			stop()
			part.Wait()
		case *live.Block:
			wake(woken)
		}
		locked(m)
		if _, ok := m.(*live.Start); ok {
			part.Go(func() { c.member(ctx, p, f, locked, woken) })
		}
	}
}

// standsAside has a reader say that it takes no part in the fleet of its host: it may neither write the journal nor reach
// the firewall.
func standsAside(dir string, tell func(any)) func(any) {
	return func(m any) {
		tell(m)
		s, ok := m.(*live.Start)
		if !ok {
			return
		}
		if _, err := fleet.Load(dir); !errors.Is(err, fleet.ErrAlone) {
			tell(&live.Problem{Head: live.Head{Type: "problem", Time: s.Time}, Problem: report.Problem{
				What: "fleet", Why: "with daemon.reader this host shares nothing and takes nothing; run the daemon without it to be part of the fleet",
			}})
		}
	}
}

// member shares as long as this host is in a fleet.
func (c *command) member(ctx context.Context, p *Plan, f watchFlags, tell func(any), woken chan struct{}) {
	said := map[connwarden.Problem]time.Time{} // of this goroutine and the agent's, which take turns
	problem := func(o connwarden.Problem) {
		now := c.env.Now()
		if at, ok := said[o]; ok && now.Sub(at) < time.Hour || len(said) > 1000 {
			return
		}
		said[o] = now
		tell(&live.Problem{Head: live.Head{Type: "problem", Time: now}, Problem: report.Problem{What: report.Clean(o.What), Why: report.Clean(o.Why)}})
	}
	nudges := heeded(ctx, p.StateDir)
	for ctx.Err() == nil {
		id, err := fleet.Load(p.StateDir)
		if err == nil {
			err = c.asMember(ctx, p, f, id, tell, problem, woken, nudges)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, fleet.ErrAlone) {
			problem(connwarden.Problem{What: "fleet", Why: err.Error()})
		}
		select {
		case <-ctx.Done():
		case <-nudges:
		case <-time.After(lookAgain):
		}
	}
}

// fleetMemory is what 100,000 decisions of others need, and twice as much while they are taken over. Within softMemory alone the
// collector might never rest.
const fleetMemory = 64 << 20

// joinGC lets the heap double until what the fleet has in force is taken over: with watchGC the collector takes a quarter of that time.
const joinGC = 100

// joinPages are how many KB of the journal are kept meanwhile: all pages of one batch.
const joinPages = 2048

// keep has more of the journal kept in memory, or as little as ever.
func (m *member) keep(ctx context.Context, kb int) {
	if err := m.keeper.w.store.Keep(ctx, kb); err != nil && ctx.Err() == nil {
		m.problem(connwarden.Problem{What: "fleet", Why: err.Error()})
	}
}

// asMember shares until the host leaves.
func (c *command) asMember(ctx context.Context, p *Plan, f watchFlags, id *fleet.Identity, tell func(any), problem func(connwarden.Problem), woken chan struct{}, nudges <-chan struct{}) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	debug.SetMemoryLimit(softMemory + fleetMemory)
	defer debug.SetMemoryLimit(softMemory)
	debug.SetGCPercent(joinGC)
	defer debug.SetGCPercent(watchGC)
	walls := c.firewalls(p)
	m := &member{id: id, share: p.Fleet.Share, tell: tell, clock: c.env.Now}
	rest := func() {
		m.telling.Wait()
		debug.SetGCPercent(watchGC)
		m.keep(ctx, 0)
		runtime.GC() // or what waited to be used again would stay until the next but one
		ease()
	}
	if p.Daemon.Socket != "" {
		m.daemon = wire.NewClient(p.Daemon.Socket)
		defer m.daemon.Close()
	}
	if p.Actions.Mode != modeEnforce && !f.enforce && !p.Fleet.Enforce {
		m.why = "this host only suggests (actions.mode, fleet.enforce)"
	} else {
		var err error
		if m.drivers, err = walls.choose(ctx, splitNames(f.drivers), p.Block.Drivers, false); err != nil {
			return err
		}
	}
	inner := *p
	// The fleet's own limits are of the engine's minutes, host by host; a restore is not slowed down.
	inner.Block.Limits.PerMinute = 1 << 30
	var err error
	if m.keeper, err = c.daemon(ctx, &inner, walls); err != nil {
		return err
	}
	defer m.keeper.close()
	defer m.telling.Wait()
	m.keep(ctx, joinPages)
	spareHubs(ctx, m.keeper.w.keeper, id)
	go func() { // nudges reach the agent, and tell when the host left
		tick := time.NewTicker(lookAgain)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-nudges:
				wake(woken)
			case <-tick.C:
			}
			if now, err := fleet.Load(p.StateDir); err != nil || !now.Joined.Equal(id.Joined) {
				stop()
			}
		}
	}()
	return fleet.Run(ctx, fleet.Options{
		Identity: id, Host: m, Policy: p.Fleet.Policy, Clock: c.env.Now, Nudge: woken, Problem: problem, Review: m.review, Ease: rest,
		Refused: func(r fleet.Refusal) {
			problem(connwarden.Problem{What: r.Target.String(), Why: "the " + r.Kind.String() + " of " + fleet.Name(r.From) + " is not taken: " + r.Why})
		},
	})
}
