package host

import (
	"io/fs"
	"path"
	"strings"
)

// place is where a distribution, a panel or a server puts its logs when nobody says otherwise.
type place struct {
	pattern string
	kind    Kind
	service string
	whose   string
	site    bool // what the first star stands for is the site
}

// Sources: the packages' own defaults (Debian, RHEL, nginx.org, php-fpm), and the panels' documentation: Plesk "Log
// files", DirectAdmin "Log files location", ISPConfig's perfect-server guides, LiteSpeed's "Logs".
var places = []place{
	{"/var/www/vhosts/system/*/logs/proxy_access_log", Access, "nginx", "Plesk", true},
	{"/var/www/vhosts/system/*/logs/proxy_access_ssl_log", Access, "nginx", "Plesk", true},
	{"/var/www/vhosts/system/*/logs/proxy_error_log", Error, "nginx", "Plesk", true},
	{"/var/www/vhosts/system/*/logs/access_log", Access, "apache", "Plesk", true},
	{"/var/www/vhosts/system/*/logs/access_ssl_log", Access, "apache", "Plesk", true},
	{"/var/www/vhosts/system/*/logs/error_log", Error, "apache", "Plesk", true},
	{"/var/log/plesk/httpsd_access_log", Access, "plesk", "Plesk", false},

	{"/var/log/httpd/domains/*.error.log", Error, "apache", "DirectAdmin", true},
	{"/var/log/httpd/domains/*.log", Access, "apache", "DirectAdmin", true},
	{"/var/log/nginx/domains/*.error.log", Error, "nginx", "DirectAdmin", true},
	{"/var/log/nginx/domains/*.log", Access, "nginx", "DirectAdmin", true},

	{"/var/log/ispconfig/httpd/*/access.log", Access, "apache", "ISPConfig", true},
	{"/var/log/ispconfig/httpd/*/error.log", Error, "apache", "ISPConfig", true},

	{"/usr/local/cpanel/logs/access_log", Access, "cpanel", "cPanel", false},
	{"/usr/local/cpanel/logs/error_log", Error, "cpanel", "cPanel", false},
	{"/usr/local/apache/logs/error_log", Error, "apache", "cPanel", false},
	{"/usr/local/apache/logs/suexec_log", Error, "apache", "cPanel", false},
	{"/usr/local/apache/logs/access_log", Access, "apache", "cPanel", false},

	{"/var/log/apache2/*error*", Error, "apache", "Debian", false},
	{"/var/log/apache2/suexec.log", Error, "apache", "Debian", false},
	{"/var/log/apache2/*access*", Access, "apache", "Debian", false},
	{"/var/log/httpd/*error*", Error, "apache", "RHEL", false},
	{"/var/log/httpd/suexec.log", Error, "apache", "RHEL", false},
	{"/var/log/httpd/*access*", Access, "apache", "RHEL", false},
	{"/usr/local/apache2/logs/error_log", Error, "apache", "Apache", false},
	{"/usr/local/apache2/logs/access_log", Access, "apache", "Apache", false},
	{"/var/log/httpd-error.log", Error, "apache", "FreeBSD", false},
	{"/var/log/httpd-access.log", Access, "apache", "FreeBSD", false},

	{"/var/log/nginx/*error*", Error, "nginx", "nginx", false},
	{"/var/log/nginx/*access*", Access, "nginx", "nginx", false},
	{"/usr/local/nginx/logs/error.log", Error, "nginx", "nginx", false},
	{"/usr/local/nginx/logs/access.log", Access, "nginx", "nginx", false},

	{"/usr/local/lsws/logs/*error.log", Error, "litespeed", "LiteSpeed", false},
	{"/usr/local/lsws/logs/stderr.log", Error, "php", "LiteSpeed", false},
	{"/usr/local/lsws/logs/*access.log", Access, "litespeed", "LiteSpeed", false},
	{"/usr/local/lsws/*/logs/error.log", Error, "litespeed", "LiteSpeed", false},
	{"/usr/local/lsws/*/logs/access.log", Access, "litespeed", "LiteSpeed", false},

	{"/var/log/caddy/*.log", Access, "caddy", "Caddy", false},
	{"/var/log/haproxy*.log", Access, "haproxy", "HAProxy", false},
	{"/var/webmin/miniserv.log", Access, "webmin", "Webmin", false},
	{"/var/webmin/miniserv.error", Error, "webmin", "Webmin", false},
	{"/var/usermin/miniserv.log", Access, "webmin", "Usermin", false},
	{"/var/usermin/miniserv.error", Error, "webmin", "Usermin", false},

	{"/var/log/traefik/*access*.log", Access, "traefik", "Traefik", false},
	{"/var/log/gitlab/nginx/*error.log", Error, "nginx", "GitLab", false},
	{"/var/log/gitlab/nginx/*access.log", Access, "nginx", "GitLab", false},
	{"/opt/zimbra/log/nginx.log", Error, "nginx", "Zimbra", false},
	{"/opt/zimbra/log/nginx.access.log", Access, "nginx", "Zimbra", false},
	{"/var/log/grafana/grafana.log", Access, "grafana", "Grafana", false},

	{"/var/log/lighttpd/error.log", Error, "lighttpd", "lighttpd", false},
	{"/var/log/lighttpd/access.log", Access, "lighttpd", "lighttpd", false},

	{"/var/log/php*-fpm.log", Error, "php-fpm", "Debian", false},
	{"/var/log/plesk-php*-fpm.log", Error, "php-fpm", "Plesk", false},
	{"/var/log/php-fpm/error.log", Error, "php-fpm", "RHEL", false},
	{"/var/log/php-fpm/*-error.log", Error, "php", "RHEL", false},
	{"/var/log/php-fpm/*-slow.log", Slow, "php-fpm", "RHEL", false},
	{"/var/opt/remi/php*/log/php-fpm/error.log", Error, "php-fpm", "Remi's packages", false},
	{"/var/opt/remi/php*/log/php-fpm/*-error.log", Error, "php", "Remi's packages", false},
	{"/var/opt/remi/php*/log/php-fpm/*-slow.log", Slow, "php-fpm", "Remi's packages", false},
	{"/opt/cpanel/ea-php*/root/usr/var/log/php-fpm/error.log", Error, "php-fpm", "cPanel", false},
	{"/opt/cpanel/ea-php*/root/usr/var/log/php-fpm/*slow.log", Slow, "php-fpm", "cPanel", false},
	{"/opt/cpanel/ea-php*/root/usr/var/log/php-fpm/*.slow", Slow, "php-fpm", "cPanel", false},
}

