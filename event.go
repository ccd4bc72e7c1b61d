package connwarden

import (
	"net/netip"
	"time"
)

// Event is what a log says about a peer when it is not a request.
type Event struct {
	Time    time.Time
	Client  netip.Addr
	Kind    EventKind
	Service string // "sshd", "dovecot", …: a constant of the reader
	User    []byte // the account tried; hostile
	Detail  []byte // hostile
	From    Source
	Raw     []byte
}

// EventKind is a closed list.
type EventKind uint8

const (
	EventOther EventKind = iota
	EventAuthFailed
	EventAuthPassed
	EventNotAllowed   // refused by a rule of the server: "client denied by server configuration"
	EventBadHandshake // TLS or protocol that did not come about
	EventLimitHit     // a rate or connection limit of the server was met
	EventProbe        // asked for what only a scanner asks for
)

var eventWords = [...]string{"other", "auth_failed", "auth_passed", "not_allowed", "bad_handshake", "limit_hit", "probe"}

// String returns CLI.md's word.
func (k EventKind) String() string { return word(eventWords[:], int(k)) }

// MarshalText returns the word.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Hostile tells whether the event speaks against the client.
func (k EventKind) Hostile() bool {
	switch k {
	case EventAuthFailed, EventNotAllowed, EventBadHandshake, EventLimitHit, EventProbe:
		return true
	default:
		return false
	}
}
