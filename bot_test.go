package connwarden_test

import (
	"encoding/json"
	"testing"

	"github.com/connwarden/connwarden"
)

func TestProofWords(t *testing.T) {
	for p, want := range map[connwarden.Proof]string{
		connwarden.ProofNone: "", connwarden.ProofUnproven: "unproven", connwarden.ProofImpostor: "impostor",
		connwarden.ProofVerified: "verified", connwarden.ProofVerified + 1: "unknown",
	} {
		if got := p.String(); got != want {
			t.Errorf("Proof(%d) has the word %q, want %q", p, got, want)
		}
		if got, err := json.Marshal(p); err != nil || string(got) != `"`+want+`"` {
			t.Errorf("Proof(%d) marshals as %s, %v", p, got, err)
		}
	}
}
