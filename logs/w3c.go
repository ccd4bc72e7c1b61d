package logs

import (
	"bytes"
	"strings"
	"time"

	"github.com/connwarden/connwarden"
)

// The extended log file format of the W3C (w3.org/TR/WD-logfile), as IIS, CloudFront and others write it: a "#Fields:"
// directive names the columns of what follows. Times are in UTC.
var (
	w3cExtended = &Format{Name: "w3c_extended", bind: bindColumns, carry: carryDirective, directed: true, read: readW3C}
	iis         = &Format{Name: "iis", bind: bindColumns, carry: carryDirective, directed: true, read: readW3C, columns: iisColumns}
	// cloudFrontLive is CloudFront's of requests as they come (its developer guide, "Use real-time logs"), of which the first fields are read.
	cloudFrontLive = &Format{Name: "cloudfront_realtime", read: readCloudFrontLive}
	cloudFront     = &Format{Name: "cloudfront", bind: bindColumns, carry: carryDirective, directed: true, read: readW3C, columns: cloudFrontColumns}
)

// columns are the fields that a directive names.
type columns struct {
	parts []meaning
	// plus: a "+" in an agent stands for a space, which IIS cannot write. In paths it is left, since it may be a real one.
	plus bool
	tabs bool
	// encoded: CloudFront writes all but letters, digits and a few signs of an agent as "%20".
	encoded bool
	name    string            // of the format that this is of
	lacks   connwarden.Fields // of asker
	// Of lines with a time of day alone, what "#Date:" says: the day's midnight and the time of day at which it was written, both in UTC. A line
	// before that time is of the next day. valid tells that there was one.
	dated struct {
		day   int64
		clock time.Duration
		valid bool
	}
}

// What the two servers write by themselves; a file that is read from its middle, without its head, is understood by
// them. IIS from 6.0 on, then with all its fields, then with a forwarding header added:
// learn.microsoft.com/windows/win32/http/w3c-logging. CloudFront: its developer guide, "Standard logging reference".
var knownColumns = []*columns{
	cloudFrontColumns,
	iisColumns,
	parseColumns([]byte("date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus " +
		"sc-win32-status time-taken")),
	parseColumns([]byte("date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus " +
		"sc-win32-status")),
	parseColumns([]byte(iisAll)),
	parseColumns([]byte(iisAll + " X-Forwarded-For")),
	parseColumns([]byte(strings.Replace(iisAll, "s-computername s-ip ", "", 1))),
}

const iisAll = "date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version " +
	"cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken"

var (
	iisColumns = parseColumns([]byte("date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) " +
		"sc-status sc-substatus sc-win32-status time-taken"))
	cloudFrontColumns = parseColumns([]byte("date\ttime\tx-edge-location\tsc-bytes\tc-ip\tcs-method\tcs(Host)\tcs-uri-stem\tsc-status\t" +
		"cs(Referer)\tcs(User-Agent)\tcs-uri-query\tcs(Cookie)\tx-edge-result-type\tx-edge-request-id\tx-host-header\tcs-protocol\t" +
		"cs-bytes\ttime-taken\tx-forwarded-for\tssl-protocol\tssl-cipher\tx-edge-response-result-type\tcs-protocol-version"))
)

var cloudFrontLiveColumns = parseColumns([]byte("timestamp\tc-ip\ttime-to-first-byte\tsc-status\tsc-bytes\tcs-method\tcs-protocol\tcs-host\tcs-uri\t" +
	"cs-bytes\tx-edge-location\tx-edge-request-id\tx-host-header\ttime-taken\tcs-protocol-version\tc-ip-version\tcs-user-agent\tcs-referer"))

// readCloudFrontLive reads lines without a directive: who reads the stream names the fields. A target is the whole with its query there.
func readCloudFrontLive(p *Parser, line []byte) grade {
	if len(line) < 40 || line[10] != '.' || line[14] != '\t' {
		return misfit
	}
	return p.readColumns(cloudFrontLiveColumns, line)
}

var w3cParts = map[string]meaning{
	"date":                 {what: partDate},
	"time":                 {what: partClock},
	"c-ip":                 {what: partClient, rank: 3},
	"c-dns":                {what: partClient, rank: 1},
	"cs-method":            {what: partMethod},
	"cs-uri":               {what: partURI, rank: 1},
	"cs-uri-stem":          {what: partPath, rank: 2},
	"cs-uri-query":         {what: partQuery},
	"cs-version":           {what: partProto},
	"sc-status":            {what: partStatus},
	"sc-bytes":             {what: partSize, rank: 2},
	"bytes":                {what: partSize, rank: 1},
	"time-taken":           {what: partTook, unit: time.Millisecond},
	"cs-username":          {what: partUser},
	"cs-host":              {what: partHost, rank: 2},
	"cs(host)":             {what: partHost, rank: 2},
	"x-host-header":        {what: partHost, rank: 3},
	"s-sitename":           {what: partHost},
	"cs(referer)":          {what: partReferer},
	"cs(user-agent)":       {what: partAgent},
	"x-forwarded-for":      {what: partForward, rank: 1},
	"cs-protocol-version":  {what: partProto},
	"timestamp":            {what: partTime},
	"cs-user-agent":        {what: partAgent},
	"cs-referer":           {what: partReferer},
	"cs(x-forwarded-for)":  {what: partForward, rank: 2},
	"cs(true-client-ip)":   {what: partReal, rank: 2},
	"cs(cf-connecting-ip)": {what: partReal, rank: 3},
	"cs(x-real-ip)":        {what: partReal, rank: 1},

	// Zeek's http.log (docs.zeek.org/en/current/logs/http.html).
	"ts":                {what: partTime},
	"id.orig_h":         {what: partClient, rank: 3},
	"method":            {what: partMethod},
	"host":              {what: partHost, rank: 1},
	"uri":               {what: partURI, rank: 1},
	"referrer":          {what: partReferer},
	"user_agent":        {what: partAgent},
	"response_body_len": {what: partSize, rank: 1},
	"status_code":       {what: partStatus},
	"username":          {what: partUser},
}

