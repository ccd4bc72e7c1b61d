package host

import (
	"path"
	"strings"
)

// asteriskMain says what Asterisk writes where (the comments of its logger.conf.sample); asterisk.conf says in which folder.
const asteriskMain = "/etc/asterisk/logger.conf"

// asteriskLevels are those that tell of peers, what tells most last.
var asteriskLevels = [...]string{"error", "warning", "notice", "security"}

// findAsterisk adds the files of logger.conf. One message goes to each file that takes its level.
func (s *scan) findAsterisk() {
	if !s.tree.exists(asteriskMain) {
		return
	}
	dir := "/var/log/asterisk"
	b := s.book()
	b.asterisk("/etc/asterisk/asterisk.conf", "", 0, "", func(section, key, value string, _ position) {
		// A section that is a template, "[directories](!)", says nothing.
		if section == "directories" && key == "astlogdir" && strings.HasPrefix(value, "/") {
			dir = path.Clean(value)
		}
	})
	var files []sharedFile
	host := ""
	b.asterisk(asteriskMain, "", 0, "", func(section, key, value string, at position) {
		switch {
		case section == "general" && key == "appendhostname" && (value == "yes" || value == "true" || value == "on" || value == "1"):
			host = ".*"
		case section != "logfiles" || key == "console" || strings.HasPrefix(key, "syslog."):
		default:
			f := sharedFile{at: at, takes: asteriskTakes(value)}
			f.name = strings.ReplaceAll(key, "${HOSTNAME}", "*")
			if !strings.HasPrefix(f.name, "/") {
				f.name = path.Join(dir, f.name)
			}
			if f.takes != 0 && len(files) < maxBlocks {
				files = append(files, f)
			}
		}
	})
	for i := range files {
		f := &files[i]
		f.name += host
		f.kind, f.service, f.format = Events, "asterisk", "asterisk"
	}
	s.ownOnce(files)
}

// asteriskTakes reads "notice,warning,security", with the form in front, "[json]", or "*".
func asteriskTakes(value string) (takes uint8) {
	if strings.HasPrefix(value, "[") {
		form, rest, _ := strings.Cut(value, "]")
		if form != "[default" && form != "[plain" {
			return 0 // of another form
		}
		value = rest
	}
	for one := range strings.SplitSeq(value, ",") {
		for i, level := range asteriskLevels {
			if one = strings.ToLower(strings.TrimSpace(one)); one == level || one == "*" {
				takes |= 1 << i
			}
		}
	}
	return takes
}

// asterisk reads a configuration of Asterisk: "key => value", comments behind a semicolon, includes, whose lines are of the section that includes them.
func (b *book) asterisk(name, section string, depth int, from string, set func(section, key, value string, at position)) {
	if !b.scan.tree.exists(name) {
		return
	}
	b.lines(name, depth, from, func(line string, at position) {
		text, _, _ := strings.Cut(line, ";")
		text = strings.TrimSpace(text)
		if first, rest := firstWord(text); first == "#include" || first == "#tryinclude" {
			if rest = strings.Trim(rest, `"<>`); rest != "" {
				b.include(rest, path.Dir(name), at, depth, false, true, func(inner string) { b.asterisk(inner, section, depth+1, at.String(), set) })
			}
			return
		}
		if strings.HasPrefix(text, "[") {
			section = strings.TrimSuffix(text[1:], "]")
			return
		}
		key, value, ok := strings.Cut(text, "=")
		if ok {
			set(section, strings.TrimSpace(key), strings.TrimSpace(strings.TrimPrefix(value, ">")), at)
		}
	})
}
