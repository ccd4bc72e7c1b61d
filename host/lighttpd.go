package host

import (
	"fmt"
	"path"
	"strings"
)

// lighttpd reads lighttpd's configuration (its wiki, "Configuration") for its logs: assignments, "+" between strings,
// variables, includes, and conditions, of which only those on the host matter. What include_shell would add is not known.
type lighttpd struct {
	book  *book
	vars  map[string]string
	hosts []*lighttpdHost // conditions that may hold logs; the first is the whole server
}

type lighttpdHost struct {
	site   string
	values map[string]option // of the keys in lighttpdKeys
}

var lighttpdKeys = map[string]bool{
	"server.errorlog": true, "server.breakagelog": true, "accesslog.filename": true, "accesslog.format": true, "server.document-root": true,
}

// lighttpdAccess is mod_accesslog's default: the host stands where others write the identity.
const lighttpdAccess = `%h %V %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"`

func (s *scan) readLighttpd(file string) *lighttpd {
	l := &lighttpd{book: s.book(), vars: map[string]string{}, hosts: []*lighttpdHost{{values: map[string]option{}}}}
	l.file(file, 0, "", l.hosts[0])
	l.emit()
	return l
}

func (l *lighttpd) file(name string, depth int, from string, host *lighttpdHost) {
	l.book.with(name, depth, from, func(text []byte) { l.text(string(text), name, depth, host) })
}

// text carries out what a file says, inside the condition that includes it.
func (l *lighttpd) text(text, name string, depth int, host *lighttpdHost) {
	r := lightReader{text: text, line: 1}
	stack := []*lighttpdHost{host}
	for l.book.scan.ctx.Err() == nil {
		words, line, ok := r.statement()
		if !ok {
			return
		}
		at := position{name, line}
		now := stack[len(stack)-1]
		switch last := words[len(words)-1]; {
		case words[0] == "}":
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
		case last == "{" && (len(stack) > maxBlocks || len(l.hosts) > l.book.scan.lim.logs):
			l.book.scan.problem(at.String(), fmt.Sprintf("conditions more than %d deep, or too many: the rest of the file is not read", maxBlocks))
			return
		case last == "{":
			stack = append(stack, l.enter(words, now))
		case words[0] == "include" && len(words) > 1:
			if arg := l.value(words[1:]); arg != "" {
				l.book.include(arg, path.Dir(name), at, depth, false, hasMeta(arg), func(inner string) {
					l.file(inner, depth+1, at.String(), now)
				})
			}
		case len(words) > 2 && (words[1] == "=" || words[1] == ":="):
			l.assign(words[0], l.value(words[2:]), at, now)
		}
	}
}

// enter begins a condition: $HTTP["host"] == "example.com" { names a site; all others are part of what they stand in.
func (l *lighttpd) enter(words []string, outer *lighttpdHost) *lighttpdHost {
	site := outer.site
	text := strings.Join(words, " ")
	if strings.Contains(text, `$HTTP [ "host ] == "`) {
		site = strings.ToLower(strings.TrimPrefix(words[len(words)-2], `"`))
	}
	host := &lighttpdHost{site: site, values: map[string]option{}}
	l.hosts = append(l.hosts, host)
	return host
}

func (l *lighttpd) assign(key, value string, at position, host *lighttpdHost) {
	if lighttpdKeys[key] {
		host.values[key] = option{value, at}
	}
	if name, ok := strings.CutPrefix(key, "var."); ok || !strings.Contains(key, ".") {
		if len(l.vars) < maxVars {
			l.vars[name] = value
		}
	}
}

// value joins strings and variables; an array is nothing.
func (l *lighttpd) value(words []string) string {
	var b strings.Builder
	for _, w := range words {
		text, ok := strings.CutPrefix(w, `"`)
		switch {
		case w == "(":
			return ""
		case !ok && w != "+":
			text = l.vars[strings.TrimPrefix(w, "var.")]
		case w == "+":
			text = ""
		}
		if b.Len()+len(text) > maxValue {
			return ""
		}
		b.WriteString(text)
	}
	return b.String()
}

