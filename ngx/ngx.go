// Package ngx cuts the text of an nginx configuration into directives, as nginx itself does (ngx_conf_read_token in
// src/core/ngx_conf_file.c). It says nothing on what they mean.
package ngx

import (
	"bytes"
	"fmt"
)

// Reader reads one text, for one goroutine.
type Reader struct {
	text  []byte
	pos   int
	line  int
	words [][]byte // of the directive in hand, mostly parts of text
}

// NewReader reads text, which must not change meanwhile.
func NewReader(text []byte) *Reader { return &Reader{text: text, line: 1} }

// maxWords bounds the words of one directive: a server_name of a large host lists some hundreds.
const maxWords = 10_000

// Next returns the words of a directive, what ended it (';', '{', '}', or 0 at the end of the text) and the line on
// which it begins, from 1. A directive of the Lua module is ended by its whole block, and that is a ';'. The words are
// valid until the next call. After an error, which names no file and no line, nothing more can be read.
func (r *Reader) Next() (words [][]byte, end byte, line int, err error) {
	line = r.line
	r.words = r.words[:0]
	for {
		r.blanks()
		if len(r.words) == 0 {
			line = r.line
		}
		if r.pos >= len(r.text) {
			if len(r.words) > 0 {
				return nil, 0, line, fmt.Errorf("directive %.40q has no end", r.words[0])
			}
			return nil, 0, line, nil
		}
		switch c := r.text[r.pos]; c {
		case ';', '{', '}':
			r.pos++
			if c == '{' && len(r.words) > 0 && bytes.HasSuffix(r.words[0], []byte("_by_lua_block")) {
				r.skipLua()
				c = ';'
			}
			return r.words, c, line, nil
		}
		word, err := r.word()
		if err != nil {
			return nil, 0, line, err
		}
		if len(r.words) >= maxWords {
			return nil, 0, line, fmt.Errorf("directive %.40q has more than %d words", r.words[0], maxWords)
		}
		r.words = append(r.words, word)
	}
}

func (r *Reader) blanks() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case '\n':
			r.line++
		case ' ', '\t', '\r':
		case '#':
			end := bytes.IndexByte(r.text[r.pos:], '\n')
			if end < 0 {
				r.pos = len(r.text)
				return
			}
			r.pos += end
			continue
		default:
			return
		}
		r.pos++
	}
}

// word reads one word. It is copied only if a backslash must be undone.
func (r *Reader) word() ([]byte, error) {
	quote := r.text[r.pos]
	begun := r.line
	if quote != '"' && quote != '\'' {
		quote = 0
	} else {
		r.pos++
	}
	var undone []byte // the word so far, once a backslash was met
	from := r.pos     // what is not yet in undone
	done := func() []byte {
		if undone == nil {
			return r.text[from:r.pos]
		}
		return append(undone, r.text[from:r.pos]...)
	}
	for r.pos < len(r.text) {
		switch c := r.text[r.pos]; {
		case c == '\\' && r.pos+1 < len(r.text):
			undone = unescape(append(undone, r.text[from:r.pos]...), r.text[r.pos+1])
			if r.text[r.pos+1] == '\n' {
				r.line++
			}
			r.pos += 2
			from = r.pos
			continue
		case quote != 0 && c == quote:
			word := done()
			r.pos++
			return word, nil
		case quote == 0 && c == '$' && r.pos+1 < len(r.text) && r.text[r.pos+1] == '{':
			r.pos++
		case quote == 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';' || c == '{'):
			return done(), nil
		case c == '\n':
			r.line++
		}
		r.pos++
	}
	if quote != 0 {
		return nil, fmt.Errorf("the quote that begins on line %d has no end", begun)
	}
	return done(), nil
}

// unescape undoes a backslash; before any other byte than these it stays.
func unescape(b []byte, c byte) []byte {
	switch c {
	case '"', '\'', '\\':
		return append(b, c)
	case 't':
		return append(b, '\t')
	case 'r':
		return append(b, '\r')
	case 'n':
		return append(b, '\n')
	default:
		return append(b, '\\', c)
	}
}

// skipLua passes over the body of a …_by_lua_block (lua-nginx-module): Lua, in which braces pair outside strings and
// comments.
func (r *Reader) skipLua() {
	for depth := 1; r.pos < len(r.text) && depth > 0; r.pos++ {
		rest := r.text[r.pos:]
		switch c := rest[0]; {
		case c == '\n':
			r.line++
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == '"' || c == '\'':
			r.skipTo(luaString(rest))
		case bytes.HasPrefix(rest, []byte("--[[")), bytes.HasPrefix(rest, []byte("[[")):
			r.skipTo(bytes.Index(rest, []byte("]]")) + 1)
		case bytes.HasPrefix(rest, []byte("--")):
			r.skipTo(bytes.IndexByte(rest, '\n') - 1)
		}
	}
}

// skipTo moves n bytes on, to the last byte to pass over; less than none means to the end.
func (r *Reader) skipTo(n int) {
	rest := r.text[r.pos:]
	if n <= 0 {
		n = len(rest) - 1
	}
	r.line += bytes.Count(rest[:n], []byte{'\n'})
	r.pos += n
}

// luaString is where a quoted string ends.
func luaString(s []byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i
		}
	}
	return -1
}
