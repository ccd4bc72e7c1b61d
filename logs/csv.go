package logs

import (
	"bytes"
	"time"
)

// gcs is the usage log of Google Cloud Storage, comma-separated with a line of names first:
// cloud.google.com/storage/docs/access-logs.
var gcs = &Format{Name: "gcs", read: readGCS}

var gcsColumns = []meaning{
	{what: partTime}, {what: partClient}, {}, {}, {what: partMethod}, {what: partURI}, {what: partStatus}, {},
	{what: partSize}, {what: partTook, unit: time.Microsecond}, {what: partHost}, {what: partReferer}, {what: partAgent}, {}, {}, {}, {},
}

func readGCS(p *Parser, line []byte) grade {
	if bytes.HasPrefix(line, []byte(`"time_micros"`)) || bytes.HasPrefix(line, []byte("time_micros,")) {
		return aside
	}
	p.begin()
	p.scratch.text = p.scratch.text[:0]
	at := 0
	for i := range gcsColumns {
		if at > len(line) {
			return p.settle(i > 12)
		}
		value, next, ok := p.scratch.cell(line, at)
		if !ok {
			return p.settle(false)
		}
		if m := &gcsColumns[i]; !p.set(m.what, m.unit, value) {
			return misfit
		}
		at = next
	}
	return p.settle(true)
}

// cell reads the cell that begins at at; a quote inside is doubled (RFC 4180).
func (s *scratch) cell(line []byte, at int) (value []byte, next int, ok bool) {
	if at == len(line) || line[at] != '"' {
		if n := bytes.IndexByte(line[at:], ','); n >= 0 {
			return line[at : at+n], at + n + 1, true
		}
		return line[at:], len(line) + 1, true
	}
	start, doubled := at+1, false
	for at = start; ; at += 2 {
		n := bytes.IndexByte(line[at:], '"')
		if n < 0 {
			return nil, 0, false
		}
		at += n
		if at+1 == len(line) || line[at+1] != '"' {
			break
		}
		doubled = true
	}
	if at+1 < len(line) && line[at+1] != ',' {
		return nil, 0, false
	}
	value = line[start:at]
	if doubled {
		from := len(s.text)
		for i := 0; i < len(value); i++ {
			s.text = append(s.text, value[i])
			if value[i] == '"' {
				i++
			}
		}
		value = s.text[from:]
	}
	return value, at + 2, true
}
