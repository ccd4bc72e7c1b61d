// Package daemons reads what login, mail, FTP and other daemons say about a peer: who failed, who was refused, who
// got in.
//
// It owns the wording of those daemons and nothing else. Times, the prefix of syslog, files and the judgement of a
// peer belong to others; it opens nothing, reads no clock and never asks a name server. A [Message] is borrowed, and
// what an event says of it borrows the same bytes: they are valid as long as the message is. All functions are pure
// and may be called from any number of goroutines. It runs on every system.
//
// # Nobody can accuse another
//
// A client is taken from the one place where the daemon writes the peer's address, and that place is found from the
// side that the peer cannot write to: mostly from the end, since the names that a peer chooses stand before its
// address. Where text of the peer's stands on both sides, every place that could be the right one is looked at, and
// when they disagree the message accuses no one. Names of hosts are never resolved: an event whose daemon wrote a
// name has no client, and the name stands in its Detail.
//
// # What is hostile
//
// A message accuses only for what it states: a refused password, an account that does not exist, a limit that was met. That
// a connection ended before a login is not a failure by itself; scanners do it, and so do monitors and people who change
// their mind.
package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// Message is one message of a daemon without what its carrier (syslog, the journal, a file) wrote before it. Both
// parts are borrowed.
type Message struct {
	Program []byte // the syslog tag without the process id: "sshd-session", "postfix/smtpd", "dovecot"
	Text    []byte // what follows the tag
}

// Read fills Client, Kind, Voice, More, Service, User, Missing and Detail of e from a message and leaves its other parts as they are. It
// returns false, with those eight empty, when the message says nothing about a peer. Client is invalid when the daemon
// named the peer by a host name, which is then the Detail. It allocates nothing.
func Read(m *Message, e *connwarden.Event) bool {
	forget(e)
	text, times := unrepeated(trim(view(m.Text)))
	if text == "" {
		return false
	}
	if read(view(m.Program), text, e) {
		e.More = min((e.More+1)*times, maxTimes) - 1
		return true
	}
	forget(e)
	return false
}

func forget(e *connwarden.Event) {
	e.Client, e.Kind, e.Voice, e.More, e.Service, e.User, e.Missing, e.Detail = noAddr, connwarden.EventOther, connwarden.VoiceOwn, 0, "", nil, false, nil
}

// maxTimes bounds how often a line can say that something happened: no daemon lets a connection fail so often.
const maxTimes = 1000

// read gives a message to the reader of its program. What PAM says, it says in the same words for every program.
func read(program, text string, e *connwarden.Event) bool {
	s := of(program)
	switch {
	case s != nil && s.name == "":
		return false
	case isPAM(program, text):
		if s != nil && s.name != "mail" {
			e.Service = s.name
		}
		return (s != nil || pamFits(program, text)) && readPAM(text, e)
	case s == nil:
		return false
	}
	if e.Service = s.name; s.read == nil {
		return s.words.read(text, e)
	}
	return s.read(bare(program), text, e)
}

// bare is a program's name without its folder, but for those whose tag is a path by design.
func bare(program string) string {
	i := strings.LastIndexByte(program, '/')
	if i < 0 || program[0] != '/' {
		return program
	}
	return program[i+1:]
}

// unrepeated takes the message out of rsyslog's "message repeated 3 times: [ …]" (its $RepeatedMsgReduction): the
// message happened so often again.
func unrepeated(s string) (message string, times uint32) {
	const head = "message repeated "
	if !strings.HasPrefix(s, head) || s[len(s)-1] != ']' {
		return s, 1
	}
	n := digits(s[len(head):])
	rest := s[len(head)+n:]
	const tail = " times: ["
	if n == 0 || !strings.HasPrefix(rest, tail) {
		return s, 1
	}
	return trim(rest[len(tail) : len(rest)-1]), number(s[len(head) : len(head)+n])
}
