package blocktest

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

func (s *suite) properties() {
	if name := s.d.Name(); name == "" || strings.ContainsAny(name, " \t\n/") {
		s.Errorf("the name is %q; want one word", name)
	}
	if s.p.About == "" || strings.Contains(s.p.About, "\n") {
		s.Errorf("Properties.About is %q; want one line", s.p.About)
	}
	if s.p.MaxExpiry != 0 && !s.p.Expiry {
		s.Error("Properties.MaxExpiry without Expiry")
	}
	s.holds()
	s.apply(nil, nil)
	s.holds()
}

func (s *suite) add() {
	one, two := s.entry("192.0.2.7/32"), s.entry("198.51.100.255/32")
	two.Until = time.Now().Add(time.Hour)
	s.apply([]block.Entry{one}, nil)
	s.holds(one)
	s.apply([]block.Entry{two}, nil)
	s.holds(one, two)
	forced := s.entry("203.0.113.9/32")
	forced.Forced = true
	s.apply([]block.Entry{forced}, nil)
	s.holds(one, two, forced)
}

func (s *suite) renew() {
	e := s.entry("192.0.2.7/32")
	now := time.Now()
	for _, until := range []time.Time{now.Add(time.Hour), now.Add(time.Hour), now.Add(3 * time.Hour), now.Add(time.Minute), {}, now.Add(time.Hour)} {
		e.Until = until
		s.apply([]block.Entry{e}, nil)
		s.holds(e)
	}
}

func (s *suite) remove() {
	one, two, never := s.entry("192.0.2.7/32"), s.entry("192.0.2.8/32"), s.entry("192.0.2.9/32")
	two.Until = time.Now().Add(time.Hour)
	s.apply(nil, []block.Entry{never})
	s.holds()
	s.apply([]block.Entry{one, two}, nil)
	s.apply(nil, []block.Entry{one, never})
	s.holds(two)
	two.Until = time.Time{} // the end plays no part in what is removed
	s.apply(nil, []block.Entry{two, one})
	s.holds()
	s.apply([]block.Entry{one}, nil)
	s.holds(one)
}

func (s *suite) order() {
	one, two := s.entry("192.0.2.7/32"), s.entry("192.0.2.8/32")
	s.apply([]block.Entry{one}, nil)
	s.apply([]block.Entry{one, two}, []block.Entry{one, two})
	s.holds(one, two)
}

func (s *suite) scopes() {
	var all []block.Entry
	e := s.entry("192.0.2.7/32")
	for _, kind := range []connwarden.ScopeKind{connwarden.ScopeAll, connwarden.ScopePorts, connwarden.ScopeSite, connwarden.ScopeLogins} {
		if !s.p.Allows(kind) {
			e.Scope = connwarden.Scope{Kind: kind}
			switch kind {
			case connwarden.ScopePorts:
				e.Scope = connwarden.Ports(80)
			case connwarden.ScopeSite:
				e.Scope.Detail = "/srv/www"
			}
			s.refuses("scope "+kind.String(), e)
			continue
		}
		e.Scope = s.detailed(kind)
		all = append(all, e)
		if kind == connwarden.ScopePorts {
			e.Scope = connwarden.Ports(22)
			all = append(all, e)
		}
	}
	// The same target in all of them, and each goes away alone.
	s.apply(all, nil)
	s.holds(all...)
	for i := range all {
		s.apply(nil, all[i:i+1])
		s.holds(all[i+1:]...)
	}
}

func (s *suite) ipv6() {
	address := s.entry("2001:db8::7/128")
	if !s.p.IPv6 {
		s.refuses("IPv6", address)
		return
	}
	v4 := s.entry("192.0.2.7/32")
	other := s.entry("2001:db8::8/128")
	other.Until = time.Now().Add(time.Hour)
	s.apply([]block.Entry{address, v4, other}, nil)
	s.holds(address, v4, other)
	s.apply(nil, []block.Entry{address})
	s.holds(v4, other)
	s.apply(nil, []block.Entry{v4, other})
	s.holds()
}

func (s *suite) prefixes() {
	if !s.p.Prefixes {
		s.refuses("a prefix", s.entry("192.0.2.0/24"))
		return
	}
	// Neighbours that touch must stay apart: a firewall that joins them loses the end of one.
	targets := []string{"192.0.2.0/25", "192.0.2.128/26", "192.0.2.192/31", "192.0.2.194/32", "10.0.0.0/16", "198.51.100.0/30"}
	if s.p.IPv6 {
		targets = append(targets, "2001:db8::/64", "2001:db8:0:1::/64", "2001:db8:1::/48", "2001:db8:2::/127", "2001:db8:2::2/128", "2001:db9::/32")
	} else {
		s.refuses("a prefix of IPv6", s.entry("2001:db8::/64"))
	}
	var all []block.Entry
	for i, target := range targets {
		e := s.entry(target)
		if i%2 == 1 {
			e.Until = time.Now().Add(time.Duration(i) * time.Hour)
		}
		all = append(all, e)
	}
	s.apply(all, nil)
	s.holds(all...)
	for i := range all {
		all[i].Until = time.Now().Add(2 * time.Hour)
	}
	s.apply(all, nil)
	s.holds(all...)
	for i := range all {
		s.apply(nil, all[i:i+1])
		s.holds(all[i+1:]...)
	}
}

