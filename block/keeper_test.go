package block_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

// scene is a keeper over a journal and a firewall in memory, with a clock that the test moves.
type scene struct {
	*testing.T
	now     time.Time
	journal *block.MemoryJournal
	fw      *block.Memory
	spares  []block.Spare
	limits  block.Limits
	lifts   string // why nothing lifts blocks
	k       *block.Keeper
}

func newScene(t *testing.T) *scene {
	s := &scene{T: t, now: epoch, journal: &block.MemoryJournal{}, fw: &block.Memory{Label: "fw", Claims: block.Everything()}}
	s.fw.Now = func() time.Time { return s.now }
	s.spares = []block.Spare{
		{Prefix: prefix("203.0.113.1/32"), Who: "this machine's own address", Always: true},
		{Prefix: prefix("203.0.113.254/32"), Who: "the gateway of eth0"},
	}
	s.restart()
	return s
}

// restart is what the next process finds.
func (s *scene) restart() {
	s.k = &block.Keeper{
		Journal: s.journal, Rules: block.NewRules(s.spares, s.limits), Clock: func() time.Time { return s.now },
		Lifts: func() string { return s.lifts },
		Open: func(_ context.Context, name string) (block.Driver, error) {
			if name != s.fw.Name() {
				return nil, errors.New("there is no firewall " + name)
			}
			return s.fw, nil
		},
	}
}

func (s *scene) pass(d time.Duration) { s.now = s.now.Add(d) }

var (
	operator = connwarden.Origin{Kind: connwarden.ByOperator, Name: "root"}
	rule     = connwarden.Origin{Kind: connwarden.ByRule, Name: "ssh-bruteforce"}
)

func request(target string, change ...func(*block.Request)) block.Request {
	r := block.Request{Target: prefix(target), Drivers: []string{"fw"}, By: operator}
	for _, f := range change {
		f(&r)
	}
	return r
}

func lasting(d time.Duration) func(*block.Request) { return func(r *block.Request) { r.For = d } }
func within(d time.Duration) func(*block.Request)  { return func(r *block.Request) { r.Within = d } }
func byRule(r *block.Request)                      { r.By = rule }
func forced(r *block.Request)                      { r.Forced = true }

func (s *scene) block(requests ...block.Request) *block.Outcome {
	s.Helper()
	out, err := s.k.Block(s.Context(), requests...)
	if err != nil {
		s.Fatalf("block: %v", err)
	}
	return out
}

// blocked blocks and fails unless nothing is refused.
func (s *scene) blocked(requests ...block.Request) *block.Outcome {
	s.Helper()
	out := s.block(requests...)
	if len(out.Refused)+len(out.Problems) > 0 {
		s.Fatalf("refused %v, problems %v", out.Refused, out.Problems)
	}
	return out
}

func (s *scene) done(out *block.Outcome, err error) *block.Outcome {
	s.Helper()
	if err != nil || len(out.Refused) > 0 {
		s.Fatalf("%v, %+v", err, out)
	}
	return out
}

