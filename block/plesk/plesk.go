// Package plesk denies through the fail2ban that Plesk runs. Plesk's own utility can list and lift bans but has no verb
// that bans, so that fail2ban-client is spoken to.
//
// All bans are in a jail of our own, which is our mark: it watches nothing, bans for ever, and what stands in it was put
// there by us. It must be set up once; [Jail] is its text and Detect says where it goes. Bans of other jails are neither
// seen nor touched.
//
// What was tested here is fail2ban itself, version 1.0.2, with real rules of iptables; Plesk was not at hand, and the
// program plesk is only asked whether it is there.
package plesk

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/program"
)

// Jail is the text of the jail, for the file JailFile. Its rules stand at the head of iptables' chain INPUT, before
// those that let open connections through; ports that containers publish do not come by there.
const Jail = `[connwarden]
enabled = true
filter =
backend = polling
logpath = /dev/null
failregex = ^connwarden <HOST>$
bantime = -1
action = iptables-allports[name=connwarden, protocol=all]
`

// JailFile is where fail2ban looks for Jail.
const JailFile = "/etc/fail2ban/jail.d/connwarden.conf"

const (
	name   = "plesk"
	jail   = "connwarden"
	client = "fail2ban-client"
	// perCall is how many targets one call names: fail2ban takes a twentieth of a second to lift one.
	perCall = 50
)

// Options are what the caller knows.
type Options struct {
	// Args stand before all other arguments of fail2ban-client: "--socket" and its path, where it is not the default.
	Args []string
	// Run starts programs; nil: program.In().
	Run program.Runner
}

// Driver speaks to fail2ban. It belongs to one goroutine at a time.
type Driver struct{ opt Options }

// Open starts nothing and asks nobody.
func Open(opt Options) (*Driver, error) {
	if opt.Run == nil {
		opt.Run = program.In()
	}
	return &Driver{opt}, nil
}

// Detect tells whether Plesk is there, and its fail2ban with our jail. It changes nothing.
func Detect(ctx context.Context, opt Options) (ok bool, why string) {
	d, _ := Open(opt)
	if _, err := d.opt.Run(ctx, "plesk", "version"); err != nil {
		return false, "Plesk: " + reason(err)
	}
	text, err := d.ask(ctx, "get", jail, "bantime")
	if err != nil {
		return false, err.Error()
	}
	seconds, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return false, fmt.Sprintf("fail2ban answers %.40q when asked how long jail %s bans", text, jail)
	}
	if seconds >= 0 {
		return false, fmt.Sprintf("jail %s lifts bans after %d seconds, whatever was wished: set bantime = -1 in %s", jail, seconds, JailFile)
	}
	return true, "Plesk is installed, and its fail2ban has the jail " + jail
}

// reason is what went wrong, without the name of a program that is not there.
func reason(err error) string {
	if errors.Is(err, connwarden.ErrNotFound) {
		return "not installed"
	}
	return err.Error()
}

// ask lets fail2ban-client say something, and tells what to do where our jail is missing.
func (d *Driver) ask(ctx context.Context, args ...string) (string, error) {
	out, err := d.opt.Run(ctx, client, append(slices.Clone(d.opt.Args), args...)...)
	var failed *program.Error
	if errors.As(err, &failed) && (strings.Contains(string(out), "does not exist") || strings.Contains(failed.Said, "NOK: ('"+jail+"'")) {
		return "", fmt.Errorf("fail2ban has no jail %s: write plesk.Jail's text to %s and run \"fail2ban-client reload\" (%w): %w",
			jail, JailFile, err, connwarden.ErrUnsupported)
	}
	return string(out), err
}

// Name returns "plesk".
func (d *Driver) Name() string { return name }

// Properties tell of bans for ever, on all ports.
func (d *Driver) Properties() block.Properties {
	return block.Properties{
		Scopes: []connwarden.ScopeKind{connwarden.ScopeAll}, Prefixes: true, IPv6: true, Lists: true,
		About: "everything, by Plesk's fail2ban in a jail of ours; published ports of containers stay open",
	}
}