// phpINIs are the php.ini files of the kinds of PHP that serve pages.
var phpINIs = []string{
	"/etc/php/*/fpm/php.ini", "/etc/php/*/apache2/php.ini", "/etc/php.ini", "/opt/cpanel/ea-php*/root/etc/php.ini",
	"/opt/plesk/php/*/etc/php.ini", "/etc/opt/remi/php*/php.ini", "/usr/local/php*/lib/php.ini",
}

// usualPlaces adds what stands where servers and panels usually put it. A folder that is named twice, by a panel and
// by a distribution, is named by the panel first, since that knows the sites.
func (s *scan) usualPlaces() {
	s.domlogs("/usr/local/apache/domlogs", "/etc/apache2/logs/domlogs")
	s.findIIS()
	for _, p := range places {
		s.usual(p.pattern, p.site, candidate{kind: p.kind, service: p.service, from: "usual place of " + p.whose})
	}
	s.readSyslog() // before the daemons' own places: what syslog writes there has its form
	s.turning()
	s.findExim()
	s.findMySQL()
	s.scriptLogs()
	s.findOwn()
	for _, p := range eventPlaces {
		s.usual(p.pattern, false, candidate{kind: Events, service: p.service, format: p.format, from: "usual place of " + p.whose})
	}
}

// usual adds what stands in one usual place; site tells that what the pattern's first star stands for is the site.
func (s *scan) usual(pattern string, site bool, c candidate) {
	if s.ctx.Err() != nil {
		return
	}
	names, more, err := s.tree.glob(pattern, s.lim.entries)
	if err != nil {
		s.problem(blame(err, pattern), why(err))
	}
	if more {
		s.problem(pattern, "too many matches: the rest is not looked at")
	}
	for _, name := range names {
		if gone(pattern, name) || skipped(name) {
			continue
		}
		c.name = name
		switch {
		case site:
			c.site = starred(pattern, name)
		case c.service == "apache" || c.service == "nginx":
			c.site = nameSite(name)
		}
		s.found = append(s.found, c)
	}
}

