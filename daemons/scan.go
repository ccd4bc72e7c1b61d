package daemons

import (
	"net/netip"
	"strings"
	"unsafe"

	"github.com/connwarden/connwarden"
)

var noAddr netip.Addr

// view is b as a string without a copy: searching strings allocates nothing, and a part of one knows its bytes. The
// view is as borrowed as b, and no one may write to b while it lasts.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf is the way back from a part of a view. Nothing becomes nil.
func bytesOf(s string) []byte {
	if s == "" {
		return nil
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// say fills an event about the peer written as host, and returns true. When host is no address, it is the detail and
// the event has no client.
func say(e *connwarden.Event, kind connwarden.EventKind, host, user string) bool {
	e.Kind = kind
	e.User = bytesOf(user)
	if a, ok := address(host); ok {
		e.Client = a
	} else {
		e.Detail = bytesOf(host)
	}
	return true
}

// sayOf is say with a detail, for a client that is known to be an address.
func sayOf(e *connwarden.Event, kind connwarden.EventKind, client netip.Addr, user, detail string) bool {
	e.Kind, e.Client, e.User, e.Detail = kind, client, bytesOf(user), bytesOf(detail)
	return true
}

// digits is the number of decimal digits that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n]-'0' <= 9 {
		n++
	}
	return n
}

// number is what decimal digits say, from 1 to maxTimes.
func number(s string) uint32 {
	n := uint32(0)
	for i := 0; i < len(s) && n < maxTimes; i++ {
		n = n*10 + uint32(s[i]-'0')
	}
	return max(1, min(n, maxTimes))
}

// by sets the voice of an event that was read.
func by(v connwarden.Voice, read bool, e *connwarden.Event) bool {
	e.Voice = v
	return read
}

// nobody says of an event that was read that there is no such account.
func nobody(read bool, e *connwarden.Event) bool {
	e.Missing = read
	return read
}

// trim takes spaces, tabs and carriage returns from both ends.
func trim(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t' || s[len(s)-1] == '\r') {
		s = s[:len(s)-1]
	}
	return s
}

// word is what stands before the first space.
func word(s string) (first, rest string) {
	if i := strings.IndexByte(s, ' '); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// after is what follows the first sep; ok is false without one.
func after(s, sep string) (string, bool) {
	if i := strings.Index(s, sep); i >= 0 {
		return s[i+len(sep):], true
	}
	return "", false
}

// between is what stands between the first a and the next b.
func between(s, a, b string) (string, bool) {
	rest, ok := after(s, a)
	if !ok {
		return "", false
	}
	i := strings.Index(rest, b)
	if i < 0 {
		return "", false
	}
	return rest[:i], true
}

// lastCut cuts s around the last sep.
func lastCut(s, sep string) (head, tail string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// withoutPort takes " port 1234" from the end of s; port is false when none stands there.
func withoutPort(s string) (rest string, port bool) {
	i := len(s)
	for i > 0 && s[i-1]-'0' <= 9 {
		i--
	}
	const w = " port "
	if i == len(s) || i < len(w) || s[i-len(w):i] != w {
		return s, false
	}
	return s[:i-len(w)], true
}

// fromEnd cuts "… from HOST", with or without " port 1234" behind, where nothing that the peer chose follows.
func fromEnd(s string) (head, host string, ok bool) {
	s, _ = withoutPort(s)
	head, host, ok = lastCut(s, " from ")
	if !ok || host == "" || strings.IndexByte(host, ' ') >= 0 {
		return s, "", false
	}
	return head, host, true
}

// beyond is what s holds behind its first n bytes, the last of which may be the first of what was cut off: the space before " from " when a
// name is empty.
func beyond(s string, n int) string { return s[min(n, len(s)):] }

// bracketed reads "[ADDR]" that s begins with, and what follows it.
func bracketed(s string) (netip.Addr, string, bool) {
	if len(s) < 4 || s[0] != '[' {
		return noAddr, s, false
	}
	i := strings.IndexByte(s, ']')
	if i < 0 || i > maxAddr+1 {
		return noAddr, s, false
	}
	a, ok := address(s[1:i])
	return a, s[i+1:], ok
}

// agreement collects the places of a message that could hold its peer, when the peer's own text may stand on both
// sides of the right one. Only an agreed address may be accused.
type agreement struct {
	addr netip.Addr
	bad  bool
}

func (g *agreement) add(a netip.Addr) {
	if g.addr.IsValid() && g.addr != a {
		g.bad = true
	}
	g.addr = a
}

func (g *agreement) agreed() (netip.Addr, bool) { return g.addr, g.addr.IsValid() && !g.bad }
