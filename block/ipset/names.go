package ipset

import (
	"fmt"
	"hash/fnv"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// holds tells whether an entry can be held. Length 0 cannot: sets of prefixes begin at 1.
func holds(p *block.Properties, e block.Entry) error {
	switch {
	case !e.Target.IsValid() || e.Target.Addr().Is4In6() || e.Target != e.Target.Masked():
		return fmt.Errorf("%v is no masked prefix: %w", e.Target, connwarden.ErrUnsupported)
	case e.Target.Bits() == 0:
		return fmt.Errorf("the whole internet: %w", connwarden.ErrUnsupported)
	}
	if err := p.Holds(e); err != nil {
		return err
	}
	if !known(e.Scope) {
		return fmt.Errorf("scope %q: want all, or 1 to %d ports, ascending: %w", e.Scope, maxPorts, connwarden.ErrUnsupported)
	}
	return nil
}

// known tells whether a scope is everything, or ports that fit into one rule.
func known(s connwarden.Scope) bool {
	ports := s.PortList()
	return s == connwarden.Scope{} || s.Kind == connwarden.ScopePorts && s == connwarden.Ports(ports...) && len(ports) <= maxPorts
}

// set names the set of a family and scope.
func (d *Driver) set(f family, s connwarden.Scope) string {
	name := d.name + "-" + f.word
	if s.Kind == connwarden.ScopeAll {
		return name
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.String()))
	return fmt.Sprintf("%s-%08x", name, h.Sum32())
}

// owns tells whether a set is ours, by its name: NAME-4 or NAME-6, and after it nothing or eight digits.
func (d *Driver) owns(set string) bool {
	n := len(d.name)
	if len(set) < n+2 || set[:n+1] != d.name+"-" || set[n+1] != '4' && set[n+1] != '6' {
		return false
	}
	rest := set[n+2:]
	return rest == "" || len(rest) == 9 && rest[0] == '-'
}

// target writes a member as ipset does.
func (m member) target() string {
	if m.prefix.IsSingleIP() {
		return m.prefix.Addr().String()
	}
	return m.prefix.String()
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
