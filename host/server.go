package host

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/connwarden/connwarden"
)

// Server is a web server or PHP-FPM found on the machine.
type Server struct {
	Name        string   // "apache", "nginx", "php-fpm", "litespeed", "lighttpd", "iis"
	Version     string   // of Debian's package, or of PHP from the path; "" when unknown
	ConfigFiles []string // those read, in the order of reading, without the root; the first is the main one
	Evidence    string   // why we think so: "configuration /etc/nginx/nginx.conf; process 812"
	Running     bool     // a process of it was seen; false may also mean that processes are hidden
}

// Servers lists the servers found, by their configuration, their folders and their processes, by name.
func (h *Host) Servers() ([]Server, []connwarden.Problem) {
	s := h.scan(context.Background())
	s.readServers()
	return s.servers, s.done()
}

var (
	apacheMains = []string{
		"/etc/apache2/conf/httpd.conf", // cPanel
		"/etc/apache2/apache2.conf",    // Debian
		"/etc/httpd/conf/httpd.conf",   // RHEL, DirectAdmin
		"/usr/local/apache/conf/httpd.conf",
		"/usr/local/apache2/conf/httpd.conf", // built from source
		"/etc/apache2/httpd.conf",            // SUSE, Alpine, macOS
		"/usr/local/etc/apache24/httpd.conf", // FreeBSD
		"/www/server/apache/conf/httpd.conf", // aaPanel
		"/opt/bitnami/apache/conf/httpd.conf",
		"/opt/bitnami/apache2/conf/httpd.conf",
		"/opt/lampp/etc/httpd.conf", // XAMPP
	}
	nginxMains = []string{
		"/etc/nginx/nginx.conf",
		"/usr/local/nginx/conf/nginx.conf",
		"/usr/local/etc/nginx/nginx.conf", // FreeBSD
		"/opt/nginx/conf/nginx.conf",
		"/usr/local/openresty/nginx/conf/nginx.conf",
		"/www/server/nginx/conf/nginx.conf", // aaPanel
		"/opt/bitnami/nginx/conf/nginx.conf",
		"/etc/nginx-rc/nginx.conf", // RunCloud
		"/etc/angie/angie.conf",
	}
	fpmMains = []string{
		"/etc/php/*/fpm/php-fpm.conf", // Debian
		"/etc/php-fpm.conf",           // RHEL
		"/etc/php[5-9]*/php-fpm.conf", // Alpine
		"/opt/cpanel/ea-php*/root/etc/php-fpm.conf",
		"/opt/plesk/php/*/etc/php-fpm.conf",
		"/etc/opt/remi/php*/php-fpm.conf",
		"/opt/alt/php*/etc/php-fpm.conf",     // CloudLinux
		"/usr/local/php*/etc/php-fpm.conf",   // DirectAdmin
		"/usr/local/etc/php-fpm.conf",        // FreeBSD, Docker's image
		"/www/server/php/*/etc/php-fpm.conf", // aaPanel
		"/opt/bitnami/php/etc/php-fpm.conf",
	}
	liteSpeedMains = []string{"/usr/local/lsws/conf/httpd_config.conf", "/usr/local/lsws/conf/httpd_config.xml"}
	lighttpdMains  = []string{"/etc/lighttpd/lighttpd.conf", "/usr/local/etc/lighttpd/lighttpd.conf"}
	iisMains       = []string{"/Windows/System32/inetsrv/config/applicationHost.config"}
)

// readServers reads the configuration of every server there is.
func (s *scan) readServers() {
	s.readProcesses()
	s.readApaches()
	s.readNginxes()
	s.readFPMs()
	s.readINIs()
	s.readOthers()
	for _, service := range [...]string{"apache", "nginx", "php-fpm", "litespeed", "lighttpd"} {
		s.unconfigured(service)
	}
	s.versions()
	slices.SortStableFunc(s.servers, func(a, b Server) int { return strings.Compare(a.Name, b.Name) })
	sortPools(s.pools)
}

// begin lists where configurations of a service begin, each once: what runs first, then the usual places.
func (s *scan) begin(service string, usual []string) []master {
	all := s.running(service)
	for _, pattern := range usual {
		names, _, err := s.tree.glob(pattern, s.lim.entries)
		if err != nil {
			s.problem(blame(err, pattern), why(err))
		}
		for _, name := range names {
			all = append(all, master{file: name})
		}
	}
	seen := map[string]bool{}
	var out []master
	for _, m := range all {
		if m.file == "" {
			continue
		}
		at := m.file
		if place, _, err := s.tree.find(m.file); err == nil {
			at = place.at
		}
		if !seen[at] {
			seen[at] = true
			out = append(out, m)
		}
	}
	return out
}

