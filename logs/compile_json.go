package logs

import (
	"fmt"
	"strings"
)

// compileJSON compiles a format string that writes JSON: the keys that its variables stand at are what its lines are
// read by, whatever their names. name tells what a variable stands for.
func compileJSON(spec, text string, name func(string) meaning) (*Format, error) {
	found := map[string]meaning{}
	timed := false
	p := anyJSON.NewParser(Options{})
	p.scratch.start(&found)
	p.scratch.seen = func(key, value string) {
		m := jsonValue(value, name)
		timed = timed || m.what == partTime
		if m.what != partSkip {
			found[key] = m
		}
	}
	text = strings.TrimSpace(text)
	if _, whole := p.object([]byte(text), 1, 0); !whole {
		return nil, fmt.Errorf("log format %q: begins like JSON and is none", spec)
	}
	if !timed {
		return nil, fmt.Errorf("log format %q: no key holds a time ($time_iso8601, %%t), without which a line says nothing", spec)
	}
	return &Format{Name: "json", read: func(p *Parser, line []byte) grade { return p.readJSON(line, &found, 0) }}, nil
}

// jsonValue is what the value of a key stands for: one variable, or a request line put together.
func jsonValue(value string, name func(string) meaning) meaning {
	value = strings.Trim(value, "[]")
	switch {
	case strings.HasPrefix(value, "$request_method ") || strings.HasPrefix(value, "%m "):
		return meaning{what: partRequest}
	case value == "$scheme://$host$request_uri" || value == "$scheme://$http_host$request_uri":
		return meaning{what: partURI}
	case strings.HasPrefix(value, "$"):
		variable, next, err := variable(value, 0)
		if err != nil || next != len(value) && !strings.HasPrefix(value[next:], "$is_args") {
			return meaning{}
		}
		return name(variable)
	case strings.HasPrefix(value, "%"):
		return name(value)
	}
	return meaning{}
}
