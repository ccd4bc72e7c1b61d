package host

import (
	"context"
	"path"
	"slices"
	"strings"
)

// Setting is a limit in the configuration of a server or of the kernel, and where it stands.
type Setting struct {
	Service string // "apache", "nginx", "php", "mysql", "kernel"
	Name    string // as it is written there: "MaxRequestWorkers", "net.core.somaxconn"
	Value   string // what the files say, of the kernel what is in force; the default when Line is 0, "" when that is not known
	File    string // where it stands, without the root, or, when Line is 0, where to write it
	Line    int
	About   string // Apache's MPM ("event"), PHP's version and kind ("8.2 fpm") or the pool ("pool www"); "" otherwise
}

// Settings lists the limits that a busy server meets, of every server found. Of a setting that stands in several places
// the one in force is listed; PHP has one for each of its versions, kinds and pools.
func (h *Host) Settings() []Setting {
	s := h.scan(context.Background())
	s.readProcesses()
	s.readApaches()
	s.readNginxes()
	s.readFPMs()
	s.readINIs()
	s.mysqlSettings()
	s.kernelSettings()
	return s.settings
}

// setting adds one, unless the configuration that it stands in was read before: panels link them.
func (s *scan) setting(v Setting) {
	if !slices.Contains(s.settings, v) && len(s.settings) < s.lim.logs {
		s.settings = append(s.settings, v)
	}
}

// apacheLimit is a limit as it stands in a section for one MPM, "" for all of them.
type apacheLimit struct {
	name, value, module string
	at                  position
}

// The limits of Apache's MPMs (the manual's mpm_common; server/mpm/*/ for the defaults). MaxClients is the old name of
// MaxRequestWorkers.
var apacheLimits = map[string]map[string]string{
	"MaxRequestWorkers": {"prefork": "256", "worker": "400", "event": "400"},
	"ServerLimit":       {"prefork": "256", "worker": "16", "event": "16"},
	"ThreadsPerChild":   {"worker": "25", "event": "25"},
}

var apacheLimitName = map[string]string{
	"maxrequestworkers": "MaxRequestWorkers", "maxclients": "MaxRequestWorkers", "serverlimit": "ServerLimit", "threadsperchild": "ThreadsPerChild",
}

// mpmOf takes the MPM out of a module's name: "mpm_event_module", "mpm_prefork.c", "worker.c".
func mpmOf(module string) string {
	module = strings.TrimPrefix(strings.TrimSuffix(strings.TrimSuffix(module, ".c"), "_module"), "mpm_")
	switch module {
	case "prefork", "worker", "event":
		return module
	}
	return ""
}

// settings adds what is in force under the MPM that is loaded. Without one being known (it may be compiled in) what
// stands for all of them counts.
func (a *apache) settings(main string) {
	for _, name := range sortedKeys(apacheLimits) {
		v := Setting{Service: "apache", Name: name, Value: apacheLimits[name][a.mpm], File: main, About: a.mpm}
		for _, l := range a.limits {
			if l.name == name && (l.module == "" || l.module == a.mpm) {
				v.Value, v.File, v.Line = l.value, l.at.file, l.at.line
			}
		}
		if v.Value != "" {
			a.book.scan.setting(v)
		}
	}
}

// nginxLimits are those of nginx with their defaults (ngx_core_module). Open files are bounded by the unit's limit unless said.
var nginxLimits = map[string]string{"worker_connections": "512", "worker_rlimit_nofile": ""}

func (n *nginx) settings(main string) {
	for _, name := range sortedKeys(nginxLimits) {
		v := Setting{Service: "nginx", Name: name, Value: nginxLimits[name], File: main}
		if o, ok := n.limits[name]; ok {
			v.Value, v.File, v.Line = o.value, o.at.file, o.at.line
		}
		n.book.scan.setting(v)
	}
}

// phpLimits are those of PHP with their defaults (the manual's "List of php.ini directives").
var phpLimits = map[string]string{
	"memory_limit": "128M", "upload_max_filesize": "2M", "post_max_size": "8M", "max_execution_time": "30", "max_input_vars": "1000",
}

