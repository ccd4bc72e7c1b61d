package daemons

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/connwarden/connwarden"
)

// victims are the addresses of the samples, which the forgeries replace.
var victims = regexp.MustCompile(`198\.51\.100\.\d+|192\.0\.2\.\d+`)

// spoken are messages of daemons in which NAME is a text that a peer chooses; PEER is where the daemon writes its address.
var spoken = []Message{
	spoke("sshd", "Failed password for invalid user NAME from PEER port 51022 ssh2"),
	spoke("sshd", "Failed none for invalid user NAME from PEER port 51022 ssh2"),
	spoke("sshd", "Failed publickey for invalid user NAME from PEER port 51022 ssh2: ED25519 SHA256:0QYkFOQ5Z6tyUAxL8uO4hJUwmm2V1TcdBcDd7gKmCkk"),
	spoke("sshd", "Failed publickey for invalid user root from PEER port 51022 ssh2: ED25519-CERT SHA256:0QYkFOQ5Z6tyUAxL8uO4hJUwmm2V1TcdBcDd7gKmCkk ID NAME (serial 0) CA ED25519 SHA256:1QYkFOQ5Z6tyUAxL8uO4hJUwmm2V1TcdBcDd7gKmCkk"),
	spoke("sshd", `Failed hostbased for invalid user NAME from PEER port 51022 ssh2: RSA SHA256:0QYkFOQ5Z6tyUAxL8uO4hJUwmm2V1TcdBcDd7gKmCkk, client user "NAME", client host "NAME"`),
	spoke("sshd", "Invalid user NAME from PEER port 51022"),
	spoke("sshd", "User NAME from PEER not allowed because not listed in AllowUsers"),
	spoke("sshd", "error: maximum authentication attempts exceeded for invalid user NAME from PEER port 51022 ssh2 [preauth]"),
	spoke("sshd", "Disconnecting invalid user NAME PEER port 51022: Too many authentication failures [preauth]"),
	spoke("sshd", "Disconnecting invalid user NAME PEER port 51022: Change of username or service not allowed: (NAME,ssh-connection) -> (NAME,ssh-connection) [preauth]"),
	spoke("sshd", "Connection closed by invalid user NAME PEER port 51022 [preauth]"),
	spoke("sshd", "error: PAM: Authentication failure for illegal user NAME from PEER"),
	spoke("sshd", "Bad protocol version identification 'NAME' from PEER port 51022"),
	spoke("sshd", "Received disconnect from PEER port 51022:11: NAME [preauth]"),
	spoke("sshd", "Unable to negotiate with PEER port 51022: no matching cipher found. Their offer: NAME [preauth]"),
	spoke("sshd", `error: kex_exchange_identification: client sent invalid protocol identifier "NAME"`),
	spoke("sshd", "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=PEER  user=NAME"),
	spoke("vsftpd", "pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=NAME rhost=PEER  user=NAME"),
	spoke("vsftpd", "pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=NAME rhost=PEER "),
	spoke("pure-ftpd", "pam_unix(pure-ftpd:auth): authentication failure; logname= uid=0 euid=0 tty=pure-ftpd ruser=NAME rhost=host.example.net "),
	spoke("sshd", "pam_access(sshd:account): access denied for user `NAME' from `PEER'"),
	spoke("dropbear", "Bad password attempt for 'NAME' from PEER:51022"),
	spoke("dropbear", "Exit before auth from <PEER:51022>: (user 'NAME', 10 fails): Max auth tries reached - user 'NAME'"),
	spoke("dropbear", "Exit before auth (user 'NAME', 10 fails): Max auth tries reached - user 'NAME' from PEER:51022"),
	spoke("exim", "login authenticator failed for (x) [PEER]:51022: 535 Incorrect authentication data (set_id=NAME)"),
	spoke("exim", "login authenticator failed for (NAME) [PEER]:51022: 535 Incorrect authentication data (set_id=root)"),
	spoke("exim", "H=(NAME) [PEER]:51022 F=<a@example.net> rejected RCPT <b@example.org>: relay not permitted"),
	spoke("exim", "H=(x) [PEER]:51022 F=<NAME> rejected RCPT <NAME>: relay not permitted"),
	spoke("exim", `SMTP syntax error in "NAME" H=(x) [PEER]:51022 unrecognized command`),
	spoke("exim", `SMTP call from (x) [PEER]:51022 dropped: too many unrecognized commands (last was "NAME")`),
	spoke("exim", "rejected EHLO from [PEER]:51022: syntactically invalid argument(s): NAME"),
	spoke("exim", "1vMxyz-0001Ab-2C <= NAME H=(NAME) [PEER]:51022 P=esmtp S=1042 id=NAME"),
	spoke("postfix/smtpd", "warning: unknown[PEER]: SASL LOGIN authentication failed: x, sasl_username=NAME"),
	spoke("postfix/smtpd", "NOQUEUE: reject: RCPT from unknown[PEER]: 554 5.7.1 <NAME>: Relay access denied; from=<NAME> to=<NAME> proto=ESMTP helo=<NAME>"),
	spoke("postfix/smtpd", "warning: non-SMTP command from unknown[PEER]: NAME"),
	spoke("postfix/smtpd", "improper command pipelining after EHLO from unknown[PEER]: NAME"),
	spoke("postfix/cleanup", "3F8A2C0042: reject: header NAME from unknown[PEER]; from=<NAME> to=<NAME> proto=ESMTP helo=<NAME>: 5.7.1 no"),
	spoke("postfix/cleanup", "3F8A2C0042: message-id=NAME"),
	spoke("postfix/postscreen", "PREGREET 23 after 0 from [PEER]:51022: NAME"),
	spoke("postfix/smtp", "3F8A2C0042: to=<b@example.org>, relay=mx[192.0.2.1]:25, status=bounced (host said: NAME)"),
	spoke("dovecot", "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<NAME>, method=PLAIN, rip=PEER, lip=192.0.2.10, session=<a1b2c3d4>"),
	spoke("dovecot", "auth: passwd-file(NAME,PEER,<a1b2c3d4>): unknown user"),
	spoke("dovecot", "auth: passwd-file(NAME,PEER,<a1b2c3d4>): Password mismatch (given password: NAME)"),
	spoke("dovecot", "auth(NAME,PEER,sasl:plain)<a1b2c3>: passwd-file: Password mismatch (given password: NAME)"),
	spoke("imapd", "LOGIN FAILED, user=NAME, ip=[::ffff:PEER], port=[51022]"),
	spoke("courieresmtpd", `error,relay=::ffff:PEER,port=51022,msg="535 Authentication failed.",cmd: AUTH LOGIN NAME`),
	spoke("cyrus/imap", "badlogin: [PEER] plaintext (NAME) invalid user"),
	spoke("ipop3d", "Login failed user=NAME auth=NAME host=mail [PEER]"),
	spoke("sm-mta", "5AM4a1bc000123: AUTH failure (PLAIN): authentication failure (-13), user=NAME, relay=[PEER]"),
	spoke("sm-mta", "5AM4a1bc000123: ruleset=check_rcpt, arg1=<NAME>, relay=[PEER], reject=550 5.7.1 <NAME>... Relaying denied"),
	spoke("vsftpd", `[NAME] FAIL LOGIN: Client "PEER"`),
	spoke("vsftpd", `[NAME] FTP command: Client "PEER", "USER NAME"`),
	spoke("vsftpd", `FTP command: Client "PEER", "NAME"`),
	spoke("vsftpd", `[ftp] FAIL UPLOAD: Client "PEER", "/NAME", 0.00Kbyte/sec`),
	spoke("proftpd", "web1 (PEER[PEER]) - USER NAME (Login failed): Incorrect password"),
	spoke("proftpd", "web1 (PEER[PEER]) - USER NAME: no such user found from PEER [PEER] to 192.0.2.10:21"),
	spoke("pure-ftpd", "(?@PEER) [WARNING] Authentication failed for user [NAME]"),
	spoke("webmin", "Invalid login as NAME from PEER"),
	spoke("cpanel", `[cpaneld] PEER - NAME "POST /NAME HTTP/1.1" FAILED LOGIN cpaneld: user password incorrect`),
	spoke("plesk", "Failed login attempt with login 'NAME' from IP PEER"),
	spoke("roundcube", "<a1b2c3d4> Failed login for NAME from PEER in session a1b2c3d4e5f60718 (error: 0)"),
	spoke("roundcube", "<a1b2c3d4> IMAP Error: Login failed for NAME against localhost from PEER. LOGIN: NAME in /rc/rcube_imap.php on line 206 (POST /NAME)"),
	spoke("phpMyAdmin", "user denied: NAME (mysql-denied) from PEER"),
	spoke("mysqld", "2026-11-22 14:03:07 12 [Warning] Access denied for user 'NAME'@'PEER' (using password: YES)"),
	spoke("mysqld", "2026-11-22 14:03:07 12 [Warning] Access denied for user 'root'@'PEER' to database 'NAME'"),
	spoke("mysqld", "2026-11-22 14:03:07 12 [Warning] Aborted connection 12 to db: 'NAME' user: 'NAME' host: 'PEER' (Got an error reading communication packets)"),
	spoke("postgres", `[4242] NAME@shop FATAL:  password authentication failed for user "NAME"`),
	spoke("postgres", `[4242] NAME@shop ERROR:  relation "NAME" does not exist at character 15`),
	spoke("named", "client @0x7f8289962098 PEER#53124 (NAME): query (cache) 'NAME/A/IN' denied"),
	spoke("ovpn-server", "PEER:51022 VERIFY ERROR: depth=0, error=certificate has expired: CN=NAME, serial=1"),
	spoke("asterisk", "NOTICE[4242] chan_sip.c: Registration from 'NAME' failed for 'PEER:5060' - Wrong password"),
	spoke("asterisk", "NOTICE[4242] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from 'NAME' failed for 'PEER:5060' (callid: NAME) - No matching endpoint found"),
	spoke("asterisk", "NOTICE[4242][C-2a] chan_sip.c: Call from 'NAME' (PEER:5071) to extension 'NAME' rejected because extension not found in context 'default'."),
	spoke("asterisk", `NOTICE[4242] chan_sip.c: Failed to authenticate device NAME`),
	spoke("asterisk", `SECURITY[4242] res_security_log.c: SecurityEvent="InvalidAccountID",Service="PJSIP",AccountID="NAME",LocalAddress="IPV4/UDP/192.0.2.10/5060",RemoteAddress="IPV4/UDP/PEER/5060"`),
	spoke("login", "FAILED LOGIN 1 FROM PEER FOR NAME, Authentication failure"),
	spoke("login", "FAILED LOGIN (1) on '/dev/tty1' FOR 'NAME', Authentication failure"),
	spoke("xinetd", "USERID: telnet UNIX:NAME"),
	spoke("danted", `info: block(1): tcp/accept ]: PEER.51022 192.0.2.10.1080: error after reading 35 bytes in 0 seconds: could not access user "NAME"'s records in the system password file: no system error`),
	spoke("vpopmail", "vchkpw-smtp: password fail (pass: 'NAME') NAME@example.org:PEER"),
	spoke("rsyncd", "auth failed on module backup from dialup.example.net (PEER) for NAME: unknown user"),
	spoke("homeassistant", "WARNING (MainThread) [homeassistant.components.http.ban] Login attempt or request with invalid authentication from dialup.example.net (PEER). Requested URL: 'NAME'. (NAME)"),
	spoke("mssql", "Logon       Login failed for user 'NAME'. Reason: Password did not match that for the login provided. [CLIENT: PEER]"),
	spoke("tomcat9", `14:03:07.123 [http-nio-8080-exec-1] WARN  o.a.g.r.auth.AuthenticationService - Authentication attempt from PEER for user "NAME" failed.`),
	spoke("gitlab", "Failed Login: username=NAME ip=PEER"),
	spoke("Froxlor", "[Login Action PEER] Unknown user 'NAME' tried to login."),
	spoke("tine20", "WARN (4): Tinebase_Controller::login::106 Login with username NAME from PEER failed (-1)!"),
	spoke("domino", "SMTP Server: Authentication failed for user NAME ; connecting host PEER"),
	spoke("assp", "[Worker_1] [TLS-in] PEER warning: SMTP authentication failed on NAME"),
	spoke("pvedaemon", "authentication failure; rhost=PEER user=NAME msg=no such user (NAME)"),
	spoke("joomla", "INFO PEER\tjoomlafailure\tNAME"),
	spoke("keycloak.log", "WARN  [org.keycloak.events] (default task-83) type=LOGIN_ERROR, realmId=x, clientId=c, userId=null, ipAddress=PEER, error=user_not_found, username=NAME"),
	spoke("keycloak.log", "WARN  [org.keycloak.events] (default task-83) type=LOGIN_ERROR, realmId=x, clientId=NAME, userId=null, ipAddress=PEER, error=user_not_found, username=NAME"),
	spoke("jellyfin", "[INF] [36] Jellyfin.Server.Implementations.Users.UserManager: Authentication request for NAME has been denied (IP: PEER)."),
	spoke("vaultwarden", "[vaultwarden::api::identity][ERROR] Username or password is incorrect. Try again. IP: PEER. Username: NAME."),
	spoke("routeros", "login failure for user NAME from PEER via winbox"),
	spoke("php-fpm", "/index.php: webConfigurator authentication error for user 'NAME' from: PEER"),
	spoke("php-fpm", "/index.php: webConfigurator authentication error for user 'admin' from: PEER[NAME]"),
	spoke("odoo.log", "Login failed for db:shop login:NAME from PEER"),
	spoke("odoo.log", "Login failed for db:NAME login:NAME from PEER"),
	spoke("redmine.log", "Failed login for 'NAME' from PEER at 2026-11-22 14:03:07 UTC"),
	spoke("ispconfig.log", "Failed login for user 'NAME' from PEER at 2026-11-22 14:03:07"),
	spoke("audit", "/index.php: Web GUI authentication error for 'NAME' from PEER"),
	spoke("smbd", `Auth: [SMB2,(null)] user [WORKGROUP]\[NAME] at [Sun, 22 Nov 2026 14:03:07.123456 UTC] with [NTLMv2] status [NT_STATUS_NO_SUCH_USER] workstation [NAME] remote host [ipv4:PEER:51022] mapped to [WORKGROUP]\[NAME]. local host [ipv4:192.0.2.10:445]`),
	spoke("amavis", "(01234-05) Blocked SPAM {DiscardedInbound,Quarantined}, [PEER]:51022 [PEER] <NAME> -> <bob@example.org>, Message-ID: <NAME>, mail_id: x, Hits: 12.3, size: 7000, 1500 ms"),
	spoke("amavis", "(01234-05) Passed CLEAN {RelayedInbound}, [PEER]:51022 [PEER] <NAME> -> <bob@example.org>, Message-ID: <NAME>, mail_id: x, Hits: -1.2, size: 7000, 1500 ms"),
	spoke("mosquitto", "Client NAME [PEER:51022] disconnected: not authorised."),
	spoke("radicale", "[4242/Thread-9] [WARNING] Failed login attempt from PEER: 'NAME'"),
	spoke("radicale", "[4242/Thread-9] [WARNING] Failed login attempt from 127.0.0.1 (forwarded for 'NAME'): 'NAME'"),
	spoke("kamailio", "NOTICE: <script>: NAME"),
	spoke("rsyncd", "unknown module 'NAME' tried from dialup.example.net (PEER)"),
	spoke("zabbix_agentd", "cannot process: NAME"),
	spoke("sudo", "alice : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=NAME"),
	spoke("some-program", "cannot do NAME"),
}

