package lab

import (
	"embed"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// machine holds the configuration and the pages of the servers, laid out as on a Debian machine. In names and texts
// PHPVERSION stands for the version that is installed.
//
//go:embed all:machine
var machine embed.FS

// put copies a part of the embedded tree to the machine.
func (l *Lab) put(dir string, replace ...string) {
	l.t.Helper()
	r := strings.NewReplacer(replace...)
	l.check(fs.WalkDir(machine, path.Join("machine", dir), func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := machine.ReadFile(name)
		l.Write(r.Replace(strings.TrimPrefix(name, "machine/")), r.Replace(string(text)))
		return err
	}))
}

// enable links the sites of a server into the folder that it reads, as Debian does: Apache's links are relative,
// nginx's begin at the root, which is not the host's.
func (l *Lab) enable(server, up string) {
	l.t.Helper()
	dir := filepath.Join(l.Root, "etc", server)
	sites, err := os.ReadDir(filepath.Join(dir, "sites-available"))
	l.check(err)
	l.check(os.MkdirAll(filepath.Join(dir, "sites-enabled"), 0o755))
	for _, s := range sites {
		l.check(os.Symlink(up+"/sites-available/"+s.Name(), filepath.Join(dir, "sites-enabled", s.Name())))
	}
}

// need returns the one program of the machine that the pattern fits, or skips the test.
func (l *Lab) need(pattern, packages string) string {
	l.t.Helper()
	for _, root := range []string{unpacked, "/"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		l.check(err)
		if len(found) != 0 {
			return "/" + strings.TrimPrefix(strings.TrimPrefix(found[len(found)-1], root), "/")
		}
	}
	l.t.Skipf("needs %s (Debian's package %s)", pattern, packages)
	return ""
}

// Apache starts Apache 2.4 with the given process model ("event" or "prefork") on port 80, with the sites
// blog.example.com, whose logs are its own, shop.example.com, which logs where Debian puts other sites, and members.example.com, where /basic and
// /digest want [Password]. It
// serves ten requests at once and no more. PHP goes to the pools of [Lab.PHP].
func (l *Lab) Apache(model string) {
	l.t.Helper()
	program := l.need("/usr/sbin/apache2", "apache2-bin")
	l.put("etc/apache2", "MPMODEL", model)
	l.put("etc/members")
	l.enable("apache2", "..")
	l.put("var/www")
	l.check(os.MkdirAll(filepath.Join(l.Root, "run/apache2"), 0o755))
	// What Debian's envvars exports when apache2ctl reads it.
	env := []string{
		"APACHE_RUN_USER=www-data", "APACHE_RUN_GROUP=www-data", "APACHE_PID_FILE=/run/apache2/apache2.pid",
		"APACHE_RUN_DIR=/run/apache2", "APACHE_LOCK_DIR=/run/apache2", "APACHE_LOG_DIR=/var/log/apache2",
	}
	l.start("run/apache2/apache2.pid", program, env, "-f", "/etc/apache2/apache2.conf", "-DFOREGROUND")
}

// PHP starts PHP-FPM with two pools: www (dynamic, five children, slow after a second) and shop (on demand, two
// children, errors in a log of its own). It returns the version, which is part of Debian's paths.
func (l *Lab) PHP() (version string) {
	l.t.Helper()
	program := l.need("/usr/sbin/php-fpm[0-9]*", "php-fpm")
	version = strings.TrimPrefix(filepath.Base(program), "php-fpm")
	l.put("etc/php", "PHPVERSION", version)
	l.put("var/www")
	dir := "/etc/php/" + version + "/fpm/"
	l.start("run/php/php"+version+"-fpm.pid", program, nil,
		"--nodaemonize", "--fpm-config", dir+"php-fpm.conf", "-c", dir+"php.ini")
	return version
}

// Nginx starts nginx on port 8080 with the site api.example.com: pages from files, /app/ passed on to a port where
// nobody listens, /search with a limit of one request a second, /private denied, /members for who knows [Password].
func (l *Lab) Nginx() {
	l.t.Helper()
	program := l.need("/usr/sbin/nginx", "nginx")
	l.put("etc/nginx")
	l.put("etc/members")
	l.enable("nginx", "/etc/nginx")
	l.put("var/www")
	l.start("run/nginx.pid", program, nil, "-g", "daemon off;")
}

// Gate closes or opens the page hold.php of both sites: while it is closed, every request for it waits. It is closed by
// a lock that the page asks for, too. Each request that has come as far writes a line to tmp/waiting.
type Gate struct {
	l    *Lab
	file *os.File
}

// Close makes a closed gate. Open it, or the test's end will.
func (l *Lab) Close() *Gate {
	l.t.Helper()
	name := filepath.Join(l.Root, "tmp/gate")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o666)
	l.check(err)
	l.check(os.Chmod(name, 0o666)) // whatever the umask says: the page runs as www-data
	l.check(syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	l.t.Cleanup(func() { f.Close() })
	return &Gate{l, f}
}

// Open lets every waiting request go on.
func (g *Gate) Open() {
	g.l.t.Helper()
	g.l.check(g.file.Close())
}
