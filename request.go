package connwarden

import (
	"net/netip"
	"time"
)

// RequestKind says what a line of an access log really was.
type RequestKind uint8

const (
	ReqHTTP    RequestKind = iota // a request line that can be understood
	ReqTLS                        // TLS bytes on a plain port
	ReqEmpty                      // "-", "" or nothing: a connection that asked for nothing (408, or closed)
	ReqGarbage                    // some other protocol or noise
)

var reqWords = [...]string{"http", "tls", "empty", "garbage"}

// String returns "http", "tls", "empty" or "garbage".
func (k RequestKind) String() string { return word(reqWords[:], int(k)) }

// MarshalText returns the word.
func (k RequestKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Request is one line of an access log. Byte slices are borrowed from the block that was read, as the daemon
// wrote them (escapes not undone).
type Request struct {
	Time    time.Time
	Client  netip.Addr // unmapped; invalid when the log holds a name or nothing
	Name    []byte     // the client field when it was not an address
	Via     netip.Addr // the trusted proxy that passed the request on, else invalid
	Kind    RequestKind
	Host    []byte // the site: virtual host, Host header, or nothing
	Method  []byte
	Asked   []byte        // the host of an absolute URI, when it is not of the site that answered; hostile
	Path    []byte        // without the query; of a request that is not HTTP, the whole request text
	Query   []byte        // without '?'
	Proto   []byte        // "HTTP/1.1"
	Status  uint16        // 0 when the log says nothing
	Size    int64         // body bytes sent; -1 when the log says nothing, 0 for "-"
	Took    time.Duration // -1 when the log says nothing
	Referer []byte        // "-" becomes nothing, here and in Agent and User
	Agent   []byte
	User    []byte
	Lacks   Fields // of Referer and Agent what logs of this form never tell: nobody knows whether it was sent
	From    Source
	Raw     []byte // the whole line without its end
}

// Fields names parts of a [Request]. A caller says which it needs; a parser may leave the others empty, and a
// where expression or a key says which it reads.
type Fields uint32

const (
	FieldTime Fields = 1 << iota
	FieldClient
	FieldHost
	FieldMethod
	FieldPath
	FieldQuery
	FieldStatus
	FieldSize
	FieldTook
	FieldReferer
	FieldAgent
	FieldUser

	AllFields Fields = 1<<iota - 1
)
