// Package nginx denies what nginx serves: a list of ours, of "deny" lines, that the http block of its configuration
// includes. Each change is tested before nginx is told to read it, and taken back when the test fails.
//
// A server or location with allow or deny lines of its own does not heed a list of the http block (the module
// ngx_http_access_module says so). And nginx goes on with its old configuration when it cannot take a new one. So, where a
// page of a site is known, it is asked for before and after: the address canary.Denied, which the list names too, must be
// refused, and its neighbour must not. Until then the list is marked as not in force yet; what a crash leaves with that
// mark counts as nothing.
package nginx

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/canary"
	"github.com/connwarden/connwarden/block/program"
)

// DefaultFile is a name that the packages of Debian, Red Hat and nginx.org include in the http block.
const DefaultFile = "/etc/nginx/conf.d/connwarden.conf"

// Options are what the caller knows.
type Options struct {
	// File is our list, absolute; empty: DefaultFile. It is made and taken away by us. Its folder is root's.
	File string
	// Page is a page that nginx serves. Without it nothing is proved: what nginx took is believed to be in force.
	Page canary.Page
	// Args stand before all other arguments of nginx: "-c" and a configuration that is not the default one.
	Args []string
	// Run starts programs; nil: program.In().
	Run program.Runner
}

// Driver writes the list and speaks to the program nginx. It belongs to one goroutine at a time.
type Driver struct {
	opt      Options
	settling time.Duration // how long nginx may take after a reload until workers with the new configuration answer
}

const name = "nginx"

// Open checks the options and touches nothing.
func Open(opt Options) (*Driver, error) {
	if opt.File == "" {
		opt.File = DefaultFile
	}
	if opt.Run == nil {
		opt.Run = program.In()
	}
	var err error
	if !filepath.IsAbs(opt.File) {
		err = fmt.Errorf("file %q is not an absolute path", opt.File)
	} else if opt.Page.URL != "" {
		err = opt.Page.Check()
	}
	if err != nil {
		return nil, &block.Error{Driver: name, Op: "open", Err: err}
	}
	return &Driver{opt, settling}, nil
}

// Detect asks nginx for its configuration and tells whether it includes our list, or would if it were there; if not,
// which line to add. It changes nothing.
func Detect(ctx context.Context, opt Options) (ok bool, why string) {
	d, err := Open(opt)
	if err != nil {
		return false, err.Error()
	}
	dump, err := d.dump(ctx)
	switch {
	case errors.Is(err, connwarden.ErrNotFound):
		return false, "program nginx is not installed"
	case err != nil:
		return false, err.Error()
	}
	if _, err := d.read(); err != nil {
		return false, err.Error()
	}
	if c := parse(dump); c.loads(d.opt.File) || c.wouldLoad(d.opt.File) {
		return true, c.main + " includes " + d.opt.File
	}
	return false, d.remedy(dump)
}

// remedy says which line is missing. It has a star so that nginx starts without the file.
func (d *Driver) remedy(dump []byte) string {
	return fmt.Sprintf("nginx does not read %s: add to the http block of %s: include %s*;", d.opt.File, parse(dump).main, d.opt.File)
}

// Name returns "nginx".
func (d *Driver) Name() string { return name }

// Properties tell of a list without ends, kept by us.
func (d *Driver) Properties() block.Properties {
	return block.Properties{
		Scopes: []connwarden.ScopeKind{connwarden.ScopeAll}, Prefixes: true, IPv6: true,
		About: "requests to all sites that nginx serves; connections, and locations with allow or deny lines of their own, stay open",
	}
}

// List reads our file.
func (d *Driver) List(context.Context) ([]block.Entry, error) {
	l, err := d.read()
	if err != nil {
		return nil, &block.Error{Driver: name, Op: "list", Err: err}
	}
	var entries []block.Entry
	for _, p := range l.inForce() {
		entries = append(entries, block.Entry{Target: p})
	}
	return entries, nil
}

// Apply writes the list, lets nginx test it, and lets nginx read it. Where a page is known and something is added, it is
// asked for before and after. What fails is taken back. Where nginx does not run the list is tested and left for its start.
func (d *Driver) Apply(ctx context.Context, add, remove []block.Entry) error {
	op := "add"
	if len(add) == 0 {
		op = "remove"
	}
	if err := d.check(add); err != nil {
		return err
	}
	was, err := d.read()
	if err == nil {
		err = d.bring(ctx, was, after(was, add, remove), len(add) > 0)
	}
	if err != nil {
		return &block.Error{Driver: name, Op: op, Err: err}
	}
	return nil
}

