package multiport

import (
	"errors"
	"slices"
	"testing"

	"github.com/connwarden/connwarden"
)

func TestFits(t *testing.T) {
	fifteen := []uint16{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	for _, s := range []connwarden.Scope{{}, connwarden.Ports(80), connwarden.Ports(fifteen...)} {
		if err := Fits(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []connwarden.Scope{connwarden.Ports(append(fifteen, 16)...), {Kind: connwarden.ScopeSite, Detail: "/srv"}, {Kind: connwarden.ScopePorts, Detail: "80,22"}} {
		if err := Fits(s); !errors.Is(err, connwarden.ErrUnsupported) {
			t.Errorf("%q: %v; want unsupported", s, err)
		}
	}
}

func TestWords(t *testing.T) {
	words := Words(`  -A PREROUTING -m comment --comment "two words"  -j DROP`)
	if want := []string{"-A", "PREROUTING", "-m", "comment", "--comment", "two words", "-j", "DROP"}; !slices.Equal(words, want) {
		t.Errorf("got %q, want %q", words, want)
	}
	if got := After(words, "--comment") + After(words, "DROP") + After(words, "-p"); got != "two words" {
		t.Errorf("got %q", got)
	}
}
