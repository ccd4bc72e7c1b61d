package faults

import (
	"unicode/utf8"

	"github.com/connwarden/connwarden"
)

// maxFingerprint bounds a fingerprint, in bytes. Messages of daemons say what is wrong within their first two
// hundred bytes; the rest is context. The bound is also what an attacker can make one key of a table cost.
const maxFingerprint = 512

// maxWord is the longest word taken for a word; what is longer is a token, a key or noise. The longest word in the
// messages of Apache, nginx, PHP and MariaDB is a directive of 38 bytes.
const maxWord = 48

// slowText begins the messages of PHP-FPM's slow log.
const slowText = "executing too slow in "

// Fingerprint appends to dst what f is once everything that differs from case to case is taken out: service, code
// (or "-") and the first line of the message, parted by one space. In the message
//
//   - numbers become {n}, hexadecimal ones {hex}, addresses {addr}, times and dates {n};
//   - paths become {path}, URLs {url}, host and file names {name}, long random words {id};
//   - what stands in quotes becomes "…", unless the quotes hold another daemon's message;
//   - in messages of PHP, variables become $…, functions and methods {name}();
//   - an entry of PHP-FPM's slow log stays as it is.
//
// At most 512 bytes are appended, always valid UTF-8 without control characters, cut between characters. It takes
// time linear in the message and allocates nothing when dst has room.
func Fingerprint(dst []byte, f *connwarden.Fault) []byte {
	w := writer{end: maxFingerprint}
	w.text(f.Service)
	w.byte(' ')
	if len(f.Code) == 0 {
		w.byte('-')
	} else {
		w.plain(f.Code, '_')
	}
	w.byte(' ')
	w.start = w.n
	w.php = f.Service == "php"
	if f.Service == "php-fpm" && hasPrefix(f.Message, slowText) {
		// Such messages are made of what tells them apart: functions and script.
		w.plain(f.Message, ' ')
	} else {
		w.message(f.Message)
	}
	for w.n > w.start && w.out[w.n-1] == ' ' {
		w.n--
	}
	if w.n == w.start {
		w.text("(no text)")
	}
	return append(dst, w.out[:w.n]...)
}

// keyText is the part of a fingerprint that people read: the message.
func keyText(print []byte) []byte {
	for n, i := 0, 0; i < len(print); i++ {
		if print[i] == ' ' {
			if n++; n == 2 {
				return print[i+1:]
			}
		}
	}
	return print
}

// writer fills out until end. It has its own room, so that it and what it is given can live on the stack.
type writer struct {
	out   [maxFingerprint]byte
	n     int // bytes written
	end   int
	start int  // where the message begins in out
	php   bool // names are written as PHP writes them
	// noClose tells that the rest of the message holds no closing quote of a kind, so that it is searched for once.
	noClose [3]bool
}

func (w *writer) full() bool { return w.n >= w.end }

func (w *writer) byte(c byte) {
	if w.n < w.end {
		w.out[w.n] = c
		w.n++
	}
}

// text appends a whole text or, at the end, nothing: a placeholder is never cut.
func (w *writer) text(s string) {
	if w.n+len(s) > w.end {
		w.end = w.n
		return
	}
	w.n += copy(w.out[w.n:], s)
}

// plain appends bytes with control characters and what is not UTF-8 replaced, and blanks by blank.
func (w *writer) plain(b []byte, blank byte) {
	for i := 0; i < len(b) && !w.full(); {
		c := b[i]
		switch {
		case c <= ' ' || c == 0x7f:
			w.byte(blank)
			i++
		case c < utf8.RuneSelf:
			w.byte(c)
			i++
		default:
			i += w.rune(b[i:])
		}
	}
}

// rune appends the character that b begins with and returns its size in b. C1 controls are control characters too.
func (w *writer) rune(b []byte) int {
	r, n := utf8.DecodeRune(b)
	switch {
	case r == utf8.RuneError && n <= 1, r >= 0x80 && r < 0xa0, r == 0x2028, r == 0x2029:
		w.byte('?')
	case w.n+n > w.end:
		w.end = w.n
	default:
		w.n += copy(w.out[w.n:], b[:n])
	}
	return n
}

