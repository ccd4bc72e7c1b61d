package block_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

func TestGuard(t *testing.T) {
	s := newScene(t)
	s.limits.Exempt = func(p netip.Prefix) string {
		if p.Overlaps(prefix("66.249.64.0/19")) {
			return "it is Googlebot, proved by its published range"
		}
		return ""
	}
	s.restart()
	for _, c := range []struct {
		target, want string
		force        string // what an operator who insists is told; "" if it is done
	}{
		{"127.0.0.1/32", "it is loopback", "cannot be forced"},
		{"::1/128", "it is loopback", "cannot be forced"},
		{"203.0.113.1/32", "it is this machine's own address", "cannot be forced"},
		{"203.0.113.0/24", "it holds 203.0.113.1, this machine's own address", "cannot be forced"},
		{"203.0.113.254/32", "it is the gateway of eth0", ""},
		{"203.0.113.252/30", "it holds 203.0.113.254, the gateway of eth0", ""},
		{"224.0.0.5/32", "multicast", "cannot be forced"},
		{"ff02::1/128", "multicast", "cannot be forced"},
		{"fe80::1/128", "link-local", ""},
		{"169.254.169.254/32", "link-local", ""},
		{"0.0.0.0/0", "cannot be forced", "cannot be forced"},
		{"::/0", "cannot be forced", "cannot be forced"},
		{"100.0.0.0/15", "wider than /16", ""},
		{"2001:db8::/31", "wider than /32", ""},
		{"64:ff9b::/64", "wider than /112", ""}, // all of IPv4
		{"64:ff9b:1:2::/64", "wider than /112", ""},
		{"66.249.66.1/32", "Googlebot", ""},
		{"66.0.0.0/16", "", ""},
	} {
		out := s.block(request(c.target))
		if c.want == "" {
			if len(out.Refused) > 0 {
				t.Errorf("%s: %s", c.target, refusals(out))
			}
			continue
		}
		s.refused(out, c.want)
		out = s.block(request(c.target, forced))
		if got := refusals(out); c.force == "" && got != "" || c.force != "" && !strings.Contains(got, c.force) {
			t.Errorf("%s, forced: refused %q, want %q", c.target, got, c.force)
		}
	}
	// A verdict cannot insist.
	s.refused(s.block(request("66.249.66.2/32", byRule, forced)), "Googlebot")
}

// TestGuardHoldsForEveryone hands entries to the guard itself, as any caller of a driver might.
func TestGuardHoldsForEveryone(t *testing.T) {
	fw := &block.Memory{Claims: block.Everything()}
	g := block.NewGuard(fw, block.NewRules(nil, block.Limits{}))
	err := g.Apply(t.Context(), entries("192.0.2.7/32 127.0.0.0/8"), nil)
	if !errors.Is(err, connwarden.ErrExempt) {
		t.Errorf("apply: %v, want connwarden.ErrExempt", err)
	}
	if list, _ := fw.List(t.Context()); len(list) > 0 {
		t.Errorf("in force: %s, want nothing", words(list))
	}
	if _, err := g.Plan(t.Context(), entries("::1/128"), nil); !errors.Is(err, connwarden.ErrExempt) {
		t.Errorf("plan: %v, want connwarden.ErrExempt", err)
	}
}

func TestLimitOfAMinute(t *testing.T) {
	s := newScene(t)
	s.limits.PerMinute = 2
	s.restart()
	s.blocked(request("198.51.100.1/32", byRule), request("198.51.100.2/32", byRule))
	s.refused(s.block(request("198.51.100.3/32", byRule)), "more than 2 automatic blocks in a minute")
	s.blocked(request("198.51.100.4/32"), request("198.51.100.5/32"), request("198.51.100.6/32")) // an operator may
	s.pass(time.Minute)
	s.blocked(request("198.51.100.3/32", byRule))
	s.restart()
	if _, list, err := s.k.Sync(t.Context(), "fw"); err != nil || list[0].Err != nil || list[0].Wanted != 6 {
		t.Errorf("sync: %+v, %v; a restore is not limited", list, err)
	}
}

func TestAdministratorLogsInFromABlockedRange(t *testing.T) {
	s := newScene(t)
	s.blocked(request("198.51.100.0/30"), request("192.0.2.7/32"))
	s.spares = append(s.spares, block.Spare{Prefix: prefix("198.51.100.2/32"), Who: "where an administrator logged in from"},
		block.Spare{Prefix: prefix("192.0.2.7/32"), Who: "where an administrator logged in from"})
	s.restart()
	out := s.sync(2, 2, 2, 0)
	s.inForce("198.51.100.0/31 198.51.100.3/32")
	if len(out.Problems) != 2 || !strings.Contains(out.Problems[0].Why, "where an administrator logged in from") {
		t.Errorf("problems %v", out.Problems)
	}
	held, _, err := s.k.Blocks(t.Context())
	if err != nil || len(held) != 2 || held[0].InForce || held[0].State != block.StateWanted || !held[1].InForce {
		t.Errorf("blocks %+v, %v", held, err)
	}
	s.block(request("198.51.100.1/32")) // nor does a change about it try
	s.inForce("198.51.100.0/31 198.51.100.3/32")
	s.refused(s.block(request("198.51.100.0/29")), "it holds 198.51.100.2, where an administrator logged in from")
}
