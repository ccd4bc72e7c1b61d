package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// Lines of the Linux kernel, as rsyslog writes them (kern.log, messages, syslog) or as dmesg prints them:
//
//	Nov 22 14:03:07 host kernel: [12345.678901] nf_conntrack: nf_conntrack: table full, dropping packet
//	2026-11-22T14:03:07.123456+00:00 host kernel: nf_conntrack: …
//	[12345.678901] nf_conntrack: …
//	[Sun Nov 22 14:03:07 2026] nf_conntrack: …
//
// Files that hold other programs' lines too may be read: those lines are no faults. The text of firewall rules (LOG)
// holds addresses that anybody may put into a packet, so that no line of the kernel accuses. A local account can write
// "kernel:" lines through logger(1): their trust is the source's.
var kernelLog = &Format{Name: "kernel", Kind: Error, Whole: true, fits: fitsKernel}

func fitsKernel(line []byte) bool {
	if n := dmesgLen(line); n > 0 {
		// The server of PHP's command line puts the peer behind the same time.
		peer, _ := word(line[n:])
		_, ok := parseAddr(peer)
		return !ok
	}
	rest, ok := syslogRest(line)
	if !ok {
		// The time is not looked at here, only its place.
		return false
	}
	return starts(rest, "kernel: ")
}

// syslogRest returns what follows time and host in a line of syslog: "kernel: …", "sshd[12]: …". It looks for the
// shape of a time alone.
func syslogRest(line []byte) ([]byte, bool) {
	if len(line) > 4 && line[0] == '<' {
		if n := bytes.IndexByte(line[:5], '>'); n > 0 {
			line = line[n+1:]
		}
	}
	n := 0
	switch {
	case len(line) > 16 && month(line) > 0 && line[3] == ' ' && line[6] == ' ' && line[9] == ':' && line[12] == ':' && line[15] == ' ':
		n = 16
	case len(line) > 20 && line[4] == '-' && line[7] == '-' && (line[10] == 'T' || line[10] == ' ') && line[13] == ':':
		i := bytes.IndexByte(line[11:], ' ')
		if i < 8 {
			return nil, false
		}
		n = 11 + i + 1
	default:
		return nil, false
	}
	rest := line[n:]
	i := bytes.IndexByte(rest, ' ')
	if i <= 0 {
		return nil, false
	}
	return rest[i+1:], true
}

// dmesgLen returns the length of "[12345.678901] " or "[Sun Nov 22 14:03:07 2026] " at the front of a line of dmesg,
// 0 when there is none.
func dmesgLen(b []byte) int {
	if len(b) < 4 || b[0] != '[' {
		return 0
	}
	i := 1
	for i < len(b) && b[i] == ' ' {
		i++
	}
	first := i
	for i < len(b) && (b[i]-'0' <= 9 || b[i] == '.') {
		i++
	}
	if i > first && i+1 < len(b) && b[i] == ']' && b[i+1] == ' ' && bytes.IndexByte(b[first:i], '.') > 0 {
		return i + 2
	}
	if n := apacheTimeLen(b); n > 24 && b[4] == ' ' && n+1 < len(b) && b[n] == ' ' && b[n+1] != '[' {
		return n + 1
	}
	return 0
}

func kernelLine(p *Parser, line []byte) outcome {
	if n := dmesgLen(line); n > 0 {
		p.carried = time.Time{}
		if at, ok := p.apacheTime(line[1 : n-2]); ok {
			p.carried = at
		}
		// systemd and the programs of an early boot write to the kernel's log as well.
		if text, ok := p.tag(line[n:]); ok && p.surely && p.isKnown(text) {
			return p.said(text, line)
		}
		return p.kernelSaid(line[n:], line)
	}
	text, ok := stripSyslog(p, line)
	switch {
	case !ok:
		return unparsed
	case string(p.sender) != "kernel":
		return parsed // another program's
	}
	return p.kernelSaid(text, line)
}

// kernelSaid reads a message of the kernel, of the time p.carried.
func (p *Parser) kernelSaid(m, line []byte) outcome {
	f := p.startFault("kernel", line, p.from)
	if n := dmesgLen(m); n > 0 && m[len("[")] != 'S' {
		m = m[n:]
	}
	f.Time, f.Level, f.Message = p.carried, kernelLevel(m), m
	p.pushFault(connwarden.EventOther, nil, nil)
	return parsed
}

// kernelLevel tells how grave a message is by its own words, since neither rsyslog nor dmesg writes the level: what
// loses data or kills programs is an error, what meets a limit a warning, anything else is for information.
func kernelLevel(m []byte) connwarden.Level {
	for _, s := range kernelErrors {
		if bytes.Contains(m, s) {
			return connwarden.LevelError
		}
	}
	for _, s := range kernelWarnings {
		if bytes.Contains(m, s) {
			return connwarden.LevelWarning
		}
	}
	return connwarden.LevelInfo
}

var kernelErrors = [][]byte{
	[]byte("Killed process"), []byte("invoked oom-killer"), []byte("EXT4-fs error"), []byte("I/O error"), []byte("segfault at"),
	[]byte("general protection"), []byte("Remounting filesystem read-only"), []byte("blocked for more than"), []byte("soft lockup"),
	[]byte("Kernel panic"), []byte("Oops:"), []byte("metadata corruption"), []byte("Hardware Error"),
}

var kernelWarnings = [][]byte{
	[]byte("table full"), []byte("table overflow"), []byte("SYN flooding"), []byte("out of memory"), []byte("too many orphaned"),
	[]byte("limit "), []byte("callbacks suppressed"), []byte("throttled"), []byte("Link is Down"), []byte("page allocation failure"),
}
