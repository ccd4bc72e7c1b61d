package ngx_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/connwarden/connwarden/ngx"
)

// directives writes what a text says, a directive a line: where it begins, its words, what ended it.
func directives(text string) string {
	var b strings.Builder
	for r := ngx.NewReader([]byte(text)); ; {
		words, end, line, err := r.Next()
		if err != nil {
			fmt.Fprintf(&b, "%d! %v\n", line, err)
		}
		if err != nil || end == 0 {
			return b.String()
		}
		fmt.Fprintf(&b, "%d %q%c\n", line, words, end)
	}
}

func TestDirectives(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"empty", " # {\n", ""},
		{"blocks", "http{\n a  b;}", "1 [\"http\"]{\n2 [\"a\" \"b\"];\n2 []}\n"},
		{"quotes", `a "b \" ;" 'c {';`, `1 ["a" "b \" ;" "c {"];` + "\n"},
		{"backslashes", `a\t b\;c \" i\nclude;`, `1 ["a\t" "b\\;c" "\"" "i\nclude"];` + "\n"},
		{"braces in words", "a${b}c}d e;", `1 ["a${b}c}d" "e"];` + "\n"},
		{"a sign inside a word", "a#b;", `1 ["a#b"];` + "\n"},
		{"lines", "\n\na\n'b\nc'\n;\nd;", "3 [\"a\" \"b\\nc\"];\n7 [\"d\"];\n"},
		{"Lua", "x_by_lua_block {\n s = \"}\" --[[ } ]] -- }\n }\na;", "1 [\"x_by_lua_block\"];\n4 [\"a\"];\n"},
		{"Lua without end", "x_by_lua_block { '", "1 [\"x_by_lua_block\"];\n"},
		{"no end", "a;\nb c", "1 [\"a\"];\n2! directive \"b\" has no end\n"},
		{"no quote", "a\n'b;\n\n", "1! the quote that begins on line 2 has no end\n"},
		{"many words", strings.Repeat("a ", 10_001) + ";", "1! directive \"a\" has more than 10000 words\n"},
	} {
		if diff := cmp.Diff(c.want, directives(c.text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
}

// FuzzNext holds that every text comes to an end, that lines are counted, and that words are made of the text.
func FuzzNext(f *testing.F) {
	f.Add("http { include 'a\\")
	f.Add("events{} http { log_format x '$a' \"b\"; x_by_lua_block { --[[ } ]] } }")
	f.Fuzz(func(t *testing.T, text string) {
		r := ngx.NewReader([]byte(text))
		for before := 1; ; {
			words, end, line, err := r.Next()
			if line < before || line > 1+strings.Count(text, "\n") {
				t.Fatalf("line %d after line %d", line, before)
			}
			before = line
			if err != nil || end == 0 {
				return
			}
			for _, word := range words {
				for letter := range bytes.FieldsFuncSeq(word, func(r rune) bool { return r < 'a' || r > 'z' }) {
					if !strings.Contains(text, string(letter)) {
						t.Fatalf("%q is made of nothing", word)
					}
				}
			}
		}
	})
}
