package host

import (
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// apache reads Apache's configuration (the manual's "Configuration Files", mod_log_config, core's ErrorLog) for its
// logs. Which modules are loaded and which names are defined on the command line is not known without running the
// server, so <IfModule>, <IfDefine>, <IfVersion> and <IfFile> are read as if true, the negated ones too: a log that a
// branch not in force names is not there, and a format defined twice is taken from its last definition.
type apache struct {
	book   *book
	root   string            // ServerRoot
	vars   map[string]string // Define, and the environment the server is started with
	main   *vhost
	hosts  []*vhost
	logs   []apacheLog
	macros map[string]*macro
	mpm    string   // "event", "worker", "prefork"; "" when no LoadModule names one
	inside []string // the modules of the <IfModule> sections that we are in; "" is one that is no MPM
	limits []apacheLimit
}

// vhost is a <VirtualHost>, or the server around them.
type vhost struct {
	name, alias string
	formats     map[string]string // LogFormat with a nickname
	plain       string            // LogFormat without: what TransferLog uses
	errors      string            // ErrorLogFormat
	root        string            // DocumentRoot
	listen      string            // what <VirtualHost> says: "*:80", "192.0.2.1:80 [2001:db8::1]:80"
	tls         bool              // SSLEngine
}

// apacheLog is a directive that names a log; formats are looked up when all is read, as Apache does.
type apacheLog struct {
	kind     Kind
	service  string
	name     string
	format   string // a nickname or the string itself
	transfer bool   // TransferLog
	only     string
	at       position
	host     *vhost
}

// commonLog is what Apache uses when nothing is said (mod_log_config.c, DEFAULT_LOG_FORMAT).
const commonLog = `%h %l %u %t "%r" %>s %b`

// Variables hold paths and names; a thousand of a few hundred bytes is a large site's.
const (
	maxValue = 4096
	maxVars  = 10_000
)

// readApache reads the configuration that begins in file. env is the server's environment.
func (s *scan) readApache(file, root string, env map[string]string) *apache {
	if root == "" {
		root = path.Dir(file)
		if path.Base(root) == "conf" {
			root = path.Dir(root)
		}
	}
	a := newApache(s.book(), root, env)
	a.file(file, 0, "", a.main)
	a.emit()
	a.settings(file)
	return a
}

func newApache(b *book, root string, env map[string]string) *apache {
	if env == nil {
		env = map[string]string{}
	}
	return &apache{
		book: b, root: root, vars: env,
		main:   &vhost{formats: map[string]string{"CLF": commonLog}, plain: commonLog},
		macros: map[string]*macro{},
	}
}

func (a *apache) file(name string, depth int, from string, host *vhost) {
	a.book.with(name, depth, from, func(text []byte) {
		a.lines(apacheLines(text, name, a.book.scan), depth, host)
	})
}

// lines carries out what lines say, in the context of a virtual host.
func (a *apache) lines(lines []apacheLine, depth int, host *vhost) {
	outer := host
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		if a.book.scan.ctx.Err() != nil {
			return
		}
		if l.text[0] == '<' {
			name, args := section(l.text)
			switch name {
			case "virtualhost":
				host = &vhost{listen: a.expand(args)}
				a.hosts = append(a.hosts, host)
			case "/virtualhost":
				host = outer
			case "ifmodule":
				module, not := strings.CutPrefix(strings.Trim(args, `" `), "!")
				if module = mpmOf(module); not && module != "" {
					module = "!" + module
				}
				a.inside = append(a.inside, module)
			case "/ifmodule":
				a.inside = a.inside[:max(len(a.inside)-1, 0)]
			case "macro":
				i = a.define(apacheWords(a.expand(args)), lines, i)
			}
			continue
		}
		a.directive(l, depth, host)
	}
}

