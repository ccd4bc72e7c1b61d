package daemons

import (
	"strings"

	"github.com/connwarden/connwarden"
)

// Applications that people host themselves, and firewalls with a page. Those that keep what a client chose within quotes, in JSON, in logfmt
// or by a logger that escapes them, name their peer beyond doubt: a quote of the client's has a backslash before it.

// wordsJellyfin is of Jellyfin's UserManager.cs (10.6 to 10.11). Its file has texts in quotes ("{Message}"), standard output has not
// ("{Message:lj}"): there a name with a line end makes a whole line, so that nothing but its words is known of one.
var wordsJellyfin = wording{
	says(failed, "[%w] [%n] %w: Authentication request for \"%u\" has been denied (IP: \"%a\")."),
	says(failed, "[%w] [%n] %w: Authentication request for user \"%u\" has been denied (IP: \"%a\")."),
	says(failed, "[%w] [%n] %w: Authentication request with data %* has been denied (IP: \"%a\")."),
	says(failed, "[%w] [%n] %w: Authentication request without username has been denied (IP: \"%a\")."),
	says(failed, "[%w] [%n] %w: Authentication request for \"%u\" has been denied because this account is currently disabled (IP: \"%a\")."),
	says(refused, "[%w] [%n] %w: Authentication request for \"%u\" forbidden: remote access disabled and user not in local network (IP: \"%a\")."),
	says(failed, "[%w] [%n] %w: Authentication request for %u has been denied (IP: %a)."),
	says(failed, "[%w] [%n] %w Authentication request for %u has been denied (IP: %a)."),
}

// wordsRouterOS is of MikroTik's routers, behind the topics; a peer in the same network may be an address of Ethernet.
var wordsRouterOS = wording{
	says(failed, "login failure for user %u from %a via %w"),
	says(passed, "user %u logged in from %a via %w"),
}

// wordsOPNsense is of OPNsense's page (authgui.inc).
var wordsOPNsense = wording{
	says(failed, "%w: Web GUI authentication error for '%u' from %a"),
	says(passed, "%w: Successful login for user '%u' from: %a"),
	says(failed, "Web GUI authentication error for '%u' from %a"),
}

// wordsOcserv is of ocserv's main-ban.c: who failed too often, and who came back meanwhile.
var wordsOcserv = wording{
	says(limited, "main: added IP '%a' (with score %n) to ban list, will be reset at: %*"),
	says(limited, "main: Rejected connection from banned IP: %a"),
}

// readHomeAssistant reads Home Assistant, whose lines keep their time when standard output goes to the journal.
func readHomeAssistant(s string, e *connwarden.Event) bool {
	return wordsHomeAssistant.read(trim(s[isoStamp(s):]), e)
}

// readPFSense reads pfSense's page and its XML-RPC (auth.inc, xmlrpc.php): "/index.php: webConfigurator authentication error for user 'NAME' from:
// ADDR", with what the request says of a proxy in brackets behind. Both are the client's, so that all places must agree.
func readPFSense(s string, e *connwarden.Event) bool {
	page, rest := word(s)
	if !strings.HasSuffix(page, ":") || page[0] != '/' {
		return false
	}
	kind := failed
	name, ok := strings.CutPrefix(rest, "webConfigurator authentication error for user '")
	if !ok {
		if name, ok = strings.CutPrefix(rest, "Successful login for user '"); !ok {
			return false
		}
		kind = passed
	}
	var all agreement
	user := ""
	for at := 0; ; {
		i := strings.Index(name[at:], "' from: ")
		if i < 0 {
			break
		}
		at += i
		host := name[at+len("' from: "):]
		if end := strings.IndexAny(host, " ["); end >= 0 {
			host = host[:end]
		}
		if a, ok := address(host); ok {
			user = name[:at]
			all.add(a)
		}
		at++
	}
	a, ok := all.agreed()
	return ok && sayOf(e, kind, a, user, "")
}

// readAuditLog reads what programs call audit: auditd's records, and OPNsense's page.
func readAuditLog(program, s string, e *connwarden.Event) bool {
	if readAudit(program, s, e) {
		return true
	}
	e.Service = "opnsense"
	return wordsOPNsense.read(s, e)
}

// readKeycloak reads the events of Keycloak since 22 (JBossLoggingEventListenerProvider.java): "WARN  [org.keycloak.events] (THREAD)
// type="LOGIN_ERROR", realmId="…", …, ipAddress="ADDR", error="…", …, username="NAME"", quotes escaped and without line ends
// (sanitizeSpacesAndQuotes), or the same as the message of an object of JSON.
func readKeycloak(s string, e *connwarden.Event) bool {
	if s[0] == '{' {
		logger, _ := member(s, "loggerName")
		message, ok := member(s, "message")
		return ok && logger == "org.keycloak.events" && keycloakEvent(message, `\"`, e)
	}
	s, ok := keycloakText(s)
	return ok && strings.HasPrefix(s, `type="`) && keycloakEvent(s, `"`, e)
}

// readOldKeycloak reads those before, where nothing is in quotes and all places must agree. Line ends come through: behind a tag they are not
// read.
func readOldKeycloak(s string, e *connwarden.Event) bool {
	s, ok := keycloakText(s)
	return ok && !strings.HasPrefix(s, `type="`) && keycloakEvent(s, "", e)
}

