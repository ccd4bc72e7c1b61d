package nginx

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// config is what we need of the configuration that "nginx -T" prints.
type config struct {
	main     string   // the file that nginx begins with
	files    []string // all files that it read
	includes []string // patterns in the http block of the main file, absolute
}

// header begins the text of each file in what nginx -T prints.
const header = "# configuration file "

// parse reads what nginx -T prints.
func parse(dump []byte) config {
	var c config
	var main []byte
	for line := range bytes.Lines(dump) {
		name, ok := strings.CutPrefix(strings.TrimRight(string(line), "\r\n"), header)
		name, ends := strings.CutSuffix(name, ":")
		switch {
		case ok && ends:
			c.files = append(c.files, name)
		case len(c.files) == 1:
			main = append(main, line...)
		}
	}
	if len(c.files) == 0 {
		return c
	}
	c.main = c.files[0]
	for _, pattern := range includes(string(main)) {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(c.main), pattern)
		}
		c.includes = append(c.includes, pattern)
	}
	return c
}

// loads tells whether nginx read a file.
func (c config) loads(file string) bool {
	info, err := os.Stat(file)
	for _, name := range c.files {
		if name == file {
			return true
		}
		if other, otherErr := os.Stat(name); err == nil && otherErr == nil && os.SameFile(info, other) {
			return true
		}
	}
	return false
}

// wouldLoad tells whether nginx would read a file in the http block if it were there.
func (c config) wouldLoad(file string) bool {
	for _, pattern := range c.includes {
		if ok, err := filepath.Match(pattern, file); err == nil && ok {
			return true
		}
	}
	return false
}

// includes returns the arguments of the include directives that stand in the http block itself.
func includes(text string) []string {
	var found, words, blocks []string
	for len(text) > 0 {
		var word string
		var kind byte
		word, kind, text = token(text)
		switch kind {
		case '{':
			block := ""
			if len(words) > 0 {
				block = words[0]
			}
			blocks, words = append(blocks, block), nil
		case '}':
			blocks, words = blocks[:max(0, len(blocks)-1)], nil
		case ';':
			if len(words) == 2 && words[0] == "include" && len(blocks) == 1 && blocks[0] == "http" {
				found = append(found, words[1])
			}
			words = nil
		case 'w':
			words = append(words, word)
		}
	}
	return found
}

// token cuts the next token off: a word ('w'), one of the signs "{", "}" and ";", or blanks and comments (' '). A word
// may stand in quotes; a backslash keeps the next character from meaning anything.
func token(text string) (word string, kind byte, rest string) {
	switch text[0] {
	case '{', '}', ';':
		return "", text[0], text[1:]
	case ' ', '\t', '\r', '\n':
		return "", ' ', text[1:]
	case '#':
		_, rest, _ = strings.Cut(text, "\n")
		return "", ' ', rest
	}
	end := " \t\r\n{};"
	if text[0] == '"' || text[0] == '\'' {
		end, text = text[:1], text[1:]
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case strings.IndexByte(end, c) >= 0:
			if len(end) == 1 {
				i++
			}
			return b.String(), 'w', text[i:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), 'w', ""
}
