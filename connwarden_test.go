package connwarden_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/connwarden/connwarden"
)

// TestWords proves that every value of the closed lists has a word of its own, and that no other has.
func TestWords(t *testing.T) {
	lists := map[string]struct {
		n    int
		word func(int) string
	}{
		"Proto":       {int(connwarden.UDP) + 1, func(i int) string { return connwarden.Proto(i).String() }},
		"State":       {connwarden.NumStates, func(i int) string { return connwarden.State(i).String() }},
		"Direction":   {int(connwarden.DirOut) + 1, func(i int) string { return connwarden.Direction(i).String() }},
		"RequestKind": {int(connwarden.ReqGarbage) + 1, func(i int) string { return connwarden.RequestKind(i).String() }},
		"EventKind":   {int(connwarden.EventClosed) + 1, func(i int) string { return connwarden.EventKind(i).String() }},
		"Level":       {int(connwarden.LevelEmergency) + 1, func(i int) string { return connwarden.Level(i).String() }},
		"Trust":       {int(connwarden.TrustRoot) + 1, func(i int) string { return connwarden.Trust(i).String() }},
	}
	for name, l := range lists {
		seen := map[string]bool{}
		for i := range l.n {
			w := l.word(i)
			if w == "" || seen[w] || w == "unknown" && i != 0 {
				t.Errorf("%s(%d) has the word %q", name, i, w)
			}
			seen[w] = true
		}
		if w := l.word(l.n); w != "unknown" {
			t.Errorf("%s(%d), which there is not, has the word %q", name, l.n, w)
		}
	}
}

func TestHostile(t *testing.T) {
	for k := connwarden.EventOther; k <= connwarden.EventClosed; k++ {
		want := k != connwarden.EventOther && k != connwarden.EventAuthPassed && k != connwarden.EventConnected && k != connwarden.EventClosed
		if k.Hostile() != want {
			t.Errorf("%s: hostile %v, want %v", k, k.Hostile(), want)
		}
	}
}

func TestWord(t *testing.T) {
	for score, want := range map[int]string{0: "normal", 49: "normal", 50: "suspicious", 79: "suspicious", 80: "malicious", 100: "malicious"} {
		if got := connwarden.Word(score); got != want {
			t.Errorf("Word(%d) = %s, want %s", score, got, want)
		}
	}
}

func TestTranslated(t *testing.T) {
	for addr, want := range map[string]bool{
		"64:ff9b::c000:207": true, "64:ff9b:1::c000:207": true, "64:ff9b:1:c000:2:700::": true, "64:ff9b:2::c000:207": false, "64:ff9b:0:1::c000:207": false,
		"2001:db8::c000:207": false, "::c000:207": false, "::1": false, "64:ff9c::1": false,
	} {
		a := netip.MustParseAddr(addr)
		b := a.As16()
		if one, two := connwarden.Translated(binary.BigEndian.Uint64(b[:8])), connwarden.Translates(netip.PrefixFrom(a, 128)); one != want || two != want {
			t.Errorf("%s: %v, %v, want %v", addr, one, two, want)
		}
	}
}
