package host

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// Pool is one pool of PHP-FPM, as its configuration says (https://www.php.net/manual/install.fpm.configuration.php).
type Pool struct {
	Name string
	File string // where the pool begins, without the root
	Line int
	Main string // the master's configuration, which tells pools of the same name apart

	Version string // of PHP, from the path: "8.2"; "" when the path does not tell

	PM          string        // "static", "dynamic", "ondemand"; "" when not set (PHP-FPM refuses to start)
	MaxChildren int           // 0: not set, like the three below
	MaxLine     int           // where pm.max_children stands, in MaxFile; 0: nowhere
	MaxFile     string        // usually File
	Start       int           // pm.start_servers
	MinSpare    int           // pm.min_spare_servers
	MaxSpare    int           // pm.max_spare_servers
	MaxRequests int           // pm.max_requests; 0: no bound, PHP-FPM's default
	Idle        time.Duration // pm.process_idle_timeout; PHP-FPM's default is 10 s
	Terminate   time.Duration // request_terminate_timeout; 0: off
	SlowAfter   time.Duration // request_slowlog_timeout; 0: off
	Listen      string        // socket or address, as written but for $pool and $prefix
	User        string

	AccessLog    string // without the root, resolved; "" when none
	AccessFormat string // access.format; "" is PHP-FPM's default
	SlowLog      string
	ErrorLog     string // php_admin_value[error_log]; may be "syslog" or relative
}

// fpmAccess is access.format's default (php-fpm's www.conf).
const fpmAccess = `%R - %u %t "%m %r" %s`

// fpm reads the configuration of one PHP-FPM master.
type fpm struct {
	book    *book
	main    string
	prefix  string // what logs of pools are relative to
	state   string // what the master's log is relative to
	errors  string // [global] error_log
	errorAt position
	pools   []*fpmPool
	section *fpmPool // nil in [global]
}

type fpmPool struct {
	Pool
	prefix                        string
	at, accessAt, slowAt, errorAt position
}

// Pools lists the pools of every PHP-FPM found, by file and name.
func (h *Host) Pools() ([]Pool, []connwarden.Problem) {
	s := h.scan(context.Background())
	s.readProcesses()
	s.readFPMs()
	return s.pools, s.done()
}

func (s *scan) readFPM(main, prefix string) *fpm {
	f := &fpm{book: s.book(), main: main, prefix: prefix}
	state := "/var"
	if prefix == "" {
		f.prefix = "/usr"
	}
	// The prefix that packagers compile in is the part of the path before etc; of the system's own it is /usr and
	// /var.
	if base, _, ok := strings.Cut(main, "/etc/"); ok && base != "" {
		if prefix == "" {
			f.prefix = base
		}
		state = f.prefix + "/var"
		if strings.HasPrefix(base, "/opt/cpanel/") {
			f.prefix, state = base+"/usr", base+"/usr/var"
		}
	}
	f.state = state
	f.file(main, 0, "")
	f.emit()
	return f
}

func (f *fpm) file(name string, depth int, from string) {
	f.book.with(name, depth, from, func(text []byte) { f.text(text, name, depth) })
}

func (f *fpm) text(text []byte, name string, depth int) {
	s := f.book.scan
	n := 0
	for line := range bytes.Lines(text) {
		n++
		at := position{name, n}
		if s.ctx.Err() != nil {
			return
		}
		if len(line) > maxLine {
			s.problem(at.String(), "a line of over 64 KiB is not read")
			continue
		}
		f.line(string(line), at, depth)
	}
}

func (f *fpm) line(line string, at position, depth int) {
	key, value, section := iniLine(line)
	switch {
	case section == "global":
		f.section = nil
		return
	case section != "":
		for _, p := range f.pools { // a section that comes again goes on
			if p.Name == section {
				f.section = p
				return
			}
		}
		p := &fpmPool{at: at, Pool: Pool{
			Name: section, File: at.file, Line: at.line, Main: f.main, Version: phpVersion(f.main), Idle: 10 * time.Second,
		}}
		f.pools = append(f.pools, p)
		f.section = p
		return
	case key == "":
		return
	case key == "include":
		f.book.include(value, f.prefix, at, depth, false, hasMeta(value), func(name string) {
			f.file(name, depth+1, at.String())
		})
		return
	case f.section == nil:
		if key == "error_log" {
			f.errors, f.errorAt = value, at
		}
		return
	}
	f.section.set(key, value, at, f.book.scan)
}

func (p *fpmPool) set(key, value string, at position, s *scan) {
	number := func(to *int) {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			s.problem(at.String(), fmt.Sprintf("%s = %.40q is not a number", key, value))
			return
		}
		*to = n
	}
	seconds := func(to *time.Duration) {
		d, ok := fpmDuration(value)
		if !ok {
			s.problem(at.String(), fmt.Sprintf("%s = %.40q is not a time", key, value))
			return
		}
		*to = d
	}
	switch key {
	case "pm":
		p.PM = value
	case "pm.max_children":
		number(&p.MaxChildren)
		p.MaxFile, p.MaxLine = at.file, at.line
	case "pm.start_servers":
		number(&p.Start)
	case "pm.min_spare_servers":
		number(&p.MinSpare)
	case "pm.max_spare_servers":
		number(&p.MaxSpare)
	case "pm.max_requests":
		number(&p.MaxRequests)
	case "pm.process_idle_timeout":
		seconds(&p.Idle)
	case "request_terminate_timeout":
		seconds(&p.Terminate)
	case "request_slowlog_timeout":
		seconds(&p.SlowAfter)
	case "listen":
		p.Listen = value
	case "user":
		p.User = value
	case "prefix":
		p.prefix = value
	case "access.log":
		p.AccessLog, p.accessAt = value, at
	case "access.format":
		p.AccessFormat = value
	case "slowlog":
		p.SlowLog, p.slowAt = value, at
	case "php_admin_value[error_log]", "php_value[error_log]":
		p.ErrorLog, p.errorAt = value, at
	default:
		p.poolSetting(key, value, at, s)
	}
}

