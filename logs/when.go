package logs

import (
	"bytes"
	"time"
)

// any reads the time that b begins with, in whichever of the usual forms, and tells how many bytes it takes; 0 when b
// begins with none. The forms:
//
//	17/May/2015:10:05:03[.123][ +0000]     the common log format, HAProxy; with a space Python's http.server
//	7/May/2015:10:05:03, 17/May/15:10:05:03   the same of who counts the day's or the year's digits otherwise
//	06/10/2021:11:19:31 -0000              cPanel's own server: month first
//	2015-05-17T10:05:03[.123][Z|+00:00]    RFC 3339, with T or a space; "/" for "-" as nginx's error log
//	Sun[,] [17 ]May 17 10:05:03[.123] [+0000|UTC ]2015   ctime and its kin
//	May 17 10:05:03                        RFC 3164: the year is Options.Now's; "May 7" also with one space
//	29:23:53:25                            a day of an unknown month, of which no time can be made: the zero time
//	1431857103[.123], 1431857103123, …     seconds since 1970, or milli-, micro- or nanoseconds
func (s *stamps) any(b []byte) (time.Time, int) {
	if len(b) < 10 {
		return time.Time{}, 0
	}
	if n := len(s.text); n > 0 && n <= len(b) && bytes.Equal(b[:n], s.text) && (n == len(b) || !timeGoesOn(b[n])) {
		return s.last, n
	}
	t, n := s.form(b)
	if n > 0 && n <= cap(s.text) {
		s.text, s.last = append(s.text[:0], b[:n]...), t
	}
	return t, n
}

func timeGoesOn(c byte) bool {
	return isDigit(c) || c == '.' || c == ',' || c == 'Z' || c == '+' || c == '-' || c == ':' || c == ' '
}

func (s *stamps) form(b []byte) (time.Time, int) {
	switch {
	case !isDigit(b[0]):
		return s.named(b)
	case len(b) >= 20 && b[2] == '/' && b[6] == '/' && (b[11] == ':' || b[11] == ' '):
		sec, ok := s.clfUnix(b)
		if !ok {
			return time.Time{}, 0
		}
		return s.finish(sec, b, 20)
	case len(b) >= 18 && (b[1] == '/' && b[5] == '/' || b[2] == '/' && b[6] == '/'):
		return s.shortDay(b)
	case len(b) >= 19 && b[2] == '/' && b[5] == '/' && (b[10] == ':' || b[10] == ' '):
		m, ok1 := digits(b[0:2])
		d, ok2 := digits(b[3:5])
		y, ok3 := digits(b[6:10])
		clock, ok4 := hms(b[11:19])
		if !ok1 || !ok2 || !ok3 || !ok4 {
			return time.Time{}, 0
		}
		if m > 12 {
			m, d = d, m
		}
		if !isDate(y, m, d) {
			return time.Time{}, 0
		}
		return s.finish(unixDay(y, m, d)+int64(clock), b, 19)
	case len(b) >= 19 && (b[4] == '-' || b[4] == '/') && b[7] == b[4]:
		if b[10] != 'T' && b[10] != ' ' && b[10] != 't' && b[10] != '_' {
			return time.Time{}, 0
		}
		day, ok := s.isoDay(b)
		clock, ok2 := hms(b[11:19])
		if !ok || !ok2 {
			return time.Time{}, 0
		}
		return s.finish(day+int64(clock), b, 19)
	case len(b) >= 11 && b[2] == ':' && b[5] == ':' && b[8] == ':':
		_, ok1 := digits(b[0:2])
		_, ok2 := hms(b[3:11])
		if ok1 && ok2 {
			return time.Time{}, 11
		}
		return time.Time{}, 0
	}
	return s.epoch(b)
}

