package host

import (
	"path"
	"strings"
)

// readINIs takes error_log and the limits from the php.ini files of the versions found. The folders of additions (conf.d)
// are read after each, as PHP does.
func (s *scan) readINIs() {
	var inis []string
	for _, pattern := range phpINIs {
		names, _, _ := s.tree.glob(pattern, s.lim.entries)
		inis = append(inis, names...)
	}
	for _, ini := range inis {
		files := []string{ini}
		for _, pattern := range [...]string{path.Dir(ini) + "/conf.d/*.ini", path.Dir(ini) + "/php.d/*.ini"} {
			more, _, _ := s.tree.glob(pattern, s.lim.entries)
			files = append(files, more...)
		}
		b := s.book()
		set := map[string]option{}
		for _, file := range files {
			b.lines(file, 0, "", func(line string, at position) {
				if key, value, _ := iniLine(line); key == "error_log" || phpLimits[key] != "" {
					set[key] = option{value, at}
				}
			})
		}
		s.phpSettings(ini, set)
		name, at := set["error_log"].value, set["error_log"].at
		switch {
		case name == "" || name == "/dev/null":
		case name == "syslog": // it is read with the system's own log
		case strings.HasPrefix(name, "/dev/"):
			s.problem(at.String(), "PHP writes its errors to "+name+": not a file")
		case strings.HasPrefix(name, "/"):
			s.found = append(s.found, candidate{
				kind: Error, service: "php", name: name, configured: true, from: "PHP configuration " + at.String(),
			})
		default:
			s.beside[name] = append(s.beside[name], at.String())
		}
	}
}
