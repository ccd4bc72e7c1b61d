package daemons

import "strings"

// Format is a daemon's own log file, whose lines have no prefix of syslog. A line that fits is split into its time, as written and
// for others to read, and the two parts of a [Message].
type Format struct {
	Name string // as in CLI.md's "format"
	// Fits tells whether a line (without its end) is surely of this format: the time has its shape and the text is known.
	Fits func(line []byte) bool
	// Split parts a line; all three are borrowed from it, but for a program that the line does not name. ok is false when the time has
	// another shape. What Fits refuses may still split: not every line of a log can be known by itself.
	Split func(line []byte) (stamp, program, text []byte, ok bool)
	// Raw tells that names with line ends come through: a line of the log that does not fit may be a client's.
	Raw bool
}

// Formats lists the formats, those first whose lines could be taken for another's.
var Formats = []Format{
	format("cpanel_login", splitCPanel, marks{"[cpaneld] ", "[whostmgrd] ", "[webmaild] ", "[cpdavd] ", "[cphulkd] ", "[cpsrvd] "}, "cpanel"),
	format("cpanel_login_old", splitOldCPanel, nil, "cpanel"),
	format("plesk_panel", splitPlesk, marks{"[panel] ", "[extension/", "[util_exec"}, "plesk"),
	raw(format("roundcube", splitRoundcube, marks{"<", "IMAP Error: ", "Successful login for ", "Failed login for ", "FAILED login for ", "DB Error: ", "PHP Error: "}, "roundcube")),
	format("asterisk", splitAsterisk, marks{"NOTICE[", "WARNING[", "ERROR[", "SECURITY[", "VERBOSE[", "DEBUG[", "DTMF["}, "asterisk"),
	format("mongodb", splitMongo, nil, "mongod"),
	format("nextcloud", splitNextcloud, nil, "nextcloud"),
	format("gitlab_json", splitGitLab, nil, "gitlab"),
	format("keycloak", splitKeycloak, nil, "keycloak"),
	format("authentik", splitAuthentik, nil, "authentik"),
	format("elasticsearch_audit", splitElastic, nil, "elasticsearch"),
	format("mattermost_audit", splitMattermost, nil, "mattermost"),
	format("authelia", splitAuthelia, nil, "authelia"),
	format("sftpgo", splitSFTPGo, nil, "sftpgo"),
	format("stalwart", splitStalwart, nil, "stalwart"),
	format("hestia", splitHestia, nil, "hestia"),
	raw(format("emby", splitEmby, nil, "emby.log")),
	format("adguard_home", splitAdGuard, nil, "AdGuardHome"),
	raw(format("odoo", splitOdoo, nil, "odoo.log")),
	raw(format("redmine", splitRedmine, nil, "redmine.log")),
	raw(format("ispconfig", splitISPConfig, nil, "ispconfig.log")),
	raw(format("jellyfin", splitJellyfin, nil, "jellyfin")),
	raw(format("vaultwarden", splitVaultwarden, nil, "vaultwarden")),
	raw(format("ejabberd", splitEjabberd, nil, "ejabberd")),
	raw(format("xrdp", splitXRDP, nil, "xrdp-sesman")),
	raw(format("monit", splitMonit, nil, "monit")),
	raw(format("murmur", splitMurmur, nil, "murmur")),
	raw(format("freeswitch", splitFreeSWITCH, nil, "freeswitch")),
	format("homeassistant", splitHomeAssistant, nil, "homeassistant"),
	format("routeros", splitRouterOS, nil, "routeros"),
	format("oracle_ims", splitIMS, nil, "oracle-ims"),
	format("tine20", splitTine20, nil, "tine20"),
	format("domino", splitDomino, marks{"SMTP Server: ", "smtp: ", "imap: ", "IMAP Server: ", "pop3: ", "POP3 Server: ", "http: ", "HTTP Server: ", "Router: ", "Event Monitor: ", "ldap: ", "LDAP Server: "}, "domino"),
	raw(format("3proxy", split3proxy, nil, "3proxy")),
	format("redis", splitRedis, nil, "redis-server"),
	format("xinetd", splitXinetd, marks{"START: ", "FAIL: ", "EXIT: ", "USERID: ", "DATA: ", "NOID: "}, "xinetd"),
	format("named", splitNamed, namedCategories, "named"),
	format("vsftpd", splitVsftpd, marks{"[pid "}, "vsftpd"),
	raw(format("phpmyadmin", splitPHPMyAdmin, nil, "phpmyadmin")),
	format("dovecot", splitDovecot, marks{"imap-login: ", "pop3-login: ", "managesieve-login: ", "submission-login: ", "auth: ", "auth-worker(", "auth(", "imap(", "pop3(", "lmtp(", "lda(", "master: ", "config: ", "log: ", "anvil: ", "ssl-params: ", "stats: "}, "dovecot"),
	format("proftpd", splitProftpd, nil, "proftpd"),
	format("postgresql_json", splitPostgresJSON, nil, "postgresql.json"),
	format("postgresql_csv", splitPostgresCSV, nil, "postgresql.csv"),
	raw(format("postgresql", splitPostgres, nil, "postgres")),
	format("mysql_json", splitMySQLJSON, nil, "mysqld.json"),
	format("zimbra", splitZimbra, nil, "zimbra"),
	raw(format("samba", splitSamba, nil, "smbd")),
	format("joomla", splitJoomla, nil, "joomla"),
	format("rsync", splitRsync, marks{"connect from ", "auth failed on module ", "rsync denied on module ", "unknown module '", "rsync on ", "rsync to ", "rsync allowed access on module ", "rsyncd version ",
		"building file list", "receiving file list", "sent ", "name lookup failed for ", "params.c:"}, "rsyncd"),
	format("zabbix", splitZabbix, marks{"failed to accept an incoming connection: ", "Starting Zabbix ", "**** Enabled features", "agent #", "server #", "cannot ", "Zabbix Agent "}, "zabbix_agentd"),
	format("mosquitto", splitMosquitto, marks{"Client ", "New connection from ", "New client connected from ", "mosquitto version ", "Sending CONNACK to ", "Saving in-memory database to ", "Config loaded from ", "Opening ipv"}, "mosquitto"),
	format("mysql_error", splitMySQL, marks{"[Note] ", "[Warning] ", "[ERROR] ", "[System] ", "[Error] "}, "mysqld"),
	format("exim", splitExim, nil, "exim"),
	format("openvpn", splitOpenVPN, nil, "openvpn"),
	format("openssh_windows", splitWindowsSSHD, marks{"Failed ", "Accepted ", "Invalid user ", "User ", "Connection ", "Received ", "Disconnected ", "Disconnecting ", "Server listening ", "Unable to negotiate ", "Did not receive ",
		"Bad protocol ", "Timeout before ", "banner exchange: ", "ssh_dispatch_run_fatal: ", "kex_exchange_identification: ", "error: ", "fatal: ", "debug1: ", "debug2: ", "debug3: "}, "sshd"),
}

