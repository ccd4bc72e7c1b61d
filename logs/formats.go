package logs

import (
	"bytes"
	"fmt"
	"strings"
)

// accessFormats lists the formats of access logs, most particular first: of two formats that fit a log equally well
// Detect takes the earlier.
var accessFormats = []*Format{
	caddyJSON, traefikJSON, anyJSON, gcs, cloudFront, cloudFrontLive, iis, w3cExtended, zeekHTTP,
	awsALB, awsELB, awsNLB, awsS3, haproxyHTTP, haproxyTCP, squid, envoy, istio, sslRequest, npmProxy, npmOther,
	traefikCLF, vhost, vhostCommon, combined, common, labelled, logfmt, ginLog, iisNative,
	uwsgiLog, uvicornLog, sanicLog, tornadoLog, djangoLog, phpServer, railsLog, giteaLog, morgan, koaLog, fiberLog,
}

// aliases are other names that people and daemons give a format.
var aliases = map[string]string{
	"combined":       "apache_combined",
	"common":         "apache_common",
	"clf":            "apache_common",
	"vhost_combined": "apache_vhost_combined",
	"vhost_common":   "apache_vhost_common",
	"apache":         "apache_combined",
	"nginx":          "apache_combined",
	"nginx_combined": "apache_combined",
	"nginx_main":     "apache_combined",
	"cpanel":         "apache_combined",
	"plesk":          "apache_combined",
	"litespeed":      "apache_combined",
	"lighttpd":       "apache_combined",
	"varnishncsa":    "apache_combined",
	"varnish":        "apache_combined",
	"haproxy":        "haproxy_http",
	"w3c":            "w3c_extended",
	"elb":            "aws_elb",
	"nlb":            "aws_nlb",
	"gunicorn":       "apache_combined",
	"flask":          "apache_common",
	"werkzeug":       "apache_common",
	"zeek":           "zeek_http",
	"jupyter":        "tornado",
	"forgejo":        "gitea",
	"express":        "morgan",
	"alb":            "aws_alb",
	"s3":             "aws_s3",
	"caddy":          "caddy_json",
	"traefik":        "traefik_clf",
	"ecs":            "json",
}

// Names lists the names that Lookup knows, access formats first, aliases left out.
func Names() []string {
	var names []string
	for _, f := range accessFormats {
		names = append(names, f.Name)
	}
	names = append(names, guessed.Name)
	for _, list := range [][]*Format{errorFormats, eventFormats} {
		for _, f := range list {
			names = append(names, f.Name)
		}
	}
	return names
}

// Lookup finds a format by its name or an alias ("combined"), or compiles a format string: one of Apache's LogFormat, of
// nginx's log_format, or of GoAccess's log-format (recognised by its letters, or by "goaccess:" in front). A name may have
// a carrier in front: "syslog/", "docker/" or "cri/". The error of a format string names the part that is wrong and
// where it stands, counted from 1.
func Lookup(spec string) (*Format, error) {
	name := strings.TrimSpace(spec)
	if f := named(name); f != nil {
		return f, nil
	}
	if len(name) > maxSpec {
		return nil, fmt.Errorf("log format %q…: longer than %d bytes", name[:60], maxSpec)
	}
	for i := range carriers {
		c := carriers[i]
		if rest, ok := strings.CutPrefix(name, c.name+"/"); ok {
			f, err := Lookup(rest)
			if err != nil {
				return nil, err
			}
			return c.within(f), nil
		}
	}
	if full, ok := goaccessNames[name]; ok {
		return named(full), nil
	}
	switch {
	case strings.HasPrefix(name, "goaccess:"), isGoAccess(name):
		return compileGoAccess(spec)
	case strings.Contains(name, "$"):
		return compileNginx(spec)
	case strings.Contains(name, "%"):
		return compileApache(spec)
	}
	return nil, fmt.Errorf("log format %q: neither a known name (%s) nor a format string with %% or $", spec, strings.Join(Names(), ", "))
}

// maxSpec bounds a format string: the longest that were seen in use take some 1,500 bytes.
const maxSpec = 8192

// isGoAccess tells a log-format of GoAccess from a LogFormat of Apache: by letters that the other does not have.
func isGoAccess(spec string) bool {
	if strings.Contains(spec, "%>s") || strings.Contains(spec, "}i") {
		return false
	}
	for at := 0; at+1 < len(spec); at++ {
		switch {
		case spec[at] == '~' && spec[at+1] == 'h':
			return true
		case spec[at] != '%':
		case spec[at+1] == '{': // the time format of a LogFormat has letters of its own
			if end := strings.IndexByte(spec[at:], '}'); end > 0 {
				at += end
			}
		case spec[at+1] == '^':
			return !strings.HasPrefix(spec[at:], "%^FB") && !strings.HasPrefix(spec[at:], "%^t")
		case spec[at+1] == '~' || spec[at+1] == 'x' || spec[at+1] == 'd':
			return true
		}
	}
	return false
}

func named(name string) *Format {
	if full, ok := aliases[name]; ok {
		name = full
	}
	for _, list := range [][]*Format{accessFormats, errorFormats, eventFormats, {guessed}} {
		for _, f := range list {
			if f.Name == name {
				return f
			}
		}
	}
	return nil
}

