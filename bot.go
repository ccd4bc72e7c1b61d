package connwarden

// Bot is who an agent says it is, when it does not say that it is a person's browser. Its text is the program's own,
// never that of the agent.
type Bot struct {
	Name     string // "Googlebot"
	Operator string // who runs it: "Google"; "" when anyone may: a library, a tool, or a crawler nobody answers for
	Tag      string // what it is for: a constant of the room bots, such as "search-engine"
	Exempt   bool   // once verified it must not be blocked automatically
}

// Proof says whether an address is that of the bot its agent claims to be.
type Proof uint8

const (
	ProofNone     Proof = iota // it claims to be nobody who could be proved
	ProofUnproven              // neither proved nor refuted
	ProofImpostor              // refuted: a published range or the name of the address says otherwise
	ProofVerified              // in a range that the operator publishes, or its name leads to the operator and back
)

var proofWords = [...]string{"", "unproven", "impostor", "verified"}

// String returns CLI.md's word; ProofNone has none and is the empty string.
func (p Proof) String() string { return word(proofWords[:], int(p)) }

// MarshalText returns the word.
func (p Proof) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
