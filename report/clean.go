package report

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

const hexDigits = "0123456789abcdef"

// Clean returns s fit for a terminal and for JSON: valid UTF-8 without control characters, without characters that
// reorder or hide text, and without private-use ones. Each offending byte is shown as \xNN, each offending character
// as \u{N}, so that two different texts stay different. A text that is clean already is returned as it is.
func Clean(s string) string {
	if isClean(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1, r < 0x20, r == 0x7f:
			b.WriteString(`\x`)
			b.WriteByte(hexDigits[s[i]>>4])
			b.WriteByte(hexDigits[s[i]&15])
		case hidden(r):
			b.WriteString(`\u{`)
			writeHex(&b, uint32(r))
			b.WriteByte('}')
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

func isClean(s string) bool {
	ascii := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == 0x7f {
			return false
		} else if c >= 0x80 {
			ascii = false
		}
	}
	if ascii {
		return true
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || hidden(r) {
			return false
		}
		i += n
	}
	return true
}

// hidden tells of characters that act on a terminal or on the reader instead of being read: C1 controls, format
// characters (bidirectional overrides, zero width, tags), line separators, private use and unassigned.
func hidden(r rune) bool {
	if r < 0x80 {
		return false
	}
	return !unicode.IsPrint(r) && r != ' ' || unicode.Is(unicode.Variation_Selector, r)
}

func writeHex(b *strings.Builder, n uint32) {
	started := false
	for shift := 28; shift >= 0; shift -= 4 {
		d := n >> shift & 15
		if d != 0 || started || shift == 0 {
			b.WriteByte(hexDigits[d])
			started = true
		}
	}
}

// width is the number of terminal columns of a clean text.
func width(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return runewidth.StringWidth(s)
		}
	}
	return len(s)
}

// cut shortens a clean text to at most n columns, the last of which then says that something is missing.
func cut(s string, n int, mark string) string {
	if width(s) <= n {
		return s
	}
	if n <= width(mark) {
		return mark[:min(len(mark), max(n, 0))]
	}
	return runewidth.Truncate(s, n, mark)
}
