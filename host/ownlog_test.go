package host

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ownList is what a tree's daemons log, a line a log, and what was complained of.
func ownList(h *Host) string {
	var b strings.Builder
	files, problems := h.Logs(context.Background())
	for _, f := range files {
		fmt.Fprintf(&b, "%s %s %s %s", f.Shown, f.Service, f.Kind, f.Format)
		if f.Twin != "" {
			fmt.Fprintf(&b, " = %s", f.Twin)
		}
		if !strings.HasPrefix(f.From, "usual place") {
			fmt.Fprintf(&b, " (%s)", f.From)
		}
		b.WriteByte('\n')
	}
	for _, p := range problems {
		fmt.Fprintf(&b, "! %s: %s\n", p.What, p.Why)
	}
	return b.String()
}

// A daemon's configuration says where its log is, and of what stands beside it only what is written now is listed.
func TestOwnLogs(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"samba, a log a machine", map[string]string{
			"etc/samba/smb.conf": "[global]\n   Log File = /var/log/samba/log.%m\n   max log size = 1000\n; log file = /l/no\n[print$]\n   log file = /l/no2\n",
			"l/no":               "", "l/no2": "",
			"var/log/samba/log.smbd": "", "var/log/samba/log.192.0.2.7": "", "var/log/samba/log.192.0.2.7.old": "", "var/log/samba/log.smbd.1": "", "var/log/samba/log.pc7.2.gz": "",
		}, "/var/log/samba/log.192.0.2.7 samba events samba (samba configuration /etc/samba/smb.conf:2)\n/var/log/samba/log.smbd samba events samba (samba configuration /etc/samba/smb.conf:2)\n"},
		{"samba, a log of logins of its own", map[string]string{
			"etc/samba/smb.conf":    "[global]\n include = /etc/samba/own.conf\n include = /etc/samba/%m.conf\n",
			"etc/samba/own.conf":    "[global]\nlog level = 1 auth_audit:3@/srv/l/audit.log auth_json_audit:3\nlog file = /srv/l/%U.%m\n",
			"srv/l/audit.log":       "",
			"srv/l/bob.pc":          "",
			"var/log/samba/cores/x": "",
		}, "/srv/l/audit.log samba events samba (samba configuration /etc/samba/own.conf:2)\n/srv/l/bob.pc samba events samba (samba configuration /etc/samba/own.conf:3)\n"},
		{"samba without a word", map[string]string{"var/log/samba/log.smbd": "", "var/log/samba/log.smbd.old": "", "var/log/samba/log.192.0.2.7": ""},
			"/var/log/samba/log.192.0.2.7 samba events samba\n/var/log/samba/log.smbd samba events samba\n"},
		{"mosquitto", map[string]string{
			"etc/mosquitto/mosquitto.conf": "log_dest syslog\nlog_dest topic\nlog_dest file /srv/mq.log\ninclude_dir /etc/mosquitto/conf.d\n",
			"etc/mosquitto/conf.d/a.conf":  "#log_dest file /srv/no\n\tlog_dest\tfile   /srv/a.log\n", "etc/mosquitto/conf.d/b.conf.old": "log_dest file /srv/no\n",
			"srv/mq.log": "", "srv/mq.log.1": "", "srv/a.log": "", "srv/no": "",
		}, "/srv/a.log mosquitto events mosquitto (mosquitto configuration /etc/mosquitto/conf.d/a.conf:2)\n/srv/mq.log mosquitto events mosquitto (mosquitto configuration /etc/mosquitto/mosquitto.conf:3)\n"},
		{"mosquitto's usual place", map[string]string{"var/log/mosquitto/mosquitto.log": "", "var/log/mosquitto/mosquitto.log.1": ""},
			"/var/log/mosquitto/mosquitto.log mosquitto events mosquitto\n"},
		{"rsync", map[string]string{
			"etc/rsyncd.conf":     "log file = /var/log/rsyncd.log\n&include /etc/rsyncd.d\n[m]\n LogFile=/srv/m.log\n path = /srv\n[n]\nlog file = /srv/%RSYNC_USER_NAME%.log\n",
			"etc/rsyncd.d/a.conf": "[a]\nlog file = \"/srv/a b.log\"\n", "var/log/rsyncd.log": "", "srv/m.log": "", "srv/a b.log": "",
		}, "/srv/a b.log rsync events rsync (rsync configuration /etc/rsyncd.d/a.conf:2)\n/srv/m.log rsync events rsync (rsync configuration /etc/rsyncd.conf:4)\n" +
			"/var/log/rsyncd.log rsync events rsync (rsync configuration /etc/rsyncd.conf:1)\n"},
		{"zabbix", map[string]string{
			"etc/zabbix/zabbix_agentd.conf": "PidFile=/run/x\nLogFile=/srv/agent.log\nInclude=/etc/zabbix/zabbix_agentd.d/*.conf\n# LogFile=/srv/no\n",
			"etc/zabbix/zabbix_server.conf": "LogFile = /srv/server.log\nDBPassword=/srv/no\n", "srv/agent.log": "", "srv/server.log": "", "srv/server.log.old": "", "srv/no": "",
			"var/log/zabbix/zabbix_proxy.log": "", "var/log/zabbix/zabbix_proxy.log.1": "",
		}, "/srv/agent.log zabbix events zabbix (zabbix configuration /etc/zabbix/zabbix_agentd.conf:2)\n/srv/server.log zabbix events zabbix (zabbix configuration /etc/zabbix/zabbix_server.conf:1)\n" +
			"/var/log/zabbix/zabbix_proxy.log zabbix events zabbix\n"},
		{"openvpn", map[string]string{
			"etc/openvpn/server/vpn.conf": "dev tun\nlog-append vpn.log\nstatus status.log\n", "etc/openvpn/old.conf": ";log /srv/no\nlog         \"/var/log/openvpn/old.log\"\nconfig more\n",
			"etc/openvpn/more":           "log-append /srv/more.log\n",
			"etc/openvpn/server/vpn.log": "", "etc/openvpn/server/status.log": "", "var/log/openvpn/old.log": "", "srv/no": "", "srv/more.log": "",
		}, "/etc/openvpn/server/vpn.log openvpn events openvpn (openvpn configuration /etc/openvpn/server/vpn.conf:2)\n/srv/more.log openvpn events openvpn (openvpn configuration /etc/openvpn/more:1)\n" +
			"/var/log/openvpn/old.log openvpn events openvpn (openvpn configuration /etc/openvpn/old.conf:2)\n"},
		{"redis", map[string]string{
			"etc/redis/redis.conf": "requirepass /srv/secret\nlogfile \"/srv/r.log\"\ninclude /etc/redis/more\n", "etc/redis/more": "logfile stdout\n", "etc/redis/sentinel.conf": "logfile \"\"\n",
			"srv/secret": "", "srv/r.log": "",
		}, "/srv/r.log redis events redis (redis configuration /etc/redis/redis.conf:2)\n"},
		{"mail, files and others", map[string]string{
			"etc/dovecot/dovecot.conf": "!include conf.d/*.conf\n!include_try local.conf\n", "etc/dovecot/conf.d/10-logging.conf": "log_path = /srv/dc.log\ninfo_log_path = syslog\n#log_path = /srv/no\n",
			"etc/vsftpd.conf": "xferlog_file=/srv/no\nvsftpd_log_file=/srv/vs.log\n", "etc/proftpd/proftpd.conf": "SystemLog\t/srv/pro.log\nTransferLog /srv/no\n",
			"etc/xinetd.conf": "defaults\n{\n log_type = FILE /srv/x.log 1000\n}\nincludedir /etc/xinetd.d\n", "etc/xinetd.d/a": "service a\n{\n log_type = SYSLOG daemon\n}\n",
			"etc/odoo/odoo.conf": "[options]\nadmin_passwd = /srv/no\nlogfile = /srv/odoo.log\n", "etc/3proxy/3proxy.cfg": "users a:CL:/srv/no\nlog /srv/3.log D\n",
			"etc/vaultwarden.env": "ADMIN_TOKEN=/srv/no\nLOG_FILE=/srv/vw.log\n",
			"srv/dc.log":          "", "srv/vs.log": "", "srv/pro.log": "", "srv/x.log": "", "srv/odoo.log": "", "srv/3.log": "", "srv/vw.log": "", "srv/no": "",
		}, "/srv/3.log 3proxy events 3proxy (3proxy configuration /etc/3proxy/3proxy.cfg:2)\n/srv/dc.log dovecot events dovecot (dovecot configuration /etc/dovecot/conf.d/10-logging.conf:1)\n" +
			"/srv/odoo.log odoo events odoo (odoo configuration /etc/odoo/odoo.conf:3)\n/srv/pro.log proftpd events proftpd (proftpd configuration /etc/proftpd/proftpd.conf:1)\n" +
			"/srv/vs.log vsftpd events vsftpd (vsftpd configuration /etc/vsftpd.conf:2)\n/srv/vw.log vaultwarden events vaultwarden (vaultwarden configuration /etc/vaultwarden.env:2)\n" +
			"/srv/x.log xinetd events xinetd (xinetd configuration /etc/xinetd.conf:3)\n"},
		{"xrdp, unless syslog has the same", map[string]string{
			"etc/xrdp/sesman.ini": "[Globals]\nLogFile=/srv/no\n[Logging]\nLogFile=xrdp-sesman.log\nEnableSyslog=False\n", "var/log/xrdp-sesman.log": "", "srv/no": "",
		}, "/var/log/xrdp-sesman.log xrdp events xrdp (xrdp configuration /etc/xrdp/sesman.ini:4)\n"},
		{"xrdp's default", map[string]string{"etc/xrdp/sesman.ini": "[Logging]\nLogFile=xrdp-sesman.log\nEnableSyslog=true\n", "var/log/xrdp-sesman.log": ""}, ""},
		{"monit and murmur", map[string]string{
			"etc/monit/monitrc": "set daemon 120\n  set log /srv/monit.log\n  include /etc/monit/conf.d/*\n", "etc/monit/conf.d/a": "set httpd port 2812\n allow admin:/srv/no\n",
			"etc/mumble-server.ini": "serverpassword=/srv/no\nlogfile=/srv/mumble.log\n", "srv/monit.log": "", "srv/mumble.log": "", "srv/no": "", "var/log/mumble-server/mumble-server.log": "", "var/log/mumble-server/mumble-server.log.1": "",
			"var/log/ejabberd/ejabberd.log": "", "var/log/ejabberd/error.log": "", "var/log/ejabberd/ejabberd.log.0": "", "var/log/freeswitch/freeswitch.log": "",
		}, "/srv/monit.log monit events monit (monit configuration /etc/monit/monitrc:2)\n/srv/mumble.log murmur events murmur (murmur configuration /etc/mumble-server.ini:2)\n" +
			"/var/log/ejabberd/ejabberd.log ejabberd events ejabberd\n/var/log/freeswitch/freeswitch.log freeswitch events freeswitch\n/var/log/mumble-server/mumble-server.log murmur events murmur\n"},
		{"requests", map[string]string{
			"etc/squid/squid.conf": "access_log daemon:/srv/sq.log squid\n",
			"etc/caddy/Caddyfile":  "a.example {\n log {\n  output file /srv/caddy.log {\n   roll_size 1mb\n  }\n }\n}\nb.example {\n log {\n  output stderr\n  output file {$L}\n }\n}\n",
			"srv/sq.log":           "", "srv/sq2.log": "", "srv/caddy.log": "", "var/log/squid/access.log": "", "var/log/squid/access.log.1": "", "var/log/squid/cache.log": "",
			"var/log/traefik/access.log": "", "var/log/gitlab/nginx/gitlab_access.log": "", "var/log/gitlab/nginx/gitlab_error.log": "", "var/log/grafana/grafana.log": "",
		}, "/srv/caddy.log caddy access  (caddy configuration /etc/caddy/Caddyfile:3)\n" +
			"/var/log/gitlab/nginx/gitlab_access.log nginx access \n/var/log/gitlab/nginx/gitlab_error.log nginx error \n/var/log/grafana/grafana.log grafana access \n/var/log/traefik/access.log traefik access \n"},
		{"exim", map[string]string{
			"etc/exim4/exim4.conf": "log_selector = +all\nlog_file_path = syslog : /srv/exim/%slog\n.include_if_exists /etc/exim4/more\n", "etc/exim4/more": "log_file_path = /srv/exim/%D-%slog\n",
			"srv/exim/mainlog": "", "srv/exim/mainlog.1": "", "srv/exim/rejectlog": "",
		}, "/srv/exim/mainlog exim events exim (exim configuration /etc/exim4/exim4.conf:2)\n"},
		{"yaml", map[string]string{
			"etc/mongod.conf":                  "storage:\n  path: /srv/no\nsystemLog:\n  destination: file\n  component:\n    path: /srv/no\n  path: \"/srv/mongod.log\" # here\nnet: {port: 1}\n",
			"etc/traefik/traefik.yml":          "log:\n  filePath: /srv/no\naccessLog:\n  filePath: /srv/tr.log\n  format: json\n",
			"etc/authelia/configuration.yml":   "# x\nlog:\n  level: info\n  file_path: '/srv/authelia.log'\nsession:\n  secret: /srv/no\n",
			"opt/AdGuardHome/AdGuardHome.yaml": "users:\n  - name: a\n    password: /srv/no\nlog:\n  enabled: true\n  file: ag.log\n",
			"srv/mongod.log":                   "", "srv/tr.log": "", "srv/authelia.log": "", "opt/AdGuardHome/ag.log": "", "srv/no": "",
		}, "/opt/AdGuardHome/ag.log adguardhome events adguard_home (adguardhome configuration /opt/AdGuardHome/AdGuardHome.yaml:6)\n/srv/authelia.log authelia events authelia (authelia configuration /etc/authelia/configuration.yml:4)\n" +
			"/srv/mongod.log mongodb events mongodb (mongodb configuration /etc/mongod.conf:7)\n/srv/tr.log traefik access  (traefik configuration /etc/traefik/traefik.yml:4)\n"},
		{"sections in place of yaml", map[string]string{
			"etc/mongodb.conf": "dbpath=/srv/no\nlogpath=/srv/old.log\nlogappend=true\n", "etc/traefik/traefik.toml": "[log]\nfilePath = \"/srv/no\"\n[accessLog]\n  filePath = \"/srv/tr.log\"\n",
			"srv/old.log": "", "srv/tr.log": "", "srv/no": "",
		}, "/srv/old.log mongodb events mongodb (mongodb configuration /etc/mongodb.conf:2)\n/srv/tr.log traefik access  (traefik configuration /etc/traefik/traefik.toml:4)\n"},
		{"asterisk, each message once", map[string]string{
			"etc/asterisk/asterisk.conf": "[directories](!)\nastlogdir => /srv/no\n[options]\n", "etc/asterisk/logger.conf": "[general]\n[logfiles]\nconsole => notice\nmessages.log => notice,warning,error\n" +
				"full => notice, warning,error,verbose(3) ; all\nsecurity.log => security\nevents.json => [json]notice\nqueue => dtmf\n#include more.conf\n", "etc/asterisk/more.conf": "[logfiles]\n/srv/more.log => *\n",
			"var/log/asterisk/messages.log": "", "var/log/asterisk/messages.log.0": "", "var/log/asterisk/full": "", "var/log/asterisk/security.log": "", "srv/more.log": "", "var/log/asterisk/queue": "", "srv/no/full": "",
		}, "/srv/more.log asterisk events asterisk (asterisk configuration /etc/asterisk/more.conf:2)\n/var/log/asterisk/full asterisk events asterisk = /srv/more.log (asterisk configuration /etc/asterisk/logger.conf:5)\n" +
			"/var/log/asterisk/messages.log asterisk events asterisk = /srv/more.log (asterisk configuration /etc/asterisk/logger.conf:4)\n/var/log/asterisk/security.log asterisk events asterisk = /srv/more.log (asterisk configuration /etc/asterisk/logger.conf:6)\n"},
		{"asterisk by FreePBX: a notice goes to two files", map[string]string{
			"etc/asterisk/logger.conf": "[general]\n#include logger_general_additional.conf\n[logfiles]\n#include logger_logfiles_additional.conf\n", "etc/asterisk/logger_general_additional.conf": "dateformat=%F %T\n",
			"etc/asterisk/logger_logfiles_additional.conf": "full => debug,error,notice,verbose(3),warning\nconsole => error\nfail2ban => notice,security\n", "var/log/asterisk/full": "", "var/log/asterisk/fail2ban": "", "var/log/asterisk/fail2ban-20261122": "",
		}, "/var/log/asterisk/fail2ban asterisk events asterisk (asterisk configuration /etc/asterisk/logger_logfiles_additional.conf:3)\n" +
			"/var/log/asterisk/full asterisk events asterisk = /var/log/asterisk/fail2ban (asterisk configuration /etc/asterisk/logger_logfiles_additional.conf:1)\n"},
		{"asterisk's default", map[string]string{
			"etc/asterisk/logger.conf": "[logfiles]\nmessages.log => notice,warning,error\nsecurity.log => security\n", "var/log/asterisk/messages.log": "", "var/log/asterisk/security.log": "",
		}, "/var/log/asterisk/messages.log asterisk events asterisk (asterisk configuration /etc/asterisk/logger.conf:2)\n/var/log/asterisk/security.log asterisk events asterisk (asterisk configuration /etc/asterisk/logger.conf:3)\n"},
		{"named, by its categories", map[string]string{
			"etc/bind/named.conf": "// file \"/srv/no\";\ninclude \"/etc/bind/log.conf\";\noptions { directory \"/srv/bind\"; };\nzone \"a\" { type master; file \"/srv/no\"; };\nkey \"k\" { secret \"/srv/no\"; };\n",
			"etc/bind/log.conf": "logging {\n /* channel x { file \"/srv/no\"; }; */\n channel sec { file \"/srv/sec.log\" versions 3 size 5m; print-time yes; };\n channel \"all\" { file \"all.log\"; };\n" +
				" channel q { file \"/srv/query.log\"; };\n channel unused { file \"/srv/no\"; };\n channel both { file \"/srv/both.log\"; };\n category security { sec; both; };\n category queries { q; };\n channel sys { syslog daemon; };\n channel copy { file \"/srv/copy.log\"; };\n category client { sys; copy; };\n category default { all; };\n};\n",
			"srv/sec.log": "", "srv/sec.log.0": "", "srv/bind/all.log": "", "srv/query.log": "", "srv/both.log": "", "srv/copy.log": "", "srv/no": "",
		}, "/srv/bind/all.log named events named (named configuration /etc/bind/log.conf:4)\n/srv/both.log named events named (named configuration /etc/bind/log.conf:7)\n/srv/sec.log named events named = /srv/both.log (named configuration /etc/bind/log.conf:3)\n"},
		{"named of RHEL", map[string]string{
			"etc/named.conf":           "options {\n\tdirectory \t\"/var/named\";\n\tdump-file \t\"/var/named/data/cache_dump.db\";\n};\nlogging {\n        channel default_debug {\n                file \"data/named.run\";\n                severity dynamic;\n        };\n};\n",
			"var/named/data/named.run": "", "var/named/data/named.run.0": "",
		}, "/var/named/data/named.run named events named\n"},
		{"asterisk elsewhere", map[string]string{
			"etc/asterisk/asterisk.conf": "[directories]\nastlogdir => /srv/a\n", "etc/asterisk/logger.conf": "[general]\nappendhostname = yes\n[logfiles]\nfull => notice\n",
			"srv/a/full.pbx1": "", "srv/a/full.pbx1.1": "",
		}, "/srv/a/full.pbx1 asterisk events asterisk (asterisk configuration /etc/asterisk/logger.conf:4)\n"},
		{"gitea", map[string]string{
			"etc/gitea/app.ini": "APP_NAME = x\n[database]\nROOT_PATH = /srv/no\nPASSWD = `x`\n[log]\nMODE = file\nROOT_PATH = /srv/gitea\n", "srv/gitea/gitea.log": "", "srv/gitea/gitea.log.2026-11-21.001.gz": "", "srv/gitea/access.log": "",
			"etc/forgejo/app.ini": "WORK_PATH = /srv/forgejo\n[log]\nROOT_PATH = %(WORK_PATH)s/log\n", "srv/forgejo/log/forgejo.log": "", "var/lib/gitea/log/gitea.log": "",
		}, "/srv/forgejo/log/forgejo.log gitea access gitea (gitea configuration /etc/forgejo/app.ini:3)\n/srv/gitea/access.log gitea access  (gitea configuration /etc/gitea/app.ini:7)\n/srv/gitea/gitea.log gitea access gitea (gitea configuration /etc/gitea/app.ini:7)\n"},
		{"applications of sites", map[string]string{
			"etc/nginx/nginx.conf":            "http { server { root /srv/www/cloud; } server { root /srv/www/joomla; } server { root /srv/www/mail/public_html; } }",
			"srv/www/cloud/config/config.php": "<?php\n$CONFIG = array (\n  'dbpassword' => '/srv/no',\n  'datadirectory' => '/srv/nc',\n  'overwrite.cli.url' => 'x',\n);\n", "srv/nc/nextcloud.log": "", "srv/nc/nextcloud.log.1": "",
			"srv/www/joomla/configuration.php": "<?php\nclass JConfig {\n\tpublic $password = '/srv/no';\n\tpublic $log_path = '/srv/jl';\n}\n", "srv/jl/error.php": "", "srv/www/joomla/administrator/logs/error.php": "",
			"srv/www/mail/config/config.inc.php": "<?php\n$config['db_dsnw'] = '/srv/no';\n", "srv/www/mail/logs/errors.log": "", "srv/www/mail/logs/sendmail.log": "", "srv/www/mail/public_html/index.php": "",
			"etc/roundcube/config.inc.php": "<?php\n$config['log_dir'] = '/srv/rc/'; // here\n", "srv/rc/userlogins": "", "etc/phpmyadmin/config.inc.php": "<?php\n$cfg['AuthLog'] = \"/srv/pma.log\";\n$cfg['AuthLog'] = '/srv/' . 'no';\n",
			"srv/pma.log": "", "srv/no": "",
			"var/www/html/nextcloud/config/config.php": "<?php $CONFIG = array (\n  'logfile' => '/srv/nc2.log'\n);\n", "srv/nc2.log": "",
		}, "/srv/jl/error.php joomla events joomla (joomla configuration /srv/www/joomla/configuration.php:4)\n/srv/nc/nextcloud.log nextcloud events nextcloud (nextcloud configuration /srv/www/cloud/config/config.php:4)\n" +
			"/srv/nc2.log nextcloud events nextcloud (nextcloud configuration /var/www/html/nextcloud/config/config.php:2)\n/srv/pma.log phpmyadmin events phpmyadmin (phpmyadmin configuration /etc/phpmyadmin/config.inc.php:2)\n" +
			"/srv/rc/userlogins roundcube events roundcube (roundcube configuration /etc/roundcube/config.inc.php:2)\n" +
			"/srv/www/joomla/administrator/logs/error.php joomla events joomla (joomla configuration /srv/www/joomla/configuration.php:4)\n" +
			"/srv/www/mail/logs/errors.log roundcube events roundcube (roundcube configuration /srv/www/mail/config/config.inc.php:1)\n"},
		{"usual places", map[string]string{
			"opt/zimbra/log/audit.log": "", "opt/zimbra/log/audit.log.2026-11-21.gz": "", "opt/zimbra/log/nginx.access.log": "", "opt/zimbra/log/mailbox.log": "",
			"var/log/vaultwarden/vaultwarden.log": "", "var/lib/docker/volumes/nc/_data/data/nextcloud.log": "", "var/lib/docker/volumes/vw/_data/vaultwarden.log": "",
			"var/log/odoo/odoo-server.log": "", "var/log/odoo/odoo-server.log.2026-11-21": "", "var/log/redmine/default/production.log": "", "ProgramData/ssh/logs/sshd.log": "",
		}, "/ProgramData/ssh/logs/sshd.log sshd events openssh_windows\n/opt/zimbra/log/audit.log zimbra events zimbra\n/opt/zimbra/log/nginx.access.log nginx access \n" +
			"/var/lib/docker/volumes/nc/_data/data/nextcloud.log nextcloud events nextcloud\n/var/lib/docker/volumes/vw/_data/vaultwarden.log vaultwarden events vaultwarden\n" +
			"/var/log/odoo/odoo-server.log odoo events odoo\n/var/log/redmine/default/production.log redmine events redmine\n/var/log/vaultwarden/vaultwarden.log vaultwarden events vaultwarden\n"},
		{"web servers of panels and bundles", map[string]string{
			"www/server/nginx/conf/nginx.conf": "error_log /www/wwwlogs/nginx_error.log crit;\nhttp { access_log off; include /www/server/panel/vhost/nginx/*.conf; }\n", "www/server/panel/vhost/nginx/a.conf": "server { server_name a.example; access_log /www/wwwlogs/a.example.log; }\n",
			"usr/local/openresty/nginx/conf/nginx.conf": "http { access_log logs/access.log; }\n", "opt/bitnami/apache/conf/httpd.conf": "ServerRoot \"/opt/bitnami/apache\"\nErrorLog \"logs/error_log\"\n",
			"www/wwwlogs/nginx_error.log": "", "www/wwwlogs/a.example.log": "", "usr/local/openresty/nginx/logs/access.log": "", "opt/bitnami/apache/logs/error_log": "",
			"www/server/php/82/etc/php-fpm.conf": "[global]\nerror_log = /www/server/php/82/var/log/php-fpm.log\n", "www/server/php/82/var/log/php-fpm.log": "",
		}, "/opt/bitnami/apache/logs/error_log apache error  (apache configuration /opt/bitnami/apache/conf/httpd.conf:2)\n/usr/local/openresty/nginx/logs/access.log nginx access apache_combined (nginx configuration /usr/local/openresty/nginx/conf/nginx.conf:1)\n" +
			"/www/server/php/82/var/log/php-fpm.log php-fpm error  (php-fpm configuration /www/server/php/82/etc/php-fpm.conf:2)\n/www/wwwlogs/a.example.log nginx access apache_combined (nginx configuration /www/server/panel/vhost/nginx/a.conf:1)\n" +
			"/www/wwwlogs/nginx_error.log nginx error  (nginx configuration /www/server/nginx/conf/nginx.conf:1)\n"},
		{"what is named and not there", map[string]string{"etc/mosquitto/mosquitto.conf": "log_dest file /srv/no.log\nlog_dest file /dev/null\n"},
			"! /srv/no.log: not there; named in mosquitto configuration /etc/mosquitto/mosquitto.conf:1\n"},
		{"what names itself", map[string]string{"etc/redis/redis.conf": "include /etc/redis/redis.conf\nlogfile ../../../srv/x\n", "srv/x": ""},
			"! /etc/redis/redis.conf: includes itself: not read again (included by /etc/redis/redis.conf:1)\n"},
	} {
		t.Run(c.name, func(t *testing.T) { same(t, "logs", c.want, ownList(plant(t, c.files))) })
	}
}

