package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/hand"
	"github.com/connwarden/connwarden/live"
	"github.com/connwarden/connwarden/wire"
)

// readerDir is the folder of the reader in the state folder: all that it writes.
const readerDir = "reader"

// planReader says whether logs are read under an account of their own, and where what is learned of them is kept.
func (p *Plan) planReader(f *daemonFile, inFile func(string) string) error {
	p.WatchDir = p.StateDir
	origin := "default"
	if f.Reader != nil && (os.Geteuid() == 0 || os.Getenv(hand.Variable) != "") { // others have no reader but themselves
		p.Daemon.Reader, origin = *f.Reader, inFile("daemon.reader")
		if p.Daemon.Reader != "" {
			if _, err := hand.LookupAccount(p.Daemon.Reader); err != nil {
				return usage("make one, as in useradd --system --no-create-home connwarden", "%s: %v", origin, err)
			}
			p.WatchDir = filepath.Join(p.StateDir, readerDir)
		}
	}
	p.set("daemon.reader", p.Daemon.Reader, origin)
	return nil
}

// part starts the reader and is its hand: it opens what only root may, brings into force what the reader asks for, and hands
// signals on, until the reader ends.
func (c *command) part(ctx context.Context, p *Plan, f watchFlags, args []string) (err error) {
	if slices.Contains(args, "-") {
		return usage("name the logs", "-: a reader with an account of its own has no standard input")
	}
	as, err := hand.LookupAccount(p.Daemon.Reader)
	if err != nil {
		return err
	}
	if err := p.grant(as); err != nil {
		return err
	}
	var l *net.UnixListener
	if p.Daemon.Socket != "" {
		place := wire.Place{Path: p.Daemon.Socket, Group: p.Daemon.Group, Open: p.Daemon.Open}
		if l, err = place.Make(ctx); err == nil {
			defer l.Close()
		} else {
			fmt.Fprintf(c.env.Stderr, "connwarden: socket: %v; other commands cannot follow this daemon\n", err)
		}
	}
	r, err := hand.Start(as, os.Args[1:], []string{"CONNWARDEN_STATE_DIR=" + p.StateDir}, c.env.Stdout, c.env.Stderr, l)
	if err != nil {
		return err
	}
	ease() // all that is left is to wait
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	defer signal.Stop(signals)
	done := make(chan struct{})
	go func() {
		stopping := ctx.Done()
		for {
			select {
			case <-done:
				return
			case <-signals:
				_ = r.Signal(syscall.SIGHUP) // whoever has ended reads nothing anew
			case <-stopping:
				stopping = nil
				_ = r.Signal(syscall.SIGTERM) // it may have ended, which Wait tells
			}
		}
	}()
	served := hand.Serve(context.WithoutCancel(ctx), r.Talk, func(ctx context.Context) (*hand.Work, error) { return c.work(ctx, f, args) },
		func(ctx context.Context) ([]block.Wish, error) { return c.wishes(ctx, p, nil) })
	if served != nil {
		_ = r.Signal(syscall.SIGKILL) // it is not to be trusted any more
	}
	err = r.Wait()
	close(done)
	if served != nil {
		return served
	}
	return err
}

// work is what the configuration lets the reader ask for.
func (c *command) work(ctx context.Context, f watchFlags, args []string) (*hand.Work, error) {
	p, err := c.plan()
	if err != nil {
		return nil, err
	}
	r := &running{c: c, flags: f, args: args}
	opt := live.Options{Policy: p.Policy}
	k, err := r.acting(ctx, p, &opt)
	if err != nil {
		return nil, err
	}
	w := &hand.Work{Drivers: opt.Drivers, Others: opt.Policy.Drivers(), Every: opt.Sync, Close: func() {}}
	if k != nil {
		w.Keeper, w.Close = k, k.close
	}
	for _, s := range opt.Policy.Sites {
		if s.Folder != "" {
			w.Folders = append(w.Folders, s.Folder)
		}
	}
	return w, nil
}

// grant makes the folder of the reader, and takes into it what a daemon that did not part wrote.
func (p *Plan) grant(as hand.Account) error {
	if err := os.MkdirAll(p.StateDir, 0o700); err != nil {
		return err
	}
	switch err := os.Mkdir(p.WatchDir, 0o700); {
	case errors.Is(err, os.ErrExist):
		return nil // whose it is shows when the reader writes
	case err != nil:
		return err
	}
	for _, name := range []string{stateFile, "history.db", "history.db-wal", "history.db-shm"} {
		to := filepath.Join(p.WatchDir, name)
		if err := os.Rename(filepath.Join(p.StateDir, name), to); errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if err := os.Lchown(to, int(as.UID), int(as.GID)); err != nil {
			return err
		}
	}
	return os.Lchown(p.WatchDir, int(as.UID), int(as.GID))
}
