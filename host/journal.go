package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// Journal is the systemd journal of this machine, by the heads of its files; tail reads it.
type Journal struct {
	Program string    // journalctl
	Files   int       // files of the system's journal that can be read
	First   time.Time // when its oldest entry was written; zero: it has none

	person uint32 // the least number of an account that is a person's
}

// Journal finds the journal. The error says why it cannot be read: connwarden.ErrNotFound when there is none or no
// journalctl, connwarden.ErrDenied when a privilege is missing, connwarden.ErrUnsupported under a root folder, where no program is started.
func (h *Host) Journal() (Journal, error) {
	s := h.scan(context.Background())
	j, err := s.journal(h)
	if h.Rooted() {
		err = fmt.Errorf("journal below %s: %w: a folder is treated as /", h.Root, connwarden.ErrUnsupported)
	}
	return j, err
}

func (s *scan) journal(h *Host) (Journal, error) {
	j := Journal{Program: h.lookup("journalctl"), person: s.tree.person}
	machine := "*" // of the folders, those of other machines hold what those sent
	if text, _, err := s.tree.read("/etc/machine-id", 256); err == nil && isMachine(firstField(text)) {
		machine = firstField(text)
	}
	var refused error
	for _, dir := range [...]string{"/var/log/journal/", "/run/log/journal/"} {
		names, _, err := s.tree.glob(dir+machine+"/system*.journal", s.lim.entries)
		if err != nil {
			refused = err
		}
		for _, name := range names {
			first, err := s.journalHead(name)
			if err != nil {
				refused = err
				continue
			}
			j.Files++
			if !first.IsZero() && (j.First.IsZero() || first.Before(j.First)) {
				j.First = first
			}
		}
	}
	switch {
	case j.Files > 0 && j.Program == "" && !h.Rooted():
		return j, fmt.Errorf("program journalctl: %w: it is not installed", connwarden.ErrNotFound)
	case j.Files > 0:
		return j, nil
	case errors.Is(refused, fs.ErrPermission):
		return j, fmt.Errorf("journal %s: %w: needs root, or the group systemd-journal", blame(refused, ""), connwarden.ErrDenied)
	case refused != nil:
		return j, fmt.Errorf("journal %s: %s", blame(refused, ""), why(refused))
	}
	return j, fmt.Errorf("journal in /var/log/journal or /run/log/journal: %w", connwarden.ErrNotFound)
}

func isMachine(id string) bool {
	return len(id) == 32 && strings.Trim(id, "0123456789abcdef") == ""
}

// journalHead reads when the first entry of a file of the journal was written; zero when it has none. Numbers are
// little-endian, at fixed places (systemd.io, "Journal File Format", "Header").
func (s *scan) journalHead(name string) (time.Time, error) {
	const entries, first, size = 152, 184, 192
	f, err := s.tree.open(name)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	var head [size]byte
	if _, err := f.ReadAt(head[:], 0); err != nil || string(head[:8]) != "LPKSHHRH" {
		return time.Time{}, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a file of the journal")}
	}
	if binary.LittleEndian.Uint64(head[entries:]) == 0 {
		return time.Time{}, nil
	}
	return time.UnixMicro(int64(binary.LittleEndian.Uint64(head[first:]) & (1<<62 - 1))).UTC(), nil
}

// Writer is who journald says wrote an entry, but for Identifier, which the writer says.
type Writer struct {
	Identifier, Unit, Exe, Transport []byte
	UID                              int64 // -1: not said
}

// voice is a daemon whose words are read.
type voice struct {
	names string // identifiers; one that ends in a star is the beginning of several
	units string // systemd's units, without ".service" and an instance; of own ones
	exes  string // base names of its programs
	// own tells that below its units only the daemon's own code runs under accounts of daemons. Scripts of sites run
	// below the units of web servers, with their accounts and their standard error, and write what they like in their names.
	own bool
}

