// Package firewalld denies through a running firewalld, over D-Bus, so that what is denied shows in its own listings.
//
// Each entry is a rich rule of the runtime: rule priority="P" family="…" source address="…" drop, in every active zone and
// in the default zone. Runtime, because what is permanent is written into files that then hide the distribution's, and
// because firewalld learns of a permanent set only by a reload, which throws away what others keep in the runtime. A
// negative priority stands before every other rule of a zone. P is derived from the name that the caller gives; a rule of
// exactly this form with this priority is ours, and that is our mark.
//
// What follows from firewalld's own order (seen in the ruleset of 1.3.3): connections that are established go on, and so
// does what address translation leads into a container, since both are accepted before any zone is asked. firewalld can
// end a rule by itself, but does not tell when, so that the next process could neither show nor move the end: our rules
// have none, and whoever keeps the wish ends them. A scope of ports would be a rule for each port, of which nobody could
// tell which belong together: it is not taken.
//
// A reload or restart of firewalld forgets the runtime. While a Driver is open it hears of that and puts back what was
// there, with a gap of milliseconds; otherwise List shows what is missing, and the next Apply brings it back.
package firewalld

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// Most is how many entries are held. A rule takes firewalld some 20 ms a zone to add, and as long again after each reload.
const Most = 200

// Options are what the caller knows.
type Options struct {
	// Name tells this instance from others; the priority of our rules is derived from it. It must not be empty.
	Name string
	// Address is that of the bus, as D-Bus writes it ("unix:path=/run/dbus/system_bus_socket"); empty: the system's.
	Address string
}

// Driver speaks to firewalld. It belongs to one goroutine at a time, but for one of its own that listens.
type Driver struct {
	bus      *bus
	priority int
	ipv6     bool
	version  string

	mu        sync.Mutex // held during every change, so that nothing is put back that is being removed
	owner     string     // firewalld's connection
	held      map[netip.Prefix]bool
	listening chan struct{} // closed when the listener has ended
}

// Open asks for firewalld on the bus; it never starts it. It changes nothing. The error wraps connwarden.ErrUnsupported
// where firewalld does not run.
func Open(opt Options) (*Driver, error) {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	d, err := open(ctx, opt)
	if err != nil {
		return nil, &block.Error{Driver: "firewalld", Op: "open", Err: err}
	}
	return d, nil
}

func open(ctx context.Context, opt Options) (*Driver, error) {
	if opt.Name == "" {
		return nil, errors.New("the name is empty: it tells this instance from others")
	}
	b, err := dial(opt.Address)
	if err != nil {
		return nil, err
	}
	d := &Driver{bus: b, priority: priority(opt.Name), held: map[netip.Prefix]bool{}, listening: make(chan struct{})}
	if err := d.meet(ctx); err != nil {
		b.close()
		return nil, err
	}
	go d.listen()
	return d, nil
}

// meet learns of firewalld what does not change, and what of ours is there.
func (d *Driver) meet(ctx context.Context) error {
	var err error
	if d.owner, err = d.bus.owner(ctx); err != nil {
		return err
	}
	var state string
	for name, result := range map[string]any{"state": &state, "version": &d.version, "IPv6": &d.ipv6} {
		if err := d.bus.property(ctx, name, result); err != nil {
			return err
		}
	}
	if state != "RUNNING" {
		return fmt.Errorf("firewalld is in state %q: %w", state, connwarden.ErrUnsupported)
	}
	zones, err := d.zones(ctx)
	if err != nil {
		return err
	}
	for _, rules := range zones.rules {
		maps.Copy(d.held, rules)
	}
	return nil
}

// Detect tells whether firewalld is running, and why. It changes nothing and starts nothing.
func Detect(ctx context.Context) (ok bool, why string) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	d, err := open(ctx, Options{Name: "connwarden"})
	if err != nil {
		return false, err.Error()
	}
	defer d.Close()
	zones, err := d.zones(ctx)
	if err != nil {
		return false, err.Error()
	}
	return true, fmt.Sprintf("firewalld %s is running; zones %s", d.version, strings.Join(zones.active, ", "))
}

// Name returns "firewalld".
func (d *Driver) Name() string { return "firewalld" }

// Properties tell what it can do; IPv6 only where firewalld has it.
func (d *Driver) Properties() block.Properties {
	return block.Properties{
		Scopes:   []connwarden.ScopeKind{connwarden.ScopeAll},
		Prefixes: true, IPv6: d.ipv6, Most: Most, Lists: true,
		About: "a rich rule in each active zone: new connections to this machine; open ones and ports of containers go on",
	}
}

// Close stops listening. What is held stays held, until firewalld is reloaded.
func (d *Driver) Close() error {
	d.bus.close()
	<-d.listening
	return nil
}

// Apply removes and adds, rule by rule.
func (d *Driver) Apply(ctx context.Context, add, remove []block.Entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	steps, err := d.steps(ctx, add, remove)
	if err != nil {
		return err
	}
	for i, s := range steps {
		if err := d.take(ctx, s); err != nil {
			if i > 0 || ctx.Err() != nil { // what was given up in its midst may have been done
				err = fmt.Errorf("%w: %w", connwarden.ErrPartial, err)
			}
			return d.failed(s.op, err, s.target)
		}
	}
	// Also what was there already: another process may have put it there.
	for _, e := range remove {
		delete(d.held, e.Target)
	}
	for _, e := range add {
		d.held[e.Target] = true
	}
	return nil
}

