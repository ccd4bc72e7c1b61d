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
	Voice   Voice  // which of the words on one fact this is
	More    uint32 // how often besides the line says that it happened
	Service string // "sshd", "dovecot", …: a constant of the reader
	User    []byte // the account tried; hostile
	Missing bool   // there is no such account, says the daemon
	Detail  []byte // hostile
	Request []byte // the request line quoted in the message, when the daemon quotes it; hostile
	From    Source
	Raw     []byte
}

// Voice tells apart what is said of one fact more than once: of one wrong password sshd, PAM and the line on the end of the
// connection all speak. Each voice speaks at most once of a fact, so that there were as many as the voice that
// says most of them tells; of different facts the sum would be right, and is never told.
type Voice uint8

const (
	VoiceOwn     Voice = iota // the daemon's own word on each failure
	VoicePAM                  // that of a module of PAM
	VoiceChecker              // that of the service which checks passwords for others
	VoiceName                 // that there is no such account, once a connection
	VoiceEnd                  // how the connection ended
	VoicePenalty              // what it costs

	// NumVoices is how many there are.
	NumVoices = iota
)

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
