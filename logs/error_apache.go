package logs

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/connwarden/connwarden"
)

// Apache's error log, of 2.2 and 2.4. The form of 2.4 is (server/log.c, default_log_format)
//
//	[Sun Nov 22 14:03:07.123456 2026] [module:level] [pid 1:tid 2] file.c(3): (70007)errno text: [client a:port] AH01075: message, referer: r
//
// with any part missing but time and message; 2.2 writes only time, level and client without a port. Control
// characters are escaped, so an entry is one line; what stands there without a time was written to standard error by
// the daemon before it had a log, or by its children.
var (
	apacheError   = &Format{Name: "apache_error", Kind: Error, Whole: true, fits: fitsApache24, line: apacheLine}
	apache22Error = &Format{Name: "apache22_error", Kind: Error, Whole: true, fits: fitsApache22, line: apacheLine}
)

func fitsApache24(line []byte) bool {
	n := apacheTimeLen(line)
	if n == 0 || !starts(line[n:], " [") || apacheOldLevel(line[n+1:]) {
		return false
	}
	// "[core:error]", "[pid 1]", "[client a:1]".
	end := bytes.IndexByte(line[n:], ']')
	return end > 0 && (bytes.IndexByte(line[n:n+end], ':') >= 0 || starts(line[n:], " [pid ") || starts(line[n:], " [client ") || starts(line[n:], " [remote "))
}

func fitsApache22(line []byte) bool {
	n := apacheTimeLen(line)
	return n > 0 && starts(line[n:], " [") && apacheOldLevel(line[n+1:])
}

// apacheOldLevel tells whether b begins with a level alone, "[error] ", and not "[core:error] ". Apache 2.4 writes
// "[:error]" for modules that gave no name.
func apacheOldLevel(b []byte) bool {
	if len(b) == 0 || b[0] != '[' {
		return false
	}
	n := bytes.IndexByte(b[:min(len(b), 12)], ']')
	return n > 0 && level(b[1:n]) != connwarden.LevelUnknown
}

// apacheTimeLen returns the length of the bracketed time that line begins with, 0 when there is none.
func apacheTimeLen(line []byte) int {
	if len(line) < 26 || line[0] != '[' || line[4] != ' ' || month(line[5:]) == 0 {
		if len(line) > 21 && line[0] == '[' && line[5] == '-' && line[8] == '-' && line[14] == ':' {
			if n := bytes.IndexByte(line[:min(len(line), 40)], ']'); n > 0 {
				return n + 1
			}
		}
		return 0
	}
	n := bytes.IndexByte(line[:min(len(line), 40)], ']')
	return n + 1
}

// apacheTime reads the time inside the brackets: "Sun Nov 22 14:03:07.123456 2026", the day perhaps padded with a
// blank, or ISO 8601 as %{cu}t writes it.
func (p *Parser) apacheTime(b []byte) (time.Time, bool) {
	if len(b) > 4 && b[4] == '-' {
		at, n := p.stamps.any(b)
		return at, n == len(b) && !at.IsZero()
	}
	if len(b) < 24 || b[3] != ' ' || b[7] != ' ' || b[10] != ' ' {
		return time.Time{}, false
	}
	mon, day := month(b[4:7]), 0
	if b[8] == ' ' {
		day = int(b[9] - '0')
	} else {
		day = two(b[8:10])
	}
	sec, ok := hms(b[11:19])
	if !ok || mon == 0 || day < 1 || day > 31 {
		return time.Time{}, false
	}
	b = b[19:]
	nsec, n := decimals(b)
	if len(b) != n+5 || b[n] != ' ' {
		return time.Time{}, false
	}
	year, ok := digits(b[n+1:])
	if !ok || day > daysIn(year, mon) {
		return time.Time{}, false
	}
	return p.errs.clock.at(p.opt.Zone, year, mon, day, sec, nsec), true
}