// check refuses what cannot be held.
func (d *Driver) check(add []block.Entry) error {
	props := d.Properties()
	for _, e := range add {
		err := props.Holds(e)
		if err == nil && canary.Reserved(e.Target) {
			err = fmt.Errorf("the loopback network is where proofs come from: %w", connwarden.ErrUnsupported)
		}
		if err != nil {
			return &block.Error{Driver: name, Op: "add", Target: e.Target.String(), Err: err}
		}
	}
	return nil
}

// after returns the targets that follow a list.
func after(was list, add, remove []block.Entry) []netip.Prefix {
	held := map[netip.Prefix]bool{}
	for _, p := range was.inForce() {
		held[p] = true
	}
	for _, e := range remove {
		if e.Scope == (connwarden.Scope{}) {
			delete(held, e.Target.Masked())
		}
	}
	for _, e := range add {
		held[e.Target.Masked()] = true
	}
	targets := make([]netip.Prefix, 0, len(held))
	for p := range held {
		targets = append(targets, p)
	}
	slices.SortFunc(targets, netip.Prefix.Compare)
	return targets
}

// bring makes nginx go from one list to another, or stay where it was.
func (d *Driver) bring(ctx context.Context, was list, targets []netip.Prefix, adds bool) error {
	if !was.pending && slices.Equal(was.targets, targets) {
		return nil
	}
	prove := adds && d.opt.Page.URL != ""
	var silent error // nobody answers: nginx may be down
	if prove {
		before, err := d.opt.Page.Look(ctx)
		if err == nil {
			err = before.Refusals()
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			silent = err
		} else if err != nil {
			return fmt.Errorf("nothing was changed: %w", err)
		}
	}
	next := list{present: len(targets) > 0, pending: true, targets: targets}
	next, err := d.stage(ctx, next)
	if err == nil {
		err = d.reload(ctx)
	}
	switch {
	case down(err): // it has tested the list, and reads it when it starts
		prove = false
	case err != nil: // nginx has not read it
		return back(err, d.write(was))
	case silent != nil:
		return back(silent, errors.Join(d.write(was), d.reload(context.WithoutCancel(ctx))))
	}
	if prove {
		if _, err := d.await(ctx, d.settling); err != nil {
			// Whoever asked may be gone; nginx must not keep a list that nobody knows of.
			return back(heed(err), errors.Join(d.write(was), d.reload(context.WithoutCancel(ctx))))
		}
	}
	if !next.present {
		return nil
	}
	next.pending = false
	return d.write(next)
}

// back says what became of a change that failed.
func back(err, undone error) error {
	if undone != nil {
		return fmt.Errorf("%w; the list as it was before could not be put back: %w", err, undone)
	}
	return fmt.Errorf("%w; the list is as it was before", err)
}

// stage writes a list and lets nginx test the configuration with it. In the place of a list that is included by its name,
// and so cannot be taken away, it leaves an empty one. It returns what it wrote.
func (d *Driver) stage(ctx context.Context, l list) (list, error) {
	if err := d.write(l); err != nil {
		return l, err
	}
	dump, err := d.dump(ctx)
	if err != nil && !l.present {
		l.present = true
		if err := d.write(l); err != nil {
			return l, err
		}
		dump, err = d.dump(ctx)
	}
	if err == nil && len(l.targets) > 0 && !parse(dump).loads(d.opt.File) {
		err = fmt.Errorf("%s: %w", d.remedy(dump), connwarden.ErrUnsupported)
	}
	return l, err
}

// reload tells nginx to read its configuration.
func (d *Driver) reload(ctx context.Context) error {
	_, err := d.run(ctx, "-s", "reload")
	return err
}

// down tells whether a reload failed because no nginx runs: its file with a process number is not there or empty, or there is no
// such process.
func down(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "invalid PID number") || strings.Contains(text, "failed (3: ") || strings.Contains(text, ".pid\" failed (2: ") || strings.Contains(text, "/pid\" failed (2: ")
}