func spoke(program, text string) Message { return Message{[]byte(program), []byte(text)} }

// TestForgeries puts every sample of every service, and parts of it, in the place of every name that a peer chooses, with somebody else's
// address for its own: nobody else may be named.
func TestForgeries(t *testing.T) {
	var names []string
	for _, service := range sampled {
		for _, s := range samples(t, service) {
			m, _ := s.message(t)
			text := victims.ReplaceAllString(string(m.Text), forged)
			if !strings.Contains(text, forged) {
				continue
			}
			names = append(names, text)
			// What a name must begin and end with to close the quotes around it and open them again.
			if i := strings.Index(text, forged); i > 0 {
				for _, before := range []string{" from ", " rhost=", " rip=", ": Client \"", "' failed for '", "'@'", ", ip=[", " [", ") [", "](", "(", " (from ", ",", " ", " port 1: "} {
					names = append(names, "x"+before+text[i:], "x"+before+text[i:]+" y")
				}
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	accused := 0
	for _, m := range spoken {
		for _, name := range names {
			text := strings.ReplaceAll(strings.ReplaceAll(string(m.Text), "PEER", "198.51.100.1"), "NAME", name)
			var e connwarden.Event
			if !Read(&Message{m.Program, []byte(text)}, &e) || !e.Client.IsValid() {
				continue
			}
			switch e.Client.String() {
			case "198.51.100.1":
				accused++
			case forged:
				t.Errorf("%s: somebody else is named (%s): %s", m.Program, e.Kind, text)
			}
		}
	}
	if accused < len(names) {
		t.Errorf("only %d messages name their peer", accused)
	}
}
