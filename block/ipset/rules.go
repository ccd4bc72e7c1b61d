package ipset

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block/multiport"
)

// rule is a rule of ours in table raw, chain PREROUTING.
type rule struct {
	scope connwarden.Scope
	proto string // "tcp" or "udp" of ports, else nothing
	place int    // in the chain, from 1
	line  string // as iptables prints it, after "-A "
}

// protocols are those that a scope needs a rule for.
func protocols(s connwarden.Scope) []string {
	if s.Kind == connwarden.ScopePorts {
		return []string{"tcp", "udp"}
	}
	return []string{""}
}

// rules returns our rules, asking the program.
func (d *Driver) rules(ctx context.Context, f family) ([]rule, error) {
	out, err := d.run(ctx, f.program, "-w", "5", "-t", "raw", "-S", "PREROUTING")
	if err != nil {
		return nil, fmt.Errorf("read table raw: %w", err)
	}
	return parseRules(string(out), d.name, func(s connwarden.Scope) string { return d.set(f, s) }), nil
}

// spec writes a rule as iptables reads and prints it, without its chain.
func spec(name, set string, s connwarden.Scope, proto string) string {
	ports := ""
	if proto != "" {
		ports = fmt.Sprintf("-p %s -m multiport --dports %s ", proto, s.Detail)
	}
	return fmt.Sprintf(`%s-m set --match-set %s src -m comment --comment "%s %s" -j DROP`, ports, set, name, s)
}

// parseRules finds our rules in what "iptables -S PREROUTING" prints, by writing each that has our comment anew from what it
// says: a rule of which somebody changed anything is not ours any more.
func parseRules(out, name string, set func(connwarden.Scope) string) []rule {
	var list []rule
	place := 0
	for line := range strings.Lines(out) {
		line, ok := strings.CutPrefix(strings.TrimSpace(line), "-A ")
		if !ok {
			continue
		}
		place++
		words := multiport.Words(line)
		mark, ok := strings.CutPrefix(multiport.After(words, "--comment"), name+" ")
		if !ok {
			continue
		}
		scope, ok := connwarden.ParseScope(mark)
		r := rule{scope: scope, proto: multiport.After(words, "-p"), place: place, line: line}
		ok = ok && multiport.Fits(scope) == nil && slices.Contains(protocols(scope), r.proto)
		if ok && slices.Equal(words, multiport.Words("PREROUTING "+spec(name, set(scope), scope, r.proto))) {
			list = append(list, r)
		}
	}
	return list
}

// inForce are the scopes that have all their rules.
func inForce(rules []rule) []connwarden.Scope {
	var scopes []connwarden.Scope
	for _, r := range rules {
		if !slices.Contains(scopes, r.scope) && len(lacking(rules, r.scope)) == 0 {
			scopes = append(scopes, r.scope)
		}
	}
	return scopes
}

// lacking are the protocols of a scope that have no rule.
func lacking(rules []rule, s connwarden.Scope) []string {
	return slices.DeleteFunc(protocols(s), func(proto string) bool {
		return slices.ContainsFunc(rules, func(r rule) bool { return r.scope == s && r.proto == proto })
	})
}

// missing are the rules that a scope lacks, as iptables prints them, without their chain; none if it is in force.
func (d *Driver) missing(ctx context.Context, f family, s connwarden.Scope) ([]string, error) {
	rules, err := d.rules(ctx, f)
	if err != nil {
		return nil, err
	}
	var specs []string
	for _, proto := range lacking(rules, s) {
		specs = append(specs, spec(d.name, d.set(f, s), s, proto))
	}
	return specs, nil
}

// iptables changes table raw by one command: its verb, and what follows it in a line.
func (d *Driver) iptables(ctx context.Context, f family, verb, line string) error {
	args := append([]string{"-w", "5", "-t", "raw", verb}, multiport.Words(line)...)
	if _, err := d.run(ctx, f.program, args...); err != nil {
		return fmt.Errorf("change table raw: %w", err)
	}
	return nil
}
