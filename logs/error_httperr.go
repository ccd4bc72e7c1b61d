package logs

import (
	"bytes"

	"github.com/connwarden/connwarden"
)

// The log of Windows' HTTP API (httperr*.log): requests that IIS never saw, with the reason in a word
// (learn.microsoft.com, "Error logging in HTTP API").
//
//	#Fields: date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status s-siteid s-reason s-queuename
//	2026-11-22 14:03:07 198.51.100.1 51022 192.0.2.10 80 HTTP/1.1 GET /a%b 400 - URL -
//
// Since Windows 10 a stream's number stands before the status. Times are in UTC.
var httpErr = &Format{Name: "httperr", Kind: Error, fits: fitsHTTPErr, line: httpErrLine, strict: true}

// httpErrFields parts a line; a URI holds no blanks.
func httpErrFields(line []byte) (fields [14][]byte, n int) {
	for rest := line; len(rest) > 0 && n < len(fields); n++ {
		fields[n], rest = word(rest)
	}
	return fields, n
}

func fitsHTTPErr(line []byte) bool {
	if starts(line, "#Software: Microsoft HTTP API") || starts(line, "#Fields: date time c-ip c-port s-ip s-port cs-version") {
		return true
	}
	if len(line) < 40 || line[4] != '-' || line[10] != ' ' || line[13] != ':' || line[19] != ' ' {
		return false
	}
	f, n := httpErrFields(line)
	if n < 13 {
		return false
	}
	_, ok1 := parseAddr(f[2])
	_, ok2 := digits(f[3])
	_, ok3 := parseAddr(f[4])
	_, ok4 := digits(f[5])
	return ok1 && ok2 && ok3 && ok4 && (starts(f[6], "-") || starts(f[6], "HTTP/"))
}

func httpErrLine(p *Parser, line []byte) outcome {
	if line[0] == '#' {
		return parsed
	}
	if !fitsHTTPErr(line) {
		return unparsed
	}
	v, n := httpErrFields(line)
	status, reason := v[9], v[11]
	if n == 14 {
		status, reason = v[10], v[12]
	}
	f := p.startFault("iis", line, p.from)
	if day, ok := p.stamps.isoDay(line); ok {
		if clock, ok := hms(line[11:]); ok {
			f.Time = p.stamps.at(day+int64(clock), 0, 0)
		}
	}
	f.Client, _ = parseAddr(v[2])
	f.Code, f.Request = dash(reason), dash(v[8])
	j := append(p.errs.joined[:0], reason...)
	if s := dash(status); len(s) > 0 {
		j = append(append(j, ", status "...), s...)
	}
	p.errs.joined, f.Message = j, j
	kind := connwarden.EventOther
	f.Level = connwarden.LevelWarning
	switch {
	case bytes.HasPrefix(reason, []byte("Timer_")), bytes.HasPrefix(reason, []byte("Client_Reset")):
		f.Level = connwarden.LevelInfo // a client that went, or that kept its connection idle
	default:
		switch string(reason) {
		case "AppOffline", "AppPoolTimer", "AppShutdown", "Connection_Abandoned_By_ReqQueue", "Connection_Dropped", "Connection_Dropped_List_Full", "ConnLimit", "Connections_Refused",
			"Disabled", "N/A", "QueueFull", "EntityTooLarge", "Internal", "N/I":
			f.Level = connwarden.LevelError
		case "BadRequest", "Header", "Hostname", "Invalid_CR/LF", "Number", "Precondition", "Verb", "Version", "Version_N/S", "CONNECT":
			kind = connwarden.EventBadHandshake
		case "URL", "URL_Length", "FieldLength", "RequestLength", "Forbidden":
			kind = connwarden.EventProbe
		}
	}
	p.pushFault(kind, nil, f.Code)
	return parsed
}
