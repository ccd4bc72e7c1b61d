package logs

import (
	"encoding/binary"
	"time"
)

// stamps reads times and remembers the last ones: neighbouring lines share their second, and nearly all their day.
type stamps struct {
	clfText [clfLen]byte // the last whole time of the common log format
	clfTime time.Time

	text []byte // the last time in any other form, at most maxTime bytes
	last time.Time

	dayText [11]byte // "17/May/2015"
	dayUnix int64    // its midnight in UTC
	isoText [10]byte // the same of "2015-05-17"
	isoUnix int64

	syslogText [15]byte // "Nov 22 14:03:07"
	syslogTime time.Time

	where   *time.Location // of times written without a zone
	now     time.Time      // to find the year of dates written without one
	quarter int64          // the last quarter of an hour in where, and its offset
	off     int

	zones [8]zone // offsets met so far; a log has one or two, by the season
	used  int
}

type zone struct {
	seconds int
	where   *time.Location
}

// maxTime holds the longest time that is remembered: RFC 3339 with nanoseconds and an offset takes 35 bytes.
const maxTime = 40

// clfLen is the length of "17/May/2015:10:05:03 +0000".
const clfLen = 26

// clf reads the time that b begins with, in the form of the common log format.
func (s *stamps) clf(b []byte) (time.Time, bool) {
	if len(b) < clfLen {
		return time.Time{}, false
	}
	text := (*[clfLen]byte)(b)
	if sameTime(text, &s.clfText) {
		return s.clfTime, true
	}
	sec, ok := s.clfUnix(b)
	if !ok || b[11] != ':' || b[20] != ' ' {
		return time.Time{}, false
	}
	off, ok := offset(b[21:26])
	if !ok {
		return time.Time{}, false
	}
	s.clfTime = s.at(sec-int64(off), 0, off)
	s.clfText = *text
	return s.clfTime, true
}

// sameTime tells whether two times are written alike. For an array of this length the compiler would call a function.
func sameTime(a, b *[clfLen]byte) bool {
	le := binary.LittleEndian
	return le.Uint64(a[:]) == le.Uint64(b[:]) && le.Uint64(a[8:]) == le.Uint64(b[8:]) && le.Uint64(a[16:]) == le.Uint64(b[16:]) &&
		le.Uint16(a[24:]) == le.Uint16(b[24:])
}

// clfUnix reads "17/May/2015:10:05:03" as if it were UTC; the caller has looked at the byte between.
func (s *stamps) clfUnix(b []byte) (int64, bool) {
	clock, ok := hms(b[12:20])
	if !ok {
		return 0, false
	}
	if day := (*[11]byte)(b); *day != s.dayText {
		if b[2] != '/' || b[6] != '/' {
			return 0, false
		}
		d, ok1 := digits(b[0:2])
		y, ok2 := digits(b[7:11])
		m := monthOf(b[3:6])
		if !ok1 || !ok2 || m == 0 || d < 1 || d > daysIn(y, m) {
			return 0, false
		}
		s.dayText, s.dayUnix = *day, unixDay(y, m, d)
	}
	return s.dayUnix + int64(clock), true
}

// at makes a time in the zone of an offset. Locations are kept for the few offsets that a log has; past that, since a
// hostile log could have a thousand, the same instant is told in UTC.
func (s *stamps) at(sec, nsec int64, off int) time.Time {
	t := time.Unix(sec, nsec)
	if off == 0 {
		return t.UTC()
	}
	for i := range s.used {
		if s.zones[i].seconds == off {
			return t.In(s.zones[i].where)
		}
	}
	if s.used == len(s.zones) {
		return t.UTC()
	}
	s.zones[s.used] = zone{off, time.FixedZone("", off)}
	s.used++
	return t.In(s.zones[s.used-1].where)
}

// hms reads "10:05:03" as seconds of a day. A leap second counts as the next minute's first.
func hms(b []byte) (int, bool) {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return 0, false
	}
	h, ok1 := digits(b[0:2])
	m, ok2 := digits(b[3:5])
	s, ok3 := digits(b[6:8])
	return h*3600 + m*60 + s, ok1 && ok2 && ok3 && h < 24 && m < 60 && s < 61
}

// offset reads "+0130", "-01:30" or "Z" as seconds east of Greenwich.
func offset(b []byte) (int, bool) {
	if len(b) == 1 && (b[0] == 'Z' || b[0] == 'z') {
		return 0, true
	}
	if len(b) == 6 && b[3] == ':' {
		b = []byte{b[0], b[1], b[2], b[4], b[5]}
	}
	if len(b) != 5 || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	h, ok1 := digits(b[1:3])
	m, ok2 := digits(b[3:5])
	if !ok1 || !ok2 || h > 24 || m > 59 {
		return 0, false
	}
	off := h*3600 + m*60
	if b[0] == '-' {
		off = -off
	}
	return off, true
}

// digits reads a number that takes all of b.
func digits(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0 && len(b) < 10
}

// monthOf reads also the months that other languages write with three letters, each of one month alone: servers in Java and strftime follow the
// machine's locale.
func monthOf(b []byte) int {
	if m := month(b); m > 0 || len(b) < 3 {
		return m
	}
	switch string([]byte{b[0] | 0x20, b[1] | 0x20, b[2] | 0x20}) {
	case "ene", "gen":
		return 1
	case "fev":
		return 2
	case "abr", "avr":
		return 4
	case "mai", "mag", "mei":
		return 5
	case "giu":
		return 6
	case "lug":
		return 7
	case "ago":
		return 8
	case "set":
		return 9
	case "okt", "out", "ott":
		return 10
	case "dez", "dic":
		return 12
	}
	return 0
}

// month reads "Jan" to "Dec" in any case; 0 for anything else.
func month(b []byte) int {
	if len(b) < 3 {
		return 0
	}
	switch uint32(b[0]|0x20)<<16 | uint32(b[1]|0x20)<<8 | uint32(b[2]|0x20) {
	case 'j'<<16 | 'a'<<8 | 'n':
		return 1
	case 'f'<<16 | 'e'<<8 | 'b':
		return 2
	case 'm'<<16 | 'a'<<8 | 'r':
		return 3
	case 'a'<<16 | 'p'<<8 | 'r':
		return 4
	case 'm'<<16 | 'a'<<8 | 'y':
		return 5
	case 'j'<<16 | 'u'<<8 | 'n':
		return 6
	case 'j'<<16 | 'u'<<8 | 'l':
		return 7
	case 'a'<<16 | 'u'<<8 | 'g':
		return 8
	case 's'<<16 | 'e'<<8 | 'p':
		return 9
	case 'o'<<16 | 'c'<<8 | 't':
		return 10
	case 'n'<<16 | 'o'<<8 | 'v':
		return 11
	case 'd'<<16 | 'e'<<8 | 'c':
		return 12
	}
	return 0
}

func daysIn(y, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// unixDay is the Unix time of a day's midnight in UTC.
func unixDay(y, m, d int) int64 {
	return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC).Unix()
}
