package logs

import (
	"fmt"
	"strings"
	"time"
)

// goaccessMeanings are the letters of GoAccess's log-format (goaccess.io/man, "CUSTOM LOG/DATE FORMAT").
var goaccessMeanings = map[byte]meaning{
	'x': {what: partTime},
	't': {what: partClock},
	'd': {what: partDate},
	'v': {what: partHost},
	'e': {what: partUser},
	'C': {},
	'h': {what: partClient},
	'r': {what: partRequest},
	'm': {what: partMethod},
	'U': {what: partURI},
	'q': {what: partQuery},
	'H': {what: partProto},
	's': {what: partStatus},
	'b': {what: partSize},
	'R': {what: partReferer},
	'u': {what: partAgent},
	'K': {},
	'k': {},
	'M': {},
	'D': {what: partTook, unit: time.Microsecond},
	'T': {what: partTook, unit: time.Second},
	'L': {what: partTook, unit: time.Millisecond},
	'n': {what: partTook, unit: time.Nanosecond},
	'^': {},
}

// goaccessNames are the predefined formats of GoAccess.
var goaccessNames = map[string]string{
	"COMBINED":     "apache_combined",
	"VCOMBINED":    "apache_vhost_combined",
	"COMMON":       "apache_common",
	"VCOMMON":      "apache_vhost_common",
	"W3C":          "w3c_extended",
	"CLOUDFRONT":   "cloudfront",
	"CLOUDSTORAGE": "gcs",
	"AWSELB":       "aws_elb",
	"AWSALB":       "aws_alb",
	"AWSS3":        "aws_s3",
	"SQUID":        "squid",
	"CADDY":        "caddy_json",
	"TRAEFIKCLF":   "traefik_clf",
}

// compileGoAccess compiles a log-format of GoAccess. Its date-format and time-format are not needed: dates and times are
// read in every usual form.
func compileGoAccess(spec string) (*Format, error) {
	text := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(spec), "goaccess:"))
	if rest, ok := strings.CutPrefix(text, "log-format"); ok {
		text = strings.TrimSpace(rest)
	}
	if len(text) >= 2 && text[0] == '\'' && text[len(text)-1] == '\'' {
		text = text[1 : len(text)-1]
	}
	if full, ok := goaccessNames[text]; ok {
		return Lookup(full)
	}
	if strings.Contains(text, `\`) {
		text = unescape.Replace(text)
	}
	// Date and time side by side are one time, with its zone when that is skipped over.
	for _, pair := range []string{"%d:%t %^]", "%dT%t%^ ", "%dT%t.%^ ", "%d:%t", "%d %t", "%dT%t"} {
		if strings.Contains(text, pair) {
			text = strings.Replace(text, pair, "%x"+pair[len(pair)-behindTime(pair):], 1)
			break
		}
	}
	if strings.HasPrefix(text, "{") {
		return compileJSON(spec, text, func(value string) meaning {
			if len(value) != 2 {
				return meaning{}
			}
			return goaccessMeanings[value[1]]
		})
	}
	b := newBuilder(spec)
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '~' && i+1 < len(text) && text[i+1] == 'h':
			// "~h{, }": the addresses of a forwarding header, in the client's place.
			start := i
			i++
			if end := strings.IndexByte(text[i:], '}'); i+1 < len(text) && text[i+1] == '{' && end > 0 {
				i += end
			}
			if err := b.field(meaning{what: partForward}, nil, text[start:i+1], start); err != nil {
				return nil, err
			}
		case text[i] != '%':
			b.literal(text[i : i+1])
		case i+1 == len(text):
			return nil, fmt.Errorf("log format %q: ends in the middle of the letter at %d", spec, i+1)
		case text[i+1] == '%':
			b.literal("%")
			i++
		case text[i+1] == '~':
			b.l.padded = true // moves over spaces
			i++
		default:
			m, ok := goaccessMeanings[text[i+1]]
			if !ok {
				return nil, fmt.Errorf("log format %q: %%%c at %d is no letter of GoAccess", spec, text[i+1], i+1)
			}
			if text[i+1] == '^' && len(b.text) == 0 && len(b.l.steps) > 0 { // skips the rest of the field before it
				i++
				continue
			}
			if err := b.field(m, nil, text[i:i+2], i); err != nil {
				return nil, err
			}
			i++
		}
	}
	return b.format("goaccess_custom", 0)
}

// behindTime is how much of a pair is text behind the time.
func behindTime(pair string) int {
	if c := pair[len(pair)-1]; c == ']' || c == ' ' {
		return 1
	}
	return 0
}
