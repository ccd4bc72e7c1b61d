package ipset

import (
	"fmt"
	"hash/fnv"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/multiport"
)

// holds tells whether an entry can be held.
func holds(p *block.Properties, e block.Entry) error {
	if err := p.Holds(e); err != nil {
		return err
	}
	return multiport.Fits(e.Scope)
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
