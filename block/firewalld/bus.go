package firewalld

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/connwarden/connwarden"
)

// Names of firewalld on the bus (firewalld.dbus(5)).
const (
	service = "org.fedoraproject.FirewallD1"
	path    = "/org/fedoraproject/FirewallD1"
	zone    = service + ".zone"
)

// patience is how long firewalld may take for one thing. It does one at a time, and a reload of a large configuration
// takes seconds.
const patience = 30 * time.Second

// bus is a connection on which nothing is ever started: without the flag, the bus would start a firewalld that the
// operator has stopped.
type bus struct {
	conn    *dbus.Conn
	signals chan *dbus.Signal
}

func dial(address string) (*bus, error) {
	inOrder := dbus.WithSignalHandler(dbus.NewSequentialSignalHandler())
	connect := func() (*dbus.Conn, error) { return dbus.ConnectSystemBus(inOrder) }
	if address != "" {
		connect = func() (*dbus.Conn, error) { return dbus.Connect(address, inOrder) }
	}
	conn, err := connect()
	if err != nil {
		return nil, fmt.Errorf("connect to the message bus: %w: %w", connwarden.ErrUnsupported, err)
	}
	b := &bus{conn, make(chan *dbus.Signal, 16)}
	conn.Signal(b.signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(service), dbus.WithMatchInterface(service), dbus.WithMatchMember("Reloaded")},
		{dbus.WithMatchSender(service), dbus.WithMatchInterface(zone), dbus.WithMatchMember("RichRuleAdded")},
		{dbus.WithMatchSender(service), dbus.WithMatchInterface(zone), dbus.WithMatchMember("RichRuleRemoved")},
		{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, service)},
	} {
		if err := conn.AddMatchSignal(match...); err != nil {
			b.close()
			return nil, fmt.Errorf("listen on the message bus: %w", err)
		}
	}
	return b, nil
}

// close ends the connection and closes the channel of signals.
func (b *bus) close() { _ = b.conn.Close() }

// call calls a method of firewalld and stores what it returns.
func (b *bus) call(ctx context.Context, method string, result any, args ...any) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	call := b.conn.Object(service, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
	if call.Err != nil || result == nil {
		return inWords(call.Err)
	}
	return call.Store(result)
}

// inWords gives an error of the bus its meaning.
func inWords(err error) error {
	var e dbus.Error
	if !errors.As(err, &e) {
		return err
	}
	if strings.HasSuffix(e.Name, "AccessDenied") || strings.HasSuffix(e.Name, "NotAuthorizedException") {
		return fmt.Errorf("%w: %w", connwarden.ErrDenied, err)
	}
	if strings.HasSuffix(e.Name, "NameHasNoOwner") || strings.HasSuffix(e.Name, "ServiceUnknown") {
		return fmt.Errorf("firewalld is not running: %w", connwarden.ErrUnsupported)
	}
	return err
}

// says tells whether firewalld answers with one of its codes, which begin the text of its exceptions.
func says(err error, code string) bool {
	var e dbus.Error
	return errors.As(err, &e) && strings.HasPrefix(e.Error(), code)
}

// owner is the connection of firewalld itself.
func (b *bus) owner(ctx context.Context) (name string, err error) {
	call := b.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetNameOwner", 0, service)
	if call.Err != nil {
		return "", inWords(call.Err)
	}
	return name, call.Store(&name)
}

func (b *bus) property(ctx context.Context, name string, result any) error {
	var v dbus.Variant
	if err := b.call(ctx, "org.freedesktop.DBus.Properties.Get", &v, service, name); err != nil {
		return fmt.Errorf("ask firewalld for %s: %w", name, err)
	}
	if err := v.Store(result); err != nil {
		return fmt.Errorf("ask firewalld for %s: %w", name, err)
	}
	return nil
}

func (b *bus) add(ctx context.Context, name, rule string) error {
	const endless = int32(0)
	err := b.call(ctx, zone+".addRichRule", nil, name, rule, endless)
	if err == nil || says(err, "ALREADY_ENABLED") {
		return nil
	}
	return fmt.Errorf("add a rich rule to zone %s: %w", name, err)
}