func apacheLine(p *Parser, line []byte) outcome {
	n := apacheTimeLen(line)
	if n == 0 {
		return p.apachePlain(line)
	}
	at, ok := p.apacheTime(line[1 : n-1])
	if !ok {
		return unparsed
	}
	p.errs.last = at
	f := p.startFault("apache", line, p.from)
	f.Time = at
	rest := p.apacheHead(skipBlank(line[n:]))
	kind, user, detail := p.apacheMessage(rest)
	p.pushFault(kind, user, detail)
	return parsed
}

// apachePlain reads a line without a time.
func (p *Parser) apachePlain(line []byte) outcome {
	if !printable(line) {
		return unparsed
	}
	f := p.startFault("apache", line, p.from)
	f.Time = p.errs.last
	f.Message = apacheCode(f, line)
	if starts(f.Message, "PHP ") {
		f.Script = phpScript(f.Message)
	}
	// Nothing here stands where Apache writes a client.
	p.pushFault(connwarden.EventOther, nil, nil)
	return parsed
}

func skipBlank(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	return b
}

// apacheHead reads everything between time and message into the fault and returns the message. The client is taken
// from here alone: nothing that a client sends is written before it. An errno text goes in front of the message, as it
// often says more.
func (p *Parser) apacheHead(b []byte) []byte {
	f := &p.fault
	old := apacheOldLevel(b)
	b = p.apacheGroups(b, old)
	// The source file, from level trace or debug on: "mod_proxy.c(2345): ".
	if n := bytes.Index(b[:min(len(b), 64)], []byte("): ")); n > 0 && bytes.IndexByte(b[:n], ' ') < 0 && bytes.Contains(b[:n], []byte(".c(")) {
		b = b[n+3:]
	}
	var errno []byte
	if len(b) > 2 && b[0] == '(' && (b[1]-'0' <= 9 || b[1] == '-') {
		if n := bytes.IndexByte(b[:min(len(b), 16)], ')'); n > 0 {
			if end := bytes.Index(b, []byte(": ")); end > n {
				errno, b = b[n+1:end], b[end+2:]
			}
		}
	}
	b = p.apacheGroups(b, old)
	if f.Client.IsValid() {
		// ModSecurity 2 writes the client once more, without its port.
		if starts(b, "[client ") {
			if n := bytes.IndexByte(b, ']'); n > 0 {
				b = skipBlank(b[n+1:])
			}
		}
	}
	b = apacheCode(f, b)
	if i := bytes.LastIndex(b, []byte(", referer: ")); i >= 0 {
		b = b[:i]
	}
	if len(errno) > 0 {
		j := append(p.errs.joined[:0], errno...)
		if len(b) > 0 {
			j = append(append(j, ": "...), b[:min(len(b), maxEntry)]...)
		}
		p.errs.joined = j
		f.Message = j
	} else {
		f.Message = b
	}
	return b
}

// apacheGroups reads the bracketed groups that b begins with, as far as it knows them, and returns what follows.
func (p *Parser) apacheGroups(b []byte, old bool) []byte {
	f := &p.fault
	for len(b) > 2 && b[0] == '[' {
		n := bytes.IndexByte(b, ']')
		if n < 0 {
			return b
		}
		group := b[1:n]
		switch {
		case starts(group, "pid "), starts(group, "tid "):
		case starts(group, "client "), starts(group, "remote "):
			if f.Client.IsValid() {
				return b
			}
			f.Client, _ = apacheClient(group[7:], old)
		default:
			if f.Level != connwarden.LevelUnknown {
				return b
			}
			module, word := []byte(nil), group
			if i := bytes.IndexByte(group, ':'); i >= 0 {
				module, word = group[:i], group[i+1:]
			}
			l := level(word)
			if l == connwarden.LevelUnknown {
				return b
			}
			f.Level, f.Module = l, module
		}
		b = skipBlank(b[n+1:])
	}
	return b
}