var fieldsDirective, dateDirective = []byte("#Fields:"), []byte("#Date:")

// onDay sets what "#Date:" says: "2001-05-02 17:42:15", in the draft itself "02-May-2001 17:42:15".
func (c *columns) onDay(text []byte) {
	var s stamps
	text = bytes.TrimSpace(text)
	t, n := s.any(text)
	if n == 0 {
		t, n = s.odd(text)
	}
	if n > 0 {
		c.dated.day, c.dated.valid = t.Unix()-t.Unix()%86400, true
		c.dated.clock = time.Duration(t.Unix()%86400) * time.Second
	}
}

// parseColumns reads the names behind "#Fields:".
func parseColumns(names []byte) *columns {
	c := &columns{name: "w3c_extended", tabs: bytes.IndexByte(bytes.TrimSpace(names), '\t') >= 0}
	best := map[part]int{}
	isIIS := false
	for _, name := range bytes.Fields(names) {
		lower := string(bytes.ToLower(name))
		m := w3cParts[lower]
		switch lower {
		case "x-edge-location":
			c.name = "cloudfront"
		case "sc-win32-status", "s-computername", "sc-substatus", "s-siteid":
			isIIS = true
		}
		if at, had := best[m.what]; had && m.what != partSkip {
			if c.parts[at].rank >= m.rank {
				m = meaning{}
			} else {
				c.parts[at] = meaning{}
			}
		}
		best[m.what] = len(c.parts)
		c.parts = append(c.parts, m)
	}
	if c.name == "cloudfront" {
		// CloudFront's lines have tabs even where a copy of its directive has spaces, and it counts seconds.
		c.tabs, c.encoded = true, true
		for i := range c.parts {
			if c.parts[i].what == partTook {
				c.parts[i].unit = time.Second
			}
		}
	} else if isIIS {
		c.name = "iis"
	}
	c.plus = !c.tabs
	c.lacks = lacking(func(yield func(part) bool) {
		for i := range c.parts {
			if !yield(c.parts[i].what) {
				return
			}
		}
	})
	return c
}

// bindColumns binds the columns that the first directive of a head names.
func bindColumns(f *Format, head []byte) *Format {
	var date []byte
	for len(head) > 0 {
		line := head
		if n := bytes.IndexByte(head, '\n'); n >= 0 {
			line, head = head[:n], head[n+1:]
		} else {
			head = nil
		}
		if bytes.HasPrefix(line, fieldsDirective) {
			if bytes.Contains(line, []byte("s-reason")) {
				break // of requests that IIS never saw: an error log
			}
			c := parseColumns(directiveNames(line[len(fieldsDirective):]))
			if len(c.parts) == 0 {
				continue
			}
			c.onDay(date)
			bound := *f
			bound.columns, bound.Name = c, c.name
			return &bound
		}
		if bytes.HasPrefix(line, dateDirective) {
			date = line[len(dateDirective):]
		}
		if len(line) > 0 && line[0] != '#' {
			break
		}
	}
	return f
}

// readW3C reads a line, or takes the columns from a directive for the lines behind it.
func readW3C(p *Parser, line []byte) grade {
	if line[0] == '#' {
		p.directs(line)
		return aside
	}
	g := misfit
	if p.columns != nil {
		g = p.readColumns(p.columns, line)
	}
	if p.columns != nil && p.columns.tabs {
		return g
	}
	if g != complete && len(line) > len("2026-11-22 14:03:07") && line[4] == '-' && line[13] == ':' {
		if g == misfit && p.iisHeadless(line) == complete {
			return complete
		}
		for _, c := range knownColumns {
			if c != p.columns && p.readColumns(c, line) == complete {
				return complete
			}
		}
		if g == stump {
			return p.readColumns(p.columns, line)
		}
	}
	return g
}

