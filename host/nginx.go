package host

import (
	"bytes"
	"fmt"
	"path"
	"strings"
)

// nginx reads nginx's configuration (ngx_http_log_module, ngx_core_module's error_log) for its logs.
type nginx struct {
	book    *book
	conf    string            // the folder that includes are relative to
	prefix  string            // the folder that logs are relative to
	formats map[string]format // log_format by name
	logs    []nginxLog
	servers []*ngxServer // with a root folder of their own
}

type format struct{ text, escape string }

// ngxScope is a block: which directives count in it, and of which server it is part.
type ngxScope struct {
	kind   string // "", "http", "server", "location", …; "other" where nothing of ours can stand
	server *ngxServer
}

type ngxServer struct{ name, root string }

type nginxLog struct {
	kind   Kind
	name   string
	format string
	only   string
	at     position
	scope  ngxScope
}

// combinedLog is nginx's predefined format (ngx_http_log_module); its lines are Apache's combined.
const combinedLog = "apache_combined"

// readNginx reads the configuration that begins in file. prefix is that of the running server, or nothing.
func (s *scan) readNginx(file, prefix string) *nginx {
	n := &nginx{book: s.book(), conf: path.Dir(file), prefix: prefix, formats: map[string]format{}}
	if prefix == "" {
		n.prefix = s.nginxPrefix(n.conf)
	}
	n.file(file, 0, "", ngxScope{})
	n.emit()
	return n
}

// nginxPrefix guesses the prefix compiled in, by which folder there is: that of Debian and RHEL, nginx.org, or a
// build from source.
func (s *scan) nginxPrefix(conf string) string {
	for _, dir := range [...]string{path.Dir(conf), conf, "/usr/share/nginx", "/usr/local/nginx"} {
		if _, info, err := s.tree.find(dir + "/logs"); err == nil && info.IsDir() {
			return dir
		}
	}
	return conf
}

func (n *nginx) file(name string, depth int, from string, outer ngxScope) {
	n.book.with(name, depth, from, func(text []byte) { n.text(text, name, depth, outer) })
}

// text carries out what a file says, inside the block that includes it.
func (n *nginx) text(text []byte, name string, depth int, outer ngxScope) {
	s := n.book.scan
	r := ngxReader{text: text, line: 1}
	stack := []ngxScope{outer}
	for s.ctx.Err() == nil {
		words, end, line, err := r.next()
		at := position{name, line}
		if err != nil {
			s.problem(at.String(), err.Error()+": the rest of the file is not read")
			return
		}
		now := stack[len(stack)-1]
		switch end {
		case 0:
			return
		case ';':
			n.directive(words, at, depth, now)
		case '{':
			if len(words) > 0 && bytes.HasSuffix(words[0], []byte("_by_lua_block")) {
				r.skipLua()
				continue
			}
			if len(stack) > maxBlocks {
				s.problem(at.String(), fmt.Sprintf("blocks more than %d deep: the rest of the file is not read", maxBlocks))
				return
			}
			stack = append(stack, now.enter(words))
		case '}':
			if len(stack) > 1 { // nginx refuses one too many; the rest is read as it stands
				stack = stack[:len(stack)-1]
			}
		}
	}
}

// maxBlocks bounds blocks inside blocks; nginx itself nests locations and ifs only a few deep.
const maxBlocks = 64

func (c ngxScope) enter(words [][]byte) ngxScope {
	if len(words) == 0 || c.kind == "other" {
		return ngxScope{kind: "other"}
	}
	switch kind := string(words[0]); kind {
	case "http", "location", "if", "limit_except":
		return ngxScope{kind: kind, server: c.server}
	case "server":
		if c.kind == "http" || c.kind == "" { // a file read on its own may begin with its servers
			return ngxScope{kind: "server", server: &ngxServer{}}
		}
		return ngxScope{kind: "other"} // of upstream, stream or mail
	case "stream", "mail", "events":
		return ngxScope{kind: kind}
	default: // map, geo, types, upstream: their words are data
		return ngxScope{kind: "other"}
	}
}

func (n *nginx) directive(borrowed [][]byte, at position, depth int, in ngxScope) {
	if len(borrowed) == 0 || in.kind == "other" {
		return
	}
	switch string(borrowed[0]) {
	case "include", "server_name", "log_format", "access_log", "error_log", "root":
	default:
		return
	}
	words := make([]string, len(borrowed))
	for i, w := range borrowed {
		words[i] = string(w)
	}
	http := in.kind != "stream" && in.kind != "mail" && in.kind != "events"
	switch words[0] {
	case "include":
		if len(words) != 2 {
			return
		}
		n.book.include(words[1], n.conf, at, depth, false, hasMeta(words[1]), func(name string) {
			n.file(name, depth+1, at.String(), in)
		})
	case "server_name":
		if in.server != nil && in.server.name == "" {
			in.server.name = serverName(words[1:])
		}
	case "root":
		if in.kind == "server" && len(words) > 1 {
			in.server.root = words[1]
			n.servers = append(n.servers, in.server)
		}
	case "log_format":
		if len(words) < 3 || !http {
			return
		}
		f, texts := format{}, words[2:]
		if escape, ok := strings.CutPrefix(texts[0], "escape="); ok {
			texts = texts[1:]
			if escape != "default" {
				f.escape = escape
			}
		}
		f.text = strings.Join(texts, "")
		n.formats[words[1]] = f
	case "access_log":
		if len(words) < 2 || words[1] == "off" || !http {
			return
		}
		l := nginxLog{name: words[1], at: at, scope: in}
		for i, w := range words[2:] {
			switch {
			case strings.HasPrefix(w, "if="):
				l.only = w
			case i == 0 && !logOption(w):
				l.format = w
			}
		}
		n.logs = append(n.logs, l)
	case "error_log":
		if len(words) >= 2 {
			n.logs = append(n.logs, nginxLog{kind: Error, name: words[1], at: at, scope: in})
		}
	}
}

