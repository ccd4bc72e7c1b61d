// Package windows denies through the Windows Firewall: inbound rules whose names begin with ours, each with a list of
// addresses. PowerShell's cmdlets are spoken to, in a group of ours; where they are missing, as on Windows 7, netsh is.
//
// A rule names at most two hundred targets: a command line has 32,767 characters. A rule without addresses would block
// everyone, so one that loses its last goes. The firewall ends nothing by itself.
//
// It was written from Microsoft's documentation of both programs and tested against stand-ins that answer as they say,
// refusals included. Windows itself was not at hand.
package windows

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/program"
)

const name = "windows"

// Options are what the caller knows.
type Options struct {
	// Netsh speaks to netsh from the start. Else PowerShell is tried, and netsh if that has no cmdlets for the firewall.
	Netsh bool
	// Run starts programs; nil: program.In().
	Run program.Runner
}

// Driver speaks to the firewall. It belongs to one goroutine at a time.
type Driver struct {
	run program.Runner
	say dialect
}

// Open starts nothing and asks nobody.
func Open(opt Options) (*Driver, error) {
	d := &Driver{opt.Run, powershell}
	if d.run == nil {
		d.run = program.In()
	}
	if opt.Netsh {
		d.say = netsh
	}
	return d, nil
}

// Detect asks for our rules, and PowerShell whether the firewall is on. It changes nothing.
func Detect(ctx context.Context, opt Options) (ok bool, why string) {
	d, _ := Open(opt)
	_, err := d.rules(ctx)
	switch {
	case errors.Is(err, connwarden.ErrNotFound):
		return false, "neither powershell.exe nor netsh.exe was found"
	case err != nil:
		return false, err.Error()
	case len(d.say.off) == 0:
		return true, d.say.program + " answers; whether the firewall is on was not asked"
	}
	out, err := d.run(ctx, d.say.program, d.say.off...)
	if err != nil {
		return false, err.Error()
	}
	switch off := strings.Fields(string(out)); len(off) {
	case 0:
		return true, "the firewall is on, and " + d.say.program + " answers"
	case 3:
		return false, "the firewall is off for all profiles"
	default:
		return true, "the firewall is on, but for the profile " + strings.Join(off, " and ")
	}
}

// Name returns "windows".
func (d *Driver) Name() string { return name }

// Properties tell of rules without ends.
func (d *Driver) Properties() block.Properties {
	return block.Properties{
		Scopes:   []connwarden.ScopeKind{connwarden.ScopeAll, connwarden.ScopePorts},
		Prefixes: true, IPv6: true, Lists: true,
		About: "inbound connections, by rules of the Windows Firewall; of ports TCP and UDP",
	}
}

// rules asks for our rules. The first time it finds out which program has them.
func (d *Driver) rules(ctx context.Context) (rules, error) {
	out, err := d.run(ctx, d.say.program, d.say.list...)
	if err != nil && d.say.program == powershell.program && (errors.Is(err, connwarden.ErrNotFound) || noCmdlets(err)) {
		d.say = netsh
		out, err = d.run(ctx, d.say.program, d.say.list...)
	}
	if err != nil {
		return nil, err
	}
	return d.say.parse(string(out)), nil
}

// noCmdlets tells whether PowerShell does not know the firewall. The word is the same in all languages.
func noCmdlets(err error) bool { return strings.Contains(err.Error(), "CommandNotFoundException") }

// List asks for our rules. An entry of ports is in force where both of its rules are.
func (d *Driver) List(ctx context.Context) ([]block.Entry, error) {
	held, err := d.rules(ctx)
	if err != nil {
		return nil, &block.Error{Driver: name, Op: "list", Err: err}
	}
	return held.entries(), nil
}

func (d *Driver) check(add []block.Entry) error {
	props := d.Properties()
	for _, e := range add {
		err := props.Holds(e)
		if err == nil && e.Target.Bits() == 0 {
			err = fmt.Errorf("a rule for all addresses would have none: %w", connwarden.ErrUnsupported)
		}
		if err != nil {
			return &block.Error{Driver: name, Op: "add", Target: e.Target.String(), Err: err}
		}
	}
	return nil
}

// steps are what a wish means for the rules as they are.
func (d *Driver) steps(ctx context.Context, add, remove []block.Entry) ([]step, error) {
	if err := d.check(add); err != nil {
		return nil, err
	}
	if len(add)+len(remove) == 0 {
		return nil, nil
	}
	held, err := d.rules(ctx)
	if err != nil {
		return nil, &block.Error{Driver: name, Op: "list", Err: err}
	}
	return held.steps(held.after(add, remove)), nil
}

// Apply rewrites the rules whose lists change, one call each.
func (d *Driver) Apply(ctx context.Context, add, remove []block.Entry) error {
	steps, err := d.steps(ctx, add, remove)
	if err != nil {
		return err
	}
	op := "add"
	if len(add) == 0 {
		op = "remove"
	}
	return d.do(ctx, op, steps)
}

func (d *Driver) do(ctx context.Context, op string, steps []step) error {
	for i, s := range steps {
		if _, err := d.run(ctx, d.say.program, d.say.args(s)...); err != nil {
			if i > 0 {
				err = fmt.Errorf("%w: %w", connwarden.ErrPartial, err)
			}
			return &block.Error{Driver: name, Op: op, Target: s.name, Err: err}
		}
	}
	return nil
}

// Flush removes every rule of ours.
func (d *Driver) Flush(ctx context.Context) error {
	held, err := d.rules(ctx)
	if err != nil {
		return &block.Error{Driver: name, Op: "flush", Err: err}
	}
	return d.do(ctx, "flush", held.steps(nil))
}

// Plan returns the commands.
func (d *Driver) Plan(ctx context.Context, add, remove []block.Entry) ([]string, error) {
	steps, err := d.steps(ctx, add, remove)
	if err != nil {
		return nil, err
	}
	lines := make([]string, len(steps))
	for i, s := range steps {
		lines[i] = d.say.program + " " + strings.Join(d.say.args(s), " ")
	}
	return lines, nil
}

// Close does nothing: rules stay.
func (d *Driver) Close() error { return nil }

// targets are those of a rule, ascending.
func targets(list []netip.Prefix) []netip.Prefix {
	list = slices.Clone(list)
	slices.SortFunc(list, netip.Prefix.Compare)
	return slices.Compact(list)
}
