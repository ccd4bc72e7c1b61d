package host

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// ownLog is a daemon whose configuration, lines of a key and a value each, says where it logs.
type ownLog struct {
	service, format string // format as the room logs names it; "" of requests, to be recognised
	mains           string // patterns of files where the configuration begins, parted by blanks
	equals          bool   // "key = value", whose key may hold blanks; else "key value"
	sections        string // that count, parted by blanks; "": all
	keys            string // of the log, in lower case and without blanks
	includes        string // keys of other files
	folder          string // the pattern of those that count where a folder is named
	beside          bool   // relative names are of the configuration's folder; else it is not known of which
	// file takes the names of logs out of a value; nil: it is one.
	file func(key, value string) []string
}

// Sources: redis.conf; mosquitto.conf(5); rsyncd.conf(5); the comments of zabbix_server.conf and zabbix_agentd.conf; smb.conf(5); openvpn(8), "--log";
// dovecot's "Logging"; vsftpd.conf(5); ProFTPD's "SystemLog"; xinetd.conf(5); monit(1), "LOGGING"; murmur.ini; 3proxy.cfg(3); Odoo's "Command-line interface".
// What Squid logs is left out: mostly it is the way of a house's own people to the sites of others, whom no rule here is about.
var ownLogs = []ownLog{
	{service: "redis", format: "redis", mains: "/etc/redis/*.conf /etc/redis.conf /etc/valkey/*.conf /usr/local/etc/redis.conf", keys: "logfile", includes: "include"},
	{
		service: "mosquitto", format: "mosquitto", mains: "/etc/mosquitto/mosquitto.conf /usr/local/etc/mosquitto/mosquitto.conf", keys: "log_dest",
		includes: "include_dir", folder: "*.conf", file: behind("file"),
	},
	{
		service: "rsync", format: "rsync", mains: "/etc/rsyncd.conf /etc/rsync/rsyncd.conf /usr/local/etc/rsync/rsyncd.conf", equals: true, keys: "logfile",
		includes: "&include &merge", folder: "*.conf",
	},
	{
		service: "zabbix", format: "zabbix", mains: "/etc/zabbix/zabbix_*.conf /etc/zabbix_*.conf /usr/local/etc/zabbix_*.conf", equals: true, keys: "logfile",
		includes: "include", folder: "*",
	},
	{
		service: "samba", format: "samba", mains: "/etc/samba/smb.conf /usr/local/samba/etc/smb.conf /usr/local/etc/smb4.conf", equals: true, sections: "global",
		keys: "logfile loglevel debuglevel", includes: "include", file: sambaFiles,
	},
	{
		service: "openvpn", format: "openvpn", mains: "/etc/openvpn/*.conf /etc/openvpn/server/*.conf /usr/local/etc/openvpn/*.conf", keys: "log log-append",
		includes: "config", beside: true,
	},
	{
		service: "dovecot", format: "dovecot", mains: "/etc/dovecot/dovecot.conf /usr/local/etc/dovecot/dovecot.conf", equals: true, keys: "log_path info_log_path",
		includes: "!include !include_try", folder: "*.conf",
	},
	{service: "vsftpd", format: "vsftpd", mains: "/etc/vsftpd.conf /etc/vsftpd/*.conf", equals: true, keys: "vsftpd_log_file"},
	{service: "proftpd", format: "proftpd", mains: "/etc/proftpd/proftpd.conf /etc/proftpd.conf", keys: "systemlog", includes: "include", folder: "*"},
	{service: "xinetd", format: "xinetd", mains: "/etc/xinetd.conf", equals: true, keys: "log_type", includes: "includedir", folder: "*", file: behind("FILE")},
	{service: "caddy", mains: "/etc/caddy/Caddyfile", keys: "output", includes: "import", folder: "*", file: behind("file")},
	{service: "3proxy", format: "3proxy", mains: "/etc/3proxy/3proxy.cfg /etc/3proxy.cfg", keys: "log", includes: "include", file: firstOnly},
	{service: "odoo", format: "odoo", mains: "/etc/odoo/*.conf /etc/odoo.conf /etc/odoo-server.conf", equals: true, keys: "logfile"},
	{service: "monit", format: "monit", mains: "/etc/monit/monitrc /etc/monitrc /usr/local/etc/monitrc", keys: "set", includes: "include", folder: "*", file: behind("log", "logfile")},
	{
		service: "murmur", format: "murmur", mains: "/etc/mumble-server.ini /etc/mumble/mumble-server.ini /etc/murmur.ini /etc/murmur/murmur.ini", equals: true,
		keys: "logfile",
	},
	{service: "vaultwarden", format: "vaultwarden", mains: "/etc/vaultwarden.env /etc/vaultwarden/*.env /etc/default/vaultwarden /opt/vaultwarden/.env", equals: true, keys: "log_file"},
}

