package logs

import (
	"bytes"
	"time"
)

// labelled is the format of ltsv.org: labels and values with a colon between, parted by tabs.
var labelled = &Format{Name: "ltsv", read: readLTSV}

// logfmt is key=value with spaces between, values with spaces in quotes, as many programs in Go and Heroku's router write it.
var logfmt = &Format{Name: "logfmt", read: readLogfmt}

func readLTSV(p *Parser, line []byte) grade {
	p.beginMute()
	p.scratch.start(&keys)
	if bytes.IndexByte(line, '\t') < 0 {
		return misfit
	}
	for rest := line; len(rest) > 0; {
		one := rest
		if n := bytes.IndexByte(rest, '\t'); n >= 0 {
			one, rest = rest[:n], rest[n+1:]
		} else {
			rest = nil
		}
		n := bytes.IndexByte(one, ':')
		if n <= 0 {
			return misfit
		}
		p.scratch.label(one[:n])
		p.labelled(one[n+1:], ltsvKeys)
	}
	return p.settleKeys(true)
}

// label makes a name that no quote ends the path.
func (s *scratch) label(name []byte) {
	s.path = s.path[:0]
	for _, c := range name[:min(len(name), maxKey)] {
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c == '_' || c == '-' || c == '@':
			continue
		}
		s.path = append(s.path, c)
	}
}

// labelled takes a value of the path in hand, whose label may mean something of its own in a format.
func (p *Parser) labelled(value []byte, own map[string]meaning) {
	s := &p.scratch
	m, ok := own[string(s.path)]
	if !ok {
		m, ok = (*s.keys)[string(s.path)]
	}
	if ok {
		p.req.Lacks &^= m.what.asker()
	}
	if value = dash(value); !ok || len(value) == 0 || int8(m.rank)+1 <= s.ranks[m.what] {
		return
	}
	if p.setLoose(m, value) {
		s.ranks[m.what] = int8(m.rank) + 1
	}
}

func readLogfmt(p *Parser, line []byte) grade {
	p.beginMute()
	p.scratch.start(&keys)
	// A time may stand in front, as in Heroku's "2026-11-22T14:03:07.123456+00:00 heroku[router]: at=info …".
	if t, n := p.stamps.any(line); n > 0 {
		p.req.Time, p.seen = t, sawTime
		line = line[n:]
	} else if n := bytes.IndexByte(line[:min(len(line), maxLogger)], '='); n > len("I, [2026-11-22T14:03:07") {
		// A logger's own.
		if p.timeIn(line[:n]); p.req.Time.IsZero() {
			p.seen = 0
		}
	}
	pairs := 0
	for at := 0; at < len(line); {
		if line[at] == ' ' {
			at++
			continue
		}
		start := at
		for at < len(line) && line[at] != ' ' && line[at] != '=' && line[at] != '"' {
			at++
		}
		if at == len(line) || line[at] != '=' {
			if at < len(line) && line[at] == '"' {
				return misfit
			}
			continue // a word without a value
		}
		key := line[start:at]
		at++
		var value []byte
		if at < len(line) && line[at] == '"' {
			end := closeString(line, at+1)
			if end < 0 {
				value, at = line[at+1:], len(line)
			} else {
				value, at = line[at+1:end], end+1
			}
			if bytes.IndexByte(value, '\\') >= 0 {
				value = p.scratch.undo(value)
			}
		} else {
			start = at
			for at < len(line) && line[at] != ' ' {
				at++
			}
			value = line[start:at]
		}
		pairs++
		p.scratch.label(key)
		p.labelled(value, logfmtKeys)
	}
	if pairs < 4 {
		return misfit
	}
	return p.settleKeys(true)
}

// logfmtKeys are the keys of Heroku's router (devcenter.heroku.com/articles/http-routing, "Heroku router log format") and of others that mean
// something of their own in such lines.
var logfmtKeys = map[string]meaning{
	"fwd":     {what: partForward, rank: 1},
	"service": {what: partTook, unit: auto, rank: 1},
	// Lograge's, of Rails; others write a suffix.
	"duration": {what: partTook, unit: time.Millisecond, rank: 6},
}
