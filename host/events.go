package host

// eventPlaces are where daemons that know their peers write logs of their own when nobody says otherwise, with the name
// that the room logs has for their form; "" is to be recognised. What they write through syslog is found by its configuration.
//
// Sources: the packages of Debian, RHEL and FreeBSD; exim's specification ("Log files"); cPanel's "The cPanel & WHM Log
// Files"; Plesk's "Log Files and Folders"; DirectAdmin's "Log files"; Webmin's miniserv.conf; Roundcube's defaults
// (config/defaults.inc.php, log_dir); Samba's log.SERVICE of a build without "log file"; Zimbra's wiki, "Log Files" (only audit.log tells of logins, by its log4j.properties);
// the databases' and applications' own manuals. Transfer logs (xferlog) accuse nobody and are left out, as
// is fail2ban's log, which repeats what others wrote.
var eventPlaces = []struct{ pattern, service, format, whose string }{
	{"/var/log/dovecot*.log", "dovecot", "dovecot", "Dovecot"},
	{"/var/log/dovecot/*.log", "dovecot", "dovecot", "Dovecot"},

	{"/var/log/vsftpd.log", "vsftpd", "vsftpd", "vsftpd"},
	{"/var/log/proftpd/proftpd.log", "proftpd", "proftpd", "Debian"},
	{"/var/log/proftpd/auth.log", "proftpd", "", "DirectAdmin"},
	{"/var/log/proftpd.log", "proftpd", "proftpd", "ProFTPD"},
	{"/var/log/pureftpd.log", "pure-ftpd", "", "Pure-FTPd"},
	{"/var/log/pure-ftpd/pure-ftpd.log", "pure-ftpd", "", "Pure-FTPd"},

	{"/usr/local/cpanel/logs/login_log", "cpanel", "cpanel_login", "cPanel"},
	{"/usr/local/cpanel/logs/session_log", "cpanel", "", "cPanel"},
	{"/usr/local/cpanel/logs/cphulkd.log", "cpanel", "", "cPanel"},
	{"/var/log/plesk/panel.log", "plesk", "plesk_panel", "Plesk"},
	{"/usr/local/psa/admin/logs/panel.log", "plesk", "plesk_panel", "Plesk"},
	{"/var/log/directadmin/login.log", "directadmin", "", "DirectAdmin"},
	{"/var/log/directadmin/security.log", "directadmin", "", "DirectAdmin"},
	{"/var/log/roundcube/*", "roundcube", "roundcube", "Roundcube"},
	{"/var/log/roundcubemail/*", "roundcube", "roundcube", "RHEL"},
	{"/var/log/plesk-roundcube/*", "roundcube", "roundcube", "Plesk"},
	{"/var/cpanel/roundcube/log/*", "roundcube", "roundcube", "cPanel"},
	{"/usr/local/cpanel/base/3rdparty/roundcube/logs/*", "roundcube", "roundcube", "cPanel"},
	{"/var/www/html/roundcube/logs/*", "roundcube", "roundcube", "DirectAdmin"},

	{"/opt/zimbra/log/audit.log", "zimbra", "zimbra", "Zimbra"},
	{"/var/log/samba/log.*", "samba", "samba", "Samba"},

	{"/var/log/postgresql/*.log", "postgresql", "postgresql", "Debian"},
	{"/var/log/mongodb/*.log", "mongodb", "mongodb", "MongoDB"},
	{"/var/log/redis/*.log", "redis", "redis", "Redis"},
	{"/var/log/valkey/*.log", "redis", "redis", "Valkey"},

	{"/var/log/named/*.log", "named", "named", "BIND"},
	{"/var/log/bind/*.log", "named", "named", "BIND"},
	{"/var/log/named.log", "named", "named", "BIND"},
	{"/var/named/data/named.run", "named", "named", "RHEL"},
	{"/var/log/openvpn.log", "openvpn", "openvpn", "OpenVPN"},
	{"/var/log/openvpn/openvpn.log", "openvpn", "openvpn", "OpenVPN"},
	{"/var/log/mosquitto/mosquitto.log", "mosquitto", "mosquitto", "Mosquitto"},
	{"/var/log/rsyncd.log", "rsync", "rsync", "rsync"},
	{"/var/log/zabbix/*.log", "zabbix", "zabbix", "Zabbix"},
	{"/var/log/zabbix-agent/*.log", "zabbix", "zabbix", "Debian"},
	{"/var/log/3proxy/*.log", "3proxy", "3proxy", "3proxy"},
	{"/var/log/xinetd.log", "xinetd", "xinetd", "xinetd"},
	{"/var/log/ejabberd/ejabberd.log", "ejabberd", "ejabberd", "ejabberd"},
	{"/opt/ejabberd/logs/ejabberd.log", "ejabberd", "ejabberd", "ejabberd"},
	{"/var/log/freeswitch/freeswitch.log", "freeswitch", "freeswitch", "FreeSWITCH"},
	{"/usr/local/freeswitch/log/freeswitch.log", "freeswitch", "freeswitch", "FreeSWITCH"},
	{"/var/log/sogo/sogo.log", "sogo", "syslog", "SOGo"},
	{"/var/log/mumble-server/*.log", "murmur", "murmur", "Debian"},
	{"/var/log/monit.log", "monit", "monit", "Debian"},
	{"/ProgramData/ssh/logs/sshd.log", "sshd", "openssh_windows", "Windows"},
	{"/var/log/asterisk/messages*", "asterisk", "asterisk", "Asterisk"},
	{"/var/log/asterisk/security*", "asterisk", "asterisk", "Asterisk"},

	{"/usr/local/hestia/log/auth.log", "hestia", "hestia", "HestiaCP"},
	{"/usr/local/vesta/log/auth.log", "hestia", "hestia", "VestaCP"},
	{"/var/log/ispconfig/auth.log", "ispconfig", "ispconfig", "ISPConfig"},
	{"/var/log/odoo/*.log", "odoo", "odoo", "Odoo"},
	{"/var/log/redmine/*/production.log", "redmine", "redmine", "Debian"},
	{"/opt/redmine/log/production.log", "redmine", "redmine", "Redmine"},
	{"/var/www/redmine/log/production.log", "redmine", "redmine", "Redmine"},
	{"/var/log/authelia/authelia.log", "authelia", "authelia", "Authelia"},
	{"/var/log/vaultwarden.log", "vaultwarden", "vaultwarden", "Vaultwarden"},
	{"/var/log/vaultwarden/*.log", "vaultwarden", "vaultwarden", "Vaultwarden"},
	{"/var/lib/vaultwarden/vaultwarden.log", "vaultwarden", "vaultwarden", "Vaultwarden"},
	{"/opt/vaultwarden/data/vaultwarden.log", "vaultwarden", "vaultwarden", "Vaultwarden"},
	{"/vw-data/vaultwarden.log", "vaultwarden", "vaultwarden", "Vaultwarden"},
	{"/var/lib/docker/volumes/*/_data/vaultwarden.log", "vaultwarden", "vaultwarden", "Docker"},
	{"/var/lib/docker/volumes/*/_data/data/nextcloud.log", "nextcloud", "nextcloud", "Docker"},
	{"/var/lib/docker/volumes/*/_data/nextcloud.log", "nextcloud", "nextcloud", "Nextcloud AIO"},
	{"/home/homeassistant/.homeassistant/home-assistant.log", "homeassistant", "homeassistant", "Home Assistant"},
	{"/usr/share/hassio/homeassistant/home-assistant.log", "homeassistant", "homeassistant", "Home Assistant"},
	{"/var/lib/docker/volumes/*/_data/home-assistant.log", "homeassistant", "homeassistant", "Docker"},
	{"/var/lib/emby/logs/embyserver.txt", "emby", "emby", "Emby"},
	{"/var/log/jellyfin/*.log", "jellyfin", "jellyfin", "Jellyfin"},
	{"/opt/keycloak/data/log/keycloak.log", "keycloak", "keycloak", "Keycloak"},
	{"/var/log/elasticsearch/*_audit.json", "elasticsearch", "elasticsearch_audit", "Elasticsearch"},
	{"/opt/mattermost/logs/audit.log", "mattermost", "mattermost_audit", "Mattermost"},
	{"/var/log/gitlab/gitlab-rails/application_json.log", "gitlab", "gitlab_json", "GitLab"},
}