// List asks fail2ban for the bans of our jail.
func (d *Driver) List(ctx context.Context) ([]block.Entry, error) {
	targets, err := d.banned(ctx)
	if err != nil {
		return nil, &block.Error{Driver: name, Op: "list", Err: err}
	}
	var list []block.Entry
	for _, p := range targets {
		list = append(list, block.Entry{Target: p})
	}
	return list, nil
}

func (d *Driver) banned(ctx context.Context) ([]netip.Prefix, error) {
	text, err := d.ask(ctx, "get", jail, "banip")
	if err != nil {
		return nil, err
	}
	return parse(text), nil
}

// parse reads addresses and prefixes apart from blanks. What is neither, such as a name that somebody banned by hand, is
// passed over.
func parse(text string) []netip.Prefix {
	var list []netip.Prefix
	for word := range strings.FieldsSeq(text) {
		if p, err := block.ParseTarget(word); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// commands are the calls that a change takes: lifts first, as many targets in one as perCall.
func commands(add, remove []block.Entry) [][]string {
	var calls [][]string
	for _, step := range []struct {
		verb string
		list []block.Entry
	}{{"unbanip", remove}, {"banip", add}} {
		for part := range slices.Chunk(step.list, perCall) {
			call := []string{"set", jail, step.verb}
			for _, e := range part {
				call = append(call, block.Show(e.Target.Masked()))
			}
			calls = append(calls, call)
		}
	}
	return calls
}

// check refuses what cannot be held, and leaves out of the removals what never was.
func (d *Driver) check(add, remove []block.Entry) ([]block.Entry, error) {
	props := d.Properties()
	for _, e := range add {
		if err := props.Holds(e); err != nil {
			return nil, &block.Error{Driver: name, Op: "add", Target: e.Target.String(), Err: err}
		}
	}
	return slices.DeleteFunc(slices.Clone(remove), func(e block.Entry) bool { return e.Scope != (connwarden.Scope{}) }), nil
}

// Apply lifts and bans, in calls of a few targets each; fail2ban carries a ban out a moment after it has taken it.
func (d *Driver) Apply(ctx context.Context, add, remove []block.Entry) error {
	remove, err := d.check(add, remove)
	if err != nil {
		return err
	}
	return d.do(ctx, "", commands(add, remove))
}

// do makes calls one after the other. op is what an error names; empty: what the call does.
func (d *Driver) do(ctx context.Context, op string, calls [][]string) error {
	for i, call := range calls {
		_, err := d.ask(ctx, call...)
		if err == nil {
			continue
		}
		if i > 0 {
			err = fmt.Errorf("%w: %w", connwarden.ErrPartial, err)
		}
		if op == "" && call[2] == "banip" {
			op = "add"
		} else if op == "" {
			op = "remove"
		}
		return &block.Error{Driver: name, Op: op, Err: err}
	}
	return nil
}

// Flush lifts every ban of our jail. The jail stays: it was not made by us.
func (d *Driver) Flush(ctx context.Context) error {
	targets, err := d.banned(ctx)
	if err != nil {
		return &block.Error{Driver: name, Op: "flush", Err: err}
	}
	remove := make([]block.Entry, len(targets))
	for i, p := range targets {
		remove[i].Target = p
	}
	return d.do(ctx, "flush", commands(nil, remove))
}

// Plan returns the commands.
func (d *Driver) Plan(_ context.Context, add, remove []block.Entry) ([]string, error) {
	remove, err := d.check(add, remove)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, call := range commands(add, remove) {
		lines = append(lines, strings.Join(append(append([]string{client}, d.opt.Args...), call...), " "))
	}
	return lines, nil
}

// Close does nothing: bans stay.
func (d *Driver) Close() error { return nil }
