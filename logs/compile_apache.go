package logs

import (
	"fmt"
	"strings"
	"time"
)

// compileApache compiles a LogFormat string of Apache's mod_log_config, also written by LiteSpeed, lighttpd and
// varnishncsa: https://httpd.apache.org/docs/2.4/mod/mod_log_config.html. Letters that say nothing of a request here are
// skipped over.
func compileApache(spec string) (*Format, error) {
	text := apacheString(spec)
	if strings.HasPrefix(strings.TrimSpace(text), "{") && strings.Contains(text, `"`) {
		return compileJSON(spec, text, apacheDirective)
	}
	b := newBuilder(spec)
	for i := 0; i < len(text); {
		if text[i] != '%' {
			b.literal(text[i : i+1])
			i++
			continue
		}
		letter, arg, next, err := directive(text, i)
		if err != nil {
			return nil, fmt.Errorf("log format %q: %w", spec, err)
		}
		if err := b.apache(letter, arg, text[i:next], i); err != nil {
			return nil, err
		}
		i = next
	}
	return b.format("apache_custom", 0)
}

// directive reads the directive that begins at i, and tells where the text behind it begins.
func directive(text string, i int) (letter, arg string, next int, err error) {
	next = i + 1
	// Conditions on the status and the choice of the first or last of internal redirects.
	skip := func() {
		for next < len(text) && strings.IndexByte("<>!,0123456789", text[next]) >= 0 {
			next++
		}
	}
	skip()
	if next < len(text) && text[next] == '{' {
		end := strings.IndexByte(text[next:], '}')
		if end < 0 {
			return "", "", 0, fmt.Errorf("the { at %d is never closed", next+1)
		}
		arg = text[next+1 : next+end]
		next += end + 1
	}
	skip()
	if next >= len(text) {
		return "", "", 0, fmt.Errorf("ends in the middle of the directive at %d", i+1)
	}
	size := 1
	if text[next] == '^' && next+2 < len(text) { // ^FB, ^ti, ^to
		size = 3
	}
	return text[next : next+size], arg, next + size, nil
}

// apacheDirective is what a value of a JSON format stands for that is one directive, a path with its query, or a time in
// pieces, which are read as the time that they make.
func apacheDirective(value string) meaning {
	if value == "%U%q" {
		return meaning{what: partURI}
	}
	letter, arg, next, err := directive(value, 0)
	if err != nil {
		return meaning{}
	}
	if letter == "t" {
		for at := next; at < len(value); at = next {
			if value[at] != '%' {
				next = at + 1
				continue
			}
			if letter, _, next, err = directive(value, at); err != nil || letter != "t" {
				return meaning{}
			}
		}
		return meaning{what: partTime}
	}
	if next != len(value) {
		return meaning{}
	}
	m, _ := apacheMeaning(letter, arg)
	return m
}

// apacheMeaning is what a directive stands for, but for its times; false when there is no such directive.
func apacheMeaning(letter, arg string) (f meaning, known bool) {
	switch letter {
	case "a":
		f = meaning{what: partClient, rank: 2}
		if arg == "c" {
			f.rank = 3
		}
	case "h":
		f = meaning{what: partClient, rank: 1}
	case "b", "B":
		f = meaning{what: partSize, rank: 2}
	case "O":
		f = meaning{what: partSize, rank: 1}
	case "D":
		f = meaning{what: partTook, unit: time.Microsecond, rank: 3}
	case "T":
		f = meaning{what: partTook, unit: time.Second, rank: 1}
		switch arg {
		case "us":
			f = meaning{what: partTook, unit: time.Microsecond, rank: 3}
		case "ms":
			f = meaning{what: partTook, unit: time.Millisecond, rank: 2}
		}
	case "H":
		f = meaning{what: partProto}
	case "i":
		f = header(arg)
	case "m":
		f = meaning{what: partMethod}
	case "q":
		f = meaning{what: partQuery}
	case "r":
		f = meaning{what: partRequest}
	case "s":
		f = meaning{what: partStatus}
	case "u":
		f = meaning{what: partUser}
	case "U":
		f = meaning{what: partPath}
	case "v":
		f = meaning{what: partHost, rank: 2}
	case "V":
		f = meaning{what: partHost, rank: 3}
	case "A", "C", "e", "f", "I", "k", "l", "L", "n", "o", "p", "P", "R", "S", "X", "x", "c", "E", "^FB", "^ti", "^to", "M", "F":
	default:
		return f, false
	}
	return f, true
}

// apache adds the field of a directive.
func (b *builder) apache(letter, arg, name string, at int) error {
	switch letter {
	case "%":
		b.literal("%")
		return nil
	case "t":
		return b.apacheTime(arg, name, at)
	case "p":
		if b.port() {
			return nil
		}
	}
	f, ok := apacheMeaning(letter, arg)
	if !ok {
		return fmt.Errorf("log format %q: %s at %d is no directive of mod_log_config", b.spec, name, at+1)
	}
	return b.field(f, nil, name, at)
}

// apacheTime adds %t, which brings its brackets, or %{format}t.
func (b *builder) apacheTime(arg, name string, at int) error {
	arg = strings.TrimPrefix(strings.TrimPrefix(arg, "begin:"), "end:")
	switch arg {
	case "", "end", "begin":
		b.literal("[")
		err := b.field(meaning{what: partTime}, nil, name, at)
		b.literal("]")
		return err
	case "sec", "msec", "usec":
		return b.field(meaning{what: partTime}, nil, name, at)
	}
	var clock *strftime
	if strings.HasSuffix(arg, "sec_frac") {
		clock = &strftime{ops: []byte{'f'}}
	} else {
		var err error
		if clock, err = compileStrftime(arg); err != nil {
			return fmt.Errorf("log format %q: %s at %d: %w", b.spec, name, at+1, err)
		}
	}
	if b.goesOn(clock) {
		return nil
	}
	if strings.HasSuffix(arg, "sec_frac") {
		return b.field(meaning{}, nil, name, at)
	}
	return b.field(meaning{what: partTime}, clock, name, at)
}

// apacheString takes a LogFormat string out of its directive and its quotes, when it stands in them.
func apacheString(spec string) string {
	s := strings.TrimSpace(spec)
	for _, directive := range []string{"LogFormat", "CustomLog", "accesslog.format", "logFormat"} {
		if rest, ok := strings.CutPrefix(s, directive); ok {
			if open := strings.IndexByte(rest, '"'); open >= 0 {
				rest = rest[open:]
				end := 1
				for end < len(rest) && (rest[end] != '"' || rest[end-1] == '\\') {
					end++
				}
				s = rest[:min(end+1, len(rest))]
			}
			break
		}
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' && strings.Contains(s, `\"`) {
		s = s[1 : len(s)-1]
	}
	if strings.Contains(s, `\`) {
		s = unescape.Replace(s)
	}
	return s
}
