package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Password is what the machine's one person, Ann, whose account is "ann", has for a password everywhere.
const Password = "correct horse"

// shadow is [Password] as crypt(3) keeps it.
const shadow = "$6$connwarden$thogPrGaoZ..UhUMyM6sha7qXwvsZ8FE4EDIsH.DjNqk2I2K7wC9EuUxqBImKKIrXoCXWfTVVqmH52r.AEu/w."

// account gives the machine a system account and its group, where the host has none of that name, and returns both ids.
func (l *Lab) account(name, home string) (uid, gid int) {
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
	l.account("dovecot", "/usr/lib/dovecot")
	l.account("dovenull", "/nonexistent")
	uid, _ := l.account("postfix", "/var/spool/postfix")
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
	uid, gid := l.account("postfix", "/var/spool/postfix")
	l.id("etc/group", "postdrop", "%s:x:%d:\n")
	l.own("var/lib/postfix", uid, gid, 0o755)
	l.check(os.MkdirAll(filepath.Join(l.Root, "var/spool/postfix"), 0o755))
	l.daemon("var/log/messages", "daemon started", program, "start-fg")
}
