package logs

import "bytes"

// jsonName is a name as it stands in a line, and what it stands for.
type jsonName struct {
	raw    []byte // at most maxKey bytes, without a backslash
	path   []byte
	prefix int // of path, of the object that it is in
	means  meaning
	mark   uint8
}

// maxMembers bounds the members that are remembered: lines of the usual writers have 10 to 40.
const maxMembers = 64

// maxKey is longer than any known name; what is longer is not worth keeping.
const maxKey = 64

// key appends a member's name, which begins at from and ends with a quote, to the path, in the form of the table. It
// returns where the quote stands, -1 when there is none.
func (s *scratch) key(line []byte, from, prefix int) int {
	if s.nth++; s.nth <= len(s.members) {
		m := &s.members[s.nth-1]
		end := from + len(m.raw)
		if end < len(line) && line[end] == '"' && string(line[from:end]) == string(m.raw) && string(s.path) == string(m.path[:m.prefix]) {
			s.path, s.inHand = append(s.path, m.path[prefix:]...), m
			return end
		}
	}
	if prefix > 0 {
		s.path = append(s.path, '.')
	}
	start := len(s.path)
	for at := from; at < len(line); at++ {
		c := line[at]
		switch c {
		case '"':
			s.name(line[from:at], prefix)
			return at
		case '_', '-', '@', ' ':
			continue
		case '\\':
			at++
			continue
		}
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if len(s.path)-start < maxKey {
			s.path = append(s.path, c)
		}
	}
	return -1
}

// name looks up what the path in hand stands for, of which raw is the last name, and remembers it.
func (s *scratch) name(raw []byte, prefix int) {
	m := &s.odd
	if n := s.nth - 1; n < maxMembers && n <= len(s.members) && len(raw) <= maxKey && bytes.IndexByte(raw, '\\') < 0 {
		if s.members == nil {
			s.members = make([]jsonName, 0, maxMembers)
		}
		if n == len(s.members) {
			s.members = s.members[:n+1]
		}
		m = &s.members[n]
		m.raw, m.path, m.prefix = append(m.raw[:0], raw...), append(m.path[:0], s.path...), prefix
	}
	var known bool
	m.means, known = (*s.keys)[string(s.path)]
	m.mark = 0
	if known {
		switch string(s.path) {
		case "request.remoteip", "request.remoteaddr":
			m.mark = markCaddy
		case "downstreamstatus", "downstreamcontentsize":
			m.mark = markTraefik
		}
	}
	s.inHand = m
}