// breaking are daemons that write names of clients as they come, line ends included, to standard output, of which journald makes an entry a line:
// one may be a client's word. (MariaDB 10.11, PostgreSQL 15, ejabberd 23.01, xrdp 0.9.21 and Monit 5.33, seen; Gitea's EventFormatTextMessage.)
const breaking = "mysqld mariadbd mysqld_safe mysql mariadb mariadbd-safe postgres postgresql gitea forgejo gogs vaultwarden ejabberd freeswitch monit xrdp xrdp-sesman"

// The names are those the daemons give to openlog(3), the units those of Debian's, RHEL's and the panels' packages.
var voices = []voice{
	{"sshd sshd-session sshd-auth", "ssh sshd", "sshd sshd-session sshd-auth", true},
	{"dropbear", "dropbear", "dropbear", true},
	{"login", "getty serial-getty", "login", true},
	{"postfix*", "postfix", "master", true},
	{"exim exim4", "exim exim4", "exim exim4", true},
	{"dovecot imap-login pop3-login managesieve-login submission-login auth auth-worker", "dovecot", "dovecot log", true},
	{"sendmail sm-mta sm-msp sm-msp-queue sendmail-mta", "sendmail sm-client", "sendmail sendmail.sendmail sendmail-mta", true},
	{"saslauthd", "saslauthd", "saslauthd", true},
	{"imapd imapd-ssl pop3d pop3d-ssl courier* esmtpd authdaemond", "courier courier-imap courier-imap-ssl courier-pop courier-pop-ssl courier-authdaemon courier-mta", "imapd pop3d couriertcpd courierd authdaemond", true},
	{"imap imaps pop3 pop3s lmtpunix timsieved sieve cyrus* ipop3d", "cyrus-imapd cyrus", "cyrmaster imapd pop3d lmtpd timsieved", true},
	{"vsftpd", "vsftpd", "vsftpd", true},
	{"proftpd", "proftpd", "proftpd", true},
	{"pure-ftpd", "pure-ftpd pure-ftpd-mysql pureftpd", "pure-ftpd pure-ftpd-mysql", true},
	{"named named-pkcs11", "named bind9 named-chroot", "named", true},
	{"mysqld mariadbd mysqld_safe mysql mariadb mariadbd-safe", "mariadb mysql mysqld", "mysqld mariadbd", true},
	{"postgres postgresql", "postgresql", "postgres", true},
	{"mongod mongos mongodb", "mongod mongodb mongos", "mongod mongos", true},
	{"redis redis-server valkey-server", "redis redis-server valkey valkey-server", "redis-server valkey-server", true},
	{"openvpn ovpn*", "openvpn openvpn-server openvpn-client", "openvpn", true},
	{"asterisk", "asterisk", "asterisk", true},
	{"xinetd", "xinetd", "xinetd", true},
	{"telnetd in.telnetd utelnetd", "telnet inetd xinetd", "telnetd in.telnetd utelnetd", true},
	{"webmin usermin miniserv.pl", "webmin usermin", "perl", true},
	{"cpaneld whostmgrd webmaild cpdavd cpsrvd cphulkd cPhulkd cpanel", "cpanel cphulkd cpdavd", "cpsrvd cphulkd cpdavd perl", true},
	{"plesk psa sw-cp-server", "sw-cp-server sw-engine psa", "sw-cp-serverd sw-engine-fpm", true},
	{"gitea forgejo gogs", "gitea forgejo gogs", "", true},
	{"vaultwarden", "vaultwarden", "", true},
	{"grafana grafana-server", "grafana-server", "", true},
	{"pvedaemon pveproxy proxmox-backup-proxy", "pvedaemon pveproxy proxmox-backup-proxy", "", true},
	{"xrdp xrdp-sesman", "xrdp xrdp-sesman", "", true},
	{"ejabberd freeswitch monit", "ejabberd freeswitch monit", "", true},
	{"apache2 httpd apache", "", "apache2 httpd", false},
	{"nginx", "", "nginx", false},
	{"lighttpd", "", "lighttpd", false},
	{"litespeed lshttpd lsws", "", "litespeed lshttpd openlitespeed", false},
	{"caddy traefik haproxy", "", "caddy traefik haproxy", false},
	{"php* ool* roundcube phpmyadmin phpMyAdmin wordpress*", "", "", false}, // scripts of sites
}

