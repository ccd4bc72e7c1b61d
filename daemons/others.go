package daemons

import (
	"net/netip"
	"strings"

	"github.com/connwarden/connwarden"
)

// Applications and daemons that few servers have, from their sources and documentation.
var (
	// homeassistant/components/http/ban.py; host and address are the server's, address requested and agent follow.
	wordsHomeAssistant = wording{
		says(failed, "WARNING (%w) [homeassistant.components.http.ban] Login attempt or request with invalid authentication from %w (%a).%*"),
		says(failed, "WARNING (%w) [homeassistant.components.http.ban] Login attempt or request with invalid authentication from %a"),
		says(limited, "WARNING (%w) [homeassistant.components.http.ban] Banned IP %a for too many login attempts"),
	}
	// SQL Server's error 18456.
	wordsSQLServer = wording{says(failed, "Logon%*Login failed for user '%u'.%*[CLIENT: %a]")}
	// lib/Froxlor/FroxlorLogger.php
	wordsFroxlor = wording{
		says(failed, "[Login Action %a] Unknown user '%u' tried to login."),
		says(failed, "[Login Action %a] User '%u' tried to login with wrong password."),
	}
	// rsync, clientserver.c and authenticate.c.
	wordsRsync = wording{
		says(failed, "auth failed on module %w from %w (%a) for %u: %*"),
		says(failed, "auth failed on module %w from %w (%a): %*"),
		says(failed, "auth failed on module %w from %w (%a)"),
		says(refused, "rsync denied on module %w from %w (%a)"),
		says(failed, "[%n] auth failed on module %w from %w (%a) for %u: %*"),
		says(failed, "[%n] auth failed on module %w from %w (%a): %*"),
		says(failed, "[%n] auth failed on module %w from %w (%a)"),
		says(refused, "[%n] rsync denied on module %w from %w (%a)"),
		says(refused, "unknown module '%*' tried from %w (%a)"),
		says(refused, "[%n] unknown module '%*' tried from %w (%a)"),
		says(opened, "connect from %w (%a)"),
	}
	// Joomla's error.php: fields parted by tabs.
	wordsJoomla = wording{says(failed, "INFO %a\tjoomlafailure\t%*"), says(failed, "INFO %a joomlafailure %*")}
	// org.apache.guacamole.rest.auth.AuthenticationService, as Tomcat hands it on.
	wordsGuacamole = wording{
		says(failed, "%w [%w] WARN  o.a.g.r.auth.AuthenticationService - Authentication attempt from %a for user \"%u\" failed."),
		says(failed, "%w [%w] WARN  o.a.g.r.a.AuthenticationService - Authentication attempt from %a for user \"%u\" failed."),
		says(passed, "%w [%w] INFO  o.a.g.r.auth.AuthenticationService - User \"%u\" successfully authenticated from %a."),
	}
	wordsGitLab = wording{says(failed, "Failed Login: username=%u ip=%a")}
	// 3proxy's "SERVICE.PORT ERROR USER ADDR:PORT …"; errors 4 to 9 are of authentication.
	words3proxy = wording{
		says(failed, "%w.%n 00004 %w %a %w:%n %*"), says(failed, "%w.%n 00005 %w %a %w:%n %*"), says(failed, "%w.%n 00006 %w %a %w:%n %*"),
		says(failed, "%w.%n 00007 %w %a %w:%n %*"), says(failed, "%w.%n 00008 %w %a %w:%n %*"), says(failed, "%w.%n 00009 %w %a %w:%n %*"),
	}
	wordsTine20 = wording{says(failed, "WARN (%n): Tinebase_Controller::login::%n Login with username %u from %a failed (%w)!")}
	// Domino's console: "SMTP Server: Authentication failed for user NAME ; connecting host ADDR".
	wordsDomino = wording{
		says(failed, "SMTP Server: Authentication failed for user %u ; connecting host %a"),
		says(failed, "%w: %u [%a] authentication failure using internet password"),
	}
)

// readDante reads Dante's SOCKS server: "info: block(1): tcp/accept ]: ADDR.PORT ADDR.PORT: error after reading 35 bytes in 0 seconds: REASON". The name
// stands in the reason, behind the peer. Of all that is blocked only what failed to log in is read.
func readDante(s string, e *connwarden.Event) bool {
	rest, ok := strings.CutPrefix(s, "info: block(")
	if !ok {
		return false
	}
	if _, rest, ok = strings.Cut(rest[digits(rest):], "): tcp/accept ]: "); !ok {
		return false
	}
	peer, rest := word(rest)
	_, why, _ := strings.Cut(rest, ": error after reading ")
	if _, why, ok = strings.Cut(why, " seconds: "); !ok {
		return false
	}
	failure := false
	for _, begin := range [...]string{"could not access user \"", "system username/password failed for user ", "system password authentication failed for user ", "authentication failed for user "} {
		failure = failure || strings.HasPrefix(why, begin)
	}
	i := strings.LastIndexByte(peer, '.')
	if !failure || i < 0 {
		return false
	}
	a, ok := address(peer[:i])
	user, _ := between(why, "\"", "\"")
	return ok && sayOf(e, failed, a, user, "")
}