// emit resolves names and hands over pools and logs.
func (f *fpm) emit() {
	s := f.book.scan
	for _, p := range f.pools {
		prefix := f.prefix
		if p.prefix != "" {
			prefix = p.expand(p.prefix, prefix)
		}
		full := func(name string) string {
			if name = p.expand(name, prefix); name != "" && !strings.HasPrefix(name, "/") && name != "syslog" {
				name = path.Join(prefix, name)
			}
			return name
		}
		p.AccessLog, p.SlowLog = full(p.AccessLog), full(p.SlowLog)
		p.Listen, p.User, p.ErrorLog = p.expand(p.Listen, prefix), p.expand(p.User, prefix), p.expand(p.ErrorLog, prefix)
		s.pools = append(s.pools, p.Pool)

		format := p.AccessFormat
		if format == "" {
			format = fpmAccess
		}
		f.log(candidate{kind: Access, service: "php-fpm", name: p.AccessLog, format: format}, p.accessAt)
		if p.SlowAfter > 0 {
			f.log(candidate{kind: Slow, service: "php-fpm", name: p.SlowLog}, p.slowAt)
		}
		f.log(candidate{kind: Error, service: "php", name: p.ErrorLog}, p.errorAt)
	}
	name, at := f.errors, f.errorAt
	if name == "" { // "log/php-fpm.log" below the local state folder (main/fpm/fpm_conf.c)
		if s.tree.exists(f.state + "/log/php-fpm.log") {
			s.found = append(s.found, candidate{
				kind: Error, service: "php-fpm", name: f.state + "/log/php-fpm.log", from: "PHP-FPM's default for " + f.main,
			})
		}
		return
	}
	if !strings.HasPrefix(name, "/") && name != "syslog" {
		name = path.Join(f.state, name)
	}
	f.log(candidate{kind: Error, service: "php-fpm", name: name}, at)
}

func (f *fpm) log(c candidate, at position) {
	s := f.book.scan
	switch {
	case c.name == "" || c.name == "/dev/null":
		return
	case c.name == "syslog" && c.kind == Error: // it is read with the system's own log
		return
	case c.name == "syslog" || strings.HasPrefix(c.name, "/dev/") || strings.HasPrefix(c.name, "/proc/"):
		s.problem(at.String(), c.service+" writes its "+c.kind.String()+" log to "+c.name+": not a file")
		return
	case strings.Contains(c.name, "${"):
		s.problem(at.String(), "the variable in "+c.name+" is not known: not looked for")
		return
	case !strings.HasPrefix(c.name, "/"):
		s.beside[c.name] = append(s.beside[c.name], at.String())
		return
	}
	c.configured, c.from = true, "php-fpm configuration "+at.String()
	s.found = append(s.found, c)
}

// expand replaces $pool and $prefix, all that PHP-FPM replaces.
func (p *fpmPool) expand(value, prefix string) string {
	if !strings.Contains(value, "$p") {
		return value
	}
	return strings.NewReplacer("$pool", p.Name, "$prefix", prefix).Replace(value)
}

// iniLine reads one line of PHP's INI syntax as PHP-FPM's files use it.
func iniLine(line string) (key, value, section string) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == ';' || line[0] == '#' {
		return "", "", ""
	}
	if line[0] == '[' {
		if end := strings.IndexByte(line, ']'); end > 0 {
			return "", "", strings.TrimSpace(line[1:end])
		}
		return "", "", ""
	}
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		return "", "", ""
	}
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if value != "" && (value[0] == '"' || value[0] == '\'') {
		quote := value[0]
		value = value[1:]
		end := 0
		for end < len(value) && value[end] != quote {
			if quote == '"' && value[end] == '\\' && end+1 < len(value) {
				end++
			}
			end++
		}
		value = value[:min(end, len(value))]
		if quote == '"' {
			value = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(value)
		}
		return key, value, ""
	}
	if i := strings.IndexByte(value, ';'); i >= 0 {
		value = strings.TrimSpace(value[:i])
	}
	return key, value, ""
}

// fpmDuration reads a number of seconds, or one with a unit: s, m, h, d (fpm_conf.c, fpm_conf_set_time).
func fpmDuration(s string) (time.Duration, bool) {
	unit := time.Second
	if s != "" {
		switch s[len(s)-1] {
		case 's':
			s = s[:len(s)-1]
		case 'm':
			unit, s = time.Minute, s[:len(s)-1]
		case 'h':
			unit, s = time.Hour, s[:len(s)-1]
		case 'd':
			unit, s = 24*time.Hour, s[:len(s)-1]
		}
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// phpIn finds PHP's version in the path of a package: /etc/php/8.2/, ea-php82, remi/php82, /usr/local/php82.
var phpIn = regexp.MustCompile(`/php/([5-9]\.[0-9]+)/|php([5-9])([0-9])[^0-9]`)

func phpVersion(name string) string {
	m := phpIn.FindStringSubmatch(name + "/")
	switch {
	case m == nil:
		return ""
	case m[1] != "":
		return m[1]
	default:
		return m[2] + "." + m[3]
	}
}

func sortPools(pools []Pool) {
	slices.SortStableFunc(pools, func(a, b Pool) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
}