func (l *lighttpd) emit() {
	s := l.book.scan
	for _, h := range l.hosts {
		add := func(key string, c candidate) {
			o, ok := h.values[key]
			if !ok || o.value == "" || strings.HasPrefix(o.value, "/dev/") {
				return
			}
			c.name, c.site, c.service, c.configured, c.from = o.value, h.site, "lighttpd", true, "lighttpd configuration "+o.at.String()
			if strings.HasPrefix(c.name, "|") {
				p := readPipe(c.name)
				if p.name == "" {
					s.problem(o.at.String(), c.kind.String()+" log "+p.why)
					return
				}
				c.name, c.newest, c.glob = p.name, p.newest, hasMeta(p.name)
			}
			if strings.HasPrefix(c.name, "/") {
				s.found = append(s.found, c)
			}
		}
		format, ok := h.values["accesslog.format"]
		if !ok {
			format = l.hosts[0].values["accesslog.format"]
		}
		if format.value == "" {
			format.value = lighttpdAccess
		}
		access := candidate{kind: Access, format: format.value}
		add("accesslog.filename", access)
		add("server.errorlog", candidate{kind: Error})
		add("server.breakagelog", candidate{kind: Error})
		s.docroot(Site{Server: "lighttpd", Name: h.site, Dir: h.values["server.document-root"].value})
	}
}

// lightReader cuts text into statements. Strings keep their opening quote, so that they are told from names.
type lightReader struct {
	text string
	pos  int
	line int
}

// maxStatement bounds the words of one statement: a list in brackets may be long.
const maxStatement = 10_000

// statement returns the words of a statement, at least one, and the line on which it begins. A statement ends with its
// line, unless brackets are open, and behind a brace.
func (r *lightReader) statement() (words []string, line int, ok bool) {
	open := 0
	for r.pos < len(r.text) {
		c := r.text[r.pos]
		switch {
		case c == '\n':
			r.pos++
			if len(words) > 0 && open == 0 {
				r.line++
				return words, line, true
			}
			r.line++
			continue
		case c == ' ' || c == '\t' || c == '\r' || c == ',':
			r.pos++
			continue
		case c == '#':
			end := strings.IndexByte(r.text[r.pos:], '\n')
			if end < 0 {
				end = len(r.text) - r.pos
			}
			r.pos += end
			continue
		case c == '}' && len(words) > 0 && open == 0: // "a = b }"
			return words, line, true
		}
		if len(words) == 0 {
			line = r.line
		}
		word := r.word()
		switch word {
		case "(", "[":
			open++
		case ")", "]":
			open--
		}
		if len(words) < maxStatement {
			words = append(words, word)
		}
		if word == "}" || word == "{" && open <= 0 {
			return words, line, true
		}
	}
	return words, line, len(words) > 0
}

func (r *lightReader) word() string {
	begin := r.pos
	c := r.text[r.pos]
	r.pos++
	switch {
	case c == '"':
		var b strings.Builder
		b.WriteByte('"')
		for r.pos < len(r.text) && r.text[r.pos] != '"' {
			if r.text[r.pos] == '\\' && r.pos+1 < len(r.text) {
				r.pos++
			}
			if r.text[r.pos] == '\n' {
				r.line++
			}
			b.WriteByte(r.text[r.pos])
			r.pos++
		}
		r.pos = min(r.pos+1, len(r.text))
		return b.String()
	case strings.IndexByte("(){}[]+", c) >= 0:
		return r.text[begin:r.pos]
	}
	for r.pos < len(r.text) && strings.IndexByte(" \t\r\n(){}[]+,#\"", r.text[r.pos]) < 0 {
		r.pos++
	}
	return r.text[begin:r.pos]
}
