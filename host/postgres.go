package host

import (
	"path"
	"slices"
	"strings"
)

// postgresMains are where clusters of PostgreSQL are configured: Debian's, RHEL's, those of SUSE and Arch, Docker's image and FreeBSD's.
const postgresMains = "/etc/postgresql/*/*/postgresql.conf /var/lib/pgsql/data/postgresql.conf /var/lib/pgsql/*/data/postgresql.conf " +
	"/var/lib/postgresql/data/postgresql.conf /var/lib/postgresql/*/data/postgresql.conf /var/lib/postgres/data/postgresql.conf " +
	"/usr/local/pgsql/data/postgresql.conf /var/db/postgres/data*/postgresql.conf"

// postgres reads the configuration of one cluster (the manual's "Setting Parameters" and "Error Reporting and Logging"). Of a setting that
// stands twice the last counts.
type postgres struct {
	book    *book
	options map[string]option
}

// postgresKept bounds how many files of one log whose names turn are listed, newest first: a week of days, which is what RHEL keeps.
const postgresKept = 8

// findPostgres adds the logs that clusters write themselves. What they write to standard error without their collector Debian's and
// the other packages' places have.
func (s *scan) findPostgres() {
	for _, main := range s.mains(postgresMains) {
		p := postgres{book: s.book(), options: map[string]option{}}
		p.file(main, 0, "")
		data := path.Dir(main)
		if v := p.options["data_directory"].value; strings.HasPrefix(v, "/") {
			data = path.Clean(v)
		}
		// What ALTER SYSTEM has set wins.
		if auto := path.Join(data, "postgresql.auto.conf"); s.tree.exists(auto) {
			p.file(auto, 0, "")
		}
		p.emit(data)
	}
}

func (p *postgres) file(name string, depth int, from string) {
	p.book.lines(name, depth, from, func(line string, at position) { p.line(line, at, depth) })
}

func (p *postgres) line(line string, at position, depth int) {
	end := strings.IndexFunc(line, func(c rune) bool { return c == '=' || c == ' ' || c == '\t' })
	if end <= 0 || line[0] == '#' {
		return
	}
	// The equals sign may be left out.
	key, value := strings.ToLower(line[:end]), strings.TrimLeft(line[end:], " \t")
	value = strings.TrimLeft(strings.TrimPrefix(value, "="), " \t")
	if value != "" && value[0] == '\'' {
		value = unquoted(value)
	} else if end := strings.IndexAny(value, " \t#"); end >= 0 {
		value = value[:end]
	}
	read := func(name string) { p.file(name, depth+1, at.String()) }
	switch key {
	case "include", "include_if_exists":
		if !hasMeta(value) && value != "" {
			p.book.include(value, path.Dir(at.file), at, depth, false, true, read)
		}
	case "include_dir":
		if !hasMeta(value) && value != "" {
			p.book.include(path.Join(value, "*.conf"), path.Dir(at.file), at, depth, false, true, read)
		}
	case "data_directory", "log_destination", "logging_collector", "log_directory", "log_filename":
		p.options[key] = option{value, at}
	}
}

// emit hands over the logs of a cluster whose data stand in a folder. One message goes to each destination: the forms that a name with line
// ends cannot break come first, and the others are their twins.
func (p *postgres) emit(data string) {
	get := func(key, otherwise string) string {
		if o, ok := p.options[key]; ok {
			return o.value
		}
		return otherwise
	}
	if on := strings.ToLower(get("logging_collector", "off")); on != "on" && on != "true" && on != "yes" && on != "1" {
		return
	}
	dir := get("log_directory", "log") // since 10
	if !strings.HasPrefix(dir, "/") {
		dir = path.Join(data, dir)
	}
	name := get("log_filename", "postgresql-%Y-%m-%d_%H%M%S.log")
	if name == "" || hasMeta(dir+name) || strings.Contains(name, "/") {
		return
	}
	pattern := path.Join(dir, strftimePattern(name))
	stem := strings.TrimSuffix(pattern, ".log")
	forms := map[string][2]string{"csvlog": {stem + ".csv", "postgresql_csv"}, "jsonlog": {stem + ".json", "postgresql_json"}, "stderr": {pattern, "postgresql"}}
	at := p.options["logging_collector"].at
	if o, ok := p.options["log_destination"]; ok {
		at = o.at
	}
	s := p.book.scan
	twins := map[string]string{} // the first log, by its name without what tells the form
	wanted := strings.Split(strings.ToLower(strings.ReplaceAll(get("log_destination", "stderr"), " ", "")), ",")
	for _, form := range [...]string{"csvlog", "jsonlog", "stderr"} {
		if !slices.Contains(wanted, form) {
			continue
		}
		end := path.Ext(forms[form][0])
		for _, log := range s.latest(forms[form][0], postgresKept) {
			base := strings.TrimSuffix(log, end)
			s.found = append(s.found, candidate{
				name: log, kind: Events, service: "postgresql", format: forms[form][1], twin: twins[base], from: "postgresql configuration " + at.String(), configured: true,
			})
			if twins[base] == "" {
				twins[base] = log
			}
		}
	}
}

// latest returns the files that fit a pattern, those written last first, at most n.
func (s *scan) latest(pattern string, n int) []string {
	names, _, err := s.tree.glob(pattern, s.lim.entries)
	if err != nil {
		s.problem(blame(err, pattern), why(err))
	}
	type file struct {
		name string
		at   int64
	}
	var files []file
	for _, name := range names {
		if _, info, err := s.tree.find(name); err == nil && info.Mode().IsRegular() && !compressed(name) {
			files = append(files, file{name, info.ModTime().UnixNano()})
		}
	}
	slices.SortStableFunc(files, func(a, b file) int {
		if a.at != b.at {
			return int(min(max(b.at-a.at, -1), 1))
		}
		return strings.Compare(b.name, a.name)
	})
	names = names[:0]
	for _, f := range files[:min(n, len(files))] {
		names = append(names, f.name)
	}
	return names
}
