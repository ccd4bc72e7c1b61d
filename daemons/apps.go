package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// Applications and small daemons whose messages need nothing but their wording.
var (
	// "BASE|TIMESTAMP|TYPE|IP|REQUEST|REFERER|UID|LINK|MESSAGE" (syslog.module): the address stands before what a client chooses.
	wordsDrupal = wording{
		says(failed, "%w|%n|user|%a|%*|Login attempt failed for %u."),
		says(failed, "%w|%n|user|%a|%*|Login attempt failed from %*."),
		says(failed, "%w|%n|user|%a|%*|Session opened with wrong password%*"),
		// modules/user: two of core's own services tell who met the limit.
		says(limited, "%w|%n|user|%a|%*|Flood control blocked login attempt for uid %n from %w"),
		says(limited, "%w|%n|user|%a|%*|Flood control blocked login attempt for uid %n"),
		says(limited, "%w|%n|user|%a|%*|Flood control blocked login attempt from %w"),
	}
	wordsSOGo = wording{
		says(failed, "%*SOGoRootPage Login from '%a' for user '%u' might not have worked - password policy: %*"),
		says(failed, "%*SOGoRootPage Login from '%a' for user '%u' might not have worked"),
	}
	wordsHorde = wording{
		says(failed, "[%w] FAILED LOGIN for %u [%a] to %*"),
		says(failed, "[%w] FAILED LOGIN for %u [%a] (forwarded for [%*]) to %*"),
		says(failed, "[%w] FAILED LOGIN %a to %* as %u [%*"),
		says(failed, "[%w] [%w] FAILED LOGIN for %u [%a] to %*"),
		says(passed, "[%w] Login success for %u [%a] to %*"),
	}
	wordsSquirrelMail = wording{
		says(failed, "[LOGIN_ERROR] %u (%w) from %a: Unknown user or password incorrect."),
		says(failed, "[LOGIN_ERROR] %u from %a: Unknown user or password incorrect."),
	}
	wordsGroupOffice = wording{says(failed, "LOGIN FAILED for user: \"%u\" from IP: %a")}
	wordsGitea       = wording{
		says(failed, "...%w [%w] Failed authentication attempt for %u from %a: %*"),
		says(failed, "...%w [%w] Failed authentication attempt for %u from %a"),
		says(failed, "routers/%w [%w] Failed authentication attempt for %u from %a: %*"),
		says(failed, "routers/%w [%w] Failed authentication attempt for %u from %a"),
		says(failed, "%n/%n/%n %w %w [%w] Failed authentication attempt for %u from %a: %*"),
		says(failed, "%n/%n/%n %w %w [%w] Failed authentication attempt for %u from %a"),
	}
	wordsVaultwarden = wording{
		says(failed, "[%w][ERROR] Username or password is incorrect. Try again. IP: %a. Username: %u."),
		says(failed, "[%w][ERROR] Invalid TOTP code! Server time: %* IP: %a"),
		says(failed, "[%w][ERROR] Invalid admin token. IP: %a"),
		says(failed, "[%w][ERROR] Unauthorized Error: Invalid admin token. IP: %a"),
	}
	wordsBitwarden = wording{
		says(failed, "[WRN] Failed login attempt. %a"),
		says(failed, "[WRN] Failed login attempt, 2FA invalid. %a"),
	}
	wordsProxmox = wording{says(failed, "authentication failure; rhost=%a user=%u msg=%*")}
	wordsGrafana = wording{
		says(failed, "t=%w lvl=%w msg=\"Invalid username or password\" %* remote_addr=%a"),
		says(failed, "logger=context %* msg=\"Invalid username or password\" %* remote_addr=%a"),
		says(failed, "logger=context %* remote_addr=%a %* msg=\"Invalid username or password\"%*"),
	}
	wordsMonit = wording{
		says(failed, "%*Warning: Client '%a' supplied wrong password for user '%u' accessing monit httpd"),
		says(failed, "%*Warning: Client '%a' supplied unknown user '%u' accessing monit httpd"),
		says(failed, "%*HttpRequest: access denied -- client %a: wrong password for user '%u'"),
		says(failed, "%*HttpRequest: access denied -- client %a: unknown user '%u'"),
		says(failed, "%*HttpRequest: access denied -- client %a: missing or invalid Authorization header"),
		// http/engine.c
		says(refused, "Denied connection from non-authorized client %a"),
		says(refused, "monit: Denied connection from non-authorized client %a"),
		says(refused, "error    : Denied connection from non-authorized client %a"),
	}
	wordsDirectAdmin = wording{
		says(failed, "'%a' %n failed login attempt. Account '%u'"),
		says(failed, "'%a' %n failed login attempt. Account '%u' via '%w'"),
		says(failed, "'%a' %n failed login attempts. Account '%u'"),
		says(failed, "'%a' %n failed login attempts. Account '%u' via '%w'"),
	}
	wordsOpenWebMail = wording{
		says(failed, "- [%n] (%a) %u - login error - %*"),
		says(failed, "- [%n] (%a) %u - userinfo error - %*"),
	}
	wordsCentreon = wording{says(failed, "-%n|%n|%n|[WEB] [%a] Authentication failed for '%u'"), says(failed, "-%n|%n|%n|[WEB] [%a] Authentication failed for '%u' : %*")}
	wordsSuhosin  = wording{
		says(filter, "ALERT - %* (attacker '%a', file '%*"),
		says(filter, "ALERT - %* (attacker '%a')"),
	}
	wordsNRPE          = wording{says(refused, "Host %a is not allowed to talk to us!"), says(refused, "Error: Request from %a: %*")}
	wordsScreenSharing = wording{says(failed, "Authentication: FAILED :: User Name: %u :: Viewer Address: %a :: Type: %w")}
	wordsXRDP          = wording{says(failed, "[INFO ] AUTHFAIL: user=%u ip=%a time=%n"), says(failed, "[INFO ] AUTHFAIL: user=%u ip=%a time=%n reason=%*")}
	wordsPortSentry    = wording{says(probed, "attackalert: Connect from host: %w/%a to %w port: %n")}
	wordsRBL           = wording{says(spam, "%a pid %n: %n %*")}
	wordsPerdition     = wording{says(failed, "Auth: %a->%w %* status=\"failed: %*")}
	wordsSolidPOP      = wording{says(failed, "authentication failed: no such user: %u - %a"), says(failed, "authentication failed: can't map user name: %u - %a"), says(failed, "authentication failed for user %u - %a"), says(failed, "APOP authentication failed for %u - %a")}
	wordsSoftEther     = wording{says(failed, "Connection \"%w\": User authentication failed. The user name that has been provided was \"%u\", from %a.")}
	wordsZNC           = wording{says(failed, "[%u] failed to login from %a")}
	wordsCounterStrike = wording{says(failed, "Bad Rcon: \"%*\" from \"%a\"")}
	wordsFreeSWITCH    = wording{
		says(failed, "[WARNING] sofia_reg.c:%n SIP auth failure (%w) on sofia profile '%w' for [%u] from ip %a"),
		says(failed, "%w [WARNING] sofia_reg.c:%n SIP auth failure (%w) on sofia profile '%w' for [%u] from ip %a"),
		says(failed, "[WARNING] sofia_reg.c:%n Can't find user [%u] from %a"),
		says(failed, "%w [WARNING] sofia_reg.c:%n Can't find user [%u] from %a"),
		says(refused, "[WARNING] sofia_reg.c:%n IP %a Rejected by register acl \"%w\""),
		says(refused, "%w [WARNING] sofia_reg.c:%n IP %a Rejected by register acl \"%w\""),
		says(refused, "[WARNING] sofia.c:%n IP %a Rejected by acl \"%w\""),
		says(refused, "%w [WARNING] sofia.c:%n IP %a Rejected by acl \"%w\""),
	}
	wordsEjabberd = wording{
		says(failed, "[%w] %w (%*) Failed authentication for %u from IP %a (%*"),
		says(failed, "[%w] %w (%*) Failed authentication for %u from %a"),
		says(failed, "[%w] (%w) Failed %w %w authentication for %u from %a: %*"),
		says(failed, "[%w] %w (%w) Failed %w %w authentication for %u from %a: %*"),
		// Without a name, when the client has not got so far.
		says(failed, "[%w] (%w) Failed %w %w authentication from %a: %*"),
		says(failed, "[%w] %w (%w) Failed %w %w authentication from %a: %*"),
	}
	wordsMurmur = wording{
		says(failed, "%n => <%n:%u(-1)> Rejected connection from %a: Invalid server password"),
		says(failed, "%n => <%n:%u(-1)> Rejected connection from %a: Wrong certificate or password for existing user"),
		says(failed, "%n => <%n:%u(%w)> Rejected connection from %a: Invalid server password"),
	}
	wordsKerio = wording{
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
	}
	wordsNSD = wording{says(refused, "%w: axfr for %* from client %a refused, no acl matches%*"), says(refused, "%w: axfr for %* from %a refused, no acl matches%*")}
	wordsSPF = wording{says(spam, "%*: Reject; identity=%w; client-ip=%a; %*"), says(spam, "%*action=550 %* client-ip=%a; %*")}
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
	case strings.HasPrefix(message, "Login failed: "), strings.HasPrefix(message, "Two-factor challenge failed: "):
	case strings.HasPrefix(message, "Trusted domain error."), strings.HasPrefix(message, "Bruteforce attempt from "):
		kind = refused
	case strings.HasPrefix(message, "IP address throttled because it reached the attempts limit "), strings.HasPrefix(message, "IP address blocked because it reached the maximum failed attempts "):
		kind, message = limited, "" // Throttler.php
	default:
		return false
	}
	user, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(message, "Login failed: "), "Two-factor challenge failed: "), "'"), " (Remote IP: ")
	if host, ok := between(s, `"remoteAddr":"`, `"`); ok && s[0] == '{' {
		return isAddress(host) && say(e, kind, host, strings.TrimSuffix(user, "'"))
	}
	return wordsNextcloudText.read(message, e)
}

var wordsNextcloudText = wording{says(failed, "Login failed: '%u' (Remote IP: '%a')"), says(failed, "Login failed: %u (Remote IP: %a)"), says(failed, "Login failed: user '%u' , wrong password, IP:%a"),
	says(failed, "Two-factor challenge failed: %u (Remote IP: %a)")}
