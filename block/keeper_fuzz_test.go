package block_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/connwarden/connwarden/block"
)

// FuzzKeeper does acts as the input says, three bytes each, and after each holds the firewall against what the journal
// wants of each of 256 addresses. An act may fail half-way; then the next sync must mend it.
func FuzzKeeper(f *testing.F) {
	f.Add([]byte{0, 0, 4, 0, 9, 8, 2, 2, 8, 1, 9, 0, 4, 0, 0})
	f.Add([]byte{0, 0, 0, 64, 1, 8, 2, 1, 8, 3, 1, 8, 4, 0, 0, 4, 0, 0})
	f.Add([]byte{0, 0, 4, 6, 3, 0, 2, 2, 8, 7, 0, 0, 5, 9, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 150 {
			return
		}
		for _, few := range []int{0, 5} {
			s := newScene(t)
			s.fw.Claims.Most = few
			s.limits.Widest4 = 1
			s.restart()
			broken := false
			for rest := data; len(rest) >= 3; rest = rest[3:] {
				at := below(prefix("10.0.0.0/24"), rest[1], int(rest[2])%9)
				broken = s.random(rest[0], at, broken)
				if !broken {
					s.agrees(few)
				}
			}
			s.fw.Fail = nil
			if _, list, err := s.k.Sync(t.Context(), "fw"); err != nil || list[0].Err != nil {
				t.Fatalf("sync: %v, %v", err, list[0].Err)
			}
			s.agrees(few)
			if _, list, _ := s.k.Sync(t.Context(), "fw"); list[0].Added+list[0].Removed+list[0].Adopted > 0 {
				t.Fatalf("after one sync another still finds work: %+v", list[0])
			}
		}
	})
}

// random does one act. It returns whether the firewall may disagree with the journal since something failed.
func (s *scene) random(act byte, at netip.Prefix, broken bool) bool {
	ctx := s.Context()
	var err error
	switch act % 8 {
	case 0:
		_, err = s.k.Block(ctx, request(at.String(), lasting(time.Duration(act/8%4)*time.Hour)))
	case 1:
		_, err = s.k.Unblock(ctx, []netip.Prefix{at}, nil, operator)
	case 2:
		_, err = s.k.Allow(ctx, []netip.Prefix{at}, operator, "")
	case 3:
		_, err = s.k.Disallow(ctx, []netip.Prefix{at}, operator)
	case 4:
		s.k.Undo(ctx, 0, operator) // there may be nothing to undo
	case 5:
		s.pass(time.Duration(act/8) * 10 * time.Minute)
	case 6:
		left := int(act / 8)
		s.fw.Fail = func(string, block.Entry) error {
			if left--; left < 0 {
				return errors.New("the kernel said no")
			}
			return nil
		}
		s.k.Block(ctx, request(at.String(), forced))
		s.fw.Fail = nil
		return true
	case 7:
		if _, _, err := s.k.Sync(ctx, "fw"); err != nil {
			s.Fatal(err)
		}
		return false
	}
	if err != nil && s.fw.Claims.Most == 0 { // a firewall with few places may say that it is full
		s.Fatalf("act %d on %s: %v", act, at, err)
	}
	return broken
}

// agrees fails unless each address is blocked that the journal wants blocked, and no other.
func (s *scene) agrees(few int) {
	s.Helper()
	wishes, _ := s.journal.Wishes(s.Context())
	allows, _ := s.journal.Allows(s.Context())
	list, err := s.fw.List(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	for i := range 256 {
		a := below(prefix("10.0.0.0/24"), byte(i), 8).Addr()
		var in, insisted []block.Entry
		for _, w := range wishes {
			if w.Wanted(s.now) && w.Target.Contains(a) {
				e := block.Entry{Target: w.Target, Until: w.Until}
				in = append(in, e)
				if w.Forced {
					insisted = append(insisted, e)
				}
			}
		}
		for _, allow := range allows {
			if allow.Target.Contains(a) {
				in = insisted
			}
		}
		want, got := model(a, in, nil), model(a, list, nil)
		if got != want && (few == 0 || want == "open") { // a full firewall leaves out, and never blocks more
			s.Fatalf("%v is %s, want %s\nwanted %v\nallowed %v\nin force %s", a, got, want, wishes, allows, words(list))
		}
	}
}
