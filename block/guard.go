package block

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/connwarden/connwarden"
)

// Defaults of what the guard lets through.
const (
	Widest4   = 16   // an IPv4 prefix that is shorter needs an operator who insists
	Widest6   = 32   // an IPv6 prefix likewise: what a provider is given
	PerMinute = 2000 // automatic blocks in a minute
)

// Spare is who must not be blocked.
type Spare struct {
	Prefix netip.Prefix
	Who    string // a noun with its reason: "the gateway of eth0", "the address you are logged in from (SSH_CONNECTION)"
	Always bool   // not even if an operator insists: it would cut the machine off from itself
	ByHand bool   // only from what an operator asks for now; what is in force already stays
}

// Limits are what the guard refuses beside those that are spared by name. The zero value has the defaults.
type Limits struct {
	// Exempt, if not nil, says why a prefix must not be blocked: proved crawlers, the ranges of CDNs and proxies. It
	// returns nothing for a prefix that shares no address with them, and always says the same. It must be fast: an act asks it three times
	// about each entry, when that is asked for, when it is wanted and when it is handed over.
	Exempt           func(netip.Prefix) string
	Widest4, Widest6 int // lengths; 0: Widest4 and Widest6
	PerMinute        int // 0: PerMinute
}

// Rules say who must never be blocked. One value serves all guards of a keeper; it belongs to their goroutine.
type Rules struct {
	limits  Limits
	spares  []Spare
	always  cover   // of spares
	spared  cover   // of spares
	byHand  []Spare // from what an operator asks for
	allowed cover
	allows  []Allow

	minute time.Time // when the minute that is counted began
	count  int
}

// theMachine are the addresses that stand for the machine itself or for no one.
var theMachine = []Spare{
	{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Who: "loopback", Always: true},
	{Prefix: netip.MustParsePrefix("::1/128"), Who: "loopback", Always: true},
	{Prefix: netip.MustParsePrefix("0.0.0.0/8"), Who: "the unspecified network", Always: true},
	{Prefix: netip.MustParsePrefix("::/128"), Who: "the unspecified address", Always: true},
	{Prefix: netip.MustParsePrefix("224.0.0.0/4"), Who: "multicast", Always: true},
	{Prefix: netip.MustParsePrefix("ff00::/8"), Who: "multicast, by which IPv6 finds its neighbours", Always: true},
	{Prefix: netip.MustParsePrefix("255.255.255.255/32"), Who: "broadcast", Always: true},
	{Prefix: netip.MustParsePrefix("169.254.0.0/16"), Who: "link-local, where clouds keep their own services"},
	{Prefix: netip.MustParsePrefix("fe80::/10"), Who: "link-local, by which routers speak"},
}

// NewRules joins what is known of the machine with the addresses that stand for it everywhere.
func NewRules(spares []Spare, limits Limits) *Rules {
	if limits.Widest4 == 0 {
		limits.Widest4 = Widest4
	}
	if limits.Widest6 == 0 {
		limits.Widest6 = Widest6
	}
	if limits.PerMinute == 0 {
		limits.PerMinute = PerMinute
	}
	r := &Rules{limits: limits}
	r.Renew(spares)
	return r
}

// Renew replaces what is known of the machine: who is logged in and which addresses it has changes while a daemon runs.
func (r *Rules) Renew(spares []Spare) {
	var all, always []netip.Prefix
	r.spares, r.byHand = nil, nil
	for _, s := range slices.Concat(theMachine, spares) {
		s.Prefix = Canonical(s.Prefix)
		if s.ByHand {
			r.byHand = append(r.byHand, s)
			continue
		}
		r.spares = append(r.spares, s)
		all = append(all, s.Prefix)
		if s.Always {
			always = append(always, s.Prefix)
		}
	}
	r.spared, r.always = coverOf(all), coverOf(always)
}

// allow takes over the allow list that is in force.
func (r *Rules) allow(list []Allow) {
	prefixes := make([]netip.Prefix, len(list))
	for i, a := range list {
		prefixes[i] = a.Target
	}
	r.allows, r.allowed = list, coverOf(prefixes)
}

// Check says why a target that is asked for now must not be blocked, as a clause that follows "must not be blocked:"; nothing if it may
// be. An operator who insists is refused only what would cut the machine off from itself. Of a target that is allowed in
// part, the rest is asked about.
func (r *Rules) Check(target netip.Prefix, forced bool) (why string) {
	if why := r.check(target, forced); why != "" || forced {
		return why
	}
	for _, p := range Subtract(target, r.allowed.overlapping(target)) {
		if why := reason(r.byHand, p, false); why != "" {
			return why
		}
	}
	return ""
}

// check is Check for what may be in force already.
func (r *Rules) check(target netip.Prefix, forced bool) (why string) {
	spared := len(r.spared.overlapping(target)) > 0 // of whom some always are
	if spared && len(r.always.overlapping(target)) > 0 {
		return reason(r.spares, target, true) + "; this cannot be forced"
	}
	if forced {
		return ""
	}
	widest := r.limits.Widest6
	if target.Addr().Is4() {
		widest = r.limits.Widest4
	}
	if connwarden.Translates(target) {
		widest = 128 - 32 + r.limits.Widest4
	}
	if target.Bits() < widest {
		return fmt.Sprintf("it is wider than /%d", widest)
	}
	allowed := r.allowed.overlapping(target)
	if len(allowed) == 0 {
		return r.part(target, spared)
	}
	parts := Subtract(target, allowed)
	if len(parts) == 0 {
		return r.allowance(target)
	}
	for _, p := range parts {
		if why := r.part(p, len(r.spared.overlapping(p)) > 0); why != "" {
			return why
		}
	}
	return ""
}

