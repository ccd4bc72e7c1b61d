package nft

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// hooks are where prerouting hangs and from where on addresses are translated, from include/uapi/linux/netfilter.h and
// netfilter_ipv4.h.
const (
	hookPrerouting = 0
	translation    = -100
)

// Prove asks the kernel for the entry itself and for all that makes it work: the table awake, the chain hooked in front
// of address translation and with it of containers' published ports, the rule that drops. The error wraps
// connwarden.ErrNotFound where one of them is missing.
func (d *Driver) Prove(ctx context.Context, e block.Entry) (seen string, err error) {
	seen, err = d.prove(ctx, e)
	if err != nil {
		return "", &block.Error{Driver: Name, Op: "prove", Target: e.Target.String(), Err: err}
	}
	return seen, nil
}

func (d *Driver) prove(ctx context.Context, e block.Entry) (string, error) {
	p, err := placeOf(e)
	if err != nil {
		return "", err
	}
	element, err := d.get(ctx, p.set(), e.Target.Addr().AsSlice())
	if err != nil {
		return "", fmt.Errorf("look for it in set %s: %w", p.set(), err)
	}
	r, err := d.ruleset(ctx)
	if err != nil {
		return "", err
	}
	h, err := d.hook(ctx)
	switch {
	case r.asleep:
		return "", missing("the table inet %s is dormant: connwarden sync wakes it, as nft add table inet %s does", d.table, d.table)
	case err != nil:
		return "", fmt.Errorf("look for chain %s: %w", incoming, err)
	case r.misplaced:
		return "", missing("chain %s has hook %d of type %q at priority %d: want prerouting before %d", incoming, h.number, h.kind, h.priority, translation)
	case !r.drops[p.set()]:
		return "", missing("the rule %q in chain %s", p.match()+" drop", p.chain())
	case !r.leads(p):
		return "", missing("the rule of chain %s that leads to %s", incoming, p.chain())
	}
	seen := fmt.Sprintf("listed in set %s of table inet %s, which chain %s drops at prerouting, priority %d, in front of address translation",
		p.set(), d.table, p.chain(), h.priority)
	if element.ends {
		seen += fmt.Sprintf("; %s left", element.left.Round(time.Second))
	}
	if d.props.Counts {
		seen += fmt.Sprintf("; %d packets refused", element.hits.Packets)
	}
	return seen, nil
}

// missing says what is not there that should be.
func missing(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{connwarden.ErrNotFound}, args...)...)
}

// early tells whether packets come by before addresses are translated.
func (h hook) early() bool {
	return h.kind == "filter" && h.number == hookPrerouting && h.priority < translation
}

// Plan returns lines for "nft -f" that do what Apply would do now. What is there already is not in them.
func (d *Driver) Plan(ctx context.Context, add, remove []block.Entry) ([]string, error) {
	now := time.Now()
	list, bad := changes(add, remove, now)
	if bad != nil {
		return nil, bad
	}
	r, err := d.ruleset(ctx)
	if err != nil {
		return nil, failed("plan", err)
	}
	w := script{table: "inet " + d.table, counter: !d.plain}
	for _, c := range list {
		there, err := d.there(ctx, r, c)
		if err != nil {
			return nil, failed("plan", err)
		}
		w.change(r, c, there, now)
	}
	return w.lines, nil
}

// there are those entries of a change that are in force.
func (d *Driver) there(ctx context.Context, r *ruleset, c change) (list []block.Entry, err error) {
	if !r.sets[c.set()] {
		return nil, nil
	}
	for _, entries := range [][]block.Entry{c.gone, c.add} {
		for _, e := range entries {
			_, err := d.get(ctx, c.set(), e.Target.Addr().AsSlice())
			switch {
			case err == nil:
				list = append(list, e)
			case !errors.Is(err, connwarden.ErrNotFound):
				return nil, err
			}
		}
	}
	return list, nil
}