// step adds a rule to a zone or removes it.
type step struct {
	op     string // "add" or "remove"
	zone   string
	target netip.Prefix
}

func (d *Driver) take(ctx context.Context, s step) error {
	if s.op == "remove" {
		return d.bus.remove(ctx, s.zone, rule(d.priority, s.target))
	}
	return d.bus.add(ctx, s.zone, rule(d.priority, s.target))
}

// steps compares what is wanted with what is there: removals, then additions. It refuses what cannot be held.
func (d *Driver) steps(ctx context.Context, add, remove []block.Entry) ([]step, error) {
	p := d.Properties()
	wanted := map[netip.Prefix]bool{}
	for _, e := range add {
		if err := p.Holds(e); err != nil {
			return nil, d.failed("add", err, e.Target)
		}
		wanted[e.Target] = true
	}
	if len(add)+len(remove) == 0 {
		return nil, nil
	}
	zones, err := d.zones(ctx)
	if err != nil {
		return nil, d.failed("list", err, netip.Prefix{})
	}
	left := maps.Clone(wanted)
	for _, rules := range zones.rules {
		maps.Copy(left, rules)
	}
	var steps []step
	for _, e := range remove {
		if e.Scope.Kind != connwarden.ScopeAll || wanted[e.Target] {
			continue
		}
		delete(left, e.Target)
		for _, zone := range zones.all {
			if zones.rules[zone][e.Target] {
				steps = append(steps, step{"remove", zone, e.Target})
				delete(zones.rules[zone], e.Target) // named twice, removed once
			}
		}
	}
	if len(add) > 0 && len(left) > Most {
		return nil, d.failed("add", fmt.Errorf("%d entries where %d fit; use nft for more: %w", len(left), Most, connwarden.ErrUnsupported), netip.Prefix{})
	}
	for _, target := range slices.SortedFunc(maps.Keys(wanted), netip.Prefix.Compare) {
		for _, zone := range zones.active {
			if !zones.rules[zone][target] {
				steps = append(steps, step{"add", zone, target})
			}
		}
	}
	return steps, nil
}

// List returns what is denied in every active zone and in the default zone.
func (d *Driver) List(ctx context.Context) ([]block.Entry, error) {
	zones, err := d.zones(ctx)
	if err != nil {
		return nil, d.failed("list", err, netip.Prefix{})
	}
	var list []block.Entry
	for target := range zones.rules[zones.active[0]] {
		if zones.everywhere(target) {
			list = append(list, block.Entry{Target: target})
		}
	}
	return list, nil
}

// Flush removes our rules from all zones.
func (d *Driver) Flush(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.held)
	zones, err := d.zones(ctx)
	if err != nil {
		return d.failed("flush", err, netip.Prefix{})
	}
	for zone, rules := range zones.rules {
		for target := range rules {
			if err := d.take(ctx, step{"remove", zone, target}); err != nil {
				return d.failed("flush", err, target)
			}
		}
	}
	return nil
}

// Prove shows in which zones the rule is.
func (d *Driver) Prove(ctx context.Context, e block.Entry) (string, error) {
	p := d.Properties()
	if err := p.Holds(e); err != nil {
		return "", d.failed("prove", err, e.Target)
	}
	zones, err := d.zones(ctx)
	if err != nil {
		return "", d.failed("prove", err, e.Target)
	}
	for _, zone := range zones.active {
		if !zones.rules[zone][e.Target] {
			return "", d.failed("prove", fmt.Errorf("zone %s has no rule for it: %w", zone, connwarden.ErrNotFound), e.Target)
		}
	}
	return fmt.Sprintf("firewalld %s drops it by a rich rule of priority %d in zones %s: new connections; open ones go on",
		d.version, d.priority, strings.Join(zones.active, ", ")), nil
}

// Plan returns the command lines that would do the same.
func (d *Driver) Plan(ctx context.Context, add, remove []block.Entry) ([]string, error) {
	steps, err := d.steps(ctx, add, remove)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, s := range steps {
		lines = append(lines, fmt.Sprintf("firewall-cmd --zone=%s --%s-rich-rule='%s'", s.zone, s.op, rule(d.priority, s.target)))
	}
	return lines, nil
}

func (d *Driver) failed(op string, err error, target netip.Prefix) error {
	e := &block.Error{Driver: d.Name(), Op: op, Err: err}
	if target.IsValid() {
		e.Target = target.String()
	}
	return e
}

// priority derives the mark of an instance from its name: a number between -32000 and -4001, where rules written by hand
// hardly ever are.
func priority(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return -4001 - int(h.Sum32()%28000)
}

// rule writes a rich rule as firewalld prints it.
func rule(priority int, target netip.Prefix) string {
	family := "ipv4"
	if target.Addr().Is6() {
		family = "ipv6"
	}
	return fmt.Sprintf(`rule priority="%d" family="%s" source address="%s" drop`, priority, family, target)
}

// parseRule reads a rule by writing it anew from its address: only if that is the same, it is ours.
func parseRule(text string, priority int) (target netip.Prefix, ok bool) {
	_, rest, _ := strings.Cut(text, ` source address="`)
	address, _, _ := strings.Cut(rest, `"`)
	target, err := netip.ParsePrefix(address)
	return target, err == nil && text == rule(priority, target)
}