// namedCategories are how lines of BIND's own logs begin: a category (lib/isc/log.c, lib/dns/log.c, lib/ns/log.c and bin/named/log.c), a
// severity, or a client.
var namedCategories = marks{
	"client ", "client: ", "cname: ", "config: ", "database: ", "default: ", "delegation-only: ", "dispatch: ", "dnssec: ", "dnstap: ", "edns-disabled: ",
	"general: ", "lame-servers: ", "network: ", "notify: ", "nsid: ", "queries: ", "query-errors: ", "rate-limit: ", "resolver: ", "responses: ",
	"rpz: ", "rpz-passthru: ", "security: ", "serve-stale: ", "spill: ", "sslkeylog: ", "trust-anchor-telemetry: ", "unmatched: ", "update: ", "update-security: ",
	"xfer-in: ", "xfer-out: ", "zoneload: ", "info: ", "notice: ", "error: ", "warning: ", "critical: ", "debug ",
}

// marks are beginnings of texts, one of which a line of a format must have.
type marks []string

func (m marks) has(text string) bool {
	for _, s := range m {
		if strings.HasPrefix(text, s) {
			return true
		}
	}
	return m == nil
}

// raw is a Format whose Raw is true.
func raw(f Format) Format {
	f.Raw = true
	return f
}

