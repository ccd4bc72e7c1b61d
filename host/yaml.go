package host

import (
	"path"
	"strings"
)

// yamlLog is a daemon whose configuration is YAML (or, for Traefik and MongoDB before 2.6, sections of lines) and names its log at a path
// of keys.
type yamlLog struct {
	service, format string
	mains, keys     string // keys in lower case, joined by points
	beside          bool   // relative names are of the configuration's folder
}

// Sources: MongoDB's "Configuration File Options"; Traefik's "Logs & Access Logs"; Authelia's "Logging"; AdGuard Home's wiki, "Configuration".
var yamlLogs = []yamlLog{
	{"mongodb", "mongodb", "/etc/mongod.conf /etc/mongodb.conf /etc/mongos.conf /usr/local/etc/mongod.conf", "systemlog.path logpath", false},
	{"traefik", "", "/etc/traefik/traefik.yml /etc/traefik/traefik.yaml /etc/traefik/traefik.toml", "accesslog.filepath", false},
	{"authelia", "authelia", "/etc/authelia/configuration.yml /etc/authelia/configuration.yaml", "log.file_path", false},
	{"adguardhome", "adguard_home", "/opt/AdGuardHome/AdGuardHome.yaml /etc/AdGuardHome.yaml", "log.file log_file", true},
}

// findYAML adds the logs of these daemons.
func (s *scan) findYAML() {
	for i := range yamlLogs {
		y := &yamlLogs[i]
		for _, main := range s.mains(y.mains) {
			s.book().paths(main, func(key, value string, at position) {
				if !holdsWord(y.keys, key) {
					return
				}
				c := ownCandidate(value, y.service, y.format)
				if y.beside && value != "" && value != "syslog" && !strings.HasPrefix(value, "/") {
					c.name = path.Join(path.Dir(main), value)
				}
				s.own(c, at)
			})
		}
	}
}

// maxKey bounds one key of YAML; those of logs are short.
const maxKey = 100

// paths hands over the plain values of a file of YAML, or of "[section]" and "key = value", each with the keys above it. Lists, blocks of text and
// braces are no plain values.
func (b *book) paths(name string, set func(key, value string, at position)) {
	type level struct {
		indent int
		key    string
	}
	var above []level
	section := ""
	b.indented(name, 0, "", func(line string, at position) {
		text := strings.TrimLeft(line, " ")
		indent := len(line) - len(text)
		if text == "" || text[0] == '#' || text[0] == '-' {
			return
		}
		if text[0] == '[' && indent == 0 {
			section = strings.ToLower(strings.Trim(text, "[]")) + "."
			return
		}
		end := strings.IndexAny(text, ":= \t")
		if end <= 0 || end > maxKey { // no key of ours
			return
		}
		key, value := strings.ToLower(text[:end]), strings.TrimLeft(text[end:], ":= \t")
		for len(above) > 0 && above[len(above)-1].indent >= indent {
			above = above[:len(above)-1]
		}
		full := section
		for _, l := range above {
			full += l.key + "."
		}
		if value == "" || value[0] == '#' {
			if len(above) < maxBlocks {
				above = append(above, level{indent, key})
			}
			return
		}
		if value[0] != '\'' && value[0] != '"' {
			value, _, _ = strings.Cut(value, " #")
		}
		set(full+key, strings.TrimSpace(unquoted(value)), at)
	})
}
