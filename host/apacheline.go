package host

import (
	"bytes"
	"strings"
)

// apacheLine is a line of Apache's configuration that says something of logs, with its continuations.
type apacheLine struct {
	text string
	at   position
}

// maxLine bounds one line of a configuration with its continuations. The longest real ones are lists of ciphers and
// rewrite rules.
const maxLine = 64 << 10

// apacheLines joins lines that end in a backslash and drops blank ones, comments, and directives that say nothing of
// logs: nearly all of a large configuration.
func apacheLines(text []byte, file string, s *scan) []apacheLine {
	var out []apacheLine
	var joined []byte
	n, begin, long := 0, 0, false
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		text = rest
		n++
		if begin == 0 {
			begin = n
		}
		line = bytes.TrimSuffix(line, []byte{'\r'})
		more := bytes.HasSuffix(line, []byte{'\\'})
		if more {
			line = line[:len(line)-1]
		}
		if len(joined)+len(line) > maxLine {
			long = true
		} else {
			joined = append(joined, line...)
		}
		if more && len(text) > 0 {
			continue
		}
		at := position{file, begin}
		if long {
			s.problem(at.String(), "a line of over 64 KiB is not read")
		} else if t := bytes.TrimSpace(joined); matters(t) {
			out = append(out, apacheLine{string(t), at})
		}
		joined, begin, long = joined[:0], 0, false
	}
	return out
}

// matters tells whether a line may say something of logs. What does not begin with a letter may be a macro's
// parameter.
func matters(line []byte) bool {
	if len(line) == 0 || line[0] == '#' {
		return false
	}
	known := apacheKnown
	if line[0] == '<' {
		line, known = line[1:], apacheSections
	} else if c := line[0] | 0x20; c < 'a' || c > 'z' {
		return true
	}
	var word [17]byte // the longest known word
	n := 0
	for ; n < len(line) && line[n] != ' ' && line[n] != '\t' && line[n] != '>'; n++ {
		if n == len(word) {
			return false
		}
		word[n] = line[n]
		if c := line[n]; c >= 'A' && c <= 'Z' {
			word[n] = c | 0x20
		}
	}
	return known[string(word[:n])]
}

var apacheKnown = map[string]bool{
	"serverroot": true, "define": true, "undefine": true, "servername": true, "serveralias": true, "include": true,
	"includeoptional": true, "use": true, "logformat": true, "errorlogformat": true, "customlog": true,
	"globallog": true, "transferlog": true, "errorlog": true, "php_admin_value": true, "php_value": true, "documentroot": true,
	"loadmodule": true, "sslengine": true, "maxrequestworkers": true, "maxclients": true, "serverlimit": true, "threadsperchild": true,
}

var apacheSections = map[string]bool{"virtualhost": true, "/virtualhost": true, "macro": true, "/macro": true, "ifmodule": true, "/ifmodule": true}

// section reads "<Name args>"; the name is in lower case.
func section(text string) (name, args string) {
	name, args = firstWord(strings.TrimSuffix(strings.TrimPrefix(text, "<"), ">"))
	return strings.ToLower(name), args
}

func firstWord(text string) (word, rest string) {
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		return text[:i], strings.TrimLeft(text[i:], " \t")
	}
	return text, ""
}

// apacheWords splits arguments as ap_getword_conf (server/util.c) does: words in either quote, in which a backslash
// keeps a backslash or the quote.
func apacheWords(s string) []string {
	var out []string
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			return out
		}
		quote := s[0]
		if quote != '"' && quote != '\'' {
			word, rest := firstWord(s)
			out = append(out, strings.ReplaceAll(word, `\\`, `\`))
			s = rest
			continue
		}
		var b strings.Builder
		i := 1
		for ; i < len(s) && s[i] != quote; i++ {
			if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == quote) {
				i++
			}
			b.WriteByte(s[i])
		}
		out = append(out, b.String())
		s = s[min(i+1, len(s)):]
	}
}