// split takes an exception out of a range as the keeper does: the range goes and its parts come in one call.
func (s *suite) split() {
	if !s.p.Prefixes {
		s.Log("does not apply: holds no prefixes")
		return
	}
	cases := []struct {
		whole string
		parts []string
	}{{"192.0.2.0/28", []string{"192.0.2.0/29", "192.0.2.8/31", "192.0.2.11/32", "192.0.2.12/30"}}}
	if s.p.IPv6 {
		cases = append(cases, struct {
			whole string
			parts []string
		}{"2001:db8::/62", []string{"2001:db8::/64", "2001:db8:0:2::/63"}})
	}
	for _, c := range cases {
		whole := s.entry(c.whole)
		var parts []block.Entry
		for _, p := range c.parts {
			parts = append(parts, s.entry(p))
		}
		s.apply([]block.Entry{whole}, nil)
		s.apply(parts, []block.Entry{whole})
		s.holds(parts...)
		s.apply([]block.Entry{whole}, parts)
		s.holds(whole)
		s.apply(nil, []block.Entry{whole})
		s.holds()
	}
}

// entries are n single addresses with ends of their own, every fourth without one, IPv6 among them if it is held.
func (s *suite) entries(n int) []block.Entry {
	all := make([]block.Entry, n)
	now := time.Now()
	for i := range all {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 10<<24+uint32(i)*3)
		addr := netip.AddrFrom4(a)
		if s.p.IPv6 && i%3 == 2 {
			b := netip.MustParseAddr("2001:db8:7::").As16()
			binary.BigEndian.PutUint32(b[8:], uint32(i))
			addr = netip.AddrFrom16(b)
		}
		all[i] = block.Entry{Target: netip.PrefixFrom(addr, addr.BitLen()), Scope: s.scope}
		if i%4 != 0 {
			all[i].Until = now.Add(time.Hour + time.Duration(i%1000)*time.Second)
		}
	}
	return all
}

// large is the size of the large tests.
func (s *suite) large() int {
	n := s.opt.Many
	if n == 0 {
		n = 10_000
	}
	if s.p.Most > 0 {
		n = min(n, s.p.Most)
	}
	return n
}

func (s *suite) most() {
	if s.p.Most == 0 {
		s.Log("does not apply: holds any number")
		return
	}
	if s.p.Most > 100_000 {
		s.Logf("does not apply: holds %d, too many to try", s.p.Most)
		return
	}
	all := s.entries(s.p.Most + 1)
	s.apply(all[:s.p.Most], nil)
	err := s.d.Apply(s.Context(), all[s.p.Most:], nil)
	if !errors.Is(err, connwarden.ErrUnsupported) {
		s.Errorf("one more than Properties.Most: %v; want connwarden.ErrUnsupported", err)
	}
	s.holds(all[:s.p.Most]...)
	s.apply(all[s.p.Most:], all[:1])
	s.holds(all[1:]...)
}

func (s *suite) many() {
	all := s.entries(s.large())
	s.apply(all, nil)
	s.holds(all...)
	half := len(all) / 2
	s.apply(all[half:], all[:half])
	s.holds(all[half:]...)
	s.apply(nil, all)
	s.holds()
}

func (s *suite) expiry() {
	life := s.opt.Life
	if life == 0 {
		life = 2 * time.Second
	}
	short, long, endless := s.entry("192.0.2.7/32"), s.entry("192.0.2.8/32"), s.entry("192.0.2.9/32")
	renewed := s.entry("192.0.2.10/32")
	short.Until, renewed.Until = time.Now().Add(life), time.Now().Add(life)
	long.Until = time.Now().Add(time.Hour)
	s.apply([]block.Entry{short, long, endless, renewed}, nil)
	renewed.Until = time.Now().Add(time.Hour)
	s.apply([]block.Entry{renewed}, nil)
	if !s.p.Expiry {
		s.holds(short, long, endless, renewed)
		return
	}
	s.wait(short.Key())
	if early := time.Until(short.Until); early > slack {
		s.Errorf("it ended %v early", early)
	}
	s.holds(long, endless, renewed)
	if s.p.Prefixes {
		prefix := s.entry("198.51.100.0/25")
		prefix.Until = time.Now().Add(life)
		s.apply([]block.Entry{prefix}, nil)
		s.wait(prefix.Key())
		s.holds(long, endless, renewed)
	}
}

