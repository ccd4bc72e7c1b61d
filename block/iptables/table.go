package iptables

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
	"github.com/connwarden/connwarden/block/multiport"
)

// table is what matters to us of table raw.
type table struct {
	chain   bool // ours is there
	jump    int  // where in PREROUTING our jump stands, from 1; 0 if it is not there
	rules   []rule
	strange int // rules of others in our chain
	called  int // rules of others that jump to our chain
}

// rule is a rule of ours.
type rule struct {
	key   block.EntryKey
	proto string // "tcp" or "udp" of ports, else nothing
	place int    // in our chain, from 1
	hits  block.Hits
}

// protocols are those that a scope needs a rule for.
func protocols(s connwarden.Scope) []string {
	if s.Kind == connwarden.ScopePorts {
		return []string{"tcp", "udp"}
	}
	return []string{""}
}

// spec writes a rule as iptables reads and prints it, its chain first.
func spec(name string, k block.EntryKey, proto string) string {
	ports := ""
	if proto != "" {
		ports = fmt.Sprintf(" -p %s -m multiport --dports %s", proto, k.Scope.Detail)
	}
	return fmt.Sprintf(`%s -s %s%s -m comment --comment "%s %s" -j DROP`, name, k.Target, ports, name, k.Scope)
}

// jump writes the rule that leads to our chain.
func jump(name string) string {
	return fmt.Sprintf("PREROUTING -m comment --comment %s -j %s", name, name)
}

// parse finds what is ours in what "iptables -v -S" prints of a table. A rule of which somebody changed anything is not
// ours any more.
func parse(out, name string) *table {
	t := &table{}
	place := map[string]int{}
	for line := range strings.Lines(out) {
		words := multiport.Words(strings.TrimSpace(line))
		if len(words) < 2 {
			continue
		}
		if words[0] == "-N" && words[1] == name {
			t.chain = true
		}
		if words[0] != "-A" {
			continue
		}
		chain := words[1]
		place[chain]++
		words, hits := uncounted(words[1:])
		switch r, ok := parseRule(words, name); {
		case ok:
			r.place, r.hits = place[chain], hits
			t.rules = append(t.rules, r)
		case slices.Equal(words, multiport.Words(jump(name))):
			if t.jump == 0 {
				t.jump = place[chain]
			}
		case chain == name:
			t.strange++
		case slices.Contains([]string{multiport.After(words, "-j"), multiport.After(words, "-g")}, name):
			t.called++
		}
	}
	return t
}

// parseRule reads a rule by writing it anew from what it says: only if that is the same, it is ours.
func parseRule(words []string, name string) (r rule, ok bool) {
	scope, marked := strings.CutPrefix(multiport.After(words, "--comment"), name+" ")
	if !marked {
		return r, false
	}
	if r.key.Scope, ok = connwarden.ParseScope(scope); !ok || multiport.Fits(r.key.Scope) != nil {
		return r, false
	}
	target, err := netip.ParsePrefix(multiport.After(words, "-s"))
	if err != nil {
		return r, false
	}
	r.key.Target, r.proto = target, multiport.After(words, "-p")
	return r, slices.Contains(protocols(r.key.Scope), r.proto) && slices.Equal(words, multiport.Words(spec(name, r.key, r.proto)))
}

// uncounted takes the counters out of a rule.
func uncounted(words []string) ([]string, block.Hits) {
	i := slices.Index(words, "-c")
	if i < 0 || i+2 >= len(words) {
		return words, block.Hits{}
	}
	packets, _ := strconv.ParseUint(words[i+1], 10, 64)
	bytes, _ := strconv.ParseUint(words[i+2], 10, 64)
	return slices.Delete(slices.Clone(words), i, i+3), block.Hits{Packets: packets, Bytes: bytes}
}

// of are the rules of a key.
func (t *table) of(k block.EntryKey) []rule {
	return slices.DeleteFunc(slices.Clone(t.rules), func(r rule) bool { return r.key != k })
}

