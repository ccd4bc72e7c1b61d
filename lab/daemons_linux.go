package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Password is what the machine's one person, Ann, whose account is "ann", has for a password everywhere.
const Password = "correct horse"

// shadow is [Password] as crypt(3) keeps it.
const shadow = "$6$connwarden$thogPrGaoZ..UhUMyM6sha7qXwvsZ8FE4EDIsH.DjNqk2I2K7wC9EuUxqBImKKIrXoCXWfTVVqmH52r.AEu/w."

// Account gives the machine a system account and its group, where the host has none of that name, and returns both ids.
func (l *Lab) Account(name, home string) (uid, gid int) {
	l.t.Helper()
	return l.id("etc/passwd", name, "%s:x:%d:%[2]d::"+home+":/usr/sbin/nologin\n"), l.id("etc/group", name, "%s:x:%d:\n")
}

// id is the number of a name in passwd or group. Where the name is missing, a line of that format is added, with the first number from 900 on
// that is free.
func (l *Lab) id(file, name, format string) int {
	l.t.Helper()
	text := l.Read(file)
	taken := map[int]bool{}
	for line := range strings.Lines(text) {
		var n int
		f := strings.Split(line, ":")
		if len(f) < 3 {
			continue
		}
		_, err := fmt.Sscan(f[2], &n)
		l.check(err)
		if f[0] == name {
			return n
		}
		taken[n] = true
	}
	n := 900
	for taken[n] {
		n++
	}
	l.Write(file, text+fmt.Sprintf(format, name, n))
	return n
}

// ann gives Ann an account with a home and a password.
func (l *Lab) ann() {
	l.t.Helper()
	uid, gid := l.id("etc/passwd", "ann", "%s:x:%d:%[2]d::/home/ann:/bin/sh\n"), l.id("etc/group", "ann", "%s:x:%d:\n")
	l.own("home/ann", uid, gid, 0o755)
	l.Write("etc/shadow", "ann:"+shadow+":20000:0:99999:7:::\n")
	l.Write("etc/shells", "/bin/sh\n")
}

// own makes a folder of the machine that belongs to an account.
func (l *Lab) own(dir string, uid, gid int, mode os.FileMode) {
	l.t.Helper()
	dir = filepath.Join(l.Root, dir)
	l.check(os.MkdirAll(dir, 0o755))
	l.check(os.Chown(dir, uid, gid))
	l.check(os.Chmod(dir, mode))
}

// packaged copies a folder of /etc as Debian's package has it.
func (l *Lab) packaged(dir string) {
	l.t.Helper()
	for _, root := range []string{unpacked, "/"} {
		from := filepath.Join(root, dir)
		if _, err := os.Stat(from); err == nil {
			l.check(os.CopyFS(filepath.Join(l.Root, dir), os.DirFS(from)))
			return
		}
	}
}

// daemon starts a daemon in the foreground and waits until a file of the machine says that it is ready.
func (l *Lab) daemon(file, ready, program string, args ...string) {
	l.t.Helper()
	l.check(os.MkdirAll(filepath.Dir(filepath.Join(l.Root, file)), 0o755))
	l.launch(program, nil, args...)
	l.AwaitText(file, ready)
}

// Syslog starts rsyslog, which writes all that it is told to var/log/syslog, as Debian does, and to var/log/messages with the short time of
// older systems.
func (l *Lab) Syslog() {
	l.t.Helper()
	program := l.need("/usr/sbin/rsyslogd", "rsyslog")
	l.put("etc/rsyslog.conf")
	l.check(os.MkdirAll(filepath.Join(l.Root, "var/spool/rsyslog"), 0o755))
	l.daemon("var/log/messages", "] start", program, "-n", "-iNONE")
}

// Dovecot starts Dovecot with IMAP and POP3, without TLS; who logs in with another password than Ann's is refused by a file and by PAM, and told so
// at once. It asks on behalf of Postfix, too. Its log is syslog's.
func (l *Lab) Dovecot() {
	l.t.Helper()
	program := l.need("/usr/sbin/dovecot", "dovecot-imapd, dovecot-pop3d")
	l.ann()
	l.put("etc/pam.d")
	l.put("etc/dovecot")
	l.Account("dovecot", "/usr/lib/dovecot")
	l.Account("dovenull", "/nonexistent")
	uid, _ := l.Account("postfix", "/var/spool/postfix")
	l.own("var/spool/postfix/private", uid, 0, 0o700)
	l.own("var/lib/dovecot", 0, 0, 0o755)
	l.daemon("var/log/messages", "starting up for imap, pop3", program, "-F")
}

