package host

import (
	"path"
	"slices"
	"strings"
)

// namedMains are where BIND's configuration begins: Debian, RHEL and panels, FreeBSD.
const namedMains = "/etc/bind/named.conf /etc/named.conf /usr/local/etc/namedb/named.conf"

// namedCategories are those whose messages tell of peers, what tells most last; "default" has those of the others that are named nowhere
// (the manual's "The category Phrase"). Queries that were answered, which fill a disk, are not among them.
var namedCategories = [...]string{"default", "client", "rate-limit", "update", "xfer-out", "query-errors", "update-security", "security"}

// named reads BIND's configuration (the manual's "Configuration Reference", "logging Block") for the files of its channels.
type named struct {
	book     *book
	dir      string
	files    map[string]option   // by channel
	syslog   map[string]bool     // channels that are syslog's
	channels map[string][]string // by category
}

// findNamed adds the logs that BIND's configuration names, but for those whose messages all go to syslog as well.
func (s *scan) findNamed() {
	for _, main := range s.mains(namedMains) {
		n := named{book: s.book(), dir: "/var/cache/bind", files: map[string]option{}, channels: map[string][]string{}, syslog: map[string]bool{"default_syslog": true}}
		n.file(main, nil, 0, "")
		if n.channels["default"] == nil {
			n.channels["default"] = []string{"default_syslog", "default_debug"}
		}
		syslog := uint8(0)
		for channel := range n.syslog {
			syslog |= n.takes(channel)
		}
		var files []sharedFile
		for _, channel := range sortedKeys(n.files) {
			o := n.files[channel]
			f := sharedFile{at: o.at, takes: n.takes(channel), candidate: candidate{name: o.value, kind: Events, service: "named", format: "named"}}
			if !strings.HasPrefix(f.name, "/") {
				f.name = path.Join(n.dir, f.name)
			}
			if f.takes&^syslog != 0 {
				files = append(files, f)
			}
		}
		s.ownOnce(files)
	}
}

// takes tells which messages go to a channel.
func (n *named) takes(channel string) (takes uint8) {
	for i, category := range namedCategories {
		of, ok := n.channels[category]
		if !ok {
			of = n.channels["default"]
		}
		if slices.Contains(of, channel) {
			takes |= 1 << i
		}
	}
	return takes
}

// file reads a file whose statements stand below others.
func (n *named) file(name string, above []string, depth int, from string) {
	n.book.with(name, depth, from, func(text []byte) {
		r := namedReader{text: string(text), line: 1}
		stack, words := slices.Clone(above), []string(nil)
		for n.book.scan.ctx.Err() == nil {
			word, ok := r.word()
			switch {
			case !ok:
				return
			case word == "{":
				if len(stack) > maxBlocks {
					n.book.scan.problem(name, "blocks too deep: the rest is not read")
					return
				}
				stack, words = append(stack, strings.Join(words[:min(len(words), 2)], " ")), nil
			case word == "}":
				if len(stack) > len(above) {
					stack = stack[:len(stack)-1]
				}
				words = nil
			case word == ";":
				n.statement(words, stack, position{name, r.line}, depth)
				words = nil
			case len(words) < 3:
				words = append(words, word)
			}
		}
	})
}

// statement takes what is wanted of one: `directory "x"` of the options, `file "x"` of a channel, a name in a category, an include.
func (n *named) statement(words, stack []string, at position, depth int) {
	if len(words) == 0 {
		return
	}
	value := ""
	if len(words) > 1 {
		value = words[1]
	}
	inside := ""
	if len(stack) > 0 {
		inside = stack[len(stack)-1]
	}
	logging := len(stack) > 1 && stack[len(stack)-2] == "logging"
	switch {
	case words[0] == "include" && value != "" && !hasMeta(value):
		n.book.include(value, n.dir, at, depth, false, true, func(inner string) { n.file(inner, stack, depth+1, at.String()) })
	case words[0] == "directory" && inside == "options" && strings.HasPrefix(value, "/"):
		n.dir = path.Clean(value)
	case words[0] == "file" && logging && strings.HasPrefix(inside, "channel ") && len(n.files) < maxVars:
		n.files[inside[len("channel "):]] = option{value, at}
	case words[0] == "syslog" && logging && strings.HasPrefix(inside, "channel ") && len(n.syslog) < maxVars:
		n.syslog[inside[len("channel "):]] = true
	case logging && strings.HasPrefix(inside, "category ") && len(n.channels) < maxVars:
		category := inside[len("category "):]
		n.channels[category] = append(n.channels[category], words[0])
	}
}

// namedReader cuts text into words, strings without their quotes, braces and semicolons; comments are those of C, C++ and a shell.
type namedReader struct {
	text      string
	pos, line int
}

func (r *namedReader) word() (word string, ok bool) {
	for r.pos < len(r.text) {
		rest := r.text[r.pos:]
		switch c := rest[0]; {
		case c == '\n' || c == ' ' || c == '\t' || c == '\r':
			r.skip(1)
		case c == '#' || strings.HasPrefix(rest, "//"):
			r.skip(before(rest, "\n"))
		case strings.HasPrefix(rest, "/*"):
			r.skip(min(before(rest[2:], "*/")+4, len(rest)))
		case c == '{' || c == '}' || c == ';':
			r.skip(1)
			return rest[:1], true
		case c == '"':
			n := before(rest[1:], `"`)
			r.skip(min(n+2, len(rest)))
			return rest[1 : n+1], true
		default:
			n := strings.IndexAny(rest, " \t\r\n{};\"")
			if n < 0 {
				n = len(rest)
			}
			r.skip(n)
			return rest[:n], true
		}
	}
	return "", false
}

// before is where an end begins, or the length of what has none.
func before(s, end string) int {
	if i := strings.Index(s, end); i >= 0 {
		return i
	}
	return len(s)
}

func (r *namedReader) skip(n int) {
	r.line += strings.Count(r.text[r.pos:r.pos+n], "\n")
	r.pos += n
}