// WithHead returns the format as the first lines of a file bind it: the columns that a "#Fields:" directive names, and
// whether lines that Docker brought have their ends. Formats that no head binds are returned as they are.
func (f *Format) WithHead(head []byte) *Format {
	if f.bind == nil {
		return f
	}
	return f.bind(f, head)
}

// Raw tells that names come into the log with their line ends: a line that does not fit may be a client's.
func (f *Format) Raw() bool { return f.raw }

// Detect tells which format fits most of the first lines of a log, nil when none fits any. The last line of head may be
// cut off. The columns of a W3C log are bound. name is the file's, and decides only between an access and an error format
// that fit equally well.
func Detect(name string, head []byte) *Format {
	if bytes.IndexByte(head, '\n') < 0 {
		head = bytes.ReplaceAll(head, []byte("\r"), lineEnd) // an old Mac's
	}
	lists := [][]*Format{accessFormats, errorFormats}
	if strings.Contains(name, "error") {
		lists[0], lists[1] = lists[1], lists[0]
	}
	for _, f := range eventFormats {
		// What follows may be a client's, as many lines of any format as it likes.
		if first, _, _ := bytes.Cut(head, lineEnd); f.raw && f.fits(first) {
			return f
		}
	}
	best, most := detect(lists, head)
	bare := best // without its carrier
	// Lines that syslog or a container's runtime brought.
	for _, c := range carriers {
		if c == &docker && !c.ends(head) {
			c = &dockerOpen
		}
		inner, n := c.unwrap(head)
		if n <= most {
			continue
		}
		if f, fits := detect(lists, inner); f != nil && fits > most {
			best, bare, most = c.within(f), f, fits
		}
		if c.name == syslogCarrier { // whose format has the program, too
			continue
		}
		// What an application that is not known prints may hold some lines of a client's own making: most must be the daemon's.
		if f, fits := detectEvents(inner); f != syslogLog && 2*fits > n && saysMore(f, fits, bare, most) {
			best, bare, most = c.within(f), f, fits
		}
	}
	// What a daemon says comes last: the prefix of syslog fits whatever it carries.
	f, fits := detectEvents(head)
	if saysMore(f, fits, best, most) && (fits == most || f != syslogLog || best == nil || !mostlyRequests(head, fits)) {
		best, most = f, fits
	}
	// A guess must do much better than a format that is known: some lines of any log fit it.
	if 2*most < bytes.Count(head, lineEnd)+1 && guessed.NewParser(Options{}).fitting(guessed, head) > 2*most {
		return guessed
	}
	return best
}

// detectEvents finds the best of the daemons' own formats. Where lines are of one that lets the line ends of names through, any number of
// others may be a client's: the log is its.
func detectEvents(head []byte) (*Format, int) {
	best, most := detect([][]*Format{eventFormats}, head)
	for _, f := range eventFormats {
		if f.raw && best != nil && !best.raw && f.NewParser(Options{}).fitting(f, head) > 0 {
			return f, most
		}
	}
	return best, most
}

// saysMore tells whether a daemon's format f fits better than best. Of JSON and logfmt, an application whose lines are known says more than any
// that has a client and a path.
func saysMore(f *Format, fits int, best *Format, most int) bool {
	return f != nil && (fits > most || fits == most && (best == anyJSON || best == logfmt))
}

// mostlyRequests tells whether of the lines that syslog brought more than half are of access logs, be it of several formats, of which each fits a part:
// HAProxy's of HTTP and of TCP go to one file.
func mostlyRequests(head []byte, lines int) bool {
	inner, _ := carriers[len(carriers)-1].unwrap(head) // the last is syslog
	n := 0
	for line := range bytes.Lines(inner) {
		for _, f := range accessFormats {
			if f.NewParser(Options{}).fitting(f, line) > 0 {
				n++
				break
			}
		}
	}
	return 2*n > lines
}

var lineEnd = []byte("\n")

// detect finds the best of the formats that no carrier brings, and how many lines fit it.
func detect(lists [][]*Format, head []byte) (*Format, int) {
	var best *Format
	most := 0
	for _, list := range lists {
		for _, f := range list {
			bound := f.WithHead(head)
			if n := bound.NewParser(Options{}).fitting(bound, head); n > most {
				best, most = bound, n
			}
		}
	}
	return best, most
}

// unwrap returns the lines of head without what the carrier wrote, and how many there are.
func (c *carrier) unwrap(head []byte) ([]byte, int) {
	p := anyJSON.NewParser(Options{})
	var out []byte
	n := 0
	for lines := 0; len(head) > 0 && lines < detectLines; lines++ {
		line := head
		if end := bytes.IndexByte(head, '\n'); end >= 0 {
			line, head = head[:end], head[end+1:]
		} else {
			head = nil
		}
		if line = bytes.TrimRight(line, "\r"); len(line) == 0 {
			continue
		}
		p.taken = false
		if inner, ok := c.inner(p, line); ok {
			out = append(append(out, inner...), '\n')
			n++
		}
	}
	return out, n
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