// inForce fails unless the firewall holds just this, ends in hours from the epoch behind a sign.
func (s *scene) inForce(want string) {
	s.Helper()
	list, err := s.fw.List(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	if got := words(list); got != want {
		s.Fatalf("in force: %s\n    want: %s", got, want)
	}
}

// refusals are the reasons as text.
func refusals(out *block.Outcome) string {
	var lines []string
	for _, r := range out.Refused {
		lines = append(lines, block.Show(r.Target)+": "+r.Why)
	}
	return strings.Join(lines, "\n")
}

func (s *scene) refused(out *block.Outcome, want string) {
	s.Helper()
	if got := refusals(out); !strings.Contains(got, want) || got == "" {
		s.Fatalf("refused %q, want %q", got, want)
	}
}

func TestBlockAndUnblock(t *testing.T) {
	s := newScene(t)
	out := s.blocked(request("198.51.100.7/32", lasting(time.Hour)), request("2001:db8::7/128"))
	s.inForce("198.51.100.7/32@1 2001:db8::7/128")
	if out.Change == 0 || len(out.Blocks) != 2 || out.Blocks[0].State != block.StateInForce || out.Blocks[0].Revision != out.Change {
		t.Errorf("outcome %+v", out)
	}
	s.blocked(request("198.51.100.7/32", lasting(3*time.Hour)))
	s.inForce("198.51.100.7/32@3 2001:db8::7/128")
	s.blocked(request("198.51.100.7/32", lasting(2*time.Hour))) // an operator may shorten
	s.inForce("198.51.100.7/32@2 2001:db8::7/128")
	out = s.done(s.k.Unblock(t.Context(), prefixes("198.51.100.7/32"), nil, operator))
	s.inForce("2001:db8::7/128")
	if len(out.Lifted) != 1 || out.Lifted[0].Target != prefix("198.51.100.7/32") {
		t.Errorf("lifted %+v", out.Lifted)
	}
	held, problems, err := s.k.Blocks(t.Context())
	if err != nil || len(problems) > 0 || len(held) != 1 || !held[0].InForce || held[0].Since != epoch {
		t.Errorf("blocks %+v, %v, %v", held, problems, err)
	}
}

func TestUnblockOfWhatIsNotBlocked(t *testing.T) {
	s := newScene(t)
	s.blocked(request("198.51.100.0/24"))
	for target, want := range map[string]string{
		"198.51.100.7/32": "part of 198.51.100.0/24",
		"192.0.2.7/32":    "not blocked",
	} {
		out, err := s.k.Unblock(t.Context(), prefixes(target), nil, operator)
		if err != nil {
			t.Fatal(err)
		}
		s.refused(out, want)
	}
	s.inForce("198.51.100.0/24")
	s.blocked(request("192.0.2.7/32"), request("192.0.2.9/32"))
	s.done(s.k.Unblock(t.Context(), prefixes("192.0.2.0/24"), nil, operator)) // all below
	s.inForce("198.51.100.0/24")
}

func TestRangesAndAddresses(t *testing.T) {
	s := newScene(t)
	s.blocked(request("198.51.100.6/32"))
	s.blocked(request("198.51.100.4/30", lasting(time.Hour)))
	s.inForce("198.51.100.4/31@1 198.51.100.6/32 198.51.100.7/32@1")
	s.blocked(request("198.51.100.4/32", lasting(30*time.Minute))) // inside: nothing to do, but remembered
	s.inForce("198.51.100.4/31@1 198.51.100.6/32 198.51.100.7/32@1")
	s.done(s.k.Unblock(t.Context(), prefixes("198.51.100.6/32"), nil, operator))
	s.inForce("198.51.100.4/30@1")
	s.done(s.k.Unblock(t.Context(), prefixes("198.51.100.4/32"), nil, operator))
	s.blocked(request("198.51.100.0/24", lasting(2*time.Hour)))
	s.inForce("198.51.100.0/24@2")
	s.done(s.k.Unblock(t.Context(), prefixes("198.51.100.0/24"), nil, operator))
	s.inForce("")
}

func TestAllowWins(t *testing.T) {
	s := newScene(t)
	s.blocked(request("198.51.100.0/29"))
	s.done(s.k.Allow(t.Context(), prefixes("198.51.100.2/32"), operator, "the office"))
	s.inForce("198.51.100.0/31 198.51.100.3/32 198.51.100.4/30")
	s.refused(s.block(request("198.51.100.2/32")), "198.51.100.2: it is allowed (the office)")
	s.blocked(request("198.51.100.0/28")) // around the exception as well
	s.inForce("198.51.100.0/31 198.51.100.3/32 198.51.100.4/30 198.51.100.8/29")
	s.block(request("198.51.100.2/32", forced))
	s.inForce("198.51.100.0/31 198.51.100.2/32 198.51.100.3/32 198.51.100.4/30 198.51.100.8/29")
	s.done(s.k.Unblock(t.Context(), prefixes("198.51.100.2/32"), nil, operator))
	s.done(s.k.Disallow(t.Context(), prefixes("198.51.100.2/32"), operator))
	s.inForce("198.51.100.0/28")

	// What is blocked inside a range that becomes allowed is lifted for good.
	s.blocked(request("192.0.2.7/32"))
	s.done(s.k.Allow(t.Context(), prefixes("192.0.2.0/24"), operator, ""))
	s.inForce("198.51.100.0/28")
	s.refused(s.block(request("192.0.2.7/32")), "it is allowed as part of 192.0.2.0/24")
	s.done(s.k.Disallow(t.Context(), prefixes("192.0.2.0/24"), operator))
	s.inForce("198.51.100.0/28")
	out, err := s.k.Disallow(t.Context(), prefixes("192.0.2.0/24"), operator)
	if err != nil {
		t.Fatal(err)
	}
	s.refused(out, "not on the list")
}

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

func TestEscalationAndForgiveness(t *testing.T) {
	s := newScene(t)
	step := func(want time.Duration) {
		t.Helper()
		out := s.blocked(request("198.51.100.7/32", byRule))
		if len(out.Blocks) != 1 || out.Blocks[0].Until.Sub(s.now) != want {
			t.Fatalf("blocked %+v, want for %v", out.Blocks, want)
		}
		again := s.block(request("198.51.100.7/32", byRule))
		if again.Change != 0 {
			t.Errorf("blocked again while it was: %+v", again)
		}
		s.pass(want + time.Minute)
	}
	for _, want := range []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 7 * 24 * time.Hour} {
		step(want)
	}
	s.pass(71 * 24 * time.Hour) // ten times a week
	step(10 * time.Minute)
	s.pass(25 * time.Hour)
	step(10 * time.Minute)
}

