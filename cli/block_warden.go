package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/bots"
	"github.com/connwarden/connwarden/nets"
	"github.com/connwarden/connwarden/store"
)

// warden is what the commands about blocks work with: a keeper over the journal, or in an emergency what does without.
type warden struct {
	plan      *Plan
	walls     *firewalls
	rules     *block.Rules
	facts     func() ([]block.Spare, []connwarden.Problem)
	store     *store.Store // nil when there is none yet, or it cannot be used
	keeper    *block.Keeper
	emergency *block.Emergency // not nil when the journal cannot be used
	problems  []connwarden.Problem
	lock      *os.File
	daemon    bool // no operator asks, verdicts do
}

// access is what a command wants of the journal.
type access int

const (
	reads access = iota // a journal that is not there is empty, and none is made
	writes
	writesAnyhow // and without the journal too: blocking and unblocking must always be possible
)

// warden opens what a command needs. Without a daemon the commands keep each other out by a lock in the state folder.
func (c *command) warden(ctx context.Context, p *Plan, walls *firewalls, want access) (*warden, error) {
	w := &warden{plan: p, walls: walls}
	if want != reads {
		if err := os.MkdirAll(p.StateDir, 0o700); err != nil && want != writesAnyhow {
			return nil, fmt.Errorf("state folder: %w", err)
		}
		if err := w.hold(ctx, filepath.Join(p.StateDir, "lock")); err != nil {
			return nil, err
		}
	}
	limits := p.Block.Limits
	limits.Exempt = exempt(p.StateDir)
	w.rules = block.NewRules(nil, limits)
	hubs := c.hubs(ctx, p)
	w.facts = func() ([]block.Spare, []connwarden.Problem) {
		spares, problems := c.facts(p, !w.daemon)
		if !w.daemon {
			more, told := hubs()
			spares, problems = append(spares, more...), append(problems, told...)
		}
		return spares, problems
	}
	var journal block.Journal = &block.MemoryJournal{}
	if want != reads || store.Exists(p.StateDir) {
		s, err := store.Open(ctx, p.StateDir)
		switch {
		case errors.Is(err, fs.ErrPermission):
			w.close()
			return nil, err
		case err != nil && want == writes:
			w.close()
			return nil, err
		case err != nil:
			w.emergency = w.without(err, c.env.Now)
			return w, nil
		}
		journal, w.store = s, s
	}
	w.keeper = &block.Keeper{
		Journal: journal, Rules: w.rules, Facts: w.facts, Open: walls.get, Clock: c.env.Now, Steps: p.Block.Escalation, Pardon: p.Block.Pardon,
		Lifts: func() string { return lifts(p.StateDir) }, Spool: w.spool(), Plan: want == reads,
	}
	return w, nil
}

func (w *warden) spool() block.Spool {
	return block.Spool{Name: filepath.Join(w.plan.StateDir, "blocks.pending")}
}

// without is what an operator has when the journal cannot be used.
func (w *warden) without(why error, clock func() time.Time) *block.Emergency {
	spares, problems := w.facts()
	w.rules.Renew(spares)
	w.problems = append(w.problems, problems...)
	return &block.Emergency{Why: why, Spool: w.spool(), Rules: w.rules, Open: w.walls.get, Clock: clock}
}

// lost tells whether an act failed because of the journal, before the firewall was touched, and if so goes on without
// it: the disk filled up, or another program locked it, after it was opened.
func (w *warden) lost(err error) bool {
	if !errors.Is(err, block.ErrJournal) {
		return false
	}
	w.emergency = w.without(err, w.keeper.Clock)
	w.keeper = nil // its drivers are the emergency's now
	return true
}

// leave ends the work of a command whose process ends with it: the journal is not closed, which would wait for the disk
// (see store.Store.Close).
func (w *warden) leave() {
	if w.keeper == nil || !w.keeper.Plan {
		nudge(w.plan.StateDir)
	}
	if w.keeper != nil {
		w.keeper.Close()
	}
	if w.emergency != nil {
		w.emergency.Close()
	}
	if w.lock != nil {
		w.lock.Close()
	}
}

// close ends the work of a process that lives on.
func (w *warden) close() {
	if w.store != nil {
		w.store.Close()
	}
	w.leave()
}

