package cli

import (
	"strconv"
	"time"

	"github.com/connwarden/connwarden/live"
)

// blockLine appends what report.JSON writes of a block, in a fifth of the time: a host that joins a fleet tells of 100,000. Of a block
// that is not as most are it says no, and what it appended is worth nothing.
func blockLine(b []byte, m *live.Block) ([]byte, bool) {
	if m.Confirm != nil || m.Hits != nil || len(m.Drivers) != 1 {
		return b, false
	}
	l := line{b: b, ok: true}
	l.text(`{"type":`, m.Type)
	l.time(`,"time":`, &m.Time)
	l.text(`,"target":`, m.Target)
	l.text(`,"scope":`, m.Scope)
	l.text(`,"drivers":[`, m.Drivers[0])
	l.time(`],"since":`, m.Since)
	l.time(`,"until":`, m.Until)
	l.text(`,"by":`, m.By)
	l.text(`,"who":`, m.Who)
	l.text(`,"why":`, m.Why)
	l.text(`,"state":`, m.State)
	if m.Forced {
		l.b = append(l.b, `,"forced":true`...)
	}
	if m.Change != 0 {
		l.b = strconv.AppendInt(append(l.b, `,"change":`...), m.Change, 10)
	}
	l.b = append(l.b, `,"hits":null`...)
	if m.Undo != "" {
		l.text(`,"undo":`, m.Undo)
	}
	return append(l.b, "}\n"...), l.ok
}

// line is JSON that is being written.
type line struct {
	b  []byte
	ok bool // nothing stands in it that encoding/json might write otherwise
}

// text appends a name and a text of printable ASCII that needs no escape.
func (l *line) text(name, s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			l.ok = false
			return
		}
	}
	l.b = append(append(append(append(l.b, name...), '"'), s...), '"')
}

// time appends a name and a time, or null.
func (l *line) time(name string, t *time.Time) {
	if l.b = append(l.b, name...); t == nil {
		l.b = append(l.b, "null"...)
		return
	}
	text, err := t.AppendText(append(l.b, '"'))
	l.b, l.ok = append(text, '"'), l.ok && err == nil
}