// A cluster writes to one place in several forms, to files whose names turn.
func TestPostgres(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"Debian's, without a collector", map[string]string{
			"etc/postgresql/15/main/postgresql.conf":    "data_directory = '/var/lib/postgresql/15/main'\n#logging_collector = on\nlog_directory = '/srv/no'\n",
			"var/log/postgresql/postgresql-15-main.log": "", "var/log/postgresql/postgresql-15-main.log.1": "", "srv/no/postgresql-x.log": "",
		}, "/var/log/postgresql/postgresql-15-main.log postgresql events postgresql\n"},
		{"three forms", map[string]string{
			"etc/postgresql/15/main/postgresql.conf": "data_directory = '/srv/pg'\t\t# here\nlogging_collector on # yes\nlog_filename = 'pg-%Y-%m-%d.log'\ninclude_dir = 'conf.d'\n",
			"etc/postgresql/15/main/conf.d/l.conf":   "LOG_DESTINATION = 'stderr, csvlog,jsonlog'\n", "srv/pg/log/pg-2026-11-22.csv": "", "srv/pg/log/pg-2026-11-22.json": "", "srv/pg/log/pg-2026-11-22.log": "", "srv/pg/log/pg-2026-11-22.log.gz": "",
		}, "/srv/pg/log/pg-2026-11-22.csv postgresql events postgresql_csv (postgresql configuration /etc/postgresql/15/main/conf.d/l.conf:1)\n" +
			"/srv/pg/log/pg-2026-11-22.json postgresql events postgresql_json = /srv/pg/log/pg-2026-11-22.csv (postgresql configuration /etc/postgresql/15/main/conf.d/l.conf:1)\n" +
			"/srv/pg/log/pg-2026-11-22.log postgresql events postgresql = /srv/pg/log/pg-2026-11-22.csv (postgresql configuration /etc/postgresql/15/main/conf.d/l.conf:1)\n"},
		{"RHEL's, and what ALTER SYSTEM has set", map[string]string{
			"var/lib/pgsql/16/data/postgresql.conf":      "logging_collector = on\nlog_directory = 'log'\nlog_filename = 'postgresql-%a.log'\ninclude_if_exists = 'no.conf'\n",
			"var/lib/pgsql/16/data/postgresql.auto.conf": "# Do not edit\nlog_directory = '/srv/pg'\n", "srv/pg/postgresql-Sun.log": "",
		}, "/srv/pg/postgresql-Sun.log postgresql events postgresql (postgresql configuration /var/lib/pgsql/16/data/postgresql.conf:1)\n"},
		{"names that would lead anywhere", map[string]string{
			"var/lib/pgsql/data/postgresql.conf": "logging_collector = on\nlog_filename = '../../../../etc/x'\ndata_directory = 'x'\ninclude '/*'\n", "etc/x": "",
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) { same(t, "logs", c.want, ownList(plant(t, c.files))) })
	}
}