func (s *scan) phpSettings(ini string, set map[string]option) {
	for _, name := range sortedKeys(phpLimits) {
		v := Setting{Service: "php", Name: name, Value: phpLimits[name], File: ini, About: phpKind(ini)}
		if o, ok := set[name]; ok {
			v.Value, v.File, v.Line = o.value, o.at.file, o.at.line
		}
		s.setting(v)
	}
}

// phpKind tells version and kind of the PHP that reads a php.ini: "8.2 fpm", "8.2 apache2", "8.2".
func phpKind(ini string) string {
	kind := path.Base(path.Dir(ini))
	if kind != "fpm" && kind != "apache2" {
		kind = ""
	}
	return strings.TrimSpace(phpVersion(ini) + " " + kind)
}

// poolSetting takes a limit out of "php_admin_value[memory_limit]" of a pool.
func (p *fpmPool) poolSetting(key, value string, at position, s *scan) {
	for _, begin := range [...]string{"php_admin_value[", "php_value["} {
		if name, ok := strings.CutPrefix(strings.TrimSuffix(key, "]"), begin); ok && phpLimits[name] != "" {
			s.setting(Setting{Service: "php", Name: name, Value: value, File: at.file, Line: at.line, About: "pool " + p.Name})
		}
	}
}

// mysqlLimits are those of MySQL and MariaDB with the defaults that both have.
var mysqlLimits = map[string]string{"max_connections": "151", "innodb_buffer_pool_size": "128M"}

func (s *scan) mysqlSettings() {
	m := s.readMySQL()
	if len(m.book.files) == 0 {
		return
	}
	for _, name := range sortedKeys(mysqlLimits) {
		v := Setting{Service: "mysql", Name: name, Value: mysqlLimits[name], File: m.book.files[0]}
		if o, ok := m.options[name]; ok {
			v.Value, v.File, v.Line = o.value, o.at.file, o.at.line
		}
		s.setting(v)
	}
}

// kernelLimits are those of the network (the kernel's ip-sysctl and nf_conntrack-sysctl) and of open files.
var kernelLimits = []string{"fs.file-max", "net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.netfilter.nf_conntrack_max"}

// ownSysctl is where an administrator's own settings are read last but for /etc/sysctl.conf (sysctl.d(5)).
const ownSysctl = "/etc/sysctl.d/99-local.conf"

func (s *scan) kernelSettings() {
	set := s.readSysctl()
	for _, name := range kernelLimits {
		text, _, err := s.tree.read("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), 4096)
		if err != nil {
			continue
		}
		v := Setting{Service: "kernel", Name: name, Value: firstField(text), File: ownSysctl}
		if o, ok := set[name]; ok {
			v.File, v.Line = o.at.file, o.at.line
		}
		s.setting(v)
	}
}

// readSysctl reads what is set at the start: of files with one name the first folder's counts, and of settings the last
// in the order of names, then /etc/sysctl.conf (sysctl(8) of procps, "--system").
func (s *scan) readSysctl() map[string]option {
	byName := map[string]string{}
	for _, dir := range [...]string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"} {
		names, _, _ := s.tree.glob(dir+"/*.conf", s.lim.entries)
		for _, name := range names {
			if base := path.Base(name); byName[base] == "" {
				byName[base] = name
			}
		}
	}
	var files []string
	for _, base := range sortedKeys(byName) {
		files = append(files, byName[base])
	}
	if s.tree.exists("/etc/sysctl.conf") {
		files = append(files, "/etc/sysctl.conf")
	}
	set, b := map[string]option{}, s.book()
	for _, file := range files {
		b.lines(file, 0, "", func(line string, at position) {
			key, value, ok := strings.Cut(line, "=")
			key = strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(key), "-"), "/", ".")
			if ok && slices.Contains(kernelLimits, key) {
				set[key] = option{strings.TrimSpace(value), at}
			}
		})
	}
	return set
}