// domlogs takes in cPanel's logs of sites: DOMAIN and DOMAIN-ssl_log, and below folders of accounts the same files
// under second names. The folders are usually one, which is read once: a large host has tens of thousands of names.
func (s *scan) domlogs(dirs ...string) {
	seen := map[string]bool{}
	for _, dir := range dirs {
		place, _, err := s.tree.find(dir)
		if err == nil && seen[place.at] {
			continue
		}
		seen[place.at] = true
		s.domlogFolder(dir, true)
	}
}

func (s *scan) domlogFolder(dir string, accounts bool) {
	entries, more, err := s.tree.list(dir, s.lim.entries)
	if err != nil {
		if w := why(err); w != "not there" {
			s.problem(dir, w)
		}
		return
	}
	if more {
		s.problem(dir, "too many files: the rest is not looked at")
	}
	var folders []string
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		isFolder := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			_, info, err := s.tree.find(name)
			isFolder = err == nil && info.IsDir()
		}
		switch {
		case isFolder:
			if accounts {
				folders = append(folders, name)
			}
		case !rotated(name) && !skipped(name):
			s.found = append(s.found, candidate{
				name: name, kind: Access, service: "apache", site: domlogSite(e.Name()), from: "usual place of cPanel",
			})
		}
	}
	for _, name := range folders {
		s.domlogFolder(name, false)
	}
}

// domlogSite takes the domain out of a name in domlogs. The logs of cPanel's own service names
// (proxy-subdomains-vhost.localhost: cpanel.DOMAIN, webmail.DOMAIN, …) are of many sites.
func domlogSite(name string) string {
	name = strings.TrimSuffix(name, "-ssl_log")
	if strings.HasPrefix(name, "proxy-subdomains") || !isDomain(name) {
		return ""
	}
	return strings.ToLower(name)
}

// skipped tells whether a name is never a log of requests or faults: counts of bytes, FTP, and offsets kept by
// panels' statistics.
func skipped(name string) bool {
	name = name[strings.LastIndexByte(name, '/')+1:]
	return strings.HasSuffix(name, "bytes_log") || strings.HasSuffix(name, ".bytes") ||
		strings.HasPrefix(name, "ftpxferlog") || strings.Contains(name, "-ftp_log") ||
		strings.Contains(name, ".offset") || strings.Contains(name, ".bkup")
}

// nameSite takes a domain out of a log's name: example.com-access.log, access_example.com.log, example.com_ssl_error_log.
// What is no domain gives nothing.
func nameSite(name string) string {
	name = strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	name = strings.TrimSuffix(name, ".log")
	for {
		was := name
		for _, word := range [...]string{"log", "ssl", "access", "error"} {
			for _, sep := range [...]string{".", "_", "-"} {
				name = strings.TrimSuffix(name, sep+word)
				name = strings.TrimPrefix(name, word+sep)
			}
		}
		if name == was {
			break
		}
	}
	if !isDomain(name) {
		return ""
	}
	return name
}

// isDomain tells whether a name looks like a site's: labels of letters, digits and hyphens, at least two, the last
// with a letter.
func isDomain(name string) bool {
	if len(name) > 253 || !strings.Contains(name, ".") {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; c != '-' && (!wordByte(c) || c == '_' && i > 0) {
				return false
			}
		}
		last = label
	}
	return !digits(last)
}
