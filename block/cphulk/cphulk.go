// Package cphulk denies logins on a cPanel machine, by the black list of cPHulk, which guards the logins of cPanel, WHM,
// mail, FTP and SSH. It does nothing about visits to sites. An address on cPHulk's white list may log in whatever the
// black list says; Prove tells.
//
// Records of ours have our name as their comment, which is our mark. A target that somebody else has put on the list
// stays his: it is denied already, is not listed as ours, and is not taken away by us.
//
// It was written from the documentation of WHM API 1 (version 11.138) and tested against a stand-in that answers as its
// examples do, refusals included. cPanel itself was not at hand.
package cphulk

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

const (
	name = "cphulk"
	// mark is the comment of our records.
	mark = "connwarden"
	// perCall is how many targets one call names.
	perCall = 50
)

// Options are what the caller knows.
type Options struct {
	// Run starts programs; nil: program.In().
	Run program.Runner
}

// Driver speaks to WHM by the program whmapi1, as root. It belongs to one goroutine at a time.
type Driver struct{ run program.Runner }

// Open starts nothing and asks nobody.
func Open(opt Options) (*Driver, error) {
	if opt.Run == nil {
		opt.Run = program.In()
	}
	return &Driver{opt.Run}, nil
}

// Detect asks whether cPHulk is there and enabled. It changes nothing.
func Detect(ctx context.Context, opt Options) (ok bool, why string) {
	d, _ := Open(opt)
	a, err := d.call(ctx, "cphulk_status")
	switch {
	case errors.Is(err, connwarden.ErrNotFound):
		return false, "program whmapi1 is not installed"
	case err != nil:
		return false, err.Error()
	case !bool(a.Data.Enabled):
		return false, "cPHulk is disabled: whmapi1 configureservice service=cphulkd enabled=1 monitored=1"
	}
	return true, "cPHulk is enabled; it refuses logins alone"
}

// Name returns "cphulk".
func (d *Driver) Name() string { return name }

// Properties tell of a list of logins without ends.
func (d *Driver) Properties() block.Properties {
	return block.Properties{
		Scopes: []connwarden.ScopeKind{connwarden.ScopeLogins}, Prefixes: true, IPv6: true, Lists: true,
		About: "logins to cPanel, WHM, mail, FTP and SSH, by cPHulk's black list; its white list wins, sites stay open",
	}
}

var logins = connwarden.Scope{Kind: connwarden.ScopeLogins}

// List asks for the black list and returns the records with our mark.
func (d *Driver) List(ctx context.Context) ([]block.Entry, error) {
	records, err := d.read(ctx, "black")
	if err != nil {
		return nil, &block.Error{Driver: name, Op: "list", Err: err}
	}
	var list []block.Entry
	for _, r := range records {
		if target, ok := r.span.Prefix(); ok && r.comment == mark {
			list = append(list, block.Entry{Target: target, Scope: logins})
		}
	}
	return list, nil
}

// change is what a wish means for the list as it is.
type change struct {
	remove []string // as the list has them
	add    []netip.Prefix
}

// change compares a wish with the list: nothing is added twice, and nothing taken away that is not ours.
func (d *Driver) change(ctx context.Context, add, remove []block.Entry) (c change, err error) {
	if len(add)+len(remove) == 0 {
		return change{}, nil
	}
	records, err := d.read(ctx, "black")
	if err != nil {
		return change{}, err
	}
	held := map[netip.Prefix]record{}
	for _, r := range records {
		if target, ok := r.span.Prefix(); ok {
			held[target] = r
		}
	}
	for _, e := range remove {
		p := e.Target.Masked()
		if r, ok := held[p]; ok && r.comment == mark && e.Scope == logins {
			c.remove = append(c.remove, r.text)
			delete(held, p)
		}
	}
	for _, e := range add {
		p := e.Target.Masked()
		if _, ok := held[p]; !ok {
			c.add = append(c.add, p)
			held[p] = record{}
		}
	}
	return c, nil
}

func (d *Driver) check(add []block.Entry) error {
	props := d.Properties()
	for _, e := range add {
		if err := props.Holds(e); err != nil {
			return &block.Error{Driver: name, Op: "add", Target: e.Target.String(), Err: err}
		}
	}
	return nil
}