// eximPlaces are Exim's logs by Debian, RHEL, DirectAdmin and cPanel. The first of each holds a copy of what the others
// say of a peer (the specification, "Log files").
var eximPlaces = [...][]string{
	{"/var/log/exim4/mainlog", "/var/log/exim4/rejectlog", "/var/log/exim4/paniclog"},
	{"/var/log/exim/main.log", "/var/log/exim/reject.log", "/var/log/exim/panic.log"},
	{"/var/log/exim/mainlog", "/var/log/exim/rejectlog", "/var/log/exim/paniclog"},
	{"/var/log/exim_mainlog", "/var/log/exim_rejectlog", "/var/log/exim_paniclog"},
}

// findExim adds Exim's logs.
func (s *scan) findExim() {
	for _, names := range eximPlaces {
		for i, name := range names {
			c := candidate{kind: Events, service: "exim", format: "exim", from: "usual place of Exim"}
			if i > 0 {
				c.twin = names[0]
			}
			s.usual(name, false, c)
		}
	}
}

// turningPlaces are folders of logs whose names turn with the day, and the names there.
var turningPlaces = []struct {
	dirs, names, service, format, whose string
}{
	{"/var/log/tomcat*", "localhost_access_log*.txt", "tomcat", "", "Tomcat"},
	{"/opt/tomcat*/logs", "localhost_access_log*.txt", "tomcat", "", "Tomcat"},
	{"/opt/apache-tomcat*/logs", "localhost_access_log*.txt", "tomcat", "", "Tomcat"},
	{"/usr/local/tomcat*/logs", "localhost_access_log*.txt", "tomcat", "", "Tomcat"},
	{"/usr/share/tomcat*/logs", "localhost_access_log*.txt", "tomcat", "", "RHEL"},
	{"/var/log/jetty*", "*.request.log", "jetty", "", "Jetty"},
	{"/opt/jetty*/logs", "*.request.log", "jetty", "", "Jetty"},
	{"/opt/stalwart*/logs", "stalwart.log*", "stalwart", "stalwart", "Stalwart"},
	{"/var/log/stalwart*", "stalwart.log*", "stalwart", "stalwart", "Stalwart"},
}

// turning takes in logs whose names turn with the day; the one written last is current, and a window may reach into the one before.
func (s *scan) turning() {
	for _, p := range turningPlaces {
		dirs, _, _ := s.tree.glob(p.dirs, s.lim.entries)
		for _, dir := range dirs {
			for _, name := range s.latest(dir+"/"+p.names, 2) {
				c := ownCandidate(name, p.service, p.format)
				c.from = "usual place of " + p.whose
				s.found = append(s.found, c)
			}
		}
	}
	for _, pattern := range [...]string{"/var/lib/pgsql/data", "/var/lib/pgsql/[0-9]*/data"} {
		folders, _, _ := s.tree.glob(pattern, s.lim.entries)
		for _, dir := range folders {
			for _, log := range [...]string{"/log/*.log", "/pg_log/*.log"} {
				s.found = append(s.found, candidate{
					name: dir + log, glob: true, newest: true, kind: Events, service: "postgresql", format: "postgresql", from: "usual place of RHEL",
				})
			}
		}
	}
}