// part says why a target must not be blocked of which nothing is allowed.
func (r *Rules) part(p netip.Prefix, spared bool) string {
	switch {
	case spared:
		return reason(r.spares, p, false)
	case r.limits.Exempt != nil:
		return r.limits.Exempt(p)
	default:
		return ""
	}
}

// allowance names the entry of the allow list that covers a target, or the first that covers some of it.
func (r *Rules) allowance(target netip.Prefix) string {
	for _, a := range r.allows {
		if !a.Target.Overlaps(target) {
			continue
		}
		why := "it is allowed"
		if a.Target != target {
			why += " as part of " + Show(a.Target)
		}
		if a.Why != "" {
			why += " (" + a.Why + ")"
		}
		return why
	}
	return "it is allowed"
}

// carve appends the parts of an entry that may be blocked: an exception inside a range splits it.
func (r *Rules) carve(out []Entry, e Entry) []Entry {
	if (e.Forced || len(r.allowed.overlapping(e.Target)) == 0) && r.check(e.Target, e.Forced) == "" {
		return append(out, e)
	}
	except := r.always.overlapping(e.Target)
	if !e.Forced {
		except = slices.Concat(except, r.spared.overlapping(e.Target), r.allowed.overlapping(e.Target))
	}
	for _, p := range Subtract(e.Target, except) {
		if r.check(p, e.Forced) == "" {
			e.Target = p
			out = append(out, e)
		}
	}
	return out
}

// reason names the first who is spared in a target.
func reason(spares []Spare, target netip.Prefix, always bool) string {
	for _, s := range spares {
		switch {
		case always && !s.Always || !s.Prefix.Overlaps(target):
		case within(target, s.Prefix):
			return "it is " + s.Who
		default:
			return fmt.Sprintf("it holds %s, %s", Show(s.Prefix), s.Who)
		}
	}
	return ""
}

// Admit counts one automatic block and tells whether it is within the limit of its minute.
func (r *Rules) Admit(now time.Time) bool {
	if age := now.Sub(r.minute); age < 0 || age >= time.Minute {
		r.minute, r.count = now, 0
	}
	r.count++
	return r.count <= r.limits.PerMinute
}

// Show prints a target as people write it: a single address without its length.
func Show(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// Guard is a driver that refuses what must not be blocked, with connwarden.ErrExempt, before anything is changed. The
// keeper holds drivers in no other form, so that nothing goes round it.
type Guard struct {
	driver Driver
	rules  *Rules
}

// NewGuard wraps a driver, which from then on is the guard's.
func NewGuard(d Driver, r *Rules) *Guard { return &Guard{d, r} }

// Name is the driver's.
func (g *Guard) Name() string { return g.driver.Name() }

// Properties are the driver's.
func (g *Guard) Properties() Properties { return g.driver.Properties() }

// List is the driver's.
func (g *Guard) List(ctx context.Context) ([]Entry, error) { return g.driver.List(ctx) }

// Flush is the driver's.
func (g *Guard) Flush(ctx context.Context) error { return g.driver.Flush(ctx) }

// Close closes the driver.
func (g *Guard) Close() error { return g.driver.Close() }

// Apply hands over what may be blocked, all or nothing.
func (g *Guard) Apply(ctx context.Context, add, remove []Entry) error {
	if err := g.check(add); err != nil {
		return err
	}
	return g.driver.Apply(ctx, add, remove)
}

func (g *Guard) check(add []Entry) error {
	for _, e := range add {
		if why := g.rules.check(e.Target, e.Forced); why != "" {
			return &Error{g.Name(), "add", e.Target.String(), fmt.Errorf("%w: %s", connwarden.ErrExempt, why)}
		}
	}
	return nil
}

// Prove asks the driver to show that an entry is in force, or else looks for it in the driver's list.
func (g *Guard) Prove(ctx context.Context, e Entry) (string, error) {
	if p, ok := g.driver.(Prover); ok {
		return p.Prove(ctx, e)
	}
	list, err := g.List(ctx)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(list, func(l Entry) bool { return l.Key() == e.Key() }) {
		return "", &Error{g.Name(), "prove", e.Target.String(), fmt.Errorf("it is not listed: %w", connwarden.ErrNotFound)}
	}
	return Show(e.Target) + " is listed", nil
}

// Plan says what Apply would do, in the driver's words if it has any.
func (g *Guard) Plan(ctx context.Context, add, remove []Entry) ([]string, error) {
	if err := g.check(add); err != nil {
		return nil, err
	}
	if p, ok := g.driver.(Planner); ok {
		return p.Plan(ctx, add, remove)
	}
	var lines []string
	for _, e := range remove {
		lines = append(lines, fmt.Sprintf("remove %s (%s)", Show(e.Target), e.Scope))
	}
	for _, e := range add {
		line := fmt.Sprintf("add %s (%s)", Show(e.Target), e.Scope)
		if !e.Until.IsZero() {
			line += " until " + e.Until.Format(time.RFC3339)
		}
		lines = append(lines, line)
	}
	return lines, nil
}