func TestPardon(t *testing.T) {
	s := newScene(t)
	s.blocked(request("2001:db8:7::1/128", byRule))
	s.inForce("2001:db8:7::/64@0.16666666666666666")
	s.done(s.k.Unblock(t.Context(), prefixes("2001:db8:7::/64"), nil, operator))
	s.refused(s.block(request("2001:db8:7::2/128", byRule)), "an operator let it go until 2026-11-23T14:00:00Z")
	s.pass(24 * time.Hour)
	s.blocked(request("2001:db8:7::2/128", byRule))
	s.done(s.k.Unblock(t.Context(), prefixes("2001:db8:7::/64"), nil, operator))
	s.blocked(request("2001:db8:7::/64")) // whoever let go may take again
	s.done(s.k.Unblock(t.Context(), prefixes("2001:db8:7::/64"), nil, rule))
	s.blocked(request("2001:db8:7::/64", byRule))
}

func TestUndo(t *testing.T) {
	s := newScene(t)
	undo := func(n int64) *block.Outcome {
		t.Helper()
		out, err := s.k.Undo(t.Context(), n, operator)
		if err != nil {
			t.Fatalf("undo %d: %v", n, err)
		}
		return out
	}
	first := s.blocked(request("198.51.100.7/32", lasting(time.Hour)))
	second := s.blocked(request("198.51.100.7/32", lasting(5*time.Hour)), request("192.0.2.7/32"))
	s.refused(undo(first.Change), "changed again since, by change 2")
	undo(0)
	s.inForce("198.51.100.7/32@1")
	if _, err := s.k.Undo(t.Context(), second.Change, operator); err == nil {
		t.Error("change 2 was undone twice")
	}
	s.done(s.k.Unblock(t.Context(), prefixes("198.51.100.7/32"), nil, operator))
	s.inForce("")
	undo(0)
	s.inForce("198.51.100.7/32@1")
	if pardons, _ := s.journal.Pardons(t.Context()); len(pardons) > 0 {
		t.Errorf("pardons %+v; the unblock was undone", pardons)
	}
	s.done(s.k.Allow(t.Context(), prefixes("198.51.100.0/24"), operator, ""))
	s.inForce("")
	undo(0)
	s.inForce("198.51.100.7/32@1")

	// Step by step back to the beginning: what an undo brought back can be undone in turn.
	s.done(s.k.Unblock(t.Context(), prefixes("198.51.100.7/32"), nil, operator))
	undo(0)
	undo(0)
	s.inForce("")
	undo(10) // the undo itself
	s.inForce("198.51.100.7/32@1")

	out := s.blocked(request("192.0.2.9/32", byRule))
	undo(out.Change)
	s.inForce("198.51.100.7/32@1")
	s.refused(s.block(request("192.0.2.9/32", byRule)), "an operator let it go")

	out = s.blocked(request("192.0.2.10/32", lasting(time.Minute)))
	s.pass(2 * time.Minute)
	s.refused(undo(out.Change), "has ended since")
	if _, err := s.k.Undo(t.Context(), 99, operator); !errors.Is(err, connwarden.ErrNotFound) {
		t.Errorf("undo of what never was: %v", err)
	}
}

