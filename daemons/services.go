package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// service is a daemon, or a family of programs that log as one.
type service struct {
	name string // of its events; readers of several daemons say it themselves
	read func(program, text string, e *connwarden.Event) bool
}

// byProgram finds the service of a program by its syslog tag.
var byProgram = map[string]*service{}

// A name that ends in "*" is of all programs that begin so; such families are few, and looked at when nothing else is known.
var families []family

type family struct {
	begin   string
	service *service
}

func init() {
	for i := range services {
		s := &services[i]
		for name := range strings.FieldsSeq(s.programs) {
			if begin, ok := strings.CutSuffix(name, "*"); ok {
				families = append(families, family{begin, &s.service})
				continue
			}
			byProgram[name] = &s.service
		}
	}
}

// of returns the service of a program, nil when nothing is known of it.
func of(program string) *service {
	program = bare(program)
	if s := byProgram[program]; s != nil {
		return s
	}
	// "sshd(pam_unix)", "wordpress(blog.example.com)", "postgres[4242]".
	if i := strings.IndexAny(program, "([@"); i > 0 {
		if s := byProgram[program[:i]]; s != nil {
			return s
		}
	}
	for i := range families {
		if strings.HasPrefix(program, families[i].begin) {
			return families[i].service
		}
	}
	return nil
}

// Knows tells whether a program of that syslog tag could say anything about a peer.
func Knows(program []byte) bool { return of(view(program)) != nil }

// isPAM tells whether a module of PAM speaks in a program's name.
func isPAM(program, text string) bool {
	return strings.HasPrefix(text, "pam_") || strings.HasPrefix(text, "(pam_") || strings.HasSuffix(program, "(pam_unix)") ||
		strings.HasPrefix(text, "PAM ") && strings.Contains(text[:min(len(text), 48)], " more authentication failure")
}

// plain is the reader of a service whose programs all speak alike.
func plain(read func(text string, e *connwarden.Event) bool) func(string, string, *connwarden.Event) bool {
	return func(_, text string, e *connwarden.Event) bool { return read(text, e) }
}

// silent is the reader of programs that accuse nobody: what they say of hosts, a local account said, and the kernel's lines about packets
// name senders that nobody has checked.
func silent(string, string, *connwarden.Event) bool { return false }

