// Package iptables denies by plain rules of iptables, for a handful of entries on machines that have nothing else. It
// holds addresses and prefixes of both families, everything or some ports of ours, and counts what it drops; it ends
// nothing by itself.
//
// Its rules stand in a chain NAME of table raw, one an entry, two where ports are denied (TCP and UDP), and a rule at the
// head of PREROUTING jumps there. Raw comes before address translation and before connections are looked up, so that the
// published ports of containers are behind it and open connections fall silent at once. Each packet walks the chain rule
// by rule, which is why there is a limit.
//
// A change is one call of iptables-restore a family, done whole or not at all; it touches no other rule. The chain's name
// and the comment of each rule, NAME and the scope, are our mark. The kernel keeps them until it restarts.
package iptables

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/multiport"
	"github.com/connwarden/connwarden/block/program"
)

// Most is how many entries are held: what a packet may walk without being measurably late.
const Most = 200

// MaxName is how long Options.Name may be: the kernel's bound for names of chains.
const MaxName = 28

// Options are what the caller knows.
type Options struct {
	// Name is that of our chains and begins the comments of our rules, so that two instances do not meet: a letter, then
	// letters, digits, "-" and "_", at most MaxName bytes.
	Name string
}

// Driver speaks to iptables. It belongs to one goroutine at a time.
type Driver struct {
	name     string
	run      program.Runner
	version  string
	families []family
}

// family is IPv4 or IPv6.
type family struct {
	program string
	six     bool
}

// Open looks for the programs. It changes nothing. The error wraps connwarden.ErrUnsupported where iptables is missing and
// connwarden.ErrDenied without root.
func Open(opt Options) (*Driver, error) {
	return open(opt, program.In())
}

func open(opt Options, run program.Runner) (*Driver, error) {
	d := &Driver{name: opt.Name, run: run, families: []family{{program: "iptables"}}}
	if !validName(opt.Name) {
		return nil, d.failed("open", fmt.Errorf("name %q: want a letter, then letters, digits, - and _, at most %d bytes", opt.Name, MaxName))
	}
	version, err := run(context.Background(), "iptables", "--version")
	if errors.Is(err, connwarden.ErrNotFound) {
		err = fmt.Errorf("%w: %w", connwarden.ErrUnsupported, err)
	}
	if err != nil {
		return nil, d.failed("open", err)
	}
	d.version = strings.TrimSpace(string(version))
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		if _, err := run(context.Background(), "ip6tables", "--version"); err == nil {
			d.families = append(d.families, family{"ip6tables", true})
		}
	}
	return d, nil
}

// Detect tells whether this firewall can be used here, and why. It changes nothing.
func Detect(ctx context.Context) (ok bool, why string) {
	d, err := Open(Options{Name: "connwarden"})
	if err == nil {
		_, err = d.read(ctx)
	}
	if err != nil {
		var failed *block.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return false, err.Error()
	}
	return true, d.version
}

// Name returns "iptables".
func (d *Driver) Name() string { return "iptables" }

// Properties tell what it can do; IPv6 only where the kernel and ip6tables do.
func (d *Driver) Properties() block.Properties {
	return block.Properties{
		Scopes:   []connwarden.ScopeKind{connwarden.ScopeAll, connwarden.ScopePorts},
		Prefixes: true, IPv6: len(d.families) > 1, Most: Most, Counts: true, Lists: true, Kernel: true,
		About: "a rule of iptables for each entry, before everything else: drops all that a source sends, open connections too; for a handful",
	}
}

// Close does nothing: what is held stays held.
func (d *Driver) Close() error { return nil }

// Apply removes and adds, IPv4 in one transaction and IPv6 in another. Where the second fails, the first stands.
func (d *Driver) Apply(ctx context.Context, add, remove []block.Entry) error {
	plans, err := d.plans(ctx, add, remove)
	if err != nil {
		return err
	}
	op, changed := "add", false
	if len(add) == 0 {
		op = "remove"
	}
	for _, p := range plans {
		if err := d.restore(ctx, p.family, p.lines); err != nil {
			if changed || ctx.Err() != nil { // what was ended in its midst may have been done
				err = fmt.Errorf("%w: %w", connwarden.ErrPartial, err)
			}
			return d.failed(op, err)
		}
		changed = changed || len(p.lines) > 0
	}
	return nil
}

// plan is a change of one family: lines as iptables-restore reads them.
type plan struct {
	family
	lines []string
}