func logOption(w string) bool {
	return w == "gzip" || strings.HasPrefix(w, "gzip=") || strings.HasPrefix(w, "buffer=") || strings.HasPrefix(w, "flush=")
}

// serverName is the first name that names a site: not "_", a pattern, nor nothing.
func serverName(names []string) string {
	for _, name := range names {
		if name != "" && name != "_" && name[0] != '~' && !strings.ContainsAny(name, "*$") && name[0] != '.' {
			return strings.ToLower(name)
		}
	}
	for _, name := range names { // ".example.com" and "*.example.com" are that domain and those below
		if rest := strings.TrimPrefix(strings.TrimPrefix(name, "*"), "."); rest != name && rest != "" && !strings.ContainsAny(rest, "*$") {
			return strings.ToLower(rest)
		}
	}
	return ""
}

// emit hands over the logs. A name of a server may stand after its logs.
func (n *nginx) emit() {
	for _, server := range n.servers {
		n.book.scan.docroot(server.root, server.name)
	}
	first := map[ngxScope]string{}
	for _, l := range n.logs {
		c := candidate{
			kind: l.kind, service: "nginx", configured: true, only: l.only, name: l.name,
			from: "nginx configuration " + l.at.String(),
		}
		if l.scope.server != nil {
			c.site = l.scope.server.name
		}
		if l.kind == Access && !n.format(&c, l) || !n.target(&c, l) {
			continue
		}
		// Directives of one level add up; those of an inner level replace the outer's.
		if l.kind == Access && c.only == "" && (l.scope.kind == "server" || l.scope.kind == "http") {
			if twin, ok := first[l.scope]; ok {
				c.twin = twin
			} else {
				first[l.scope] = c.name
			}
		}
		n.book.scan.found = append(n.book.scan.found, c)
	}
}

func (n *nginx) format(c *candidate, l nginxLog) bool {
	if l.format == "" || l.format == "combined" {
		c.format, c.nick = combinedLog, "combined"
		return true
	}
	f, ok := n.formats[l.format]
	if !ok {
		n.book.scan.problem(l.at.String(), "log format "+l.format+" is not defined: the lines' format is to be recognised")
		return true
	}
	c.format, c.nick, c.escape = f.text, l.format, f.escape
	has := func(name string) bool {
		return strings.Contains(f.text, "$"+name) || strings.Contains(f.text, "${"+name)
	}
	return has("status") && (has("request") || has("uri"))
}

// target finds the file. A variable in the path becomes a star; if it is the host, the star is the site.
func (n *nginx) target(c *candidate, l nginxLog) bool {
	s := n.book.scan
	name := l.name
	switch {
	case name == "" || name == "/dev/null":
		return false
	case strings.HasPrefix(name, "syslog:"), strings.HasPrefix(name, "memory:"):
		where, _, _ := strings.Cut(name, ":")
		s.problem(l.at.String(), "nginx writes its "+c.kind.String()+" log to "+where+": not read here")
		return false
	case name == "stderr", strings.HasPrefix(name, "/dev/"):
		s.problem(l.at.String(), "nginx writes its "+c.kind.String()+" log to "+name+": not a file")
		return false
	}
	variable := c.kind == Access && strings.Contains(name, "$") // in an error log's name a dollar is a dollar
	if !strings.HasPrefix(name, "/") && !(variable && name[0] == '$') {
		name = path.Join(n.prefix, name)
	}
	if variable {
		pattern, variables := starVariables(name)
		if !strings.HasPrefix(pattern, "/") || strings.Trim(pattern, "/*") == "" {
			s.problem(l.at.String(), "the name of the access log "+l.name+" is known only when a request comes: not looked for")
			return false
		}
		c.glob = true
		if len(variables) == 1 {
			switch variables[0] {
			case "host", "http_host", "server_name", "ssl_server_name":
				c.site, c.siteVar = "", true
			}
		}
		name = pattern
	}
	c.name = name
	return !skipped(name)
}

