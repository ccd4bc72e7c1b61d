package block_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/block"
)

// emergency is what the command line has when the journal of a scene cannot be used.
func (s *scene) emergency(spool string) *block.Emergency {
	return &block.Emergency{
		Why: errors.New("the disk is full"), Spool: block.Spool{Name: spool}, Rules: block.NewRules(s.spares, s.limits),
		Clock: func() time.Time { return s.now },
		Open:  func(context.Context, string) (block.Driver, error) { return s.fw, nil },
	}
}

func TestJournalLost(t *testing.T) {
	s := newScene(t)
	spool := filepath.Join(t.TempDir(), "spool")
	s.blocked(request("198.51.100.0/29"), request("192.0.2.7/32"))
	e := s.emergency(spool)
	out, err := e.Block(t.Context(), request("203.0.113.7/32", lasting(time.Hour)), request("198.51.100.2/32", lasting(time.Hour)))
	s.done(out, err)
	if len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Why, "the disk is full") {
		t.Errorf("problems %v", out.Problems)
	}
	s.inForce("192.0.2.7/32 198.51.100.0/29 203.0.113.7/32@1")
	s.done(e.Unblock(t.Context(), prefixes("192.0.2.7/32"), []string{"fw"}, operator))
	s.inForce("198.51.100.0/29 203.0.113.7/32@1")
	for target, want := range map[string]string{"203.0.113.1/32": "this machine's own address", "127.0.0.1/32": "loopback"} {
		out, err := e.Block(t.Context(), request(target))
		if err != nil {
			t.Fatal(err)
		}
		s.refused(out, want)
	}
	out, err = e.Block(t.Context(), request("192.0.2.9/32", byRule))
	if err != nil {
		t.Fatal(err)
	}
	s.refused(out, "only an operator blocks")
	held, problems, err := e.Blocks(t.Context(), "fw")
	if err != nil || len(held) != 2 || !held[1].InForce || held[1].Until != epoch.Add(time.Hour) || len(problems) != 1 {
		t.Errorf("blocks %+v, %v, %v", held, problems, err)
	}

	// The journal works again: what was done meanwhile is in it, and nothing else changes.
	s.restart()
	s.k.Spool = block.Spool{Name: spool}
	s.sync(2, 0, 0, 0)
	s.inForce("198.51.100.0/29 203.0.113.7/32@1")
	if _, err := os.Stat(spool); !os.IsNotExist(err) {
		t.Errorf("the spool is still there: %v", err)
	}
	all, _ := s.journal.Wishes(t.Context())
	if len(all) != 3 || all[2].Target != prefix("203.0.113.7/32") || all[2].By != operator {
		t.Errorf("wishes %+v", all)
	}
	s.refused(s.block(request("192.0.2.7/32", byRule)), "an operator let it go")
	s.done(s.k.Undo(t.Context(), 0, operator)) // the last: the unblock
	s.inForce("192.0.2.7/32 198.51.100.0/29 203.0.113.7/32@1")
}

func TestNoPlaceForTheSpoolEither(t *testing.T) {
	s := newScene(t)
	e := s.emergency(filepath.Join(t.TempDir(), "no such folder", "spool"))
	out, err := e.Block(t.Context(), request("203.0.113.7/32", lasting(time.Hour)))
	s.done(out, err)
	s.inForce("203.0.113.7/32@1")
	if len(out.Problems) != 2 || !strings.Contains(out.Problems[1].Why, "not written down") {
		t.Errorf("problems %v", out.Problems)
	}
	s.sync(1, 0, 0, 1)
	s.inForce("203.0.113.7/32@1")
}

func TestTornSpool(t *testing.T) {
	s := newScene(t)
	spool := filepath.Join(t.TempDir(), "spool")
	e := s.emergency(spool)
	if _, err := e.Block(t.Context(), request("203.0.113.7/32")); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(spool, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"Verb":"block","Target":"203.0.11`)
	f.Close()
	if _, err := e.Block(t.Context(), request("203.0.113.8/32")); err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.k.Spool = block.Spool{Name: spool}
	out := s.sync(2, 0, 0, 0)
	s.inForce("203.0.113.7/32 203.0.113.8/32")
	if len(out.Problems) != 2 || !strings.Contains(out.Problems[1].Why, "lines [3] are not understood") {
		t.Errorf("problems %v", out.Problems)
	}
	if _, err := os.Stat(spool + ".unread"); err != nil {
		t.Error(err)
	}
}

func FuzzSpool(f *testing.F) {
	f.Add(`{"Verb":"block","At":"2026-11-22T14:00:00Z","Target":"203.0.113.7/32","Scope":"all","Driver":["fw"],"By":"operator:root"}`)
	f.Add(`{"Verb":"unblock","Target":"203.0.113.0/24"}` + "\n\n{")
	spool := filepath.Join(f.TempDir(), "spool")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(spool, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := newScene(t)
		s.k.Spool = block.Spool{Name: spool}
		if _, _, err := s.k.Sync(t.Context(), "fw"); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		list, _ := s.fw.List(t.Context())
		for _, e := range list {
			if e.Target.Overlaps(prefix("127.0.0.0/8")) || e.Target.Overlaps(prefix("203.0.113.1/32")) {
				t.Errorf("%q blocked %s", text, e.Target)
			}
		}
	})
}
