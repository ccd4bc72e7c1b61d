package daemons

import "strings"

// Guess tells which program a message without a tag is of, by how it begins; nil when nothing is known to begin so. Anybody whose words can
// begin a line of a log can have it guessed wrong: what is guessed should count for little.
func Guess(text []byte) (program []byte) {
	s := view(text)
	if len(s) < 8 {
		return nil
	}
	list := beginnings[s[0]]
	for i := range list {
		if b := list[i].begin; len(b) < 2 || b[1] == s[1] && strings.HasPrefix(s, b) {
			return list[i].program
		}
	}
	switch s[0] {
	case '<': // "<SESSION> …"
		if i := strings.Index(s[:min(len(s), 24)], "> "); i > 0 {
			rest := s[i+2:]
			if strings.HasPrefix(rest, "IMAP Error: ") || strings.Contains(rest[:min(len(rest), 24)], " login for ") {
				return programRoundcube
			}
		}
		return nil
	case '[': // "[NAME] FAIL LOGIN: …"
		if n := digits(s[1:]); n > 0 && (strings.HasPrefix(s[1+n:], "] auth failed on module ") || strings.HasPrefix(s[1+n:], "] unknown module '") || strings.HasPrefix(s[1+n:], "] rsync denied on module ")) {
			return programRsync
		}
		if _, what, ok := strings.Cut(s, "] "); ok && (strings.HasPrefix(what, "FAIL ") || strings.HasPrefix(what, "OK ") || strings.HasPrefix(what, "FTP ")) && strings.Contains(what, ": Client \"") {
			return programVsftpd
		}
	}
	name, rest := word(s)
	numbered := name != "" && name[len(name)-1]-'0' <= 9
	if numbered {
		if _, port := addressWithPort(name); port {
			return guessPeer(rest)
		}
	}
	switch {
	case strings.HasPrefix(rest, "authenticator failed for "):
		return programExim
	case numbered && isAddress(name) && (strings.HasPrefix(rest, "failed to authenticate as '") || strings.HasPrefix(rest, "tried to authenticate with nonexistent user '")):
		return programAsterisk
	}
	return guessInside(name, rest)
}

var (
	programExim       = []byte("exim")
	programOpenVPN    = []byte("openvpn")
	programPostfix    = []byte("postfix/smtpd")
	programProftpd    = []byte("proftpd")
	programAsterisk   = []byte("asterisk")
	programVsftpd     = []byte("vsftpd")
	programRoundcube  = []byte("roundcube")
	programRsync      = []byte("rsyncd")
	programFreeSWITCH = []byte("freeswitch")
)

// guessPeer knows what OpenVPN says behind an address with a port.
func guessPeer(rest string) []byte {
	for _, text := range [...]string{"TLS Error: ", "TLS: ", "TLS Auth Error: ", "VERIFY ERROR: ", "VERIFY OK", "SIGUSR1", "Connection reset", "[", "WARNING: ", "PUSH: ", "SENT CONTROL ",
		"tls-crypt ", "peer info: ", "Fatal TLS error", "Re-using "} {
		if strings.HasPrefix(rest, text) {
			return programOpenVPN
		}
	}
	return nil
}

// guessInside knows messages whose second word tells: a host with its address in front of Postfix's or ProFTPD's words.
func guessInside(first, rest string) []byte {
	switch {
	case strings.HasSuffix(first, "]:") && strings.IndexByte(first, '[') > 0 && strings.HasPrefix(rest, "SASL "):
		return programPostfix
	case strings.HasPrefix(rest, "[WARNING] sofia_reg.c:"):
		return programFreeSWITCH
	case strings.HasPrefix(rest, "(") && strings.Contains(rest[:min(len(rest), 300)], "]) - ") && strings.IndexByte(rest, '[') > 0:
		return programProftpd
	}
	return nil
}