// starVariables puts a star for each $name and ${name}.
func starVariables(name string) (pattern string, variables []string) {
	var b strings.Builder
	for i := 0; i < len(name); {
		if name[i] != '$' {
			b.WriteByte(name[i])
			i++
			continue
		}
		i++
		begin, end := i, i
		if i < len(name) && name[i] == '{' {
			begin = i + 1
			end = begin
		}
		for end < len(name) && wordByte(name[end]) {
			end++
		}
		variables = append(variables, name[begin:end])
		if begin != i && end < len(name) && name[end] == '}' {
			end++
		}
		i = end
		if !strings.HasSuffix(b.String(), "*") {
			b.WriteByte('*')
		}
	}
	return b.String(), variables
}

// ngxReader cuts text into directives as ngx_conf_read_token does.
type ngxReader struct {
	text  []byte
	pos   int
	line  int
	words [][]byte // of the directive in hand, mostly parts of text
}

// maxWords bounds the words of one directive: a server_name of a large host lists some hundreds.
const maxWords = 10_000

// next returns the words of a directive, what ended it (';', '{', '}', or 0 at the end of the text) and the line on
// which it begins. The words are valid until the next call.
func (r *ngxReader) next() (words [][]byte, end byte, line int, err error) {
	line = r.line
	r.words = r.words[:0]
	for {
		r.blanks()
		if len(r.words) == 0 {
			line = r.line
		}
		if r.pos >= len(r.text) {
			if len(r.words) > 0 {
				return nil, 0, line, fmt.Errorf("directive %.40q has no end", r.words[0])
			}
			return nil, 0, line, nil
		}
		switch c := r.text[r.pos]; c {
		case ';', '{', '}':
			r.pos++
			return r.words, c, line, nil
		}
		word, err := r.word()
		if err != nil {
			return nil, 0, line, err
		}
		if len(r.words) >= maxWords {
			return nil, 0, line, fmt.Errorf("directive %.40q has more than %d words", r.words[0], maxWords)
		}
		r.words = append(r.words, word)
	}
}

func (r *ngxReader) blanks() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case '\n':
			r.line++
		case ' ', '\t', '\r':
		case '#':
			end := bytes.IndexByte(r.text[r.pos:], '\n')
			if end < 0 {
				r.pos = len(r.text)
				return
			}
			r.pos += end
			continue
		default:
			return
		}
		r.pos++
	}
}

// word reads one word. It is copied only if a backslash must be undone.
func (r *ngxReader) word() ([]byte, error) {
	quote := r.text[r.pos]
	begun := r.line
	if quote != '"' && quote != '\'' {
		quote = 0
	} else {
		r.pos++
	}
	var undone []byte // the word so far, once a backslash was met
	from := r.pos     // what is not yet in undone
	done := func() []byte {
		if undone == nil {
			return r.text[from:r.pos]
		}
		return append(undone, r.text[from:r.pos]...)
	}
	for r.pos < len(r.text) {
		switch c := r.text[r.pos]; {
		case c == '\\' && r.pos+1 < len(r.text):
			undone = ngxEscape(append(undone, r.text[from:r.pos]...), r.text[r.pos+1])
			if r.text[r.pos+1] == '\n' {
				r.line++
			}
			r.pos += 2
			from = r.pos
			continue
		case quote != 0 && c == quote:
			word := done()
			r.pos++
			return word, nil
		case quote == 0 && c == '$' && r.pos+1 < len(r.text) && r.text[r.pos+1] == '{':
			r.pos++
		case quote == 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';' || c == '{'):
			return done(), nil
		case c == '\n':
			r.line++
		}
		r.pos++
	}
	if quote != 0 {
		return nil, fmt.Errorf("the quote that begins on line %d has no end", begun)
	}
	return done(), nil
}

// ngxEscape undoes a backslash; before any other byte than these it stays.
func ngxEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\'', '\\':
		return append(b, c)
	case 't':
		return append(b, '\t')
	case 'r':
		return append(b, '\r')
	case 'n':
		return append(b, '\n')
	default:
		return append(b, '\\', c)
	}
}

// skipLua passes over the body of a …_by_lua_block (lua-nginx-module): Lua, in which braces pair outside strings and
// comments.
func (r *ngxReader) skipLua() {
	for depth := 1; r.pos < len(r.text) && depth > 0; r.pos++ {
		rest := r.text[r.pos:]
		switch c := rest[0]; {
		case c == '\n':
			r.line++
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == '"' || c == '\'':
			r.skipTo(luaString(rest))
		case bytes.HasPrefix(rest, []byte("--[[")), bytes.HasPrefix(rest, []byte("[[")):
			r.skipTo(bytes.Index(rest, []byte("]]")) + 1)
		case bytes.HasPrefix(rest, []byte("--")):
			r.skipTo(bytes.IndexByte(rest, '\n') - 1)
		}
	}
}

// skipTo moves n bytes on, to the last byte to pass over; less than none means to the end.
func (r *ngxReader) skipTo(n int) {
	rest := r.text[r.pos:]
	if n <= 0 {
		n = len(rest) - 1
	}
	r.line += bytes.Count(rest[:n], []byte{'\n'})
	r.pos += n
}

// luaString is where a quoted string ends.
func luaString(s []byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i
		}
	}
	return -1
}
