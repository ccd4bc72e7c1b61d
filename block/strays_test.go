package block_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/block"
)

// walls gives a scene a second firewall, "moat", that nobody names, and a third that does not answer.
func (s *scene) walls() *block.Memory {
	moat := &block.Memory{Label: "moat", Claims: block.Everything(), Now: func() time.Time { return s.now }}
	s.k.Others = []string{"fw", "moat", "ditch"}
	s.k.Open = func(_ context.Context, name string) (block.Driver, error) {
		switch name {
		case "fw":
			return s.fw, nil
		case "moat":
			return moat, nil
		default:
			return nil, errors.New("it does not answer")
		}
	}
	return moat
}

// hold puts entries into a firewall behind the keeper's back.
func (s *scene) hold(m *block.Memory, targets ...string) {
	s.Helper()
	for _, t := range targets {
		if err := m.Apply(s.Context(), []block.Entry{{Target: prefix(t)}}, nil); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *scene) holds(m *block.Memory, want string) {
	s.Helper()
	list, err := m.List(s.Context())
	if got := words(list); err != nil || got != want {
		s.Errorf("%s holds %q, %v; want %q", m.Name(), got, err, want)
	}
}

// TestUnblockStray lifts what the journal does not know, wherever it is, and not what lies around it.
func TestUnblockStray(t *testing.T) {
	s := newScene(t)
	moat := s.walls()
	s.hold(s.fw, "192.0.2.7/32", "198.51.100.0/24")
	s.hold(moat, "192.0.2.7/32", "192.0.2.8/32")
	list, problems, err := s.k.Blocks(t.Context(), prefixes("192.0.2.0/24")...)
	if err != nil || len(list) != 3 || len(problems) != 0 || !list[0].InForce || list[1].Driver != "moat" || list[2].Target != prefix("192.0.2.8/32") {
		t.Errorf("blocks %+v, %v, %v", list, problems, err)
	}
	s.k.Plan = true
	out := s.done(s.k.Unblock(t.Context(), prefixes("192.0.2.7/32"), nil, operator))
	if got := fmt.Sprint(out.Plans); len(out.Lifted) != 2 || strings.Count(got, "remove 192.0.2.7") != 2 {
		t.Errorf("a dry run lifts %v, plans %s", out.Lifted, got)
	}
	s.k.Plan = false
	s.holds(moat, "192.0.2.7/32 192.0.2.8/32")
	out = s.done(s.k.Unblock(t.Context(), prefixes("192.0.2.7/32"), nil, operator))
	if len(out.Lifted) != 2 || len(out.Problems) != 0 {
		t.Errorf("lifted %v, problems %v", out.Lifted, out.Problems)
	}
	s.inForce("198.51.100.0/24")
	s.holds(moat, "192.0.2.8/32")
	s.refused(s.block(request("192.0.2.7/32", byRule)), "an operator let it go")

	// Only where it is named; and a range stays whole.
	out, err = s.k.Unblock(t.Context(), prefixes("192.0.2.8/32 198.51.100.7/32"), []string{"fw"}, operator)
	if err != nil || len(out.Lifted) != 0 || len(out.Refused) != 2 || !strings.Contains(out.Refused[1].Why, "part of 198.51.100.0/24") {
		t.Errorf("%+v, %v", out, err)
	}
	s.holds(moat, "192.0.2.8/32")
	if out, err = s.k.Unblock(t.Context(), prefixes("192.0.2.8/32"), nil, rule); err != nil || len(out.Lifted) != 0 {
		t.Errorf("a rule lifted %+v, %v", out, err)
	}
	s.done(s.k.Unblock(t.Context(), prefixes("192.0.2.8/32"), []string{"moat"}, operator))
	s.holds(moat, "")
}

// TestUnblockAgain lifts what a firewall refused to let go the first time.
func TestUnblockAgain(t *testing.T) {
	s := newScene(t)
	s.blocked(request("192.0.2.7/32"))
	s.fw.Fail = func(op string, _ block.Entry) error {
		if op == "remove" {
			return errors.New("it is locked")
		}
		return nil
	}
	if _, err := s.k.Unblock(t.Context(), prefixes("192.0.2.7/32"), nil, operator); err == nil {
		t.Error("the firewall failed, and nobody says so")
	}
	s.inForce("192.0.2.7/32")
	s.fw.Fail = nil
	s.done(s.k.Unblock(t.Context(), prefixes("192.0.2.7/32"), nil, operator))
	s.inForce("")
	s.sync(0, 0, 0, 0)
}

// TestStrays has sync take in, and flush take away, what is ours in firewalls that nobody names.
func TestStrays(t *testing.T) {
	s := newScene(t)
	moat := s.walls()
	s.hold(moat, "192.0.2.8/32")
	_, list, err := s.k.Sync(t.Context(), "fw")
	if err != nil || len(list) != 2 || list[1].Driver != "moat" || list[1].Adopted != 1 || list[1].Wanted != 1 {
		t.Fatalf("sync %+v, %v", list, err)
	}
	s.done(s.k.Unblock(t.Context(), prefixes("192.0.2.8/32"), nil, operator))
	s.hold(moat, "192.0.2.9/32")
	s.k.Plan = true
	if list, err = s.k.Flush(t.Context(), "fw"); err != nil || len(list) != 2 || list[1].Removed != 1 {
		t.Errorf("a dry flush %+v, %v", list, err)
	}
	s.holds(moat, "192.0.2.9/32")
	s.k.Plan = false
	flushed := 0
	moat.Fail = func(op string, _ block.Entry) error {
		if op == "flush" {
			flushed++
		}
		return nil
	}
	if list, err = s.k.Flush(t.Context(), "fw"); err != nil || len(list) != 2 || list[1].Removed != 1 {
		t.Errorf("flush %+v, %v", list, err)
	}
	s.holds(moat, "")
	// And without a journal. Empty sets and rules go as well, of which nobody need be told.
	e := s.emergency("")
	e.Open, e.Others = s.k.Open, s.k.Others
	if list = e.Flush(t.Context(), false, "fw"); len(list) != 1 || flushed != 2 {
		t.Errorf("flush without a journal %+v, the moat flushed %d times", list, flushed)
	}
}

// readable is a journal that cannot be written.
type readable struct{ *block.MemoryJournal }

func (readable) Record(context.Context, *block.Change) error {
	return fmt.Errorf("%w: the disk is full", block.ErrJournal)
}

// TestUnblockUnwritten says what comes of an unblock that can be written nowhere.
func TestUnblockUnwritten(t *testing.T) {
	for _, tt := range []struct {
		name   string
		known  bool // to the journal
		read   bool
		says   string
		comes  string // what is in force after the next sync
		asItIs bool   // the spool can be written
	}{
		{"wanted", true, true, "the next connwarden sync puts it back", "192.0.2.7/32", false},
		{"not wanted", false, true, "it stays lifted", "", false},
		{"unknown", true, false, "if the journal wants it, the next connwarden sync puts it back", "192.0.2.7/32", false},
		{"written", true, true, "written down beside it and taken in later", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t)
			spool := filepath.Join(t.TempDir(), "spool")
			e := s.emergency(spool)
			if tt.known {
				s.blocked(request("192.0.2.7/32"))
			} else {
				s.hold(s.fw, "192.0.2.7/32")
			}
			if tt.read {
				e.Journal = s.journal
			}
			e.Others = []string{"fw"}
			if !tt.asItIs {
				e.Spool.Name = filepath.Join(spool, "no such folder")
			}
			out := s.done(e.Unblock(t.Context(), prefixes("192.0.2.7/32"), nil, operator))
			s.inForce("")
			if got := fmt.Sprint(out.Problems); !strings.Contains(got, tt.says) || strings.Contains(got, "taken in later") != tt.asItIs {
				t.Errorf("problems %s; want %q", got, tt.says)
			}
			s.restart()
			s.k.Spool = block.Spool{Name: spool}
			if _, _, err := s.k.Sync(t.Context(), "fw"); err != nil {
				t.Fatal(err)
			}
			s.inForce(tt.comes)
		})
	}
}