// behind returns a reader of values that say in their first word, one of some, what kind of place follows.
func behind(words ...string) func(string, string) []string {
	return func(_, value string) []string {
		first, rest := firstWord(value)
		if !slices.Contains(words, first) {
			return nil
		}
		rest, _ = firstWord(strings.TrimLeft(rest, "\""))
		return []string{strings.Trim(rest, "\"")}
	}
}

// firstOnly is the reader of values whose other words say how often the log turns.
func firstOnly(_, value string) []string {
	name, _ := firstWord(value)
	return []string{name}
}

// sambaFiles reads "log file", and the files of "log level = 1 auth_json_audit:3@/var/log/samba/audit.log" (smb.conf(5)). What stands for
// the name of a machine is known only when one comes.
func sambaFiles(key, value string) (names []string) {
	if key == "logfile" {
		return []string{machineStars(value)}
	}
	for one := range strings.FieldsSeq(value) {
		if _, name, ok := strings.Cut(one, "@"); ok {
			names = append(names, machineStars(name))
		}
	}
	return names
}

// machineStars puts a star for each variable of a name, "%m".
func machineStars(name string) string {
	if hasMeta(name) {
		return ""
	}
	return strftimePattern(name)
}

// findOwn adds the logs that daemons' configurations name.
func (s *scan) findOwn() {
	for i := range ownLogs {
		for _, main := range s.mains(ownLogs[i].mains) {
			r := ownReader{ownLog: &ownLogs[i], book: s.book()}
			r.read(main, 0, "")
		}
	}
	s.findPostgres()
	s.findAsterisk()
	s.findYAML()
	s.findXRDP()
	s.findNamed()
	s.findGitea()
	s.findApps()
}

// xrdpMain says where xrdp's sesman, which asks for passwords, logs (sesman.ini(5), "[Logging]").
const xrdpMain = "/etc/xrdp/sesman.ini"

// findXRDP adds its file where it does not say the same to syslog, as it does by default.
func (s *scan) findXRDP() {
	if !s.tree.exists(xrdpMain) {
		return
	}
	name, section, syslog, n := "", "", true, 0
	var at position
	s.book().with(xrdpMain, 0, "", func(text []byte) {
		for line := range bytes.Lines(text) {
			n++
			key, value, begins := iniLine(string(line))
			switch key = strings.ToLower(key); {
			case begins != "":
				section = strings.ToLower(begins)
			case section == "logging" && key == "logfile":
				name, at = value, position{xrdpMain, n}
			case section == "logging" && key == "enablesyslog":
				syslog = !slices.Contains([]string{"0", "false", "no"}, strings.ToLower(value))
			}
		}
	})
	if syslog || name == "" {
		return
	}
	if !strings.HasPrefix(name, "/") {
		name = path.Join("/var/log", name)
	}
	s.own(candidate{name: name, kind: Events, service: "xrdp", format: "xrdp"}, at)
}

// mains are the files that stand where a configuration may begin.
func (s *scan) mains(patterns string) (names []string) {
	for pattern := range strings.FieldsSeq(patterns) {
		if s.ctx.Err() != nil {
			return nil
		}
		some, more, err := s.tree.glob(pattern, s.lim.entries)
		if err != nil {
			s.problem(blame(err, pattern), why(err))
		}
		if more {
			s.problem(pattern, "too many matches: the rest is not looked at")
		}
		for _, name := range some {
			if _, info, err := s.tree.find(name); err == nil && info.Mode().IsRegular() {
				names = append(names, name)
			}
		}
	}
	return names
}

