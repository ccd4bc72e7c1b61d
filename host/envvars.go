package host

import (
	"slices"
	"strings"
)

// envvars reads Debian's /etc/apache2/envvars: assignments, with or without export. Its shell is not run; a
// ${SUFFIX} that depends on the name of the configuration folder is empty for the usual one.
func envvars(text []byte) map[string]string {
	vars := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		line = strings.TrimSpace(strings.TrimPrefix(line, "export "))
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" || strings.ContainsAny(name, " \t#$\"'[") {
			continue
		}
		if value != "" && (value[0] == '"' || value[0] == '\'') {
			if end := strings.IndexByte(value[1:], value[0]); end >= 0 {
				value = value[1 : end+1]
			}
		} else {
			value, _ = firstWord(value)
		}
		value = shellExpand(value, vars)
		if len(vars) < 1000 && len(value) < maxLine {
			vars[name] = value
		}
	}
	return vars
}

// shellExpand replaces $NAME and ${NAME}; what is not set is empty, as in a shell.
func shellExpand(s string, vars map[string]string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "$")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		if strings.HasPrefix(after, "{") {
			name, rest, closed := strings.Cut(after[1:], "}")
			if closed {
				b.WriteString(vars[name])
				s = rest
				continue
			}
		}
		end := slices.IndexFunc([]byte(after), func(c byte) bool { return !wordByte(c) })
		if end < 0 {
			end = len(after)
		}
		b.WriteString(vars[after[:end]])
		s = after[end:]
	}
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