func (w *writer) message(m []byte) {
	var last []byte // the word before
	for i := 0; i < len(m) && !w.full(); {
		c := m[i]
		switch {
		case c == '\n':
			if w.n > w.start {
				return
			}
			i++
		case c <= ' ' || c == 0x7f:
			if w.n > w.start && w.out[w.n-1] != ' ' {
				w.byte(' ')
			}
			i++
		case c == '"' || c == '\'' || c == '`':
			n := w.quoted(m, i)
			if n == 0 {
				w.byte(c)
				n = 1
			}
			last = nil
			i += n
		case wordByte[c]:
			n := i
			for n < len(m) && letter(m[n]) {
				n++
			}
			if n-i > 3 && n-i <= maxWord && (n == len(m) || m[n] == ' ' || m[n] == ',') && string(last) != "user" {
				// Most words are words.
				w.whole(m[i:n])
				last, i = m[i:n], n
				continue
			}
			for n < len(m) && wordByte[m[n]] {
				n++
			}
			n = stretch(m, i, n)
			// A stop or a colon at the end belongs to the sentence.
			for n > i+1 && (m[n-1] == '.' || m[n-1] == ':' && m[n-2] != ':') {
				n--
			}
			// A colon at the front divides: "[::]:80".
			if c == ':' && n > i+1 && m[i+1] != ':' {
				w.byte(c)
				i++
			}
			w.word(m[i:n], m[n:], last)
			last = m[i:n]
			i = n
		case c < utf8.RuneSelf:
			w.byte(c)
			i++
		default:
			i += w.rune(m[i:])
		}
	}
}

// wordByte holds the bytes of words: those that names, numbers, paths and addresses are made of.
var wordByte = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range `_-./:\$@%&?+#~*>` {
		t[c] = true
	}
	return t
}()

// stretch returns the end of the word m[i:n] once more is taken in that only URLs and paths hold.
func stretch(m []byte, i, n int) int {
	if (m[i] != '/' || n == i+1) && !contains(m[i:n], "://") {
		return n
	}
	for n < len(m) {
		switch c := m[n]; c {
		case '=', ';', '!', '{', '}', '|', '^':
		case ',':
			if n+1 == len(m) || m[n+1] <= ' ' {
				return n
			}
		default:
			if !wordByte[c] && c < utf8.RuneSelf {
				return n
			}
		}
		n++
	}
	return n
}

func alnum(c byte) bool { return digit(c) || letter(c) }
func digit(c byte) bool { return c-'0' <= 9 }
func letter(c byte) bool {
	c |= 0x20
	return c >= 'a' && c <= 'z'
}

// quoted handles the quote at m[i] and returns how many bytes it took: 0 when it opens nothing (an apostrophe) or
// holds a message that is worth reading.
func (w *writer) quoted(m []byte, i int) int {
	q := m[i]
	if i > 0 && alnum(m[i-1]) {
		return 0
	}
	// "Got error 'PHP message: …'", "FastCGI sent in stderr: "…"", "said into stderr: "…"".
	rest := m[i+1:]
	if hasPrefix(rest, "PHP message: ") || hasPrefix(rest, "PHP ") || hasPrefix(rest, "NOTICE: PHP message: ") {
		w.php = true
		return 0
	}
	if hasSuffix(m[:i], "stderr: ") || hasSuffix(m[:i], "Got error ") {
		return 0
	}
	kind := 0
	switch q {
	case '\'':
		kind = 1
	case '`':
		kind = 2
	}
	if w.noClose[kind] {
		return 0
	}
	for j := 0; j < len(rest) && rest[j] != '\n'; j++ {
		c := rest[j]
		if c != q && (q != '`' || c != '\'') {
			continue
		}
		// An apostrophe inside a word does not close, neither does an escaped quote.
		if c == '\'' && j+1 < len(rest) && alnum(rest[j+1]) || j > 0 && rest[j-1] == '\\' {
			continue
		}
		w.byte(q)
		w.text("…")
		w.byte(c)
		return j + 2
	}
	w.noClose[kind] = true
	return 0
}

