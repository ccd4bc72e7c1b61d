// Package connwarden holds the nouns of the whole program: what is read from sockets and logs, what is judged
// from it, and the errors that rooms share. It does nothing: no I/O, no clock, standard library only.
//
// # Glossary
//
//   - reading: one typed fact taken from outside: a [Conn], a [Request], an [Event] or a [Fault]
//   - source: where a reading was found ([Source]): file and offset, enough to show the line again
//   - sink: who takes readings ([Sink])
//   - conn: one socket at one instant
//   - request: one line of an access log
//   - event: anything else that a log says about a peer
//   - fault: one line of an error log, whether or not a peer is to blame
//   - peer: the other end: an address that connects to this machine or asks it for pages
//   - ledger: what is counted per peer; two ledgers of the two halves of a log add up to that of the whole
//   - evidence: one reason to think a peer harmful, with sample lines
//   - verdict: what is thought of a subject, with its evidence
//   - finding: something that needs a person, whoever is to blame
//   - pressure: a limit of the machine and how near it is
//   - problem: something that could not be seen or done, and why
//   - trust: who is able to write a line of a log
package connwarden

// Sink takes readings. The value and every byte slice in it are borrowed: they are valid until the call
// returns, and who wants to keep them copies them. A Sink is called from one goroutine at a time.
type Sink interface {
	Conn(*Conn)
	Request(*Request)
	Event(*Event)
	Fault(*Fault)
}

// Trust says who can write a line of a source, from least to most credible. The zero value is TrustOutside, so
// that a source nobody thought about accuses no one.
type Trust uint8

const (
	TrustOutside Trust = iota // a client can write whole lines: nginx's error log
	TrustLocal                // a local account can: syslog through logger(1), a site's own PHP error_log
	TrustRoot                 // only root or the daemon can
)

var trustWords = [...]string{"outside", "local", "root"}

// String returns CLI.md's word.
func (t Trust) String() string { return word(trustWords[:], int(t)) }

// MarshalText returns the word.
func (t Trust) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Source tells where a reading was found.
type Source struct {
	Name   string // path, unit name, or the name of a snapshot
	Offset int64  // of the line's first byte in the (uncompressed) text
	Line   int64  // counted from 1; 0 when unknown, as after a jump into the middle
	Trust  Trust
}

func word(words []string, i int) string {
	if i < 0 || i >= len(words) {
		return "unknown"
	}
	return words[i]
}
