package conns

import (
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// Count is a number that may not be known: on another system, an older kernel, or without the module that counts it.
type Count struct {
	Value uint64
	Known bool
}

// Counters are the kernel's own numbers about connections: what rows cannot tell, since a SYN cookie leaves no row and a
// refused connection none either. Totals run since the network namespace was made (Uptime tells how long at most).
type Counters struct {
	// Uptime is the time since the machine started: what totals are divided by for a rate. 0 when unknown.
	Uptime time.Duration

	// Of TcpExt in /proc/net/netstat, totals.
	SyncookiesSent    Count // answers sent without keeping a row
	SyncookiesRecv    Count // of those, completed handshakes
	SyncookiesFailed  Count // handshakes whose cookie was wrong
	ReqQFullDoCookies Count // SYN queue full, cookies sent instead
	ReqQFullDrop      Count // SYN queue full, dropped
	ListenOverflows   Count // accept queue full
	ListenDrops       Count // connections lost at a listener, whatever the cause
	AbortOnMemory     Count // connections reset because TCP's memory or the orphan limit was used up
	AbortOnTimeout    Count // connections given up after the last retransmission
	BacklogDrop       Count // segments dropped because a socket's backlog was full

	// Of conntrack: entries now and the most there may be.
	Conntrack, ConntrackMax Count

	// Limits, from /proc/sys.
	SomaxConn     Count // the longest accept queue
	MaxSynBacklog Count // the longest SYN queue, a listener's backlog allowing
	Syncookies    Count // 0 never, 1 when the SYN queue is full, 2 always

	// Of /proc/net/sockstat, now, and their limits.
	TCPInUse                    Count // established and the like, IPv4
	TCPOrphans, MaxOrphans      Count // sockets without a process; at the limit new ones are reset
	TCPTimeWait, MaxTimeWait    Count
	TCPMemPages, MaxTCPMemPages Count // memory of TCP buffers, in pages
}

// ReadCounters reads all of them. What is missing is not Known; the problems say which files could not be read and
// why. It never fails as a whole.
func ReadCounters() (Counters, []connwarden.Problem) { return readCounters() }

// countOf reads a number; anything else is not known.
func countOf(text string) Count {
	n, err := strconv.ParseUint(text, 10, 64)
	return Count{Value: n, Known: err == nil}
}

// extended reads /proc/net/netstat: a line of names, then one of values, for each group.
func (c *Counters) extended(text string) {
	want := map[string]*Count{
		"SyncookiesSent": &c.SyncookiesSent, "SyncookiesRecv": &c.SyncookiesRecv, "SyncookiesFailed": &c.SyncookiesFailed,
		"TCPReqQFullDoCookies": &c.ReqQFullDoCookies, "TCPReqQFullDrop": &c.ReqQFullDrop,
		"ListenOverflows": &c.ListenOverflows, "ListenDrops": &c.ListenDrops,
		"TCPAbortOnMemory": &c.AbortOnMemory, "TCPAbortOnTimeout": &c.AbortOnTimeout, "TCPBacklogDrop": &c.BacklogDrop,
	}
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "TcpExt:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names {
			if at := want[name]; at != nil && i < len(fields) {
				*at = countOf(fields[i])
			}
		}
		return
	}
}

// sockets reads /proc/net/sockstat: "TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 1".
func (c *Counters) sockets(text string) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "TCP:" {
			continue
		}
		for i := 1; i+1 < len(fields); i += 2 {
			switch fields[i] {
			case "inuse":
				c.TCPInUse = countOf(fields[i+1])
			case "orphan":
				c.TCPOrphans = countOf(fields[i+1])
			case "tw":
				c.TCPTimeWait = countOf(fields[i+1])
			case "mem":
				c.TCPMemPages = countOf(fields[i+1])
			}
		}
		return
	}
}
