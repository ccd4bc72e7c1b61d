package nginx

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/connwarden/connwarden/ngx"
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
	for _, pattern := range includes(main) {
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

// includes returns the arguments of the include directives that stand in the http block itself, up to where the text
// breaks off.
func includes(text []byte) []string {
	var found, blocks []string
	r := ngx.NewReader(text)
	for {
		words, end, _, err := r.Next()
		if err != nil || end == 0 {
			return found
		}
		switch {
		case end == '}':
			blocks = blocks[:max(0, len(blocks)-1)]
		case end == '{' && len(words) > 0:
			blocks = append(blocks, string(words[0]))
		case end == '{':
			blocks = append(blocks, "")
		case len(words) == 2 && string(words[0]) == "include" && len(blocks) == 1 && blocks[0] == "http":
			found = append(found, string(words[1]))
		}
	}
}