// voiceOf is voices by name, and by the beginning of a name.
var voiceOf, voiceBegins = func() (map[string]*voice, map[string]*voice) {
	whole, begins := map[string]*voice{}, map[string]*voice{}
	for i := range voices {
		for _, name := range strings.Fields(voices[i].names) {
			if begin, ok := strings.CutSuffix(name, "*"); ok {
				begins[begin] = &voices[i]
			} else {
				whole[name] = &voices[i]
			}
		}
	}
	return whole, begins
}()

const kernel = "kernel"

func findVoice(identifier string) *voice {
	name, _, _ := strings.Cut(identifier, "/") // "postfix/smtpd"
	if name == "" {
		name = path.Base(identifier) // "/usr/sbin/sshd"
	}
	if v := voiceOf[name]; v != nil {
		return v
	}
	for begin, v := range voiceBegins {
		if strings.HasPrefix(name, begin) {
			return v
		}
	}
	return nil
}

// Wants tells whether the kernel or a server writes under this identifier.
func (j *Journal) Wants(identifier string) bool {
	return identifier == kernel || findVoice(identifier) != nil
}

// Trust tells who can have written an entry. It is root's if the kernel wrote it, or the program whose name it bears as
// root, or a daemon's account below that daemon's own unit. An ordinary account can do none of these: units, programs
// and accounts are journald's word. All others are local.
//
// journald looks up unit and program when it takes a message; a process that ends right behind it, as sshd's do when a
// client leaves, has neither by then (8 of 20 such messages). Its account is the kernel's word and always there, so such a
// message of root's, under the name of a daemon that runs nobody else's code, is believed too.
//
// What came through standard output (transport stdout) was written by whoever inherited it: there the unit alone tells. Of daemons that let
// line ends of clients through it is local, too.
func (j *Journal) Trust(w Writer) connwarden.Trust {
	name, transport := string(w.Identifier), string(w.Transport)
	if name == kernel || transport == kernel {
		if name == transport {
			return connwarden.TrustRoot
		}
		return connwarden.TrustLocal
	}
	v := findVoice(name)
	switch {
	case v == nil || w.UID < 0 || w.UID > 1<<32-2, transport == "stdout" && holdsWord(breaking, name):
		return connwarden.TrustLocal
	case w.UID == 0 && transport != "stdout" && v.program(w.Exe):
		return connwarden.TrustRoot
	case w.UID == 0 && transport == "syslog" && v.own && len(w.Unit) == 0 && len(w.Exe) == 0:
		return connwarden.TrustRoot
	case v.own && v.unit(w.Unit) && (uint32(w.UID) < j.person || w.UID == nobody):
		return connwarden.TrustRoot
	}
	return connwarden.TrustLocal
}

// unit tells whether a unit is the daemon's: "ssh.service", "ssh@1-192.0.2.1:22-….service".
func (v *voice) unit(unit []byte) bool {
	name, ok := bytes.CutSuffix(unit, []byte(".service"))
	if !ok {
		return false
	}
	name, _, _ = bytes.Cut(name, []byte{'@'})
	return holdsWord(v.units, string(name))
}

func (v *voice) program(exe []byte) bool {
	name := strings.TrimSuffix(string(exe), " (deleted)") // replaced by an upgrade while it ran
	return name != "" && holdsWord(v.exes, path.Base(name))
}

// holdsWord tells whether a word stands in a list parted by blanks.
func holdsWord(list, word string) bool {
	for one := range strings.FieldsSeq(list) {
		if one == word {
			return true
		}
	}
	return false
}
