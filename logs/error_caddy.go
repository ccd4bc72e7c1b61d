package logs

import (
	"bytes"

	"github.com/connwarden/connwarden"
)

// Caddy's own log, as JSON or for a console:
//
//	{"level":"error","ts":1795356187.123,"logger":"http.log.error","msg":"dial tcp …","request":{"remote_ip":"192.0.2.7",…},"status":502}
//	2026/11/22 14:03:07.123	ERROR	http.log.error	dial tcp …	{"request": {"remote_ip": "192.0.2.7", …}, "status": 502}
//
// Quotes inside values are escaped, so that a member's name with its quotes is Caddy's.
var caddyError = &Format{Name: "caddy_error", Kind: Error, fits: fitsCaddy, line: caddyLine, strict: true}

func fitsCaddy(line []byte) bool {
	if starts(line, `{"level":"`) {
		return bytes.Contains(line[:min(len(line), 80)], []byte(`,"ts":`)) && bytes.Contains(line, []byte(`"msg":"`)) && !bytes.Contains(line[:min(len(line), 160)], []byte(`"logger":"http.log.access`))
	}
	if len(line) < 30 || line[4] != '/' || line[10] != ' ' || line[19] != '.' {
		return false
	}
	n := bytes.IndexByte(line[:min(len(line), 40)], '\t')
	return n > 0 && level(until(line[n+1:min(len(line), n+10)], "\t")) != connwarden.LevelUnknown && !bytes.Contains(line[:min(len(line), 80)], []byte("\thttp.log.access"))
}

func caddyLine(p *Parser, line []byte) outcome {
	if !fitsCaddy(line) {
		return unparsed
	}
	f := p.startFault("caddy", line, p.from)
	fields := line
	if line[0] == '{' {
		f.Level = level(member(line, "level"))
		f.Module = member(line, "logger")
		f.Message = p.text(member(line, "msg"))
		if reason := member(line, "error"); len(reason) > 0 {
			j := append(append(p.errs.joined[:0], f.Message...), ": "...)
			j = append(j, p.text(reason)...)
			p.errs.joined, f.Message = j, j
		}
		if ts := after(line[:min(len(line), 120)], `"ts":`); len(ts) > 0 {
			if ts[0] == '"' {
				ts = ts[1:]
			}
			f.Time, _ = p.stamps.any(line[len(line[:min(len(line), 120)])-len(ts):])
		}
	} else {
		f.Time, _ = p.stamps.any(line)
		_, rest, _ := bytes.Cut(line, []byte("\t"))
		word, rest, _ := bytes.Cut(rest, []byte("\t"))
		f.Level = level(word)
		one, rest, more := bytes.Cut(rest, []byte("\t"))
		if more && bytes.IndexByte(one, ' ') < 0 { // a logger has a name without blanks
			f.Module = one
			one, rest, _ = bytes.Cut(rest, []byte("\t"))
		}
		f.Message, fields = one, rest
	}
	if request := after(fields, `"request":`); request != nil {
		if f.Client, _ = parseAddr(member(request, "client_ip")); !f.Client.IsValid() {
			f.Client, _ = parseAddr(member(request, "remote_ip"))
		}
		if f.Site = hostOnly(member(request, "host")); len(f.Site) == 0 {
			f.Site = p.opt.Site
		}
		f.Request = member(request, "uri")
	}
	const handshake = "http: TLS handshake error from "
	if starts(f.Message, handshake) {
		host, why, _ := bytes.Cut(f.Message[len(handshake):], []byte(": "))
		f.Client, _ = parseAddr(host)
		// An alert is the client's word about our certificate, and an end of the connection is nobody's fault.
		if !starts(why, "remote error:") && !starts(why, "EOF") && !bytes.Contains(why, []byte("reset by peer")) && !bytes.Contains(why, []byte("i/o timeout")) && !bytes.Contains(why, []byte("no certificate available")) {
			p.pushFault(connwarden.EventBadHandshake, nil, why)
			return parsed
		}
	}
	p.pushFault(connwarden.EventOther, nil, nil)
	return parsed
}

// member is the string of the first member of that name in an object of JSON, as written; nothing when there is none.
func member(object []byte, name string) []byte {
	for at := 0; ; {
		i := bytes.Index(object[at:], []byte(name))
		if i < 0 {
			return nil
		}
		at += i
		end := at + len(name)
		if at > 0 && object[at-1] == '"' && end+1 < len(object) && object[end] == '"' && (at < 2 || object[at-2] != '\\') {
			v := skipSpace(object, end+1)
			if v < len(object) && object[v] == ':' {
				if v = skipSpace(object, v+1); v < len(object) && object[v] == '"' {
					if close := closeString(object, v+1); close > 0 {
						return object[v+1 : close]
					}
				}
			}
		}
		at = end
	}
}

// text undoes the escapes of a string of JSON.
func (p *Parser) text(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	p.scratch.text = p.scratch.text[:0]
	return p.scratch.undo(b)
}