// keys are those that have a rule, in the order of the chain.
func (t *table) keys() []block.EntryKey {
	var list []block.EntryKey
	seen := map[block.EntryKey]bool{}
	for _, r := range t.rules {
		if !seen[r.key] {
			seen[r.key] = true
			list = append(list, r.key)
		}
	}
	return list
}

// lacking are the protocols for which a key has no rule.
func (t *table) lacking(k block.EntryKey) []string {
	rules := t.of(k)
	return slices.DeleteFunc(protocols(k.Scope), func(proto string) bool {
		return slices.ContainsFunc(rules, func(r rule) bool { return r.proto == proto })
	})
}

// hits is what the rules of a key dropped.
func (t *table) hits(k block.EntryKey) (sum block.Hits) {
	for _, r := range t.of(k) {
		sum.Packets += r.hits.Packets
		sum.Bytes += r.hits.Bytes
	}
	return sum
}

// place is where the first rule of a key stands.
func (t *table) place(k block.EntryKey) int { return t.of(k)[0].place }

// change writes the lines that remove and add. A rule that is there stays, and keeps its count.
func (t *table) change(name string, add, remove []block.EntryKey) []string {
	var lines []string
	for _, k := range remove {
		if slices.Contains(add, k) {
			continue
		}
		for _, r := range t.of(k) {
			lines = append(lines, "-D "+spec(name, k, r.proto))
		}
	}
	if len(add) == 0 {
		return lines
	}
	if !t.chain {
		lines = append([]string{":" + name + " - [0:0]"}, lines...)
	}
	for _, k := range add {
		for _, proto := range t.lacking(k) {
			lines = append(lines, "-A "+spec(name, k, proto))
		}
	}
	if t.jump == 0 {
		lines = append(lines, strings.Replace("-I "+jump(name), "PREROUTING", "PREROUTING 1", 1))
	}
	return lines
}

// flush writes the lines that take everything of ours away.
func (t *table) flush(name string) []string {
	var lines []string
	if t.jump > 0 && t.strange == 0 {
		lines = append(lines, "-D "+jump(name))
	}
	for _, r := range t.rules {
		lines = append(lines, "-D "+spec(name, r.key, r.proto))
	}
	if t.chain && t.strange == 0 && t.called == 0 {
		lines = append(lines, "-X "+name)
	}
	return lines
}

// read asks for the table of each family.
func (d *Driver) read(ctx context.Context) ([]*table, error) {
	var tables []*table
	for _, f := range d.families {
		out, err := d.run(ctx, f.program, "-w", "5", "-t", "raw", "-v", "-S")
		if err != nil {
			return nil, d.failed("list", fmt.Errorf("read table raw: %w", err))
		}
		tables = append(tables, parse(string(out), d.name))
	}
	return tables, nil
}

// held is what read returns, but asks no program where table raw is not there: to ask the older iptables for it makes it.
func (d *Driver) held(ctx context.Context) ([]*table, error) {
	if strings.Contains(d.version, "nf_tables") || slices.ContainsFunc(d.families, func(f family) bool { return f.raw() }) {
		return d.read(ctx)
	}
	return nil, nil
}

// raw tells whether the older iptables has table raw; where that cannot be seen it may.
func (f family) raw() bool {
	names, err := os.ReadFile("/proc/thread-self/net/" + strings.TrimSuffix(f.program, "tables") + "_tables_names")
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return slices.Contains(strings.Fields(string(names)), "raw")
}

// restore changes table raw by lines, all of them or none. The program reads them from a file.
func (d *Driver) restore(ctx context.Context, f family, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	file, err := os.CreateTemp("", "connwarden-*.rules")
	if err != nil {
		return fmt.Errorf("write the rules for %s-restore: %w", f.program, err)
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString("*raw\n" + strings.Join(lines, "\n") + "\nCOMMIT\n")
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write the rules for %s-restore: %w", f.program, err)
	}
	if _, err := d.run(ctx, f.program+"-restore", "-w", "5", "--noflush", file.Name()); err != nil {
		return fmt.Errorf("change table raw: %w", err)
	}
	return nil
}
