package logs

import (
	"fmt"
	"time"
)

// strftime is a time format of strftime(3), with those of Apache's %{…}t and of GoAccess: the letters in order, other
// bytes as they are.
type strftime struct {
	ops []byte // a letter, or a byte to match with 0 in front
}

// compileStrftime checks a format. It knows %a %A %b %B %h %c %d %e %D %f %F %H %I %m %M %n %p %R %s %S %t %T %y %Y %z %Z %%.
func compileStrftime(format string) (*strftime, error) {
	var s strftime
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '%' {
			s.ops = append(s.ops, 0, c)
			continue
		}
		i++
		if i < len(format) && (format[i] == 'E' || format[i] == 'O' || format[i] == '-') {
			i++
		}
		if i >= len(format) {
			return nil, fmt.Errorf("time format %q: ends in the middle of a letter", format)
		}
		switch c := format[i]; c {
		case 'a', 'A', 'b', 'd', 'f', 'H', 'm', 'M', 'p', 's', 'S', 'y', 'Y', 'z', 'Z', 'L':
			s.ops = append(s.ops, c)
		case 'B':
			s.ops = append(s.ops, 'b')
		case 'h':
			s.ops = append(s.ops, 'b')
		case 'e':
			s.ops = append(s.ops, 'd')
		case 'I':
			s.ops = append(s.ops, 'I')
		case 'T':
			s.ops = append(s.ops, 'H', 0, ':', 'M', 0, ':', 'S')
		case 'R':
			s.ops = append(s.ops, 'H', 0, ':', 'M')
		case 'F':
			s.ops = append(s.ops, 'Y', 0, '-', 'm', 0, '-', 'd')
		case 'D':
			s.ops = append(s.ops, 'm', 0, '/', 'd', 0, '/', 'y')
		case 'c':
			s.ops = append(s.ops, 'a', 0, ' ', 'b', 0, ' ', 'd', 0, ' ', 'H', 0, ':', 'M', 0, ':', 'S', 0, ' ', 'Y')
		case 'n', 't':
			s.ops = append(s.ops, 0, ' ')
		case '%':
			s.ops = append(s.ops, 0, '%')
		default:
			return nil, fmt.Errorf("time format %q: %%%c at %d is not known", format, c, i)
		}
	}
	return &s, nil
}

// read reads the time that b begins with and tells how many bytes it takes, 0 when it does not fit.
func (f *strftime) read(s *stamps, b []byte) (time.Time, int) {
	y, m, d, h, mi, sec := 1970, 1, 1, 0, 0, 0
	nsec, off, epoch := int64(0), 0, int64(0)
	zoned, dated, counted, afternoon, half := false, false, false, false, false
	at := 0
	number := func(least, most int) (int, bool) {
		for at < len(b) && b[at] == ' ' && least == 1 { // strftime pads %e and %k with a space
			at++
		}
		start := at
		for at < len(b) && at-start < most && isDigit(b[at]) {
			at++
		}
		n, ok := digits(b[start:at])
		return n, ok && at-start >= least
	}
	for i := 0; i < len(f.ops); i++ {
		ok := true
		switch f.ops[i] {
		case 0:
			i++
			ok = at < len(b) && b[at] == f.ops[i]
			at++
		case 'a', 'A':
			start := at
			for at < len(b) && b[at]|0x20 >= 'a' && b[at]|0x20 <= 'z' {
				at++
			}
			ok = at-start >= 2
		case 'b':
			if m = month(b[min(at, len(b)):]); m == 0 {
				return time.Time{}, 0
			}
			for at < len(b) && b[at]|0x20 >= 'a' && b[at]|0x20 <= 'z' {
				at++
			}
		case 'd':
			d, ok = number(1, 2)
		case 'm':
			m, ok = number(1, 2)
		case 'Y':
			y, ok = number(4, 4)
			dated = true
		case 'y':
			y, ok = number(2, 2)
			dated = true
			// The century as POSIX has it.
			if y += 1900; y < 1969 {
				y += 100
			}
		case 'H':
			h, ok = number(1, 2)
		case 'I':
			h, ok = number(1, 2)
			half = true
		case 'M':
			mi, ok = number(2, 2)
		case 'S':
			sec, ok = number(2, 2)
		case 'p':
			if ok = at+2 <= len(b); ok {
				afternoon = b[at]|0x20 == 'p'
				at += 2
			}
		case 'f', 'L':
			start := at
			for at < len(b) && isDigit(b[at]) {
				at++
			}
			ok = at > start
			unit := int64(100_000_000)
			for _, c := range b[start:at] {
				nsec += int64(c-'0') * unit
				unit /= 10
			}
		case 's':
			start := at
			for at < len(b) && isDigit(b[at]) && at-start < 12 {
				epoch = epoch*10 + int64(b[at]-'0')
				at++
			}
			ok, counted = at > start, true
		case 'z':
			n := 5
			switch {
			case at < len(b) && b[at] == 'Z':
				n = 1
			case at+6 <= len(b) && b[at+3] == ':':
				n = 6
			}
			if ok = at+n <= len(b); ok {
				off, ok = offset(b[at : at+n])
				at += n
			}
			zoned = true
		case 'Z':
			start := at
			for at < len(b) && b[at] >= 'A' && b[at] <= 'Z' {
				at++
			}
			name := string(b[start:min(at, len(b))])
			ok = len(name) > 0
			zoned = zoned || name == "UTC" || name == "GMT"
		}
		if !ok {
			return time.Time{}, 0
		}
	}
	if half {
		if h %= 12; afternoon {
			h += 12
		}
	}
	switch {
	case counted:
		return time.Unix(epoch, nsec).UTC(), at
	case !isDate(y, m, d) || h > 23 || mi > 59 || sec > 60:
		return time.Time{}, 0
	case !dated:
		return s.yearless(m, d, h*3600+mi*60+sec, nsec), at
	}
	wall := unixDay(y, m, d) + int64(h*3600+mi*60+sec)
	if zoned {
		return s.at(wall-int64(off), nsec, off), at
	}
	return s.local(wall, nsec), at
}