func (b *bus) remove(ctx context.Context, name, rule string) error {
	err := b.call(ctx, zone+".removeRichRule", nil, name, rule)
	if err == nil || says(err, "NOT_ENABLED") {
		return nil
	}
	return fmt.Errorf("remove a rich rule from zone %s: %w", name, err)
}

// zones are all zones with our rules in them.
type zones struct {
	all    []string
	active []string // those that see packets: with an interface or source, and the default zone
	rules  map[string]map[netip.Prefix]bool
}

// everywhere tells whether a target is denied in all zones that see packets.
func (z *zones) everywhere(target netip.Prefix) bool {
	return !slices.ContainsFunc(z.active, func(name string) bool { return !z.rules[name][target] })
}

func (d *Driver) zones(ctx context.Context) (*zones, error) {
	z := &zones{rules: map[string]map[netip.Prefix]bool{}}
	var byDefault string
	var active map[string]map[string][]string
	if err := d.bus.call(ctx, service+".getDefaultZone", &byDefault); err != nil {
		return nil, fmt.Errorf("ask firewalld for its default zone: %w", err)
	}
	if err := d.bus.call(ctx, zone+".getActiveZones", &active); err != nil {
		return nil, fmt.Errorf("ask firewalld for its active zones: %w", err)
	}
	if err := d.bus.call(ctx, zone+".getZones", &z.all); err != nil {
		return nil, fmt.Errorf("ask firewalld for its zones: %w", err)
	}
	for _, name := range z.all {
		if _, sees := active[name]; sees || name == byDefault {
			z.active = append(z.active, name)
		}
		var texts []string
		if err := d.bus.call(ctx, zone+".getRichRules", &texts, name); err != nil {
			return nil, fmt.Errorf("ask firewalld for the rich rules of zone %s: %w", name, err)
		}
		z.rules[name] = map[netip.Prefix]bool{}
		for _, text := range texts {
			if target, ok := parseRule(text, d.priority); ok {
				z.rules[name][target] = true
			}
		}
	}
	if len(z.active) == 0 {
		return nil, fmt.Errorf("firewalld has no zone %q, its default one", byDefault)
	}
	return z, nil
}

// listen keeps what is held in step with what others add and remove, and puts it back when firewalld has forgotten it. What
// cannot be put back is missing in the next List.
//
// Anybody on the bus may send us a signal; only those of firewalld and of the bus itself count.
func (d *Driver) listen() {
	defer close(d.listening)
	for s := range d.bus.signals {
		d.mu.Lock()
		switch {
		case s.Sender == "org.freedesktop.DBus" && s.Name == "org.freedesktop.DBus.NameOwnerChanged":
			if owner := text(s, 2); text(s, 0) == service {
				d.owner = owner
				if owner != "" {
					d.putBack()
				}
			}
		case s.Sender != d.owner:
		case s.Name == service+".Reloaded":
			d.putBack()
		case s.Name == zone+".RichRuleAdded":
			if target, ok := parseRule(text(s, 1), d.priority); ok {
				d.held[target] = true
			}
		case s.Name == zone+".RichRuleRemoved":
			if target, ok := parseRule(text(s, 1), d.priority); ok {
				delete(d.held, target)
			}
		}
		d.mu.Unlock()
	}
}

// text is one of a signal's values, if it is text.
func text(s *dbus.Signal, i int) string {
	if i >= len(s.Body) {
		return ""
	}
	word, _ := s.Body[i].(string)
	return word
}

// putBack adds what is held and is not there.
func (d *Driver) putBack() {
	ctx, stop := context.WithTimeout(d.bus.conn.Context(), Most*patience/10)
	defer stop()
	zones, err := d.zones(ctx)
	if err != nil {
		return
	}
	for target := range d.held {
		for _, name := range zones.active {
			if zones.rules[name][target] {
				continue
			}
			if d.bus.add(ctx, name, rule(d.priority, target)) != nil {
				return
			}
		}
	}
}