// shortDay reads "7/May/2015:10:05:03" and "17/May/15:10:05:03".
func (s *stamps) shortDay(b []byte) (time.Time, int) {
	n := bytes.IndexByte(b, '/')
	d, ok1 := digits(b[:n])
	m := monthOf(b[n+1:])
	year := b[n+5:]
	end := bytes.IndexAny(year[:min(len(year), 5)], ": ")
	if end != 2 && end != 4 || len(year) < end+9 {
		return time.Time{}, 0
	}
	y, ok2 := digits(year[:end])
	clock, ok3 := hms(year[end+1:])
	if end == 2 {
		y += 2000
	}
	if !ok1 || !ok2 || !ok3 || !isDate(y, m, d) {
		return time.Time{}, 0
	}
	return s.finish(unixDay(y, m, d)+int64(clock), b, n+5+end+9)
}

func isDate(y, m, d int) bool { return m >= 1 && m <= 12 && d >= 1 && d <= daysIn(y, m) }

// isoDay reads "2015-05-17" or "2015/05/17" as its midnight in UTC.
func (s *stamps) isoDay(b []byte) (int64, bool) {
	if len(b) < 10 {
		return 0, false
	}
	if text := (*[10]byte)(b); *text != s.isoText {
		y, ok1 := digits(b[0:4])
		m, ok2 := digits(b[5:7])
		d, ok3 := digits(b[8:10])
		if !ok1 || !ok2 || !ok3 || !isDate(y, m, d) || b[4] != '-' && b[4] != '/' || b[7] != b[4] {
			return 0, false
		}
		s.isoText, s.isoUnix = *text, unixDay(y, m, d)
	}
	return s.isoUnix, true
}

// finish reads the fraction and zone that may follow the seconds, which end at n.
func (s *stamps) finish(wall int64, b []byte, n int) (time.Time, int) {
	nsec, used := decimals(b[n:])
	n += used
	rest := b[n:]
	space := 0
	if len(rest) > 0 && rest[0] == ' ' {
		space, rest = 1, rest[1:]
	}
	switch {
	case len(rest) > 0 && rest[0] == 'Z' && space == 0:
		return s.at(wall, nsec, 0), n + 1
	case len(rest) >= 5 && (rest[0] == '+' || rest[0] == '-'):
		size := 5
		if rest[3] == ':' {
			size = 6
		}
		if len(rest) < size {
			break
		}
		if off, ok := offset(rest[:size]); ok {
			return s.at(wall-int64(off), nsec, off), n + space + size
		}
	case space == 1 && len(rest) >= 3 && (string(rest[:3]) == "UTC" || string(rest[:3]) == "GMT"):
		return s.at(wall, nsec, 0), n + 4
	}
	return s.local(wall, nsec), n
}

// decimals reads ".123" or ",123" as nanoseconds.
func decimals(b []byte) (nsec int64, used int) {
	if len(b) < 2 || b[0] != '.' && b[0] != ',' || !isDigit(b[1]) {
		return 0, 0
	}
	unit := int64(100_000_000)
	for used = 1; used < len(b) && isDigit(b[used]); used++ {
		nsec += int64(b[used]-'0') * unit
		unit /= 10
	}
	return nsec, used
}

// local makes a time that was written without a zone.
func (s *stamps) local(wall, nsec int64) time.Time {
	if s.where == time.UTC || s.where == nil {
		return time.Unix(wall, nsec).UTC()
	}
	// The offset is asked for once a quarter of an hour: every zone there has been changes its clocks on one.
	if quarter := wall / 900; quarter != s.quarter || s.quarter == 0 {
		u := time.Unix(wall, 0).UTC()
		t := time.Date(u.Year(), u.Month(), u.Day(), u.Hour(), u.Minute(), u.Second(), 0, s.where)
		_, s.off = t.Zone()
		s.quarter = quarter
	}
	return time.Unix(wall-int64(s.off), nsec).In(s.where)
}

