package connwarden

import (
	"net/netip"
	"time"
)

// Proto is a transport protocol.
type Proto uint8

const (
	TCP Proto = iota
	UDP
)

var protoWords = [...]string{"tcp", "udp"}

// String returns "tcp" or "udp".
func (p Proto) String() string { return word(protoWords[:], int(p)) }

// MarshalText returns the word.
func (p Proto) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// State is the state of a socket. Values are those of Linux (include/net/tcp_states.h), so that a kernel row
// needs no table.
type State uint8

const (
	StateUnknown     State = 0
	StateEstablished State = 1
	StateSynSent     State = 2
	StateSynRecv     State = 3
	StateFinWait1    State = 4
	StateFinWait2    State = 5
	StateTimeWait    State = 6
	StateClose       State = 7 // of UDP: bound, not connected
	StateCloseWait   State = 8
	StateLastAck     State = 9
	StateListen      State = 10
	StateClosing     State = 11
	StateNewSynRecv  State = 12 // a request socket; counted as syn_recv, as ss and netstat do

	NumStates = 13
)

var stateWords = [...]string{
	"unknown", "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "close",
	"close_wait", "last_ack", "listen", "closing", "new_syn_recv",
}

// String returns the kernel's word in lower case: "established", "syn_recv", "fin_wait1", …
func (s State) String() string { return word(stateWords[:], int(s)) }

// MarshalText returns the word.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Direction tells who opened a connection.
type Direction uint8

const (
	DirUnknown Direction = iota
	DirIn                // the peer opened it: our side is a listening port
	DirOut               // we opened it
)

var dirWords = [...]string{"unknown", "in", "out"}

// String returns "in", "out" or "unknown".
func (d Direction) String() string { return word(dirWords[:], int(d)) }

// MarshalText returns the word.
func (d Direction) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Process is the program that holds a socket. Its zero value means that nobody was asked or nobody holds it.
type Process struct {
	PID  int
	Name string // as the kernel's comm, at most 15 bytes; hostile
	Unit string // systemd unit, when known
}

// Conn is one socket at one instant. IPv4 addresses in IPv6 clothes are unmapped before they get here.
type Conn struct {
	ID        uint64 // the kernel's cookie, equal across snapshots; 0 when unknown
	Proto     Proto
	State     State
	Dir       Direction
	Local     netip.AddrPort
	Remote    netip.AddrPort // zero address for a listener
	Truncated string         // the remote address as printed when the printer cut it off; Remote is then invalid
	Namespace string         // "" for our own network namespace
	Inode     uint32         // 0 when none: TIME-WAIT, SYN-RECV, not yet accepted
	UID       uint32
	RecvQueue uint32 // bytes; of a listener: connections waiting to be accepted
	SendQueue uint32 // bytes; of a listener: the most that may wait
	Process   Process
	Seen      time.Time
}

// ServicePort is the port of the service that the connection is about: ours for one that came in, theirs for one
// that goes out.
func (c *Conn) ServicePort() uint16 {
	if c.Dir == DirOut {
		return c.Remote.Port()
	}
	return c.Local.Port()
}
