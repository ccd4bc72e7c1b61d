package host

import (
	"path"
	"strings"
)

// mysqlMains are where MySQL and MariaDB look for their options, in that order (the manuals' "Using Option Files"), but
// for the accounts' own files.
var mysqlMains = []string{"/etc/my.cnf", "/etc/mysql/my.cnf", "/usr/local/etc/mysql/my.cnf", "/usr/local/mysql/etc/my.cnf"}

// mysql reads option files. Of an option that stands twice the last counts; dashes and underscores are one.
type mysql struct {
	book    *book
	section string
	options map[string]option
}

type option struct {
	value string
	at    position
}

// readMySQL reads the server's options; nil when there are none.
func (s *scan) readMySQL() *mysql {
	m := &mysql{book: s.book(), options: map[string]option{}}
	for _, file := range mysqlMains {
		if s.tree.exists(file) {
			m.file(file, 0, "")
		}
	}
	return m
}

func (m *mysql) file(name string, depth int, from string) {
	outer := m.section
	m.section = ""
	m.book.lines(name, depth, from, func(line string, at position) { m.line(line, at, depth) })
	m.section = outer
}

func (m *mysql) line(line string, at position, depth int) {
	first, rest := firstWord(line)
	switch first {
	case "!include":
		m.book.include(rest, path.Dir(at.file), at, depth, false, true, func(name string) { m.file(name, depth+1, at.String()) })
		return
	case "!includedir":
		m.book.include(path.Join(rest, "*.cnf"), path.Dir(at.file), at, depth, false, true, func(name string) { m.file(name, depth+1, at.String()) })
		return
	}
	line, _, _ = strings.Cut(line, " #")
	key, value, section := iniLine(line)
	if section != "" {
		m.section = section
	}
	if key == "" { // "skip_networking" has no value
		key = strings.TrimSpace(line)
	}
	if mysqlServer(m.section) && key != "" && key[0] != '[' && len(m.options) < maxVars {
		m.options[strings.ReplaceAll(key, "-", "_")] = option{value, at}
	}
}

// mysqlServer tells whether a section is read by the server: "mysqld", "server", "mariadb-10.11", and what its starter
// hands on.
func mysqlServer(section string) bool {
	name, _, _ := strings.Cut(section, "-")
	switch name {
	case "mysqld", "server", "mariadb", "mariadbd", "mysqld_safe", "mariadbd_safe":
		return section != "mariadb-client"
	}
	return false
}

// path is a file that an option names; what is relative stands in the folder of the data.
func (m *mysql) path(names ...string) (string, position) {
	data := "/var/lib/mysql"
	if o, ok := m.options["datadir"]; ok && strings.HasPrefix(o.value, "/") {
		data = o.value
	}
	for _, name := range names {
		if o, ok := m.options[name]; ok && o.value != "" {
			if !strings.HasPrefix(o.value, "/") {
				return path.Join(data, o.value), o.at
			}
			return path.Clean(o.value), o.at
		}
	}
	return "", position{}
}

// mysqlPlaces are the error and slow logs of packages: Debian's, RHEL's, and what the server takes when no name is given,
// HOST.err and HOST-slow.log in the folder of its data (cPanel).
var mysqlPlaces = []place{
	{"/var/log/mysql/error.log", Error, "mysql", "Debian", false},
	{"/var/log/mysql.err", Error, "mysql", "Debian", false},
	{"/var/log/mysql/*slow*.log", Slow, "mysql", "Debian", false},
	{"/var/log/mysqld.log", Error, "mysql", "RHEL", false},
	{"/var/log/mariadb/mariadb.log", Error, "mysql", "RHEL", false},
	{"/var/log/mysql/mysqld.log", Error, "mysql", "RHEL", false},
	{"/var/lib/mysql/*.err", Error, "mysql", "MySQL", false},
	{"/var/lib/mysql/*slow.log", Slow, "mysql", "MySQL", false},
}

// mysqlError is the name that the room logs has for the form of the server's error log.
const mysqlError = "mysql_error"

// findMySQL adds the database's logs.
func (s *scan) findMySQL() {
	m := s.readMySQL()
	if name, at := m.path("log_error"); name != "" && !strings.HasPrefix(name, "/dev/") {
		if path.Ext(name) == "" { // the server adds it
			name += ".err"
		}
		s.found = append(s.found, candidate{name: name, kind: Error, service: "mysql", format: mysqlError, from: "mysql configuration " + at.String()})
	}
	// The log may be switched on while the server runs, so what is said of that is not asked.
	if name, at := m.path("log_slow_query_file", "slow_query_log_file", "log_slow_queries"); name != "" {
		s.found = append(s.found, candidate{name: name, kind: Slow, service: "mysql", from: "mysql configuration " + at.String()})
	}
	for _, p := range mysqlPlaces {
		c := candidate{kind: p.kind, service: p.service, from: "usual place of " + p.whose}
		if p.kind == Error {
			c.format = mysqlError
		}
		s.usual(p.pattern, false, c)
	}
}