func TestConfirmOrUndo(t *testing.T) {
	s := newScene(t)
	out := s.blocked(request("198.51.100.7/32", within(time.Minute)))
	if w := out.Blocks[0]; w.Until != epoch.Add(time.Minute) || !w.Then.IsZero() {
		t.Errorf("until %v, then %v", w.Until, w.Then)
	}
	s.inForce("198.51.100.7/32@0.016666666666666666") // the firewall itself will take it back
	s.pass(time.Minute)
	s.inForce("")
	if _, err := s.k.Confirm(t.Context(), operator); !errors.Is(err, connwarden.ErrNotFound) {
		t.Errorf("confirmed too late: %v", err)
	}
	s.blocked(request("198.51.100.7/32", lasting(2*time.Hour), within(time.Minute)))
	s.done(s.k.Confirm(t.Context(), operator))
	s.inForce("198.51.100.7/32@2.0166666666666666")
	// What was blocked before goes back to that.
	s.blocked(request("198.51.100.7/32", within(3*time.Minute)))
	s.inForce("198.51.100.7/32@2.0166666666666666")
	s.pass(time.Hour)
	s.inForce("198.51.100.7/32@2.0166666666666666")
	if _, err := s.k.Confirm(t.Context(), operator); err == nil {
		t.Error("confirmed after an hour")
	}
}

func TestFirewallWithoutExpiry(t *testing.T) {
	s := newScene(t)
	s.fw.Claims.Expiry = false
	s.lifts = "nothing here runs connwarden sync"
	s.refused(s.block(request("198.51.100.7/32", lasting(time.Hour))), "fw: it ends no block by itself, and nothing here runs connwarden sync")
	s.refused(s.block(request("198.51.100.7/32", within(time.Minute))), "ends no block by itself")
	s.blocked(request("198.51.100.8/32"))
	s.lifts = ""
	s.blocked(request("198.51.100.7/32", lasting(time.Hour)))
	s.inForce("198.51.100.7/32@1 198.51.100.8/32")
	s.pass(2 * time.Hour)
	s.sync(1, 0, 1, 0)
	s.inForce("198.51.100.8/32")
	s.sync(1, 0, 0, 0)
}

// sync syncs and wants these figures.
func (s *scene) sync(wanted, added, removed, adopted int) *block.Outcome {
	s.Helper()
	out, list, err := s.k.Sync(s.Context(), "fw")
	if err != nil {
		s.Fatalf("sync: %v", err)
	}
	want := []block.Synced{{Driver: "fw", Wanted: wanted, Added: added, Removed: removed, Adopted: adopted}}
	if d := cmp.Diff(want, list); d != "" {
		s.Fatalf("sync (-want +got):\n%s", d)
	}
	return out
}

func TestSyncHeals(t *testing.T) {
	s := newScene(t)
	s.blocked(request("198.51.100.0/29"), request("192.0.2.7/32", lasting(time.Hour)))
	s.done(s.k.Allow(t.Context(), prefixes("198.51.100.2/32"), operator, ""))
	s.sync(4, 0, 0, 0)
	s.fw.Flush(t.Context()) // somebody's reload
	s.sync(4, 4, 0, 0)
	s.inForce("192.0.2.7/32@1 198.51.100.0/31 198.51.100.3/32 198.51.100.4/30")
	// Somebody put the whole range back, and ends another block later.
	s.fw.Apply(t.Context(), entries("198.51.100.0/29 192.0.2.7/32@9"), entries("198.51.100.0/31 198.51.100.3/32 198.51.100.4/30"))
	s.sync(4, 4, 1, 0)
	s.inForce("192.0.2.7/32@1 198.51.100.0/31 198.51.100.3/32 198.51.100.4/30")
	s.pass(time.Hour)
	s.sync(3, 0, 0, 0)
	s.inForce("198.51.100.0/31 198.51.100.3/32 198.51.100.4/30")
}

func TestLostJournalOpensNoDoor(t *testing.T) {
	s := newScene(t)
	s.blocked(request("198.51.100.0/24"), request("192.0.2.7/32", lasting(time.Hour)))
	s.journal = &block.MemoryJournal{}
	s.restart()
	out := s.sync(2, 0, 0, 2)
	s.inForce("192.0.2.7/32@1 198.51.100.0/24")
	if len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Why, "not in the journal") {
		t.Errorf("problems %v", out.Problems)
	}
	s.sync(2, 0, 0, 0)
	s.done(s.k.Unblock(t.Context(), prefixes("198.51.100.0/24"), nil, operator)) // and it is ours to lift again
	s.inForce("192.0.2.7/32@1")
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

