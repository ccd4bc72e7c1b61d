package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// lighttpd's error log (src/log.c, 1.4):
//
//	2026-11-22 14:03:07: (mod_auth.c.850) password doesn't match for /p/ username: bob IP: 192.0.2.7
//
// It writes no level: the start and stop of the server and its notes are notices here, all else errors. Control
// characters are escaped. The client stands at the end of a message, behind path and user, which are its own words.
var lighttpdError = &Format{Name: "lighttpd_error", Kind: Error, Whole: true, fits: fitsLighttpd, line: lighttpdLine}

func fitsLighttpd(line []byte) bool {
	return len(line) > 24 && line[4] == '-' && line[7] == '-' && line[10] == ' ' && line[13] == ':' && line[16] == ':' &&
		starts(line[19:], ": (") && bytes.Contains(line[22:min(len(line), 64)], []byte(".c."))
}

func lighttpdLine(p *Parser, line []byte) outcome {
	if !fitsLighttpd(line) {
		return unparsed
	}
	at, n := p.stamps.any(line[:19])
	if n != 19 {
		return unparsed
	}
	return p.lighttpdSaid(line[21:], line, at)
}

// lighttpdSaid reads "(FILE.c.LINE) TEXT", which is all that lighttpd writes to syslog.
func (p *Parser) lighttpdSaid(text, line []byte, at time.Time) outcome {
	end := bytes.IndexByte(text[:min(len(text), 60)], ')')
	if end < 0 || text[0] != '(' {
		return unparsed
	}
	m := skipBlank(text[end+1:])
	if starts(m, "Path  ") || starts(m, "URI  ") || starts(m, "rqst: ") {
		return continued // debug.log-file-not-found and its like say it once more, in lines of their own
	}
	f := p.startFault("lighttpd", line, p.from)
	f.Time, f.Level = at, connwarden.LevelError
	f.Module = until(text[1:end], ".c.")
	f.Message = m
	if starts(m, "server started") || starts(m, "server stopped") || starts(m, "[note]") || starts(m, "logfiles cycled") {
		f.Level = connwarden.LevelNotice
	}
	kind, user := p.lighttpdMessage(m)
	p.pushFault(kind, user, m)
	return parsed
}

func (p *Parser) lighttpdMessage(m []byte) (kind connwarden.EventKind, user []byte) {
	f := &p.fault
	at := bytes.LastIndex(m, []byte(" IP: "))
	switch {
	case at > 0 && starts(m, "password doesn't match for "):
		f.Client, _ = parseAddr(m[at+len(" IP: "):])
		if i := bytes.LastIndex(m[:at], []byte(" username: ")); i > 0 {
			user = bytes.TrimSuffix(m[i+len(" username: "):at], []byte(","))
		}
		return connwarden.EventAuthFailed, user
	case at > 0 && starts(m, "digest: auth failed for "):
		f.Client, _ = parseAddr(m[at+len(" IP: "):])
		return connwarden.EventAuthFailed, until(m[len("digest: auth failed for "):], ": wrong password")
	case at > 0 && (starts(m, "digest: auth failed: ") || starts(m, "get_password failed")):
		f.Client, _ = parseAddr(m[at+len(" IP: "):])
		return connwarden.EventAuthFailed, nil
	case starts(m, "unexpected TLS ClientHello on clear port ("):
		f.Client, _ = parseAddr(until(m[len("unexpected TLS ClientHello on clear port ("):], ")"))
		return connwarden.EventBadHandshake, nil
	}
	return connwarden.EventOther, nil
}