// Postfix starts Postfix on port 25, and with postscreen in front on port 2525. Its log is syslog's.
func (l *Lab) Postfix() {
	l.t.Helper()
	program := l.need("/usr/sbin/postfix", "postfix")
	l.packaged("etc/postfix")
	l.put("etc/postfix")
	uid, gid := l.Account("postfix", "/var/spool/postfix")
	l.id("etc/group", "postdrop", "%s:x:%d:\n")
	l.own("var/lib/postfix", uid, gid, 0o755)
	l.check(os.MkdirAll(filepath.Join(l.Root, "var/spool/postfix"), 0o755))
	l.daemon("var/log/messages", "daemon started", program, "start-fg")
}

// Exim starts Exim on port 25. Its logs are files of its own.
func (l *Lab) Exim() {
	l.t.Helper()
	program := l.need("/usr/sbin/exim4", "exim4-daemon-light")
	l.put("etc/exim4")
	uid, gid := l.Account("Debian-exim", "/var/spool/exim4")
	l.own("var/spool/exim4", uid, gid, 0o750)
	l.own("var/log/exim4", uid, gid, 0o755)
	l.daemon("var/log/exim4/mainlog", "daemon started", program, "-C", "/etc/exim4/exim4.conf", "-bdf", "-oX", "25")
}

// Vsftpd starts vsftpd on port 21, which asks PAM who may log in. Its log is var/log/vsftpd.log; PAM's is syslog's.
func (l *Lab) Vsftpd() {
	l.t.Helper()
	program := l.need("/usr/sbin/vsftpd", "vsftpd")
	l.ann()
	l.put("etc/pam.d")
	l.put("etc/vsftpd.conf")
	l.own("run/vsftpd", 0, 0, 0o755)
	l.launch(program, nil, "/etc/vsftpd.conf")
	l.AwaitPort(21)
}

// Proftpd starts ProFTPD on port 2121. With a system log it writes there, without to syslog.
func (l *Lab) Proftpd(systemLog string) {
	l.t.Helper()
	program := l.need("/usr/sbin/proftpd", "proftpd-core")
	l.ann()
	directive := ""
	if systemLog != "" {
		directive = "SystemLog /" + systemLog
		l.own(filepath.Dir(systemLog), 0, 0, 0o755)
	}
	l.put("etc/proftpd", "SYSTEMLOG", directive)
	uid, gid := l.id("etc/passwd", "ann", ""), l.id("etc/group", "ann", "")
	l.Write("etc/proftpd/users", fmt.Sprintf("ann:%s:%d:%d::/home/ann:/bin/sh\nbob:%[1]s:%d:%d::/home/ann:/bin/sh\n", shadow, uid, gid))
	l.check(os.Chmod(filepath.Join(l.Root, "etc/proftpd/users"), 0o600))
	l.launch(program, nil, "--nodaemon", "--quiet", "-c", "/etc/proftpd/proftpd.conf")
	l.AwaitPort(2121)
}

// PureFTPd starts Pure-FTPd on port 2122. Its log is syslog's.
func (l *Lab) PureFTPd() {
	l.t.Helper()
	program := l.need("/usr/sbin/pure-ftpd", "pure-ftpd")
	l.ann()
	l.launch(program, nil, "-S", "2122", "-l", "unix", "-H", "-E", "-u", "1", "-C", "3", "-4")
	l.AwaitPort(2122)
}

// Dropbear starts Dropbear's SSH server on port 22. Its log is syslog's.
func (l *Lab) Dropbear() {
	l.t.Helper()
	program := l.need("/usr/sbin/dropbear", "dropbear-bin")
	l.ann()
	l.own("etc/dropbear", 0, 0, 0o700)
	l.own("var/log", 0, 0, 0o755)
	l.launch(program, nil, "-F", "-R", "-p", "22")
	l.AwaitPort(22)
}

