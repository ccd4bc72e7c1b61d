package host

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
)

// journalFile is the head of a file of the journal.
func journalFile(entries uint64, first time.Time) string {
	b := make([]byte, 256)
	copy(b, "LPKSHHRH")
	binary.LittleEndian.PutUint64(b[152:], entries)
	binary.LittleEndian.PutUint64(b[184:], uint64(first.UnixMicro()))
	return string(b)
}

const machineID = "0123456789abcdef0123456789abcdef"

func TestJournal(t *testing.T) {
	early, late := time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC), time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	const dir = "var/log/journal/" + machineID + "/"
	for _, c := range []struct {
		name    string
		files   map[string]string
		program bool
		count   int
		first   time.Time
		err     error
		answer  Answer
		why     string
	}{
		{name: "none", err: connwarden.ErrNotFound, answer: No, why: "journal in /var/log/journal or /run/log/journal: not found"},
		{name: "two files", files: map[string]string{dir + "system.journal": journalFile(3, late), dir + "system@0-1-2.journal": journalFile(9, early), dir + "user-1000.journal": journalFile(1, early.Add(-time.Hour))},
			program: true, count: 2, first: early, answer: Yes, why: "2 files can be read, back to 2026-11-20 01:02:03 UTC"},
		{name: "a volatile one", files: map[string]string{"run/log/journal/0a/system.journal": journalFile(1, early)}, program: true, count: 1, first: early, answer: Yes},
		{name: "another machine's", files: map[string]string{"etc/machine-id": machineID + "\n", "var/log/journal/remote/system.journal": journalFile(1, early)},
			program: true, err: connwarden.ErrNotFound, answer: No},
		{name: "this machine's", files: map[string]string{"etc/machine-id": machineID + "\n", dir + "system.journal": journalFile(1, early), "var/log/journal/0a/system.journal": journalFile(1, early.Add(-time.Hour))},
			program: true, count: 1, first: early, answer: Yes},
		{name: "empty", files: map[string]string{dir + "system.journal": journalFile(0, time.Time{})}, program: true, count: 1, answer: Yes, why: "1 files can be read, without an entry"},
		{name: "no program", files: map[string]string{dir + "system.journal": journalFile(1, early)}, count: 1, first: early, err: connwarden.ErrNotFound, answer: No, why: "program journalctl: not found: it is not installed"},
		{name: "no journal inside", files: map[string]string{dir + "system.journal": "x"}, program: true, answer: Unknown, why: "not a file of the journal"},
		{name: "a folder", files: map[string]string{dir + "system.journal/": ""}, program: true, answer: Unknown, why: "not a regular file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			planted := plant(t, c.files)
			scripts := map[string]string{}
			if c.program {
				scripts["journalctl"] = "exit 1"
			}
			h := &Host{programs: []string{programs(t, scripts)}} // not rooted, so that the program counts
			j, err := planted.scan(context.Background()).journal(h)
			if j.Files != c.count || !j.First.Equal(c.first) || (j.Program != "") != c.program {
				t.Errorf("got %+v", j)
			}
			if c.answer == Yes && err != nil || c.answer != Yes && err == nil || c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("error %v", err)
			}
			if p := planted.scan(context.Background()).journalProbe(h); p.Answer != c.answer || !strings.Contains(p.Why, c.why) {
				t.Errorf("probe %+v", p)
			}
			if _, err := planted.Journal(); err == nil {
				t.Error("a journal below a root was given to be read")
			}
		})
	}
}