// apacheClient reads a client as Apache writes it: 2.4 always adds a port, to an IPv6 address without brackets, so
// that "2001:db8::1:4711" is 2001:db8::1 and not an address of its own; 2.2 never does.
func apacheClient(b []byte, old bool) (netip.Addr, bool) {
	if !old && len(b) > 0 && b[0] != '[' {
		if i := bytes.LastIndexByte(b, ':'); i > 0 && isPort(b[i:]) {
			b = b[:i]
		}
	}
	return parseAddr(b)
}

// apacheCode takes "AH01075: " off the message.
func apacheCode(f *connwarden.Fault, b []byte) []byte {
	if len(b) < 8 || b[0] != 'A' || b[1] != 'H' || b[7] != ':' {
		return b
	}
	for _, c := range b[2:7] {
		if c-'0' > 9 {
			return b
		}
	}
	f.Code = b[:7]
	return skipBlank(b[8:])
}

// apacheMessage reads what the message says: script, request, and whether it is an event about the client. Only the
// beginning of a message is trusted to tell what it is; what a client sent comes later.
func (p *Parser) apacheMessage(m []byte) (kind connwarden.EventKind, user, detail []byte) {
	f := &p.fault
	if f.Message == nil {
		m = apacheCode(f, m)
		f.Message = m
	}
	if len(m) == 0 {
		return connwarden.EventOther, nil, nil
	}
	m = bytes.TrimPrefix(m, []byte("Digest: ")) // of 2.2
	switch {
	case starts(m, "PHP "):
		f.Script = phpScript(m)
	case starts(m, "Got error '"):
		m = bytes.TrimSuffix(m[len("Got error '"):], []byte("'"))
		if said := bytes.TrimPrefix(m, []byte("PHP message: ")); starts(said, "user denied: ") {
			if user, ok := phpMyAdminUser(said); ok {
				return connwarden.EventAuthFailed, user, said
			}
		}
		if starts(m, "Primary script unknown") {
			return connwarden.EventProbe, nil, m
		}
		if starts(m, "PHP message: ") {
			f.Script = phpScript(m)
		}
	case starts(m, "script '"):
		if i := bytes.LastIndex(m, []byte("' not found or unable to stat")); i > 0 {
			f.Script = m[8:i]
			return connwarden.EventProbe, nil, f.Script
		}
	case starts(m, "script not found or unable to stat: "):
		f.Script = m[len("script not found or unable to stat: "):]
		return connwarden.EventProbe, nil, f.Script
	case starts(m, "client denied by server configuration: "):
		return connwarden.EventNotAllowed, nil, m[len("client denied by server configuration: "):]
	case starts(m, "client used wrong authentication scheme"):
		return connwarden.EventAuthFailed, nil, m
	case starts(m, "auth_ldap authenticate: user "):
		m = m[len("auth_ldap authenticate: user "):]
		if i := bytes.LastIndex(m, []byte(" authentication failed; URI ")); i >= 0 && !bytes.Contains(m[i:], []byte("Can't contact LDAP server")) {
			return connwarden.EventAuthFailed, m[:i], m
		}
	case starts(m, "PAM: user '"):
		if i := bytes.LastIndex(m, []byte("' - not authenticated: ")); i >= 0 {
			return connwarden.EventAuthFailed, m[len("PAM: user '"):i], m
		}
	case starts(m, "AuthExtern "):
		if i := bytes.Index(m, []byte(": Failed (")); i >= 0 {
			return connwarden.EventAuthFailed, after(m[i:], " for user "), m
		}
	case starts(m, "user denied: "):
		if user, ok := phpMyAdminUser(m); ok {
			return connwarden.EventAuthFailed, user, m
		}
	case starts(m, "user "):
		if user, ok := apacheUser(m[5:]); ok {
			return connwarden.EventAuthFailed, user, m
		}
	case starts(m, "Authorization of user "):
		return connwarden.EventAuthFailed, until(m[len("Authorization of user "):], " to access "), m
	case starts(m, "realm mismatch - got "), starts(m, "received invalid opaque"), starts(m, "unknown algorithm "),
		starts(m, "invalid qop "), starts(m, "invalid nonce "), starts(m, "uri mismatch - "):
		return connwarden.EventAuthFailed, nil, m
	case starts(m, "File does not exist: "):
		if f.Script = m[len("File does not exist: "):]; isProbe(f.Script) {
			return connwarden.EventProbe, nil, f.Script
		}
	case starts(m, "access to ") && starts(f.Message, "File name too long: "), starts(m, "File name too long: "):
		return connwarden.EventProbe, nil, m
	case starts(m, "client sent HTTP/1.1 request without hostname"), starts(m, "HTTP Request "), starts(m, "client sent malformed "):
		return connwarden.EventBadHandshake, nil, m
	case starts(m, "mod_qos("):
		if bytes.Contains(m[:min(len(m), 40)], []byte("access denied")) {
			return connwarden.EventLimitHit, nil, m
		}
	case starts(m, "Invalid method in request "):
		f.Request = m[len("Invalid method in request "):]
		return connwarden.EventProbe, nil, f.Request
	case starts(m, "Invalid URI in request "):
		f.Request = m[len("Invalid URI in request "):]
		return connwarden.EventProbe, nil, f.Request
	case starts(m, "invalid URI path ("), starts(m, "request failed: "):
		return connwarden.EventProbe, nil, m
	case starts(m, "Hostname "):
		if bytes.Contains(m, []byte("provided via SNI")) {
			return connwarden.EventNotAllowed, nil, m
		}
	case starts(m, "SSL library error ") && bytes.Contains(m, []byte(" in handshake")):
		return connwarden.EventBadHandshake, nil, m
	case starts(m, "ModSecurity: "), starts(m, "mod_security"):
		return p.modSecurity(m)
	case f.Client.IsValid() && (bytes.Contains(m[:min(len(m), 256)], []byte("ignoring function definition attempt")) ||
		bytes.Contains(m[:min(len(m), 256)], []byte("error importing function definition for "))):
		return connwarden.EventProbe, nil, m // a shell's words about a header (CVE-2014-6271)
	}
	return connwarden.EventOther, nil, nil
}