// lockPatience is how long a command waits for another one; a sync of 50,000 blocks takes a second or two.
const lockPatience = 15 * time.Second

// hold waits for the lock. Where the file cannot be made, as on a full disk, it goes on without: an operator who has to
// block must be able to.
func (w *warden) hold(ctx context.Context, name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("lock: %w", err)
	}
	if err != nil {
		w.problems = append(w.problems, connwarden.Problem{What: name, Why: err.Error() + "; going on without the lock"})
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, lockPatience)
	defer stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := tryLock(f)
		if ok {
			w.lock = f
			return nil
		}
		if err != nil {
			f.Close()
			return fmt.Errorf("lock %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return &exitError{exitFailed, fmt.Errorf("lock %s: another connwarden has it", name), "wait for that one to end"}
		case <-tick.C:
		}
	}
}

// facts are who must never be blocked: what the machine says and what the configuration adds.
func (c *command) facts(p *Plan, byHand bool) ([]block.Spare, []connwarden.Problem) {
	spares, problems := block.Facts(block.Machine{Root: c.env.root, Getenv: c.env.Getenv, Now: c.env.Now(), ByHand: byHand, Logins: func(since time.Time) ([]block.Login, error) {
		return store.Logins(context.Background(), filepath.Join("/", c.env.root, store.Wtmpdb), since)
	}})
	for _, prefix := range p.Proxies {
		spares = append(spares, block.Spare{Prefix: prefix, Who: "a trusted proxy (logs.trusted_proxies), behind which stand all its visitors"})
	}
	for _, prefix := range p.Block.Never {
		spares = append(spares, block.Spare{Prefix: prefix, Who: "on the list " + p.Block.NeverFrom})
	}
	return spares, problems
}

// exempt says of crawlers that proved themselves by their published addresses, and of content delivery networks, why they
// must not be blocked.
func exempt(dir string) func(netip.Prefix) string {
	crawlers := sync.OnceValue(func() *bots.Set {
		set, _ := bots.Load(dir) // what is wrong with a refreshed list is told by the commands that judge
		return set
	})
	go crawlers() // the lists take two milliseconds to unpack, while the journal is opened
	networks := sync.OnceValue(func() *block.Ranges {
		return block.NewRanges(nets.Fronts().Prefixes())
	})
	return func(p netip.Prefix) string {
		if networks().Overlap(p) {
			return "it is of a content delivery network: behind it stand all its visitors; block the visitor's own address, per site"
		}
		bot, at, ok := crawlers().Exempt(p)
		switch {
		case !ok:
			return ""
		case at == p:
			return "it is " + bot.Name + " of " + bot.Operator + ", by the addresses that " + bot.Operator + " publishes"
		default:
			return "it holds " + block.Show(at) + ", " + bot.Name + " of " + bot.Operator + ", by the addresses that " + bot.Operator + " publishes"
		}
	}
}

// lifts says why nothing would end a block here in a firewall that ends none by itself; nothing if our timer runs.
func lifts(string) string {
	const timer = "connwarden-sync.timer"
	if runtime.GOOS != "linux" {
		return "nothing here runs connwarden sync; leave --for away, or run it every minute"
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return "systemd does not run here, whose timer would run connwarden sync"
	}
	if _, err := os.Stat("/etc/systemd/system/timers.target.wants/" + timer); err != nil {
		return "the timer that would is not enabled: systemctl enable --now " + timer
	}
	return ""
}

// operator is the person at the keyboard; behind sudo the one who called it.
func (c *command) operator() connwarden.Origin {
	get := c.env.Getenv
	return connwarden.Origin{Kind: connwarden.ByOperator, Name: cmp.Or(get("SUDO_USER"), get("LOGNAME"), get("USER"), get("USERNAME"))}
}

// parseTargets reads targets of the command line.
func parseTargets(words []string) ([]netip.Prefix, error) {
	targets := make([]netip.Prefix, 0, len(words))
	for _, word := range words {
		p, err := block.ParseTarget(word)
		if err != nil {
			return nil, usage("an address or a prefix: 192.0.2.7, 192.0.2.0/24, 2001:db8::/32", "%w", err)
		}
		targets = append(targets, p)
	}
	return targets, nil
}