// services lists the daemons, each with its programs.
var services = []struct {
	service
	programs string
}{
	{service{"", silent}, "su sudo runuser doas pkexec polkitd cron CRON crond kernel systemd systemd-logind"},
	{service{"sshd", plain(readSSHD)}, "sshd sshd-session sshd-auth"},
	{service{"dropbear", plain(readDropbear)}, "dropbear"},
	{service{"exim", plain(readExim)}, "exim exim4"},
	{service{"dovecot", readDovecot}, "dovecot imap-login pop3-login managesieve-login submission-login lmtp-login dovecot-auth auth auth-worker"},
	{service{"mail", readMailbox}, "imapd imapd-ssl pop3d pop3d-ssl courierpop3d courierpop3login courierimaplogin courierimapd pop3login imaplogin courieresmtpd couriersmtpd esmtpd couriertls authdaemond " +
		"imap imaps pop3 pop3s lmtpunix ipop3d sieve timsieved cyrus cyrus/*"},
	{service{"sendmail", readSendmail}, "sendmail sm-mta sm-msp sm-msp-queue sendmail-mta saslauthd"},
	{service{"postfix", readPostfix}, "postfix*"},
	{service{"vsftpd", plain(readVsftpd)}, "vsftpd"},
	{service{"proftpd", plain(readProftpd)}, "proftpd"},
	{service{"pure-ftpd", plain(readPureFTPd)}, "pure-ftpd"},
	{service{"webmin", plain(readWebmin)}, "webmin miniserv.pl"},
	{service{"usermin", plain(readWebmin)}, "usermin"},
	{service{"roundcube", plain(readRoundcube)}, "roundcube"},
	{service{"wordpress", readWordPress}, "wordpress wp"},
	{service{"ftpd", readOldFTP}, "ftpd wu-ftpd in.ftpd in.wuftpd"},
	{service{"mod_evasive", readEvasive}, "mod_evasive mod_evasive20"},
	{service{"phpmyadmin", plain(readPHPMyAdmin)}, "phpMyAdmin phpmyadmin"},
	{service{"cpanel", plain(readCPanel)}, "cpanel cpaneld whostmgrd webmaild cpdavd cphulkd cPhulkd"},
	{service{"plesk", plain(readPlesk)}, "plesk sw-cp-server psa"},
	{service{"named", plain(readNamed)}, "named named-pkcs11"},
	{service{"mysql", plain(readMySQL)}, "mysqld mariadbd mysqld_safe mysql mariadb"},
	{service{"postgresql", plain(readPostgres)}, "postgresql postgres*"},
	{service{"mongodb", plain(readMongo)}, "mongod mongos mongodb"},
	{service{"redis", plain(readRedis)}, "redis redis-server valkey-server"},
	{service{"openvpn", plain(readOpenVPN)}, "openvpn* ovpn ovpn-*"},
	{service{"asterisk", plain(readAsterisk)}, "asterisk"},
	{service{"xinetd", plain(readXinetd)}, "xinetd"},
	{service{"telnetd", plain(readTelnetd)}, "telnetd in.telnetd utelnetd"},
	{service{"login", plain(readLogin)}, "login"},
	{service{"drupal", readDrupal}, "drupal"},
	{service{"sogo", readSOGo}, "sogod sogo"},
	{service{"horde", readHorde}, "HORDE horde imp"},
	{service{"squirrelmail", readSquirrelMail}, "squirrelmail"},
	{service{"groupoffice", readGroupOffice}, "groupoffice"},
	{service{"gitea", readGitea}, "gitea forgejo gogs"},
	{service{"vaultwarden", readVaultwarden}, "vaultwarden bitwarden_rs"},
	{service{"bitwarden", readBitwarden}, "bitwarden bitwarden-identity"},
	{service{"jellyfin", readJellyfin}, "jellyfin"},
	{service{"proxmox", readProxmox}, "pvedaemon pveproxy proxmox-backup-proxy"},
	{service{"grafana", readGrafana}, "grafana grafana-server"},
	{service{"monit", readMonit}, "monit"},
	{service{"directadmin", readDirectAdmin}, "directadmin"},
	{service{"openwebmail", readOpenWebMail}, "openwebmail"},
	{service{"centreon", readCentreon}, "centreon"},
	{service{"suhosin", readSuhosin}, "suhosin"},
	{service{"nrpe", readNRPE}, "nrpe"},
	{service{"screensharing", readScreenSharing}, "screensharingd"},
	{service{"xrdp", readXRDP}, "xrdp-sesman xrdp"},
	{service{"portsentry", readPortSentry}, "portsentry"},
	{service{"rblsmtpd", readRBL}, "rblsmtpd"},
	{service{"perdition", readPerdition}, "perdition perdition.*"},
	{service{"solid-pop3d", readSolidPOP}, "solid-pop3d"},
	{service{"softether", readSoftEther}, "vpnserver softether"},
	{service{"znc", readZNC}, "znc"},
	{service{"counter-strike", readCounterStrike}, "hlds srcds counter-strike"},
	{service{"freeswitch", readFreeSWITCH}, "freeswitch"},
	{service{"ejabberd", readEjabberd}, "ejabberd"},
	{service{"murmur", readMurmur}, "murmurd mumble-server murmur"},
	{service{"kerio", readKerio}, "kerio"},
	{service{"nsd", readNSD}, "nsd"},
	{service{"postfix-policyd", readSPF}, "policyd-spf"},
	{service{"auditd", readAudit}, "audit auditd"},
	{service{"nextcloud", readNextcloud}, "nextcloud Nextcloud owncloud ownCloud"},
}