// phpMyAdminUser reads the user of "user denied: NAME (mysql-denied) from ADDR", which phpMyAdmin writes to the web server's log when no
// syslog is there (Logging.php). The address is the one that Apache names, not the one that stands behind a name of the client's choice.
func phpMyAdminUser(m []byte) (user []byte, ok bool) {
	m = m[len("user denied: "):]
	i := bytes.LastIndex(m, []byte("-denied) from "))
	if i < 0 {
		return nil, false
	}
	i = bytes.LastIndex(m[:i], []byte(" ("))
	return m[:max(i, 0)], i >= 0
}

// apacheUser reads the user of a failed login from what follows "user ". Digest quotes it `so'.
func apacheUser(m []byte) (user []byte, ok bool) {
	if len(m) > 0 && m[0] == '`' {
		user = until(m[1:], "' in realm `")
		return user, len(user) < len(m)-1
	}
	for _, sep := range [...]string{": authentication failure for \"", ": password mismatch: ", " not found: ", ": authorization failure", " denied by provider"} {
		if i := bytes.Index(m, []byte(sep)); i >= 0 {
			return m[:i], true
		}
	}
	return nil, false
}

// modSecurity reads a message of mod_security 2 or of ModSecurity 3 behind a connector: a sentence, then tags as
// [name "value"].
func (p *Parser) modSecurity(m []byte) (kind connwarden.EventKind, user, detail []byte) {
	f := &p.fault
	if len(f.Module) == 0 {
		f.Module = modSecurityName
	}
	if id := after(m, `[id "`); id != nil {
		f.Code = until(id[:min(len(id), 16)], `"`)
	}
	if host := after(m, `[hostname "`); host != nil && len(f.Site) == 0 {
		f.Site = until(host, `"`)
	}
	if starts(m, "ModSecurity: Access denied") || starts(m, "mod_security: Access denied") || starts(m, "mod_security-message: Access denied") {
		return connwarden.EventFilterHit, nil, f.Code
	}
	return connwarden.EventOther, nil, nil
}

var modSecurityName = []byte("modsecurity")