// word appends a word or what stands for it. rest is what follows the word, last the word before it.
func (w *writer) word(b, rest, last []byte) {
	if len(b) == 3 && string(b) == "PHP" {
		w.php = true
	}
	if len(last) == 4 && string(last) == "user" && letter(b[0]) {
		w.text("{name}")
		return
	}
	if w.php && w.phpWord(b, rest, last) {
		return
	}
	class := classify(b)
	if class == isMixed || class == isID {
		// "error:0A000102:SSL", "total-vm:12kB": each part for itself.
		for i := indexByte(b, ':'); i > 0 && i < len(b)-1; i = indexByte(b, ':') {
			w.part(b[:i], classify(b[:i]))
			w.byte(':')
			b = b[i+1:]
		}
		class = classify(b)
	}
	w.part(b, class)
}

// part appends what stands for a word of a class.
func (w *writer) part(b []byte, class class) {
	switch class {
	case isWord:
		w.whole(b)
	case isMixed:
		for i := 0; i < len(b); {
			if digit(b[i]) {
				for i < len(b) && digit(b[i]) {
					i++
				}
				w.text("{n}")
				continue
			}
			w.byte(b[i])
			i++
		}
	case isNumber:
		w.text("{n}")
	case isHex:
		w.text("{hex}")
	case isAddr:
		w.text("{addr}")
	case isPath:
		w.text("{path}")
		w.lineNumber(b)
	case isURL:
		w.text("{url}")
	case isName:
		w.text("{name}")
	case isID:
		w.text("{id}")
	}
}

// lineNumber keeps it visible that a path ended in a line number ("/x.php:3", "/x.php(3)").
func (w *writer) lineNumber(b []byte) {
	i := len(b)
	for i > 0 && digit(b[i-1]) {
		i--
	}
	if i < len(b) && i > 0 && b[i-1] == ':' {
		w.text(":{n}")
	}
}

// phpWord handles what only PHP's messages have; it tells whether it did.
func (w *writer) phpWord(b, rest, last []byte) bool {
	switch {
	case b[0] == '$':
		w.text("$…")
		return true
	case string(last) == "Uncaught":
		// The class of an exception says what kind of fault it is.
		if len(b) <= maxWord {
			w.plain(b, '_')
			return true
		}
	case b[0] == '/', len(b) > 2 && b[1] == ':' && b[2] == '\\': // a path
		return false
	case phpName(b):
		w.text("{name}")
		return true
	case len(rest) > 0 && rest[0] == '(' && (letter(b[0]) || b[0] == '_'):
		w.text("{name}")
		return true
	}
	return false
}

// phpName tells whether a word is a method, a property or a class in a namespace: A::b, a->b, A\B.
func phpName(b []byte) bool {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			return true
		case ':':
			if b[i-1] == ':' {
				return true
			}
		case '>':
			if b[i-1] == '-' {
				return true
			}
		}
	}
	return len(b) > 1 && b[0] == '\\'
}

// whole appends a word as it is: it holds word bytes alone.
func (w *writer) whole(b []byte) { w.n += copy(w.out[w.n:w.end], b) }

func appendBounded(dst, b []byte, end int) []byte {
	if n := end - len(dst); len(b) > n {
		b = b[:n]
	}
	return append(dst, b...)
}

func hasPrefix(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }
func hasSuffix(b []byte, s string) bool { return len(b) >= len(s) && string(b[len(b)-len(s):]) == s }

func indexByte(b []byte, c byte) int {
	for i := range b {
		if b[i] == c {
			return i
		}
	}
	return -1
}

func contains(b []byte, s string) bool {
	for i := 0; i+len(s) <= len(b); i++ {
		if string(b[i:i+len(s)]) == s {
			return true
		}
	}
	return false
}
