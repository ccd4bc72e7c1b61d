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
	Request []byte // the request line quoted in the message, when the daemon quotes it; hostile
	From    Source
	Raw     []byte
}

// EventKind is a closed list.
type EventKind uint8

const (
	EventOther EventKind = iota

	// Hostile: they speak against the client.
	EventAuthFailed
	EventNotAllowed   // refused by a rule of the server: "client denied by server configuration"
	EventBadHandshake // TLS or protocol that did not come about
	EventLimitHit     // a rate or connection limit of the server was met
	EventProbe        // asked for what only a scanner asks for
	EventSpam         // a message refused as spam, or a sender on a block list
	EventRelay        // tried to send through us to others without being allowed to
	EventHarvest      // tried recipients that do not exist
	EventFilterHit    // met a rule of a filter: a web application firewall, an access list of a daemon

	// Not hostile.
	EventAuthPassed
	EventConnected
	EventClosed

	// NumEventKinds is how many there are.
	NumEventKinds = iota
)

var eventWords = [...]string{
	"other", "auth_failed", "not_allowed", "bad_handshake", "limit_hit", "probe", "spam", "relay", "harvest", "filter_hit",
	"auth_passed", "connected", "closed",
}

// String returns CLI.md's word.
func (k EventKind) String() string { return word(eventWords[:], int(k)) }

// MarshalText returns the word.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Hostile tells whether the event speaks against the client.
func (k EventKind) Hostile() bool { return k > EventOther && k < EventAuthPassed }
