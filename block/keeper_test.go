package block_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

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

// blocked blocks and fails unless nothing is refused; what is allowed inside is told.
func (s *scene) blocked(requests ...block.Request) *block.Outcome {
	s.Helper()
	out := s.block(requests...)
	other := func(p connwarden.Problem) bool { return !strings.Contains(p.Why, "since it is allowed") }
	if len(out.Refused) > 0 || slices.ContainsFunc(out.Problems, other) {
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

// TestFactsAreAskedAgain logs an administrator in while the keeper lives.
func TestFactsAreAskedAgain(t *testing.T) {
	s := newScene(t)
	var spares []block.Spare
	asked := 0
	s.k.Facts = func() ([]block.Spare, []connwarden.Problem) {
		asked++
		return spares, nil
	}
	s.blocked(request("198.51.100.7/32"), request("198.51.100.8/32"))
	spares = []block.Spare{{Prefix: prefix("198.51.100.7/32"), Who: "where an administrator is logged in from"}}
	s.pass(9 * time.Second)
	s.blocked(request("198.51.100.9/32"))
	s.pass(time.Second)
	s.refused(s.block(request("198.51.100.7/32")), "where an administrator is logged in from")
	s.sync(2, 0, 1, 0)
	s.inForce("198.51.100.8/32 198.51.100.9/32")
	if asked != 2 {
		t.Errorf("asked %d times, want 2", asked)
	}
}

func TestVerdictNeverShortens(t *testing.T) {
	s := newScene(t)
	s.blocked(request("198.51.100.7/32", lasting(5*time.Hour)), request("198.51.100.8/32"))
	s.blocked(request("198.51.100.7/32", byRule, lasting(time.Hour)), request("198.51.100.8/32", byRule, lasting(time.Hour)))
	s.inForce("198.51.100.7/32@5 198.51.100.8/32")
	s.blocked(request("198.51.100.7/32", byRule, lasting(7*time.Hour)))
	s.inForce("198.51.100.7/32@7 198.51.100.8/32")
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
	out, err := s.k.Unblock(t.Context(), prefixes("2001:db8:7::/64"), nil, rule)
	if err != nil {
		t.Fatal(err)
	}
	s.refused(out, "it is not blocked") // by rules; what an operator took only an operator lets go
	s.blocked(request("2001:db8:8::/64", byRule))
	s.done(s.k.Unblock(t.Context(), prefixes("2001:db8:8::/64"), nil, rule))
	s.blocked(request("2001:db8:8::/64", byRule)) // that was no pardon
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