// plans compares what is wanted with what is there. It refuses what cannot be held.
func (d *Driver) plans(ctx context.Context, add, remove []block.Entry) ([]plan, error) {
	p := d.Properties()
	for _, e := range add {
		if err := holds(&p, e); err != nil {
			return nil, d.failed("add", err, e)
		}
	}
	if len(add)+len(remove) == 0 {
		return nil, nil
	}
	tables, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	left := map[block.EntryKey]bool{}
	for _, t := range tables {
		for _, r := range t.rules {
			left[r.key] = true
		}
	}
	for _, e := range remove {
		delete(left, e.Key())
	}
	for _, e := range add {
		left[e.Key()] = true
	}
	if len(add) > 0 && len(left) > Most {
		return nil, d.failed("add", fmt.Errorf("%d entries where %d fit; use nft or ipset for more: %w", len(left), Most, connwarden.ErrUnsupported))
	}
	var plans []plan
	for i, t := range tables {
		plans = append(plans, plan{d.families[i], t.change(d.name, keys(add, d.families[i].six), keys(remove, d.families[i].six))})
	}
	return plans, nil
}

// keys are those of one family, each once, in order.
func keys(entries []block.Entry, six bool) []block.EntryKey {
	var list []block.EntryKey
	seen := map[block.EntryKey]bool{}
	for _, e := range entries {
		if k := e.Key(); e.Target.Addr().Is6() == six && !seen[k] {
			seen[k] = true
			list = append(list, k)
		}
	}
	return list
}

// List returns the entries all of whose rules are there, if packets come to the chain.
func (d *Driver) List(ctx context.Context) ([]block.Entry, error) {
	tables, err := d.held(ctx)
	if err != nil {
		return nil, err
	}
	var list []block.Entry
	for _, t := range tables {
		if t.jump == 0 {
			continue
		}
		for _, k := range t.keys() {
			if len(t.lacking(k)) == 0 {
				list = append(list, block.Entry{Target: k.Target, Scope: k.Scope, Hits: t.hits(k)})
			}
		}
	}
	return list, nil
}

// Flush takes away our rules, the jump and the chain. Where somebody put a rule of their own into our chain, both stay for
// it. Table raw stays where iptables had to make it for us: empty, letting everything through.
func (d *Driver) Flush(ctx context.Context) error {
	tables, err := d.held(ctx)
	if err != nil {
		return err
	}
	for i, t := range tables {
		if err := d.restore(ctx, d.families[i], t.flush(d.name)); err != nil {
			return d.failed("flush", err)
		}
	}
	return nil
}

// Prove shows the rules of an entry, the jump to them, and how much they dropped.
func (d *Driver) Prove(ctx context.Context, e block.Entry) (string, error) {
	p := d.Properties()
	if err := holds(&p, e); err != nil {
		return "", d.failed("prove", err, e)
	}
	tables, err := d.read(ctx)
	if err != nil {
		return "", err
	}
	t := tables[0]
	if e.Target.Addr().Is6() {
		t = tables[1]
	}
	switch {
	case len(t.lacking(e.Key())) > 0:
		return "", d.failed("prove", fmt.Errorf("chain %s of table raw has no rule for it: %w", d.name, connwarden.ErrNotFound), e)
	case t.jump == 0:
		return "", d.failed("prove", fmt.Errorf("a rule is there, but none in PREROUTING jumps to chain %s: %w", d.name, connwarden.ErrNotFound), e)
	}
	return fmt.Sprintf("rule %d of table raw, chain PREROUTING, jumps to chain %s, where rule %d drops it; %d packets so far",
		t.jump, d.name, t.place(e.Key()), t.hits(e.Key()).Packets), nil
}

// Plan returns the command lines that would do the same.
func (d *Driver) Plan(ctx context.Context, add, remove []block.Entry) ([]string, error) {
	plans, err := d.plans(ctx, add, remove)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, p := range plans {
		for _, line := range p.lines {
			if name, ok := strings.CutPrefix(line, ":"); ok {
				line = "-N " + strings.TrimSuffix(name, " - [0:0]")
			}
			lines = append(lines, p.program+" -t raw "+line)
		}
	}
	return lines, nil
}

// holds tells whether an entry can be held, the number aside.
func holds(p *block.Properties, e block.Entry) error {
	if err := p.Holds(e); err != nil {
		return err
	}
	return multiport.Fits(e.Scope)
}

func validName(name string) bool {
	if name == "" || len(name) > MaxName {
		return false
	}
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '-' || c == '_')) {
			return false
		}
	}
	return true
}

func (d *Driver) failed(op string, err error, about ...block.Entry) error {
	e := &block.Error{Driver: d.Name(), Op: op, Err: err}
	for _, a := range about {
		e.Target = a.Target.String()
	}
	return e
}
