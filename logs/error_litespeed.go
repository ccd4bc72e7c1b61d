package logs

import (
	"bytes"
	"net/netip"

	"github.com/connwarden/connwarden"
)

// LiteSpeed's and OpenLiteSpeed's error log:
//
//	2026-11-22 14:03:07.123456 [NOTICE] [4242] [T0] [192.0.2.7:51022:HTTP2-1#APVH_www.example.com:443] message
//	2026-11-22 14:03:07.123 [INFO] [192.0.2.7:51022-0#www.example.com] File not found [/var/www/html/x]
//
// The groups of process and thread may be missing, and so is the one of the connection where no client is concerned. It stands before the
// message, in which a client's words may be whole lines: the log's trust is outside.
var litespeedError = &Format{Name: "litespeed_error", Kind: Error, fits: fitsLiteSpeed, line: litespeedLine}

// litespeedHead finds the level and what follows it, behind a time with a fraction.
func litespeedHead(line []byte) (l connwarden.Level, rest []byte) {
	if len(line) < 32 || line[4] != '-' || line[7] != '-' || line[10] != ' ' || line[13] != ':' || line[19] != '.' || !isDigit(line[0]) {
		return connwarden.LevelUnknown, nil
	}
	n := 20
	for n < len(line) && isDigit(line[n]) {
		n++
	}
	if n+3 > len(line) || line[n] != ' ' || line[n+1] != '[' {
		return connwarden.LevelUnknown, nil
	}
	rest = line[n+2:]
	end := bytes.IndexByte(rest[:min(len(rest), 8)], ']')
	if end < 0 {
		return connwarden.LevelUnknown, nil
	}
	switch string(rest[:end]) {
	case "ERROR", "INFO", "NOTICE", "DEBUG", "WARN":
		l = level(rest[:end])
		if l == connwarden.LevelUnknown {
			l = connwarden.LevelWarning
		}
	case "CRIT", "FATAL", "ALERT", "EMERG":
		l = connwarden.LevelCritical
	default:
		return connwarden.LevelUnknown, nil
	}
	rest = skipBlank(rest[end+1:])
	if file, _ := word(rest); bytes.Contains(file, []byte(".c:")) { // FreeSWITCH's
		return connwarden.LevelUnknown, nil
	}
	return l, rest
}

func fitsLiteSpeed(line []byte) bool {
	l, _ := litespeedHead(line)
	return l != connwarden.LevelUnknown
}

func litespeedLine(p *Parser, line []byte) outcome {
	l, rest := litespeedHead(line)
	if l == connwarden.LevelUnknown {
		return unparsed
	}
	f := p.startFault("litespeed", line, p.from)
	f.Time, _ = p.stamps.any(line)
	f.Level = l
	for len(rest) > 2 && rest[0] == '[' {
		end := bytes.IndexByte(rest, ']')
		if end > 0 && rest[1] == '[' { // an address of IPv6
			if n := bytes.IndexByte(rest[end+1:], ']'); n >= 0 {
				end += 1 + n
			}
		}
		if end < 0 {
			break
		}
		if group := rest[1:end]; !litespeedGroup(group) {
			if f.Client.IsValid() || !p.litespeedPeer(group) {
				break
			}
		}
		rest = skipBlank(rest[end+1:])
	}
	f.Message = rest
	p.pushFault(p.litespeedMessage(rest))
	return parsed
}

// litespeedGroup tells whether a group is of a process or a thread.
func litespeedGroup(b []byte) bool {
	if len(b) > 1 && b[0] == 'T' {
		b = b[1:]
	}
	_, ok := digits(b)
	return ok
}

// litespeedPeer reads "192.0.2.7:51022:HTTP2-1#APVH_www.example.com:443": the client, and the site.
func (p *Parser) litespeedPeer(b []byte) bool {
	host, site, named := bytes.Cut(b, []byte("#"))
	for len(host) > 0 {
		a, ok := parseAddr(host)
		if !ok {
			a, ok = litespeedIPv6(host)
		}
		if ok {
			if p.fault.Client = a; named {
				site = bytes.TrimPrefix(site, []byte("APVH_"))
				p.fault.Site = hostOnly(until(site, ":"))
			}
			return true
		}
		// What follows the port: the protocol with the stream, the number of the request.
		n := max(bytes.LastIndexByte(host, '-'), bytes.LastIndexByte(host, ':'))
		if n <= 0 {
			return false
		}
		host = host[:n]
	}
	return false
}

// litespeedIPv6 reads "[2001:db8::1]".
func litespeedIPv6(b []byte) (netip.Addr, bool) {
	if len(b) > 2 && b[0] == '[' && b[len(b)-1] == ']' {
		return parseAddr(b[1 : len(b)-1])
	}
	return netip.Addr{}, false
}

func (p *Parser) litespeedMessage(m []byte) (kind connwarden.EventKind, user, detail []byte) {
	f := &p.fault
	switch {
	case starts(m, "[STDERR] "):
		if m = m[len("[STDERR] "):]; starts(m, "PHP ") {
			f.Script = phpScript(m)
		}
	case starts(m, "User '"):
		// "User '%s' failed to authenticate."
		if name, ok := bytes.CutSuffix(m[len("User '"):], []byte("' failed to authenticate.")); ok {
			return connwarden.EventAuthFailed, name, m
		}
	case starts(m, "File not found ["):
		if path := until(m[len("File not found ["):], "]"); isProbe(path) {
			return connwarden.EventProbe, nil, path
		}
	case starts(m, "mod_security rule ["), starts(m, "mod_security: Access denied"):
		return connwarden.EventFilterHit, nil, m
	case starts(m, "[ACL] Access to context"), starts(m, "[ACL] Access denied"):
		return connwarden.EventNotAllowed, nil, m
	case starts(m, "bot detected"), bytes.HasPrefix(m, []byte("Reached per client")), starts(m, "is over per-client"), starts(m, "reached per client"):
		return connwarden.EventLimitHit, nil, m
	case starts(m, "[WebAdmin Console] Failed Login Attempt - "):
		// The address is the console's own word, but stands behind the name.
		_, rest, _ := bytes.Cut(m, []byte(" - username:"))
		if i := bytes.LastIndex(rest, []byte(" ip:")); i >= 0 && bytes.Count(rest, []byte(" ip:")) == 1 {
			host, _ := word(rest[i+len(" ip:"):])
			f.Client, _ = parseAddr(host)
			return connwarden.EventAuthFailed, rest[:i], m
		}
	}
	return connwarden.EventOther, nil, nil
}
