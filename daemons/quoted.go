package daemons

import "strings"

// member is the value of a member of the object of JSON that s begins with: of a string what stands within its quotes, as written. Members
// of objects within it are no members of it: a client may have named those.
func member(s, key string) (value string, ok bool) {
	if s == "" || s[0] != '{' {
		return "", false
	}
	for s = s[1:]; ; {
		var name string
		if name, s, ok = inQuotes(strings.TrimLeft(s, " ,")); !ok {
			return "", false
		}
		if s, ok = strings.CutPrefix(strings.TrimLeft(s, " "), ":"); !ok {
			return "", false
		}
		if value, s, ok = jsonValue(strings.TrimLeft(s, " ")); !ok {
			return "", false
		}
		if name == key {
			return value, true
		}
	}
}

// inQuotes cuts the string off that s begins with: what stands within its quotes, as written, and what follows.
func inQuotes(s string) (inner, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[1:i], s[i+1:], true
		}
	}
	return "", s, false
}

// jsonValue cuts the value off that s begins with.
func jsonValue(s string) (value, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	if s[0] == '"' {
		return inQuotes(s)
	}
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			_, behind, ok := inQuotes(s[i:])
			if !ok {
				return "", "", false
			}
			i = len(s) - len(behind) - 1
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return s[:i], s[i:], true
			}
			if s[i] == ',' {
				continue
			}
			if depth--; depth == 0 {
				return s[:i+1], s[i+1:], true
			}
		}
	}
	return "", "", false
}

// pair is the value of a key of a line of logfmt, of one in quotes what stands within, as written. What other quotes hold is no key.
func pair(s, key string) (value string, ok bool) {
	for {
		s = strings.TrimLeft(s, " ")
		i := strings.IndexAny(s, "= ")
		if i < 0 {
			return "", false
		}
		name, sep := s[:i], s[i]
		if s = s[i+1:]; sep == ' ' {
			continue
		}
		if s != "" && s[0] == '"' {
			if value, s, ok = inQuotes(s); !ok {
				return "", false
			}
		} else {
			value, s = word(s)
		}
		if name == key {
			return value, true
		}
	}
}