func (s *scan) readApaches() {
	var idle map[string]string // of a master that names no file: it reads a usual one
	for _, p := range s.masters("apache") {
		if p.flag('f') == "" {
			idle = s.environ(p.pid)
		}
	}
	for _, m := range s.begin("apache", apacheMains) {
		env := map[string]string{}
		if text, _, err := s.tree.read(path.Join(path.Dir(m.file), "envvars"), 1<<20); err == nil {
			env = envvars(text)
		}
		running := idle
		if m.process.pid != 0 {
			running = s.environ(m.process.pid)
		}
		for name, value := range running {
			env[name] = value
		}
		a := s.readApache(m.file, m.root, env)
		s.server("apache", a.book.files, &m.process)
	}
}

func (s *scan) readNginxes() {
	for _, m := range s.begin("nginx", nginxMains) {
		n := s.readNginx(m.file, m.root)
		s.server("nginx", n.book.files, &m.process)
	}
}

func (s *scan) readFPMs() {
	for _, m := range s.begin("php-fpm", fpmMains) {
		f := s.readFPM(m.file, m.root)
		s.server("php-fpm", f.book.files, &m.process)
	}
	sortPools(s.pools)
}

// readOthers reads the servers whose configuration begins in one fixed place.
func (s *scan) readOthers() {
	for _, file := range iisMains {
		if s.tree.exists(file) {
			s.readIIS(file)
			s.server("iis", []string{file}, nil)
		}
	}
	for _, file := range lighttpdMains {
		if s.tree.exists(file) {
			s.server("lighttpd", s.readLighttpd(file).book.files, nil)
		}
	}
	for _, file := range liteSpeedMains {
		if s.tree.exists(file) {
			s.server("litespeed", s.readLiteSpeed(file).book.files, nil)
			break // the first is the one in use where both are there
		}
	}
}

func (s *scan) server(name string, files []string, p *process) {
	v := Server{Name: name, ConfigFiles: files}
	if len(files) > 0 {
		v.Evidence = "configuration " + files[0]
		if name == "php-fpm" {
			v.Version = phpVersion(files[0])
		}
	}
	if p == nil || p.pid == 0 {
		p = nil
		// A server that names no file on its command line reads the usual one.
		for _, m := range s.running(name) {
			if m.file == "" {
				p = &m.process
			}
		}
	}
	if p != nil {
		v.Running = true
		v.Evidence = strings.TrimPrefix(fmt.Sprintf("%s; process %d", v.Evidence, p.pid), "; ")
	}
	if v.Evidence != "" {
		s.servers = append(s.servers, v)
	}
}

// unconfigured adds a server that runs without any configuration having been found.
func (s *scan) unconfigured(service string) {
	for _, v := range s.servers {
		if v.Name == service {
			return
		}
	}
	for _, p := range s.masters(service) {
		s.server(service, nil, &p)
		s.problem(service, fmt.Sprintf("runs (process %d), but its configuration was not found", p.pid))
		return
	}
}

// maxStatus bounds dpkg's list: a large desktop's is 5 MB.
const maxStatus = 32 << 20

// versions takes versions of packages from dpkg's list (deb-version of dpkg's status file).
func (s *scan) versions() {
	wanted := map[string]string{"apache2": "apache", "nginx": "nginx", "lighttpd": "lighttpd"}
	if !slices.ContainsFunc(s.servers, func(v Server) bool { return v.Version == "" }) {
		return
	}
	text, _, err := s.tree.read("/var/lib/dpkg/status", maxStatus)
	if err != nil {
		return
	}
	for name, service := range wanted {
		_, after, ok := bytes.Cut(text, []byte("\nPackage: "+name+"\n"))
		if !ok {
			continue
		}
		paragraph, _, _ := bytes.Cut(after, []byte("\n\n"))
		_, version, ok := bytes.Cut(paragraph, []byte("\nVersion: "))
		if !ok || !bytes.Contains(paragraph, []byte("Status: install ok installed")) {
			continue
		}
		version, _, _ = bytes.Cut(version, []byte{'\n'})
		for i := range s.servers {
			if v := &s.servers[i]; v.Name == service && v.Version == "" {
				v.Version = string(version)
			}
		}
	}
}