// TestJournalReadable respects who is allowed although nothing can be written, and lifts what only the firewall knows.
func TestJournalReadable(t *testing.T) {
	s := newScene(t)
	s.done(s.k.Allow(t.Context(), prefixes("192.0.2.9/32"), operator, "the office"))
	e := s.emergency(filepath.Join(t.TempDir(), "spool"))
	e.Journal = s.journal
	out, err := e.Block(t.Context(), request("192.0.2.9/32"))
	if err != nil {
		t.Fatal(err)
	}
	s.refused(out, "it is allowed (the office)")
	s.inForce("")
	if got := fmt.Sprint(out.Problems); strings.Contains(got, "could not be read") || strings.Contains(got, "later") {
		t.Errorf("problems %s", got)
	}
	// The keeper of a full disk finds it in the firewall and cannot write that down: it is for the emergency.
	s.hold(s.fw, "192.0.2.7/32")
	s.walls()
	s.k.Journal = readable{s.journal}
	if _, err := s.k.Unblock(t.Context(), prefixes("192.0.2.7/32"), nil, operator); !errors.Is(err, block.ErrJournal) {
		t.Errorf("unblock of what only the firewall knows: %v; want ErrJournal", err)
	}
}

// TestTold says of an act what became of it.
func TestTold(t *testing.T) {
	s := newScene(t)
	s.done(s.k.Allow(t.Context(), prefixes("198.51.100.7/32"), operator, ""))
	out := s.blocked(request("198.51.100.0/24"))
	if got := fmt.Sprint(out.Problems); !strings.Contains(got, "198.51.100.0/24 a part of it is not blocked by fw, since it is allowed: 198.51.100.7") {
		t.Errorf("problems %s", got)
	}
	if out := s.sync(8, 0, 0, 0); len(out.Problems) > 0 {
		t.Errorf("sync, too, says %v", out.Problems)
	}
	e := s.emergency(filepath.Join(t.TempDir(), "spool"))
	e.Journal = s.journal
	out = s.done(e.Block(t.Context(), request("198.51.100.6/31")))
	if got := fmt.Sprint(out.Problems); !strings.Contains(got, "since it is allowed: 198.51.100.7") {
		t.Errorf("problems %s", got)
	}
	list, _ := s.fw.List(t.Context())
	for _, e := range list {
		if e.Target.Overlaps(prefix("198.51.100.7/32")) {
			t.Errorf("%s is in force", e.Target)
		}
	}
	s.blocked(request("192.0.2.7/32"))
	out = s.done(s.k.Unblock(t.Context(), prefixes("192.0.2.7/32"), nil, operator))
	if out.Lifted[0].State != block.StateLifted {
		t.Errorf("lifted, and said to be %s", out.Lifted[0].State)
	}
	s.blocked(request("192.0.2.7/32"))
	s.fw.Fail = func(op string, _ block.Entry) error {
		if op == "remove" {
			return errors.New("it is locked")
		}
		return nil
	}
	if out, err := s.k.Unblock(t.Context(), prefixes("192.0.2.7/32"), nil, operator); err == nil || out.Lifted[0].State != block.StateInForce {
		t.Errorf("not lifted, and said to be %+v, %v", out, err)
	}
	if out, err := e.Unblock(t.Context(), prefixes("192.0.2.7/32"), []string{"fw"}, operator); err == nil || out.Lifted[0].State != block.StateInForce {
		t.Errorf("not lifted without a journal, and said to be %+v, %v", out, err)
	}
	s.k.Journal = readable{s.journal}
	if out, err := s.k.Allow(t.Context(), prefixes("192.0.2.9/32"), operator, ""); !errors.Is(err, block.ErrJournal) || len(out.Allowed) > 0 {
		t.Errorf("not written, and said to be %+v, %v", out, err)
	}
	if out, err := s.k.Undo(t.Context(), 0, operator); !errors.Is(err, block.ErrJournal) || len(out.Lifted)+len(out.Blocks) > 0 {
		t.Errorf("not written, and said to be %+v, %v", out, err)
	}
}