// keycloakText is the event without what stands before it.
func keycloakText(s string) (string, bool) {
	s = trim(s[isoStamp(s):])
	_, s = word(s)
	s, ok := strings.CutPrefix(trim(s), "[org.keycloak.events] (")
	_, s, found := strings.Cut(s, ") ")
	return s, ok && found
}

func keycloakEvent(s, quote string, e *connwarden.Event) bool {
	what, _ := keycloakValue(s, "type=", quote)
	why, _ := keycloakValue(s, ", error=", quote)
	kind, missing := failed, false
	switch {
	case !strings.HasPrefix(s, "type="):
		return false
	case what == "LOGIN":
		kind = passed
	case what != "LOGIN_ERROR" && what != "CLIENT_LOGIN_ERROR":
		return false
	default:
		switch why {
		case "invalid_user_credentials", "user_disabled", "user_temporarily_disabled", "invalid_client_credentials":
		case "user_not_found":
			missing = true
		default: // a page that expired, an address of an application that is wrong
			return false
		}
	}
	var all agreement
	for rest := s; ; {
		host, behind := keycloakValue(rest, ", ipAddress=", quote)
		if behind == "" && host == "" {
			break
		}
		if a, ok := address(host); ok {
			all.add(a)
		}
		rest = behind
	}
	user, _ := keycloakValue(s, ", username=", quote)
	a, ok := all.agreed()
	if !ok || !sayOf(e, kind, a, user, "") {
		return false
	}
	e.Missing = missing
	return true
}

// keycloakValue is the value behind the first key that is followed by the quote, and what follows it; both are empty without one.
func keycloakValue(s, key, quote string) (value, behind string) {
	for {
		var ok bool
		if s, ok = after(s, key); !ok {
			return "", ""
		}
		if rest, found := strings.CutPrefix(s, quote); found {
			end := keycloakEnd(rest, quote)
			return rest[:end], rest[end:]
		}
	}
}

// keycloakEnd is where a value ends: at its quote, if that has no backslash before it, or at a comma.
func keycloakEnd(s, quote string) int {
	if quote == "" {
		quote = ","
	}
	for at := 0; ; at++ {
		i := strings.Index(s[at:], quote)
		if i < 0 {
			return len(s)
		}
		if at += i; at == 0 || quote == "," || s[at-1] != '\\' {
			return at
		}
	}
}

// readAuthelia reads Authelia (handlers/response.go, doMarkAuthenticationAttempt), in logfmt as logrus quotes it or in JSON:
// time="…" level=error msg="Unsuccessful 1FA authentication attempt by user 'NAME'" method=POST path=/api/firstfactor remote_ip=ADDR.
func readAuthelia(s string, e *connwarden.Event) bool {
	value := pair
	if s[0] == '{' {
		value = member
	}
	message, _ := value(s, "msg")
	kind := failed
	rest, ok := strings.CutPrefix(message, "Unsuccessful ")
	if !ok {
		if rest, ok = strings.CutPrefix(message, "Successful "); !ok {
			return false
		}
		kind = passed
	}
	_, rest = word(rest)
	rest, ok = strings.CutPrefix(rest, "authentication attempt ")
	rest = strings.TrimPrefix(rest, "made ")
	user, by := strings.CutPrefix(rest, "by user '")
	user, _, _ = lastCut(user, "'")
	host, found := value(s, "remote_ip")
	a, good := address(host)
	return ok && by && found && good && sayOf(e, kind, a, user, "")
}

// readAuthentik reads the events of authentik (events/models.py, save), of which its log has each as an object. What a client's query holds
// stands in objects within.
func readAuthentik(s string, e *connwarden.Event) bool {
	if logger, _ := member(s, "logger"); logger != "authentik.events.models" && logger != "authentik.events" {
		return false
	}
	var kind connwarden.EventKind
	switch action, _ := member(s, "action"); action {
	case "login_failed":
		kind = failed
	case "login":
		kind = passed
	case "suspicious_request":
		kind = probed
	default:
		return false
	}
	context, _ := member(s, "context")
	user, _ := member(context, "username")
	host, ok := member(s, "client_ip")
	a, good := address(host)
	return ok && good && sayOf(e, kind, a, user, "")
}

// readElastic reads the audit log of Elasticsearch since 6.5 (its reference, "Elasticsearch audit events"). A password that several realms
// refuse is told of once more by each, which is not read.
func readElastic(s string, e *connwarden.Event) bool {
	var kind connwarden.EventKind
	switch action, _ := member(s, "event.action"); action {
	case "authentication_failed":
		kind = failed
	case "authentication_success":
		kind = passed
	case "connection_denied":
		kind = refused
	case "tampered_request":
		kind = probed
	default:
		return false
	}
	host, ok := member(s, "origin.address")
	user, _ := member(s, "user.name")
	a, good := addressPort(host)
	return ok && good && sayOf(e, kind, a, user, "")
}

// readMattermost reads the audit log of Mattermost since 7.0 (audit/record.go; api4/user.go, login).
func readMattermost(s string, e *connwarden.Event) bool {
	if event, _ := member(s, "event_name"); event != "login" {
		return false
	}
	kind := failed
	switch status, _ := member(s, "status"); status {
	case "fail":
	case "success":
		kind = passed
	default:
		return false
	}
	actor, _ := member(s, "actor")
	host, ok := member(actor, "ip_address")
	event, _ := member(s, "event")
	parameters, _ := member(event, "parameters")
	user, _ := member(parameters, "login_id")
	a, good := address(host)
	return ok && good && sayOf(e, kind, a, user, "")
}