// Apply reads the list, takes away and adds, some targets a call. While cPHulk is disabled nothing can be added, which
// wraps connwarden.ErrUnsupported, but what is there can be taken away.
func (d *Driver) Apply(ctx context.Context, add, remove []block.Entry) error {
	if err := d.check(add); err != nil {
		return err
	}
	c, err := d.change(ctx, add, remove)
	if err != nil {
		return &block.Error{Driver: name, Op: "list", Err: err}
	}
	return d.do(ctx, c)
}

// do makes the calls of a change.
func (d *Driver) do(ctx context.Context, c change) error {
	for i, call := range c.calls() {
		a, err := d.call(ctx, call.function, call.args...)
		if err == nil {
			err = a.failed()
		}
		if err == nil {
			continue
		}
		if i > 0 || len(a.Data.Added)+len(a.Data.Removed) > 0 {
			err = fmt.Errorf("%w: %w", connwarden.ErrPartial, err)
		}
		return &block.Error{Driver: name, Op: call.op, Err: err}
	}
	return nil
}

// call is one call of the API.
type call struct {
	op, function string
	args         []string
}

// calls are those that a change takes, in their order.
func (c change) calls() []call {
	var list []call
	for part := range slices.Chunk(c.remove, perCall) {
		list = append(list, call{"remove", "delete_cphulk_record", append([]string{"list_name=black", "skip_enabled_check=1"}, addresses(part)...)})
	}
	words := make([]string, len(c.add))
	for i, p := range c.add {
		words[i] = block.Show(p)
	}
	for part := range slices.Chunk(words, perCall) {
		list = append(list, call{"add", "create_cphulk_record", append([]string{"list_name=black", "comment=" + mark}, addresses(part)...)})
	}
	return list
}

// addresses are the parameters of several targets: ip, ip-1, ip-2 and so on.
func addresses(words []string) []string {
	args := make([]string, len(words))
	for i, w := range words {
		args[i] = "ip=" + w
		if i > 0 {
			args[i] = fmt.Sprintf("ip-%d=%s", i, w)
		}
	}
	return args
}

// Flush takes every record with our mark away.
func (d *Driver) Flush(ctx context.Context) error {
	list, err := d.List(ctx)
	if err == nil {
		err = d.Apply(ctx, nil, list)
	}
	var e *block.Error
	if errors.As(err, &e) {
		return &block.Error{Driver: name, Op: "flush", Err: e.Err}
	}
	return err
}

// Prove reads both lists: an entry is in force if it is on the black list and no part of it on the white one.
func (d *Driver) Prove(ctx context.Context, e block.Entry) (seen string, err error) {
	if err := d.prove(ctx, e); err != nil {
		return "", &block.Error{Driver: name, Op: "prove", Target: e.Target.String(), Err: err}
	}
	return "on cPHulk's black list, and no part of it on the white list", nil
}

func (d *Driver) prove(ctx context.Context, e block.Entry) error {
	a, err := d.call(ctx, "cphulk_status")
	if err != nil {
		return err
	}
	if !bool(a.Data.Enabled) {
		return fmt.Errorf("cPHulk is disabled: %w", connwarden.ErrUnsupported)
	}
	black, err := d.read(ctx, "black")
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(black, func(r record) bool {
		target, ok := r.span.Prefix()
		return ok && target == e.Target.Masked() && r.comment == mark
	}) {
		return fmt.Errorf("cPHulk's black list has no record of ours: %w", connwarden.ErrNotFound)
	}
	white, err := d.read(ctx, "white")
	if err != nil {
		return err
	}
	for _, r := range white {
		if r.span.Overlaps(e.Target) {
			return fmt.Errorf("%s is on cPHulk's white list, which wins", r.text)
		}
	}
	return nil
}

// Plan returns the commands.
func (d *Driver) Plan(ctx context.Context, add, remove []block.Entry) ([]string, error) {
	if err := d.check(add); err != nil {
		return nil, err
	}
	c, err := d.change(ctx, add, remove)
	if err != nil {
		return nil, &block.Error{Driver: name, Op: "list", Err: err}
	}
	var lines []string
	for _, call := range c.calls() {
		lines = append(lines, strings.Join(append([]string{"whmapi1", call.function}, call.args...), " "))
	}
	return lines, nil
}

// Close does nothing: records stay.
func (d *Driver) Close() error { return nil }
