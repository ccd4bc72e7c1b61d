package logs

import (
	"bytes"
	"time"
	"unsafe"

	"github.com/connwarden/connwarden/daemons"
)

// What stands before the message of a program, in the forms that syslog daemons, journalctl and programs themselves write:
//
//	[<PRI>][TIME] [HOST] [FACILITY.LEVEL] TAG[PID]: MESSAGE
//
// with any part missing. FreeBSD writes "<auth.info>" for the facility, OpenWrt and busybox "authpriv.warn", AIX "auth|security:info",
// macOS " <Notice>:" behind the tag and Solaris "[ID 800047 auth.info] " before the message.

// stripSyslog takes the message out of a line that has a time and a tag, and of RFC 5424 ("<165>1 2003-10-11T22:14:15.003Z host app 1 id
// [data] …"). Behind a date with a blank, which many daemons write in their own logs, the tag must have a process id or be of a known program.
func stripSyslog(p *Parser, line []byte) ([]byte, bool) {
	text, tagged, timed := p.prefix(line)
	if !tagged || !timed || len(text) == 0 {
		return nil, false
	}
	return text, true
}

// lead is what stands before the message of the line in hand: several look at it.
type lead struct {
	line, text    []byte
	tagged, timed bool
}

// prefix parts a line from its message, and sets p.sender and p.carried to what it finds. tagged tells whether a program is named, timed
// whether a time is there; a message without both may be anything.
func (p *Parser) prefix(line []byte) (text []byte, tagged, timed bool) {
	l := &p.lead
	if len(l.line) != len(line) || unsafe.SliceData(l.line) != unsafe.SliceData(line) {
		l.line = line
		l.text, l.tagged, l.timed = p.readPrefix(line)
	}
	return l.text, l.tagged, l.timed
}

func (p *Parser) readPrefix(line []byte) (text []byte, tagged, timed bool) {
	p.sender, p.untagged, p.carried = nil, nil, time.Time{}
	b := line
	if b[0] == '<' {
		if n := bytes.IndexByte(b[:min(len(b), 5)], '>'); n > 1 && isDigit(b[1]) && isDigit(b[n-1]) {
			b = b[n+1:]
			if starts(b, "1 ") {
				if text, ok := p.syslog5424(b[2:]); ok {
					return text, true, true
				}
			}
			if len(b) == 0 {
				return line, false, false
			}
		}
	}
	n := p.stamp(b)
	timed = n > 0
	for n < len(b) && (b[n] == ' ' || b[n] == '\t') {
		n++
	}
	b = b[n:]
	text, tagged = p.tag(b)
	p.untagged = b
	if tagged && timed && n > 11 && isDigit(line[0]) && line[10] == ' ' && !p.surely {
		tagged = daemons.Knows(p.sender)
	}
	if tagged && !timed && !p.alone && !p.surely { // a sentence with a colon in it
		tagged = false
	}
	if !tagged {
		p.sender = nil
		return b, false, timed
	}
	return text, true, timed
}

// maxLead is how many words may stand before the tag.
const maxLead = 2

