package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden/lab"
)

// machine holds the configuration of the servers, laid out as on a Debian machine. PHPVERSION stands for the version that
// is installed.
//
//go:embed all:machine
var machine embed.FS

// Addresses of the range. Attackers and customers come from the range for benchmarks (RFC 2544) and those for documentation,
// crawlers from where they really come from: nothing of it leaves the namespaces.
var (
	server4 = netip.MustParseAddr(lab.Addr4)
	server6 = netip.MustParseAddr(lab.Addr6)
	names   = netip.MustParseAddr("192.0.2.53") // the name server
	cdn     = netip.MustParseAddr("198.19.80.1")
	cdn6    = netip.MustParseAddr("2001:db8:50::1")

	attackers4 = netip.MustParsePrefix("198.18.0.0/17")
	customers4 = netip.MustParsePrefix("198.18.128.0/17")
	nowhere    = netip.MustParsePrefix("100.64.0.0/10") // nobody answers there
	googlebot  = netip.MustParseAddr("66.249.66.1")     // in a range that Google publishes
	slurp      = netip.MustParseAddr("203.0.113.40")    // its name leads back
	impostor   = netip.MustParseAddr("203.0.113.66")    // its name does not
)

// ground is the machine, the world around it, and connwarden on the machine.
type ground struct {
	t     testing.TB
	lab   *lab.Lab
	cdn   *lab.Far
	watch *watcher
	set   settings
	rng   *rand.Rand
	ready time.Time // when connwarden began to watch

	used4, used6, usedCustomers int // addresses given out
}

func build(t testing.TB, set settings) *ground {
	g := &ground{t: t, set: set, rng: rand.New(rand.NewPCG(set.seed, 7))}
	g.lab = lab.New(t)
	apache := g.lab.Need("/usr/sbin/apache2", "apache2-bin")
	fpm := g.lab.Need("/usr/sbin/php-fpm[0-9]*", "php-fpm")
	nginx := g.lab.Need("/usr/sbin/nginx", "nginx")
	maria := g.lab.Need("/usr/sbin/mariadbd", "mariadb-server")
	g.lab.Need("/usr/share/wordpress/wp-login.php", "wordpress")
	g.lab.Need("/usr/lib/php/2*/mysqli.so", "php-mysql")
	g.lab.Need("/usr/lib/php/2*/xml.so", "php-xml")
	dnsmasq := g.lab.Need("/usr/sbin/dnsmasq", "dnsmasq-base")
	version := strings.TrimPrefix(filepath.Base(fpm), "php-fpm")
	program := g.program()
	g.put("PHPVERSION", version)

	for _, p := range []netip.Prefix{attackers4, customers4, single(googlebot)} {
		g.lab.Route(p)
	}
	g.lab.Lose(nowhere)
	g.lab.Have(netip.PrefixFrom(names, 24))
	g.lab.Setting("core/somaxconn", "4096")
	g.lab.Setting("ipv4/tcp_max_syn_backlog", "512")
	g.dns(dnsmasq)
	g.cdn = g.lab.Far("cdn0", cdn, cdn6)

	g.mariadb(maria)
	php := "/etc/php/" + version + "/fpm/"
	g.lab.Daemon("run/php/php"+version+"-fpm.pid", fpm, nil, "--nodaemonize", "--fpm-config", php+"php-fpm.conf", "-c", php+"php.ini")
	if r := g.lab.Run(nil, "/usr/bin/php"+version, "-n", "-c", php+"php.ini", "/opt/install.php"); !strings.Contains(r.Stdout, "installed") {
		t.Fatalf("install WordPress: %s%s", r.Stdout, r.Stderr)
	}
	g.mkdir("run/apache2", 0o755)
	// The same WordPress, in a folder that may have access rules of its own.
	g.mkdir("var/www/club", 0o755)
	files, err := os.ReadDir("/usr/share/wordpress")
	g.check(err)
	for _, f := range files {
		if strings.HasPrefix(f.Name(), ".") {
			continue // its access rules are its own
		}
		g.check(os.Symlink("/usr/share/wordpress/"+f.Name(), filepath.Join(g.lab.Root, "var/www/club", f.Name())))
	}
	g.lab.Daemon("run/apache2/apache2.pid", apache, []string{
		"APACHE_RUN_USER=www-data", "APACHE_RUN_GROUP=www-data", "APACHE_PID_FILE=/run/apache2/apache2.pid",
		"APACHE_RUN_DIR=/run/apache2", "APACHE_LOCK_DIR=/run/apache2", "APACHE_LOG_DIR=/var/log/apache2",
	}, "-f", "/etc/apache2/apache2.conf", "-DFOREGROUND")
	g.lab.Daemon("run/nginx.pid", nginx, nil, "-g", "daemon off;")
	g.proxy(nginx)
	g.lab.Syslog()
	g.lab.Dovecot()
	g.logins()
	g.mail()
	g.watch = g.start(program)
	g.ready = time.Now()
	return g
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// program builds connwarden into the machine.
func (g *ground) program() string {
	const name = "/opt/connwarden"
	cmd := exec.CommandContext(g.t.Context(), "go", "build", "-o", filepath.Join(g.lab.Root, name), "github.com/connwarden/connwarden/cmd/connwarden")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		g.t.Fatalf("build connwarden: %v\n%s", err, out)
	}
	return name
}

