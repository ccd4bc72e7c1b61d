package logs

import (
	"bytes"
	"time"
)

// oddTimes are forms of time that only a daemon or two write, by how many bytes stand before the colon behind the hour. A fraction may follow.
var oddTimes = func() (list [24][]*strftime) {
	for _, form := range [...]string{
		"22-Nov-2026 14=%d-%b-%Y %T",   // named
		"22 Nov 2026 14=%d %b %Y %T",   // redis
		"22 Nov 14=%d %b %T",           // redis before 5
		"2026 Nov 22 14=%Y %b %d %T",   // Cisco, syslog-ng
		"Nov 22 2026 14=%b %d %Y %T",   // rsyslog, "Traditional" with a year
		"Nov 22, 2026 14=%b %d, %Y %T", // Java
		"Nov 22, 2026 2=%b %d, %Y %I:%M:%S %p",
		"Sun 2026-11-22 14=%a %F %T %Z", // journalctl -o short-full
		"Sun 2026-11-22 14=%a %F %T",
		"2026.11.22 14=%Y.%m.%d %T",
		"22.11.2026 14=%d.%m.%Y %T",
		"22-11-2026 14=%d-%m-%Y %T",         // 3proxy
		"11/22/2026 2=%m/%d/%Y %I:%M:%S %p", // Windows
		"20261122 14=%Y%m%d %T",
		"26/11/22@14=%y/%m/%d@%T", // xinetd
		"11/22/26 14=%m/%d/%y %T",
		"261122 14=%y%m%d %T",               // MySQL before 5.7
		"Nov-22-26 14=%b-%d-%y %T",          // assp
		"2026:11:22-14=%Y:%m:%d-%T",         // DirectAdmin
		"UTC Nov 22 14=%Z %b %d %T",         // Monit
		"20261122-14=%Y%m%d-%T",             // xrdp
		"L 11/22/2026 - 14=L %m/%d/%Y - %T", // Source and GoldSrc
		"<W>2026-11-22 14=<W>%F %T",         // Mumble
		"Sun, 22 Nov 2026 14=%a, %d %b %Y %T",
	} {
		sample, format, _ := bytes.Cut([]byte(form), []byte("="))
		f, err := compileStrftime(string(format))
		if err != nil {
			panic(err) // a constant of our own
		}
		list[len(sample)] = append(list[len(sample)], f)
	}
	return list
}()

// zabbixTime is "20261122:140307", which has no colon between hour and minute.
var zabbixTime = func() *strftime {
	f, err := compileStrftime("%Y%m%d:%H%M%S")
	if err != nil {
		panic(err) // a constant of our own
	}
	return f
}()

// odd reads a time that any does not know, and tells how many bytes it takes.
func (s *stamps) odd(b []byte) (time.Time, int) {
	if len(b) < 14 {
		return time.Time{}, 0
	}
	if b[8] == ':' && isDigit(b[9]) && isDigit(b[7]) { // Zabbix
		t, n := zabbixTime.read(s, b)
		if n == 0 {
			return t, 0
		}
		nsec, used := decimals(b[n:])
		return t.Add(time.Duration(nsec)), n + used
	}
	if !isDigit(b[0]) && b[0] != '<' && month(b) == 0 && !isDayName(b) && !starts(b, "UTC ") && !starts(b, "L ") {
		return time.Time{}, 0
	}
	c := 0
	for i := 7; ; i++ {
		if i >= len(oddTimes) || i+6 > len(b) {
			return time.Time{}, 0
		}
		if b[i] == ':' && b[i+3] == ':' && isDigit(b[i-1]) && isDigit(b[i+1]) && isDigit(b[i+4]) {
			c = i
			break
		}
	}
	for _, list := range [...][]*strftime{oddTimes[c], oddTimes[c-1]} { // an hour may have one digit
		for _, f := range list {
			t, n := f.read(s, b)
			if n == 0 {
				continue
			}
			nsec, used := decimals(b[n:])
			return t.Add(time.Duration(nsec)), n + used
		}
	}
	return time.Time{}, 0
}