func (a *apache) directive(l apacheLine, depth int, host *vhost) {
	word, rest := firstWord(l.text)
	word = strings.ToLower(word)
	if !apacheKnown[word] {
		return
	}
	full := a.expand(rest)
	if !a.book.charge(len(full) - len(rest)) {
		return
	}
	args := apacheWords(full)
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch word {
	case "serverroot":
		if strings.HasPrefix(arg(0), "/") {
			a.root = path.Clean(arg(0))
		}
	case "define":
		if len(args) > 0 && len(arg(1)) <= maxValue && len(a.vars) < maxVars {
			a.vars[arg(0)] = arg(1)
		}
	case "undefine":
		delete(a.vars, arg(0))
	case "servername":
		host.name = hostName(arg(0))
	case "serveralias":
		if host.alias == "" || strings.Contains(host.alias, "*") {
			host.alias = hostName(arg(0))
		}
	case "documentroot":
		host.root = arg(0)
	case "sslengine":
		host.tls = strings.EqualFold(arg(0), "on")
	case "loadmodule":
		if mpm := mpmOf(arg(0)); mpm != "" {
			a.mpm = mpm
		}
	case "maxrequestworkers", "maxclients", "serverlimit", "threadsperchild":
		a.limits = append(a.limits, apacheLimit{apacheLimitName[word], arg(0), strings.Join(a.inside, ""), l.at})
	case "include", "includeoptional":
		if arg(0) == "" || a.unresolved(arg(0), l.at) {
			return
		}
		a.book.include(arg(0), a.root, l.at, depth, true, word == "includeoptional", func(name string) {
			a.file(name, depth+1, l.at.String(), host)
		})
	case "use":
		a.use(args, l.at, depth, host)
	case "logformat":
		if arg(1) != "" {
			if host.formats == nil {
				host.formats = map[string]string{}
			}
			host.formats[arg(1)] = arg(0)
		} else {
			host.plain = arg(0)
		}
	case "errorlogformat":
		if len(args) == 1 {
			host.errors = arg(0)
		}
	case "customlog", "globallog":
		if word == "globallog" {
			host = &vhost{formats: host.formats}
		}
		a.logs = append(a.logs, apacheLog{service: "apache", name: arg(0), format: arg(1), only: arg(2), at: l.at, host: host})
	case "transferlog":
		a.logs = append(a.logs, apacheLog{service: "apache", name: arg(0), transfer: true, at: l.at, host: host})
	case "errorlog":
		a.logs = append(a.logs, apacheLog{kind: Error, service: "apache", name: arg(0), at: l.at, host: host})
	case "php_admin_value", "php_value":
		if strings.EqualFold(arg(0), "error_log") {
			a.logs = append(a.logs, apacheLog{kind: Error, service: "php", name: arg(1), at: l.at, host: host})
		}
	}
}

// listens reads the addresses of a <VirtualHost>: the first of IPv4, or any. A port that is not a number, "*", is not known.
func listens(args string) (addr netip.Addr, port uint16) {
	for _, word := range strings.Fields(args) {
		i := strings.LastIndexByte(word, ':')
		if i < 0 {
			continue
		}
		n, err := strconv.ParseUint(word[i+1:], 10, 16)
		if err != nil {
			continue
		}
		switch host := strings.ToLower(word[:i]); {
		case host == "*" || host == "_default_":
			return netip.Addr{}, uint16(n)
		default:
			if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
				return a, uint16(n)
			}
		}
	}
	return netip.Addr{}, 0
}

// hostName takes the name out of ServerName's [scheme://]name[:port].
func hostName(s string) string {
	if _, after, ok := strings.Cut(s, "://"); ok {
		s = after
	}
	if i := strings.LastIndexByte(s, ':'); i >= 0 && digits(s[i+1:]) {
		s = s[:i]
	}
	return strings.ToLower(strings.TrimSuffix(s, "."))
}

// expand replaces ${NAME}; a name that is not known stays, as in Apache.
func (a *apache) expand(text string) string {
	if !strings.Contains(text, "${") {
		return text
	}
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(text, "${")
		b.WriteString(before)
		if !ok {
			break
		}
		name, rest, closed := strings.Cut(after, "}")
		value, known := a.vars[name]
		if !closed || !known || b.Len()+len(value) > maxLine {
			b.WriteString("${")
			text = after
			continue
		}
		b.WriteString(value)
		text = rest
	}
	return b.String()
}

func (a *apache) unresolved(name string, at position) bool {
	_, after, ok := strings.Cut(name, "${")
	if !ok {
		return false
	}
	variable, _, _ := strings.Cut(after, "}")
	a.book.scan.problem(at.String(), "${"+variable+"} is not known: "+name+" is not looked for")
	return true
}

