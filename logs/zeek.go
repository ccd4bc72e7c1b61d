package logs

import "bytes"

// zeekHTTP is the http.log of Zeek, which writes down the requests that it sees on a network: columns between tabs, which a directive names.
var zeekHTTP = &Format{Name: "zeek_http", bind: bindZeek, carry: carryZeek, directed: true, read: readZeek, columns: zeekColumns}

var zeekFields = []byte("#fields\t")

// zeekColumns are those of Zeek 6 and later, for files that are read from their middle.
var zeekColumns = parseColumns([]byte("ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\ttrans_depth\tmethod\thost\turi\treferrer\tversion\tuser_agent\t" +
	"origin\trequest_body_len\tresponse_body_len\tstatus_code\tstatus_msg\tinfo_code\tinfo_msg\ttags\tusername\tpassword\tproxied\t" +
	"orig_fuids\torig_filenames\torig_mime_types\tresp_fuids\tresp_filenames\tresp_mime_types"))

// bindZeek binds the columns that the first directive of a head names.
func bindZeek(f *Format, head []byte) *Format {
	for line := range bytes.Lines(head) {
		if names, ok := bytes.CutPrefix(line, zeekFields); ok {
			bound := *f
			bound.columns = parseColumns(directiveNames(names))
			return &bound
		}
		if line[0] != '#' {
			break
		}
	}
	return f
}

func carryZeek(before, lines []byte) []byte {
	names := lastDirective(lines, zeekFields)
	if names == nil {
		return before
	}
	return append(append(append(make([]byte, 0, 2+len(names)), markDirective), names...), '\n')
}

func readZeek(p *Parser, line []byte) grade {
	if line[0] == '#' {
		if names, ok := bytes.CutPrefix(line, zeekFields); ok {
			p.direct(directiveNames(names), nil)
		}
		return aside
	}
	if p.columns == nil || bytes.IndexByte(line, '\t') < 0 {
		return misfit
	}
	g := p.readColumns(p.columns, line)
	if p.seen&sawPath == 0 { // another of its logs
		return misfit
	}
	return g
}