// beginnings lists how messages begin, by their first byte.
var beginnings = func() (list [256][]beginning) {
	for _, of := range [...]struct{ program, begins string }{
		{"sshd", "Failed password for |Failed publickey for |Failed none for |Failed keyboard-interactive|Failed hostbased for |Failed gssapi|Accepted password for |Accepted publickey for |" +
			"Accepted keyboard-interactive|Invalid user |Illegal user |input_userauth_request: |error: PAM: |error: maximum authentication attempts |error: kex_exchange_identification: |error: Received disconnect from |" +
			"fatal: Unable to negotiate |ROOT LOGIN REFUSED FROM |Received disconnect from |Did not receive identification string from |Bad protocol version identification '|" +
			"Disconnecting invalid user |Disconnecting authenticating user |Disconnected from |Connection closed by |Connection reset by |Unable to negotiate with |Timeout before authentication for |" +
			"banner exchange: Connection from |ssh_dispatch_run_fatal: |fatal: Timeout before authentication|Authentication tried for |Postponed |maximum authentication attempts exceeded for |reverse mapping checking |drop connection #"},
		{"pam", "pam_unix(|pam_sss(|pam_ldap(|pam_winbind(|pam_krb5(|pam_faillock(|pam_tally2("},
		{"dropbear", "Bad password attempt for '|Bad PAM password attempt for '|Login attempt for nonexistent user|Login attempt with wrong user|login attempt for nonexistent|bad password attempt for '|Exit before auth|Exit (|Child connection from "},
		{"dovecot", "imap-login: |pop3-login: |managesieve-login: |submission-login: |auth-worker(|auth: |auth(default): |dovecot: "},
		{"postfix/smtpd", "NOQUEUE: reject: |NOQUEUE: milter-reject: |lost connection after |disconnect from |connect from |warning: non-SMTP command from |improper command pipelining after |too many errors after |SSL_accept error from "},
		{"postfix/postscreen", "PREGREET |DNSBL rank |COMMAND TIME LIMIT |COMMAND COUNT LIMIT |BARE NEWLINE |HANGUP after |PASS NEW |PASS OLD "},
		{"exim", "H=|SMTP protocol |SMTP call from |SMTP syntax error |SMTP connection from |SMTP command timeout |rejected EHLO from |rejected HELO from |unexpected disconnection while |no MAIL in SMTP |no host name found for IP address |TLS error on connection from |refused connection from "},
		{"imapd", "LOGIN FAILED, |LOGIN, user="},
		{"cyrus", "badlogin: "},
		{"ipop3d", "Login failed user=|Login excessive |Login disabled "},
		{"sendmail", "ruleset=|AUTH failure (|rejecting commands from "},
		{"vsftpd", "[pid |CONNECT: Client \"|FTP command: Client \"|FTP response: Client \""},
		{"proftpd", "proftpd["},
		{"pure-ftpd", "(?@"},
		{"cpanel", "[cpaneld] |[whostmgrd] |[webmaild] |[cpdavd] |[cphulkd] |info [cpaneld] |info [whostmgrd] |info [webmaild] |info [cpdavd] |info [cphulkd] "},
		{"plesk", "ERR [|INFO [panel] |Failed login attempt with login '"},
		{"webmin", "Invalid login as |Non-existent login as |Successful login as "},
		{"ispconfig.log", "Failed login for user '|Successful login for user '"},
		{"redmine.log", "Failed login for '|Successful authentication for '"},
		{"odoo.log", "Login failed for db:|Login successful for db:"},
		{"roundcube", "IMAP Error: Login failed for |Failed login for |FAILED login for |Successful login for "},
		{"phpmyadmin", "user denied: |user authenticated: "},
		{"named", "client @0x|security: |update-security: |query-errors: |rate-limit: |queries: |client "},
		{"mysqld", "[Warning] |[Note] |[ERROR] |[System] |Access denied for user '|Host '"},
		{"mongod", `{"t":{"$date":"`},
		{"redis-server", "Possible SECURITY ATTACK detected."},
		{"asterisk", "NOTICE[|WARNING[|ERROR[|SECURITY[|VERBOSE[|Registration from '|SecurityEvent=\""},
		{"xinetd", "START: |FAIL: |EXIT: "},
		{"login", "FAILED LOGIN "},
		{"suhosin", "ALERT - "},
		{"directadmin", "'"},
		{"murmur", "1 => <"},
		{"homeassistant", "WARNING ("},
		{"mssql", "Logon "},
		{"joomla", "INFO "},
		{"3proxy", "PROXY.|SOCKS.|FTPPR.|SMTPP.|POP3P.|ADMIN."},
		{"gitlab", "Failed Login: username="},
		{"pvedaemon", "authentication failure; rhost="},
		{"rsyncd", "auth failed on module |rsync denied on module |unknown module '"},
		{"assp", "[Worker_|[Main_Thread]|id-|m1-"},
		{"domino", "SMTP Server: Authentication failed for user |smtp: |imap: |pop3: |http: |ldap: "},
		{"vpopmail", "vchkpw-"},
		{"gitea", "routers/|..."},
		{"vaultwarden", "[vaultwarden::|[bitwarden_rs::"},
		{"bitwarden", "[WRN] Failed login attempt"},
		{"jellyfin", "[INF] [|[ERR] [|[WRN] ["},
		{"grafana", "t=20|logger=context "},
		{"keycloak.log", "WARN  [org.keycloak.events] "},
		{"monit", "error    : |warning  : "},
		{"openwebmail", "- ["},
		{"squirrelmail", "[LOGIN_ERROR] "},
		{"groupoffice", "LOGIN FAILED for user: "},
		{"centreon", "-1"},
		{"xrdp", "[INFO ] AUTHFAIL: "},
		{"freeswitch", "[WARNING] sofia_reg.c:|[WARNING] sofia.c:"},
		{"ejabberd", "[info] |[warning] |[notice] "},
		{"softether", "Connection \"CID-"},
		{"kerio", "SMTP: |IMAP: |POP3: |HTTP: |Failed SMTP login from |Failed IMAP login from |Failed POP3 login from |IP address |Relay attempt from IP address |Attempt to deliver to unknown recipient "},
		{"counter-strike", "Bad Rcon: "},
		{"audit", "type=USER_"},
		{"nextcloud", `{"reqId":"`},
		{"nrpe", "Host 1|Host 2"},
		{"wordpress", "Authentication failure for |Authentication attempt for unknown user |Blocked user enumeration attempt from |Blocked authentication attempt for |XML-RPC authentication |XML-RPC multicall authentication failure |REST authentication |Pingback error "},
	} {
		program := []byte(of.program)
		for begin := range strings.SplitSeq(of.begins, "|") {
			list[begin[0]] = append(list[begin[0]], beginning{begin, program})
		}
	}
	return list
}()

// beginning is how messages of a program begin.
type beginning struct {
	begin   string
	program []byte
}