// format makes a Format of a splitter that works on views; program is what lines that name none are of.
func format(name string, split func(string) (stamp, program, text string, ok bool), m marks, program string) Format {
	implied := []byte(program)
	return Format{
		Name: name,
		Fits: func(line []byte) bool {
			_, _, text, ok := split(view(line))
			return ok && m.has(text)
		},
		Split: func(line []byte) ([]byte, []byte, []byte, bool) {
			stamp, p, text, ok := split(view(line))
			if !ok {
				return nil, nil, nil, false
			}
			if p == "" {
				return bytesOf(stamp), implied, bytesOf(text), true
			}
			return bytesOf(stamp), bytesOf(p), bytesOf(text), true
		},
	}
}

// shape is the length of the beginning of s that fits a pattern: '0' stands for a digit, 'a' for a letter, '_' for a digit or a space, and
// everything else for itself. It is 0 when s does not fit.
func shape(s, pattern string) int {
	if len(s) < len(pattern) {
		return 0
	}
	for i := 0; i < len(pattern); i++ {
		c := s[i]
		switch pattern[i] {
		case '0':
			if c-'0' > 9 {
				return 0
			}
		case '_':
			if c-'0' > 9 && c != ' ' {
				return 0
			}
		case 'a':
			if c|0x20 < 'a' || c|0x20 > 'z' {
				return 0
			}
		default:
			if c != pattern[i] {
				return 0
			}
		}
	}
	return len(pattern)
}

// isoStamp is the length of "2026-11-22 14:03:07" with 'T' or a space, a fraction and a zone, if s begins with one.
func isoStamp(s string) int {
	const n0 = len("2026-11-22 14:03:07")
	if len(s) < n0 || s[4] != '-' || s[7] != '-' || s[10] != ' ' && s[10] != 'T' || s[13] != ':' || s[16] != ':' || digits(s) != 4 || digits(s[5:]) != 2 ||
		digits(s[8:]) != 2 || digits(s[11:]) != 2 || digits(s[14:]) != 2 || digits(s[17:]) < 2 {
		return 0
	}
	n := n0
	if n < len(s) && (s[n] == '.' || s[n] == ',') {
		n += 1 + digits(s[n+1:])
	}
	rest := s[n:]
	switch {
	case strings.HasPrefix(rest, "Z"):
		n++
	case shape(rest, "+00:00") > 0 || shape(rest, "-00:00") > 0:
		n += 6
	case shape(rest, "+0000") > 0 || shape(rest, "-0000") > 0:
		n += 5
	case shape(rest, " +0000") > 0 || shape(rest, " -0000") > 0:
		n += 6
	case shape(rest, " +00:00") > 0 || shape(rest, " -00:00") > 0:
		n += 7
	}
	return n
}

// monthStamp is the length of "Nov 22 14:03:07", with a fraction.
func monthStamp(s string) int {
	n := shape(s, "aaa _0 00:00:00")
	if n > 0 && n < len(s) && s[n] == '.' {
		n += 1 + digits(s[n+1:])
	}
	return n
}

// cut parts s behind a stamp of n bytes and a space.
func cut(s string, n int) (stamp, text string, ok bool) {
	if n == 0 || n >= len(s) || s[n] != ' ' {
		return "", "", false
	}
	return s[:n], strings.TrimLeft(s[n:], " "), true
}

// inBrackets parts "[STAMP] REST", where stamp knows the shape.
func inBrackets(s string, stamp func(string) int) (when, rest string, ok bool) {
	if s == "" || s[0] != '[' {
		return "", "", false
	}
	n := stamp(s[1:])
	if n == 0 || n+2 >= len(s) || s[n+1] != ']' {
		return "", "", false
	}
	return s[1 : n+1], s[n+2:], true
}
