package block_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/block"
)

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

// TestChangeAfterAFailure changes what a failed act left in a form that the journal does not expect.
func TestChangeAfterAFailure(t *testing.T) {
	s := newScene(t)
	s.blocked(request("198.51.100.0/29"))
	s.fw.Fail = func(string, block.Entry) error { return errors.New("the kernel said no") }
	if _, err := s.k.Allow(t.Context(), prefixes("198.51.100.2/32"), operator, ""); err == nil {
		t.Fatal("the firewall failed and nobody says so")
	}
	s.fw.Fail = nil
	s.inForce("198.51.100.0/29")
	s.blocked(request("198.51.100.1/32"))
	s.inForce("198.51.100.0/31 198.51.100.3/32 198.51.100.4/30")
	s.sync(3, 0, 0, 0)
}

func TestBlockingAgainPutsBack(t *testing.T) {
	s := newScene(t)
	s.blocked(request("198.51.100.0/29"))
	s.fw.Flush(t.Context())
	s.blocked(request("198.51.100.0/29"))
	s.inForce("198.51.100.0/29")
	s.fw.Flush(t.Context())
	s.blocked(request("198.51.100.1/32"))
	s.inForce("198.51.100.0/29")
}