// dump lets nginx test its configuration and returns the text of all its files.
func (d *Driver) dump(ctx context.Context) ([]byte, error) { return d.run(ctx, "-T") }

func (d *Driver) run(ctx context.Context, args ...string) ([]byte, error) {
	return d.opt.Run(ctx, "nginx", append(slices.Clone(d.opt.Args), args...)...)
}

const (
	settling = 15 * time.Second // a configuration of thousands of sites takes seconds to read
	grace    = time.Second      // old workers answer for a tenth of a second beside the new ones
	pause    = 50 * time.Millisecond
)

// await asks the page until the list is in force: a reload is a signal, and old workers answer until new ones do. The
// error is that of the last answer.
func (d *Driver) await(ctx context.Context, most time.Duration) (canary.Answers, error) {
	wait, stop := context.WithTimeout(ctx, most)
	defer stop()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		answers, err := d.opt.Page.Look(ctx)
		if err == nil {
			err = answers.InForce()
		}
		if err == nil || errors.Is(err, canary.ErrBroken) {
			return answers, err
		}
		select {
		case <-tick.C:
		case <-wait.Done():
			return answers, err
		}
	}
}

// heed says why nginx may go on as before.
func heed(err error) error {
	switch {
	case errors.Is(err, canary.ErrIneffective):
		return fmt.Errorf("%w: nginx goes on without the list (its error log says why), the site has allow or deny lines "+
			"of its own, or a proxy stands before it: %w", err, connwarden.ErrUnsupported)
	case errors.Is(err, canary.ErrBroken):
		return fmt.Errorf("%w: %w", err, connwarden.ErrUnsupported)
	}
	return err
}

// Flush takes our list away.
func (d *Driver) Flush(ctx context.Context) error {
	was, err := d.read()
	if err == nil && was.present {
		err = d.bring(ctx, was, nil, false)
	}
	if err != nil {
		return &block.Error{Driver: name, Op: "flush", Err: err}
	}
	return nil
}

// Prove asks for the page. The error wraps connwarden.ErrUnsupported where none is known.
func (d *Driver) Prove(ctx context.Context, e block.Entry) (seen string, err error) {
	seen, err = d.prove(ctx, e)
	if err != nil {
		return "", &block.Error{Driver: name, Op: "prove", Target: e.Target.String(), Err: err}
	}
	return seen, nil
}

func (d *Driver) prove(ctx context.Context, e block.Entry) (string, error) {
	l, err := d.read()
	if err != nil {
		return "", err
	}
	if e.Scope != (connwarden.Scope{}) || !in(l.inForce(), e.Target.Masked()) {
		return "", fmt.Errorf("%s does not deny it: %w", d.opt.File, connwarden.ErrNotFound)
	}
	if d.opt.Page.URL == "" {
		return "", fmt.Errorf("no page is known that could be asked for: %w", connwarden.ErrUnsupported)
	}
	answers, err := d.await(ctx, grace)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "listed in " + d.opt.File + "; nobody answers at " + d.opt.Page.URL + ": nginx reads the list when it starts", nil
	}
	if err != nil {
		return "", heed(err)
	}
	return "listed in " + d.opt.File + "; nginx answers " + answers.String(), nil
}

// Plan returns the lines that would go from the list and come to it, and the commands that follow.
func (d *Driver) Plan(_ context.Context, add, remove []block.Entry) ([]string, error) {
	if err := d.check(add); err != nil {
		return nil, err
	}
	was, err := d.read()
	if err != nil {
		return nil, &block.Error{Driver: name, Op: "add", Err: err}
	}
	targets := after(was, add, remove)
	var lines []string
	for _, p := range was.inForce() {
		if !in(targets, p) {
			lines = append(lines, "remove from "+d.opt.File+": "+line(p))
		}
	}
	for _, p := range targets {
		if !in(was.inForce(), p) {
			lines = append(lines, "add to "+d.opt.File+": "+line(p))
		}
	}
	if len(lines) > 0 {
		lines = append(lines, "nginx -T", "nginx -s reload")
	}
	return lines, nil
}

// in tells whether a sorted list has a target.
func in(sorted []netip.Prefix, p netip.Prefix) bool {
	_, found := slices.BinarySearchFunc(sorted, p, netip.Prefix.Compare)
	return found
}

// Close does nothing: what is written stays in force.
func (d *Driver) Close() error { return nil }