func (s *suite) past() {
	if !s.p.Expiry {
		s.Log("does not apply: ends nothing by itself")
		return
	}
	over, here := s.entry("192.0.2.7/32"), s.entry("192.0.2.8/32")
	over.Until = time.Now().Add(-time.Minute)
	s.apply([]block.Entry{over, here}, nil)
	s.holds(here)
	here.Until = time.Now().Add(-time.Hour)
	s.apply([]block.Entry{here}, nil)
	s.holds()
}

func (s *suite) foreign() {
	check := s.opt.Foreign(s)
	one, two := s.entry("192.0.2.7/32"), s.entry("192.0.2.8/32")
	s.holds()
	s.apply([]block.Entry{one, two}, nil)
	check(s)
	s.holds(one, two)
	s.apply(nil, []block.Entry{one})
	check(s)
	s.holds(two)
	if err := s.d.Flush(s.Context()); err != nil {
		s.Fatalf("flush: %v", err)
	}
	check(s)
	s.holds()
}

func (s *suite) flush() {
	if err := s.d.Flush(s.Context()); err != nil {
		s.Fatalf("flush of nothing: %v", err)
	}
	s.apply(s.entries(min(100, s.large())), nil)
	if err := s.d.Flush(s.Context()); err != nil {
		s.Fatalf("flush: %v", err)
	}
	if after := s.opt.Traces(s); after != s.before {
		s.Errorf("flush left a trace\nbefore:\n%s\nafter:\n%s", s.before, after)
	}
	s.holds()
	again := s.entry("192.0.2.7/32")
	s.apply([]block.Entry{again}, nil)
	s.holds(again)
}

func (s *suite) half() {
	if s.opt.Break == nil {
		s.Log("does not apply: no way to make this firewall fail half-way")
		return
	}
	kept := s.entry("192.0.2.7/32")
	s.apply([]block.Entry{kept}, nil)
	all := s.entries(max(1, min(100, s.large()-1)))
	mend := s.opt.Break(s, s.d)
	err := s.d.Apply(s.Context(), all, nil)
	mend()
	if err == nil {
		s.Fatal("the firewall was broken and Apply reports nothing")
	}
	s.form(err)
	in := map[block.EntryKey]bool{}
	for _, e := range s.list() {
		in[e.Key()] = true
	}
	if !in[kept.Key()] {
		s.Error("what was in force before the failure is gone")
	}
	if !errors.Is(err, connwarden.ErrPartial) && len(in) > 1 {
		s.Errorf("%d of %d additions stand, but the error does not wrap connwarden.ErrPartial: %v", len(in)-1, len(all), err)
	}
	s.apply(all, nil)
	s.holds(append(all, kept)...)
}

func (s *suite) reopen() {
	if s.opt.Reopen == nil {
		s.Log("does not apply: holds nothing beyond its process")
		return
	}
	one, two := s.entry("192.0.2.7/32"), s.entry("192.0.2.8/32")
	one.Until = time.Now().Add(time.Hour)
	s.apply([]block.Entry{one, two}, nil)
	next := &suite{TB: s.TB, opt: s.opt, p: s.p, scope: s.scope, d: s.opt.Reopen(s)}
	defer next.d.Close()
	next.holds(one, two)
	next.apply(nil, []block.Entry{one})
	next.holds(two)
	s.holds(two)
}

func (s *suite) prove() {
	prover, ok := s.d.(block.Prover)
	if !ok {
		s.Log("does not apply: shows no more than its list")
		return
	}
	e, other := s.entry("192.0.2.7/32"), s.entry("192.0.2.8/32")
	s.apply([]block.Entry{e, other}, nil)
	seen, err := prover.Prove(s.Context(), e)
	if err != nil || seen == "" || strings.Contains(seen, "\n") {
		s.Errorf("prove: %q, %v; want one line of what was seen", seen, err)
	}
	s.apply(nil, []block.Entry{e})
	if seen, err := prover.Prove(s.Context(), e); err == nil {
		s.Errorf("prove of what was removed: %q", seen)
	}
}

func (s *suite) plan() {
	planner, ok := s.d.(block.Planner)
	if !ok {
		s.Log("does not apply: cannot tell beforehand")
		return
	}
	one, two := s.entry("192.0.2.7/32"), s.entry("192.0.2.8/32")
	lines, err := planner.Plan(s.Context(), []block.Entry{one}, nil)
	if err != nil {
		s.Fatalf("plan: %v", err)
	}
	if after := s.opt.Traces(s); after != s.before {
		s.Errorf("plan changed something\nbefore:\n%s\nafter:\n%s", s.before, after)
	}
	if text := strings.Join(lines, "\n"); !strings.Contains(text, "192.0.2.7") {
		s.Errorf("the plan to add 192.0.2.7 does not name it:\n%s", text)
	}
	s.apply([]block.Entry{one}, nil)
	if _, err := planner.Plan(s.Context(), []block.Entry{two}, []block.Entry{one}); err != nil {
		s.Fatalf("plan: %v", err)
	}
	s.holds(one)
}