func TestFewPlaces(t *testing.T) {
	s := newScene(t)
	s.fw.Claims.Most = 3
	s.blocked(request("198.51.100.0/32"), request("198.51.100.2/32"), request("198.51.100.3/32"))
	s.inForce("198.51.100.0/32 198.51.100.2/32 198.51.100.3/32")
	s.blocked(request("198.51.100.1/32"))
	s.inForce("198.51.100.0/30")
	s.blocked(request("192.0.2.1/32"), request("192.0.2.3/32"))
	out, err := s.k.Block(t.Context(), request("192.0.2.5/32"))
	if !errors.Is(err, connwarden.ErrUnsupported) || len(out.Blocks) != 0 {
		t.Errorf("one too many: %v, %+v", err, out)
	}
	s.inForce("192.0.2.1/32 192.0.2.3/32 198.51.100.0/30")
	s.sync(3, 0, 0, 0)
	// Apart again they do not fit; what is lifted is lifted all the same.
	out, err = s.k.Unblock(t.Context(), prefixes("198.51.100.1/32"), nil, operator)
	if err != nil || len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Why, "4 entries are wanted where 3 fit") {
		t.Errorf("unblock: %v, %+v", err, out)
	}
	s.inForce("192.0.2.1/32 192.0.2.3/32 198.51.100.0/32")
}

func TestLongestEnd(t *testing.T) {
	s := newScene(t)
	s.fw.Claims.MaxExpiry = 24 * time.Hour
	s.blocked(request("198.51.100.7/32", lasting(48*time.Hour)))
	s.inForce("198.51.100.7/32@24")
	s.pass(time.Hour)
	s.sync(1, 0, 0, 0)
	s.pass(12 * time.Hour)
	s.sync(1, 1, 0, 0)
	s.inForce("198.51.100.7/32@37")
	s.pass(24 * time.Hour)
	s.sync(1, 1, 0, 0)
	s.inForce("198.51.100.7/32@48")
	s.pass(11 * time.Hour)
	s.sync(0, 0, 0, 0)
	s.inForce("")
}

func TestPlanChangesNothing(t *testing.T) {
	s := newScene(t)
	s.blocked(request("198.51.100.0/30"))
	s.k.Plan = true
	out := s.block(request("192.0.2.7/32", lasting(time.Hour)))
	want := []block.Plan{{Driver: "fw", Lines: []string{"add 192.0.2.7 (all) until 2026-11-22T15:00:00Z"}}}
	if d := cmp.Diff(want, out.Plans); d != "" || out.Change != 0 {
		t.Errorf("plan (-want +got):\n%s", d)
	}
	out = s.done(s.k.Allow(t.Context(), prefixes("198.51.100.1/32"), operator, ""))
	want = []block.Plan{{Driver: "fw", Lines: []string{"remove 198.51.100.0/30 (all)", "add 198.51.100.0 (all)", "add 198.51.100.2/31 (all)"}}}
	if d := cmp.Diff(want, out.Plans); d != "" {
		t.Errorf("plan (-want +got):\n%s", d)
	}
	s.inForce("198.51.100.0/30")
}

func TestFailingFirewallIsMendedBySync(t *testing.T) {
	s := newScene(t)
	s.fw.Fail = func(op string, e block.Entry) error {
		if op == "add" && e.Target == prefix("198.51.100.7/32") {
			return errors.New("the kernel said no")
		}
		return nil
	}
	out, err := s.k.Block(t.Context(), request("198.51.100.7/32"), request("192.0.2.7/32"))
	if !errors.Is(err, connwarden.ErrPartial) || out.Change == 0 || out.Blocks[0].State != block.StateWanted {
		t.Errorf("block: %v, %+v", err, out)
	}
	s.fw.Fail = nil
	s.sync(2, 1, 0, 0)
	s.inForce("192.0.2.7/32 198.51.100.7/32")
	s.sync(2, 0, 0, 0)
}

func TestWishIsWrittenFirst(t *testing.T) {
	s := newScene(t)
	seen := ""
	s.fw.Fail = func(op string, e block.Entry) error {
		all, _ := s.journal.Wishes(t.Context(), e.Target)
		for _, w := range all {
			seen += op + " " + w.State.String() + "; "
		}
		return nil
	}
	s.blocked(request("198.51.100.7/32"))
	s.done(s.k.Unblock(t.Context(), prefixes("198.51.100.7/32"), nil, operator))
	if want := "add wanted; remove lifted; "; seen != want {
		t.Errorf("when the firewall was touched the journal said %q, want %q", seen, want)
	}
}
