package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// Applications and small daemons whose messages need nothing but their wording.
var (
	// "BASE|TIMESTAMP|TYPE|IP|REQUEST|REFERER|UID|LINK|MESSAGE" (syslog.module): the address stands before what a client chooses.
	readDrupal = worded(
		says(failed, "%w|%n|user|%a|%*|Login attempt failed for %u."),
		says(failed, "%w|%n|user|%a|%*|Login attempt failed from %*."),
		says(failed, "%w|%n|user|%a|%*|Session opened with wrong password%*"),
	)
	readSOGo = worded(
		says(failed, "%*SOGoRootPage Login from '%a' for user '%u' might not have worked - password policy: %*"),
		says(failed, "%*SOGoRootPage Login from '%a' for user '%u' might not have worked"),
	)
	readHorde = worded(
		says(failed, "[%w] FAILED LOGIN for %u [%a] to %*"),
		says(failed, "[%w] FAILED LOGIN for %u [%a] (forwarded for [%*]) to %*"),
		says(failed, "[%w] FAILED LOGIN %a to %* as %u [%*"),
		says(failed, "[%w] [%w] FAILED LOGIN for %u [%a] to %*"),
		says(passed, "[%w] Login success for %u [%a] to %*"),
	)
	readSquirrelMail = worded(
		says(failed, "[LOGIN_ERROR] %u (%w) from %a: Unknown user or password incorrect."),
		says(failed, "[LOGIN_ERROR] %u from %a: Unknown user or password incorrect."),
	)
	readGroupOffice = worded(says(failed, "LOGIN FAILED for user: \"%u\" from IP: %a"))
	readGitea       = worded(
		says(failed, "...%w [%w] Failed authentication attempt for %u from %a: %*"),
		says(failed, "...%w [%w] Failed authentication attempt for %u from %a"),
	)
	readVaultwarden = worded(
		says(failed, "[%w][ERROR] Username or password is incorrect. Try again. IP: %a. Username: %u."),
		says(failed, "[%w][ERROR] Invalid admin token. IP: %a"),
		says(failed, "[%w][ERROR] Unauthorized Error: Invalid admin token. IP: %a"),
	)
	readBitwarden = worded(
		says(failed, "[WRN] Failed login attempt. %a"),
		says(failed, "[WRN] Failed login attempt, 2FA invalid. %a"),
	)
	readJellyfin = worded(
		says(failed, "[%w] [%n] %w: Authentication request for %u has been denied (IP: %a)."),
		says(failed, "[%w] [%n] %w Authentication request for %u has been denied (IP: %a)."),
	)
	readProxmox = worded(says(failed, "authentication failure; rhost=%a user=%u msg=%*"))
	readGrafana = worded(
		says(failed, "t=%w lvl=%w msg=\"Invalid username or password\" %* remote_addr=%a"),
		says(failed, "logger=context %* msg=\"Invalid username or password\" %* remote_addr=%a"),
		says(failed, "logger=context %* remote_addr=%a %* msg=\"Invalid username or password\"%*"),
	)
	readMonit = worded(
		says(failed, "%*Warning: Client '%a' supplied wrong password for user '%u' accessing monit httpd"),
		says(failed, "%*Warning: Client '%a' supplied unknown user '%u' accessing monit httpd"),
		says(failed, "%*HttpRequest: access denied -- client %a: wrong password for user '%u'"),
		says(failed, "%*HttpRequest: access denied -- client %a: unknown user '%u'"),
	)
	readDirectAdmin = worded(
		says(failed, "'%a' %n failed login attempt. Account '%u'"),
		says(failed, "'%a' %n failed login attempts. Account '%u'"),
		says(failed, "'%a' %n failed login attempts. Account '%u' via '%w'"),
	)
	readOpenWebMail = worded(
		says(failed, "- [%n] (%a) %u - login error - %*"),
		says(failed, "- [%n] (%a) %u - userinfo error - %*"),
	)
	readCentreon = worded(says(failed, "-%n|%n|%n|[WEB] [%a] Authentication failed for '%u'"), says(failed, "-%n|%n|%n|[WEB] [%a] Authentication failed for '%u' : %*"))
	readSuhosin  = worded(
		says(filter, "ALERT - %* (attacker '%a', file '%*"),
		says(filter, "ALERT - %* (attacker '%a')"),
	)
	readNRPE          = worded(says(refused, "Host %a is not allowed to talk to us!"), says(refused, "Error: Request from %a: %*"))
	readScreenSharing = worded(says(failed, "Authentication: FAILED :: User Name: %u :: Viewer Address: %a :: Type: %w"))
	readXRDP          = worded(says(failed, "[INFO ] AUTHFAIL: user=%u ip=%a time=%n"), says(failed, "[INFO ] AUTHFAIL: user=%u ip=%a time=%n reason=%*"))
	readPortSentry    = worded(says(probed, "attackalert: Connect from host: %w/%a to %w port: %n"))
	readRBL           = worded(says(spam, "%a pid %n: %n %*"))
	readPerdition     = worded(says(failed, "Auth: %a->%w %* status=\"failed: %*"))
	readSolidPOP      = worded(says(failed, "authentication failed: no such user: %u - %a"), says(failed, "authentication failed: can't map user name: %u - %a"), says(failed, "authentication failed for user %u - %a"), says(failed, "APOP authentication failed for %u - %a"))
	readSoftEther     = worded(says(failed, "Connection \"%w\": User authentication failed. The user name that has been provided was \"%u\", from %a."))
	readZNC           = worded(says(failed, "[%u] failed to login from %a"))
	readCounterStrike = worded(says(failed, "Bad Rcon: \"%*\" from \"%a\""))
	readFreeSWITCH    = worded(
		says(failed, "[WARNING] sofia_reg.c:%n SIP auth failure (%w) on sofia profile '%w' for [%u] from ip %a"),
		says(failed, "%w [WARNING] sofia_reg.c:%n SIP auth failure (%w) on sofia profile '%w' for [%u] from ip %a"),
		says(failed, "[WARNING] sofia_reg.c:%n Can't find user [%u] from %a"),
		says(failed, "%w [WARNING] sofia_reg.c:%n Can't find user [%u] from %a"),
	)
	readEjabberd = worded(
		says(failed, "[%w] %w (%*) Failed authentication for %u from IP %a (%*"),
		says(failed, "[%w] %w (%*) Failed authentication for %u from %a"),
		says(failed, "[%w] (%w) Failed %w %w authentication for %u from %a: %*"),
		says(failed, "[%w] %w (%w) Failed %w %w authentication for %u from %a: %*"),
	)
	readMurmur = worded(
		says(failed, "%n => <%n:%u(-1)> Rejected connection from %a: Invalid server password"),
		says(failed, "%n => <%n:%u(-1)> Rejected connection from %a: Wrong certificate or password for existing user"),
		says(failed, "%n => <%n:%u(%w)> Rejected connection from %a: Invalid server password"),
	)
	readKerio = worded(
		says(failed, "%w: User %u doesn't exist. Attempt from IP address %a."),
		says(failed, "%w: Invalid password for user %u. Attempt from IP address %a."),
		says(failed, "%w: Authentication failed for user %u. Attempt from IP address %a. %*"),
		says(failed, "Failed %w login from %a"),
		says(failed, "Failed %w login from %a with SASL method %*"),
		says(failed, "Failed %w login from %a, user %u"),
		says(spam, "IP address %a found in DNS blacklist %*"),
		says(connwarden.EventRelay, "Relay attempt from IP address %a, mail from %*"),
		says(connwarden.EventRelay, "Relay attempt from IP address %a"),
		says(connwarden.EventHarvest, "Attempt to deliver to unknown recipient %* from %* IP address %a"),
		says(connwarden.EventHarvest, "Attempt to deliver to unknown recipient <%*>, from <%*>, IP address %a"),
		says(connwarden.EventHarvest, "Attempt to deliver to unknown recipient <%*> from IP address %a"),
	)
	readNSD = worded(says(refused, "%w: axfr for %* from client %a refused, no acl matches%*"), says(refused, "%w: axfr for %* from %a refused, no acl matches%*"))
	readSPF = worded(says(spam, "%*: Reject; identity=%w; client-ip=%a; %*"), says(spam, "%*action=550 %* client-ip=%a; %*"))
)

