// Package daemons reads what login, mail, FTP and other daemons say about a peer: who failed, who was refused, who
// got in.
//
// It owns the wording of those daemons and nothing else. Times, the prefix of syslog, files and the judgement of a
// peer belong to others; it opens nothing, reads no clock and never asks a name server. A [Message] is borrowed, and
// what an event says of it borrows the same bytes: they are valid as long as the message is. All functions are pure
// and may be called from any number of goroutines. It runs on every system.
//
// # Nobody can accuse another
//
// A client is taken from the one place where the daemon writes the peer's address, and that place is found from the
// side that the peer cannot write to: mostly from the end, since the names that a peer chooses stand before its
// address. Where text of the peer's stands on both sides, every place that could be the right one is looked at, and
// when they disagree the message accuses no one. Names of hosts are never resolved: an event whose daemon wrote a
// name has no client, and the name stands in its Detail.
//
// # What is hostile
//
// A message accuses only for what it states: a refused password, an account that does not exist, a limit that was met. That
// a connection ended before a login is not a failure by itself; scanners do it, and so do monitors and people who change
// their mind.
package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// Message is one message of a daemon without what its carrier (syslog, the journal, a file) wrote before it. Both
// parts are borrowed.
type Message struct {
	Program []byte // the syslog tag without the process id: "sshd-session", "postfix/smtpd", "dovecot"
	Text    []byte // what follows the tag
}

// Read fills Client, Kind, Service, User and Detail of e from a message and leaves its other parts as they are. It
// returns false, with those five empty, when the message says nothing about a peer. Client is invalid when the daemon
// named the peer by a host name, which is then the Detail. It allocates nothing.
func Read(m *Message, e *connwarden.Event) bool {
	e.Client, e.Kind, e.Service, e.User, e.Detail = noAddr, connwarden.EventOther, "", nil, nil
	text := unrepeated(trim(view(m.Text)))
	if text == "" {
		return false
	}
	if read(view(m.Program), text, e) {
		return true
	}
	e.Client, e.Kind, e.Service, e.User, e.Detail = noAddr, connwarden.EventOther, "", nil, nil
	return false
}

// read gives a message to the reader of its program.
func read(program, text string, e *connwarden.Event) bool {
	program = bare(program)
	switch program {
	case "sshd", "sshd-session", "sshd-auth":
		e.Service = "sshd"
		return readSSHD(text, e)
	case "dropbear":
		e.Service = "dropbear"
		return readDropbear(text, e)
	case "su", "sudo", "runuser", "doas", "pkexec", "polkitd", "cron", "CRON", "crond", "kernel", "systemd", "systemd-logind":
		// Local acts: what they say of hosts, a local account said. The kernel's lines about packets name senders that
		// nobody has checked.
		return false
	case "exim", "exim4":
		e.Service = "exim"
		return readExim(text, e)
	case "dovecot", "imap-login", "pop3-login", "managesieve-login", "submission-login", "lmtp-login", "dovecot-auth", "auth", "auth-worker":
		if program == "auth" && strings.HasPrefix(text, "pam_") {
			return readPAM(text, e)
		}
		e.Service = "dovecot"
		return readDovecot(program, text, e)
	case "imapd", "imapd-ssl", "pop3d", "pop3d-ssl", "courierpop3d", "courierpop3login", "courierimapd", "courieresmtpd",
		"esmtpd", "couriertls", "authdaemond", "imap", "imaps", "pop3", "pop3s", "lmtpunix", "ipop3d", "sieve", "timsieved",
		"cyrus":
		return readMailbox(program, text, e)
	case "sendmail", "sm-mta", "sm-msp", "sm-msp-queue", "sendmail-mta", "saslauthd":
		e.Service = "sendmail"
		return readSendmail(program, text, e)
	case "vsftpd":
		e.Service = "vsftpd"
		return readVsftpd(text, e)
	case "proftpd":
		e.Service = "proftpd"
		return readProftpd(text, e)
	case "pure-ftpd":
		e.Service = "pure-ftpd"
		return readPureFTPd(text, e)
	case "webmin", "usermin", "miniserv.pl":
		e.Service = "webmin"
		if program == "usermin" {
			e.Service = "usermin"
		}
		return readWebmin(text, e)
	case "roundcube":
		e.Service = "roundcube"
		return readRoundcube(text, e)
	case "phpMyAdmin", "phpmyadmin":
		e.Service = "phpmyadmin"
		return readPHPMyAdmin(text, e)
	case "cpanel", "cpaneld", "whostmgrd", "webmaild", "cpdavd", "cphulkd", "cPhulkd":
		e.Service = "cpanel"
		return readCPanel(text, e)
	case "plesk", "sw-cp-server", "psa":
		e.Service = "plesk"
		return readPlesk(text, e)
	case "named", "named-pkcs11":
		e.Service = "named"
		return readNamed(text, e)
	case "mysqld", "mariadbd", "mysqld_safe", "mysql", "mariadb":
		e.Service = "mysql"
		return readMySQL(text, e)
	case "postgres", "postgresql":
		e.Service = "postgresql"
		return readPostgres(text, e)
	case "mongod", "mongos", "mongodb":
		e.Service = "mongodb"
		return readMongo(text, e)
	case "redis", "redis-server", "valkey-server":
		e.Service = "redis"
		return readRedis(text, e)
	case "openvpn", "ovpn-server", "ovpn":
		e.Service = "openvpn"
		return readOpenVPN(text, e)
	case "asterisk":
		e.Service = "asterisk"
		return readAsterisk(text, e)
	case "xinetd":
		e.Service = "xinetd"
		return readXinetd(text, e)
	case "telnetd", "in.telnetd", "utelnetd":
		e.Service = "telnetd"
		return readTelnetd(text, e)
	case "login":
		e.Service = "login"
		return readLogin(text, e)
	}
	if isPostfix(program) {
		e.Service = "postfix"
		return readPostfix(program, text, e)
	}
	switch {
	case strings.HasPrefix(program, "openvpn"), strings.HasPrefix(program, "ovpn-"):
		e.Service = "openvpn"
		return readOpenVPN(text, e)
	case strings.HasPrefix(program, "postgres"):
		e.Service = "postgresql"
		return readPostgres(text, e)
	case strings.HasPrefix(program, "cyrus/"):
		return readMailbox("cyrus", text, e)
	case strings.HasPrefix(text, "pam_"), strings.HasPrefix(text, "(pam_"), strings.HasSuffix(program, "(pam_unix)"):
		return readPAM(text, e)
	}
	return false
}

// bare is a program's name without its folder, but for those whose tag is a path by design.
func bare(program string) string {
	i := strings.LastIndexByte(program, '/')
	if i < 0 || program[0] != '/' {
		return program
	}
	return program[i+1:]
}

// unrepeated takes the message out of rsyslog's "message repeated 3 times: [ …]" (its $RepeatedMsgReduction): the
// message happened again.
func unrepeated(s string) string {
	const head = "message repeated "
	if !strings.HasPrefix(s, head) || s[len(s)-1] != ']' {
		return s
	}
	n := digits(s[len(head):])
	rest := s[len(head)+n:]
	const tail = " times: ["
	if n == 0 || !strings.HasPrefix(rest, tail) {
		return s
	}
	return trim(rest[len(tail) : len(rest)-1])
}