// epoch reads a count since 1970. Its unit follows from its size: seconds have ten digits until the year 2286.
func (s *stamps) epoch(b []byte) (time.Time, int) {
	n, v := 0, int64(0)
	for n < len(b) && n < 19 && isDigit(b[n]) {
		v = v*10 + int64(b[n]-'0')
		n++
	}
	if n < len(b) && (isDigit(b[n]) || b[n]|0x20 >= 'a' && b[n]|0x20 <= 'z' || b[n] == ':' || b[n] == '/') {
		return time.Time{}, 0
	}
	switch n {
	case 9, 10:
		nsec, used := decimals(b[n:])
		return time.Unix(v, nsec).UTC(), n + used
	case 13:
		nsec, used := decimals(b[n:])
		return time.Unix(v/1000, v%1000*1e6+nsec/1000).UTC(), n + used
	case 16:
		return time.Unix(v/1e6, v%1e6*1e3).UTC(), n
	case 19:
		return time.Unix(v/1e9, v%1e9).UTC(), n
	}
	return time.Time{}, 0
}

// named reads the forms that begin with the name of a day or month.
func (s *stamps) named(b []byte) (time.Time, int) {
	at := 0
	if month(b) == 0 && isDayName(b) {
		at = 3
		if b[at] == ',' {
			at++
		}
		if b[at] != ' ' {
			return time.Time{}, 0
		}
		at++
	}
	rest := b[at:]
	// "17 May 2015 10:05:03 GMT", RFC 1123.
	if len(rest) >= 20 && isDigit(rest[0]) && rest[2] == ' ' && rest[6] == ' ' && rest[11] == ' ' {
		d, ok1 := digits(rest[0:2])
		m := month(rest[3:6])
		y, ok2 := digits(rest[7:11])
		clock, ok3 := hms(rest[12:20])
		if !ok1 || !ok2 || !ok3 || !isDate(y, m, d) {
			return time.Time{}, 0
		}
		return s.finish(unixDay(y, m, d)+int64(clock), b, at+20)
	}
	// The day has two places; who prints it with one space and one digit ("Nov 2 10:05:03") is read too.
	if len(rest) < 15 || rest[3] != ' ' {
		return time.Time{}, 0
	}
	m, day, wide := month(rest), rest[4:6], 2
	switch {
	case day[0] == ' ':
		day = day[1:]
	case day[1] == ' ':
		day, wide = day[:1], 1
	}
	end := 4 + wide
	d, ok1 := digits(day)
	clock, ok2 := hms(rest[end+1 : end+9])
	if m == 0 || rest[end] != ' ' || !ok1 || !ok2 || d < 1 || d > 31 {
		return time.Time{}, 0
	}
	n := at + end + 9
	nsec, used := decimals(b[n:])
	n += used
	off, zoned := 0, false
	if tail := b[n:]; at > 0 && len(tail) >= 11 && tail[0] == ' ' && tail[6] == ' ' {
		if off, zoned = offset(tail[1:6]); zoned { // "+0100 2015", as Ruby writes it
			n += 6
		}
	}
	if tail := b[n:]; len(tail) >= 5 && tail[0] == ' ' {
		if y, ok := digits(tail[1:5]); ok && isDate(y, m, d) && (len(tail) == 5 || tail[5] == ' ' || tail[5] == ']' || tail[5] == ',') {
			if zoned {
				return s.at(unixDay(y, m, d)+int64(clock)-int64(off), nsec, off), n + 5
			}
			return s.local(unixDay(y, m, d)+int64(clock), nsec), n + 5
		}
	}
	if at > 0 {
		return time.Time{}, 0
	}
	return s.yearless(m, d, clock, nsec), n
}

func isDayName(b []byte) bool {
	switch string(b[:3]) {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
		return true
	}
	return false
}

// yearless finds the year of a date written without one: the last such date that is not over a day after Options.Now,
// since clocks differ. Without Now the time stays zero.
func (s *stamps) yearless(m, d, clock int, nsec int64) time.Time {
	if s.now.IsZero() {
		return time.Time{}
	}
	now := s.now.In(s.where)
	for y := now.Year() + 1; y > now.Year()-8; y-- {
		if !isDate(y, m, d) {
			continue
		}
		if t := s.local(unixDay(y, m, d)+int64(clock), nsec); !t.After(now.Add(24 * time.Hour)) {
			return t
		}
	}
	return time.Time{}
}