// ownReader reads the configuration of an ownLog.
type ownReader struct {
	*ownLog
	book    *book
	section string
}

func (r *ownReader) read(name string, depth int, from string) {
	r.book.with(name, depth, from, func(text []byte) {
		n := 0
		for line := range bytes.Lines(text) {
			n++
			if len(line) <= maxLine && r.book.scan.ctx.Err() == nil {
				r.line(strings.TrimSpace(string(line)), position{name, n}, depth)
			}
		}
	})
}

func (r *ownReader) line(line string, at position, depth int) {
	if line == "" || line[0] == '#' || line[0] == ';' {
		return
	}
	key, value := firstWord(line)
	if r.equals && (!holdsWord(r.includes, key) || strings.HasPrefix(value, "=")) {
		var section string
		if key, value, section = iniLine(line); section != "" {
			r.section = strings.ToLower(section)
			return
		}
	}
	key = strings.ToLower(strings.NewReplacer(" ", "", "\t", "").Replace(key))
	value = unquoted(value)
	switch {
	case value == "" || r.sections != "" && !holdsWord(r.sections, r.section):
	case holdsWord(r.includes, key):
		r.include(value, at, depth)
	case holdsWord(r.keys, key):
		names := []string{value}
		if r.file != nil {
			names = r.file(key, value)
		}
		for _, name := range names {
			c := candidate{name: name, service: r.service, format: r.format}
			if c.format != "" {
				c.kind = Events
			}
			if r.beside && name != "" && !strings.HasPrefix(name, "/") {
				c.name = path.Join(path.Dir(at.file), name)
			}
			r.book.scan.own(c, at)
		}
	}
}

// include reads the files that a line asks for. A name that holds what is known only when a client comes is left out.
func (r *ownReader) include(name string, at position, depth int) {
	s := r.book.scan
	if name = path.Clean(name); strings.ContainsAny(name, "%${}") {
		return
	}
	if !strings.HasPrefix(name, "/") {
		name = path.Join(path.Dir(at.file), name)
	}
	if _, info, err := s.tree.find(name); err == nil && info.IsDir() && r.folder != "" {
		name = path.Join(name, r.folder)
	}
	r.book.include(name, "/", at, depth, false, true, func(inner string) { r.read(inner, depth+1, at.String()) })
}

// unquoted takes a value out of its quotes.
func unquoted(value string) string {
	if len(value) > 1 && (value[0] == '"' || value[0] == '\'') {
		if end := strings.IndexByte(value[1:], value[0]); end >= 0 {
			return value[1 : end+1]
		}
	}
	return value
}

// own adds a log that a daemon's configuration names. Words ("syslog", "stdout") and devices are no files, and what holds a variable is not
// known.
func (s *scan) own(c candidate, at position) {
	if strings.ContainsAny(c.name, "${}%") || strings.Trim(c.name, "*/") == "" {
		return
	}
	c.name = path.Clean(c.name)
	if !strings.HasPrefix(c.name, "/") || strings.HasPrefix(c.name, "/dev/") || strings.HasPrefix(c.name, "/proc/") {
		return
	}
	c.glob, c.configured, c.from = hasMeta(c.name), true, c.service+" configuration "+at.String()
	s.found = append(s.found, c)
}

// sharedFile is one of the files that a daemon sorts its messages into, and a bit for each sort that goes to it, what tells most highest.
type sharedFile struct {
	candidate
	takes uint8
	at    position
}

// ownOnce adds such files. What is told twice would count twice: a file that shares a sort with one that tells more is its twin, whatever else it
// takes.
func (s *scan) ownOnce(files []sharedFile) {
	slices.SortStableFunc(files, func(a, b sharedFile) int { return int(b.takes) - int(a.takes) })
	var kept []sharedFile
	for _, f := range files {
		for _, k := range kept {
			if f.twin == "" && f.takes&k.takes != 0 {
				f.twin = k.name
			}
		}
		if f.twin == "" && !hasMeta(f.name) && s.tree.exists(f.name) {
			kept = append(kept, f)
		}
		s.own(f.candidate, f.at)
	}
}
