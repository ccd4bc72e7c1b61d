package logs

import (
	"bytes"
	"time"
)

// iisNative is the log format of IIS's own, a fixed list with commas (learn.microsoft.com, "IIS Log File Formats"): client, user, date, time,
// service, computer, server, milliseconds, bytes received, bytes sent, status, Windows's status, method, target, parameters. Times are local.
// Dates are written as in America, or as the machine's region has them.
var iisNative = &Format{Name: "iis_native", read: readIISNative}

func readIISNative(p *Parser, line []byte) grade {
	p.beginMute()
	var fields [15][]byte
	n := 0
	for rest := line; n < len(fields); n++ {
		one, after, more := bytes.Cut(rest, []byte(", "))
		if rest = after; !more {
			fields[n] = bytes.TrimSuffix(one, []byte(","))
			n++
			break
		}
		fields[n] = one
	}
	if n < 5 {
		return misfit
	}
	day, ok := slashedDay(fields[2])
	clock, ok2 := shortClock(fields[3])
	if !ok || !ok2 || !looksAddr(fields[0]) {
		return misfit
	}
	p.req.Time, p.seen = p.stamps.local(day+int64(clock), 0), sawTime
	p.setClient(fields[0])
	p.req.User = dash(fields[1])
	if n < 14 {
		return p.settle(false)
	}
	if !p.setTook(time.Millisecond, fields[7]) || !p.setSize(fields[9]) || !p.setStatus(fields[10]) {
		return misfit
	}
	p.seen |= sawPath
	p.req.Method, p.uri = dash(fields[12]), dash(fields[13])
	p.req.Query = dash(bytes.TrimSuffix(fields[14], []byte(",")))
	return p.settle(true)
}

// slashedDay reads "3/20/01", "11/22/2026", "22.11.2026" (day first) or "2026-11-22" as its midnight in UTC. What cannot be a month is the day.
func slashedDay(b []byte) (int64, bool) {
	var part [3]int
	n, dots := 0, bytes.IndexByte(b, '.') > 0
	for len(b) > 0 && n < len(part) {
		end := bytes.IndexAny(b, "/.-")
		if end < 0 {
			end = len(b)
		}
		v, ok := digits(b[:end])
		if !ok {
			return 0, false
		}
		part[n] = v
		n++
		b = b[min(end+1, len(b)):]
	}
	m, d, y := part[0], part[1], part[2]
	switch {
	case n < len(part) || len(b) > 0:
		return 0, false
	case m > 31:
		y, m, d = part[0], part[1], part[2]
	case m > 12, dots:
		m, d = d, m
	}
	if y < 100 {
		y += 2000
		if y >= 2080 {
			y -= 100
		}
	}
	return unixDay(y, m, d), y < 10000 && isDate(y, m, d)
}

// shortClock reads "7:55:20" as well as "14:03:07".
func shortClock(b []byte) (int, bool) {
	if len(b) == len("7:55:20") {
		long := [8]byte{'0'}
		copy(long[1:], b)
		return hms(long[:])
	}
	sec, ok := hms(b)
	return sec, ok && len(b) == len("14:03:07")
}