// readVpopmail reads vpopmail's vchkpw.c: "vchkpw-smtp: password fail NAME@DOMAIN:ADDR". The address ends the line; one of IPv6 cannot be told from the
// end of a name.
func readVpopmail(s string, e *connwarden.Event) bool {
	_, what, ok := strings.Cut(s, ": ")
	if !ok || !strings.HasPrefix(s, "vchkpw-") {
		return false
	}
	var kind connwarden.EventKind
	switch {
	case strings.HasPrefix(what, "password fail "), strings.HasPrefix(what, "vpopmail user not found "), strings.HasPrefix(what, "null password given "):
		kind = failed
	case strings.HasPrefix(what, "(") && strings.Contains(what[:min(len(what), 32)], ") login success "):
		kind = passed
	default:
		return false
	}
	head, host, ok := lastCut(what, ":")
	four, good := ipv4(host)
	_, user, _ := lastCut(head, " ")
	return ok && good && sayOf(e, kind, netip.AddrFrom4(four), user, "")
}

// readTCPServer reads ucspi-tcp's tcpserver.c: "deny PID LOCALHOST:LOCALADDR:PORT REMOTEHOST:ADDR:IDENT:PORT", for IPv4.
func readTCPServer(s string, e *connwarden.Event) bool {
	rest, ok := strings.CutPrefix(s, "deny ")
	if !ok {
		return false
	}
	_, rest = word(rest) // of the process
	_, rest = word(rest)
	if strings.Count(rest, ":") != 3 || strings.IndexByte(rest, ' ') >= 0 {
		return false
	}
	_, rest, _ = strings.Cut(rest, ":")
	host, _, _ := strings.Cut(rest, ":")
	return isAddress(host) && say(e, refused, host, "")
}

// readIMS reads Oracle's mail server: an element whose attributes are escaped as XML wants, so that a quote in a name does not end it. tr is
// "TCP|ADDR|PORT|PEER|PORT".
func readIMS(s string, e *connwarden.Event) bool {
	if !strings.HasPrefix(s, "<co ") || !strings.Contains(s, " mi=\"Bad password\"") {
		return false
	}
	transport, ok := between(s, " tr=\"TCP|", "\"")
	_, transport, _ = strings.Cut(transport, "|")
	_, transport, _ = strings.Cut(transport, "|")
	host, _, found := strings.Cut(transport, "|")
	user, _ := between(s, " us=\"", "\"")
	return ok && found && isAddress(host) && say(e, failed, host, user)
}

// readASSP reads the Anti-Spam SMTP Proxy (assp.pl, mlog): "id-1-2 [Worker_1] [MaxAUTHErrors] ADDR TEXT". What stands in brackets is its own.
func readASSP(s string, e *connwarden.Event) bool {
	for {
		first, rest := word(s)
		if a, ok := address(first); ok {
			kind := connwarden.EventOther
			switch {
			case strings.HasPrefix(rest, "max sender authentication errors ("):
				kind = limited
			case strings.HasPrefix(rest, "warning: SMTP authentication failed"):
				kind = failed
			}
			return sayOf(e, kind, a, "", "")
		}
		if rest == "" || first != "" && first[0] != '[' && !strings.HasPrefix(first, "id-") && !strings.HasPrefix(first, "m1-") {
			return false
		}
		s = rest
	}
}

// readGitLab reads the message of GitLab's application log, and the line of JSON that it is in.
func readGitLab(s string, e *connwarden.Event) bool {
	if s[0] == '{' {
		said, ok := quoted(s, `"message":"`)
		if !ok {
			return false
		}
		if said == "Rack_Attack" {
			return gitLabRack(s, e)
		}
		s = said
	}
	return wordsGitLab.read(s, e)
}

// gitLabRack reads auth_json.log (config/initializers/rack_attack_logging.rb): what was refused for its rate or by a list, with the peer in
// a field of its own.
func gitLabRack(s string, e *connwarden.Event) bool {
	kind := connwarden.EventLimitHit
	switch how, _ := quoted(s, `"env":"`); how {
	case "throttle":
	case "blocklist":
		kind = connwarden.EventNotAllowed
	default:
		return false
	}
	host, ok := quoted(s, `"remote_ip":"`)
	return ok && isAddress(host) && say(e, kind, host, "")
}