// put copies the embedded tree to the machine.
func (g *ground) put(replace ...string) {
	r := strings.NewReplacer(replace...)
	g.check(fs.WalkDir(machine, "machine", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := machine.ReadFile(name)
		g.lab.Write(r.Replace(strings.TrimPrefix(name, "machine/")), r.Replace(string(text)))
		return err
	}))
}

func (g *ground) mkdir(name string, mode os.FileMode) {
	dir := filepath.Join(g.lab.Root, name)
	g.check(errors.Join(os.MkdirAll(dir, mode), os.Chmod(dir, mode)))
}

func (g *ground) check(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// mariadb makes an empty database and starts the server, which speaks on a socket alone.
func (g *ground) mariadb(program string) {
	g.mkdir("var/lib/mysql", 0o755)
	g.mkdir("run/mysqld", 0o777)
	g.mkdir("var/log/mysql", 0o777)
	common := []string{"--no-defaults", "--user=mysql", "--datadir=/var/lib/mysql", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M"}
	r := g.lab.Run(nil, "/usr/bin/mariadb-install-db", append(common, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", "--force")...)
	if r.Code != 0 {
		g.t.Fatalf("mariadb-install-db: %s%s", r.Stdout, r.Stderr)
	}
	g.lab.Write("etc/mysql/first.sql", "CREATE DATABASE wordpress;\n")
	g.lab.Daemon("run/mysqld/mysqld.pid", program, nil, append(common, "--socket=/run/mysqld/mysqld.sock", "--pid-file=/run/mysqld/mysqld.pid",
		"--skip-networking", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--log-error=/var/log/mysql/error.log", "--init-file=/etc/mysql/first.sql")...)
}

// dns starts the name server of the world: it knows the names of crawlers, and nothing else.
func (g *ground) dns(program string) {
	g.mkdir("opt/dns", 0o755)
	dir := filepath.Join(g.lab.Root, "opt/dns")
	lines := []string{
		"port=53", "listen-address=" + names.String(), "bind-interfaces", "no-resolv", "no-hosts", "keep-in-foreground", "log-facility=" + filepath.Join(dir, "log"), "user=root", "pid-file=" + filepath.Join(dir, "pid"), "local-ttl=60",
		"local=/#/", // what is not here does not exist
		ptr(slurp, "crawl-1.crawl.yahoo.net"), "address=/crawl-1.crawl.yahoo.net/" + slurp.String(),
		ptr(impostor, "crawl-9.crawl.yahoo.net"), "address=/crawl-9.crawl.yahoo.net/" + slurp.String(), // whoever owns a reverse zone writes what he likes
		ptr(googlebot, "crawl-66-249-66-1.googlebot.com"), "address=/crawl-66-249-66-1.googlebot.com/" + googlebot.String(),
		"address=/blog.example.com/" + server4.String(), "address=/club.example.org/" + server4.String(),
	}
	for _, a := range g.listed() {
		b := a.As4()
		lines = append(lines, fmt.Sprintf("address=/%d.%d.%d.%d.bl.example/127.0.0.2", b[3], b[2], b[1], b[0]))
	}
	conf := filepath.Join(dir, "dnsmasq.conf")
	g.check(os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	g.abroad(g.lab.Abroad, "opt/dns/pid", program, "--conf-file="+conf)
	g.lab.Write("etc/resolv.conf", "nameserver "+names.String()+"\noptions timeout:1 attempts:1\n")
}

func ptr(a netip.Addr, name string) string {
	b := a.As4()
	return fmt.Sprintf("ptr-record=%d.%d.%d.%d.in-addr.arpa,%s", b[3], b[2], b[1], b[0], name)
}

// abroad starts a server outside the machine and waits for its pid file, which it writes on the machine's disk.
func (g *ground) abroad(start func(*exec.Cmd) error, pid, program string, args ...string) {
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	g.check(start(cmd))
	g.t.Cleanup(func() {
		g.check(cmd.Process.Kill())
		_ = cmd.Wait() // says that it was killed
	})
	g.lab.Await(pid, program+" did not start", func(text string) bool { return text != "" })
}

// proxy starts the content delivery network: an nginx in a network of its own that passes all on, and says for whom.
func (g *ground) proxy(program string) {
	g.mkdir("opt/cdn", 0o755)
	dir := filepath.Join(g.lab.Root, "opt/cdn")
	conf := filepath.Join(dir, "nginx.conf")
	g.check(os.WriteFile(conf, []byte(fmt.Sprintf(`
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	upstream origin {
		server %[2]s:80;
		keepalive 32;
	}
	server {
		listen %[3]s:80;
		listen [%[4]s]:80;
		location / {
			proxy_pass http://origin;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
		}
	}
}
`, dir, server4, cdn, cdn6)), 0o600))
	g.abroad(g.cdn.Start, "opt/cdn/pid", program, "-c", conf, "-g", "daemon off;")
}

// attacker gives out the next address of an attacker, each in a network of its own.
func (g *ground) attacker() netip.Addr {
	g.used4++
	return netip.AddrFrom4([4]byte{198, 18, byte(g.used4 % 128), byte(10 + g.used4/128)})
}

// attacker6 gives out the next IPv6 address of an attacker, each in a /64 of its own.
func (g *ground) attacker6() netip.Addr {
	g.used6++
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 1, byte(g.used6 >> 8), byte(g.used6), 8: byte(g.rng.Uint32()), 15: 9})
}

// attackers gives out some of both kinds.
func (g *ground) attackers(n4, n6 int) (list []netip.Addr) {
	for range n4 {
		list = append(list, g.attacker())
	}
	for range n6 {
		list = append(list, g.attacker6())
	}
	return list
}

// customer gives out the next address of a customer.
func (g *ground) customer() netip.Addr {
	g.usedCustomers++
	n := g.usedCustomers
	if n%4 == 0 {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 1, 0x80 | byte(n>>8), byte(n), 15: 7})
	}
	return netip.AddrFrom4([4]byte{198, 18, 128 + byte(n%100), byte(10 + n/100)})
}

func (g *ground) customers(n int) (list []netip.Addr) {
	for range n {
		list = append(list, g.customer())
	}
	return list
}

// listed are the senders that the block list of the world names.
func (g *ground) listed() (list []netip.Addr) {
	for i := range 20 {
		list = append(list, netip.AddrFrom4([4]byte{198, 18, byte(100 + i), 250}))
	}
	return list
}
