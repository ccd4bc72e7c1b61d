// Package ipset denies through the kernel's address sets, with a rule of iptables for each set: for machines whose
// firewall is iptables. It holds any number of addresses and prefixes of both families, everything or some ports of
// ours, ends them by itself and counts what it drops.
//
// A scope has one set of type hash:net for each family, made when it is first needed: NAME-4 and NAME-6 for everything,
// NAME-4-HASH and NAME-6-HASH for a list of ports. A rule at the head of table raw, chain PREROUTING, drops what comes
// from the set; ports take two, for TCP and UDP. Raw comes before address translation and before connections are looked
// up, so that the published ports of containers are behind it and open connections fall silent at once. Sets are
// spoken to over netlink, rules through the programs iptables and ip6tables.
//
// The set's name and the rule's comment, NAME and the scope, are our mark. The kernel keeps both until it restarts; a
// program that flushes table raw takes away the rules, and then List tells nothing of their sets, since nothing of them
// is in force, and the next Apply puts the rules back.
package ipset

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/program"
)

// MaxExpiry is the longest timeout that an entry of a set may have: 2,147,483 seconds, or 24 days and 20 hours
// (ipset(8)). A later end is cut to it, and renewed by whoever adds the entry again.
const MaxExpiry = 2147483 * time.Second

// MaxName is how long Options.Name may be: the kernel's names of sets have 31 bytes, of which we append up to eleven.
const MaxName = 20

// Options are what the caller knows.
type Options struct {
	// Name begins the names of our sets and the comments of our rules, so that two instances do not meet: a letter,
	// then letters, digits, "-" and "_", at most MaxName bytes.
	Name string
}

// Driver speaks to the kernel's sets and to iptables. It belongs to one goroutine at a time.
type Driver struct {
	name     string
	run      program.Runner
	version  string // of iptables
	families []family
}

// family is IPv4 or IPv6.
type family struct {
	word    string // ends the names of its sets
	inet    string // its name in ipset's words
	program string
	six     bool
}

var (
	ipv4 = family{word: "4", inet: "inet", program: "iptables"}
	ipv6 = family{word: "6", inet: "inet6", program: "ip6tables", six: true}
)

// Open looks for iptables and asks the kernel whether it has sets. It changes nothing. The error wraps
// connwarden.ErrUnsupported where one of them is missing and connwarden.ErrDenied without root.
func Open(opt Options) (*Driver, error) {
	return open(opt, program.In())
}

func open(opt Options, run program.Runner) (*Driver, error) {
	d := &Driver{name: opt.Name, run: run, families: []family{ipv4}}
	if !validName(opt.Name) {
		return nil, d.failed("open", fmt.Errorf("name %q: want a letter, then letters, digits, - and _, at most %d bytes", opt.Name, MaxName))
	}
	if err := askProtocol(); err != nil {
		return nil, d.failed("open", fmt.Errorf("ask the kernel for its sets: %w", err))
	}
	version, err := run(context.Background(), ipv4.program, "--version")
	if errors.Is(err, connwarden.ErrNotFound) {
		err = fmt.Errorf("%w: %w", connwarden.ErrUnsupported, err)
	}
	if err != nil {
		return nil, d.failed("open", err)
	}
	d.version = strings.TrimSpace(string(version))
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		if _, err := run(context.Background(), ipv6.program, "--version"); err == nil {
			d.families = append(d.families, ipv6)
		}
	}
	return d, nil
}

// Detect tells whether this firewall can be used here, and why. It changes nothing.
func Detect(context.Context) (ok bool, why string) {
	d, err := Open(Options{Name: "connwarden"})
	if err != nil {
		return false, errors.Unwrap(err).Error()
	}
	return true, "the kernel has sets; " + d.version
}

// Name returns "ipset".
func (d *Driver) Name() string { return "ipset" }

// Properties tell what it can do; IPv6 only where the kernel and ip6tables do.
func (d *Driver) Properties() block.Properties {
	return block.Properties{
		Expiry: true, MaxExpiry: MaxExpiry,
		Scopes:   []connwarden.ScopeKind{connwarden.ScopeAll, connwarden.ScopePorts},
		Prefixes: true, IPv6: len(d.families) > 1, Counts: true, Lists: true, Kernel: true,
		About: "kernel sets and an iptables rule for each, before everything else: drops all that a source sends, open connections too",
	}
}

