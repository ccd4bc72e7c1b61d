package logs

import (
	"bytes"
	"time"

	"github.com/connwarden/connwarden"
)

// The slow-query logs of MySQL and MariaDB: an entry of comments, then the statement.
//
//	# Time: 2026-11-22T14:03:07.123456Z            (MariaDB: "# Time: 261122 14:03:07", left out within one second)
//	# User@Host: web[web] @ localhost [127.0.0.1]  Id:    12
//	# Query_time: 2.000123  Lock_time: 0.000000  Rows_sent: 1  Rows_examined: 1000
//	use shop;
//	SET timestamp=1795356187;
//	SELECT * FROM orders WHERE id = 5;
//
// A value in a statement may hold lines of its own, whatever they look like: nothing that follows is read as another format's before the
// statement ends, and the log's trust is outside.
//
// The message is the statement without its values, since that is what such entries are counted by; the site is the database.
var mysqlSlow = &Format{Name: "mysql_slow", Kind: Error, Whole: true, fits: fitsMySQLSlow, line: mysqlSlowLine, flush: mysqlSlowFlush}

// maxStatement bounds the fingerprint of a statement, in bytes: enough to tell the statements of an application apart.
const maxStatement = 512

func fitsMySQLSlow(line []byte) bool {
	return starts(line, "# Time: ") || starts(line, "# User@Host: ") || starts(line, "# Query_time: ") || starts(line, "# Thread_id: ") || starts(line, "SET timestamp=")
}

func mysqlSlowLine(p *Parser, line []byte) outcome {
	e := &p.errs
	switch {
	case starts(line, "# Time: "), starts(line, "# User@Host: ") && (e.first == 0 || !starts(e.entry, "# Time: ") || e.first != len(e.entry)):
		mysqlSlowFlush(p)
		p.beginEntry(line)
		e.held = true
		return parsed
	case e.first > 0:
		p.addLine(line)
		e.held = !bytes.HasSuffix(line, []byte(";")) || starts(line, "use ") || starts(line, "SET timestamp=")
		return continued
	case bytes.HasSuffix(line, []byte("started with:")), starts(line, "Tcp port: "), starts(line, "Time  "), starts(line, "Time\t"):
		return parsed // the server's head
	}
	return unparsed
}

func mysqlSlowFlush(p *Parser) {
	if p.errs.first == 0 {
		return
	}
	entry, first, from := p.endEntry()
	f := p.startFault("mysql", first, from)
	f.Level, f.Module = connwarden.LevelWarning, mysqlSlowModule
	var statement []byte
	for rest := entry; len(rest) > 0; {
		line, more, _ := bytes.Cut(rest, []byte("\n"))
		switch {
		case starts(line, "# Time: "):
			f.Time = p.mysqlSlowTime(line[len("# Time: "):])
		case starts(line, "# User@Host: "):
			// "NAME[NAME] @ HOST [ADDR]": the account's name is the administrator's.
			if i := bytes.LastIndexByte(line, '['); i > 0 && bytes.IndexByte(line[i:], ']') > 0 {
				f.Client, _ = parseAddr(until(line[i+1:], "]"))
			}
		case starts(line, "# Thread_id: "):
			if db := after(line, "Schema: "); db != nil {
				f.Site, _ = word(db)
			}
		case starts(line, "#"):
		case starts(line, "SET timestamp="):
			if f.Time.IsZero() {
				f.Time, _ = p.stamps.any(until(line[len("SET timestamp="):], ";"))
			}
		case starts(line, "use ") && len(statement) == 0 && bytes.HasSuffix(line, []byte(";")):
			f.Site = line[len("use ") : len(line)-1]
		default:
			statement, more = rest, nil
		}
		rest = more
	}
	p.errs.last = f.Time
	j := append(p.errs.joined[:0], "slow query: "...)
	j = appendStatement(j, statement)
	p.errs.joined, f.Message = j, j
	p.pushFault(connwarden.EventOther, nil, nil)
}

var mysqlSlowModule = []byte("slow_log")

func (p *Parser) mysqlSlowTime(b []byte) time.Time {
	if len(b) >= 15 && b[6] == ' ' {
		t, _ := p.mysqlTime(b[:15])
		return t
	}
	t, _ := p.stamps.any(b)
	return t
}

// appendStatement appends a statement without its values: numbers become N, strings S, and lists of values one of them. Comments go, and so
// do blanks but one.
func appendStatement(dst, b []byte) []byte {
	start := len(dst)
	add := func(s string) {
		// "IN (N, N, N)" and "VALUES (S, N), (S, N)" are as long as the data.
		for _, list := range [...]string{s + ", ", s + ","} {
			if bytes.HasSuffix(dst, []byte(list)) {
				dst = dst[:len(dst)-len(list)]
			}
		}
		dst = append(dst, s...)
	}
	for i := 0; i < len(b) && len(dst)-start < maxStatement; {
		switch c := b[i]; {
		case c == '\'' || c == '"':
			i++
			for i < len(b) && (b[i] != c || i+1 < len(b) && b[i+1] == c) {
				if b[i] == '\\' || b[i] == c {
					i++
				}
				i++
			}
			i++
			add("S")
		case isDigit(c) && (i == 0 || !isWordByte(b[i-1])):
			for i < len(b) && (isWordByte(b[i]) || b[i] == '.') {
				i++
			}
			add("N")
		case c == '/' && i+1 < len(b) && b[i+1] == '*':
			n := bytes.Index(b[i:], []byte("*/"))
			if n < 0 {
				return dst
			}
			i += n + 2
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if n := len(dst); n > start && dst[n-1] != ' ' {
				dst = append(dst, ' ')
			}
			i++
		case c == ')':
			dst = append(dst, c)
			i++
			// A row that repeats the one before it.
			if open := bytes.LastIndexByte(dst[start:], '('); open > 0 {
				row := dst[start+open:]
				if before := bytes.TrimRight(dst[start:start+open], ", "); bytes.HasSuffix(before, row) {
					dst = dst[:start+len(before)]
				}
			}
		default:
			dst = append(dst, c)
			i++
		}
	}
	return bytes.TrimRight(dst, " ;")
}

func isWordByte(c byte) bool {
	return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '$' || c >= 0x80
}
