package host

import (
	"fmt"
	"path"
	"strings"

	"github.com/connwarden/connwarden/ngx"
)

// nginx reads nginx's configuration (ngx_http_log_module, ngx_core_module's error_log) for its logs.
type nginx struct {
	book    *book
	conf    string            // the folder that includes are relative to
	prefix  string            // the folder that logs are relative to
	formats map[string]format // log_format by name
	logs    []nginxLog
	servers []*ngxServer // with a root folder of their own
	limits  map[string]option
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
	n := newNginx(s.book(), path.Dir(file), prefix)
	if prefix == "" {
		n.prefix = s.nginxPrefix(n.conf)
	}
	n.file(file, 0, "", ngxScope{})
	n.emit()
	n.settings(file)
	return n
}

func newNginx(b *book, conf, prefix string) *nginx {
	return &nginx{book: b, conf: conf, prefix: prefix, formats: map[string]format{}, limits: map[string]option{}}
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
	r := ngx.NewReader(text)
	stack := []ngxScope{outer}
	for s.ctx.Err() == nil {
		words, end, line, err := r.Next()
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
	case "worker_connections", "worker_rlimit_nofile":
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
	case "worker_connections", "worker_rlimit_nofile":
		if len(words) == 2 {
			n.limits[words[0]] = option{words[1], at}
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
		n.book.scan.docroot(Site{Server: "nginx", Name: server.name, Dir: server.root})
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
	case c.kind == Error && strings.HasPrefix(name, "syslog:server=unix:"):
		return false // it is read with the system's own log
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