// Close does nothing: what is held stays held.
func (d *Driver) Close() error { return nil }

// Apply removes and adds, in batches of some hundred entries. A batch that the kernel refuses may have been done in part.
func (d *Driver) Apply(ctx context.Context, add, remove []block.Entry) error {
	p := d.Properties()
	for _, e := range add {
		if err := holds(&p, e); err != nil {
			return d.failed("add", err, e)
		}
	}
	changes := d.changes(time.Now(), add, remove)
	changed := false
	for _, c := range changes {
		if len(c.remove) == 0 {
			continue
		}
		if err := changeSet(ctx, c.set, cmdDel, c.remove); err != nil && !errors.Is(err, connwarden.ErrNotFound) {
			return d.failed("remove", partial(changed || len(c.remove) > 1, fmt.Errorf("change set %s: %w", c.set, err)), c.example(c.remove))
		}
		changed = true
	}
	for _, c := range changes {
		if len(c.add) == 0 {
			continue
		}
		if err := d.fill(ctx, c, &changed); err != nil {
			return d.failed("add", partial(changed, err), c.example(c.add))
		}
	}
	return nil
}

// fill makes the set, fills it and brings it into force. changed tells whether something stands.
func (d *Driver) fill(ctx context.Context, c *change, changed *bool) error {
	if err := createSet(c.set, c.six); err != nil {
		return fmt.Errorf("make set %s: %w", c.set, err)
	}
	err := changeSet(ctx, c.set, cmdAdd, c.add)
	*changed = *changed || err == nil || len(c.add) > 1
	if err != nil {
		return fmt.Errorf("fill set %s: %w", c.set, err)
	}
	missing, err := d.missing(ctx, c.family, c.scope)
	for _, spec := range missing {
		if err == nil {
			err = d.iptables(ctx, c.family, "-I", "PREROUTING 1 "+spec)
		}
	}
	return err
}

// change is what is to be done to one set.
type change struct {
	family
	scope       connwarden.Scope
	set         string
	add, remove []member
}

// example names the target of an error where there is one alone.
func (c *change) example(list []member) block.Entry {
	if len(list) == 1 {
		return block.Entry{Target: list[0].prefix}
	}
	return block.Entry{}
}

// changes sorts entries by set, in the order in which the sets are first named. An end that has passed makes of an
// addition a removal.
func (d *Driver) changes(now time.Time, add, remove []block.Entry) []*change {
	var list []*change
	index := map[string]*change{}
	at := func(e block.Entry) *change {
		f := d.families[0]
		if e.Target.Addr().Is6() {
			f = d.families[1]
		}
		set := d.set(f, e.Scope)
		if index[set] == nil {
			index[set] = &change{family: f, scope: e.Scope, set: set}
			list = append(list, index[set])
		}
		return index[set]
	}
	p := d.Properties()
	for _, e := range remove {
		if holds(&p, e) != nil {
			continue // it cannot be there
		}
		c := at(e)
		c.remove = append(c.remove, member{prefix: e.Target})
	}
	for _, e := range add {
		c, m := at(e), member{prefix: e.Target}
		if !e.Until.IsZero() {
			if m.left = secondsUntil(now, e.Until); m.left == 0 {
				c.remove = append(c.remove, m)
				continue
			}
		}
		c.add = append(c.add, m)
	}
	return list
}

// secondsUntil rounds up, so that nothing ends early, and is 0 for what has passed.
func secondsUntil(now, until time.Time) uint32 {
	left := min(until.Sub(now), MaxExpiry)
	return uint32(max(0, (left+time.Second-1)/time.Second))
}

// List returns what is in the sets that a rule of ours drops by.
func (d *Driver) List(ctx context.Context) ([]block.Entry, error) {
	var list []block.Entry
	if sets, err := d.sets(); err != nil {
		return nil, d.failed("list", err)
	} else if len(sets) == 0 {
		return nil, nil // no rule can speak of a set that is not there, and no program is asked
	}
	for _, f := range d.families {
		rules, err := d.rules(ctx, f)
		if err != nil {
			return nil, d.failed("list", err)
		}
		for _, scope := range inForce(rules) {
			set := d.set(f, scope)
			members, err := readSet(set)
			if err != nil {
				return nil, d.failed("list", fmt.Errorf("read set %s: %w", set, err))
			}
			now := time.Now()
			for _, m := range members {
				e := block.Entry{Target: m.prefix, Scope: scope, Hits: m.hits}
				if m.left > 0 {
					e.Until = now.Add(time.Duration(m.left) * time.Second)
				}
				list = append(list, e)
			}
		}
	}
	return list, nil
}

