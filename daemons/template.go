package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// template is the wording of one message, for daemons whose messages need nothing more. It is written as the daemon's own format string,
// with these places:
//
//	%a  the peer: an address, perhaps in brackets or with a port, or the name of a host; no space is in it
//	%u  the account, which may hold anything
//	%*  anything, or nothing
//	%w  one word without spaces, or nothing
//	%n  a number
//	%%  a percent sign
//
// What %u, %w and %* stand for is the peer's to choose. So all ways to read a message by its template are tried, and when two of them
// disagree on the peer, it accuses nobody.
type template struct {
	kind   connwarden.EventKind
	pieces []piece
}

type piece struct {
	what byte   // 0 for text, else the letter of the place
	text string // of a text
}

// says makes a template. Templates are constants of this room: a bad one does not survive its first test.
func says(kind connwarden.EventKind, format string) template {
	t := template{kind: kind}
	from := 0
	for i := 0; i+1 < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		if i > from {
			t.pieces = append(t.pieces, piece{text: format[from:i]})
		}
		i++
		from = i + 1
		if format[i] == '%' {
			from = i
			continue
		}
		t.pieces = append(t.pieces, piece{what: format[i]})
	}
	if from < len(format) {
		t.pieces = append(t.pieces, piece{text: format[from:]})
	}
	return t
}

// templateSteps bounds the ways to read one message: a name made of nothing but the words that follow names could have millions.
const templateSteps = 4096

// reading collects what the ways to read a message agree on.
type reading struct {
	steps      int
	found, bad bool
	host, user string
}

// read fills e if s is a message of the template.
func (t *template) read(s string, e *connwarden.Event) bool {
	var r reading
	r.match(t.pieces, s, "", "")
	return r.found && !r.bad && r.steps <= templateSteps && sayPeer(e, t.kind, r.host, r.user)
}

// sayPeer is say for a peer that may have brackets or a port.
func sayPeer(e *connwarden.Event, kind connwarden.EventKind, host, user string) bool {
	if a, ok := addressPort(host); ok {
		return sayOf(e, kind, a, user, "")
	}
	return say(e, kind, host, user)
}

// match tries the pieces on s, given the peer and the user found so far.
func (r *reading) match(pieces []piece, s, host, user string) {
	for ; len(pieces) > 0; pieces = pieces[1:] {
		n := 0
		switch p := pieces[0]; p.what {
		case 0:
			if n = len(p.text); !strings.HasPrefix(s, p.text) {
				return
			}
		case 'n':
			if n = digits(s); n == 0 {
				return
			}
		default:
			r.place(p.what, pieces[1:], s, host, user)
			return
		}
		s = s[n:]
	}
	if s != "" {
		return
	}
	if r.found && r.host != host {
		r.bad = true
	}
	r.found, r.host, r.user = true, host, user
}

// place tries every end that a place may have: where the text behind it begins, or the end of the message.
func (r *reading) place(what byte, behind []piece, s, host, user string) {
	for at := 0; at <= len(s) && !r.bad; at++ {
		if r.steps++; r.steps > templateSteps {
			return
		}
		if len(behind) == 0 {
			at = len(s)
		} else {
			i := strings.Index(s[at:], behind[0].text)
			if i < 0 {
				return
			}
			at += i
		}
		one := s[:at]
		if what != 'u' && what != '*' && strings.IndexByte(one, ' ') >= 0 {
			return
		}
		switch what {
		case 'a':
			if isHost(one) {
				r.match(behind, s[at:], one, user)
			}
		case 'u':
			r.match(behind, s[at:], host, one)
		default:
			r.match(behind, s[at:], host, user)
		}
	}
}

// isHost tells whether s may be an address, perhaps with a port, or the name of a host.
func isHost(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c-'0' <= 9, c == '.', c == ':', c == '-', c == '_', c == '[', c == ']', c == '%':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 255
}