func TestJournalTrust(t *testing.T) {
	j := &Journal{person: 1000}
	for _, c := range []struct {
		identifier, unit, exe, transport string
		uid                              int64
		trust                            connwarden.Trust
	}{
		{"kernel", "", "", "kernel", -1, connwarden.TrustRoot},
		{"kernel", "", "/usr/bin/logger", "syslog", 1000, connwarden.TrustLocal},
		{"kernel", "", "/usr/bin/logger", "syslog", 0, connwarden.TrustLocal},
		{"sshd", "", "", "kernel", -1, connwarden.TrustLocal}, // written to /dev/kmsg

		{"sshd", "ssh.service", "/usr/sbin/sshd", "syslog", 0, connwarden.TrustRoot},
		{"sshd", "sshd.service", "/usr/sbin/sshd", "syslog", 0, connwarden.TrustRoot},
		{"sshd-session", "ssh@12-192.0.2.1:22-198.51.100.1:4000.service", "/usr/lib/openssh/sshd-session", "syslog", 0, connwarden.TrustRoot},
		{"sshd", "session-4.scope", "/usr/sbin/sshd (deleted)", "syslog", 0, connwarden.TrustRoot},
		{"sshd", "session-4.scope", "/usr/sbin/sshd", "syslog", 1000, connwarden.TrustLocal},
		{"sshd", "user@1000.service", "/usr/bin/logger", "syslog", 1000, connwarden.TrustLocal},
		{"sshd", "", "/usr/bin/logger", "syslog", 0, connwarden.TrustLocal},
		{"sshd", "", "", "syslog", 0, connwarden.TrustRoot}, // ended before journald looked
		{"sshd", "", "", "stdout", 0, connwarden.TrustLocal},
		{"sshd", "", "", "syslog", 1000, connwarden.TrustLocal},
		{"sshd", "", "", "syslog", 33, connwarden.TrustLocal},
		{"apache2", "", "", "syslog", 0, connwarden.TrustLocal},
		{"sshd", "cron.service", "/home/a/sshd", "syslog", 1000, connwarden.TrustLocal},
		{"sshd", "cron.service", "/usr/bin/php", "syslog", 33, connwarden.TrustLocal},
		{"sshd", "ssh.service", "", "syslog", -1, connwarden.TrustLocal},
		{"sshd", "ssh.service.d", "", "syslog", 0, connwarden.TrustLocal},
		{"sshd", "xssh.service", "", "syslog", 0, connwarden.TrustLocal},

		{"postfix/smtpd", "postfix@-.service", "/usr/lib/postfix/sbin/smtpd", "syslog", 104, connwarden.TrustRoot},
		{"postfix/submission/smtpd", "postfix.service", "", "syslog", 104, connwarden.TrustRoot},
		{"postfix/local", "postfix.service", "", "syslog", 1001, connwarden.TrustLocal},
		{"postfix/smtpd", "apache2.service", "/usr/bin/php", "syslog", 33, connwarden.TrustLocal},
		{"dovecot", "dovecot.service", "/usr/lib/dovecot/log", "syslog", 0, connwarden.TrustRoot},
		{"mongod", "mongod.service", "/usr/bin/mongod", "stdout", 106, connwarden.TrustRoot},
		{"mariadbd", "mariadb.service", "/usr/sbin/mariadbd", "stdout", 106, connwarden.TrustLocal}, // a name may hold a whole line
		{"mariadbd", "mariadb.service", "/usr/sbin/mariadbd", "syslog", 106, connwarden.TrustRoot},
		{"ejabberd", "ejabberd.service", "/usr/lib/erlang/erts-13.1.5/bin/beam.smp", "stdout", 109, connwarden.TrustLocal}, // so may theirs
		{"monit", "monit.service", "/usr/bin/monit", "stdout", 0, connwarden.TrustLocal},
		{"xrdp-sesman", "xrdp-sesman.service", "/usr/sbin/xrdp-sesman", "stdout", 0, connwarden.TrustLocal},
		{"xrdp-sesman", "xrdp-sesman.service", "/usr/sbin/xrdp-sesman", "syslog", 0, connwarden.TrustRoot},
		{"mariadbd", "session-1.scope", "/usr/sbin/mariadbd", "stdout", 0, connwarden.TrustLocal},
		{"proftpd", "proftpd.service", "/usr/sbin/proftpd", "syslog", 65534, connwarden.TrustRoot},

		// Scripts of sites share a web server's account, unit and standard error.
		{"apache2", "apache2.service", "/usr/sbin/apache2", "syslog", 33, connwarden.TrustLocal},
		{"apache2", "apache2.service", "/usr/sbin/apache2", "stdout", 0, connwarden.TrustLocal},
		{"apache2", "apache2.service", "/usr/bin/logger", "syslog", 0, connwarden.TrustLocal},
		{"apache2", "apache2.service", "/usr/sbin/apache2", "syslog", 0, connwarden.TrustRoot},
		{"php-fpm8.2", "php8.2-fpm.service", "/usr/sbin/php-fpm8.2", "syslog", 1000, connwarden.TrustLocal},
		{"wordpress(example.com)", "apache2.service", "/usr/sbin/apache2", "syslog", 33, connwarden.TrustLocal},
		{"anything", "", "", "syslog", 0, connwarden.TrustLocal},
	} {
		w := Writer{Identifier: []byte(c.identifier), Unit: []byte(c.unit), Exe: []byte(c.exe), Transport: []byte(c.transport), UID: c.uid}
		if got := j.Trust(w); got != c.trust {
			t.Errorf("%+v: %s, want %s", c, got, c.trust)
		}
		if want := c.identifier != "anything"; j.Wants(c.identifier) != want {
			t.Errorf("%s wanted: %v", c.identifier, !want)
		}
	}
	for _, name := range []string{"CRON", "cron", "systemd", "systemd-logind", "sudo", "su", "", "node", "evil\nsshd"} {
		if j.Wants(name) {
			t.Errorf("%q is wanted", name)
		}
	}
}