// MariaDB starts MariaDB on port 3306. Its logs are var/log/mysql/error.log and slow.log, in which every query is slow.
func (l *Lab) MariaDB() {
	l.t.Helper()
	program := l.need("/usr/sbin/mariadbd", "mariadb-server-core")
	uid, gid := l.Account("mysql", "/nonexistent")
	for _, dir := range []string{"var/lib/mysql/mysql", "var/log/mysql", "run/mysqld"} {
		l.own(dir, uid, gid, 0o755)
	}
	l.own("var/lib/mysql", uid, gid, 0o755)
	var sql strings.Builder
	sql.WriteString("use mysql;\n")
	for _, name := range []string{"mysql_system_tables", "mysql_performance_tables", "mysql_system_tables_data"} {
		text, err := os.ReadFile("/usr/share/mysql/" + name + ".sql")
		if err != nil {
			text, err = os.ReadFile(unpacked + "/usr/share/mysql/" + name + ".sql")
		}
		l.check(err)
		sql.Write(text)
	}
	sql.WriteString("flush privileges;\ncreate user ann identified by '" + Password + "';\ncreate database shop;\ngrant select on shop.* to ann;\n")
	l.Write("tmp/bootstrap.sql", sql.String())
	args := []string{"--no-defaults", "--user=mysql", "--datadir=/var/lib/mysql", "--log-error=/var/log/mysql/error.log", "--innodb-log-file-size=4M", "--skip-name-resolve"}
	if r := l.Run(nil, "/bin/sh", "-c", "exec "+program+" "+strings.Join(args, " ")+" --bootstrap </tmp/bootstrap.sql"); r.Code != 0 {
		l.t.Fatalf("make MariaDB's tables: %s%s", r.Stderr, l.Read("var/log/mysql/error.log"))
	}
	l.daemon("var/log/mysql/error.log", "ready for connections", program, append(args, "--bind-address=*", "--socket=/run/mysqld/mysqld.sock", "--pid-file=/run/mysqld/mysqld.pid",
		"--log-warnings=2", "--slow-query-log=1", "--slow-query-log-file=/var/log/mysql/slow.log", "--long-query-time=0", "--max-connect-errors=1000")...)
}