// Of names that turn the last few are listed, newest first: a window may begin before the newest does.
func TestTurningNames(t *testing.T) {
	files := map[string]string{"var/lib/pgsql/data/postgresql.conf": "logging_collector = on\n"}
	for day := 1; day <= 20; day++ {
		files[fmt.Sprintf("var/lib/pgsql/data/log/postgresql-2026-11-%02d_000000.log", day)] = ""
		files[fmt.Sprintf("var/log/tomcat10/localhost_access_log.2026-11-%02d.txt", day)] = ""
		files[fmt.Sprintf("var/log/jetty9/2026_11_%02d.request.log", day)] = ""
		files[fmt.Sprintf("opt/stalwart/logs/stalwart.log.2026-11-%02d", day)] = ""
	}
	h := plant(t, files)
	for name := range files {
		var day int
		if n, _ := fmt.Sscanf(strings.NewReplacer("_", "-").Replace(name[strings.Index(name, "2026")+1:]+" "), "026-11-%d", &day); n == 1 {
			at := time.Date(2026, 11, day, 23, 59, 0, 0, time.UTC)
			if err := os.Chtimes(filepath.Join(h.Root, name), at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []string{"/opt/stalwart/logs/stalwart.log.2026-11-19", "/opt/stalwart/logs/stalwart.log.2026-11-20"}
	for day := 13; day <= 20; day++ {
		want = append(want, fmt.Sprintf("/var/lib/pgsql/data/log/postgresql-2026-11-%02d_000000.log", day))
	}
	want = append(want, "/var/log/jetty9/2026_11_19.request.log", "/var/log/jetty9/2026_11_20.request.log",
		"/var/log/tomcat10/localhost_access_log.2026-11-19.txt", "/var/log/tomcat10/localhost_access_log.2026-11-20.txt")
	same(t, "logs", want, logsOf(t, h))
}

// A configuration that an ordinary account, or a script of a site, can write names no file of another's.
func TestBeholden(t *testing.T) {
	h := plant(t, map[string]string{
		"var/www/nextcloud/config/config.php": "<?php\n$CONFIG = array (\n'logfile' => '/etc/secret',\n);\n", "etc/secret": "",
		"var/www/html/nextcloud/config/config.php": "<?php\n$CONFIG = array (\n'logfile' => '/srv/own.log',\n);\n", "srv/own.log": "",
		"etc/nextcloud/config.php": "<?php\n$CONFIG = array (\n'logfile' => '/srv/daemon.log',\n);\n", "srv/daemon.log": "",
	})
	ids := map[string]uint32{"secret": 0, "own.log": 33, "daemon.log": 33}
	h.owner = func(info fs.FileInfo) owner {
		id, ok := ids[info.Name()]
		if !ok && info.Name() == "config.php" {
			id = 33
		}
		return owner{uid: id, mode: info.Mode(), known: true}
	}
	same(t, "logs", []string{"/srv/daemon.log", "/srv/own.log"}, logsOf(t, h))
	ids["own.log"], ids["config.php"] = 34, 0 // root's names what it likes
	same(t, "logs", []string{"/etc/secret", "/srv/daemon.log", "/srv/own.log"}, logsOf(t, h))
}

// What scripts write is no more than a local account's word.
func TestTrustOfApps(t *testing.T) {
	h := plant(t, map[string]string{"etc/nextcloud/config.php": "<?php\n'logfile' => '/srv/nc.log',\n", "srv/nc.log": "", "opt/zimbra/log/audit.log": "", "var/log/sogo/sogo.log": ""})
	files, _ := h.Logs(context.Background())
	got := map[string]string{}
	for _, f := range files {
		got[f.Shown] = f.Trust.String()
	}
	same(t, "trust", map[string]string{"/srv/nc.log": "local", "/opt/zimbra/log/audit.log": "root", "/var/log/sogo/sogo.log": "local"}, got)
}

func FuzzOwnLogs(f *testing.F) {
	f.Add("log file = /l/%m\nlog level = 1 a@/x b@\n[global]\ninclude = %\n!include \"\nlogfile \"/x\nlog_dest file\noutput file {\naccess_log daemon:\n")
	f.Add("include_dir x\nlogfile ../*\nlog -\nLogFile=/*\nlog file = /%m/%\nlog_type = FILE \"\n&include")
	scan := small(f)
	f.Fuzz(func(t *testing.T, text string) {
		s := scan()
		for i := range ownLogs {
			r := ownReader{ownLog: &ownLogs[i], book: s.book()}
			for line := range strings.Lines(text) {
				r.line(strings.TrimSpace(line), position{"/c", 1}, 0)
			}
		}
		p := postgres{book: s.book(), options: map[string]option{}}
		for line := range strings.Lines(text) {
			p.line(strings.TrimSpace(line), position{"/c", 1}, 0)
		}
		p.emit("/d")
		fuzzProblems(t, s)
	})
}

// FuzzConfigs reads YAML, PHP and the configurations of Asterisk and BIND.
func FuzzConfigs(f *testing.F) {
	f.Add("a:\n  b: 'x\n - c\n[log]\nROOT_PATH = `/x`\n[logfiles]\nfull(x) => [json]*\n'logfile' => \"/x\" . 'y',\n$config[ = \npublic $log_path = ''\nlogging { channel a { file \"/x\" }; category b { a; /* ")
	f.Add("#include /f\n#include <*>\ninclude \"/f\";\nlogging { channel \"\" { file; }; }; }}; {{ x y z a; \n a:\n  a:\n   a: \"\n[]\n=\n:")
	h := plant(f, nil)
	h.limits = limits{total: 1 << 20, files: 100, entries: 100, logs: 1000}
	file := filepath.Join(h.Root, "f")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s := h.scan(context.Background())
		s.book().paths("/f", func(_, value string, at position) { s.own(candidate{name: value}, at) })
		s.book().asterisk("/f", "", 0, "", func(_, key, value string, at position) {
			s.own(candidate{name: key}, at)
			asteriskTakes(value)
		})
		n := named{book: s.book(), dir: "/d", files: map[string]option{}, channels: map[string][]string{}, syslog: map[string]bool{}}
		n.file("/f", nil, 0, "")
		for _, o := range n.files {
			s.own(candidate{name: o.value}, o.at)
		}
		set, at := s.phpValues("/f", "logfile log_dir log_path")
		for _, value := range set {
			s.own(candidate{name: value}, at)
		}
		fuzzProblems(t, s)
	})
}
