package host

// eventPlaces are where daemons that know their peers write logs of their own when nobody says otherwise, with the name
// that the room logs has for their form; "" is to be recognised. What they write through syslog is found by its configuration.
//
// Sources: the packages of Debian, RHEL and FreeBSD; exim's specification ("Log files"); cPanel's "The cPanel & WHM Log
// Files"; Plesk's "Log Files and Folders"; DirectAdmin's "Log files"; Webmin's miniserv.conf; Roundcube's defaults
// (config/defaults.inc.php, log_dir); the databases' and applications' own manuals. Transfer logs (xferlog) accuse nobody and are left out, as
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
	{"/var/log/asterisk/messages*", "asterisk", "asterisk", "Asterisk"},
	{"/var/log/asterisk/security*", "asterisk", "asterisk", "Asterisk"},

	{"/usr/local/hestia/log/auth.log", "hestia", "hestia", "HestiaCP"},
	{"/usr/local/vesta/log/auth.log", "hestia", "hestia", "VestaCP"},
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

// turning takes in logs whose names turn with the day; the one written last is current.
func (s *scan) turning() {
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