// PostgreSQL starts PostgreSQL on port 5432 with Debian's log_line_prefix, or another. Its log is var/log/postgresql/postgresql.log.
func (l *Lab) PostgreSQL(prefix string) {
	l.t.Helper()
	program := l.need("/usr/lib/postgresql/*/bin/postgres", "postgresql-15")
	uid, gid := l.Account("postgres", "/var/lib/postgresql")
	for _, dir := range []string{"var/lib/postgresql", "var/log/postgresql", "run/postgresql"} {
		l.own(dir, uid, gid, 0o755)
	}
	as := []string{fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", gid), "--clear-groups", "--"}
	const data = "/var/lib/postgresql/main"
	l.Write("tmp/password", Password+"\n")
	if r := l.Run(nil, "/usr/bin/setpriv", append(as, filepath.Dir(program)+"/initdb", "--no-sync", "--locale=C", "-A", "scram-sha-256", "--pwfile=/tmp/password", "-D", data)...); r.Code != 0 {
		l.t.Fatalf("initdb: %s%s", r.Stdout, r.Stderr)
	}
	l.Write(data[1:]+"/pg_hba.conf", "host shop all 0.0.0.0/0 password\n")
	l.daemon("var/log/postgresql/postgresql.log", "ready to accept connections", "/usr/bin/setpriv", append(as, program, "-D", data, "-c", "listen_addresses=*", "-c", "unix_socket_directories=/run/postgresql",
		"-c", "logging_collector=on", "-c", "log_directory=/var/log/postgresql", "-c", "log_filename=postgresql.log", "-c", "log_line_prefix="+prefix, "-c", "fsync=off")...)
}

// Redis starts Redis on port 6379 with a password. Its log is var/log/redis/redis-server.log.
func (l *Lab) Redis() {
	l.t.Helper()
	program := l.need("/usr/bin/redis-server", "redis-server")
	l.daemon("var/log/redis/redis-server.log", "Ready to accept connections", program, "--bind", "*", "--logfile", "/var/log/redis/redis-server.log", "--loglevel", "verbose", "--save", "", "--requirepass", Password, "--dir", "/tmp")
}

// Named starts BIND on port 53, which answers for example.com, and asks others for 203.0.113.0/24 alone. Its logs are var/log/bind/named.log, with
// category and severity, plain.log, without, and syslog's.
func (l *Lab) Named() {
	l.t.Helper()
	program := l.need("/usr/sbin/named", "bind9")
	l.put("etc/bind")
	uid, gid := l.Account("bind", "/var/cache/bind")
	l.own("var/cache/bind", uid, gid, 0o755)
	l.own("var/log/bind", uid, gid, 0o755)
	l.own("run", 0, gid, 0o775)
	l.daemon("var/log/bind/named.log", "all zones loaded", program, "-f", "-u", "bind", "-n", "1", "-c", "/etc/bind/named.conf")
}

// Lighttpd starts lighttpd on port 8081, with the blog's files. Its log is var/log/lighttpd/access.log.
func (l *Lab) Lighttpd() {
	l.t.Helper()
	program := l.need("/usr/sbin/lighttpd", "lighttpd")
	l.put("etc/lighttpd")
	l.put("var/www")
	uid, gid := l.Account("www-data", "/var/www")
	l.own("var/log/lighttpd", uid, gid, 0o755)
	l.launch(program, nil, "-D", "-f", "/etc/lighttpd/lighttpd.conf")
	l.AwaitPort(8081)
}

// HAProxy starts HAProxy in front of lighttpd: on port 8080, with its own log format; on 8082 with that of Apache; on 8083 as a proxy for TCP; and on 8084
// in front of nobody. Its log is syslog's.
func (l *Lab) HAProxy() {
	l.t.Helper()
	program := l.need("/usr/sbin/haproxy", "haproxy")
	l.put("etc/haproxy")
	l.launch(program, nil, "-db", "-f", "/etc/haproxy/haproxy.cfg")
	l.AwaitPort(8084)
}

// Squid starts Squid on port 3128, for 203.0.113.0/24 alone. Its logs are var/log/squid/access.log and, in Apache's format, combined.log.
func (l *Lab) Squid() {
	l.t.Helper()
	program := l.need("/usr/sbin/squid", "squid")
	l.put("etc/squid")
	uid, gid := l.Account("proxy", "/bin")
	l.own("var/log/squid", uid, gid, 0o755)
	l.own("var/spool/squid", uid, gid, 0o755)
	l.launch(program, nil, "-N", "-f", "/etc/squid/squid.conf")
	l.AwaitPort(3128)
}

// Varnish starts Varnish on port 6081 in front of lighttpd. Its log is in its memory; [Lab.VarnishLog] writes it down.
func (l *Lab) Varnish() {
	l.t.Helper()
	program := l.need("/usr/sbin/varnishd", "varnish")
	l.put("etc/varnish")
	l.own("var/log/varnish", 0, 0, 0o755)
	l.own("run/varnish", 0, 0, 0o755)
	l.own("var/lib/varnish", 0, 0, 0o755)
	l.launch(program, nil, "-F", "-j", "none", "-T", "none", "-a", ":6081", "-f", "/etc/varnish/default.vcl", "-n", "/run/varnish", "-s", "malloc,10m")
	l.AwaitPort(6081)
}

// VarnishLog writes Varnish's log to a file, once it holds as many requests.
func (l *Lab) VarnishLog(name string, lines int) {
	l.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		r := l.Run(nil, "/usr/bin/varnishncsa", "-d", "-n", "/run/varnish")
		if got := strings.Count(r.Stdout, "\n"); got >= lines {
			l.Write(name, r.Stdout)
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("%d requests are not in Varnish's log: %s%s", lines, r.Stdout, r.Stderr)
		}
	}
}

// Caddy starts Caddy on port 8090, with the blog's files. Its log is var/log/caddy/access.log.
func (l *Lab) Caddy() {
	l.t.Helper()
	program := l.need("/usr/bin/caddy", "caddy")
	l.put("etc/caddy")
	l.put("var/www")
	l.own("var/log/caddy", 0, 0, 0o755)
	l.launch(program, []string{"HOME=/root", "XDG_DATA_HOME=/tmp", "XDG_CONFIG_HOME=/tmp"}, "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile")
	l.AwaitPort(8090)
}
