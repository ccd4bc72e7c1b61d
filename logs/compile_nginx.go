package logs

import (
	"fmt"
	"strings"
	"time"
)

// nginxFields are the variables of nginx that say something of a request:
// https://nginx.org/en/docs/varindex.html. Any other is skipped over.
var nginxFields = map[string]meaning{
	"remote_addr":               {what: partClient, rank: 2},
	"realip_remote_addr":        {what: partClient, rank: 3},
	"binary_remote_addr":        {},
	"remote_user":               {what: partUser},
	"time_local":                {what: partTime, rank: 1},
	"time_iso8601":              {what: partTime, rank: 2},
	"msec":                      {what: partTime, rank: 3},
	"request":                   {what: partRequest},
	"request_method":            {what: partMethod},
	"request_uri":               {what: partURI, rank: 2},
	"uri":                       {what: partPath},
	"document_uri":              {what: partPath},
	"args":                      {what: partQuery},
	"query_string":              {what: partQuery},
	"server_protocol":           {what: partProto},
	"status":                    {what: partStatus},
	"body_bytes_sent":           {what: partSize, rank: 2},
	"bytes_sent":                {what: partSize, rank: 1},
	"request_time":              {what: partTook, unit: time.Second},
	"session_time":              {what: partTook, unit: time.Second},
	"host":                      {what: partHost, rank: 4},
	"server_name":               {what: partHost, rank: 2},
	"ssl_server_name":           {what: partHost},
	"ssl_preread_server_name":   {what: partHost},
	"proxy_add_x_forwarded_for": {what: partForward},
	"proxy_protocol_addr":       {what: partReal},
}

// compileNginx compiles an nginx log_format string, or the whole directive.
func compileNginx(spec string) (*Format, error) {
	text := nginxString(spec)
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return compileJSON(spec, text, nginxVariable)
	}
	b := newBuilder(spec)
	for i := 0; i < len(text); {
		if text[i] != '$' {
			b.literal(text[i : i+1])
			i++
			continue
		}
		name, next, err := variable(text, i)
		if err != nil {
			return nil, fmt.Errorf("log format %q: %w", spec, err)
		}
		if name == "is_args" { // "?" or nothing; $args follows
			i = next
			continue
		}
		if strings.HasSuffix(name, "_port") && b.port() {
			i = next
			continue
		}
		f := nginxVariable(name)
		if err := b.field(f, nil, "$"+name, i); err != nil {
			return nil, err
		}
		i = next
	}
	return b.format("nginx_custom", 0)
}

// nginxVariable is what a variable stands for.
func nginxVariable(name string) meaning {
	if f, ok := nginxFields[name]; ok {
		return f
	}
	if rest, ok := strings.CutPrefix(name, "http_"); ok {
		return header(rest)
	}
	return meaning{}
}

// variable reads "$name" or "${name}" at i and tells where the text behind it begins.
func variable(text string, i int) (name string, next int, err error) {
	next = i + 1
	brace := next < len(text) && text[next] == '{'
	if brace {
		next++
	}
	start := next
	for next < len(text) && (text[next] == '_' || isDigit(text[next]) || text[next]|0x20 >= 'a' && text[next]|0x20 <= 'z') {
		next++
	}
	name = text[start:next]
	if name == "" {
		return "", 0, fmt.Errorf("the $ at %d begins no variable", i+1)
	}
	if brace {
		if next == len(text) || text[next] != '}' {
			return "", 0, fmt.Errorf("the ${ at %d is never closed", i+1)
		}
		next++
	}
	return name, next, nil
}

// nginxString joins the quoted pieces of a log_format directive; anything else is the string itself.
func nginxString(spec string) string {
	s := strings.TrimSpace(spec)
	rest, ok := strings.CutPrefix(s, "log_format")
	if !ok {
		if len(s) < 2 || s[0] != '\'' {
			if strings.HasPrefix(s, "{") {
				return s
			}
			return unescape.Replace(s)
		}
		rest = s
	}
	var out strings.Builder
	for {
		open := strings.IndexAny(rest, `'"`)
		if open < 0 {
			break
		}
		quote := rest[open]
		rest = rest[open+1:]
		end := 0
		for end < len(rest) && (rest[end] != quote || end > 0 && rest[end-1] == '\\') {
			end++
		}
		out.WriteString(unescape.Replace(rest[:end]))
		rest = rest[min(end+1, len(rest)):]
	}
	return out.String()
}