// leads tells whether two words may stand before a tag: a zone and the host, or the host and a facility with its level. Two words of a
// sentence may not, behind which a client's could begin.
func leads(first, second []byte) bool {
	if first[0] == '<' || bytes.IndexByte(second, '.') > 0 || bytes.IndexByte(second, '|') > 0 || second[0] == '<' {
		return true
	}
	for _, c := range first {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return len(first) >= 3 && len(first) <= 5 && (first[0] == 'U' || first[0] == 'G' || first[len(first)-1] == 'T')
}

// tag finds the program's tag at the front of b, perhaps behind its host and facility, and returns what follows. A tag without a colon must
// have a process id and be of a known program. p.surely tells that it has a process id and a colon.
func (p *Parser) tag(b []byte) (text []byte, ok bool) {
	p.surely = false
	var before [maxLead][]byte
	for words := 0; ; words++ {
		if words == 2 && !leads(before[0], before[1]) {
			return nil, false
		}
		n := 0
		name, id, odd := 0, false, false
		for ; n < len(b) && b[n] != ' '; n++ {
			switch tagBytes[b[n]] {
			case 0:
				return nil, false
			case 2:
				odd = true
			case 3:
				if n == 0 {
					return nil, false
				}
				if b[n] == '[' && name == 0 {
					name = n
				}
			}
		}
		if n == 0 || n > 255 {
			return nil, false
		}
		rest := b[n:]
		end := n
		colon := b[end-1] == ':'
		if colon {
			end--
		}
		if name > 0 && end > name+1 && b[end-1] == ']' {
			if _, id = digits(b[name+1 : end-1]); id {
				end = name
			} else {
				name = 0
			}
		} else if name > 0 {
			odd = true
		}
		if end > 0 && end <= 64 && !odd && (colon || id) {
			if colon || daemons.Knows(b[:end]) {
				p.sender, p.surely, p.alone = b[:end], id && colon, words == 0
				return behindTag(rest), true
			}
		}
		if colon && !odd {
			return nil, false
		}
		// "sogod [4242]: ".
		if len(rest) > 4 && rest[1] == '[' && !odd && isDigit(rest[2]) {
			if n := bytes.Index(rest[:min(len(rest), 16)], []byte("]: ")); n > 0 && daemons.Knows(b[:end]) {
				p.sender, p.surely, p.alone = b[:end], true, words == 0
				return rest[n+3:], true
			}
		}
		if len(rest) < 2 || words == maxLead {
			return nil, false
		}
		before[words] = b[:n]
		b = skipBlank(rest)
	}
}

// behindTag skips what some systems write between tag and message.
func behindTag(b []byte) []byte {
	b = skipBlank(b)
	switch {
	case starts(b, "[ID "):
		if n := bytes.Index(b[:min(len(b), 40)], []byte("] ")); n > 0 {
			return skipBlank(b[n+2:])
		}
	case len(b) > 4 && b[0] == '<' && b[1] >= 'A' && b[1] <= 'Z':
		if n := bytes.Index(b[:min(len(b), 16)], []byte(">: ")); n > 0 {
			return skipBlank(b[n+3:])
		}
	}
	return b
}

// tagBytes says which bytes a tag may have: 0 those that neither a tag nor what stands before it has, 1 those of a tag, 2 those of hosts and
// facilities alone, 3 brackets.
var tagBytes = func() (set [256]byte) {
	for c := range 128 {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '/', c == '(', c == ')', c == '@', c == ':':
			set[c] = 1
		case c == '|', c == '<', c == '>', c == '%', c == '+', c == '#':
			set[c] = 2
		case c == '[', c == ']':
			set[c] = 3
		}
	}
	return set
}()

// stamp reads the time that b begins with, in brackets or not, into p.carried, and returns how many bytes it takes.
func (p *Parser) stamp(b []byte) int {
	s := &p.stamps
	if len(b) > 20 && b[3] == ' ' && b[6] == ' ' && b[9] == ':' && b[12] == ':' && b[15] == ' ' && !(isDigit(b[16]) && isDigit(b[17])) {
		if text := (*[15]byte)(b); *text != s.syslogText {
			t, n := s.any(b)
			if n != 15 {
				return 0
			}
			s.syslogText, s.syslogTime = *text, t
		}
		p.carried = s.syslogTime
		return 15
	}
	open := 0
	if len(b) > 2 && b[0] == '[' {
		open = 1
		if n := dmesgLen(b); n > 0 && b[1]|0x20 < 'a' {
			return n - 1
		}
	}
	t, n := s.any(b[open:])
	if rest := b[open+n:]; n == 0 || starts(rest, " AM ") || starts(rest, " PM ") {
		if t, n = s.odd(b[open:]); n == 0 {
			return 0
		}
	}
	n += open
	switch {
	case open > 0:
		if n >= len(b) || b[n] != ']' {
			return 0
		}
		if n++; n < len(b) && b[n] == ':' {
			n++
		}
	case n < len(b) && b[n] == '|':
		p.carried = t
		return n + 1
	case n < len(b) && b[n] == ':' && n+1 < len(b) && b[n+1] == ' ':
		n++
	}
	if n < len(b) && b[n] != ' ' && b[n] != '\t' && open == 0 {
		return 0
	}
	p.carried = t
	return n
}