// Flush takes away our rules and sets. Table raw stays where iptables had to make it for us: empty, letting everything
// through.
func (d *Driver) Flush(ctx context.Context) error {
	sets, err := d.sets()
	if err != nil {
		return d.failed("flush", err)
	}
	if len(sets) == 0 {
		return nil
	}
	for _, f := range d.families {
		rules, err := d.rules(ctx, f)
		if err != nil {
			return d.failed("flush", err)
		}
		for _, r := range rules {
			if err := d.iptables(ctx, f, "-D", r.line); err != nil {
				return d.failed("flush", err)
			}
		}
	}
	for _, name := range sets {
		if err := destroySet(ctx, name); err != nil && !errors.Is(err, connwarden.ErrNotFound) {
			return d.failed("flush", fmt.Errorf("destroy set %s: %w", name, err))
		}
	}
	return nil
}

// sets are the names of ours.
func (d *Driver) sets() ([]string, error) {
	names, err := setNames()
	if err != nil {
		return nil, fmt.Errorf("list the sets: %w", err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return !d.owns(name) }), nil
}

// Prove shows that the set holds the entry and that a rule drops by the set.
func (d *Driver) Prove(ctx context.Context, e block.Entry) (string, error) {
	p := d.Properties()
	if err := holds(&p, e); err != nil {
		return "", d.failed("prove", err, e)
	}
	c := d.changes(time.Time{}, []block.Entry{e}, nil)[0]
	in, err := testSet(c.set, member{prefix: e.Target})
	if err != nil && !errors.Is(err, connwarden.ErrNotFound) {
		return "", d.failed("prove", fmt.Errorf("ask set %s: %w", c.set, err), e)
	}
	if !in {
		return "", d.failed("prove", fmt.Errorf("set %s does not hold it: %w", c.set, connwarden.ErrNotFound), e)
	}
	rules, err := d.rules(ctx, c.family)
	if err != nil {
		return "", d.failed("prove", err, e)
	}
	for _, r := range rules {
		if r.scope == e.Scope {
			return fmt.Sprintf("set %s holds it, and rule %d of table raw, chain PREROUTING, drops what comes from there", c.set, r.place), nil
		}
	}
	return "", d.failed("prove", fmt.Errorf("set %s holds it, but no rule in table raw drops by the set: %w", c.set, connwarden.ErrNotFound), e)
}

// Plan returns the command lines that would do the same.
func (d *Driver) Plan(ctx context.Context, add, remove []block.Entry) ([]string, error) {
	p := d.Properties()
	for _, e := range add {
		if err := holds(&p, e); err != nil {
			return nil, d.failed("add", err, e)
		}
	}
	var lines []string
	for _, c := range d.changes(time.Now(), add, remove) {
		for _, m := range c.remove {
			lines = append(lines, fmt.Sprintf("ipset -exist del %s %s", c.set, m.target()))
		}
		if len(c.add) == 0 {
			continue
		}
		lines = append(lines, fmt.Sprintf("ipset -exist create %s hash:net family %s maxelem %d timeout 0 counters", c.set, c.inet, maxElements))
		for _, m := range c.add {
			lines = append(lines, fmt.Sprintf("ipset -exist add %s %s timeout %d", c.set, m.target(), m.left))
		}
		missing, err := d.missing(ctx, c.family, c.scope)
		if err != nil {
			return nil, d.failed("add", err)
		}
		for _, spec := range missing {
			lines = append(lines, fmt.Sprintf("%s -t raw -I PREROUTING 1 %s", c.program, spec))
		}
	}
	return lines, nil
}

// partial marks an error after which something stands.
func partial(some bool, err error) error {
	if !some {
		return err
	}
	return fmt.Errorf("%w: %w", connwarden.ErrPartial, err)
}

func (d *Driver) failed(op string, err error, about ...block.Entry) error {
	e := &block.Error{Driver: d.Name(), Op: op, Err: err}
	for _, a := range about {
		if a.Target != (netip.Prefix{}) {
			e.Target = a.Target.String()
		}
	}
	return e
}
