package rules

import "bytes"

// form is how a text is made comparable. In every form letters are made small.
type form uint8

const (
	plainForm form = iota
	pathForm       // decoded; slashes folded, backslashes turned, /./ taken out
	queryForm      // decoded; plus signs, white space and /*comments*/ become one space
)

// normal makes a text comparable, in dst, which it returns grown, and tells which bytes stand in it. Most texts need
// no more than small letters.
func normal(dst, src []byte, f form) (text []byte, seen byteSet) {
	dst = append(dst[:0], src...)
	if f != plainForm && (bytes.IndexByte(dst, '%') >= 0 || bytes.IndexByte(dst, '\\') >= 0) {
		// Twice: what hides an attack from a filter is decoded once by the filter and once more behind it.
		dst = decode(decode(unescape(dst)))
	}
	for i, c := range dst {
		c = small[c]
		dst[i] = c
		seen.add(c)
	}
	switch f {
	case pathForm:
		if seen['\\'>>6]&(1<<('\\'&63)) != 0 || bytes.Contains(dst, doubleSlash) || bytes.Contains(dst, dotSlash) {
			dst = foldPath(dst)
			seen = bytesOf(dst)
		}
	case queryForm:
		if seen.meets(&spaces) || bytes.Contains(dst, doubleSpace) || bytes.Contains(dst, comment) {
			dst = foldSpace(dst)
			seen = bytesOf(dst)
		}
	}
	return dst, seen
}

func bytesOf(text []byte) (s byteSet) {
	for _, c := range text {
		s.add(c)
	}
	return s
}

var doubleSlash, dotSlash, doubleSpace, comment = []byte("//"), []byte("/./"), []byte("  "), []byte("/*")

// small maps capital letters to small ones.
var small = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
	}
	for c := 'A'; c <= 'Z'; c++ {
		t[c] = byte(c) | 0x20
	}
	return t
}()

// spaces are the bytes that foldSpace makes spaces of.
var spaces = func() (s byteSet) {
	for _, c := range []byte("+\t\n\r\v\f\xa0") {
		s.add(c)
	}
	return s
}()

// unescape undoes what Apache and nginx do to bytes that a log cannot hold: \xHH, \" and \\ (Apache's
// ap_escape_logitem, nginx's ngx_http_log_escape). In place.
func unescape(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	n := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '\\' && i+1 < len(b) {
			if h, ok := hex(b, i+2); ok && b[i+1]|0x20 == 'x' {
				c = h
				i += 3
			} else if b[i+1] == '"' || b[i+1] == '\\' {
				i++
				c = b[i]
			}
		}
		b[n] = c
		n++
	}
	return b[:n]
}

// hex reads the two hexadecimal digits at i.
func hex(b []byte, i int) (byte, bool) {
	if i+1 >= len(b) {
		return 0, false
	}
	h, l := digit(b[i]), digit(b[i+1])
	return h<<4 | l, h < 16 && l < 16
}

func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	default:
		return 255
	}
}

// decode undoes percent signs, IIS's %uHHHH too, which makes ASCII of the full width, and the overlong forms of slash, backslash and dot (C0 AF, C1 9C, C0 AE)
// by which old servers were led astray. In place.
func decode(b []byte) []byte {
	if bytes.IndexByte(b, '%') < 0 {
		return b
	}
	n := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '%' {
			if h, ok := hex(b, i+1); ok {
				c = h
				i += 2
			} else if i+1 < len(b) && b[i+1]|0x20 == 'u' {
				if high, ok := hex(b, i+2); ok {
					if low, ok := hex(b, i+4); ok {
						if c = low; high == 0xff && low > 0 && low < 0x5f {
							c += 0x20 // full width: %uFF0E is a dot
						}
						i += 5
					}
				}
			}
		}
		if n > 0 && (b[n-1] == 0xc0 || b[n-1] == 0xc1) {
			if s, ok := overlong(b[n-1], c); ok {
				b[n-1] = s
				continue
			}
		}
		b[n] = c
		n++
	}
	return b[:n]
}

func overlong(lead, c byte) (byte, bool) {
	switch {
	case lead == 0xc0 && c == 0xaf:
		return '/', true
	case lead == 0xc0 && c == 0xae:
		return '.', true
	case lead == 0xc1 && c == 0x9c:
		return '\\', true
	}
	return 0, false
}

// foldPath turns backslashes, folds slashes and takes /./ out. In place.
func foldPath(b []byte) []byte {
	n := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '\\' {
			c = '/'
		}
		if n > 0 && b[n-1] == '/' {
			if c == '/' {
				continue
			}
			if c == '.' && i+1 < len(b) && (b[i+1] == '/' || b[i+1] == '\\') {
				i++
				continue
			}
		}
		b[n] = c
		n++
	}
	return b[:n]
}

// foldSpace makes one space of plus signs, white space and comments as SQL has them. In place.
func foldSpace(b []byte) []byte {
	n := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '+' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f' || c == 0xa0:
			c = ' '
		case c == '/' && i+1 < len(b) && b[i+1] == '*' && (i+2 == len(b) || b[i+2] != '!'): // MySQL runs what stands in /*! … */
			end := bytes.Index(b[i+2:], []byte("*/"))
			if end >= 0 {
				i += end + 3
				c = ' '
			}
		}
		if c == ' ' && n > 0 && b[n-1] == ' ' {
			continue
		}
		b[n] = c
		n++
	}
	return b[:n]
}