// readAudit reads what auditd writes of logins (pam, sshd). Names that hold anything but plain letters are written in hexadecimal.
func readAudit(_, s string, e *connwarden.Event) bool {
	if !strings.HasPrefix(s, "type=USER_LOGIN ") && !strings.HasPrefix(s, "type=USER_AUTH ") && !strings.HasPrefix(s, "type=USER_ERR ") || !strings.Contains(s, " res=failed") {
		return false
	}
	_, body, ok := strings.Cut(s, " msg='op=")
	if op, _ := word(body); !ok || op != "login" && op != "PAM:authentication" && op != "PAM:bad_ident" && op != "password" {
		return false
	}
	host, ok := between(body, " addr=", " ")
	user, _ := between(body, " acct=", " ")
	return ok && strings.Count(body, " addr=") == 1 && isAddress(host) && say(e, failed, host, strings.Trim(user, "\"?"))
}

// readNextcloud reads Nextcloud's and ownCloud's log of JSON, in which quotes within a value are escaped, and the same message by itself.
func readNextcloud(_, s string, e *connwarden.Event) bool {
	message := s
	if s[0] == '{' {
		var ok bool
		if message, ok = quoted(s, `"message":"`); !ok {
			return false
		}
	}
	kind := failed
	switch {
	case strings.HasPrefix(message, "Login failed: "):
	case strings.HasPrefix(message, "Trusted domain error."), strings.HasPrefix(message, "Bruteforce attempt from "):
		kind = refused
	default:
		return false
	}
	user, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(message, "Login failed: "), "'"), " (Remote IP: ")
	if s[0] == '{' {
		host, ok := between(s, `"remoteAddr":"`, `"`)
		return ok && isAddress(host) && say(e, kind, host, strings.TrimSuffix(user, "'"))
	}
	return readNextcloudText("", message, e)
}

var readNextcloudText = worded(says(failed, "Login failed: '%u' (Remote IP: '%a')"), says(failed, "Login failed: %u (Remote IP: %a)"))
