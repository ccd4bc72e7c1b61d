package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// service is a daemon, or a family of programs that log as one.
type service struct {
	name string // of its events; readers of several daemons say it themselves
	read func(program, text string, e *connwarden.Event) bool
	// words are its messages when read is nil.
	words wording
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

// pamFits tells of a program that is not known whether PAM speaks of a service of about the same name: of others it might be a client's
// words.
func pamFits(program, text string) bool {
	if program == "pam" { // no tag at all: it is guessed
		return true
	}
	service, ok := between(text, "(", ":")
	if ok && service == "samba" && program == "smbd" {
		return true
	}
	return ok && len(service) > 1 && (strings.HasPrefix(program, service) || strings.HasPrefix(service, program)) || strings.HasSuffix(program, "(pam_unix)")
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
	{service{name: "", read: silent}, "su sudo runuser doas pkexec polkitd cron CRON crond kernel systemd systemd-logind"},
	{service{name: "sshd", read: plain(readSSHD)}, "sshd sshd-session sshd-auth"},
	{service{name: "dropbear", read: plain(readDropbear)}, "dropbear"},
	{service{name: "exim", read: plain(readExim)}, "exim exim4"},
	{service{name: "dovecot", read: readDovecot}, "dovecot imap-login pop3-login managesieve-login submission-login lmtp-login dovecot-auth auth auth-worker"},
	{service{name: "mail", read: readMailbox}, "imapd imapd-ssl pop3d pop3d-ssl courierpop3d courierpop3login courierimaplogin courierimapd pop3login imaplogin courieresmtpd couriersmtpd esmtpd couriertls authdaemond " +
		"imap imaps pop3 pop3s lmtpunix ipop3d sieve timsieved cyrus cyrus/*"},
	{service{name: "sendmail", read: readSendmail}, "sendmail sm-mta sm-msp sm-msp-queue sendmail-mta saslauthd"},
	{service{name: "postfix", read: readPostfix}, "postfix*"},
	{service{name: "vsftpd", read: plain(readVsftpd)}, "vsftpd"},
	{service{name: "proftpd", read: plain(readProftpd)}, "proftpd"},
	{service{name: "pure-ftpd", read: plain(readPureFTPd)}, "pure-ftpd"},
	{service{name: "webmin", read: plain(readWebmin)}, "webmin miniserv.pl perl"},
	{service{name: "usermin", read: plain(readWebmin)}, "usermin"},
	{service{name: "roundcube", read: plain(readRoundcube)}, "roundcube"},
	{service{name: "wordpress", words: wordsWordPress}, "wordpress wp"},
	{service{name: "ftpd", words: wordsOldFTP}, "ftpd wu-ftpd in.ftpd in.wuftpd"},
	{service{name: "mod_evasive", words: wordsEvasive}, "mod_evasive mod_evasive20"},
	{service{name: "phpmyadmin", read: plain(readPHPMyAdmin)}, "phpMyAdmin phpmyadmin"},
	{service{name: "cpanel", read: plain(readCPanel)}, "cpanel cpaneld whostmgrd webmaild cpdavd cphulkd cPhulkd"},
	{service{name: "plesk", read: plain(readPlesk)}, "plesk sw-cp-server psa"},
	{service{name: "named", read: plain(readNamed)}, "named named-pkcs11"},
	{service{name: "mysql", read: plain(readMySQL)}, "mysqld mariadbd mysqld_safe mysql mariadb"},
	{service{name: "postgresql", read: plain(readPostgres)}, "postgresql postgres*"},
	{service{name: "mysql", read: plain(readMySQLJSON)}, "mysqld.json"},
	{service{name: "postgresql", read: plain(readPostgresJSON)}, "postgresql.json"},
	{service{name: "postgresql", read: plain(readPostgresCSV)}, "postgresql.csv"},
	{service{name: "zimbra", read: plain(readZimbra)}, "zimbra"},
	{service{name: "samba", read: plain(readSamba)}, "smbd smbd_audit samba"},
	{service{name: "amavis", read: plain(readAmavis)}, "amavis amavisd amavisd-new"},
	{service{name: "zabbix", words: wordsZabbix}, "zabbix_agentd zabbix_agent2 zabbix_server zabbix_proxy zabbix_agent"},
	{service{name: "mosquitto", read: plain(readMosquitto)}, "mosquitto"},
	{service{name: "radicale", words: wordsRadicale}, "radicale"},
	{service{name: "kamailio", words: wordsPike}, "kamailio opensips"},
	{service{name: "mongodb", read: plain(readMongo)}, "mongod mongos mongodb"},
	{service{name: "redis", read: plain(readRedis)}, "redis redis-server valkey-server"},
	{service{name: "openvpn", read: plain(readOpenVPN)}, "openvpn* ovpn ovpn-*"},
	{service{name: "asterisk", read: plain(readAsterisk)}, "asterisk"},
	{service{name: "xinetd", read: plain(readXinetd)}, "xinetd"},
	{service{name: "telnetd", read: plain(readTelnetd)}, "telnetd in.telnetd utelnetd"},
	{service{name: "login", read: plain(readLogin)}, "login"},
	{service{name: "drupal", words: wordsDrupal}, "drupal"},
	{service{name: "sogo", words: wordsSOGo}, "sogod sogo"},
	{service{name: "horde", words: wordsHorde}, "HORDE horde imp"},
	{service{name: "squirrelmail", words: wordsSquirrelMail}, "squirrelmail"},
	{service{name: "groupoffice", words: wordsGroupOffice}, "groupoffice"},
	{service{name: "gitea", words: wordsGitea}, "gitea forgejo gogs"},
	{service{name: "vaultwarden", words: wordsVaultwarden}, "vaultwarden bitwarden_rs"},
	{service{name: "bitwarden", words: wordsBitwarden}, "bitwarden bitwarden-identity"},
	{service{name: "jellyfin", words: wordsJellyfin}, "jellyfin"},
	{service{name: "proxmox", words: wordsProxmox}, "pvedaemon pveproxy pmgdaemon pmgproxy proxmox-backup-proxy proxmox-backup-api"},
	{service{name: "grafana", words: wordsGrafana}, "grafana grafana-server"},
	{service{name: "monit", words: wordsMonit}, "monit"},
	{service{name: "directadmin", words: wordsDirectAdmin}, "directadmin"},
	{service{name: "openwebmail", words: wordsOpenWebMail}, "openwebmail"},
	{service{name: "centreon", words: wordsCentreon}, "centreon"},
	{service{name: "suhosin", words: wordsSuhosin}, "suhosin"},
	{service{name: "nrpe", words: wordsNRPE}, "nrpe"},
	{service{name: "screensharing", words: wordsScreenSharing}, "screensharingd"},
	{service{name: "xrdp", words: wordsXRDP}, "xrdp-sesman xrdp-sesexec xrdp"},
	{service{name: "portsentry", words: wordsPortSentry}, "portsentry"},
	{service{name: "rblsmtpd", words: wordsRBL}, "rblsmtpd"},
	{service{name: "perdition", words: wordsPerdition}, "perdition perdition.*"},
	{service{name: "solid-pop3d", words: wordsSolidPOP}, "solid-pop3d"},
	{service{name: "softether", words: wordsSoftEther}, "vpnserver softether"},
	{service{name: "znc", words: wordsZNC}, "znc"},
	{service{name: "counter-strike", words: wordsCounterStrike}, "hlds srcds counter-strike"},
	{service{name: "freeswitch", words: wordsFreeSWITCH}, "freeswitch"},
	{service{name: "ejabberd", words: wordsEjabberd}, "ejabberd"},
	{service{name: "murmur", words: wordsMurmur}, "murmurd mumble-server murmur"},
	{service{name: "kerio", words: wordsKerio}, "kerio"},
	{service{name: "nsd", words: wordsNSD}, "nsd"},
	{service{name: "postfix-policyd", words: wordsSPF}, "policyd-spf"},
	{service{name: "homeassistant", read: plain(readHomeAssistant), words: wordsHomeAssistant}, "homeassistant hass"},
	{service{name: "mssql", words: wordsSQLServer}, "mssql sqlservr"},
	{service{name: "dante", read: plain(readDante)}, "danted sockd"},
	{service{name: "froxlor", words: wordsFroxlor}, "Froxlor froxlor"},
	{service{name: "vpopmail", read: plain(readVpopmail)}, "vpopmail vchkpw"},
	{service{name: "tcpserver", read: plain(readTCPServer)}, "tcpserver"},
	{service{name: "rsync", words: wordsRsync}, "rsyncd rsync"},
	{service{name: "joomla", words: wordsJoomla}, "joomla"},
	{service{name: "guacamole", words: wordsGuacamole}, "guacamole tomcat tomcat8 tomcat9 tomcat10"},
	{service{name: "gitlab", read: plain(readGitLab)}, "gitlab"},
	{service{name: "3proxy", words: words3proxy}, "3proxy"},
	{service{name: "tine20", words: wordsTine20}, "tine20"},
	{service{name: "domino", words: wordsDomino}, "domino"},
	{service{name: "oracle-ims", read: plain(readIMS)}, "oracle-ims"},
	{service{name: "assp", read: plain(readASSP)}, "assp"},
	{service{name: "auditd", read: readAuditLog}, "audit auditd"},
	{service{name: "pfsense", read: plain(readPFSense)}, "php-fpm php php-cgi"},
	{service{name: "opnsense", words: wordsOPNsense}, "opnsense"},
	{service{name: "keycloak", read: plain(readKeycloak)}, "keycloak kc.sh"},
	{service{name: "keycloak", read: plain(readOldKeycloak)}, "keycloak.log"},
	{service{name: "authelia", read: plain(readAuthelia)}, "authelia"},
	{service{name: "authentik", read: plain(readAuthentik)}, "authentik"},
	{service{name: "elasticsearch", read: plain(readElastic)}, "elasticsearch"},
	{service{name: "mattermost", read: plain(readMattermost)}, "mattermost"},
	{service{name: "sftpgo", read: plain(readSFTPGo)}, "sftpgo"},
	{service{name: "stalwart", read: plain(readStalwart)}, "stalwart stalwart-mail"},
	{service{name: "hestia", words: wordsHestia}, "hestia vesta"},
	{service{name: "adguardhome", read: plain(readAdGuard), words: wordsAdGuard}, "AdGuardHome adguardhome"},
	{service{name: "odoo", words: wordsOdoo}, "odoo.log"},
	{service{name: "redmine", words: wordsRedmine}, "redmine.log"},
	{service{name: "ispconfig", words: wordsISPConfig}, "ispconfig.log"},
	{service{name: "emby", read: plain(readEmby)}, "emby.log"},
	{service{name: "ocserv", words: wordsOcserv}, "ocserv"},
	{service{name: "routeros", words: wordsRouterOS}, "routeros"},
	{service{name: "nextcloud", read: readNextcloud}, "nextcloud Nextcloud owncloud ownCloud"},
}
