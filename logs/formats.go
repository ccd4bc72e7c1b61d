package logs

import (
	"bytes"
	"fmt"
	"strings"
)

// accessFormats lists the formats of access logs, most particular first: of two formats that fit a log equally well
// Detect takes the earlier.
var accessFormats = []*Format{vhost, vhostCommon, combined, common}

// aliases are other names that people and daemons give a format.
var aliases = map[string]string{
	"combined":       "apache_combined",
	"common":         "apache_common",
	"vhost_combined": "apache_vhost_combined",
	"nginx_combined": "apache_combined",
	"nginx":          "apache_combined",
	"nginx_main":     "apache_combined",
}

// Names lists the names that Lookup knows, access formats first, aliases left out.
func Names() []string {
	var names []string
	for _, f := range accessFormats {
		names = append(names, f.Name)
	}
	for _, f := range errorFormats {
		names = append(names, f.Name)
	}
	return names
}

// Lookup finds a format by its name or an alias ("combined"), or compiles an Apache LogFormat string, an nginx
// log_format string or a GoAccess log-format.
func Lookup(spec string) (*Format, error) {
	name := strings.TrimSpace(spec)
	if full, ok := aliases[name]; ok {
		name = full
	}
	for _, f := range accessFormats {
		if f.Name == name {
			return f, nil
		}
	}
	for _, f := range errorFormats {
		if f.Name == name {
			return f, nil
		}
	}
	return nil, fmt.Errorf("log format %q: neither a known name (%s) nor a format string", spec, strings.Join(Names(), ", "))
}

// Detect tells which format fits most of the first lines of a log, nil when none fits any. The last line of head may be
// cut off. The file's name is only a hint between formats that fit equally well.
func Detect(name string, head []byte) *Format {
	p := combined.NewParser(Options{})
	var best *Format
	most := 0
	try := func(f *Format) {
		if n := p.fitting(f, head); n > most {
			best, most = f, n
		}
	}
	for _, f := range accessFormats {
		try(f)
	}
	for _, f := range errorFormats {
		try(f)
	}
	return best
}

// detectLines is how many lines Detect looks at: enough to outweigh the garbage of a scan, and read in a millisecond.
const detectLines = 200

// fitting counts the lines of head that fit a format.
func (p *Parser) fitting(f *Format, head []byte) int {
	n := 0
	for lines := 0; len(head) > 0 && lines < detectLines; lines++ {
		line := head
		end := bytes.IndexByte(head, '\n')
		if end >= 0 {
			line, head = head[:end], head[end+1:]
		} else {
			head = nil
		}
		line = bytes.TrimRight(bytes.TrimLeft(line, "\x00"), "\r")
		if len(line) == 0 {
			continue
		}
		switch {
		case f.read != nil:
			if p.grade(f, line) == complete {
				n++
			}
		case f.fits(line):
			n++
		}
	}
	return n
}