// WithEnd returns the format for a log whose last bytes are end: one that begins otherwise and ends in lines that do not fit may have
// become a W3C log half-way and has a Carry, so that pieces of it are read by the columns that a directive before them names.
func (f *Format) WithEnd(end []byte) *Format {
	if f.Kind != Access || f.carry != nil || f.read == nil {
		return f
	}
	p := f.NewParser(Options{})
	end = end[bytes.IndexByte(end, '\n')+1:] // the first line may be cut
	lines, strange := 0, 0
	for line := range bytes.Lines(end) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			lines++
			if p.grade(f, line) == misfit {
				strange++
			}
		}
	}
	if 2*strange <= lines {
		return f
	}
	turned := *f
	turned.carry, turned.directed = carryDirective, true
	return &turned
}

// Directed tells whether columns may have their names from a directive that stands far before them.
func (f *Format) Directed() bool { return f.directed }

// turns takes the directives with which a log becomes one of the W3C's.
func (p *Parser) turns(line []byte) bool {
	return p.directs(line) || starts(line, "#Version: ") || starts(line, "#Software: ")
}

// directs takes a directive that says something of the lines behind it.
func (p *Parser) directs(line []byte) bool {
	switch {
	case bytes.HasPrefix(line, fieldsDirective):
		p.direct(directiveNames(line[len(fieldsDirective):]), p.date)
	case bytes.HasPrefix(line, dateDirective):
		p.date = append(p.date[:0], directiveNames(line[len(dateDirective):])...)
		if p.directed {
			p.direct(p.directive, p.date)
		}
	default:
		return false
	}
	return true
}

// direct takes the columns that a directive names, and the day of another. Directives are rare: that they allocate costs nothing that counts, and
// equal ones, which IIS writes at each start, are not read twice.
func (p *Parser) direct(names, date []byte) {
	if p.directed && bytes.Equal(names, p.directive) && bytes.Equal(date, p.dated) {
		return
	}
	p.directed, p.directive, p.dated = true, append(p.directive[:0], names...), append(p.dated[:0], date...)
	p.columns = parseColumns(p.directive)
	p.columns.onDay(date)
}

// readColumns reads a line of the columns c.
func (p *Parser) readColumns(c *columns, line []byte) grade {
	p.begin()
	p.req.Lacks = c.lacks
	at := 0
	for i := range c.parts {
		if at > len(line) {
			return p.settleColumns(i, len(c.parts))
		}
		end := at
		switch {
		case c.tabs:
			if n := bytes.IndexByte(line[at:], '\t'); n >= 0 {
				end = at + n
			} else {
				end = len(line)
			}
		case at < len(line) && line[at] == '"':
			// Strings may be quoted, with a quote inside doubled.
			end = at + 1
			for end < len(line) && (line[end] != '"' || end+1 < len(line) && line[end+1] == '"') {
				if line[end] == '"' {
					end++
				}
				end++
			}
			end = min(end+1, len(line))
		default:
			for end < len(line) && line[end] != ' ' && line[end] != '\t' {
				end++
			}
		}
		m := &c.parts[i]
		if m.what != partSkip {
			text := line[at:end]
			if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
				text = text[1 : len(text)-1]
			}
			if c.plus && m.what == partAgent && bytes.IndexByte(text, '+') >= 0 && bytes.IndexByte(text, ' ') < 0 {
				text = p.scratch.spaces(text)
			}
			if c.encoded && m.what == partAgent && bytes.IndexByte(text, '%') >= 0 {
				text = p.scratch.decoded(text)
			}
			if !p.set(m.what, m.unit, text) {
				if end == len(line) {
					return p.settleColumns(i, len(c.parts))
				}
				return misfit
			}
		}
		at = end + 1
	}
	if at <= len(line) && !c.tabs {
		return misfit // more columns than named: the directive is of another file
	}
	return p.settleColumns(len(c.parts), len(c.parts))
}

// settleColumns completes a line of which got columns were there. Its times are in UTC, whatever Options.Zone.
func (p *Parser) settleColumns(got, want int) grade {
	if c := p.columns; p.seen&(sawDate|sawClock) == sawClock && c != nil && c.dated.valid {
		p.day, p.seen = c.dated.day, p.seen|sawDate
		if p.clock < c.dated.clock {
			p.day += 86400
		}
	}
	if p.seen&(sawDate|sawClock) == sawDate|sawClock {
		p.req.Time = time.Unix(p.day, 0).UTC().Add(p.clock)
		p.seen = p.seen&^(sawDate|sawClock) | sawTime
	}
	return p.settle(got == want)
}

// spaces writes spaces for plus signs, into memory of the parser's own that is valid until the next line.
func (s *scratch) spaces(b []byte) []byte {
	s.text = append(s.text[:0], b...)
	for i, c := range s.text {
		if c == '+' {
			s.text[i] = ' '
		}
	}
	return s.text
}

// decoded undoes "%20" and its like, into memory of the parser's own that is valid until the next line. What is no such escape stays.
func (s *scratch) decoded(b []byte) []byte {
	s.text = s.text[:0]
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) && hexDigit(b[i+1]) >= 0 && hexDigit(b[i+2]) >= 0 {
			s.text = append(s.text, byte(hexDigit(b[i+1])<<4|hexDigit(b[i+2])))
			i += 2
			continue
		}
		s.text = append(s.text, b[i])
	}
	return s.text
}