// emit hands over the logs, with formats and sites, which may have been defined after the logs.
func (a *apache) emit() {
	s := a.book.scan
	for _, h := range append(a.hosts, a.main) {
		site := Site{Server: "apache", Name: a.site(h), Dir: h.root, TLS: h.tls}
		site.Addr, site.Port = listens(h.listen)
		s.docroot(site)
	}
	first := map[*vhost]string{} // the log that holds all requests of a host
	for _, l := range a.logs {
		if l.name == "" {
			continue
		}
		c := candidate{
			kind: l.kind, service: l.service, configured: true, only: l.only, site: a.site(l.host),
			from: "apache configuration " + l.at.String(),
		}
		if l.kind == Access && !a.format(&c, l) {
			continue
		}
		if l.kind == Error && l.service == "apache" {
			c.format = l.host.errors
			if c.format == "" {
				c.format = a.main.errors
			}
		}
		if !a.target(&c, l) {
			continue
		}
		if l.kind == Access && c.only == "" && c.format != "" {
			if twin, ok := first[l.host]; ok {
				c.twin = twin
			} else {
				first[l.host] = c.name
			}
		}
		s.found = append(s.found, c)
	}
}

// site is the name that a log's lines are about. The logs around virtual hosts hold what is said of all hosts that
// have none of their own; cPanel's service names (cpanel.DOMAIN, webmail.DOMAIN) are of many sites.
func (a *apache) site(host *vhost) string {
	name := host.name
	if name == "" && !strings.Contains(host.alias, "*") {
		name = host.alias
	}
	if host == a.main || strings.HasPrefix(name, "proxy-subdomains") {
		return ""
	}
	return name
}

// format finds a log's format. It returns false for a log of something else than requests: cPanel's bytes_log,
// lists of referers, RHEL's ssl_request_log.
func (a *apache) format(c *candidate, l apacheLog) bool {
	switch {
	case l.transfer || l.format == "":
		c.format = l.host.plain
		if c.format == "" {
			c.format = a.main.plain
		}
	default:
		for _, h := range [...]*vhost{l.host, a.main} {
			if f, ok := h.formats[l.format]; ok {
				c.format, c.nick = f, l.format
				break
			}
		}
	}
	if c.format == "" {
		c.format = l.format
		if !strings.Contains(l.format, "%") {
			a.book.scan.problem(l.at.String(), "log format "+l.format+" is not defined: the lines' format is to be recognised")
			c.format = ""
			return true
		}
	}
	if has := apacheFields(c.format); has['v'] || has['V'] {
		c.site = "" // each line names its own
	}
	return requestFormat(c.format)
}

// target finds the file of a log.
func (a *apache) target(c *candidate, l apacheLog) bool {
	s := a.book.scan
	c.name = l.name
	switch {
	case l.name == "/dev/null" || a.unresolved(l.name, l.at):
		return false
	case strings.HasPrefix(l.name, "|"):
		p := readPipe(l.name[1:])
		if p.name == "" {
			if !p.quiet {
				s.problem(l.at.String(), c.kind.String()+" log "+p.why)
			}
			return false
		}
		c.name, c.newest, c.glob = p.name, p.newest, hasMeta(p.name)
	case c.kind == Error && (l.name == "syslog" || strings.HasPrefix(l.name, "syslog:") || strings.HasPrefix(l.name, "journald:")):
		return false // it is read with the system's own log
	case l.name == "syslog" || strings.HasPrefix(l.name, "syslog:"):
		s.problem(l.at.String(), c.service+" writes its "+c.kind.String()+" log to syslog: not read here")
		return false
	case strings.HasPrefix(l.name, "/dev/"), l.name == "stderr":
		s.problem(l.at.String(), c.service+" writes its "+c.kind.String()+" log to "+l.name+": not a file")
		return false
	}
	if provider, _, ok := strings.Cut(c.name, ":"); ok && !strings.Contains(provider, "/") && !strings.HasPrefix(l.name, "|") {
		s.problem(l.at.String(), c.service+" writes its "+c.kind.String()+" log to provider "+provider+": not read here")
		return false
	}
	if c.service == "php" && !strings.HasPrefix(c.name, "/") {
		s.beside[c.name] = append(s.beside[c.name], l.at.String())
		return false
	}
	if !strings.HasPrefix(c.name, "/") {
		c.name = path.Join(a.root, c.name)
	}
	return !skipped(c.name)
}

// apacheFields tells which plain letters a LogFormat holds; "%{Referer}i" and its kind do not count.
func apacheFields(format string) (has [256]bool) {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		i++
		for i < len(format) && strings.IndexByte("!,<>0123456789", format[i]) >= 0 {
			i++
		}
		if i < len(format) && format[i] == '{' {
			end := strings.IndexByte(format[i:], '}')
			if end < 0 {
				return has
			}
			i += end + 1
			continue
		}
		if i < len(format) {
			has[format[i]] = true
		}
	}
	return has
}

// requestFormat tells whether lines of a format say what was asked for and what was answered.
func requestFormat(format string) bool {
	has := apacheFields(format)
	return has['s'] && (has['r'] || has['U'])
}
